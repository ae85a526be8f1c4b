//! What has changed since the last plan.

use std::collections::BTreeSet;

use crate::index::Touched;
use crate::mesh::{ClusterId, ObjectKey, Origin};

/// The union of what events touched.
#[derive(Debug, Default)]
pub struct Dirty {
    /// Everything.
    pub all: bool,
    /// Identities, in lower case, to be resolved anew.
    pub identities: BTreeSet<String>,
    /// Objects to be compared anew.
    pub keys: BTreeSet<(ClusterId, ObjectKey)>,
    /// The address book has news of its own.
    pub book: bool,
    /// What people are told may have changed, even if nothing else has.
    pub findings: bool,
}

impl Dirty {
    /// Whether nothing has changed.
    pub fn is_clean(&self) -> bool {
        !self.all && !self.book && !self.findings && self.identities.is_empty() && self.keys.is_empty()
    }

    /// Adds what an event touched.
    pub fn absorb(&mut self, origin: &Origin, touched: Touched) {
        self.all |= touched.all;
        self.findings |= touched.findings;
        self.identities.extend(touched.identities);
        if let Origin::Cluster(cluster) = origin {
            self.keys.extend(touched.objects.into_iter().map(|key| (cluster.clone(), key)));
        }
    }
}
