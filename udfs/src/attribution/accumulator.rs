//! Rows in, a list for each group out.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, BooleanArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};
use tributary_core::attribution::{CONVERSION, Plan, Scratch, User, ValueTooLarge, list, list_len, totals};

use super::Answer;
use super::answer::Elements;
use super::codes::Ranked;
use super::configure::Call;
use super::journal::{Journal, Rows};
use super::rows::{Layout, too_large};
use super::state;
use super::worth::Worth;
use crate::log::Counters;

/// Users with more pairs of row and conversion than this are counted before their list is written.
const MANY_PAIRS: usize = 1 << 24;

/// The accumulator of an attribution, for the kind of value it has.
pub(super) fn groups(call: &Arc<Call>, counters: Option<Arc<Counters>>) -> Result<Box<dyn GroupsAccumulator>> {
    Ok(match &call.layout.held {
        None => Box::new(Groups::<()>::new(call, counters)?),
        Some(DataType::Float64) => Box::new(Groups::<f64>::new(call, counters)?),
        Some(_) => Box::new(Groups::<i128>::new(call, counters)?),
    })
}

/// The same for a query without GROUP BY: one group.
pub(super) fn single(call: &Arc<Call>, counters: Option<Arc<Counters>>) -> Result<Box<dyn Accumulator>> {
    Ok(match &call.layout.held {
        None => Box::new(Single(Groups::<()>::new(call, counters)?)),
        Some(DataType::Float64) => Box::new(Single(Groups::<f64>::new(call, counters)?)),
        Some(_) => Box::new(Single(Groups::<i128>::new(call, counters)?)),
    })
}

struct Groups<A> {
    call: Arc<Call>,
    journal: Journal<A>,
}

impl<A: Worth> Groups<A> {
    fn new(call: &Arc<Call>, counters: Option<Arc<Counters>>) -> Result<Self> {
        Ok(Self { journal: Journal::new(call.layout.clone(), counters)?, call: Arc::clone(call) })
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
        let ties = self.journal.reader.ties.as_ref().map(|ties| ties.codes.ranked());
        let labels = channels.labels(&self.journal.reader.channels);
        let plan =
            spec.resolve(|label| self.journal.reader.channels.known(label).map(|code| channels.ranks[code as usize]));
        let mut elements = Elements::<A>::new(*answer, self.journal.group_count(emit_to));
        let mut scratch = Scratch::default();
        self.journal.emit(emit_to, true, |_, rows| {
            if !rows.at_us.is_empty() {
                add_user(&plan, layout, *answer, (&channels, ties.as_ref()), rows, &mut scratch, &mut elements)?;
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

/// Adds what one user's rows answer.
fn add_user<A: Worth>(
    plan: &Plan,
    layout: &Layout,
    answer: Answer,
    (channels, ties): (&Ranked, Option<&Ranked>),
    rows: &mut Rows<A>,
    scratch: &mut Scratch<A>,
    elements: &mut Elements<A>,
) -> Result<()> {
    rows.rank(channels, ties);
    let rows = &*rows;
    let user = User {
        at_us: &rows.at_us,
        kinds: &rows.kinds,
        channels: &rows.channels,
        ties: layout.tie.is_some().then_some(rows.ties.as_slice()),
        values: &rows.values,
    };
    let name = layout.name;
    let told = |error: ValueTooLarge| too_large(name, &error.to_string());
    if answer == Answer::Totals {
        totals(plan, &user, scratch, |total| elements.add_total(&total)).map_err(told)?;
        return Ok(());
    }
    let conversions = rows.kinds.iter().filter(|&&kind| u64::from(kind) & CONVERSION > 0).count();
    if conversions.saturating_mul(rows.kinds.len()) > MANY_PAIRS {
        elements.check(list_len(plan, &user, scratch).map_err(told)?)?;
    }
    list(plan, &user, scratch, |element| elements.add(rows, &element)).map_err(told)?;
    Ok(())
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
