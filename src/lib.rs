//! Tributary: a SQL-native marketing analytics server over Parquet lakes.

pub mod access;
pub mod catalog;
pub mod cli;
pub mod demo;
pub mod engine;
pub mod error;
pub mod lake;
pub mod limits;
pub mod query;
pub mod random;
pub mod sealed;
pub mod session;
pub mod status;
pub mod wire;
