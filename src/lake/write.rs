//! The one writer of Parquet files.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::metadata::SortingColumn;
use datafusion::parquet::file::properties::WriterProperties;

use crate::error::{Error, Result, SqlState};

/// How a Parquet file is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParquetOptions {
    /// Rows of one row group: what a scan skips or reads as a whole.
    pub row_group_rows: usize,
    /// Columns that the rows are sorted by, ascending, NULL last. The file declares it, and scans
    /// rely on it: wrong order makes wrong answers.
    pub sorted_by: Vec<String>,
}

impl Default for ParquetOptions {
    fn default() -> Self {
        Self { row_group_rows: 128 * 1024, sorted_by: Vec::new() }
    }
}

/// Writes a Parquet file, compressed with zstd, so that it is there whole or not at all.
///
/// The rows go to a hidden file beside it, which takes the name when it is complete; a lake that is
/// listed meanwhile does not see it. An existing file is replaced, missing folders are made.
/// Fails with 42703 if `sorted_by` names no column, XX000 if a batch has other columns than
/// `schema`, 58030 on errors of the disk; then nothing is left behind.
pub fn write_parquet(
    path: &Path,
    schema: SchemaRef,
    batches: impl Iterator<Item = RecordBatch>,
    options: &ParquetOptions,
) -> Result<()> {
    let failed = |why: &dyn std::fmt::Display| {
        Error::new(SqlState::IO_ERROR, format!("could not write '{}': {why}", path.display()))
    };
    let Some(name) = path.file_name() else {
        return Err(failed(&"the path names no file"));
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    }
    let properties = properties(&schema, options)?;
    let hidden = path.with_file_name(format!(".{}.{}.part", name.to_string_lossy(), std::process::id()));
    let unfinished = Unfinished { path: hidden };
    let file = File::create(&unfinished.path).map_err(|error| failed(&error))?;
    let mut writer = ArrowWriter::try_new(file, schema, Some(properties)).map_err(|error| failed(&error))?;
    for batch in batches {
        writer.write(&batch).map_err(|error| failed(&error))?;
    }
    let file = writer.into_inner().map_err(|error| failed(&error))?;
    file.sync_all().map_err(|error| failed(&error))?;
    fs::rename(&unfinished.path, path).map_err(|error| failed(&error))
}

/// A file without its name yet; removed unless it was renamed.
struct Unfinished {
    path: PathBuf,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After the rename there is nothing to remove, and otherwise nothing more to do.
        let _ = fs::remove_file(&self.path);
    }
}

fn properties(schema: &SchemaRef, options: &ParquetOptions) -> Result<WriterProperties> {
    let columns = options.sorted_by.iter().map(|name| {
        let index = schema.index_of(name).ok().and_then(|index| i32::try_from(index).ok());
        let column_idx = index.ok_or_else(|| {
            Error::new(
                SqlState::UNDEFINED_COLUMN,
                format!("write_parquet: sorted_by names '{name}', which is no column"),
            )
        })?;
        Ok(SortingColumn { column_idx, descending: false, nulls_first: false })
    });
    let sorting: Vec<SortingColumn> = columns.collect::<Result<_>>()?;
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(options.row_group_rows.max(1)))
        .set_sorting_columns((!sorting.is_empty()).then_some(sorting))
        .build())
}
