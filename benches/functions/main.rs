//! What each function costs: its rule alone, the rule through SQL, and the same answer in plain SQL.
//!
//! One module per function. The three answers are compared before anything is timed.

mod funnel;
mod shop;

use criterion::{criterion_group, criterion_main};

criterion_group!(functions, funnel::bench);
criterion_main!(functions);
