//! Questions about system tables that never have rows here: policies, triggers, indexes, publications.
//!
//! Such a table makes every SELECT that joins it empty, whatever its other parts say. psql's and other clients'
//! most intricate expressions are about these tables; none of them is ever evaluated, so those that the planner
//! does not know are replaced by NULL, and the condition by false.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Array, ArrayElemTypeDef, DataType, Expr, GroupByExpr, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart,
    Query, Select, SelectItem, SetExpr, TableFactor, TableWithJoins, Value, Visit, Visitor,
};

use super::ast::{cast, constant, folded, is_aggregate, last_name, null_text, string_constant};
use super::expressions::array_query;
use crate::catalog::system::is_always_empty;

/// Replaces a SELECT over a table without rows by one that the planner knows.
pub fn simplify_select(select: &mut Select) {
    if !reads_nothing(&select.from) {
        return;
    }
    select.selection = Some(constant(Value::Boolean(false)));
    for table in &mut select.from {
        simplify_joins(table);
    }
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item
            && is_intricate(expr)
        {
            *expr = null_text();
        }
    }
}

/// Conditions of joins that are never asked.
fn simplify_joins(table: &mut TableWithJoins) {
    for join in &mut table.joins {
        let (JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint)) = &mut join.join_operator
        else {
            continue;
        };
        if let JoinConstraint::On(condition) = constraint
            && is_intricate(condition)
        {
            *condition = constant(Value::Boolean(false));
        }
    }
}

/// Replaces a subquery over a table without rows by what it answers.
pub fn simplify_expr(expr: &mut Expr) {
    match expr {
        Expr::Subquery(query) if answers_nothing(query) => *expr = null_text(),
        Expr::Exists { subquery, negated } if answers_nothing(subquery) => {
            *expr = constant(Value::Boolean(*negated));
        }
        Expr::InSubquery { subquery, negated, .. } if answers_nothing(subquery) => {
            *expr = constant(Value::Boolean(*negated));
        }
        // ARRAY(SELECT ...)
        Expr::Function(function) if array_query(function).is_some_and(answers_nothing) => {
            let nothing = Expr::Array(Array { elem: vec![], named: true });
            let text_array = DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(DataType::Text), None));
            *expr = cast(nothing, text_array);
        }
        _ => {}
    }
}

/// Whether a query has no rows because of what it reads.
fn answers_nothing(query: &Query) -> bool {
    query.with.is_none() && body_answers_nothing(&query.body)
}

fn body_answers_nothing(body: &SetExpr) -> bool {
    match body {
        SetExpr::Select(select) => reads_nothing(&select.from) && !always_answers(select),
        SetExpr::Query(query) => answers_nothing(query),
        _ => false,
    }
}

/// Whether a SELECT answers one row even over no rows: aggregates without GROUP BY.
fn always_answers(select: &Select) -> bool {
    let is_grouped = match &select.group_by {
        GroupByExpr::All(_) => true,
        GroupByExpr::Expressions(keys, modifiers) => !keys.is_empty() || !modifiers.is_empty(),
    };
    let aggregates = |expr: &Expr| {
        matches!(expr, Expr::Function(function)
            if last_name(&function.name).is_some_and(|name| is_aggregate(&name)))
    };
    !is_grouped && (select.having.is_some() || select.projection.iter().any(|item| contains(item, aggregates)))
}

fn reads_nothing(from: &[TableWithJoins]) -> bool {
    from.iter().any(joined_reads_nothing)
}

fn joined_reads_nothing(table: &TableWithJoins) -> bool {
    table.joins.iter().fold(factor_is_empty(&table.relation), |left_is_empty, join| {
        let right_is_empty = factor_is_empty(&join.relation);
        match join.join_operator {
            JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_) => {
                left_is_empty || right_is_empty
            }
            JoinOperator::Left(_) | JoinOperator::LeftOuter(_) => left_is_empty,
            JoinOperator::Right(_) | JoinOperator::RightOuter(_) => right_is_empty,
            JoinOperator::FullOuter(_) => left_is_empty && right_is_empty,
            _ => false,
        }
    })
}

fn factor_is_empty(factor: &TableFactor) -> bool {
    match factor {
        TableFactor::Table { name, args: None, .. } => is_empty_table(name),
        TableFactor::Derived { subquery, .. } => answers_nothing(subquery),
        TableFactor::NestedJoin { table_with_joins, .. } => joined_reads_nothing(table_with_joins),
        _ => false,
    }
}

fn is_empty_table(name: &ObjectName) -> bool {
    let parts: Vec<String> = name
        .0
        .iter()
        .filter_map(|part| match part {
            ObjectNamePart::Identifier(ident) => Some(folded(ident)),
            ObjectNamePart::Function(_) => None,
        })
        .collect();
    match parts.as_slice() {
        [table] => is_always_empty("pg_catalog", table),
        [.., schema, table] => is_always_empty(schema, table),
        [] => false,
    }
}

/// Whether an expression has a part that the planner may not know: subqueries, array comparisons, fields, and
/// calls other than aggregates.
fn is_intricate(expr: &Expr) -> bool {
    contains(expr, |part| match part {
        Expr::Subquery(_)
        | Expr::Exists { .. }
        | Expr::InSubquery { .. }
        | Expr::AnyOp { .. }
        | Expr::AllOp { .. }
        | Expr::CompoundFieldAccess { .. } => true,
        Expr::BinaryOp { left, right, .. } => {
            [left, right].iter().any(|side| string_constant(side).is_some_and(|text| text.starts_with('{')))
        }
        Expr::Function(function) => !last_name(&function.name).is_some_and(|name| is_aggregate(&name)),
        _ => false,
    })
}

/// Whether any expression inside, the whole included, is as asked.
fn contains(part: &impl Visit, is_wanted: impl Fn(&Expr) -> bool) -> bool {
    struct Search<F>(F);
    impl<F: Fn(&Expr) -> bool> Visitor for Search<F> {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            if (self.0)(expr) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
    part.visit(&mut Search(is_wanted)).is_break()
}
