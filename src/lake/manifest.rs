//! `_tributary.json`: what a clustered folder says of itself.
//!
//! The manifest is written last. A folder that has it is whole; what it says of the files is what a scan relies on.

use std::collections::BTreeSet;

use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::ScalarValue;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};

use super::store;
use crate::error::{Error, Result, SqlState};

/// The name of the manifest in its folder.
pub(super) const MANIFEST_NAME: &str = "_tributary.json";

/// The version of the files that this server writes, and of manifests that name one file for each range.
pub(super) const FORMAT: u32 = 1;

/// The version of manifests that name several files for a range, and the newest that this server reads.
///
/// A server that knows only the first would read the files of a range one after the other and believe them in order.
pub(super) const GENERATIONS_FORMAT: u32 = 2;

/// The key of the version in the manifest, and in the footer of each file.
pub(super) const FORMAT_KEY: &str = "tributary.format";

/// What wrote a manifest.
pub(super) const WRITTEN_BY: &str = concat!("tributary ", env!("CARGO_PKG_VERSION"));

/// A folder of ranges of users.
///
/// Values of columns are text, as `ScalarValue::try_from_string` reads them: numbers of JSON lose digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    #[serde(rename = "tributary.format")]
    pub(super) format: u32,
    /// Program and version, for people.
    pub(super) written_by: String,
    pub(super) user_key: String,
    pub(super) time_key: String,
    /// The columns that each file is sorted by, ascending, NULL last.
    pub(super) order: Vec<String>,
    /// Counts the times that the folder was written: the largest of its files.
    pub(super) generation: u64,
    pub(super) row_count: u64,
    /// Ascending. Range 0 is below the first point, range `n` begins with point `n - 1`; NULL is in the last range.
    pub(super) split_points: Vec<String>,
    /// In the order of their ranges, and in each range from the oldest generation to the newest.
    pub(super) files: Vec<ManifestFile>,
}

/// One file of a clustered folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ManifestFile {
    /// Below the folder.
    pub(super) path: String,
    /// Which range of users the file holds.
    pub(super) range: usize,
    pub(super) generation: u64,
    pub(super) row_count: u64,
    /// Distinct users, NULL as one.
    pub(super) user_count: u64,
    pub(super) byte_count: u64,
    /// Smallest and largest user; `None` if every user is NULL, or the file has no row.
    pub(super) user_min: Option<String>,
    pub(super) user_max: Option<String>,
    /// Earliest and latest time.
    pub(super) time_min: Option<String>,
    pub(super) time_max: Option<String>,
    /// SHA-256 of the file, in hexadecimal digits, as `sha256sum` prints it.
    pub(super) sha256: String,
}

impl Manifest {
    /// How many ranges the split points make.
    pub(super) fn range_count(&self) -> usize {
        self.split_points.len() + 1
    }

    /// The next state of the table: with these files, in any order, as `generation`.
    pub(super) fn with_files(&self, mut files: Vec<ManifestFile>, generation: u64) -> Self {
        files.sort_by_key(|file| (file.range, file.generation));
        let has_several = files.windows(2).any(|pair| pair[0].range == pair[1].range);
        Self {
            format: if has_several { GENERATIONS_FORMAT } else { FORMAT },
            written_by: WRITTEN_BY.to_owned(),
            generation,
            row_count: files.iter().map(|file| file.row_count).sum(),
            files,
            ..self.clone()
        }
    }

    /// The files of each range, from the oldest to the newest. Ranges without a file are left out.
    pub(super) fn ranges(&self) -> impl Iterator<Item = &[ManifestFile]> {
        self.files.chunk_by(|a, b| a.range == b.range)
    }

    /// How many generations the files are of.
    pub(super) fn generation_count(&self) -> usize {
        self.files.iter().map(|file| file.generation).collect::<BTreeSet<_>>().len()
    }

    /// The text to store.
    pub(super) fn to_json(&self) -> Result<Vec<u8>> {
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::new(SqlState::INTERNAL_ERROR, format!("manifest: {error}")))?;
        text.push(b'\n');
        Ok(text)
    }

    /// Reads the text of the manifest that lies at `shown`.
    ///
    /// Fails with 0A000 on a newer format, and with XX001 if it is no manifest or contradicts itself.
    pub(super) fn from_json(text: &[u8], shown: &str) -> Result<Self> {
        let damaged = |why: String| {
            Error::new(SqlState::DATA_CORRUPTED, format!("manifest '{shown}' cannot be used: {why}"))
                .with_hint("Write the table again with `tributary cluster`.")
        };
        let value: serde_json::Value = serde_json::from_slice(text).map_err(|error| damaged(error.to_string()))?;
        match value.get(FORMAT_KEY).and_then(serde_json::Value::as_u64) {
            None => return Err(damaged(format!("it has no '{FORMAT_KEY}'"))),
            Some(format) if format > u64::from(GENERATIONS_FORMAT) => {
                let message =
                    format!("manifest '{shown}' has format {format}, this server reads up to {GENERATIONS_FORMAT}");
                return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message)
                    .with_hint("Use the version of tributary that wrote the table, or a newer one."));
            }
            Some(_) => {}
        }
        let manifest: Self = serde_json::from_value(value).map_err(|error| damaged(error.to_string()))?;
        manifest.check_itself().map_err(damaged)?;
        Ok(manifest)
    }

    /// Whether the parts of the manifest agree; their truth is another question.
    fn check_itself(&self) -> Result<(), String> {
        if self.order.first() != Some(&self.user_key) || self.order.get(1) != Some(&self.time_key) {
            return Err("its order does not begin with its user key and its time key".to_owned());
        }
        let row_count = self.files.iter().try_fold(0_u64, |sum, file| sum.checked_add(file.row_count));
        let Some(row_count) = row_count else { return Err("its files have more rows than can be counted".to_owned()) };
        if row_count != self.row_count {
            return Err(format!("it says {} rows, and its files have {row_count}", self.row_count));
        }
        if !self.files.is_sorted_by_key(|file| (file.range, file.generation)) {
            return Err("its files are not in the order of their ranges".to_owned());
        }
        let is_one_place = |a: &ManifestFile, b: &ManifestFile| (a.range, a.generation) == (b.range, b.generation);
        if let Some(pair) = self.files.windows(2).find(|pair| is_one_place(&pair[0], &pair[1])) {
            let (a, b) = (&pair[0].path, &pair[1].path);
            return Err(format!("files '{a}' and '{b}' are of one range and one generation"));
        }
        if let Some(file) = self.files.iter().find(|file| file.generation > self.generation) {
            let (path, newest) = (&file.path, self.generation);
            return Err(format!("file '{path}' is of generation {}, and the newest is {newest}", file.generation));
        }
        match self.files.iter().find(|file| file.range >= self.range_count()) {
            Some(file) => Err(format!("file '{}' is of range {}, which is none", file.path, file.range)),
            None => Ok(()),
        }
    }
}

/// Reads the manifest of a folder; `None` if it has none.
///
/// Fails as [`Manifest::from_json`] does, and with 58030 if the store does not answer.
pub(super) async fn read_manifest(store: &dyn ObjectStore, folder: &Path, shown: &str) -> Result<Option<Manifest>> {
    Ok(read_version(store, folder, shown).await?.map(|(manifest, _)| manifest))
}

/// The same, with the version of the object that was read.
pub(super) async fn read_version(
    store: &dyn ObjectStore,
    folder: &Path,
    shown: &str,
) -> Result<Option<(Manifest, ObjectMeta)>> {
    let shown = format!("{}/{MANIFEST_NAME}", shown.trim_end_matches('/'));
    let failed = |error: object_store::Error| {
        let (state, reason) = store::reason(&error);
        Error::new(state, format!("could not read '{shown}': {reason}"))
    };
    let found = match store.get(&folder.clone().join(MANIFEST_NAME)).await {
        Ok(found) => found,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let meta = found.meta.clone();
    let text = found.bytes().await.map_err(failed)?;
    Ok(Some((Manifest::from_json(&text, &shown)?, meta)))
}

/// A value as the manifest has it; `None` for NULL.
pub(super) fn to_text(value: &ScalarValue) -> Result<Option<String>> {
    if value.is_null() {
        return Ok(None);
    }
    let broken = |error: &dyn std::fmt::Display| {
        Error::new(SqlState::INTERNAL_ERROR, format!("manifest: a value cannot be written: {error}"))
    };
    let array = value.to_array().map_err(|error| broken(&error))?;
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(array.as_ref(), &options).map_err(|error| broken(&error))?;
    Ok(Some(formatter.value(0).to_string()))
}

/// A value of the manifest in the type of its column; `None` if it is none of that type.
pub(super) fn from_text(text: &str, data_type: &DataType) -> Option<ScalarValue> {
    let binary = || {
        let digits = text.as_bytes().chunks(2);
        let bytes = digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        bytes.collect::<Option<Vec<u8>>>()
    };
    match data_type {
        DataType::FixedSizeBinary(size) => {
            let bytes = binary().filter(|bytes| i32::try_from(bytes.len()) == Ok(*size))?;
            Some(ScalarValue::FixedSizeBinary(*size, Some(bytes)))
        }
        DataType::Binary => Some(ScalarValue::Binary(Some(binary()?))),
        DataType::BinaryView => Some(ScalarValue::BinaryView(Some(binary()?))),
        DataType::Utf8 => Some(ScalarValue::Utf8(Some(text.to_owned()))),
        DataType::Utf8View => Some(ScalarValue::Utf8View(Some(text.to_owned()))),
        other => ScalarValue::try_from_string(text.to_owned(), other).ok().filter(|value| !value.is_null()),
    }
}
