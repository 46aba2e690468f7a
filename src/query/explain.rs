//! EXPLAIN as psql shows it: one column, a line of the plan in each row.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema};

use crate::error::{Error, Result, SqlState};

/// Turns DataFusion's (plan_type, plan) rows into lines.
///
/// Plain EXPLAIN shows the plan that runs; VERBOSE shows every stage under its name.
pub fn lines(batch: &RecordBatch, verbose: bool) -> Result<RecordBatch> {
    let text = |index: usize| -> Result<ArrayRef> {
        let column = batch.columns().get(index).ok_or_else(|| unexpected("a column is missing"))?;
        cast(column, &DataType::Utf8).map_err(|e| unexpected(&e.to_string()))
    };
    let (kinds, plans) = (text(0)?, text(1)?);
    let (kinds, plans) = (kinds.as_string::<i32>(), plans.as_string::<i32>());
    let mut lines = vec![];
    for (kind, plan) in kinds.iter().zip(plans.iter()) {
        let (kind, plan) = (kind.unwrap_or_default(), plan.unwrap_or_default());
        if verbose {
            lines.push(format!("{kind}:"));
            lines.extend(plan.lines().map(|line| format!("  {line}")));
        } else if kind != "logical_plan" {
            lines.extend(plan.lines().map(str::to_owned));
        }
    }
    let schema = Schema::new(vec![Field::new("QUERY PLAN", DataType::Utf8, false)]);
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(StringArray::from(lines))])
        .map_err(|e| unexpected(&e.to_string()))
}

fn unexpected(what: &str) -> Error {
    Error::new(SqlState::INTERNAL_ERROR, format!("EXPLAIN gave an unexpected shape: {what}"))
}
