//! One build for all commands, and only what may be linked.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::cargo;

/// Licences that a binary under Apache-2.0 may hold without more than a notice.
const ALLOWED: [&str; 13] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "bzip2-1.0.6",
];

/// Packages under another licence, each with the reason why it may stay.
const EXCEPTIONS: [(&str, &str, &str); 1] =
    [("x509-certificate", "MPL-2.0", "used unmodified by pgwire; the licence binds changes to its own files only")];

/// Whether an SPDX expression leaves a choice that is allowed. `/` is the old spelling of OR.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let (inside, rest) = match expression.trim().strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        Some((inside, rest)) => (Some(is_allowed(inside)), rest.trim().to_owned()),
        None => (None, expression.trim().to_owned()),
    };
    if let Some(inside) = inside {
        return match rest.split_once(' ') {
            None => inside,
            Some(("AND", rest)) => inside && is_allowed(rest),
            Some(("OR", rest)) => inside || is_allowed(rest),
            Some(_) => false,
        };
    }
    // AND binds more strongly than OR.
    rest.split(" OR ").any(|choice| choice.split(" AND ").all(|licence| ALLOWED.contains(&licence.trim())))
}

#[test]
fn expressions_of_licences_are_understood() {
    assert!(is_allowed("MIT OR GPL-3.0"));
    assert!(is_allowed("Unlicense/MIT"));
    assert!(is_allowed("(MIT OR Apache-2.0) AND Unicode-3.0"));
    assert!(is_allowed("Apache-2.0 WITH LLVM-exception OR MIT"));
    assert!(!is_allowed("GPL-3.0"));
    assert!(!is_allowed("MIT AND AGPL-3.0"));
    assert!(!is_allowed("(MIT OR Apache-2.0) AND GPL-2.0"));
}

#[test]
fn every_dependency_has_an_allowed_licence() {
    // Only this platform: packages of others are not on the disk of an offline machine.
    let host = host();
    let metadata = cargo(&["metadata", "--format-version", "1", "--filter-platform", &host]);
    let metadata: Value = serde_json::from_str(&metadata).expect("cargo writes JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    assert!(packages.len() > 100, "the list is complete");
    let mut wrong = vec![];
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let licence = package["license"].as_str().unwrap_or("none");
        let is_exception = EXCEPTIONS.iter().any(|(known, under, _)| (*known, *under) == (name, licence));
        if !is_allowed(licence) && !is_exception {
            wrong.push(format!("{name}: {licence}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn host() -> String {
    let output = std::process::Command::new("rustc").arg("-vV").output().expect("rustc is installed");
    let text = String::from_utf8(output.stdout).expect("rustc writes UTF-8");
    text.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host").to_owned()
}

/// Features of each package in a build, from lines like `arrow v59.1.0 chrono-tz,csv`.
fn features(arguments: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let tree = cargo(&[&["tree", "--prefix", "none", "--format", "{p}|{f}"], arguments].concat());
    let mut packages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in tree.lines() {
        let Some((package, features)) = line.split_once('|') else { continue };
        let features = features.trim_end_matches(" (*)").split(',').filter(|feature| !feature.is_empty());
        packages.entry(package.to_owned()).or_default().extend(features.map(str::to_owned));
    }
    packages
}

/// `cargo run -- demo` and `cargo test --workspace` must be one build of what takes long to build (B1).
#[test]
fn both_commands_of_the_readme_resolve_to_the_same_features() {
    let run = features(&["--package", "tributary", "--edges", "normal,build"]);
    let test = features(&["--workspace", "--edges", "normal,build,dev"]);
    let is_heavy = |package: &str| {
        ["datafusion", "arrow", "parquet", "object_store", "sqlparser", "pgwire", "tokio"]
            .iter()
            .any(|name| package.starts_with(name))
    };
    let mut wrong = vec![];
    for (package, features) in run.iter().filter(|(package, _)| is_heavy(package)) {
        let in_test = &test[package];
        if features != in_test {
            let difference: Vec<_> = features.symmetric_difference(in_test).collect();
            wrong.push(format!("{package}: {difference:?}"));
        }
    }
    assert!(run.keys().any(|package| package.starts_with("datafusion v")), "the tree is read");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
