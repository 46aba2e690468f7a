//! Users as numbers where rows come sorted by user: who differs from the row before is a new one.

use std::cmp::Ordering;
use std::ops::Range;

use datafusion::arrow::array::{Array, ArrayRef, DynComparator, UInt32Array, make_comparator};
use datafusion::arrow::buffer::BooleanBuffer;
use datafusion::arrow::compute::{SortOptions, concat, partition, take};
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::error::DataFusionError;

use crate::error::{OutOfOrder, UserError, sqlstate};

/// The users of sorted rows.
pub(super) struct Runs {
    order: Order,
    /// The users, one row each, a piece for each batch of rows.
    users: Vec<Vec<ArrayRef>>,
    count: usize,
    /// Whether the user of the last row is the last that has a number.
    last_is_numbered: bool,
}

/// The proof that rows are sorted by user, however they are cut into batches.
///
/// Rows that are not as declared would make two users of one, so that is an error and never a number.
pub(super) struct Order {
    /// The key columns' names and orders.
    keys: Vec<(String, SortOptions)>,
    /// The key of the last row, also of one whose user is gone already.
    last: Option<Vec<ArrayRef>>,
}

/// The users of one batch of sorted rows.
pub(super) struct Users {
    /// The rows of each, one after the other.
    pub runs: Vec<Range<usize>>,
    /// The keys of each, one row each.
    pub keys: Vec<ArrayRef>,
    /// Whether the first was the last of the batch before.
    pub continues: bool,
}

impl Order {
    pub fn new(keys: Vec<(String, SortOptions)>) -> Self {
        Self { keys, last: None }
    }

    /// Reads the keys of the next rows; `None` if there is no row.
    pub fn follow(&mut self, keys: &[ArrayRef]) -> Result<Option<Users>> {
        let rows = keys.first().map_or(0, |key| key.len());
        if rows == 0 {
            return Ok(None);
        }
        let runs = partition(keys)?.ranges();
        let first_of_runs = runs.iter().map(|run| u32::try_from(run.start)).collect::<std::result::Result<Vec<_>, _>>();
        let first_of_runs = first_of_runs.map_err(|_| internal_datafusion_err!("a batch of 4 billion rows"))?;
        let first_of_runs = UInt32Array::from(first_of_runs);
        let users = keys.iter().map(|key| take(key, &first_of_runs, None));
        let users = users.collect::<std::result::Result<Vec<_>, _>>()?;
        let continues = self.check(&users)?;
        self.last = Some(keys.iter().map(|key| key.slice(rows - 1, 1)).collect());
        Ok(Some(Users { runs, keys: users, continues }))
    }

    /// Whether the first row is of the user of the last one; an error where users go down.
    fn check(&self, users: &[ArrayRef]) -> Result<bool> {
        let options = || self.keys.iter().map(|(_, options)| *options);
        let mut continues = false;
        if let Some(last) = &self.last {
            match order(&comparators(last, users, options())?, 0, 0) {
                Ordering::Less => {}
                Ordering::Equal => continues = true,
                Ordering::Greater => return Err(self.not_sorted((last, 0), (users, 0))),
            }
        }
        let compare = comparators(users, users, options())?;
        let count = users.first().map_or(0, |key| key.len());
        match (1..count).find(|&user| order(&compare, user - 1, user).is_gt()) {
            Some(user) => Err(self.not_sorted((users, user - 1), (users, user))),
            None => Ok(continues),
        }
    }

    #[cold]
    fn not_sorted(&self, before: (&[ArrayRef], usize), after: (&[ArrayRef], usize)) -> DataFusionError {
        OutOfOrder { error: not_sorted(&self.keys, "the rows", before, after), is_within_user: false }.into()
    }
}

/// The error of rows that are declared to be sorted: two of them, one after the other, that are not.
pub(super) fn not_sorted(
    by: &[(String, SortOptions)],
    what: &str,
    (before, row_before): (&[ArrayRef], usize),
    (after, row): (&[ArrayRef], usize),
) -> UserError {
    let shown = |columns: &[ArrayRef], row: usize| {
        let shown = columns.iter().map(|column| match column.is_null(row) {
            true => "NULL".to_owned(),
            false => array_value_to_string(column, row).unwrap_or_default(),
        });
        shown.collect::<Vec<_>>().join(", ")
    };
    let names = by.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
    let (before, after) = (shown(before, row_before), shown(after, row));
    let message = format!("{what} are declared to be sorted by {names}, but {after} comes after {before}");
    UserError::new(sqlstate::DATA_EXCEPTION, message).with_hint("Declare no order for this table, or sort its files.")
}

impl Runs {
    pub fn new(keys: Vec<(String, SortOptions)>) -> Self {
        Self { order: Order::new(keys), users: vec![], count: 0, last_is_numbered: false }
    }

    /// The user of every chosen row, or of every row; users without one get no number, and their rows any.
    pub fn number(
        &mut self,
        keys: &[ArrayRef],
        chosen: Option<&BooleanBuffer>,
        numbers: &mut Vec<usize>,
    ) -> Result<()> {
        numbers.clear();
        let Some(Users { runs, keys: users, continues }) = self.order.follow(keys)? else { return Ok(()) };
        // The first user may be known from the batch before, or be gone with the pass before it.
        self.last_is_numbered &= continues;
        let mut new = vec![];
        for (place, run) in (0..).zip(&runs) {
            let is_known = place == 0 && self.last_is_numbered;
            let is_numbered = is_known || chosen.is_none_or(|chosen| run.clone().any(|row| chosen.value(row)));
            if is_numbered && !is_known {
                new.push(place);
                self.count += 1;
            }
            self.last_is_numbered = is_numbered;
            numbers.extend(std::iter::repeat_n(self.count.saturating_sub(1), run.len()));
        }
        self.users.push(match new.len() == runs.len() {
            true => users,
            false => {
                let new = UInt32Array::from(new);
                users.iter().map(|key| take(key, &new, None)).collect::<std::result::Result<_, _>>()?
            }
        });
        Ok(())
    }

    /// Where the last user of some rows begins, if another is before it: there a pass may end.
    pub fn last_begins(keys: &[ArrayRef]) -> Result<Option<usize>> {
        let compare = comparators(keys, keys, keys.iter().map(|_| SortOptions::default()))?;
        let rows = keys.first().map_or(0, |key| key.len());
        Ok((1..rows).rev().find(|&row| order(&compare, row - 1, row).is_ne()))
    }

    pub fn len(&self) -> usize {
        self.count
    }

    /// The key columns of all users, in their order; then none is known but the last, as the one before.
    pub fn take(&mut self) -> Result<Vec<ArrayRef>> {
        self.count = 0;
        self.last_is_numbered = false;
        let pieces = std::mem::take(&mut self.users);
        let columns = (0..self.order.keys.len()).map(|column| {
            let pieces: Vec<&dyn Array> = pieces.iter().map(|piece| piece[column].as_ref()).collect();
            concat(&pieces)
        });
        Ok(columns.collect::<std::result::Result<_, _>>()?)
    }

    pub fn bytes(&self) -> usize {
        self.users.iter().flatten().map(|key| key.get_array_memory_size()).sum()
    }
}

pub(super) fn comparators(
    left: &[ArrayRef],
    right: &[ArrayRef],
    options: impl Iterator<Item = SortOptions>,
) -> Result<Vec<DynComparator>> {
    let pairs = left.iter().zip(right).zip(options);
    Ok(pairs
        .map(|((left, right), options)| make_comparator(left, right, options))
        .collect::<std::result::Result<_, _>>()?)
}

pub(super) fn order(comparators: &[DynComparator], left: usize, right: usize) -> Ordering {
    let orders = comparators.iter().map(|compare| compare(left, right));
    orders.fold(Ordering::Equal, Ordering::then)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::Int64Array;
    use proptest::prelude::*;

    use super::*;

    fn runs() -> Runs {
        Runs::new(vec![("user_id".to_owned(), SortOptions::default())])
    }

    fn column(users: &[Option<i64>]) -> Vec<ArrayRef> {
        vec![Arc::new(users.iter().copied().collect::<Int64Array>())]
    }

    proptest! {
        #[test]
        fn sorted_rows_are_numbered_wherever_they_are_cut(
            mut users in proptest::collection::vec(proptest::option::weighted(0.9, 0..20i64), 1..200),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
            is_taken in proptest::collection::vec(any::<bool>(), 9),
        ) {
            users.sort();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(users.len())).collect();
            cuts.extend([0, users.len()]);
            cuts.sort_unstable();
            let (mut runs, mut numbers, mut seen, mut expected) = (runs(), vec![], vec![], vec![]);
            for (piece, cut) in cuts.windows(2).enumerate() {
                let piece_users = &users[cut[0]..cut[1]];
                runs.number(&column(piece_users), None, &mut numbers).unwrap();
                for (user, number) in piece_users.iter().zip(&numbers) {
                    if expected.last() != Some(user) {
                        expected.push(*user);
                    }
                    prop_assert_eq!(*number, expected.len() - 1);
                }
                prop_assert_eq!(runs.len(), expected.len());
                // A pass ends where a user does.
                let ends = users.get(cut[1]).is_none_or(|next| cut[1] == 0 || users[cut[1] - 1] != *next);
                if is_taken[piece] && ends && !expected.is_empty() {
                    seen.push(runs.take().unwrap());
                    prop_assert_eq!(&seen[seen.len() - 1], &column(&expected));
                    expected.clear();
                }
            }
        }

        #[test]
        fn only_users_with_a_chosen_row_are_numbered_wherever_rows_are_cut(
            mut rows in proptest::collection::vec((0..12i64, proptest::bool::weighted(0.3)), 1..120),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            rows.sort();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(rows.len())).collect();
            cuts.extend([0, rows.len()]);
            cuts.sort_unstable();
            let (mut runs, mut numbers, mut expected) = (runs(), vec![], vec![]);
            for cut in cuts.windows(2) {
                let piece = &rows[cut[0]..cut[1]];
                let users: Vec<Option<i64>> = piece.iter().map(|(user, _)| Some(*user)).collect();
                let chosen: BooleanBuffer = piece.iter().map(|(_, is_chosen)| *is_chosen).collect();
                runs.number(&column(&users), Some(&chosen), &mut numbers).unwrap();
                prop_assert_eq!(numbers.len(), piece.len());
                for ((user, is_chosen), number) in piece.iter().zip(&numbers) {
                    if *is_chosen {
                        if expected.last() != Some(&Some(*user)) {
                            expected.push(Some(*user));
                        }
                        prop_assert_eq!(*number, expected.len() - 1);
                    }
                }
                prop_assert_eq!(runs.len(), expected.len());
            }
            if !expected.is_empty() {
                prop_assert_eq!(&runs.take().unwrap(), &column(&expected));
            }
        }

        #[test]
        fn rows_that_go_down_are_an_error_wherever_they_are_cut(
            users in proptest::collection::vec(0..20i64, 2..60), cut in any::<prop::sample::Index>(),
        ) {
            let users: Vec<Option<i64>> = users.into_iter().map(Some).collect();
            let (first, second) = users.split_at(cut.index(users.len()));
            let (mut runs, mut numbers) = (runs(), vec![]);
            let told = runs.number(&column(first), None, &mut numbers).and_then(|()| runs.number(&column(second), None, &mut numbers));
            prop_assert_eq!(told.is_ok(), users.is_sorted());
        }

        #[test]
        fn a_pass_ends_where_the_last_user_begins(users in proptest::collection::vec(proptest::option::of(0..3i64), 0..40)) {
            let begins = Runs::last_begins(&column(&users)).unwrap();
            prop_assert_eq!(begins, (1..users.len()).rev().find(|&row| users[row] != users[row - 1]));
        }
    }

    #[test]
    fn the_error_says_who_came_after_whom() {
        let (mut runs, mut numbers) = (runs(), vec![]);
        runs.number(&column(&[Some(1), Some(42)]), None, &mut numbers).unwrap();
        runs.take().unwrap();
        let told = runs.number(&column(&[Some(17)]), None, &mut numbers).unwrap_err();
        let told = UserError::find(&told).unwrap();
        assert_eq!(told.sqlstate, "22000");
        assert_eq!(told.message, "the rows are declared to be sorted by user_id, but 17 comes after 42");
    }
}
