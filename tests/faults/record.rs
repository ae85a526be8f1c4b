//! Plays kinds side by side, each in a world of its own, and prints the record.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::kinds::Kind;
use super::round::{Row, SharedRow, play};
use crate::process::figures::{rounds, setting};
use crate::process::world::with_world_among_others;

/// Worlds that go on side by side: most of a round is waiting.
const SIDE_BY_SIDE: usize = 6;

/// Plays the kinds whose name contains one of FLAGSHIP_KINDS (a,b,c), prints a line for each, and fails if a promise was broken.
pub async fn play_all(kinds: &'static [Kind]) {
    let (rounds, wanted) = (rounds(), std::env::var("FLAGSHIP_KINDS").unwrap_or_default());
    let places = Arc::new(Semaphore::new(setting("FLAGSHIP_SIDE_BY_SIDE", SIDE_BY_SIDE)));
    let mut plays = Vec::new();
    for kind in kinds {
        let runs = if wanted.is_empty() {
            kind.quick || rounds > 1
        } else {
            wanted.split(',').any(|part| kind.name.contains(part))
        };
        if runs {
            plays.push((kind, tokio::spawn(play_one(kind, rounds, Arc::clone(&places)))));
        }
    }
    println!("{}", heading());
    let mut broken = Vec::new();
    for (kind, play) in plays {
        let row = play.await.unwrap();
        println!("{}", line(kind.name, &row));
        broken.extend(row.violations.iter().map(|violation| format!("{}: {violation}", kind.name)));
    }
    assert!(broken.is_empty(), "{} promises were broken:\n{}", broken.len(), broken.join("\n"));
}

async fn play_one(kind: &'static Kind, rounds: usize, places: Arc<Semaphore>) -> Row {
    let _place = places.acquire().await.unwrap();
    let row = SharedRow::default();
    let (shared, begun) = (Arc::clone(&row), tokio::time::Instant::now());
    let world = with_world_among_others(move |world| play(world, kind, rounds, shared));
    let end = tokio::spawn(world).await;
    let mut row = row.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Err(error) = end {
        let said = error.into_panic();
        let said = said.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic".to_owned());
        row.violations.push(format!("it ended in round {}: {said}", row.rounds + 1));
    }
    println!("    ({}: {:.0} s, {:?})", kind.name, begun.elapsed().as_secs_f64(), row.violations);
    row
}

fn heading() -> String {
    format!(
        "{:<30} {:>6} {:>15} {:>21} {:>21} {:>21} {:>7} {:>15} {:>13} {:>6}",
        "fault, s as min/median/max",
        "rounds",
        "overlap ms, two",
        "failover",
        "old one's last 200",
        "healing",
        "writes",
        "requests (del.)",
        "late, refused",
        "epochs"
    )
}

fn line(name: &str, row: &Row) -> String {
    let ([watches, audit], [requests, deletes]) = (row.overlap_ms, row.requests);
    format!(
        "{name:<30} {:>6} {:>15} {:>21} {:>21} {:>21} {:>7} {:>15} {:>13} {:>6}{}",
        row.rounds,
        format!("{watches} {audit}"),
        span(&row.failovers),
        span(&row.read_only),
        span(&row.healings),
        row.writes,
        format!("{requests} ({deletes})"),
        row.late_refused,
        row.epochs,
        if row.violations.is_empty() { "" } else { "  BROKEN" },
    )
}

/// `n: min/median/max`
fn span(spans: &[Duration]) -> String {
    let mut spans: Vec<f64> = spans.iter().map(Duration::as_secs_f64).collect();
    spans.sort_by(f64::total_cmp);
    let (Some(min), Some(max)) = (spans.first(), spans.last()) else { return "-".to_owned() };
    let middle = spans.len() / 2;
    let median = if spans.len() % 2 == 1 { spans[middle] } else { f64::midpoint(spans[middle - 1], spans[middle]) };
    format!("{}: {min:.2}/{median:.2}/{max:.2}", spans.len())
}
