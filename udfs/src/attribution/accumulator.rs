//! Rows in, a list for each group out.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, BooleanArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};
use tributary_core::attribution::{CONVERSION, Plan, Scratch, Total, User, ValueTooLarge, list, list_len, totals};

use super::Answer;
use super::answer::Elements;
use super::configure::Call;
use super::journal::{Journal, Rows};
use super::pool::Pool;
use super::rows::{Layout, too_large};
use super::state;
use super::worth::Worth;
use crate::log::Counters;

/// Users with more pairs of row and conversion than this are counted before their list is written.
const MANY_PAIRS: usize = 1 << 24;

/// The accumulator of an attribution, for the kind of value it has.
pub(super) fn groups(
    call: &Arc<Call>,
    is_pooled: bool,
    counters: Option<Arc<Counters>>,
) -> Result<Box<dyn GroupsAccumulator>> {
    Ok(match &call.layout.held {
        None => Box::new(Groups::<()>::new(call, is_pooled, counters)?),
        Some(DataType::Float64) => Box::new(Groups::<f64>::new(call, is_pooled, counters)?),
        Some(_) => Box::new(Groups::<i128>::new(call, is_pooled, counters)?),
    })
}

/// The same for a query without GROUP BY: one group.
pub(super) fn single(call: &Arc<Call>, counters: Option<Arc<Counters>>) -> Result<Box<dyn Accumulator>> {
    Ok(match &call.layout.held {
        None => Box::new(Single(Groups::<()>::new(call, false, counters)?)),
        Some(DataType::Float64) => Box::new(Single(Groups::<f64>::new(call, false, counters)?)),
        Some(_) => Box::new(Single(Groups::<i128>::new(call, false, counters)?)),
    })
}

struct Groups<A> {
    call: Arc<Call>,
    /// Whether all groups of an answer are answered in the list of the first.
    is_pooled: bool,
    journal: Journal<A>,
}

impl<A: Worth> Groups<A> {
    fn new(call: &Arc<Call>, is_pooled: bool, counters: Option<Arc<Counters>>) -> Result<Self> {
        Ok(Self { journal: Journal::new(call.layout.clone(), counters)?, is_pooled, call: Arc::clone(call) })
    }
}

impl<A: Worth> GroupsAccumulator for Groups<A> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.journal.update(values, |row| group_indices[row], opt_filter, total_num_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let Call { spec, layout, answer, returns, .. } = self.call.as_ref();
        let channels = self.journal.reader.channels.ranked();
        let ties = self.journal.reader.ties.as_mut().map(|ties| ties.codes.ranked());
        let labels = channels.labels(&self.journal.reader.channels);
        let plan =
            spec.resolve(|label| self.journal.reader.channels.known(label).map(|code| channels.ranks[code as usize]));
        let user_count = self.journal.group_count(emit_to);
        let mut elements = Elements::<A>::new(*answer, user_count);
        let mut scratch = Scratch::default();
        let channel_count = self.journal.reader.channels.len();
        let pool = self.is_pooled.then(|| Pool::<A>::new(spec.models().len(), channel_count)).flatten();
        if let Some(mut pool) = pool {
            self.journal.emit(emit_to, true, |_, rows| {
                if !rows.at_us.is_empty() {
                    rows.rank(&channels, ties.as_deref());
                    add_totals(&plan, layout, rows, &mut scratch, |total| pool.add(&total))?;
                }
                Ok(())
            })?;
            pool.totals().for_each(|total| elements.add_total(total));
            for _ in 0..user_count {
                elements.end_user()?;
            }
            return elements.finish(layout, spec, &labels, None, returns);
        }
        self.journal.emit(emit_to, true, |_, rows| {
            if !rows.at_us.is_empty() {
                rows.rank(&channels, ties.as_deref());
                add_user(&plan, layout, *answer, rows, &mut scratch, &mut elements)?;
            }
            Ok(elements.end_user()?)
        })?;
        elements.finish(layout, spec, &labels, self.journal.reader.carried.as_ref(), returns)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        state::take(&mut self.journal, emit_to)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        state::merge(&mut self.journal, values, group_indices, total_num_groups)
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let row_count = values.first().map_or(0, |column| column.len());
        let mut rows = Journal::<A>::new(self.call.layout.clone(), None)?;
        rows.update(values, |row| row, opt_filter, row_count)?;
        state::take(&mut rows, EmitTo::All)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.journal.bytes()
    }
}

/// Adds what one user's rows answer, whose channels and ties are ranks.
fn add_user<A: Worth>(
    plan: &Plan,
    layout: &Layout,
    answer: Answer,
    rows: &Rows<A>,
    scratch: &mut Scratch<A>,
    elements: &mut Elements<A>,
) -> Result<()> {
    if answer == Answer::Totals {
        return add_totals(plan, layout, rows, scratch, |total| elements.add_total(&total));
    }
    let user = user(layout, rows);
    let told = |error: ValueTooLarge| too_large(layout.name, &error.to_string());
    let conversions = rows.kinds.iter().filter(|&&kind| u64::from(kind) & CONVERSION > 0).count();
    if conversions.saturating_mul(rows.kinds.len()) > MANY_PAIRS {
        elements.check(list_len(plan, &user, scratch).map_err(told)?)?;
    }
    list(plan, &user, scratch, |element| elements.add(rows, &element)).map_err(told)?;
    Ok(())
}

fn add_totals<A: Worth>(
    plan: &Plan,
    layout: &Layout,
    rows: &Rows<A>,
    scratch: &mut Scratch<A>,
    add: impl FnMut(Total<A::Share>),
) -> Result<()> {
    let told = totals(plan, &user(layout, rows), scratch, add);
    Ok(told.map_err(|error| too_large(layout.name, &error.to_string()))?)
}

fn user<'a, A: Worth>(layout: &Layout, rows: &'a Rows<A>) -> User<'a, u32, A> {
    User {
        at_us: &rows.at_us,
        kinds: &rows.kinds,
        channels: &rows.channels,
        ties: layout.tie.is_some().then_some(rows.ties.as_slice()),
        values: &rows.values,
    }
}

/// One group under the interface of a query without GROUP BY.
struct Single<A>(Groups<A>);

impl<A: Worth> std::fmt::Debug for Single<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Single").field("call", &self.0.call).finish_non_exhaustive()
    }
}

impl<A: Worth> Accumulator for Single<A> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.journal.update(values, |_| 0, None, 1)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.0.journal.set_group_count(1);
        ScalarValue::try_from_array(&self.0.evaluate(EmitTo::All)?, 0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.journal.set_group_count(1);
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
