//! The rules by example, ClickHouse's answers, and the fast code against slow obvious code.

mod behaviour_cases;
mod cost;
mod goldens;
mod oracle;
mod properties;
mod rules;
mod specs;

use super::{Compat, Modes, Report, Scratch, Spec, level, times};

/// A second, in the unit of the rules.
const SECOND: i64 = 1_000_000;

/// Rows as `(time, mask)`, in any order.
type Events = Vec<(i64, u64)>;

/// Modes from their names joined by `+`; empty for the default.
fn modes(names: &str) -> Modes {
    Modes::from_names(names.split('+').filter(|name| !name.is_empty())).expect("supported modes")
}

fn spec(steps: usize, window_us: i64, modes: Modes) -> Spec {
    Spec::try_new(steps, window_us, modes, Compat::Tributary, Report::First).expect("valid spec")
}

fn with_compat(spec: &Spec, compat: Compat) -> Spec {
    Spec::try_new(spec.steps(), spec.window_us(), spec.modes(), compat, Report::First).expect("valid spec")
}

fn with_report(spec: &Spec, report: Report) -> Spec {
    Spec::try_new(spec.steps(), spec.window_us(), spec.modes(), spec.compat(), report).expect("valid spec")
}

fn columns(events: &[(i64, u64)]) -> (Vec<i64>, Vec<u64>) {
    let mut sorted = events.to_vec();
    sorted.sort_by_key(|&(at_us, _)| at_us);
    sorted.into_iter().unzip()
}

fn level_of(spec: &Spec, events: &[(i64, u64)]) -> u32 {
    let (at_us, masks) = columns(events);
    level(spec, &at_us, &masks, &mut Scratch::default())
}

fn times_of(spec: &Spec, events: &[(i64, u64)]) -> Vec<i64> {
    let (at_us, masks) = columns(events);
    let mut out = Vec::new();
    times(spec, &at_us, &masks, &mut Scratch::default(), &mut out);
    out
}

/// The mask of a row named `name`, where every letter of `chain` is a step.
fn mask_of(chain: &str, name: char) -> u64 {
    chain.chars().enumerate().filter(|&(_, step)| step == name).map(|(step, _)| 1 << step).sum()
}

/// Rows from text: `0:a 5:b 5:x`, times in seconds, names that `chain` lists or not.
fn events(chain: &str, text: &str) -> Events {
    text.split_whitespace()
        .map(|row| {
            let (at, name) = row.split_once(':').expect("time:name");
            let at: i64 = at.parse().expect("seconds");
            (at * SECOND, name.chars().map(|name| mask_of(chain, name)).fold(0, |mask, step| mask | step))
        })
        .collect()
}

/// Rows a second apart, one for each letter.
fn in_turn(chain: &str, letters: &str) -> Events {
    letters.chars().enumerate().map(|(at, name)| (at as i64 * SECOND, mask_of(chain, name))).collect()
}

/// Whether the times are within the window, in order, and each is that of a row of its step.
fn is_chain(spec: &Spec, events: &[(i64, u64)], times_us: &[i64]) -> bool {
    let in_order = |pair: &[i64]| pair[0] < pair[1] || !spec.modes().strict_increase && pair[0] == pair[1];
    times_us.windows(2).all(in_order)
        && times_us.iter().enumerate().all(|(step, &at_us)| {
            at_us - times_us[0] <= spec.window_us()
                && events.iter().any(|&(row_us, mask)| row_us == at_us && mask >> step & 1 == 1)
        })
}
