//! Long chains of OR, AND, UNION and INTERSECT as trees that are wide and not deep.
//!
//! `a OR b OR c OR d` parses as `((a OR b) OR c) OR d`, as deep as it is long. A planner walks such a tree again and
//! again, and asks at each level for the type or the place of all that is below. BI tools send filters of thousands
//! of values so, and generated models UNION ALL of hundreds of tables.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Query, SetExpr, SetOperator, SetQuantifier, Statement, Value, Values, VisitMut, VisitorMut,
};

/// A chain up to this length stays as it was written.
const SHORT: usize = 32;

/// Makes each long chain a tree of the same operands in the same order.
///
/// AND and OR of SQL's three values are associative, as are UNION ALL, UNION and INTERSECT; operands are still
/// evaluated from left to right. A chain is taken apart in a loop, before anything recurses into it.
pub(super) fn balance(statement: &mut Statement) {
    struct Balance;
    impl VisitorMut for Balance {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            balance_expr(expr);
            ControlFlow::Continue(())
        }

        fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
            balance_set(&mut query.body);
            ControlFlow::Continue(())
        }
    }
    let _ = statement.visit(&mut Balance);
}

fn balance_expr(expr: &mut Expr) {
    let Expr::BinaryOp { op: op @ (BinaryOperator::And | BinaryOperator::Or), .. } = &*expr else { return };
    let op = op.clone();
    if depth_on_the_left(expr, &op) <= SHORT {
        return;
    }
    let operands = operands(std::mem::replace(expr, nothing()), &op);
    *expr = joined(operands, &op).unwrap_or_else(nothing);
}

fn balance_set(set: &mut SetExpr) {
    let SetExpr::SetOperation { op, set_quantifier, left, right } = set else { return };
    let chain = (*op, *set_quantifier);
    let is_associative = matches!(op, SetOperator::Union | SetOperator::Intersect)
        && matches!(set_quantifier, SetQuantifier::All | SetQuantifier::None | SetQuantifier::Distinct);
    if !is_associative || sets_on_the_left(left, chain) < SHORT {
        balance_set(left);
        balance_set(right);
        return;
    }
    let mut operands = sets(std::mem::replace(set, no_rows()), chain);
    operands.iter_mut().for_each(balance_set);
    let (op, set_quantifier) = chain;
    let join = |left, right| SetExpr::SetOperation { op, set_quantifier, left: Box::new(left), right: Box::new(right) };
    *set = tree(operands, &join).unwrap_or_else(no_rows);
}

fn sets_on_the_left(mut set: &SetExpr, chain: (SetOperator, SetQuantifier)) -> usize {
    let mut depth = 0;
    while let SetExpr::SetOperation { op, set_quantifier, left, .. } = set
        && (*op, *set_quantifier) == chain
    {
        depth += 1;
        set = left;
    }
    depth
}

fn sets(mut set: SetExpr, chain: (SetOperator, SetQuantifier)) -> Vec<SetExpr> {
    let mut backwards = vec![];
    loop {
        match set {
            SetExpr::SetOperation { op, set_quantifier, left, right } if (op, set_quantifier) == chain => {
                backwards.push(*right);
                set = *left;
            }
            first => {
                backwards.push(first);
                backwards.reverse();
                return backwards;
            }
        }
    }
}

fn depth_on_the_left(mut expr: &Expr, chain: &BinaryOperator) -> usize {
    let mut depth = 0;
    while let Expr::BinaryOp { left, op, .. } = expr
        && op == chain
    {
        depth += 1;
        expr = left;
    }
    depth
}

/// The operands of a chain, from left to right. What is in parentheses is one operand.
fn operands(mut expr: Expr, chain: &BinaryOperator) -> Vec<Expr> {
    let mut backwards = vec![];
    loop {
        match expr {
            Expr::BinaryOp { left, op, right } if op == *chain => {
                backwards.push(*right);
                expr = *left;
            }
            first => {
                backwards.push(first);
                backwards.reverse();
                return backwards;
            }
        }
    }
}

/// Conditions joined by AND or by OR, as a tree that is wide; `None` where there are none.
pub(super) fn joined(conditions: Vec<Expr>, op: &BinaryOperator) -> Option<Expr> {
    let join = |left, right| Expr::BinaryOp { left: Box::new(left), op: op.clone(), right: Box::new(right) };
    tree(conditions, &join)
}

/// Joins neighbours until one is left.
fn tree<T>(mut operands: Vec<T>, join: &impl Fn(T, T) -> T) -> Option<T> {
    while operands.len() > 1 {
        let mut rest = operands.into_iter();
        let mut joined = vec![];
        while let Some(left) = rest.next() {
            joined.push(match rest.next() {
                Some(right) => join(left, right),
                None => left,
            });
        }
        operands = joined;
    }
    operands.pop()
}

/// What stands in a place while its expression is taken apart.
fn nothing() -> Expr {
    Expr::value(Value::Null)
}

/// The same for a query.
fn no_rows() -> SetExpr {
    SetExpr::Values(Values { explicit_row: false, value_keyword: false, rows: vec![] })
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn parse(text: &str) -> Statement {
        Parser::parse_sql(&PostgreSqlDialect {}, text).unwrap().remove(0)
    }

    fn depth(expr: &Expr) -> usize {
        match expr {
            Expr::BinaryOp { left, right, .. } => 1 + depth(left).max(depth(right)),
            _ => 0,
        }
    }

    fn set_depth(set: &SetExpr) -> usize {
        match set {
            SetExpr::SetOperation { left, right, .. } => 1 + set_depth(left).max(set_depth(right)),
            _ => 0,
        }
    }

    fn body(statement: &Statement) -> &SetExpr {
        let Statement::Query(query) = statement else { panic!("not a query") };
        &query.body
    }

    fn filter_depth(statement: &Statement) -> usize {
        let SetExpr::Select(select) = body(statement) else { panic!("not a select") };
        select.selection.as_ref().map_or(0, depth)
    }

    fn numbered(item: &str, separator: &str) -> String {
        (0..1_000).map(|n| item.replace('#', &n.to_string())).collect::<Vec<_>>().join(separator)
    }

    #[test]
    fn a_long_chain_becomes_flat_and_keeps_its_order() {
        for (item, separator, expected) in [("c#", " OR ", 10), ("c#", " AND ", 10), ("c# AND d#", " OR ", 11)] {
            let text = format!("SELECT 1 FROM t WHERE {}", numbered(item, separator));
            let mut statement = parse(&text);
            balance(&mut statement);
            assert_eq!(filter_depth(&statement), expected);
            assert_eq!(statement.to_string(), text);
        }
    }

    #[test]
    fn a_long_chain_of_queries_becomes_flat_and_keeps_its_order() {
        for operator in [" UNION ALL ", " UNION ", " INTERSECT "] {
            let mut statement = parse(&numbered("SELECT #", operator));
            balance(&mut statement);
            assert_eq!(set_depth(body(&statement)), 10);
            let written = statement.to_string().replace(['(', ')'], "");
            assert_eq!(written, numbered("SELECT #", operator));
        }
    }

    #[test]
    fn short_chains_and_what_is_not_associative_stay() {
        for text in [
            "SELECT 1 FROM t WHERE a OR b OR c".to_owned(),
            format!("SELECT {}", ["x"; 100].join(" + ")),
            ["SELECT 1"; 100].join(" EXCEPT "),
            ["SELECT 1 UNION ALL SELECT 2"; 40].join(" UNION "),
        ] {
            let mut statement = parse(&text);
            let before = statement.clone();
            balance(&mut statement);
            assert_eq!(statement, before);
        }
    }
}
