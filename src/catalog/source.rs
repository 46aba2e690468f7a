//! What the catalogue asks of a lake: the names of its tables now, and each table's columns and scan.
//!
//! The room `lake` fills these traits (see `lakes.rs`); tests implement them with a few lines,
//! so that a table that cannot be read, or a thousand of them, needs no files.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;

use crate::error::Result;

/// A folder or bucket whose files are tables.
#[async_trait]
pub trait LakeSource: Debug + Send + Sync {
    /// The name of the lake, which is the name of its schema.
    fn name(&self) -> &str;

    /// Lists the store again. Costs one listing; on failure the previous tables stay.
    async fn refresh(&self) -> Result<()>;

    /// The tables of the last listing, without I/O.
    fn tables(&self) -> Vec<Arc<dyn TableSource>>;
}

/// One table whose rows are files.
#[async_trait]
pub trait TableSource: Debug + Send + Sync {
    /// The table's name inside its schema.
    fn name(&self) -> &str;

    /// Where the files are, as a user would write it.
    fn location(&self) -> &str;

    /// The columns, if they are known without I/O.
    fn known_schema(&self) -> Option<SchemaRef>;

    /// The columns, reading footers where they are not known yet. Fails if a file cannot be read.
    async fn schema(&self) -> Result<SchemaRef>;

    /// A scan over the table's files of now. Fails if a file cannot be read.
    async fn provider(&self) -> Result<Arc<dyn TableProvider>>;

    /// The number of rows, if footers that were read anyway say it.
    fn estimated_rows(&self) -> Option<u64>;
}
