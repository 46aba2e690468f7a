//! One user with many touches and many conversions: the sum over conversions for every touch, in
//! time linear in both, without looking at pairs.
//!
//! Every conversion says how much it gives to a touch as a function of the touch's place: a
//! constant, a decay or a ramp over one range of touches, or over two where its own row lies
//! between. Ranges only move forward, so the functions that cover a touch are a queue; the queue
//! keeps their sum. Nothing is ever subtracted, so nothing is lost to cancellation.

use super::decay::halved;
use super::journey::{Journey, Span};
use super::model::Rule;
use super::rows::{Amount, rounded};
use super::share::{CREDIT_UNITS, Shares, Split, View, credit, rounded_even};
use super::spec::Plan;

/// Functions that can be added up into one.
pub(super) trait Sum {
    type Item: Copy;

    /// The sum of two, of which `one` is the earlier.
    fn join(&self, one: Self::Item, other: Self::Item) -> Self::Item;
}

/// A queue that knows the sum of what it holds; adding and removing cost a join or two each.
#[derive(Clone, Debug)]
struct Queue<T> {
    /// Sums from an item to the end of this part; the oldest item is last.
    front: Vec<T>,
    back: Vec<T>,
    back_sum: Option<T>,
}

impl<T: Copy> Queue<T> {
    fn new() -> Self {
        Self { front: Vec::new(), back: Vec::new(), back_sum: None }
    }

    fn push(&mut self, sum: &impl Sum<Item = T>, item: T) {
        self.back.push(item);
        self.back_sum = Some(self.back_sum.map_or(item, |before| sum.join(before, item)));
    }

    fn pop(&mut self, sum: &impl Sum<Item = T>) {
        if self.front.is_empty() {
            while let Some(item) = self.back.pop() {
                let item = self.front.last().map_or(item, |&after| sum.join(item, after));
                self.front.push(item);
            }
            self.back_sum = None;
        }
        self.front.pop();
    }

    fn sum(&self, sum: &impl Sum<Item = T>) -> Option<T> {
        match (self.front.last(), self.back_sum) {
            (Some(&front), Some(back)) => Some(sum.join(front, back)),
            (front, back) => front.copied().or(back),
        }
    }
}

/// Visits every touch that some segment `(start, end, item)` covers, with the sum of those items.
///
/// Segments must be sorted by start and by end.
fn sweep<S: Sum>(sum: &S, segments: &[(usize, usize, S::Item)], mut visit: impl FnMut(usize, S::Item)) {
    let mut queue = Queue::new();
    let (mut pushed, mut popped) = (0, 0);
    let mut touch = 0;
    loop {
        if pushed == popped {
            let Some(&(start, ..)) = segments.get(pushed) else { return };
            touch = touch.max(start);
        }
        while let Some(&(start, _, item)) = segments.get(pushed)
            && start <= touch
        {
            queue.push(sum, item);
            pushed += 1;
        }
        while popped < pushed && segments[popped].1 <= touch {
            queue.pop(sum);
            popped += 1;
        }
        if let Some(item) = queue.sum(sum) {
            visit(touch, item);
            touch += 1;
        }
    }
}

/// The two ranges of a span: before its own row, and after.
fn ranges(span: Span) -> [(usize, usize); 2] {
    [(span.start, span.hole), ((span.hole + 1).min(span.end), span.end)]
}

/// Constants.
struct Flat<A>(std::marker::PhantomData<A>);

impl<A: Amount> Sum for Flat<A> {
    type Item = (i128, A::Share);

    fn join(&self, one: Self::Item, other: Self::Item) -> Self::Item {
        (one.0 + other.0, A::plus(one.1, other.1))
    }
}

/// `(from, credit, value)`: the credit and value of a touch at `from`, halved every `1 / rate`
/// before.
struct Decay {
    rate: f64,
}

impl Decay {
    fn factor(&self, from: i64, to: i64) -> f64 {
        halved(from.saturating_sub(to) as f64 * self.rate)
    }
}

impl Sum for Decay {
    type Item = (i64, f64, f64);

    fn join(&self, one: Self::Item, other: Self::Item) -> Self::Item {
        let (near, far) = if one.0 <= other.0 { (one, other) } else { (other, one) };
        let factor = self.factor(far.0, near.0);
        (near.0, near.1 + far.1 * factor, near.2 + far.2 * factor)
    }
}

/// `(from, credit, value, credit before, value before)`: a touch at index `i >= from` gets
/// `i - from + 1` times the first two, and the last two.
struct Ramp;

impl Sum for Ramp {
    type Item = (usize, f64, f64, f64, f64);

    fn join(&self, one: Self::Item, other: Self::Item) -> Self::Item {
        let (low, high) = if one.0 <= other.0 { (one, other) } else { (other, one) };
        let steps = (high.0 - low.0) as f64;
        let (credit, value) = (low.1 + high.1, low.2 + high.2);
        (high.0, credit, value, low.3 + steps * low.1 + high.3, low.4 + steps * low.2 + high.4)
    }
}

/// Adds to `credits` and `values` what every touch gets from an even model. Exactly the sums over
/// pairs, but for the order in which floats are added.
pub(super) fn add_even<A: Amount>(
    plan: &Plan,
    model: usize,
    journey: &Journey<A>,
    shares: &mut Shares,
    credits: &mut [i128],
    values: &mut [A::Share],
) {
    let mut segments: [Vec<_>; 2] = Default::default();
    for conversion in journey.conversions.iter().filter(|conversion| conversion.span.len() > 0) {
        let view = View { journey, conversion, kept: None };
        let mut add = |touch: usize, credit: i64, value: A::Share| {
            credits[touch] += i128::from(credit);
            values[touch] = A::plus(values[touch], value);
        };
        match shares.divide(plan, model, view) {
            Split::One(position) => add(view.touch(position), CREDIT_UNITS, conversion.whole),
            // Models that weigh touches are not added up here.
            Split::Even | Split::Weighed => {
                let rounded = rounded_even::<A>(shares, view.len(), conversion.whole);
                for &(position, share) in &shares.marks {
                    let value = A::minus(A::part(conversion.whole, share), rounded.rest_value);
                    add(view.touch(position), credit(share) - rounded.rest_credit, value);
                }
                add(view.touch(rounded.largest), rounded.left_credit, rounded.left_value);
                if shares.rest > 0.0 {
                    let item = (i128::from(rounded.rest_credit), rounded.rest_value);
                    for (segments, (start, end)) in segments.iter_mut().zip(ranges(conversion.span)) {
                        if start < end {
                            segments.push((start, end, item));
                        }
                    }
                }
            }
        }
    }
    let flat = Flat::<A>(std::marker::PhantomData);
    for segments in &mut segments {
        in_order(segments);
        sweep(&flat, segments, |touch, (credit, value)| {
            credits[touch] += credit;
            values[touch] = A::plus(values[touch], value);
        });
    }
}

/// Conversions of one time come in any order of their own rows.
fn in_order<T>(segments: &mut [(usize, usize, T)]) {
    segments.sort_by_key(|&(start, end, _)| (end, start));
}

/// Sets `credits` and `values` to what every touch gets from a model that weighs each touch.
///
/// Sums are floats, within 1e-9 of the sums over pairs, and rounded so that they add up to exactly
/// the conversions that see a touch and their value.
pub(super) fn set_weighed<A: Amount>(rule: &Rule, journey: &Journey<A>, credits: &mut [i128], values: &mut [A::Share]) {
    let mut sums = vec![(0.0, 0.0); credits.len()];
    let mut add = |touch: usize, credit: f64, value: f64| {
        sums[touch].0 += credit;
        sums[touch].1 += value;
    };
    match rule {
        Rule::TimeDecay { half_life_us } => {
            let decay = Decay { rate: 1.0 / *half_life_us as f64 };
            let items = time_decay_items(&decay, journey);
            for mut segments in segments(journey, |index, _| items[index]) {
                in_order(&mut segments);
                sweep(&decay, &segments, |touch, item| {
                    let factor = decay.factor(item.0, journey.touch_us[touch]);
                    add(touch, item.1 * factor, item.2 * factor);
                });
            }
        }
        Rule::Geometric { ratio } => {
            let decay = Decay { rate: -ratio.log2() };
            let item = |index: usize, half: usize| {
                let Span { end, hole, .. } = journey.conversions[index].span;
                let sum = geometric_sum(*ratio, journey.conversions[index].span.len());
                // Before the conversion's own row, one place less lies between.
                let last = end - 1 - usize::from(half == 0 && hole < end);
                (last as i64, 1.0 / sum, A::to_f64(journey.conversions[index].whole) / sum)
            };
            for mut segments in segments(journey, item) {
                in_order(&mut segments);
                sweep(&decay, &segments, |touch, item| {
                    let factor = decay.factor(item.0, touch as i64);
                    add(touch, item.1 * factor, item.2 * factor);
                });
            }
        }
        _ => {
            let item = |index: usize, half: usize| {
                let conversion = &journey.conversions[index];
                let count = conversion.span.len() as f64;
                let sum = count * (count + 1.0) / 2.0;
                (conversion.span.start + half, 1.0 / sum, A::to_f64(conversion.whole) / sum, 0.0, 0.0)
            };
            for mut segments in segments(journey, item) {
                in_order(&mut segments);
                sweep(&Ramp, &segments, |touch, (from, credit, value, credit_before, value_before)| {
                    let steps = (touch - from + 1) as f64;
                    add(touch, steps * credit + credit_before, steps * value + value_before);
                });
            }
        }
    }
    round_off::<A>(journey, &sums, credits, values);
}

/// The segments of all conversions: before their own rows, and after.
fn segments<A: Amount, T>(journey: &Journey<A>, item: impl Fn(usize, usize) -> T) -> [Vec<(usize, usize, T)>; 2] {
    let mut segments = [Vec::new(), Vec::new()];
    for (index, conversion) in journey.conversions.iter().enumerate() {
        for (half, (start, end)) in ranges(conversion.span).into_iter().enumerate() {
            if start < end {
                segments[half].push((start, end, item(index, half)));
            }
        }
    }
    segments
}

/// For every conversion the latest touch it sees, and the credit and value of a touch of that time.
fn time_decay_items<A: Amount>(decay: &Decay, journey: &Journey<A>) -> Vec<(i64, f64, f64)> {
    // Looking back from later to earlier, times are turned around: `!t` is `-1 - t`.
    let mut queue = Queue::new();
    let (mut pushed, mut popped) = (0, 0);
    let item = |conversion: &super::journey::Conversion<A::Share>| {
        let span = conversion.span;
        if span.len() == 0 {
            return (0, 0.0, 0.0);
        }
        while pushed < span.end && journey.touch_us[pushed] < conversion.at_us {
            if pushed >= span.start {
                queue.push(decay, (!journey.touch_us[pushed], 1.0, 0.0));
            } else {
                popped += 1;
            }
            pushed += 1;
        }
        while popped < span.start.min(pushed) {
            queue.pop(decay);
            popped += 1;
        }
        let together = span.end - pushed.max(span.start) - usize::from(span.hole < span.end);
        let (latest_us, sum) = match queue.sum(decay) {
            Some((turned, sum, _)) if together == 0 => (!turned, sum),
            Some((turned, sum, _)) => {
                (conversion.at_us, sum * decay.factor(conversion.at_us, !turned) + together as f64)
            }
            None => (conversion.at_us, together as f64),
        };
        (latest_us, 1.0 / sum, A::to_f64(conversion.whole) / sum)
    };
    journey.conversions.iter().map(item).collect()
}

/// `1 + ratio + ratio^2 + ...`, `count` terms.
fn geometric_sum(ratio: f64, count: usize) -> f64 {
    if ratio == 1.0 { count as f64 } else { -(count as f64 * ratio.ln()).exp_m1() / (1.0 - ratio) }
}

/// Rounds sums to units; what rounding leaves goes to the next touch, and at last to the one with
/// the largest credit.
fn round_off<A: Amount>(journey: &Journey<A>, sums: &[(f64, f64)], credits: &mut [i128], values: &mut [A::Share]) {
    let mut credit_left = 0i128;
    let mut value_left = A::Share::default();
    for conversion in journey.conversions.iter().filter(|conversion| conversion.span.len() > 0) {
        credit_left += i128::from(CREDIT_UNITS);
        value_left = A::plus(value_left, conversion.whole);
    }
    let mut value_given = A::Share::default();
    let (mut credit_carry, mut value_carry) = (0.0, 0.0);
    let mut largest = (-1.0, 0);
    for (touch, &(credit, value)) in sums.iter().enumerate() {
        // A touch that no conversion sees must not get what rounding left of another.
        if (credit, value) == (0.0, 0.0) {
            continue;
        }
        let exact = credit * CREDIT_UNITS as f64 + credit_carry;
        let units = rounded(exact);
        // Beyond 2^52 units a float has no fraction left to carry.
        credit_carry = if exact.abs() < 4e15 { exact - units as f64 } else { 0.0 };
        credits[touch] = i128::from(units);
        credit_left -= i128::from(units);
        let exact = value + value_carry;
        values[touch] = A::from_f64(exact);
        value_carry = if exact.abs() < 4e15 { exact - A::to_f64(values[touch]) } else { 0.0 };
        value_given = A::plus(value_given, values[touch]);
        if credit > largest.0 {
            largest = (credit, touch);
        }
    }
    if let Some(credit) = credits.get_mut(largest.1) {
        *credit += credit_left;
        values[largest.1] = A::plus(values[largest.1], A::left(value_left, value_given));
    }
}
