//! The plans of tables of several generations: what is merged, what goes below the merge, and what it costs.

use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;

use super::generations::{Event, Generations, assert_answers_as_flat, batch_of, compact_options, told};
use super::*;
use crate::lake::compact;

/// Ten events of each of 400 users in eight ranges; every third event comes a generation later, every ninth another.
pub(super) async fn three_generations() -> Generations {
    let events: Vec<Event> = (0..4000).map(|n| (Some(n * 7 % 400), Some(n), n)).collect();
    let of = |generation: usize| -> Vec<Event> {
        let generation_of = |place: i64| usize::from(place % 3 == 0) + usize::from(place % 9 == 0);
        events.iter().filter(|event| generation_of(event.2) == generation).copied().collect()
    };
    let table = Generations::new(&of(0), 8).await;
    for generation in [1, 2] {
        table.append(&generation.to_string(), &batch_of(&of(generation))).await.unwrap();
    }
    table.flat(&events);
    table
}

async fn plan_of(table: &Generations, partitions: usize, sql: &str) -> String {
    let context = table.session(partitions, 8192).await;
    let frame = tributary_udfs::sql(&context, sql).await.unwrap();
    let plan = frame.create_physical_plan().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    datafusion::physical_plan::displayable(plan.as_ref()).indent(false).to_string()
}

#[tokio::test]
async fn questions_about_users_need_neither_exchange_nor_sort_over_generations() {
    let table = three_generations().await;
    for partitions in [1, 2, 4, 8, 16] {
        for sql in [
            "select user_id, count(event) from events group by user_id",
            "select user_id, row_number() over (partition by user_id order by event_time) from events",
            "select who, count(*) from (select event, user_id as who from events where event <> 'view') as e group by 1",
            "select user_id, funnel(event_time, event = 'view', event = 'buy', within => '1 day') from events group by 1",
        ] {
            let plan = plan_of(&table, partitions, sql).await;
            assert!(plan.contains("BucketMergeExec: order=["), "{partitions}: {plan}");
            assert!(!plan.contains("RepartitionExec") && !plan.contains("SortExec"), "{partitions}: {plan}");
            assert!(!plan.contains("SortPreservingMergeExec") && !plan.contains("CoalescePartitions"), "{plan}");
        }
    }
    assert_answers_as_flat(&table, "three generations").await;
}

#[tokio::test]
async fn a_program_of_half_of_all_rows_leaves_the_other_partitions_to_the_others() {
    let events: Vec<Event> = (0..4000).map(|n| (Some(if n % 2 == 0 { 3 } else { n % 97 }), Some(n), n)).collect();
    let table = Generations::new(&events[..3000], 8).await;
    let ranges = table.manifest().range_count();
    for what in ["one generation", "two"] {
        for partitions in 4..=ranges {
            let sql = "select user_id, count(event) from events group by user_id";
            let plan = plan_of(&table, partitions, sql).await;
            assert!(!plan.contains("RepartitionExec"), "{what}, {partitions}: {plan}");
        }
        table.append("1", &batch_of(&events[3000..])).await.unwrap();
    }
}

#[tokio::test]
async fn filters_masks_and_columns_go_below_the_merge() {
    let table = three_generations().await;
    let sql =
        "select user_id, funnel(event_time, event = 'view', event = 'buy', within => '1 day') from events group by 1";
    let plan = plan_of(&table, 4, sql).await;
    let (above, below) = plan.split_once("BucketMergeExec").unwrap();
    assert!(above.contains("JourneyExec") && above.contains("ordering_mode=Sorted"), "{plan}");
    assert!(!above.contains("ProjectionExec: expr=[user_id@0 as user_id, event_time"), "{plan}");
    assert_eq!(below.matches(" as step_mask(").count(), 3, "{plan}");

    let plan = plan_of(&table, 4, "select place from events where event = 'buy'").await;
    let (above, below) = plan.split_once("BucketMergeExec").unwrap();
    assert!(above.contains("ProjectionExec: expr=[place@"), "the keys go: {plan}");
    assert!(!above.contains("FilterExec"), "{plan}");
    assert_eq!(below.matches("FilterExec").count(), 3, "{plan}");
    assert_eq!(below.matches("pruning_predicate=").count(), 3, "{plan}");
}

#[tokio::test]
async fn questions_without_an_order_merge_nothing_and_read_no_keys() {
    let table = three_generations().await;
    for sql in [
        "select event, count(*) from events group by event",
        "select sum(place) from events where event = 'buy'",
        "select event, place from events order by place",
    ] {
        let plan = plan_of(&table, 4, sql).await;
        assert!(plan.contains("BucketMergeExec: order=none, generations=3"), "{plan}");
        let below = plan.split_once("BucketMergeExec").unwrap().1;
        // A filter that went below before the order was forgotten reads what was read then.
        assert!(plan.contains("FilterExec") || !below.contains("user_id, event_time"), "{plan}");
    }
    // The same partitions of users: a join by user needs no exchange of this side's aggregation.
    let sql = "select user_id, count(*), sum(place) from (select user_id, place from events) as e group by user_id";
    assert!(plan_of(&table, 4, sql).await.contains("BucketMergeExec: order=["));
    let context = table.session(2, 8192).await;
    let analyzed = told(&context, "explain analyze select event, count(*) from events group by 1").await.join("\n");
    assert!(analyzed.contains("merged_generations=0") && analyzed.contains("merged_rows=0"), "{analyzed}");
}

#[tokio::test]
async fn the_first_of_an_order_is_the_first_over_all_generations() {
    let table = three_generations().await;
    for partitions in [1, 4] {
        let context = table.session(partitions, 100).await;
        for order in ["event_time", "event_time desc", "user_id, event_time", "user_id desc, event_time desc", "place"]
        {
            for (call, rest) in [
                (format!("first_value(place order by {order}), last_value(event order by {order})"), ""),
                (format!("first_value(place order by {order})"), "where user_id = 0"),
                (format!("array_agg(place order by {order})"), "where user_id < 3"),
                (format!("user_id, first_value(event order by {order})"), "group by user_id order by user_id"),
                (format!("event, last_value(place order by {order})"), "group by event order by event"),
            ] {
                let answer = async |of| told(&context, &format!("select {call} from {of} {rest}")).await;
                assert_eq!(answer("events").await, answer("flat").await, "{call} {rest}, {partitions}");
            }
        }
    }
}

#[tokio::test]
async fn one_generation_has_the_plan_that_it_had() {
    let table = three_generations().await;
    let sql = "select user_id, count(event) from events where user_id = 7 or user_id > 390 group by user_id";
    assert!(plan_of(&table, 4, sql).await.contains("BucketMergeExec"));
    table.compact().await.unwrap();
    for sql in [sql, "select user_id, event_time from events", "select count(*) from events where user_id = 7"] {
        let plan = plan_of(&table, 4, sql).await;
        assert!(!plan.contains("BucketMergeExec") && plan.contains("DataSourceExec"), "{plan}");
    }
}

#[tokio::test]
async fn ranges_of_one_generation_are_read_without_a_merge() {
    let events: Vec<Event> = (0..4000).map(|n| (Some(n % 400), Some(n), n)).collect();
    let table = Generations::new(&events, 8).await;
    // Users of one range in the middle.
    let later: Vec<Event> = (0..50).map(|n| (Some(210 + n % 5), Some(n), 4000 + n)).collect();
    let report = table.append("1", &batch_of(&later)).await.unwrap();
    assert_eq!((report.range_count, report.row_count, report.generation), (1, 50, 2));
    table.flat(&[events, later].concat());
    let context = table.session(2, 8192).await;
    let sql = "select user_id, count(event) from events group by user_id";
    let analyzed = told(&context, &format!("explain analyze {sql}")).await.join("\n");
    assert!(analyzed.contains("generations=2, ranges=1"), "{analyzed}");
    assert!(analyzed.contains("merged_generations=2"), "{analyzed}");
    assert!(analyzed.contains("merged_rows=550") || analyzed.contains("merged_rows=5"), "{analyzed}");
    // The first layer has a group for each stretch: before the range, the range, and what comes after.
    let plan = context.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
    let mut counts = Vec::new();
    scans(&plan, &mut counts);
    assert!(counts.iter().all(|(groups, _)| *groups == counts[0].0), "{counts:?}");
    assert_eq!(counts.iter().map(|(_, files)| files).sum::<usize>(), 9, "{counts:?}");
    assert_eq!(counts.last().unwrap().1, 1, "the second layer has one file: {counts:?}");
    assert_answers_as_flat(&table, "one range").await;
}

/// Groups and files of each scan.
fn scans(plan: &Arc<dyn datafusion::physical_plan::ExecutionPlan>, counts: &mut Vec<(usize, usize)>) {
    let source = plan.downcast_ref::<datafusion::datasource::source::DataSourceExec>();
    if let Some(config) = source.and_then(|scan| scan.data_source().downcast_ref::<FileScanConfig>()) {
        let files = config.file_groups.iter().map(|group| group.len()).sum();
        counts.push((config.file_groups.len(), files));
    }
    for child in plan.children() {
        scans(child, counts);
    }
}

#[tokio::test]
async fn limits_and_statistics_are_right_over_generations() {
    let table = three_generations().await;
    let context = table.session(4, 100).await;
    assert_eq!(told(&context, "select * from events limit 7").await.len(), 7);
    assert_eq!(told(&context, "select count(*) from (select * from events limit 3999)").await, ["3999"]);
    let smallest = told(&context, "select user_id, event_time from events order by 1, 2 limit 3").await;
    assert_eq!(smallest, told(&context, "select user_id, event_time from flat order by 1, 2 limit 3").await);
    let latest = "select event_time, user_id from TABLE order by event_time desc limit 5";
    assert_eq!(
        told(&context, &latest.replace("TABLE", "events")).await,
        told(&context, &latest.replace("TABLE", "flat")).await
    );
    // Answered by the footers of all generations.
    let plan = plan_of(&table, 4, "select count(*) from events").await;
    assert!(plan.contains("PlaceholderRowExec"), "{plan}");
    assert_eq!(told(&context, "select count(*), min(user_id), max(user_id) from events").await, ["4000|0|399"]);
    assert_eq!(told(&context, "select count(*) from events where user_id = 7").await, ["10"]);
    assert_eq!(told(&context, "select 1 from events where user_id = 7000").await, Vec::<String>::new());
    // One user is read in one partition, from one file of each generation.
    let plan = plan_of(&table, 4, "select count(event) from events where user_id = 7").await;
    assert!(plan.matches("file_groups={1 group: [[").count() == 3, "{plan}");
}

#[tokio::test]
async fn texts_are_read_as_codes_below_the_merge_and_above_it_answers_stay() {
    let table = three_generations().await;
    let sql = "select count(*), sum(place) from TABLE where event in ('buy', 'cart')";
    for codes in ["true", "false"] {
        let context = table.session(4, 8192).await;
        context.sql(&format!("set tributary.read_codes = {codes}")).await.unwrap().collect().await.unwrap();
        let expected = told(&context, &sql.replace("TABLE", "flat")).await;
        assert_eq!(told(&context, &sql.replace("TABLE", "events")).await, expected);
    }
}

#[tokio::test]
async fn a_merge_takes_its_memory_from_the_pool() {
    let table = three_generations().await;
    let pool = Arc::new(GreedyMemoryPool::new(10_000));
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc().unwrap();
    let context = table.session_in(&runtime, 2, 8192).await;
    let error = tributary_udfs::sql(&context, "select * from events").await.unwrap().collect().await.unwrap_err();
    assert!(error.to_string().contains("BucketMergeExec"), "{error}");
    // A compaction too, which says what it was reading.
    let target = table.path();
    let target = target.to_str().unwrap();
    let error = compact(&runtime, target, &compact_options(), &Arc::default()).await.unwrap_err();
    assert_eq!(error.state.0, "53200", "{error}");
    assert_eq!(error.message, format!("'{target}' cannot be read in the memory that there is"));
}
