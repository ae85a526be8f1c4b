//! Many seeds, on all cores, and the first that fails.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::judge::Violation;
use super::report::Report;

/// What a campaign found.
pub struct Found {
    pub report: Report,
    /// The lowest failing seed of those that ran, with what was broken.
    pub failure: Option<(u64, Vec<Violation>)>,
    /// How many of the seeds that ran failed.
    pub failures: u64,
}

/// Runs `seeds` from `first` on, each by `one`. With `stop_early` it ends soon after the first failure.
pub fn run(first: u64, seeds: u64, stop_early: bool, one: impl Fn(u64) -> (Report, Vec<Violation>) + Sync) -> Found {
    let next = AtomicU64::new(first);
    let stop = AtomicBool::new(false);
    let found = Mutex::new(Found { report: Report::default(), failure: None, failures: 0 });
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + seeds {
                        break;
                    }
                    let (report, violations) = one(seed);
                    let mut found = found.lock().unwrap();
                    found.report.add(&report);
                    if !violations.is_empty() {
                        found.failures += 1;
                        stop.fetch_or(stop_early, Ordering::Relaxed);
                        if found.failure.as_ref().is_none_or(|(lowest, _)| seed < *lowest) {
                            found.failure = Some((seed, violations));
                        }
                    }
                }
            });
        }
    });
    found.into_inner().unwrap()
}

/// A number from the environment.
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
