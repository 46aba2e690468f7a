//! The fast code equals the definitions, and what must not matter does not.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const MODELS: &str = "first, last, last_non(c1, c2), linear, position(0.4, 0.4), position(0, 0.7, 0.3), \
    time_decay(3 us), weights(0.5, 0.3, 0.2), weights(0, 0, 1), participation, linear_position, geometric(0.5), \
    milestones(0.3, 0.3, 0.2), milestones(0, 0, 1)";

/// The number of cases, unless `PROPTEST_CASES` says otherwise.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(512);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn any_row() -> impl Strategy<Value = Row> {
    (0..12i64, 0..5u32, select(vec![1u8, 1, 1, 1, 2, 3, 3, 4, 8, 7, 9, 14, 0]), -50..200i128)
        .prop_map(|(at_us, channel, kind, value)| Row { at_us, channel, kind, value })
}

fn any_rows() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec(any_row(), 0..14)
}

fn any_options() -> impl Strategy<Value = Options> {
    let lookback_us = prop_oneof![Just(None), (1..8i64).prop_map(Some)];
    let lookback_touches = prop_oneof![2 => Just(None), 1 => (1..5u32).prop_map(Some)];
    let consume = select(vec![Consume::None, Consume::SinceLast]);
    (lookback_us, lookback_touches, consume, any::<bool>(), any::<bool>()).prop_map(
        |(lookback_us, lookback_touches, consume, per_channel_once, include_self)| Options {
            lookback_us,
            lookback_touches,
            consume,
            per_channel_once,
            include_self,
            milestones: 2,
        },
    )
}

/// The sums over pairs for each model and channel, as floats.
fn oracle_by_channel(spec: &Spec, rows: &[Row]) -> BTreeMap<(usize, u32), (f64, f64)> {
    let rows = oracle::sorted(rows);
    let mut sums: BTreeMap<(usize, u32), (f64, f64)> = BTreeMap::new();
    for model in 0..spec.models().len() {
        for seen in oracle::divide(spec, model, &rows) {
            let whole = rows[seen.conversion].value as f64;
            let mut add = |channel: u32, share: f64| {
                let sum = sums.entry((model, channel)).or_default();
                sum.0 += share;
                sum.1 += share * whole;
            };
            if seen.touches.is_empty() {
                add(0, 1.0);
            }
            seen.touches.iter().zip(&seen.shares).for_each(|(&row, &share)| add(rows[row].channel, share));
        }
    }
    sums
}

fn assert_sums_near(
    got: &BTreeMap<(usize, u32), (i128, i128)>,
    expected: &BTreeMap<(usize, u32), (f64, f64)>,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(got.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (key, sum) in got {
        let credit = sum.0 as f64 / 1e12;
        prop_assert!((credit - expected[key].0).abs() < 1e-9, "{:?}: {} not {}", key, credit, expected[key].0);
        let value = sum.1 as f64 / 1e6;
        prop_assert!((value - expected[key].1).abs() < 1e-4, "{:?}: {} not {}", key, value, expected[key].1);
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_form_is_the_sum_over_pairs(options in any_options(), rows in any_rows()) {
        let plan = plan(MODELS, options);
        let expected = oracle_by_channel(&plan.spec, &rows);
        let totals = by_channel(&totals_of(&plan, &rows));
        assert_sums_near(&totals, &expected)?;
        prop_assert_eq!(&list_by_channel(&list_of(&plan, &rows)), &totals);
        prop_assert_eq!(&by_channel(&rows_of(&plan, &rows)), &totals);
    }

    #[test]
    fn every_element_is_the_pair_of_the_oracle(options in any_options(), rows in any_rows()) {
        let plan = plan(MODELS, options);
        let rows = oracle::sorted(&rows);
        let list = list_of(&plan, &rows);
        let columns = Columns::new(&rows);
        let length = list_len(&plan, &columns.user(), &mut Scratch::default()).expect("fits");
        prop_assert_eq!(length, list.len() as u64);
        for model in 0..plan.spec.models().len() {
            for seen in oracle::divide(&plan.spec, model, &rows) {
                let ours: Vec<_> = list
                    .iter()
                    .filter(|element| element.model == model && element.conversion_row == seen.conversion)
                    .collect();
                let touches: Vec<_> = ours.iter().filter_map(|element| element.touch_row).collect();
                prop_assert_eq!(&touches, &seen.touches);
                for (index, (element, share)) in ours.iter().zip(&seen.shares).enumerate() {
                    prop_assert_eq!((element.touch_index, element.touch_count), (index, touches.len()));
                    prop_assert!((element.credit as f64 / 1e12 - share).abs() < 1e-10);
                }
                if plan.spec.models()[model].sums_to_conversions() {
                    let credit: i64 = ours.iter().map(|element| element.credit).sum();
                    let value: i128 = ours.iter().map(|element| element.value).sum();
                    prop_assert_eq!(credit, CREDIT_UNITS);
                    prop_assert_eq!(value, rows[seen.conversion].value * 1_000_000);
                }
            }
        }
    }

    #[test]
    fn input_order_changes_nothing_with_every_row_doubled(
        options in any_options(),
        (rows, shuffled) in any_rows().prop_flat_map(|rows| {
            let doubled = [&rows[..], &rows[..]].concat();
            (Just(doubled.clone()), Just(doubled).prop_shuffle())
        }),
    ) {
        let plan = plan(MODELS, options);
        prop_assert_eq!(totals_of(&plan, &rows), totals_of(&plan, &shuffled));
        // Of the list, everything but which of two equal rows it is.
        let list = |rows: &[Row]| {
            let columns = Columns::new(rows);
            let mut list: Vec<_> = list_of(&plan, rows)
                .iter()
                .map(|element| {
                    let touch_us = element.touch_row.map(|row| columns.at_us[row]);
                    let conversion = (columns.at_us[element.conversion_row], columns.values[element.conversion_row]);
                    let place = (element.touch_index, element.touch_count);
                    (element.model, conversion, touch_us, element.channel, place, element.credit, element.value)
                })
                .collect();
            list.sort();
            list
        };
        prop_assert_eq!(list(&rows), list(&shuffled));
        // Of rows, what rows that look alike got, to the last unit.
        let per_row = |rows: &[Row]| {
            let columns = Columns::new(rows);
            let mut answers: Vec<_> = rows_of(&plan, rows)
                .iter()
                .map(|total| {
                    let row = total.touch_row.map(|row| (columns.at_us[row], columns.kinds[row], columns.values[row]));
                    (total.model, row, total.channel, total.credit, total.value)
                })
                .collect();
            answers.sort();
            answers
        };
        prop_assert_eq!(per_row(&rows), per_row(&shuffled));
    }

    #[test]
    fn twins_differ_by_one_unit_at_most(options in any_options(), rows in any_rows()) {
        let plan = plan(MODELS, options);
        let doubled = [&rows[..], &rows[..]].concat();
        let columns = Columns::new(&doubled);
        let answers = rows_of(&plan, &doubled);
        for (one, other) in answers.iter().zip(&answers[1.min(answers.len())..]) {
            let (Some(row), Some(next)) = (one.touch_row, other.touch_row) else { continue };
            let alike = |row: usize| {
                (columns.at_us[row], columns.kinds[row] & 15, columns.channels[row], columns.values[row])
            };
            if one.model == other.model && alike(row) == alike(next) {
                prop_assert!((0..=1).contains(&(one.credit - other.credit)), "{:?} {:?}", one, other);
            }
        }
    }

    #[test]
    fn floats_get_what_decimals_get(options in any_options(), rows in any_rows()) {
        let plan = plan(MODELS, options);
        let columns = Columns::new(&rows);
        let mut sums: BTreeMap<(usize, u32), f64> = BTreeMap::new();
        totals(&plan, &columns.floats(), &mut Scratch::default(), |total| {
            *sums.entry((total.model, total.channel)).or_default() += total.value;
        }).expect("floats fit");
        for (key, (_, value)) in by_channel(&totals_of(&plan, &rows)) {
            prop_assert!((sums[&key] - value as f64 / 1e6).abs() < 1e-4);
        }
    }

    #[test]
    fn a_long_lookback_is_none(options in any_options(), rows in any_rows()) {
        let long = plan(MODELS, Options { lookback_us: Some(i64::MAX), ..options });
        let none = plan(MODELS, Options { lookback_us: None, ..options });
        prop_assert_eq!(list_of(&long, &rows), list_of(&none, &rows));
    }

    #[test]
    fn a_long_half_life_is_linear_and_a_short_one_is_last(rows in any_rows()) {
        let mut rows = rows;
        rows.sort_by_key(|row| row.at_us);
        rows.dedup_by_key(|row| row.at_us);
        let plan = plan("linear, last, time_decay(1000000 weeks), time_decay(0.000001)", Options::default());
        // A microsecond is short only beside longer gaps.
        rows.iter_mut().for_each(|row| row.at_us *= 100);
        let sums = by_channel(&totals_of(&plan, &rows));
        for (&(model, channel), sum) in &sums {
            if model < 2 {
                let limit = sums[&(model + 2, channel)];
                prop_assert!((sum.0 - limit.0).abs() < 1_000, "{} {}: {} {}", model, channel, sum.0, limit.0);
            }
        }
    }

    #[test]
    fn many_pairs_are_added_up_as_few(
        options in any_options(),
        rows in prop_oneof![
            any_rows(),
            prop::collection::vec((0..60i64, any_row()).prop_map(|(at_us, row)| Row { at_us, ..row }), 100..160),
        ],
    ) {
        let options = Options { lookback_us: options.lookback_us.map(|lookback_us| lookback_us * 6), ..options };
        let plan = plan(MODELS, options);
        let mut heavy = Scratch { pairs_per_row: 0, ..Scratch::default() };
        let (mut totals, mut per_row_totals) = (Vec::new(), Vec::new());
        let columns = Columns::new(&rows);
        super::totals(&plan, &columns.user(), &mut heavy, |total| totals.push(total)).expect("fits");
        per_row(&plan, &columns.user(), &mut heavy, |total| per_row_totals.push(total)).expect("fits");
        let totals = by_channel(&totals);
        let list = list_by_channel(&list_of(&plan, &rows));
        prop_assert_eq!(&by_channel(&per_row_totals), &totals);
        prop_assert_eq!(totals.keys().collect::<Vec<_>>(), list.keys().collect::<Vec<_>>());
        let mut sums = vec![(0, 0); plan.spec.models().len()];
        for (&(model, channel), total) in &totals {
            let element = list[&(model, channel)];
            sums[model].0 += total.0 - element.0;
            sums[model].1 += total.1 - element.1;
            let rule = plan.spec.models()[model].rule();
            if matches!(rule, Rule::TimeDecay { .. } | Rule::LinearPosition | Rule::Geometric { .. }) {
                prop_assert!((total.0 - element.0).abs() < 1_000, "{:?} {}: {:?} {:?}", rule, channel, total, element);
                prop_assert!((total.1 - element.1).abs() < 1_000, "{:?} {}: {:?} {:?}", rule, channel, total, element);
            } else {
                prop_assert_eq!(*total, element, "{:?} {}", rule, channel);
            }
        }
        prop_assert!(sums.iter().all(|sum| *sum == (0, 0)), "{:?}", sums);
    }
}
