//! What a batch says: the rows that matter, as kinds, channels and values.

use std::mem;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array};
use datafusion::arrow::buffer::ScalarBuffer;
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, UInt64Type};
use datafusion::common::{Result, internal_datafusion_err};
use tributary_core::attribution::{CONVERSION, TOUCH};

use super::worth::Worth;
use crate::codes::{Codes, RowCodes};
use crate::error::{UserError, sqlstate};
use crate::time::micros;

/// Where a configured call finds its data: time, mask and channel come first, then those of the others that there are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Layout {
    /// The function's name, for messages.
    pub name: &'static str,
    /// Whether every row with a channel is a touch; else the mask says which.
    pub is_touch_by_channel: bool,
    /// The bits of the mask.
    pub kind_bits: u32,
    /// The type in which values are held.
    pub held: Option<DataType>,
    /// The type of the column that orders rows of one time.
    pub tie: Option<DataType>,
    /// The type of what touches carry along.
    pub carried: Option<DataType>,
}

/// Position of the time among the arguments of a configured call.
pub(super) const TIME: usize = 0;
/// Position of the mask.
pub(super) const MASK: usize = 1;
/// Position of the channel.
pub(super) const CHANNEL: usize = 2;

impl Layout {
    fn value_index(&self) -> Option<usize> {
        self.held.is_some().then_some(CHANNEL + 1)
    }

    fn tie_index(&self) -> Option<usize> {
        self.tie.is_some().then_some(CHANNEL + 1 + usize::from(self.held.is_some()))
    }

    fn carried_index(&self) -> Option<usize> {
        let before = usize::from(self.held.is_some()) + usize::from(self.tie.is_some());
        self.carried.is_some().then_some(CHANNEL + 1 + before)
    }
}

/// Reads batches; texts keep their numbers from one to the next.
pub(super) struct Reader<A> {
    layout: Layout,
    pub channels: Codes,
    pub ties: Option<RowCodes>,
    pub carried: Option<RowCodes>,
    pub batch: Batch<A>,
}

/// The rows of the batch at hand that matter, as columns of equal length. Only its capacity outlives a batch.
#[derive(Default)]
pub(super) struct Batch<A> {
    pub rows: Vec<u32>,
    /// Touch, conversion and milestones as bits; a touch has a channel.
    pub kinds: Vec<u32>,
    pub channels: Vec<u32>,
    /// Empty without a tie column.
    pub ties: Vec<u32>,
    /// Empty where nothing is carried.
    pub carried: Vec<u32>,
    /// The values of the conversions alone, in order.
    pub values: Vec<A>,
}

impl<A: Worth> Reader<A> {
    pub fn new(layout: Layout) -> Result<Self> {
        Ok(Self {
            ties: layout.tie.as_ref().map(RowCodes::new).transpose()?,
            carried: layout.carried.as_ref().map(RowCodes::new).transpose()?,
            channels: Codes::new(),
            layout,
            batch: Batch::default(),
        })
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Reads the rows that can change an answer: FILTER holds, the time is known, and they are a touch with a channel, a
    /// conversion or a milestone. Gives the times of all rows.
    pub fn read(&mut self, columns: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<ScalarBuffer<i64>> {
        let column = |index: usize| {
            let given = columns.len();
            columns.get(index).ok_or_else(|| internal_datafusion_err!("column {index} of {given} was promised"))
        };
        let (at_us, time_nulls) = micros(column(TIME)?)?;
        self.find(column(MASK)?, column(CHANNEL)?)?;
        let Batch { rows, kinds, channels, ties, carried, values } = &mut self.batch;
        if let Some(filter) = filter {
            retain(rows, kinds, |row| filter.is_valid(row) && filter.value(row));
        }
        if let Some(known) = time_nulls.filter(|nulls| nulls.null_count() > 0) {
            retain(rows, kinds, |row| known.is_valid(row));
        }
        channels.clear();
        self.channels.read(column(CHANNEL)?, rows.iter().map(|&row| row as usize), channels)?;
        ties.clear();
        if let (Some(codes), Some(index)) = (&mut self.ties, self.layout.tie_index()) {
            codes.read(column(index)?, rows, ties)?;
        }
        carried.clear();
        if let (Some(codes), Some(index)) = (&mut self.carried, self.layout.carried_index()) {
            codes.read(column(index)?, rows, carried)?;
        }
        values.clear();
        if let (Some(held), Some(index)) = (&self.layout.held, self.layout.value_index()) {
            let conversions = rows.iter().zip(&*kinds).filter(|(_, kind)| **kind & CONVERSION as u32 > 0);
            let conversions: UInt32Array = conversions.map(|(&row, _)| row).collect();
            if !conversions.is_empty() {
                let given = take(column(index)?, &conversions, None)?;
                *values =
                    A::read(&given, held).map_err(|_| too_large(self.layout.name, "a value has too many digits"))?;
            }
        }
        Ok(at_us)
    }

    /// Finds the rows with a kind that matters.
    fn find(&mut self, masks: &ArrayRef, channel: &ArrayRef) -> Result<()> {
        let masks = masks
            .as_primitive_opt::<UInt64Type>()
            .ok_or_else(|| internal_datafusion_err!("a mask has 64 bits, got {}", masks.data_type()))?;
        let by_channel = if self.layout.is_touch_by_channel { TOUCH as u32 } else { 0 };
        let channel_nulls = channel.logical_nulls().filter(|nulls| nulls.null_count() > 0);
        let Batch { rows, kinds, .. } = &mut self.batch;
        rows.clear();
        kinds.clear();
        rows.resize(masks.len(), 0);
        kinds.resize(masks.len(), 0);
        let mut count = 0;
        // Without a branch: which rows matter is as random as what people do.
        let mut keep = |row: usize, kind: u32| {
            rows[count] = row as u32;
            kinds[count] = kind;
            count += usize::from(kind != 0);
        };
        match channel_nulls {
            None => {
                for (row, &mask) in masks.values().iter().enumerate() {
                    keep(row, mask as u32 | by_channel);
                }
            }
            Some(nulls) => {
                for ((row, &mask), has_channel) in masks.values().iter().enumerate().zip(nulls.inner()) {
                    let touch = TOUCH as u32 * u32::from(has_channel);
                    keep(row, (mask as u32 | by_channel) & (touch | !(TOUCH as u32)));
                }
            }
        }
        rows.truncate(count);
        kinds.truncate(count);
        Ok(())
    }

    pub fn bytes(&self) -> usize {
        let Batch { rows, kinds, channels, ties, carried, values } = &self.batch;
        let numbers = [rows, kinds, channels, ties, carried].map(Vec::capacity).iter().sum::<usize>();
        let codes = [&self.ties, &self.carried].into_iter().flatten().map(RowCodes::bytes).sum::<usize>();
        self.channels.bytes() + codes + numbers * mem::size_of::<u32>() + values.capacity() * mem::size_of::<A>()
    }
}

fn retain(rows: &mut Vec<u32>, kinds: &mut Vec<u32>, holds: impl Fn(usize) -> bool) {
    let mut count = 0;
    for index in 0..rows.len() {
        rows[count] = rows[index];
        kinds[count] = kinds[index];
        count += usize::from(holds(rows[index] as usize));
    }
    rows.truncate(count);
    kinds.truncate(count);
}

/// The error for values that leave no room for shares.
pub(super) fn too_large(name: &str, problem: &str) -> UserError {
    UserError::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, format!("{name}: argument 'value' is out of range: {problem}"))
        .with_hint("Shares have six more digits than the value, 38 in all: cast it to double precision.")
}
