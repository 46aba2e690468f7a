//! One statement's life: parse, rewrite, plan, govern, run.
//!
//! Nothing here knows a socket or a session's settings; [`crate::session`] brings those.

mod balance;
mod complexity;
pub mod ddl;
mod error_words;
pub mod errors;
pub mod explain;
mod fetch;
#[cfg(test)]
mod fuzz;
mod inlined;
mod parameters;
pub mod parse;
mod placed;
pub mod plan;
pub mod postgres;
pub mod run;
mod stoppable;

pub use fetch::{Fetch, backwards};
pub use parameters::{arrow_type as parameter_type, assign};
pub use parse::{Kind, Parsed, parse};
pub use plan::{Column, Planned, Shape, bind, constant, plan, same_columns};
pub use run::{Flow, Held, Piece, Pieces, fetch_rows, lock, start};
