//! Tables of several generations: they answer what one table of all rows answers, in the same plans.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use datafusion::arrow::array::{Float64Array, TimestampMicrosecondArray};
use datafusion::execution::session_state::SessionStateBuilder;
use proptest::prelude::*;

use super::merged::three_generations;
use super::*;
use crate::lake::manifest::{MANIFEST_NAME, Manifest};
use crate::lake::{
    AppendOptions, ClusterOptions, ClusterReport, CompactOptions, CompactReport, append, check_folder, cluster, compact,
};

/// One event: who, when, and its place among all.
pub(super) type Event = (Option<i64>, Option<i64>, i64);

const NAMES: [&str; 3] = ["view", "cart", "buy"];

/// What the place of an event makes it.
fn name_of(place: i64) -> &'static str {
    NAMES[(place / 5 % 3) as usize]
}

pub(super) fn batch_of(events: &[Event]) -> RecordBatch {
    let users: Int64Array = events.iter().map(|(user, ..)| *user).collect();
    let times: TimestampMicrosecondArray =
        events.iter().map(|(_, time, _)| time.map(|time| time * 1_000_000)).collect();
    let places: Vec<i64> = events.iter().map(|(.., place)| *place).collect();
    let names: Vec<&str> = places.iter().map(|place| name_of(*place)).collect();
    rows(vec![
        ("user_id", Arc::new(users)),
        ("event_time", Arc::new(times)),
        ("event", texts(&names)),
        ("place", ints(&places)),
    ])
}

pub(super) fn append_options() -> AppendOptions {
    AppendOptions {
        user_key: None,
        time_key: None,
        memory_limit_bytes: 1 << 30,
        thread_count: NonZeroUsize::new(2).unwrap(),
    }
}

pub(super) fn compact_options() -> CompactOptions {
    CompactOptions { thread_count: NonZeroUsize::new(2).unwrap(), old_files_kept: Duration::ZERO }
}

/// A lake with the table `events` and its sources.
pub(super) struct Generations {
    pub(super) folder: tempfile::TempDir,
}

impl Generations {
    /// A table of one generation.
    pub(super) async fn new(first: &[Event], ranges: usize) -> Self {
        Self::of(&batch_of(first), ranges).await
    }

    /// The same, of rows with columns of their own.
    pub(super) async fn of(first: &RecordBatch, ranges: usize) -> Self {
        let table = Self { folder: tempfile::tempdir().unwrap() };
        let options = ClusterOptions {
            user_key: "user_id".to_owned(),
            time_key: "event_time".to_owned(),
            range_count: NonZeroUsize::new(ranges),
            memory_limit_bytes: 1 << 30,
            thread_count: NonZeroUsize::new(2).unwrap(),
        };
        let source = table.source("0", first);
        let runtime = Arc::new(RuntimeEnv::default());
        let (source, target) = (source.to_str().unwrap(), table.path());
        cluster(&runtime, source, target.to_str().unwrap(), &options, &Arc::default()).await.unwrap();
        table
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("lake/events")
    }

    /// Writes a source outside of the lake.
    pub(super) fn source(&self, name: &str, batch: &RecordBatch) -> PathBuf {
        let folder = self.folder.path().join("sources").join(name);
        write(&folder.join("a.parquet"), batch);
        folder
    }

    pub(super) async fn append(&self, name: &str, batch: &RecordBatch) -> Result<ClusterReport, Error> {
        let source = self.source(name, batch);
        self.append_from(&source).await
    }

    pub(super) async fn append_from(&self, source: &Path) -> Result<ClusterReport, Error> {
        let runtime = Arc::new(RuntimeEnv::default());
        let (source, target) = (source.to_str().unwrap(), self.path());
        append(&runtime, source, target.to_str().unwrap(), &append_options(), &Arc::default()).await
    }

    pub(super) async fn compact(&self) -> Result<CompactReport, Error> {
        let runtime = Arc::new(RuntimeEnv::default());
        compact(&runtime, self.path().to_str().unwrap(), &compact_options(), &Arc::default()).await
    }

    pub(super) fn manifest(&self) -> Manifest {
        Manifest::from_json(&fs::read(self.path().join(MANIFEST_NAME)).unwrap(), "the manifest").unwrap()
    }

    /// The names of all files of the folder, sorted.
    pub(super) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    pub(super) async fn findings(&self) -> Vec<String> {
        let runtime = Arc::new(RuntimeEnv::default());
        check_folder(&runtime, self.path().to_str().unwrap(), 2, &Arc::default()).await.unwrap().findings
    }

    /// A session with our functions and rules, over the lake.
    pub(super) async fn session(&self, partitions: usize, batch_size: usize) -> SessionContext {
        self.session_in(&Arc::new(RuntimeEnv::default()), partitions, batch_size).await
    }

    pub(super) async fn session_in(
        &self,
        runtime: &Arc<RuntimeEnv>,
        partitions: usize,
        batch_size: usize,
    ) -> SessionContext {
        let spec = LakeSpec {
            name: "shop".to_owned(),
            location: self.folder.path().join("lake").to_str().unwrap().to_owned(),
        };
        let lake = Lake::open(spec, runtime).await.unwrap();
        with_functions(&lake, runtime, partitions, batch_size).await
    }

    /// Puts the rows beside the table as one plain file, `flat`.
    pub(super) fn flat(&self, events: &[Event]) {
        write(&self.folder.path().join("lake/flat.parquet"), &batch_of(events));
    }
}

/// A session with our functions and rules, over a lake.
pub(super) async fn with_functions(
    lake: &Lake,
    runtime: &Arc<RuntimeEnv>,
    partitions: usize,
    batch_size: usize,
) -> SessionContext {
    let mut config = SessionConfig::new().with_target_partitions(partitions).with_batch_size(batch_size);
    config.options_mut().optimizer.prefer_existing_sort = true;
    config.options_mut().optimizer.enable_round_robin_repartition = false;
    let state =
        SessionStateBuilder::new().with_config(config).with_runtime_env(Arc::clone(runtime)).with_default_features();
    let context = SessionContext::new_with_state(tributary_udfs::install(state).build());
    for (name, table) in lake.tables().iter() {
        context.register_table(name.as_str(), table.provider().await.unwrap()).unwrap();
    }
    context
}

/// The answer in our syntax, one line a row.
pub(super) async fn told(context: &SessionContext, sql: &str) -> Vec<String> {
    let frame = tributary_udfs::sql(context, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    lines(&frame.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}")))
}

/// Questions that must have one answer over `events` and `flat`.
const QUESTIONS: [&str; 7] = [
    "select count(*), count(event), min(event_time), max(user_id), sum(place) from TABLE",
    "select user_id, event_time, place, event from TABLE order by user_id, event_time, place",
    "select user_id, funnel(event_time, event = 'view', event = 'cart', event = 'buy', within => '9 seconds') as level
     from TABLE group by user_id order by user_id",
    "select user_id, s.session_no, s.started_at, s.ended_at, s.event_count
     from (select user_id, unnest(sessions(event_time, '3 seconds')) as s from TABLE group by user_id) as visits
     order by 1, 2",
    "select user_id, count(*), count(event), sum(place), max(event_time) from TABLE where event <> 'cart' group by 1 order by 1",
    "select event, count(*), count(distinct user_id) from TABLE where user_id > 2 or user_id is null group by 1 order by 1",
    "select user_id, max(n), sum(n * place) from (select user_id, place, rank() over
     (partition by user_id order by event_time) as n from TABLE) as ranked group by user_id order by user_id",
];

pub(super) async fn assert_answers_as_flat(table: &Generations, what: &str) {
    for (partitions, batch_size) in [(1, 3), (2, 8192), (8, 1)] {
        let context = table.session(partitions, batch_size).await;
        for question in QUESTIONS {
            let answer = told(&context, &question.replace("TABLE", "events")).await;
            let expected = told(&context, &question.replace("TABLE", "flat")).await;
            assert_eq!(answer, expected, "{what}, {partitions} partitions, batches of {batch_size}: {question}");
        }
    }
}

/// User and time, NULL last; equal rows from the older generation first, as the source has them.
fn in_order(events: &[Event], generations: &[usize]) -> Vec<i64> {
    let mut order: Vec<(&Event, usize)> = events.iter().zip(generations.iter().copied()).collect();
    order.sort_by_key(|((user, time, place), generation)| {
        (user.is_none(), *user, time.is_none(), *time, *generation, *place)
    });
    order.into_iter().map(|((.., place), _)| *place).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn generations_answer_what_one_flat_table_answers(
        events in prop::collection::vec(
            (prop::option::weighted(0.95, 0..6_i64), prop::option::weighted(0.97, 0..20_i64), 0..4_usize), 0..60),
        generation_count in 1..=4_usize,
        ranges in 1..5_usize,
    ) {
        let generations: Vec<usize> = events.iter().map(|(.., generation)| generation % generation_count).collect();
        let events: Vec<Event> = events.iter().zip(0..).map(|((user, time, _), place)| (*user, *time, place)).collect();
        let of = |wanted: usize| -> Vec<Event> {
            let mine = events.iter().zip(&generations).filter(|(_, generation)| **generation == wanted);
            mine.map(|(event, _)| *event).collect()
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let table = Generations::new(&of(0), ranges).await;
            table.flat(&events);
            for generation in 1..generation_count {
                table.append(&generation.to_string(), &batch_of(&of(generation))).await.unwrap();
            }
            let expected: Vec<String> = in_order(&events, &generations).iter().map(i64::to_string).collect();
            for what in ["appended", "compacted"] {
                assert_answers_as_flat(&table, what).await;
                let rows = told(&table.session(1, 2).await, "select place from events").await;
                assert_eq!(rows, expected, "{what}");
                assert_eq!(table.findings().await, Vec::<String>::new());
                table.compact().await.unwrap();
                let manifest = table.manifest();
                assert_eq!((manifest.ranges().count(), manifest.format), (manifest.files.len(), 1));
                assert_eq!(table.names().len(), manifest.files.len() + 1);
            }
        });
    }
}

#[tokio::test]
async fn columns_that_come_and_go_are_null_where_they_are_not() {
    let table = Generations::new(&[(Some(1), Some(1), 0), (Some(2), Some(2), 1)], 2).await;
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![5_000_000, 6_000_000]));
    let narrow: ArrayRef = Arc::new(datafusion::arrow::array::Int32Array::from(vec![2, 3]));
    let empty: ArrayRef = Arc::new(datafusion::arrow::array::NullArray::new(2));
    let batch = rows(vec![
        ("channel", texts(&["email", "search"])),
        ("event_time", times),
        // Narrower than the table's, which it keeps.
        ("user_id", narrow),
        // Without a value, and so of no type.
        ("place", empty),
    ]);
    table.append("1", &batch).await.unwrap();
    let sql = "select user_id, event, place, channel, arrow_typeof(user_id) from events order by 1, 2 nulls last";
    let expected = ["1|view|0||Int64", "2|view|1||Int64", "2|||email|Int64", "3|||search|Int64"];
    assert_eq!(told(&table.session(2, 8192).await, sql).await, expected);
    table.append("2", &batch_of(&[(Some(3), Some(9), 7)])).await.unwrap();
    table.compact().await.unwrap();
    let expected = [expected.as_slice(), &["3|cart|7||Int64"]].concat();
    let mut answer = told(&table.session(2, 8192).await, sql).await;
    answer.sort();
    let mut sorted = expected.clone();
    sorted.sort_unstable();
    assert_eq!(answer, sorted);
    assert_eq!(table.findings().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_source_that_does_not_fit_is_refused_and_nothing_changes() {
    let table = Generations::new(&[(Some(1), Some(1), 0)], 1).await;
    let times = || -> ArrayRef { Arc::new(TimestampMicrosecondArray::from(vec![5])) };
    let double: ArrayRef = Arc::new(Float64Array::from(vec![1.5]));
    let cases = [
        (
            vec![("user_id", texts(&["ana"])), ("event_time", times())],
            "42804",
            "\"user_id\" is bigint in the table and text",
        ),
        (
            vec![("user_id", ints(&[1])), ("event_time", ints(&[1]))],
            "42804",
            "\"event_time\" is timestamp in the table",
        ),
        (vec![("user_id", ints(&[1])), ("event_time", times()), ("place", double)], "42804", "\"place\" is bigint"),
        (vec![("user_id", ints(&[1])), ("event", texts(&["buy"]))], "42703", "time key \"event_time\" is no column"),
        (vec![("event_time", times())], "42703", "user key \"user_id\" is no column"),
    ];
    let before = table.names();
    for (number, (columns, state, why)) in cases.into_iter().enumerate() {
        let error = table.append(&number.to_string(), &rows(columns)).await.unwrap_err();
        assert_eq!(error.state.0, state, "{error}");
        assert!(error.message.contains(why), "{error}");
    }
    let error = table.append_from(&table.path()).await.unwrap_err();
    assert_eq!((error.state.0, error.message.contains("in common")), ("22023", true), "{error}");
    assert_eq!(table.append_from(&table.folder.path().join("nowhere")).await.unwrap_err().state.0, "58P01");
    let runtime = Arc::new(RuntimeEnv::default());
    let (source, target) = (table.source("x", &batch_of(&[(Some(1), Some(1), 0)])), table.path());
    let named = AppendOptions { user_key: Some("place".to_owned()), ..append_options() };
    let (source, target) = (source.to_str().unwrap(), target.to_str().unwrap());
    let error = append(&runtime, source, target, &named, &Arc::default()).await.unwrap_err();
    assert_eq!((error.state.0, error.message.contains("is \"user_id\", not \"place\"")), ("22023", true), "{error}");
    let nothing = table.folder.path().join("sources");
    let error =
        append(&runtime, source, nothing.to_str().unwrap(), &append_options(), &Arc::default()).await.unwrap_err();
    assert_eq!((error.state.0, error.message.contains("no clustered table")), ("58P01", true), "{error}");
    assert_eq!(table.names(), before);
    assert_eq!(table.manifest().generation, 1);
    assert!(!table.folder.path().join("lake/.events.cluster").exists());
}

#[tokio::test]
async fn text_files_are_appended_in_the_types_of_the_table() {
    let table = Generations::new(&[(Some(1), Some(1), 0)], 1).await;
    let csv = table.folder.path().join("sources/csv/a.csv");
    // `event` looks like a number here, and nothing is in `place`.
    write_text(&csv, "user_id,event,event_time,place\n2,007,1970-01-01T00:00:09,\n1,0,1970-01-01T00:00:00,\n");
    table.append_from(csv.parent().unwrap()).await.unwrap();
    let json = table.folder.path().join("sources/json/a.ndjson");
    write_text(&json, "{\"event_time\": \"1970-01-01T00:00:10\", \"user_id\": 2, \"place\": 5}\n");
    table.append_from(json.parent().unwrap()).await.unwrap();
    let sql = "select user_id, event, event_time, place from events order by 1, 3";
    let expected = [
        "1|0|1970-01-01T00:00:00|",
        "1|view|1970-01-01T00:00:01|0",
        "2|007|1970-01-01T00:00:09|",
        "2||1970-01-01T00:00:10|5",
    ];
    assert_eq!(told(&table.session(2, 8192).await, sql).await, expected);
    write_text(&csv, "user_id,event,event_time,place\nBo,view,1970-01-01T00:00:09,1\n");
    let error = table.append_from(csv.parent().unwrap()).await.unwrap_err();
    assert_eq!(error.state.0, "22P02", "{error}");
    assert!(error.message.contains("a.csv"), "{error}");
    assert_eq!(table.manifest().generation, 3);
}

#[tokio::test]
async fn times_of_text_files_name_a_zone_exactly_where_the_times_of_the_table_do() {
    let (clock, instant) = ("2026-01-01T10:00:00", "2026-01-01T10:00:00+08:00");
    for (zone, right, wrong) in [(None, clock, instant), (Some("UTC"), instant, clock)] {
        let times = || -> ArrayRef { Arc::new(TimestampMicrosecondArray::from(vec![0]).with_timezone_opt(zone)) };
        let first = rows(vec![("user_id", ints(&[1])), ("event_time", times()), ("seen_at", times())]);
        let table = Generations::of(&first, 1).await;
        let csv = |event_time: &str, seen_at: &str| {
            let text = format!("user_id,event_time,seen_at\n2,{right},{right}\n3,{event_time},{seen_at}\n");
            (table.folder.path().join("sources/csv/a.csv"), text)
        };
        let json = |event_time: &str, seen_at: &str| {
            let line = |user: i64, event_time: &str, seen_at: &str| {
                format!(r#"{{"user_id": {user}, "event_time": {event_time}, "seen_at": {seen_at}}}"#)
            };
            let quoted = format!("\"{right}\"");
            let text = format!("{}\n{}\n", line(2, &quoted, &quoted), line(3, event_time, seen_at));
            (table.folder.path().join("sources/json/a.ndjson"), text)
        };
        let refused = async |(path, text): (PathBuf, String)| {
            write_text(&path, &text);
            table.append_from(path.parent().unwrap()).await.unwrap_err()
        };
        let quoted = |time: &str| format!("\"{time}\"");
        let cases = [
            (csv(wrong, right), "event_time"),
            (csv(right, wrong), "seen_at"),
            (json(&quoted(wrong), &quoted(right)), "event_time"),
            (json(&quoted(right), &quoted(wrong)), "seen_at"),
            (csv(right, "soon"), "seen_at"),
        ];
        for (source, column) in cases {
            let error = refused(source).await;
            assert_eq!(error.state.0, "22007", "{error}");
            assert!(error.message.starts_with(&format!("column \"{column}\": ")), "{error}");
        }
        // A number is no time, whatever a reader would count with it.
        assert_eq!(refused(json(&quoted(right), "7")).await.state.0, "22P02");
        let numbers = table.folder.path().join("sources/numbers/a.csv");
        let error = refused((numbers, format!("user_id,event_time,seen_at\n2,{right},7\n"))).await;
        assert_eq!((error.state.0, error.message.contains("\"seen_at\" is timestamp")), ("42804", true), "{error}");

        for (path, text) in [csv(right, ""), json(&quoted(right), "null")] {
            write_text(&path, &text);
            table.append_from(path.parent().unwrap()).await.unwrap();
        }
        let sql = "select user_id, event_time, seen_at from events where user_id > 1 order by 1, 2";
        let expected = match zone {
            None => ["2|2026-01-01T10:00:00|2026-01-01T10:00:00", "3|2026-01-01T10:00:00|"],
            Some(_) => ["2|2026-01-01T02:00:00Z|2026-01-01T02:00:00Z", "3|2026-01-01T02:00:00Z|"],
        };
        let expected: Vec<&str> = expected.iter().flat_map(|line| [*line; 2]).collect();
        assert_eq!(told(&table.session(2, 8192).await, sql).await, expected);
    }
}

#[tokio::test]
async fn a_source_without_rows_changes_nothing() {
    let table = Generations::new(&[(Some(1), Some(1), 0)], 1).await;
    let before = table.manifest();
    let report = table.append("1", &batch_of(&[])).await.unwrap();
    assert_eq!((report.row_count, report.generation), (0, 1));
    assert_eq!(table.manifest(), before);
    let report = table.compact().await.unwrap();
    assert_eq!((report.range_count, report.generation), (0, 1));
    assert_eq!(table.manifest(), before);
    assert_eq!(table.names(), [MANIFEST_NAME, "range-00000-generation-1.parquet"]);
}

#[tokio::test]
async fn a_table_of_generations_may_be_clustered_again() {
    let table = Generations::new(&[(Some(1), Some(1), 0)], 2).await;
    for generation in 1..12_i64 {
        // All equal in user and time: the order is that of the generations, past the ninth too.
        table.append(&generation.to_string(), &batch_of(&[(Some(1), Some(1), generation)])).await.unwrap();
    }
    let options = ClusterOptions {
        user_key: "user_id".to_owned(),
        time_key: "event_time".to_owned(),
        range_count: NonZeroUsize::new(3),
        memory_limit_bytes: 1 << 20,
        thread_count: NonZeroUsize::MIN,
    };
    let runtime = Arc::new(RuntimeEnv::default());
    let again = table.folder.path().join("lake/again");
    let (source, target) = (table.path(), again.to_str().unwrap());
    cluster(&runtime, source.to_str().unwrap(), target, &options, &Arc::default()).await.unwrap();
    let expected: Vec<String> = (0..12).map(|place: i64| place.to_string()).collect();
    for name in ["events", "again"] {
        assert_eq!(told(&table.session(1, 8192).await, &format!("select place from {name}")).await, expected, "{name}");
    }
}

#[tokio::test]
async fn an_older_server_would_refuse_a_manifest_of_generations() {
    let table = three_generations().await;
    assert_eq!(table.manifest().format, 2);
    table.compact().await.unwrap();
    assert_eq!(table.manifest().format, 1);
    assert_eq!(table.manifest().generation, 4);
}

#[tokio::test]
async fn a_manifest_that_contradicts_itself_is_no_table() {
    let table = three_generations().await;
    let path = table.path().join(MANIFEST_NAME);
    let right = table.manifest();
    type Change = fn(&mut Manifest);
    let wrong: [(Change, &str); 4] = [
        (|manifest| manifest.files[1].generation = 1, "one range and one generation"),
        (|manifest| manifest.files[2].generation = 9, "is of generation 9"),
        (|manifest| manifest.row_count += 1, "its files have 4000"),
        (|manifest| manifest.files[0].row_count = u64::MAX, "more rows than can be counted"),
    ];
    for (change, why) in wrong {
        let mut manifest = right.clone();
        change(&mut manifest);
        fs::write(&path, manifest.to_json().unwrap()).unwrap();
        let (lake, _) = open(&table.folder.path().join("lake")).await;
        let error = lake.tables()["events"].provider().await.unwrap_err();
        assert_eq!(error.state.0, "XX001");
        assert!(error.message.contains(why), "{error}");
    }
}

#[tokio::test]
async fn no_generation_follows_the_last_one_that_can_be_counted() {
    let table = three_generations().await;
    let last = Manifest { generation: u64::MAX, ..table.manifest() };
    fs::write(table.path().join(MANIFEST_NAME), last.to_json().unwrap()).unwrap();
    let batch = batch_of(&[(Some(1), Some(1), 0)]);
    for error in [table.append("3", &batch).await.err(), table.compact().await.err()] {
        let error = error.unwrap();
        assert_eq!((error.state.0, error.message.contains("no generation follows")), ("XX001", true), "{error}");
    }
    assert_eq!(table.manifest(), last);
    assert_eq!(told(&table.session(2, 8192).await, "select count(place) from events").await, ["4000"]);
}
