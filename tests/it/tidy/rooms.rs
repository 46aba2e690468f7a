//! Arrows between the rooms point one way.

use std::path::{Path, PathBuf};

use super::{code, relative};
use crate::fixtures;

/// Which rooms of `src` a room may name, and whether it may name the crate of the functions.
///
/// A statement walks wire, session, query, engine and lake; nobody reaches back. `error`, `limits`, `random` and `sealed`
/// are for all.
const ARROWS: [(&str, &[&str], bool); 10] = [
    ("wire", &["session", "query", "catalog", "access", "engine"], false),
    ("status", &["session", "engine"], false),
    ("session", &["query", "catalog", "access", "engine"], false),
    ("query", &["catalog", "access", "engine", "lake"], true),
    ("engine", &["lake"], true),
    // What is written about the functions is part of the catalogue.
    ("catalog", &["lake"], true),
    ("access", &[], false),
    // The rules over plans are told what the lake knows of its files.
    ("lake", &[], true),
    ("demo", &["lake"], true),
    ("cli", &["wire", "status", "session", "query", "catalog", "access", "engine", "lake", "demo"], true),
];

const FOR_ALL: [&str; 4] = ["error", "limits", "random", "sealed"];

fn rust_files(folder: &str) -> Vec<PathBuf> {
    let folder = fixtures::root().join(folder);
    if folder.is_dir() { fixtures::files_below(&folder, &["rs"]) } else { vec![] }
}

/// The words after each `crate::` of a text, also of those in braces: `crate::{lake, engine::Engine}`.
fn rooms_named(code: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    let mut rooms = vec![];
    for after in code.split("crate::").skip(1) {
        let Some(list) = after.strip_prefix('{') else {
            rooms.push(word(after));
            continue;
        };
        let mut depth = 0;
        let mut start = 0;
        for (at, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' | ',' if depth == 0 => {
                    rooms.push(word(list[start..at].trim()));
                    start = at + 1;
                    if c == '}' {
                        break;
                    }
                }
                '}' => depth -= 1,
                _ => {}
            }
        }
    }
    rooms.retain(|room| !room.is_empty());
    rooms
}

#[test]
fn names_in_braces_are_found() {
    let code = "use crate::{lake, engine::{Engine, Options}, error::Error};\ncrate::wire::serve();";
    assert_eq!(rooms_named(code), ["lake", "engine", "error", "wire"]);
}

#[test]
fn rooms_reach_only_where_arrows_point() {
    let mut wrong = vec![];
    for (room, may_name, may_name_functions) in ARROWS {
        for file in rust_files(&format!("src/{room}")) {
            let code = code(&file);
            for named in rooms_named(&code) {
                let named = named.as_str();
                if named != room && !may_name.contains(&named) && !FOR_ALL.contains(&named) {
                    wrong.push(format!("{} names {named}", relative(&file)));
                }
            }
            if !may_name_functions && code.contains("tributary_udfs") {
                wrong.push(format!("{} names the crate of the functions", relative(&file)));
            }
            if code.contains("tributary_core") {
                wrong.push(format!("{} names the crate of the rules", relative(&file)));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_room_has_its_arrows_written_here() {
    let rooms = std::fs::read_dir(fixtures::root().join("src")).expect("there is a src");
    for room in rooms.map(|entry| entry.expect("it can be listed").path()).filter(|path| path.is_dir()) {
        let name = room.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(ARROWS.iter().any(|(known, _, _)| *known == name), "src/{name} has no arrows in {}", file!());
    }
}

/// A word that only one folder may write, in the code of the rest.
fn only_in(folder: &str, searched: &[&str], words: &[&str]) {
    let home = fixtures::root().join(folder);
    let mut wrong = vec![];
    for file in searched.iter().flat_map(|folder| rust_files(folder)).filter(|file| !file.starts_with(&home)) {
        let code = code(&file);
        wrong.extend(
            words.iter().filter(|word| code.contains(**word)).map(|word| format!("{}: {word}", relative(&file))),
        );
    }
    assert!(wrong.is_empty(), "only {folder} may name these: {wrong:#?}");
}

#[test]
fn the_protocol_library_is_named_in_wire_alone() {
    only_in("src/wire", &["src", "udfs"], &["pgwire"]);
}

#[test]
fn parquet_is_written_in_the_lake_alone() {
    only_in(
        "src/lake",
        &["src", "udfs/src"],
        &["ArrowWriter", "SerializedFileWriter", "ParquetSink", ".write_parquet("],
    );
}

#[test]
fn the_functions_know_no_server() {
    let mut wrong = vec![];
    for file in rust_files("udfs") {
        let code = code(&file);
        if code.contains("tributary::") || code.contains("pgwire") || code.contains("tokio_postgres") {
            wrong.push(relative(&file));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn the_rules_know_neither_arrow_nor_datafusion() {
    let manifest = super::read(Path::new(&fixtures::root().join("udfs/core/Cargo.toml")));
    let (_, dependencies) = manifest.split_once("[dependencies]").expect("a list of dependencies");
    let dependencies = dependencies.split("\n[").next().unwrap_or_default();
    let named: Vec<&str> = dependencies.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert!(named.is_empty(), "the rules are plain Rust: {named:?}");
    // Tests may look at a clock: they hold the rules to their cost.
    let is_rule = |file: &PathBuf| !relative(file).contains("/tests");
    for file in rust_files("udfs/core/src").into_iter().filter(is_rule) {
        let code = code(&file);
        for word in ["arrow::", "datafusion", "sqlparser", "SystemTime", "Instant::now"] {
            assert!(!code.contains(word), "{} names {word}", relative(&file));
        }
    }
}
