//! Parsers of single values. Their messages say what was given and what to write instead; clap puts the flag
//! in front.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

/// A value that cannot be understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not {what}; write {remedy}")]
pub struct ValueError {
    value: String,
    what: &'static str,
    remedy: &'static str,
}

fn refuse<T>(value: &str, what: &'static str, remedy: &'static str) -> Result<T, ValueError> {
    Err(ValueError { value: value.to_owned(), what, remedy })
}

/// `10s`, `500ms`, `1m30s`.
pub fn duration(text: &str) -> Result<Duration, ValueError> {
    let parsed = humantime::parse_duration(text).ok();
    parsed.map_or_else(|| refuse(text, "a duration", "a number with its unit, such as 10s, 500ms or 1m30s"), Ok)
}

/// `1%`, `0.5%`, `500ppm`, as parts per million.
pub fn drift(text: &str) -> Result<u32, ValueError> {
    let ppm = if let Some(percent) = text.strip_suffix('%') {
        percent.trim().parse::<f64>().ok().map(|p| p * 10_000.0)
    } else {
        text.strip_suffix("ppm").and_then(|ppm| ppm.trim().parse::<u32>().ok()).map(f64::from)
    };
    match ppm {
        // The range makes the conversion exact enough; a share of a millionth is no matter.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked by the range")]
        Some(ppm) if (0.0..=1_000_000.0).contains(&ppm) => Ok(ppm.ceil() as u32),
        _ => refuse(
            text,
            "a share from 0% to 100%",
            "a percentage such as 1% or 0.5%, or parts per million such as 500ppm",
        ),
    }
}

/// `ADDRESS:PORT` or `:PORT` for every address.
pub fn listen(text: &str) -> Result<SocketAddr, ValueError> {
    let full = if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.to_owned() };
    let address = full.parse().ok().or_else(|| full.to_socket_addrs().ok()?.next());
    address.map_or_else(|| refuse(text, "an address to listen on", "ADDRESS:PORT, such as 0.0.0.0:8080 or :8080"), Ok)
}

/// The items of a list that are not empty.
pub fn filled<C: FromIterator<String>>(items: Vec<String>) -> C {
    items.into_iter().filter(|item| !item.is_empty()).collect()
}

/// Text that is not empty.
pub fn name(text: &str) -> Result<String, ValueError> {
    if text.trim().is_empty() {
        return refuse(text, "a name", "one, or leave the flag out for its default");
    }
    Ok(text.to_owned())
}

/// An `http://` URL without a slash at the end.
pub fn url(text: &str) -> Result<String, ValueError> {
    if text.strip_prefix("http://").is_some_and(|rest| !rest.trim_matches('/').is_empty()) {
        return Ok(text.trim_end_matches('/').to_owned());
    }
    refuse(text, "an http URL", "http://HOST:PORT, such as http://127.0.0.1:8080")
}

/// A whole number that is not negative.
pub fn count(text: &str) -> Result<u32, ValueError> {
    text.parse().or_else(|_| refuse(text, "a whole number", "one from 0 to 4294967295, such as 100"))
}

/// A level as a word, or as Admiral's number from 0 (panic) to 6 (trace).
pub fn log_level(text: &str) -> Result<tracing::Level, ValueError> {
    match text.to_ascii_lowercase().as_str() {
        "0" | "1" | "2" | "panic" | "fatal" | "error" => Ok(tracing::Level::ERROR),
        "3" | "warn" | "warning" => Ok(tracing::Level::WARN),
        "4" | "info" => Ok(tracing::Level::INFO),
        "5" | "debug" => Ok(tracing::Level::DEBUG),
        "6" | "trace" => Ok(tracing::Level::TRACE),
        _ => refuse(text, "a log level", "error, warn, info, debug or trace, or Admiral's number from 0 to 6"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drift_is_a_share() {
        assert_eq!(drift("1%"), Ok(10_000));
        assert_eq!(drift("0.5%"), Ok(5_000));
        assert_eq!(drift("500ppm"), Ok(500));
        for bad in ["1", "%", "-1%", "101%", "NaN%", "inf%", "1.5ppm", ""] {
            assert!(drift(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_may_leave_out_the_host() {
        assert_eq!(listen(":8080").unwrap().to_string(), "0.0.0.0:8080");
        assert_eq!(listen("[::1]:80").unwrap().to_string(), "[::1]:80");
        for bad in ["8080", "", "localhost", "1.2.3.4:70000"] {
            let error = listen(bad).unwrap_err().to_string();
            assert!(error.contains(&format!("{bad:?}")) && error.contains(":8080"), "{error}");
        }
    }

    #[test]
    fn levels_are_words_or_admirals_numbers() {
        assert_eq!(log_level("4"), log_level("INFO"));
        assert_eq!(log_level("0"), Ok(tracing::Level::ERROR));
        assert!(log_level("7").unwrap_err().to_string().contains("0 to 6"));
    }

    #[test]
    fn urls_lose_their_last_slash() {
        assert_eq!(url("http://a:1/").as_deref(), Ok("http://a:1"));
        for bad in ["a:1", "https://a", "http://", "http:///"] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }
}
