//! How a query is run, and how its rows are stored, never changes what it answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::arrow::array::{
    ArrayRef, Int64Array, RecordBatch, StringArray, StringViewArray, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use proptest::prelude::*;

use crate::support::{Shape, context, plan, rows, rows_and_spills};

/// An event: user, time in seconds, name, campaign, tie.
type Event = (i64, Option<i64>, Option<&'static str>, Option<&'static str>, Option<i64>);

fn event() -> impl Strategy<Value = Event> {
    (
        0..4_i64,
        proptest::option::weighted(0.95, 0..40_i64),
        proptest::option::weighted(0.9, proptest::sample::select(&["view", "view", "view", "login", "logout"][..])),
        proptest::option::weighted(
            0.6,
            proptest::sample::select(&["spring", "summer", "a campaign with a long name"][..]),
        ),
        proptest::option::weighted(0.8, 0..3_i64),
    )
}

/// Registers `events(user_id, event_time, event, campaign, tie)` in as many partitions, dealt out in turn.
fn register_events(context: &SessionContext, events: &[Event], partitions: usize, text: &DataType) {
    let batches: Vec<Vec<RecordBatch>> = (0..partitions)
        .map(|partition| {
            let rows: Vec<&Event> = events.iter().skip(partition).step_by(partitions).collect();
            let times =
                rows.iter().map(|row| row.1.map(|second| second * 1_000_000)).collect::<TimestampMicrosecondArray>();
            let campaigns: ArrayRef = Arc::new(rows.iter().map(|row| row.3).collect::<StringArray>());
            let columns: Vec<(&str, ArrayRef)> = vec![
                ("user_id", Arc::new(rows.iter().map(|row| Some(row.0)).collect::<Int64Array>())),
                ("event_time", Arc::new(times)),
                ("event", Arc::new(rows.iter().map(|row| row.2).collect::<StringViewArray>())),
                ("campaign", cast(&campaigns, text).unwrap()),
                ("tie", Arc::new(rows.iter().map(|row| row.4).collect::<Int64Array>())),
            ];
            let columns = columns.into_iter().map(|(name, column)| (name, column, true));
            vec![RecordBatch::try_from_iter_with_nullable(columns).unwrap()]
        })
        .collect();
    let schema = batches[0][0].schema();
    context.deregister_table("events").unwrap();
    context.register_table("events", Arc::new(MemTable::try_new(schema, batches).unwrap())).unwrap();
}

const OPTIONS: [&str; 9] = [
    "",
    ", max_duration => 7",
    ", max_events => 3",
    ", new_when => event = 'login', end_when => event = 'logout'",
    ", end_when => event = 'logout', tie => tie",
    ", change_of => campaign",
    ", change_of => campaign, tie => tie, new_when => event = 'login'",
    ", day_boundary_tz => 'Asia/Kathmandu', change_of => campaign, max_events => 4",
    ", max_duration => '10 seconds', max_events => 5, new_when => event = 'login', end_when => event = 'logout', \
     change_of => campaign, tie => tie, day_boundary_tz => 'UTC'",
];

/// The number is the first key: above unnest DataFusion takes user_id for unique and drops keys after it (its pull
/// request 24787).
fn listed(options: &str) -> String {
    format!(
        "SELECT user_id, s.session_no, s.started_at, s.ended_at, s.event_count, s.cause \
         FROM (SELECT user_id, unnest(sessions(event_time, 4{options})) AS s FROM events GROUP BY user_id) AS visits \
         ORDER BY s.session_no, user_id"
    )
}

fn numbered(options: &str, order: &str) -> String {
    format!(
        "SELECT user_id, n, min(event_time), max(event_time), count(*), max(info['cause']::text) \
         FROM (SELECT user_id, event_time, SESSIONIZE(event_time, 4{options}) OVER (PARTITION BY user_id {order}) AS n, \
         sessionize_info(event_time, 4{options}) OVER (PARTITION BY user_id {order}) AS info FROM events) AS numbered \
         WHERE event_time IS NOT NULL AND n = info['session_no'] GROUP BY user_id, n ORDER BY n, user_id"
    )
}

fn shapes() -> Vec<Shape> {
    let mut shapes = vec![];
    for partitions in [1, 2] {
        for batch_rows in [3, 8192] {
            for (journeys, one_stage, skip_partial) in
                [(true, true, false), (false, true, false), (false, false, false), (false, false, true)]
            {
                shapes.push(Shape { partitions, batch_rows, one_stage, journeys, skip_partial, memory_bytes: None });
            }
        }
    }
    shapes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn lists_and_numbers_agree_in_every_order_shape_and_encoding(
        (events, shuffled) in proptest::collection::vec(event(), 1..40).prop_flat_map(|events| {
            // Every row twice: equal rows of one time are in one session, and tell the same story.
            let doubled: Vec<Event> = events.iter().chain(&events).copied().collect();
            (Just(doubled.clone()), Just(doubled).prop_shuffle())
        }),
        options in 0..OPTIONS.len(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let options = OPTIONS[options];
        let mut sorted = events;
        sorted.sort();
        let base = Shape { partitions: 1, ..Shape::default() }.context();
        register_events(&base, &sorted, 1, &DataType::Utf8);
        let expected = runtime.block_on(rows(&base, &numbered(options, "ORDER BY event_time")));
        let dictionary = DataType::Dictionary(Box::new(DataType::Int16), Box::new(DataType::Utf8));
        for (index, shape) in shapes().into_iter().enumerate() {
            let context = shape.context();
            let text = [&DataType::Utf8, &DataType::Utf8View, &dictionary][index % 3];
            register_events(&context, &shuffled, shape.partitions, text);
            let order = ["", "ORDER BY event_time", "ORDER BY event_time DESC", "ORDER BY tie, campaign"][index % 4];
            prop_assert_eq!(&runtime.block_on(rows(&context, &listed(options))), &expected, "{} {:?}", options, shape);
            prop_assert_eq!(&runtime.block_on(rows(&context, &numbered(options, order))), &expected, "{} {}", options, order);
        }
    }
}

/// Events of many users, without a library of random numbers.
fn many(event_count: usize, user_count: u64) -> Vec<Event> {
    let mut state = 7_u64;
    let mut draw = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let mut one = || {
        let name = ["view", "view", "login", "logout"][draw(4) as usize];
        let campaign = ["spring", "summer", "autumn"][draw(3) as usize];
        (draw(user_count) as i64, Some(draw(200) as i64), Some(name), Some(campaign), Some(draw(50) as i64))
    };
    (0..event_count).map(|_| one()).collect()
}

#[tokio::test]
async fn spilling_changes_nothing() {
    let events = many(60_000, 3_000);
    for options in ["", ", new_when => event = 'login'", ", change_of => campaign, tie => tie"] {
        let sql = format!(
            "SELECT count(*), sum(user_id * s.event_count), sum(s.session_no), max(s.ended_at), count(DISTINCT s.cause) \
             FROM (SELECT user_id, unnest(sessions(event_time, 4{options})) AS s FROM events GROUP BY user_id) AS visits"
        );
        let roomy = Shape::default().context();
        register_events(&roomy, &events, 2, &DataType::Utf8);
        let expected = rows(&roomy, &sql).await;
        // Less and less memory, until it does not hold everything.
        let spilled = async {
            for memory_bytes in [4_000_000, 3_000_000, 2_400_000, 2_000_000, 1_700_000, 1_400_000, 1_200_000, 1_000_000]
            {
                let tight =
                    Shape { memory_bytes: Some(memory_bytes), one_stage: false, batch_rows: 512, ..Shape::default() };
                let context = tight.context();
                register_events(&context, &events, 2, &DataType::Utf8);
                let (answered, spills) = rows_and_spills(&context, &sql).await;
                assert_eq!(answered, expected, "{options} in {memory_bytes} bytes");
                if spills > 0 {
                    return true;
                }
            }
            false
        };
        assert!(spilled.await, "memory for everything: {options}");
    }
}

#[tokio::test]
async fn more_groups_than_a_block_holds_are_all_answered_and_sorted_input_as_it_goes() {
    let mut events = many(90_000, 40_000);
    let sql = |options: &str, from: &str| {
        format!(
            "SELECT count(*), sum(s.event_count), sum(user_id * s.session_no) \
             FROM (SELECT user_id, unnest(sessions(event_time, 4{options})) AS s FROM {from} GROUP BY user_id) AS visits"
        )
    };
    for options in ["", ", change_of => campaign, tie => tie"] {
        let context = Shape { partitions: 1, batch_rows: 100, ..Shape::default() }.context();
        register_events(&context, &events, 1, &DataType::Utf8);
        let expected = rows(&context, &sql(options, "events")).await;
        assert!(expected[0].contains(" | 90000 | "), "{expected:?}");
        events.sort();
        register_events(&context, &events, 1, &DataType::Utf8);
        let from = "(SELECT * FROM events ORDER BY user_id, event_time LIMIT 1000000) AS events";
        assert!(plan(&context, &sql(options, from)).await.contains("ordering_mode=Sorted"));
        assert_eq!(rows(&context, &sql(options, from)).await, expected);
    }
}

#[tokio::test]
async fn plain_sql_lists_the_same_sessions() {
    let plain = include_str!("../../../../sql/plain/sessions.sql");
    // Minutes: gaps of exactly 30, times that are equal, and times that are NULL.
    let mut events: Vec<Event> = many(6_000, 300)
        .into_iter()
        .map(|event| (event.0, event.1.map(|minute| minute * 60 * 5), event.2, event.3, event.4))
        .collect();
    events.push((7, None, None, None, None));
    let context = Shape::default().context();
    register_events(&context, &events, 2, &DataType::Utf8);
    let ours = rows(&context, &listed("").replace("event_time, 4", "event_time, INTERVAL '30 minutes'")).await;
    let twin = rows(&context, &format!("{} ORDER BY session_no, user_id", plain.trim())).await;
    assert_eq!(twin, ours);
    assert!(ours.len() > 900 && ours.iter().any(|row| row.ends_with("timeout")), "{} sessions", ours.len());
}

#[tokio::test]
async fn a_user_with_a_million_events_is_quick() {
    let context = context();
    let events = "(SELECT arrow_cast(n * 7919 % 1000003 / 2, 'Timestamp(Microsecond, None)') AS t, n % 3 AS v FROM generate_series(1, 1000000) AS g(n)) AS events";
    for call in ["t, 0.000001", "t, 0.000001, new_when => v = 1, change_of => v, tie => v, max_events => 100000"] {
        let start = Instant::now();
        let listed = rows(&context, &format!("SELECT cardinality(sessions({call})) FROM {events}")).await;
        let numbered =
            rows(&context, &format!("SELECT max(n) FROM (SELECT sessionize({call}) OVER () AS n FROM {events}) AS e"))
                .await;
        assert_eq!(listed, numbered);
        assert!(start.elapsed() < Duration::from_secs(20), "{call}: {:?}", start.elapsed());
    }
}
