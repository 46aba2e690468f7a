//! Relations in FROM: `FROM attribution_touches(events, channel, ...)`.
//!
//! A call's first argument is a relation. Before planning, [`rewrite`] makes a query of it, so that tables, views and
//! CTEs are found as everywhere, and judges the names of the options. At planning, [`ReportPlanner`] plans that query,
//! finds the columns for users and times, and hands both to the function, which lowers itself to plain plans: the
//! optimizer, our rules and EXPLAIN see nothing special.
//!
//! Every other relation is planned as always, and then [`forget_repeated_keys`] goes over it, before the planner groups
//! its rows.

mod call;
mod input;

use std::cell::RefCell;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::sqlparser::ast::{FunctionArg, Ident, ObjectName, ObjectNamePart, TableFactor};

pub(crate) use call::RelationCall;
pub(super) use input::select_all;

use super::arguments::{Argument, argument, check, location, option_name};
use super::many_rows::forget_repeated_keys;
use crate::attribution;
use crate::doc::{FunctionDoc, FunctionKind};
use crate::error::{UserError, sqlstate};

/// A relation of ours: what is written about it, and how a call becomes a plan.
struct Relation {
    doc: &'static FunctionDoc,
    lower: fn(&mut RelationCall) -> Result<LogicalPlan>,
}

/// Every relation, in one line each.
const RELATIONS: [Relation; 1] = [Relation { doc: &attribution::TOUCHES, lower: attribution::lower_touches }];

/// The relation that a table factor calls, if it is ours.
fn called(name: &ObjectName) -> Option<(&'static FunctionDoc, &Ident)> {
    let [ObjectNamePart::Identifier(name)] = name.0.as_slice() else { return None };
    let wanted = option_name(name);
    let function = crate::call::find(&wanted)?;
    (function.kind == FunctionKind::Relation).then_some((function, name))
}

/// Makes a query of a call's first argument, and judges the names of its options; other table factors stay as they are.
///
/// # Errors
/// 42601 for a first argument that is no relation and for options that are unknown or given twice, 0A000 for clauses
/// that a relation of ours does not take; with the place in the statement.
pub(super) fn rewrite(factor: &mut TableFactor) -> Result<(), UserError> {
    if let TableFactor::Function { name, .. } = factor
        && let Some((function, name)) = called(name)
    {
        return Err(refused(function, "LATERAL").at(location(name.span.start)));
    }
    let TableFactor::Table { name, args: Some(args), with_ordinality, sample, version, .. } = factor else {
        return Ok(());
    };
    let Some((function, name)) = called(name) else { return Ok(()) };
    let place = location(name.span.start);
    let clauses =
        [(*with_ordinality, "WITH ORDINALITY"), (sample.is_some(), "TABLESAMPLE"), (version.is_some(), "AS OF")];
    if let Some((_, clause)) = clauses.into_iter().find(|(is_given, _)| *is_given) {
        return Err(refused(function, clause).at(place));
    }
    let Some(first) = args.args.first_mut() else { return Err(input::no_relation(function).at(place)) };
    input::make_query(function, first).map_err(|error| error.at(place))?;
    let mut options = vec![];
    for arg in &args.args {
        if let Argument::Named(option) = argument(arg.clone()) {
            options.push(*option);
        }
    }
    check(function, &options)
}

fn refused(function: &FunctionDoc, clause: &str) -> UserError {
    UserError::new(sqlstate::FEATURE_NOT_SUPPORTED, format!("{} takes no {clause}", function.name))
}

/// Plans calls of our relations.
#[derive(Debug)]
pub(super) struct ReportPlanner;

impl RelationPlanner for ReportPlanner {
    fn plan_relation(&self, factor: TableFactor, context: &mut dyn RelationPlannerContext) -> Result<RelationPlanning> {
        let relation = match &factor {
            TableFactor::Table { name, args: Some(_), .. } => called(name)
                .and_then(|(function, _)| RELATIONS.iter().find(|relation| relation.doc.name == function.name)),
            _ => None,
        };
        let (Some(relation), TableFactor::Table { args: Some(args), alias, .. }) = (relation, &factor) else {
            return plan_other(factor, context);
        };
        let args: Vec<FunctionArg> = args.args.clone();
        let plan = (relation.lower)(&mut RelationCall::new(relation.doc, args, context)?)?;
        let plan = forget_repeated_keys(plan)?.data;
        // As in PostgreSQL, a function in FROM is its own alias.
        let plan = match alias {
            Some(_) => plan,
            None => LogicalPlanBuilder::from(plan).alias(relation.doc.name)?.build()?,
        };
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias.clone()))))
    }
}

thread_local! {
    /// The relations that [`plan_other`] gave to the planner, which asks us about each once more.
    static GIVEN: RefCell<Vec<TableFactor>> = const { RefCell::new(vec![]) };
}

/// Plans a relation that is not ours, and forgets the keys that it repeats.
fn plan_other(factor: TableFactor, context: &mut dyn RelationPlannerContext) -> Result<RelationPlanning> {
    let (is_asked_again, given) =
        GIVEN.with_borrow_mut(|given| (given.pop_if(|given| *given == factor).is_some(), given.len()));
    if is_asked_again {
        return Ok(RelationPlanning::Original(Box::new(factor)));
    }
    GIVEN.with_borrow_mut(|given| given.push(factor.clone()));
    let plan = context.plan(factor);
    GIVEN.with_borrow_mut(|all| all.truncate(given));
    // The alias is part of the plan by now.
    Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(forget_repeated_keys(plan?)?.data, None))))
}

/// The planner, to register in a session.
pub(super) fn planner() -> Arc<dyn RelationPlanner> {
    Arc::new(ReportPlanner)
}
