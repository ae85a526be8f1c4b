//! The house rules that a compiler does not know: who may import whom, what pure means, how long a file may be.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Every module of the crate with those that it may import. Data flows from left to right, never back.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    // Values.
    ("instant", &[]),
    ("mesh", &[]),
    ("text", &[]),
    // The pure core.
    ("lease", &["instant"]),
    ("index", &["mesh"]),
    ("desired", &["index", "instant", "mesh"]),
    ("plan", &["desired", "index", "instant", "mesh"]),
    ("explain", &["desired", "index", "mesh", "plan"]),
    // Readers and writers of text.
    ("manifest", &[]),
    ("render", &["manifest", "mesh", "plan"]),
    // Shells.
    ("clock", &["instant"]),
    ("store", &["lease"]),
    ("checker", &["clock", "instant", "lease", "store"]),
    ("metrics", &["checker", "instant"]),
    ("cluster", &["checker", "clock", "explain", "instant", "lease", "manifest", "mesh", "metrics", "plan"]),
    ("suspension", &["cluster", "mesh", "metrics", "store"]),
    ("http", &["checker", "clock", "cluster", "explain", "instant", "metrics"]),
    ("embedded", &[]),
    // Arguments and wiring.
    ("options", &["cluster", "explain", "mesh"]),
    (
        "runtime",
        &[
            "checker",
            "clock",
            "cluster",
            "explain",
            "http",
            "instant",
            "lease",
            "mesh",
            "metrics",
            "options",
            "plan",
            "render",
            "store",
            "suspension",
            "text",
        ],
    ),
    ("demo", &["embedded", "http", "text"]),
    ("cli", &["cluster", "demo", "explain", "http", "mesh", "options", "runtime", "text"]),
    ("lib", &[]),
    ("main", &[]),
];

/// Modules that know neither time nor chance nor the outside.
const PURE: &[&str] = &["instant", "mesh", "lease", "index", "desired", "plan", "explain"];

/// What a pure module must not mention, and why.
const IMPURE: &[(&str, &str)] = &[
    ("async ", "async"),
    (".await", "async"),
    ("tokio", "a runtime"),
    ("HashMap", "an order that differs from run to run"),
    ("HashSet", "an order that differs from run to run"),
    ("SystemTime", "a clock"),
    ("time::Instant", "a clock"),
    ("Uuid", "randomness"),
    ("std::fs", "files"),
    ("std::net::Tcp", "the network"),
    ("std::io", "I/O"),
    ("std::env", "the environment"),
    ("std::thread", "threads"),
    ("tracing::", "logging"),
    ("kube::", "a client"),
    ("aws_", "a client"),
];

/// Files are about 300 lines; this is where "about" ends.
const MOST_LINES: usize = 330;

#[test]
fn modules_import_only_what_the_table_allows() {
    let violations: Vec<String> = sources().iter().flat_map(|(path, text)| bad_imports(path, text)).collect();
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn pure_modules_are_pure() {
    let violations: Vec<String> = sources().iter().flat_map(|(path, text)| impurities(path, text)).collect();
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn the_table_has_every_module_and_no_other() {
    let real: BTreeSet<String> = sources().keys().map(|path| module_of(path)).collect();
    let listed: BTreeSet<String> = MAY_IMPORT.iter().map(|(module, _)| (*module).to_owned()).collect();
    assert_eq!(real, listed);
}

#[test]
fn imports_have_no_cycle() {
    let mut left: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    while !left.is_empty() {
        let free: Vec<&str> =
            left.iter().filter(|(_, imports)| imports.iter().all(|i| !left.contains_key(i))).map(|(m, _)| *m).collect();
        assert!(!free.is_empty(), "a cycle among {:?}", left.keys());
        left.retain(|module, _| !free.contains(module));
    }
}

#[test]
fn only_the_gate_makes_passes_and_only_the_checkers_set_the_mode() {
    for (path, text) in sources() {
        let code = without_comments_and_tests(&text);
        if code.contains("Pass::new(") {
            assert!(path.starts_with("cluster/gate"), "{path} makes a Pass");
        }
        if code.contains(".mode.set(") || code.contains(".mode.finish(") {
            assert!(path.starts_with("checker/"), "{path} sets the mode");
        }
    }
}

#[test]
fn a_seeded_violation_is_found() {
    assert_eq!(bad_imports("lease/protocol.rs", "use crate::http::HttpState;").len(), 1);
    assert_eq!(bad_imports("plan.rs", "use crate::{cluster::gate::Gate, mesh::Kind};").len(), 1);
    assert_eq!(bad_imports("lease.rs", "let x = crate::clock::SystemClock;").len(), 1);
    assert!(bad_imports("lease.rs", "// crate::clock is not used\nuse crate::instant::Instant;").is_empty());
    assert_eq!(impurities("index/node.rs", "use std::collections::HashMap;").len(), 1);
    assert_eq!(impurities("desired.rs", "let now = std::time::Instant::now();").len(), 1);
    assert!(impurities("http.rs", "use std::collections::HashMap;").is_empty(), "http is not pure");
}

#[test]
fn files_are_short_and_modules_have_no_mod_rs() {
    for (path, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= MOST_LINES, "{path} has {lines} lines; one concept per file, about 300 lines");
        assert!(!path.ends_with("mod.rs"), "{path}: write foo.rs beside foo/");
        assert!(text.starts_with("//!"), "{path} does not open with what it is for");
    }
}

#[test]
fn every_test_file_is_part_of_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let files = rust_files(&root);
    let all: String = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    for file in files {
        let relative = file.strip_prefix(&root).unwrap();
        let is_root = relative.components().count() == 1 || relative.ends_with("main.rs");
        let stem = file.file_stem().unwrap().to_str().unwrap();
        let included = all.contains(&format!("mod {stem};")) || all.contains(&format!("/{stem}.rs\"]"));
        assert!(is_root || included, "no module includes tests/{}", relative.display());
    }
}

/// Path below `src` with its text.
fn sources() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = rust_files(&root);
    assert!(files.len() > 50, "the sources were not found");
    files
        .into_iter()
        .map(|file| {
            let path = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            (path, std::fs::read_to_string(&file).unwrap())
        })
        .collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            files.push(path);
        }
    }
    files
}

/// The top-level module that a path below `src` belongs to.
fn module_of(path: &str) -> String {
    path.split('/').next().unwrap().trim_end_matches(".rs").to_owned()
}

/// A module's own tests in files of their own.
fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

fn bad_imports(path: &str, text: &str) -> Vec<String> {
    if is_test(path) {
        return Vec::new();
    }
    let module = module_of(path);
    let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == module) else {
        return vec![format!("{path}: module {module} is not in the table")];
    };
    let imported = imports(&without_comments_and_tests(text));
    let bad = imported.into_iter().filter(|other| *other != module && !allowed.contains(&other.as_str()));
    bad.map(|other| format!("{path} imports {other}, which {module} may not")).collect()
}

/// The top-level modules that follow `crate::`, in braces or not.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => found.extend(identifier(rest)),
            Some(group) => {
                let mut depth = 0_u32;
                let mut start = true;
                for (i, c) in group.char_indices() {
                    if start && depth == 0 && (c.is_alphabetic() || c == '_') {
                        found.extend(identifier(&group[i..]));
                        start = false;
                    }
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

fn identifier(text: &str) -> Option<String> {
    let word: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!word.is_empty()).then_some(word)
}

fn impurities(path: &str, text: &str) -> Vec<String> {
    if is_test(path) || !PURE.contains(&module_of(path).as_str()) {
        return Vec::new();
    }
    let code = without_comments_and_tests(text);
    let found = IMPURE.iter().filter(|(word, _)| code.contains(word));
    found.map(|(word, why)| format!("{path} mentions `{word}`: a pure module knows no {why}")).collect()
}

/// Comments may name what the code may not; a module's own tests may do more than the module.
fn without_comments_and_tests(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    code.lines().map(|line| line.split("//").next().unwrap_or(line)).collect::<Vec<_>>().join("\n")
}
