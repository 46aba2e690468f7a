//! What the snapshot says: namespaces, classes, attributes, and the views over them.

use std::time::Duration;

use datafusion::arrow::datatypes::{DataType, Field, SchemaRef};

use super::rows::{Cell, Rows};
use super::types::{field_type, parse_type, type_collation, type_length};
use super::{OWNER_OID, SystemTables};
use crate::catalog::oids::Oid;
use crate::catalog::snapshot::{Relation, RelationBody, RelationKind, SchemaKind, Snapshot};
use crate::error::{Error, Result, SqlState};

/// The access method of tables.
const HEAP_OID: i64 = 2;
/// How long a statement that asks for one table's columns may wait for its files.
const COLUMNS_TIMEOUT: Duration = Duration::from_secs(5);

/// `pg_namespace`.
pub fn pg_namespace(snapshot: &Snapshot) -> Rows {
    let mut rows = Rows::new(&["oid", "nspname", "nspowner"]);
    for (name, schema) in &snapshot.schemas {
        rows.push(vec![schema.oid.into(), name.clone().into(), OWNER_OID.into()]);
    }
    rows
}

/// `pg_class`: tables and views. Nothing is opened: columns that are not known yet count as zero.
pub fn pg_class(snapshot: &Snapshot) -> Rows {
    let mut rows = Rows::new(&[
        "oid",
        "relname",
        "relnamespace",
        "reltype",
        "reloftype",
        "relowner",
        "relam",
        "relfilenode",
        "reltablespace",
        "relpages",
        "reltuples",
        "relallvisible",
        "reltoastrelid",
        "relhasindex",
        "relisshared",
        "relpersistence",
        "relkind",
        "relnatts",
        "relchecks",
        "relhasrules",
        "relhastriggers",
        "relhassubclass",
        "relrowsecurity",
        "relforcerowsecurity",
        "relispopulated",
        "relreplident",
        "relispartition",
        "relrewrite",
        "relfrozenxid",
        "relminmxid",
    ]);
    for schema in snapshot.schemas.values() {
        for relation in schema.relations.values() {
            let is_table = relation.kind() == RelationKind::Table;
            let column_count = relation.known_schema().map_or(0, |columns| columns.fields().len());
            // -1 is PostgreSQL's word for "not known yet".
            let row_count = relation.estimated_rows().map_or(-1.0, |rows| rows as f64);
            rows.push(vec![
                relation.oid.into(),
                relation.name.name.clone().into(),
                schema.oid.into(),
                0i64.into(),
                0i64.into(),
                OWNER_OID.into(),
                if is_table { HEAP_OID } else { 0 }.into(),
                0i64.into(),
                0i64.into(),
                0i64.into(),
                row_count.into(),
                0i64.into(),
                0i64.into(),
                false.into(),
                false.into(),
                "p".into(),
                relation_kind(relation).into(),
                (column_count as i64).into(),
                0i64.into(),
                (!is_table).into(),
                false.into(),
                false.into(),
                false.into(),
                false.into(),
                true.into(),
                // The default, of which psql says nothing.
                "d".into(),
                false.into(),
                0i64.into(),
                "0".into(),
                "0".into(),
            ]);
        }
    }
    rows
}

/// The letter of `pg_class.relkind`.
fn relation_kind(relation: &Relation) -> &'static str {
    match relation.kind() {
        RelationKind::Table => "r",
        RelationKind::View => "v",
    }
}

/// `pg_attribute`.
///
/// Without `only`, columns are listed of every relation whose columns are known without I/O.
/// With `only`, one relation's columns are listed, and its footers are read if they have to be:
/// that fails if a file cannot be read, and names it.
pub async fn pg_attribute(snapshot: &Snapshot, system: &SystemTables, only: Option<Oid>) -> Result<Rows> {
    let mut rows = Rows::new(&[
        "attrelid",
        "attname",
        "atttypid",
        "attlen",
        "attnum",
        "attndims",
        "attcacheoff",
        "atttypmod",
        "attbyval",
        "attalign",
        "attstorage",
        "attcompression",
        "attnotnull",
        "atthasdef",
        "atthasmissing",
        "attidentity",
        "attgenerated",
        "attisdropped",
        "attislocal",
        "attinhcount",
        "attcollation",
        "attstattarget",
    ]);
    match only {
        Some(oid) => {
            if let Some(relation) = snapshot.relation_by_oid(oid) {
                let columns = columns_now(relation).await?;
                push_attributes(&mut rows, relation, &columns, system);
            }
        }
        None => {
            for relation in snapshot.relations() {
                if let Some(columns) = relation.known_schema() {
                    push_attributes(&mut rows, relation, &columns, system);
                }
            }
        }
    }
    Ok(rows)
}

/// A relation's columns, reading its files' footers if they are not known.
pub async fn columns_now(relation: &Relation) -> Result<SchemaRef> {
    if let Some(columns) = relation.known_schema() {
        return Ok(columns);
    }
    let (RelationBody::LakeTable(table) | RelationBody::ExternalTable(table)) = &relation.body else {
        let message = format!("the columns of {} are not known", relation.name);
        return Err(Error::new(SqlState::INTERNAL_ERROR, message));
    };
    tokio::time::timeout(COLUMNS_TIMEOUT, table.schema()).await.unwrap_or_else(|_| {
        let message =
            format!("reading the columns of {} took longer than {} seconds", relation.name, COLUMNS_TIMEOUT.as_secs());
        Err(Error::new(SqlState::IO_ERROR, message).with_detail(format!("Its files are in {}.", table.location())))
    })
}

fn push_attributes(rows: &mut Rows, relation: &Relation, columns: &SchemaRef, system: &SystemTables) {
    let shape = match &relation.body {
        RelationBody::System(_) => system.shape(&relation.name.schema, &relation.name.name),
        _ => None,
    };
    for (index, field) in columns.fields().iter().enumerate() {
        // Columns of PostgreSQL's own relations have types that Arrow cannot tell apart, such as oid and name.
        let (kind, typmod) = shape
            .and_then(|shape| parse_type(&shape.column_types[index]).map(|kind| (kind, -1)))
            .unwrap_or_else(|| field_type(field));
        let length = type_length(&kind);
        let is_list = matches!(field.data_type(), DataType::List(_) | DataType::LargeList(_));
        rows.push(vec![
            relation.oid.into(),
            field.name().clone().into(),
            kind.oid().into(),
            i64::from(length).into(),
            (index as i64 + 1).into(),
            i64::from(is_list).into(),
            (-1i64).into(),
            typmod.into(),
            (1..=8).contains(&length).into(),
            if length == 8 { "d" } else { "i" }.into(),
            if length < 0 { "x" } else { "p" }.into(),
            "".into(),
            (!is_nullable(relation, field)).into(),
            false.into(),
            false.into(),
            "".into(),
            "".into(),
            false.into(),
            true.into(),
            0i64.into(),
            type_collation(&kind).into(),
            (-1i64).into(),
        ]);
    }
}

/// Whether PostgreSQL would say that a column may be NULL: it never promises anything for a view's columns.
pub fn is_nullable(relation: &Relation, field: &Field) -> bool {
    field.is_nullable() || relation.kind() == RelationKind::View
}

/// `pg_tables`.
pub fn pg_tables(snapshot: &Snapshot, owner: &str) -> Rows {
    let mut rows =
        Rows::new(&["schemaname", "tablename", "tableowner", "hasindexes", "hasrules", "hastriggers", "rowsecurity"]);
    for relation in snapshot.relations().filter(|relation| relation.kind() == RelationKind::Table) {
        let name = &relation.name;
        let mut row = vec![name.schema.clone().into(), name.name.clone().into(), owner.to_owned().into()];
        row.extend([false; 4].map(Cell::from));
        rows.push(row);
    }
    rows
}

/// `pg_views`.
pub fn pg_views(snapshot: &Snapshot, owner: &str) -> Rows {
    let mut rows = Rows::new(&["schemaname", "viewname", "viewowner", "definition"]);
    for relation in snapshot.relations().filter(|relation| relation.kind() == RelationKind::View) {
        let name = &relation.name;
        rows.push(vec![
            name.schema.clone().into(),
            name.name.clone().into(),
            owner.to_owned().into(),
            view_definition(relation).into(),
        ]);
    }
    rows
}

/// A view's query as the user wrote it, with the names that relations have now and the semicolon that PostgreSQL's tools
/// expect.
pub fn view_definition(relation: &Relation) -> Option<String> {
    match &relation.body {
        RelationBody::View(view) => Some(format!("{};", view.definition().trim().trim_end_matches(';').trim_end())),
        _ => None,
    }
}

/// `pg_stat_all_tables` and `pg_stat_user_tables`: row counts where they are known.
pub fn pg_stat_tables(snapshot: &Snapshot, with_system: bool) -> Rows {
    let mut rows = Rows::new(&["relid", "schemaname", "relname", "n_live_tup", "n_dead_tup"]);
    for schema in snapshot.schemas.values().filter(|schema| with_system || schema.kind != SchemaKind::System) {
        for relation in schema.relations.values().filter(|relation| relation.kind() == RelationKind::Table) {
            rows.push(vec![
                relation.oid.into(),
                relation.name.schema.clone().into(),
                relation.name.name.clone().into(),
                relation.estimated_rows().map(|rows| rows as i64).into(),
                0i64.into(),
            ]);
        }
    }
    rows
}
