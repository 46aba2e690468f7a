//! How the columns of a source become those of a table that is there.
//!
//! - A column of both keeps the table's type; every value of the source's type must be one of it. CSV and JSON, where
//!   types are a guess, are read in the table's types.
//! - A column that the source lacks, or has no value of in any file, is NULL in the new rows. The keys must be there.
//! - A column that the table lacks comes after the others, and is NULL in the rows that are there.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::arrow::record_batch::RecordBatch;

use super::shape::{Shape, as_codes, has_few_values, plain_type};
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
        // Times have rules of their own, and readers of text know neither lists nor bytes.
        let is_time = guessed.name() == self.time_key && plain_type(guessed.data_type()) == DataType::Utf8;
        let is_read = ours.is_primitive() || matches!(ours, DataType::Boolean | DataType::Utf8View);
        (is_read && !is_time && !guessed.data_type().is_nested()).then(|| ours.clone())
    }

    /// The columns of the table, unchanged.
    pub(super) fn shape(&self) -> Shape {
        let fields = self.schema.fields().iter().map(|field| stored(field));
        self.shaped(fields.collect(), (0..self.schema.fields().len()).map(Some).collect(), None, &[])
    }

    /// The columns of the table and of a source together. `is_without_values` tells which columns of the source are
    /// NULL in all rows, and `sample` has some of its rows.
    ///
    /// Fails with 42703 if the source lacks a key, 42804 if a column of it does not fit.
    pub(super) fn fit(
        &self,
        source: &Schema,
        is_without_values: impl Fn(&str) -> bool,
        sample: &[RecordBatch],
    ) -> Result<Shape> {
        let (mut fields, mut from, mut text_time) = (Vec::new(), Vec::new(), None);
        for ours in self.schema.fields() {
            let name = ours.name().as_str();
            let known = source.index_of(name).ok().filter(|_| !is_without_values(name));
            let field = match known {
                None if name == self.user_key || name == self.time_key => return Err(self.lacks(name, source)),
                None => Arc::new(stored(ours).as_ref().clone().with_nullable(true)),
                Some(index) => {
                    let theirs = source.field(index);
                    let field = stored(ours);
                    let is_text = plain_type(theirs.data_type()) == DataType::Utf8;
                    if name == self.time_key && is_text && matches!(field.data_type(), DataType::Timestamp(..)) {
                        text_time = Some(fields.len());
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
        for (index, theirs) in source.fields().iter().enumerate() {
            if self.schema.index_of(theirs.name()).is_err() {
                fields.push(Arc::new(stored(theirs).as_ref().clone().with_nullable(true)));
                from.push(Some(index));
            }
        }
        Ok(self.shaped(fields, from, text_time, sample))
    }

    fn shaped(
        &self,
        fields: Vec<FieldRef>,
        from: Vec<Option<usize>>,
        text_time: Option<usize>,
        sample: &[RecordBatch],
    ) -> Shape {
        let declared = fields.iter().zip(&from).enumerate().map(|(place, (field, from))| {
            let is_new = place >= self.schema.fields().len();
            let has_codes = match is_new {
                true => from.is_some_and(|from| has_few_values(sample, from)),
                false => self.codes.contains(field.name()),
            };
            let is_text = *field.data_type() == DataType::Utf8 && field.name() != self.user_key;
            if is_text && has_codes { as_codes(field) } else { Arc::clone(field) }
        });
        Shape {
            declared: Arc::new(Schema::new(declared.collect::<Vec<_>>())),
            schema: Arc::new(Schema::new(fields)),
            text_time,
            from,
        }
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
