//! Scans that name the file in every error, also in one that its bytes cause when they are decoded.
//!
//! DataFusion plans the reading of a file in steps and then decodes it as a stream. Each step and the stream are
//! wrapped here, with the file they are of, so that two files read side by side are never taken for one another.

use std::any::Any;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::config::ConfigOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileOpener, FileScanConfig, FileSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::filter_pushdown::FilterPushdownPropagation;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{DisplayFormatType, PhysicalExpr, SortOrderPushdownResult};
use datafusion_datasource::morsel::{Morsel, MorselPlan, MorselPlanner, Morselizer};
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, stream};
use object_store::{ObjectMeta, ObjectStore};

use super::faults::undecodable;
use super::spec::Place;

/// A source whose errors name the file; it reads as the one inside does.
pub(super) struct NamingSource {
    place: Arc<Place>,
    inner: Arc<dyn FileSource>,
    versions: Versions,
}

/// Who looks whether a file changed while it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Versions {
    /// The source's own reader, at every piece.
    CheckedByReader,
    /// Nobody but us, after the last row.
    CheckedAtEnd,
}

impl NamingSource {
    pub(super) fn over(place: &Arc<Place>, inner: Arc<dyn FileSource>, versions: Versions) -> Arc<dyn FileSource> {
        Arc::new(Self { place: Arc::clone(place), inner, versions })
    }

    /// Where its files are.
    pub(super) fn place(&self) -> &Arc<Place> {
        &self.place
    }

    /// The source inside.
    pub(super) fn inner(&self) -> &Arc<dyn FileSource> {
        &self.inner
    }

    fn again(&self, inner: Arc<dyn FileSource>) -> Arc<dyn FileSource> {
        Self::over(&self.place, inner, self.versions)
    }
}

impl FileSource for NamingSource {
    fn create_file_opener(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        self.inner.create_file_opener(store, config, partition)
    }

    fn create_morselizer(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Box<dyn Morselizer>> {
        let inner = self.inner.create_morselizer(store, config, partition)?;
        Ok(Box::new(NamingMorselizer { place: Arc::clone(&self.place), inner, versions: self.versions }))
    }

    fn table_schema(&self) -> &TableSchema {
        self.inner.table_schema()
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        self.again(self.inner.with_batch_size(batch_size))
    }

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.inner.filter()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        self.inner.projection()
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        self.inner.metrics()
    }

    fn file_type(&self) -> &str {
        self.inner.file_type()
    }

    fn fmt_extra(&self, format: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        self.inner.fmt_extra(format, f)
    }

    fn supports_repartitioning(&self) -> bool {
        self.inner.supports_repartitioning()
    }

    fn repartitioned(
        &self,
        target_partitions: usize,
        min_size_bytes: usize,
        ordering: Option<LexOrdering>,
        config: &FileScanConfig,
    ) -> Result<Option<FileScanConfig>> {
        self.inner.repartitioned(target_partitions, min_size_bytes, ordering, config)
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        let FilterPushdownPropagation { filters, updated_node } = self.inner.try_pushdown_filters(filters, config)?;
        Ok(FilterPushdownPropagation { filters, updated_node: updated_node.map(|inner| self.again(inner)) })
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
        properties: &EquivalenceProperties,
    ) -> Result<SortOrderPushdownResult<Arc<dyn FileSource>>> {
        Ok(self.inner.try_pushdown_sort(order, properties)?.map(|inner| self.again(inner)))
    }

    fn reorder_files(&self, files: Vec<PartitionedFile>) -> Vec<PartitionedFile> {
        self.inner.reorder_files(files)
    }

    fn try_pushdown_projection(&self, projection: &ProjectionExprs) -> Result<Option<Arc<dyn FileSource>>> {
        Ok(self.inner.try_pushdown_projection(projection)?.map(|inner| self.again(inner)))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.inner.apply_expressions(f)
    }
}

#[derive(Debug)]
struct NamingMorselizer {
    place: Arc<Place>,
    inner: Box<dyn Morselizer>,
    versions: Versions,
}

impl Morselizer for NamingMorselizer {
    fn plan_file(&self, file: PartitionedFile) -> Result<Box<dyn MorselPlanner>> {
        let of = Of { place: Arc::clone(&self.place), meta: file.object_meta.clone(), versions: self.versions };
        Ok(Box::new(NamingPlanner { inner: self.inner.plan_file(file)?, of }))
    }
}

/// The file that a step or a stream reads.
#[derive(Clone, Debug)]
struct Of {
    place: Arc<Place>,
    meta: ObjectMeta,
    versions: Versions,
}

impl Of {
    async fn explain(&self, error: DataFusionError) -> DataFusionError {
        self.place.explain(&self.meta, error).await
    }

    /// Damaged bytes may also break a decoder's own promises; that ends the statement as an error of the file.
    async fn broke(&self, panic: Box<dyn Any + Send>) -> DataFusionError {
        let told = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let told = told.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        let file = self.place.show(&self.meta.location);
        tracing::error!(file, panic = told, "the reader of a file broke down");
        match self.place.check_version(&self.meta).await {
            Err(changed) => changed.into(),
            Ok(()) => undecodable(&file, &format!("its reader broke down: {told}")).into(),
        }
    }
}

#[derive(Debug)]
struct NamingPlanner {
    inner: Box<dyn MorselPlanner>,
    of: Of,
}

impl MorselPlanner for NamingPlanner {
    fn plan(self: Box<Self>) -> Result<Option<MorselPlan>> {
        let Self { inner, of } = *self;
        let planned = match inner.plan() {
            Ok(planned) => planned,
            // The file is asked for its version where one may wait.
            Err(error) => {
                let explained = async move { Err(of.explain(error).await) };
                return Ok(Some(MorselPlan::new().with_pending_planner(explained)));
            }
        };
        let Some(mut plan) = planned else { return Ok(None) };
        let morsels = plan
            .take_morsels()
            .into_iter()
            .map(|inner| -> Box<dyn Morsel> { Box::new(NamingMorsel { inner, of: of.clone() }) });
        let planners = plan
            .take_ready_planners()
            .into_iter()
            .map(|inner| -> Box<dyn MorselPlanner> { Box::new(Self { inner, of: of.clone() }) });
        let named = MorselPlan::new().with_morsels(morsels.collect()).with_planners(planners.collect());
        let Some(pending) = plan.take_pending_planner() else { return Ok(Some(named)) };
        let pending = async move {
            match pending.await {
                Ok(inner) => Ok(Box::new(Self { inner, of }) as Box<dyn MorselPlanner>),
                Err(error) => Err(of.explain(error).await),
            }
        };
        Ok(Some(named.with_pending_planner(pending)))
    }
}

#[derive(Debug)]
struct NamingMorsel {
    inner: Box<dyn Morsel>,
    of: Of,
}

impl Morsel for NamingMorsel {
    fn into_stream(self: Box<Self>) -> BoxStream<'static, Result<RecordBatch>> {
        let Self { inner, of } = *self;
        // After an error nothing more comes.
        let named = stream::unfold(Some((inner.into_stream(), of)), |state| async move {
            let (mut rows, of) = state?;
            match AssertUnwindSafe(rows.next()).catch_unwind().await {
                Ok(Some(Ok(batch))) => Some((Ok(batch), Some((rows, of)))),
                Ok(Some(Err(error))) => Some((Err(of.explain(error).await), None)),
                Err(panic) => Some((Err(of.broke(panic).await), None)),
                Ok(None) if of.versions == Versions::CheckedByReader => None,
                Ok(None) => of.place.check_version(&of.meta).await.err().map(|error| (Err(error.into()), None)),
            }
        });
        named.boxed()
    }
}
