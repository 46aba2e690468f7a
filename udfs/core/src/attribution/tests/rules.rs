//! Each rule by the smallest rows that only it answers so.

use super::*;

const A: u32 = 2;
const B: u32 = 3;
const C: u32 = 4;

/// A row that is touch and conversion.
fn both(at_us: i64, channel: u32, value: i128) -> Row {
    Row { at_us, channel, kind: (TOUCH | CONVERSION) as u8, value }
}

fn none() -> Options {
    Options::default()
}

/// The channels that the first conversion of `value` sees, in order; 0 for none.
fn seen(options: Options, rows: &[Row], value: i128) -> Vec<u32> {
    let elements = list_of(&plan("linear", options), rows);
    let columns = Columns::new(rows);
    let of_conversion = elements.iter().filter(|element| columns.values[element.conversion_row] == value);
    of_conversion.map(|element| element.channel).collect()
}

#[test]
fn attribution_1_a_touch_has_its_bit_and_a_channel() {
    let rows = [
        touch(0, A),
        Row { kind: 0, ..touch(1, B) },
        touch(2, 0),
        Row { kind: milestone(0) as u8, ..touch(3, C) },
        conversion(4, 9),
        touch(5, C),
    ];
    assert_eq!(seen(none(), &rows, 9), [A]);
    assert_eq!(list_of(&plan("linear", none()), &rows[..4]), []);
}

#[test]
fn attribution_2_the_own_row_counts_for_others_only() {
    let rows = [touch(0, A), both(1, B, 8), both(2, C, 9)];
    assert_eq!(seen(none(), &rows, 8), [A]);
    assert_eq!(seen(none(), &rows, 9), [A, B]);
    let include_self = Options { include_self: true, ..none() };
    assert_eq!(seen(include_self, &rows, 8), [A, B]);
    assert_eq!(seen(include_self, &rows, 9), [A, B, C]);
    assert_eq!(seen(none(), &[both(0, A, 9)], 9), [0]);
}

#[test]
fn attribution_3_ties_follow_the_tie_column_then_the_arguments() {
    let rows = [touch(0, C), touch(0, A), touch(0, B), conversion(0, 9)];
    assert_eq!(seen(none(), &rows, 9), [A, B, C]);
    let columns = Columns::new(&rows);
    let ties = [1, 3, 2, 0];
    let user = User { ties: Some(&ties), ..columns.user() };
    let mut channels = Vec::new();
    list(&plan("linear", none()), &user, &mut Scratch::default(), |element| channels.push(element.channel))
        .expect("fits");
    assert_eq!(channels, [C, B, A]);
}

#[test]
fn attribution_3_twins_share_and_last_digits_go_to_the_first() {
    let rows = [touch(0, A), touch(0, A), touch(0, A), conversion(1, 1)];
    let got: Vec<_> = rows_of(&plan("last", none()), &rows).iter().map(|total| (total.credit, total.value)).collect();
    assert_eq!(got, [(333_333_333_334, 333_334), (333_333_333_333, 333_333), (333_333_333_333, 333_333)]);
}

#[test]
fn attribution_4_a_touch_exactly_the_lookback_ago_is_seen() {
    let rows = [touch(0, A), touch(1, B), touch(11, C), conversion(11, 9), touch(12, A)];
    for (lookback_us, expected) in [(12, vec![A, B, C]), (11, vec![A, B, C]), (10, vec![B, C]), (9, vec![C])] {
        assert_eq!(seen(Options { lookback_us: Some(lookback_us), ..none() }, &rows, 9), expected);
    }
    let two = Options { lookback_touches: Some(2), ..none() };
    assert_eq!(seen(two, &rows, 9), [B, C]);
    assert_eq!(seen(Options { lookback_us: Some(9), ..two }, &rows, 9), [C]);
}

#[test]
fn attribution_4_the_own_row_is_none_of_the_touches_counted_back() {
    let rows = [touch(0, A), touch(1, B), both(2, C, 9)];
    assert_eq!(seen(Options { lookback_touches: Some(2), ..none() }, &rows, 9), [A, B]);
    assert_eq!(seen(Options { lookback_touches: Some(2), include_self: true, ..none() }, &rows, 9), [B, C]);
}

#[test]
fn attribution_4_times_at_both_infinities_saturate() {
    let [past, future] = [i64::MIN, i64::MAX];
    let rows = [touch(past, A), touch(past + 1, B), touch(future - 5, C), conversion(future, 9)];
    assert_eq!(seen(none(), &rows, 9), [A, B, C]);
    assert_eq!(seen(Options { lookback_us: Some(10), ..none() }, &rows, 9), [C]);
    assert_eq!(seen(Options { lookback_us: Some(4), ..none() }, &rows, 9), [0]);
    assert_eq!(seen(Options { lookback_us: Some(1), ..none() }, &[touch(past, A), conversion(past, 9)], 9), [A]);
    let credit = shares("time_decay(7 days)", none(), &rows, &[A, B, C]);
    assert_near(&credit, &[0.0, 0.0, 9.0], 1e-6, "an infinite age weighs nothing");
}

#[test]
fn attribution_5_what_was_used_up_is_gone_at_the_conversions_own_time_too() {
    let rows = [touch(0, A), conversion(1, 7), touch(1, B), conversion(1, 8), touch(2, C), conversion(3, 9)];
    let since_last = Options { consume: Consume::SinceLast, ..none() };
    assert_eq!(seen(since_last, &rows, 7), [A, B]);
    assert_eq!(seen(since_last, &rows, 8), [A, B]);
    assert_eq!(seen(since_last, &rows, 9), [C]);
    assert_eq!(seen(none(), &rows, 9), [A, B, C]);
}

#[test]
fn attribution_6_a_channel_once_keeps_where_a_journey_began_and_ended() {
    let once = Options { per_channel_once: true, ..none() };
    let rows = [touch(0, A), touch(1, B), touch(2, A), conversion(3, 100)];
    assert_eq!(seen(once, &rows, 100), [B, A]);
    for (models, expected) in [
        ("first", [100.0, 0.0]),
        ("last", [100.0, 0.0]),
        ("linear", [50.0, 50.0]),
        ("position(0.3, 0.2, 0.5)", [80.0, 20.0]),
        ("linear_position", [66.666667, 33.333333]),
    ] {
        assert_near(&shares(models, once, &rows, &[A, B]), &expected, 1e-6, models);
    }
}

#[test]
fn attribution_7_weights_run_from_the_first_touch_on() {
    let rows: Vec<Row> = (0..4).map(|at| touch(at, 2 + at as u32)).chain([conversion(9, 100)]).collect();
    let weights = "weights(0.5, 0.3, 0.2)";
    assert_near(&shares(weights, none(), &rows, &[2, 3, 4, 5]), &[50.0, 30.0, 20.0, 0.0], 1e-6, "four touches");
    let two = [rows[0], rows[1], rows[4]];
    assert_near(&shares(weights, none(), &two, &[2, 3]), &[62.5, 37.5], 1e-6, "two touches");
    assert_near(&shares("weights(0, 0, 1)", none(), &two, &[2, 3]), &[50.0, 50.0], 1e-6, "no weight is used");
}

#[test]
fn attribution_7_last_non_falls_back_to_the_last_touch() {
    let rows = [touch(0, A), touch(1, 1), touch(2, 1), conversion(3, 9)];
    assert_near(&shares("last_non(direct)", none(), &rows, &[A, 1]), &[9.0, 0.0], 0.0, "a touch outside");
    assert_near(&shares("last_non(direct)", none(), &rows[1..], &[A, 1]), &[0.0, 9.0], 0.0, "only direct");
    assert_near(&shares("last_non(c2, unseen)", none(), &rows, &[A, 1]), &[0.0, 9.0], 0.0, "another label");
}

#[test]
fn attribution_8_old_journeys_keep_their_shares() {
    // Both touches are some 10,000 half-lives old: their weights from the conversion on are 0.
    let rows = [touch(0, A), touch(1_000, B), conversion(10_000_000, 90)];
    assert_near(&shares("time_decay(1 ms)", none(), &rows, &[A, B]), &[30.0, 60.0], 1e-6, "one half-life apart");
}

#[test]
fn attribution_9_a_milestone_before_all_touches_is_missing() {
    let options = Options { milestones: 1, ..none() };
    let rows = [reached(0, 0), touch(1, A), touch(2, B), touch(3, C), conversion(4, 90)];
    let got = shares("milestones(0.4, 0.4)", options, &rows, &[A, B, C]);
    assert_near(&got, &[60.0, 15.0, 15.0], 1e-6, "0.4 of 0.6, and 0.2 for two");
    // Within the lookback it is reached again.
    let rows = [reached(0, 0), touch(1, A), touch(2, B), reached(3, 0), touch(4, C), conversion(5, 100)];
    let got = shares("milestones(0.4, 0.4)", Options { lookback_us: Some(4), ..options }, &rows, &[A, B, C]);
    assert_near(&got, &[40.0, 40.0, 20.0], 1e-6, "first within the lookback");
}

#[test]
fn attribution_10_what_rounding_leaves_goes_to_the_largest_then_the_earliest() {
    let rows = [touch(0, A), touch(1, B), touch(2, C), conversion(3, 1)];
    let credits = |models: &str, rows: &[Row]| -> Vec<(i64, i128)> {
        list_of(&plan(models, none()), rows).iter().map(|element| (element.credit, element.value)).collect()
    };
    let third = (333_333_333_333, 333_333);
    assert_eq!(credits("linear", &rows), [(333_333_333_334, 333_334), third, third]);
    let sixths = [(166_666_666_667, 166_667), third, (500_000_000_000, 500_000)];
    assert_eq!(credits("linear_position", &rows), sixths);
    let refund = [rows[0], rows[1], rows[2], conversion(3, -1)];
    let third = (333_333_333_333, -333_333);
    assert_eq!(credits("linear", &refund), [(333_333_333_334, -333_334), third, third]);
}

#[test]
fn attribution_10_values_that_outgrow_a_decimal_are_refused_with_their_row() {
    let most = 10i128.pow(32) - 1;
    let fits = [touch(0, A), touch(0, B), conversion(1, most)];
    assert_eq!(
        totals_of(&plan("linear", none()), &fits).iter().map(|total| total.value).sum::<i128>(),
        most * 1_000_000
    );
    for last in [1, -1] {
        let columns = Columns::new(&[&fits[..], &[conversion(2, last)]].concat());
        let refused = totals(&plan("linear", none()), &columns.user(), &mut Scratch::default(), |_| {});
        assert_eq!(refused, Err(ValueTooLarge { row: 3 }));
    }
}

#[test]
fn attribution_11_unattributed_is_an_element_of_every_model() {
    let got = list_of(&plan("first, participation", none()), &[conversion(0, 9), touch(1, A)]);
    assert_eq!(got.len(), 2);
    for (model, element) in got.iter().enumerate() {
        assert_eq!((element.model, element.touch_row, element.channel, element.touch_count), (model, None, 0, 0));
        assert_eq!((element.credit, element.value), (CREDIT_UNITS, 9_000_000));
    }
}

#[test]
fn attribution_12_participation_gives_each_channel_everything_at_its_last_touch() {
    let rows = [touch(0, A), touch(1, B), touch(2, A), conversion(3, 9)];
    let got: Vec<_> = list_of(&plan("participation", none()), &rows).iter().map(|element| element.value).collect();
    assert_eq!(got, [0, 9_000_000, 9_000_000]);
    let models = Models::parse("participation, linear").expect("models");
    assert_eq!(models.iter().map(Model::sums_to_conversions).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn totals_name_channels_without_credit_and_nothing_unseen() {
    let rows = [touch(0, C), touch(1, A), touch(2, B), conversion(3, 9), touch(4, 7)];
    let options = Options { lookback_touches: Some(2), ..none() };
    let got: Vec<_> =
        totals_of(&plan("first", options), &rows).iter().map(|total| (total.channel, total.value)).collect();
    assert_eq!(got, [(A, 9_000_000), (B, 0)]);
}
