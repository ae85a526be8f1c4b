//! Which names Kubernetes and Istio accept.
//!
//! Invariant: what passes here is refused by neither: Kubernetes wants object names that are DNS-1123
//! subdomains, Istio hosts whose labels have at most 63 characters and whose last label is not a number.

/// Most characters of an object name or host.
pub const MAX_NAME: usize = 253;
/// Most characters of a DNS label or of a Kubernetes label's value.
pub const MAX_LABEL: usize = 63;
/// Values in messages are cut here.
const MAX_SHOWN: usize = 80;

/// Checks a host, of either case, as Istio and (in lower case) Kubernetes do; the error says what is wrong.
///
/// # Errors
/// With the reason, to follow "the host is not usable: ".
pub fn check_host(host: &str) -> Result<(), String> {
    if host.len() > MAX_NAME {
        return Err(format!("it has {} characters, more than {MAX_NAME}", host.len()));
    }
    for label in host.split('.') {
        check_label(label)?;
    }
    let top = host.rsplit('.').next().unwrap_or_default();
    if top.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("its last label {top:?} is a number"));
    }
    Ok(())
}

/// Checks the value of a Kubernetes label: empty, or at most 63 letters, digits, `-`, `_`, `.`, with a letter
/// or digit at both ends.
///
/// # Errors
/// With the reason.
pub fn check_label_value(value: &str) -> Result<(), String> {
    if value.len() > MAX_LABEL {
        return Err(format!("it has {} characters, more than {MAX_LABEL}", value.len()));
    }
    match value.chars().find(|c| !c.is_ascii_alphanumeric() && !"-_.".contains(*c)) {
        Some(c) => Err(format!("it contains {c:?}")),
        None if has_sound_ends(value) => Ok(()),
        None => Err("it must begin and end with a letter or digit".to_owned()),
    }
}

/// `value` for a message: quoted, and cut if it is long.
pub fn shown(value: &str) -> String {
    if value.chars().count() <= MAX_SHOWN {
        return format!("{value:?}");
    }
    let head: String = value.chars().take(MAX_SHOWN).collect();
    format!("{head:?}... ({} characters)", value.chars().count())
}

fn check_label(label: &str) -> Result<(), String> {
    if label.is_empty() {
        return Err("it has an empty label (two dots, or a dot at an end)".to_owned());
    }
    if label.len() > MAX_LABEL {
        return Err(format!("its label {} is longer than {MAX_LABEL} characters", shown(label)));
    }
    match label.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-') {
        Some(c) => Err(format!("it contains {c:?}")),
        None if has_sound_ends(label) => Ok(()),
        None => Err(format!("its label {} begins or ends with '-'", shown(label))),
    }
}

fn has_sound_ends(value: &str) -> bool {
    let sound = |b: Option<u8>| b.is_none_or(|b| b.is_ascii_alphanumeric());
    sound(value.bytes().next()) && sound(value.bytes().last())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for good in ["a.global", "E2E.Org.Shop.global", "1.2.g", &format!("{}.global", "a".repeat(63))] {
            assert_eq!(check_host(good), Ok(()), "{good}");
        }
        let long = format!("{}.global", vec!["abcdefgh"; 40].join("."));
        let label = format!("{}.global", "a".repeat(64));
        for bad in
            ["a_b.global", "-a.global", "a-.global", "a..global", ".global", "a.1", "ä.global", "", &long, &label]
        {
            assert!(check_host(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn label_values_and_long_values() {
        assert!(check_label_value("a_B.c-1").is_ok() && check_label_value("").is_ok());
        assert!(check_label_value("-a").is_err() && check_label_value("a b").is_err());
        assert!(check_label_value(&"a".repeat(64)).is_err());
        assert!(shown(&"x".repeat(300)).ends_with("... (300 characters)"));
    }
}
