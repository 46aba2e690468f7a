//! Rows of system relations, built cell by cell and turned into Arrow columns of the declared types.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Float32Array, Float64Array, Int16Array, Int32Array, Int64Array, ListBuilder,
    RecordBatch, RecordBatchOptions, StringArray, StringBuilder, TimestampMicrosecondArray, new_null_array,
};
use datafusion::arrow::datatypes::{DataType, Field, SchemaRef, TimeUnit};
use datafusion::common::internal_datafusion_err;
use datafusion::error::Result;

use crate::catalog::oids::Oid;

/// One value of a system relation.
#[derive(Clone, Debug)]
pub enum Cell {
    /// NULL.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer of any width, or an object id.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// Text.
    Text(Cow<'static, str>),
    /// A moment in microseconds since 1970-01-01 UTC.
    TimestampUs(i64),
    /// An array of text.
    TextList(Vec<String>),
}

impl From<bool> for Cell {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&'static str> for Cell {
    fn from(value: &'static str) -> Self {
        Self::Text(Cow::Borrowed(value))
    }
}

impl From<String> for Cell {
    fn from(value: String) -> Self {
        Self::Text(Cow::Owned(value))
    }
}

impl From<Oid> for Cell {
    fn from(value: Oid) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<i32> for Cell {
    fn from(value: i32) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<i64> for Cell {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Rows under the names of their columns. Columns that are not named are NULL.
#[derive(Debug)]
pub struct Rows {
    header: &'static [&'static str],
    rows: Vec<Vec<Cell>>,
}

impl Rows {
    /// No rows yet, under the given columns.
    pub fn new(header: &'static [&'static str]) -> Self {
        Self { header, rows: Vec::new() }
    }

    /// Adds a row: one cell per named column.
    pub fn push(&mut self, row: Vec<Cell>) {
        debug_assert_eq!(row.len(), self.header.len(), "a row has one cell per column");
        self.rows.push(row);
    }

    /// The rows as one batch of the declared columns.
    ///
    /// Fails if a cell does not have the kind of its column or a header names no column: a mistake of this room.
    pub fn into_batch(self, schema: &SchemaRef) -> Result<RecordBatch> {
        if let Some(stray) = self.header.iter().find(|name| schema.index_of(name).is_err()) {
            return Err(internal_datafusion_err!("no system column is named '{stray}'"));
        }
        let columns = schema
            .fields()
            .iter()
            .map(|field| match self.header.iter().position(|name| name == field.name()) {
                Some(index) => column(field.data_type(), self.rows.iter().map(|row| &row[index]))
                    .map_err(|problem| internal_datafusion_err!("system column '{}': {problem}", field.name())),
                None => Ok(new_null_array(field.data_type(), self.rows.len())),
            })
            .collect::<Result<Vec<ArrayRef>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows.len()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
    }
}

/// Cells as one Arrow array. Fails if a cell does not have the kind of the type: a mistake of the caller.
pub fn build_column(data_type: &DataType, cells: &[Cell]) -> Result<ArrayRef> {
    column(data_type, cells.iter()).map_err(|problem| internal_datafusion_err!("{problem}"))
}

type Problem = String;

fn column<'a>(data_type: &DataType, cells: impl Iterator<Item = &'a Cell>) -> Result<ArrayRef, Problem> {
    let array: ArrayRef = match data_type {
        DataType::Boolean => Arc::new(cells.map(boolean).collect::<Result<BooleanArray, _>>()?),
        DataType::Int16 => Arc::new(cells.map(integer::<i16>).collect::<Result<Int16Array, _>>()?),
        DataType::Int32 => Arc::new(cells.map(integer::<i32>).collect::<Result<Int32Array, _>>()?),
        DataType::Int64 => Arc::new(cells.map(integer::<i64>).collect::<Result<Int64Array, _>>()?),
        DataType::Float32 => {
            Arc::new(cells.map(|cell| Ok(float(cell)?.map(|v| v as f32))).collect::<Result<Float32Array, Problem>>()?)
        }
        DataType::Float64 => Arc::new(cells.map(float).collect::<Result<Float64Array, _>>()?),
        DataType::Utf8 => Arc::new(cells.map(text).collect::<Result<StringArray, _>>()?),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let moments = cells.map(moment).collect::<Result<TimestampMicrosecondArray, _>>()?;
            Arc::new(moments.with_timezone_opt(zone.clone()))
        }
        DataType::Binary => Arc::new(cells.map(no_bytes).collect::<Result<BinaryArray, _>>()?),
        DataType::List(item) => list(item.data_type(), cells)?,
        other => return Err(format!("no cells of type {other}")),
    };
    Ok(array)
}

fn list<'a>(item: &DataType, cells: impl Iterator<Item = &'a Cell>) -> Result<ArrayRef, Problem> {
    match item {
        DataType::Utf8 => {
            let mut builder = ListBuilder::new(StringBuilder::new());
            for cell in cells {
                match cell {
                    Cell::Null => builder.append_null(),
                    Cell::TextList(items) => builder.append_value(items.iter().map(Some)),
                    other => return Err(mismatch("an array of text", other)),
                }
            }
            Ok(Arc::new(builder.finish()))
        }
        // Arrays of numbers describe indexes, constraints and partitions, which do not exist here.
        other => {
            let cells: Vec<&Cell> = cells.collect();
            match cells.iter().find(|cell| !matches!(cell, Cell::Null)) {
                Some(cell) => Err(mismatch("NULL", cell)),
                None => {
                    let list = DataType::List(Arc::new(Field::new_list_field(other.clone(), true)));
                    Ok(new_null_array(&list, cells.len()))
                }
            }
        }
    }
}

fn boolean(cell: &Cell) -> Result<Option<bool>, Problem> {
    match cell {
        Cell::Null => Ok(None),
        Cell::Bool(value) => Ok(Some(*value)),
        other => Err(mismatch("a boolean", other)),
    }
}

fn integer<T: TryFrom<i64>>(cell: &Cell) -> Result<Option<T>, Problem> {
    match cell {
        Cell::Null => Ok(None),
        Cell::Int(value) => T::try_from(*value).map(Some).map_err(|_| format!("{value} is out of range")),
        other => Err(mismatch("an integer", other)),
    }
}

fn float(cell: &Cell) -> Result<Option<f64>, Problem> {
    match cell {
        Cell::Null => Ok(None),
        Cell::Float(value) => Ok(Some(*value)),
        Cell::Int(value) => Ok(Some(*value as f64)),
        other => Err(mismatch("a number", other)),
    }
}

fn text(cell: &Cell) -> Result<Option<&str>, Problem> {
    match cell {
        Cell::Null => Ok(None),
        Cell::Text(value) => Ok(Some(value)),
        other => Err(mismatch("text", other)),
    }
}

fn moment(cell: &Cell) -> Result<Option<i64>, Problem> {
    match cell {
        Cell::Null => Ok(None),
        Cell::TimestampUs(value) => Ok(Some(*value)),
        other => Err(mismatch("a moment", other)),
    }
}

fn no_bytes(cell: &Cell) -> Result<Option<&'static [u8]>, Problem> {
    match cell {
        Cell::Null => Ok(None),
        other => Err(mismatch("NULL", other)),
    }
}

fn mismatch(expected: &str, found: &Cell) -> Problem {
    format!("expected {expected}, found {found:?}")
}
