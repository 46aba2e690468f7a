//! What the database holds at one moment: schemas and their relations, immutable.
//!
//! A statement plans against one snapshot from start to end.
//! A change makes a new snapshot that shares everything it does not touch.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;

use super::name::QualifiedName;
use super::oids::Oid;
use super::source::TableSource;
use super::view::View;

/// The schema that holds what users create without naming another schema.
pub const PUBLIC: &str = "public";
/// The schema of PostgreSQL's own tables.
pub const PG_CATALOG: &str = "pg_catalog";
/// The schema of the SQL standard's own tables.
pub const INFORMATION_SCHEMA: &str = "information_schema";

/// Who fills a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaKind {
    /// The server: `pg_catalog` and `information_schema`.
    System,
    /// The files of a lake: tables come and go with them, nothing else can be created here.
    Lake,
    /// Users, by CREATE and DROP.
    User,
}

/// A schema and its relations, by name.
#[derive(Clone, Debug)]
pub struct Schema {
    /// The schema's object id.
    pub oid: Oid,
    /// Who fills it.
    pub kind: SchemaKind,
    /// The user who owns it; nobody owns what is the server's, a lake's or everybody's.
    pub owner: Option<String>,
    /// Its relations by name.
    pub relations: BTreeMap<String, Arc<Relation>>,
}

/// A table or a view.
#[derive(Debug)]
pub struct Relation {
    /// The relation's object id.
    pub oid: Oid,
    /// Its schema and name.
    pub name: QualifiedName,
    /// The user who made it; nobody owns a table of a lake or of the system.
    pub owner: Option<String>,
    /// What it is.
    pub body: RelationBody,
}

/// What a relation is made of.
#[derive(Debug)]
pub enum RelationBody {
    /// A file or folder of a lake.
    LakeTable(Arc<dyn TableSource>),
    /// A table made by CREATE EXTERNAL TABLE.
    ExternalTable(Arc<dyn TableSource>),
    /// A view.
    View(View),
    /// A table or view of the system; its rows come from the system's own provider.
    System(SystemRelation),
}

/// What the catalogue lists about one of its own relations.
#[derive(Clone, Debug)]
pub struct SystemRelation {
    /// The columns.
    pub columns: SchemaRef,
    /// Whether PostgreSQL has it as a view.
    pub is_view: bool,
}

/// The kind of a relation as commands name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelationKind {
    /// A table: of a lake, or external.
    Table,
    /// A view.
    View,
}

impl RelationKind {
    /// The word that SQL uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::View => "view",
        }
    }
}

impl Relation {
    /// Whether commands call it a table or a view.
    pub fn kind(&self) -> RelationKind {
        match &self.body {
            RelationBody::View(_) => RelationKind::View,
            RelationBody::System(system) if system.is_view => RelationKind::View,
            _ => RelationKind::Table,
        }
    }

    /// The columns, if they are known without I/O.
    pub fn known_schema(&self) -> Option<SchemaRef> {
        match &self.body {
            RelationBody::LakeTable(table) | RelationBody::ExternalTable(table) => table.known_schema(),
            RelationBody::View(view) => Some(Arc::clone(&view.columns)),
            RelationBody::System(system) => Some(Arc::clone(&system.columns)),
        }
    }

    /// The number of rows, if it is known without I/O.
    pub fn estimated_rows(&self) -> Option<u64> {
        match &self.body {
            RelationBody::LakeTable(table) | RelationBody::ExternalTable(table) => table.estimated_rows(),
            RelationBody::View(_) | RelationBody::System(_) => None,
        }
    }
}

/// All schemas at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Schemas by name.
    pub schemas: BTreeMap<String, Arc<Schema>>,
}

impl Snapshot {
    /// The relation of that name, if there is one.
    pub fn relation(&self, schema: &str, name: &str) -> Option<&Arc<Relation>> {
        self.schemas.get(schema)?.relations.get(name)
    }

    /// Every relation, schema by schema in the order of names.
    pub fn relations(&self) -> impl Iterator<Item = &Arc<Relation>> {
        self.schemas.values().flat_map(|schema| schema.relations.values())
    }

    /// The relation with that object id. Looks at every relation.
    pub fn relation_by_oid(&self, oid: Oid) -> Option<&Arc<Relation>> {
        self.relations().find(|relation| relation.oid == oid)
    }

    /// The schema with that object id, and its name.
    pub fn schema_by_oid(&self, oid: Oid) -> Option<(&str, &Arc<Schema>)> {
        self.schemas.iter().find(|(_, schema)| schema.oid == oid).map(|(name, schema)| (name.as_str(), schema))
    }
}
