//! Arrow's types and PostgreSQL's, both ways.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};
use pgwire::api::Type;

use crate::query::postgres::json::Json;
use crate::query::postgres::{UUID_STORAGE, is_oid, is_uuid};

/// The type that a client declared for a parameter, by the numbers that it sent; `None` where it left it open.
pub fn declared(numbers: &[u32], index: usize) -> Option<Type> {
    numbers.get(index).and_then(|oid| Type::from_oid(*oid))
}

/// The type that a column is announced as.
///
/// Structs are records and lists of them arrays of records; maps and lists of lists are jsonb.
pub fn pg_type(field: &Field) -> Type {
    if is_uuid(field) {
        return Type::UUID;
    }
    if is_oid(field) {
        return if field.data_type().is_nested() { Type::OID_ARRAY } else { Type::OID };
    }
    match Json::of(field) {
        Some(Json::Text) => return Type::JSON,
        Some(Json::Binary) => return Type::JSONB,
        None => {}
    }
    match field.data_type() {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => match pg_type(item) {
            // What is jsonb because it is nested is one value, however deep.
            Type::JSONB if Json::of(item).is_none() => Type::JSONB,
            item => array_of(&item),
        },
        DataType::Dictionary(_, values) => pg_type(&Field::new("", (**values).clone(), true)),
        other => scalar_type(other),
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
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
            Type::NUMERIC
        }
        DataType::Null | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Type::TEXT,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => Type::BYTEA,
        DataType::Date32 | DataType::Date64 => Type::DATE,
        DataType::Time32(_) | DataType::Time64(_) => Type::TIME,
        DataType::Timestamp(_, None) => Type::TIMESTAMP,
        DataType::Timestamp(_, Some(_)) => Type::TIMESTAMPTZ,
        DataType::Interval(_) | DataType::Duration(_) => Type::INTERVAL,
        DataType::Dictionary(_, values) => scalar_type(values),
        DataType::Struct(_) => Type::RECORD,
        _ => Type::JSONB,
    }
}

/// The one-dimensional array of a scalar type; jsonb where there is none.
fn array_of(item: &Type) -> Type {
    match *item {
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
        Type::JSONB => Type::JSONB_ARRAY,
        Type::OID => Type::OID_ARRAY,
        _ => Type::JSONB,
    }
}

/// The item type of a one-dimensional array type.
pub fn item_of(array: &Type) -> Option<Type> {
    match array.kind() {
        postgres_types::Kind::Array(item) => Some(item.clone()),
        // An array of anything composite is a pseudo-type to the protocol library.
        _ => (*array == Type::RECORD_ARRAY).then_some(Type::RECORD),
    }
}

/// Bytes of a fixed-width type, -1 for the others (`pg_type.typlen`).
pub fn type_len(pg: &Type) -> i16 {
    match *pg {
        Type::BOOL => 1,
        Type::INT2 => 2,
        Type::INT4 | Type::FLOAT4 | Type::DATE | Type::OID => 4,
        Type::INT8 | Type::FLOAT8 | Type::TIMESTAMP | Type::TIMESTAMPTZ | Type::TIME => 8,
        Type::INTERVAL | Type::UUID => 16,
        _ => -1,
    }
}

/// Precision and scale of a numeric column, packed as `pg_attribute.atttypmod`; -1 for none.
pub fn type_modifier(data_type: &DataType) -> i32 {
    match data_type {
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s)
            if *s >= 0 =>
        {
            ((i32::from(*p) << 16) | i32::from(*s)) + 4
        }
        _ => -1,
    }
}

/// The Arrow type of a parameter that a client declares; `None` leaves it to the planner.
///
/// A numeric gets room for 26 digits before the point and 12 after; the value itself keeps
/// the digits that were sent.
pub fn arrow_type(pg: &Type) -> Option<DataType> {
    if let Some(item) = item_of(pg) {
        let item = arrow_type(&item).unwrap_or(DataType::Utf8);
        return Some(DataType::List(Arc::new(Field::new_list_field(item, true))));
    }
    Some(match *pg {
        Type::BOOL => DataType::Boolean,
        Type::INT2 => DataType::Int16,
        Type::INT4 => DataType::Int32,
        Type::INT8 | Type::OID => DataType::Int64,
        Type::FLOAT4 => DataType::Float32,
        Type::FLOAT8 => DataType::Float64,
        Type::NUMERIC => DataType::Decimal128(38, 12),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::CHAR | Type::JSON | Type::JSONB => {
            DataType::Utf8
        }
        Type::BYTEA => DataType::Binary,
        Type::UUID => UUID_STORAGE,
        Type::DATE => DataType::Date32,
        Type::TIME => DataType::Time64(TimeUnit::Microsecond),
        Type::TIMESTAMP => DataType::Timestamp(TimeUnit::Microsecond, None),
        Type::TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Type::INTERVAL => DataType::Interval(IntervalUnit::MonthDayNano),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::postgres::uuid_field;

    fn of(data_type: DataType) -> Type {
        pg_type(&Field::new("x", data_type, true))
    }

    #[test]
    fn unsigned_integers_are_the_next_wider_signed_ones() {
        assert_eq!(of(DataType::UInt16), Type::INT4);
        assert_eq!(of(DataType::UInt64), Type::INT8);
    }

    #[test]
    fn lists_of_scalars_are_arrays_and_deeper_nesting_is_jsonb() {
        let list = |item| DataType::List(Arc::new(Field::new_list_field(item, true)));
        assert_eq!(of(list(DataType::Utf8View)), Type::TEXT_ARRAY);
        assert_eq!(of(list(list(DataType::Int64))), Type::JSONB);
        assert_eq!(of(list(list(list(DataType::Int64)))), Type::JSONB);
        let record = DataType::Struct(Vec::<Field>::new().into());
        assert_eq!(of(record.clone()), Type::RECORD);
        assert_eq!(of(list(record)), Type::RECORD_ARRAY);
    }

    #[test]
    fn sixteen_bytes_are_a_uuid_where_their_field_says_so() {
        assert_eq!(of(UUID_STORAGE), Type::BYTEA);
        assert_eq!(pg_type(&uuid_field("id")), Type::UUID);
        let list = DataType::List(Arc::new(uuid_field(Field::LIST_FIELD_DEFAULT_NAME)));
        assert_eq!(of(list), Type::UUID_ARRAY);
    }

    #[test]
    fn a_numeric_column_tells_its_scale() {
        assert_eq!(type_modifier(&DataType::Decimal128(18, 2)), (18 << 16 | 2) + 4);
    }
}
