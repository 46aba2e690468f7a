//! Our windows over users that come one after the other: answered in passes, and as the stock operator answers them.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::{SortColumn, SortOptions, concat_batches, lexsort_to_indices, take_record_batch};
use datafusion::arrow::datatypes::DataType;
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionContext, col};
use proptest::prelude::*;

use crate::sorted::{ONE, answers, events};
use crate::support::{Shape, mistake, operators, plan, rows_and_spills, try_rows_and_spills};

const OVER: &str = "OVER (PARTITION BY user_id ORDER BY event_time)";

/// Every kind of window of ours, alone, beside others, and where the order is not that of the rule.
fn queries() -> Vec<String> {
    vec![
        format!("SELECT user_id, event_time, event, SESSIONIZE(event_time, '3 hours') {OVER} AS s FROM events"),
        format!(
            "SELECT user_id, event_time, SESSIONIZE(event_time, '3 hours', new_when => event = 'buy', max_events => 4) {OVER} AS s, \
             count(*) {OVER} AS n FROM events"
        ),
        format!("SELECT user_id, event_time, SESSIONIZE_INFO(event_time, '1 hour', user_key => user_id) {OVER} AS s FROM events"),
        format!("SELECT user_id, event_time, CONDITIONAL_TRUE_EVENT(event = 'cart') {OVER} AS n FROM events"),
        format!(
            "SELECT user_id, event_time, ATTRIBUTE('linear', event_time, event, event = 'buy', touch => event <> 'noise', \
             lookback => '2 days') {OVER} AS credit FROM events"
        ),
        "SELECT user_id, event_time, SESSIONIZE(event_time, '3 hours') OVER (PARTITION BY user_id ORDER BY event_time DESC) \
         AS s FROM events"
            .to_owned(),
        format!(
            "SELECT user_id, s, count(*), min(event_time), max(event) FROM (SELECT user_id, event_time, event, \
             SESSIONIZE(event_time, '3 hours') {OVER} AS s FROM events) AS numbered GROUP BY user_id, s"
        ),
        format!(
            "SELECT user_id, s, count(*) FROM (SELECT user_id, event, SESSIONIZE(event_time, '3 hours') {OVER} AS s FROM events) \
             AS numbered WHERE event <> 'noise' GROUP BY user_id, s"
        ),
    ]
}

fn sorted(rows: &RecordBatch) -> RecordBatch {
    let options = Some(SortOptions { descending: false, nulls_first: false });
    let by = [0, 1].map(|column| SortColumn { values: Arc::clone(rows.column(column)), options });
    take_record_batch(rows, &lexsort_to_indices(&by, None).unwrap()).unwrap()
}

/// Registers rows in batches that end at these places, declared sorted by user and time.
fn register(context: &SessionContext, rows: &RecordBatch, cuts: &[usize]) {
    let ends = cuts.iter().copied().chain([rows.num_rows()]);
    let begins = std::iter::once(0).chain(cuts.iter().copied());
    let pieces = begins.zip(ends).map(|(begin, end)| rows.slice(begin, end - begin)).collect();
    let order = vec![col("user_id").sort(true, false), col("event_time").sort(true, false)];
    let table = MemTable::try_new(rows.schema(), vec![pieces]).unwrap().with_sort_order(vec![order]);
    context.deregister_table("events").unwrap();
    context.register_table("events", Arc::new(table)).unwrap();
}

#[tokio::test]
async fn sorted_rows_are_numbered_as_they_are_read_and_visits_need_no_hash_table() {
    let context = ONE.context();
    register(&context, &sorted(&events(100, 10, &DataType::Int64)), &[40]);
    let shown = plan(&context, &queries()[0]).await;
    assert_eq!(operators(&shown), ["ProjectionExec", "JourneyWindowExec", "DataSourceExec"], "{shown}");
    let shown = plan(&context, &queries()[6]).await;
    let expected = ["ProjectionExec", "JourneyExec", "ProjectionExec", "JourneyWindowExec", "DataSourceExec"];
    assert_eq!(operators(&shown), expected, "{shown}");
    // The rows of a user then come by time and the numbers go down.
    let shown = plan(&context, &queries()[5]).await;
    assert!(shown.contains("JourneyWindowExec"), "{shown}");
}

#[tokio::test]
async fn every_window_answers_as_the_stock_operator_does() {
    for key in [DataType::Int64, DataType::Utf8View] {
        let rows = sorted(&events(100_000, 300, &key));
        for query in queries() {
            let stock = Shape { journeys: false, ..ONE }.context();
            register(&stock, &rows, &[]);
            assert!(!plan(&stock, &query).await.contains("Journey"));
            let expected = answers(&stock, &query).await;
            assert!(expected.len() > 100, "{query}");
            for cuts in [vec![], vec![1, 2, 3], (1..100).map(|cut| cut * 1000).collect()] {
                let context = ONE.context();
                register(&context, &rows, &cuts);
                assert!(plan(&context, &query).await.contains("JourneyWindowExec"), "{query}");
                assert_eq!(answers(&context, &query).await, expected, "{query}");
            }
        }
    }
}

#[tokio::test]
async fn rows_in_any_order_are_sorted_first_and_answered_the_same() {
    let rows = events(20_000, 50, &DataType::Int64);
    for query in queries() {
        let stock = Shape { journeys: false, ..ONE }.context();
        stock.register_batch("events", rows.clone()).unwrap();
        let context = Shape { partitions: 3, ..ONE }.context();
        context.register_batch("events", rows.clone()).unwrap();
        let shown = plan(&context, &query).await;
        assert!(shown.contains("SortExec") && shown.contains("JourneyWindowExec"), "{shown}");
        // Rows that are equal in all that is asked may be numbered in any order.
        assert_eq!(answers(&context, &query).await.len(), answers(&stock, &query).await.len(), "{query}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_user_is_one_wherever_batches_end(mut cuts in proptest::collection::vec(0..2_000usize, 0..20)) {
        cuts.sort_unstable();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let rows = sorted(&events(2_000, 30, &DataType::Int64));
            for query in [&queries()[0], &queries()[4], &queries()[6]] {
                let whole = ONE.context();
                register(&whole, &rows, &[]);
                let context = ONE.context();
                register(&context, &rows, &cuts);
                assert_eq!(answers(&context, query).await, answers(&whole, query).await);
            }
        });
    }
}

#[tokio::test]
async fn rows_that_are_not_as_declared_are_an_error() {
    let rows = sorted(&events(3_000, 30, &DataType::Int64));
    let late = concat_batches(&rows.schema(), [&rows, &rows.slice(0, 5)]).unwrap();
    for cuts in [vec![], (1..300).map(|cut| cut * 10).collect()] {
        let context = ONE.context();
        register(&context, &late, &cuts);
        let told = mistake(&context, &queries()[0]).await;
        assert_eq!(told.sqlstate, "22000");
        assert!(told.message.contains("declared to be sorted by"), "{}", told.message);
    }
}

#[tokio::test]
async fn memory_is_that_of_a_pass_and_one_large_user_is_refused_where_it_does_not_fit() {
    let rows = sorted(&events(400_000, 40_000, &DataType::Int64));
    let cuts: Vec<usize> = (1..rows.num_rows() / 8192).map(|cut| cut * 8192).collect();
    // A third of all rows is of one user.
    let query = "SELECT count(*), max(s) FROM (SELECT SESSIONIZE(event_time, '3 hours') OVER (PARTITION BY user_id ORDER BY \
                 event_time) AS s FROM events WHERE user_id <> 3) AS numbered";
    let context = Shape { memory_bytes: Some(3 << 19), ..ONE }.context();
    register(&context, &rows, &cuts);
    assert_eq!(rows_and_spills(&context, query).await.0.len(), 1);
    let told = try_rows_and_spills(&context, &query.replace("WHERE user_id <> 3", "")).await.unwrap_err();
    assert!(told.to_string().contains("Resources exhausted"), "{told}");
}
