//! The folder in which a run works, beside the table or, for a bucket, on this machine.
//!
//! Whoever holds the lock in the folder may touch what is beside the lock, and nobody else may. So a run that ends removes
//! the lock when all else is gone, and after that only a folder that is empty: another run may have come by then.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path as FsPath, PathBuf};
use std::time::Duration;

use super::names::Run;
use crate::error::{Error, Result, SqlState};

const LOCK_NAME: &str = "lock";
const SPILL_NAME: &str = "spill";
const TABLE_NAME: &str = "table";

/// What the folders of runs on buckets begin with.
const TEMPORARY_PREFIX: &str = "tributary-cluster-";

/// A temporary folder that nobody holds may be of a run that is just beginning; after so long it is of a killed one.
const TIME_TO_LOCK: Duration = Duration::from_secs(60);

/// How often a run looks again at a folder that another one is removing.
const ATTEMPTS: usize = 10;

/// The folder beside a table that its runs work in: one for one name, so that its lock keeps runs apart.
pub(super) fn beside(folder: &FsPath) -> Option<PathBuf> {
    Some(folder.with_file_name(format!(".{}.cluster", folder.file_name()?.to_string_lossy())))
}

/// A hidden folder that one run at a time works in; it goes with the run.
pub(super) struct WorkingFolder {
    path: PathBuf,
    /// Held while the work lasts: the system lets go of it even if the process is killed.
    _lock: File,
}

impl WorkingFolder {
    /// Makes the folder, empty. Fails with 55006 if another run works in it.
    pub(super) fn make(path: PathBuf, shown: &str) -> Result<Self> {
        let made = locked(&path, || fs::create_dir_all(&path));
        let lock = made.map_err(|error| failed(&path, &error))?.ok_or_else(|| in_use(shown))?;
        Self::emptied(path, lock)
    }

    /// For a place where no folder can be beside: a folder of this machine that is nobody else's. Those that killed runs
    /// left are removed.
    pub(super) fn temporary(run: &Run) -> Result<Self> {
        Self::temporary_in(&std::env::temp_dir(), run)
    }

    fn temporary_in(parent: &FsPath, run: &Run) -> Result<Self> {
        sweep(parent);
        let path = parent.join(format!("{TEMPORARY_PREFIX}{}", run.name()));
        let made = locked(&path, || match DirBuilder::new().mode(0o700).create(&path) {
            // Nobody could guess the name, so it is this run's own from the try before.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            made => made,
        });
        let lock = made.map_err(|error| failed(&path, &error))?;
        let lock = lock.ok_or_else(|| failed(&path, &io::Error::from(ErrorKind::ResourceBusy)))?;
        Self::emptied(path, lock)
    }

    fn emptied(path: PathBuf, lock: File) -> Result<Self> {
        let emptied = [SPILL_NAME, TABLE_NAME].into_iter().try_for_each(|name| {
            remove_all(&path.join(name))?;
            fs::create_dir(path.join(name))
        });
        emptied.map_err(|error| failed(&path, &error))?;
        Ok(Self { path, _lock: lock })
    }

    /// Where rows wait.
    pub(super) fn spill_folder(&self) -> PathBuf {
        self.path.join(SPILL_NAME)
    }

    /// Where files are made.
    pub(super) fn table_folder(&self) -> PathBuf {
        self.path.join(TABLE_NAME)
    }
}

impl Drop for WorkingFolder {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next run.
        let _ = remove(&self.path);
    }
}

/// Takes the lock of a folder, which `make` makes; `None` if another run has it.
fn locked(folder: &FsPath, make: impl Fn() -> io::Result<()>) -> io::Result<Option<File>> {
    let mut unmade = None;
    for _ in 0..ATTEMPTS {
        let lock = match make().and_then(|()| File::create(folder.join(LOCK_NAME))) {
            Ok(lock) => lock,
            // A run that has just ended removed the folder between two looks at it.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::AlreadyExists) => {
                unmade = Some(error);
                continue;
            }
            Err(error) => return Err(error),
        };
        unmade = None;
        match lock.try_lock() {
            Ok(()) if is_there(&lock, &folder.join(LOCK_NAME)) => return Ok(Some(lock)),
            // The same, with the lock only.
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    unmade.map_or(Ok(None), Err)
}

/// Removes a folder whose lock is held.
fn remove(folder: &FsPath) -> io::Result<()> {
    remove_all(&folder.join(SPILL_NAME))?;
    remove_all(&folder.join(TABLE_NAME))?;
    fs::remove_file(folder.join(LOCK_NAME))?;
    fs::remove_dir(folder)
}

fn remove_all(folder: &FsPath) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Removes the temporary folders that nobody works in any more. What cannot be removed stays.
fn sweep(parent: &FsPath) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX) {
            let _ = sweep_one(&entry.path());
        }
    }
}

fn sweep_one(folder: &FsPath) -> io::Result<()> {
    let is_old = |metadata: fs::Metadata| -> io::Result<bool> {
        Ok(metadata.modified()?.elapsed().is_ok_and(|age| age > TIME_TO_LOCK))
    };
    let lock = match File::open(folder.join(LOCK_NAME)) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return if is_old(fs::metadata(folder)?)? { fs::remove_dir(folder) } else { Ok(()) };
        }
        lock => lock?,
    };
    if is_old(lock.metadata()?)? && lock.try_lock().is_ok() && is_there(&lock, &folder.join(LOCK_NAME)) {
        remove(folder)?;
    }
    Ok(())
}

/// Whether a file that is open is the one at a path.
fn is_there(file: &File, path: &FsPath) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(there)) => ours.dev() == there.dev() && ours.ino() == there.ino(),
        _ => false,
    }
}

/// Another run is at work on the table.
pub(super) fn in_use(shown: &str) -> Error {
    Error::new(SqlState::OBJECT_IN_USE, format!("another run is writing '{shown}'"))
        .with_hint("Run the command again when the other has ended.")
}

fn failed(folder: &FsPath, error: &io::Error) -> Error {
    Error::new(SqlState::IO_ERROR, format!("could not work in '{}': {error}", folder.display()))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::Instant;

    use super::*;

    fn fill(folder: &WorkingFolder, files: usize) {
        for file in 0..files {
            fs::write(folder.spill_folder().join(file.to_string()), "rows").unwrap();
        }
    }

    #[test]
    fn a_run_that_ends_takes_nothing_from_the_one_that_comes_next() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join(".events.cluster");
        let (at_work, count) = (AtomicBool::new(false), 8);
        let work = || {
            let mut done = 0;
            while done < count {
                let folder = match WorkingFolder::make(path.clone(), "events") {
                    Ok(folder) => folder,
                    Err(error) => {
                        assert_eq!(error.state, SqlState::OBJECT_IN_USE, "{error}");
                        thread::sleep(Duration::from_micros(100));
                        continue;
                    }
                };
                assert!(!at_work.swap(true, Ordering::SeqCst), "two runs are at work");
                fill(&folder, 200);
                fs::write(folder.table_folder().join("rows"), "rows").unwrap();
                let until = Instant::now() + Duration::from_millis(3);
                while Instant::now() < until {
                    assert!(folder.spill_folder().join("0").exists(), "rows are gone");
                    assert!(folder.table_folder().join("rows").exists(), "rows are gone");
                }
                at_work.store(false, Ordering::SeqCst);
                drop(folder);
                done += 1;
            }
        };
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(work);
            }
        });
        assert!(!path.exists());
    }

    #[test]
    fn a_temporary_folder_is_nobody_elses_and_leftovers_of_killed_runs_go() {
        let parent = tempfile::tempdir().unwrap();
        let (ours, other) = (Run::new().unwrap(), Run::new().unwrap());
        let busy = WorkingFolder::temporary_in(parent.path(), &other).unwrap();
        fill(&busy, 1);
        let make_old = |path: &FsPath| {
            let long_ago = std::time::SystemTime::now() - TIME_TO_LOCK * 2;
            File::open(path).unwrap().set_modified(long_ago).unwrap();
        };
        make_old(&busy.path.join("lock"));
        // Of killed runs: with rows, and without even a lock. Each also as one that has just begun.
        let [left, young, old_empty, young_empty] = [1, 2, 3, 4].map(|n| {
            let folder = parent.path().join(format!("tributary-cluster-{n}"));
            fs::create_dir(&folder).unwrap();
            folder
        });
        for folder in [&left, &young] {
            fs::create_dir(folder.join("spill")).unwrap();
            fs::write(folder.join("spill/0.arrow"), "rows").unwrap();
            fs::write(folder.join("lock"), "").unwrap();
        }
        make_old(&left.join("lock"));
        make_old(&old_empty);
        let strange = parent.path().join("tributary-cluster.txt");
        fs::write(&strange, "mine").unwrap();

        let folder = WorkingFolder::temporary_in(parent.path(), &ours).unwrap();
        assert_eq!(fs::metadata(&folder.path).unwrap().mode() & 0o777, 0o700);
        assert!(folder.spill_folder().exists() && folder.table_folder().exists());
        assert!(busy.spill_folder().join("0").exists() && strange.exists());
        assert!(young.exists() && young_empty.exists() && !left.exists() && !old_empty.exists());
        let path = folder.path.clone();
        drop(folder);
        assert!(!path.exists());
    }
}
