//! Rows in, a list of sessions per group out; between stages lists of the rows themselves.

use std::mem;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, ListArray, UInt8Array};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use datafusion::arrow::compute::{cast, filter};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int64Type, UInt8Type, UInt64Type};
use datafusion::common::{Result, ScalarValue, internal_datafusion_err};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};
use tributary_core::sessions::{self, Scratch};

use super::args::{Call, Data, TIME};
use super::codes::{Codes, value_type};
use super::days::LocalDays;
use super::entry::{self, Entry, Unpacked, Values};
use super::output::{self, SessionLists};
use crate::log::{Counters, Log};
use crate::time::micros;

/// What an accumulator is made from.
pub(super) struct Plan {
    pub call: Arc<Call>,
    /// Types of the columns of the configured call.
    pub inputs: Vec<DataType>,
    pub returns: DataType,
    pub counters: Option<Arc<Counters>>,
}

/// The accumulator of a call, in as few bytes an event as its options allow.
pub(super) fn groups(plan: Plan) -> Result<Box<dyn GroupsAccumulator>> {
    Ok(match plan.call.data {
        Data { change: true, .. } | Data { tie: true, .. } => Box::new(Groups::<u64>::new(plan)?),
        Data { flags: true, .. } => Box::new(Groups::<u8>::new(plan)?),
        _ => Box::new(Groups::<()>::new(plan)?),
    })
}

/// The same for a query without GROUP BY: one group.
pub(super) fn single(plan: Plan) -> Result<Box<dyn Accumulator>> {
    Ok(match plan.call.data {
        Data { change: true, .. } | Data { tie: true, .. } => Box::new(Single(Groups::<u64>::new(plan)?)),
        Data { flags: true, .. } => Box::new(Single(Groups::<u8>::new(plan)?)),
        _ => Box::new(Single(Groups::<()>::new(plan)?)),
    })
}

/// The state between stages: lists of equal length with a user's times in microseconds, in any order, and with the
/// flags, `change_of` and `tie` that belong to them, where the call has such.
///
/// Two states of a user are merged by appending one to the other.
pub(super) fn state_fields(name: &str, data: Data, inputs: &[FieldRef]) -> Vec<FieldRef> {
    let list = |part: &str, item: DataType| {
        Arc::new(Field::new(format!("{name}[{part}]"), DataType::new_list(item, true), false)) as FieldRef
    };
    let value = |part: &str, index: Option<usize>| {
        let input = index.and_then(|index| inputs.get(index))?;
        Some(list(part, value_type(input.data_type()).clone()))
    };
    let flags = data.flags.then(|| list("flags", DataType::UInt8));
    let values = [flags, value("change_of", data.change_index()), value("tie", data.tie_index())];
    std::iter::once(list("at_us", DataType::Int64)).chain(values.into_iter().flatten()).collect()
}

struct Groups<E> {
    plan: Plan,
    log: Log<E>,
    values: Values,
    group_count: usize,
}

/// The columns of a batch, those of the values without the rows that are left out.
struct Batch {
    at_us: ScalarBuffer<i64>,
    flags: Option<ScalarBuffer<u64>>,
    change: Option<ArrayRef>,
    tie: Option<ArrayRef>,
    /// Rows that count: FILTER holds and the time is known; `None` for all.
    kept: Option<NullBuffer>,
}

impl Batch {
    fn read(data: Data, columns: &[ArrayRef], condition: Option<&BooleanArray>) -> Result<Self> {
        let (at_us, time_nulls) = micros(column(columns, TIME)?)?;
        let condition = condition.map(|it| match it.nulls() {
            Some(nulls) => NullBuffer::new(it.values() & nulls.inner()),
            None => NullBuffer::new(it.values().clone()),
        });
        let kept = NullBuffer::union(time_nulls.as_ref(), condition.as_ref()).filter(|kept| kept.null_count() > 0);
        let flags = data.flags_index().map(|index| {
            let flags = column(columns, index)?.as_primitive_opt::<UInt64Type>();
            Ok::<_, datafusion::error::DataFusionError>(
                flags.ok_or_else(|| internal_datafusion_err!("flags are not a mask"))?.values().clone(),
            )
        });
        let values = |index: Option<usize>| {
            let Some(index) = index else { return Ok(None) };
            let values = column(columns, index)?;
            Ok::<_, datafusion::error::DataFusionError>(Some(match &kept {
                Some(kept) => filter(values, &BooleanArray::new(kept.inner().clone(), None))?,
                None => Arc::clone(values),
            }))
        };
        let (change, tie) = (values(data.change_index())?, values(data.tie_index())?);
        Ok(Self { at_us, flags: flags.transpose()?, change, tie, kept })
    }

    fn kept_count(&self) -> usize {
        self.at_us.len() - self.kept.as_ref().map_or(0, NullBuffer::null_count)
    }

    /// Calls `each` with every row that counts and its place among those.
    fn for_each_kept(&self, mut each: impl FnMut(usize, usize)) {
        match &self.kept {
            None => (0..self.at_us.len()).for_each(|row| each(row, row)),
            Some(kept) => kept.valid_indices().enumerate().for_each(|(nth, row)| each(row, nth)),
        }
    }
}

fn column(columns: &[ArrayRef], index: usize) -> Result<&ArrayRef> {
    columns.get(index).ok_or_else(|| internal_datafusion_err!("sessions needs column {index}, got {}", columns.len()))
}

/// The codes of a column of values, if there is one.
fn encode(codes: &mut Option<Codes>, values: Option<&ArrayRef>) -> Result<Option<Vec<u32>>> {
    match (codes, values) {
        (Some(codes), Some(values)) => Ok(Some(codes.encode(values)?)),
        _ => Ok(None),
    }
}

impl<E: Entry> Groups<E> {
    fn new(plan: Plan) -> Result<Self> {
        let input = |index: Option<usize>| index.and_then(|index| plan.inputs.get(index));
        let data = plan.call.data;
        let values = Values::new(input(data.change_index()), input(data.tie_index()))?;
        Ok(Self { plan, log: Log::new(E::BITS), values, group_count: 0 })
    }

    fn group_count(&self, emit_to: EmitTo) -> usize {
        match emit_to {
            EmitTo::All => self.group_count,
            EmitTo::First(count) => count.min(self.group_count),
        }
    }

    fn add(
        &mut self,
        columns: &[ArrayRef],
        condition: Option<&BooleanArray>,
        group: impl Fn(usize) -> usize,
    ) -> Result<()> {
        let batch = Batch::read(self.plan.call.data, columns, condition)?;
        if let Some(counters) = &self.plan.counters {
            counters.add_events(batch.at_us.len(), batch.kept_count());
        }
        if E::BITS == 0 {
            self.push_kept(&batch, |row, _| (group(row), batch.at_us[row], E::ZERO));
            return Ok(());
        }
        let change = encode(&mut self.values.change, batch.change.as_ref())?;
        let tie = encode(&mut self.values.tie, batch.tie.as_ref())?;
        let code = |codes: &Option<Vec<u32>>, nth: usize| codes.as_ref().map_or(0, |codes| codes[nth]);
        self.push_kept(&batch, |row, nth| {
            let flags = batch.flags.as_ref().map_or(0, |flags| flags[row]);
            let bits = entry::bits(flags, code(&change, nth), code(&tie, nth));
            (group(row), batch.at_us[row], E::pack(bits))
        });
        Ok(())
    }

    /// Adds every row that counts to the log, as `entry` of the row and its place among those.
    fn push_kept(&mut self, batch: &Batch, entry: impl Fn(usize, usize) -> (usize, i64, E)) {
        if batch.kept.is_none() {
            return self.log.push_rows(batch.at_us.len(), |row| entry(row, row));
        }
        batch.for_each_kept(|row, nth| {
            let (group, at_us, payload) = entry(row, nth);
            self.log.push(group, at_us, payload);
        });
    }

    /// Hands every emitted group's rows over, in time order, and forgets them.
    fn emit(&mut self, emit_to: EmitTo, mut each: impl FnMut(&[i64], &[E], &Values)) {
        let count = self.group_count(emit_to);
        let log_bytes = self.log.used_bytes();
        let values = &self.values;
        let sorted =
            self.log.drain(count, |sorted| sorted.for_each_group(|at_us, entries| each(at_us, entries, values)));
        if let Some(counters) = &self.plan.counters {
            counters.add_users(count, sorted);
            counters.add_log(log_bytes.saturating_sub(self.log.used_bytes()));
        }
        self.group_count -= count;
        if self.group_count == 0 {
            self.log.clear();
        }
    }
}

impl<E: Entry> GroupsAccumulator for Groups<E> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.group_count = total_num_groups;
        self.add(values, opt_filter, |row| group_indices[row])
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let call = Arc::clone(&self.plan.call);
        let mut lists = SessionLists::new(self.group_count(emit_to));
        let mut days = call.zone.as_ref().map(LocalDays::new);
        let (mut scratch, mut unpacked) = (Scratch::default(), Unpacked::default());
        self.emit(emit_to, |at_us, entries, values| {
            let columns = E::columns(at_us, entries, values, &mut unpacked);
            let day_of = |at_us| days.as_mut().map_or(0, |days| days.day_of(at_us));
            sessions::sessions(&call.spec, &columns, day_of, &mut scratch, |session| lists.push(&session));
            lists.end_user();
        });
        lists.finish(&self.plan.returns)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let data = self.plan.call.data;
        let (mut at_us, mut flags, mut change, mut tie) = (vec![], vec![], vec![], vec![]);
        let mut ends = Vec::with_capacity(self.group_count(emit_to));
        self.emit(emit_to, |times, entries, _| {
            at_us.extend_from_slice(times);
            if data.flags {
                flags.extend(entries.iter().map(|&entry| entry::flags(entry)));
            }
            if data.change {
                change.extend(entries.iter().map(|&entry| entry::change(entry)));
            }
            if data.tie {
                tie.extend(entries.iter().map(|&entry| entry::tie(entry)));
            }
            ends.push(at_us.len());
        });
        self.log.free_spare();
        let offsets = output::offsets(&ends, "events")?;
        let decode =
            |codes: &Option<Codes>, coded: Vec<u32>| codes.as_ref().map(|codes| codes.decode(&coded)).transpose();
        let columns = [
            Some(Arc::new(Int64Array::from(at_us)) as ArrayRef),
            data.flags.then(|| Arc::new(UInt8Array::from(flags)) as ArrayRef),
            decode(&self.values.change, change)?,
            decode(&self.values.tie, tie)?,
        ];
        columns.into_iter().flatten().map(|column| list(&offsets, column)).collect()
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.group_count = total_num_groups;
        let data = self.plan.call.data;
        let Some(lists) = column(values, TIME)?.as_list_opt::<i32>() else {
            return Err(internal_datafusion_err!("a state of sessions is lists, got {}", values[TIME].data_type()));
        };
        let times = items(values, TIME)?;
        let times =
            times.as_primitive_opt::<Int64Type>().ok_or_else(|| internal_datafusion_err!("times are bigints"))?;
        let flags = data.flags_index().map(|index| items(values, index)).transpose()?;
        let flags = flags.as_ref().and_then(|flags| flags.as_primitive_opt::<UInt8Type>());
        let change = data.change_index().map(|index| items(values, index)).transpose()?;
        let tie = data.tie_index().map(|index| items(values, index)).transpose()?;
        let change = encode(&mut self.values.change, change.as_ref())?;
        let tie = encode(&mut self.values.tie, tie.as_ref())?;
        let code = |codes: &Option<Vec<u32>>, item: usize| codes.as_ref().map_or(0, |codes| codes[item]);
        let first = lists.value_offsets()[0];
        for (row, &group) in group_indices.iter().enumerate() {
            if lists.is_null(row) {
                continue;
            }
            for item in lists.value_offsets()[row] - first..lists.value_offsets()[row + 1] - first {
                let item = item as usize;
                let flags = flags.map_or(0, |flags| u64::from(flags.value(item)));
                let bits = entry::bits(flags, code(&change, item), code(&tie, item));
                self.log.push(group, times.value(item), E::pack(bits));
            }
        }
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let batch = Batch::read(self.plan.call.data, values, opt_filter)?;
        let (mut at_us, mut flags) = (vec![], vec![]);
        let mut lengths = vec![0; batch.at_us.len()];
        batch.for_each_kept(|row, _| {
            at_us.push(batch.at_us[row]);
            flags.extend(batch.flags.as_ref().map(|flags| flags[row] as u8));
            lengths[row] = 1;
        });
        let offsets = OffsetBuffer::from_lengths(lengths);
        let plain =
            |values: Option<ArrayRef>| values.map(|values| cast(&values, value_type(values.data_type()))).transpose();
        let columns = [
            Some(Arc::new(Int64Array::from(at_us)) as ArrayRef),
            batch.flags.is_some().then(|| Arc::new(UInt8Array::from(flags)) as ArrayRef),
            plain(batch.change)?,
            plain(batch.tie)?,
        ];
        columns.into_iter().flatten().map(|column| list(&offsets, column)).collect()
    }

    fn size(&self) -> usize {
        mem::size_of::<Self>() + self.log.bytes() + self.values.bytes()
    }
}

/// One group under the interface of a query without GROUP BY.
struct Single<E>(Groups<E>);

impl<E> std::fmt::Debug for Single<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Single").field("spec", &self.0.plan.call.spec).finish_non_exhaustive()
    }
}

impl<E: Entry> Accumulator for Single<E> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.group_count = 1;
        self.0.add(values, None, |_| 0)
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

fn list(offsets: &OffsetBuffer<i32>, items: ArrayRef) -> Result<ArrayRef> {
    let item = Arc::new(Field::new_list_field(items.data_type().clone(), true));
    Ok(Arc::new(ListArray::try_new(item, offsets.clone(), items, None)?))
}

/// The items of a column of lists, from the first that the column reaches.
fn items(states: &[ArrayRef], index: usize) -> Result<ArrayRef> {
    let state = column(states, index)?;
    let lists = state.as_list_opt::<i32>();
    let lists =
        lists.ok_or_else(|| internal_datafusion_err!("a state of sessions is lists, got {}", state.data_type()))?;
    let offsets = lists.value_offsets();
    let (first, last) = (offsets[0] as usize, offsets[lists.len()] as usize);
    Ok(lists.values().slice(first, last - first))
}
