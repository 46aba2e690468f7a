//! Groups of intervals: GROUP BY and DISTINCT.
//!
//! Intervals that are as long make one group, which shows one of them: the one of fewest months, then of fewest days,
//! whatever the order of rows (PostgreSQL shows the first that it met). Of lists and records of intervals, which are
//! rarer still, it is the first that was met.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::functions_aggregate::expr_fn::first_value;
use datafusion::logical_expr::expr::{AggregateFunction, GroupingSet};
use datafusion::logical_expr::logical_plan::{Aggregate, Distinct};
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Projection, when};

use super::super::functions::{INTERVAL, holds_interval, interval_extreme, interval_order};

/// Rows that are as long are the same row.
pub fn distinct(input: Arc<LogicalPlan>) -> Result<Transformed<LogicalPlan>> {
    if !input.schema().fields().iter().any(|field| holds_interval(field.data_type())) {
        return Ok(Transformed::no(LogicalPlan::Distinct(Distinct::All(input))));
    }
    let columns = input.schema().columns().into_iter().map(Expr::Column).collect();
    aggregate(Aggregate::try_new(input, columns, vec![])?)
}

/// Groups by lengths, and shows an interval of each group.
pub fn aggregate(aggregate: Aggregate) -> Result<Transformed<LogicalPlan>> {
    let schema = aggregate.input.schema();
    let keys = grouping_set_to_exprlist(&aggregate.group_expr)?;
    let mut measured = Vec::new();
    for (position, key) in keys.into_iter().enumerate() {
        let data_type = key.get_type(schema)?;
        if holds_interval(&data_type) {
            let shown = match data_type {
                INTERVAL => Expr::AggregateFunction(AggregateFunction::new_udf(
                    interval_extreme(false),
                    vec![key.clone().unalias()],
                    false,
                    None,
                    vec![],
                    None,
                )),
                _ => first_value(key.clone().unalias(), vec![]),
            };
            measured.push(Measured {
                key: key.clone(),
                position,
                length: Column::from_name(format!("__interval_{position}")),
                shown: shown.alias(format!("__interval_of_{position}")),
            });
        }
    }
    if measured.is_empty() {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    }
    let lengths = measured.iter().map(|group| {
        let length = interval_order().call(vec![group.key.clone().unalias()]);
        length.alias(&group.length.name)
    });
    let columns = schema.columns().into_iter().map(Expr::Column).chain(lengths).collect();
    let input = Projection::try_new(columns, Arc::clone(&aggregate.input))?;
    let shown = measured.iter().map(|group| group.shown.clone());
    let grouped = Aggregate::try_new(
        Arc::new(LogicalPlan::Projection(input)),
        by_length(aggregate.group_expr.clone(), &measured),
        aggregate.aggr_expr.iter().cloned().chain(shown).collect(),
    )?;
    let output = shown_columns(&aggregate, &grouped, &measured)?;
    let grouped = Arc::new(LogicalPlan::Aggregate(grouped));
    Ok(Transformed::yes(LogicalPlan::Projection(Projection::try_new(output, grouped)?)))
}

/// An interval that rows are grouped by.
struct Measured {
    key: Expr,
    /// Where it is among the keys, and so among the columns of the answer.
    position: usize,
    /// The column of its length.
    length: Column,
    /// The aggregate that answers what the group shows.
    shown: Expr,
}

/// The keys of GROUP BY with lengths in the places of intervals.
fn by_length(keys: Vec<Expr>, measured: &[Measured]) -> Vec<Expr> {
    let replace = |key: Expr| match measured.iter().find(|group| group.key == key) {
        Some(group) => Expr::Column(group.length.clone()),
        None => key,
    };
    let replace_all = |keys: Vec<Expr>| keys.into_iter().map(replace).collect::<Vec<Expr>>();
    match <[Expr; 1]>::try_from(keys) {
        Ok([Expr::GroupingSet(sets)]) => vec![Expr::GroupingSet(match sets {
            GroupingSet::Rollup(keys) => GroupingSet::Rollup(replace_all(keys)),
            GroupingSet::Cube(keys) => GroupingSet::Cube(replace_all(keys)),
            GroupingSet::GroupingSets(sets) => GroupingSet::GroupingSets(sets.into_iter().map(replace_all).collect()),
        })],
        Ok([key]) => vec![replace(key)],
        Err(keys) => replace_all(keys),
    }
}

/// The columns of the aggregation as it was, from those of the one that groups by lengths.
fn shown_columns(aggregate: &Aggregate, grouped: &Aggregate, measured: &[Measured]) -> Result<Vec<Expr>> {
    let first_shown = aggregate.schema.fields().len();
    let column = |position: usize| Expr::Column(Column::from(grouped.schema.qualified_field(position)));
    let fields = aggregate.schema.iter().enumerate();
    let columns = fields.map(|(position, (qualifier, field))| {
        let shown = measured.iter().position(|group| group.position == position);
        let expr = match shown {
            // A key that a grouping set leaves out is NULL, whatever intervals its rows have.
            Some(index) => when(column(position).is_not_null(), column(first_shown + index)).end()?,
            None => column(position),
        };
        Ok(expr.alias_qualified(qualifier.cloned(), field.name()))
    });
    columns.collect()
}
