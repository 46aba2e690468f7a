//! PostgreSQL compatibility: rewrites of a parsed statement before it is planned, and the functions clients call.
//!
//! [`rewrite`] turns what PostgreSQL allows and DataFusion does not into something that means the same;
//! [`functions::register`] gives a connection `version()`, `format_type()`, `pg_table_is_visible()` and their like;
//! [`label`] is the name a result column shows to the client.

mod ast;
mod canned;
mod casts;
mod emptiness;
mod expressions;
pub mod functions;
mod labels;
mod literals;
mod subqueries;

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Query, Select, Statement, TableFactor, VisitMut, VisitorMut};

pub use crate::catalog::column_label as label;
pub use functions::register;
pub use literals::interval_text;

use crate::error::{Error, Result};

/// Rewrites a statement so that DataFusion plans what PostgreSQL would have meant by it.
///
/// Result columns get PostgreSQL's names; where two would be equal, the later one is told apart by a suffix
/// that [`label`] takes off again.
/// Fails with 0A000 or 42704 on what cannot be honoured, such as a collation that does not exist here.
pub fn rewrite(statement: &mut Statement) -> Result<()> {
    canned::replace(statement)?;
    labels::add(statement);
    let mut rewriter = Rewriter;
    if let ControlFlow::Break(error) = statement.visit(&mut rewriter) {
        return Err(error);
    }
    casts::show_names_in_results(statement);
    Ok(())
}

/// Applies each rewrite where it belongs. Parts are visited before what contains them,
/// so that a rewrite of an expression sees its operands rewritten.
struct Rewriter;

impl VisitorMut for Rewriter {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        expressions::rewrite_query(query);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        emptiness::simplify_select(select);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        emptiness::simplify_expr(expr);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        let outcome = expressions::rewrite_expr(expr).map(|()| {
            literals::rewrite_expr(expr);
            casts::rewrite_expr(expr);
            subqueries::rewrite_expr(expr);
        });
        match outcome {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        expressions::rewrite_table_factor(factor);
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod clients;
#[cfg(test)]
mod tests;
