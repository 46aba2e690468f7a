//! Answers as columns: elements of every user in a row, cut into lists.

use std::mem;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Decimal128Array, Float64Array, Int32Array, Int64Array, ListArray, StructArray, TimestampMicrosecondArray,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, internal_err};
use tributary_core::attribution::{CREDIT_UNITS, Element, Spec, Total};

use super::Answer;
use super::journal::Rows;
use super::rows::Layout;
use super::worth::{DECIMAL_DIGITS, Worth};
use crate::codes::{Labels, RowCodes};
use crate::error::{UserError, sqlstate};

/// The type of a share of one conversion.
const CREDIT: DataType = DataType::Decimal128(20, 12);
/// The type of sums of such shares.
pub(super) const CREDITS: DataType = DataType::Decimal128(DECIMAL_DIGITS, 12);

/// The type of an answer as an aggregate gives it.
pub(super) fn list_type(answer: Answer, time: &DataType, share: &DataType, carried: Option<&DataType>) -> DataType {
    let mut fields = match answer {
        Answer::Totals => vec![
            ("model", DataType::Utf8View),
            ("channel", DataType::Utf8View),
            ("credit", CREDITS),
            ("value", share.clone()),
        ],
        Answer::Touches => vec![
            ("model_no", DataType::Int32),
            ("model", DataType::Utf8View),
            ("conversion_no", DataType::Int64),
            ("conversion_time", time.clone()),
            ("conversion_value", DataType::Float64),
            ("touch_no", DataType::Int32),
            ("touch_count", DataType::Int32),
            ("channel", DataType::Utf8View),
            ("touch_time", time.clone()),
            ("credit", DataType::Float64),
            ("value", DataType::Float64),
        ],
        Answer::List | Answer::Row => vec![
            ("model", DataType::Utf8View),
            ("channel", DataType::Utf8View),
            ("touch_time", time.clone()),
            ("conversion_time", time.clone()),
            ("touch_index", DataType::Int64),
            ("touch_count", DataType::Int64),
            ("credit", CREDIT),
            ("value", share.clone()),
        ],
    };
    fields.extend(carried.map(|carried| ("carried", carried.clone())));
    let fields: Fields = fields.into_iter().map(|(name, data_type)| Field::new(name, data_type, true)).collect();
    DataType::new_list(DataType::Struct(fields), true)
}

/// The elements of every user so far.
pub(super) struct Elements<A: Worth> {
    answer: Answer,
    lengths: Vec<usize>,
    /// Elements of users that are complete.
    ended: usize,
    models: Vec<u32>,
    channels: Vec<u32>,
    credits: Vec<i128>,
    values: Vec<A::Share>,
    conversion_us: Vec<i64>,
    conversion_no: Vec<i64>,
    conversion_values: Vec<A::Share>,
    /// Meaningless where the channel is NULL.
    touch_us: Vec<i64>,
    touch_index: Vec<i64>,
    touch_count: Vec<i64>,
    carried: Vec<u32>,
    last: LastConversion,
}

/// The conversion of the element before, to number conversions of one time.
#[derive(Clone, Copy, Default)]
struct LastConversion {
    model: usize,
    row: usize,
    at_us: i64,
    /// 0 before the first of a user.
    no: i64,
}

impl<A: Worth> Elements<A> {
    pub fn new(answer: Answer, users: usize) -> Self {
        Self {
            answer,
            lengths: Vec::with_capacity(users),
            ended: 0,
            models: vec![],
            channels: vec![],
            credits: vec![],
            values: vec![],
            conversion_us: vec![],
            conversion_no: vec![],
            conversion_values: vec![],
            touch_us: vec![],
            touch_index: vec![],
            touch_count: vec![],
            carried: vec![],
            last: LastConversion::default(),
        }
    }

    #[inline]
    pub fn add_total(&mut self, total: &Total<A::Share>) {
        self.models.push(total.model as u32 + 1);
        self.channels.push(total.channel);
        self.credits.push(total.credit);
        self.values.push(total.value);
    }

    #[inline]
    pub fn add(&mut self, rows: &Rows<A>, element: &Element<A::Share>) {
        self.models.push(element.model as u32 + 1);
        self.channels.push(element.channel);
        self.credits.push(i128::from(element.credit));
        self.values.push(element.value);
        self.conversion_us.push(rows.at_us[element.conversion_row]);
        self.touch_us.push(element.touch_row.map_or(0, |row| rows.at_us[row]));
        self.touch_index.push(element.touch_index as i64);
        self.touch_count.push(element.touch_count as i64);
        if self.answer == Answer::Touches {
            self.add_details(rows, element);
        }
    }

    fn add_details(&mut self, rows: &Rows<A>, element: &Element<A::Share>) {
        let (model, row) = (element.model, element.conversion_row);
        let at_us = rows.at_us[row];
        let last = self.last;
        let no = match last.no > 0 && last.model == model {
            true if last.row == row => last.no,
            true if last.at_us == at_us => last.no + 1,
            _ => 1,
        };
        self.last = LastConversion { model, row, at_us, no };
        self.conversion_no.push(no);
        // A decimal whose sums fit has room for six more digits, so this is its whole share.
        let whole = rows.values[row].whole(&mut 0).unwrap_or_default();
        self.conversion_values.push(whole);
        if !rows.carried.is_empty() {
            self.carried.push(element.touch_row.map_or(0, |row| rows.carried[row]));
        }
    }

    /// Ends the list of a user.
    ///
    /// # Errors
    /// 54000 when the lists have more elements than a column has room for.
    pub fn end_user(&mut self) -> Result<(), UserError> {
        self.check(0)?;
        let before: usize = mem::replace(&mut self.ended, self.models.len());
        self.lengths.push(self.models.len() - before);
        self.last = LastConversion::default();
        Ok(())
    }

    /// Refuses so many more elements.
    pub fn check(&self, more: u64) -> Result<(), UserError> {
        let elements = more.saturating_add(self.models.len() as u64);
        if elements <= i32::MAX as u64 {
            return Ok(());
        }
        let name = self.answer.name();
        Err(UserError::new(
            sqlstate::PROGRAM_LIMIT_EXCEEDED,
            format!("{name}: {elements} elements in one piece of the answer, a piece holds {}", i32::MAX),
        )
        .with_hint("Shorten the lookback, select users, or ask attribute_totals for sums alone."))
    }

    /// All lists as one column.
    pub fn finish(
        self,
        layout: &Layout,
        spec: &Spec,
        channels: &Labels,
        carried: Option<&RowCodes>,
        returns: &DataType,
    ) -> Result<ArrayRef> {
        let DataType::List(item) = returns else { return internal_err!("a list was planned as {returns}") };
        let DataType::Struct(fields) = item.data_type() else { return internal_err!("elements planned as {item}") };
        let models = Labels::new(spec.models().iter().map(|model| model.text().as_bytes()));
        let is_touch: Option<NullBuffer> =
            self.channels.contains(&0).then(|| self.channels.iter().map(|&channel| channel > 0).collect());
        let held = layout.held.clone().unwrap_or(DataType::Float64);
        let type_of = |name: &str| fields.find(name).map_or(DataType::Null, |(_, field)| field.data_type().clone());
        let times = |at_us: Vec<i64>, nulls: Option<NullBuffer>, name: &str| -> ArrayRef {
            Arc::new(TimestampMicrosecondArray::new(at_us.into(), nulls).with_data_type(type_of(name)))
        };
        let values = A::shares;
        let columns: Vec<ArrayRef> = match self.answer {
            Answer::Totals => vec![
                models.text_column(&self.models)?,
                channels.text_column(&self.channels)?,
                Arc::new(Decimal128Array::from(self.credits).with_data_type(CREDITS)),
                values(self.values, &type_of("value")),
            ],
            Answer::Touches => {
                // The core says how many touches as an index of memory; a list of them fits 32 bits.
                let narrow = |numbers: Vec<i64>, add: i64| numbers.into_iter().map(move |number| (number + add) as i32);
                let touch_no: Vec<i32> = narrow(self.touch_index, 1).collect();
                let credits = self.credits.iter().map(|&credit| credit as f64 / CREDIT_UNITS as f64);
                let mut columns: Vec<ArrayRef> = vec![
                    Arc::new(self.models.iter().map(|&model| model as i32).collect::<Int32Array>()),
                    models.text_column(&self.models)?,
                    Arc::new(Int64Array::from(self.conversion_no)),
                    times(self.conversion_us, None, "conversion_time"),
                    A::floats(self.conversion_values, &held),
                    Arc::new(Int32Array::new(touch_no.into(), is_touch.clone())),
                    Arc::new(Int32Array::from_iter_values(narrow(self.touch_count, 0))),
                    channels.text_column(&self.channels)?,
                    times(self.touch_us, is_touch, "touch_time"),
                    Arc::new(credits.collect::<Float64Array>()),
                    A::floats(self.values, &held),
                ];
                if let Some(carried) = carried {
                    columns.push(carried.values(self.carried)?);
                }
                columns
            }
            Answer::List | Answer::Row => vec![
                models.text_column(&self.models)?,
                channels.text_column(&self.channels)?,
                times(self.touch_us, is_touch.clone(), "touch_time"),
                times(self.conversion_us, None, "conversion_time"),
                Arc::new(Int64Array::new(self.touch_index.into(), is_touch)),
                Arc::new(Int64Array::from(self.touch_count)),
                Arc::new(Decimal128Array::from(self.credits).with_data_type(CREDIT)),
                values(self.values, &type_of("value")),
            ],
        };
        let elements = StructArray::try_new(fields.clone(), columns, None)?;
        lists(Arc::clone(item), self.lengths, Arc::new(elements))
    }
}

/// A column of lists without NULLs.
pub(super) fn lists(item: FieldRef, lengths: Vec<usize>, elements: ArrayRef) -> Result<ArrayRef> {
    Ok(Arc::new(ListArray::try_new(item, OffsetBuffer::from_lengths(lengths), elements, None)?))
}
