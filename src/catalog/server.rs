//! The server's catalogue: lakes, what users created, and the newest snapshot of both.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use parking_lot::{Mutex, RwLock};

use super::change::{Author, Change, Notice};
use super::name::QualifiedName;
use super::oids::{ObjectIds, ObjectKey};
use super::snapshot::{INFORMATION_SCHEMA, PUBLIC, Relation, RelationBody, Schema, SchemaKind, Snapshot};
use super::source::{LakeSource, TableSource};
use super::system::{FunctionInfo, PUBLIC_OID, SystemTables};
use crate::error::{Error, Result, SqlState};

/// The name of the one database.
pub const DATABASE: &str = "tributary";

/// The catalogue of a server.
///
/// Readers take the newest snapshot and keep it; nobody waits for a writer.
#[derive(Debug)]
pub struct Catalog {
    lakes: Vec<Arc<dyn LakeSource>>,
    ids: ObjectIds,
    system: SystemTables,
    newest: RwLock<Arc<Snapshot>>,
    /// Held while the next snapshot is made, so that no change is lost.
    writer: Mutex<()>,
}

impl Catalog {
    /// A catalogue over lakes that have been listed once, and the functions that it lists.
    /// The first lake is the one on the search path.
    ///
    /// Fails if two lakes share a name or a lake has the name of a schema of the server's.
    /// Costs some ten milliseconds: PostgreSQL's own types, functions and operators are decoded.
    pub fn new(lakes: Vec<Arc<dyn LakeSource>>, functions: Vec<FunctionInfo>) -> Result<Arc<Self>> {
        let ids = ObjectIds::default();
        let system = SystemTables::new(functions, &ids)?;
        let mut schemas = system.schemas();
        let public = Schema { oid: PUBLIC_OID, kind: SchemaKind::User, owner: None, relations: BTreeMap::new() };
        schemas.insert(PUBLIC.to_owned(), Arc::new(public));
        for lake in &lakes {
            let name = lake.name();
            if name.starts_with("pg_") || name == INFORMATION_SCHEMA {
                let message = format!("a lake cannot be named \"{name}\": the name belongs to the system");
                return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
                    .with_hint("Name the lake on the command line: --lake NAME=PATH."));
            }
            if schemas.contains_key(name) {
                let message = format!("two schemas would be named \"{name}\"");
                return Err(Error::new(SqlState::DUPLICATE_SCHEMA, message)
                    .with_hint("Name one of the lakes on the command line: --lake NAME=PATH."));
            }
            schemas.insert(name.to_owned(), lake_schema(lake.as_ref(), None, &ids));
        }
        let newest = RwLock::new(Arc::new(Snapshot { schemas }));
        Ok(Arc::new(Self { lakes, ids, system, newest, writer: Mutex::new(()) }))
    }

    /// The newest snapshot. Costs the copy of a pointer.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.newest.read())
    }

    /// The name of the first lake, whose schema is on the default search path.
    pub fn first_lake(&self) -> Option<&str> {
        self.lakes.first().map(|lake| lake.name())
    }

    /// Lists every lake again and publishes a new snapshot if tables came, went or were replaced.
    ///
    /// A lake that cannot be listed keeps the tables it had; the first such failure is returned
    /// after the others have been listed.
    pub async fn refresh(&self) -> Result<()> {
        let mut failure = None;
        let listed = join_all(self.lakes.iter().map(|lake| async move { (lake, lake.refresh().await) })).await;
        for (lake, listed) in listed {
            if let Err(error) = listed {
                tracing::warn!(lake = lake.name(), %error, "cannot list the lake; its tables stay as they were");
                failure.get_or_insert(error);
            }
        }
        self.publish_lakes();
        failure.map_or(Ok(()), Err)
    }

    /// Puts the lakes' current tables in the newest snapshot.
    fn publish_lakes(&self) {
        let _writing = self.writer.lock();
        let current = self.snapshot();
        let mut next = Snapshot::clone(&current);
        let mut has_changed = false;
        for lake in &self.lakes {
            let before = current.schemas.get(lake.name());
            let after = lake_schema(lake.as_ref(), before, &self.ids);
            if before.is_none_or(|before| !Arc::ptr_eq(before, &after)) {
                next.schemas.insert(lake.name().to_owned(), after);
                has_changed = true;
            }
        }
        if has_changed {
            *self.newest.write() = Arc::new(next);
        }
    }

    /// Publishes changes, all or none.
    pub fn commit(&self, changes: &[Change], author: &Author) -> Result<Vec<Notice>> {
        let _writing = self.writer.lock();
        let mut next = Snapshot::clone(&self.snapshot());
        let mut notices = Vec::new();
        for change in changes {
            let (after, said) = next.after(change, author, &self.ids)?;
            next = after;
            notices.extend(said);
        }
        *self.newest.write() = Arc::new(next);
        Ok(notices)
    }

    /// The system relations and our functions.
    pub fn system(&self) -> &SystemTables {
        &self.system
    }

    /// The object ids of this server.
    pub fn ids(&self) -> &ObjectIds {
        &self.ids
    }
}

/// The schema of a lake's tables: the same object as `before` if nothing changed.
fn lake_schema(lake: &dyn LakeSource, before: Option<&Arc<Schema>>, ids: &ObjectIds) -> Arc<Schema> {
    let tables = lake.tables();
    if let Some(before) = before
        && before.relations.len() == tables.len()
        && tables.iter().all(|table| is_listed(before, table))
    {
        return Arc::clone(before);
    }
    let oid = ids.oid(ObjectKey::Schema(lake.name().to_owned()));
    let relations = tables
        .into_iter()
        .map(|table| {
            let name = QualifiedName::new(lake.name(), table.name());
            let oid = ids.oid(ObjectKey::Relation(name.schema.clone(), name.name.clone()));
            (name.name.clone(), Arc::new(Relation { oid, name, owner: None, body: RelationBody::LakeTable(table) }))
        })
        .collect();
    Arc::new(Schema { oid, kind: SchemaKind::Lake, owner: None, relations })
}

fn is_listed(schema: &Schema, table: &Arc<dyn TableSource>) -> bool {
    schema.relations.get(table.name()).is_some_and(|relation| match &relation.body {
        RelationBody::LakeTable(listed) => Arc::ptr_eq(listed, table),
        _ => false,
    })
}
