//! A system relation as a table that DataFusion scans: its rows are made when the scan is planned.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{MemTable, Session, TableProvider};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::rows::Rows;
use super::shape::Shape;
use super::{cluster, information_schema, relations};
use crate::catalog::oids::Oid;
use crate::catalog::session::SessionCatalog;
use crate::catalog::snapshot::Snapshot;

/// One system relation as a session sees it.
#[derive(Debug)]
pub struct SystemTable {
    shape: Arc<Shape>,
    session: SessionCatalog,
    snapshot: Arc<Snapshot>,
}

impl SystemTable {
    /// The relation over the snapshot that the session has pinned now.
    pub fn new(shape: Arc<Shape>, session: SessionCatalog) -> Self {
        let snapshot = session.snapshot();
        Self { shape, session, snapshot }
    }

    /// The rows. `filters` may be used to make fewer of them.
    async fn batch(&self, filters: &[Expr]) -> Result<RecordBatch> {
        let system = self.session.server().system();
        if let Some(batch) = system.fixed_rows(&self.shape) {
            return Ok(batch.clone());
        }
        match self.rows(filters).await? {
            Some(rows) => rows.into_batch(&self.shape.columns),
            None => Ok(RecordBatch::new_empty(Arc::clone(&self.shape.columns))),
        }
    }

    /// The rows of a relation that changes; `None` for those that are always empty here.
    async fn rows(&self, filters: &[Expr]) -> Result<Option<Rows>> {
        let system = self.session.server().system();
        let (snapshot, user) = (self.snapshot.as_ref(), self.session.user());
        let rows = match (self.shape.schema.as_str(), self.shape.name.as_str()) {
            ("pg_catalog", "pg_namespace") => relations::pg_namespace(snapshot),
            ("pg_catalog", "pg_class") => relations::pg_class(snapshot),
            ("pg_catalog", "pg_attribute") => {
                relations::pg_attribute(snapshot, system, wanted_oid(filters, "attrelid")).await?
            }
            ("pg_catalog", "pg_tables") => relations::pg_tables(snapshot, super::OWNER),
            ("pg_catalog", "pg_views") => relations::pg_views(snapshot, super::OWNER),
            ("pg_catalog", "pg_stat_all_tables") => relations::pg_stat_tables(snapshot, true),
            ("pg_catalog", "pg_stat_user_tables") => relations::pg_stat_tables(snapshot, false),
            ("pg_catalog", "pg_database") => cluster::pg_database(),
            ("pg_catalog", "pg_roles" | "pg_authid") => {
                cluster::pg_roles(user, self.session.info().is_some_and(|session| session.is_superuser()))
            }
            ("pg_catalog", "pg_user") => cluster::pg_user(user),
            ("pg_catalog", "pg_timezone_names") => cluster::pg_timezone_names(chrono::Utc::now()),
            ("pg_catalog", "pg_settings") => match self.session.info() {
                Some(session) => cluster::pg_settings(session.as_ref()),
                None => return Ok(None),
            },
            ("pg_catalog", "pg_stat_activity") => match self.session.info() {
                Some(session) => cluster::pg_stat_activity(session.as_ref(), user),
                None => return Ok(None),
            },
            ("pg_catalog", "pg_prepared_statements") => match self.session.info() {
                Some(session) => cluster::pg_prepared_statements(session.as_ref()),
                None => return Ok(None),
            },
            ("pg_catalog", "pg_cursors") => match self.session.info() {
                Some(session) => cluster::pg_cursors(session.as_ref()),
                None => return Ok(None),
            },
            ("information_schema", "information_schema_catalog_name") => information_schema::catalog_name(),
            ("information_schema", "schemata") => information_schema::schemata(snapshot),
            ("information_schema", "tables") => information_schema::tables(snapshot),
            ("information_schema", "views") => information_schema::views(snapshot),
            ("information_schema", "columns") => {
                information_schema::columns(snapshot, system, wanted_text(filters, "table_name")).await?
            }
            ("information_schema", "table_privileges" | "role_table_grants") => {
                information_schema::table_privileges(snapshot, user)
            }
            ("information_schema", "routines") => information_schema::routines(system.functions()),
            ("information_schema", "parameters") => information_schema::parameters(system.functions()),
            ("information_schema", "enabled_roles") => information_schema::enabled_roles(user),
            ("information_schema", "character_sets") => information_schema::character_sets(),
            _ => return Ok(None),
        };
        Ok(Some(rows))
    }
}

#[async_trait]
impl TableProvider for SystemTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.shape.columns)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let batch = self.batch(filters).await?;
        // Filters are applied above the scan, so a limit may not be.
        let limit = if filters.is_empty() { limit } else { None };
        let table = MemTable::try_new(Arc::clone(&self.shape.columns), vec![vec![batch]])?;
        table.scan(state, projection, &[], limit).await
    }
}

/// The object id that a filter demands of a column, if one does: `attrelid = 16384`.
fn wanted_oid(filters: &[Expr], column: &str) -> Option<Oid> {
    filters.iter().find_map(|filter| match equal_to(filter, column)? {
        ScalarValue::Int32(Some(oid)) => Oid::try_from(*oid).ok(),
        ScalarValue::Int64(Some(oid)) => Oid::try_from(*oid).ok(),
        ScalarValue::Utf8(Some(oid)) | ScalarValue::Utf8View(Some(oid)) => oid.parse().ok(),
        _ => None,
    })
}

/// The text that a filter demands of a column, if one does: `table_name = 'events'`.
fn wanted_text<'a>(filters: &'a [Expr], column: &str) -> Option<&'a str> {
    filters.iter().find_map(|filter| match equal_to(filter, column)? {
        ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text) => text.as_deref(),
        _ => None,
    })
}

/// The constant that a filter compares a column with by `=`.
fn equal_to<'a>(filter: &'a Expr, column: &str) -> Option<&'a ScalarValue> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = filter else { return None };
    let is_column = |side: &Expr| match side {
        Expr::Column(found) => found.name == column,
        Expr::Cast(cast) => matches!(cast.expr.as_ref(), Expr::Column(found) if found.name == column),
        _ => false,
    };
    match (left.as_ref(), right.as_ref()) {
        (side, Expr::Literal(value, _)) | (Expr::Literal(value, _), side) if is_column(side) => Some(value),
        _ => None,
    }
}
