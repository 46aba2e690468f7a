//! Tributary: a SQL-native marketing analytics server over Parquet lakes.

pub mod error;

pub mod demo;
