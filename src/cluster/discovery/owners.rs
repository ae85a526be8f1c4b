//! Who owns which cluster. Pure.
//!
//! Invariant (reconcile-spec 1 D3): a cluster has one owner. Who owns it keeps it as long as its key is there;
//! a free cluster goes to the first secret by namespace and name.

use std::collections::{BTreeMap, BTreeSet};

use super::secrets::{Bytes, SecretName, Snapshot, subject};
use crate::mesh::ClusterId;

/// The outcome of [`assign`].
#[derive(Default)]
pub(super) struct Assignment {
    /// Owner and kubeconfig of each cluster.
    pub(super) clusters: BTreeMap<ClusterId, (SecretName, Bytes)>,
    /// Subjects that cannot be used, with the reason.
    pub(super) refused: BTreeMap<String, String>,
}

/// A secret that names a cluster, with what it holds for it.
type Claim<'a> = (&'a SecretName, &'a Result<Bytes, String>);

/// Gives every cluster of `snapshot` to one secret. `fixed` are taken by flags; `owners` are as of last time.
pub(super) fn assign(
    snapshot: &Snapshot,
    fixed: &BTreeSet<ClusterId>,
    owners: &BTreeMap<ClusterId, SecretName>,
) -> Assignment {
    let mut claims: BTreeMap<ClusterId, Vec<Claim<'_>>> = BTreeMap::new();
    for (secret, keys) in snapshot {
        for (key, bytes) in keys {
            claims.entry(ClusterId::new(key)).or_default().push((secret, bytes));
        }
    }
    let mut assignment = Assignment::default();
    for (cluster, claims) in claims {
        let owner = match fixed.contains(&cluster) {
            true => None,
            false => claims.iter().find(|(s, _)| owners.get(&cluster) == Some(*s)).or(claims.first()).copied(),
        };
        for (secret, bytes) in &claims {
            let subject = subject(secret, cluster.as_str());
            match owner {
                Some((owner, _)) if owner == *secret => match bytes {
                    Ok(bytes) => drop(assignment.clusters.insert(cluster.clone(), ((*secret).clone(), bytes.clone()))),
                    Err(message) => drop(assignment.refused.insert(subject, message.clone())),
                },
                Some((owner, _)) => {
                    let message = format!("cluster {cluster} comes from Secret {owner} already; remove one of them");
                    assignment.refused.insert(subject, message);
                }
                None => {
                    let message = format!("cluster {cluster} is named by --cluster already; remove one of them");
                    assignment.refused.insert(subject, message);
                }
            }
        }
    }
    assignment
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(secrets: &[(&str, &[&str])]) -> Snapshot {
        let keys = |keys: &[&str]| keys.iter().map(|k| ((*k).to_owned(), Ok(Bytes::from(k.as_bytes())))).collect();
        secrets.iter().map(|(name, k)| (SecretName::new("admiral", name), keys(k))).collect()
    }

    fn owner(assignment: &Assignment, cluster: &str) -> String {
        assignment.clusters.get(&ClusterId::new(cluster)).map(|(s, _)| s.to_string()).unwrap_or_default()
    }

    #[test]
    fn the_first_secret_owns_and_the_owner_keeps() {
        let both = snapshot(&[("a", &["east"]), ("b", &["east", "west"])]);
        let first = assign(&both, &BTreeSet::new(), &BTreeMap::new());
        assert_eq!((owner(&first, "east"), owner(&first, "west")), ("admiral/a".into(), "admiral/b".into()));
        assert!(first.refused["Secret admiral/b key east"].contains("admiral/a"));

        let owners = BTreeMap::from([(ClusterId::new("east"), SecretName::new("admiral", "b"))]);
        let kept = assign(&both, &BTreeSet::new(), &owners);
        assert_eq!(owner(&kept, "east"), "admiral/b");
        assert!(kept.refused.contains_key("Secret admiral/a key east"));

        let taken_over = assign(&snapshot(&[("a", &["east"])]), &BTreeSet::new(), &owners);
        assert_eq!(owner(&taken_over, "east"), "admiral/a");
    }

    #[test]
    fn flags_come_before_secrets() {
        let fixed = BTreeSet::from([ClusterId::new("east")]);
        let assignment = assign(&snapshot(&[("a", &["east", "west"])]), &fixed, &BTreeMap::new());
        assert_eq!(assignment.clusters.len(), 1);
        assert!(assignment.refused["Secret admiral/a key east"].contains("--cluster"));
    }
}
