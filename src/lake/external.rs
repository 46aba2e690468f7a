//! `CREATE EXTERNAL TABLE`: a table whose place, columns and order the user declares.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::config::{ConfigFileType, TableOptions};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::{Expr, SortExpr};

use super::file::{Contents, TextOptions};
use super::listing::{Format, list_files};
use super::spec::{LakeSpec, Place};
use super::table::{Declared, FileSet, LakeTable};
use super::unify::{Unified, sql_name, table_type, widens_to};
use super::uuid::{is_uuid, uuid_field};
use crate::error::{Error, Result, SqlState};
use crate::sealed::Sealed;

impl LakeTable {
    /// Makes the table of `CREATE EXTERNAL TABLE ... STORED AS format LOCATION 'location'`.
    ///
    /// - `declared_schema`: the columns of the statement; `None` takes them from the files. A file
    ///   whose column is of a type that does not widen to the declared one makes it unusable.
    /// - `options`: of CSV and JSON, in DataFusion's names (`has_header`, `format.delimiter` ...).
    /// - `order`: `WITH ORDER`; each file must be sorted so, which is declared and not checked here.
    /// - `partition_cols`: `PARTITIONED BY`; without it every `key=value` folder gives a column.
    ///
    /// Fails with 58P01 if nothing is at `location`, 22023 on an option that is unknown or has a
    /// wrong value, 42703 on an order by a column that the table does not have, and as
    /// [`Self::schema`] does.
    pub async fn external(
        runtime: &Arc<RuntimeEnv>,
        location: &str,
        format: Format,
        declared_schema: Option<SchemaRef>,
        options: HashMap<String, String>,
        order: Vec<Vec<SortExpr>>,
        partition_cols: Vec<String>,
    ) -> Result<Arc<LakeTable>> {
        let text = text_options(format, &options)?;
        if let Some(schema) = declared_schema.as_ref().filter(|_| format != Format::Parquet) {
            refuse_uuids(format, schema)?;
        }
        let place = Arc::new(Place::open(location, runtime).await?);
        let listed_at = Instant::now();
        let found = list_files(&place, &HashMap::new(), Some(format)).await?;
        let mut set = FileSet::new(&place, &super::reader(runtime), found);
        let declared = Declared {
            schema: declared_schema.map(|schema| Arc::new(in_table_types(&schema))),
            order: Sealed::new(order),
            partitions: (!partition_cols.is_empty()).then_some(partition_cols),
            sorted: None,
        };
        set = set.with_format(format).with_declared(declared, text);
        let schema = Arc::clone(&set.resolve().await?.schema);
        check_order(set.declared_order(), &schema)?;
        let name = LakeSpec::parse(location).map_or_else(|_| "external".to_owned(), |spec| spec.name);
        Ok(Arc::new(LakeTable::new(name, set, Some(listed_at))))
    }
}

/// Reads the statement's options over ours.
fn text_options(format: Format, options: &HashMap<String, String>) -> Result<TextOptions> {
    let mut text = TextOptions::default();
    if options.is_empty() {
        return Ok(text);
    }
    let refuse =
        |why: String| Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("OPTIONS of {}: {why}", format.name()));
    let mut table = TableOptions::default();
    (table.csv, table.json) = (text.csv, text.json);
    table.set_config_format(match format {
        Format::Csv => ConfigFileType::CSV,
        Format::Json => ConfigFileType::JSON,
        Format::Parquet => {
            let names: Vec<&str> = options.keys().map(String::as_str).collect();
            return Err(refuse(format!("none are known, got {}", names.join(", ")))
                .with_hint("settings of the session hold for Parquet: SET datafusion.execution.parquet..."));
        }
    });
    for (name, value) in options {
        let full = if name.contains('.') { name.clone() } else { format!("format.{name}") };
        table
            .alter_with_string_hash_map(&HashMap::from([(full, value.clone())]))
            .map_err(|error| refuse(format!("'{name}' cannot be '{value}': {}", error.strip_backtrace())))?;
    }
    (text.csv, text.json) = (table.csv, table.json);
    Ok(text)
}

/// The readers of text know no uuids.
fn refuse_uuids(format: Format, schema: &Schema) -> Result<()> {
    match schema.fields().iter().find(|field| is_uuid(field)) {
        Some(field) => {
            let message = format!("column \"{}\": {} has no type uuid", field.name(), format.name());
            Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message)
                .with_hint("Declare the column as text, and write it with ::uuid where it is used."))
        }
        None => Ok(()),
    }
}

/// The declared columns in the types that tables of files have: text as views, time in microseconds.
fn in_table_types(schema: &Schema) -> Schema {
    let fields = schema.fields().iter().map(|field| match is_uuid(field) {
        true => uuid_field(field.name()).with_nullable(field.is_nullable()),
        false => Field::new(field.name(), table_type(field.data_type()), field.is_nullable()),
    });
    Schema::new(fields.collect::<Vec<_>>())
}

/// The table that the declared columns and the files make.
///
/// Text files are read in the declared types; a column without a header takes its name by place.
pub(super) fn apply_declared(
    format: Format,
    text: &TextOptions,
    schema: &Schema,
    files: &[(&str, &Contents)],
) -> Result<Unified> {
    let mut unified = Unified { fields: schema.fields().iter().cloned().collect(), ..Unified::default() };
    if format == Format::Csv && text.csv.has_header == Some(false) {
        return Ok(unified);
    }
    for field in schema.fields() {
        for (file, contents) in files {
            let Some(stored) = contents.type_of(field.name()) else {
                continue;
            };
            let is_repeated = contents.repeated.contains(field.name());
            if !is_repeated && (format != Format::Parquet || widens_to(stored, field.data_type())) {
                continue;
            }
            let (name, declared, stored) = (field.name(), sql_name(field.data_type()), sql_name(stored));
            let why = match is_repeated {
                true => format!("file '{file}' has more than one column of this name"),
                false => format!("it is declared {declared} and is {stored} in '{file}'"),
            };
            let error =
                Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("column \"{name}\" cannot be used: {why}"));
            unified.unusable.entry(name.clone()).or_insert(error);
        }
    }
    Ok(unified)
}

fn check_order(order: &[Vec<SortExpr>], schema: &Schema) -> Result<()> {
    for by in order.iter().flatten() {
        let Expr::Column(column) = &by.expr else {
            return Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("WITH ORDER takes columns of the table, got {}", by.expr),
            ));
        };
        if schema.field_with_name(&column.name).is_err() {
            return Err(Error::new(
                SqlState::UNDEFINED_COLUMN,
                format!("WITH ORDER: column \"{}\" does not exist", column.name),
            ));
        }
    }
    Ok(())
}
