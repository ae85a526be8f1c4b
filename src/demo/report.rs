//! What the demo tells: line by line while it runs, and a verdict on every step at the end.

use std::io::Write;
use std::time::Duration;

use tokio::time::Instant;

use crate::text::columns;

/// One step, judged.
#[derive(Clone, Debug)]
struct Step {
    name: String,
    expected: String,
    seen: String,
    took: Duration,
    held: bool,
}

/// The log and the verdicts.
#[derive(Debug)]
pub struct Report {
    started: Instant,
    steps: Vec<Step>,
}

impl Report {
    /// Starts the clock.
    pub fn start() -> Self {
        Self { started: Instant::now(), steps: Vec::new() }
    }

    /// One line with the time since the start.
    pub fn say(&self, text: &str) {
        // A reader that went away must not end the demo before its processes are.
        let _ = writeln!(std::io::stdout(), "{:6.1} s  {text}", self.started.elapsed().as_secs_f64());
    }

    /// Judges a step; returns whether it held.
    pub fn judge(&mut self, name: &str, expected: &str, seen: &str, took: Duration, held: bool) -> bool {
        let verdict = if held { "ok" } else { "NOT AS EXPECTED" };
        self.say(&format!("{verdict}: {name}: {seen}"));
        self.steps.push(Step {
            name: name.to_owned(),
            expected: expected.to_owned(),
            seen: seen.to_owned(),
            took,
            held,
        });
        held
    }

    /// Whether there were steps and every one held.
    pub fn all_held(&self) -> bool {
        !self.steps.is_empty() && self.steps.iter().all(|step| step.held)
    }

    /// Prints the table.
    pub fn print_summary(&self) {
        let _ = write!(std::io::stdout(), "\n{}", self.summary());
    }

    fn summary(&self) -> String {
        let mut rows = vec![["", "STEP", "EXPECTED", "SEEN", "TIME"].map(str::to_owned).to_vec()];
        rows.extend(self.steps.iter().map(|step| {
            vec![
                if step.held { "ok" } else { "FAIL" }.to_owned(),
                step.name.clone(),
                step.expected.clone(),
                step.seen.clone(),
                format!("{:.1} s", step.took.as_secs_f64()),
            ]
        }));
        let failed = self.steps.iter().filter(|step| !step.held).count();
        let total = self.steps.len();
        let seconds = self.started.elapsed().as_secs_f64();
        let verdict = match failed {
            0 => format!("all {total} steps held, in {seconds:.0} s"),
            n => format!("{n} of {total} steps did not hold"),
        };
        format!("{}\n{verdict}\n", columns(&rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_failed_step_fails_the_demo() {
        let mut report = Report::start();
        assert!(!report.all_held());
        assert!(report.judge("kill", "at most 13 s", "11.2 s", Duration::from_millis(11_200), true));
        assert!(report.all_held());
        assert!(!report.judge("addresses", "none changed", "1 changed", Duration::ZERO, false));
        assert!(!report.all_held());
        assert_eq!(
            report.summary(),
            "      STEP       EXPECTED      SEEN       TIME\n\
             ok    kill       at most 13 s  11.2 s     11.2 s\n\
             FAIL  addresses  none changed  1 changed  0.0 s\n\
             \n\
             1 of 2 steps did not hold\n"
        );
    }
}
