//! The state of every function that needs a user's events in order: a flat log of the events that matter.

mod counters;
mod entries;
mod functions;
mod late;
mod line;

pub(crate) use counters::Counters;
pub(crate) use entries::{Log, Payload};
pub(crate) use functions::{KeepsLog, log_function};
