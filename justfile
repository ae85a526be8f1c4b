# Recipes for people who work on Flagship. `just` lists them.

default:
    @just --list

# two instances, three clusters made of files, a failover to watch
demo:
    cargo run --release -- demo

# all tests, with the servers that they need
test *args:
    scripts/test {{args}}

# what must pass before a change lands
ci:
    .ci/run

# bring the test servers up (or: status, down)
servers command="up":
    scripts/test-servers {{command}}

# format everything
fmt:
    cargo fmt
    terraform fmt -recursive infra/terraform

# licences, sources and banned crates; needs `cargo install cargo-deny`
deny:
    cargo deny check bans licenses sources

# The test servers must be up: scripts/test-servers up

# Failover time over 20 rounds each, SIGKILL and SIGTERM; prints min/median/max (7 minutes)
failover:
    FLAGSHIP_ROUNDS=20 cargo test --locked --test process failover -- --nocapture --test-threads=1

# Cases in random order of events on real API servers, each with so many seeds: the same end every time
shuffled seeds="20":
    FLAGSHIP_SEEDS={{seeds}} cargo test --locked --test golden_kube shuffled -- --nocapture --test-threads=1

# Workloads on two real API servers: convergence against the raw write rate, zero writes at rest and after a
# takeover, a takeover amid changes; release build (1,000: 8 minutes, 5,000: 20 minutes)
steady workloads="1000" quiet="300":
    FLAGSHIP_WORKLOADS={{workloads}} FLAGSHIP_QUIET_S={{quiet}} FLAGSHIP_RAW=1 cargo test --locked --release --test process steady -- --nocapture

# One of ten clusters hangs: the others converge as fast as without it; ratios of 10 rounds each, release build (3 minutes)
hanging rounds="10" workloads="300":
    FLAGSHIP_ROUNDS={{rounds}} FLAGSHIP_WORKLOADS={{workloads}} cargo test --locked --release --test hanging -- --nocapture

# both seeded simulations for longer: 50,000 seeds and 10,000 of whole instances, or as many as given
soak seeds="50000" first="1000000" whole="10000":
    FLAGSHIP_SEEDS={{seeds}} FLAGSHIP_WHOLE_SEEDS={{whole}} FLAGSHIP_FIRST_SEED={{first}} cargo test --release --test simulation no_seed -- --nocapture

# deliberate faults, each in a copy of the tree: what catches them (takes about a minute each)
mutants *names:
    scripts/mutants {{names}}

# cargo-mutants over the lease or the gate; needs `cargo install cargo-mutants --locked` (half an hour)
cargo-mutants part="lease" *options:
    scripts/mutate {{part}} {{options}}

# the model checker with wider bounds (2 instances and 2 faults: 4 CPU minutes and 0.7 GB)
model nodes="2" faults="2" orders="0":
    FLAGSHIP_MODEL_NODES={{nodes}} FLAGSHIP_MODEL_FAULTS={{faults}} FLAGSHIP_MODEL_ORDERS={{orders}} cargo test --release --test model wide -- --nocapture --ignored

# Every kind of fault 10 times on real processes, side by side; prints the table (20 minutes)
faults rounds="10":
    FLAGSHIP_ROUNDS={{rounds}} cargo test --locked --test faults -- --nocapture --test-threads=1

# Wall clocks that jump by 5 s, 60 s, 1 day; needs libfaketime (FLAGSHIP_LIBFAKETIME, or Debian's libfaketime)
faults-wall-clock rounds="10":
    FLAGSHIP_ROUNDS={{rounds}} cargo test --locked --test faults wall_clock -- --ignored --nocapture

# Packets to the table dropped by the kernel; needs root and iptables
faults-packets rounds="10":
    FLAGSHIP_ROUNDS={{rounds}} cargo test --locked --test faults packets -- --ignored --nocapture

# Random faults under continuous changes for so many minutes: no overlap, no lost change, no leak
long-run minutes="60":
    FLAGSHIP_MINUTES={{minutes}} cargo test --locked --test faults long_run -- --ignored --nocapture

# What the pure pipeline costs: 1,000 to 50,000 workloads in 2 to 50 clusters; prints a table (10 minutes)
bench-mesh workloads="1000,10000,50000" clusters="2,10,50" runs="1":
    FLAGSHIP_BENCH_WORKLOADS={{workloads}} FLAGSHIP_BENCH_CLUSTERS={{clusters}} FLAGSHIP_BENCH_RUNS={{runs}} cargo bench --locked --bench mesh
