//! From the files of a lake to its tables: which file belongs to which table, in which format.
//!
//! - A file directly under the root is a table named by its stem.
//! - A folder directly under the root is a table named as the folder: all its files, at any depth.
//!   Folders `key=value` on the way give columns; other folders only group files.
//! - If the root itself holds `key=value` folders, these are one table named as the lake.
//! - Names that begin with `.` or `_`, empty files and other extensions are left out.
//! - A folder with a manifest is a table in ranges of users. If the root has one, it is one table named as the lake.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use futures::TryStreamExt;
use object_store::path::{Path, PathPart};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::cluster::UNFINISHED_NAME;
use super::file::LakeFile;
use super::manifest::MANIFEST_NAME;
use super::spec::Place;
use super::store;
use crate::error::{Error, Result, SqlState};

/// How the rows of a table are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// Apache Parquet.
    Parquet,
    /// Comma-separated values with a header.
    Csv,
    /// JSON, one object a line.
    Json,
}

impl Format {
    /// Reads the word after `STORED AS`; upper or lower case. Fails with 22023 on any other.
    pub fn parse(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "parquet" => Ok(Self::Parquet),
            "csv" => Ok(Self::Csv),
            "json" | "ndjson" | "jsonl" => Ok(Self::Json),
            _ => Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("STORED AS must be PARQUET, CSV or JSON, got '{text}'"),
            )),
        }
    }

    /// The word after `STORED AS`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parquet => "PARQUET",
            Self::Csv => "CSV",
            Self::Json => "JSON",
        }
    }
}

/// What a file's name says of it.
pub(super) struct FileKind {
    pub(super) stem: String,
    pub(super) format: Format,
    pub(super) compression: FileCompressionType,
}

/// Reads a file's name; `None` if it is none of ours.
pub(super) fn file_kind(name: &str) -> Option<FileKind> {
    const COMPRESSIONS: [(&str, FileCompressionType); 4] = [
        (".gz", FileCompressionType::GZIP),
        (".bz2", FileCompressionType::BZIP2),
        (".xz", FileCompressionType::XZ),
        (".zst", FileCompressionType::ZSTD),
    ];
    const FORMATS: [(&str, Format); 5] = [
        (".parquet", Format::Parquet),
        (".csv", Format::Csv),
        (".json", Format::Json),
        (".ndjson", Format::Json),
        (".jsonl", Format::Json),
    ];
    let lower = name.to_ascii_lowercase();
    let (bare, compression) = COMPRESSIONS
        .into_iter()
        .find_map(|(ending, kind)| Some((lower.strip_suffix(ending)?, kind)))
        .unwrap_or((lower.as_str(), FileCompressionType::UNCOMPRESSED));
    let (stem, format) = FORMATS.into_iter().find_map(|(ending, format)| Some((bare.strip_suffix(ending)?, format)))?;
    // Parquet compresses inside the file; around it, nothing can be read from the middle.
    if stem.is_empty() || (format == Format::Parquet && compression.is_compressed()) {
        return None;
    }
    Some(FileKind { stem: name[..stem.len()].to_owned(), format, compression })
}

/// The files of one table, in the order of their paths.
pub(super) struct TableFiles {
    /// The folder, or the file, that is the table.
    pub(super) base: Path,
    pub(super) format: Format,
    pub(super) files: Vec<Arc<LakeFile>>,
    /// The version of the folder's manifest, if it has one.
    pub(super) manifest: Option<ObjectMeta>,
}

/// One name of the lake: its files, or why it cannot be read.
pub(super) type Found = std::result::Result<TableFiles, Box<Unusable>>;

/// A name that cannot be read: the path that bears it, and why.
pub(super) struct Unusable {
    pub(super) base: Path,
    pub(super) error: Error,
}

/// A path that is a table, with the files under it.
type Candidate = (Path, Vec<Arc<LakeFile>>);

/// Lists the lake and sorts the files into tables.
///
/// `known` are the files of the last listing: a file that did not change keeps its `Arc`, and with
/// it what was read of it. Cost: one recursive listing.
pub(super) async fn list_tables(
    place: &Place,
    lake_name: &str,
    known: &HashMap<Path, Arc<LakeFile>>,
) -> Result<BTreeMap<String, Found>> {
    if place.is_file {
        let table = list_files(place, known, None).await?;
        let name = place.path.filename().and_then(file_kind).map(|kind| kind.stem);
        let name = name.unwrap_or_else(|| lake_name.to_owned());
        return Ok(BTreeMap::from([(name, Ok(table))]));
    }
    let mut candidates: BTreeMap<String, Vec<Candidate>> = BTreeMap::new();
    let (objects, unreadable) = list_objects(place).await?;
    let marks = Marks::find(&objects);
    let is_one_table = marks.are_in(&place.path);
    for meta in objects {
        let Some((name, base)) = table_of(&place.path, &meta.location, lake_name, is_one_table) else {
            continue;
        };
        let Some(file) = recognise(place, meta, known, None) else {
            continue;
        };
        let bases = candidates.entry(name).or_default();
        match bases.iter_mut().find(|(known_base, _)| *known_base == base) {
            Some((_, files)) => files.push(file),
            None => bases.push((base, vec![file])),
        }
    }
    let mut tables: BTreeMap<String, Found> =
        candidates.into_iter().map(|(name, bases)| (name.clone(), one_table(place, &name, bases, &marks))).collect();
    for (folder, error) in unreadable {
        if let Some((name, base)) = table_of(&place.path, &folder.clone().join("x"), lake_name, is_one_table) {
            tables.insert(name, Err(Box::new(Unusable { base, error })));
        }
    }
    Ok(tables)
}

/// Lists the files of one table: a file, or all files of a folder.
///
/// With `format`, files of other formats are left out, and a single file needs no extension.
pub(super) async fn list_files(
    place: &Place,
    known: &HashMap<Path, Arc<LakeFile>>,
    format: Option<Format>,
) -> Result<TableFiles> {
    let mut files = Vec::new();
    let mut marks = Marks::default();
    if place.is_file {
        let meta = place.store.head(&place.path).await.map_err(|error| cannot_list(place, &place.path, &error))?;
        files.extend(recognise(place, meta, known, format));
        if files.is_empty() {
            return Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("'{}' is not a file of a known kind", place.show(&place.path)),
            )
            .with_hint("known are .parquet, .csv, .json, .ndjson and .jsonl"));
        }
    } else {
        let (objects, unreadable) = list_objects(place).await?;
        if let Some((_, error)) = unreadable.into_iter().next() {
            return Err(error);
        }
        marks = Marks::find(&objects);
        for meta in objects {
            if is_hidden(&place.path, &meta.location) {
                continue;
            }
            let file = recognise(place, meta, known, None);
            files.extend(file.filter(|file| format.is_none_or(|format| file.format == format)));
        }
    }
    one_table(place, "", vec![(place.path.clone(), files)], &marks).map_err(|unusable| unusable.error)
}

/// All objects under the place, and the folders that could not be listed with the reason.
///
/// One folder without permission must not take the other tables away, and must not be silently
/// empty either: after an error each folder of the root is listed by itself.
async fn list_objects(place: &Place) -> Result<(Vec<ObjectMeta>, Vec<(Path, Error)>)> {
    match place.store.list(Some(&place.path)).try_collect::<Vec<_>>().await {
        Ok(objects) => return Ok((objects, Vec::new())),
        // A file that went between being seen and being looked at is no error: list again.
        Err(error) => tracing::debug!(%error, "listing failed, listing folder by folder"),
    }
    let top = place.store.list_with_delimiter(Some(&place.path)).await;
    let top = top.map_err(|error| cannot_list(place, &place.path, &error))?;
    let (mut objects, mut unreadable) = (top.objects, Vec::new());
    for folder in top.common_prefixes {
        match place.store.list(Some(&folder)).try_collect::<Vec<_>>().await {
            Ok(found) => objects.extend(found),
            Err(error) => {
                let error = cannot_list(place, &folder, &error);
                unreadable.push((folder, error));
            }
        }
    }
    Ok((objects, unreadable))
}

fn cannot_list(place: &Place, path: &Path, error: &object_store::Error) -> Error {
    let (state, reason) = store::reason(error);
    Error::new(state, format!("could not list '{}': {reason}", place.show(path)))
}

/// The table that a file belongs to: its name, and the path that is the table.
fn table_of(root: &Path, file: &Path, lake_name: &str, is_one_table: bool) -> Option<(String, Path)> {
    if is_hidden(root, file) {
        return None;
    }
    if is_one_table {
        return Some((lake_name.to_owned(), root.clone()));
    }
    let mut parts = file.prefix_match(root)?;
    let first = parts.next()?;
    let is_folder = parts.next().is_some();
    let text = first.as_ref();
    if !is_folder {
        return Some((file_kind(text)?.stem, file.clone()));
    }
    if text.contains('=') {
        return Some((lake_name.to_owned(), root.clone()));
    }
    Some((text.to_owned(), root.clone().join(first)))
}

/// What clustering left in folders beside the files of rows.
#[derive(Default)]
struct Marks {
    manifests: HashMap<Path, ObjectMeta>,
    unfinished: HashSet<Path>,
}

impl Marks {
    fn find(objects: &[ObjectMeta]) -> Self {
        let mut marks = Self::default();
        for object in objects {
            let mut parts: Vec<PathPart<'_>> = object.location.parts().collect();
            let Some(name) = parts.pop() else { continue };
            if name.as_ref() == MANIFEST_NAME {
                marks.manifests.insert(Path::from_iter(parts), object.clone());
            } else if name.as_ref() == UNFINISHED_NAME {
                marks.unfinished.insert(Path::from_iter(parts));
            }
        }
        marks
    }

    fn are_in(&self, folder: &Path) -> bool {
        self.manifests.contains_key(folder) || self.unfinished.contains(folder)
    }
}

/// Whether any name below the root begins with `.` or `_`; `_key=value` is a partition.
fn is_hidden(root: &Path, file: &Path) -> bool {
    let Some(mut parts) = file.prefix_match(root) else {
        return true;
    };
    parts.any(|part| {
        let text = part.as_ref();
        text.starts_with('.') || (text.starts_with('_') && !text.contains('='))
    })
}

fn recognise(
    place: &Place,
    meta: ObjectMeta,
    known: &HashMap<Path, Arc<LakeFile>>,
    format: Option<Format>,
) -> Option<Arc<LakeFile>> {
    if meta.size == 0 {
        return None;
    }
    let kind = meta.location.filename().and_then(file_kind);
    let (format, compression) = match (kind, format) {
        (Some(kind), Some(format)) => (format, kind.compression),
        (Some(kind), None) => (kind.format, kind.compression),
        (None, Some(format)) => (format, FileCompressionType::UNCOMPRESSED),
        (None, None) => return None,
    };
    match known.get(&meta.location) {
        Some(file) if file.is_version(&meta) && file.format == format => Some(Arc::clone(file)),
        _ => {
            let shown = place.show(&meta.location);
            Some(Arc::new(LakeFile::new(meta, shown, format, compression)))
        }
    }
}

/// Makes one table of what bears one name, or says why that cannot be.
fn one_table(place: &Place, name: &str, bases: Vec<Candidate>, marks: &Marks) -> Found {
    let mut bases = bases.into_iter();
    let Some((base, mut files)) = bases.next() else {
        return Ok(TableFiles { base: place.path.clone(), format: Format::Parquet, files: Vec::new(), manifest: None });
    };
    if let Some((other, _)) = bases.next() {
        let error = Error::new(
            SqlState::DUPLICATE_TABLE,
            format!("two tables are named \"{name}\": '{}' and '{}'", place.show(&base), place.show(&other)),
        )
        .with_hint("rename one of them");
        return Err(Box::new(Unusable { base, error }));
    }
    if marks.unfinished.contains(&base) {
        let message = format!("table '{}' is being written, or its writing was broken off", place.show(&base));
        let error = Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
            .with_hint("Wait for `tributary cluster` to end, or run it again.");
        return Err(Box::new(Unusable { base, error }));
    }
    files.sort_by(|a, b| a.meta.location.cmp(&b.meta.location));
    let format = files.first().map_or(Format::Parquet, |file| file.format);
    let first = files.first();
    if let (Some(first), Some(other)) = (first, files.iter().find(|file| file.format != format)) {
        let error = Error::new(
            SqlState::WRONG_OBJECT_TYPE,
            format!("folder '{}' mixes formats: '{}' and '{}'", place.show(&base), first.shown, other.shown),
        )
        .with_hint("keep one format in one folder");
        return Err(Box::new(Unusable { base, error }));
    }
    let manifest = marks.manifests.get(&base).cloned();
    Ok(TableFiles { base, format, files, manifest })
}
