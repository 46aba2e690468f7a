//! One schema for many files: columns by exact name, union over the files, silent widening.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};

use super::file::Contents;
use super::listing::Format;
use super::uuid::{is_uuid, uuid_field};
use crate::error::{Error, SqlState};

/// The columns of a table, and those among them that no query may use.
#[derive(Debug, Default)]
pub(super) struct Unified {
    pub(super) fields: Vec<FieldRef>,
    /// By column: the error (22023) that a query which needs the column gets.
    pub(super) unusable: BTreeMap<String, Error>,
}

/// Builds the schema of a table from its files, given as (shown path, contents).
///
/// A column keeps the place of its first appearance. It is nullable if some file lacks it or
/// declares it so. Types widen: to the larger integer, integers to double where a file has double,
/// to the larger decimal, any text encoding to text, any timestamp to microseconds. Where two types
/// have no such meeting, the column is unusable and keeps the type of the first file; in CSV, where
/// types are a guess from text, it is text.
pub(super) fn unify(format: Format, files: &[(&str, &Contents)]) -> Unified {
    let mut columns: Vec<Column> = Vec::new();
    let mut by_name: BTreeMap<&str, usize> = BTreeMap::new();
    for (file, contents) in files {
        for field in contents.schema.fields() {
            let index = *by_name.entry(field.name()).or_insert_with(|| {
                columns.push(Column::new(field, file));
                columns.len() - 1
            });
            let column = &mut columns[index];
            column.file_count += 1;
            if contents.repeated.contains(field.name()) {
                column.refuse(format!("file '{file}' has more than one column of this name"));
            } else {
                column.meet(format, field, file);
            }
        }
    }
    let mut unified = Unified::default();
    for column in columns {
        let name = column.field.name().clone();
        if let Some(why) = column.trouble {
            let error =
                Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("column \"{name}\" cannot be used: {why}"));
            let hint = "other columns can be used; to use this one, write the files again with one type";
            unified.unusable.insert(name, error.with_hint(hint));
        }
        let data_type = if column.data_type == DataType::Null { DataType::Utf8View } else { column.data_type };
        let is_nullable = column.is_nullable || column.file_count < files.len();
        unified
            .fields
            .push(Arc::new(column.field.as_ref().clone().with_data_type(data_type).with_nullable(is_nullable)));
    }
    unified
}

struct Column<'a> {
    field: FieldRef,
    /// The type so far, and the file that last changed it.
    data_type: DataType,
    file: &'a str,
    declared: DataType,
    is_nullable: bool,
    file_count: usize,
    trouble: Option<String>,
}

impl<'a> Column<'a> {
    fn new(field: &FieldRef, file: &'a str) -> Self {
        Self {
            field: Arc::clone(field),
            data_type: table_type(field.data_type()),
            file,
            declared: field.data_type().clone(),
            is_nullable: false,
            file_count: 0,
            trouble: None,
        }
    }

    fn meet(&mut self, format: Format, field: &FieldRef, file: &'a str) {
        // A column of no type has no value, whatever it declares.
        self.is_nullable |= field.is_nullable() || *field.data_type() == DataType::Null;
        if self.field.metadata() != field.metadata() {
            let (name, are_uuids) = (self.field.name(), is_uuid(&self.field) && is_uuid(field));
            let plain = || Field::new(name, self.field.data_type().clone(), self.field.is_nullable());
            self.field = Arc::new(if are_uuids { uuid_field(name) } else { plain() });
        }
        if self.trouble.is_some() {
            return;
        }
        let theirs = table_type(field.data_type());
        match wider(&self.data_type, &theirs) {
            Some(data_type) if data_type == self.data_type => {}
            Some(data_type) => {
                self.data_type = data_type;
                self.file = file;
                self.declared = field.data_type().clone();
            }
            None if format == Format::Csv => self.data_type = DataType::Utf8View,
            None => {
                let (ours, theirs) = (sql_name(&self.declared), sql_name(field.data_type()));
                self.refuse(format!("it is {ours} in '{}' and {theirs} in '{file}'", self.file));
            }
        }
    }

    fn refuse(&mut self, why: String) {
        self.trouble.get_or_insert(why);
    }
}

/// The type in which a table shows a column that a file stores as `file_type`.
///
/// Text is always `Utf8View`: dictionaries are quick to filter and slow to group by, and a scan
/// cannot know which of the two comes. A timestamp is always microseconds, and an instant has no
/// zone of its own, both as in PostgreSQL.
pub(super) fn table_type(file_type: &DataType) -> DataType {
    match file_type {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
        DataType::Dictionary(_, value) => table_type(value),
        DataType::Timestamp(_, zone) => {
            DataType::Timestamp(TimeUnit::Microsecond, zone.as_ref().map(|_| Arc::from("UTC")))
        }
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Float16 => DataType::Float32,
        other => other.clone(),
    }
}

/// The smallest type that holds every value of both (integers above 2^53 lose digits as doubles).
fn wider(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType::*;
    if a == b {
        return Some(a.clone());
    }
    match (a, b) {
        (Null, other) | (other, Null) => Some(other.clone()),
        (Float32 | Float64, other) | (other, Float32 | Float64) if other.is_integer() => Some(Float64),
        (Float32, Float64) | (Float64, Float32) => Some(Float64),
        (a, b) if a.is_integer() && b.is_integer() => wider_integer(a, b),
        (Decimal128(..) | Decimal256(..), Decimal128(..) | Decimal256(..)) => wider_decimal(a, b),
        (decimal @ (Decimal128(..) | Decimal256(..)), integer)
        | (integer, decimal @ (Decimal128(..) | Decimal256(..)))
            if integer.is_integer() =>
        {
            wider_decimal(decimal, &Decimal128(digits(integer), 0))
        }
        (List(a) | LargeList(a), List(b) | LargeList(b)) => Some(List(wider_item(a, b)?)),
        _ => None,
    }
}

fn wider_integer(a: &DataType, b: &DataType) -> Option<DataType> {
    let bits = |t: &DataType| t.primitive_width().unwrap_or(8) * 8;
    let needed = match (a.is_signed_integer(), b.is_signed_integer()) {
        (true, true) => return Some(signed(bits(a).max(bits(b)))),
        (false, false) => {
            return Some(if bits(a) > bits(b) { a.clone() } else { b.clone() });
        }
        // An unsigned integer needs one bit more where the sign stands, so the next size.
        (true, false) => bits(a).max(bits(b) * 2),
        (false, true) => bits(b).max(bits(a) * 2),
    };
    (needed <= 64).then(|| signed(needed))
}

fn signed(bits: usize) -> DataType {
    match bits {
        8 => DataType::Int8,
        16 => DataType::Int16,
        32 => DataType::Int32,
        _ => DataType::Int64,
    }
}

/// How many decimal digits hold every value of an integer type.
fn digits(integer: &DataType) -> u8 {
    match integer {
        DataType::Int8 | DataType::UInt8 => 3,
        DataType::Int16 | DataType::UInt16 => 5,
        DataType::Int32 | DataType::UInt32 => 10,
        DataType::Int64 => 19,
        _ => 20,
    }
}

/// As many digits before and behind the point as the larger of the two has.
fn wider_decimal(a: &DataType, b: &DataType) -> Option<DataType> {
    let parts = |t: &DataType| match t {
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            Some((i16::from(*precision) - i16::from(*scale), i16::from(*scale)))
        }
        _ => None,
    };
    let ((whole_a, scale_a), (whole_b, scale_b)) = (parts(a)?, parts(b)?);
    let scale = scale_a.max(scale_b);
    let precision = u8::try_from(whole_a.max(whole_b) + scale).ok()?;
    let scale = i8::try_from(scale).ok()?;
    match precision {
        0..=38 => Some(DataType::Decimal128(precision, scale)),
        39..=76 => Some(DataType::Decimal256(precision, scale)),
        _ => None,
    }
}

/// The item of two lists: the same but for the encoding of text.
fn wider_item(a: &FieldRef, b: &FieldRef) -> Option<FieldRef> {
    let is_nullable = a.is_nullable() || b.is_nullable();
    let data_type = match (a.data_type(), b.data_type()) {
        (a, b) if a == b => a.clone(),
        (a, b) if is_text(a) && is_text(b) => DataType::Utf8View,
        _ => return None,
    };
    Some(Arc::new(Field::new(a.name(), data_type, is_nullable)))
}

fn is_text(data_type: &DataType) -> bool {
    table_type(data_type) == DataType::Utf8View
}

/// The type as PostgreSQL would name it.
pub(super) fn sql_name(data_type: &DataType) -> String {
    let name = match data_type {
        DataType::Boolean => "boolean",
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => "smallint",
        DataType::Int32 | DataType::UInt16 => "integer",
        DataType::Int64 | DataType::UInt32 => "bigint",
        DataType::UInt64 => "unsigned bigint",
        DataType::Float16 | DataType::Float32 => "real",
        DataType::Float64 => "double precision",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => "bytea",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Time32(_) | DataType::Time64(_) => "time",
        DataType::Timestamp(_, None) => "timestamp",
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone",
        DataType::Interval(_) | DataType::Duration(_) => "interval",
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s) => {
            return format!("numeric({p},{s})");
        }
        DataType::Dictionary(_, value) => return sql_name(value),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            return format!("{}[]", sql_name(item.data_type()));
        }
        DataType::Struct(_) => "record",
        other => return other.to_string(),
    };
    name.to_owned()
}

/// Whether every value of a file's type is a value of the table's.
pub(super) fn widens_to(file_type: &DataType, shown: &DataType) -> bool {
    wider(&table_type(file_type), shown).as_ref() == Some(shown)
}
