//! Heavy users cost what their rows cost. Bounds are loose: they catch a wrong order of growth, not
//! a slow machine.

use std::time::{Duration, Instant};

use super::*;

const MODELS: &str = "first, last, last_non(direct), linear, position(0.4, 0.4), time_decay(7 days), \
    weights(0.5, 0.3, 0.2), linear_position, geometric(0.99), milestones(0.3, 0.3)";

fn quickly<T>(work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let answer = work();
    assert!(started.elapsed() < Duration::from_secs(10), "took {:?}", started.elapsed());
    answer
}

/// A million touches a minute apart, every thousandth a conversion too.
fn heavy_user() -> Vec<Row> {
    let row = |index: i64| {
        let is_conversion = index % 1_000 == 999;
        let kind = if is_conversion { TOUCH | CONVERSION } else { TOUCH | milestone(0) };
        let channel = 1 + (index * index % 1_013 % 7) as u32;
        Row { at_us: index * 60 * SECOND, channel, kind: kind as u8, value: 100 + i128::from(index % 13) }
    };
    (0..1_000_000).map(row).collect()
}

fn assert_sums(totals: &[Total<i128>], rows: &[Row], models: usize) {
    let conversions = rows.iter().filter(|row| u64::from(row.kind) & CONVERSION > 0);
    let (count, value) = conversions.fold((0, 0), |sum, row| (sum.0 + 1, sum.1 + row.value));
    for model in 0..models {
        let of_model = totals.iter().filter(|total| total.model == model);
        let sum = of_model.fold((0, 0), |sum, total| (sum.0 + total.credit, sum.1 + total.value));
        assert_eq!(sum, (count * i128::from(CREDIT_UNITS), value * 1_000_000), "model {model}");
    }
}

#[test]
fn a_million_touches_and_a_thousand_conversions_add_up_exactly() {
    let rows = heavy_user();
    for lookback_days in [None, Some(30)] {
        let lookback_us = lookback_days.map(|days| days * DAY);
        let plan = plan(MODELS, Options { lookback_us, milestones: 1, ..Options::default() });
        let answers = quickly(|| totals_of(&plan, &rows));
        assert_sums(&answers, &rows, plan.spec().models().len());
        assert_sums(&quickly(|| rows_of(&plan, &rows)), &rows, plan.spec().models().len());
    }
}

#[test]
fn channels_once_and_participation_cost_their_channels() {
    let rows = heavy_user();
    let once = Options { per_channel_once: true, milestones: 1, ..Options::default() };
    let plan = plan(MODELS, once);
    assert_sums(&quickly(|| totals_of(&plan, &rows)), &rows, plan.spec().models().len());
    let participation = super::plan("participation", Options::default());
    let answers = quickly(|| totals_of(&participation, &rows));
    // Seven channels, and each was seen by (almost) all of the thousand conversions.
    assert_eq!(answers.len(), 7);
    assert!(answers.iter().all(|total| total.credit > 990 * i128::from(CREDIT_UNITS)));
}

#[test]
fn many_touches_of_one_moment_that_are_conversions_too_are_no_burden() {
    let rows: Vec<Row> = (0..20_000)
        .map(|index| Row {
            at_us: 0,
            channel: 1 + index % 5,
            kind: (TOUCH | CONVERSION) as u8,
            value: i128::from(index),
        })
        .collect();
    let plan = plan(MODELS, Options { milestones: 1, ..Options::default() });
    assert_sums(&quickly(|| totals_of(&plan, &rows)), &rows, plan.spec().models().len());
}

#[test]
fn a_list_of_a_megabyte_is_refused_quickly() {
    let long_label = format!("last_non({})", "x".repeat(1 << 20));
    for text in [
        "linear, ".repeat(1 << 17),
        "last_non(".repeat(1 << 17),
        format!("weights({}1)", "0,".repeat(1 << 19)),
        "(".repeat(1 << 20),
        "'".repeat(1 << 20),
        format!("time_decay({})", "1 day ".repeat(1 << 17)) + "x",
        "x".repeat(1 << 20),
        format!("{} x", " ".repeat(1 << 20)),
        format!("last_non('{}", "''".repeat(1 << 19)),
        format!("{long_label}, {long_label}"),
    ] {
        let error = quickly(|| Models::parse(&text)).expect_err("too much");
        assert!(error.to_string().len() < 300, "{error}");
    }
}
