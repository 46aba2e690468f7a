//! Which aggregates keep a log: the physical rules treat them alike.

use std::sync::Arc;

use datafusion::logical_expr::AggregateUDF;

use super::Counters;
use crate::attribution::Attribution;
use crate::funnel::Funnel;
use crate::sessions::Sessions;

/// An aggregate whose state is a log of the rows it saw.
pub(crate) trait KeepsLog {
    /// The same function, counting what it does.
    fn counted(&self, counters: Arc<Counters>) -> AggregateUDF;
}

/// The function as one that keeps a log, if it is one of ours that does.
pub(crate) fn log_function(function: &AggregateUDF) -> Option<&dyn KeepsLog> {
    let inner = function.inner();
    let funnel = inner.downcast_ref::<Funnel>().map(|funnel| funnel as &dyn KeepsLog);
    let sessions = || inner.downcast_ref::<Sessions>().map(|sessions| sessions as &dyn KeepsLog);
    let attribution = || inner.downcast_ref::<Attribution>().map(|attribution| attribution as &dyn KeepsLog);
    funnel.or_else(sessions).or_else(attribution)
}
