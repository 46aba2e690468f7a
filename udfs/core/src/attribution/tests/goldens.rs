//! Published journeys with answers worked out by hand or by another program.

use super::*;

const SEARCH: u32 = 4;
const EMAIL: u32 = 2;
const DIRECT: u32 = 1;
const SOCIAL: u32 = 5;

/// Search on day 0, email 4, direct 8, social 11, direct 13; a conversion worth 100 on day 14.
fn golden_journey() -> Vec<Row> {
    let touches = [(0, SEARCH), (4, EMAIL), (8, DIRECT), (11, SOCIAL), (13, DIRECT)];
    let mut rows: Vec<Row> = touches.iter().map(|&(day, channel)| touch(day * DAY, channel)).collect();
    rows.push(conversion(14 * DAY, 100));
    rows
}

#[test]
fn the_golden_journey_under_every_model() {
    let once = Options { per_channel_once: true, ..Options::default() };
    let days = |days: i64| Options { lookback_us: Some(days * DAY), ..Options::default() };
    let none = Options::default();
    for (models, options, expected) in [
        ("first", none, [100.0, 0.0, 0.0, 0.0]),
        ("last", none, [0.0, 0.0, 100.0, 0.0]),
        ("last_non(direct)", none, [0.0, 0.0, 0.0, 100.0]),
        ("linear", none, [20.0, 20.0, 40.0, 20.0]),
        ("linear", once, [25.0, 25.0, 25.0, 25.0]),
        ("position(0.4, 0.2, 0.4)", none, [40.0, 6.6667, 46.6667, 6.6667]),
        ("position(0.4, 0.4)", none, [40.0, 6.6667, 46.6667, 6.6667]),
        ("position(0.2, 0.2, 0.6)", none, [20.0, 6.6667, 66.6667, 6.6667]),
        ("position(0.6, 0.2, 0.2)", none, [60.0, 6.6667, 26.6667, 6.6667]),
        ("time_decay(7 days)", none, [8.8581, 13.1631, 51.6525, 26.3263]),
        ("time_decay(7 days)", days(7), [0.0, 0.0, 66.2392, 33.7608]),
        ("linear", days(10), [0.0, 25.0, 50.0, 25.0]),
        ("linear_position", none, [6.6667, 13.3333, 53.3333, 26.6667]),
        ("geometric(0.5)", none, [3.2258, 6.4516, 64.5161, 25.8065]),
        ("participation", none, [100.0, 100.0, 100.0, 100.0]),
        ("weights(0.5, 0.3, 0.2)", none, [50.0, 30.0, 20.0, 0.0]),
    ] {
        let got = shares(models, options, &golden_journey(), &[SEARCH, EMAIL, DIRECT, SOCIAL]);
        assert_near(&got, &expected, 6e-5, models);
    }
}

#[test]
fn two_touches_take_the_ends_in_proportion() {
    let rows = [touch(0, 2), touch(DAY, 3), conversion(2 * DAY, 100)];
    for (models, expected) in [
        ("position(0.4, 0.2, 0.4)", [50.0, 50.0]),
        ("position(0.3, 0.2, 0.5)", [37.5, 62.5]),
        ("position(0, 1, 0)", [50.0, 50.0]),
        ("position(0, 0.5, 0.5)", [0.0, 100.0]),
    ] {
        assert_near(&shares(models, Options::default(), &rows, &[2, 3]), &expected, 1e-6, models);
    }
}

#[test]
fn the_half_life_is_continuous() {
    let rows = [touch(0, 2), touch(5 * DAY, 3), conversion(6 * DAY, 100)];
    let got = shares("time_decay(7 days)", Options::default(), &rows, &[2, 3]);
    assert_near(&got, &[37.8687, 62.1313], 5e-4, "6 and 1 days old");
    let rows = [touch(0, 2), touch(7 * DAY, 3), conversion(8 * DAY, 100)];
    let got = shares("time_decay(7 days)", Options::default(), &rows, &[2, 3]);
    assert_near(&got, &[33.333333, 66.666667], 1e-6, "8 and 1 days old");
}

#[test]
fn several_conversions_share_touches_or_use_them_up() {
    let (a, b, c) = (2, 3, 4);
    let rows = [touch(1, a), touch(2, b), conversion(3, 100), touch(4, c), conversion(5, 50)];
    let shared = shares("linear", Options::default(), &rows, &[a, b, c, 0]);
    assert_near(&shared, &[66.666667, 66.666667, 16.666667, 0.0], 2e-6, "none");
    let since_last = Options { consume: Consume::SinceLast, ..Options::default() };
    assert_near(&shares("linear", since_last, &rows, &[a, b, c, 0]), &[50.0, 50.0, 50.0, 0.0], 1e-9, "since_last");
    let mut rows = rows.to_vec();
    rows.push(conversion(6, 7));
    assert_near(&shares("linear", since_last, &rows, &[a, b, c, 0]), &[50.0, 50.0, 50.0, 7.0], 1e-9, "unattributed");
}

/// First touch, lead at the second, opportunity at the fourth, two more: six touches.
fn account() -> Vec<Row> {
    let mut rows: Vec<Row> = (1..=6).map(|day| touch(day * DAY, 10 + day as u32)).collect();
    rows.extend([reached(2 * DAY + 1, 0), reached(4 * DAY + 1, 1), reached(5 * DAY, 1), conversion(7 * DAY, 100)]);
    rows
}

#[test]
fn the_w_shape_gives_thirty_to_each_stage() {
    let stages = Options { milestones: 2, ..Options::default() };
    let channels = [11, 12, 13, 14, 15, 16];
    let w_shape = "milestones(0.3, 0.3, 0.3)";
    let third = 10.0 / 3.0;
    let got = shares(w_shape, stages, &account(), &channels);
    assert_near(&got, &[30.0, 30.0, third, 30.0, third, third], 2e-6, "all stages");
    // Without the opportunity, 30, 30 and 10 for the rest are 70 in all.
    let without: Vec<Row> = account().into_iter().filter(|row| u64::from(row.kind) != milestone(1)).collect();
    let rest = 10.0 / 70.0 / 4.0 * 100.0;
    let got = shares(w_shape, stages, &without, &channels);
    assert_near(&got, &[42.857143, 42.857143, rest, rest, rest, rest], 5e-6, "no opportunity");
    // With no touch left to share the rest, three equal stages.
    let few = [touch(DAY, 11), touch(2 * DAY, 12), touch(3 * DAY, 13)];
    let few = [&few[..], &[reached(2 * DAY, 0), reached(3 * DAY, 1), conversion(4 * DAY, 100)]].concat();
    assert_near(&shares(w_shape, stages, &few, &channels[..3]), &[100.0 / 3.0; 3], 2e-6, "no rest");
    // Two stages at one touch: 60 there.
    let few = [touch(DAY, 11), touch(2 * DAY, 12), touch(3 * DAY, 13)];
    let few = [&few[..], &[reached(2 * DAY, 0), reached(2 * DAY, 1), conversion(4 * DAY, 100)]].concat();
    assert_near(&shares(w_shape, stages, &few, &channels[..3]), &[30.0, 60.0, 10.0], 2e-6, "one touch, two stages");
}

#[test]
fn the_full_path_adds_the_closing_touch() {
    let mut rows = account();
    for row in &mut rows {
        if u64::from(row.kind) == CONVERSION {
            row.kind |= milestone(2) as u8;
        }
    }
    let stages = Options { milestones: 3, ..Options::default() };
    let got = shares("milestones(0.225, 0.225, 0.225, 0.225)", stages, &rows, &[11, 12, 13, 14, 15, 16]);
    assert_near(&got, &[22.5, 22.5, 5.0, 22.5, 5.0, 22.5], 2e-6, "full path");
}

/// The journeys of the tea shop's demo lake: touches with days before the order, buyers, value.
const TEA_SHOP: &[(&str, i128, i128)] = &[
    ("douyin > direct", 240, 120),
    ("douyin > seo", 240, 120),
    ("douyin > baidu > direct", 200, 120),
    ("douyin > wechat > email", 100, 120),
    ("douyin", 80, 120),
    ("baidu", 250, 100),
    ("baidu > direct", 160, 100),
    ("seo", 280, 110),
    ("seo > email", 120, 110),
    ("xiaohongshu > wechat", 120, 90),
    ("xiaohongshu > douyin > direct", 80, 90),
    ("wechat > sms", 60, 90),
    ("store_qr", 300, 60),
    ("industry_site > call_in", 110, 800),
    ("baidu > call_in", 300, 300),
    ("seo > call_in", 180, 300),
    ("referral", 160, 150),
    ("direct", 120, 100),
    ("email", 35, 90),
    ("sms", 5, 90),
    ("call_out", 60, 400),
    ("xiaohongshu@45 > seo", 30, 110),
    ("", 100, 80),
];

const TEA_CHANNELS: [&str; 13] = [
    "baidu",
    "call_in",
    "call_out",
    "direct",
    "douyin",
    "email",
    "industry_site",
    "referral",
    "seo",
    "sms",
    "store_qr",
    "wechat",
    "xiaohongshu",
];

/// Credited orders and value of each channel, unattributed last.
fn tea_shop(model: &str, lookback_days: i64) -> Vec<(f64, f64)> {
    let code = |label: &str| TEA_CHANNELS.iter().position(|&channel| channel == label).map(|index| index as u32 + 1);
    let options = Options { lookback_us: Some(lookback_days * DAY), ..Options::default() };
    let plan = spec_of(model, options).resolve(code);
    let mut sums = [(0i128, 0i128); 14];
    for &(path, buyers, value) in TEA_SHOP {
        let touches: Vec<&str> = path.split(" > ").filter(|label| !label.is_empty()).collect();
        let mut rows = vec![conversion(100 * DAY, value)];
        for (index, label) in touches.iter().enumerate() {
            let (label, days) = match label.split_once('@') {
                Some((label, days)) => (label, days.parse().expect("days")),
                None => (*label, 2 * (touches.len() - index) as i64 - 1),
            };
            rows.push(touch((100 - days) * DAY, code(label).expect("known")));
        }
        for total in totals_of(&plan, &rows) {
            let sum = &mut sums[(total.channel as usize + 13) % 14];
            sum.0 += total.credit * buyers;
            sum.1 += total.value * buyers;
        }
    }
    sums.iter().map(|sum| (sum.0 as f64 / 1e12, sum.1 as f64 / 1e6)).collect()
}

#[test]
fn the_tea_shop_finds_its_planted_credits() {
    for (model, expected) in [
        ("first", [710.0, 0.0, 60.0, 120.0, 860.0, 35.0, 110.0, 160.0, 610.0, 5.0, 300.0, 60.0, 200.0, 100.0]),
        ("last", [250.0, 590.0, 60.0, 800.0, 80.0, 255.0, 0.0, 160.0, 550.0, 65.0, 300.0, 120.0, 0.0, 100.0]),
        (
            "last_non(direct)",
            [610.0, 590.0, 60.0, 120.0, 400.0, 255.0, 0.0, 160.0, 550.0, 65.0, 300.0, 120.0, 0.0, 100.0],
        ),
        (
            "linear",
            [546.667, 295.0, 60.0, 413.333, 446.667, 128.333, 55.0, 160.0, 580.0, 35.0, 300.0, 123.333, 86.667, 100.0],
        ),
        (
            "position(0.4, 0.4)",
            [520.0, 295.0, 60.0, 432.0, 456.0, 135.0, 55.0, 160.0, 580.0, 35.0, 300.0, 110.0, 92.0, 100.0],
        ),
        (
            "time_decay(7 days)",
            [
                523.103, 324.116, 60.0, 452.041, 403.605, 141.030, 49.572, 160.0, 577.039, 37.961, 300.0, 125.863,
                75.670, 100.0,
            ],
        ),
    ] {
        let orders: Vec<f64> = tea_shop(model, 30).into_iter().map(|(orders, _)| orders).collect();
        assert_near(&orders, &expected, 6e-4, model);
        assert_near(&[orders.iter().sum()], &[3330.0], 1e-6, model);
    }
    let first: Vec<f64> = tea_shop("first", 90).into_iter().map(|(orders, _)| orders).collect();
    assert_near(&[first[12], first[8]], &[230.0, 580.0], 1e-9, "lookback 90 days");
}

#[test]
fn the_tea_shop_finds_its_planted_revenue() {
    for (model, expected) in [
        ("first", [103_200.0, 131_000.0, 101_300.0, 0.0, 88_000.0, 12_000.0, 18_000.0]),
        ("last", [9_600.0, 25_000.0, 62_900.0, 232_000.0, 0.0, 88_000.0, 18_000.0]),
        ("linear", [52_800.0, 86_000.0, 82_100.0, 116_000.0, 44_000.0, 44_800.0, 18_000.0]),
    ] {
        let revenue: Vec<f64> = tea_shop(model, 30).into_iter().map(|(_, revenue)| revenue).collect();
        let [baidu, call_in, direct, douyin] = [revenue[0], revenue[1], revenue[3], revenue[4]];
        let [industry_site, seo, store_qr] = [revenue[6], revenue[8], revenue[10]];
        let got = [douyin, baidu, seo, call_in, industry_site, direct, store_qr];
        assert_near(&got, &expected, 1e-3, model);
        assert_near(&[revenue.iter().sum()], &[536_500.0], 1e-6, model);
    }
}

#[test]
fn repeats_of_a_channel_count_as_other_tools_count_them() {
    // ChannelAttribution: first, last and linear by touch, repeats kept. Its linear by distinct
    // channel is `per_channel_once`.
    let path = [3, 2, 3, 3, 3, 2, 3];
    let mut rows: Vec<Row> = path.iter().zip(0..).map(|(&channel, at)| touch(at, channel)).collect();
    rows.push(conversion(7, 7));
    assert_near(&shares("linear", Options::default(), &rows, &[2, 3]), &[2.0, 5.0], 1e-9, "by touch");
    let once = Options { per_channel_once: true, ..Options::default() };
    assert_near(&shares("linear", once, &rows, &[2, 3]), &[3.5, 3.5], 1e-9, "by channel");
}
