//! Rows of the lists that users are answered with.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, RecordBatchOptions, UInt32Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{NullHandling, Result, internal_datafusion_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};
use futures::stream::{self, StreamExt};

/// Makes a row of every item of one column of lists, and repeats the other columns beside it.
///
/// An unnest copies every item, of any number of columns of lists. The lists of an answer lie one after the other in one
/// array, which is already the column that is wanted.
#[derive(Debug)]
pub(super) struct FlattenExec {
    input: Arc<dyn ExecutionPlan>,
    /// The column of lists.
    lists: usize,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl FlattenExec {
    /// In place of an unnest that does nothing else; `None` for one that does.
    pub fn of(unnest: &UnnestExec) -> Option<Self> {
        let [lists] = unnest.list_column_indices() else { return None };
        let is_plain = lists.depth == 1
            && unnest.struct_column_indices().is_empty()
            && unnest.options().null_handling == NullHandling::Drop;
        let is_list = unnest.input().schema().field(lists.index_in_input_schema).data_type().is_list();
        (is_plain && is_list).then(|| Self {
            input: Arc::clone(unnest.input()),
            lists: lists.index_in_input_schema,
            properties: Arc::clone(unnest.properties()),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }
}

impl DisplayAs for FlattenExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        match format {
            DisplayFormatType::TreeRender => Ok(()),
            _ => write!(f, "FlattenExec"),
        }
    }
}

impl ExecutionPlan for FlattenExec {
    fn name(&self) -> &str {
        "FlattenExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
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
            return Err(internal_datafusion_err!("FlattenExec has one input"));
        };
        let properties = Arc::clone(&self.properties);
        Ok(Arc::new(Self { input, lists: self.lists, properties, metrics: ExecutionPlanMetricsSet::new() }))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (lists, schema) = (self.lists, self.schema());
        let batch_rows = context.session_config().batch_size();
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let input = self.input.execute(partition, context)?;
        let batches = input.flat_map(move |batch| {
            let timer = metrics.elapsed_compute().timer();
            let rows = batch.and_then(|batch| flattened(&batch, lists, &schema));
            timer.done();
            let batches = match rows {
                Ok(rows) => parts(&rows.record_output(&metrics), batch_rows).map(Ok).collect::<Vec<_>>(),
                Err(error) => vec![Err(error)],
            };
            stream::iter(batches)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// A batch in batches of some rows.
fn parts(rows: &RecordBatch, batch_rows: usize) -> impl Iterator<Item = RecordBatch> {
    let starts = (0..rows.num_rows()).step_by(batch_rows.max(1));
    starts.map(move |start| rows.slice(start, batch_rows.min(rows.num_rows() - start)))
}

/// A row of every item of `lists`; a list that is empty or NULL has none.
fn flattened(batch: &RecordBatch, lists: usize, schema: &SchemaRef) -> Result<RecordBatch> {
    let list = batch.column(lists).as_list_opt::<i32>();
    let list = list.ok_or_else(|| internal_datafusion_err!("FlattenExec is for lists"))?;
    let items = items(list)?;
    let mut rows = Vec::new();
    if batch.num_columns() > 1 {
        rows.reserve(items.len());
        for (row, length) in (0..).zip(list.offsets().lengths()) {
            if list.is_valid(row as usize) {
                rows.extend(std::iter::repeat_n(row, length));
            }
        }
    }
    let (rows, options) = (UInt32Array::from(rows), RecordBatchOptions::new().with_row_count(Some(items.len())));
    let columns = batch.columns().iter().enumerate().map(|(index, column)| match index == lists {
        true => Ok(Arc::clone(&items)),
        false => take(column, &rows, None),
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}

/// The items of all lists, one list after the other.
fn items(lists: &ListArray) -> Result<ArrayRef> {
    let offsets = lists.value_offsets();
    let is_hidden = |row: usize| lists.is_null(row) && offsets[row] < offsets[row + 1];
    if lists.null_count() > 0 && (0..lists.len()).any(is_hidden) {
        // Items under a NULL are there and belong to nobody.
        let shown = (0..lists.len()).filter(|&row| lists.is_valid(row)).flat_map(|row| offsets[row]..offsets[row + 1]);
        let shown = shown.map(|item| item as u32).collect::<Vec<_>>();
        return Ok(take(lists.values(), &UInt32Array::from(shown), None)?);
    }
    let (first, last) = (offsets[0] as usize, offsets[lists.len()] as usize);
    Ok(lists.values().slice(first, last - first))
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{Int64Array, StringArray};
    use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
    use datafusion::arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    #[test]
    fn items_under_a_null_and_before_a_slice_are_left_out() {
        let item = Arc::new(Field::new_list_field(DataType::Int64, true));
        let values: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4, 5, 6]));
        for (nulls, expected) in [
            (None, vec![(2, "b"), (3, "b"), (4, "d"), (5, "d")]),
            (Some(vec![true, true, true, false, true]), vec![(2, "b"), (3, "b")]),
            (Some(vec![true, true, false, true, true]), vec![(2, "b"), (3, "b"), (4, "d"), (5, "d")]),
        ] {
            let offsets = OffsetBuffer::new(vec![0, 1, 3, 3, 5, 6].into());
            let lists = ListArray::new(Arc::clone(&item), offsets, Arc::clone(&values), nulls.map(NullBuffer::from));
            let names: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c", "d", "e"]));
            let lists: ArrayRef = Arc::new(lists);
            let batch = RecordBatch::try_from_iter([("lists", lists), ("name", names)]).unwrap().slice(1, 3);
            let fields = [("item", DataType::Int64), ("name", DataType::Utf8)];
            let fields = fields.map(|(name, data_type)| Field::new(name, data_type, true));
            let rows = flattened(&batch, 0, &Arc::new(Schema::new(fields.to_vec()))).unwrap();
            let (items, names): (Vec<i64>, Vec<&str>) = expected.into_iter().unzip();
            assert_eq!(rows.column(0).as_ref(), &Int64Array::from(items));
            assert_eq!(rows.column(1).as_ref(), &StringArray::from(names));
            let sizes = parts(&rows, 3).map(|part| part.num_rows()).collect::<Vec<_>>();
            assert_eq!(sizes.iter().sum::<usize>(), rows.num_rows());
            assert!(sizes.iter().all(|&size| size <= 3));
        }
    }
}
