//! `tributary check`: whether a clustered folder is what its manifest says.

mod rows;

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::datasource::listing::PartitionedFile;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::parquet::arrow::ProjectionMask;
use datafusion::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use datafusion::parquet::arrow::async_reader::{ParquetRecordBatchStream, ParquetRecordBatchStreamBuilder};
use datafusion::parquet::errors::Result as ParquetResult;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use sha2::{Digest, Sha256};

use rows::RowsCheck;

use super::cluster::{ClusterMeter, ClusterPhase, Keys, UNFINISHED_NAME, hex};
use super::listing::file_kind;
use super::manifest::{FORMAT, FORMAT_KEY, MANIFEST_NAME, Manifest, ManifestFile, read_manifest};
use super::pending::{PENDING_NAME, read_pending};
use super::spec::Place;
use super::watch::{WatchingReader, WatchingReaderFactory};
use crate::error::{Error, Result, SqlState};

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckReport {
    pub file_count: usize,
    /// Generations that the files are of.
    pub generation_count: usize,
    /// Rows that were read.
    pub row_count: u64,
    /// What is wrong, one sentence each, with the file that it is about. Empty if nothing is.
    pub findings: Vec<String>,
}

/// Reads a clustered folder whole and compares it with its manifest.
///
/// Checked are: that each file of the manifest is there, with its size and checksum, and no other; that its footer says
/// what the manifest says; that its rows are in order, within the file's range of users, and within the statistics by
/// which scans leave row groups out; that the rows of all generations are as many as the manifest says. A marker of a
/// run that changes the table, or was broken off, is told with the files that it names. Each file is read twice, once for
/// its checksum and once for its users and times; `thread_count` files are read at a time. Of each file the first row
/// that is wrong is told.
///
/// Fails with 58P01 if nothing is at `location` or it has no manifest, XX001 and 0A000 if the manifest cannot be read,
/// 57014 if `meter` was told to stop. What is wrong with files is no failure: it is what is reported.
pub async fn check_folder(
    runtime: &Arc<RuntimeEnv>,
    location: &str,
    thread_count: usize,
    meter: &Arc<ClusterMeter>,
) -> Result<CheckReport> {
    let place = Arc::new(Place::open(location, runtime).await?);
    let Some(manifest) = read_manifest(place.store.as_ref(), &place.path, location).await? else {
        let message = format!("'{location}' is no clustered table: it has no {MANIFEST_NAME}");
        return Err(Error::new(SqlState::UNDEFINED_FILE, message)
            .with_hint("Only what `tributary cluster` has written can be checked."));
    };
    meter.begin(ClusterPhase::Reading, Some(manifest.row_count));
    let manifest = Arc::new(manifest);
    let readers = Arc::new(WatchingReaderFactory::new(&place, runtime));
    let mut findings = strangers(&place, &manifest).await?;
    let checks = (0..manifest.files.len()).map(|index| {
        let (place, manifest, meter) = (Arc::clone(&place), Arc::clone(&manifest), Arc::clone(meter));
        let readers = Arc::clone(&readers);
        async move {
            // A task for each, so that files are read by several threads.
            tokio::spawn(async move { FileCheck::new(&place, &readers, &manifest, index, &meter).run().await }).await
        }
    });
    let mut checks = stream::iter(checks).buffered(thread_count.max(1));
    while let Some(found) = checks.next().await {
        let found =
            found.map_err(|error| Error::new(SqlState::INTERNAL_ERROR, format!("check: a thread ended: {error}")))?;
        findings.extend(found?);
    }
    let (_, row_count, _) = meter.reading();
    if row_count != manifest.row_count && findings.is_empty() {
        findings.push(format!("{row_count} rows were read in all, the manifest says {}", manifest.row_count));
    }
    Ok(CheckReport {
        file_count: manifest.files.len(),
        generation_count: manifest.generation_count(),
        row_count,
        findings,
    })
}

/// Files of the folder that the manifest does not know: other readers would read them too. Those of a run that changes
/// the table are one finding.
async fn strangers(place: &Place, manifest: &Manifest) -> Result<Vec<String>> {
    let known: HashSet<Path> = manifest.files.iter().map(|file| place.path.clone().join(file.path.as_str())).collect();
    let listed: Vec<Path> =
        place.store.list(Some(&place.path)).map_ok(|object| object.location).try_collect().await.map_err(|error| {
            Error::new(SqlState::IO_ERROR, format!("could not list '{}': {error}", place.show(&place.path)))
        })?;
    let pending = read_pending(place.store.as_ref(), &place.path, &place.show(&place.path)).await?;
    let named: HashSet<Path> = match &pending {
        Some((pending, _)) => pending.names().map(|name| place.path.clone().join(name)).collect(),
        None => HashSet::new(),
    };
    let is_strange = |path: &&Path| {
        let name = path.filename().unwrap_or_default();
        let is_hidden = name.starts_with(['.', '_']);
        !known.contains(*path) && (name == UNFINISHED_NAME || (!is_hidden && file_kind(name).is_some()))
    };
    let (waiting, strange): (Vec<&Path>, Vec<&Path>) =
        listed.iter().filter(is_strange).partition(|path| named.contains(*path));
    let mut findings: Vec<String> =
        strange.iter().map(|path| format!("{}: is not in the manifest", place.show(path))).collect();
    if pending.is_some() {
        let marker = place.show(&place.path.clone().join(PENDING_NAME));
        let files = match waiting.len() {
            0 => "no file is left of it".to_owned(),
            1 => "1 file is not of the table".to_owned(),
            count => format!("{count} files are not of the table"),
        };
        findings.push(format!(
            "{marker}: a run changes the table, or was broken off, and {files}; the next `tributary cluster --append` \
             or `tributary compact` cleans up"
        ));
    }
    Ok(findings)
}

/// The check of one file.
struct FileCheck<'a> {
    place: &'a Place,
    readers: &'a WatchingReaderFactory,
    manifest: &'a Manifest,
    file: &'a ManifestFile,
    path: Path,
    meter: &'a ClusterMeter,
    findings: Vec<String>,
}

impl<'a> FileCheck<'a> {
    fn new(
        place: &'a Place,
        readers: &'a WatchingReaderFactory,
        manifest: &'a Manifest,
        index: usize,
        meter: &'a ClusterMeter,
    ) -> Self {
        let file = &manifest.files[index];
        let path = place.path.clone().join(file.path.as_str());
        Self { place, readers, manifest, file, path, meter, findings: Vec::new() }
    }

    /// Everything that is wrong with the file.
    async fn run(mut self) -> Result<Vec<String>> {
        let meta = match self.place.store.head(&self.path).await {
            Ok(meta) => meta,
            Err(object_store::Error::NotFound { .. }) => {
                self.find("is missing".to_owned());
                return Ok(self.findings);
            }
            Err(error) => {
                self.find(format!("cannot be read: {error}"));
                return Ok(self.findings);
            }
        };
        if meta.size != self.file.byte_count {
            self.find(format!("has {} bytes, the manifest says {}", meta.size, self.file.byte_count));
        }
        if let Err(why) = self.check_sum().await {
            self.find(why);
        }
        let mut reader = self.reader(&meta)?;
        match ArrowReaderMetadata::load_async(&mut reader, ArrowReaderOptions::default()).await {
            Ok(metadata) => self.check_contents(&meta, &metadata).await?,
            Err(error) => self.find(format!("is not readable Parquet: {error}")),
        }
        Ok(self.findings)
    }

    /// A reader that fails if the file is replaced under it.
    fn reader(&self, meta: &ObjectMeta) -> Result<WatchingReader> {
        let file = PartitionedFile::from(meta.clone());
        let reader = self.readers.reader(0, file, None, &ExecutionPlanMetricsSet::new());
        reader.map_err(|error| Error::new(SqlState::INTERNAL_ERROR, format!("check: no reader: {error}")))
    }

    fn find(&mut self, what: String) {
        self.findings.push(format!("{}: {what}", self.place.show(&self.path)));
    }

    async fn check_sum(&self) -> Result<(), String> {
        let unread = |error: object_store::Error| format!("cannot be read: {error}");
        let mut bytes = self.place.store.get(&self.path).await.map_err(unread)?.into_stream();
        let mut hash = Sha256::new();
        while let Some(part) = bytes.try_next().await.map_err(unread)? {
            hash.update(&part);
        }
        match hex(&hash.finalize()) == self.file.sha256 {
            true => Ok(()),
            false => Err("is another file than the one that was written: its checksum differs".to_owned()),
        }
    }

    /// Compares the footer and the rows with the manifest.
    async fn check_contents(&mut self, meta: &ObjectMeta, metadata: &ArrowReaderMetadata) -> Result<()> {
        self.check_footer(metadata);
        let keys = match Keys::try_new(metadata.schema(), &self.manifest.user_key, &self.manifest.time_key) {
            Ok(keys) => keys,
            Err(error) => {
                self.find(error.message);
                return Ok(());
            }
        };
        let mask = ProjectionMask::roots(metadata.parquet_schema(), [keys.user, keys.time]);
        let mut rows = RowsCheck::new(self.manifest, self.file, keys, metadata.schema())?;
        for group in 0..metadata.metadata().num_row_groups() {
            let stream = ParquetRecordBatchStreamBuilder::new_with_metadata(self.reader(meta)?, metadata.clone())
                .with_projection(mask.clone())
                .with_row_groups(vec![group])
                .build();
            if let Err(why) = self.check_group(stream, &mut rows).await? {
                self.find(format!("row group {group} cannot be read: {why}"));
                return Ok(());
            }
            rows.end_group(group, metadata)?;
        }
        for finding in rows.finish()? {
            self.find(finding);
        }
        Ok(())
    }

    /// Reads a row group; the inner error is of its bytes.
    async fn check_group(
        &self,
        stream: ParquetResult<ParquetRecordBatchStream<WatchingReader>>,
        rows: &mut RowsCheck<'_>,
    ) -> Result<ParquetResult<()>> {
        let mut stream = match stream {
            Ok(stream) => stream,
            Err(error) => return Ok(Err(error)),
        };
        loop {
            match stream.try_next().await {
                Ok(Some(batch)) => {
                    self.meter.advance(batch.num_rows() as u64)?;
                    rows.add(&batch)?;
                }
                Ok(None) => return Ok(Ok(())),
                Err(error) => return Ok(Err(error)),
            }
        }
    }

    fn check_footer(&mut self, metadata: &ArrowReaderMetadata) {
        let footer = metadata.metadata().file_metadata();
        let format = footer.key_value_metadata().into_iter().flatten().find(|pair| pair.key == FORMAT_KEY);
        let format = format.and_then(|pair| pair.value.clone());
        if format.as_deref() != Some(FORMAT.to_string().as_str()) {
            self.find(format!("its footer has '{FORMAT_KEY}' {}", format.as_deref().unwrap_or("not at all")));
        }
        if u64::try_from(footer.num_rows()) != Ok(self.file.row_count) {
            self.find(format!("has {} rows, the manifest says {}", footer.num_rows(), self.file.row_count));
        }
        let stored = metadata.parquet_schema();
        let wrong = metadata.metadata().row_groups().iter().position(|group| {
            let order = group.sorting_columns().into_iter().flatten().map(|by| {
                let column = usize::try_from(by.column_idx).ok().filter(|column| *column < stored.num_columns());
                let is_ascending = !by.descending && !by.nulls_first;
                column.filter(|_| is_ascending).map(|column| stored.column(column).path().string())
            });
            !order.eq(self.manifest.order.iter().cloned().map(Some))
        });
        if let Some(group) = wrong {
            self.find(format!("row group {group} does not declare the order of the manifest"));
        }
    }
}
