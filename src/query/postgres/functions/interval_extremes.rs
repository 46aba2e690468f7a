//! `min` and `max` of intervals, by their length.
//!
//! Of intervals that are as long, `min` gives the one of fewer months, then of fewer days, and `max` the other end, so
//! that the answer does not depend on the order of rows.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::mem::size_of;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, AsArray, BooleanArray, IntervalMonthDayNanoArray};
use datafusion::arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalMonthDayNanoType};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, Signature, Volatility,
};

use super::interval_order::{INTERVAL, total_order};

/// The aggregate that answers the longest interval, or the shortest.
pub fn interval_extreme(is_max: bool) -> Arc<AggregateUDF> {
    static FUNCTIONS: LazyLock<[Arc<AggregateUDF>; 2]> = LazyLock::new(|| {
        [Ordering::Less, Ordering::Greater].map(|wanted| {
            let signature = Signature::exact(vec![INTERVAL], Volatility::Immutable);
            Arc::new(AggregateUDF::new_from_impl(IntervalExtreme { wanted, signature }))
        })
    });
    Arc::clone(&FUNCTIONS[usize::from(is_max)])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct IntervalExtreme {
    /// How the answer compares with all others.
    wanted: Ordering,
    signature: Signature,
}

impl AggregateUDFImpl for IntervalExtreme {
    /// The name that the query wrote: a plan finds its columns by it.
    fn name(&self) -> &str {
        if self.wanted == Ordering::Less { "min" } else { "max" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(INTERVAL)
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Extreme { wanted: self.wanted, best: None }))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Extremes { wanted: self.wanted, best: Vec::new() }))
    }

    fn create_sliding_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Sliding { wanted: self.wanted, candidates: VecDeque::new(), added: 0, removed: 0 }))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

fn improve(best: &mut Option<IntervalMonthDayNano>, next: IntervalMonthDayNano, wanted: Ordering) {
    if best.is_none_or(|best| total_order(&next, &best) == wanted) {
        *best = Some(next);
    }
}

// ---- one group

#[derive(Debug)]
struct Extreme {
    wanted: Ordering,
    best: Option<IntervalMonthDayNano>,
}

impl Accumulator for Extreme {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for next in values[0].as_primitive::<IntervalMonthDayNanoType>().iter().flatten() {
            improve(&mut self.best, next, self.wanted);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::IntervalMonthDayNano(self.best))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::IntervalMonthDayNano(self.best)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }
}

// ---- many groups

struct Extremes {
    wanted: Ordering,
    best: Vec<Option<IntervalMonthDayNano>>,
}

impl GroupsAccumulator for Extremes {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.best.resize(total_num_groups, None);
        let values = values[0].as_primitive::<IntervalMonthDayNanoType>();
        for (row, (next, group)) in values.iter().zip(group_indices).enumerate() {
            if let Some(next) = next.filter(|_| is_kept(filter, row)) {
                improve(&mut self.best[*group], next, self.wanted);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let best = emit_to.take_needed(&mut self.best);
        Ok(Arc::new(best.into_iter().collect::<IntervalMonthDayNanoArray>()))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(emit_to)?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.update_batch(states, group_indices, None, total_num_groups)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let values = values[0].as_primitive::<IntervalMonthDayNanoType>();
        let kept = values.iter().enumerate().map(|(row, value)| value.filter(|_| is_kept(filter, row)));
        Ok(vec![Arc::new(kept.collect::<IntervalMonthDayNanoArray>())])
    }

    fn size(&self) -> usize {
        self.best.capacity() * size_of::<Option<IntervalMonthDayNano>>()
    }
}

/// Whether FILTER keeps a row: what it says NULL of it does not.
fn is_kept(filter: Option<&BooleanArray>, row: usize) -> bool {
    use datafusion::arrow::array::Array;
    filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
}

// ---- a frame that moves

/// Rows come and go in one order, so what a later and better one has outlived is not kept.
#[derive(Debug)]
struct Sliding {
    wanted: Ordering,
    /// Numbered in the order that they came in, the best first.
    candidates: VecDeque<(u64, IntervalMonthDayNano)>,
    added: u64,
    removed: u64,
}

impl Accumulator for Sliding {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for next in values[0].as_primitive::<IntervalMonthDayNanoType>().iter().flatten() {
            while self.candidates.back().is_some_and(|(_, last)| total_order(last, &next) != self.wanted) {
                self.candidates.pop_back();
            }
            self.candidates.push_back((self.added, next));
            self.added += 1;
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.removed += values[0].as_primitive::<IntervalMonthDayNanoType>().iter().flatten().count() as u64;
        while self.candidates.front().is_some_and(|(number, _)| *number < self.removed) {
            self.candidates.pop_front();
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::IntervalMonthDayNano(self.candidates.front().map(|(_, best)| *best)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.candidates.capacity() * size_of::<(u64, IntervalMonthDayNano)>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Days, of which every third is given in hours.
    fn column(days: &[Option<i32>]) -> ArrayRef {
        const DAY: i64 = 86_400_000_000_000;
        let span = |(row, days): (usize, &Option<i32>)| {
            days.map(|days| match row % 3 {
                0 => IntervalMonthDayNano::new(0, 0, i64::from(days) * DAY),
                _ => IntervalMonthDayNano::new(0, days, 0),
            })
        };
        Arc::new(days.iter().enumerate().map(span).collect::<IntervalMonthDayNanoArray>())
    }

    #[test]
    fn a_moving_frame_answers_what_each_frame_answers_alone() {
        let days: Vec<Option<i32>> = (0..60).map(|n| (n % 7 != 3).then_some((n * 37) % 11)).collect();
        let rows = column(&days);
        for wanted in [Ordering::Less, Ordering::Greater] {
            let mut sliding = Sliding { wanted, candidates: VecDeque::new(), added: 0, removed: 0 };
            for end in 1..=days.len() {
                let start = end.saturating_sub(5);
                sliding.update_batch(&[rows.slice(end - 1, 1)]).unwrap();
                if end > 5 {
                    sliding.retract_batch(&[rows.slice(start - 1, 1)]).unwrap();
                }
                let mut alone = Extreme { wanted, best: None };
                alone.update_batch(&[rows.slice(start, end - start)]).unwrap();
                assert_eq!(sliding.evaluate().unwrap(), alone.evaluate().unwrap(), "rows {start} to {end}, {wanted:?}");
            }
        }
    }
}
