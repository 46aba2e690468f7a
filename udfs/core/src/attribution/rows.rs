//! One user's rows as column slices, and what a conversion may be worth.

use std::cmp::Ordering;
use std::fmt;

/// The bit of a row's kind that says it is a touch (where it has a channel).
pub const TOUCH: u64 = 1;

/// The bit of a row's kind that says it is a conversion.
pub const CONVERSION: u64 = 2;

/// The bit of a row's kind that says it satisfies milestone `index`, counted from 0.
pub const fn milestone(index: usize) -> u64 {
    4 << index
}

/// The rows of one user as columns of equal length, sorted by time.
///
/// Order inside equal times does not matter. Rows whose kind [`super::Spec::needs`] not may be left
/// out.
#[derive(Clone, Copy, Debug)]
pub struct User<'a, M, A> {
    /// Microseconds, ascending; both ends of the range stand for infinity.
    pub at_us: &'a [i64],
    /// [`TOUCH`], [`CONVERSION`] and [`milestone`] bits; a narrow integer for few milestones.
    pub kinds: &'a [M],
    /// Codes of channels that sort as their labels do; 0 is no channel.
    pub channels: &'a [u32],
    /// Rank inside equal times, smaller first; decides before everything else.
    pub ties: Option<&'a [u32]>,
    /// What each row's conversion is worth; read at conversions, and to order equal times. NULL is 0.
    pub values: &'a [A],
}

/// What a conversion is worth: an `i128` for decimals, an `f64` for floats, `()` for nothing.
pub trait Amount: Copy {
    /// A share of a value, and sums of such shares.
    type Share: Copy + Default + PartialEq + fmt::Debug;

    /// The order of values inside equal times.
    fn order(self, other: Self) -> Ordering;

    /// The full value as a share, or `None` when this and what `spent` recorded of the user's other
    /// values no longer fit a decimal of 38 digits.
    fn whole(self, spent: &mut u128) -> Option<Self::Share>;

    /// A part of a whole, rounded.
    fn part(whole: Self::Share, share: f64) -> Self::Share;

    /// What rounding left of a whole after `given`: nothing for floats, which do not round.
    fn left(whole: Self::Share, given: Self::Share) -> Self::Share;

    /// The sum of two shares.
    fn plus(one: Self::Share, other: Self::Share) -> Self::Share;

    /// The difference of two shares.
    fn minus(one: Self::Share, other: Self::Share) -> Self::Share;

    /// The sum of `count` equal shares.
    fn times(one: Self::Share, count: usize) -> Self::Share;

    /// Part `index` of `count` equal parts of a share; what does not divide goes to the first.
    fn nth_part(share: Self::Share, count: usize, index: usize) -> Self::Share;

    /// A share as a float.
    fn to_f64(share: Self::Share) -> f64;

    /// The share nearest to a float.
    fn from_f64(share: f64) -> Self::Share;
}

/// Units of a decimal's share in one unit of the decimal: six more digits.
const SHARE_UNITS: i128 = 1_000_000;

/// The first value that 38 digits do not hold once shares have six more digits than values.
const VALUE_LIMIT: u128 = 10u128.pow(32);

impl Amount for i128 {
    type Share = i128;

    fn order(self, other: Self) -> Ordering {
        self.cmp(&other)
    }

    #[inline]
    fn whole(self, spent: &mut u128) -> Option<i128> {
        *spent = spent.saturating_add(self.unsigned_abs());
        (*spent < VALUE_LIMIT).then(|| self * SHARE_UNITS)
    }

    #[inline]
    fn part(whole: i128, share: f64) -> i128 {
        match i64::try_from(whole) {
            Ok(whole) => i128::from(rounded(whole as f64 * share)),
            Err(_) => part_of_large(whole, share),
        }
    }

    #[inline]
    fn left(whole: i128, given: i128) -> i128 {
        whole - given
    }

    #[inline]
    fn plus(one: i128, other: i128) -> i128 {
        one + other
    }

    #[inline]
    fn minus(one: i128, other: i128) -> i128 {
        one - other
    }

    #[inline]
    fn times(one: i128, count: usize) -> i128 {
        one * count as i128
    }

    fn nth_part(share: i128, count: usize, index: usize) -> i128 {
        nth_part(share, count, index)
    }

    fn to_f64(share: i128) -> f64 {
        share as f64
    }

    fn from_f64(share: f64) -> i128 {
        (share + 0.5f64.copysign(share)) as i128
    }
}

impl Amount for f64 {
    type Share = f64;

    fn order(self, other: Self) -> Ordering {
        self.total_cmp(&other)
    }

    #[inline]
    fn whole(self, _spent: &mut u128) -> Option<f64> {
        Some(self)
    }

    #[inline]
    fn part(whole: f64, share: f64) -> f64 {
        whole * share
    }

    #[inline]
    fn left(_whole: f64, _given: f64) -> f64 {
        0.0
    }

    #[inline]
    fn plus(one: f64, other: f64) -> f64 {
        one + other
    }

    #[inline]
    fn minus(one: f64, other: f64) -> f64 {
        one - other
    }

    #[inline]
    fn times(one: f64, count: usize) -> f64 {
        one * count as f64
    }

    fn nth_part(share: f64, count: usize, _index: usize) -> f64 {
        share / count as f64
    }

    fn to_f64(share: f64) -> f64 {
        share
    }

    fn from_f64(share: f64) -> f64 {
        share
    }
}

impl Amount for () {
    type Share = ();

    fn order(self, _other: Self) -> Ordering {
        Ordering::Equal
    }

    fn whole(self, _spent: &mut u128) -> Option<()> {
        Some(())
    }

    fn part(_whole: (), _share: f64) {}

    fn left(_whole: (), _given: ()) {}

    fn plus(_one: (), _other: ()) {}

    fn minus(_one: (), _other: ()) {}

    fn times(_one: (), _count: usize) {}

    fn nth_part(_share: (), _count: usize, _index: usize) {}

    fn to_f64(_share: ()) -> f64 {
        0.0
    }

    fn from_f64(_share: f64) {}
}

/// Rare, and kept apart because arithmetic on 128 bits is slow.
#[cold]
fn part_of_large(whole: i128, share: f64) -> i128 {
    i128::from_f64(whole as f64 * share)
}

/// Part `index` of `count` equal parts; the units that do not divide go to the first parts.
pub(super) fn nth_part(units: i128, count: usize, index: usize) -> i128 {
    let count = count as i128;
    units.div_euclid(count) + i128::from((index as i128) < units.rem_euclid(count))
}

/// To the nearest integer, halves away from zero.
#[inline]
pub(super) fn rounded(number: f64) -> i64 {
    (number + 0.5f64.copysign(number)) as i64
}

/// The values of one user's conversions add up to 10^32 units or more: with six more digits for
/// shares they do not fit a decimal of 38 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueTooLarge {
    /// The row at which the sum of absolute values became too large.
    pub row: usize,
}

impl fmt::Display for ValueTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the values of one user's conversions add up to more than 32 digits, which leaves no room for shares",
        )
    }
}

impl std::error::Error for ValueTooLarge {}
