//! What each function costs: its rule alone, the rule through SQL, and the same answer in plain SQL.
//!
//! One module per function. The three answers are compared before anything is timed.

mod attribution;
mod channels;
mod engine;
mod funnel;
mod sessions;
mod shop;
mod tags;

use criterion::{criterion_group, criterion_main};

criterion_group!(functions, attribution::bench, funnel::bench, tags::bench, sessions::bench, channels::bench);
criterion_main!(functions);
