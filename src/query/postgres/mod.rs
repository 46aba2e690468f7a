//! PostgreSQL compatibility: rewrites of statements before planning, and the functions clients call.
use std::sync::Arc;
use datafusion::execution::SessionStateBuilder;
use datafusion::sql::sqlparser::ast::Statement;
use crate::error::Result;
pub struct Rewritten { pub labels: Option<Vec<Option<String>>> }
pub fn rewrite(_s: &mut Statement) -> Result<Rewritten> { Ok(Rewritten{labels: None}) }
pub fn register<T>(b: SessionStateBuilder, _f: Arc<T>) -> SessionStateBuilder { b }
