//! `pg_catalog` and `information_schema`: every relation of PostgreSQL 16 with its columns, and rows where
//! this server has something to say.
//!
//! Shapes come from one data file, PostgreSQL's own rows from `datafusion-pg-catalog`, the rest from the
//! session's snapshot. No table is opened to list it.

mod cluster;
mod functions;
mod info;
mod information_schema;
mod provider;
mod relations;
mod rows;
mod shape;
mod statics;
mod types;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, LazyLock, OnceLock};

use datafusion::arrow::array::RecordBatch;
use datafusion_pg_catalog::pg_catalog::ArrowTable;

pub use cluster::{DATABASE_OID, role_name, role_oid};
pub use functions::{ListedFunction, ListedSignature};
pub use info::{
    Activity, CursorInfo, FunctionArgument, FunctionInfo, FunctionKind, PreparedInfo, SessionInfo, SettingInfo, Signal,
};
pub use provider::SystemTable;
pub use relations::view_definition;
pub use rows::{Cell, build_column};
pub use shape::Shape;
pub use types::{field_type, format_type, parse_type};

use self::statics::StaticRows;
use super::name::QualifiedName;
use super::oids::{ObjectIds, ObjectKey, Oid};
use super::snapshot::{INFORMATION_SCHEMA, PG_CATALOG, Relation, RelationBody, Schema, SchemaKind, SystemRelation};
use crate::error::{Error, Result, SqlState};

/// The role that owns everything.
pub const OWNER: &str = "tributary";
/// The id of the owner: PostgreSQL's first role.
pub const OWNER_OID: Oid = 10;
/// The id of a session's user who is not the owner.
pub const USER_OID: Oid = 16_383;
/// The id of schema `public` in every PostgreSQL database.
pub const PUBLIC_OID: Oid = 2_200;
/// The id of `pg_proc`, under which functions are described.
pub const PG_PROC_OID: Oid = 1_255;
/// The id of `pg_class`, under which relations are described.
pub const PG_CLASS_OID: Oid = 1_259;

/// The relations that may have rows here: those with PostgreSQL's own, and those that a session's snapshot fills.
const POPULATED: [&str; 43] = [
    "pg_aggregate",
    "pg_am",
    "pg_amop",
    "pg_amproc",
    "pg_cast",
    "pg_collation",
    "pg_conversion",
    "pg_description",
    "pg_language",
    "pg_opclass",
    "pg_operator",
    "pg_opfamily",
    "pg_proc",
    "pg_range",
    "pg_tablespace",
    "pg_type",
    "pg_namespace",
    "pg_class",
    "pg_attribute",
    "pg_tables",
    "pg_views",
    "pg_stat_all_tables",
    "pg_stat_user_tables",
    "pg_database",
    "pg_roles",
    "pg_authid",
    "pg_user",
    "pg_timezone_names",
    "pg_settings",
    "pg_stat_activity",
    "pg_prepared_statements",
    "pg_cursors",
    "information_schema_catalog_name",
    "schemata",
    "tables",
    "views",
    "columns",
    "table_privileges",
    "role_table_grants",
    "routines",
    "parameters",
    "enabled_roles",
    "character_sets",
];

/// Whether a system relation never has rows in this server, because what it is about does not exist here.
pub fn is_always_empty(schema: &str, name: &str) -> bool {
    static EMPTY: LazyLock<HashSet<(String, String)>> = LazyLock::new(|| {
        let shapes = shape::read_shapes().unwrap_or_default();
        let empty = shapes.into_iter().filter(|shape| !POPULATED.contains(&shape.name.as_str()));
        empty.map(|shape| (shape.schema, shape.name)).collect()
    });
    EMPTY.contains(&(schema.to_owned(), name.to_owned()))
}

const PG_CATALOG_OID: Oid = 11;
/// The id that the types of `information_schema` name as their schema.
const INFORMATION_SCHEMA_OID: Oid = 13_283;

/// What the system relations say that is the same for every session: built once per server.
#[derive(Debug)]
pub struct SystemTables {
    shapes: HashMap<(String, String), Arc<Shape>>,
    fixed: HashMap<String, RecordBatch>,
    functions: Vec<ListedFunction>,
    statics: StaticRows,
    signatures: OnceLock<HashMap<Oid, ListedSignature>>,
    descriptions: OnceLock<HashMap<(Oid, Oid), String>>,
    type_schemas: OnceLock<HashMap<Oid, Oid>>,
}

impl SystemTables {
    /// Loads the static tables and adds our functions to them.
    pub fn new(functions: Vec<FunctionInfo>, ids: &ObjectIds) -> Result<Self> {
        let shapes = shape::read_shapes()?;
        let statics = StaticRows::load(&shapes).map_err(unloadable)?;
        let functions: Vec<ListedFunction> = functions
            .into_iter()
            .map(|info| ListedFunction { oid: ids.oid(ObjectKey::Function(info.name.clone())), info })
            .collect();
        let mut fixed = HashMap::new();
        for shape in shapes.iter().filter(|shape| shape.schema == PG_CATALOG) {
            let batch = match shape.name.as_str() {
                "pg_proc" => Some(functions::pg_proc(&statics, &functions, &shape.columns).map_err(unloadable)?),
                "pg_description" => {
                    Some(functions::pg_description(&statics, &functions, &shape.columns).map_err(unloadable)?)
                }
                "pg_aggregate" => {
                    Some(functions::pg_aggregate(&statics, &functions, &shape.columns).map_err(unloadable)?)
                }
                name => statics.rows(name).cloned(),
            };
            fixed.extend(batch.map(|batch| (shape.name.clone(), batch)));
        }
        let shapes =
            shapes.into_iter().map(|shape| ((shape.schema.clone(), shape.name.clone()), Arc::new(shape))).collect();
        Ok(Self {
            shapes,
            fixed,
            functions,
            statics,
            signatures: OnceLock::new(),
            descriptions: OnceLock::new(),
            type_schemas: OnceLock::new(),
        })
    }

    /// The two system schemas, for the snapshot.
    pub fn schemas(&self) -> BTreeMap<String, Arc<Schema>> {
        [(PG_CATALOG, PG_CATALOG_OID), (INFORMATION_SCHEMA, INFORMATION_SCHEMA_OID)]
            .into_iter()
            .map(|(name, oid)| {
                let relations = self
                    .shapes
                    .values()
                    .filter(|shape| shape.schema == name)
                    .map(|shape| (shape.name.clone(), Arc::new(system_relation(shape))))
                    .collect();
                (name.to_owned(), Arc::new(Schema { oid, kind: SchemaKind::System, owner: None, relations }))
            })
            .collect()
    }

    /// The shape of a system relation.
    pub fn shape(&self, schema: &str, name: &str) -> Option<&Arc<Shape>> {
        self.shapes.get(&(schema.to_owned(), name.to_owned()))
    }

    /// Our functions.
    pub fn functions(&self) -> &[ListedFunction] {
        &self.functions
    }

    /// The id of a function by name: of ours, else of PostgreSQL's.
    pub fn function_oid(&self, name: &str) -> Option<Oid> {
        let ours = self.functions.iter().find(|function| function.info.name == name).map(|function| function.oid);
        ours.or_else(|| self.statics.function_oid(name))
    }

    /// Name, arguments and result of a function, of ours or PostgreSQL's. The first question reads all of `pg_proc`.
    pub fn function(&self, oid: Oid) -> Option<&ListedSignature> {
        let signatures =
            self.signatures.get_or_init(|| functions::signatures(self.fixed.get("pg_proc"), &self.functions));
        signatures.get(&oid)
    }

    /// The id of the schema that a type is in. The first question reads all of `pg_type`.
    pub fn type_schema(&self, oid: Oid) -> Option<Oid> {
        self.type_schemas.get_or_init(|| functions::type_schemas(self.fixed.get("pg_type"))).get(&oid).copied()
    }

    /// The comment on an object of a system table (`class`), or on any object of that id.
    /// The first question reads all of `pg_description`.
    pub fn description(&self, oid: Oid, class: Option<Oid>) -> Option<&str> {
        let descriptions = self.descriptions.get_or_init(|| functions::descriptions(self.fixed.get("pg_description")));
        match class {
            Some(class) => descriptions.get(&(oid, class)),
            None => descriptions.iter().find(|((found, _), _)| *found == oid).map(|(_, text)| text),
        }
        .map(String::as_str)
    }

    /// PostgreSQL's keywords, as the table function `pg_get_keywords` answers them.
    pub fn keywords(&self) -> &Arc<ArrowTable> {
        self.statics.keywords()
    }

    /// The rows of a relation that are the same for every session.
    fn fixed_rows(&self, shape: &Shape) -> Option<&RecordBatch> {
        if shape.schema == PG_CATALOG { self.fixed.get(&shape.name) } else { None }
    }
}

fn system_relation(shape: &Shape) -> Relation {
    let body = RelationBody::System(SystemRelation { columns: Arc::clone(&shape.columns), is_view: shape.is_view });
    Relation { oid: shape.oid, name: QualifiedName::new(&shape.schema, &shape.name), owner: None, body }
}

fn unloadable(error: datafusion::error::DataFusionError) -> Error {
    Error::new(SqlState::INTERNAL_ERROR, format!("cannot load the system catalog: {error}"))
}
