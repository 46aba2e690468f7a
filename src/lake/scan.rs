//! A table of files as DataFusion sees it: what to read, from which files, and what is known of it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::config::TableParquetOptions;
use datafusion::common::pruning::PrunableStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{DFSchema, Result, ScalarValue, Statistics, project_schema};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::listing::helpers::expr_applicable_for_cols;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    LexOrdering, PhysicalExpr, PhysicalSortExpr, create_lex_ordering, create_physical_expr,
};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::{ExecutionPlan, Partitioning};

use super::arrange::{Arrangement, Merging};
use super::layout::{ASCENDING, Layout};
use super::listing::Format;
use super::merge::BucketMergeExec;
use super::micros::MicrosAdapterFactory;
use super::named::{NamingSource, Versions};
use super::table::{FileSet, ReadyFile, Resolved};
use super::watch::WatchingReaderFactory;
use crate::error::Error;

/// One version of a table: the files that were listed, with what their footers say.
pub(super) struct LakeProvider {
    pub(super) set: Arc<FileSet>,
    pub(super) resolved: Arc<Resolved>,
}

impl fmt::Debug for LakeProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LakeProvider({})", self.set.location())
    }
}

#[async_trait]
impl TableProvider for LakeProvider {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.resolved.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Filters over partition columns alone choose files and are done with; others only prune.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = filters.iter().map(|filter| match self.is_over_partitions(filter) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Inexact,
        });
        Ok(support.collect())
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.check_columns(projection, filters)?;
        let (of_partitions, of_rows): (Vec<&Expr>, Vec<&Expr>) =
            filters.iter().partition(|filter| self.is_over_partitions(filter));
        let mut kept = self.choose_files(session, &of_partitions)?;
        if self.resolved.layout.is_some() {
            kept = self.prune(session, &of_rows, kept)?;
        }
        // Without a filter on rows, files beyond the limit need not be read.
        let file_limit = limit.filter(|_| of_rows.is_empty());
        let (files, is_cut) = first_files(kept, file_limit)?;
        if files.is_empty() {
            return Ok(Arc::new(EmptyExec::new(project_schema(&self.resolved.schema, projection)?)));
        }
        match self.set.format() {
            Format::Parquet => self.scan_parquet(session, projection, files, is_cut, limit),
            Format::Csv | Format::Json => super::text::scan_text(self, session, projection, &files, limit),
        }
    }
}

/// Files that one scan reads, and what is known of their rows.
struct Read {
    groups: Vec<FileGroup>,
    ordering: Vec<LexOrdering>,
    partitioning: Option<Partitioning>,
    /// Whether a limit left files out.
    is_cut: bool,
}

impl LakeProvider {
    fn is_over_partitions(&self, filter: &Expr) -> bool {
        let names: Vec<&str> = self.resolved.partition_fields.iter().map(|field| field.name().as_str()).collect();
        !names.is_empty() && expr_applicable_for_cols(&names, filter)
    }

    /// Refuses a statement that needs a column whose files disagree.
    pub(super) fn check_columns(&self, projection: Option<&Vec<usize>>, filters: &[Expr]) -> Result<(), Error> {
        let unusable = &self.resolved.unusable;
        if unusable.is_empty() {
            return Ok(());
        }
        let fields = self.resolved.schema.fields();
        let mut used: Vec<&str> = match projection {
            Some(indices) => {
                indices.iter().filter_map(|index| fields.get(*index)).map(|field| field.name().as_str()).collect()
            }
            None => fields.iter().map(|field| field.name().as_str()).collect(),
        };
        used.extend(filters.iter().flat_map(Expr::column_refs).map(|column| column.name.as_str()));
        match used.into_iter().find_map(|name| unusable.get(name)) {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    /// The files whose partition values pass the filters.
    fn choose_files(&self, session: &dyn Session, filters: &[&Expr]) -> Result<Vec<&ReadyFile>> {
        let files = &self.resolved.files;
        let Some(filter) = conjunction(filters.iter().copied().cloned()) else {
            return Ok(files.iter().collect());
        };
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let schema = Schema::new(self.resolved.partition_fields.clone());
        let columns = (0..schema.fields().len()).map(|column| {
            let values = files.iter().map(|file| file.partition_values[column].clone());
            ScalarValue::iter_to_array(values)
        });
        let batch = RecordBatch::try_new(Arc::new(schema.clone()), columns.collect::<Result<_>>()?)?;
        let schema = DFSchema::try_from(schema)?;
        let planning = PhysicalPlanningContext::default();
        let filter = create_physical_expr(&filter, &schema, session.execution_props(), &planning)?;
        let passes = filter.evaluate(&batch)?.into_array(files.len())?;
        if passes.data_type() != &DataType::Boolean {
            return datafusion::common::plan_err!("a filter must be boolean, got {}", passes.data_type());
        }
        let kept = passes.as_boolean().iter().zip(files).filter(|(passes, _)| *passes == Some(true));
        Ok(kept.map(|(_, file)| file).collect())
    }

    /// The files whose bounds of users, times and other columns leave room for a row that passes the filters.
    ///
    /// DataFusion would find the same when it opens a file. A table in ranges wants to know it before: what is left may
    /// be one partition.
    fn prune<'a>(
        &self,
        session: &dyn Session,
        filters: &[&Expr],
        files: Vec<&'a ReadyFile>,
    ) -> Result<Vec<&'a ReadyFile>> {
        let Some(filter) = conjunction(filters.iter().copied().cloned()) else {
            return Ok(files);
        };
        let statistics = files.iter().map(|file| {
            let known = file.ready.as_ref().ok().and_then(|ready| ready.statistics.clone());
            known.unwrap_or_else(|| Arc::new(Statistics::new_unknown(&self.resolved.file_schema)))
        });
        let statistics = PrunableStatistics::new(statistics.collect(), Arc::clone(&self.resolved.schema));
        let schema = DFSchema::try_from(self.resolved.schema.as_ref().clone())?;
        let planning = PhysicalPlanningContext::default();
        let filter = create_physical_expr(&filter, &schema, session.execution_props(), &planning)?;
        let kept = PruningPredicateBuilder::new()
            .with_file_schema(Arc::clone(&self.resolved.schema))
            .try_build(filter)?
            .prune(&statistics)?;
        Ok(files.into_iter().zip(kept).filter(|(_, kept)| *kept).map(|(file, _)| file).collect())
    }

    pub(super) fn scan_parquet(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        files: Vec<PartitionedFile>,
        is_cut: bool,
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(layout) = &self.resolved.layout else {
            let ordering = self.ordering(session, &files)?;
            let groups = self.group(session, files, &ordering)?;
            let read = Read { groups, ordering, partitioning: None, is_cut };
            return self.read_parquet(session, projection, read, limit);
        };
        let ordering: Vec<LexOrdering> = layout.ordering().into_iter().collect();
        match layout.arrange(files, session.config().target_partitions()) {
            Arrangement::Chained { groups, partitioning } => {
                let read = Read { groups, ordering, partitioning, is_cut };
                self.read_parquet(session, projection, read, limit)
            }
            Arrangement::Merged { layers, points, merging } => {
                let all: Vec<usize> = (0..self.resolved.schema.fields().len()).collect();
                let wanted = projection.unwrap_or(&all);
                let mut columns = wanted.clone();
                columns.extend(layout.key_places().into_iter().filter(|key| !wanted.contains(key)));
                let layers = layers.into_iter().map(|groups| {
                    let partitioning = layout.partitioning(points.clone());
                    let read = Read { groups, ordering: ordering.clone(), partitioning, is_cut };
                    self.read_parquet(session, Some(&columns), read, limit)
                });
                let layers = layers.collect::<Result<Vec<_>>>()?;
                self.merge(layout, &columns, wanted.len(), layers, merging)
            }
        }
    }

    /// Merges layers of the columns, of which the first `shown_count` are what is asked for.
    fn merge(
        &self,
        layout: &Layout,
        columns: &[usize],
        shown_count: usize,
        layers: Vec<Arc<dyn ExecutionPlan>>,
        merging: Merging,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let column = |place: usize| {
            let name = self.resolved.schema.field(columns[place]).name();
            Arc::new(Column::new(name, place)) as Arc<dyn PhysicalExpr>
        };
        let keys = layout.key_places().into_iter().filter_map(|key| {
            let place = columns.iter().position(|column| *column == key)?;
            Some(PhysicalSortExpr::new(column(place), ASCENDING))
        });
        let Some(keys) = LexOrdering::new(keys) else {
            return datafusion::common::internal_err!("a table in ranges has no keys");
        };
        let merged: Arc<dyn ExecutionPlan> = Arc::new(BucketMergeExec::try_new(layers, keys, Arc::new(merging))?);
        if shown_count == columns.len() {
            return Ok(merged);
        }
        let shown = (0..shown_count).map(|place| {
            let name = self.resolved.schema.field(columns[place]).name();
            ProjectionExpr::new(column(place), name)
        });
        Ok(Arc::new(ProjectionExec::try_new(shown.collect::<Vec<_>>(), merged)?))
    }

    /// One scan of groups of files.
    fn read_parquet(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        read: Read,
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = &self.resolved.schema;
        let files = read.groups.iter().flat_map(FileGroup::iter);
        let mut statistics = Statistics::try_merge_iter(files.filter_map(|file| file.statistics.as_deref()), schema)?;
        if read.is_cut {
            statistics = statistics.to_inexact();
        }
        let mut options = TableParquetOptions {
            global: session.config_options().execution.parquet.clone(),
            ..TableParquetOptions::default()
        };
        // Footers are read so, and the table's types follow from them.
        options.global.coerce_int96 = Some("us".to_owned());
        let readers = WatchingReaderFactory::new(self.set.place(), session.runtime_env());
        let size_hint = options.global.metadata_size_hint;
        let mut source = ParquetSource::new(self.table_schema())
            .with_table_parquet_options(options)
            .with_parquet_file_reader_factory(Arc::new(readers));
        if let Some(bytes) = size_hint {
            source = source.with_metadata_size_hint(bytes);
        }
        let source = NamingSource::over(self.set.place(), Arc::new(source), Versions::CheckedByReader);
        let config = FileScanConfigBuilder::new(self.set.place().store_url.clone(), source)
            .with_file_groups(with_statistics(read.groups, schema)?)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .with_output_ordering(read.ordering)
            .with_output_partitioning(read.partitioning)
            .with_expr_adapter(Some(Arc::new(MicrosAdapterFactory)))
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    pub(super) fn table_schema(&self) -> TableSchema {
        TableSchema::builder(Arc::clone(&self.resolved.file_schema))
            .with_table_partition_cols(self.resolved.partition_fields.clone())
            .build()
    }

    /// The order of rows within each file: as declared, else as far as all files say the same.
    pub(super) fn ordering(&self, session: &dyn Session, files: &[PartitionedFile]) -> Result<Vec<LexOrdering>> {
        let declared = self.set.declared_order();
        if !declared.is_empty() {
            return create_lex_ordering(&self.resolved.schema, declared, session.execution_props());
        }
        let mut common: Option<LexOrdering> = files.first().and_then(|file| file.ordering.clone());
        for file in files {
            let (Some(ours), Some(theirs)) = (&common, &file.ordering) else {
                return Ok(Vec::new());
            };
            let same = ours.iter().zip(theirs.iter()).take_while(|(a, b)| a == b).map(|(a, _)| a.clone());
            common = LexOrdering::new(same);
        }
        Ok(common.into_iter().collect())
    }

    /// Spreads the files over as many groups as the session has partitions.
    ///
    /// DataFusion cuts them further by byte ranges where that helps.
    fn group(
        &self,
        session: &dyn Session,
        files: Vec<PartitionedFile>,
        ordering: &[LexOrdering],
    ) -> Result<Vec<FileGroup>> {
        let target = session.config().target_partitions().max(1);
        let groups = FileGroup::new(files).split_files(target);
        let by_statistics = session.config_options().execution.split_file_groups_by_statistics;
        if let (true, Some(ordering)) = (by_statistics, ordering.first()) {
            let schema = &self.resolved.schema;
            let sorted =
                FileScanConfig::split_groups_by_statistics_with_target_partitions(schema, &groups, ordering, target);
            if let Some(sorted) = sorted.ok().filter(|sorted| sorted.len() <= target) {
                return Ok(sorted);
            }
        }
        Ok(groups)
    }
}

fn with_statistics(groups: Vec<FileGroup>, schema: &Schema) -> Result<Vec<FileGroup>> {
    let described = groups.into_iter().map(|group| {
        let of_files = group.iter().filter_map(|file| file.statistics.as_deref());
        let statistics = Statistics::try_merge_iter(of_files, schema)?;
        Ok(group.with_statistics(Arc::new(statistics)))
    });
    described.collect()
}

/// The files to read, and whether the limit left some out. A damaged file among them is an error.
fn first_files(files: Vec<&ReadyFile>, limit: Option<usize>) -> Result<(Vec<PartitionedFile>, bool)> {
    let (mut chosen, mut row_count) = (Vec::with_capacity(files.len()), 0_usize);
    let file_count = files.len();
    for file in files {
        let file = file.ready.clone()?;
        let rows = file.statistics.as_ref().map(|statistics| statistics.num_rows);
        chosen.push(file);
        match (limit, rows) {
            (Some(limit), Some(Precision::Exact(rows))) => {
                row_count = row_count.saturating_add(rows);
                if row_count >= limit {
                    break;
                }
            }
            _ => continue,
        }
    }
    let is_cut = chosen.len() < file_count;
    Ok((chosen, is_cut))
}
