//! Where the test data is.

use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file or folder of `testdata`.
pub fn testdata(path: &str) -> PathBuf {
    root().join("testdata").join(path)
}

/// A lake of `testdata/lakes` as the command line takes it: `NAME=PATH`.
pub fn lake(name: &str) -> String {
    format!("{name}={}", testdata("lakes").join(name).display())
}

/// The lake that golden files read.
pub fn golden_lake() -> String {
    lake("tea")
}

/// All files below a folder with one of the extensions, sorted by path.
pub fn files_below(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = vec![];
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for entry in entries {
            let path = entry.expect("a folder can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| extensions.iter().any(|wanted| found == *wanted)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The lines of a CSV file without quotes, after its header, split at the commas.
pub fn csv(path: &str) -> Vec<Vec<String>> {
    let path = testdata(path);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}
