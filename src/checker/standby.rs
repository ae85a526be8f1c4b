//! `standby`: always passive. A warm copy that computes everything and writes nothing.

use futures::future::BoxFuture;

use super::permit::State;
use super::{CheckerContext, CheckerError, CheckerKind, StateChecker};

/// The registry row.
pub const KIND: CheckerKind = CheckerKind { names: &["standby"], make: |_| Box::new(Standby) };

struct Standby;

impl StateChecker for Standby {
    fn name(&self) -> &'static str {
        KIND.names[0]
    }

    fn runs_on_own_task(&self) -> bool {
        false
    }

    fn run(self: Box<Self>, context: CheckerContext) -> BoxFuture<'static, Result<(), CheckerError>> {
        Box::pin(async move {
            context.board.transition(State::Passive, 0, "the standby checker is always passive");
            context.shutdown.cancelled().await;
            Ok(())
        })
    }
}
