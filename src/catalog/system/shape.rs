//! The shape of every system relation: name, object id, columns and types, read from one data file.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::catalog::oids::{Oid, oid_field, oid_list_field};
use crate::error::{Error, Result, SqlState};

/// The data file: one line per relation.
const RELATIONS: &str = include_str!("relations.tsv");

/// What PostgreSQL says about one of its own relations.
#[derive(Debug)]
pub struct Shape {
    /// `pg_catalog` or `information_schema`.
    pub schema: String,
    /// The relation's name.
    pub name: String,
    /// PostgreSQL's object id.
    pub oid: Oid,
    /// Whether PostgreSQL has it as a view.
    pub is_view: bool,
    /// The PostgreSQL type of each column, by name in `pg_type`.
    pub column_types: Vec<String>,
    /// The columns in Arrow types.
    pub columns: SchemaRef,
}

/// Reads the data file. Fails only if the file that was built in is malformed.
pub fn read_shapes() -> Result<Vec<Shape>> {
    RELATIONS.lines().filter(|line| !line.starts_with('#')).map(read_shape).collect()
}

fn read_shape(line: &str) -> Result<Shape> {
    let malformed = || Error::new(SqlState::INTERNAL_ERROR, format!("malformed line in relations.tsv: {line}"));
    let mut parts = line.split('\t');
    let mut part = || parts.next().ok_or_else(malformed);
    let (schema, name, oid, kind, columns) = (part()?, part()?, part()?, part()?, part()?);
    let mut column_types = Vec::new();
    let mut fields = Vec::new();
    for column in columns.split(' ') {
        let (name, type_name) = column.rsplit_once(':').ok_or_else(malformed)?;
        fields.push(match type_name {
            "oid" => oid_field(name),
            "_oid" => oid_list_field(name),
            _ => Field::new(name, arrow_type(type_name), true),
        });
        column_types.push(type_name.to_owned());
    }
    Ok(Shape {
        schema: schema.to_owned(),
        name: name.to_owned(),
        oid: oid.parse().map_err(|_| malformed())?,
        is_view: kind == "view",
        column_types,
        columns: Arc::new(Schema::new(fields)),
    })
}

/// The Arrow type in which a system column of a PostgreSQL type is held.
///
/// Ids of functions and types are 32-bit integers, as object ids are. What PostgreSQL prints as text and nobody computes with is text
/// (also `oidvector`, which drivers read as numbers between spaces).
fn arrow_type(type_name: &str) -> DataType {
    // Types in a list are their names.
    let type_name = if type_name == "_regtype" { "_text" } else { type_name };
    if let Some(element) = type_name.strip_prefix('_') {
        return DataType::List(Arc::new(Field::new_list_field(arrow_type(element), true)));
    }
    match type_name {
        "bool" => DataType::Boolean,
        "int2" => DataType::Int16,
        "int4" | "regproc" | "regtype" | "cardinal_number" => DataType::Int32,
        "int8" => DataType::Int64,
        "float4" => DataType::Float32,
        "float8" | "numeric" => DataType::Float64,
        "timestamptz" | "time_stamp" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        "int2vector" => DataType::List(Arc::new(Field::new_list_field(DataType::Int16, true))),
        "bytea" => DataType::Binary,
        _ => DataType::Utf8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_data_file_is_read() {
        let shapes = read_shapes().expect("the data file is well formed");
        let class = shapes.iter().find(|shape| shape.name == "pg_class").expect("pg_class is listed");
        assert_eq!((class.schema.as_str(), class.oid, class.is_view), ("pg_catalog", 1259, false));
        assert_eq!(class.columns.field(0).name(), "oid");
        assert!(shapes.iter().any(|shape| shape.schema == "information_schema" && shape.name == "columns"));
    }
}
