//! How the columns of a source become those of a table that is there.
//!
//! - A column of both keeps the table's type; every value of the source's type must be one of it. CSV and JSON, where
//!   types are a guess, are read in the table's types.
//! - Text of CSV and JSON is a time if it has a zone where the table's times have one, and none where they have none:
//!   a zone that is guessed or left out would change what the time means.
//! - A column that the source lacks, or has no value of in any file, is NULL in the new rows. The keys must be there.
//! - A column that the table lacks comes after the others, and is NULL in the rows that are there.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::arrow::record_batch::RecordBatch;

use super::shape::{Shape, as_codes, has_few_values, plain_type};
use super::source::Source;
use crate::error::{Error, Result, SqlState};
use crate::lake::scan::LakeProvider;
use crate::lake::unify::{sql_name, widens_to};

/// The columns of a table as new files of it have them.
pub(super) struct TableColumns<'a> {
    /// The table's, as a scan shows them.
    pub(super) schema: &'a Schema,
    pub(super) user_key: &'a str,
    pub(super) time_key: &'a str,
    /// Those that some file declares dictionaries.
    codes: HashSet<String>,
}

impl<'a> TableColumns<'a> {
    pub(super) fn new(table: &'a LakeProvider, user_key: &'a str, time_key: &'a str) -> Self {
        let files = table.resolved.files.iter().filter_map(|file| file.columns.as_ref());
        let fields = files.flat_map(|columns| columns.fields().iter());
        let codes = fields.filter(|field| matches!(field.data_type(), DataType::Dictionary(..)));
        let codes = codes.map(|field| field.name().clone()).collect();
        Self { schema: &table.resolved.schema, user_key, time_key, codes }
    }

    /// The type in which a column of a text file is read; `None` where its guess does as well.
    pub(super) fn type_of(&self, guessed: &Field) -> Option<DataType> {
        let ours = self.schema.field_with_name(guessed.name()).ok()?.data_type();
        let guess = guessed.data_type();
        if matches!(ours, DataType::Timestamp(..)) {
            // The readers of text take zones for what they like, and numbers for microseconds.
            return (is_text(guess) || guess.is_temporal()).then_some(DataType::Utf8View);
        }
        // They know neither lists nor bytes.
        let is_read = ours.is_primitive() || matches!(ours, DataType::Boolean | DataType::Utf8View);
        (is_read && !guess.is_nested()).then(|| ours.clone())
    }

    /// The columns of the table, unchanged.
    pub(super) fn shape(&self) -> Shape {
        let fields: Vec<FieldRef> = self.schema.fields().iter().map(|field| stored(field)).collect();
        let declared: Vec<FieldRef> = fields.iter().map(|field| self.declared(field)).collect();
        Shape {
            from: (0..fields.len()).map(Some).collect(),
            schema: Arc::new(Schema::new(fields)),
            declared: Arc::new(Schema::new(declared)),
            text_times: Vec::new(),
        }
    }

    /// The columns of the table and of a source together. `sample` has some rows of the source.
    ///
    /// Fails with 42703 if the source lacks a key, 42804 if a column of it does not fit.
    pub(super) fn fit(&self, source: &Source, sample: &[RecordBatch]) -> Result<Shape> {
        let (mut fields, mut from, mut text_times) = (Vec::new(), Vec::new(), Vec::new());
        let columns = source.schema();
        for ours in self.schema.fields() {
            let name = ours.name().as_str();
            let known = columns.index_of(name).ok().filter(|_| !source.is_without_values(name));
            let field = match known {
                None if name == self.user_key || name == self.time_key => return Err(self.lacks(name, columns)),
                None => Arc::new(stored(ours).as_ref().clone().with_nullable(true)),
                Some(index) => {
                    let theirs = columns.field(index);
                    let field = stored(ours);
                    // Parquet has types of its own: there only the time key may be text.
                    let may_be_text = name == self.time_key || source.is_text();
                    let is_time = matches!(field.data_type(), DataType::Timestamp(..));
                    if may_be_text && is_time && is_text(theirs.data_type()) {
                        text_times.push(fields.len());
                    } else if !fits(theirs.data_type(), ours.data_type()) {
                        return Err(misfit(ours, theirs));
                    }
                    let is_nullable = ours.is_nullable() || theirs.is_nullable();
                    Arc::new(field.as_ref().clone().with_nullable(is_nullable))
                }
            };
            fields.push(field);
            from.push(known);
        }
        let mut declared: Vec<FieldRef> = fields.iter().map(|field| self.declared(field)).collect();
        for (index, theirs) in columns.fields().iter().enumerate() {
            if self.schema.index_of(theirs.name()).is_err() {
                let field: FieldRef = Arc::new(stored(theirs).as_ref().clone().with_nullable(true));
                declared.push(if has_few_values(sample, index) { self.as_codes(&field) } else { Arc::clone(&field) });
                fields.push(field);
                from.push(Some(index));
            }
        }
        Ok(Shape { schema: Arc::new(Schema::new(fields)), declared: Arc::new(Schema::new(declared)), text_times, from })
    }

    /// A column of the table as its files declare it.
    fn declared(&self, field: &FieldRef) -> FieldRef {
        if self.codes.contains(field.name()) { self.as_codes(field) } else { Arc::clone(field) }
    }

    /// Text as codes. The user never is: everything groups by it, and codes group slowly.
    fn as_codes(&self, field: &FieldRef) -> FieldRef {
        let may_be = *field.data_type() == DataType::Utf8 && field.name() != self.user_key;
        if may_be { as_codes(field) } else { Arc::clone(field) }
    }

    fn lacks(&self, key: &str, source: &Schema) -> Error {
        let names: Vec<&str> = source.fields().iter().map(|field| field.name().as_str()).collect();
        let what = if key == self.user_key { "user" } else { "time" };
        Error::new(SqlState::UNDEFINED_COLUMN, format!("the table's {what} key \"{key}\" is no column of the source"))
            .with_detail(format!("The columns with values are: {}.", names.join(", ")))
    }
}

/// A column as files have it.
fn stored(field: &Field) -> FieldRef {
    Arc::new(field.clone().with_data_type(plain_type(field.data_type())))
}

fn is_text(data_type: &DataType) -> bool {
    plain_type(data_type) == DataType::Utf8
}

/// Whether every value of the source's type is one of the table's.
fn fits(theirs: &DataType, ours: &DataType) -> bool {
    widens_to(theirs, ours) || plain_type(theirs) == plain_type(ours)
}

fn misfit(ours: &Field, theirs: &Field) -> Error {
    let (name, is, has) = (ours.name(), sql_name(ours.data_type()), sql_name(theirs.data_type()));
    let message = format!("column \"{name}\" is {is} in the table and {has} in the source");
    Error::new(SqlState::DATATYPE_MISMATCH, message).with_hint(format!(
        "Write the source with \"{name}\" as {is}, or make a table of all rows anew: tributary cluster SOURCE TARGET."
    ))
}
