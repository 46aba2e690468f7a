//! A table of the lake: its files, its schema once they were read, and the provider that scans it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use datafusion::arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use datafusion::common::stats::Precision;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::logical_expr::SortExpr;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectMeta;
use object_store::path::Path;
use parking_lot::RwLock;
use tokio::sync::{Mutex, OnceCell};

use super::codes::schema_without_dictionaries;
use super::file::{Contents, FOOTER_READERS, LakeFile, Reader, TextOptions};
use super::layout::Layout;
use super::listing::{Format, TableFiles, Unusable, list_files};
use super::manifest::{Manifest, read_manifest};
use super::partitions::{Partitions, read_partitions};
use super::pending::read_pending;
use super::scan::LakeProvider;
use super::sorted::{RIGHT, SortedBy};
use super::spec::Place;
use super::statistics::{table_ordering, table_statistics};
use super::unify::{Unified, table_type, unify};
use super::{LISTING_AGE, files_by_path};
use crate::error::{Error, Result, SqlState};
use crate::sealed::Sealed;

/// One table: a file, or a folder of files of one format.
///
/// A table of a lake is one listing's version of it and never changes; an external table lists its
/// folder again when asked after [`LISTING_AGE`].
pub struct LakeTable {
    name: String,
    location: String,
    set: RwLock<Arc<FileSet>>,
    /// When an external table was listed; `None` for a table that its lake lists.
    listed_at: Option<Mutex<Instant>>,
}

impl LakeTable {
    pub(super) fn new(name: String, set: FileSet, listed_at: Option<Instant>) -> Self {
        let location = set.location();
        Self { name, location, set: RwLock::new(Arc::new(set)), listed_at: listed_at.map(Mutex::new) }
    }

    /// The name of the file without extension, or of the folder, as it is on disk.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file or folder, as the user would write it.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// How the rows are stored.
    pub fn format(&self) -> Format {
        self.set.read().format
    }

    /// The columns, file columns first, then partition columns.
    ///
    /// Reads what was not read yet of the files. Fails if no file can be read (XX001), two tables
    /// bear the name (42P07), a folder mixes formats (42809), or the store does not answer (58030).
    pub async fn schema(&self) -> Result<SchemaRef> {
        Ok(Arc::clone(&self.current().await?.resolve().await?.schema))
    }

    /// The columns if all files were read already. No I/O.
    pub fn known_schema(&self) -> Option<SchemaRef> {
        Some(Arc::clone(&self.set.read().resolved.get()?.schema))
    }

    /// How many rows the footers declare; `None` for text files and before the footers were read.
    pub fn estimated_rows(&self) -> Option<u64> {
        self.set.read().resolved.get()?.row_count
    }

    /// The columns that no statement may use, with the error (22023) that one which does gets.
    pub fn unusable_columns(&self) -> BTreeMap<String, Error> {
        self.set.read().resolved.get().map(|resolved| resolved.unusable.clone()).unwrap_or_default()
    }

    /// The table to scan. Fails as [`Self::schema`] does; a damaged file among others fails the scan.
    pub async fn provider(&self) -> Result<Arc<dyn TableProvider>> {
        let set = self.current().await?;
        let resolved = set.resolve().await?;
        Ok(Arc::new(LakeProvider { set, resolved }))
    }

    pub(super) fn file_set(&self) -> Arc<FileSet> {
        Arc::clone(&self.set.read())
    }

    /// The version to use now; an external table is listed again if its listing is old.
    async fn current(&self) -> Result<Arc<FileSet>> {
        let Some(listed_at) = &self.listed_at else {
            return Ok(self.file_set());
        };
        let mut listed_at = listed_at.lock().await;
        let set = self.file_set();
        if listed_at.elapsed() < LISTING_AGE {
            return Ok(set);
        }
        let found = list_files(&set.place, &files_by_path(&set.files), Some(set.format)).await?;
        *listed_at = Instant::now();
        if set.is_same_as(&found) {
            return Ok(set);
        }
        let newer = Arc::new(set.with_files(found));
        *self.set.write() = Arc::clone(&newer);
        Ok(newer)
    }
}

impl fmt::Debug for LakeTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LakeTable({}, {})", self.name, self.location)
    }
}

/// What the statement that made an external table says beyond its place and format.
#[derive(Clone, Debug, Default)]
pub(super) struct Declared {
    pub(super) schema: Option<SchemaRef>,
    pub(super) order: Sealed<Vec<Vec<SortExpr>>>,
    /// Names of partition columns; `None` takes every `key=value` on the way.
    pub(super) partitions: Option<Vec<String>>,
    /// What the config says of the order of files and rows.
    pub(super) sorted: Option<SortedBy>,
}

/// One version of a table's files.
#[derive(Debug)]
pub(super) struct FileSet {
    place: Arc<Place>,
    reader: Arc<Reader>,
    base: Path,
    format: Format,
    files: Vec<Arc<LakeFile>>,
    manifest: Option<ObjectMeta>,
    text: Arc<TextOptions>,
    declared: Arc<Declared>,
    /// Why the table cannot be used at all.
    problem: Option<Error>,
    resolved: OnceCell<Arc<Resolved>>,
}

/// What the files of one version together are.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) schema: SchemaRef,
    pub(super) file_schema: SchemaRef,
    pub(super) partition_fields: Vec<FieldRef>,
    pub(super) unusable: BTreeMap<String, Error>,
    pub(super) files: Vec<ReadyFile>,
    pub(super) row_count: Option<u64>,
    /// Of a table in ranges of users.
    pub(super) layout: Option<Layout>,
}

/// A file as a scan takes it, or why it cannot.
#[derive(Debug)]
pub(super) struct ReadyFile {
    pub(super) file: Arc<LakeFile>,
    pub(super) partition_values: Vec<ScalarValue>,
    pub(super) ready: Result<PartitionedFile>,
    /// What the file declares, if it can be read: a CSV file's columns in its order.
    pub(super) columns: Option<SchemaRef>,
}

impl FileSet {
    pub(super) fn new(place: &Arc<Place>, reader: &Arc<Reader>, found: TableFiles) -> Self {
        Self {
            place: Arc::clone(place),
            reader: Arc::clone(reader),
            base: found.base,
            format: found.format,
            files: found.files,
            manifest: found.manifest,
            text: Arc::default(),
            declared: Arc::default(),
            problem: None,
            resolved: OnceCell::new(),
        }
    }

    /// A table that exists by name and says why it cannot be used.
    pub(super) fn unusable(place: &Arc<Place>, reader: &Arc<Reader>, why: Unusable) -> Self {
        let nothing = TableFiles { base: why.base, format: Format::Parquet, files: Vec::new(), manifest: None };
        Self { problem: Some(why.error), ..Self::new(place, reader, nothing) }
    }

    pub(super) fn with_declared(mut self, declared: Declared, text: TextOptions) -> Self {
        self.declared = Arc::new(declared);
        self.text = Arc::new(text);
        self
    }

    /// Takes the config's word that the folder is sorted; it is checked before it is used.
    pub(super) fn with_sorted(self, by: Option<&SortedBy>) -> Self {
        match by {
            Some(by) => {
                let declared = Declared { sorted: Some(by.clone()), ..self.declared.as_ref().clone() };
                Self { declared: Arc::new(declared), ..self }
            }
            None => self,
        }
    }

    /// Sets the format, which an empty folder does not tell.
    pub(super) fn with_format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    fn with_files(&self, found: TableFiles) -> Self {
        Self {
            place: Arc::clone(&self.place),
            reader: Arc::clone(&self.reader),
            base: self.base.clone(),
            format: self.format,
            files: found.files,
            manifest: found.manifest,
            text: Arc::clone(&self.text),
            declared: Arc::clone(&self.declared),
            problem: None,
            resolved: OnceCell::new(),
        }
    }

    pub(super) fn is_same_as(&self, found: &TableFiles) -> bool {
        self.problem.is_none()
            && self.base == found.base
            && self.manifest == found.manifest
            && self.files.len() == found.files.len()
            && self.files.iter().zip(&found.files).all(|(a, b)| Arc::ptr_eq(a, b))
    }

    pub(super) fn location(&self) -> String {
        self.place.show(&self.base)
    }

    pub(super) fn place(&self) -> &Arc<Place> {
        &self.place
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    pub(super) fn files(&self) -> &[Arc<LakeFile>] {
        &self.files
    }

    pub(super) fn text_options(&self) -> &TextOptions {
        &self.text
    }

    /// Whether columns have their names from the statement by place, for lack of a header.
    pub(super) fn is_by_place(&self) -> bool {
        self.declared.schema.is_some() && self.format == Format::Csv && self.text.csv.has_header == Some(false)
    }

    pub(super) fn declared_order(&self) -> &[Vec<SortExpr>] {
        &self.declared.order
    }

    /// Reads what was not read yet of the files and makes one table of them, once.
    pub(super) async fn resolve(&self) -> Result<Arc<Resolved>> {
        if let Some(problem) = &self.problem {
            return Err(problem.clone());
        }
        let resolve = || async {
            match self.resolve_listed().await {
                // A generation may have come or gone while the folder was listed, or since.
                Err(error) if self.manifest.is_some() => match self.listed_again().await? {
                    Some(newer) => newer.resolve_listed().await,
                    None => Err(error),
                },
                resolved => resolved,
            }
        };
        self.resolved.get_or_try_init(resolve).await.cloned()
    }

    async fn resolve_listed(&self) -> Result<Arc<Resolved>> {
        let manifest = self.read_manifest().await?;
        let files = match &manifest {
            Some(manifest) => self.files_of(manifest).await?,
            None => self.files.clone(),
        };
        let contents: Vec<Result<Arc<Contents>>> = stream::iter(files.clone())
            .map(|file| async move { file.contents(&self.place, &self.text, &self.reader).await })
            .buffered(FOOTER_READERS)
            .try_collect()
            .await?;
        let mut resolved = self.combine(&files, contents)?;
        // Who declares columns or order has files in mind, not the table that was written.
        let is_as_written = self.declared.schema.is_none() && self.declared.order.is_empty();
        if let Some(manifest) = manifest.filter(|_| is_as_written) {
            let layout = Layout::of_manifest(&manifest, &self.base, &mut resolved.files, &resolved.schema)?;
            resolved.layout = Some(layout);
        } else if let Some(by) = &self.declared.sorted {
            resolved.layout = Some(self.check_sorted(by, &resolved).await?);
        }
        Ok(Arc::new(resolved))
    }

    /// The files as they are now, if they are others than those that were listed.
    async fn listed_again(&self) -> Result<Option<Self>> {
        let place = Place { path: self.base.clone(), is_file: false, ..self.place.as_ref().clone() };
        let found = list_files(&place, &files_by_path(&self.files), Some(self.format)).await?;
        Ok((!self.is_same_as(&found)).then(|| self.with_files(found)))
    }

    /// The files that are of the table: all but those that a marker names and the manifest does not.
    async fn files_of(&self, manifest: &Manifest) -> Result<Vec<Arc<LakeFile>>> {
        let path = |name: &str| self.base.clone().join(name);
        let known: HashSet<Path> = manifest.files.iter().map(|file| path(&file.path)).collect();
        let is_known = |file: &&Arc<LakeFile>| known.contains(&file.meta.location);
        if self.files.iter().all(|file| is_known(&file)) {
            return Ok(self.files.clone());
        }
        let pending = read_pending(self.place.store.as_ref(), &self.base, &self.location()).await?;
        let pending: HashSet<Path> = pending.iter().flat_map(|(pending, _)| pending.names()).map(path).collect();
        let is_of_table = |file: &&Arc<LakeFile>| is_known(file) || !pending.contains(&file.meta.location);
        Ok(self.files.iter().filter(is_of_table).cloned().collect())
    }

    /// Looks whether the files are sorted as the config says.
    async fn check_sorted(&self, by: &SortedBy, resolved: &Resolved) -> Result<Layout> {
        if self.format != Format::Parquet {
            let message = format!("'{}' is declared sorted, and is not Parquet", self.location());
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message).with_hint(RIGHT));
        }
        let layout = Layout::of_files(by, &resolved.files, &resolved.schema)?;
        let checks = stream::iter(self.files.clone())
            .map(|file| async move { file.check_order(&self.place, &self.reader, by).await });
        let checked: Vec<Result<()>> = checks.buffered(FOOTER_READERS).try_collect().await?;
        checked.into_iter().collect::<Result<()>>()?;
        Ok(layout)
    }

    /// The manifest that the listing saw.
    async fn read_manifest(&self) -> Result<Option<Manifest>> {
        let Some(meta) = &self.manifest else { return Ok(None) };
        let manifest = read_manifest(self.place.store.as_ref(), &self.base, &self.location()).await?;
        self.place.check_version(meta).await?;
        Ok(manifest)
    }

    fn combine(&self, files: &[Arc<LakeFile>], contents: Vec<Result<Arc<Contents>>>) -> Result<Resolved> {
        let readable: Vec<(&str, &Contents)> = files
            .iter()
            .zip(&contents)
            .filter_map(|(file, contents)| Some((file.shown.as_str(), contents.as_deref().ok()?)))
            .collect();
        if readable.is_empty() && self.declared.schema.is_none() {
            let first = contents.into_iter().find_map(Result::err);
            return Err(first.unwrap_or_else(|| self.no_files()));
        }
        let partitions = self.partitions(files)?;
        let mut unified = match &self.declared.schema {
            Some(schema) => super::external::apply_declared(self.format, &self.text, schema, &readable)?,
            None => unify(self.format, &readable),
        };
        // Of a column that is both in the files and in the folders' names, the folder's holds.
        let is_partition = |name: &str| partitions.fields.iter().any(|field| field.name() == name);
        unified.fields.retain(|field| !is_partition(field.name()));
        unified.unusable.retain(|name, _| !is_partition(name));
        Ok(self.assemble(files, contents, partitions, unified))
    }

    fn assemble(
        &self,
        files: &[Arc<LakeFile>],
        contents: Vec<Result<Arc<Contents>>>,
        partitions: Partitions,
        unified: Unified,
    ) -> Resolved {
        let row_count = contents.iter().try_fold(0_u64, |sum, contents| {
            let statistics = contents.as_ref().ok()?.statistics.as_ref()?;
            match statistics.num_rows {
                Precision::Exact(rows) => Some(sum + u64::try_from(rows).ok()?),
                _ => None,
            }
        });
        let files = files.iter().zip(contents).zip(partitions.values).map(|((file, contents), values)| ReadyFile {
            file: Arc::clone(file),
            partition_values: values.clone(),
            columns: contents.as_ref().ok().map(|contents| Arc::clone(&contents.schema)),
            ready: contents.map(|contents| ready_file(file, &contents, &unified.fields, values)),
        });
        let all = unified.fields.iter().chain(&partitions.fields).cloned();
        Resolved {
            files: files.collect(),
            schema: Arc::new(Schema::new(all.collect::<Vec<_>>())),
            file_schema: Arc::new(Schema::new(unified.fields)),
            partition_fields: partitions.fields,
            unusable: unified.unusable,
            row_count,
            layout: None,
        }
    }

    fn partitions(&self, files: &[Arc<LakeFile>]) -> Result<Partitions> {
        let paths: Vec<&Path> = files.iter().map(|file| &file.meta.location).collect();
        let wanted: Option<Vec<(String, Option<DataType>)>> = self.declared.partitions.as_ref().map(|names| {
            let schema = self.declared.schema.as_ref();
            let declared = |name: &str| schema.and_then(|schema| schema.field_with_name(name).ok());
            let typed = |name: &String| (name.clone(), declared(name).map(|field| table_type(field.data_type())));
            names.iter().map(typed).collect()
        });
        read_partitions(&self.base, &paths, wanted.as_deref())
    }

    fn no_files(&self) -> Error {
        let format = self.format.name();
        Error::new(SqlState::UNDEFINED_FILE, format!("'{}' holds no {format} file", self.location()))
            .with_hint("name the columns in the statement to make the table before its files")
    }
}

/// A readable file with its statistics and order in the table's types.
fn ready_file(file: &LakeFile, contents: &Contents, fields: &[FieldRef], values: Vec<ScalarValue>) -> PartitionedFile {
    let mut ready = PartitionedFile::from(file.meta.clone()).with_partition_values(values);
    if file.format == Format::Parquet {
        ready = ready
            .with_statistics(Arc::new(table_statistics(contents, fields)))
            .with_ordering(table_ordering(contents, fields));
        if let Some(schema) = schema_without_dictionaries(&contents.schema) {
            ready = ready.with_arrow_schema(schema);
        }
        if let Some(stored) = &contents.stored_as_codes {
            ready.extensions.insert_arc(Arc::clone(stored));
        }
    }
    ready
}

/// The files of a table by their paths.
pub(super) fn known_files(files: &[Arc<LakeFile>], known: &mut HashMap<Path, Arc<LakeFile>>) {
    known.extend(files.iter().map(|file| (file.meta.location.clone(), Arc::clone(file))));
}
