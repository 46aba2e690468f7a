//! Sessions: `SESSIONIZE` and its siblings number a user's events by visit, `sessions` lists the visits.
//!
//! `semantics.md` beside this file is the contract; `tributary_core::sessions` holds the rule.

mod accumulator;
mod args;
mod codes;
mod configure;
mod counter;
mod days;
mod docs;
mod entry;
mod journey;
mod output;
mod partition;
mod udaf;
mod udwf;

use std::sync::Arc;

use datafusion::logical_expr::{AggregateUDF, WindowUDF};

pub(crate) use configure::{configure_aggregate, configure_window};
pub(crate) use counter::Counter;
pub(crate) use docs::{CHANGE_EVENT, SESSIONIZE, SESSIONIZE_INFO, SESSIONS, TRUE_EVENT};
pub(crate) use udaf::Sessions;
pub(crate) use udwf::Sessionize;

use counter::Counts;
use udwf::Answer;

/// `SESSIONIZE(event_time, gap) OVER (PARTITION BY user ...)`: the number of each event's session, as BIGINT.
pub fn sessionize() -> Arc<WindowUDF> {
    Arc::new(Sessionize::new(Answer::Number).into())
}

/// `sessionize_info(event_time, gap) OVER (PARTITION BY user ...)`: what is known of each event's session, as a record.
pub fn sessionize_info() -> Arc<WindowUDF> {
    Arc::new(Sessionize::new(Answer::Info).into())
}

/// `sessions(event_time, gap)`: a user's sessions, as a list of records.
pub fn sessions() -> Arc<AggregateUDF> {
    Arc::new(Sessions::new().into())
}

/// `conditional_true_event(condition) OVER (PARTITION BY user ORDER BY time)`: how many rows so far were true, as BIGINT.
pub fn conditional_true_event() -> Arc<WindowUDF> {
    Arc::new(Counter::new(Counts::True).into())
}

/// `conditional_change_event(value) OVER (PARTITION BY user ORDER BY time)`: how often the value changed so far, as BIGINT.
pub fn conditional_change_event() -> Arc<WindowUDF> {
    Arc::new(Counter::new(Counts::Changes).into())
}
