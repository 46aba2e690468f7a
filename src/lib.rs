//! Tributary: a SQL-native marketing analytics server over Parquet lakes.

pub mod catalog;
pub mod error;
pub mod lake;
pub mod query;
