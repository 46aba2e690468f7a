//! Generations of a table in ranges of users, read as one: sorted, in the same partitions as one generation would be.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics, internal_datafusion_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::equivalence::calculate_union;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    AcrossPartitions, EquivalenceProperties, LexOrdering, OrderingRequirements, PhysicalExpr, PhysicalSortExpr,
    conjunction,
};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterDescription, FilterPushdownPhase, FilterPushdownPropagation, PushedDown,
};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, Count, ExecutionPlanMetricsSet, Metric, MetricBuilder, MetricValue, MetricsSet, RecordOutput,
};
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::sorts::streaming_merge::StreamingMergeBuilder;
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties,
    Partitioning, PlanProperties, ReplaceChildrenOptions,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::arrange::{Merging, range_partitioning};

/// Merges layers of files by user and time, stretch by stretch.
///
/// Each layer is a scan with a partition for each stretch, sorted by the keys. A partition of the output is its
/// stretches one after the other: those of one layer as they come, the others merged. Of rows that are equal in user
/// and time, those of the earlier layer come first. Memory: a batch of each layer of a stretch, and its keys, which the
/// statement's pool grants.
///
/// Filters and projections go below it, so that rows which nobody wants are not merged; the keys are read in any case.
#[derive(Debug)]
pub(super) struct BucketMergeExec {
    layers: Vec<Arc<dyn ExecutionPlan>>,
    /// User and time.
    keys: LexOrdering,
    merging: Arc<Merging>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl BucketMergeExec {
    /// Over layers with a partition for each stretch of `merging`, each sorted by `keys`.
    pub(super) fn try_new(
        layers: Vec<Arc<dyn ExecutionPlan>>,
        keys: LexOrdering,
        merging: Arc<Merging>,
    ) -> Result<Self> {
        let Some(first) = layers.first() else {
            return Err(internal_datafusion_err!("BucketMergeExec without a layer"));
        };
        let schema = first.schema();
        for layer in &layers {
            let stretch_count = layer.output_partitioning().partition_count();
            if stretch_count != merging.layer_counts.len() {
                let expected = merging.layer_counts.len();
                return Err(internal_datafusion_err!("BucketMergeExec: {stretch_count} stretches, not {expected}"));
            }
            if !layer.equivalence_properties().ordering_satisfy(keys.clone())? {
                return Err(internal_datafusion_err!("BucketMergeExec: a layer is not sorted by {keys}"));
            }
            if layer.schema().fields() != schema.fields() {
                return Err(internal_datafusion_err!("BucketMergeExec: layers have other columns"));
            }
        }
        let partitioning = range_partitioning(keys.first().clone(), &merging.points)
            .unwrap_or(Partitioning::UnknownPartitioning(merging.partitions.len()));
        let properties = PlanProperties::new(
            equivalences(&layers, &keys, schema)?,
            partitioning,
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let metrics = ExecutionPlanMetricsSet::new();
        Ok(Self { layers, keys, merging, properties: Arc::new(properties), metrics })
    }

    fn over(&self, layers: Vec<Arc<dyn ExecutionPlan>>) -> Result<Self> {
        Self::try_new(layers, self.keys.clone(), Arc::clone(&self.merging))
    }

    /// The one stretch that a partition consists of, if it does.
    fn only_stretch(&self, partition: usize) -> Option<usize> {
        let stretches = self.merging.partitions.get(partition)?;
        (stretches.len() == 1).then_some(stretches.start)
    }
}

/// What is known of the rows of all layers together: their order, and columns that have one value in all of them.
fn equivalences(
    layers: &[Arc<dyn ExecutionPlan>],
    keys: &LexOrdering,
    schema: SchemaRef,
) -> Result<EquivalenceProperties> {
    let each = layers.iter().map(|layer| layer.equivalence_properties().clone()).collect();
    // A value that is not known may be another in each layer.
    let constants = calculate_union(each, Arc::clone(&schema))?.constants().into_iter();
    let constants =
        constants.filter(|constant| matches!(constant.across_partitions, AcrossPartitions::Uniform(Some(_))));
    let mut properties = EquivalenceProperties::new_with_orderings(schema, [keys.clone()]);
    properties.add_constants(constants)?;
    Ok(properties)
}

impl DisplayAs for BucketMergeExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let Merging { generation_count, merged_range_count, .. } = *self.merging;
        match format {
            DisplayFormatType::TreeRender => write!(f, "by={}\ngenerations={generation_count}", self.keys),
            _ => write!(
                f,
                "BucketMergeExec: by=[{}], generations={generation_count}, ranges={merged_range_count}, partitioning={}",
                self.keys,
                self.properties.output_partitioning()
            ),
        }
    }
}

impl ExecutionPlan for BucketMergeExec {
    fn name(&self) -> &str {
        "BucketMergeExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        vec![Some(OrderingRequirements::from(self.keys.clone())); self.layers.len()]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true; self.layers.len()]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.layers.len()]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.layers.iter().collect()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let mut recursion = TreeNodeRecursion::Continue;
        for key in &self.keys {
            recursion = recursion.visit_sibling(|| f(&key.expr))?;
        }
        Ok(recursion)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(self.over(children)?))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(stretches) = self.merging.partitions.get(partition).cloned() else {
            return Err(internal_datafusion_err!("BucketMergeExec has no partition {partition}"));
        };
        let reading = Reading {
            layers: self.layers.clone(),
            keys: self.keys.clone(),
            merging: Arc::clone(&self.merging),
            schema: self.schema(),
            metrics: BaselineMetrics::new(&self.metrics, partition),
            merged_rows: MetricBuilder::new(&self.metrics).counter("merged_rows", partition),
            partition,
            context,
        };
        let batches = stream::iter(stretches).map(move |stretch| reading.stretch(stretch)).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        let mut metrics = self.metrics.clone_inner();
        let count = Count::new();
        count.add(self.merging.generation_count);
        let value = MetricValue::Count { name: "merged_generations".into(), count };
        metrics.push(Arc::new(Metric::new(value, None)));
        Some(metrics)
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        let wanted = match partition {
            None => ChildStats::At(None),
            Some(partition) => self.only_stretch(partition).map_or(ChildStats::Skip, |it| ChildStats::At(Some(it))),
        };
        vec![wanted; self.layers.len()]
    }

    fn statistics_from_inputs(&self, layers: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let schema = self.schema();
        if args.partition().is_some_and(|partition| self.only_stretch(partition).is_none()) {
            return Ok(Arc::new(Statistics::new_unknown(&schema)));
        }
        Ok(Arc::new(Statistics::try_merge_iter(layers.iter().map(AsRef::as_ref), &schema)?))
    }

    /// Brings a projection below, if rows become no wider by it. What lacks the keys gets them, and loses them above.
    fn try_swapping_with_projection(&self, projection: &ProjectionExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let wanted = projection.expr();
        let mut below = wanted.to_vec();
        let mut keys = Vec::with_capacity(self.keys.len());
        for key in &self.keys {
            let known = below.iter().position(|given| given.expr.eq(&key.expr));
            let (place, name) = match (known, key.expr.downcast_ref::<Column>()) {
                (Some(place), _) => (place, below[place].alias.clone()),
                // Filters look for columns by their names, so a name must not mean two.
                (None, Some(column)) if below.iter().all(|given| given.alias != column.name()) => {
                    below.push(ProjectionExpr::new(Arc::clone(&key.expr), column.name()));
                    (below.len() - 1, column.name().to_owned())
                }
                (None, _) => return Ok(None),
            };
            keys.push(PhysicalSortExpr::new(Arc::new(Column::new(&name, place)), key.options));
        }
        let (width, is_computing) =
            (self.schema().fields().len(), wanted.iter().any(|given| !given.expr.is::<Column>()));
        if below.len() > width || (below.len() == width && !is_computing) {
            return Ok(None);
        }
        let Some(keys) = LexOrdering::new(keys) else { return Ok(None) };
        let schema = projection.schema();
        let project = |exprs: &[ProjectionExpr], input: &Arc<dyn ExecutionPlan>| -> Result<Arc<dyn ExecutionPlan>> {
            let input = Arc::clone(input);
            Ok(Arc::new(ProjectionExec::try_new_with_schema_metadata(exprs.to_vec(), input, schema.as_ref())?))
        };
        let layers = self.layers.iter().map(|layer| project(&below, layer)).collect::<Result<Vec<_>>>()?;
        let merged: Arc<dyn ExecutionPlan> = Arc::new(Self::try_new(layers, keys, Arc::clone(&self.merging))?);
        if below.len() == wanted.len() {
            return Ok(Some(merged));
        }
        let kept = wanted.iter().enumerate().map(|(place, given)| {
            ProjectionExpr::new(Arc::new(Column::new(&given.alias, place)) as Arc<dyn PhysicalExpr>, &given.alias)
        });
        project(&kept.collect::<Vec<_>>(), &merged).map(Some)
    }

    fn gather_filters_for_pushdown(
        &self,
        _phase: FilterPushdownPhase,
        parent_filters: Vec<Arc<dyn PhysicalExpr>>,
        _config: &ConfigOptions,
    ) -> Result<FilterDescription> {
        FilterDescription::from_children(parent_filters, &self.children())
    }

    /// Filters that a layer does not apply by itself are put right above it: what they drop is not merged.
    fn handle_child_pushdown_result(
        &self,
        phase: FilterPushdownPhase,
        pushed: ChildPushdownResult,
        _config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        if phase != FilterPushdownPhase::Pre {
            return Ok(FilterPushdownPropagation::if_all(pushed));
        }
        let layers = self.layers.iter().enumerate().map(|(place, layer)| {
            let left = pushed.parent_filters.iter().filter(|filter| {
                matches!(filter.child_results.get(place), None | Some(PushedDown::No))
            });
            let left: Vec<Arc<dyn PhysicalExpr>> = left.map(|filter| Arc::clone(&filter.filter)).collect();
            match left.is_empty() {
                true => Ok(Arc::clone(layer)),
                false => {
                    let filter = FilterExec::try_new(conjunction(left), Arc::clone(layer))?;
                    Ok(Arc::new(filter) as Arc<dyn ExecutionPlan>)
                }
            }
        });
        let filtered: Arc<dyn ExecutionPlan> = Arc::new(self.over(layers.collect::<Result<_>>()?)?);
        let all = vec![PushedDown::Yes; pushed.parent_filters.len()];
        Ok(FilterPushdownPropagation::with_parent_pushdown_result(all).with_updated_node(filtered))
    }
}

/// The reading of one partition.
struct Reading {
    layers: Vec<Arc<dyn ExecutionPlan>>,
    keys: LexOrdering,
    merging: Arc<Merging>,
    schema: SchemaRef,
    metrics: BaselineMetrics,
    merged_rows: Count,
    partition: usize,
    context: Arc<TaskContext>,
}

impl Reading {
    /// The rows of a stretch, which begins to be read when the one before has ended.
    fn stretch(&self, stretch: usize) -> Result<SendableRecordBatchStream> {
        let layers = &self.layers[..self.merging.layer_counts[stretch]];
        let mut streams = Vec::with_capacity(layers.len());
        for layer in layers {
            streams.push(layer.execute(stretch, Arc::clone(&self.context))?);
        }
        let metrics = self.metrics.clone();
        if streams.len() == 1 {
            let rows = streams.remove(0).map_ok(move |batch| batch.record_output(&metrics));
            return Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows)));
        }
        let consumer = MemoryConsumer::new(format!("BucketMergeExec[{}]", self.partition));
        let merged = StreamingMergeBuilder::new()
            .with_streams(streams)
            .with_schema(Arc::clone(&self.schema))
            .with_expressions(&self.keys)
            .with_metrics(metrics)
            .with_batch_size(self.context.session_config().batch_size())
            .with_reservation(consumer.register(self.context.memory_pool()))
            .with_round_robin_tie_breaker(false)
            .build()?;
        let merged_rows = self.merged_rows.clone();
        let counted = merged.inspect_ok(move |batch| merged_rows.add(batch.num_rows()));
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), counted)))
    }
}
