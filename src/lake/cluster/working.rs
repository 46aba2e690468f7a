//! The folder in which a run works, beside the table or, for a bucket, on this machine.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path as FsPath, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::error::{Error, Result, SqlState};

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
        let failed = |error: std::io::Error| {
            Error::new(SqlState::IO_ERROR, format!("could not work in '{}': {error}", path.display()))
        };
        fs::create_dir_all(&path).map_err(failed)?;
        let lock = File::create(path.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            // A run that has just ended may have removed the folder between our two looks at it.
            Ok(()) if is_there(&lock, &path.join("lock")) => {}
            Ok(()) | Err(TryLockError::WouldBlock) => return Err(in_use(shown)),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        for name in ["spill", "table"] {
            let inside = path.join(name);
            if inside.exists() {
                fs::remove_dir_all(&inside).map_err(failed)?;
            }
            fs::create_dir(&inside).map_err(failed)?;
        }
        Ok(Self { path, _lock: lock })
    }

    /// For a place where no folder can be beside: a folder of this machine that is nobody else's.
    pub(super) fn temporary(shown: &str) -> Result<Self> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let unique = format!("tributary-cluster-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        Self::make(std::env::temp_dir().join(unique), shown)
    }

    /// Where rows wait.
    pub(super) fn spill_folder(&self) -> PathBuf {
        self.path.join("spill")
    }

    /// Where files are made.
    pub(super) fn table_folder(&self) -> PathBuf {
        self.path.join("table")
    }
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

impl Drop for WorkingFolder {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next run.
        let _ = fs::remove_dir_all(&self.path);
    }
}
