//! Lakes and tables for tests, without files.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{MemTable, TableProvider};
use parking_lot::Mutex;

use super::source::{LakeSource, TableSource};
use crate::error::{Error, Result, SqlState};

/// The lake `demo`.
#[derive(Debug)]
pub struct TestLake {
    tables: Mutex<Vec<Arc<dyn TableSource>>>,
}

impl TestLake {
    pub fn new(tables: Vec<Arc<dyn TableSource>>) -> Self {
        Self { tables: Mutex::new(tables) }
    }

    /// What the next listing finds.
    pub fn set_tables(&self, tables: Vec<Arc<dyn TableSource>>) {
        *self.tables.lock() = tables;
    }
}

#[async_trait]
impl LakeSource for TestLake {
    fn name(&self) -> &str {
        "demo"
    }

    async fn refresh(&self) -> Result<()> {
        Ok(())
    }

    fn tables(&self) -> Vec<Arc<dyn TableSource>> {
        self.tables.lock().clone()
    }
}

/// A table without rows, or one whose file cannot be read.
#[derive(Debug)]
pub struct TestTable {
    pub name: String,
    pub columns: Option<SchemaRef>,
}

#[async_trait]
impl TableSource for TestTable {
    fn name(&self) -> &str {
        &self.name
    }

    fn location(&self) -> &str {
        "/lake/demo"
    }

    fn known_schema(&self) -> Option<SchemaRef> {
        self.columns.clone()
    }

    async fn schema(&self) -> Result<SchemaRef> {
        self.columns.clone().ok_or_else(|| {
            Error::new(SqlState::DATA_CORRUPTED, format!("/lake/demo/{}.parquet is not a Parquet file", self.name))
        })
    }

    async fn provider(&self) -> Result<Arc<dyn TableProvider>> {
        let columns = self.schema().await?;
        let table = MemTable::try_new(columns, vec![vec![]]).expect("an empty table can be made");
        Ok(Arc::new(table))
    }

    fn estimated_rows(&self) -> Option<u64> {
        Some(7)
    }
}
