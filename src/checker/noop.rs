//! `noop`: always active, no lease. For a single instance, and Admiral's default.

use futures::future::BoxFuture;

use super::permit::{Permit, State};
use super::{CheckerContext, CheckerError, CheckerKind, StateChecker};

/// The registry row.
pub const KIND: CheckerKind = CheckerKind { names: &["noop", "NoOPStateChecker"], make: |_| Box::new(Noop) };

struct Noop;

impl StateChecker for Noop {
    fn name(&self) -> &'static str {
        KIND.names[0]
    }

    fn runs_on_own_task(&self) -> bool {
        false
    }

    fn run(self: Box<Self>, context: CheckerContext) -> BoxFuture<'static, Result<(), CheckerError>> {
        Box::pin(async move {
            let reason = "the noop checker is always active; a second instance would write too";
            tracing::warn!("{reason}");
            context.board.transition(State::Active, 0, reason);
            context.mode.set(Some(Permit::unlimited()));
            context.shutdown.cancelled().await;
            context.mode.finish(Permit::unlimited());
            context.drain.drain().await;
            Ok(())
        })
    }
}
