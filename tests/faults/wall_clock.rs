//! Wall clocks that jump, by libfaketime (Debian: libfaketime). The boot clock is left alone.

use std::path::{Path, PathBuf};
use std::process::Command;

const VARIABLE: &str = "FLAGSHIP_LIBFAKETIME";
const USUAL: [&str; 2] =
    ["/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1"];

/// The library; fails when there is none.
fn library() -> PathBuf {
    let named = std::env::var_os(VARIABLE).map(PathBuf::from);
    let found = named.into_iter().chain(USUAL.map(PathBuf::from)).find(|path| path.exists());
    found.unwrap_or_else(|| {
        panic!(
            "libfaketime is missing: install it (`apt-get install libfaketime`) or set {VARIABLE} to libfaketimeMT.so.1"
        )
    })
}

/// Lets the wall clock of a process follow `clock`.
pub fn fake(command: &mut Command, clock: &Path) {
    command.env("LD_PRELOAD", library()).env("FAKETIME_TIMESTAMP_FILE", clock);
    command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1");
}

/// Moves it to `offset_s` from the true time, in one step.
pub fn set(clock: &Path, offset_s: i64) {
    let beside = clock.with_extension("new");
    std::fs::write(&beside, format!("{offset_s:+}\n")).unwrap();
    std::fs::rename(&beside, clock).unwrap();
}
