//! One user's rows as column slices, read in groups of equal time.

use super::spec::Spec;

/// Which steps a row satisfies, in the narrowest integer that has a bit for each.
///
/// Bit `k` is set when the row satisfies step `k + 1`; a step without a bit is never satisfied.
pub trait Mask: Copy {
    /// The mask widened to 64 bits.
    fn bits(self) -> u64;
}

macro_rules! mask {
    ($($integer:ty),*) => {
        $(impl Mask for $integer {
            #[inline(always)]
            fn bits(self) -> u64 {
                u64::from(self)
            }
        })*
    };
}
mask!(u8, u16, u32, u64);

/// The rows of one user that a rule looks at: all of them, or those before a strict mode ended the
/// journey.
pub(super) struct Rows<'a, M> {
    pub at_us: &'a [i64],
    pub masks: &'a [M],
    /// From this row on (the rows of one last time group) only `border_steps` count.
    pub border_row: usize,
    /// The steps that lie before the end of the journey inside its last time group.
    pub border_steps: u64,
}

/// The rows of one time, summed up.
pub(super) struct Group {
    pub at_us: i64,
    /// First row of the group, and the row after its last.
    pub start: usize,
    pub end: usize,
    /// Steps that some row satisfies.
    pub any: u64,
    /// Steps that at least two rows satisfy.
    pub repeated: u64,
    /// Steps that are the lowest step of some row.
    pub lowest: u64,
    /// Some row satisfies no step.
    pub has_intruder: bool,
    /// Some row satisfies several steps.
    pub has_multiple: bool,
}

impl<'a, M: Mask> Rows<'a, M> {
    /// Every row counts with every step.
    pub fn all(at_us: &'a [i64], masks: &'a [M]) -> Self {
        Self { at_us, masks, border_row: at_us.len(), border_steps: u64::MAX }
    }

    /// The steps of a row that count.
    #[inline]
    pub fn steps(&self, row: usize, step_bits: u64) -> u64 {
        let steps = self.masks[row].bits() & step_bits;
        if row >= self.border_row { steps & self.border_steps } else { steps }
    }

    /// The group that begins with row `start`, which must exist.
    #[inline]
    pub fn group_from(&self, start: usize, step_bits: u64) -> Group {
        let mut group = Group::empty(self.at_us[start], start);
        while group.end < self.at_us.len() && self.at_us[group.end] == group.at_us {
            group.add(self.steps(group.end, step_bits));
            group.end += 1;
        }
        group
    }

    /// The group that ends before row `end`, which must not be 0.
    #[inline]
    pub fn group_before(&self, end: usize, step_bits: u64) -> Group {
        let mut group = Group::empty(self.at_us[end - 1], end);
        while group.start > 0 && self.at_us[group.start - 1] == group.at_us {
            group.start -= 1;
            group.add(self.steps(group.start, step_bits));
        }
        group
    }
}

impl Group {
    fn empty(at_us: i64, row: usize) -> Self {
        Self { at_us, start: row, end: row, any: 0, repeated: 0, lowest: 0, has_intruder: false, has_multiple: false }
    }

    #[inline]
    fn add(&mut self, steps: u64) {
        let without_lowest = steps & steps.wrapping_sub(1);
        self.repeated |= self.any & steps;
        self.any |= steps;
        self.lowest |= steps ^ without_lowest;
        self.has_intruder |= steps == 0;
        self.has_multiple |= without_lowest != 0;
    }
}

/// The steps of a mask from the first to the last, each counted from 0.
#[inline]
pub(super) fn ascending(mut steps: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let step = steps.trailing_zeros() as usize;
        (steps != 0).then(|| {
            steps &= steps - 1;
            step
        })
    })
}

/// The steps of a mask from the last to the first, each counted from 0.
#[inline]
pub(super) fn descending(mut steps: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        (steps != 0).then(|| {
            let step = 63 - steps.leading_zeros() as usize;
            steps ^= 1 << step;
            step
        })
    })
}

/// Checks what every rule relies on. The lengths are the caller's invariant, the order too costly
/// to check twice.
pub(super) fn check<M>(spec: &Spec, at_us: &[i64], masks: &[M]) {
    assert_eq!(at_us.len(), masks.len(), "a time and a mask for every row");
    debug_assert!(at_us.is_sorted(), "rows of a funnel of {} steps are not sorted by time", spec.steps());
}
