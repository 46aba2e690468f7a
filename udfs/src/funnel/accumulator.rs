//! Rows in, a level or a list per group out; between stages a list of the rows that matter.

use std::mem;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int32Builder, IntervalMonthDayNanoBuilder, ListArray, ListBuilder,
    PrimitiveArray, TimestampMicrosecondBuilder,
};
use datafusion::arrow::buffer::{OffsetBuffer, ScalarBuffer};
use datafusion::arrow::datatypes::{ArrowPrimitiveType, DataType, Field, FieldRef, Int64Type, UInt64Type};
use datafusion::common::{Result, ScalarValue, internal_datafusion_err};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};
use tributary_core::funnel::{self, Scratch, Spec};

use super::Answer;
use super::mask::PackedMask;
use crate::error::{UserError, sqlstate};
use crate::log::{Counters, Log};
use crate::time::{interval, micros};

/// The accumulator of a funnel of any width, in as few bytes a row as its steps allow.
pub(crate) fn groups(
    spec: Spec,
    answer: Answer,
    returns: &DataType,
    counters: Option<Arc<Counters>>,
) -> Box<dyn GroupsAccumulator> {
    match spec.steps() {
        0..=8 => Box::new(Groups::<u8>::new(spec, answer, returns, counters)),
        9..=16 => Box::new(Groups::<u16>::new(spec, answer, returns, counters)),
        17..=32 => Box::new(Groups::<u32>::new(spec, answer, returns, counters)),
        _ => Box::new(Groups::<u64>::new(spec, answer, returns, counters)),
    }
}

/// The same for a query without GROUP BY: one group.
pub(crate) fn single(
    spec: Spec,
    answer: Answer,
    returns: &DataType,
    counters: Option<Arc<Counters>>,
) -> Box<dyn Accumulator> {
    match spec.steps() {
        0..=8 => Box::new(Single(Groups::<u8>::new(spec, answer, returns, counters))),
        9..=16 => Box::new(Single(Groups::<u16>::new(spec, answer, returns, counters))),
        17..=32 => Box::new(Single(Groups::<u32>::new(spec, answer, returns, counters))),
        _ => Box::new(Single(Groups::<u64>::new(spec, answer, returns, counters))),
    }
}

/// The state between stages: two lists of equal length, times in microseconds and masks of steps, in any order.
///
/// Two states of a user are merged by appending one to the other.
pub(crate) fn state_fields(name: &str, steps: usize) -> Vec<FieldRef> {
    let masks = match steps {
        0..=8 => DataType::UInt8,
        9..=16 => DataType::UInt16,
        17..=32 => DataType::UInt32,
        _ => DataType::UInt64,
    };
    let list = |part: &str, item| {
        Arc::new(Field::new(format!("{name}[{part}]"), DataType::new_list(item, true), false)) as FieldRef
    };
    vec![list("at_us", DataType::Int64), list("steps", masks)]
}

struct Groups<M> {
    spec: Spec,
    answer: Answer,
    returns: DataType,
    log: Log<M>,
    group_count: usize,
    /// Rows of the batch at hand that are kept; only its capacity outlives a batch.
    kept: Vec<u32>,
    counters: Option<Arc<Counters>>,
}

impl<M: PackedMask> Groups<M> {
    fn new(spec: Spec, answer: Answer, returns: &DataType, counters: Option<Arc<Counters>>) -> Self {
        let log = Log::new(spec.steps() as u32);
        Self { spec, answer, returns: returns.clone(), log, group_count: 0, kept: vec![], counters }
    }

    /// Collects the rows of a batch that the rule can see: FILTER holds, time and mask are known, a step is met.
    fn keep_batch(&mut self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Batch> {
        let [times, masks, ..] = values else {
            return Err(internal_datafusion_err!("funnel needs a time and a mask, got {} columns", values.len()));
        };
        let (at_us, time_nulls) = micros(times)?;
        let masks = masks
            .as_primitive_opt::<UInt64Type>()
            .ok_or_else(|| internal_datafusion_err!("funnel needs a mask in 64 bits, got {}", masks.data_type()))?;
        let sees_all_rows = self.spec.sees_all_rows();
        self.kept.clear();
        self.kept.extend(0..masks.len() as u32);
        retain(&mut self.kept, |row| sees_all_rows | (masks.value(row) != 0));
        if let Some(filter) = filter {
            retain(&mut self.kept, |row| filter.is_valid(row) & filter.value(row));
        }
        for nulls in [time_nulls.as_ref(), masks.nulls()].into_iter().flatten().filter(|nulls| nulls.null_count() > 0) {
            retain(&mut self.kept, |row| nulls.is_valid(row));
        }
        if let Some(counters) = &self.counters {
            counters.add_events(masks.len(), self.kept.len());
        }
        Ok(Batch { at_us, masks: masks.values().clone() })
    }

    /// The type of one time of the answer, with the zone of the input.
    fn item_type(&self) -> Result<DataType> {
        match &self.returns {
            DataType::List(item) => Ok(item.data_type().clone()),
            other => Err(internal_datafusion_err!("{} returns a list, planned as {other}", self.answer.name())),
        }
    }

    fn group_count(&self, emit_to: EmitTo) -> usize {
        match emit_to {
            EmitTo::All => self.group_count,
            EmitTo::First(count) => count.min(self.group_count),
        }
    }

    /// Hands every emitted group's rows over, in time order, and forgets them.
    fn emit(&mut self, emit_to: EmitTo, mut each: impl FnMut(&[i64], &[M])) {
        let count = self.group_count(emit_to);
        let log_bytes = self.log.used_bytes();
        let sorted = self.log.drain(count, |sorted| sorted.for_each_group(&mut each));
        if let Some(counters) = &self.counters {
            counters.add_users(count, sorted);
            counters.add_log(log_bytes.saturating_sub(self.log.used_bytes()));
        }
        self.group_count -= count;
        if self.group_count == 0 {
            self.log.clear();
        }
    }
}

/// Keeps some rows, without a branch: which of them match is as random as what people do.
fn retain(rows: &mut Vec<u32>, holds: impl Fn(usize) -> bool) {
    let mut count = 0;
    for index in 0..rows.len() {
        let row = rows[index];
        rows[count] = row;
        count += usize::from(holds(row as usize));
    }
    rows.truncate(count);
}

struct Batch {
    at_us: ScalarBuffer<i64>,
    masks: ScalarBuffer<u64>,
}

impl<M: PackedMask> GroupsAccumulator for Groups<M> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.group_count = total_num_groups;
        let batch = self.keep_batch(values, opt_filter)?;
        let Self { log, kept, .. } = self;
        log.push_rows(kept.len(), |index| {
            let row = kept[index] as usize;
            (group_indices[row], batch.at_us[row], M::pack(batch.masks[row]))
        });
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let (spec, mut scratch) = (self.spec, Scratch::default());
        let count = self.group_count(emit_to);
        match self.answer {
            Answer::Level => {
                let mut levels = Int32Builder::with_capacity(count);
                // A level is at most 64.
                self.emit(emit_to, |at_us, masks| {
                    levels.append_value(funnel::level(&spec, at_us, masks, &mut scratch) as i32)
                });
                Ok(Arc::new(levels.finish()))
            }
            Answer::Times => {
                let item = self.item_type()?;
                let values = TimestampMicrosecondBuilder::new().with_data_type(item.clone());
                let mut times = ListBuilder::new(values).with_field(Field::new_list_field(item, true));
                let mut step_times = vec![];
                self.emit(emit_to, |at_us, masks| {
                    step_times.clear();
                    funnel::times(&spec, at_us, masks, &mut scratch, &mut step_times);
                    times.values().append_slice(&step_times);
                    times.append(true);
                });
                Ok(Arc::new(times.finish()))
            }
            Answer::Durations => {
                let mut durations = ListBuilder::new(IntervalMonthDayNanoBuilder::new());
                let mut step_times = vec![];
                self.emit(emit_to, |at_us, masks| {
                    step_times.clear();
                    funnel::times(&spec, at_us, masks, &mut scratch, &mut step_times);
                    for step in step_times.windows(2) {
                        durations.values().append_value(interval(step[1].saturating_sub(step[0])));
                    }
                    durations.append(true);
                });
                Ok(Arc::new(durations.finish()))
            }
        }
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let count = self.group_count(emit_to);
        let (mut times, mut steps) = (vec![], vec![]);
        let mut lengths = Vec::with_capacity(count);
        self.emit(emit_to, |at_us, masks| {
            times.extend_from_slice(at_us);
            steps.extend_from_slice(masks);
            lengths.push(at_us.len());
        });
        self.log.free_spare();
        lists::<M>(times, steps, lengths)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.group_count = total_num_groups;
        let (times, steps) = state_columns::<M>(values)?;
        let (at_us, masks) = (times.values().as_primitive::<Int64Type>(), steps.values().as_primitive::<M::Arrow>());
        for (row, &group) in group_indices.iter().enumerate() {
            if times.is_valid(row) {
                let entries = times.value_offsets()[row] as usize..times.value_offsets()[row + 1] as usize;
                let first_mask = steps.value_offsets()[row] as usize;
                for (index, entry) in entries.enumerate() {
                    self.log.push(group, at_us.value(entry), masks.value(first_mask + index));
                }
            }
        }
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let mut rows = Self::new(self.spec, self.answer, &self.returns, self.counters.clone());
        let batch = rows.keep_batch(values, opt_filter)?;
        let mut lengths = vec![0; batch.masks.len()];
        for &row in &rows.kept {
            lengths[row as usize] = 1;
        }
        let times = rows.kept.iter().map(|&row| batch.at_us[row as usize]).collect();
        let steps = rows.kept.iter().map(|&row| M::pack(batch.masks[row as usize])).collect();
        lists::<M>(times, steps, lengths)
    }

    fn size(&self) -> usize {
        mem::size_of::<Self>() + self.log.bytes() + self.kept.capacity() * mem::size_of::<u32>()
    }
}

/// One group under the interface of a query without GROUP BY.
struct Single<M>(Groups<M>);

impl<M> std::fmt::Debug for Single<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Single").field("spec", &self.0.spec).finish_non_exhaustive()
    }
}

impl<M: PackedMask> Accumulator for Single<M> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let groups = &mut self.0;
        groups.group_count = 1;
        let batch = groups.keep_batch(values, None)?;
        for &row in &groups.kept {
            let row = row as usize;
            groups.log.push(0, batch.at_us[row], M::pack(batch.masks[row]));
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.0.group_count = 1;
        ScalarValue::try_from_array(&self.0.evaluate(EmitTo::All)?, 0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.group_count = 1;
        self.0.state(EmitTo::All)?.iter().map(|state| ScalarValue::try_from_array(state, 0)).collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let rows = states.first().map_or(0, |state| state.len());
        self.0.merge_batch(states, &vec![0; rows], 1)
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}

fn lists<M: PackedMask>(times: Vec<i64>, steps: Vec<M>, lengths: Vec<usize>) -> Result<Vec<ArrayRef>> {
    if times.len() > i32::MAX as usize {
        return Err(UserError::new(
            sqlstate::PROGRAM_LIMIT_EXCEEDED,
            format!("funnel: {} events in one piece of state, a piece holds {}", times.len(), i32::MAX),
        )
        .with_hint("Give the query more partitions, or leave tributary.one_stage on.")
        .into());
    }
    let offsets = OffsetBuffer::from_lengths(lengths);
    let list = |values: ArrayRef| -> Result<ArrayRef> {
        let item = Arc::new(Field::new_list_field(values.data_type().clone(), true));
        Ok(Arc::new(ListArray::try_new(item, offsets.clone(), values, None)?))
    };
    Ok(vec![list(primitive::<Int64Type>(times))?, list(primitive::<M::Arrow>(steps))?])
}

fn primitive<T: ArrowPrimitiveType>(values: Vec<T::Native>) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::new(values.into(), None))
}

fn state_columns<M: PackedMask>(values: &[ArrayRef]) -> Result<(&ListArray, &ListArray)> {
    let [times, steps, ..] = values else {
        return Err(internal_datafusion_err!("funnel's state is two columns, got {}", values.len()));
    };
    match (times.as_list_opt::<i32>(), steps.as_list_opt::<i32>()) {
        (Some(times), Some(steps))
            if times.value_type() == DataType::Int64 && steps.value_type() == M::Arrow::DATA_TYPE =>
        {
            Ok((times, steps))
        }
        _ => Err(internal_datafusion_err!(
            "funnel's state is a list of times and a list of masks, got {} and {}",
            times.data_type(),
            steps.data_type()
        )),
    }
}
