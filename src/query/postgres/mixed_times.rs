//! Wall times where instants are too, outside of comparisons: the results of CASE, the arguments of COALESCE, GREATEST
//! and their like, the branches of UNION, the two sides of IN, and of joins by equal columns.
//!
//! PostgreSQL makes instants of them, each the one that the wall time means in the session's zone. The planner would take
//! them for times of UTC, or the whole for a wall time. Types change with it, so this is done before a plan's columns are
//! read.

use std::cell::Cell;
use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Cast, InSubquery};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, Join, LogicalPlan, LogicalPlanBuilder, Union};

use super::functions::{TimeFunction, instant_type};
use super::instants::{brought_to, in_micros, is_instant, is_wall};

/// Functions whose arguments are of one type, which is that of their answer.
const OF_ONE_TYPE: [&str; 6] = ["coalesce", "greatest", "least", "nvl", "ifnull", "make_array"];

/// The plan with instants in place of wall times that stand beside them.
pub fn unify(plan: LogicalPlan) -> Result<LogicalPlan> {
    let has_changed = Cell::new(false);
    let unified = plan.transform_up_with_subqueries(|node| {
        let schema = merge_schema(&node.inputs());
        let names = NamePreserver::new(&node);
        let node = node.map_expressions(|expr| {
            let name = names.save(&expr);
            let expr = expr.transform_up(|expr| unify_expr(expr, &schema))?;
            Ok(expr.update_data(|expr| name.restore(expr)))
        })?;
        let node = node.transform_data(|node| match node {
            LogicalPlan::Union(union) => unify_branches(union, has_changed.get()),
            LogicalPlan::Join(join) => unify_keys(join),
            other => Ok(Transformed::no(other)),
        })?;
        has_changed.set(has_changed.get() || node.transformed);
        // What is below may have other types now.
        if has_changed.get() { node.map_data(LogicalPlan::recompute_schema) } else { Ok(node) }
    })?;
    Ok(unified.data)
}

fn unify_expr(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expr {
        Expr::Case(mut case) => {
            let results = case.when_then_expr.iter_mut().map(|(_, then)| then.as_mut());
            let changed = unify_all(results.chain(case.else_expr.as_deref_mut()).collect(), schema);
            Ok(Transformed::new_transformed(Expr::Case(case), changed))
        }
        Expr::ScalarFunction(mut call) if OF_ONE_TYPE.contains(&call.func.name()) => {
            let changed = unify_all(call.args.iter_mut().collect(), schema);
            Ok(Transformed::new_transformed(Expr::ScalarFunction(call), changed))
        }
        Expr::InSubquery(InSubquery { mut expr, mut subquery, negated }) => {
            let own = expr.get_type(schema).ok();
            let of_rows = subquery.subquery.schema().fields().first().map(|field| field.data_type().clone());
            let (Some(own), Some(of_rows)) = (own, of_rows) else {
                return Ok(Transformed::no(Expr::InSubquery(InSubquery { expr, subquery, negated })));
            };
            let changed = if is_wall(&own) && is_instant(&of_rows) {
                *expr = instant_of(std::mem::take(expr.as_mut()), &of_rows);
                true
            } else if is_instant(&own) && is_wall(&of_rows) {
                subquery.subquery = with_instants(&subquery.subquery, &[Some(own)])?;
                true
            } else {
                false
            };
            Ok(Transformed::new_transformed(Expr::InSubquery(InSubquery { expr, subquery, negated }), changed))
        }
        other => Ok(Transformed::no(other)),
    }
}

/// Makes instants of all wall times, and of constant texts, if one is an instant; whether there was anything to do.
fn unify_all(mut operands: Vec<&mut Expr>, schema: &DFSchema) -> bool {
    // What cannot be resolved here fails where it is planned.
    let types: Vec<Option<DataType>> = operands.iter().map(|operand| operand.get_type(schema).ok()).collect();
    let Some(instant) = types.iter().flatten().find(|data_type| is_instant(data_type)) else { return false };
    let mut changed = false;
    for (operand, own) in operands.iter_mut().zip(&types) {
        let is_text = matches!(&**operand, Expr::Literal(value, _) if value.try_as_str().flatten().is_some());
        if is_text {
            **operand = Expr::Cast(Cast::new(Box::new(std::mem::take(*operand)), in_micros(instant)));
            changed = true;
        } else if own.as_ref().is_some_and(is_wall) {
            **operand = instant_of(std::mem::take(*operand), instant);
            changed = true;
        }
    }
    changed
}

/// The instant of a wall time in the session's zone, as a value of the type that others have.
fn instant_of(wall: Expr, other: &DataType) -> Expr {
    brought_to(TimeFunction::Instant.udf().call(vec![wall]), &instant_type(), &in_micros(other))
}

/// Columns of a UNION that are instants in one branch are instants in all.
fn unify_branches(union: Union, has_changed: bool) -> Result<Transformed<LogicalPlan>> {
    let types =
        |input: &LogicalPlan, place: usize| input.schema().fields().get(place).map(|field| field.data_type().clone());
    let instants: Vec<Option<DataType>> = (0..union.schema.fields().len())
        .map(|place| union.inputs.iter().filter_map(|input| types(input, place)).find(is_instant))
        .collect();
    let is_mixed = |input: &LogicalPlan| {
        let mut places = instants.iter().enumerate();
        places.any(|(place, instant)| instant.is_some() && types(input, place).is_some_and(|own| is_wall(&own)))
    };
    let mixed = union.inputs.iter().any(|input| is_mixed(input));
    if !mixed && !has_changed {
        return Ok(Transformed::no(LogicalPlan::Union(union)));
    }
    let branch = |input: &Arc<LogicalPlan>| {
        if is_mixed(input) { with_instants(input, &instants) } else { Ok(Arc::clone(input)) }
    };
    let inputs = union.inputs.iter().map(branch).collect::<Result<Vec<_>>>()?;
    Ok(Transformed::yes(LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?)))
}

/// The plan with its wall times made instants in the places that are named.
fn with_instants(plan: &Arc<LogicalPlan>, instants: &[Option<DataType>]) -> Result<Arc<LogicalPlan>> {
    let columns = plan.schema().iter().enumerate().map(|(place, (qualifier, field))| {
        let column = Expr::from((qualifier, field));
        match instants.get(place).and_then(Option::as_ref) {
            Some(instant) if is_wall(field.data_type()) => {
                instant_of(column, instant).alias_qualified(qualifier.cloned(), field.name())
            }
            _ => column,
        }
    });
    let columns: Vec<Expr> = columns.collect();
    LogicalPlanBuilder::from(Arc::clone(plan)).project(columns)?.build().map(Arc::new)
}

/// INTERSECT, EXCEPT and USING compare columns in pairs.
fn unify_keys(mut join: Join) -> Result<Transformed<LogicalPlan>> {
    let mut changed = false;
    for (left, right) in &mut join.on {
        let types = (left.get_type(join.left.schema()), right.get_type(join.right.schema()));
        let (Ok(left_type), Ok(right_type)) = types else { continue };
        if is_wall(&left_type) && is_instant(&right_type) {
            *left = instant_of(std::mem::take(left), &right_type);
            changed = true;
        } else if is_instant(&left_type) && is_wall(&right_type) {
            *right = instant_of(std::mem::take(right), &left_type);
            changed = true;
        }
    }
    Ok(Transformed::new_transformed(LogicalPlan::Join(join), changed))
}
