//! How far the longest chain goes, where no mode ends the journey: default, `strict_increase`,
//! `strict_once`.
//!
//! For each level the scan keeps one number: the deadline of the chain there that entered last. A
//! later entry can do whatever an earlier one can, so nothing else is needed. Deadlines fall from
//! level to level, because a longer chain cannot have entered later than its own beginning.

use std::hint::select_unpredictable;

use super::matching::Matching;
use super::rows::{Mask, Rows};
use super::spec::{MAX_STEPS, Spec};

/// Deadline by level; place 0 stands for the chain that the current time group could begin.
pub(super) type Deadlines = [i64; MAX_STEPS + 1];

/// No chain has this level. No time after -infinity is as early, so such a level never advances.
const UNREACHED: i64 = i64::MIN;

/// The level in default mode or, with `INCREASE`, under `strict_increase`.
///
/// One pass, a few instructions for each set bit, no branch on the data but for equal times.
pub(super) fn scan<M: Mask, const INCREASE: bool>(
    spec: &Spec,
    at_us: &[i64],
    masks: &[M],
    deadlines: &mut Deadlines,
) -> u32 {
    let steps = spec.steps();
    let step_bits = spec.step_bits();
    let window_us = spec.window_us();
    reset(steps, deadlines);
    let mut row = 0;
    let mut level_at_minus_infinity = 0;
    while row < at_us.len() {
        let at = at_us[row];
        let mut any = masks[row].bits();
        row += 1;
        while row < at_us.len() && at_us[row] == at {
            any |= masks[row].bits();
            row += 1;
        }
        any &= step_bits;
        if at == i64::MIN {
            level_at_minus_infinity = first_group(steps, deadlines, |deadlines| {
                advance::<INCREASE>(deadlines, at, any);
            });
            continue;
        }
        deadlines[0] = at.saturating_add(window_us);
        advance::<INCREASE>(deadlines, at, any);
        if deadlines[steps] != UNREACHED {
            return steps as u32;
        }
    }
    reached(steps, deadlines).max(level_at_minus_infinity)
}

/// The level under `strict_once`.
///
/// A row alone at its time takes one step, rows with one step each never compete; only the rest
/// needs matching.
pub(super) fn scan_once<M: Mask>(
    spec: &Spec,
    at_us: &[i64],
    masks: &[M],
    deadlines: &mut Deadlines,
    matching: &mut Matching,
) -> u32 {
    let steps = spec.steps();
    let step_bits = spec.step_bits();
    let rows = Rows::all(at_us, masks);
    reset(steps, deadlines);
    let mut row = 0;
    let mut level_at_minus_infinity = 0;
    while row < at_us.len() {
        let at = at_us[row];
        let is_alone = at_us.get(row + 1).is_none_or(|&next| next != at);
        if is_alone && at != i64::MIN {
            deadlines[0] = spec.deadline_us(at);
            advance::<true>(deadlines, at, masks[row].bits() & step_bits);
            row += 1;
            if deadlines[steps] != UNREACHED {
                return steps as u32;
            }
            continue;
        }
        let group = rows.group_from(row, step_bits);
        row = group.end;
        let mut advance_group = |deadlines: &mut Deadlines| {
            if !group.has_multiple {
                advance::<false>(deadlines, group.at_us, group.any);
            } else {
                matching.load(&rows, group.start, group.end, steps, step_bits);
                advance_matched(deadlines, group.at_us, group.any, steps, matching);
            }
        };
        if group.at_us == i64::MIN {
            level_at_minus_infinity = first_group(steps, deadlines, advance_group);
            continue;
        }
        deadlines[0] = spec.deadline_us(group.at_us);
        advance_group(deadlines);
        if deadlines[steps] != UNREACHED {
            return steps as u32;
        }
    }
    reached(steps, deadlines).max(level_at_minus_infinity)
}

/// Takes the steps of one time group.
///
/// Upwards, a step sees what the same group did to the level below: steps at one time follow each
/// other. Downwards, it sees the level below as it was before the group: each chain takes at most
/// one step.
#[inline(always)]
fn advance<const INCREASE: bool>(deadlines: &mut Deadlines, at_us: i64, mut steps: u64) {
    while steps != 0 {
        let step = if INCREASE { 63 - steps.leading_zeros() } else { steps.trailing_zeros() } as usize & 63;
        steps &= !(1 << step);
        let deadline = deadlines[step];
        // Whether a step is in time is a coin toss to the processor: a wrong guess costs more than
        // both moves.
        deadlines[step + 1] = select_unpredictable(at_us <= deadline, deadline, deadlines[step + 1]);
    }
}

/// Takes the steps of one time group whose rows serve one step of a chain each.
///
/// From level `step` a chain goes as far as the steps that follow can be matched to distinct rows.
/// The run is held while `step` goes down: one more step at its lower end, as many fewer at its
/// upper end as that costs.
fn advance_matched(deadlines: &mut Deadlines, at_us: i64, any: u64, steps: usize, matching: &mut Matching) {
    let mut run_end = steps;
    for step in (0..steps).rev() {
        if any >> step & 1 == 0 {
            matching.clear();
            run_end = step;
            continue;
        }
        while !matching.add(step) {
            run_end -= 1;
            matching.remove(run_end);
        }
        // Levels above `step` only: the ones below are still as they were before the group.
        if at_us <= deadlines[step] {
            let deadline = deadlines[step];
            deadlines[step + 1..=run_end].fill(deadline);
        }
    }
}

/// The level reached inside the group at -infinity, whose chains cannot go on later (FUNNEL-3).
#[cold]
fn first_group(steps: usize, deadlines: &mut Deadlines, advance_group: impl FnOnce(&mut Deadlines)) -> u32 {
    deadlines[0] = i64::MAX;
    advance_group(deadlines);
    // Level 1 and up, reached from the open deadline above, hold a value other than `UNREACHED`.
    let level = reached(steps, deadlines);
    reset(steps, deadlines);
    level
}

/// Up to this many steps, all levels fit into a few vector registers and are handled at once.
const FEW_STEPS: usize = 8;

fn reset(steps: usize, deadlines: &mut Deadlines) {
    if steps <= FEW_STEPS {
        deadlines[..=FEW_STEPS].fill(UNREACHED);
    } else {
        deadlines.fill(UNREACHED);
    }
}

/// The highest level reached; the levels below it were reached too, those above the last step
/// never.
fn reached(steps: usize, deadlines: &Deadlines) -> u32 {
    let count = |levels: &[i64]| levels.iter().map(|&deadline| u32::from(deadline != UNREACHED)).sum();
    if steps <= FEW_STEPS { count(&deadlines[1..=FEW_STEPS]) } else { count(&deadlines[1..]) }
}
