//! Columns from rows: the few types that the demo's tables use.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, ListBuilder,
    RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};

/// Builds one batch, column by column.
#[derive(Default)]
pub struct Columns {
    fields: Vec<Field>,
    arrays: Vec<ArrayRef>,
}

impl Columns {
    /// No columns yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn add(mut self, name: &str, array: ArrayRef, nullable: bool) -> Self {
        self.fields.push(Field::new(name, array.data_type().clone(), nullable));
        self.arrays.push(array);
        self
    }

    /// Text, some of it missing.
    pub fn text<T: AsRef<str>>(self, name: &str, values: impl Iterator<Item = Option<T>>) -> Self {
        let array: StringArray = values.collect();
        self.add(name, Arc::new(array), true)
    }

    /// Text in every row.
    pub fn key<T: AsRef<str>>(self, name: &str, values: impl Iterator<Item = T>) -> Self {
        let array: StringArray = values.map(Some).collect();
        self.add(name, Arc::new(array), false)
    }

    /// Text that nothing fills.
    pub fn no_text(self, name: &str, rows: usize) -> Self {
        self.add(name, Arc::new(StringArray::new_null(rows)), true)
    }

    /// A list of texts in every row.
    pub fn texts<'a>(self, name: &str, values: impl Iterator<Item = &'a [&'static str]>) -> Self {
        let item = Field::new("item", DataType::Utf8, true);
        let mut builder = ListBuilder::new(StringBuilder::new()).with_field(item);
        for list in values {
            builder.append_value(list.iter().map(Some));
        }
        self.add(name, Arc::new(builder.finish()), false)
    }

    /// Instants, some of them missing; microseconds since 1970 UTC.
    pub fn maybe_at(self, name: &str, values: impl Iterator<Item = Option<i64>>) -> Self {
        let array: TimestampMicrosecondArray = values.collect();
        self.add(name, Arc::new(array.with_timezone("UTC")), true)
    }

    /// An instant in every row.
    pub fn at(self, name: &str, values: impl Iterator<Item = i64>) -> Self {
        let array: TimestampMicrosecondArray = values.map(Some).collect();
        self.add(name, Arc::new(array.with_timezone("UTC")), false)
    }

    /// A date in every row; days since 1970.
    pub fn date(self, name: &str, values: impl Iterator<Item = i32>) -> Self {
        let array: Date32Array = values.map(Some).collect();
        self.add(name, Arc::new(array), false)
    }

    /// Money, some of it missing; cents, shown with two decimals.
    pub fn money(self, name: &str, values: impl Iterator<Item = Option<i64>>) -> Self {
        let array: Decimal128Array = values.map(|cents| cents.map(i128::from)).collect();
        let data_type = DataType::Decimal128(18, 2);
        self.add(name, Arc::new(array.with_data_type(data_type)), true)
    }

    /// Whole numbers that fit four bytes, some of them missing.
    pub fn int(self, name: &str, values: impl Iterator<Item = Option<i32>>) -> Self {
        self.add(name, Arc::new(values.collect::<Int32Array>()), true)
    }

    /// Whole numbers that may be large, some of them missing.
    pub fn bigint(self, name: &str, values: impl Iterator<Item = Option<i64>>) -> Self {
        self.add(name, Arc::new(values.collect::<Int64Array>()), true)
    }

    /// Numbers, some of them missing.
    pub fn number(self, name: &str, values: impl Iterator<Item = Option<f64>>) -> Self {
        self.add(name, Arc::new(values.collect::<Float64Array>()), true)
    }

    /// True or false in every row.
    pub fn flag(self, name: &str, values: impl Iterator<Item = bool>) -> Self {
        self.add(name, Arc::new(values.map(Some).collect::<BooleanArray>()), false)
    }

    /// The batch and its schema.
    ///
    /// Panics where two columns differ in length: a fault of this module, never of a user.
    pub fn finish(self) -> (SchemaRef, RecordBatch) {
        let schema = Arc::new(Schema::new(self.fields));
        match RecordBatch::try_new(Arc::clone(&schema), self.arrays) {
            Ok(batch) => (schema, batch),
            Err(error) => panic!("the columns of a demo table do not fit together: {error}"),
        }
    }
}
