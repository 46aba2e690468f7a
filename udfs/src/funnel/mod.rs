//! `FUNNEL` and its siblings: how far each user got, when, and how long every step took.
//!
//! `semantics.md` beside this file is the contract; `tributary_core::funnel` holds the rule.

mod accumulator;
mod args;
mod configure;
mod docs;
mod mask;
mod udaf;

use std::sync::Arc;

use datafusion::logical_expr::AggregateUDF;

pub(crate) use args::parse_modes;
pub(crate) use configure::configure;
pub(crate) use udaf::Funnel;

use crate::doc::FunctionDoc;
use docs::{DURATIONS, LEVEL, TIMES};

/// What is told about the chain that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    /// `funnel`: how many steps it has.
    Level,
    /// `funnel_times`: when each step was taken.
    Times,
    /// `funnel_durations`: how long each step took after the one before.
    Durations,
}

impl Answer {
    /// The name of the function that gives this answer.
    pub fn name(self) -> &'static str {
        self.doc().name
    }

    /// What is written about that function.
    pub fn doc(self) -> &'static FunctionDoc {
        match self {
            Self::Level => &LEVEL,
            Self::Times => &TIMES,
            Self::Durations => &DURATIONS,
        }
    }
}

/// `FUNNEL(event_time, within, step, ...)`: the number of steps a user took, as INT.
pub fn funnel() -> Arc<AggregateUDF> {
    Arc::new(Funnel::new(Answer::Level).into())
}

/// `FUNNEL_TIMES(event_time, within, step, ...)`: when the user took each step, as a list of timestamps.
pub fn funnel_times() -> Arc<AggregateUDF> {
    Arc::new(Funnel::new(Answer::Times).into())
}

/// `FUNNEL_DURATIONS(event_time, within, step, ...)`: the time from each step to the next, as a list of intervals.
pub fn funnel_durations() -> Arc<AggregateUDF> {
    Arc::new(Funnel::new(Answer::Durations).into())
}
