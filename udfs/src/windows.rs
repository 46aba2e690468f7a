//! Our window functions, asked for many users at a time.
//!
//! DataFusion asks an evaluator for one partition, and a lake has a million of them: to make an evaluator, to cut its
//! columns and to join what it says costs more than the answer.

use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::compute::concat;
use datafusion::common::Result;
use datafusion::logical_expr::PartitionEvaluator;
use datafusion::physical_expr::PhysicalSortExpr;
use datafusion::physical_expr::window::{StandardWindowExpr, StandardWindowFunctionExpr, WindowExpr};
use datafusion::physical_plan::windows::WindowUDFExpr;

use crate::attribution::AttributionWindow;
use crate::sessions::{Counter, Sessionize};

/// A window function of ours with its columns.
#[derive(Clone)]
pub(crate) struct UserWindow {
    function: Arc<dyn StandardWindowFunctionExpr>,
    /// Whether an evaluator that answered one user may answer the next.
    is_reusable: bool,
    sessionize: Option<Sessionize>,
}

/// The window's function, if it is one of ours.
pub(crate) fn user_window(window: &dyn WindowExpr) -> Option<UserWindow> {
    let function = window.as_any().downcast_ref::<StandardWindowExpr>()?.get_standard_func_expr();
    let inner = function.as_any().downcast_ref::<WindowUDFExpr>()?.fun().inner();
    let sessionize = inner.downcast_ref::<Sessionize>().cloned();
    let attribution = inner.downcast_ref::<AttributionWindow>();
    let is_reusable = attribution.is_none_or(|it| !it.keeps_ties());
    let is_ours = sessionize.is_some() || attribution.is_some() || inner.is::<Counter>();
    is_ours.then(|| UserWindow { function: Arc::clone(function), is_reusable, sessionize })
}

impl UserWindow {
    /// Whether answers go up from row to row of a user that come in this order, NULL last.
    pub fn counts_up(&self, order: &[PhysicalSortExpr]) -> bool {
        let by_time = match (order, self.function.expressions().first()) {
            ([by, ..], Some(time)) => by.expr.eq(time) && !by.options.descending && !by.options.nulls_first,
            _ => false,
        };
        by_time && self.sessionize.as_ref().is_some_and(Sessionize::numbers_by_time)
    }

    /// Answers every row of some users; `ends` is where the rows of each end.
    pub fn answer(&self, columns: &[ArrayRef], ends: &[usize]) -> Result<ArrayRef> {
        if let Some(answer) = self.sessionize.as_ref().map(|it| it.number_users(columns, ends)).transpose()?.flatten() {
            return Ok(answer);
        }
        let mut answers = Vec::with_capacity(ends.len());
        let mut evaluator: Option<Box<dyn PartitionEvaluator>> = None;
        let begins = std::iter::once(0).chain(ends.iter().copied());
        for (begin, &end) in begins.zip(ends) {
            let columns: Vec<ArrayRef> = columns.iter().map(|column| column.slice(begin, end - begin)).collect();
            let mut this = match evaluator.take() {
                Some(evaluator) => evaluator,
                None => self.function.create_evaluator()?,
            };
            answers.push(this.evaluate_all(&columns, end - begin)?);
            evaluator = self.is_reusable.then_some(this);
        }
        let answers: Vec<_> = answers.iter().map(|answer| answer.as_ref()).collect();
        Ok(concat(&answers)?)
    }
}
