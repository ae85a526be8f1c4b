//! Ends an instance whose state checker hangs. Its gate closes by itself (S2); this gets it replaced.

use std::time::Duration;

use anyhow::anyhow;

use crate::checker::status::StatusBoard;

/// How often it looks.
const TICK: Duration = Duration::from_secs(1);

/// Returns when the checker has shown no life for two lease durations, with what to tell.
///
/// Only time in which this process ran counts: after a pause of the whole process (SIGSTOP, a frozen machine)
/// the checker gets its chance to go on.
pub async fn watch(board: StatusBoard, lease_duration: Duration) -> anyhow::Error {
    let patience = 2 * lease_duration.max(TICK);
    let mut seen = board.last_beat();
    let mut silent = Duration::ZERO;
    loop {
        tokio::time::sleep(TICK).await;
        let beat = board.last_beat();
        silent = if beat == seen { silent + TICK } else { Duration::ZERO };
        seen = beat;
        if silent >= patience {
            return anyhow!("the state checker has shown no life for {silent:?}; this instance is read-only and ends");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::TokioClock;
    use crate::instant::WallTime;

    #[tokio::test(start_paused = true)]
    async fn a_silent_checker_is_noticed_and_a_living_one_is_not() {
        let board = StatusBoard::new("test", Arc::new(TokioClock::starting_at(WallTime::default())));
        let lease = Duration::from_secs(10);
        let living = board.clone();
        let heart = tokio::spawn(async move {
            for _ in 0..60 {
                living.beat();
                tokio::time::sleep(Duration::from_millis(900)).await;
            }
        });
        let started = tokio::time::Instant::now();
        let error = watch(board, lease).await;
        assert!(heart.is_finished());
        let after = started.elapsed().as_secs();
        assert!((72..=76).contains(&after), "noticed after {after} s: {error}");
    }
}
