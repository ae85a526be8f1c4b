//! What a change of the index may have changed for the objects that we generate.

use std::collections::BTreeSet;

use crate::mesh::ObjectKey;

/// The identities (in lower case) whose objects must be computed anew, and the observed objects of the
/// event's cluster that must be compared anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Every identity and every object.
    pub all: bool,
    /// These identities, in lower case.
    pub identities: BTreeSet<String>,
    /// These objects of the cluster that the event came from.
    pub objects: BTreeSet<ObjectKey>,
    /// What people are told may have changed, even if nothing else has.
    pub findings: bool,
}

impl Touched {
    /// Nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Everything.
    pub fn all() -> Self {
        Self { all: true, ..Self::default() }
    }

    /// These identities, which are put into lower case.
    pub fn identities<S: AsRef<str>>(identities: impl IntoIterator<Item = S>) -> Self {
        Self { identities: identities.into_iter().map(|i| i.as_ref().to_lowercase()).collect(), ..Self::default() }
    }

    /// One observed object.
    pub fn object(key: ObjectKey) -> Self {
        Self { objects: BTreeSet::from([key]), ..Self::default() }
    }

    /// Adds what `other` touches.
    pub fn merge(&mut self, other: Self) {
        self.all |= other.all;
        self.identities.extend(other.identities);
        self.objects.extend(other.objects);
        self.findings |= other.findings;
    }

    /// Whether nothing is touched.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}
