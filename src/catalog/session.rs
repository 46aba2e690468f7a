//! One connection's view of the catalogue: a pinned snapshot, the open transaction's changes, the search path.
//!
//! DataFusion asks here for schemas and tables while it plans. The default schema of a session is
//! [`SEARCH_PATH_SCHEMA`], which looks an unqualified name up in each schema of the path.

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::common::TableReference;
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result as PlanResult};
use datafusion::execution::SessionState;
use datafusion::sql::sqlparser::ast::{ObjectName, ObjectNamePart, Query};
use parking_lot::RwLock;

use super::change::{Author, Change, Notice};
use super::name::QualifiedName;
use super::server::{Catalog, DATABASE};
use super::snapshot::{PG_CATALOG, PUBLIC, Relation, RelationBody, RelationKind, Schema, SchemaKind, Snapshot};
use super::source::TableSource;
use super::system::{SessionInfo, SystemTable};
use super::view::{Definition, View, normalized};
use crate::error::{Error, Result, SqlState};
use crate::sealed::Sealed;

/// The schema that stands for the search path in DataFusion's configuration.
///
/// No user schema can have this name: PostgreSQL reserves the prefix `pg_`.
pub const SEARCH_PATH_SCHEMA: &str = "pg_search_path";

/// SQLSTATE of a commit that another session's commit made impossible.
const SERIALIZATION_FAILURE: SqlState = SqlState("40001");

/// The catalogue as one connection sees it.
#[derive(Clone)]
pub struct SessionCatalog {
    shared: Arc<Shared>,
}

struct Shared {
    server: Arc<Catalog>,
    author: Author,
    view: RwLock<PinnedView>,
    planner: OnceLock<Sealed<Weak<RwLock<SessionState>>>>,
    info: OnceLock<Weak<dyn SessionInfo>>,
}

struct PinnedView {
    snapshot: Arc<Snapshot>,
    /// The changes of the open transaction, already applied to `snapshot`; `None` outside a transaction.
    transaction: Option<Vec<Change>>,
    search_path: Vec<String>,
}

/// A point of a transaction.
#[derive(Clone, Debug)]
pub struct Savepoint {
    snapshot: Arc<Snapshot>,
    change_count: usize,
}

impl fmt::Debug for SessionCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionCatalog").field("user", &self.shared.author.user).finish_non_exhaustive()
    }
}

impl SessionCatalog {
    /// The catalogue for a new connection of `user`, with the default search path.
    pub fn new(server: Arc<Catalog>, user: impl Into<String>, is_superuser: bool) -> Self {
        let view =
            PinnedView { snapshot: server.snapshot(), transaction: None, search_path: default_search_path(&server) };
        let shared = Shared {
            server,
            author: Author { user: user.into(), is_superuser },
            view: RwLock::new(view),
            planner: OnceLock::new(),
            info: OnceLock::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Sets what a session's configuration must say for names to be looked up here.
    pub fn configure(options: &mut ConfigOptions) {
        options.catalog.default_catalog = DATABASE.to_owned();
        options.catalog.default_schema = SEARCH_PATH_SCHEMA.to_owned();
        options.catalog.create_default_catalog_and_schema = false;
        // DataFusion's own information_schema would hide ours, which has PostgreSQL's columns.
        options.catalog.information_schema = false;
    }

    /// Gives the session's planner, which views are planned with (`SessionContext::state_weak_ref`).
    /// Only the first call counts.
    pub fn bind_planner(&self, state: Weak<RwLock<SessionState>>) {
        // A second planner would be of the same connection; the first one stays.
        let _ = self.shared.planner.set(Sealed::new(state));
    }

    /// Gives the session's own facts, which `pg_settings`, `current_setting` and others answer from.
    /// Only the first call counts.
    pub fn bind_info(&self, info: Weak<dyn SessionInfo>) {
        // A second set of facts would be of the same connection; the first one stays.
        let _ = self.shared.info.set(info);
    }

    /// The session's own facts, if they were given and the session still lives.
    pub fn info(&self) -> Option<Arc<dyn SessionInfo>> {
        self.shared.info.get().and_then(Weak::upgrade)
    }

    /// Starts a statement: outside a transaction it sees the newest snapshot,
    /// inside one it keeps the snapshot of BEGIN with the transaction's own changes.
    pub fn pin(&self) {
        let mut view = self.shared.view.write();
        if view.transaction.is_none() {
            view.snapshot = self.shared.server.snapshot();
        }
    }

    /// Starts a transaction on the newest snapshot. Inside a transaction nothing changes.
    pub fn begin(&self) {
        let mut view = self.shared.view.write();
        if view.transaction.is_none() {
            view.snapshot = self.shared.server.snapshot();
            view.transaction = Some(Vec::new());
        }
    }

    /// Publishes the transaction's changes and ends it.
    ///
    /// Fails with 40001, publishing nothing, if another session committed something in between that
    /// makes one of the changes impossible. The transaction is over in either case.
    pub fn commit(&self) -> Result<()> {
        let mut view = self.shared.view.write();
        let changes = view.transaction.take().unwrap_or_default();
        let outcome =
            if changes.is_empty() { Ok(Vec::new()) } else { self.shared.server.commit(&changes, &self.shared.author) };
        view.snapshot = self.shared.server.snapshot();
        match outcome {
            Ok(_) => Ok(()),
            Err(error) => {
                let message = "could not serialize access due to a concurrent change of the catalog";
                Err(Error::new(SERIALIZATION_FAILURE, message)
                    .with_detail(error.message)
                    .with_hint("The transaction might succeed if retried."))
            }
        }
    }

    /// Forgets the transaction's changes and ends it.
    pub fn rollback(&self) {
        let mut view = self.shared.view.write();
        view.transaction = None;
        view.snapshot = self.shared.server.snapshot();
    }

    /// Where the transaction stands, to go back to.
    pub fn savepoint(&self) -> Savepoint {
        let view = self.shared.view.read();
        let change_count = view.transaction.as_ref().map_or(0, Vec::len);
        Savepoint { snapshot: Arc::clone(&view.snapshot), change_count }
    }

    /// Forgets what the transaction changed after a savepoint of it.
    pub fn return_to(&self, savepoint: &Savepoint) {
        let mut view = self.shared.view.write();
        if let Some(changes) = &mut view.transaction {
            changes.truncate(savepoint.change_count);
        }
        view.snapshot = Arc::clone(&savepoint.snapshot);
    }

    /// Applies a change: inside a transaction for this session alone, otherwise for everybody at once.
    pub fn apply(&self, change: Change) -> Result<Vec<Notice>> {
        let mut view = self.shared.view.write();
        if view.transaction.is_some() {
            let (snapshot, notices) = view.snapshot.after(&change, &self.shared.author, self.shared.server.ids())?;
            view.snapshot = Arc::new(snapshot);
            if let Some(changes) = &mut view.transaction {
                changes.push(change);
            }
            Ok(notices)
        } else {
            let notices = self.shared.server.commit(&[change], &self.shared.author)?;
            view.snapshot = self.shared.server.snapshot();
            Ok(notices)
        }
    }

    /// CREATE [OR REPLACE] VIEW. `query` has been rewritten for the planner, `definition` is the user's text of it.
    ///
    /// Plans the query, so it fails as the query would.
    pub async fn create_view(
        &self,
        name: &TableReference,
        query: Box<Query>,
        columns: Vec<String>,
        definition: Definition,
        or_replace: bool,
    ) -> PlanResult<Vec<Notice>> {
        let name = self.creation_name(name)?;
        let resolve = |name: &ObjectName| self.resolve(&table_reference(name)?).map(|found| found.name.clone());
        let view = View::new(definition, query, columns, resolve, &self.planner()?).await?;
        Ok(self.apply(Change::CreateView { name, view, or_replace })?)
    }

    /// CREATE [OR REPLACE] EXTERNAL TABLE [IF NOT EXISTS].
    pub fn create_external_table(
        &self,
        name: &TableReference,
        table: Arc<dyn TableSource>,
        or_replace: bool,
        if_not_exists: bool,
    ) -> Result<Vec<Notice>> {
        let name = self.creation_name(name)?;
        self.apply(Change::CreateExternalTable { name, table, or_replace, if_not_exists })
    }

    /// DROP TABLE or DROP VIEW of one relation, found through the search path.
    pub fn drop_relation(
        &self,
        name: &TableReference,
        kind: RelationKind,
        if_exists: bool,
        cascade: bool,
    ) -> Result<Vec<Notice>> {
        let name = match self.resolve(name) {
            Some(relation) => relation.name.clone(),
            None => self.creation_name(name)?,
        };
        self.apply(Change::DropRelation { name, kind, if_exists, cascade })
    }

    /// ALTER ... RENAME TO of one relation, found through the search path; `kind` is what it must be, if anything.
    pub fn rename_relation(
        &self,
        name: &TableReference,
        to: String,
        kind: Option<RelationKind>,
        if_exists: bool,
    ) -> Result<Vec<Notice>> {
        let name = match self.resolve(name) {
            Some(relation) => relation.name.clone(),
            None => self.creation_name(name)?,
        };
        self.apply(Change::RenameRelation { name, to, kind, if_exists })
    }

    /// The snapshot that statements of this session plan against now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.shared.view.read().snapshot)
    }

    /// The server's catalogue.
    pub fn server(&self) -> &Arc<Catalog> {
        &self.shared.server
    }

    /// The user of this connection.
    pub fn user(&self) -> &str {
        &self.shared.author.user
    }

    /// The search path as it was set, with `$user` as such.
    pub fn search_path(&self) -> Vec<String> {
        self.shared.view.read().search_path.clone()
    }

    /// Sets the search path; schemas that do not exist are allowed and skipped, as in PostgreSQL.
    pub fn set_search_path(&self, schemas: Vec<String>) {
        self.shared.view.write().search_path = schemas;
    }

    /// Sets the search path back to `"$user"`, the first lake and `public`.
    pub fn reset_search_path(&self) {
        self.set_search_path(default_search_path(&self.shared.server));
    }

    /// The schemas that unqualified names are looked up in, in order and all existing.
    ///
    /// `pg_catalog` comes first unless the path names it.
    pub fn effective_search_path(&self) -> Vec<String> {
        self.shared.view.read().effective_path(&self.shared.author.user)
    }

    /// The existing schemas of the path as it was set, without the implied `pg_catalog`.
    pub fn explicit_search_path(&self) -> Vec<String> {
        self.shared.view.read().explicit_path(&self.shared.author.user).collect()
    }

    /// Whether both are the catalogue of one connection.
    pub fn is_same_session(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// The first schema of the path besides the implied `pg_catalog`: what `current_schema()` answers.
    pub fn current_schema(&self) -> Option<String> {
        let view = self.shared.view.read();
        view.explicit_path(&self.shared.author.user).next()
    }

    /// The relation that a name means: by its schema, or through the search path.
    pub fn resolve(&self, name: &TableReference) -> Option<Arc<Relation>> {
        if name.catalog().is_some_and(|catalog| catalog != DATABASE) {
            return None;
        }
        let view = self.shared.view.read();
        match name.schema() {
            Some(SEARCH_PATH_SCHEMA) | None => view.resolve(name.table(), &self.shared.author.user),
            Some(schema) => view.snapshot.relation(schema, name.table()).cloned(),
        }
    }

    /// Where CREATE puts an object of that name.
    ///
    /// Without a schema it is the first schema of the path that users may fill: a lake's schema mirrors its files.
    pub fn creation_name(&self, name: &TableReference) -> Result<QualifiedName> {
        if let Some(catalog) = name.catalog()
            && catalog != DATABASE
        {
            let message = format!("cross-database references are not implemented: \"{name}\"");
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message)
                .with_hint(format!("The only database is \"{DATABASE}\".")));
        }
        if let Some(schema) = name.schema()
            && schema != SEARCH_PATH_SCHEMA
        {
            return Ok(QualifiedName::new(schema, name.table()));
        }
        let view = self.shared.view.read();
        let target = view
            .explicit_path(&self.shared.author.user)
            .find(|schema| view.snapshot.schemas.get(schema).is_some_and(|s| s.kind == SchemaKind::User));
        match target {
            Some(schema) => Ok(QualifiedName::new(schema, name.table())),
            None => Err(Error::new(SqlState::INVALID_SCHEMA_NAME, "no schema has been selected to create in")
                .with_hint(format!("Name the schema: \"{PUBLIC}.{}\".", name.table()))),
        }
    }

    fn planner(&self) -> PlanResult<SessionState> {
        let state =
            self.shared.planner.get().and_then(|planner| planner.upgrade()).ok_or_else(|| {
                DataFusionError::Internal("the session's catalogue was not given its planner".to_owned())
            })?;
        let state = state.read().clone();
        Ok(state)
    }

    async fn provider(&self, relation: &Relation) -> PlanResult<Option<Arc<dyn TableProvider>>> {
        match &relation.body {
            RelationBody::LakeTable(table) | RelationBody::ExternalTable(table) => Ok(Some(table.provider().await?)),
            RelationBody::View(view) => Ok(Some(view.provider(&relation.name, &self.planner()?).await?)),
            RelationBody::System(_) => {
                let shape = self.server().system().shape(&relation.name.schema, &relation.name.name);
                Ok(shape.map(|shape| Arc::new(SystemTable::new(Arc::clone(shape), self.clone())) as _))
            }
        }
    }
}

impl PinnedView {
    /// The schemas of the path that are there. `$user` is one that the user owns: nobody else puts tables before theirs
    /// by making a schema of their name. A lake of that name is meant too, for nobody makes one.
    fn explicit_path<'a>(&'a self, user: &'a str) -> impl Iterator<Item = String> + 'a {
        let of_user = move |schema: &Schema| schema.kind != SchemaKind::User || schema.owner.as_deref() == Some(user);
        self.search_path
            .iter()
            .map(move |schema| if schema == "$user" { (user, true) } else { (schema.as_str(), false) })
            .filter(move |(name, is_users)| {
                self.snapshot.schemas.get(*name).is_some_and(|schema| !is_users || of_user(schema))
            })
            .map(|(name, _)| name.to_owned())
    }

    fn effective_path(&self, user: &str) -> Vec<String> {
        let mut path: Vec<String> = self.explicit_path(user).collect();
        if !path.iter().any(|schema| schema == PG_CATALOG) {
            path.insert(0, PG_CATALOG.to_owned());
        }
        path
    }

    fn resolve(&self, name: &str, user: &str) -> Option<Arc<Relation>> {
        self.effective_path(user).iter().find_map(|schema| self.snapshot.relation(schema, name)).cloned()
    }
}

fn default_search_path(server: &Catalog) -> Vec<String> {
    let mut path = vec!["$user".to_owned()];
    path.extend(server.first_lake().map(str::to_owned));
    path.push(PUBLIC.to_owned());
    path
}

/// A parsed name as DataFusion resolves it; `None` for names of more than three parts or computed ones.
pub(crate) fn table_reference(name: &ObjectName) -> Option<TableReference> {
    let parts: Vec<String> = name
        .0
        .iter()
        .map(|part| match part {
            ObjectNamePart::Identifier(ident) => Some(normalized(ident)),
            ObjectNamePart::Function(_) => None,
        })
        .collect::<Option<_>>()?;
    match parts.as_slice() {
        [table] => Some(TableReference::bare(table.as_str())),
        [schema, table] => Some(TableReference::partial(schema.as_str(), table.as_str())),
        [catalog, schema, table] => Some(TableReference::full(catalog.as_str(), schema.as_str(), table.as_str())),
        _ => None,
    }
}

impl CatalogProviderList for SessionCatalog {
    fn register_catalog(&self, _: String, _: Arc<dyn CatalogProvider>) -> Option<Arc<dyn CatalogProvider>> {
        // The server has one database; DataFusion's trait leaves no way to say so but to ignore the call.
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        vec![DATABASE.to_owned()]
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        (name == DATABASE).then(|| Arc::new(self.clone()) as Arc<dyn CatalogProvider>)
    }
}

impl CatalogProvider for SessionCatalog {
    fn schema_names(&self) -> Vec<String> {
        self.snapshot().schemas.keys().cloned().collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let place = if name == SEARCH_PATH_SCHEMA {
            None
        } else if self.snapshot().schemas.contains_key(name) {
            Some(name.to_owned())
        } else {
            return None;
        };
        Some(Arc::new(SessionSchema { catalog: self.clone(), place }))
    }
}

/// A schema of the session's snapshot, or its whole search path where `place` is `None`.
#[derive(Debug)]
struct SessionSchema {
    catalog: SessionCatalog,
    place: Option<String>,
}

impl SessionSchema {
    fn relation(&self, name: &str) -> Option<Arc<Relation>> {
        let reference = match &self.place {
            Some(schema) => TableReference::partial(schema.as_str(), name),
            None => TableReference::bare(name),
        };
        self.catalog.resolve(&reference)
    }
}

#[async_trait]
impl SchemaProvider for SessionSchema {
    fn table_names(&self) -> Vec<String> {
        let snapshot = self.catalog.snapshot();
        let schemas = match &self.place {
            Some(schema) => vec![schema.clone()],
            None => self.catalog.effective_search_path(),
        };
        schemas
            .iter()
            .filter_map(|schema| snapshot.schemas.get(schema))
            .flat_map(|schema| schema.relations.keys().cloned())
            .collect()
    }

    async fn table(&self, name: &str) -> PlanResult<Option<Arc<dyn TableProvider>>> {
        match self.relation(name) {
            Some(relation) => self.catalog.provider(&relation).await,
            None => Ok(None),
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        self.relation(name).is_some()
    }
}
