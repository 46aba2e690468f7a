//! The catalogue: which schemas, tables and views there are, and what a name means to a session.
//!
//! Start with [`Catalog`] (one per server) and [`SessionCatalog`] (one per connection).

mod change;
mod lakes;
mod name;
mod oids;
mod server;
mod session;
mod snapshot;
mod source;
pub mod system;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod view;

pub use change::{Author, Change, Notice};
pub use name::{QualifiedName, REPEATED, column_label, quote_ident};
pub use oids::{FIRST_USER_OID, ObjectIds, ObjectKey, Oid, is_oid, oid_field, oid_list_field};
pub use server::{Catalog, DATABASE};
pub use session::{SEARCH_PATH_SCHEMA, Savepoint, SessionCatalog};
pub use snapshot::{
    INFORMATION_SCHEMA, PG_CATALOG, PUBLIC, Relation, RelationBody, RelationKind, Schema, SchemaKind, Snapshot,
    SystemRelation,
};
pub use source::{LakeSource, TableSource};
pub use system::{FunctionArgument, FunctionInfo, FunctionKind, SessionInfo, SettingInfo};
pub use view::{Definition, View};
