//! From the call a person writes to the call the planner knows.
//!
//! `funnel(t, a, b, mode => $1, within => '7 days')` becomes `funnel(t, '7 days', named_struct('mode', $1), a, b)`.
//! Only names and words that stand in the statement are judged here, with their place; nothing is evaluated.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName, ObjectNamePart, Select, SelectItem, Statement,
    Subscript, TableFactor, Value, VisitMut, VisitorMut,
};

use super::arguments::{Argument, NamedOption, argument, check, location, option_name};
use super::parameters;
use super::planner::takes_over;
use super::relations;
use crate::call;
use crate::doc::{FunctionDoc, FunctionKind};
use crate::error::{Location, UserError, sqlstate};

/// Rewrites every call of our functions in a statement, in place, and names unaliased calls as PostgreSQL does.
///
/// The fields of their records may be taken as in PostgreSQL, `(record).field`. Other statements are not changed. Doing
/// it twice changes nothing more.
///
/// # Errors
/// 42601 for options that are unknown or given twice, 22023 for unknown words, 0A000 for clauses without a meaning;
/// with the place in the statement.
pub fn rewrite(statement: &mut Statement) -> Result<(), UserError> {
    match statement.visit(&mut Rewriter) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

struct Rewriter;

impl VisitorMut for Rewriter {
    type Break = Box<UserError>;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        self.label(select);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Self::Break> {
        match relations::rewrite(factor) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(Box::new(error)),
        }
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        if let Expr::CompoundFieldAccess { access_chain, .. } = expr {
            access_chain.iter_mut().for_each(field_by_subscript);
        }
        let Expr::Function(call) = expr else { return ControlFlow::Continue(()) };
        let Some(function) = self.find(&call.name) else { return ControlFlow::Continue(()) };
        match rewrite_call(function, call) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(Box::new(error)),
        }
    }
}

impl Rewriter {
    fn find(&self, name: &ObjectName) -> Option<&'static FunctionDoc> {
        let [ObjectNamePart::Identifier(name)] = name.0.as_slice() else { return None };
        call::find(&option_name(name))
    }

    /// Labels `SELECT funnel(...)` as `funnel`, unless another column of the list has that name already.
    fn label(&self, select: &mut Select) {
        let mut taken: Vec<String> = select.projection.iter().filter_map(column_name).collect();
        for item in &mut select.projection {
            let SelectItem::UnnamedExpr(expr @ Expr::Function(_)) = item else { continue };
            let Expr::Function(call) = &*expr else { continue };
            let Some(function) = self.find(&call.name) else { continue };
            if taken.iter().any(|name| name == function.name) {
                continue;
            }
            taken.push(function.name.to_string());
            let expr = std::mem::replace(expr, Expr::value(Value::Null));
            *item = SelectItem::ExprWithAlias { expr, alias: Ident::new(function.name) };
        }
    }
}

/// `(record).field`, as PostgreSQL writes it, becomes `(record)['field']`, as DataFusion reads it.
fn field_by_subscript(access: &mut AccessExpr) {
    if let AccessExpr::Dot(Expr::Identifier(field)) = access {
        *access = AccessExpr::Subscript(Subscript::Index { index: text(&option_name(field)) });
    }
}

fn column_name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(option_name(name)),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names)) => names.last().map(option_name),
        SelectItem::ExprWithAlias { alias, .. } => Some(option_name(alias)),
        _ => None,
    }
}

fn rewrite_call(function: &'static FunctionDoc, call: &mut Function) -> Result<(), UserError> {
    let position = call.name.0.first().and_then(|part| part.as_ident()).and_then(|name| location(name.span.start));
    match function.kind {
        FunctionKind::Aggregate | FunctionKind::AggregateOrWindow => refuse_clauses(function, call, position)?,
        FunctionKind::Window if call.over.is_none() => return Err(needs_over(function).at(position)),
        FunctionKind::Relation => return Err(stands_in_from(function).at(position)),
        FunctionKind::Scalar => refuse_clauses_of_sets(function, call, position)?,
        FunctionKind::Window => {}
    }
    let FunctionArguments::List(list) = &mut call.args else { return Ok(()) };
    let (mut options, mut positional) = (vec![], vec![]);
    for arg in std::mem::take(&mut list.args) {
        match argument(arg) {
            Argument::Named(option) => options.push(*option),
            Argument::Positional(arg) => positional.push(*arg),
        }
    }
    check(function, &options)?;
    if function.kind == FunctionKind::Scalar {
        parameters::give_types(function, &mut positional, &mut options);
    }
    list.args = canonical(function, positional, options);
    Ok(())
}

/// Positional arguments with the named ones among them, the options as one struct after the last argument that is not
/// repeated, in the order of the catalogue.
fn canonical(function: &FunctionDoc, positional: Vec<FunctionArg>, mut options: Vec<NamedOption>) -> Vec<FunctionArg> {
    let mut args = positional;
    let mut take = |name: &str| {
        let index = options.iter().position(|option| option_name(&option.name) == name)?;
        Some(options.swap_remove(index).value)
    };
    let fixed = function.arguments.iter().filter(|argument| !argument.is_variadic);
    let fixed_count = fixed.clone().count();
    for (index, argument) in fixed.enumerate() {
        if let Some(value) = take(argument.name) {
            args.insert(index.min(args.len()), unnamed(value));
        }
    }
    let fields: Vec<FunctionArg> = function
        .options
        .iter()
        .filter_map(|option| Some((option.name, take(option.name)?)))
        .flat_map(|(name, value)| [unnamed(text(name)), unnamed(tuple_as_struct(value))])
        .collect();
    if !fields.is_empty() {
        args.insert(fixed_count.min(args.len()), unnamed(named_struct(fields)));
    }
    args
}

fn needs_over(function: &FunctionDoc) -> UserError {
    UserError::new(sqlstate::WRONG_OBJECT_TYPE, format!("{} is a window function: it needs OVER", function.name))
        .with_hint(format!("Write {}(...) OVER (PARTITION BY user_id ORDER BY event_time).", function.name))
}

fn stands_in_from(function: &FunctionDoc) -> UserError {
    UserError::new(sqlstate::WRONG_OBJECT_TYPE, format!("{} is a relation: it stands in FROM", function.name))
        .with_hint(format!("Write SELECT * FROM {}(events, ...).", function.name))
}

/// A scalar function sees one row: what speaks of several is a mistake, in PostgreSQL's words for it.
fn refuse_clauses_of_sets(
    function: &FunctionDoc,
    call: &Function,
    position: Option<Location>,
) -> Result<(), UserError> {
    let has_clauses = matches!(&call.args, FunctionArguments::List(list)
        if list.duplicate_treatment.is_some() || !list.clauses.is_empty());
    let clause = if call.over.is_some() {
        "OVER"
    } else if call.filter.is_some() {
        "FILTER"
    } else if !call.within_group.is_empty() {
        "WITHIN GROUP"
    } else if call.null_treatment.is_some() {
        "IGNORE or RESPECT NULLS"
    } else if has_clauses {
        "DISTINCT or ORDER BY"
    } else {
        return Ok(());
    };
    let message = format!("{clause} specified, but {} is a function of one row", function.name);
    Err(UserError::new(sqlstate::WRONG_OBJECT_TYPE, message).at(position))
}

fn refuse_clauses(function: &FunctionDoc, call: &Function, position: Option<Location>) -> Result<(), UserError> {
    let refused = |what: &str, hint: &str| {
        let message = format!("{} takes no {what}", function.name);
        Err(UserError::new(sqlstate::FEATURE_NOT_SUPPORTED, message).with_hint(hint).at(position))
    };
    if call.over.is_some() {
        return match takes_over(function.kind) {
            true => Ok(()),
            false => Err(call::refuse_over(function.name).at(position)),
        };
    }
    const ORDERS: &str = "It orders a user's events by event_time itself.";
    if !call.within_group.is_empty() {
        return refused("WITHIN GROUP", ORDERS);
    }
    if call.null_treatment.is_some() {
        return refused("IGNORE or RESPECT NULLS", "A NULL time drops the row, a NULL condition is false.");
    }
    let FunctionArguments::List(list) = &call.args else { return Ok(()) };
    if list.duplicate_treatment == Some(DuplicateTreatment::Distinct) {
        return refused("DISTINCT", "Equal events count as often as they happened; remove doubles in a subquery.");
    }
    match list.clauses.first() {
        None => Ok(()),
        Some(FunctionArgumentClause::OrderBy(_)) => refused("ORDER BY", ORDERS),
        Some(clause) => refused(&clause.to_string(), "FILTER (WHERE ...) selects rows."),
    }
}

fn unnamed(value: Expr) -> FunctionArg {
    FunctionArg::Unnamed(FunctionArgExpr::Expr(value))
}

fn text(text: &str) -> Expr {
    Expr::value(Value::SingleQuotedString(text.to_string()))
}

fn named_struct(args: Vec<FunctionArg>) -> Expr {
    function("named_struct", args)
}

/// `(a = 1, b = 2)` as the planner takes it: a tuple may hold no conditions.
pub(super) fn tuple_as_struct(value: Expr) -> Expr {
    match value {
        Expr::Tuple(values) => function("struct", values.into_iter().map(unnamed).collect()),
        value => value,
    }
}

fn function(name: &str, args: Vec<FunctionArg>) -> Expr {
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: vec![] }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    })
}
