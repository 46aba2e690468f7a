//! The rule that leaves repeated keys out below an aggregation that only asks which keys there are.

use datafusion::arrow::datatypes::DataType;

use crate::journeys::register_many;
use crate::support::{Shape, operators, plan, rows};

const PEOPLE: &str = "SELECT count(DISTINCT user_id) AS people FROM events";

#[tokio::test]
async fn people_are_counted_by_bits_below_the_table() {
    let context = Shape::default().context();
    register_many(&context, 6_000, 120, &DataType::Int64, true, 3);
    let shown = plan(&context, PEOPLE).await;
    let below = ["RepartitionExec", "AggregateExec", "DropRepeatsExec", "DataSourceExec"];
    assert!(operators(&shown).ends_with(&below), "{shown}");
    assert!(shown.contains("DropRepeatsExec: key=user_id@0\n"), "{shown}");
    // Of 6,000 rows one for each of 103 keys in each of three partitions.
    let run = rows(&context, &format!("EXPLAIN ANALYZE {PEOPLE}")).await.concat();
    assert!(run.contains("DropRepeatsExec: key=user_id@0, metrics=[output_rows=309,"), "{run}");
    rows(&context, "SET tributary.drop_repeats = false").await;
    assert!(!plan(&context, PEOPLE).await.contains("DropRepeatsExec"));
}

#[tokio::test]
async fn it_stays_away_where_rows_count_or_come_in_order() {
    let context = Shape::default().context();
    register_many(&context, 600, 120, &DataType::Int64, true, 3);
    for (sql, reason) in [
        ("SELECT user_id, count(*) FROM events GROUP BY user_id", "rows are counted"),
        ("SELECT count(DISTINCT event) FROM events", "a text"),
        ("SELECT count(DISTINCT event_time) FROM events", "a time"),
        ("SELECT DISTINCT user_id, amount FROM events", "two keys"),
        ("SELECT user_id FROM events GROUP BY ROLLUP (user_id)", "grouping sets"),
        ("SELECT DISTINCT user_id FROM events LIMIT 3", "a limit"),
        ("SELECT count(DISTINCT (random() * 99)::bigint) FROM events", "a key that is drawn"),
        ("SELECT (random() * 99)::bigint FROM events GROUP BY 1", "a key that is drawn"),
        ("SELECT DISTINCT user_id FROM (SELECT * FROM events ORDER BY user_id LIMIT 100) AS events", "rows in order"),
    ] {
        let shown = plan(&context, sql).await;
        assert!(shown.contains("AggregateExec") && !shown.contains("DropRepeatsExec"), "{reason}: {shown}");
    }
}

#[tokio::test]
async fn answers_are_those_of_the_stock_operators() {
    let questions = [
        PEOPLE,
        "SELECT count(DISTINCT user_id) AS people, count(DISTINCT user_id) FILTER (WHERE event = 'buy') AS buyers FROM events",
        "SELECT DISTINCT user_id FROM events WHERE event = 'buy' ORDER BY user_id",
        "SELECT count(DISTINCT user_id % 7 * 1000000007) AS people, sum(DISTINCT user_id) AS total FROM events",
        "SELECT count(*) AS n, sum(amount) AS amount FROM events WHERE user_id IN (SELECT user_id FROM events WHERE event = 'cart')",
        "SELECT user_id FROM events INTERSECT SELECT amount::bigint FROM events ORDER BY 1",
    ];
    let types =
        [DataType::Int64, DataType::Int32, DataType::UInt32, DataType::UInt64, DataType::Int16, DataType::Utf8View];
    for (key, has_nulls) in types.iter().flat_map(|key| [(key, false), (key, true)]) {
        for (partitions, batch_rows, user_count) in [(1, 8192, 50), (2, 7, 900), (3, 100, 5_000)] {
            let context = Shape { partitions, batch_rows, ..Shape::default() }.context();
            register_many(&context, 3_000, user_count, key, has_nulls, 3);
            for question in questions {
                if *key == DataType::Utf8View && question.contains("user_id %") {
                    continue;
                }
                rows(&context, "SET tributary.drop_repeats = false").await;
                let expected = rows(&context, question).await;
                rows(&context, "SET tributary.drop_repeats = true").await;
                if question == PEOPLE {
                    let is_remembered = !matches!(key, DataType::Int16 | DataType::Utf8View);
                    assert_eq!(plan(&context, PEOPLE).await.contains("DropRepeatsExec"), is_remembered, "{key}");
                }
                assert_eq!(rows(&context, question).await, expected, "{key}, {partitions} partitions: {question}");
                assert!(!expected.is_empty(), "{question}");
            }
        }
    }
}

#[tokio::test]
async fn without_memory_it_passes_rows_on() {
    // The table of a few users has room, the bits have none.
    let context = Shape { partitions: 1, memory_bytes: Some(200_000), ..Shape::default() }.context();
    register_many(&context, 3_000, 120, &DataType::Int64, true, 1);
    assert!(plan(&context, PEOPLE).await.contains("DropRepeatsExec"));
    let counted = rows(&context, PEOPLE).await;
    rows(&context, "SET tributary.drop_repeats = false").await;
    assert_eq!(counted, rows(&context, PEOPLE).await);
}
