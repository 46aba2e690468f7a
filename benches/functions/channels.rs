//! CHANNEL_GROUP and UTM: the channel of each visit and the source in its address, over one table in memory.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput};
use datafusion::arrow::array::{ArrayRef, AsArray, RecordBatch, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::error::Result;
use tokio::runtime::Runtime;
use tributary_core::channels::{self, Group};
use tributary_core::url::Parameter;

use crate::engine;

const VISIT_COUNT: usize = 100_000;
const BATCH_ROWS: usize = 8_192;

const CHANNELS: &str =
    "SELECT source, medium, campaign, CHANNEL_GROUP(source, medium, campaign, referrer) AS channel FROM events";
const PLAIN_CHANNELS: &str = include_str!("../../sql/plain/channel_group.sql");
const SOURCES: &str = "SELECT url, UTM(url, 'source') AS utm FROM events";
const PLAIN_SOURCES: &str = include_str!("../../sql/plain/utm.sql");

/// The rows of an answer in some order, NULL apart from the empty text.
type Rows = Vec<Vec<Option<String>>>;

/// Times the three forms of both functions on the visits of one shop.
pub fn bench(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime for the queries");
    let visits: Vec<Visit> = (0..VISIT_COUNT).map(Visit::of).collect();
    let context = engine::context(&batches(&visits).expect("the visits")).expect("a context over the visits");
    let ask = |sql: &str| runtime.block_on(engine::run(&context, sql)).expect("an answer");
    let source = Parameter::try_new("source").expect("a name");

    let expected = visits.iter().zip(groups(&visits)).map(|(visit, group)| {
        let [source, medium] = [visit.source, visit.medium].map(|text| text.map(str::to_owned));
        vec![source, medium, visit.campaign.clone(), Some(group.name().to_owned())]
    });
    let expected = sorted(expected.collect());
    assert_equal("sql", &expected, &rows_of_table(&ask(CHANNELS)));
    assert_equal("plain", &expected, &rows_of_table(&ask(PLAIN_CHANNELS)));
    let expected =
        visits.iter().zip(sources(&source, &visits)).map(|(visit, source)| vec![Some(visit.url.clone()), source]);
    let expected = sorted(expected.collect());
    assert_equal("sql", &expected, &rows_of_table(&ask(SOURCES)));
    assert_equal("plain", &expected, &rows_of_table(&ask(PLAIN_SOURCES)));

    let shape = "visits=100k";
    let mut group = criterion.benchmark_group("channel_group");
    group.sample_size(20).throughput(Throughput::Elements(VISIT_COUNT as u64));
    group.bench_function(BenchmarkId::new("core", shape), |b| b.iter(|| groups(black_box(&visits))));
    group.bench_function(BenchmarkId::new("sql", shape), |b| b.iter(|| ask(CHANNELS)));
    group.bench_function(BenchmarkId::new("plain", shape), |b| b.iter(|| ask(PLAIN_CHANNELS)));
    group.finish();

    let mut group = criterion.benchmark_group("utm");
    group.sample_size(20).throughput(Throughput::Elements(VISIT_COUNT as u64));
    group.bench_function(BenchmarkId::new("core", shape), |b| b.iter(|| sources(&source, black_box(&visits))));
    group.bench_function(BenchmarkId::new("sql", shape), |b| b.iter(|| ask(SOURCES)));
    group.bench_function(BenchmarkId::new("plain", shape), |b| b.iter(|| ask(PLAIN_SOURCES)));
    group.finish();
}

/// A visit of the shop that the plain twins are written for: it advertises on two sites, writes a newsletter, and tags
/// its links in lower case, without escapes.
struct Visit {
    source: Option<&'static str>,
    medium: Option<&'static str>,
    campaign: Option<String>,
    url: String,
}

impl Visit {
    /// The visit of that number; the same number gives the same visit.
    fn of(number: usize) -> Self {
        // Strides without a common divisor, so that every source meets every medium and campaign.
        let source = [None, Some("google"), Some("facebook"), Some("newsletter"), Some("(direct)")][number % 5];
        let medium = [None, Some("cpc"), Some("paid_social"), Some("organic"), Some("email"), Some("")][number / 5 % 6];
        let campaign = match number % 7 {
            0..3 => None,
            3 => Some("Cross-network".to_owned()),
            _ => Some(format!("spring-{}", number % 101)),
        };
        let tags = match source {
            Some(source) => format!("utm_medium={}&utm_source={source}&", medium.unwrap_or_default()),
            None => String::new(),
        };
        let url = format!("https://shop.example/tea/{}?{tags}page={}", number % 997, number % 11);
        Self { source, medium, campaign, url }
    }
}

/// The visits as a table `(source, medium, campaign, referrer, url)`, in batches of the size an engine reads.
fn batches(visits: &[Visit]) -> Result<Vec<RecordBatch>> {
    let batch = |visits: &[Visit]| {
        let sources: ArrayRef = Arc::new(visits.iter().map(|visit| visit.source).collect::<StringViewArray>());
        let mediums: ArrayRef = Arc::new(visits.iter().map(|visit| visit.medium).collect::<StringViewArray>());
        let campaigns: StringViewArray = visits.iter().map(|visit| visit.campaign.as_deref()).collect();
        let referrers: StringViewArray = visits.iter().map(|_| None::<&str>).collect();
        let urls: StringViewArray = visits.iter().map(|visit| Some(visit.url.as_str())).collect();
        let columns = [
            ("source", sources),
            ("medium", mediums),
            ("campaign", Arc::new(campaigns)),
            ("referrer", Arc::new(referrers)),
            ("url", Arc::new(urls)),
        ];
        let columns = columns.into_iter().map(|(name, column)| (name, column, true));
        Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
    };
    visits.chunks(BATCH_ROWS).map(batch).collect()
}

fn groups(visits: &[Visit]) -> Vec<Group> {
    let group = |visit: &Visit| {
        channels::group(&channels::Visit {
            source: visit.source.unwrap_or_default(),
            medium: visit.medium.unwrap_or_default(),
            campaign: visit.campaign.as_deref().unwrap_or_default(),
            referrer: "",
        })
    };
    visits.iter().map(group).collect()
}

fn sources(source: &Parameter, visits: &[Visit]) -> Vec<Option<String>> {
    visits.iter().map(|visit| source.value_in(&visit.url).map(|value| value.into_owned())).collect()
}

fn rows_of_table(batches: &[RecordBatch]) -> Rows {
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<ArrayRef> =
            batch.columns().iter().map(|column| cast(column, &DataType::Utf8).expect("text")).collect();
        let value = |column: &ArrayRef, row: usize| {
            column.is_valid(row).then(|| column.as_string::<i32>().value(row).to_owned())
        };
        rows.extend((0..batch.num_rows()).map(|row| columns.iter().map(|column| value(column, row)).collect()));
    }
    sorted(rows)
}

fn sorted(mut rows: Rows) -> Rows {
    rows.sort_unstable();
    rows
}

fn assert_equal(form: &str, expected: &Rows, found: &Rows) {
    assert_eq!(expected.len(), found.len(), "{form} answers for another number of visits than the rule");
    for (expected, found) in expected.iter().zip(found) {
        assert_eq!(expected, found, "{form} differs from the rule");
    }
}
