//! What must hold of the repository itself: where rooms may reach, what may be linked, what a function must have.

mod build;
mod functions;
mod rooms;
mod words;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fixtures;

/// The text of a file.
fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A path as it is written in the repository.
fn relative(path: &Path) -> String {
    path.strip_prefix(fixtures::root()).unwrap_or(path).display().to_string()
}

/// The files that git knows or would add: no build output, no editor's leavings.
fn files_of_the_repository() -> Vec<PathBuf> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(fixtures::root())
        .output()
        .expect("git is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).expect("paths are UTF-8");
    listed
        .split('\0')
        .filter(|path| !path.is_empty())
        .map(|path| fixtures::root().join(path))
        .filter(|path| path.is_file())
        .collect()
}

/// Runs cargo without the network, in the repository.
fn cargo(arguments: &[&str]) -> String {
    let program = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(program)
        .args(arguments)
        .args(["--offline", "--locked"])
        .current_dir(fixtures::root())
        .output()
        .expect("cargo runs this test, so it is there");
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo writes UTF-8")
}

/// The code of a Rust file without comments, so that prose may name what code may not.
fn code(path: &Path) -> String {
    read(path)
        .lines()
        .map(|line| {
            let is_comment = line.trim_start().starts_with("//");
            if is_comment { "" } else { line.split(" // ").next().unwrap_or(line) }
        })
        .collect::<Vec<_>>()
        .join("\n")
}
