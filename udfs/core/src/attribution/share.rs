//! How one model divides one conversion among the touches it sees (ATTRIBUTION-7 to 9).

use super::decay::halved;
use super::journey::{Conversion, Journey};
use super::model::Rule;
use super::rows::{Amount, rounded};
use super::spec::Plan;

/// A conversion's credit in the unit of credits, 1e-12.
pub const CREDIT_UNITS: i64 = 1_000_000_000_000;

/// The touches that one conversion sees, by position from 0.
#[derive(Clone, Copy)]
pub(super) struct View<'a, A: Amount> {
    pub journey: &'a Journey<A>,
    pub conversion: &'a Conversion<A::Share>,
    /// The last touch of each channel, where a channel counts once.
    pub kept: Option<&'a [u32]>,
}

impl<A: Amount> View<'_, A> {
    pub fn len(&self) -> usize {
        self.kept.map_or_else(|| self.conversion.span.len(), <[u32]>::len)
    }

    #[inline]
    pub fn touch(&self, position: usize) -> usize {
        self.kept.map_or_else(|| self.conversion.span.touch(position), |kept| kept[position] as usize)
    }

    /// The position that stands for a touch of the span: its own, or that of its channel's last.
    fn position(&self, touch: usize) -> usize {
        let Some(kept) = self.kept else { return self.conversion.span.position(touch) };
        let channel = self.journey.numbers[touch];
        kept.iter().position(|&kept| self.journey.numbers[kept as usize] == channel).unwrap_or(0)
    }
}

/// The form that a division takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Split {
    /// All to one position.
    One(usize),
    /// [`Shares::marks`] to some positions, [`Shares::rest`] to each of the others.
    Even,
    /// [`Shares::weights`] in proportion.
    Weighed,
}

/// The division of one conversion, and what a model remembers from one conversion to the next.
#[derive(Clone, Debug, Default)]
pub(super) struct Shares {
    /// Positions with a share of their own, ascending.
    pub marks: Vec<(usize, f64)>,
    /// The share of every other position.
    pub rest: f64,
    /// A weight for each position; the largest is not 0.
    pub weights: Vec<f64>,
    /// For `last_non`: the last touch up to each touch that is not passed over.
    outside: Vec<usize>,
    /// For `milestones`: where each search has come to.
    cursors: Vec<usize>,
}

impl Shares {
    /// Prepares for all conversions of one user and model.
    pub fn begin<A: Amount>(&mut self, plan: &Plan, model: usize, journey: &Journey<A>) {
        match plan.spec.models()[model].rule() {
            Rule::LastNon { .. } => {
                let skipped = &plan.skipped[model];
                let mut last = usize::MAX;
                self.outside.clear();
                self.outside.extend(journey.touch_channels.iter().enumerate().map(|(touch, channel)| {
                    if skipped.binary_search(channel).is_err() {
                        last = touch;
                    }
                    last
                }));
            }
            Rule::Milestones { .. } => {
                self.cursors.clear();
                self.cursors.resize(journey.milestones.len(), 0);
            }
            _ => {}
        }
    }

    /// Divides among the touches of `view`, of which there must be at least one.
    ///
    /// Not for `participation`, which does not divide.
    pub fn divide<A: Amount>(&mut self, plan: &Plan, model: usize, view: View<A>) -> Split {
        let count = view.len();
        let rule = plan.spec.models()[model].rule();
        if count == 1 {
            return Split::One(0);
        }
        self.marks.clear();
        self.rest = 0.0;
        match rule {
            Rule::First => return Split::One(self.first(view)),
            Rule::Last => return Split::One(count - 1),
            Rule::LastNon { .. } => return Split::One(self.last_outside(view)),
            Rule::Linear | Rule::Participation => self.rest = 1.0 / count as f64,
            Rule::Position { first, middle, last } => {
                let start = self.first(view);
                if start == count - 1 {
                    self.marks.push((start, first + last));
                    self.rest = middle / (count - 1) as f64;
                } else if count > 2 {
                    self.marks.extend([(start, *first), (count - 1, *last)]);
                    self.rest = middle / (count - 2) as f64;
                } else if first + last > 0.0 {
                    self.marks.extend([(start, first / (first + last)), (count - 1, last / (first + last))]);
                } else {
                    self.rest = 0.5;
                }
            }
            Rule::Weights { weights } => {
                let weights = &weights[..weights.len().min(count)];
                let sum: f64 = weights.iter().sum();
                let even = 1.0 / weights.len() as f64;
                let share = |weight: &f64| if sum > 0.0 { weight / sum } else { even };
                self.marks.extend(weights.iter().map(share).enumerate());
            }
            Rule::Milestones { weights } => self.milestones(plan, view, weights),
            Rule::TimeDecay { half_life_us } => {
                let rate = 1.0 / *half_life_us as f64;
                // Ages count from the latest touch, so that old journeys do not all vanish.
                let latest_us = view.journey.touch_us[view.touch(count - 1)];
                let weight = |position| {
                    halved(latest_us.saturating_sub(view.journey.touch_us[view.touch(position)]) as f64 * rate)
                };
                self.weights.clear();
                self.weights.extend((0..count).map(weight));
                return Split::Weighed;
            }
            Rule::LinearPosition => {
                self.weights.clear();
                self.weights.extend((1..=count).map(|weight| weight as f64));
                return Split::Weighed;
            }
            Rule::Geometric { ratio } => {
                self.weights.clear();
                self.weights.resize(count, 1.0);
                let mut weight = 1.0;
                for slot in self.weights.iter_mut().rev() {
                    *slot = weight;
                    weight *= ratio;
                }
                return Split::Weighed;
            }
        }
        Split::Even
    }

    /// The position of the first touch.
    fn first<A: Amount>(&self, view: View<A>) -> usize {
        if view.kept.is_none() { 0 } else { view.position(view.conversion.span.touch(0)) }
    }

    /// The position of the last touch that `last_non` does not pass over, else of the last touch.
    fn last_outside<A: Amount>(&self, view: View<A>) -> usize {
        let span = view.conversion.span;
        let mut touch = self.outside[span.end - 1];
        if touch == span.hole {
            touch = if touch > 0 { self.outside[touch - 1] } else { usize::MAX };
        }
        if touch == usize::MAX || touch < span.start { view.len() - 1 } else { view.position(touch) }
    }

    fn milestones<A: Amount>(&mut self, plan: &Plan, view: View<A>, weights: &[f64]) {
        let count = view.len();
        let span = view.conversion.span;
        self.marks.push((self.first(view), weights[0]));
        for (index, &weight) in weights[1..].iter().enumerate() {
            let cursor = &mut self.cursors[index];
            let Some(at_us) = view.journey.milestone_us(plan, view.conversion, index, cursor) else { continue };
            let seen = view.journey.touch_us[span.start..span.end].partition_point(|&touch_us| touch_us <= at_us);
            let Some(mut touch) = (span.start + seen).checked_sub(1) else { continue };
            if touch == span.hole {
                let Some(before) = touch.checked_sub(1) else { continue };
                touch = before;
            }
            if seen > 0 && touch >= span.start {
                self.marks.push((view.position(touch), weight));
            }
        }
        self.marks.sort_unstable_by_key(|&(position, _)| position);
        self.marks.dedup_by(|later, earlier| {
            let is_same = later.0 == earlier.0;
            if is_same {
                earlier.1 += later.1;
            }
            is_same
        });
        let others = count - self.marks.len();
        let left = if others > 0 { (1.0 - weights.iter().sum::<f64>()).max(0.0) } else { 0.0 };
        let total = left + self.marks.iter().map(|&(_, weight)| weight).sum::<f64>();
        if total > 0.0 {
            self.marks.iter_mut().for_each(|(_, weight)| *weight /= total);
            self.rest = if others > 0 { left / total / others as f64 } else { 0.0 };
        } else {
            self.marks.clear();
            self.rest = 1.0 / count as f64;
        }
    }
}

/// An even division in units: what each position without a mark gets, and who gets what rounding
/// left (ATTRIBUTION-10).
#[derive(Clone, Copy, Debug)]
pub(super) struct Rounded<S> {
    pub rest_credit: i64,
    pub rest_value: S,
    /// The position with the largest share, the earliest of several.
    pub largest: usize,
    pub left_credit: i64,
    pub left_value: S,
}

/// A share in units of credit.
#[inline]
pub(super) fn credit(share: f64) -> i64 {
    rounded(share * CREDIT_UNITS as f64)
}

/// Rounds an even division of `whole` among `count` positions.
pub(super) fn rounded_even<A: Amount>(shares: &Shares, count: usize, whole: A::Share) -> Rounded<A::Share> {
    let others = count - shares.marks.len();
    let rest_credit = credit(shares.rest);
    let rest_value = A::part(whole, shares.rest);
    let mut given_credit = rest_credit * others as i64;
    let mut given_value = A::times(rest_value, others);
    // The first position without a mark, if there is one.
    let unmarked = shares.marks.iter().enumerate().take_while(|&(index, mark)| index == mark.0).count();
    let mut largest = if others > 0 { (shares.rest, unmarked) } else { (-1.0, usize::MAX) };
    for &(position, share) in &shares.marks {
        given_credit += credit(share);
        given_value = A::plus(given_value, A::part(whole, share));
        if share > largest.0 || share == largest.0 && position < largest.1 {
            largest = (share, position);
        }
    }
    let left_credit = CREDIT_UNITS - given_credit;
    Rounded { rest_credit, rest_value, largest: largest.1, left_credit, left_value: A::left(whole, given_value) }
}

/// Gives every position its credit and value, in order, under an even division.
pub(super) fn give_even<A: Amount>(
    shares: &Shares,
    count: usize,
    whole: A::Share,
    mut give: impl FnMut(usize, i64, A::Share),
) {
    let rounded = rounded_even::<A>(shares, count, whole);
    let mut marks = shares.marks.iter().peekable();
    for position in 0..count {
        let (mut its_credit, mut its_value) = match marks.next_if(|mark| mark.0 == position) {
            Some(&(_, share)) => (credit(share), A::part(whole, share)),
            None => (rounded.rest_credit, rounded.rest_value),
        };
        if position == rounded.largest {
            its_credit += rounded.left_credit;
            its_value = A::plus(its_value, rounded.left_value);
        }
        give(position, its_credit, its_value);
    }
}

/// Gives every position its credit and value, in order, in proportion to the weights.
pub(super) fn give_weighed<A: Amount>(weights: &[f64], whole: A::Share, mut give: impl FnMut(usize, i64, A::Share)) {
    let scale = 1.0 / weights.iter().sum::<f64>();
    let (mut given_credit, mut given_value) = (0, A::Share::default());
    let mut largest = (-1.0, 0);
    for (position, &weight) in weights.iter().enumerate() {
        let share = weight * scale;
        given_credit += credit(share);
        given_value = A::plus(given_value, A::part(whole, share));
        if share > largest.0 {
            largest = (share, position);
        }
    }
    for (position, &weight) in weights.iter().enumerate() {
        let share = weight * scale;
        let (mut its_credit, mut its_value) = (credit(share), A::part(whole, share));
        if position == largest.1 {
            its_credit += CREDIT_UNITS - given_credit;
            its_value = A::plus(its_value, A::left(whole, given_value));
        }
        give(position, its_credit, its_value);
    }
}
