//! Scans of CSV and newline-delimited JSON.
//!
//! A CSV reader takes columns by place, and a table takes them by name. So files are read in groups
//! that have the same header, each with its own columns, and then brought to the table's.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::{Result, ScalarValue};
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{CsvSource, FileGroup, FileScanConfigBuilder, FileSource, JsonSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};

use super::file::LakeFile;
use super::listing::Format;
use super::named::{NamingSource, Versions};
use super::scan::LakeProvider;
use crate::error::{Error, SqlState};

/// Files that one reader can read: the same columns in the same places, the same compression.
struct Group {
    columns: SchemaRef,
    compression: FileCompressionType,
    files: Vec<PartitionedFile>,
}

/// Plans the scan of the chosen files of a CSV or JSON table.
pub(super) fn scan_text(
    table: &LakeProvider,
    session: &dyn Session,
    projection: Option<&Vec<usize>>,
    files: &[PartitionedFile],
    limit: Option<usize>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let groups = group_files(table, files)?;
    let all: Vec<usize> = (0..table.resolved.schema.fields().len()).collect();
    let wanted = projection.unwrap_or(&all);
    // Two scans side by side are in no common order.
    let is_ordered = groups.len() == 1;
    let scans = groups.into_iter().map(|group| scan_group(table, session, wanted, group, limit, is_ordered));
    UnionExec::try_new(scans.collect::<Result<_>>()?)
}

fn group_files(table: &LakeProvider, files: &[PartitionedFile]) -> Result<Vec<Group>> {
    let mut groups: Vec<Group> = Vec::new();
    for file in files {
        let known = table.resolved.files.iter().find(|known| known.file.meta.location == file.object_meta.location);
        let Some(known) = known else {
            return datafusion::common::internal_err!("scan of a file that is not of the table");
        };
        let columns = columns_of(table, &known.file, known.columns.as_ref())?;
        let compression = compression_of(table, &known.file);
        match groups.iter_mut().find(|group| group.compression == compression && group.columns == columns) {
            Some(group) => group.files.push(file.clone()),
            None => groups.push(Group { columns, compression, files: vec![file.clone()] }),
        }
    }
    Ok(groups)
}

/// The file's extension decides, else the statement's option.
fn compression_of(table: &LakeProvider, file: &LakeFile) -> FileCompressionType {
    if file.compression.is_compressed() {
        return file.compression;
    }
    let text = table.set.text_options();
    match table.set.format() {
        Format::Json => text.json.compression.into(),
        _ => text.csv.compression.into(),
    }
}

/// The columns of a file in its order and the table's types.
///
/// A JSON reader finds columns by name, so for it they are the table's.
fn columns_of(table: &LakeProvider, file: &LakeFile, header: Option<&SchemaRef>) -> Result<SchemaRef> {
    let columns = &table.resolved.file_schema;
    let Some(header) = header.filter(|_| table.set.format() == Format::Csv) else {
        return Ok(Arc::clone(columns));
    };
    if table.set.is_by_place() {
        if header.fields().len() != columns.fields().len() {
            let (has, declares) = (header.fields().len(), columns.fields().len());
            let message = format!("file '{}' has {has} columns, the table declares {declares}", file.shown);
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message).into());
        }
        return Ok(Arc::clone(columns));
    }
    let fields = header.fields().iter().map(|field| match columns.field_with_name(field.name()) {
        Ok(column) => Arc::new(column.clone()),
        // A column that the table does not show (a partition of that name) is read over.
        Err(_) => Arc::clone(field),
    });
    let fields: Vec<FieldRef> = fields.collect();
    Ok(if columns.fields().iter().eq(fields.iter()) { Arc::clone(columns) } else { Arc::new(Schema::new(fields)) })
}

fn scan_group(
    table: &LakeProvider,
    session: &dyn Session,
    wanted: &[usize],
    group: Group,
    limit: Option<usize>,
    is_ordered: bool,
) -> Result<Arc<dyn ExecutionPlan>> {
    let shown = &table.resolved.schema;
    let is_direct = Arc::ptr_eq(&group.columns, &table.resolved.file_schema);
    let partition_fields: Vec<FieldRef> = table.resolved.partition_fields.clone();
    // Names that the file has and the table shows from elsewhere would clash with the partitions'.
    let columns = group.columns.fields().iter().map(|field| {
        let is_partition = partition_fields.iter().any(|partition| partition.name() == field.name());
        if is_partition {
            Arc::new(Field::new(format!("{} in the file", field.name()), field.data_type().clone(), true))
        } else {
            Arc::clone(field)
        }
    });
    let read = TableSchema::builder(Arc::new(Schema::new(columns.collect::<Vec<_>>())))
        .with_table_partition_cols(partition_fields)
        .build();
    let here = |index: &usize| read.table_schema().index_of(shown.field(*index).name()).ok();
    let indices: Vec<usize> = if is_direct { wanted.to_vec() } else { wanted.iter().filter_map(here).collect() };

    let text = table.set.text_options();
    let source: Arc<dyn FileSource> = match table.set.format() {
        Format::Json => Arc::new(JsonSource::new(read.clone()).with_newline_delimited(text.json.newline_delimited)),
        _ => Arc::new(CsvSource::new(read.clone()).with_csv_options(text.csv.clone())),
    };
    let ordering = if is_ordered && is_direct { table.ordering(session, &group.files)? } else { Vec::new() };
    let groups = FileGroup::new(group.files).split_files(session.config().target_partitions().max(1));
    let place = table.set.place();
    let source = NamingSource::over(place, source, Versions::CheckedAtEnd);
    let config = FileScanConfigBuilder::new(place.store_url.clone(), source)
        .with_file_groups(groups)
        .with_projection_indices(Some(indices.clone()))?
        .with_limit(limit)
        .with_output_ordering(ordering)
        .with_file_compression_type(group.compression)
        .build();
    let scan = DataSourceExec::from_data_source(config);
    if is_direct {
        return Ok(scan);
    }
    let shape = wanted.iter().map(|index| {
        let field = shown.field(*index);
        let place = here(index).and_then(|read| indices.iter().position(|index| *index == read));
        let expr: Arc<dyn PhysicalExpr> = match place {
            Some(place) => Arc::new(Column::new(field.name(), place)),
            None => Arc::new(Literal::new(ScalarValue::try_from(field.data_type())?)),
        };
        Ok(ProjectionExpr::new(expr, field.name().clone()))
    });
    Ok(Arc::new(ProjectionExec::try_new(shape.collect::<Result<Vec<_>>>()?, scan)?))
}
