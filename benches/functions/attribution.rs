//! ATTRIBUTE: what each channel earned under three models, over one table in memory, in order of time.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, RecordBatch, StringViewArray, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Decimal128Type, Field, Float64Type, Int64Type, Schema, TimestampMicrosecondType,
};
use datafusion::error::Result;
use tokio::runtime::Runtime;
use tributary_core::attribution::{CONVERSION, Models, Options, Plan, Scratch, Spec, TOUCH, User, totals};

use crate::engine;
use crate::shop::{Dice, Shop};

const MODELS: [&str; 3] = ["last", "linear", "time_decay(7 days)"];
const LOOKBACK_US: i64 = 30 * 86_400 * 1_000_000;
const PLAIN: &str = include_str!("../../sql/plain/attribute.sql");

/// In the order of their letters, as codes of channels must be.
const CHANNELS: [&str; 5] = ["ad", "email", "search", "social", "wechat"];

/// What no channel earned, then what each did: the conversions under each model, then their revenue.
type Earned = [[f64; 2 * MODELS.len()]; CHANNELS.len() + 1];

/// Times the three forms on shops of each size.
pub fn bench(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime for the queries");
    let mut group = criterion.benchmark_group("attribution");
    group.sample_size(20);
    for (users, user_count) in [("1k", 1_000), ("10k", 10_000)] {
        let shop = Shop::of(user_count);
        let shape = format!("users={users},models={}", MODELS.len());
        let batches = with_channels(&shop).expect("a table of the shop");
        let journeys = Journeys::of(&batches);
        let context = engine::context(&batches).expect("a context over the shop");
        let ask = |sql: &str| runtime.block_on(engine::run(&context, sql)).expect("an answer");

        let (plan, sql) = (plan(), sql());
        let expected = earned_of_rule(&plan, &journeys);
        assert_equal("sql", &expected, &earned_of_table(&ask(&sql)));
        assert_equal("plain", &expected, &earned_of_table(&ask(PLAIN)));

        group.throughput(Throughput::Elements(shop.event_count() as u64));
        group.bench_function(BenchmarkId::new("core", &shape), |b| {
            b.iter(|| earned_of_rule(&plan, black_box(&journeys)));
        });
        group.bench_function(BenchmarkId::new("sql", &shape), |b| b.iter(|| ask(&sql)));
        group.bench_function(BenchmarkId::new("plain", &shape), |b| b.iter(|| ask(PLAIN)));
    }
    group.finish();
}

fn plan() -> Plan {
    let models = Models::parse(&MODELS.join(", ")).expect("known models");
    let options = Options { lookback_us: Some(LOOKBACK_US), ..Options::default() };
    // No model names a channel.
    Spec::try_new(models, options).expect("a valid question").resolve(|_| None)
}

fn sql() -> String {
    let sums = ["credit", "value"].map(|sum| {
        MODELS.map(|model| format!("sum({sum}) FILTER (WHERE model = '{model}')::double precision")).join(", ")
    });
    format!(
        "SELECT channel, {} FROM (SELECT t.channel AS channel, t.model AS model, t.credit AS credit, t.value AS value \
         FROM (SELECT unnest(ATTRIBUTE_TOTALS('{}', event_time, channel, event = 'purchase', revenue, \
         lookback => '30 days')) AS t FROM events GROUP BY user_id) AS users) AS credits GROUP BY channel",
        sums.join(", "),
        MODELS.join(", ")
    )
}

/// The shop's events with a channel on most rows and what each purchase brought, no two of them at one time.
///
/// Plain SQL numbers the rows to leave out a purchase's own: where times tie, its numbers are not sure to be the same
/// in both places that use them.
fn with_channels(shop: &Shop) -> Result<Vec<RecordBatch>> {
    let mut dice = Dice(shop.event_count() as u64);
    let mut row_no = 0;
    let mut batches = vec![];
    for batch in shop.batches()? {
        let times = batch.column(1).as_primitive::<TimestampMicrosecondType>();
        let events = batch.column(2).as_string_view();
        let first_no = row_no;
        row_no += batch.num_rows() as i64;
        let times = TimestampMicrosecondArray::from_iter_values(
            (first_no..).zip(times.values().iter()).map(|(no, at)| at + no),
        );
        let channels: StringViewArray = events.iter().map(|_| CHANNELS.get(dice.below(8) as usize).copied()).collect();
        let cents =
            events.iter().map(|event| (event == Some("purchase")).then(|| 100 + i128::from(dice.below(50_000))));
        let revenue = cents.collect::<Decimal128Array>().with_precision_and_scale(12, 2)?;
        let columns: Vec<ArrayRef> = vec![
            Arc::clone(batch.column(0)),
            Arc::new(times.with_timezone("UTC")),
            Arc::clone(batch.column(2)),
            Arc::new(channels),
            Arc::new(revenue),
        ];
        let names = ["user_id", "event_time", "event", "channel", "revenue"];
        let fields = names.iter().zip(&columns).map(|(name, column)| {
            let is_nullable = ["channel", "revenue"].contains(name);
            Field::new(*name, column.data_type().clone(), is_nullable)
        });
        batches.push(RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns)?);
    }
    Ok(batches)
}

/// The same events as columns, one user's together and in order of time.
struct Journeys {
    at_us: Vec<i64>,
    kinds: Vec<u8>,
    channels: Vec<u32>,
    cents: Vec<i128>,
    /// The row after each user's last.
    ends: Vec<usize>,
}

impl Journeys {
    fn of(batches: &[RecordBatch]) -> Self {
        let mut rows: Vec<(i64, i64, u8, u32, i128)> = vec![];
        for batch in batches {
            let users = batch.column(0).as_primitive::<Int64Type>();
            let times = batch.column(1).as_primitive::<TimestampMicrosecondType>();
            let (events, channels) = (batch.column(2).as_string_view(), batch.column(3).as_string_view());
            let cents = batch.column(4).as_primitive::<Decimal128Type>();
            for row in 0..batch.num_rows() {
                let channel = if channels.is_null(row) { 0 } else { code(channels.value(row)) };
                let touch = if channel > 0 { TOUCH } else { 0 };
                let conversion = if events.value(row) == "purchase" { CONVERSION } else { 0 };
                let worth = if cents.is_null(row) { 0 } else { cents.value(row) };
                rows.push((users.value(row), times.value(row), (touch | conversion) as u8, channel, worth));
            }
        }
        rows.sort_unstable();
        let ends = rows.chunk_by(|one, next| one.0 == next.0).scan(0, |end, user| {
            *end += user.len();
            Some(*end)
        });
        Self {
            ends: ends.collect(),
            at_us: rows.iter().map(|row| row.1).collect(),
            kinds: rows.iter().map(|row| row.2).collect(),
            channels: rows.iter().map(|row| row.3).collect(),
            cents: rows.iter().map(|row| row.4).collect(),
        }
    }
}

/// The place of a channel in [`Earned`].
fn code(channel: &str) -> u32 {
    CHANNELS.binary_search(&channel).expect("a channel of the shop") as u32 + 1
}

fn earned_of_rule(plan: &Plan, journeys: &Journeys) -> Earned {
    let mut scratch = Scratch::default();
    let mut sums = [[0i128; 2 * MODELS.len()]; CHANNELS.len() + 1];
    let mut start = 0;
    for &end in &journeys.ends {
        let user = User {
            at_us: &journeys.at_us[start..end],
            kinds: &journeys.kinds[start..end],
            channels: &journeys.channels[start..end],
            ties: None,
            values: &journeys.cents[start..end],
        };
        start = end;
        totals(plan, &user, &mut scratch, |total| {
            let sums = &mut sums[total.channel as usize];
            sums[total.model] += total.credit;
            sums[MODELS.len() + total.model] += total.value;
        })
        .expect("values fit");
    }
    // Credits are in units of 1e-12; values have the two decimals of cents and six more.
    sums.map(|sums| {
        let mut earned = [0.0; 2 * MODELS.len()];
        for (index, (earned, sum)) in earned.iter_mut().zip(sums).enumerate() {
            *earned = sum as f64 / if index < MODELS.len() { 1e12 } else { 1e8 };
        }
        earned
    })
}

/// The columns `channel`, conversions and revenue of an answer.
fn earned_of_table(batches: &[RecordBatch]) -> Earned {
    let mut earned = Earned::default();
    for batch in batches {
        let channels = cast(batch.column(0), &DataType::Utf8View).expect("text");
        let channels = channels.as_string_view();
        for (index, column) in batch.columns()[1..].iter().enumerate() {
            let sums = cast(column, &DataType::Float64).expect("numbers");
            let sums = sums.as_primitive::<Float64Type>();
            for row in 0..batch.num_rows() {
                let place = if channels.is_null(row) { 0 } else { code(channels.value(row)) };
                earned[place as usize][index] = sums.value(row);
            }
        }
    }
    earned
}

fn assert_equal(form: &str, expected: &Earned, found: &Earned) {
    for (place, (expected, found)) in expected.iter().zip(found).enumerate() {
        let channel = place.checked_sub(1).map_or("no channel", |channel| CHANNELS[channel]);
        for (expected, found) in expected.iter().zip(found) {
            let is_near = (expected - found).abs() <= 1e-6 * expected.abs().max(1.0);
            assert!(is_near, "{form} differs from the rule for {channel}: {expected}, {found}");
        }
    }
    assert!(expected.iter().flatten().all(|sum| *sum > 0.0), "a question with an answer: {expected:?}");
}
