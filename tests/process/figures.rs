//! Figures for the record, and how long the tests should try.

use std::time::Duration;

/// A number from the environment.
pub fn setting(name: &str, default: usize) -> usize {
    let Some(value) = std::env::var(name).ok().filter(|value| !value.is_empty()) else { return default };
    value.parse().unwrap_or_else(|_| panic!("{name}={value}: not a whole number"))
}

pub fn rounds() -> usize {
    setting("FLAGSHIP_ROUNDS", 1)
}

/// Somewhere in the cycle of the renewals, so that rounds differ.
pub fn any_phase() -> Duration {
    Duration::from_millis(u64::from(uuid::Uuid::new_v4().as_fields().1 % 2000))
}

/// `name: n=.. min/median/max`
pub fn report(name: &str, mut spans: Vec<Duration>) {
    spans.sort();
    let [first, .., last] = spans.as_slice() else {
        return println!("{name}: n={} {:.2} s", spans.len(), spans.first().map_or(0.0, Duration::as_secs_f64));
    };
    let (n, middle) = (spans.len(), spans.len() / 2);
    let median = if n % 2 == 1 { spans[middle] } else { (spans[middle - 1] + spans[middle]) / 2 };
    let [min, median, max] = [*first, median, *last].map(|span| span.as_secs_f64());
    println!("{name}: n={n} min {min:.2} / median {median:.2} / max {max:.2} s");
}
