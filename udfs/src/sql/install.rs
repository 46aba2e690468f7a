//! One call that gives a session the functions, their syntax and their rules.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionStateDefaults;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::{DFParserBuilder, Statement};

use super::analyzer::ConfigureCalls;
use super::many_rows::{self, ForgetRepeatedKeys};
use super::planner::CallPlanner;
use super::{TributaryDialect, rewrite};
use crate::catalogue::{aggregates, scalars, windows};
use crate::error::{UserError, sqlstate};
use crate::options::TributaryOptions;
use crate::physical::{DropRepeats, DropStepless, DropTouchless, ForgetOrder, Journeys, OneStage, ReadCodes, ShowWork};

/// Adds the functions, the planner, the rules and the settings to a session; call it after the builder's own defaults
/// and its query planner.
///
/// A session that only registers [`crate::aggregates`] understands positional calls and runs them in two stages.
pub fn install(mut builder: SessionStateBuilder) -> SessionStateBuilder {
    let config = builder.config().get_or_insert_default();
    if config.options().extensions.get::<TributaryOptions>().is_none() {
        config.options_mut().extensions.insert(TributaryOptions::default());
    }
    builder.aggregate_functions().get_or_insert_default().extend(aggregates());
    builder.window_functions().get_or_insert_default().extend(windows());
    builder.scalar_functions().get_or_insert_default().extend(scalars());
    builder
        .expr_planners()
        .get_or_insert_with(SessionStateDefaults::default_expr_planners)
        .insert(0, Arc::new(CallPlanner));
    builder.relation_planners().get_or_insert_default().insert(0, super::relations::planner());
    // First, before distribution is enforced: the exchange then follows from the one stage.
    let rules = &mut builder.physical_optimizers().get_or_insert_with(PhysicalOptimizer::new).rules;
    let first: [Arc<dyn PhysicalOptimizerRule + Send + Sync>; 3] =
        [Arc::new(OneStage), Arc::new(DropStepless), Arc::new(DropTouchless)];
    rules.splice(0..0, first);
    // Which order is asked for is known then; nothing relies on one that is not, and what is read only for it can still be
    // left out.
    let before = ["OptimizeAggregateOrder", "ProjectionPushdown"];
    let place = rules.iter().position(|rule| before.contains(&rule.name())).unwrap_or(rules.len());
    rules.insert(place, Arc::new(ForgetOrder));
    rules.push(Arc::new(ReadCodes));
    rules.push(Arc::new(Journeys));
    rules.push(Arc::new(DropRepeats));
    rules.push(Arc::new(ShowWork));
    let planner = builder.query_planner().take();
    builder
        .with_query_planner(Arc::new(many_rows::Planner { planner }))
        .with_analyzer_rule(Arc::new(ConfigureCalls))
        .with_analyzer_rule(Arc::new(ForgetRepeatedKeys))
}

/// Plans one statement of the full syntax, in a session that was [`install`]ed.
///
/// # Errors
/// A [`UserError`] inside [`DataFusionError::External`] for mistakes in calls of our functions; DataFusion's own errors
/// otherwise. More than one statement is an error.
pub async fn sql(context: &SessionContext, statement: &str) -> Result<DataFrame> {
    let mut statements = DFParserBuilder::new(statement).with_dialect(&TributaryDialect).build()?.parse_statements()?;
    let (Some(mut parsed), None) = (statements.pop_front(), statements.pop_front()) else {
        return Err(UserError::new(sqlstate::SYNTAX_ERROR, "expected exactly one statement").into());
    };
    rewrite_parsed(&mut parsed)?;
    let plan = context.state().statement_to_plan(parsed).await?;
    context.execute_logical_plan(plan).await
}

fn rewrite_parsed(statement: &mut Statement) -> Result<(), DataFusionError> {
    match statement {
        Statement::Statement(statement) => Ok(rewrite(statement)?),
        Statement::Explain(explain) => rewrite_parsed(&mut explain.statement),
        // COPY ... TO keeps its query inside; the others hold no expressions.
        Statement::CopyTo(copy) => match &mut copy.source {
            datafusion::sql::parser::CopyToSource::Query(query) => {
                use datafusion::sql::sqlparser::ast;
                let mut inner = ast::Statement::Query(query.clone());
                rewrite(&mut inner)?;
                if let ast::Statement::Query(rewritten) = inner {
                    *query = rewritten;
                }
                Ok(())
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}
