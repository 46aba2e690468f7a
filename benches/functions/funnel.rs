//! FUNNEL: how far each user got, over one table in memory, in order of time.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use tokio::runtime::Runtime;
use tributary_core::funnel::{self, Compat, Modes, Report, Scratch, Spec};

use crate::engine;
use crate::shop::{EVENTS, Journeys, Shop};

const STEP_COUNT: usize = 4;
const WINDOW_US: i64 = 7 * 86_400 * 1_000_000;
const PLAIN: &str = include_str!("../../sql/plain/funnel.sql");

/// Times the three forms on shops of each size.
pub fn bench(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime for the queries");
    let mut group = criterion.benchmark_group("funnel");
    group.sample_size(20);
    for (users, user_count) in [("1k", 1_000), ("10k", 10_000)] {
        let shop = Shop::of(user_count);
        let shape = format!("users={users},steps={STEP_COUNT}");
        let journeys = shop.journeys(STEP_COUNT);
        let context = engine::context(&shop.batches().expect("the shop's events")).expect("a context over the shop");
        let ask = |sql: &str| runtime.block_on(engine::run(&context, sql)).expect("an answer");

        let (spec, sql) = (spec(), sql());
        let expected = levels_of_rule(&spec, &journeys);
        assert_equal("sql", &expected, &levels_of_table(&ask(&sql)));
        assert_equal("plain", &expected, &levels_of_table(&ask(PLAIN)));

        group.throughput(Throughput::Elements(shop.event_count() as u64));
        group.bench_function(BenchmarkId::new("core", &shape), |b| {
            b.iter(|| levels_of_rule(&spec, black_box(&journeys)));
        });
        group.bench_function(BenchmarkId::new("sql", &shape), |b| b.iter(|| ask(&sql)));
        group.bench_function(BenchmarkId::new("plain", &shape), |b| b.iter(|| ask(PLAIN)));
    }
    group.finish();
}

fn spec() -> Spec {
    Spec::try_new(STEP_COUNT, WINDOW_US, Modes::DEFAULT, Compat::Tributary, Report::First).expect("a valid funnel")
}

fn sql() -> String {
    let steps: Vec<_> = EVENTS[..STEP_COUNT].iter().map(|event| format!("event = '{event}'")).collect();
    format!(
        "SELECT user_id, FUNNEL(event_time, INTERVAL '7 days', {}) AS level FROM events GROUP BY user_id",
        steps.join(", ")
    )
}

fn levels_of_rule(spec: &Spec, journeys: &Journeys) -> Vec<(i64, i64)> {
    let mut scratch = Scratch::default();
    let mut start = 0;
    let users = journeys.users.iter().map(|&(user_id, end)| {
        let (at_us, masks) = (&journeys.at_us[start..end], &journeys.masks[start..end]);
        start = end;
        (user_id, i64::from(funnel::level(spec, at_us, masks, &mut scratch)))
    });
    users.collect()
}

/// The columns `user_id, level` of an answer, in order of users.
fn levels_of_table(batches: &[RecordBatch]) -> Vec<(i64, i64)> {
    let mut levels = Vec::new();
    for batch in batches {
        let [users, reached] = [0, 1].map(|column| {
            let column = cast(batch.column(column), &DataType::Int64).expect("whole numbers");
            column.as_primitive::<Int64Type>().values().to_vec()
        });
        levels.extend(users.into_iter().zip(reached));
    }
    levels.sort_unstable();
    levels
}

fn assert_equal(form: &str, expected: &[(i64, i64)], found: &[(i64, i64)]) {
    assert_eq!(expected.len(), found.len(), "{form} answers for another number of users than the rule");
    for (expected, found) in expected.iter().zip(found) {
        assert_eq!(expected, found, "{form} differs from the rule, in (user, level)");
    }
}
