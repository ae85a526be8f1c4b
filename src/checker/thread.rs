//! Where a checker runs: on a thread and runtime of its own if it asks for it.

use futures::FutureExt;
use tokio::sync::oneshot;

use super::{CheckerContext, CheckerError, StateChecker};

/// Starts `checker`. The receiver gets its end, whatever it was: a return, an error or a panic.
///
/// # Errors
/// When no thread or runtime can be made.
pub fn start(
    checker: Box<dyn StateChecker>,
    context: CheckerContext,
) -> Result<oneshot::Receiver<Result<(), CheckerError>>, CheckerError> {
    let (ended, end) = oneshot::channel();
    let own_task = checker.runs_on_own_task();
    let guarded = async move {
        let run = std::panic::AssertUnwindSafe(checker.run(context)).catch_unwind();
        let result = run.await.unwrap_or_else(|_| Err(CheckerError::Died("it panicked".to_owned())));
        // Nobody listens any more when the process is already on its way out.
        let _ = ended.send(result);
    };
    if !own_task {
        tokio::spawn(guarded);
        return Ok(end);
    }
    let died = |error: std::io::Error| CheckerError::Died(error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(died)?;
    std::thread::Builder::new()
        .name("state-checker".to_owned())
        .spawn(move || runtime.block_on(guarded))
        .map_err(died)?;
    Ok(end)
}
