//! What the pure pipeline costs: `just bench-mesh`. For each size a process of its own folds a whole mesh, plans it,
//! carries the plan out object by object, and changes one workload at a time. Prints time, memory and ratios.
//!
//! The mesh is described in `mesh/made_up.rs`. Sizes: FLAGSHIP_BENCH_WORKLOADS (1000,10000,50000) times
//! FLAGSHIP_BENCH_CLUSTERS (2,10,50), FLAGSHIP_BENCH_RUNS (1) processes each.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_precision_loss)]

#[path = "mesh/made_up.rs"]
mod made_up;
#[path = "mesh/measure.rs"]
mod measure;

use std::collections::BTreeMap;
use std::process::Command;

use measure::Figures;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    // cargo passes `--bench`; a size makes this process the one that measures.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    if let [workloads, clusters] = args.as_slice() {
        let figures = measure::measure(workloads.parse().unwrap(), clusters.parse().unwrap());
        println!("{}", serde_json::to_string(&figures).unwrap());
        return;
    }
    let (workloads, clusters) =
        (sizes("FLAGSHIP_BENCH_WORKLOADS", "1000,10000,50000"), sizes("FLAGSHIP_BENCH_CLUSTERS", "2,10,50"));
    let runs = sizes("FLAGSHIP_BENCH_RUNS", "1")[0];
    let mut all = BTreeMap::new();
    println!("{}", HEAD.join("  "));
    for clusters in &clusters {
        for workloads in &workloads {
            let mut figures: Vec<Figures> = (0..runs).map(|_| in_a_process(*workloads, *clusters)).collect();
            figures.sort_by(|a, b| a.full_plan_ms.total_cmp(&b.full_plan_ms));
            if runs > 1 {
                for (name, of) in
                    [("full plan ms", (|f| f.full_plan_ms) as fn(&Figures) -> f64), ("change µs", |f| f.change_us)]
                {
                    let mut sorted: Vec<f64> = figures.iter().map(of).collect();
                    sorted.sort_by(f64::total_cmp);
                    println!("  n={runs} {name}: {:.1} / {:.1} / {:.1}", sorted[0], sorted[runs / 2], sorted[runs - 1]);
                }
            }
            let median = figures.swap_remove(runs / 2);
            println!("{}", row(&median));
            all.insert((*clusters, *workloads), median);
        }
    }
    print_ratios(&all);
}

const HEAD: [&str; 12] = [
    "workloads",
    "clusters",
    " objects",
    "fold ms",
    "full plan ms",
    "carry out ms",
    "replan ms",
    "change µs (p99)",
    "new host µs (p99)",
    "report µs",
    "peak MiB",
    "bytes/workload",
];

fn row(f: &Figures) -> String {
    format!(
        "{:>9}  {:>8}  {:>8}  {:>7.0}  {:>12.0}  {:>12.0}  {:>9.0}  {:>8.0} ({:>4.0})  {:>10.0} ({:>4.0})  {:>9.0}  {:>8}  {:>14}",
        f.workloads,
        f.clusters,
        f.objects,
        f.fold_ms,
        f.full_plan_ms,
        f.carry_out_ms,
        f.replan_ms,
        f.change_us,
        f.change_p99_us,
        f.new_host_us,
        f.new_host_p99_us,
        f.report_us,
        f.peak_mib,
        f.bytes_per_workload,
    )
}

/// How cost grows from the smallest to each larger mesh with as many clusters.
fn print_ratios(all: &BTreeMap<(usize, usize), Figures>) {
    println!("\ncompared with the smallest mesh of as many clusters (1.00: each workload costs the same):");
    for ((clusters, workloads), figures) in all {
        let smallest = all.range((*clusters, 0)..).next().map(|(_, first)| first).unwrap();
        if *workloads == smallest.workloads {
            continue;
        }
        let each = |f: &Figures, ms: f64| ms / f.workloads as f64;
        println!(
            "{workloads} x {clusters}: full plan for each workload {:.2}, carrying out {:.2}, one change {:.2}, one new host {:.2}",
            each(figures, figures.full_plan_ms) / each(smallest, smallest.full_plan_ms),
            each(figures, figures.carry_out_ms) / each(smallest, smallest.carry_out_ms),
            figures.change_us / smallest.change_us,
            figures.new_host_us / smallest.new_host_us,
        );
    }
}

/// In a process of its own, so that peak memory is this size's alone.
fn in_a_process(workloads: usize, clusters: usize) -> Figures {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).args([workloads.to_string(), clusters.to_string()]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line)
        .unwrap_or_else(|e| panic!("{workloads} x {clusters}: {e}: {text}{}", String::from_utf8_lossy(&output.stderr)))
}

fn sizes(name: &str, default: &str) -> Vec<usize> {
    let text = std::env::var(name).unwrap_or_else(|_| default.to_owned());
    text.split(',').map(|part| part.trim().parse().unwrap_or_else(|_| panic!("{name}={text}: not numbers"))).collect()
}
