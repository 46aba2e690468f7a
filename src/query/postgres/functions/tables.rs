//! Functions that answer rows: system views that PostgreSQL also has as functions.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::{MemTable, TableFunctionImpl, TableProvider};
use datafusion::common::{internal_datafusion_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::Expr;

use crate::catalog::SessionCatalog;
use crate::catalog::system::SystemTable;

/// The rows of a system relation, as a function without arguments.
#[derive(Debug)]
pub struct SystemRows {
    relation: &'static str,
    catalog: SessionCatalog,
}

impl SystemRows {
    /// The rows of `pg_catalog.<relation>` as the session sees them.
    pub fn new(relation: &'static str, catalog: &SessionCatalog) -> Self {
        Self { relation, catalog: catalog.clone() }
    }
}

impl TableFunctionImpl for SystemRows {
    fn call(&self, arguments: &[Expr]) -> Result<Arc<dyn TableProvider>> {
        if !arguments.is_empty() {
            return plan_err!("function {} takes no arguments, got {}", self.relation, arguments.len());
        }
        let system = self.catalog.server().system();
        let shape = system
            .shape("pg_catalog", self.relation)
            .ok_or_else(|| internal_datafusion_err!("{} is no system relation", self.relation))?;
        Ok(Arc::new(SystemTable::new(Arc::clone(shape), self.catalog.clone())))
    }
}

/// `pg_listening_channels()`: LISTEN does not exist here, so no session listens to anything.
#[derive(Debug)]
pub struct NoChannels;

impl TableFunctionImpl for NoChannels {
    fn call(&self, _: &[Expr]) -> Result<Arc<dyn TableProvider>> {
        let columns = Arc::new(Schema::new(vec![Field::new("channel", DataType::Utf8, true)]));
        Ok(Arc::new(MemTable::try_new(columns, vec![vec![]])?))
    }
}
