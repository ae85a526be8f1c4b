# The test servers must be up: scripts/test-servers up

# Failover time over 20 rounds each, SIGKILL and SIGTERM; prints min/median/max (7 minutes)
failover:
    FLAGSHIP_ROUNDS=20 cargo test --locked --test process failover -- --nocapture --test-threads=1

# The same 1,000 workloads at rest: zero writes in 60 s, before and after a takeover (4 minutes)
steady:
    FLAGSHIP_WORKLOADS=1000 FLAGSHIP_QUIET_S=60 cargo test --locked --test process steady -- --nocapture
