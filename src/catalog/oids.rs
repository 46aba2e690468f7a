//! Object ids: the same name has the same id for as long as the server runs.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field};
use parking_lot::Mutex;

/// A number that identifies a schema, relation or function, as in PostgreSQL.
pub type Oid = u32;

/// The first id of an object that is not PostgreSQL's own.
pub const FIRST_USER_OID: Oid = 16_384;

/// Where a field's metadata names its type, as Arrow has it: a cast to another type takes that off.
const KEY: &str = "ARROW:extension:name";
const NAME: &str = "tributary.oid";

/// A column of object ids: 32-bit integers to the engine, and a type of their own to clients.
pub fn oid_field(name: &str) -> Field {
    Field::new(name, DataType::Int32, true).with_metadata([(KEY.to_owned(), NAME.to_owned())].into())
}

/// A column of lists of object ids.
pub fn oid_list_field(name: &str) -> Field {
    let items = Arc::new(Field::new_list_field(DataType::Int32, true));
    Field::new(name, DataType::List(items), true).with_metadata([(KEY.to_owned(), NAME.to_owned())].into())
}

/// Whether a field is of object ids, or of lists of them.
pub fn is_oid(field: &Field) -> bool {
    field.metadata().get(KEY).is_some_and(|name| name == NAME)
}

/// What an id is given to. Schemas, relations and functions have names of their own kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ObjectKey {
    /// A schema by name.
    Schema(String),
    /// A relation by schema and name.
    Relation(String, String),
    /// A function of ours by name.
    Function(String),
}

/// Gives out ids and remembers them, also for objects that were dropped.
///
/// Clients keep ids between statements (psql asks for a table's id, then for its columns by id),
/// so an id never changes and never moves to another name.
#[derive(Debug, Default)]
pub struct ObjectIds {
    given: Mutex<HashMap<ObjectKey, Oid>>,
}

impl ObjectIds {
    /// The id of an object: the one it had before, or the next free one.
    pub fn oid(&self, key: ObjectKey) -> Oid {
        let mut given = self.given.lock();
        let next = FIRST_USER_OID + given.len() as Oid;
        *given.entry(key).or_insert(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_id_and_two_names_never_share_one() {
        let ids = ObjectIds::default();
        let events = ids.oid(ObjectKey::Relation("demo".into(), "events".into()));
        let schema = ids.oid(ObjectKey::Schema("demo".into()));
        assert_eq!(events, FIRST_USER_OID);
        assert_ne!(events, schema);
        assert_eq!(ids.oid(ObjectKey::Relation("demo".into(), "events".into())), events);
    }
}
