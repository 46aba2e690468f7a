//! One statement's life: parse, rewrite, plan, govern, run.
//!
//! Nothing here knows a socket or a session's settings; [`crate::session`] brings those.

pub mod errors;
pub mod explain;
pub mod ddl;
mod parameters;
pub mod parse;
pub mod plan;
pub mod postgres;
pub mod run;
mod stoppable;

pub use parse::{Kind, Parsed, parse};
pub use parameters::arrow_type as parameter_type;
pub use plan::{constant, Column, Planned, Shape, bind, plan};
pub use run::{Flow, start};
