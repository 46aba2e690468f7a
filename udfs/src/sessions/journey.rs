//! A partition of a window as one user's events in the order of time.

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::array::AsArray;
use datafusion::arrow::buffer::{NullBuffer, ScalarBuffer};
use datafusion::arrow::datatypes::UInt64Type;
use datafusion::common::{Result, internal_datafusion_err};
use tributary_core::sessions::Columns;

use super::args::{Data, TIME};
use super::entry::{Unpacked, Values};
use crate::time::micros;

/// The events of a partition whose time is known, in the order of time whatever OVER's ORDER BY says.
pub(super) struct Journey {
    at_us: ScalarBuffer<i64>,
    unpacked: Unpacked,
    values: Values,
    /// The row of each event; `None` if events are rows.
    rows: Option<Vec<u32>>,
    /// Rows whose time is NULL.
    pub nulls: Option<NullBuffer>,
}

impl Journey {
    /// Reads and sorts the columns of a partition.
    pub fn read(data: Data, columns: &[ArrayRef]) -> Result<Self> {
        let column = |index: Option<usize>| {
            let get = |index: usize| columns.get(index).ok_or_else(|| internal_datafusion_err!("a column is missing"));
            index.map(get).transpose()
        };
        let Some(times) = columns.get(TIME) else {
            return Err(internal_datafusion_err!("the event time is missing"));
        };
        let (at_us, nulls) = micros(times)?;
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
        let (change, tie) = (column(data.change_index())?, column(data.tie_index())?);
        let mut values = Values::new(change.map(|it| it.data_type()), tie.map(|it| it.data_type()))?;
        let mut unpacked = Unpacked::default();
        if let Some(flags) = column(data.flags_index())? {
            let flags = flags.as_primitive_opt::<UInt64Type>();
            let flags = flags.ok_or_else(|| internal_datafusion_err!("flags are not a mask"))?;
            unpacked.flags.extend(flags.values().iter().map(|&flags| flags as u8));
        }
        if let (Some(change), Some(codes)) = (change, &mut values.change) {
            unpacked.change = codes.encode(change)?;
        }
        if let (Some(tie), Some(codes)) = (tie, &mut values.tie) {
            unpacked.tie = codes.encode(tie)?;
        }
        let mut journey = Self { at_us, unpacked, values, rows: None, nulls };
        journey.sort();
        Ok(journey)
    }

    /// Puts the events in order; rows of one time stay in the order they came in.
    fn sort(&mut self) {
        if self.nulls.is_none() && self.at_us.is_sorted() {
            return;
        }
        let mut rows: Vec<u32> = match &self.nulls {
            Some(nulls) => nulls.valid_indices().map(|row| row as u32).collect(),
            None => (0..self.at_us.len() as u32).collect(),
        };
        rows.sort_by_key(|&row| self.at_us[row as usize]);
        self.at_us = rows.iter().map(|&row| self.at_us[row as usize]).collect();
        take(&mut self.unpacked.flags, &rows);
        take(&mut self.unpacked.change, &rows);
        take(&mut self.unpacked.tie, &rows);
        self.rows = Some(rows);
    }

    /// The events as the rule reads them, and the row of each event if events are not rows.
    pub fn events(&mut self) -> (Columns<'_>, Option<&[u32]>) {
        (self.values.columns(&self.at_us, &mut self.unpacked), self.rows.as_deref())
    }
}

/// The elements at these places; a column that is not there stays so.
fn take<T: Copy>(column: &mut Vec<T>, rows: &[u32]) {
    if !column.is_empty() {
        *column = rows.iter().map(|&row| column[row as usize]).collect();
    }
}
