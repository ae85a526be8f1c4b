//! Names that become part of a URL or of a file path.
//!
//! Invariant: a checked segment has no separator and is neither `.` nor `..`, so that it cannot lead elsewhere.

use crate::mesh::name::shown;
use crate::mesh::{NamespaceScope, ObjectKey};

/// Longest name that Kubernetes allows.
const MAX_LENGTH: usize = 253;

/// Checks namespace and name of `key`.
///
/// # Errors
/// Which of them is unusable and why.
pub(super) fn check_key(key: &ObjectKey) -> Result<(), String> {
    check("metadata.name", &key.name)?;
    if key.kind.namespace_scope() == NamespaceScope::ClusterScoped {
        return Ok(());
    }
    check("metadata.namespace", &key.namespace)
}

fn check(field: &str, value: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let sound = !value.is_empty() && value.len() <= MAX_LENGTH && value.chars().all(allowed);
    if sound && !value.starts_with('.') {
        return Ok(());
    }
    Err(format!(
        "{field} {} is not a Kubernetes name; use letters, digits, '-' and '.', {MAX_LENGTH} at most",
        shown(value)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::Kind;

    #[test]
    fn separators_and_dots_lead_nowhere() {
        for bad in ["", ".", "..", "a/b", "a\\b", "../x", "a%2fb", "a?b", "a b", ".hidden"] {
            assert!(check_key(&ObjectKey::new(Kind::ServiceEntry, "ns", bad)).is_err(), "{bad}");
            assert!(check_key(&ObjectKey::new(Kind::ServiceEntry, bad, "name")).is_err(), "{bad}");
        }
        assert!(check_key(&ObjectKey::new(Kind::ServiceEntry, "ns", "a.b-c1")).is_ok());
        assert!(check_key(&ObjectKey::new(Kind::Node, "", "node1")).is_ok());
    }
}
