//! Suspension: what the table says is folded as any other event, on the active and on the passive alike.

use super::Reconciler;
use crate::mesh::Suspension;

impl Reconciler {
    pub(super) fn suspend(&mut self, table: Suspension) {
        let count = table.identities().len();
        match (table.is_all(), count) {
            (true, _) => tracing::warn!("{}: all identities are suspended", table.source()),
            (false, 0) => tracing::info!("{}: no identity is suspended", table.source()),
            (false, _) => tracing::warn!("{}: {count} identities are suspended", table.source()),
        }
        self.wiring.metrics.set_suspended(count, table.is_all());
        self.planner.suspend(table);
        self.sync.suspensions_known();
        self.report_soon();
    }
}
