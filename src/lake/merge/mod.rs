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
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning,
    PlanProperties, ReplaceChildrenOptions,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::arrange::{Merging, range_partitioning};

mod runs;

pub(super) use self::runs::merge_sorted;

/// Merges layers of files by user and time, stretch by stretch.
///
/// Each layer is a scan with a partition for each stretch, sorted by the keys. A partition of the output is its
/// stretches one after the other: those of one layer as they come, the others merged. Of rows that are equal in user
/// and time, those of the earlier layer come first. Memory: a batch or two of each layer of a stretch, which the statement's
/// pool grants.
///
/// Filters and projections go below it, so that rows which nobody wants are not merged; the keys are read in any case.
/// Where nobody asks for the order, the layers of a stretch are read one after the other, and need no keys.
#[derive(Debug)]
pub(super) struct BucketMergeExec {
    layers: Vec<Arc<dyn ExecutionPlan>>,
    by: By,
    merging: Arc<Merging>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// How the rows of a stretch are brought together.
#[derive(Clone, Debug)]
enum By {
    /// Merged by user and time.
    Sorted(LexOrdering),
    /// As they come. The user, if it is among the columns.
    Unordered { user: Option<PhysicalSortExpr> },
}

impl By {
    fn user(&self) -> Option<&PhysicalSortExpr> {
        match self {
            Self::Sorted(keys) => Some(keys.first()),
            Self::Unordered { user } => user.as_ref(),
        }
    }

    fn order(&self) -> Option<&LexOrdering> {
        match self {
            Self::Sorted(keys) => Some(keys),
            Self::Unordered { .. } => None,
        }
    }

    fn keys(&self) -> impl Iterator<Item = &PhysicalSortExpr> {
        let user = if self.order().is_none() { self.user() } else { None };
        self.order().into_iter().flatten().chain(user)
    }

    /// The same by other keys; `None` if these are none.
    fn with_keys(&self, keys: Vec<PhysicalSortExpr>) -> Option<Self> {
        match self {
            Self::Sorted(_) => LexOrdering::new(keys).map(Self::Sorted),
            Self::Unordered { .. } => Some(Self::Unordered { user: keys.into_iter().next() }),
        }
    }
}

impl BucketMergeExec {
    /// Over layers with a partition for each stretch of `merging`, each sorted by `keys`: user and time.
    pub(super) fn try_new(
        layers: Vec<Arc<dyn ExecutionPlan>>,
        keys: LexOrdering,
        merging: Arc<Merging>,
    ) -> Result<Self> {
        Self::try_by(layers, By::Sorted(keys), merging)
    }

    fn try_by(layers: Vec<Arc<dyn ExecutionPlan>>, by: By, merging: Arc<Merging>) -> Result<Self> {
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
            if let Some(keys) = by.order()
                && !layer.equivalence_properties().ordering_satisfy(keys.clone())?
            {
                return Err(internal_datafusion_err!("BucketMergeExec: a layer is not sorted by {keys}"));
            }
            if layer.schema().fields() != schema.fields() {
                return Err(internal_datafusion_err!("BucketMergeExec: layers have other columns"));
            }
        }
        let partitioning = by.user().and_then(|user| range_partitioning(user.clone(), &merging.points));
        let partitioning = partitioning.unwrap_or(Partitioning::UnknownPartitioning(merging.partitions.len()));
        let properties = PlanProperties::new(
            equivalences(&layers, &by, schema)?,
            partitioning,
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let metrics = ExecutionPlanMetricsSet::new();
        Ok(Self { layers, by, merging, properties: Arc::new(properties), metrics })
    }

    fn over(&self, layers: Vec<Arc<dyn ExecutionPlan>>) -> Result<Self> {
        Self::try_by(layers, self.by.clone(), Arc::clone(&self.merging))
    }

    /// The columns of a projection that goes below, with the keys that it lacks behind them, and the keys by these columns.
    /// `None` if it lacks a key that cannot be added.
    fn keys_below(&self, wanted: &[ProjectionExpr]) -> Option<(Vec<ProjectionExpr>, Vec<PhysicalSortExpr>)> {
        let (mut below, mut keys) = (wanted.to_vec(), Vec::new());
        for key in self.by.keys() {
            let place = match below.iter().position(|given| given.expr.eq(&key.expr)) {
                Some(place) => place,
                // Nobody needs it: it only says how rows are distributed.
                None if self.by.order().is_none() => continue,
                None => {
                    let name = key.expr.downcast_ref::<Column>()?.name();
                    // Filters look for columns by their names, so a name must not mean two.
                    if below.iter().any(|given| given.alias == name) {
                        return None;
                    }
                    below.push(ProjectionExpr::new(Arc::clone(&key.expr), name));
                    below.len() - 1
                }
            };
            keys.push(PhysicalSortExpr::new(Arc::new(Column::new(&below[place].alias, place)), key.options));
        }
        Some((below, keys))
    }

    /// The one stretch that a partition consists of, if it does.
    fn only_stretch(&self, partition: usize) -> Option<usize> {
        let stretches = self.merging.partitions.get(partition)?;
        (stretches.len() == 1).then_some(stretches.start)
    }
}

/// What is known of the rows of all layers together: their order, and columns that have one value in all of them.
fn equivalences(layers: &[Arc<dyn ExecutionPlan>], by: &By, schema: SchemaRef) -> Result<EquivalenceProperties> {
    let each = layers.iter().map(|layer| layer.equivalence_properties().clone()).collect();
    // A value that is not known may be another in each layer.
    let constants = calculate_union(each, Arc::clone(&schema))?.constants().into_iter();
    let constants =
        constants.filter(|constant| matches!(constant.across_partitions, AcrossPartitions::Uniform(Some(_))));
    let mut properties = EquivalenceProperties::new_with_orderings(schema, by.order().cloned());
    properties.add_constants(constants)?;
    Ok(properties)
}

impl DisplayAs for BucketMergeExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let Merging { generation_count, merged_range_count, .. } = *self.merging;
        let by = self.by.order().map_or_else(|| "none".to_owned(), |keys| format!("[{keys}]"));
        match format {
            DisplayFormatType::TreeRender => write!(f, "order={by}\ngenerations={generation_count}"),
            _ => write!(
                f,
                "BucketMergeExec: order={by}, generations={generation_count}, ranges={merged_range_count}, partitioning={}",
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
        vec![self.by.order().map(|keys| OrderingRequirements::from(keys.clone())); self.layers.len()]
    }

    /// It makes an order of its own. Were it said to keep one, sorts by more than the keys would go below it, and be
    /// undone by it.
    fn maintains_input_order(&self) -> Vec<bool> {
        vec![false; self.layers.len()]
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
        for key in self.by.keys() {
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
            by: self.by.clone(),
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
        if self.by.order().is_some() {
            count.add(self.merging.generation_count);
        }
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
        let Some((below, keys)) = self.keys_below(wanted) else { return Ok(None) };
        let Some(by) = self.by.with_keys(keys) else { return Ok(None) };
        let width = self.schema().fields().len();
        let is_computing = wanted.iter().any(|given| !given.expr.is::<Column>());
        if below.len() > width || (below.len() == width && !is_computing) {
            return Ok(None);
        }
        let schema = projection.schema();
        let shown = |exprs: Vec<ProjectionExpr>, input: &Arc<dyn ExecutionPlan>| {
            ProjectionExec::try_new_with_schema_metadata(exprs, Arc::clone(input), schema.as_ref())
        };
        let needs_keys = below.len() > wanted.len();
        let layers = self.layers.iter().map(|layer| -> Result<Arc<dyn ExecutionPlan>> {
            let below = below.clone();
            Ok(Arc::new(match needs_keys {
                true => ProjectionExec::try_new(below, Arc::clone(layer))?,
                false => shown(below, layer)?,
            }))
        });
        let merged = Self::try_by(layers.collect::<Result<_>>()?, by, Arc::clone(&self.merging))?;
        let merged: Arc<dyn ExecutionPlan> = Arc::new(merged);
        if !needs_keys {
            return Ok(Some(merged));
        }
        let without_keys = wanted.iter().enumerate().map(|(place, given)| {
            ProjectionExpr::new(Arc::new(Column::new(&given.alias, place)) as Arc<dyn PhysicalExpr>, &given.alias)
        });
        Ok(Some(Arc::new(shown(without_keys.collect(), &merged)?)))
    }

    fn with_preserve_order(&self, preserve_order: bool) -> Option<Arc<dyn ExecutionPlan>> {
        if preserve_order {
            return None;
        }
        let by = By::Unordered { user: self.by.user().cloned() };
        Some(Arc::new(Self::try_by(self.layers.clone(), by, Arc::clone(&self.merging)).ok()?))
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
            let left = pushed
                .parent_filters
                .iter()
                .filter(|filter| matches!(filter.child_results.get(place), None | Some(PushedDown::No)));
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
    by: By,
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
        let Some(keys) = self.by.order().filter(|_| streams.len() > 1) else {
            let rows = stream::iter(streams).flatten().map_ok(move |batch| batch.record_output(&metrics));
            return Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows)));
        };
        let consumer = MemoryConsumer::new(format!("BucketMergeExec[{}]", self.partition));
        let merged = merge_sorted(streams, Arc::clone(&self.schema), keys, metrics, consumer, &self.context);
        let merged_rows = self.merged_rows.clone();
        let counted = merged.inspect_ok(move |batch| merged_rows.add(batch.num_rows()));
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), counted)))
    }
}
