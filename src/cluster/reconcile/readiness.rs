//! Tells the checker and the health check whether this instance has seen enough to lead (promise L4).

use std::sync::atomic::Ordering;

use super::Reconciler;
use crate::lease::Eligibility;

impl Reconciler {
    pub(super) fn announce_eligibility(&mut self) {
        let eligibility = self.sync.eligibility(self.wiring.clock.now());
        let changed = self.wiring.eligibility.send_if_modified(|current| {
            let changed = *current != eligibility;
            *current = eligibility;
            changed
        });
        if changed {
            self.wiring.synced.store(eligibility != Eligibility::No, Ordering::Release);
            match eligibility {
                Eligibility::No => tracing::warn!(
                    "not ready: waiting for the clusters, or for the first answer of the suspension table"
                ),
                Eligibility::Reluctant => tracing::warn!(
                    "ready without the clusters that do not answer; another instance that sees them goes first"
                ),
                Eligibility::Yes => tracing::info!("ready: every cluster is known"),
            }
            self.report_soon();
        }
    }
}
