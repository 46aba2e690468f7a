//! Which PostgreSQL type a column of ours is, and how PostgreSQL writes types.

use datafusion::arrow::datatypes::{DataType, Field};
use postgres_types::{Kind, Type};

use crate::catalog::oids::{Oid, is_oid};
use crate::lake::is_uuid;

/// The typmod of a type without modifier.
pub const NO_TYPMOD: i32 = -1;

/// The PostgreSQL type and typmod of a field: a uuid or an object id is one by what its field says,
/// not by how it is stored.
pub fn field_type(field: &Field) -> (Type, i32) {
    match field.data_type() {
        _ if is_uuid(field) => (Type::UUID, NO_TYPMOD),
        DataType::List(_) if is_oid(field) => (Type::OID_ARRAY, NO_TYPMOD),
        _ if is_oid(field) => (Type::OID, NO_TYPMOD),
        other => column_type(other),
    }
}

/// The PostgreSQL type and typmod of a column (`decisions.md` calls it the types on the wire).
///
/// Unsigned integers take the next larger signed type, unsigned 64-bit ones `int8`;
/// structs are records, maps and nested lists `jsonb`.
fn column_type(data_type: &DataType) -> (Type, i32) {
    match data_type {
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => (Type::NUMERIC, numeric_typmod(*precision, *scale)),
        DataType::Dictionary(_, value) => column_type(value),
        DataType::RunEndEncoded(_, values) => column_type(values.data_type()),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => {
            let (element, typmod) = field_type(item);
            (array_of(&element), typmod)
        }
        other => (scalar_type(other), NO_TYPMOD),
    }
}

fn scalar_type(data_type: &DataType) -> Type {
    match data_type {
        DataType::Boolean => Type::BOOL,
        DataType::Int8 | DataType::UInt8 | DataType::Int16 => Type::INT2,
        DataType::UInt16 | DataType::Int32 => Type::INT4,
        DataType::UInt32 | DataType::Int64 | DataType::UInt64 => Type::INT8,
        DataType::Float16 | DataType::Float32 => Type::FLOAT4,
        DataType::Float64 => Type::FLOAT8,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => Type::BYTEA,
        DataType::Date32 | DataType::Date64 => Type::DATE,
        DataType::Time32(_) | DataType::Time64(_) => Type::TIME,
        DataType::Timestamp(_, None) => Type::TIMESTAMP,
        DataType::Timestamp(_, Some(_)) => Type::TIMESTAMPTZ,
        DataType::Interval(_) | DataType::Duration(_) => Type::INTERVAL,
        DataType::Struct(_) => Type::RECORD,
        DataType::Map(_, _) | DataType::Union(_, _) => Type::JSONB,
        _ => Type::TEXT,
    }
}

fn array_of(element: &Type) -> Type {
    match *element {
        Type::BOOL => Type::BOOL_ARRAY,
        Type::INT2 => Type::INT2_ARRAY,
        Type::INT4 => Type::INT4_ARRAY,
        Type::INT8 => Type::INT8_ARRAY,
        Type::FLOAT4 => Type::FLOAT4_ARRAY,
        Type::FLOAT8 => Type::FLOAT8_ARRAY,
        Type::NUMERIC => Type::NUMERIC_ARRAY,
        Type::TEXT => Type::TEXT_ARRAY,
        Type::BYTEA => Type::BYTEA_ARRAY,
        Type::UUID => Type::UUID_ARRAY,
        Type::DATE => Type::DATE_ARRAY,
        Type::TIME => Type::TIME_ARRAY,
        Type::TIMESTAMP => Type::TIMESTAMP_ARRAY,
        Type::TIMESTAMPTZ => Type::TIMESTAMPTZ_ARRAY,
        Type::INTERVAL => Type::INTERVAL_ARRAY,
        Type::RECORD => Type::RECORD_ARRAY,
        // A list of lists or of maps.
        _ => Type::JSONB,
    }
}

fn numeric_typmod(precision: u8, scale: i8) -> i32 {
    ((i32::from(precision) << 16) | (i32::from(scale) & 0x7ff)) + 4
}

/// Precision and scale of a numeric typmod; `None` without one.
pub fn numeric_precision_scale(typmod: i32) -> Option<(i32, i32)> {
    if typmod < 4 {
        return None;
    }
    let packed = typmod - 4;
    // The scale is an eleven-bit signed number.
    let scale = ((packed & 0x7ff) ^ 1024) - 1024;
    Some(((packed >> 16) & 0xffff, scale))
}

/// The fixed length in bytes that `pg_type.typlen` has; -1 for types of variable length.
pub fn type_length(kind: &Type) -> i16 {
    match *kind {
        Type::BOOL => 1,
        Type::INT2 => 2,
        Type::INT4 | Type::FLOAT4 | Type::DATE | Type::OID => 4,
        Type::INT8 | Type::FLOAT8 | Type::TIME | Type::TIMESTAMP | Type::TIMESTAMPTZ => 8,
        Type::INTERVAL | Type::UUID => 16,
        _ => -1,
    }
}

/// The object id of the default collation for types that sort as text, else 0.
pub fn type_collation(kind: &Type) -> Oid {
    match kind.kind() {
        Kind::Array(element) => type_collation(element),
        _ => match *kind {
            Type::TEXT | Type::VARCHAR | Type::BPCHAR => 100,
            Type::NAME => 950,
            _ => 0,
        },
    }
}

/// A type as SQL writes it: `format_type` of PostgreSQL.
///
/// Types that PostgreSQL does not know are `???`, a type id of 0 is `-`.
pub fn format_type(oid: Oid, typmod: Option<i32>) -> String {
    if oid == 0 {
        return "-".to_owned();
    }
    match Type::from_oid(oid) {
        Some(known) => match known.kind() {
            // The vector types are arrays inside, with names of their own.
            Kind::Array(element) if known.name().starts_with('_') => {
                format!("{}[]", sql_name(element, typmod))
            }
            _ => sql_name(&known, typmod),
        },
        None => "???".to_owned(),
    }
}

fn sql_name(kind: &Type, typmod: Option<i32>) -> String {
    let modified = typmod.filter(|typmod| *typmod >= 0);
    match *kind {
        Type::BOOL => "boolean".to_owned(),
        Type::INT2 => "smallint".to_owned(),
        Type::INT4 => "integer".to_owned(),
        Type::INT8 => "bigint".to_owned(),
        Type::FLOAT4 => "real".to_owned(),
        Type::FLOAT8 => "double precision".to_owned(),
        Type::NUMERIC => match modified.and_then(numeric_precision_scale) {
            Some((precision, scale)) => format!("numeric({precision},{scale})"),
            None => "numeric".to_owned(),
        },
        Type::VARCHAR => with_length("character varying", modified),
        // Without a length it is the internal type; with one it is SQL's.
        Type::BPCHAR if modified.is_none() && typmod.is_some() => "bpchar".to_owned(),
        Type::BPCHAR => with_length("character", modified),
        Type::CHAR => "\"char\"".to_owned(),
        Type::TIME => with_precision("time", modified, " without time zone"),
        Type::TIMETZ => with_precision("time", modified, " with time zone"),
        Type::TIMESTAMP => with_precision("timestamp", modified, " without time zone"),
        Type::TIMESTAMPTZ => with_precision("timestamp", modified, " with time zone"),
        Type::BIT => with_length("bit", modified),
        Type::VARBIT => with_length("bit varying", modified),
        Type::ANY => "\"any\"".to_owned(),
        _ => kind.name().to_owned(),
    }
}

fn with_length(name: &str, typmod: Option<i32>) -> String {
    match typmod {
        // Lengths are stored with the four bytes of their header.
        Some(typmod) if typmod >= 4 => format!("{name}({})", typmod - 4),
        _ => name.to_owned(),
    }
}

fn with_precision(name: &str, typmod: Option<i32>, suffix: &str) -> String {
    match typmod {
        Some(digits) => format!("{name}({digits}){suffix}"),
        None => format!("{name}{suffix}"),
    }
}

/// The name that SQL writes for a type of `pg_type`, back to the type: both `int4` and `integer`, with `[]`.
///
/// Unknown names are `None`.
pub fn parse_type(name: &str) -> Option<Type> {
    let name = name.trim().to_lowercase();
    if let Some(element) = name.strip_suffix("[]") {
        let element = parse_type(element)?;
        return system_types()
            .find(|kind| matches!(kind.kind(), Kind::Array(of) if *of == element) && kind.name().starts_with('_'));
    }
    let name = name.strip_prefix("pg_catalog.").unwrap_or(&name);
    let bare = name.split('(').next().unwrap_or(name).trim();
    let internal = match bare {
        "boolean" => "bool",
        "smallint" => "int2",
        "integer" | "int" => "int4",
        "bigint" => "int8",
        "real" => "float4",
        "double precision" | "double" | "float" => "float8",
        "decimal" | "dec" => "numeric",
        "character varying" => "varchar",
        "character" => "bpchar",
        "\"char\"" => "char",
        "time without time zone" => "time",
        "time with time zone" => "timetz",
        "timestamp without time zone" => "timestamp",
        "timestamp with time zone" => "timestamptz",
        "bit varying" => "varbit",
        "\"any\"" => "any",
        other => other,
    };
    system_types().find(|kind| kind.name() == internal)
}

/// The types that PostgreSQL has built in. Their ids are all below 10,000.
fn system_types() -> impl Iterator<Item = Type> {
    (1..10_000).filter_map(Type::from_oid)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::datatypes::TimeUnit;

    use super::*;
    use crate::lake::uuid_field;

    fn shown(data_type: &DataType) -> String {
        shown_field(&Field::new("x", data_type.clone(), true))
    }

    fn shown_field(field: &Field) -> String {
        let (kind, typmod) = field_type(field);
        format_type(kind.oid(), Some(typmod))
    }

    #[test]
    fn sixteen_bytes_are_a_uuid_where_their_field_says_so() {
        assert_eq!(shown_field(&uuid_field("id")), "uuid");
        assert_eq!(shown(uuid_field("id").data_type()), "bytea");
        assert_eq!(shown(&DataType::List(Arc::new(uuid_field("item")))), "uuid[]");
    }

    #[test]
    fn columns_show_the_names_that_sql_writes() {
        assert_eq!(shown(&DataType::Utf8View), "text");
        assert_eq!(shown(&DataType::UInt64), "bigint");
        assert_eq!(shown(&DataType::Decimal128(20, 12)), "numeric(20,12)");
        assert_eq!(shown(&DataType::Decimal128(10, -2)), "numeric(10,-2)");
        assert_eq!(shown(&DataType::Timestamp(TimeUnit::Nanosecond, None)), "timestamp without time zone");
        let list = |item| DataType::List(Arc::new(Field::new_list_field(item, true)));
        assert_eq!(shown(&list(DataType::Int32)), "integer[]");
        assert_eq!(shown(&list(list(DataType::Int32))), "jsonb");
        assert_eq!(shown(&DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))), "text");
    }

    #[test]
    fn odd_type_ids_are_shown_as_postgresql_shows_them() {
        assert_eq!(format_type(0, None), "-");
        assert_eq!(format_type(1, None), "???");
        assert_eq!(format_type(18, None), "\"char\"");
        assert_eq!(format_type(1043, Some(24)), "character varying(20)");
        assert_eq!(format_type(30, None), "oidvector");
    }

    #[test]
    fn type_names_are_read_in_both_spellings() {
        assert_eq!(parse_type("int4"), Some(Type::INT4));
        assert_eq!(parse_type("INTEGER"), Some(Type::INT4));
        assert_eq!(parse_type("pg_catalog.text"), Some(Type::TEXT));
        assert_eq!(parse_type("timestamp with time zone[]"), Some(Type::TIMESTAMPTZ_ARRAY));
        assert_eq!(parse_type("numeric(10,2)"), Some(Type::NUMERIC));
        assert_eq!(parse_type("no_such_type"), None);
    }
}
