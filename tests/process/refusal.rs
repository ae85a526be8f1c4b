//! Arguments that cannot work.

use std::process::Command;

/// Runs the program with no servers and no environment; returns its exit code and what it said.
fn refused(arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_flagship")).env_clear().arg("run").args(arguments).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// What is no boolean is refused with the flag, the value and the rule.
#[test]
fn a_boolean_that_is_none() {
    let (code, said) = refused(&["--metrics=maybe"]);
    assert_eq!(code, 2, "{said}");
    for part in ["--metrics", "maybe", "true"] {
        assert!(said.contains(part), "{part} is missing in: {said}");
    }
}

/// A lease in which two renewals do not fit is refused with the flag, the figures and the rule.
#[test]
fn a_lease_too_short() {
    let (code, said) = refused(&["--lease-duration=5s"]);
    assert!([1, 2].contains(&code), "{code}: {said}");
    for part in ["--lease-duration", "5s", "2 x (renew interval 2s + request timeout 1.5s)", "7.2s"] {
        assert!(said.contains(part), "{part} is missing in: {said}");
    }
}
