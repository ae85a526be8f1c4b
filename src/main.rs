//! The `flagship` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    flagship::cli::main()
}
