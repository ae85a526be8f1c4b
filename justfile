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

# the seeded simulation for longer: 50,000 seeds, or as many as given, from a seed of its own
soak seeds="50000" first="1000000":
    FLAGSHIP_SEEDS={{seeds}} FLAGSHIP_FIRST_SEED={{first}} cargo test --release --test simulation no_seed -- --nocapture

# deliberate faults, each in a copy of the tree: what catches them (takes about a minute each)
mutants *names:
    scripts/mutants {{names}}

# the model checker with wider bounds (minutes to hours)
model ticks="13" faults="2" orders="0":
    FLAGSHIP_MODEL_TICKS={{ticks}} FLAGSHIP_MODEL_FAULTS={{faults}} FLAGSHIP_MODEL_ORDERS={{orders}} cargo test --release --test model -- --nocapture
