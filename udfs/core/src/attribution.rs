//! Which touches earned a conversion, and how much of it.
//!
//! A user's rows come as columns sorted by time: see [`User`]. A [`Spec`] says how far conversions
//! look back and by which [`Models`] each is divided; [`Spec::resolve`] turns its labels into codes.
//! [`list`] gives every pair of conversion and touch, [`per_row`] the sum for each touch, [`totals`]
//! the sum for each channel. The three agree.
//!
//! # Rules
//!
//! Letters are touches of that channel, `$` is a conversion, all a second apart unless said.
//!
//! - **ATTRIBUTION-1, touches.** A row is a touch when its touch bit is set and it has a channel.
//!   Only touches, conversions and milestones matter ([`Spec::needs`]), only up to the user's last
//!   conversion, and nothing does without one.
//! - **ATTRIBUTION-2, the own row.** A conversion's own row is no touch for it, but is one for other
//!   conversions, unless `include_self`: collectors put the visit's channel on every row.
//! - **ATTRIBUTION-3, ties.** Rows of one time are ordered by the tie column, then channel (no
//!   channel last), conversion after none, value (smaller first), touch after none, milestones. Rows
//!   equal in all of these are twins: which of them a rule picks cannot be told from outside, and
//!   [`per_row`] gives them equal answers, but for last digits, which go to the first of the input.
//! - **ATTRIBUTION-4, lookback.** A conversion sees the touches up to and at its time, and from
//!   exactly `lookback` before it. Of those it sees the last `lookback_touches`. Times saturate: a
//!   touch at -infinity is seen from -infinity only, unless there is no lookback.
//! - **ATTRIBUTION-5, several conversions.** Each looks back on its own. With
//!   [`Consume::SinceLast`] it sees only touches strictly after the latest conversion before its
//!   time. Conversions of one time see the same touches, but for their own rows.
//! - **ATTRIBUTION-6, a channel once.** With `per_channel_once` a conversion sees, of the touches
//!   left by the rules above, the last of each channel, in order of time. What the first touch or a
//!   milestone's touch earns goes to the touch kept of its channel, so `first` and `last` still
//!   credit the channels where the journey began and ended: `d s d $` makes `s d`, and both give
//!   all to d. `position` adds both ends up there and shares the middle among the others.
//! - **ATTRIBUTION-7, models.** See [`Rule`]. One touch gets everything under every model. Of two,
//!   `position` renormalises its ends (both 0: half each). `weights` are given from the first touch
//!   on: with fewer touches than weights the first ones are renormalised (all 0: even), with more
//!   the further ones get nothing.
//! - **ATTRIBUTION-8, time decay.** The weight is halved for every half-life that a touch is older
//!   than the latest touch seen; counting from the conversion would change no share.
//! - **ATTRIBUTION-9, milestones.** A milestone is reached when its condition first holds within
//!   what the conversion sees by time (ATTRIBUTION-4 and 5 without `lookback_touches`), its own row
//!   included. Its weight goes to the latest touch up to and at that time; weights at one touch add
//!   up. Touches without a weight share what the weights leave of 1. Weights of milestones that were
//!   not reached or have no touch before them, and what is left where no other touch is, are made
//!   up by all others in proportion; where nothing is left to scale, the split is even. So W-shape
//!   is `milestones(0.3, 0.3, 0.3)` over lead and opportunity, and the full path
//!   `milestones(0.225, 0.225, 0.225, 0.225)` over lead, opportunity and the conversion itself.
//! - **ATTRIBUTION-10, rounding.** Shares are computed as floats and rounded to 1e-12; what that
//!   leaves of 1 goes to the largest share, the earliest of several. Decimal values are rounded to
//!   six more digits than they have, and what is left goes to the same touch. So the credits of a
//!   conversion sum to exactly 1 and its values to exactly its value. Float values are not rounded.
//! - **ATTRIBUTION-11, unattributed.** A conversion that sees no touch is one element without a
//!   touch, with all credit and value, under every model.
//! - **ATTRIBUTION-12, participation.** Every channel a conversion sees gets all of it, at its last
//!   touch. Credits exceed conversions: [`Model::sums_to_conversions`] is false.
//!
//! # Where other tools differ
//!
//! DP6 adds half the middle to each end of two touches. ByConity divides ages by the half-life as
//! integers and gives every touch to the first conversion after it, which is `since_last`. Snowplow
//! counts a lookback in calendar days, so that it reaches up to a day further.
//!
//! # Cost
//!
//! [`totals`] and [`per_row`] are linear in rows for every model (`participation` and
//! `per_channel_once`: in rows and the channels each conversion sees), whatever the number of pairs.
//! Up to 16 pairs for a row are looked at one by one, and the answers are the sums over [`list`] to
//! the last digit. Beyond, so are those of the models that give most touches the same; those that
//! weigh each touch (`time_decay`, `geometric`, `linear_position`) are summed as floats, within 1e-9
//! of the list, and still add up to exactly the conversions and their value. No allocation for a
//! user of the first kind: [`Scratch`] is reused.

mod bulk;
mod decay;
mod duration;
mod error;
mod journey;
mod kept;
mod model;
mod parse;
mod rows;
mod share;
mod spec;
#[cfg(test)]
mod tests;

use journey::Journey;
use kept::Kept;
use share::{Shares, Split, View, give_even, give_weighed};

pub use crate::funnel::Mask;
pub use error::{DurationFault, ModelError, ModelFault};
pub use model::{Model, Models, NAMES, Rule};
pub use rows::{Amount, CONVERSION, TOUCH, User, ValueTooLarge, milestone};
pub use share::CREDIT_UNITS;
pub use spec::{Consume, MAX_MILESTONES, Options, Plan, Spec, SpecError};

/// Working memory of [`list`], [`per_row`] and [`totals`], reused between users and plans; nothing
/// carries over from one call to the next.
#[derive(Clone, Debug)]
pub struct Scratch<A: Amount> {
    journey: Journey<A>,
    kept: Kept,
    shares: Shares,
    /// What each touch gets from the model at hand, over all conversions.
    credits: Vec<i128>,
    values: Vec<A::Share>,
    /// What each channel gets from it, and the channels in the order of their codes.
    channel_credits: Vec<(bool, i128, A::Share)>,
    channel_order: Vec<usize>,
    /// [`PAIRS_PER_ROW`], but in tests.
    pairs_per_row: usize,
}

/// Up to this many pairs of touch and conversion for a row are looked at one by one.
const PAIRS_PER_ROW: usize = 16;

impl<A: Amount> Default for Scratch<A> {
    fn default() -> Self {
        Self {
            journey: Journey::default(),
            kept: Kept::default(),
            shares: Shares::default(),
            credits: Vec::new(),
            values: Vec::new(),
            channel_credits: Vec::new(),
            channel_order: Vec::new(),
            pairs_per_row: PAIRS_PER_ROW,
        }
    }
}

/// One element of [`list`]: what one touch earned of one conversion under one model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Element<S> {
    /// Index of the model in the spec.
    pub model: usize,
    /// The touch's row; `None` for a conversion that saw no touch.
    pub touch_row: Option<usize>,
    /// The conversion's row.
    pub conversion_row: usize,
    /// The touch's channel; 0 without a touch.
    pub channel: u32,
    /// The touch's place among those the conversion saw, from 0.
    pub touch_index: usize,
    /// How many touches the conversion saw.
    pub touch_count: usize,
    /// Share of the conversion, in units of 1e-12 ([`CREDIT_UNITS`] is all of it).
    pub credit: i64,
    /// Share of its value; for decimals with six more digits than the value.
    pub value: S,
}

/// One answer of [`per_row`] or [`totals`]: what a touch or channel earned under one model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Total<S> {
    /// Index of the model in the spec.
    pub model: usize,
    /// The touch's row; `None` for conversions that saw no touch, and in [`totals`].
    pub touch_row: Option<usize>,
    /// The channel; 0 for conversions that saw no touch.
    pub channel: u32,
    /// Credit over all conversions, in units of 1e-12 conversions.
    pub credit: i128,
    /// Value over all conversions; for decimals with six more digits than the values.
    pub value: S,
}

/// Every model, conversion and touch that the conversion sees, in this order.
///
/// Touches without credit are elements too. A conversion without touches is one element for each
/// model. Cost: one visit for each element. Errors when values outgrow decimals; then nothing was
/// emitted.
pub fn list<M: Mask, A: Amount>(
    plan: &Plan,
    user: &User<M, A>,
    scratch: &mut Scratch<A>,
    mut emit: impl FnMut(Element<A::Share>),
) -> Result<(), ValueTooLarge> {
    scratch.journey.load(plan, user)?;
    if scratch.journey.conversions.is_empty() {
        return Ok(());
    }
    if plan.needs_kept {
        scratch.journey.number();
    }
    let Scratch { journey, kept, shares, .. } = scratch;
    for model in 0..plan.spec.models().len() {
        each_conversion(plan, model, journey, kept, shares, |view, last_touches, split, shares| {
            let conversion = view.conversion;
            let count = view.len();
            let element = Element {
                model,
                touch_row: None,
                conversion_row: conversion.row,
                channel: 0,
                touch_index: 0,
                touch_count: count,
                credit: CREDIT_UNITS,
                value: conversion.whole,
            };
            let mut give = |position: usize, credit: i64, value: A::Share| {
                let touch = view.touch(position);
                let (touch_row, channel) = (Some(journey.touch_rows[touch]), journey.touch_channels[touch]);
                emit(Element { touch_row, channel, touch_index: position, credit, value, ..element });
            };
            let all_or_nothing = |is_all: bool| {
                if is_all { (CREDIT_UNITS, conversion.whole) } else { (0, A::Share::default()) }
            };
            match split {
                Division::Unattributed => emit(element),
                Division::EachChannel => {
                    let mut last_touches = last_touches.iter().peekable();
                    for position in 0..count {
                        let is_last = last_touches.next_if(|&&touch| touch as usize == view.touch(position)).is_some();
                        let (credit, value) = all_or_nothing(is_last);
                        give(position, credit, value);
                    }
                }
                Division::Split(Split::One(one)) => (0..count).for_each(|position| {
                    let (credit, value) = all_or_nothing(position == one);
                    give(position, credit, value);
                }),
                Division::Split(Split::Even) => give_even::<A>(shares, count, conversion.whole, give),
                Division::Split(Split::Weighed) => give_weighed::<A>(&shares.weights, conversion.whole, give),
            }
        });
    }
    Ok(())
}

/// How many elements [`list`] gives for a user: what a caller needs to know before it asks.
pub fn list_len<M: Mask, A: Amount>(
    plan: &Plan,
    user: &User<M, A>,
    scratch: &mut Scratch<A>,
) -> Result<u64, ValueTooLarge> {
    scratch.journey.load(plan, user)?;
    let mut elements = 0u64;
    if plan.spec.options().per_channel_once {
        scratch.journey.number();
        let Scratch { journey, kept, .. } = scratch;
        kept.reset(journey.touch_us.len(), journey.channels.len());
        for conversion in &journey.conversions {
            let span = conversion.span;
            kept.collect(&journey.numbers, span.start, span.end, span.hole);
            elements += kept.touches.len().max(1) as u64;
        }
    } else {
        elements = scratch.journey.conversions.iter().map(|conversion| conversion.span.len().max(1) as u64).sum();
    }
    Ok(elements * plan.spec.models().len() as u64)
}

/// What each touch earned, over all conversions: for each model the touches in order of time that
/// some conversion sees, then one answer for the conversions that saw none, if there are such.
pub fn per_row<M: Mask, A: Amount>(
    plan: &Plan,
    user: &User<M, A>,
    scratch: &mut Scratch<A>,
    mut emit: impl FnMut(Total<A::Share>),
) -> Result<(), ValueTooLarge> {
    scratch.journey.load(plan, user)?;
    if scratch.journey.conversions.is_empty() {
        return Ok(());
    }
    if let Some(conversion) = scratch.journey.lone_conversion() {
        emit_lone(plan, &scratch.journey, conversion, emit);
        return Ok(());
    }
    if plan.needs_kept {
        scratch.journey.number();
    }
    scratch.journey.mark_seen();
    for model in 0..plan.spec.models().len() {
        let unattributed = add_up(plan, model, scratch);
        let Scratch { journey, credits, values, .. } = scratch;
        if journey.has_twins {
            share_among_twins::<A>(journey, credits, values);
        }
        for touch in (0..credits.len()).filter(|&touch| journey.is_seen[touch]) {
            let (touch_row, channel) = (Some(journey.touch_rows[touch]), journey.touch_channels[touch]);
            emit(Total { model, touch_row, channel, credit: credits[touch], value: values[touch] });
        }
        if let Some((credit, value)) = unattributed {
            emit(Total { model, touch_row: None, channel: 0, credit, value });
        }
    }
    Ok(())
}

/// What each channel earned, over all conversions: for each model the channels of touches that some
/// conversion sees, in the order of their codes, channels without credit too; then one answer for
/// the conversions that saw no touch, if there are such.
pub fn totals<M: Mask, A: Amount>(
    plan: &Plan,
    user: &User<M, A>,
    scratch: &mut Scratch<A>,
    mut emit: impl FnMut(Total<A::Share>),
) -> Result<(), ValueTooLarge> {
    scratch.journey.load(plan, user)?;
    if scratch.journey.conversions.is_empty() {
        return Ok(());
    }
    if let Some(conversion) = scratch.journey.lone_conversion() {
        emit_lone(plan, &scratch.journey, conversion, |total| emit(Total { touch_row: None, ..total }));
        return Ok(());
    }
    scratch.journey.number();
    scratch.journey.mark_seen();
    scratch.channel_order.clear();
    scratch.channel_order.extend(0..scratch.journey.channels.len());
    scratch.channel_order.sort_unstable_by_key(|&number| scratch.journey.channels[number]);
    for model in 0..plan.spec.models().len() {
        let unattributed = add_up(plan, model, scratch);
        let Scratch { journey, credits, values, channel_credits, channel_order, .. } = scratch;
        channel_credits.clear();
        channel_credits.resize(journey.channels.len(), (false, 0, A::Share::default()));
        for touch in (0..credits.len()).filter(|&touch| journey.is_seen[touch]) {
            let (is_seen, credit, value) = &mut channel_credits[journey.numbers[touch] as usize];
            *is_seen = true;
            *credit += credits[touch];
            *value = A::plus(*value, values[touch]);
        }
        for &number in channel_order.iter() {
            let (is_seen, credit, value) = channel_credits[number];
            if is_seen {
                emit(Total { model, touch_row: None, channel: journey.channels[number], credit, value });
            }
        }
        if let Some((credit, value)) = unattributed {
            emit(Total { model, touch_row: None, channel: 0, credit, value });
        }
    }
    Ok(())
}

/// The answers for a user whose only conversion sees one touch or none.
fn emit_lone<A: Amount>(
    plan: &Plan,
    journey: &Journey<A>,
    conversion: &journey::Conversion<A::Share>,
    mut emit: impl FnMut(Total<A::Share>),
) {
    let touch = (conversion.span.len() > 0).then(|| conversion.span.touch(0));
    let touch_row = touch.map(|touch| journey.touch_rows[touch]);
    let channel = touch.map_or(0, |touch| journey.touch_channels[touch]);
    for model in 0..plan.spec.models().len() {
        emit(Total { model, touch_row, channel, credit: i128::from(CREDIT_UNITS), value: conversion.whole });
    }
}

/// What becomes of one conversion under one model.
enum Division {
    /// It saw no touch.
    Unattributed,
    /// Every channel gets all of it, at its last touch.
    EachChannel,
    Split(Split),
}

/// Divides every conversion of the journey in turn: `visit` gets what the conversion sees, the last
/// touch of each channel (where the model asks), the division, and the shares where it has any.
fn each_conversion<A: Amount>(
    plan: &Plan,
    model: usize,
    journey: &Journey<A>,
    kept: &mut Kept,
    shares: &mut Shares,
    mut visit: impl FnMut(View<A>, &[u32], Division, &Shares),
) {
    let is_each_channel = *plan.spec.models()[model].rule() == Rule::Participation;
    let is_once = plan.spec.options().per_channel_once;
    let needs_kept = is_each_channel || is_once;
    shares.begin(plan, model, journey);
    if needs_kept {
        kept.reset(journey.touch_us.len(), journey.channels.len());
    }
    for conversion in &journey.conversions {
        let span = conversion.span;
        if needs_kept {
            kept.collect(&journey.numbers, span.start, span.end, span.hole);
        }
        let last_touches = if needs_kept { kept.touches.as_slice() } else { &[] };
        let view = View { journey, conversion, kept: is_once.then_some(last_touches) };
        let division = if view.len() == 0 {
            Division::Unattributed
        } else if is_each_channel {
            Division::EachChannel
        } else {
            Division::Split(shares.divide(plan, model, view))
        };
        visit(view, last_touches, division, shares);
    }
}

/// Sets `credits` and `values` to what each touch gets under one model; gives what is unattributed.
fn add_up<A: Amount>(plan: &Plan, model: usize, scratch: &mut Scratch<A>) -> Option<(i128, A::Share)> {
    let Scratch { journey, kept, shares, credits, values, pairs_per_row, .. } = scratch;
    let touches = journey.touch_us.len();
    credits.clear();
    credits.resize(touches, 0);
    values.clear();
    values.resize(touches, A::Share::default());
    let rule = plan.spec.models()[model].rule();
    if *rule != Rule::Participation && !plan.spec.options().per_channel_once && journey.is_heavy(*pairs_per_row) {
        if matches!(rule, Rule::TimeDecay { .. } | Rule::Geometric { .. } | Rule::LinearPosition) {
            bulk::set_weighed(rule, journey, credits, values);
        } else {
            shares.begin(plan, model, journey);
            bulk::add_even(plan, model, journey, shares, credits, values);
        }
        return unattributed(journey);
    }
    each_conversion(plan, model, journey, kept, shares, |view, last_touches, division, shares| {
        let (count, whole) = (view.len(), view.conversion.whole);
        let mut add = |touch: usize, credit: i64, value: A::Share| {
            credits[touch] += i128::from(credit);
            values[touch] = A::plus(values[touch], value);
        };
        match division {
            Division::Unattributed => {}
            Division::EachChannel => last_touches.iter().for_each(|&touch| add(touch as usize, CREDIT_UNITS, whole)),
            Division::Split(Split::One(position)) => add(view.touch(position), CREDIT_UNITS, whole),
            Division::Split(Split::Even) => give_even::<A>(shares, count, whole, |position, credit, value| {
                add(view.touch(position), credit, value);
            }),
            Division::Split(Split::Weighed) => {
                give_weighed::<A>(&shares.weights, whole, |position, credit, value| {
                    add(view.touch(position), credit, value);
                });
            }
        }
    });
    unattributed(journey)
}

/// The credit and value of the conversions that saw no touch.
fn unattributed<A: Amount>(journey: &Journey<A>) -> Option<(i128, A::Share)> {
    let mut sum = None;
    for conversion in journey.conversions.iter().filter(|conversion| conversion.span.len() == 0) {
        let (credit, value) = sum.unwrap_or_default();
        sum = Some((credit + i128::from(CREDIT_UNITS), A::plus(value, conversion.whole)));
    }
    sum
}

/// Makes the answers of touches that equal each other in everything equal (ATTRIBUTION-3).
fn share_among_twins<A: Amount>(journey: &Journey<A>, credits: &mut [i128], values: &mut [A::Share]) {
    let mut first = 0;
    while first < credits.len() {
        let twins = 1 + journey.is_twin[first + 1..].iter().take_while(|&&is_twin| is_twin).count();
        let end = first + twins;
        if twins > 1 {
            let credit: i128 = credits[first..end].iter().sum();
            let value = values[first..end].iter().fold(A::Share::default(), |sum, &value| A::plus(sum, value));
            for (index, touch) in (first..end).enumerate() {
                credits[touch] = rows::nth_part(credit, twins, index);
                values[touch] = A::nth_part(value, twins, index);
            }
        }
        first = end;
    }
}
