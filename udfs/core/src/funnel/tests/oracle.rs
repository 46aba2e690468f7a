//! The definitions, executed: every chain is enumerated, and ClickHouse's scan is taken entry by
//! entry.
//!
//! Exponential in the number of events; for at most eight of them.

use super::super::{Compat, Report, Spec};

/// An entry of FUNNEL-1; `step` counts from 1, and 0 stands for a row without a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at_us: i64,
    step: usize,
    row: usize,
}

/// The level by definition.
pub fn level(spec: &Spec, events: &[(i64, u64)]) -> u32 {
    if spec.compat() == Compat::ClickHouse && !spec.modes().strict_once {
        return clickhouse_scan(spec, events) as u32;
    }
    longest(spec, &journey(spec, events)) as u32
}

/// The times of the chain to report, by definition.
pub fn times(spec: &Spec, events: &[(i64, u64)]) -> Vec<i64> {
    let journey = journey(spec, events);
    let length = longest(spec, &journey);
    let mut longest_chains = Vec::new();
    for_each_chain(spec, &journey, &mut |chain| {
        if chain.len() == length {
            longest_chains.push(chain.iter().map(|entry| entry.at_us).collect::<Vec<_>>());
        }
    });
    let took_us = |chain: &Vec<i64>| chain[chain.len() - 1].saturating_sub(chain[0]);
    // The times of a chain that takes every step as early as possible are the least in lexical
    // order.
    match spec.report() {
        Report::First => longest_chains.into_iter().min(),
        Report::Last => longest_chains.into_iter().min_by_key(|chain| (std::cmp::Reverse(chain[0]), chain.clone())),
        Report::Fastest => longest_chains.into_iter().min_by_key(|chain| (took_us(chain), chain.clone())),
    }
    .unwrap_or_default()
}

/// Whether the events hold a chain with these times.
pub fn has_chain(spec: &Spec, events: &[(i64, u64)], times_us: &[i64]) -> bool {
    let mut found = times_us.is_empty();
    for_each_chain(spec, &entries(spec, events), &mut |chain| {
        found |= chain.iter().map(|entry| entry.at_us).eq(times_us.iter().copied());
    });
    found
}

fn entries(spec: &Spec, events: &[(i64, u64)]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (row, &(at_us, mask)) in events.iter().enumerate() {
        for step in (1..=spec.steps()).filter(|step| mask >> (step - 1) & 1 == 1) {
            entries.push(Entry { at_us, step, row });
        }
        if entries.iter().all(|entry| entry.row != row) && spec.modes().strict_order {
            entries.push(Entry { at_us, step: 0, row });
        }
    }
    entries.sort();
    entries
}

/// FUNNEL-6 to FUNNEL-9.
fn journey(spec: &Spec, events: &[(i64, u64)]) -> Vec<Entry> {
    let modes = spec.modes();
    let entries = entries(spec, events);
    let reached = |step: usize, before: usize| longest(spec, &entries[..before]) >= step;
    let admissible = |at: usize| entries[at].step == 1 || entries[at].step > 1 && reached(entries[at].step - 1, at);
    let mut journey = Vec::new();
    for (at, &entry) in entries.iter().enumerate() {
        if modes.strict_deduplication && entry.step > 1 && reached(entry.step, at) {
            break;
        }
        let entered = entries[..at].iter().any(|earlier| earlier.step == 1);
        if modes.strict_order && entered && !(0..entries.len()).any(|of| entries[of].row == entry.row && admissible(of))
        {
            if modes.allow_reentry && entry.step > 0 {
                continue;
            }
            break;
        }
        journey.push(entry);
    }
    journey
}

fn longest(spec: &Spec, entries: &[Entry]) -> usize {
    let mut longest = 0;
    for_each_chain(spec, entries, &mut |chain| longest = longest.max(chain.len()));
    longest
}

/// FUNNEL-2 to FUNNEL-5: visits every chain of every length.
fn for_each_chain(spec: &Spec, entries: &[Entry], visit: &mut impl FnMut(&[Entry])) {
    fn grow(spec: &Spec, entries: &[Entry], chain: &mut Vec<Entry>, visit: &mut impl FnMut(&[Entry])) {
        for (at, &entry) in entries.iter().enumerate() {
            let fits = entry.step == chain.len() + 1
                && chain.first().is_none_or(|first| in_window(spec, first.at_us, entry.at_us))
                && chain.last().is_none_or(|last| !spec.modes().strict_increase || last.at_us < entry.at_us)
                && (!spec.modes().strict_once || chain.iter().all(|taken| taken.row != entry.row));
            if fits {
                chain.push(entry);
                visit(chain);
                grow(spec, &entries[at + 1..], chain, visit);
                chain.pop();
            }
        }
    }
    grow(spec, entries, &mut Vec::new(), visit);
}

fn in_window(spec: &Spec, entry_us: i64, at_us: i64) -> bool {
    match entry_us {
        i64::MIN => at_us == i64::MIN,
        _ => i128::from(at_us) - i128::from(entry_us) <= i128::from(spec.window_us()),
    }
}

/// The scan as its source orders the tests, one entry at a time: (entry time, last time) by level.
fn clickhouse_scan(spec: &Spec, events: &[(i64, u64)]) -> usize {
    let modes = spec.modes();
    let mut chains: Vec<Option<(i64, i64)>> = vec![None; spec.steps() + 1];
    let set = |chains: &[Option<(i64, i64)>]| chains.iter().filter(|chain| chain.is_some()).count();
    for Entry { at_us, step, .. } in entries(spec, events) {
        if step == 0 {
            if chains[1].is_some() {
                break;
            }
        } else if step == 1 {
            chains[1] = Some((at_us, at_us));
        } else if modes.strict_deduplication && chains[step].is_some() {
            break;
        } else if modes.strict_order && chains[1].is_some() && chains[step - 1].is_none() {
            if !modes.allow_reentry {
                break;
            }
        } else if let Some((entry_us, last_us)) = chains[step - 1]
            && in_window(spec, entry_us, at_us)
            && (!modes.strict_increase || last_us < at_us)
        {
            chains[step] = Some((entry_us, at_us));
        }
        if chains[spec.steps()].is_some() {
            return spec.steps();
        }
    }
    set(&chains)
}
