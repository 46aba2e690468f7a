//! The syntax of the functions: dialect, rewriter, planner, rules, and one call that installs them.
//!
//! A statement is parsed by [`TributaryDialect`], rewritten in place by [`rewrite`] and planned by DataFusion with
//! [`install`]ed hooks. Nothing is ever printed and parsed again.

mod analyzer;
mod arguments;
mod dialect;
mod install;
mod many_rows;
mod parameters;
mod planner;
mod relations;
mod rewrite;

pub use dialect::{TributaryDialect, parse_within};
pub use install::{install, sql};
pub use many_rows::plan_also;
pub use rewrite::rewrite;

pub(crate) use arguments::unknown_option;
pub(crate) use relations::RelationCall;
