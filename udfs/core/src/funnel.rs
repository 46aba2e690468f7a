//! How far a user got in a sequence of steps, and when.
//!
//! A user's rows come as two columns sorted by time: the time in microseconds, and a mask whose bit
//! `k` says that the row satisfies step `k + 1`. [`level`] is the number of steps the user reached,
//! [`times`] when each was taken.
//!
//! # Rules
//!
//! Letters are rows a second apart that satisfy the step of that letter; funnel a, b, c unless
//! said.
//!
//! - **FUNNEL-1, entries.** A row that satisfies steps k1, k2, ... is an *entry* `(t, k)` for each.
//!   Entries are ordered by time, then step, so steps at one time can follow each other: a row that
//!   satisfies a, b and c makes level 3. The answer depends on the set of rows only, never on their
//!   order inside a time.
//! - **FUNNEL-2, chains.** A *chain* of length L is an entry for each of the steps 1 to L, in the
//!   order of entries. The level is the length of the longest chain. Rows between its entries do
//!   not matter: `axbxc` makes 3.
//! - **FUNNEL-3, window.** All entries of a chain lie at most `window` after its first, inclusive.
//!   Times saturate: an entry at -infinity can only be followed at -infinity, and a window that
//!   passes the end of time ends there.
//! - **FUNNEL-4, `strict_increase`.** The times of a chain strictly increase.
//! - **FUNNEL-5, `strict_once`.** The entries of a chain belong to distinct rows.
//! - **FUNNEL-6, journey.** The two modes below look at the *journey*: the entries up to where the
//!   mode ends it. The level is the length of the longest chain in it. Step k is *reached* before
//!   an entry when the entries before it contain a chain of length k.
//! - **FUNNEL-7, `strict_deduplication`.** The journey ends just before the first entry of a step
//!   after the first that was already reached: `aabbcc` makes 2. A repeat of the first step ends
//!   nothing: `abac` makes 3.
//! - **FUNNEL-8, `strict_order`.** Once step 1 was seen, the journey ends just before the first
//!   intruder: a row with no step, or a row none of whose steps is admissible. Step 1 is always
//!   admissible, step k when k - 1 was reached before. `axbc` and `acb` make 1. At one time, rows
//!   with no step come first, then steps ascending.
//! - **FUNNEL-9, `allow_reentry`.** Under `strict_order`, rows with steps of which none is
//!   admissible are skipped; rows with no step still end the journey. `acb` makes 2.
//! - **FUNNEL-10, report.** Of the longest chains in the journey [`times`] takes the one with the
//!   earliest entry, the latest entry or the shortest duration (ties: the earliest), and from that
//!   entry the earliest time for every step.
//! - **FUNNEL-11, limits.** 1 to [`MAX_STEPS`] steps; the mode combinations of
//!   [`Modes::SUPPORTED`].
//!
//! # Where ClickHouse differs
//!
//! - **FUNNEL-12, `compat`.** [`Compat::ClickHouse`] reproduces the scan of its `windowFunnel`,
//!   where levels are:
//!   - `strict_increase`: the scan keeps one chain per level, and a later one overwrites it. Steps
//!     a, b on a@0 a@1 b@1: ours 2 (a@0, b@1), ClickHouse 1. Steps a, a, b on a@0 a@1 b@2: ours 3,
//!     ClickHouse 1, because both steps of a row are taken in turn and the first blocks the second.
//!     With `strict_deduplication` ours can also be lower: on a@0 a@1 b@1 b@2 c@3 the first b
//!     reached step 2 and the second repeats it, ours 2; ClickHouse lost the first, 3.
//!   - `strict_order`: every step of a row must be admissible, not one. Steps a, b, a, c on `abac`:
//!     ours 4, ClickHouse 1, because its first row is also step 3.
//!   - Otherwise both agree, `strict_once` included, which ClickHouse enumerates and we match in
//!     polynomial time.
//!
//!   Its `times` are those of the chain stored at the highest level when its scan ends: it ends
//!   with the first entry of the last step, and until then keeps the latest chain at each level.
//!   There is no report to choose. Under `strict_once` the chain reported is the native one with
//!   the earliest entry.
//!
//! # Cost
//!
//! One pass, `O(rows x steps)` at worst and a few instructions for each set bit in the common
//! modes; [`times`] adds one pass backwards. Under `strict_once` a time group with rows of several
//! steps adds `O(steps^3)`. No allocation for a user: [`Scratch`] is reused.

mod chain;
mod clickhouse;
mod journey;
mod level;
mod matching;
mod rows;
mod spec;
#[cfg(test)]
mod tests;

use journey::Until;
use level::Deadlines;
use matching::Matching;
use rows::Rows;

pub use rows::Mask;
pub use spec::{Compat, MAX_STEPS, Modes, ModesError, Report, Spec, SpecError};

/// Working memory of [`level`] and [`times`], reused between users and specs; nothing carries over
/// from one call to the next.
#[derive(Clone, Debug)]
pub struct Scratch {
    deadlines: Deadlines,
    matching: Matching,
    chains: clickhouse::Chains,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { deadlines: [0; MAX_STEPS + 1], matching: Matching::default(), chains: clickhouse::Chains::default() }
    }
}

/// The furthest step that one user reached: 0 to `spec.steps()`.
///
/// `at_us` must be sorted and as long as `masks`; order inside equal times does not matter. Rows
/// with mask 0 may be left out unless [`Spec::sees_all_rows`]. Never fails; panics only if the
/// lengths differ.
pub fn level<M: Mask>(spec: &Spec, at_us: &[i64], masks: &[M], scratch: &mut Scratch) -> u32 {
    rows::check(spec, at_us, masks);
    let modes = spec.modes();
    if modes.strict_once {
        return level::scan_once(spec, at_us, masks, &mut scratch.deadlines, &mut scratch.matching);
    }
    // In default mode the latest chain at each level is also the best, so both scans are one.
    if modes == Modes::DEFAULT {
        return level::scan::<M, false>(spec, at_us, masks, &mut scratch.deadlines);
    }
    if spec.compat() == Compat::ClickHouse {
        return clickhouse::level(spec, at_us, masks, &mut scratch.chains);
    }
    if modes.strict_order || modes.strict_deduplication {
        return journey::walk(spec, at_us, masks, &mut scratch.deadlines, Until::LevelIsKnown).level;
    }
    level::scan::<M, true>(spec, at_us, masks, &mut scratch.deadlines)
}

/// Appends to `out` the time of every step of the reported chain: [`level`] times, in microseconds,
/// ascending.
///
/// Input as for [`level`]. Appends nothing for a user who did not take step 1.
pub fn times<M: Mask>(spec: &Spec, at_us: &[i64], masks: &[M], scratch: &mut Scratch, out: &mut Vec<i64>) {
    rows::check(spec, at_us, masks);
    let modes = spec.modes();
    if spec.compat() == Compat::ClickHouse && !modes.strict_once {
        return clickhouse::times(spec, at_us, masks, &mut scratch.chains, out);
    }
    let (level, journey) = if modes.strict_order || modes.strict_deduplication {
        let journey = journey::walk(spec, at_us, masks, &mut scratch.deadlines, Until::JourneyEnds);
        let (at_us, masks) = (&at_us[..journey.row_count], &masks[..journey.row_count]);
        let rows = Rows { at_us, masks, border_row: journey.border_row, border_steps: journey.border_steps };
        (journey.level, rows)
    } else {
        (level(spec, at_us, masks, scratch), Rows::all(at_us, masks))
    };
    chain::report(spec, &journey, level as usize, &mut scratch.matching, out);
}
