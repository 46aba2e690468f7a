//! PostgreSQL compatibility: rewrites of a parsed statement before it is planned, and the functions clients call.
//!
//! [`rewrite`] turns what PostgreSQL allows and DataFusion does not into something that means the same;
//! [`register`] gives a connection `version()`, `format_type()`, `pg_table_is_visible()` and their like;
//! [`label`] is the name a result column shows to the client.

pub mod array_text;
mod ast;
mod canned;
mod casts;
mod emptiness;
mod expressions;
mod formats;
pub mod functions;
mod instants;
mod integers;
mod intervals;
pub mod json;
pub mod json_text;
mod labels;
mod literals;
mod marks;
mod mixed_times;
mod oids;
pub mod output;
mod series;
mod similar;
mod spans;
mod subqueries;
pub mod times;
mod uuids;

use std::ops::ControlFlow;

use std::sync::Arc;

use datafusion::execution::{FunctionRegistry, SessionStateBuilder};
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast::{Expr, Query, Select, Statement, TableFactor, VisitMut, VisitorMut};

pub use crate::catalog::column_label as label;
pub use casts::normalize_type;
pub use functions::is_quantified;
pub use literals::interval_text;
pub use mixed_times::unify as unify_times;
pub use oids::is_oid;
pub use oids::parameter as oid_parameter;
pub use uuids::{UUID_STORAGE, is_uuid, parse_uuid, result_field, uuid_field, uuid_text};

use crate::catalog::SessionCatalog;
use crate::error::{Error, Result};

/// Tells the planner of a connection that is being built about PostgreSQL's types, how intervals compare,
/// series, and subqueries as values.
pub fn configure(mut builder: SessionStateBuilder) -> SessionStateBuilder {
    let rules = std::mem::take(&mut builder.optimizer().get_or_insert_default().rules);
    let builder = series::configure(intervals::configure(builder));
    builder.with_type_planner(Arc::new(json::Types)).with_optimizer_rules(marks::with_marks(rules))
}

/// Registers what clients call, and what casts from and to PostgreSQL's types are, in a connection's context.
pub fn register(context: &SessionContext, catalog: &SessionCatalog) -> datafusion::error::Result<()> {
    functions::register(context, catalog)?;
    let state = context.state_ref();
    let mut state = state.write();
    state.register_expr_planner(Arc::new(uuids::Uuids))?;
    state.register_expr_planner(Arc::new(spans::Spans))?;
    state.register_function_rewrite(Arc::new(uuids::UuidCasts))?;
    state.register_function_rewrite(Arc::new(json::JsonCasts))?;
    state.register_function_rewrite(Arc::new(instants::Instants))?;
    state.register_function_rewrite(Arc::new(integers::CheckedIntegers))?;
    state.register_function_rewrite(Arc::new(intervals::Untyped))
}

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
        series::rewrite_select(select);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        emptiness::simplify_expr(expr);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        let outcome = expressions::rewrite_expr(expr).and_then(|()| similar::rewrite_expr(expr)).map(|()| {
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
