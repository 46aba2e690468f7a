//! The room `lake` as the catalogue's source of tables.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;

use super::source::{LakeSource, TableSource};
use super::system::{FunctionArgument, FunctionInfo, FunctionKind};
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

    fn location(&self) -> &str {
        self.location()
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

impl From<&tributary_udfs::FunctionDoc> for FunctionInfo {
    fn from(doc: &tributary_udfs::FunctionDoc) -> Self {
        let arguments = doc.arguments.iter().map(|argument| FunctionArgument {
            name: argument.name.to_owned(),
            sql_type: argument.sql_type.to_owned(),
            is_variadic: argument.is_variadic,
        });
        Self {
            name: doc.name.to_owned(),
            kind: match doc.kind {
                tributary_udfs::FunctionKind::Aggregate | tributary_udfs::FunctionKind::AggregateOrWindow => {
                    FunctionKind::Aggregate
                }
                tributary_udfs::FunctionKind::Scalar => FunctionKind::Scalar,
                tributary_udfs::FunctionKind::Window => FunctionKind::Window,
                // `prokind` has no letter for what stands in FROM alone: a set-returning function is a plain one.
                tributary_udfs::FunctionKind::Relation => FunctionKind::Scalar,
            },
            arguments: arguments.collect(),
            arguments_text: doc.arguments_text(),
            returns: doc.returns.to_owned(),
            description: doc.summary.to_owned(),
        }
    }
}
