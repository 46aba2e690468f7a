//! The lake room as the catalogue's source of tables.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;

use super::source::{LakeSource, TableSource};
use crate::error::Result;
use crate::lake::{Lake, LakeTable};

#[async_trait]
impl LakeSource for Lake {
    fn name(&self) -> &str {
        self.name()
    }

    async fn refresh(&self) -> Result<()> {
        self.refresh().await
    }

    fn tables(&self) -> Vec<Arc<dyn TableSource>> {
        self.tables().values().map(|table| Arc::clone(table) as Arc<dyn TableSource>).collect()
    }
}

#[async_trait]
impl TableSource for LakeTable {
    fn name(&self) -> &str {
        self.name()
    }

    fn location(&self) -> String {
        self.location().to_owned()
    }

    fn known_schema(&self) -> Option<SchemaRef> {
        self.known_schema()
    }

    async fn schema(&self) -> Result<SchemaRef> {
        self.schema().await
    }

    async fn provider(&self) -> Result<Arc<dyn TableProvider>> {
        self.provider().await
    }

    fn estimated_rows(&self) -> Option<u64> {
        self.estimated_rows()
    }
}
