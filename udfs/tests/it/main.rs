//! The functions as a DataFusion program uses them, in process.

mod attribution;
mod channels;
mod dialect;
mod documentation;
mod errors;
mod invariance;
mod journeys;
mod labels;
mod parameters;
mod plain;
mod plans;
mod read_codes;
mod repeats;
mod rules;
mod sessions;
mod sorted;
mod support;
mod tags;
mod unnest;
mod windows;
