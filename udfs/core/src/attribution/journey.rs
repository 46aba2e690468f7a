//! One user's rows as touches and conversions, and the touches that each conversion sees.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::funnel::Mask;

use super::rows::{Amount, CONVERSION, TOUCH, User, ValueTooLarge, milestone};
use super::spec::{Consume, Plan};

/// The touches `start..end` without `hole`; no hole where that is `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub start: usize,
    pub end: usize,
    pub hole: usize,
}

impl Span {
    pub fn len(self) -> usize {
        self.end - self.start - usize::from(self.hole < self.end)
    }

    /// The touch at a position of the span.
    #[inline]
    pub fn touch(self, position: usize) -> usize {
        let touch = self.start + position;
        touch + usize::from(touch >= self.hole)
    }

    /// The position of the first touch of the span that is `touch` or later.
    pub fn position(self, touch: usize) -> usize {
        touch.clamp(self.start, self.end) - self.start - usize::from(self.hole < touch && self.hole < self.end)
    }
}

/// One conversion of the user.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conversion<S> {
    pub at_us: i64,
    pub row: usize,
    pub whole: S,
    /// The touches it sees.
    pub span: Span,
    /// Its row as a touch.
    own_touch: Option<usize>,
    /// The previous conversion's time, where that used up what came before.
    since_us: Option<i64>,
}

/// One user's touches, conversions and milestones, in the order of ATTRIBUTION-3.
#[derive(Clone, Debug)]
pub(super) struct Journey<A: Amount> {
    pub touch_us: Vec<i64>,
    pub touch_channels: Vec<u32>,
    pub touch_rows: Vec<usize>,
    /// Whether a touch equals the one before in everything.
    pub is_twin: Vec<bool>,
    pub has_twins: bool,
    pub conversions: Vec<Conversion<A::Share>>,
    /// For each milestone its times.
    pub milestones: Vec<Vec<i64>>,
    /// Touches as numbers of the user's own channels, and those channels: see [`Journey::number`].
    pub numbers: Vec<u32>,
    pub channels: Vec<u32>,
    numbered: HashMap<u32, u32, BuildHasherDefault<CodeHasher>>,
    order: Vec<usize>,
    /// The absolute values of the conversions, added up.
    spent: u128,
    /// Whether some conversion sees the touch: see [`Journey::mark_seen`].
    pub is_seen: Vec<bool>,
}

impl<A: Amount> Default for Journey<A> {
    fn default() -> Self {
        Self {
            touch_us: Vec::new(),
            touch_channels: Vec::new(),
            touch_rows: Vec::new(),
            is_twin: Vec::new(),
            has_twins: false,
            conversions: Vec::new(),
            milestones: Vec::new(),
            numbers: Vec::new(),
            channels: Vec::new(),
            numbered: HashMap::default(),
            order: Vec::new(),
            spent: 0,
            is_seen: Vec::new(),
        }
    }
}

impl<A: Amount> Journey<A> {
    /// Reads a user. Without conversions there is nothing else to read, and nothing is.
    pub fn load<M: Mask>(&mut self, plan: &Plan, user: &User<M, A>) -> Result<(), ValueTooLarge> {
        self.touch_us.clear();
        self.touch_channels.clear();
        self.touch_rows.clear();
        self.is_twin.clear();
        self.has_twins = false;
        self.conversions.clear();
        self.spent = 0;
        let rows = user.at_us.len();
        let lengths = [user.kinds.len(), user.channels.len(), user.values.len(), user.ties.map_or(rows, <[u32]>::len)];
        assert!(lengths == [rows; 4], "a user's columns have {lengths:?} rows beside {rows} times");
        debug_assert!(user.at_us.is_sorted());
        // Nothing after the last conversion's time can matter.
        let Some(last) = user.kinds.iter().rposition(|kind| kind.bits() & CONVERSION > 0) else { return Ok(()) };
        let last_us = user.at_us[last];
        let end = last + user.at_us[last..].partition_point(|&at_us| at_us <= last_us);
        let milestones = plan.spec.options().milestones;
        self.milestones.resize_with(milestones, Vec::new);
        self.milestones.iter_mut().for_each(Vec::clear);
        if user.at_us[..end].windows(2).any(|pair| pair[0] == pair[1]) {
            let mut order = std::mem::take(&mut self.order);
            order.clear();
            order.extend(0..end);
            order.sort_by(|&one, &other| {
                user.at_us[one].cmp(&user.at_us[other]).then_with(|| in_tie(plan, user, one, other))
            });
            let mut before = None;
            let read = order.iter().try_for_each(|&row| {
                let is_twin = before.is_some_and(|before| {
                    user.at_us[before] == user.at_us[row] && in_tie(plan, user, before, row) == Ordering::Equal
                });
                before = Some(row);
                self.read(user, row, is_twin, milestones)
            });
            self.order = order;
            read?;
        } else {
            (0..end).try_for_each(|row| self.read(user, row, false, milestones))?;
        }
        self.look_back(plan);
        Ok(())
    }

    #[inline(always)]
    fn read<M: Mask>(
        &mut self,
        user: &User<M, A>,
        row: usize,
        is_twin: bool,
        milestones: usize,
    ) -> Result<(), ValueTooLarge> {
        let (at_us, kind, channel) = (user.at_us[row], user.kinds[row].bits(), user.channels[row]);
        let is_touch = kind & TOUCH > 0 && channel != 0;
        if kind & CONVERSION > 0 {
            let whole = user.values[row].whole(&mut self.spent).ok_or(ValueTooLarge { row })?;
            let own_touch = is_touch.then_some(self.touch_us.len());
            let (span, since_us) = (Span::default(), None);
            self.conversions.push(Conversion { at_us, row, whole, span, own_touch, since_us });
        }
        if is_touch {
            self.touch_us.push(at_us);
            self.touch_channels.push(channel);
            self.touch_rows.push(row);
            self.is_twin.push(is_twin);
            self.has_twins |= is_twin;
        }
        for (index, times) in self.milestones.iter_mut().enumerate().take(milestones) {
            if kind & milestone(index) > 0 {
                times.push(at_us);
            }
        }
        Ok(())
    }

    /// Finds the span of every conversion (ATTRIBUTION-4, ATTRIBUTION-5).
    ///
    /// Both ends of spans move forward only, from one conversion to the next.
    fn look_back(&mut self, plan: &Plan) {
        let options = plan.spec.options();
        let (mut start, mut end, mut first) = (0, 0, 0);
        let mut since_us = None;
        while let Some(&Conversion { at_us, .. }) = self.conversions.get(first) {
            let group = self.conversions[first..].partition_point(|conversion| conversion.at_us <= at_us) + first;
            if options.consume == Consume::SinceLast && first > 0 {
                start = end;
                since_us = Some(self.conversions[first - 1].at_us);
            }
            while self.touch_us.get(end).is_some_and(|&touch_us| touch_us <= at_us) {
                end += 1;
            }
            while start < end && !reaches(options.lookback_us, self.touch_us[start], at_us) {
                start += 1;
            }
            for conversion in &mut self.conversions[first..group] {
                let hole = conversion.own_touch.filter(|_| !options.include_self).unwrap_or(end);
                let mut span = Span { start, end, hole };
                if let Some(count) = options.lookback_touches {
                    let from = end.saturating_sub(count as usize);
                    span.start = start.max(from.saturating_sub(usize::from(hole < end && hole >= from)));
                }
                if span.hole < span.start {
                    span.hole = end;
                }
                conversion.span = span;
                conversion.since_us = since_us;
            }
            if options.lookback_touches.is_some() {
                // A conversion that skips its own row reaches one touch further back.
                self.conversions[first..group].sort_by_key(|conversion| conversion.span.start);
            }
            first = group;
        }
    }

    /// The times at which a conversion's milestones first happened in its span of time
    /// (ATTRIBUTION-9); `cursors` holds for each milestone where the search has come to.
    pub fn milestone_us(
        &self,
        plan: &Plan,
        conversion: &Conversion<A::Share>,
        index: usize,
        cursor: &mut usize,
    ) -> Option<i64> {
        let times = &self.milestones[index];
        let lookback_us = plan.spec.options().lookback_us;
        while times.get(*cursor).is_some_and(|&at_us| {
            !reaches(lookback_us, at_us, conversion.at_us)
                || conversion.since_us.is_some_and(|since_us| at_us <= since_us)
        }) {
            *cursor += 1;
        }
        times.get(*cursor).copied().filter(|&at_us| at_us <= conversion.at_us)
    }

    /// Numbers the user's channels: `numbers` has for each touch the index of its channel in
    /// `channels`.
    pub fn number(&mut self) {
        self.channels.clear();
        self.numbers.clear();
        self.numbered.clear();
        for &channel in &self.touch_channels {
            // A few channels are found faster by looking at them.
            let known = if self.channels.len() <= FEW_CHANNELS {
                self.channels.iter().position(|&known| known == channel).map(|known| known as u32)
            } else {
                if self.numbered.is_empty() {
                    self.numbered.extend(self.channels.iter().zip(0..).map(|(&channel, number)| (channel, number)));
                }
                self.numbered.get(&channel).copied()
            };
            let number = known.unwrap_or_else(|| {
                let number = self.channels.len() as u32;
                self.channels.push(channel);
                if !self.numbered.is_empty() {
                    self.numbered.insert(channel, number);
                }
                number
            });
            self.numbers.push(number);
        }
    }

    /// Finds the touches that at least one conversion sees.
    pub fn mark_seen(&mut self) {
        self.is_seen.clear();
        self.is_seen.resize(self.touch_us.len(), false);
        let mut done = 0;
        for conversion in &self.conversions {
            let Span { start, end, .. } = conversion.span;
            let from = start.max(done).min(end);
            self.is_seen[from..end].fill(true);
            done = done.max(end);
        }
        // A conversion's own row is seen if a neighbour sees it: the spans of others end or begin
        // further away.
        for (index, conversion) in self.conversions.iter().enumerate() {
            let Span { end, hole, .. } = conversion.span;
            let sees = |other: Option<&Conversion<A::Share>>| {
                other.is_some_and(|other| other.span.start <= hole && hole < other.span.end)
            };
            if hole < end {
                let before = index.checked_sub(1).and_then(|index| self.conversions.get(index));
                self.is_seen[hole] = sees(before) || sees(self.conversions.get(index + 1));
            }
        }
        // Touches that equal each other share what one of them gets.
        if self.has_twins {
            for touch in 1..self.is_twin.len() {
                self.is_seen[touch] |= self.is_twin[touch] && self.is_seen[touch - 1];
            }
            for touch in (1..self.is_twin.len()).rev() {
                self.is_seen[touch - 1] |= self.is_twin[touch] && self.is_seen[touch];
            }
        }
    }

    /// The only conversion, where it sees at most one touch: every model says the same then.
    pub fn lone_conversion(&self) -> Option<&Conversion<A::Share>> {
        match self.conversions.as_slice() {
            [conversion] if conversion.span.len() <= 1 && !self.has_twins => Some(conversion),
            _ => None,
        }
    }

    /// Whether pairs of conversion and touch are many beside the rows.
    pub fn is_heavy(&self, pairs_per_row: usize) -> bool {
        let pairs: usize = self.conversions.iter().map(|conversion| conversion.span.len()).sum();
        pairs > pairs_per_row * (self.touch_us.len() + self.conversions.len() + 4)
    }
}

/// Up to this many channels are searched one by one.
const FEW_CHANNELS: usize = 12;

/// Whether a touch is at most `lookback_us` before a conversion at `conversion_us`.
///
/// Infinity plus a lookback is that infinity, and a sum beyond the range of time saturates.
#[inline]
fn reaches(lookback_us: Option<i64>, touch_us: i64, conversion_us: i64) -> bool {
    match lookback_us {
        None => true,
        Some(_) if touch_us == i64::MIN => conversion_us == i64::MIN,
        Some(lookback_us) => conversion_us <= touch_us.saturating_add(lookback_us),
    }
}

/// The order of rows of one time (ATTRIBUTION-3).
fn in_tie<M: Mask, A: Amount>(plan: &Plan, user: &User<M, A>, one: usize, other: usize) -> Ordering {
    let tie = |row: usize| user.ties.map_or(0, |ties| ties[row]);
    // Code 0, no channel, comes last.
    let channel = |row: usize| user.channels[row].wrapping_sub(1);
    let bits = plan.spec.kind_bits();
    let kind = |row: usize| user.kinds[row].bits() & bits;
    tie(one)
        .cmp(&tie(other))
        .then_with(|| channel(one).cmp(&channel(other)))
        .then_with(|| (kind(one) & CONVERSION).cmp(&(kind(other) & CONVERSION)))
        .then_with(|| user.values[one].order(user.values[other]))
        .then_with(|| (kind(one) & TOUCH).cmp(&(kind(other) & TOUCH)))
        .then_with(|| kind(one).cmp(&kind(other)))
}

/// Spreads channel codes, which are small and dense.
#[derive(Clone, Copy, Debug, Default)]
struct CodeHasher(u64);

impl Hasher for CodeHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u32(u32::from(byte));
        }
    }

    fn write_u32(&mut self, code: u32) {
        self.0 = (self.0 ^ u64::from(code)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    }
}
