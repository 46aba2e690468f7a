//! The operator that answers users in passes of a few thousand, and the rule that puts it in place.

mod answered;
mod blocks;
mod buckets;
mod disk;
mod exec;
mod flatten;
mod gather;
mod memory;
mod packed;
mod rule;
mod runs;
mod sorted;
mod store;
mod table;
mod users;
mod windows;
mod within;

pub use rule::Journeys;
