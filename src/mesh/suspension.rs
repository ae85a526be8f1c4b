//! Which identities are suspended: nothing is written or deleted for them (reconcile-spec N8, 6.3).
//!
//! Invariant: workloads match letter for letter, as in Admiral; objects that exist are kept whatever the case of
//! their identity, so that a doubt never deletes.

use std::collections::{BTreeMap, BTreeSet};

/// In which envs an identity is suspended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Envs {
    /// In each of them.
    Every,
    /// In these.
    Only(BTreeSet<String>),
}

impl Envs {
    fn merge(&mut self, other: &Self) {
        match (&mut *self, other) {
            (Self::Only(mine), Self::Only(theirs)) => mine.extend(theirs.iter().cloned()),
            _ => *self = Self::Every,
        }
    }

    fn any(&self, matches: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Every => true,
            Self::Only(envs) => envs.iter().any(|env| matches(env)),
        }
    }
}

/// What one source suspends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suspension {
    source: String,
    all: bool,
    identities: BTreeMap<String, Envs>,
    /// The same by the identity in lower case.
    folded: BTreeMap<String, Envs>,
}

impl Suspension {
    /// What `source` (for people: a flag, or a table's item) suspends: `all`, or these identities.
    pub fn new(source: impl Into<String>, all: bool, identities: BTreeMap<String, Envs>) -> Self {
        let mut folded = BTreeMap::<String, Envs>::new();
        for (identity, envs) in &identities {
            folded
                .entry(identity.to_lowercase())
                .and_modify(|present| present.merge(envs))
                .or_insert_with(|| envs.clone());
        }
        Self { source: source.into(), all, identities, folded }
    }

    /// What it comes from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether every identity is suspended.
    pub fn is_all(&self) -> bool {
        self.all
    }

    /// The identities that it names.
    pub fn identities(&self) -> impl ExactSizeIterator<Item = &str> {
        self.identities.keys().map(String::as_str)
    }

    /// Whether workloads of this identity and env are suspended.
    pub fn covers(&self, identity: &str, env: &str) -> bool {
        self.all || self.identities.get(identity).is_some_and(|envs| envs.any(|one| one == env))
    }

    /// Whether objects of this identity, and of this env where it is known, are kept as they are.
    pub fn keeps(&self, identity: &str, env: Option<&str>) -> bool {
        let is_meant = |envs: &Envs| env.is_none_or(|env| envs.any(|one| one.eq_ignore_ascii_case(env)));
        self.all || self.folded.get(&identity.to_lowercase()).is_some_and(is_meant)
    }

    /// As [`Self::keeps`], for a host `ENV.IDENTITY.SUFFIX`, or one in front of which something stands.
    fn keeps_host(&self, host: &str, suffix: &str) -> bool {
        if self.all {
            return true;
        }
        let host = host.to_lowercase();
        let suffix = format!(".{}", suffix.to_lowercase());
        let Some(name) = host.strip_suffix(&suffix) else { return false };
        name.match_indices('.').any(|(at, _)| {
            let (head, identity) = (&name[..at], &name[at + 1..]);
            let is_env = |env: &str| {
                let env = env.to_lowercase();
                head.strip_suffix(&env).is_some_and(|front| front.is_empty() || front.ends_with('.'))
            };
            self.folded.get(identity).is_some_and(|envs| envs.any(is_env))
        })
    }
}

/// What a change of suspensions concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Concerned {
    /// Every identity.
    All,
    /// These, in lower case.
    Identities(BTreeSet<String>),
}

/// Every source together: the settings' list, and the table's newest answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suspensions {
    listed: Suspension,
    table: Suspension,
}

impl Suspensions {
    /// The settings' list alone, which holds for every env.
    pub fn listed(identities: &BTreeSet<String>) -> Self {
        let identities = identities.iter().map(|identity| (identity.clone(), Envs::Every)).collect();
        Self { listed: Suspension::new("--excluded_identity_list", false, identities), table: Suspension::default() }
    }

    /// Takes a new answer of the table, and says whom that concerns.
    pub fn set_table(&mut self, table: Suspension) -> Concerned {
        let old = std::mem::replace(&mut self.table, table);
        if old.all != self.table.all {
            return Concerned::All;
        }
        let names = old.folded.keys().chain(self.table.folded.keys());
        // A name may be written in another case than before.
        let spelt = |of: &Suspension, name: &str| {
            let alike = of.identities.iter().filter(|(identity, _)| identity.to_lowercase() == name);
            alike.map(|(identity, envs)| (identity.clone(), envs.clone())).collect::<Vec<_>>()
        };
        let differs = |name: &&String| {
            let (was, is) = (old.folded.get(*name), self.table.folded.get(*name));
            was != is || (old.identities != self.table.identities && spelt(&old, name) != spelt(&self.table, name))
        };
        Concerned::Identities(names.filter(differs).cloned().collect())
    }

    /// What the table says.
    pub fn table(&self) -> &Suspension {
        &self.table
    }

    /// Whether every identity is suspended.
    pub fn is_all(&self) -> bool {
        self.table.all
    }

    /// The source that suspends workloads of this identity and env.
    pub fn covering(&self, identity: &str, env: &str) -> Option<&Suspension> {
        [&self.listed, &self.table].into_iter().find(|one| one.covers(identity, env))
    }

    /// Whether workloads of this identity and env are suspended.
    pub fn covers(&self, identity: &str, env: &str) -> bool {
        self.covering(identity, env).is_some()
    }

    /// Whether objects of this identity, and of this env where it is known, are kept as they are.
    pub fn keeps(&self, identity: &str, env: Option<&str>) -> bool {
        self.listed.keeps(identity, env) || self.table.keeps(identity, env)
    }

    /// As [`Self::keeps`], for a host below `suffix`.
    pub fn keeps_host(&self, host: &str, suffix: &str) -> bool {
        self.listed.keeps_host(host, suffix) || self.table.keeps_host(host, suffix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(all: bool, rows: &[(&str, &[&str])]) -> Suspension {
        let envs = |envs: &[&str]| match envs {
            [] => Envs::Every,
            some => Envs::Only(some.iter().map(|env| (*env).to_owned()).collect()),
        };
        Suspension::new("t", all, rows.iter().map(|(identity, of)| ((*identity).to_owned(), envs(of))).collect())
    }

    #[test]
    fn workloads_match_by_letter_and_env() {
        let table = table(false, &[("Pay", &["stage", "qal"]), ("web", &[])]);
        assert!(table.covers("Pay", "stage") && table.covers("web", "any"));
        assert!(!table.covers("pay", "stage") && !table.covers("Pay", "prod") && !table.covers("pa", "stage"));
    }

    #[test]
    fn objects_are_kept_in_doubt() {
        let table = table(false, &[("Pay", &["stage"])]);
        assert!(table.keeps("pay", Some("Stage")) && table.keeps("PAY", None));
        assert!(!table.keeps("pay", Some("prod")) && !table.keeps("web", None));
    }

    #[test]
    fn hosts_are_matched_by_whole_labels() {
        let table = table(false, &[("a.Pay", &["stage"]), ("web", &[])]);
        for host in ["stage.a.pay.global", "canary.Stage.A.Pay.Global", "any.web.global", "x.any.web.global"] {
            assert!(table.keeps_host(host, "global"), "{host}");
        }
        for host in ["backstage.a.pay.global", "prod.a.pay.global", "stage.b.pay.global", "web.global", "e.web.mesh"] {
            assert!(!table.keeps_host(host, "global"), "{host}");
        }
    }

    #[test]
    fn a_change_concerns_those_whose_suspension_changed() {
        let mut both = Suspensions::listed(&BTreeSet::from(["list".to_owned()]));
        let names = |concerned| match concerned {
            Concerned::Identities(names) => names.into_iter().collect::<Vec<_>>(),
            Concerned::All => vec!["ALL".to_owned()],
        };
        assert_eq!(names(both.set_table(table(false, &[("A", &[]), ("b", &["x"])]))), ["a", "b"]);
        assert_eq!(names(both.set_table(table(false, &[("A", &[]), ("b", &["y"]), ("c", &[])]))), ["b", "c"]);
        assert_eq!(names(both.set_table(table(false, &[("a", &[]), ("b", &["y"]), ("c", &[])]))), ["a"]);
        assert_eq!(names(both.set_table(table(true, &[]))), ["ALL"]);
        assert!(both.is_all() && both.covers("any", "e") && both.keeps_host("h", "global"));
        assert_eq!(names(both.set_table(table(false, &[]))), ["ALL"]);
        assert!(both.covers("list", "e") && !both.covers("a", "e"));
    }
}
