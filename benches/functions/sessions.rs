//! SESSIONS: each user's visits, with start, end and number of events, over one table in memory, in order of time.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use tokio::runtime::Runtime;
use tributary_core::sessions::{self, Columns, Scratch, Session, Spec, Splits};

use crate::engine;
use crate::shop::{Journeys, Shop};

const GAP_US: i64 = 30 * 60 * 1_000_000;
const SQL: &str = "SELECT user_id, s['session_no'], s['started_at'], s['ended_at'], s['event_count'], s['cause'] \
                   FROM (SELECT user_id, unnest(SESSIONS(event_time, INTERVAL '30 minutes')) AS s \
                         FROM events GROUP BY user_id) AS visits";
const PLAIN: &str = include_str!("../../sql/plain/sessions.sql");

/// User, number, start, end and events of a visit; times in microseconds.
type Visit = [i64; 5];

/// Times the three forms on shops of each size.
pub fn bench(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime for the queries");
    let mut group = criterion.benchmark_group("sessions");
    group.sample_size(20);
    for (users, user_count) in [("1k", 1_000), ("10k", 10_000)] {
        let shop = Shop::of(user_count);
        let shape = format!("users={users},gap=30min");
        let journeys = shop.journeys(0);
        let context = engine::context(&shop.batches().expect("the shop's events")).expect("a context over the shop");
        let ask = |sql: &str| runtime.block_on(engine::run(&context, sql)).expect("an answer");

        let spec = Spec::try_new(GAP_US, None, None, Splits::default()).expect("a valid gap");
        let expected = visits_of_rule(&spec, &journeys);
        assert_equal("sql", &expected, &visits_of_table(&ask(SQL)));
        assert_equal("plain", &expected, &visits_of_table(&ask(PLAIN)));

        group.throughput(Throughput::Elements(shop.event_count() as u64));
        group.bench_function(BenchmarkId::new("core", &shape), |b| {
            b.iter(|| visits_of_rule(&spec, black_box(&journeys)));
        });
        group.bench_function(BenchmarkId::new("sql", &shape), |b| b.iter(|| ask(SQL)));
        group.bench_function(BenchmarkId::new("plain", &shape), |b| b.iter(|| ask(PLAIN)));
    }
    group.finish();
}

fn visits_of_rule(spec: &Spec, journeys: &Journeys) -> Vec<Visit> {
    let mut scratch = Scratch::default();
    let mut visits = Vec::new();
    let mut start = 0;
    for &(user_id, end) in &journeys.users {
        let columns = Columns::of_times(&journeys.at_us[start..end]);
        let add = |visit: Session| {
            visits.push([user_id, visit.session_no, visit.started_at_us, visit.ended_at_us, visit.event_count]);
        };
        // No visit ends with the day, so nobody asks for one.
        sessions::sessions(spec, &columns, |_| 0, &mut scratch, add);
        start = end;
    }
    visits
}

/// The first five columns of an answer, in order of users and visits.
fn visits_of_table(batches: &[RecordBatch]) -> Vec<Visit> {
    let mut visits = Vec::new();
    for batch in batches {
        let columns = [0, 1, 2, 3, 4].map(|column| {
            let column = cast(batch.column(column), &DataType::Int64).expect("whole numbers and times");
            column.as_primitive::<Int64Type>().values().to_vec()
        });
        visits.extend((0..batch.num_rows()).map(|row| [0, 1, 2, 3, 4].map(|column: usize| columns[column][row])));
    }
    visits.sort_unstable();
    visits
}

fn assert_equal(form: &str, expected: &[Visit], found: &[Visit]) {
    assert_eq!(expected.len(), found.len(), "{form} has another number of visits than the rule");
    for (expected, found) in expected.iter().zip(found) {
        assert_eq!(expected, found, "{form} differs from the rule, in [user, number, start, end, events]");
    }
}
