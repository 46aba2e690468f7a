//! The operator that makes the rows of a series.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{Distribution, EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::{StreamExt, stream};

use super::super::functions::session_zone;
use super::super::times::Zone;
use super::runs::Run;

/// Makes the series of each row of its input, one after the other, in batches of the session's size.
#[derive(Debug)]
pub struct SeriesExec {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl SeriesExec {
    /// Over rows of arguments; the schema has the values and maybe their numbers.
    pub fn new(input: Arc<dyn ExecutionPlan>, schema: SchemaRef) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let properties = Arc::new(properties.with_scheduling_type(SchedulingType::Cooperative));
        Self { input, properties, metrics: ExecutionPlanMetricsSet::new() }
    }
}

impl DisplayAs for SeriesExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        match format {
            DisplayFormatType::TreeRender => Ok(()),
            _ => f.write_str("SeriesExec"),
        }
    }
}

impl ExecutionPlan for SeriesExec {
    fn name(&self) -> &str {
        "SeriesExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition])
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (Some(input), true) = (children.pop(), children.is_empty()) else {
            return datafusion::common::internal_err!("SeriesExec has one input");
        };
        Ok(Arc::new(Self::new(input, self.schema())))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let batch_rows = context.session_config().batch_size().max(1);
        let zone = session_zone(context.session_config().options());
        let schema = self.schema();
        let arguments = self.input.execute(partition, context)?;
        let made = Making { arguments, batch: None, row: 0, zone, run: None, numbered: 0 };
        let batches = stream::try_unfold((made, Arc::clone(&schema)), move |(mut made, schema)| {
            let metrics = metrics.clone();
            async move {
                let batch = made.next(batch_rows, &schema).await?;
                Ok(batch.map(|batch| (batch.record_output(&metrics), (made, schema))))
            }
        });
        Ok(Box::pin(cooperative(RecordBatchStreamAdapter::new(schema, batches.boxed()))))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// How far the rows are made.
struct Making {
    arguments: SendableRecordBatchStream,
    batch: Option<RecordBatch>,
    /// The row of the batch whose series is next.
    row: usize,
    zone: Zone,
    run: Option<Run>,
    /// How many rows the series that runs has given.
    numbered: i64,
}

impl Making {
    async fn next(&mut self, most: usize, schema: &SchemaRef) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(run) = &mut self.run {
                let values = run.take(most, schema.field(0).data_type())?;
                if !values.is_empty() {
                    return self.numbered(values, schema).map(Some);
                }
                self.run = None;
            }
            let Some(batch) = self.batch.as_ref().filter(|batch| self.row < batch.num_rows()) else {
                (self.batch, self.row) = (self.arguments.next().await.transpose()?, 0);
                match self.batch {
                    Some(_) => continue,
                    None => return Ok(None),
                }
            };
            self.run = Run::of(batch, self.row, self.zone)?;
            self.numbered = 0;
            self.row += 1;
        }
    }

    fn numbered(&mut self, values: ArrayRef, schema: &SchemaRef) -> Result<RecordBatch> {
        let first = self.numbered + 1;
        self.numbered += values.len() as i64;
        let mut columns = vec![values];
        if schema.fields().len() > 1 {
            columns.push(Arc::new(Int64Array::from_iter_values(first..=self.numbered)));
        }
        Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
    }
}
