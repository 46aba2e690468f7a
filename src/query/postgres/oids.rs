//! Parameters that are object ids: integers to the engine, and a type of their own to clients.
//!
//! asyncpg asks for the types that it does not know with an array of ids. It has that type built in; of an array of
//! integers it would first have to ask, in the same way.

use std::sync::Arc;

use datafusion::arrow::datatypes::FieldRef;
use datafusion::sql::sqlparser::ast::{ArrayElemTypeDef, DataType as SqlType};

use super::ast::last_name;
pub use crate::catalog::is_oid;
use crate::catalog::{oid_field, oid_list_field};

/// The field of a parameter that is cast to `oid` or `oid[]`; `None` for other types.
pub fn parameter(data_type: &SqlType) -> Option<FieldRef> {
    match data_type {
        SqlType::Custom(name, arguments) if arguments.is_empty() && last_name(name).as_deref() == Some("oid") => {
            Some(Arc::new(oid_field("")))
        }
        SqlType::Array(ArrayElemTypeDef::SquareBracket(item, _) | ArrayElemTypeDef::AngleBracket(item)) => {
            parameter(item).map(|_| Arc::new(oid_list_field("")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::DataType;
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    #[test]
    fn ids_and_lists_of_ids_are_known_by_their_names() {
        let of = |text: &str| {
            let dialect = PostgreSqlDialect {};
            parameter(&Parser::new(&dialect).try_with_sql(text).unwrap().parse_data_type().unwrap())
        };
        assert!(of("oid").is_some_and(|field| is_oid(&field) && *field.data_type() == DataType::Int32));
        assert!(of("pg_catalog.oid[]").is_some_and(|field| is_oid(&field) && field.data_type().is_list()));
        assert_eq!(of("int[]"), None);
        assert_eq!(of("text"), None);
    }
}
