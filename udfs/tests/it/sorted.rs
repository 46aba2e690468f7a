//! Tables that are sorted by user: nothing is brought together, and nothing is held of users that are done.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray};
use datafusion::arrow::compute::{
    SortColumn, SortOptions, cast, concat_batches, lexsort_to_indices, take_record_batch,
};
use datafusion::arrow::datatypes::DataType;
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionContext, col};
use proptest::prelude::*;

use crate::support::{Shape, mistake, operators, plan, rows, rows_and_spills};

pub const ONE: Shape =
    Shape { partitions: 1, batch_rows: 8192, one_stage: true, journeys: true, skip_partial: false, memory_bytes: None };

/// Every kind of aggregate beside ours, each row of the answer once.
const QUERY: &str = "SELECT user_id, FUNNEL(event_time, '2 days', event = 'view', event = 'cart', event = 'buy') AS level, \
                     SESSIONS(event_time, '3 hours') AS visits, count(*) AS n, count(*) FILTER (WHERE event = 'buy') AS buys, \
                     min(event) AS first FROM events GROUP BY user_id";

/// Events of `user_count` users, every seventh of them NULL, in any order; a third of them is of one user.
pub fn events(event_count: usize, user_count: u64, key: &DataType) -> RecordBatch {
    events_of(event_count, user_count, key, |draw| Some(if draw % 3 == 0 { 3 } else { draw as i64 }))
}

fn events_of(event_count: usize, user_count: u64, key: &DataType, user: impl Fn(u64) -> Option<i64>) -> RecordBatch {
    let mut state = 5u64;
    let mut draw = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let users = (0..event_count).map(|_| user(draw(user_count)).filter(|user| user % 7 > 0));
    let users: ArrayRef = Arc::new(users.collect::<Int64Array>());
    let times = (0..event_count).map(|row| Some((row as i64 + draw(50) as i64) * 60_000_000));
    let times: ArrayRef = Arc::new(times.collect::<TimestampMicrosecondArray>());
    let events = (0..event_count).map(|_| Some(["view", "cart", "buy", "noise"][draw(4) as usize]));
    let events: ArrayRef = Arc::new(events.collect::<StringViewArray>());
    RecordBatch::try_from_iter_with_nullable([
        ("user_id", cast(&users, key).unwrap(), true),
        ("event_time", times, true),
        ("event", events, true),
    ])
    .unwrap()
}

fn sorted(rows: &RecordBatch, options: SortOptions) -> RecordBatch {
    let by = SortColumn { values: Arc::clone(rows.column(0)), options: Some(options) };
    take_record_batch(rows, &lexsort_to_indices(&[by], None).unwrap()).unwrap()
}

/// Registers rows in pieces of the given sizes, the last as often as it takes, declared sorted by user.
fn register(context: &SessionContext, rows: &RecordBatch, sizes: &[usize], options: SortOptions) {
    let (mut pieces, mut start, mut sizes) = (vec![], 0, sizes.iter().copied().peekable());
    while start < rows.num_rows() {
        let size = if sizes.len() > 1 { sizes.next() } else { sizes.peek().copied() };
        let size = size.unwrap_or(usize::MAX).clamp(1, rows.num_rows() - start);
        pieces.push(rows.slice(start, size));
        start += size;
    }
    let table = MemTable::try_new(rows.schema(), vec![pieces]).unwrap();
    let table = table.with_sort_order(vec![vec![col("user_id").sort(!options.descending, options.nulls_first)]]);
    context.deregister_table("events").unwrap();
    context.register_table("events", Arc::new(table)).unwrap();
}

pub async fn answers(context: &SessionContext, sql: &str) -> Vec<String> {
    let mut answers = rows(context, sql).await;
    answers.sort();
    answers
}

#[tokio::test]
async fn sorted_rows_are_answered_as_they_are_read() {
    let context = ONE.context();
    register(
        &context,
        &sorted(&events(100, 10, &DataType::Int64), SortOptions::default()),
        &[7],
        SortOptions::default(),
    );
    let shown = plan(&context, QUERY).await;
    assert_eq!(operators(&shown), ["ProjectionExec", "JourneyExec", "ProjectionExec", "DataSourceExec"], "{shown}");
    assert!(shown.contains("ordering_mode=Sorted"), "{shown}");
}

#[tokio::test]
async fn every_kind_of_key_and_order_gives_the_answers_of_rows_in_any_order() {
    for key in [DataType::Int64, DataType::UInt32, DataType::Utf8View, DataType::Utf8] {
        let any = events(90_000, 300, &key);
        let context = Shape { journeys: false, one_stage: false, ..ONE }.context();
        context.register_batch("events", any.clone()).unwrap();
        let expected = answers(&context, QUERY).await;
        assert!(expected.len() > 100);
        for (descending, nulls_first) in [(false, false), (false, true), (true, true)] {
            let options = SortOptions { descending, nulls_first };
            let rows = sorted(&any, options);
            for sizes in [&[8192][..], &[1, 40_000, 3, 1000], &[90_000]] {
                let context = ONE.context();
                register(&context, &rows, sizes, options);
                assert!(plan(&context, QUERY).await.contains("ordering_mode=Sorted"));
                assert_eq!(answers(&context, QUERY).await, expected, "{key} {options:?} {sizes:?}");
            }
        }
    }
}

#[tokio::test]
async fn several_keys_are_one_user() {
    let query =
        "SELECT user_id, event, count(*), SESSIONS(event_time, '1 hour') AS visits FROM events GROUP BY user_id, event";
    let rows = events(5_000, 40, &DataType::Int64);
    let by = [0, 2].map(|column| SortColumn { values: Arc::clone(rows.column(column)), options: None });
    let rows = take_record_batch(&rows, &lexsort_to_indices(&by, None).unwrap()).unwrap();
    let context = ONE.context();
    context.register_batch("events", rows.clone()).unwrap();
    let expected = answers(&context, query).await;
    let table = MemTable::try_new(rows.schema(), vec![(0..50).map(|piece| rows.slice(piece * 100, 100)).collect()]);
    let order = vec![col("user_id").sort(true, true), col("event").sort(true, true)];
    context.deregister_table("events").unwrap();
    context.register_table("events", Arc::new(table.unwrap().with_sort_order(vec![order]))).unwrap();
    assert!(plan(&context, query).await.contains("ordering_mode=Sorted"));
    assert_eq!(answers(&context, query).await, expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A boundary of batches at every place, also within a user.
    #[test]
    fn a_user_is_one_wherever_the_batches_end(sizes in proptest::collection::vec(1..400usize, 1..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let any = events(2_000, 30, &DataType::Int64);
            let context = ONE.context();
            context.register_batch("events", any.clone()).unwrap();
            let expected = answers(&context, QUERY).await;
            register(&context, &sorted(&any, SortOptions::default()), &sizes, SortOptions::default());
            assert_eq!(answers(&context, QUERY).await, expected);
        });
    }
}

#[tokio::test]
async fn rows_that_are_not_as_declared_are_an_error_and_never_a_number() {
    let rows = sorted(&events(3_000, 30, &DataType::Int64), SortOptions { descending: false, nulls_first: false });
    let late = concat_batches(&rows.schema(), [&rows, &rows.slice(0, 5)]).unwrap();
    for size in [1, 100, 10_000] {
        let context = ONE.context();
        register(&context, &late, &[size], SortOptions { descending: false, nulls_first: false });
        let told = mistake(&context, QUERY).await;
        assert_eq!(told.sqlstate, "22000");
        assert!(told.message.contains("declared to be sorted by user_id"), "{}", told.message);
    }
}

#[tokio::test]
async fn memory_is_that_of_a_pass() {
    let rows = events_of(400_000, 40_000, &DataType::Int64, |draw| Some(draw as i64 | 1));
    let rows = sorted(&rows, SortOptions::default());
    let query = "SELECT count(*), sum(level) FROM (SELECT user_id, FUNNEL(event_time, '2 days', event = 'view', event = 'cart', \
                 event = 'buy') AS level FROM events GROUP BY user_id) AS users";
    let context = Shape { memory_bytes: Some(3 << 20), ..ONE }.context();
    register(&context, &rows, &[8192], SortOptions::default());
    let (answer, spills) = rows_and_spills(&context, query).await;
    assert_eq!(answer.len(), 1);
    assert_eq!(spills, 0);
}

/// Rows that a query leaves out are passed over where rows are aggregated, and not by a filter that copies the others.
#[tokio::test]
async fn rows_that_are_filtered_are_not_copied() {
    let query = "SELECT user_id, SESSIONS(event_time, '1 day') AS visits FROM events WHERE event IN ('cart', 'buy') \
                 GROUP BY user_id";
    for key in [DataType::Int64, DataType::Utf8View] {
        // Two events a user, so that many have none that matters.
        let any = events_of(3_000, 1_500, &key, |draw| Some(draw as i64));
        let stock = Shape { journeys: false, one_stage: false, ..ONE }.context();
        stock.register_batch("events", any.clone()).unwrap();
        let expected = answers(&stock, query).await;
        assert!(expected.len() > 300 && expected.len() < 1_200, "{}", expected.len());
        let options = SortOptions::default();
        for sizes in [&[8192][..], &[1], &[7, 1, 500, 3], &[50]] {
            let context = ONE.context();
            register(&context, &sorted(&any, options), sizes, options);
            let shown = plan(&context, query).await;
            assert!(shown.contains("filter=event@") && !shown.contains("FilterExec"), "{shown}");
            assert_eq!(answers(&context, query).await, expected, "{key} {sizes:?}");
        }
    }
}

/// Without an exchange there is nothing to spare: the functions pass over rows that meet no step.
#[tokio::test]
async fn rows_without_a_step_are_left_to_the_functions() {
    let query = "SELECT user_id, level, n FROM (SELECT user_id, FUNNEL(event_time, '2 days', event = 'cart', event = 'buy') \
                 AS level, FUNNEL(event_time, '2 days', event = 'buy', event = 'cart') AS n FROM events GROUP BY user_id) \
                 AS users WHERE level > 0";
    let any = events_of(3_000, 1_500, &DataType::Int64, |draw| Some(draw as i64));
    let stock = Shape { journeys: false, one_stage: false, ..ONE }.context();
    stock.register_batch("events", any.clone()).unwrap();
    let expected = answers(&stock, query).await;
    let options = SortOptions::default();
    for sizes in [&[8192][..], &[1], &[50]] {
        let context = ONE.context();
        register(&context, &sorted(&any, options), sizes, options);
        let shown = plan(&context, query).await;
        assert!(!shown.contains("filter=") && shown.matches("FilterExec").count() == 1, "that of the level: {shown}");
        assert_eq!(answers(&context, query).await, expected, "{sizes:?}");
    }
}

#[tokio::test]
async fn filters_of_aggregates_hold_beside_that_of_all_rows() {
    let query = "SELECT user_id, level, late FROM (SELECT user_id, FUNNEL(event_time, '2 days', event = 'cart', event = 'buy') \
                 AS level, FUNNEL(event_time, '2 days', event = 'cart', event = 'buy') FILTER (WHERE event_time > \
                 TIMESTAMP '1970-01-02') AS late FROM events GROUP BY user_id) AS users WHERE level > 0";
    let any = events(4_000, 300, &DataType::Int64);
    let stock = Shape { journeys: false, one_stage: false, ..ONE }.context();
    stock.register_batch("events", any.clone()).unwrap();
    let expected = answers(&stock, query).await;
    assert!(expected.len() > 50);
    let context = ONE.context();
    register(&context, &sorted(&any, SortOptions::default()), &[100], SortOptions::default());
    assert_eq!(answers(&context, query).await, expected);
}
