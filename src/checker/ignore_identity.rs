//! `ignoreidentity`: Admiral's name for following its table of suspended identities.
//!
//! In Admiral it stands *instead of* the lease. Here who writes and for whom nothing is written are two questions:
//! this name is the `dynamodb` checker, for an instance that must have such a table (reconcile-spec 6.3).

use super::{CheckerKind, dynamodb};

/// The registry row.
pub const KIND: CheckerKind = CheckerKind {
    names: &["ignoreidentity", "ignoreidentitystatechecker", "dynamodbbasedignoreidentitylistchecker"],
    make: dynamodb::KIND.make,
};

/// Whether `checker` asks for a suspension table.
pub fn is_meant_by(checker: &str) -> bool {
    KIND.names.iter().any(|name| name.eq_ignore_ascii_case(checker))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admirals_spelling_is_known_in_any_case() {
        assert!(is_meant_by("DynamoDBBasedIgnoreIdentityListChecker") && is_meant_by("ignoreIdentityStateChecker"));
        assert!(!is_meant_by("dynamodb"));
    }
}
