//! `ATTRIBUTE` and its siblings: which touches earned a conversion, and how much of it.
//!
//! `semantics.md` beside this file is the contract; `tributary_core::attribution` holds the rules.

mod accumulator;
mod answer;
mod args;
mod configure;
mod docs;
mod journal;
mod pool;
mod relation;
mod rows;
mod state;
mod udaf;
mod window;
mod worth;

use std::sync::Arc;

use datafusion::logical_expr::{AggregateUDF, WindowUDF};

pub(crate) use configure::{configure_aggregate, configure_window};
pub(crate) use docs::TOUCHES;
pub(crate) use relation::lower_touches;
pub(crate) use udaf::Attribution;
pub(crate) use window::AttributionWindow;

use crate::doc::FunctionDoc;

/// What is told about a user's conversions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    /// `attribute`: every model, conversion and touch.
    List,
    /// `attribute_totals`: every model and channel.
    Totals,
    /// `attribution_touches`: as `List`, with the columns that the relation shows.
    Touches,
    /// `attribute` with OVER: what the row earned.
    Row,
}

impl Answer {
    /// The name of the function that gives this answer.
    pub fn name(self) -> &'static str {
        self.doc().name
    }

    /// What is written about that function.
    pub fn doc(self) -> &'static FunctionDoc {
        match self {
            Self::List | Self::Row => &docs::ATTRIBUTE,
            Self::Totals => &docs::TOTALS,
            Self::Touches => &docs::TOUCHES,
        }
    }
}

/// `ATTRIBUTE(models, event_time, channel, conversion [, value])`: what each touch earned of each conversion.
pub fn attribute() -> Arc<AggregateUDF> {
    Arc::new(Attribution::new(Answer::List).into())
}

/// `ATTRIBUTE_TOTALS(models, event_time, channel, conversion [, value])`: what each channel earned.
pub fn attribute_totals() -> Arc<AggregateUDF> {
    Arc::new(Attribution::new(Answer::Totals).into())
}

/// The aggregate below the relation `attribution_touches`.
fn touches() -> Arc<AggregateUDF> {
    Arc::new(Attribution::new(Answer::Touches).into())
}

/// `ATTRIBUTE(model, event_time, channel, conversion [, value]) OVER (...)`: what the row earned.
pub fn attribute_window() -> Arc<WindowUDF> {
    Arc::new(AttributionWindow::new().into())
}
