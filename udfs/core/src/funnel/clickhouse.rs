//! The scan of ClickHouse's `windowFunnel`, for answers equal to its own (FUNNEL-12).
//!
//! For each level it keeps one chain: the one that was stored there last, its entry and its last
//! time. Entries are taken one by one, ordered by time and step; a row without a step is an entry
//! only under `strict_order`.

use super::rows::{Mask, Rows, ascending};
use super::spec::{MAX_STEPS, Spec};

/// What the scan keeps, reused between users.
#[derive(Clone, Debug)]
pub(super) struct Chains {
    deadline_us: [i64; MAX_STEPS],
    last_us: [i64; MAX_STEPS],
    /// The times of the chain at each level, `MAX_STEPS` places for each; kept up only where asked
    /// for.
    times_us: Vec<i64>,
}

impl Default for Chains {
    fn default() -> Self {
        Self { deadline_us: [0; MAX_STEPS], last_us: [0; MAX_STEPS], times_us: Vec::new() }
    }
}

impl Chains {
    fn enter(&mut self, at_us: i64, deadline_us: i64, keep_times: bool) {
        self.deadline_us[0] = deadline_us;
        self.last_us[0] = at_us;
        if keep_times {
            self.times_us[0] = at_us;
        }
    }

    /// Stores at the level of `step` the chain of the level below, longer by this time.
    fn extend(&mut self, step: usize, at_us: i64, keep_times: bool) {
        self.deadline_us[step] = self.deadline_us[step - 1];
        self.last_us[step] = at_us;
        if keep_times {
            let below = (step - 1) * MAX_STEPS;
            self.times_us.copy_within(below..below + step, step * MAX_STEPS);
            self.times_us[step * MAX_STEPS + step] = at_us;
        }
    }
}

/// The level that ClickHouse gives, in every supported mode but `strict_once`.
pub(super) fn level<M: Mask>(spec: &Spec, at_us: &[i64], masks: &[M], chains: &mut Chains) -> u32 {
    scan(spec, at_us, masks, chains, false) as u32
}

/// Appends the times of the chain stored at the highest level when the scan ends.
pub(super) fn times<M: Mask>(spec: &Spec, at_us: &[i64], masks: &[M], chains: &mut Chains, out: &mut Vec<i64>) {
    chains.times_us.resize(spec.steps() * MAX_STEPS, 0);
    let level = scan(spec, at_us, masks, chains, true);
    if level > 0 {
        let start = (level - 1) * MAX_STEPS;
        out.extend_from_slice(&chains.times_us[start..start + level]);
    }
}

fn scan<M: Mask>(spec: &Spec, at_us: &[i64], masks: &[M], chains: &mut Chains, keep_times: bool) -> usize {
    let step_bits = spec.step_bits();
    let modes = spec.modes();
    let rows = Rows::all(at_us, masks);
    let mut level = 0;
    let mut row = 0;
    while row < at_us.len() && level < spec.steps() {
        let group = rows.group_from(row, step_bits);
        row = group.end;
        if modes.strict_order && group.has_intruder && level > 0 {
            return level;
        }
        for step in ascending(group.any) {
            if step == 0 {
                chains.enter(group.at_us, spec.deadline_us(group.at_us), keep_times);
                level = level.max(1);
                continue;
            }
            if modes.strict_deduplication && level > step {
                return level;
            }
            // Tested for every step of a row, so a row that also satisfies a later step ends the
            // scan.
            if modes.strict_order && level > 0 && level < step {
                if modes.allow_reentry {
                    continue;
                }
                return level;
            }
            // Under strict_increase the stored chain may be blocked where an overwritten one was
            // not: the defect.
            let goes_on = level >= step
                && group.at_us <= chains.deadline_us[step - 1]
                && (!modes.strict_increase || chains.last_us[step - 1] < group.at_us);
            if goes_on {
                chains.extend(step, group.at_us, keep_times);
                level = level.max(step + 1);
                if level == spec.steps() || modes.strict_deduplication && group.repeated >> step & 1 == 1 {
                    return level;
                }
            }
        }
    }
    level
}
