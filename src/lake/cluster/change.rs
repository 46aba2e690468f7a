//! A clustered table that is there, and the run that changes it, from one manifest to the next.
//!
//! First a marker names the files that come and go, then the new ones are brought, then the manifest is replaced, at
//! once; then the old ones are removed, and last the marker. Whenever a run ends before the manifest is replaced, the
//! table is the old one, and whenever later, the new one. The next run removes what the marker names.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use datafusion::execution::runtime_env::RuntimeEnv;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt, PutMode};

use super::carry::{remote, send};
use super::lease::{Lease, Pace, put_if, version};
use super::meter::{ClusterMeter, ClusterPhase};
use super::names::{Generation, Run, is_range_file};
use super::target::UNFINISHED_NAME;
use super::working::{WorkingFolder, beside};
use crate::error::{Error, Result, SqlState};
use crate::lake::listing::list_files;
use crate::lake::manifest::{MANIFEST_NAME, Manifest, ManifestFile, read_manifest, read_version};
use crate::lake::pending::{PENDING_NAME, Pending, read_pending};
use crate::lake::scan::LakeProvider;
use crate::lake::spec::{Place, not_a_place};
use crate::lake::table::FileSet;

const MAKE_IT: &str = "Make the table first: tributary cluster SOURCE TARGET.";

/// A table that one run changes.
pub(in crate::lake) struct Change {
    shown: String,
    run: Run,
    place: Arc<Place>,
    manifest: Manifest,
    /// The version of the manifest that is replaced.
    seen: ObjectMeta,
    working: WorkingFolder,
    home: Home,
}

enum Home {
    /// A folder of this machine: the lock of the working folder keeps others out.
    Folder(PathBuf),
    Bucket(Lease),
}

impl Change {
    /// Takes a table for this run, and removes what a killed one left.
    ///
    /// Fails with 58P01 if there is no clustered table at `location`, 55006 if another run changes it, and as the
    /// reading of its manifest does.
    pub(super) async fn begin(location: &str, runtime: &RuntimeEnv) -> Result<Self> {
        let place = Place::open(location, runtime).await.map_err(|error| match error.state {
            SqlState::UNDEFINED_FILE => error.with_hint(MAKE_IT),
            _ => error,
        });
        Self::begin_at(Arc::new(place?), location, Pace::default()).await
    }

    pub(in crate::lake) async fn begin_at(place: Arc<Place>, shown: &str, pace: Pace) -> Result<Self> {
        let no_table = || {
            let message = format!("'{shown}' is no clustered table: it has no {MANIFEST_NAME}");
            Error::new(SqlState::UNDEFINED_FILE, message).with_hint(MAKE_IT)
        };
        // Nothing is written where no table is.
        if place.is_file || read_version(place.store.as_ref(), &place.path, shown).await?.is_none() {
            return Err(no_table());
        }
        let run = Run::new()?;
        let (working, home, left) = if place.is_local {
            let broken = |error: object_store::Error| not_a_place(shown, &error.to_string());
            let folder = LocalFileSystem::new().path_to_filesystem(&place.path).map_err(broken)?;
            let hidden = beside(&folder).ok_or_else(|| not_a_place(shown, "nothing can be made beside it"))?;
            let working = WorkingFolder::make(hidden, shown)?;
            let left = read_pending(place.store.as_ref(), &place.path, shown).await?;
            (working, Home::Folder(folder), left.map(|(left, _)| left))
        } else {
            let working = WorkingFolder::temporary(&run)?;
            let (lease, left) = Lease::take(&place.store, &place.path, shown, &run, pace).await?;
            (working, Home::Bucket(lease), left)
        };
        // Another run may have changed it until we had it.
        let read = read_version(place.store.as_ref(), &place.path, shown).await?;
        let (manifest, seen) = read.ok_or_else(no_table)?;
        let change = Self { shown: shown.to_owned(), run, place, manifest, seen, working, home };
        change.clean(left).await?;
        Ok(change)
    }

    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    pub(super) fn place(&self) -> &Arc<Place> {
        &self.place
    }

    pub(super) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The generation that this run makes. Fails with XX001 if the manifest counts so far that there is none.
    pub(super) fn next_generation(&self) -> Result<Generation> {
        let newest = self.manifest.generation;
        let next = newest.checked_add(1).ok_or_else(|| {
            let message = format!("the manifest of '{}' cannot be used: no generation follows {newest}", self.shown);
            Error::new(SqlState::DATA_CORRUPTED, message)
                .with_hint("Make a table of its rows anew: tributary cluster SOURCE TARGET.")
        })?;
        Ok(self.run.generation(next))
    }

    /// Where the run works.
    pub(super) fn working(&self) -> &WorkingFolder {
        &self.working
    }

    /// The table as a scan sees it. Fails if it is not what its manifest says.
    pub(super) async fn table(&self, runtime: &Arc<RuntimeEnv>) -> Result<LakeProvider> {
        let found = list_files(&self.place, &HashMap::new(), None).await?;
        let set = Arc::new(FileSet::new(&self.place, &crate::lake::reader(runtime), found));
        let resolved = set.resolve().await?;
        let provider = LakeProvider { set, resolved };
        provider.check_columns(None, &[])?;
        Ok(provider)
    }

    /// Removes files that are not of the table, and then the marker that names them.
    async fn clean(&self, left: Option<Pending>) -> Result<()> {
        // Making the table was broken off when only this was left to be removed.
        self.remove(UNFINISHED_NAME).await?;
        let Some(left) = left else { return Ok(()) };
        let known: HashSet<&str> = self.manifest.files.iter().map(|file| file.path.as_str()).collect();
        for name in left.names().filter(|name| is_range_file(name) && !known.contains(name)) {
            self.remove(name).await?;
        }
        match &self.home {
            Home::Folder(_) => self.remove(PENDING_NAME).await,
            Home::Bucket(lease) => lease.name(Vec::new(), Vec::new()).await,
        }
    }

    /// Ends the run: what the table is next becomes the table, if there is anything; after an error it stays as it is.
    ///
    /// Fails with the error, and as publishing does. `kept` is for statements that are reading what is removed.
    pub(super) async fn settle<T>(
        self,
        done: Result<(Option<Manifest>, T)>,
        kept: Duration,
        meter: &ClusterMeter,
    ) -> Result<T> {
        match done {
            Ok((Some(next), report)) => {
                self.publish(&next, kept, meter).await?;
                Ok(report)
            }
            Ok((None, report)) => {
                self.give_up().await;
                Ok(report)
            }
            Err(error) => {
                self.give_up().await;
                Err(error)
            }
        }
    }

    /// Makes `next` the table. The files that only it has were made in the working folder; those that only the table
    /// of before has are removed after `kept`, so that statements that are reading them can end.
    async fn publish(self, next: &Manifest, kept: Duration, meter: &ClusterMeter) -> Result<()> {
        let arriving = only_in(next, &self.manifest);
        let leaving = only_in(&self.manifest, next);
        meter.begin(ClusterPhase::Publishing, Some(arriving.iter().map(|file| file.byte_count).sum()));
        let names = |files: &[&ManifestFile]| files.iter().map(|file| file.path.clone()).collect::<Vec<_>>();
        let (arriving, leaving) = (names(&arriving), names(&leaving));
        let brought = async {
            self.mark(arriving.clone(), leaving.clone()).await?;
            self.bring(&arriving, meter).await
        };
        if let Err(error) = brought.await {
            self.take_back(&arriving).await;
            return Err(error);
        }
        if let Err(error) = self.replace_manifest(next, &arriving).await {
            // Without an answer of the store the manifest may still come. Then the files are needed, else the next run
            // removes them.
            if error.state == SqlState::OBJECT_IN_USE || matches!(self.home, Home::Folder(_)) {
                self.take_back(&arriving).await;
            }
            return Err(error);
        }
        if !leaving.is_empty() {
            tokio::time::sleep(kept).await;
        }
        let removed = async {
            self.confirm().await?;
            for name in &leaving {
                self.remove(name).await?;
            }
            self.unmark().await
        };
        match removed.await {
            // Another run took this one for dead, and has removed what the marker names.
            Err(error) if error.state == SqlState::OBJECT_IN_USE => Ok(()),
            removed => removed.map_err(|error| {
                error.with_hint("The table has changed; the next run on it removes what is left of the one before.")
            }),
        }
    }

    /// Removes what was brought, unless it is of the table, or nobody can say so. The files are this run's alone, so
    /// whoever has the marker now needs none of them. What cannot be removed is left to the next run, with the marker
    /// that names it.
    async fn take_back(self, arriving: &[String]) {
        if !matches!(self.is_of_table(arriving).await, Ok(false)) {
            return;
        }
        for name in arriving {
            if self.remove(name).await.is_err() {
                return;
            }
        }
        let _ = self.unmark().await;
    }

    /// Leaves the table as it is.
    async fn give_up(self) {
        // Where the marker cannot be removed, the next run waits and removes it.
        let _ = self.unmark().await;
    }

    async fn mark(&self, arriving: Vec<String>, leaving: Vec<String>) -> Result<()> {
        match &self.home {
            Home::Bucket(lease) => lease.name(arriving, leaving).await,
            Home::Folder(_) => {
                let marker = Pending { arriving, leaving, ..Pending::new(self.run.name().to_owned()) };
                self.put_file(PENDING_NAME, &marker.to_json()?).await
            }
        }
    }

    /// Fails with 55006 if another run has taken the table.
    async fn confirm(&self) -> Result<()> {
        match &self.home {
            Home::Bucket(lease) => lease.confirm().await,
            Home::Folder(_) => Ok(()),
        }
    }

    async fn unmark(self) -> Result<()> {
        match self.home {
            Home::Bucket(lease) => lease.end().await,
            Home::Folder(_) => self.remove(PENDING_NAME).await,
        }
    }

    async fn bring(&self, names: &[String], meter: &ClusterMeter) -> Result<()> {
        for name in names {
            // A marker that is not ours would not name the file.
            self.confirm().await?;
            let made = self.working.table_folder().join(name);
            let to = self.place.path.clone().join(name.as_str());
            match &self.home {
                Home::Bucket(_) => send(self.place.store.as_ref(), &made, &to, &self.shown, meter).await?,
                Home::Folder(_) => {
                    let byte_count = fs::metadata(&made).map_err(|error| self.failed(&error))?.len();
                    let from = Path::from_absolute_path(&made).map_err(|error| self.failed(&error))?;
                    self.place.store.rename(&from, &to).await.map_err(|error| remote(&self.shown, &error))?;
                    meter.advance(byte_count)?;
                }
            }
        }
        self.sync()
    }

    /// Makes `next` the table, in one moment. Fails with 55006 if the table is no more the one that the run began with.
    async fn replace_manifest(&self, next: &Manifest, arriving: &[String]) -> Result<()> {
        if let Home::Folder(_) = &self.home {
            return self.put_file(MANIFEST_NAME, &next.to_json()?).await;
        }
        let (store, path) = (self.place.store.as_ref(), self.place.path.clone().join(MANIFEST_NAME));
        match put_if(store, &path, &self.shown, next.to_json()?, PutMode::Update(version(&self.seen))).await {
            Ok(_) => Ok(()),
            // The answer may have been lost, and the second try be refused because the first one was not.
            Err(_) if matches!(self.is_of_table(arriving).await, Ok(true)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether the manifest that is there names files of this run.
    async fn is_of_table(&self, names: &[String]) -> Result<bool> {
        let now = read_manifest(self.place.store.as_ref(), &self.place.path, &self.shown).await?;
        Ok(now.is_some_and(|manifest| manifest.files.iter().any(|file| names.contains(&file.path))))
    }

    /// Puts a file into the folder, whole and safe on the disk, in the place of one that may be there.
    async fn put_file(&self, name: &str, text: &[u8]) -> Result<()> {
        let made = self.working.table_folder().join(name);
        fs::write(&made, text).map_err(|error| self.failed(&error))?;
        File::open(&made).and_then(|file| file.sync_all()).map_err(|error| self.failed(&error))?;
        let from = Path::from_absolute_path(&made).map_err(|error| self.failed(&error))?;
        let to = self.place.path.clone().join(name);
        self.place.store.rename(&from, &to).await.map_err(|error| remote(&self.shown, &error))?;
        self.sync()
    }

    /// Makes names that came and went safe on the disk.
    fn sync(&self) -> Result<()> {
        match &self.home {
            Home::Bucket(_) => Ok(()),
            Home::Folder(folder) => {
                File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| self.failed(&error))
            }
        }
    }

    /// Removes a file of the folder, if it is there.
    async fn remove(&self, name: &str) -> Result<()> {
        match self.place.store.delete(&self.place.path.clone().join(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => self.sync(),
            Err(error) => Err(remote(&self.shown, &error)),
        }
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> Error {
        Error::new(SqlState::IO_ERROR, format!("could not change '{}': {error}", self.shown))
    }
}

fn only_in<'a>(a: &'a Manifest, b: &Manifest) -> Vec<&'a ManifestFile> {
    let others: HashSet<&str> = b.files.iter().map(|file| file.path.as_str()).collect();
    a.files.iter().filter(|file| !others.contains(file.path.as_str())).collect()
}
