//! Dates, times of day, instants and zones as PostgreSQL has them: the rules, without Arrow and SQL.
//!
//! A time without zone is microseconds since 1970-01-01 on some wall clock, an instant is microseconds since then
//! in UTC, a date is days. The ends of the range of 64 bits are the infinities.

pub mod abbreviations;
pub mod calendar;
pub mod fields;
pub mod input;
pub mod text;
pub mod zone;

pub use zone::Zone;
