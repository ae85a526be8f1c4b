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
