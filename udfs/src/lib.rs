//! Marketing analytics functions for any Apache DataFusion program: funnels and their family, with their SQL syntax.
//!
//! [`install`] gives a session the functions, the named options and the rules; [`sql`] plans a statement with them.
//! A program that registers only [`aggregates`], [`windows`] and [`scalars`] has the functions with positional arguments.
//! [`catalogue`] is what is written about each of them. The rules themselves are in the crate `tributary-core`.

mod attribution;
mod bytes;
mod call;
mod catalogue;
mod channels;
mod codes;
mod doc;
mod error;
mod funnel;
mod log;
mod options;
mod physical;
mod sessions;
mod sql;
mod step_mask;
mod tags;
mod time;
mod windows;
mod written;

pub use attribution::{attribute, attribute_totals, attribute_window};
pub use bytes::{batch_bytes, value_bytes};
pub use catalogue::{aggregates, catalogue, scalars, windows};
pub use channels::{channel_group, utm};
pub use doc::{ArgumentDoc, ErrorDoc, ExampleDoc, FunctionDoc, FunctionKind, OptionDoc, reference};
pub use error::{Location, OutOfOrder, UserError, sqlstate};
pub use funnel::{funnel, funnel_durations, funnel_times};
pub use options::TributaryOptions;
pub use physical::{
    DropRepeats, DropStepless, DropTouchless, ForgetOrder, Journeys, OneStage, ReadCodes, ShowWork, StoredAsCodes,
};
pub use sessions::{conditional_change_event, conditional_true_event, sessionize, sessionize_info, sessions};
pub use sql::{TributaryDialect, install, parse_within, plan_also, rewrite, sql};
pub use step_mask::step_mask;
pub use tags::tag_match;
