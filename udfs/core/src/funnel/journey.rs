//! Where a strict mode ends the journey: `strict_order` and `strict_deduplication`, alone or
//! combined.

use super::level::Deadlines;
use super::rows::{Mask, Rows, ascending};
use super::spec::{Spec, steps_below};

/// The part of a user's rows that a strict mode looks at, and the longest chain in it.
pub(super) struct Journey {
    pub level: u32,
    /// Rows up to the end of the journey, the time group in which it ended included.
    pub row_count: usize,
    /// From this row on, the group in which it ended, only `border_steps` lie before the end.
    pub border_row: usize,
    pub border_steps: u64,
}

/// How much of the journey the caller needs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// The level: nothing can change it once the last step is reached.
    LevelIsKnown,
    /// The end of the journey, for the chain to report.
    JourneyEnds,
}

/// Walks the entries in order until the modes end the journey (FUNNEL-6 to FUNNEL-9).
pub(super) fn walk<M: Mask>(
    spec: &Spec,
    at_us: &[i64],
    masks: &[M],
    deadlines: &mut Deadlines,
    until: Until,
) -> Journey {
    let steps = spec.steps();
    let step_bits = spec.step_bits();
    let modes = spec.modes();
    let rows = Rows::all(at_us, masks);
    let mut level = 0;
    let mut row = 0;
    while row < at_us.len() {
        let group = rows.group_from(row, step_bits);
        row = group.end;
        let ended_before = |level: usize, step_count: usize| Journey {
            level: level as u32,
            row_count: group.end,
            border_row: group.start,
            border_steps: steps_below(step_count),
        };
        // Rows without a step come before the steps of their time (FUNNEL-8).
        if modes.strict_order && group.has_intruder && level > 0 {
            return ended_before(level, 0);
        }
        deadlines[0] = spec.deadline_us(group.at_us);
        // The level that the entry before this one set, and what it held before the group.
        let mut written = (0, None);
        for step in ascending(group.any) {
            if modes.strict_deduplication && step > 0 && level > step {
                return ended_before(level, step);
            }
            // A row's lowest step is admissible if any of its steps is: a chain passes the lower
            // step on its way.
            let is_intruder = group.lowest >> step & 1 == 1 && level > 0 && level < step;
            if modes.strict_order && !modes.allow_reentry && is_intruder {
                return ended_before(level, step);
            }
            let deadline = match written {
                (written_level, before) if modes.strict_increase && step > 0 && written_level == step => before,
                _ => (level >= step).then_some(deadlines[step]),
            };
            let Some(deadline) = deadline else { continue };
            if group.at_us > deadline {
                continue;
            }
            written = (step + 1, (level > step).then_some(deadlines[step + 1]));
            deadlines[step + 1] = deadline;
            level = level.max(step + 1);
            if level == steps && until == Until::LevelIsKnown {
                return ended_before(level, step + 1);
            }
            // The same step once more at the same time is already a repeat.
            if modes.strict_deduplication && step > 0 && group.repeated >> step & 1 == 1 {
                return ended_before(level, step + 1);
            }
        }
    }
    Journey { level: level as u32, row_count: at_us.len(), border_row: at_us.len(), border_steps: u64::MAX }
}
