//! The demo: a whole lake with known answers, and the questions that a marketing team asks of it.
//!
//! `lake` makes the data; `questions` asks through the wire and compares with what was planted.

pub mod lake;
