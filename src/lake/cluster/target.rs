//! Where the table goes, so that it is there whole or not at all.
//!
//! A folder of this machine is made under a hidden name beside its place, and renamed. A bucket cannot rename: files
//! are made in a temporary folder, a marker says that they are on their way, and the manifest goes last.

use std::fs::{self, File};
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use url::Url;

use super::carry::{remote, send};
use super::meter::{ClusterMeter, ClusterPhase};
use super::names::{Run, is_range_file};
use super::source::Source;
use super::working::{WorkingFolder, beside};
use crate::error::{Error, Result, SqlState};
use crate::lake::manifest::{MANIFEST_NAME, Manifest};
use crate::lake::spec::{Place, not_a_place};

/// Lies in a bucket while files are brought there. A folder that has it is no table.
pub(in crate::lake) const UNFINISHED_NAME: &str = "_tributary.unfinished";

/// A place that is free, and the folder where the work is done.
pub(super) struct Target {
    shown: String,
    working: WorkingFolder,
    place: Destination,
}

enum Destination {
    Folder(PathBuf),
    Bucket { store: Arc<dyn ObjectStore>, path: Path },
}

impl Target {
    /// Makes sure that nothing is there, and removes what a killed run left.
    pub(super) async fn open(location: &str, runtime: &RuntimeEnv, source: &Source) -> Result<Self> {
        if location.contains("://") {
            let url = Url::parse(location).map_err(|error| not_a_place(location, &error.to_string()))?;
            if url.scheme() != "file" {
                let place = Place::connect(&url, location, runtime)?;
                return Self::in_bucket(place.store, place.path, location).await;
            }
            let path =
                url.to_file_path().map_err(|()| not_a_place(location, "a file URL has three slashes and no host"))?;
            return Self::in_folder(&path, location, source);
        }
        Self::in_folder(FsPath::new(location), location, source)
    }

    fn in_folder(path: &FsPath, shown: &str, source: &Source) -> Result<Self> {
        let failed =
            |error: std::io::Error| Error::new(SqlState::IO_ERROR, format!("could not make '{shown}': {error}"));
        let path = std::path::absolute(path).map_err(failed)?;
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(not_a_place(shown, "it names no folder that could be made"));
        };
        fs::create_dir_all(parent).map_err(failed)?;
        let folder = parent.canonicalize().map_err(failed)?.join(name);
        let in_store = Path::from_absolute_path(&folder).map_err(|error| not_a_place(shown, &error.to_string()))?;
        if source.holds(&in_store) {
            return Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("'{shown}' lies in the source, which would change while it is read"),
            )
            .with_hint("Choose a folder beside it."));
        }
        match fs::read_dir(&folder) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Err(taken(shown, folder.join(MANIFEST_NAME).exists()));
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => return Err(taken(shown, false)),
            Err(error) => return Err(failed(error)),
        }
        let hidden = beside(&folder).ok_or_else(|| not_a_place(shown, "it names no folder that could be made"))?;
        let working = WorkingFolder::make(hidden, shown)?;
        Ok(Self { shown: shown.to_owned(), working, place: Destination::Folder(folder) })
    }

    async fn in_bucket(store: Arc<dyn ObjectStore>, path: Path, shown: &str) -> Result<Self> {
        let unreachable = |error: object_store::Error| remote(shown, &error);
        let found: Vec<Path> =
            store.list(Some(&path)).map_ok(|object| object.location).try_collect().await.map_err(unreachable)?;
        let (marker, manifest) = (path.clone().join(UNFINISHED_NAME), path.clone().join(MANIFEST_NAME));
        if found.contains(&marker) && !found.contains(&manifest) {
            for object in found.iter().filter(|object| is_of_table(&path, object)) {
                store.delete(object).await.map_err(unreachable)?;
            }
        } else if !found.is_empty() {
            if found.contains(&marker) {
                // The manifest went last: only the marker was left, and the table is whole.
                store.delete(&marker).await.map_err(unreachable)?;
            }
            return Err(taken(shown, found.contains(&manifest)));
        }
        let working = WorkingFolder::temporary(&Run::new()?)?;
        Ok(Self { shown: shown.to_owned(), working, place: Destination::Bucket { store, path } })
    }

    /// Where the run works.
    pub(super) fn working(&self) -> &WorkingFolder {
        &self.working
    }

    /// Brings the files to their place, and the manifest last.
    pub(super) async fn publish(self, manifest: &Manifest, meter: &ClusterMeter) -> Result<()> {
        let byte_count = manifest.files.iter().map(|file| file.byte_count).sum();
        meter.begin(ClusterPhase::Publishing, Some(byte_count));
        match &self.place {
            Destination::Folder(folder) => self.rename(folder, manifest),
            Destination::Bucket { store, path } => {
                let uploaded = self.upload(store.as_ref(), path, manifest, meter).await;
                if uploaded.is_err() {
                    // The marker says the same to the next run, if the store does not answer now.
                    for name in names(manifest) {
                        let _ = store.delete(&path.clone().join(name)).await;
                    }
                    let _ = store.delete(&path.clone().join(UNFINISHED_NAME)).await;
                }
                uploaded
            }
        }
    }

    fn rename(&self, folder: &FsPath, manifest: &Manifest) -> Result<()> {
        let failed = |error: std::io::Error| {
            Error::new(SqlState::IO_ERROR, format!("could not complete '{}': {error}", self.shown))
        };
        let made = self.working.table_folder();
        let path = made.join(MANIFEST_NAME);
        fs::write(&path, manifest.to_json()?).map_err(failed)?;
        File::open(&path).and_then(|file| file.sync_all()).map_err(failed)?;
        File::open(&made).and_then(|folder| folder.sync_all()).map_err(failed)?;
        fs::rename(&made, folder).map_err(failed)?;
        match folder.parent() {
            Some(parent) => File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed),
            None => Ok(()),
        }
    }

    async fn upload(
        &self,
        store: &dyn ObjectStore,
        path: &Path,
        manifest: &Manifest,
        meter: &ClusterMeter,
    ) -> Result<()> {
        let failed = |error: object_store::Error| remote(&self.shown, &error);
        let marker = path.clone().join(UNFINISHED_NAME);
        store.put(&marker, Bytes::from_static(b"being written by tributary cluster\n").into()).await.map_err(failed)?;
        for file in &manifest.files {
            let made = self.working.table_folder().join(&file.path);
            send(store, &made, &path.clone().join(file.path.as_str()), &self.shown, meter).await?;
        }
        let text = manifest.to_json()?;
        store.put(&path.clone().join(MANIFEST_NAME), text.into()).await.map_err(failed)?;
        store.delete(&marker).await.map_err(failed)
    }
}

fn names(manifest: &Manifest) -> impl Iterator<Item = &str> {
    manifest.files.iter().map(|file| file.path.as_str()).chain([MANIFEST_NAME])
}

/// Whether a file of the folder is one that this program writes there.
fn is_of_table(folder: &Path, file: &Path) -> bool {
    let Some(mut parts) = file.prefix_match(folder) else { return false };
    let (Some(name), None) = (parts.next(), parts.next()) else { return false };
    let name = name.as_ref();
    is_range_file(name) || name == MANIFEST_NAME || name == UNFINISHED_NAME
}

fn taken(shown: &str, is_table: bool) -> Error {
    let what = if is_table { "is a clustered table already" } else { "is there and is not empty" };
    let hint = match is_table {
        true => "Add the rows to it with --append, or choose another place: nothing is overwritten.",
        false => "Nothing is overwritten: choose another place, or remove what is there.",
    };
    Error::new(SqlState::DUPLICATE_TABLE, format!("'{shown}' {what}")).with_hint(hint)
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;
    use crate::lake::manifest::{FORMAT, ManifestFile};

    const FILE: &str = "range-00000-generation-1.parquet";

    fn manifest() -> Manifest {
        let file = ManifestFile {
            path: FILE.to_owned(),
            range: 0,
            generation: 1,
            row_count: 0,
            user_count: 0,
            byte_count: 4,
            user_min: None,
            user_max: None,
            time_min: None,
            time_max: None,
            sha256: String::new(),
        };
        Manifest {
            format: FORMAT,
            written_by: String::new(),
            user_key: "u".to_owned(),
            time_key: "t".to_owned(),
            order: vec!["u".to_owned(), "t".to_owned()],
            generation: 1,
            row_count: 0,
            split_points: Vec::new(),
            files: vec![file],
        }
    }

    async fn names(store: &dyn ObjectStore) -> Vec<String> {
        let objects: Vec<_> = store.list(None).try_collect().await.unwrap();
        objects.into_iter().map(|object| object.location.to_string()).collect()
    }

    #[tokio::test]
    async fn a_bucket_gets_the_files_and_then_the_manifest() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        // What a run left that was killed while it sent its files.
        for left in [UNFINISHED_NAME, "range-00007-generation-1.parquet"] {
            store.put(&Path::from("shop/events").join(left), Bytes::from_static(b"x").into()).await.unwrap();
        }
        store.put(&Path::from("shop/other"), Bytes::from_static(b"x").into()).await.unwrap();
        let path = Path::from("shop/events");
        let target = Target::in_bucket(Arc::clone(&store), path.clone(), "s3://shop/events").await.unwrap();
        assert_eq!(names(store.as_ref()).await, ["shop/other"]);
        fs::write(target.working().table_folder().join(FILE), "rows").unwrap();
        target.publish(&manifest(), &ClusterMeter::default()).await.unwrap();
        let expected = [&format!("shop/events/{MANIFEST_NAME}"), &format!("shop/events/{FILE}"), "shop/other"];
        assert_eq!(names(store.as_ref()).await, expected);
        let error = Target::in_bucket(store, path, "s3://shop/events").await.err().unwrap();
        assert_eq!(error.state.0, "42P07");
    }

    #[tokio::test]
    async fn a_run_that_fails_on_the_way_to_a_bucket_takes_its_files_back() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let target = Target::in_bucket(Arc::clone(&store), Path::from("shop"), "s3://shop").await.unwrap();
        let mut manifest = manifest();
        manifest
            .files
            .push(ManifestFile { path: "range-00001-generation-1.parquet".to_owned(), ..manifest.files[0].clone() });
        fs::write(target.working().table_folder().join(FILE), "rows").unwrap();
        // The second file was never made.
        let error = target.publish(&manifest, &ClusterMeter::default()).await.unwrap_err();
        assert_eq!(error.state.0, "58030");
        assert_eq!(names(store.as_ref()).await, Vec::<String>::new());
    }
}
