//! Names and ids of catalogue objects: `regclass` and its like, visibility on the search path, owners.

use datafusion::common::TableReference;
use datafusion::error::Result;

use super::definition::{Call, Function, Kind, Returns, Row};
use crate::catalog::system::{Cell, format_type, parse_type, role_name, role_oid};
use crate::catalog::{Oid, PG_CATALOG, Relation, quote_ident};
use crate::error::{Error, SqlState};

const NAME_OR_OID: &[&[Kind]] = &[&[Kind::NameOrOid]];
const NAME: &[&[Kind]] = &[&[Kind::Text]];
const OID: &[&[Kind]] = &[&[Kind::Oid]];

/// The functions of this file. `…in` reads a name or id and answers the id, `…out` answers the name;
/// casts to `regclass` and its like are rewritten to them.
pub const FUNCTIONS: &[Function] = &[
    Function::strict("regclassin", NAME_OR_OID, Returns::Int4, |call, row| read(call, row, &RELATIONS)),
    Function::strict("regclassout", NAME_OR_OID, Returns::Text, |call, row| write(call, row, &RELATIONS)),
    Function::strict("to_regclass", NAME, Returns::Int4, |call, row| find(call, row, &RELATIONS)),
    Function::strict("regnamespacein", NAME_OR_OID, Returns::Int4, |call, row| read(call, row, &SCHEMAS)),
    Function::strict("regnamespaceout", NAME_OR_OID, Returns::Text, |call, row| write(call, row, &SCHEMAS)),
    Function::strict("to_regnamespace", NAME, Returns::Int4, |call, row| find(call, row, &SCHEMAS)),
    Function::strict("regtypein", NAME_OR_OID, Returns::Int4, |call, row| read(call, row, &TYPES)),
    Function::strict("regtypeout", NAME_OR_OID, Returns::Text, |call, row| write(call, row, &TYPES)),
    Function::strict("to_regtype", NAME, Returns::Int4, |call, row| find(call, row, &TYPES)),
    Function::strict("regprocin", NAME_OR_OID, Returns::Int4, |call, row| read(call, row, &FUNCTIONS_BY_NAME)),
    Function::strict("regprocout", NAME_OR_OID, Returns::Text, |call, row| write(call, row, &FUNCTIONS_BY_NAME)),
    Function::strict("to_regproc", NAME, Returns::Int4, |call, row| find(call, row, &FUNCTIONS_BY_NAME)),
    Function::strict("regrolein", NAME_OR_OID, Returns::Int4, |call, row| read(call, row, &ROLES)),
    Function::strict("regroleout", NAME_OR_OID, Returns::Text, |call, row| write(call, row, &ROLES)),
    Function::strict("to_regrole", NAME, Returns::Int4, |call, row| find(call, row, &ROLES)),
    Function::strict("pg_get_userbyid", OID, Returns::Text, |call, row| {
        let oid = row.oid(0).unwrap_or_default();
        let name = role_name(oid, call.catalog.user());
        Ok(name.unwrap_or_else(|| format!("unknown (OID={oid})")).into())
    }),
    // Without a typmod the name is that of the bare type, which is not always that of typmod -1.
    Function::sees_null("format_type", &[&[Kind::Oid, Kind::Oid]], Returns::Text, |_, row| {
        let typmod = row.int(1).and_then(|typmod| i32::try_from(typmod).ok());
        Ok(row.oid(0).map(|oid| format_type(oid, typmod)).into())
    }),
    Function::strict("pg_table_is_visible", OID, Returns::Bool, |call, row| {
        let relation = row.oid(0).and_then(|oid| call.relation(oid));
        Ok(relation.map(|relation| is_visible(call, relation)).into())
    }),
    Function::strict("pg_function_is_visible", OID, Returns::Bool, |call, row| {
        let function = row.oid(0).and_then(|oid| call.catalog.server().system().function(oid));
        // Functions of ours are found by name alone, whatever the search path says.
        Ok(function.map(|_| true).into())
    }),
    Function::strict("pg_type_is_visible", OID, Returns::Bool, |call, row| {
        let schema = row.oid(0).and_then(|oid| call.catalog.server().system().type_schema(oid));
        let name = schema.and_then(|oid| call.snapshot.schema_by_oid(oid)).map(|(name, _)| name);
        Ok(name.map(|name| call.path.iter().any(|schema| schema == name)).into())
    }),
    // Operators and the other objects below are all PostgreSQL's own, in pg_catalog, which is always searched.
    Function::strict("pg_operator_is_visible", OID, Returns::Bool, always_visible),
    Function::strict("pg_opclass_is_visible", OID, Returns::Bool, always_visible),
    Function::strict("pg_opfamily_is_visible", OID, Returns::Bool, always_visible),
    Function::strict("pg_conversion_is_visible", OID, Returns::Bool, always_visible),
    Function::strict("pg_collation_is_visible", OID, Returns::Bool, always_visible),
    Function::strict("pg_statistics_obj_is_visible", OID, Returns::Bool, always_visible),
    Function::strict("pg_ts_config_is_visible", OID, Returns::Bool, always_visible),
    Function::strict("pg_ts_dict_is_visible", OID, Returns::Bool, always_visible),
    Function::strict("pg_ts_parser_is_visible", OID, Returns::Bool, always_visible),
    Function::strict("pg_ts_template_is_visible", OID, Returns::Bool, always_visible),
    Function::strict("pg_relation_is_publishable", OID, Returns::Bool, |_, _| Ok(false.into())),
];

/// How one kind of object is found by name and written by id.
struct Objects {
    find: fn(&Call, &str) -> Option<Oid>,
    name: fn(&Call, Oid) -> Option<String>,
    missing: fn(&str) -> Error,
}

const RELATIONS: Objects = Objects {
    find: |call, name| call.catalog.resolve(&reference(&parse_name(name)?)?).map(|relation| relation.oid),
    name: |call, oid| {
        let relation = call.relation(oid)?;
        let name = &relation.name;
        Some(if is_visible(call, relation) { quote_ident(&name.name) } else { name.to_string() })
    },
    missing: |name| Error::new(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist")),
};

const SCHEMAS: Objects = Objects {
    find: |call, name| match parse_name(name)?.as_slice() {
        [schema] => call.snapshot.schemas.get(schema).map(|schema| schema.oid),
        _ => None,
    },
    name: |call, oid| call.snapshot.schema_by_oid(oid).map(|(name, _)| quote_ident(name)),
    missing: |name| Error::new(SqlState::INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist")),
};

const TYPES: Objects = Objects {
    find: |_, name| parse_type(name).map(|kind| kind.oid()),
    name: |_, oid| Some(format_type(oid, None)).filter(|name| name != "???"),
    missing: |name| Error::new(SqlState::UNDEFINED_OBJECT, format!("type \"{name}\" does not exist")),
};

const FUNCTIONS_BY_NAME: Objects = Objects {
    find: |call, name| match parse_name(name)?.as_slice() {
        [name] | [_, name] => call.catalog.server().system().function_oid(name),
        _ => None,
    },
    name: |call, oid| call.catalog.server().system().function(oid).map(|function| quote_ident(&function.name)),
    missing: |name| Error::new(SqlState::UNDEFINED_FUNCTION, format!("function \"{name}\" does not exist")),
};

const ROLES: Objects = Objects {
    find: |call, name| match parse_name(name)?.as_slice() {
        [role] => role_oid(role, call.catalog.user()),
        _ => None,
    },
    name: |call, oid| role_name(oid, call.catalog.user()).map(|name| quote_ident(&name)),
    missing: |name| Error::new(SqlState::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist")),
};

/// The id of a name, or the id that was given. Fails if there is no object of that name.
fn read(call: &Call, row: &Row, objects: &Objects) -> Result<Cell> {
    let Some(text) = row.text(0) else { return Ok(row.int(0).into()) };
    if let Ok(oid) = text.trim().parse::<Oid>() {
        return Ok(oid.into());
    }
    match (objects.find)(call, text) {
        Some(oid) => Ok(oid.into()),
        // PostgreSQL writes 0 as a dash, and reads it so.
        None if text == "-" => Ok(0i64.into()),
        None => Err((objects.missing)(text).into()),
    }
}

/// The name of an id, or of the object that was named. Ids of nothing are written as numbers.
fn write(call: &Call, row: &Row, objects: &Objects) -> Result<Cell> {
    let oid = match read(call, row, objects)? {
        Cell::Int(oid) => oid,
        other => return Ok(other),
    };
    if oid == 0 {
        return Ok("-".into());
    }
    let name = Oid::try_from(oid).ok().and_then(|oid| (objects.name)(call, oid));
    Ok(name.unwrap_or_else(|| oid.to_string()).into())
}

/// The id of a name, NULL if there is no object of that name.
fn find(call: &Call, row: &Row, objects: &Objects) -> Result<Cell> {
    Ok(row.text(0).and_then(|name| (objects.find)(call, name)).into())
}

/// Whether the relation's bare name means it: no schema earlier on the path has one of the same name.
fn is_visible(call: &Call, relation: &Relation) -> bool {
    let name = &relation.name;
    let first = call.path.iter().find(|schema| call.snapshot.relation(schema, &name.name).is_some());
    first.is_some_and(|schema| *schema == name.schema)
}

fn always_visible(_: &Call, row: &Row) -> Result<Cell> {
    Ok(row.oid(0).map(|_| true).into())
}

/// The parts of a possibly quoted, possibly qualified name; `None` if it is not one.
pub fn parse_name(text: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let (part, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_part(quoted)?,
            None => {
                let end = rest.find('.').unwrap_or(rest.len());
                (rest[..end].trim().to_lowercase(), &rest[end..])
            }
        };
        if part.is_empty() {
            return None;
        }
        parts.push(part);
        let after = after.trim_start();
        match after.strip_prefix('.') {
            Some(next) => rest = next.trim_start(),
            None if after.is_empty() => return Some(parts),
            None => return None,
        }
    }
}

/// A quoted part without its quotes, and what follows it.
fn quoted_part(text: &str) -> Option<(String, &str)> {
    let mut part = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('"')?;
        part.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(next) => {
                part.push('"');
                rest = next;
            }
            None => return Some((part, rest)),
        }
    }
}

/// A name as the catalogue resolves it.
fn reference(parts: &[String]) -> Option<TableReference> {
    match parts {
        [name] => Some(TableReference::bare(name.as_str())),
        [schema, name] => Some(TableReference::partial(schema.as_str(), name.as_str())),
        [catalog, schema, name] => Some(TableReference::full(catalog.as_str(), schema.as_str(), name.as_str())),
        _ => None,
    }
}

/// The relation that an argument names or numbers. Fails with 42P01 if a name means nothing; an unknown id is `None`.
pub fn relation_argument<'a>(
    call: &'a Call,
    row: &Row,
    argument: usize,
) -> Result<Option<&'a std::sync::Arc<Relation>>> {
    let oid = match row.text(argument) {
        Some(name) => match (name.trim().parse::<Oid>(), (RELATIONS.find)(call, name)) {
            (Ok(oid), _) | (_, Some(oid)) => Some(oid),
            _ => return Err((RELATIONS.missing)(name).into()),
        },
        None => row.oid(argument),
    };
    Ok(oid.and_then(|oid| call.relation(oid)))
}

/// The id of the system table that holds a kind of object, by the table's name: `pg_class` and so on.
pub fn class_oid(call: &Call, table: &str) -> Option<Oid> {
    call.snapshot.relation(PG_CATALOG, table).map(|relation| relation.oid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_sql_reads_them() {
        let parts = |text| parse_name(text);
        assert_eq!(parts("Events"), Some(vec!["events".to_owned()]));
        assert_eq!(parts("demo . \"My \"\"Table\"\"\""), Some(vec!["demo".to_owned(), "My \"Table\"".to_owned()]));
        assert_eq!(parts(""), None);
        assert_eq!(parts("a."), None);
        assert_eq!(parts("\"open"), None);
    }
}
