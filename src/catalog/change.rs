//! Changes of the catalogue, and what each does to a snapshot.
//!
//! A transaction collects changes and sees their effect; the commit applies the same changes
//! to the newest snapshot. A change that cannot be applied leaves the snapshot as it was.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::name::{QualifiedName, quote_ident};
use super::oids::{ObjectIds, ObjectKey};
use super::snapshot::{Relation, RelationBody, RelationKind, Schema, SchemaKind, Snapshot};
use super::source::TableSource;
use super::view::View;
use crate::error::{Error, Result, SqlState};

/// SQLSTATE of a DROP that other objects depend on.
const DEPENDENT_OBJECTS_STILL_EXIST: SqlState = SqlState("2BP01");
/// SQLSTATE of a definition that cannot be, such as a view that reads itself.
const INVALID_OBJECT_DEFINITION: SqlState = SqlState("42P17");

/// One change of the catalogue, with names fully resolved.
#[derive(Clone, Debug)]
pub enum Change {
    /// CREATE SCHEMA; its owner is who makes it, where no other is named.
    CreateSchema { name: String, if_not_exists: bool, owner: Option<String> },
    /// DROP SCHEMA.
    DropSchema { name: String, if_exists: bool, cascade: bool },
    /// CREATE [OR REPLACE] VIEW.
    CreateView { name: QualifiedName, view: View, or_replace: bool },
    /// CREATE [OR REPLACE] EXTERNAL TABLE [IF NOT EXISTS].
    CreateExternalTable { name: QualifiedName, table: Arc<dyn TableSource>, or_replace: bool, if_not_exists: bool },
    /// DROP TABLE or DROP VIEW.
    DropRelation { name: QualifiedName, kind: RelationKind, if_exists: bool, cascade: bool },
    /// ALTER TABLE or ALTER VIEW ... RENAME TO; `kind` is what it must be, if anything.
    RenameRelation { name: QualifiedName, to: String, kind: Option<RelationKind>, if_exists: bool },
}

/// Who changes the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// The user's name.
    pub user: String,
    /// A superuser changes what others own.
    pub is_superuser: bool,
}

impl Author {
    fn owns(&self, owner: Option<&str>) -> bool {
        self.is_superuser || owner == Some(self.user.as_str())
    }
}

/// Something that the user should hear about a change that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The SQLSTATE of the notice.
    pub state: SqlState,
    /// What the user reads.
    pub message: String,
}

impl Snapshot {
    /// The snapshot after the change, and what there is to say about it.
    ///
    /// Fails with the SQLSTATE that PostgreSQL gives: 42P07 and 42P06 for names that exist, 42P01 and 3F000 for
    /// names that do not, 42809 for the wrong kind, 2BP01 where other objects depend on a dropped one, 42501 for what
    /// somebody else owns.
    pub fn after(&self, change: &Change, author: &Author, ids: &ObjectIds) -> Result<(Snapshot, Vec<Notice>)> {
        let mut next = self.clone();
        let mut notices = Vec::new();
        match change {
            Change::CreateSchema { name, if_not_exists, owner } => {
                let owner = owner.as_deref().unwrap_or(&author.user);
                if !author.owns(Some(owner)) {
                    return Err(Error::new(
                        SqlState::INSUFFICIENT_PRIVILEGE,
                        format!("must be able to SET ROLE {}", quoted(owner)),
                    ));
                }
                next.create_schema(name, *if_not_exists, owner, ids, &mut notices)?;
            }
            Change::DropSchema { name, if_exists, cascade } => {
                next.drop_schema(name, *if_exists, *cascade, author, &mut notices)?;
            }
            Change::CreateView { name, view, or_replace } => next.create_view(name, view, *or_replace, author, ids)?,
            Change::CreateExternalTable { name, table, or_replace, if_not_exists } => {
                let replaced = (*or_replace, *if_not_exists);
                next.create_external_table(name, table, replaced, author, ids, &mut notices)?;
            }
            Change::DropRelation { name, kind, if_exists, cascade } => {
                next.drop_relation(name, *kind, (*if_exists, *cascade), author, &mut notices)?;
            }
            Change::RenameRelation { name, to, kind, if_exists } => {
                next.rename_relation(name, to, (*kind, *if_exists), author, ids, &mut notices)?;
            }
        }
        Ok((next, notices))
    }

    fn create_schema(
        &mut self,
        name: &str,
        if_not_exists: bool,
        owner: &str,
        ids: &ObjectIds,
        notices: &mut Vec<Notice>,
    ) -> Result<()> {
        if self.schemas.contains_key(name) {
            let message = format!("schema {} already exists", quoted(name));
            if !if_not_exists {
                return Err(Error::new(SqlState::DUPLICATE_SCHEMA, message));
            }
            notices.push(Notice { state: SqlState::DUPLICATE_SCHEMA, message: format!("{message}, skipping") });
            return Ok(());
        }
        if name.starts_with("pg_") {
            let message = format!("unacceptable schema name {}", quoted(name));
            return Err(Error::new(SqlState("42939"), message)
                .with_detail("The prefix \"pg_\" is reserved for system schemas."));
        }
        let oid = ids.oid(ObjectKey::Schema(name.to_owned()));
        let schema =
            Schema { oid, kind: SchemaKind::User, owner: Some(owner.to_owned()), relations: Default::default() };
        self.schemas.insert(name.to_owned(), Arc::new(schema));
        Ok(())
    }

    fn drop_schema(
        &mut self,
        name: &str,
        if_exists: bool,
        cascade: bool,
        author: &Author,
        notices: &mut Vec<Notice>,
    ) -> Result<()> {
        let Some(schema) = self.schemas.get(name) else {
            let message = format!("schema {} does not exist", quoted(name));
            if !if_exists {
                return Err(Error::new(SqlState::INVALID_SCHEMA_NAME, message));
            }
            notices.push(Notice { state: SqlState::SUCCESSFUL_COMPLETION, message: format!("{message}, skipping") });
            return Ok(());
        };
        refuse_unless_users(name, schema, "be dropped")?;
        if !author.owns(schema.owner.as_deref()) {
            return Err(not_owner("schema", name));
        }
        let inside: BTreeSet<QualifiedName> =
            schema.relations.keys().map(|relation| QualifiedName::new(name, relation)).collect();
        if !cascade && let Some(first) = inside.first() {
            let kind = schema.relations[&first.name].kind().word();
            let message = format!("cannot drop schema {} because other objects depend on it", quote_ident(name));
            return Err(Error::new(DEPENDENT_OBJECTS_STILL_EXIST, message)
                .with_detail(format!("{kind} {first} depends on schema {}", quote_ident(name)))
                .with_hint("Use DROP ... CASCADE to drop the dependent objects too."));
        }
        for view in self.dependent_views(&inside) {
            self.remove(&view);
            notices.push(cascade_notice(&view));
        }
        self.schemas.remove(name);
        Ok(())
    }

    fn create_view(
        &mut self,
        name: &QualifiedName,
        view: &View,
        or_replace: bool,
        author: &Author,
        ids: &ObjectIds,
    ) -> Result<()> {
        self.check_creation(name, author)?;
        let mut owner = author.user.clone();
        if let Some(existing) = self.relation(&name.schema, &name.name) {
            if !or_replace {
                return Err(already_exists(name));
            }
            owner = kept_owner(existing, author)?;
            if existing.kind() != RelationKind::View {
                return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("{} is not a view", quoted(&name.name))));
            }
        }
        if self.reads(&view.references, name) {
            let message = format!("infinite recursion detected in the definition of view {}", quoted(&name.name));
            return Err(Error::new(INVALID_OBJECT_DEFINITION, message));
        }
        self.insert(name, RelationBody::View(view.clone()), owner, ids);
        Ok(())
    }

    fn create_external_table(
        &mut self,
        name: &QualifiedName,
        table: &Arc<dyn TableSource>,
        (or_replace, if_not_exists): (bool, bool),
        author: &Author,
        ids: &ObjectIds,
        notices: &mut Vec<Notice>,
    ) -> Result<()> {
        self.check_creation(name, author)?;
        let mut owner = author.user.clone();
        if let Some(existing) = self.relation(&name.schema, &name.name) {
            if if_not_exists {
                let message = format!("relation {} already exists, skipping", quoted(&name.name));
                notices.push(Notice { state: SqlState::DUPLICATE_TABLE, message });
                return Ok(());
            }
            if !or_replace {
                return Err(already_exists(name));
            }
            owner = kept_owner(existing, author)?;
            if existing.kind() != RelationKind::Table {
                return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("{} is not a table", quoted(&name.name))));
            }
        }
        self.insert(name, RelationBody::ExternalTable(Arc::clone(table)), owner, ids);
        Ok(())
    }

    fn drop_relation(
        &mut self,
        name: &QualifiedName,
        kind: RelationKind,
        (if_exists, cascade): (bool, bool),
        author: &Author,
        notices: &mut Vec<Notice>,
    ) -> Result<()> {
        let Some(relation) = self.relation(&name.schema, &name.name) else {
            let message = format!("{} {} does not exist", kind.word(), quoted(&name.name));
            if !if_exists {
                return Err(Error::new(SqlState::UNDEFINED_TABLE, message));
            }
            notices.push(Notice { state: SqlState::SUCCESSFUL_COMPLETION, message: format!("{message}, skipping") });
            return Ok(());
        };
        if relation.kind() != kind {
            let word = relation.kind().word();
            return Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("{} is not a {}", quoted(&name.name), kind.word()),
            )
            .with_hint(format!("Use DROP {} to remove a {word}.", word.to_uppercase())));
        }
        match &relation.body {
            RelationBody::LakeTable(table) => {
                let message = format!("{} is a table of the lake's files and cannot be dropped", quoted(&name.name));
                return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message)
                    .with_hint(format!("Delete the files in {} to remove it.", table.location())));
            }
            RelationBody::System(_) => {
                let message = format!("permission denied: {} is a system catalog", quoted(&name.name));
                return Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
            }
            RelationBody::ExternalTable(_) | RelationBody::View(_) => {}
        }
        // Who owns a schema may empty it.
        let owner_of_schema = self.schemas.get(&name.schema).and_then(|schema| schema.owner.as_deref());
        if !author.owns(relation.owner.as_deref()) && !author.owns(owner_of_schema) {
            return Err(not_owner(kind.word(), &name.name));
        }
        let dependents = self.dependent_views(&BTreeSet::from([name.clone()]));
        if !cascade && let Some(first) = dependents.first() {
            let message = format!("cannot drop {} {name} because other objects depend on it", kind.word());
            return Err(Error::new(DEPENDENT_OBJECTS_STILL_EXIST, message)
                .with_detail(format!("view {first} depends on {} {name}", kind.word()))
                .with_hint("Use DROP ... CASCADE to drop the dependent objects too."));
        }
        for view in &dependents {
            self.remove(view);
            notices.push(cascade_notice(view));
        }
        self.remove(name);
        Ok(())
    }

    /// Gives a relation another name. Views that read it go on reading it, as in PostgreSQL; one that cannot is 0A000.
    fn rename_relation(
        &mut self,
        name: &QualifiedName,
        to: &str,
        (kind, if_exists): (Option<RelationKind>, bool),
        author: &Author,
        ids: &ObjectIds,
        notices: &mut Vec<Notice>,
    ) -> Result<()> {
        let Some(relation) = self.relation(&name.schema, &name.name).cloned() else {
            let message = format!("relation {} does not exist", quoted(&name.name));
            if !if_exists {
                return Err(Error::new(SqlState::UNDEFINED_TABLE, message));
            }
            notices.push(Notice { state: SqlState::SUCCESSFUL_COMPLETION, message: format!("{message}, skipping") });
            return Ok(());
        };
        if let Some(kind) = kind
            && relation.kind() != kind
        {
            let message = format!("{} is not a {}", quoted(&name.name), kind.word());
            return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message));
        }
        let body = match &relation.body {
            RelationBody::LakeTable(table) => {
                let message = format!("{} is a table of the lake's files and cannot be renamed", quoted(&name.name));
                return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message)
                    .with_hint(format!("Rename what is in {}, or make a view of the new name.", table.location())));
            }
            RelationBody::System(_) => {
                let message = format!("permission denied: {} is a system catalog", quoted(&name.name));
                return Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
            }
            RelationBody::ExternalTable(table) => RelationBody::ExternalTable(Arc::clone(table)),
            RelationBody::View(view) => RelationBody::View(view.clone()),
        };
        if !author.owns(relation.owner.as_deref()) {
            return Err(not_owner(relation.kind().word(), &name.name));
        }
        let owner = relation.owner.clone().unwrap_or_else(|| author.user.clone());
        let renamed = QualifiedName::new(&name.schema, to);
        self.check_creation(&renamed, author)?;
        if self.relation(&renamed.schema, &renamed.name).is_some() {
            return Err(already_exists(&renamed));
        }
        let readers: Vec<(Arc<Relation>, View)> = self
            .relations()
            .filter_map(|reader| match &reader.body {
                RelationBody::View(view) if view.references.contains(name) => Some((Arc::clone(reader), view.clone())),
                _ => None,
            })
            .collect();
        let readers = readers.into_iter().map(|(reader, view)| match view.reading(name, &renamed) {
            Some(view) => Ok((reader, view)),
            None => {
                let message = format!("view {} reads {name} beside another relation of that name", reader.name);
                Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message)
                    .with_hint("Give both an alias in the view's query."))
            }
        });
        let readers = readers.collect::<Result<Vec<_>>>()?;
        self.remove(name);
        self.insert(&renamed, body, owner, ids);
        for (reader, view) in readers {
            let owner = reader.owner.clone().unwrap_or_else(|| author.user.clone());
            self.insert(&reader.name, RelationBody::View(view), owner, ids);
        }
        Ok(())
    }

    /// Whether a user may create something of that name: the schema exists, is not the server's or a lake's, and nobody
    /// else's.
    fn check_creation(&self, name: &QualifiedName, author: &Author) -> Result<()> {
        let Some(schema) = self.schemas.get(&name.schema) else {
            let message = format!("schema {} does not exist", quoted(&name.schema));
            return Err(Error::new(SqlState::INVALID_SCHEMA_NAME, message));
        };
        refuse_unless_users(&name.schema, schema, "take new objects")?;
        if schema.owner.is_some() && !author.owns(schema.owner.as_deref()) {
            let message = format!("permission denied for schema {}", name.schema);
            return Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
        }
        Ok(())
    }

    /// Whether any of `references` is `name` or a view that reads it, however deep.
    fn reads(&self, references: &BTreeSet<QualifiedName>, name: &QualifiedName) -> bool {
        let mut open: Vec<&QualifiedName> = references.iter().collect();
        let mut seen = BTreeSet::new();
        while let Some(reference) = open.pop() {
            if reference == name {
                return true;
            }
            if seen.insert(reference)
                && let Some(relation) = self.relation(&reference.schema, &reference.name)
                && let RelationBody::View(view) = &relation.body
            {
                open.extend(&view.references);
            }
        }
        false
    }

    /// The views outside `names` that read one of them, however deep, in the order of names.
    fn dependent_views(&self, names: &BTreeSet<QualifiedName>) -> BTreeSet<QualifiedName> {
        self.relations()
            .filter(|relation| !names.contains(&relation.name))
            .filter(|relation| match &relation.body {
                RelationBody::View(view) => names.iter().any(|name| self.reads(&view.references, name)),
                _ => false,
            })
            .map(|relation| relation.name.clone())
            .collect()
    }

    fn insert(&mut self, name: &QualifiedName, body: RelationBody, owner: String, ids: &ObjectIds) {
        let oid = ids.oid(ObjectKey::Relation(name.schema.clone(), name.name.clone()));
        let relation = Arc::new(Relation { oid, name: name.clone(), owner: Some(owner), body });
        if let Some(schema) = self.schemas.get_mut(&name.schema) {
            Arc::make_mut(schema).relations.insert(name.name.clone(), relation);
        }
    }

    fn remove(&mut self, name: &QualifiedName) {
        if let Some(schema) = self.schemas.get_mut(&name.schema) {
            Arc::make_mut(schema).relations.remove(&name.name);
        }
    }
}

fn refuse_unless_users(name: &str, schema: &Schema, what: &str) -> Result<()> {
    match schema.kind {
        SchemaKind::User => Ok(()),
        SchemaKind::Lake => {
            let message = format!("schema {} mirrors the files of a lake and cannot {what}", quoted(name));
            Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message)
                .with_hint("Views and external tables live in schema \"public\" or in one made by CREATE SCHEMA."))
        }
        SchemaKind::System => {
            let message = format!("permission denied: {} is a system schema", quoted(name));
            Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message))
        }
    }
}

/// The owner of what is replaced, which only that one may do.
fn kept_owner(existing: &Relation, author: &Author) -> Result<String> {
    if !author.owns(existing.owner.as_deref()) {
        return Err(not_owner(existing.kind().word(), &existing.name.name));
    }
    Ok(existing.owner.clone().unwrap_or_else(|| author.user.clone()))
}

fn not_owner(kind: &str, name: &str) -> Error {
    Error::new(SqlState::INSUFFICIENT_PRIVILEGE, format!("must be owner of {kind} {name}"))
}

fn already_exists(name: &QualifiedName) -> Error {
    Error::new(SqlState::DUPLICATE_TABLE, format!("relation {} already exists", quoted(&name.name)))
}

fn cascade_notice(view: &QualifiedName) -> Notice {
    Notice { state: SqlState::SUCCESSFUL_COMPLETION, message: format!("drop cascades to view {view}") }
}

/// A name between double quotes, as PostgreSQL's messages have it.
fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}
