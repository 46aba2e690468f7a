//! The operator that answers users in passes over a few thousand, and the rule that puts it in place.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::datasource::MemTable;
use datafusion::physical_plan::collect;
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use crate::support::{Shape, lines, operators, plan, register, rows, rows_and_spills};

const STOCK: Shape = Shape {
    partitions: 2,
    batch_rows: 8192,
    one_stage: true,
    journeys: false,
    skip_partial: false,
    memory_bytes: None,
};

/// Registers `events(user_id, event_time, event, amount)`: `event_count` events of `user_count` users, keys of a type,
/// each seventh key NULL if asked for; without a library of random numbers.
pub fn register_many(
    context: &SessionContext,
    event_count: usize,
    user_count: u64,
    key: &DataType,
    has_nulls: bool,
    partitions: usize,
) {
    let mut state = 7u64;
    let mut draw = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let batches = (0..partitions).map(|_| {
        let rows = event_count / partitions;
        let users = (0..rows).map(|_| Some(draw(user_count) as i64).filter(|user| !has_nulls || user % 7 > 0));
        let users: ArrayRef = Arc::new(users.collect::<Int64Array>());
        let times = (0..rows).map(|row| Some((row as i64 + draw(50) as i64) * 60_000_000));
        let times: ArrayRef = Arc::new(times.collect::<TimestampMicrosecondArray>());
        let events = (0..rows).map(|_| Some(["view", "cart", "buy", "noise"][draw(4) as usize]));
        let events: ArrayRef = Arc::new(events.collect::<datafusion::arrow::array::StringViewArray>());
        let amounts = (0..rows).map(|_| Some(draw(1_000) as i64).filter(|amount| amount % 5 > 0));
        let amounts: ArrayRef = Arc::new(amounts.collect::<Int64Array>());
        let columns = [
            ("user_id", cast(&users, key).unwrap(), true),
            ("event_time", times, true),
            ("event", events, true),
            ("amount", amounts, true),
        ];
        let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
        // In small batches too, so that blocks are made of many.
        let step = 1_000;
        (0..batch.num_rows()).step_by(step).map(|row| batch.slice(row, step.min(batch.num_rows() - row))).collect()
    });
    let batches: Vec<Vec<RecordBatch>> = batches.collect();
    let schema = batches[0][0].schema();
    context.deregister_table("events").unwrap();
    context.register_table("events", Arc::new(MemTable::try_new(schema, batches).unwrap())).unwrap();
}

/// Every kind of aggregate beside ours, each row of the answer once.
const QUERY: &str = "SELECT user_id, FUNNEL(event_time, '2 days', event = 'view', event = 'cart', event = 'buy') AS level, \
                     SESSIONS(event_time, '3 hours') AS visits, count(*) AS n, count(*) FILTER (WHERE event = 'buy') AS buys, \
                     sum(amount) AS amount, min(event) AS first FROM events GROUP BY user_id ORDER BY user_id";

#[tokio::test]
async fn exchange_and_aggregation_are_one_operator_with_the_partitions_of_both() {
    let context = Shape::default().context();
    register(&context, &[(1, Some(0), Some("view")), (2, Some(0), Some("cart"))], 2);
    let sql = "SELECT user_id, FUNNEL(event_time, '7 days', event = 'view', event = 'cart') AS level FROM events GROUP BY user_id";
    let shown = plan(&context, sql).await;
    assert_eq!(operators(&shown), ["ProjectionExec", "JourneyExec", "ProjectionExec", "DataSourceExec"], "{shown}");
    let call = "aggr=[funnel(events.event_time, '7 days', events.event = 'view', events.event = 'cart')]";
    let expected = format!("JourneyExec: gby=[user_id@0 as user_id], {call}, partitioning=Hash([user_id@0], 2)");
    assert!(shown.contains(&expected), "{shown}");
    let below = shown.lines().find(|line| line.contains("step_mask(event")).unwrap_or_default();
    assert!(below.contains("expr=[user_id@0 as user_id, event_time@1 as event_time, step_mask("), "{shown}");
    rows(&context, "SET tributary.journeys = false").await;
    assert!(plan(&context, sql).await.contains("AggregateExec: mode=SinglePartitioned"));
}

#[tokio::test]
async fn the_operator_stays_away_where_it_would_not_do() {
    let context = Shape::default().context();
    register(&context, &[(1, Some(0), Some("view"))], 2);
    let call = "FUNNEL(event_time, 1, event = 'view')";
    for (sql, reason) in [
        ("SELECT user_id, count(*) FROM events GROUP BY user_id".to_string(), "none of our functions"),
        (format!("SELECT {call} FROM events"), "no user"),
        (format!("SELECT user_id, event, {call} FROM events GROUP BY ROLLUP (user_id, event)"), "grouping sets"),
        (format!("SELECT user_id, {call}, array_agg(event ORDER BY event_time) FROM events GROUP BY 1"), "an order"),
    ] {
        let shown = plan(&context, &sql).await;
        assert!(!shown.contains("JourneyExec"), "{reason}: {shown}");
    }
    let ordered = "(SELECT * FROM events ORDER BY event LIMIT 10) AS events";
    let shown = plan(&context, &format!("SELECT event, user_id, {call} FROM {ordered} GROUP BY event, user_id")).await;
    assert!(shown.contains("ordering_mode=PartiallySorted") && !shown.contains("JourneyExec"), "{shown}");
}

#[tokio::test]
async fn every_kind_of_key_gives_the_answers_of_the_stock_operators() {
    let second = DataType::Timestamp(datafusion::arrow::datatypes::TimeUnit::Second, None);
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let types = [
        DataType::Int64,
        DataType::UInt32,
        DataType::Int16,
        DataType::Int8,
        DataType::Date32,
        second,
        DataType::Float64,
        DataType::Decimal128(20, 2),
        DataType::Utf8,
        DataType::Utf8View,
        dictionary,
    ];
    for (index, key) in types.iter().enumerate() {
        let has_nulls = index % 2 == 0;
        let stock = STOCK.context();
        register_many(&stock, 6_000, 120, key, has_nulls, 3);
        let expected = rows(&stock, QUERY).await;
        assert!(expected.len() > 60, "{key}: {}", expected.len());
        for (partitions, batch_rows) in [(1, 8192), (2, 7), (3, 100), (8, 8192)] {
            let context = Shape { partitions, batch_rows, ..Shape::default() }.context();
            register_many(&context, 6_000, 120, key, has_nulls, 3);
            assert!(plan(&context, QUERY).await.contains("JourneyExec"));
            assert_eq!(rows(&context, QUERY).await, expected, "{key} {partitions} {batch_rows}");
        }
    }
}

#[tokio::test]
async fn several_keys_are_one_user() {
    let sql = QUERY.replace("user_id", "user_id % 10, event");
    let sql = sql.replace("ORDER BY user_id % 10, event", "ORDER BY 1, 2");
    let (stock, context) = (STOCK.context(), Shape::default().context());
    for context in [&stock, &context] {
        register_many(context, 4_000, 50, &DataType::Int64, true, 2);
    }
    assert!(plan(&context, &sql).await.contains("JourneyExec"));
    assert_eq!(rows(&context, &sql).await, rows(&stock, &sql).await);
}

#[tokio::test]
async fn operators_above_may_rely_on_the_partitions() {
    let sql = "SELECT a.user_id, a.level, b.n FROM \
               (SELECT user_id, FUNNEL(event_time, '2 days', event = 'view', event = 'buy') AS level FROM events GROUP BY user_id) AS a \
               JOIN (SELECT user_id, count(*) AS n FROM events GROUP BY user_id) AS b ON a.user_id = b.user_id ORDER BY 1";
    for partitions in [2, 3, 8] {
        let (stock, context) =
            (Shape { partitions, ..STOCK }.context(), Shape { partitions, ..Shape::default() }.context());
        for context in [&stock, &context] {
            register_many(context, 20_000, 5_000, &DataType::Int64, false, 2);
            rows(context, "SET datafusion.optimizer.hash_join_single_partition_threshold = 0").await;
            rows(context, "SET datafusion.optimizer.hash_join_single_partition_threshold_rows = 0").await;
        }
        let shown = plan(&context, sql).await;
        assert!(shown.contains("mode=Partitioned") && shown.contains("JourneyExec"), "{shown}");
        let expected = rows(&stock, sql).await;
        assert!(expected.len() > 4_000);
        assert_eq!(rows(&context, sql).await, expected, "{partitions}");
    }
}

#[tokio::test]
async fn what_memory_refuses_goes_to_disk_and_comes_back_whole() {
    let roomy = Shape::default().context();
    register_many(&roomy, 400_000, 20_000, &DataType::Int64, true, 2);
    let sql = "SELECT user_id, SESSIONS(event_time, '3 hours'), count(*), min(event) FROM events GROUP BY user_id";
    let (mut expected, spills) = rows_and_spills(&roomy, sql).await;
    assert_eq!(spills, 0);
    expected.sort();
    // Next to nothing, half of the rows, and about the rows but not the tables beside them.
    for memory_bytes in [1_500_000, 6_000_000, 13_000_000, 14_000_000, 15_000_000, 16_000_000, 17_500_000] {
        for batch_rows in [512, 8192] {
            let context = Shape { memory_bytes: Some(memory_bytes), batch_rows, ..Shape::default() }.context();
            register_many(&context, 400_000, 20_000, &DataType::Int64, true, 2);
            let (mut answered, spills) = rows_and_spills(&context, sql).await;
            answered.sort();
            assert!(answered == expected, "{memory_bytes} {batch_rows}");
            assert!(spills > 0 || memory_bytes > 10_000_000, "{memory_bytes} {batch_rows}");
            assert_eq!(context.runtime_env().memory_pool.reserved(), 0);
        }
    }
}

#[tokio::test]
async fn text_and_dictionaries_come_back_from_disk() {
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    for key in [DataType::Utf8View, DataType::Utf8, dictionary] {
        let (roomy, tight) = (Shape::default(), Shape { memory_bytes: Some(3_000_000), ..Shape::default() });
        let (roomy, tight) = (roomy.context(), tight.context());
        for context in [&roomy, &tight] {
            register_many(context, 200_000, 8_000, &key, false, 2);
        }
        let sql = QUERY.replace(" ORDER BY user_id", "");
        let (mut expected, _) = rows_and_spills(&roomy, &sql).await;
        let (mut answered, spills) = rows_and_spills(&tight, &sql).await;
        expected.sort();
        answered.sort();
        assert!(answered == expected && spills > 0, "{key}: {spills} spills");
    }
}

#[tokio::test]
async fn without_a_disk_too_little_memory_is_an_error_that_says_so() {
    use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::execution::session_state::SessionStateBuilder;
    let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    let runtime = RuntimeEnvBuilder::new().with_memory_limit(1_000_000, 1.0).with_disk_manager_builder(disk);
    let builder = SessionStateBuilder::new_with_default_features().with_runtime_env(Arc::new(runtime.build().unwrap()));
    let context = SessionContext::new_with_state(tributary_udfs::install(builder).build());
    register_many(&context, 200_000, 20_000, &DataType::Int64, false, 2);
    let frame = tributary_udfs::sql(&context, &QUERY.replace(" ORDER BY user_id", "")).await.unwrap();
    let error = frame.collect().await.unwrap_err().to_string();
    assert!(error.contains("Resources exhausted") && error.contains("JourneyExec"), "{error}");
    assert_eq!(context.runtime_env().memory_pool.reserved(), 0);
}

#[tokio::test]
async fn a_pool_that_deals_fairly_sees_one_consumer() {
    use datafusion::execution::memory_pool::FairSpillPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::execution::session_state::SessionStateBuilder;
    let roomy = Shape::default().context();
    register_many(&roomy, 400_000, 20_000, &DataType::Int64, true, 2);
    let sql = QUERY.replace(" ORDER BY user_id", "");
    let mut expected = rows(&roomy, &sql).await;
    expected.sort();
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(FairSpillPool::new(8_000_000)));
    let builder = SessionStateBuilder::new_with_default_features()
        .with_config(datafusion::prelude::SessionConfig::new().with_target_partitions(4))
        .with_runtime_env(Arc::new(runtime.build().unwrap()));
    let tight = SessionContext::new_with_state(tributary_udfs::install(builder).build());
    register_many(&tight, 400_000, 20_000, &DataType::Int64, true, 2);
    let (mut answered, spills) = rows_and_spills(&tight, &sql).await;
    answered.sort();
    assert!(answered == expected && spills > 0, "{spills} spills");
    assert_eq!(tight.runtime_env().memory_pool.reserved(), 0);
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_never_a_number() {
    use datafusion::execution::disk_manager::DiskManagerBuilder;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::execution::session_state::SessionStateBuilder;
    for disk_bytes in [50_000, 1_000_000, 5_000_000] {
        let disk = DiskManagerBuilder::default().with_max_temp_directory_size(disk_bytes);
        let runtime = RuntimeEnvBuilder::new().with_memory_limit(6_000_000, 1.0).with_disk_manager_builder(disk);
        let builder = SessionStateBuilder::new_with_default_features()
            .with_config(datafusion::prelude::SessionConfig::new().with_target_partitions(2))
            .with_runtime_env(Arc::new(runtime.build().unwrap()));
        let context = SessionContext::new_with_state(tributary_udfs::install(builder).build());
        register_many(&context, 400_000, 20_000, &DataType::Int64, false, 2);
        let frame = tributary_udfs::sql(&context, &QUERY.replace(" ORDER BY user_id", "")).await.unwrap();
        let error = frame.collect().await.unwrap_err().to_string();
        assert!(error.contains("max_temp_directory_size") || error.contains("disk"), "{error}");
        assert_eq!(context.runtime_env().memory_pool.reserved(), 0);
    }
}

#[tokio::test]
async fn one_table_serves_many_passes() {
    for key in [DataType::Float64, DataType::Decimal128(20, 2), DataType::Utf8, DataType::UInt16] {
        let (stock, context) = (STOCK.context(), Shape { partitions: 1, ..Shape::default() }.context());
        for context in [&stock, &context] {
            register_many(context, 300_000, 3_000, &key, true, 2);
        }
        let sql = QUERY.replace(
            " ORDER BY user_id",
            ", string_agg(event, ',') IS NULL, count(DISTINCT amount), \
             cardinality(ATTRIBUTE_TOTALS('last', event_time, event, event = 'buy')) ORDER BY user_id",
        );
        let sql = sql.replace(" FROM events GROUP BY user_id, ", ", ");
        let sql = sql.replace(" ORDER BY user_id", " FROM events GROUP BY user_id ORDER BY user_id");
        assert!(plan(&context, &sql).await.contains("JourneyExec"), "{sql}");
        assert!(rows(&context, &sql).await == rows(&stock, &sql).await, "{key}");
    }
}

#[tokio::test]
async fn intervals_are_keys_and_arguments_and_constants_need_no_column() {
    let (stock, context) = (STOCK.context(), Shape::default().context());
    for context in [&stock, &context] {
        register_many(context, 5_000, 50, &DataType::Int64, false, 2);
    }
    for sql in [
        "SELECT CASE WHEN user_id % 3 = 0 THEN INTERVAL '1 day' ELSE INTERVAL '2 days' END AS gap, count(*), \
         max(CASE WHEN event = 'buy' THEN INTERVAL '1 hour' ELSE INTERVAL '2 hours' END), \
         FUNNEL(event_time, 5, event = 'view') FROM events GROUP BY 1 ORDER BY 2",
        "SELECT cardinality(SESSIONS(TIMESTAMP '2026-03-01', '1 hour')) FROM events GROUP BY 'x'",
        "SELECT cardinality(SESSIONS(TIMESTAMP '2026-03-01', '1 hour')), count(*) FROM events GROUP BY user_id % 2 ORDER BY 2",
    ] {
        let answers = [&stock, &context].map(|context| async {
            match tributary_udfs::sql(context, sql).await.unwrap().collect().await {
                Ok(batches) => Ok(batches.iter().flat_map(lines).collect::<Vec<_>>()),
                Err(error) => Err(error.to_string()),
            }
        });
        let [expected, answered] = answers;
        assert_eq!(answered.await, expected.await, "{sql}");
    }
}

#[tokio::test]
async fn a_panic_below_is_an_error_of_every_output() {
    use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
    let context = Shape { partitions: 3, ..Shape::default() }.context();
    register_many(&context, 5_000, 50, &DataType::Int64, false, 2);
    let breaks = create_udf(
        "breaks",
        vec![DataType::Int64],
        DataType::Int64,
        Volatility::Volatile,
        Arc::new(|_: &[ColumnarValue]| panic!("the reader broke")),
    );
    context.register_udf(breaks);
    let sql = "SELECT breaks(user_id), FUNNEL(event_time, 5, event = 'view') FROM events GROUP BY 1";
    let plan = tributary_udfs::sql(&context, sql).await.unwrap().create_physical_plan().await.unwrap();
    for partition in 0..3 {
        let mut output = plan.execute(partition, context.task_ctx()).unwrap();
        let error = output.next().await.unwrap().unwrap_err().to_string();
        assert!(error.contains("panic"), "{error}");
    }
    assert_eq!(context.runtime_env().memory_pool.reserved(), 0);
}

#[tokio::test]
async fn an_error_below_reaches_every_output_and_leaves_nothing_behind() {
    let context = Shape::default().context();
    register_many(&context, 5_000, 100, &DataType::Int64, false, 2);
    let sql = "SELECT user_id / (amount - 7), FUNNEL(event_time, 5, event = 'view') FROM events GROUP BY 1";
    let frame = tributary_udfs::sql(&context, sql).await.unwrap();
    let error = frame.collect().await.unwrap_err();
    assert!(error.to_string().contains("Divide by zero"), "{error}");
    assert_eq!(context.runtime_env().memory_pool.reserved(), 0);
}

#[tokio::test]
async fn a_plan_runs_again_and_outputs_that_nobody_reads_hold_no_memory() {
    let context = Shape { memory_bytes: Some(100_000_000), batch_rows: 100, ..Shape::default() }.context();
    register_many(&context, 50_000, 5_000, &DataType::Int64, false, 2);
    let sql = "SELECT user_id, FUNNEL(event_time, 5, event = 'view') FROM events GROUP BY user_id";
    let plan = tributary_udfs::sql(&context, sql).await.unwrap().create_physical_plan().await.unwrap();
    let first = collect(Arc::clone(&plan), context.task_ctx()).await.unwrap();
    let again = collect(Arc::clone(&plan), context.task_ctx()).await.unwrap();
    let sorted = |batches: &[RecordBatch]| {
        let mut rows = batches.iter().flat_map(lines).collect::<Vec<_>>();
        rows.sort();
        rows
    };
    assert_eq!(sorted(&first), sorted(&again));
    let mut output = plan.execute(0, context.task_ctx()).unwrap();
    assert_eq!(output.next().await.unwrap().unwrap().num_rows(), 100);
    assert!(context.runtime_env().memory_pool.reserved() > 0);
    // The same output again is a run of its own, and whole.
    let again = collect(Arc::clone(&plan), context.task_ctx()).await.unwrap();
    assert_eq!(sorted(&first), sorted(&again));
    drop(output);
    drop(plan);
    assert_eq!(context.runtime_env().memory_pool.reserved(), 0);
    let limited = rows(&context, &format!("SELECT count(*) FROM ({sql} LIMIT 3) AS u")).await;
    assert_eq!(limited, ["3"]);
}

#[tokio::test]
async fn lists_of_answers_become_rows_as_unnest_makes_them() {
    let visits = "SESSIONS(event_time, '3 hours')";
    let kept = "SESSIONS(event_time, '3 hours') FILTER (WHERE event = 'buy')";
    for (sql, is_flat) in [
        (
            format!(
                "SELECT s.started_at, s.event_count FROM (SELECT unnest({visits}) AS s FROM events GROUP BY user_id) AS v"
            ),
            true,
        ),
        (
            format!(
                "SELECT user_id, n, s.session_no FROM (SELECT user_id, count(*) AS n, unnest({kept}) AS s FROM events GROUP BY user_id) AS v"
            ),
            true,
        ),
        (format!("SELECT unnest({visits}) AS s, unnest({kept}) AS k FROM events GROUP BY user_id"), false),
        (format!("SELECT user_id, unnest({visits}) AS s FROM events GROUP BY user_id HAVING count(*) > 40"), false),
    ] {
        let stock = STOCK.context();
        register_many(&stock, 6_000, 70, &DataType::Utf8View, true, 2);
        let mut expected = rows(&stock, &sql).await;
        expected.sort();
        assert!(expected.len() > 70, "{} of {sql}", expected.len());
        for batch_rows in [3, 8192] {
            let context = Shape { batch_rows, ..Shape::default() }.context();
            register_many(&context, 6_000, 70, &DataType::Utf8View, true, 2);
            let shown = plan(&context, &sql).await;
            assert_eq!(shown.contains("FlattenExec"), is_flat, "{shown}");
            let mut answered = rows(&context, &sql).await;
            answered.sort();
            assert!(answered == expected, "{batch_rows} {sql}");
        }
    }
}

#[tokio::test]
async fn no_rows_are_no_users() {
    let context = Shape::default().context();
    register(&context, &[(1, Some(0), Some("view"))], 2);
    let sql = "SELECT user_id, SESSIONS(event_time, '1 hour') FROM events WHERE user_id > 1 GROUP BY user_id";
    assert!(plan(&context, sql).await.contains("JourneyExec"));
    assert_eq!(rows(&context, sql).await, Vec::<String>::new());
}

#[tokio::test]
async fn its_work_is_counted() {
    let context = Shape::default().context();
    register(&context, &[(1, Some(0), Some("a")), (2, Some(5), Some("b")), (2, Some(3), None), (2, None, None)], 2);
    let sql = "SELECT user_id, SESSIONS(event_time, '1 hour') FROM events GROUP BY user_id";
    let analyzed = rows(&context, &format!("EXPLAIN ANALYZE {sql}")).await.join("\n");
    let line = analyzed.lines().find(|line| line.contains("JourneyExec")).unwrap();
    for count in ["output_rows=2", "events_read=4", "events_kept=3", "users=2", "spill_count=0"] {
        assert!(line.contains(count), "{count} in {line}");
    }
    assert!(line.contains("log_bytes=") && !line.contains("log_bytes=0"), "{line}");
}
