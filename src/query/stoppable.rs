//! Plans that can be stopped: operators that loop for long inside one poll look at the token.
//!
//! Dropping a stream stops an operator at its next await. A nested loop join may compare
//! millions of pairs before it has a batch to give, so its condition does the looking.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::{DataFusionError, Result as PlanResult};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{CrossJoinExec, NestedLoopJoinExec};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, SqlState};

/// Makes the loops of a plan look at `token`, and its joins yield between batches.
pub(super) fn stoppable(plan: Arc<dyn ExecutionPlan>, token: &CancellationToken) -> PlanResult<Arc<dyn ExecutionPlan>> {
    let transformed = plan.transform_up(|node| {
        if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() {
            let checked = match join.filter() {
                Some(filter) => Arc::new(with_check(join, filter, token)?) as Arc<dyn ExecutionPlan>,
                None => node,
            };
            return Ok(Transformed::yes(Arc::new(CooperativeExec::new(checked)) as _));
        }
        if node.downcast_ref::<CrossJoinExec>().is_some() {
            return Ok(Transformed::yes(Arc::new(CooperativeExec::new(node)) as _));
        }
        Ok(Transformed::no(node))
    })?;
    Ok(transformed.data)
}

fn with_check(
    join: &NestedLoopJoinExec,
    filter: &JoinFilter,
    token: &CancellationToken,
) -> PlanResult<NestedLoopJoinExec> {
    let condition = Arc::new(Checked { inner: Arc::clone(filter.expression()), token: token.clone() });
    let filter = JoinFilter::new(condition, filter.column_indices().to_vec(), Arc::clone(filter.schema()));
    NestedLoopJoinExec::try_new(
        Arc::clone(join.left()),
        Arc::clone(join.right()),
        Some(filter),
        join.join_type(),
        join.projection().as_ref().map(|columns| columns.to_vec()),
    )
}

/// A condition that fails once its statement was told to stop.
#[derive(Debug)]
struct Checked {
    inner: Arc<dyn PhysicalExpr>,
    token: CancellationToken,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl PartialEq for Checked {
    fn eq(&self, other: &Self) -> bool {
        self.inner.eq(&other.inner)
    }
}

impl Eq for Checked {}

impl Hash for Checked {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl PhysicalExpr for Checked {
    fn data_type(&self, schema: &Schema) -> PlanResult<DataType> {
        self.inner.data_type(schema)
    }

    fn nullable(&self, schema: &Schema) -> PlanResult<bool> {
        self.inner.nullable(schema)
    }

    fn return_field(&self, schema: &Schema) -> PlanResult<FieldRef> {
        self.inner.return_field(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> PlanResult<ColumnarValue> {
        if self.token.is_cancelled() {
            let stopped = Error::new(SqlState::QUERY_CANCELED, "the statement was stopped");
            return Err(DataFusionError::from(stopped));
        }
        self.inner.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.inner]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> PlanResult<Arc<dyn PhysicalExpr>> {
        let [inner] = children.as_slice() else {
            return Err(DataFusionError::Internal("a checked condition has one child".to_owned()));
        };
        Ok(Arc::new(Self { inner: Arc::clone(inner), token: self.token.clone() }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(f)
    }
}
