//! The lake on disk.

use std::fs;
use std::path::Path;

use super::{SEED, generate};
use crate::error::{Error, Result, SqlState};
use crate::lake::{ParquetOptions, write_parquet};

/// How far [`write()`] has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Steps done, of `total`.
    pub done: usize,
    /// All steps: making the lake is one, and each file is one.
    pub total: usize,
    /// What happens now: `people and events`, or the name of a file.
    pub now: &'a str,
}

/// Making the lake in memory comes before the first file.
const MAKING: &str = "people and events";

/// Makes the demo lake and writes it into `dir`, which is made where missing.
///
/// Tables become Parquet files: `events/` one per month, the others one each; `landing/` holds a
/// CSV file for the import. Files of the same names are replaced, others stay. `progress` is told
/// each step before it begins, and the end. Takes a few seconds and about 30 MB of disk. Fails
/// with 58030 where a file cannot be written.
pub fn write(dir: &Path, progress: &dyn Fn(Progress<'_>)) -> Result<()> {
    progress(Progress { done: 0, total: 1, now: MAKING });
    let lake = generate(SEED);
    let total = lake.tables.iter().map(|table| table.files.len()).sum::<usize>() + 2;
    let mut done = 1;
    for table in lake.tables {
        for (name, batch) in table.files {
            let file = format!("{name}.parquet");
            progress(Progress { done, total, now: &file });
            let schema = table.schema.clone();
            let rows = std::iter::once(batch);
            write_parquet(&dir.join(&file), schema, rows, &ParquetOptions::default())?;
            done += 1;
        }
    }
    let (file, text) = lake.landing;
    progress(Progress { done, total, now: file });
    write_text(&dir.join(file), &text)?;
    progress(Progress { done: total, total, now: file });
    Ok(())
}

fn write_text(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
    folder
        .and_then(|()| fs::write(path, text))
        .map_err(|error| Error::new(SqlState::IO_ERROR, format!("could not write '{}': {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn the_lake_is_written_as_parquet_and_csv() {
        let dir = tempfile::tempdir().expect("a folder for the test");
        let steps = RefCell::new(Vec::new());
        write(dir.path(), &|step| steps.borrow_mut().push((step.done, step.total))).expect("the lake is written");
        let events = fs::read_dir(dir.path().join("events")).expect("the events").count();
        assert_eq!(events, 3);
        assert!(dir.path().join("users.parquet").is_file());
        assert!(dir.path().join("landing/events_2026-06-01.csv").is_file());
        let steps = steps.into_inner();
        assert!(steps.is_sorted_by_key(|(done, _)| *done));
        assert!(matches!(steps.last(), Some((done, total)) if done == total));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let dir = tempfile::tempdir().expect("a folder for the test");
        let file = dir.path().join("taken");
        fs::write(&file, "").expect("a file in the way");
        let error = write(&file, &|_| {}).expect_err("a file is no folder");
        assert_eq!(error.state, SqlState::IO_ERROR);
        assert!(error.message.contains("taken"), "{}", error.message);
    }
}
