//! One version of one file, and what was read of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::Statistics;
use datafusion::common::config::{CsvOptions, JsonOptions};
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::datasource::file_format::json::JsonFormat;
use datafusion::datasource::physical_plan::parquet::Int96Coercer;
use datafusion::datasource::physical_plan::parquet::metadata::{DFParquetMetadata, ordering_from_parquet_metadata};
use datafusion::error::DataFusionError;
use datafusion::execution::context::SessionState;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::parquet::arrow::parquet_to_arrow_schema;
use datafusion::parquet::file::metadata::PageIndexPolicy;
use datafusion::physical_expr::expressions::Column;
use object_store::ObjectMeta;
use tokio::sync::{OnceCell, Semaphore};
use tributary_udfs::StoredAsCodes;

use super::codes::stored_as_codes;
use super::faults::{Fault, blame};
use super::listing::Format;
use super::spec::Place;
use super::uuid::with_uuids;
use crate::error::{Error, Result, SqlState};

/// How many files of one lake are opened for their footers at a time.
pub(super) const FOOTER_READERS: usize = 8;

/// How many bytes the first read of a footer takes: most footers fit, most small files do too.
const FOOTER_BYTES: usize = 64 * 1024;

/// How many rows of a CSV or JSON file decide the types of its columns.
const SAMPLED_ROWS: usize = 1000;

/// What reading a file needs beside the file.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) runtime: Arc<RuntimeEnv>,
    /// A session that no user sees: DataFusion's CSV and JSON formats ask for one.
    pub(super) state: SessionState,
    pub(super) permits: Semaphore,
}

/// How text files are read; the same for all files of a table.
#[derive(Clone, Debug)]
pub(super) struct TextOptions {
    pub(super) csv: CsvOptions,
    pub(super) json: JsonOptions,
}

impl Default for TextOptions {
    /// A header line, commas, quoted values that may hold line ends.
    ///
    /// The last keeps a CSV file in one piece: cut at any line end, a quoted line end would be
    /// taken for a row's.
    fn default() -> Self {
        let csv = CsvOptions::default().with_has_header(true).with_newlines_in_values(true);
        Self { csv, json: JsonOptions::default() }
    }
}

/// One version of one file. A changed file is another `LakeFile`, so what was read stays true.
#[derive(Debug)]
pub(super) struct LakeFile {
    pub(super) meta: ObjectMeta,
    /// The path or URL as the user would write it.
    pub(super) shown: String,
    pub(super) format: Format,
    pub(super) compression: FileCompressionType,
    contents: OnceCell<Result<Arc<Contents>>>,
    /// Whether the rows are in the order that the config declares of the table, where it does.
    pub(super) is_in_order: OnceCell<Result<()>>,
}

/// What a file says of itself.
#[derive(Debug)]
pub(super) struct Contents {
    /// The columns as the file declares them (or as a sample of its rows suggests).
    pub(super) schema: SchemaRef,
    /// Names that more than one column of the file bears.
    pub(super) repeated: BTreeSet<String>,
    /// Rows and, per column of `schema`, smallest and largest value. Parquet only.
    pub(super) statistics: Option<Statistics>,
    /// Columns that the rows are sorted by, as the file declares.
    pub(super) ordering: Vec<(usize, SortOptions)>,
    /// Columns that are read faster as codes. Parquet only.
    pub(super) stored_as_codes: Option<Arc<StoredAsCodes>>,
}

impl LakeFile {
    pub(super) fn new(meta: ObjectMeta, shown: String, format: Format, compression: FileCompressionType) -> Self {
        Self { meta, shown, format, compression, contents: OnceCell::new(), is_in_order: OnceCell::new() }
    }

    /// Whether a listing shows the version that this is.
    pub(super) fn is_version(&self, meta: &ObjectMeta) -> bool {
        self.meta.size == meta.size
            && self.meta.last_modified == meta.last_modified
            && self.meta.e_tag == meta.e_tag
            && self.meta.version == meta.version
    }

    /// Reads what the file says of itself, once.
    ///
    /// The inner result is lasting: a damaged file stays damaged until it is replaced. An outer
    /// error (the store does not answer, the file is gone) is not kept. May be dropped at any await.
    pub(super) async fn contents(
        &self,
        place: &Place,
        options: &TextOptions,
        reader: &Reader,
    ) -> Result<Result<Arc<Contents>>> {
        let read = || async {
            let _permit = reader.permits.acquire().await.map_err(|error| {
                Error::new(SqlState::INTERNAL_ERROR, format!("lake: the footer readers are closed: {error}"))
            })?;
            let contents = match self.format {
                Format::Parquet => self.read_footer(place, reader).await,
                Format::Csv | Format::Json => self.sample_rows(place, options, reader).await,
            };
            match contents {
                Ok(contents) => Ok(Ok(Arc::new(contents))),
                Err(error) => match blame(&self.shown, &error) {
                    Some(Fault { error, is_lasting: true }) => Ok(Err(error)),
                    Some(Fault { error, is_lasting: false }) => Err(error),
                    None => Ok(Err(Error::new(
                        SqlState::DATA_CORRUPTED,
                        format!("file '{}' cannot be read: {}", self.shown, error.strip_backtrace()),
                    ))),
                },
            }
        };
        self.contents.get_or_try_init(read).await.cloned()
    }

    /// Reads the footer, through the cache that scans use too, so that they need not read it again.
    async fn read_footer(&self, place: &Place, reader: &Reader) -> Result<Contents, DataFusionError> {
        let metadata = DFParquetMetadata::new(place.store.as_ref(), &self.meta)
            .with_metadata_size_hint(Some(FOOTER_BYTES))
            .with_file_metadata_cache(Some(reader.runtime.cache_manager.get_file_metadata_cache()))
            .with_page_index_policy(Some(PageIndexPolicy::Skip))
            .fetch_metadata()
            .await?;
        let file = metadata.file_metadata();
        let declared = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata())?;
        let without_int96 = Int96Coercer::new(file.schema_descr(), &declared, &TimeUnit::Microsecond).coerce();
        // The old timestamps need a schema of their own to be asked for.
        let stored_as_codes =
            if without_int96.is_none() { stored_as_codes(&metadata, &declared).map(Arc::new) } else { None };
        let declared = without_int96.unwrap_or(declared);
        let schema = Arc::new(Schema::new(with_uuids(declared.fields(), file.schema_descr())));
        // Statistics are taken in the file's own types: in others they would silently be NULL.
        let statistics = DFParquetMetadata::statistics_from_parquet_metadata(&metadata, &schema)?;
        let ordering = ordering_from_parquet_metadata(&metadata, &schema)?;
        let ordering = ordering.into_iter().flatten().map_while(|by| {
            let column = by.expr.downcast_ref::<Column>()?;
            Some((column.index(), by.options))
        });
        Ok(Contents {
            repeated: repeated_names(&schema),
            ordering: ordering.collect(),
            statistics: Some(statistics),
            schema,
            stored_as_codes,
        })
    }

    /// Reads the first rows of a text file to find its columns and their types.
    async fn sample_rows(
        &self,
        place: &Place,
        options: &TextOptions,
        reader: &Reader,
    ) -> Result<Contents, DataFusionError> {
        let format: Box<dyn FileFormat> = match self.format {
            Format::Json => Box::new(
                JsonFormat::default()
                    .with_options(options.json.clone())
                    .with_schema_infer_max_rec(options.json.schema_infer_max_rec.unwrap_or(SAMPLED_ROWS))
                    .with_file_compression_type(self.compression),
            ),
            _ => Box::new(
                CsvFormat::default()
                    .with_options(options.csv.clone())
                    .with_schema_infer_max_rec(options.csv.schema_infer_max_rec.unwrap_or(SAMPLED_ROWS))
                    .with_file_compression_type(self.compression),
            ),
        };
        let meta = std::slice::from_ref(&self.meta);
        let inferred = format.infer_schema(&reader.state, &place.store, meta).await?;
        let fields = inferred.fields().iter().map(|field| Field::new(field.name(), field.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Contents {
            repeated: repeated_names(&schema),
            schema,
            statistics: None,
            ordering: Vec::new(),
            stored_as_codes: None,
        })
    }
}

impl Contents {
    /// The declared type of a column, by exact name.
    pub(super) fn type_of(&self, name: &str) -> Option<&DataType> {
        self.schema.field_with_name(name).ok().map(Field::data_type)
    }
}

fn repeated_names(schema: &Schema) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let names = schema.fields().iter().map(|field| field.name().clone());
    names.filter(|name| !seen.insert(name.clone())).collect()
}
