//! Booleans as Go writes them, for flags and query parameters that come from Admiral's users.

/// Not one of Go's words.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a boolean; write true or false (1 t T TRUE true True, 0 f F FALSE false False)")]
pub struct GoBoolError(String);

/// Parses what Go's `strconv.ParseBool` takes, and nothing else.
///
/// # Errors
/// When `text` is none of the twelve words.
pub fn parse_go_bool(text: &str) -> Result<bool, GoBoolError> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        other => Err(GoBoolError(other.to_owned())),
    }
}
