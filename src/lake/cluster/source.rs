//! The source: the files of a folder as one table, in units that threads read side by side.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SessionState;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::SessionConfig;
use object_store::path::Path;

use crate::error::{Error, Result, SqlState};
use crate::lake::faults::inner;
use crate::lake::file::{LakeFile, TextOptions};
use crate::lake::listing::{Format, TableFiles, list_files};
use crate::lake::manifest::read_manifest;
use crate::lake::scan::LakeProvider;
use crate::lake::spec::Place;
use crate::lake::table::{Declared, FileSet};
use crate::lake::text::scan_text;
use crate::sealed::Sealed;

/// A unit of the source has about so many bytes: some row groups, so that threads end together.
const UNIT_BYTES: u64 = 32 * 1024 * 1024;

/// What errors call the rows that are clustered.
pub(super) const THE_SOURCE: &str = "the source";

/// The rows that are clustered.
pub(super) struct Source {
    provider: LakeProvider,
    state: Sealed<SessionState>,
    /// Parts of the source in its order: files by their paths, and rows as they lie in them.
    units: Vec<Vec<PartitionedFile>>,
    byte_count: u64,
}

impl Source {
    /// Opens a file, a folder or a URL as one table, as the server does.
    ///
    /// Fails with 58P01 if nothing is there, 42809 if a folder mixes formats, 22023 if files disagree on a column,
    /// XX001 if a file is damaged.
    pub(super) async fn open(location: &str, runtime: &Arc<RuntimeEnv>) -> Result<Self> {
        Self::open_as(location, runtime, |_| None).await
    }

    /// The same, with text files read in the types that `type_of` gives to columns; a row that has another is 22P02.
    pub(super) async fn open_as(
        location: &str,
        runtime: &Arc<RuntimeEnv>,
        type_of: impl Fn(&Field) -> Option<DataType>,
    ) -> Result<Self> {
        let place = Arc::new(Place::open(location, runtime).await?);
        let reader = crate::lake::reader(runtime);
        let mut set = Arc::new(FileSet::new(&place, &reader, files(&place, location).await?));
        let mut resolved = set.resolve().await?;
        if set.format() != Format::Parquet {
            let typed = resolved.file_schema.fields().iter().map(|field| match type_of(field) {
                Some(data_type) => Arc::new(field.as_ref().clone().with_data_type(data_type)),
                None => Arc::clone(field),
            });
            let typed = Arc::new(Schema::new(typed.collect::<Vec<_>>()));
            if typed != resolved.file_schema {
                let declared = Declared { schema: Some(typed), ..Declared::default() };
                let found = files(&place, location).await?;
                set = Arc::new(FileSet::new(&place, &reader, found).with_declared(declared, TextOptions::default()));
                resolved = set.resolve().await?;
            }
        }
        let provider = LakeProvider { set, resolved };
        provider.check_columns(None, &[])?;
        // One scan is of one file, and its rows come in the file's order.
        let config = SessionConfig::new().with_target_partitions(1);
        let state = SessionStateBuilder::new().with_config(config).with_runtime_env(Arc::clone(runtime)).build();
        let units = units(&provider)?;
        let byte_count = units.iter().flatten().map(length).sum();
        Ok(Self { provider, state: Sealed::new(state), units, byte_count })
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.provider.resolved.schema
    }

    pub(super) fn is_text(&self) -> bool {
        self.provider.set.format() != Format::Parquet
    }

    /// The rows, if the files say how many they are.
    pub(super) fn row_count(&self) -> Option<u64> {
        self.provider.resolved.row_count
    }

    /// The bytes of all files.
    pub(super) fn byte_count(&self) -> u64 {
        self.byte_count
    }

    /// The bytes of a unit.
    pub(super) fn unit_byte_count(&self, unit: usize) -> u64 {
        self.units[unit].iter().map(length).sum()
    }

    pub(super) fn unit_count(&self) -> usize {
        self.units.len()
    }

    /// Whether no file has a value in a column: it is of no type in those that have it at all.
    ///
    /// Only Parquet can say so; of text files not all rows were seen.
    pub(super) fn is_without_values(&self, name: &str) -> bool {
        if self.is_text() {
            return false;
        }
        let files = self.provider.resolved.files.iter().filter_map(|file| file.columns.as_ref());
        let mut types = files.filter_map(|columns| Some(columns.field_with_name(name).ok()?.data_type().clone()));
        let is_partition = self.provider.resolved.partition_fields.iter().any(|field| field.name() == name);
        !is_partition && types.all(|data_type| data_type == DataType::Null)
    }

    /// Whether the source and a table have files in common.
    pub(super) fn meets(&self, table: &Place) -> bool {
        let place = self.provider.set.place();
        let are_nested = place.path.prefix_matches(&table.path) || table.path.prefix_matches(&place.path);
        place.store_url == table.store_url && are_nested
    }

    /// Whether a folder of this machine is the source or lies in it.
    pub(super) fn holds(&self, folder: &Path) -> bool {
        let place = self.provider.set.place();
        place.is_local && folder.prefix_matches(&place.path)
    }

    /// The scans that a unit consists of, each giving its rows in order. `columns` are indices of [`Self::schema`].
    pub(super) fn read<'a>(
        &'a self,
        unit: usize,
        columns: Option<&'a Vec<usize>>,
    ) -> impl Iterator<Item = Result<SendableRecordBatchStream>> + Send + 'a {
        self.units[unit].iter().map(move |file| self.scan(file, columns).map_err(said(THE_SOURCE)))
    }

    fn scan(
        &self,
        file: &PartitionedFile,
        columns: Option<&Vec<usize>>,
    ) -> Result<SendableRecordBatchStream, DataFusionError> {
        let files = vec![file.clone()];
        let plan = match self.provider.set.format() {
            Format::Parquet => self.provider.scan_parquet(&*self.state, columns, files, false, None)?,
            Format::Csv | Format::Json => scan_text(&self.provider, &*self.state, columns, &files, None)?,
        };
        plan.execute(0, self.state.task_ctx())
    }
}

/// The files of the source, in its order. A clustered table is read file by file as any other, without files that are
/// not of it, and older generations before newer ones.
async fn files(place: &Arc<Place>, location: &str) -> Result<TableFiles> {
    let mut found = list_files(place, &HashMap::new(), None).await?;
    if found.files.is_empty() {
        return Err(Error::new(SqlState::UNDEFINED_FILE, format!("'{location}' holds no file of a known kind"))
            .with_hint("known are .parquet, .csv, .json, .ndjson and .jsonl"));
    }
    if found.manifest.take().is_none() {
        return Ok(found);
    }
    let Some(manifest) = read_manifest(place.store.as_ref(), &found.base, location).await? else { return Ok(found) };
    let mut there: HashMap<Path, Arc<LakeFile>> =
        found.files.drain(..).map(|file| (file.meta.location.clone(), file)).collect();
    for listed in &manifest.files {
        let Some(file) = there.remove(&found.base.clone().join(listed.path.as_str())) else {
            let message = format!("file '{}' is in the table's manifest and is missing", listed.path);
            return Err(Error::new(SqlState::IO_ERROR, message)
                .with_hint("If another run is changing the table, run the command again."));
        };
        found.files.push(file);
    }
    Ok(found)
}

/// Groups small files and cuts large ones; only Parquet can be cut without reading it.
fn units(provider: &LakeProvider) -> Result<Vec<Vec<PartitionedFile>>> {
    let mut units: Vec<Vec<PartitionedFile>> = Vec::new();
    let mut room = 0;
    for file in &provider.resolved.files {
        let ready = file.ready.clone()?;
        let size = ready.object_meta.size;
        if provider.set.format() == Format::Parquet && size > UNIT_BYTES {
            let part_count = size.div_ceil(UNIT_BYTES);
            let cut = |part: u64| i64::try_from(part * size / part_count).unwrap_or(i64::MAX);
            units.extend((0..part_count).map(|part| vec![ready.clone().with_range(cut(part), cut(part + 1))]));
            room = 0;
            continue;
        }
        match units.last_mut().filter(|_| size <= room) {
            Some(unit) => {
                unit.push(ready);
                room -= size;
            }
            None => {
                units.push(vec![ready]);
                room = UNIT_BYTES.saturating_sub(size);
            }
        }
    }
    Ok(units)
}

fn length(file: &PartitionedFile) -> u64 {
    match &file.range {
        Some(range) => u64::try_from(range.end - range.start).unwrap_or(0),
        None => file.object_meta.size,
    }
}

/// The server's own error inside DataFusion's; what else goes wrong in a scan of `what` is told in its words.
pub(super) fn said(what: &str) -> impl Fn(DataFusionError) -> Error + '_ {
    move |error| {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        while let Some(current) = cause {
            if let Some(error) = current.downcast_ref::<Error>() {
                return error.clone();
            }
            if let Some(DataFusionError::ResourcesExhausted(why)) = current.downcast_ref() {
                let message = format!("{what} cannot be read in the memory that there is");
                return Error::new(SqlState::OUT_OF_MEMORY, message).with_detail(why.clone());
            }
            cause = inner(current);
        }
        Error::new(SqlState::IO_ERROR, format!("{what} cannot be read: {}", error.strip_backtrace()))
    }
}
