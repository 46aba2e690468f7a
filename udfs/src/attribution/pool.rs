//! Totals of many users in one: a cell for each model and channel.

use tributary_core::attribution::Total;

use super::worth::{DECIMAL_DIGITS, Worth};

/// More cells than this are not worth the memory; so many channels also have few users each.
const MAX_CELLS: usize = 1 << 14;

/// What users earned so far, by model and channel.
pub(super) struct Pool<A: Worth> {
    /// Channels of a model, NULL with them.
    width: usize,
    cells: Vec<Option<Total<A::Share>>>,
    /// Sums that left no room for another.
    full: Vec<Total<A::Share>>,
}

impl<A: Worth> Pool<A> {
    /// For so many models and channels; `None` if they are too many.
    pub fn new(models: usize, channels: usize) -> Option<Self> {
        let width = channels.checked_add(1)?;
        let cells = width.checked_mul(models).filter(|cells| *cells <= MAX_CELLS)?;
        Some(Self { width, cells: vec![None; cells], full: vec![] })
    }

    #[inline]
    pub fn add(&mut self, total: &Total<A::Share>) {
        let cell = &mut self.cells[total.model * self.width + total.channel as usize];
        let Some(sum) = cell else {
            *cell = Some(*total);
            return;
        };
        match (added(sum.credit, total.credit), A::added(sum.value, total.value)) {
            (Some(credit), Some(value)) => (sum.credit, sum.value) = (credit, value),
            _ => self.full.extend(cell.replace(*total)),
        }
    }

    /// All sums: by model and channel, those that were full at the end.
    pub fn totals(&self) -> impl Iterator<Item = &Total<A::Share>> {
        self.cells.iter().flatten().chain(&self.full)
    }
}

/// A sum, if a decimal holds it.
pub(super) fn added(one: i128, other: i128) -> Option<i128> {
    const LIMIT: u128 = 10u128.pow(DECIMAL_DIGITS as u32);
    one.checked_add(other).filter(|sum| sum.unsigned_abs() < LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(model: usize, channel: u32, credit: i128, value: i128) -> Total<i128> {
        Total { model, touch_row: None, channel, credit, value }
    }

    #[test]
    fn a_model_and_channel_is_one_sum() {
        let mut pool = Pool::<i128>::new(2, 3).unwrap();
        for added in [total(1, 3, 5, 7), total(0, 0, 1, 1), total(1, 3, 2, -9), total(1, 0, 4, 0)] {
            pool.add(&added);
        }
        let sums: Vec<_> = pool.totals().copied().collect();
        assert_eq!(sums, [total(0, 0, 1, 1), total(1, 0, 4, 0), total(1, 3, 7, -2)]);
    }

    #[test]
    fn what_no_decimal_holds_is_more_than_one_sum() {
        let most = 10i128.pow(38) - 1;
        let mut pool = Pool::<i128>::new(1, 1).unwrap();
        for value in [most, -1, 1, 1] {
            pool.add(&total(0, 1, 1, value));
        }
        let sums: Vec<_> = pool.totals().copied().collect();
        assert_eq!(sums, [total(0, 1, 1, 1), total(0, 1, 3, most)]);
    }

    #[test]
    fn too_many_channels_are_not_pooled() {
        assert!(Pool::<()>::new(5, MAX_CELLS / 5).is_none());
        assert!(Pool::<()>::new(usize::MAX, usize::MAX).is_none());
        assert!(Pool::<()>::new(1, MAX_CELLS - 1).is_some());
    }
}
