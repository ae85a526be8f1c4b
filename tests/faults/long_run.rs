//! Random faults for a long time, without a new process: whatever leaks shows.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::desired;
use super::kinds::{Fault, KINDS, Kind};
use super::round::{Row, round};
use super::scene::Scene;
use crate::process::figures::{any_phase, setting};
use crate::process::world::with_world_among_others;

/// Beyond this growth between the middle and the end memory is not flat.
const MEMORY_MIB: u64 = 24;
/// The same for threads and for open files.
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
            let violations = seen.violations.len();
            round(&mut scene, kind, &mut seen).await;
            scene.copy_item().await;
            seen.rounds += 1;
            let new = &seen.violations[violations..];
            println!("{:>5.0} s {:<30} {new:?}", begun.elapsed().as_secs_f64(), kind.name);
            if usage.len() == 1 && begun.elapsed() > lasts / 2 {
                usage.push(Usage::of(&scene));
            }
        }
        usage.push(Usage::of(&scene));
        seen.violations.extend(desired::changes_lost(&scene).await);
        println!("{} faults, {} changes, {} writes", seen.rounds, scene.load.changes(), scene.recorder.total());
        println!("{} epochs, overlap {} ms", scene.recorder.epochs(), scene.recorder.overlap_ms());
        for (when, usage) in ["start", "middle", "end"].iter().zip(&usage) {
            println!("{when}: {usage:?}");
        }
        scene.recorder.assert_never_down();
        assert_eq!(scene.recorder.overlap_ms(), 0);
        assert!(seen.violations.is_empty(), "{}", seen.violations.join("\n"));
        let ([.., middle, end], [start, ..]) = (usage.as_slice(), usage.as_slice()) else { unreachable!() };
        for at in 0..2 {
            assert!(end.mib[at] <= middle.mib[at] + MEMORY_MIB, "memory grows");
            assert!(end.threads[at] <= start.threads[at] + FEW, "threads are leaked");
            assert!(end.files[at] <= start.files[at] + FEW, "open files, so tasks, are leaked");
        }
    })
    .await;
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
            mib: seats.map(|seat| seat.instance.usage().0),
            threads: seats.map(|seat| seat.instance.count("task")),
            files: seats.map(|seat| seat.instance.count("fd")),
        }
    }
}
