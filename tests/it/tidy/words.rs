//! What no file may hold, and what every copied file must have.

use super::{files_of_the_repository, read, relative};
use crate::fixtures;

/// Where texts are, by the end of the name.
const TEXTS: [&str; 16] = [
    "rs", "md", "toml", "lock", "sql", "slt", "py", "sh", "java", "cjs", "csv", "yml", "yaml", "json", "ndjson", "txt",
];

#[test]
fn no_file_names_a_place_of_one_machine() {
    // Assembled, so that this file does not hold them.
    let places = ["work", "root", "home"].map(|folder| format!("/{folder}/"));
    let mut wrong = vec![];
    for file in files_of_the_repository() {
        let is_text = file.extension().is_none_or(|end| TEXTS.iter().any(|text| end == *text));
        if !is_text || file.ends_with("tests/it/tidy/words.rs") {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        for (number, line) in text.lines().enumerate() {
            if let Some(place) = places.iter().find(|place| line.contains(place.as_str())) {
                wrong.push(format!("{}:{}: {place}", relative(&file), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_source_is_left_unfinished() {
    let words = ["todo!", "unimplemented!", "TODO", "FIXME", "XXX:"];
    let mut wrong = vec![];
    for file in files_of_the_repository() {
        let is_source =
            file.extension().is_some_and(|end| ["rs", "sql", "py", "java", "cjs"].iter().any(|source| end == *source));
        if !is_source || file.ends_with("tests/it/tidy/words.rs") {
            continue;
        }
        let text = read(&file);
        wrong.extend(
            words.iter().filter(|word| text.contains(**word)).map(|word| format!("{}: {word}", relative(&file))),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_folder_of_test_data_says_where_it_is_from() {
    let licences = read(&fixtures::testdata("LICENCES.md"));
    let folders = std::fs::read_dir(fixtures::testdata("")).expect("there is a testdata");
    for folder in folders.map(|entry| entry.expect("it can be listed").path()).filter(|path| path.is_dir()) {
        let name = folder.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(licences.contains(&format!("`{name}/")), "testdata/{name} is not in testdata/LICENCES.md");
    }
}

#[test]
fn files_stay_short_enough_for_a_sitting() {
    let wrong: Vec<String> = files_of_the_repository()
        .into_iter()
        .filter(|file| file.extension().is_some_and(|end| end == "rs"))
        .map(|file| (read(&file).lines().count(), file))
        .filter(|(line_count, _)| *line_count > 600)
        .map(|(line_count, file)| format!("{}: {line_count} lines", relative(&file)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
