//! Whether the rows of each user come in order too.

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::TimestampMicrosecondType;
use datafusion::common::Result;
use datafusion::error::DataFusionError;

use super::runs::{Users, comparators, not_sorted, order};
use crate::error::OutOfOrder;

/// The proof that the rows of a user are sorted, however they are cut into batches.
///
/// An aggregate of ours sorts what comes out of order. A window answers row by row, so that there it is an error.
pub(super) struct Within {
    /// The names and orders of the columns.
    by: Vec<(String, SortOptions)>,
    /// The columns of the last row.
    last: Option<Vec<ArrayRef>>,
}

impl Within {
    pub fn new(by: Vec<(String, SortOptions)>) -> Self {
        Self { by, last: None }
    }

    /// Reads the columns of the next rows, which are those of some users.
    pub fn follow(&mut self, columns: &[ArrayRef], users: &Users) -> Result<()> {
        let rows = columns.first().map_or(0, |column| column.len());
        if rows == 0 {
            return Ok(());
        }
        let options = || self.by.iter().map(|(_, options)| *options);
        if let Some(last) = self.last.as_ref().filter(|_| users.continues)
            && order(&comparators(last, columns, options())?, 0, 0).is_gt()
        {
            return Err(self.not_sorted((last, 0), (columns, 0)));
        }
        if !is_plainly_sorted(columns, &self.by, users) {
            let compare = comparators(columns, columns, options())?;
            for run in &users.runs {
                if let Some(row) = (run.start + 1..run.end).find(|&row| order(&compare, row - 1, row).is_gt()) {
                    return Err(self.not_sorted((columns, row - 1), (columns, row)));
                }
            }
        }
        self.last = Some(columns.iter().map(|column| column.slice(rows - 1, 1)).collect());
        Ok(())
    }

    #[cold]
    fn not_sorted(&self, before: (&[ArrayRef], usize), after: (&[ArrayRef], usize)) -> DataFusionError {
        OutOfOrder { error: not_sorted(&self.by, "the rows of each user", before, after), is_within_user: true }.into()
    }
}

/// Whether all users' rows are sorted by one time upwards, the quickest to see. False says nothing.
fn is_plainly_sorted(columns: &[ArrayRef], by: &[(String, SortOptions)], users: &Users) -> bool {
    let ([column], [(_, options)]) = (columns, by) else { return false };
    let Some(times) = column.as_primitive_opt::<TimestampMicrosecondType>() else { return false };
    !options.descending
        && times.null_count() == 0
        && users.runs.iter().all(|run| times.values()[run.clone()].is_sorted())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::TimestampMicrosecondArray;
    use datafusion::arrow::compute::cast;
    use datafusion::arrow::datatypes::{DataType, TimeUnit};
    use proptest::prelude::*;

    use super::*;
    use crate::error::UserError;
    use crate::physical::journey::runs::Order;

    proptest! {
        #[test]
        fn times_that_go_down_are_an_error_wherever_rows_are_cut(
            mut rows in proptest::collection::vec((0..6i64, proptest::option::weighted(0.95, 0..9i64)), 1..60),
            is_sorted in any::<bool>(),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
            descending in any::<bool>(),
            is_nano in any::<bool>(),
        ) {
            let options = SortOptions { descending, nulls_first: descending };
            let key = |row: &(i64, Option<i64>)| match descending {
                true => (row.0, -row.1.unwrap_or(10)),
                false => (row.0, row.1.unwrap_or(10)),
            };
            match is_sorted {
                true => rows.sort_by_key(key),
                false => rows.sort_by_key(|row| row.0),
            }
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(rows.len())).collect();
            cuts.extend([0, rows.len()]);
            cuts.sort_unstable();
            let mut order = Order::new(vec![("user_id".to_owned(), SortOptions::default())]);
            let mut within = Within::new(vec![("event_time".to_owned(), options)]);
            let told = cuts.windows(2).try_for_each(|cut| {
                let rows = &rows[cut[0]..cut[1]];
                let users: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.0)).collect::<datafusion::arrow::array::Int64Array>());
                let times: ArrayRef = Arc::new(rows.iter().map(|row| row.1).collect::<TimestampMicrosecondArray>());
                let unit = if is_nano { TimeUnit::Nanosecond } else { TimeUnit::Microsecond };
                let times = cast(&times, &DataType::Timestamp(unit, None)).unwrap();
                let Some(users) = order.follow(&[users]).unwrap() else { return Ok(()) };
                within.follow(&[times], &users)
            });
            prop_assert_eq!(told.is_ok(), rows.is_sorted_by_key(key));
            if let Err(told) = told {
                let told = UserError::find(&told).unwrap();
                prop_assert_eq!(told.sqlstate, "22000");
                prop_assert!(told.message.starts_with("the rows of each user are declared to be sorted by event_time, but "));
            }
        }
    }
}
