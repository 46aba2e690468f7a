//! Batches to `DataRow` messages, a column's kind chosen once a batch and not once a value.
//!
//! Batches may carry another encoding than the one announced (views, dictionaries, other time
//! units): each column is first brought to the encoding its announced type is written from.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, BooleanArray, Date32Array, Decimal128Array, Float32Array,
    Float64Array, Int16Array, Int32Array, Int64Array, IntervalMonthDayNanoArray, ListArray, RecordBatch, StringArray,
    StringViewArray, Time64MicrosecondArray, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{
    DataType, DurationMicrosecondType, Field, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
    TimestampMicrosecondType, TimestampNanosecondType,
};
use pgwire::api::Type;
use pgwire::messages::data::DataRow;

use super::{binary, types};
use crate::error::{Error, Result, SqlState};
use crate::limits;
use crate::query::postgres::json::Json;
use crate::query::postgres::json_text::JsonWriter;
use crate::query::postgres::times::Zone;
use crate::query::postgres::times::calendar::days_and_time;
use crate::query::postgres::times::text::{self, put};
use crate::query::postgres::uuid_text;
use crate::query::{Piece, Pieces};

/// How one column of a result is announced and written.
#[derive(Clone, Debug)]
pub struct OutColumn {
    pub name: String,
    pub pg: Type,
    pub binary: bool,
}

/// Writes batches of one statement as rows.
#[derive(Clone, Debug)]
pub struct RowWriter {
    columns: Arc<[OutColumn]>,
    zone: Zone,
}

impl RowWriter {
    /// A writer for these columns, printing instants in `zone`.
    pub fn new(columns: Arc<[OutColumn]>, zone: Zone) -> Self {
        Self { columns, zone }
    }

    /// All rows of a batch, in order, cut at [`limits::PIECE_BYTES`]. Errors name the column (22003 where a value does
    /// not fit).
    pub fn pieces(&self, batch: &RecordBatch) -> Result<Pieces<Vec<DataRow>>> {
        if batch.num_columns() != self.columns.len() {
            return Err(Error::new(
                SqlState::INTERNAL_ERROR,
                format!("the result has {} columns where {} were announced", batch.num_columns(), self.columns.len()),
            ));
        }
        let values = self
            .columns
            .iter()
            .zip(batch.columns())
            .map(|(out, array)| {
                Values::of(array, &out.pg).map_err(|mut error| {
                    error.message = format!("column \"{}\": {}", out.name, error.message);
                    error
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let row_count = batch.num_rows();
        Ok(Box::new(Cut { columns: Arc::clone(&self.columns), values, zone: self.zone, next_row: 0, row_count }))
    }
}

/// The rows of a batch that are not written yet.
struct Cut {
    columns: Arc<[OutColumn]>,
    values: Vec<Values>,
    zone: Zone,
    next_row: usize,
    row_count: usize,
}

impl Cut {
    fn piece(&mut self) -> Result<Piece<Vec<DataRow>>> {
        const BYTES_PER_VALUE: usize = 16;
        let fields = i16::try_from(self.columns.len())
            .map_err(|_| Error::new(SqlState::TOO_MANY_COLUMNS, "a row has more columns than can be sent"))?;
        let left = self.row_count - self.next_row;
        let guess = left.saturating_mul(BYTES_PER_VALUE * self.columns.len().max(1));
        // One buffer for the piece, cut into rows without copying.
        let mut buffer = BytesMut::with_capacity(guess.min(limits::PIECE_BYTES));
        let mut rows = Vec::with_capacity(left);
        let mut bytes = 0;
        while self.next_row < self.row_count && bytes < limits::PIECE_BYTES {
            for (values, out) in self.values.iter().zip(self.columns.iter()) {
                values.put(&mut buffer, self.next_row, out, self.zone)?;
            }
            bytes += buffer.len();
            rows.push(DataRow::new(buffer.split(), fields));
            self.next_row += 1;
        }
        Ok(Piece { bytes: bytes + rows.len() * size_of::<DataRow>(), content: rows })
    }
}

impl Iterator for Cut {
    type Item = Result<Piece<Vec<DataRow>>>;

    fn next(&mut self) -> Option<Self::Item> {
        (self.next_row < self.row_count).then(|| self.piece())
    }
}

/// One column's values in the encoding they are written from.
enum Values {
    Bool(BooleanArray),
    Int2(Int16Array),
    Int4(Int32Array),
    Int8(Int64Array),
    Float4(Float32Array),
    Float8(Float64Array),
    Numeric(Decimal128Array, i8),
    /// Decimals of 256 bits: as text, the only format that has room.
    WideNumeric(StringArray),
    Text(StringArray),
    TextView(StringViewArray),
    Bytes(BinaryArray),
    BytesView(BinaryViewArray),
    Date(Date32Array),
    Time(Time64MicrosecondArray),
    Timestamp(TimestampMicrosecondArray),
    TimestampTz(TimestampMicrosecondArray),
    Interval(IntervalMonthDayNanoArray),
    Uuid(ArrayRef),
    List {
        list: ListArray,
        items: Box<Values>,
        item: Type,
    },
    /// The fields of records, each with its type.
    Record {
        records: ArrayRef,
        fields: Vec<(Values, Type)>,
    },
    /// Nested values that are no arrays and no records: jsonb.
    Json(ArrayRef),
    /// Text whose binary form has a version before it.
    Jsonb(StringArray),
}

impl Values {
    fn of(array: &ArrayRef, pg: &Type) -> Result<Self> {
        if let Some(item) = types::item_of(pg) {
            return Self::list(array, item);
        }
        Ok(match *pg {
            Type::BOOL => Self::Bool(to(array, &DataType::Boolean)?.as_boolean().clone()),
            Type::INT2 => Self::Int2(to(array, &DataType::Int16)?.as_primitive().clone()),
            Type::INT4 | Type::OID => Self::Int4(to(array, &DataType::Int32)?.as_primitive().clone()),
            Type::INT8 => Self::Int8(to(array, &DataType::Int64)?.as_primitive().clone()),
            Type::FLOAT4 => Self::Float4(to(array, &DataType::Float32)?.as_primitive().clone()),
            Type::FLOAT8 => Self::Float8(to(array, &DataType::Float64)?.as_primitive().clone()),
            Type::NUMERIC => return Self::numeric(array),
            Type::BYTEA => match array.data_type() {
                DataType::BinaryView => Self::BytesView(array.as_binary_view().clone()),
                _ => Self::Bytes(to(array, &DataType::Binary)?.as_binary().clone()),
            },
            Type::DATE => Self::Date(to(array, &DataType::Date32)?.as_primitive().clone()),
            Type::TIME => Self::Time(to(array, &DataType::Time64(TimeUnit::Microsecond))?.as_primitive().clone()),
            Type::TIMESTAMP => Self::Timestamp(micros(array)?),
            Type::TIMESTAMPTZ => Self::TimestampTz(micros(array)?),
            Type::INTERVAL => Self::Interval(intervals(array)?),
            Type::UUID if matches!(array.data_type(), DataType::FixedSizeBinary(16)) => Self::Uuid(Arc::clone(array)),
            Type::RECORD => return Self::record(array),
            Type::JSONB if array.data_type().is_nested() => Self::Json(Arc::clone(array)),
            Type::JSONB => Self::Jsonb(to(array, &DataType::Utf8)?.as_string().clone()),
            _ => match array.data_type() {
                DataType::Utf8View => Self::TextView(array.as_string_view().clone()),
                _ => Self::Text(to(array, &DataType::Utf8)?.as_string().clone()),
            },
        })
    }

    fn numeric(array: &ArrayRef) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::Decimal128(_, scale) => Self::Numeric(array.as_primitive().clone(), *scale),
            DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) => {
                let wide = to(array, &DataType::Decimal128(38, *scale))?;
                Self::Numeric(wide.as_primitive().clone(), *scale)
            }
            DataType::Decimal256(..) => Self::WideNumeric(to(array, &DataType::Utf8)?.as_string().clone()),
            _ => {
                let wide = to(array, &DataType::Decimal128(38, 0))?;
                Self::Numeric(wide.as_primitive().clone(), 0)
            }
        })
    }

    fn list(array: &ArrayRef, item: Type) -> Result<Self> {
        let inner = match array.data_type() {
            DataType::List(field)
            | DataType::LargeList(field)
            | DataType::FixedSizeList(field, _)
            | DataType::ListView(field)
            | DataType::LargeListView(field) => Arc::clone(field),
            other => {
                return Err(Error::new(SqlState::INTERNAL_ERROR, format!("a list was announced and {other} came")));
            }
        };
        let list = to(array, &DataType::List(inner))?.as_list::<i32>().clone();
        let items = Box::new(Self::of(list.values(), &item)?);
        Ok(Self::List { list, items, item })
    }

    fn record(array: &ArrayRef) -> Result<Self> {
        let DataType::Struct(fields) = array.data_type() else {
            let message = format!("a record was announced and {} came", array.data_type());
            return Err(Error::new(SqlState::INTERNAL_ERROR, message));
        };
        let columns = fields.iter().zip(array.as_struct().columns()).map(|(field, column)| {
            let pg = types::pg_type(field);
            Ok((Self::of(column, &pg)?, pg))
        });
        Ok(Self::Record { fields: columns.collect::<Result<_>>()?, records: Arc::clone(array) })
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Bool(a) => a.is_null(row),
            Self::Int2(a) => a.is_null(row),
            Self::Int4(a) => a.is_null(row),
            Self::Int8(a) => a.is_null(row),
            Self::Float4(a) => a.is_null(row),
            Self::Float8(a) => a.is_null(row),
            Self::Numeric(a, _) => a.is_null(row),
            Self::WideNumeric(a) | Self::Text(a) | Self::Jsonb(a) => a.is_null(row),
            Self::TextView(a) => a.is_null(row),
            Self::Bytes(a) => a.is_null(row),
            Self::BytesView(a) => a.is_null(row),
            Self::Date(a) => a.is_null(row),
            Self::Time(a) => a.is_null(row),
            Self::Timestamp(a) | Self::TimestampTz(a) => a.is_null(row),
            Self::Interval(a) => a.is_null(row),
            Self::List { list, .. } => list.is_null(row),
            Self::Uuid(a) | Self::Json(a) | Self::Record { records: a, .. } => a.is_null(row),
        }
    }

    /// Writes the length and the value, or the NULL marker.
    fn put(&self, out: &mut BytesMut, row: usize, column: &OutColumn, zone: Zone) -> Result<()> {
        if self.is_null(row) {
            out.put_i32(-1);
            return Ok(());
        }
        let start = out.len();
        out.put_i32(0);
        if column.binary {
            self.put_binary(out, row, column, zone)?;
        } else {
            self.put_text(out, row, zone)?;
        }
        let length = i32::try_from(out.len() - start - 4).map_err(|_| {
            Error::new(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                format!("column \"{}\": a value is larger than 2 GiB", column.name),
            )
        })?;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    fn put_text(&self, out: &mut BytesMut, row: usize, zone: Zone) -> Result<()> {
        match self {
            Self::Bool(a) => out.put_u8(if a.value(row) { b't' } else { b'f' }),
            Self::Int2(a) => put!(out, "{}", a.value(row)),
            Self::Int4(a) => put!(out, "{}", a.value(row)),
            Self::Int8(a) => put!(out, "{}", a.value(row)),
            Self::Float4(a) => text::float(out, f64::from(a.value(row)), true),
            Self::Float8(a) => text::float(out, a.value(row), false),
            Self::Numeric(a, scale) => text::decimal(out, a.value(row), *scale),
            Self::WideNumeric(a) | Self::Text(a) | Self::Jsonb(a) => out.put_slice(a.value(row).as_bytes()),
            Self::TextView(a) => out.put_slice(a.value(row).as_bytes()),
            Self::Bytes(a) => text::bytea(out, a.value(row)),
            Self::BytesView(a) => text::bytea(out, a.value(row)),
            Self::Date(a) => text::date(out, i64::from(a.value(row))),
            Self::Time(a) => text::time(out, a.value(row)),
            Self::Timestamp(a) => text::timestamp(out, a.value(row)),
            Self::TimestampTz(a) => text::timestamp_with_zone(out, a.value(row), zone),
            Self::Interval(a) => {
                let v = a.value(row);
                text::interval(out, v.months, v.days, v.nanoseconds);
            }
            Self::Uuid(a) => out.put_slice(uuid_text(a.as_fixed_size_binary().value(row)).as_bytes()),
            Self::Json(a) => JsonWriter { form: Json::Binary, zone }.write(out, a, row)?,
            Self::Record { fields, .. } => {
                let mut field = BytesMut::new();
                out.put_u8(b'(');
                for (index, (values, _)) in fields.iter().enumerate() {
                    if index > 0 {
                        out.put_u8(b',');
                    }
                    // NULL is nothing at all.
                    if !values.is_null(row) {
                        field.clear();
                        values.put_text(&mut field, row, zone)?;
                        text::record_field(out, &field);
                    }
                }
                out.put_u8(b')');
            }
            Self::List { list, items, .. } => {
                let mut item = BytesMut::new();
                out.put_u8(b'{');
                for (index, at) in range(list, row).enumerate() {
                    if index > 0 {
                        out.put_u8(b',');
                    }
                    if items.is_null(at) {
                        out.put_slice(b"NULL");
                    } else {
                        item.clear();
                        items.put_text(&mut item, at, zone)?;
                        text::array_item(out, &item);
                    }
                }
                out.put_u8(b'}');
            }
        }
        Ok(())
    }

    fn put_binary(&self, out: &mut BytesMut, row: usize, column: &OutColumn, zone: Zone) -> Result<()> {
        match self {
            Self::Bool(a) => out.put_u8(u8::from(a.value(row))),
            Self::Int2(a) => out.put_i16(a.value(row)),
            Self::Int4(a) => out.put_i32(a.value(row)),
            Self::Int8(a) => out.put_i64(a.value(row)),
            Self::Float4(a) => out.put_f32(a.value(row)),
            Self::Float8(a) => out.put_f64(a.value(row)),
            Self::Numeric(a, scale) => binary::numeric(out, a.value(row), *scale),
            Self::WideNumeric(_) => {
                return Err(Error::new(
                    SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                    format!("column \"{}\": a numeric of more than 38 digits has no binary form here", column.name),
                )
                .with_hint("Cast it to numeric(38, s) or to text."));
            }
            Self::Bytes(a) => out.put_slice(a.value(row)),
            Self::BytesView(a) => out.put_slice(a.value(row)),
            Self::Date(a) => binary::date(out, a.value(row)),
            Self::Time(a) => out.put_i64(a.value(row)),
            Self::Timestamp(a) | Self::TimestampTz(a) => binary::timestamp(out, a.value(row)),
            Self::Interval(a) => {
                let v = a.value(row);
                binary::interval(out, v.months, v.days, v.nanoseconds);
            }
            Self::Uuid(a) => out.put_slice(a.as_fixed_size_binary().value(row)),
            Self::List { list, items, item } => {
                let range = range(list, row);
                let dimensions = i32::from(!range.is_empty());
                out.put_i32(dimensions);
                out.put_i32(i32::from(range.clone().any(|at| items.is_null(at))));
                out.put_u32(item.oid());
                if dimensions > 0 {
                    out.put_i32(range.len() as i32);
                    out.put_i32(1);
                }
                for at in range {
                    items.put(out, at, column, zone)?;
                }
            }
            Self::Record { fields, .. } => {
                let count = i32::try_from(fields.len())
                    .map_err(|_| Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "a record has too many fields"))?;
                out.put_i32(count);
                for (values, pg) in fields {
                    out.put_u32(pg.oid());
                    values.put(out, row, column, zone)?;
                }
            }
            Self::Jsonb(_) | Self::Json(_) => {
                const VERSION: u8 = 1;
                out.put_u8(VERSION);
                self.put_text(out, row, zone)?;
            }
            Self::Text(_) | Self::TextView(_) => {
                self.put_text(out, row, zone)?;
            }
        }
        Ok(())
    }
}

/// Intervals of months, days and time. A duration (the difference of two times) is days and time,
/// as PostgreSQL gives it.
fn intervals(array: &ArrayRef) -> Result<IntervalMonthDayNanoArray> {
    let array = match array.data_type() {
        DataType::Dictionary(_, values) => to(array, values)?,
        _ => Arc::clone(array),
    };
    if !matches!(array.data_type(), DataType::Duration(_)) {
        let intervals = to(&array, &DataType::Interval(IntervalUnit::MonthDayNano))?;
        return Ok(intervals.as_primitive().clone());
    }
    let micros = to(&array, &DataType::Duration(TimeUnit::Microsecond))?;
    Ok(micros.as_primitive::<DurationMicrosecondType>().unary::<_, IntervalMonthDayNanoType>(|micros| {
        let (days, rest) = days_and_time(micros);
        IntervalMonthDayNano::new(0, days, rest * 1000)
    }))
}

fn range(list: &ListArray, row: usize) -> std::ops::Range<usize> {
    let offsets = list.value_offsets();
    offsets[row] as usize..offsets[row + 1] as usize
}

/// A cast that fails where a value does not fit, instead of giving NULL.
fn to(array: &ArrayRef, target: &DataType) -> Result<ArrayRef> {
    if array.data_type() == target {
        return Ok(Arc::clone(array));
    }
    let options = CastOptions { safe: false, ..Default::default() };
    cast_with_options(array, target, &options)
        .map_err(|e| Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, e.to_string()))
}

/// Times in microseconds. Nanoseconds are floored, also before 1970; infinities stay.
fn micros(array: &ArrayRef) -> Result<TimestampMicrosecondArray> {
    let array = match array.data_type() {
        DataType::Dictionary(_, values) => to(array, values)?,
        _ => Arc::clone(array),
    };
    Ok(match array.data_type() {
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            array
                .as_primitive::<TimestampNanosecondType>()
                .unary::<_, TimestampMicrosecondType>(|nanos| nanos.div_euclid(1000))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => array.as_primitive().clone(),
        DataType::Timestamp(_, zone) => {
            let target = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
            to(&array, &target)?.as_primitive().clone()
        }
        _ => {
            let target = DataType::Timestamp(TimeUnit::Microsecond, None);
            to(&array, &target)?.as_primitive().clone()
        }
    })
}

/// The announced columns of a result.
pub fn out_columns<'a>(
    columns: impl Iterator<Item = (&'a str, &'a Field)>,
    is_binary: impl Fn(usize) -> bool,
) -> Arc<[OutColumn]> {
    columns
        .enumerate()
        .map(|(index, (name, field))| OutColumn {
            name: name.to_owned(),
            pg: types::pg_type(field),
            binary: is_binary(index),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_where_a_piece_is_large_and_none_is_lost() {
        let field = Field::new("t", DataType::Utf8, true);
        let columns = out_columns(std::iter::once(("t", &field)), |_| false);
        let writer = RowWriter::new(columns, Zone::UTC);
        for (bytes, rows) in [(10, 5_000), (300_000, 20), (3 * limits::PIECE_BYTES, 3)] {
            let text = "x".repeat(bytes);
            let array: ArrayRef = Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows)));
            let batch = RecordBatch::try_from_iter([("t", array)]).unwrap();
            let pieces: Vec<_> = writer.pieces(&batch).unwrap().collect::<Result<_>>().unwrap();
            assert_eq!(pieces.iter().map(|piece| piece.content.len()).sum::<usize>(), rows);
            let row_bytes = bytes + 4 + size_of::<DataRow>();
            for piece in &pieces {
                let least_that_is_enough = piece.bytes.saturating_sub(row_bytes);
                assert!(least_that_is_enough < limits::PIECE_BYTES + piece.content.len() * size_of::<DataRow>());
            }
        }
    }
}
