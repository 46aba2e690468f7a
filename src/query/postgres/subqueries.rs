//! Subqueries as values: correlated ones without an aggregate, and `ARRAY(SELECT ...)`.
//!
//! DataFusion plans a correlated scalar subquery if it is aggregated and its correlation is by equality.
//! So the value goes through `single_value`, which fails on a second row as PostgreSQL does; a condition on the outer
//! row alone moves out, into a CASE; and an outer column that equals a local one is replaced by it in other conditions.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, Distinct, Expr, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, GroupByExpr, Ident, LambdaFunction, LambdaFunctionParameter, LambdaSyntax,
    OneOrManyWithParens, OrderByKind, Query, Select, SelectItem, SetExpr, TableAlias, TableFactor, TableWithJoins,
    Value, Visit, VisitMut, Visitor, VisitorMut, helpers::attached_token::AttachedToken,
};

use super::ast::{all_of, call, conjuncts, constant, folded, is_aggregate, last_name, take};
use super::expressions::array_query;
use super::functions::{ARRAY_OR_EMPTY, SINGLE_VALUE};

/// Rewrites one subquery whose own parts have been rewritten.
pub fn rewrite_expr(expr: &mut Expr) {
    match expr {
        Expr::Subquery(query) => {
            if let Some(outer_conditions) = aggregate_correlated(query) {
                let subquery = take(expr);
                *expr = match all_of(outer_conditions) {
                    Some(condition) => when(condition, subquery),
                    None => subquery,
                };
            }
        }
        Expr::Function(function) if array_query(function).is_some() => {
            // Over no rows there is an array, and nothing in it.
            if let Some(mapped) =
                array_query(function).and_then(|query| map_of_elements(query).or_else(|| sorted_elements(query)))
            {
                *expr = call(ARRAY_OR_EMPTY, vec![mapped]);
            } else if let FunctionArguments::Subquery(query) = &mut function.args
                && collect_into_array(query)
            {
                let query = query.clone();
                *expr = call(ARRAY_OR_EMPTY, vec![Expr::Subquery(query)]);
            }
        }
        _ => {}
    }
}

fn when(condition: Expr, result: Expr) -> Expr {
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen { condition, result }],
        else_result: None,
    }
}

/// Makes a correlated subquery plannable. Returns the conditions on the outer row alone, to be asked outside;
/// `None` if the subquery is not correlated or not a plain SELECT, and stays as it is.
fn aggregate_correlated(query: &mut Query) -> Option<Vec<Expr>> {
    if query.with.is_some() || query.limit_clause.is_some() || query.fetch.is_some() {
        return None;
    }
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    let local = local_names(select);
    if !is_plain(select) || !refers_outside(select, &local) {
        return None;
    }
    let [SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. }] =
        select.projection.as_mut_slice()
    else {
        return None;
    };
    let inner = take(value);
    *value = call(SINGLE_VALUE, vec![inner]);
    // The order of one row says nothing, and the aggregate would not keep it.
    query.order_by = None;
    Some(separate_conditions(select, &local))
}

/// Whether a SELECT has neither groups, aggregates nor DISTINCT: its rows are rows of its tables.
fn is_plain(select: &Select) -> bool {
    let is_ungrouped = matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
    let is_distinct = !matches!(select.distinct, None | Some(Distinct::All));
    let has_aggregate = select.projection.iter().any(|item| {
        finds(item, |expr| {
            matches!(expr, Expr::Function(function)
                if last_name(&function.name).is_some_and(|name| is_aggregate(&name)))
        })
    });
    is_ungrouped && !is_distinct && !has_aggregate && select.having.is_none()
}

/// The names by which a SELECT's own tables are called.
fn local_names(select: &Select) -> Vec<String> {
    let mut names = Vec::new();
    for table in &select.from {
        push_names(table, &mut names);
    }
    names
}

fn push_names(table: &TableWithJoins, names: &mut Vec<String>) {
    let factors = std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation));
    for factor in factors {
        let (alias, name) = match factor {
            TableFactor::Table { name, alias, .. } => (alias, last_name(name)),
            TableFactor::Function { name, alias, .. } => (alias, last_name(name)),
            TableFactor::Derived { alias, .. } | TableFactor::UNNEST { alias, .. } => (alias, None),
            TableFactor::NestedJoin { table_with_joins, alias } => {
                push_names(table_with_joins, names);
                (alias, None)
            }
            _ => continue,
        };
        names.extend(alias.as_ref().map(|alias| folded(&alias.name)).or(name));
    }
}

/// Whether any column is qualified by a name that is none of the SELECT's tables.
fn refers_outside(select: &Select, local: &[String]) -> bool {
    select.projection.iter().any(|item| finds(item, |expr| is_outer(expr, local)))
        || select.selection.as_ref().is_some_and(|condition| finds(condition, |expr| is_outer(expr, local)))
}

fn is_outer(expr: &Expr, local: &[String]) -> bool {
    matches!(expr, Expr::CompoundIdentifier(parts)
        if qualifier(parts).is_some_and(|name| !local.contains(&name)))
}

/// The table that a qualified column names: the part before the last.
fn qualifier(parts: &[Ident]) -> Option<String> {
    parts.iter().rev().nth(1).map(folded)
}

/// Leaves in WHERE what correlates by equality or is local, and returns what is about the outer row alone.
fn separate_conditions(select: &mut Select, local: &[String]) -> Vec<Expr> {
    let Some(condition) = select.selection.take() else { return Vec::new() };
    let (outer, mut kept): (Vec<Expr>, Vec<Expr>) =
        conjuncts(condition).into_iter().partition(|part| is_about_outer_alone(part, local));
    let equalities: Vec<(Expr, Expr)> = kept.iter().filter_map(|part| equality(part, local)).collect();
    for part in kept.iter_mut().filter(|part| equality(part, local).is_none()) {
        let mut substitution = Substitution(&equalities);
        // The visitor never breaks.
        let _ = part.visit(&mut substitution);
    }
    select.selection = all_of(kept);
    outer
}

/// Whether a condition mentions outer columns and nothing that could be a local one.
fn is_about_outer_alone(condition: &Expr, local: &[String]) -> bool {
    let mentions_outer = finds(condition, |expr| is_outer(expr, local));
    let mentions_local = finds(condition, |expr| match expr {
        Expr::Identifier(_) | Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => true,
        Expr::CompoundIdentifier(_) => !is_outer(expr, local),
        _ => false,
    });
    mentions_outer && !mentions_local
}

/// The outer and the local column that a condition makes equal.
fn equality(condition: &Expr, local: &[String]) -> Option<(Expr, Expr)> {
    let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = condition else { return None };
    let is_local = |expr: &Expr| matches!(expr, Expr::CompoundIdentifier(_)) && !is_outer(expr, local);
    if is_outer(left, local) && is_local(right) {
        Some(((**left).clone(), (**right).clone()))
    } else if is_outer(right, local) && is_local(left) {
        Some(((**right).clone(), (**left).clone()))
    } else {
        None
    }
}

struct Substitution<'a>(&'a [(Expr, Expr)]);

impl VisitorMut for Substitution<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Some((_, same)) = self.0.iter().find(|(outer, _)| outer == expr) {
            *expr = same.clone();
        }
        ControlFlow::Continue(())
    }
}

/// `array_transform(a, x -> f(x))` for the query of `ARRAY(SELECT f(x) FROM unnest(a) x)`, which may be correlated.
fn map_of_elements(query: &Query) -> Option<Expr> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let [TableWithJoins { relation, joins }] = select.from.as_slice() else { return None };
    let is_simple = joins.is_empty()
        && select.selection.is_none()
        && query.with.is_none()
        && query.order_by.is_none()
        && query.limit_clause.is_none()
        && is_plain(select);
    let (array, alias) = unnested(relation)?;
    let element = alias.columns.first().map_or(&alias.name, |column| &column.name);
    let [SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. }] = select.projection.as_slice()
    else {
        return None;
    };
    if !is_simple {
        return None;
    }
    if matches!(value, Expr::Identifier(ident) if folded(ident) == folded(element)) {
        return Some(array);
    }
    let lambda = Expr::Lambda(LambdaFunction {
        params: OneOrManyWithParens::One(LambdaFunctionParameter { name: element.clone(), data_type: None }),
        body: Box::new(value.clone()),
        syntax: LambdaSyntax::Arrow,
    });
    Some(call("array_transform", vec![array, lambda]))
}

/// `array_sort(a, ...)` for the query of `ARRAY(SELECT unnest(a) ORDER BY 1)`, which may be correlated and DISTINCT.
fn sorted_elements(query: &Query) -> Option<Expr> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let is_ungrouped = matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
    let is_bare = select.from.is_empty()
        && select.selection.is_none()
        && select.having.is_none()
        && is_ungrouped
        && query.with.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none();
    let is_distinct = match &select.distinct {
        None | Some(Distinct::All) => false,
        Some(Distinct::Distinct) => true,
        Some(Distinct::On(_)) => return None,
    };
    let [SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. }] = select.projection.as_slice()
    else {
        return None;
    };
    if !is_bare {
        return None;
    }
    let array = match value {
        Expr::Function(function) if last_name(&function.name).as_deref() == Some("unnest") => match &function.args {
            FunctionArguments::List(list) => match list.args.as_slice() {
                [FunctionArg::Unnamed(FunctionArgExpr::Expr(array))] => array.clone(),
                _ => return None,
            },
            _ => return None,
        },
        _ => return None,
    };
    let array = if is_distinct { call("array_distinct", vec![array]) } else { array };
    let Some(order_by) = &query.order_by else { return Some(array) };
    let OrderByKind::Expressions(keys) = &order_by.kind else { return None };
    let [key] = keys.as_slice() else { return None };
    let is_the_column = matches!(&key.expr, Expr::Value(number) if number.to_string() == "1") || key.expr == *value;
    if !is_the_column {
        return None;
    }
    let is_descending = key.options.asc == Some(false);
    let nulls_first = key.options.nulls_first.unwrap_or(is_descending);
    let word = |word: &str| constant(Value::SingleQuotedString(word.to_owned()));
    let direction = word(if is_descending { "DESC" } else { "ASC" });
    let nulls = word(if nulls_first { "NULLS FIRST" } else { "NULLS LAST" });
    Some(call("array_sort", vec![array, direction, nulls]))
}

/// The one array of `unnest(a) AS x`, and its alias.
fn unnested(factor: &TableFactor) -> Option<(Expr, &TableAlias)> {
    match factor {
        TableFactor::UNNEST { array_exprs, alias, with_offset: false, with_ordinality: false, .. } => {
            match array_exprs.as_slice() {
                [array] => Some((array.clone(), alias.as_ref()?)),
                _ => None,
            }
        }
        TableFactor::Table { name, args: Some(arguments), alias, .. }
            if last_name(name).as_deref() == Some("unnest") =>
        {
            match arguments.args.as_slice() {
                [FunctionArg::Unnamed(FunctionArgExpr::Expr(array))] => Some((array.clone(), alias.as_ref()?)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Turns `SELECT x ... ORDER BY y` into `SELECT array_agg(x ORDER BY y) ...`; false if it has another form.
fn collect_into_array(query: &mut Query) -> bool {
    if query.with.is_some() || query.limit_clause.is_some() || query.fetch.is_some() {
        return false;
    }
    let SetExpr::Select(select) = query.body.as_mut() else { return false };
    if !is_plain(select) {
        return false;
    }
    let [SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. }] =
        select.projection.as_mut_slice()
    else {
        return false;
    };
    let element = take(value);
    let mut clauses = Vec::new();
    if let Some(order_by) = query.order_by.take()
        && let OrderByKind::Expressions(mut keys) = order_by.kind
    {
        for key in &mut keys {
            // ORDER BY 1 means the one column of the query.
            if matches!(&key.expr, Expr::Value(number) if number.to_string() == "1") {
                key.expr = element.clone();
            }
        }
        clauses.push(FunctionArgumentClause::OrderBy(keys));
    }
    let mut collected = call("array_agg", vec![]);
    if let Expr::Function(function) = &mut collected {
        function.args = FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(element))],
            clauses,
        });
    }
    *value = collected;
    true
}

fn finds(part: &impl Visit, is_wanted: impl Fn(&Expr) -> bool) -> bool {
    struct Search<F>(F);
    impl<F: Fn(&Expr) -> bool> Visitor for Search<F> {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            if (self.0)(expr) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
    part.visit(&mut Search(is_wanted)).is_break()
}
