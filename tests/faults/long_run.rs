//! Random faults for a long time, without a new process: whatever leaks shows.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::desired;
use super::kinds::{Fault, KINDS, Kind};
use super::round::{Row, judge, round, tell};
use super::scene::Scene;
use crate::process::figures::{any_phase, setting};
use crate::process::world::with_world_among_others;

/// Beyond this growth from the second quarter to the last memory is not flat.
const MEMORY_MIB: u64 = 24;
/// The same for threads and for open files, which come and go with faults.
const FEW: usize = 16;

/// Promises S1, S3, L3 over FLAGSHIP_MINUTES (60): no overlap, no lost change, no leak. Faults that end a process
/// are left out, so that both live from the beginning to the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
#[ignore = "takes an hour: `just long-run`"]
async fn long_run() {
    with_world_among_others(|world| async move {
        let lasts = Duration::from_secs(60 * setting("FLAGSHIP_MINUTES", 60) as u64);
        let kinds: Vec<&Kind> = KINDS.iter().filter(|kind| !matches!(kind.fault, Fault::Ends(_))).collect();
        let mut scene = Scene::set(&world, false).await;
        scene.copy_item().await;
        sleep(Duration::from_secs(5)).await;
        let (begun, mut seen, mut usage) = (Instant::now(), Row::default(), vec![Usage::of(&scene)]);
        while begun.elapsed() < lasts {
            sleep(any_phase()).await;
            let kind = kinds[usize::from(uuid::Uuid::new_v4().as_fields().1) % kinds.len()];
            let mut new = Row::default();
            round(&mut scene, kind, &mut new).await;
            judge(&mut scene, kind, &mut new).await;
            scene.copy_item().await;
            println!("{:>5.0} s {:<30} {:?}", begun.elapsed().as_secs_f64(), kind.name, new.violations);
            tell(&scene, &new.violations);
            seen.take(new);
            usage.push(Usage::of(&scene));
        }
        seen.violations.extend(desired::changes_lost(&scene).await);
        let [requests, deletes] = seen.requests;
        println!("{} faults, {} changes, {} writes", seen.rounds, scene.load.changes(), scene.recorder.total());
        println!("{requests} requests, {deletes} of them deletes, {} epochs", scene.recorder.epochs());
        println!(
            "overlap by watches and audit logs: {:?} ms; late and refused: {}",
            seen.overlap_ms, seen.late_refused
        );
        assert_flat(&usage);
        scene.recorder.assert_never_down();
        assert_eq!(seen.overlap_ms, [0, 0]);
        assert!(seen.violations.is_empty(), "{}", seen.violations.join("\n"));
    })
    .await;
}

/// Compares the second quarter with the last: by then every kind has struck.
fn assert_flat(usage: &[Usage]) {
    let quarter = usage.len() / 4;
    assert!(quarter > 0, "too short to tell");
    println!("{:>10} {:>12} {:>12} {:>12}", "", "MiB", "threads", "open files");
    let mut medians = Vec::new();
    for (name, from) in [("1st quarter", 0), ("2nd", quarter), ("3rd", 2 * quarter), ("4th", 3 * quarter)] {
        let part = Usage::median(&usage[from..from + quarter]);
        println!("{name:>10} {:>12} {:>12} {:>12}", pair(part.mib), pair(part.threads), pair(part.files));
        medians.push(part);
    }
    let (before, after) = (&medians[1], &medians[3]);
    for at in 0..2 {
        assert!(after.mib[at] <= before.mib[at] + MEMORY_MIB, "memory grows");
        assert!(after.threads[at] <= before.threads[at] + FEW, "threads are leaked");
        assert!(after.files[at] <= before.files[at] + FEW, "open files, so tasks, are leaked");
    }
}

fn pair<T: std::fmt::Display>([east, west]: [T; 2]) -> String {
    format!("{east} {west}")
}

/// What the two processes take.
#[derive(Clone, Copy, Debug)]
struct Usage {
    mib: [u64; 2],
    threads: [usize; 2],
    files: [usize; 2],
}

impl Usage {
    fn of(scene: &Scene) -> Self {
        let seats = scene.seats.each_ref();
        Self {
            mib: seats.map(|seat| seat.instance.usage().resident_mib),
            threads: seats.map(|seat| seat.instance.count("task")),
            files: seats.map(|seat| seat.instance.count("fd")),
        }
    }

    /// The middle of each figure.
    fn median(part: &[Self]) -> Self {
        fn middle<T: Copy + Ord>(part: &[Usage], figure: impl Fn(&Usage) -> [T; 2]) -> [T; 2] {
            [0, 1].map(|at| {
                let mut all: Vec<T> = part.iter().map(|usage| figure(usage)[at]).collect();
                all.sort_unstable();
                all[all.len() / 2]
            })
        }
        let (mib, threads) = (middle(part, |one| one.mib), middle(part, |one| one.threads));
        Self { mib, threads, files: middle(part, |one| one.files) }
    }
}
