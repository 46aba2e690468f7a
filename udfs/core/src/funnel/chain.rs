//! Which chain is reported, and its times (FUNNEL-10).
//!
//! A scan backwards finds every entry from which the level can be reached, and how soon.
//! From the chosen one, a walk forward takes each step as early as it can.

use super::matching::Matching;
use super::rows::{Group, Mask, Rows, ascending, descending};
use super::spec::{MAX_STEPS, Report, Spec, steps_below};

/// What a row may do for one chain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Serve any number of steps.
    Reuse,
    /// Serve one step, and no other row of the same time another (FUNNEL-4).
    OnePerTime,
    /// Serve one step (FUNNEL-5).
    OnePerRow,
}

impl Use {
    pub fn of(spec: &Spec) -> Self {
        match spec.modes() {
            modes if modes.strict_once => Self::OnePerRow,
            modes if modes.strict_increase => Self::OnePerTime,
            _ => Self::Reuse,
        }
    }

    /// The simplest use that is the same for the rows of this group: few groups need matching.
    fn within(self, group: &Group) -> Self {
        match self {
            Self::OnePerRow if !group.has_multiple => Self::Reuse,
            Self::OnePerRow if group.end - group.start == 1 => Self::OnePerTime,
            row_use => row_use,
        }
    }
}

/// Appends the times of the reported chain of `level` steps, which must exist in the rows.
pub(super) fn report<M: Mask>(
    spec: &Spec,
    rows: &Rows<'_, M>,
    level: usize,
    matching: &mut Matching,
    out: &mut Vec<i64>,
) {
    if level == 0 {
        return;
    }
    let entry_row = choose_entry(spec, rows, level, matching);
    walk_from(Use::of(spec), rows, entry_row, level, matching, out);
}

/// The first row of the time group in which the reported chain enters.
fn choose_entry<M: Mask>(spec: &Spec, rows: &Rows<'_, M>, level: usize, matching: &mut Matching) -> usize {
    let mut ends = Ends::new(level);
    let mut chosen_row = 0;
    let mut shortest_us = i64::MAX;
    let mut end = rows.at_us.len();
    while end > 0 {
        let group = rows.group_before(end, steps_below(level));
        end = group.start;
        ends.retreat(Use::of(spec), rows, &group, matching);
        let Some(done_us) = ends.of_chain_entering(&group) else {
            continue;
        };
        if done_us > spec.deadline_us(group.at_us) {
            continue;
        }
        let took_us = done_us.saturating_sub(group.at_us);
        if spec.report() == Report::Fastest && took_us > shortest_us {
            continue;
        }
        shortest_us = took_us;
        chosen_row = group.start;
        if spec.report() == Report::Last {
            break;
        }
    }
    chosen_row
}

/// For each step, the earliest time at which it and all later steps can be done, beginning at the
/// current group.
struct Ends {
    level: usize,
    /// The lowest step (from 0) that has an end; all above it have one too. `level` itself is
    /// "nothing left to do".
    lowest_step: usize,
    by_step: [i64; MAX_STEPS + 1],
}

impl Ends {
    fn new(level: usize) -> Self {
        Self { level, lowest_step: level, by_step: [0; MAX_STEPS + 1] }
    }

    /// Takes the group before all groups taken so far. An end never grows: more rows leave more
    /// choice.
    fn retreat<M: Mask>(&mut self, row_use: Use, rows: &Rows<'_, M>, group: &Group, matching: &mut Matching) {
        self.by_step[self.level] = group.at_us;
        match row_use.within(group) {
            // Downwards, a step is followed by later steps of its own group.
            Use::Reuse => descending(group.any).for_each(|step| self.precede(step)),
            // Upwards, it sees the step above as it was before the group.
            Use::OnePerTime => ascending(group.any).for_each(|step| self.precede(step)),
            Use::OnePerRow => self.retreat_matched(rows, group, matching),
        }
    }

    fn precede(&mut self, step: usize) {
        if step + 1 >= self.lowest_step {
            self.by_step[step] = self.by_step[step + 1];
            self.lowest_step = self.lowest_step.min(step);
        }
    }

    /// The mirror of the forward scan: a run of matched steps, one more at its upper end, fewer at
    /// its lower end.
    fn retreat_matched<M: Mask>(&mut self, rows: &Rows<'_, M>, group: &Group, matching: &mut Matching) {
        matching.load(rows, group.start, group.end, self.level, steps_below(self.level));
        let mut run_start = 0;
        for step in 0..self.level {
            if group.any >> step & 1 == 0 {
                matching.clear();
                run_start = step + 1;
                continue;
            }
            while !matching.add(step) {
                matching.remove(run_start);
                run_start += 1;
            }
            // Steps up to `step` only: the ones above are still as they were before the group.
            if step + 1 >= self.lowest_step {
                let done_us = self.by_step[step + 1];
                self.by_step[run_start..=step].fill(done_us);
                self.lowest_step = self.lowest_step.min(run_start);
            }
        }
    }

    fn of_chain_entering(&self, group: &Group) -> Option<i64> {
        (group.any & 1 == 1 && self.lowest_step == 0).then_some(self.by_step[0])
    }
}

/// Takes every step as early as it can be taken after an entry in the group of `entry_row`.
///
/// Going further inside a group never hurts: what a shorter chain could do later, a longer one need
/// not do.
fn walk_from<M: Mask>(
    row_use: Use,
    rows: &Rows<'_, M>,
    entry_row: usize,
    level: usize,
    matching: &mut Matching,
    out: &mut Vec<i64>,
) {
    let mut step = 0;
    let mut row = entry_row;
    while step < level && row < rows.at_us.len() {
        let group = rows.group_from(row, steps_below(level));
        row = group.end;
        let run_start = step;
        match row_use.within(&group) {
            Use::Reuse => {
                while step < level && group.any >> step & 1 == 1 {
                    step += 1;
                }
            }
            Use::OnePerTime => step += (group.any >> step & 1) as usize,
            Use::OnePerRow => {
                matching.load(rows, group.start, group.end, level, steps_below(level));
                while step < level && matching.add(step) {
                    step += 1;
                }
            }
        }
        out.extend(std::iter::repeat_n(group.at_us, step - run_start));
    }
    debug_assert_eq!(step, level, "the chosen entry begins a chain of the level");
}
