//! The `flagship` binary.

use std::process::ExitCode;

/// Many small objects that live long and short: the C library's own allocator gets slower as the mesh grows.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    flagship::cli::main()
}
