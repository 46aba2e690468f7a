//! Clustering: every row arrives once, in order, and each user in one range.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use datafusion::arrow::array::{Array, AsArray, FixedSizeBinaryArray, TimestampMicrosecondArray};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;

use super::*;
use crate::lake::manifest::{MANIFEST_NAME, Manifest};
use crate::lake::{ClusterMeter, ClusterOptions, ClusterReport, check_folder, cluster};

/// One event: who, when, and its place in the source.
type Event = (Option<i64>, Option<i64>, i64);

fn options(ranges: usize, memory_limit_bytes: usize, threads: usize) -> ClusterOptions {
    ClusterOptions {
        user_key: "user_id".to_owned(),
        time_key: "event_time".to_owned(),
        range_count: NonZeroUsize::new(ranges),
        memory_limit_bytes,
        thread_count: NonZeroUsize::new(threads).unwrap(),
    }
}

async fn run(source: &Path, target: &Path, options: &ClusterOptions) -> Result<ClusterReport, Error> {
    let meter = Arc::new(ClusterMeter::default());
    let runtime = Arc::new(RuntimeEnv::default());
    cluster(&runtime, source.to_str().unwrap(), target.to_str().unwrap(), options, &meter).await
}

fn batch_of(events: &[Event]) -> RecordBatch {
    let users: Int64Array = events.iter().map(|(user, ..)| *user).collect();
    let times: TimestampMicrosecondArray = events.iter().map(|(_, time, _)| *time).collect();
    let places: Int64Array = events.iter().map(|(.., place)| Some(*place)).collect();
    rows(vec![("user_id", Arc::new(users)), ("event_time", Arc::new(times)), ("place", Arc::new(places))])
}

/// Events as a folder of `file_count` files, numbered in the order of the folder.
fn source_of(events: &[(Option<i64>, Option<i64>)], file_count: usize) -> (tempfile::TempDir, Vec<Event>) {
    let events = events.iter().zip(0..).map(|((user, time), place)| (*user, *time, place)).collect::<Vec<Event>>();
    let folder = tempfile::tempdir().unwrap();
    for (number, part) in events.chunks(events.len().div_ceil(file_count).max(1)).enumerate() {
        write(&folder.path().join(format!("raw/{number:03}.parquet")), &batch_of(part));
    }
    if events.is_empty() {
        write(&folder.path().join("raw/000.parquet"), &batch_of(&[]));
    }
    (folder, events)
}

fn manifest_of(table: &Path) -> Manifest {
    Manifest::from_json(&fs::read(table.join(MANIFEST_NAME)).unwrap(), "the manifest").unwrap()
}

/// The rows of each file, in the order of the ranges.
fn ranges_of(table: &Path) -> Vec<RecordBatch> {
    let read = |path: PathBuf| {
        let reader = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path).unwrap()).unwrap();
        let schema = Arc::clone(reader.schema());
        let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
        concat_batches(&schema, &batches).unwrap()
    };
    manifest_of(table).files.iter().map(|file| read(table.join(&file.path))).collect()
}

fn events_of(batch: &RecordBatch) -> Vec<Event> {
    let users = batch.column(0).as_primitive::<Int64Type>();
    let times = batch.column(1).as_primitive::<TimestampMicrosecondType>();
    let places = batch.column(2).as_primitive::<Int64Type>();
    (0..batch.num_rows())
        .map(|row| {
            let user = users.is_valid(row).then(|| users.value(row));
            let time = times.is_valid(row).then(|| times.value(row));
            (user, time, places.value(row))
        })
        .collect()
}

/// The order of the table, said slowly: NULL last, equal rows as in the source.
fn in_order(mut events: Vec<Event>) -> Vec<Event> {
    events.sort_by_key(|(user, time, place)| (user.is_none(), *user, time.is_none(), *time, *place));
    events
}

async fn assert_clustered(table: &Path, events: &[Event], ranges: usize) {
    let found: Vec<Vec<Event>> = ranges_of(table).iter().map(events_of).collect();
    assert_eq!(found.concat(), in_order(events.to_vec()));
    assert!(found.len() <= ranges, "{} ranges of {ranges}", found.len());
    for pair in found.windows(2) {
        assert!(pair[0].last().unwrap().0 != pair[1][0].0, "a user is in two ranges: {pair:?}");
    }
    let runtime = Arc::new(RuntimeEnv::default());
    let report = check_folder(&runtime, table.to_str().unwrap(), 2, &Arc::default()).await.unwrap();
    assert_eq!(report.findings, Vec::<String>::new());
    assert_eq!(report.row_count, events.len() as u64);
}

#[tokio::test]
async fn every_small_table_is_cut_between_users_only() {
    let users = [Some(1), Some(2), None];
    for choice in 0..81_usize {
        let events: Vec<_> =
            (0..4).map(|place| (users[choice / 3_usize.pow(place) % 3], Some(i64::from(3 - place) / 2))).collect();
        let ranges = choice % 4 + 1;
        let (folder, events) = source_of(&events, choice % 3 + 1);
        let table = folder.path().join("table");
        // No memory at all: every bucket is cut down to one user at one time.
        run(&folder.path().join("raw"), &table, &options(ranges, choice % 2 * 1_000_000, 2)).await.unwrap();
        assert_clustered(&table, &events, ranges).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn rows_order_and_ranges_depend_on_the_source_alone(
        events in prop::collection::vec((prop::option::weighted(0.9, -20..20_i64), prop::option::weighted(0.95, -5..5_i64)), 0..150),
        bot_events in prop::option::of(0..200_usize),
        file_count in 1..6_usize,
        ranges in 1..9_usize,
    ) {
        let mut events = events;
        // A program that makes more events than everybody else.
        events.extend((0..bot_events.unwrap_or(0) as i64).map(|n| (Some(3), Some(n % 50))));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let (folder, events) = source_of(&events, file_count);
            let mut files = Vec::new();
            for (number, (memory, threads)) in [(1 << 30, 1), (0, 2), (20_000, 2)].into_iter().enumerate() {
                let table = folder.path().join(format!("table{number}"));
                run(&folder.path().join("raw"), &table, &options(ranges, memory, threads)).await.unwrap();
                assert_clustered(&table, &events, ranges).await;
                let manifest = manifest_of(&table);
                files.push((manifest.split_points, manifest.files));
            }
            assert_eq!(files[0], files[1]);
            assert_eq!(files[0], files[2]);
        });
    }
}

#[tokio::test]
async fn users_may_be_text_and_uuids() {
    let folder = tempfile::tempdir().unwrap();
    let users = ["zoë", "ana", "ana ", "anabel", "", "ana"];
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![5, 4, 3, 2, 1, 0]));
    let batch = rows(vec![("user_id", texts(&users)), ("event_time", Arc::clone(&times))]);
    write(&folder.path().join("text/a.parquet"), &batch);
    run(&folder.path().join("text"), &folder.path().join("by_text"), &options(3, 1000, 1)).await.unwrap();
    let (lake, runtime) = open(folder.path()).await;
    let in_one_partition = session(&lake, &runtime, 1).await;
    let answer = answer(&in_one_partition, "select user_id, event_time from by_text").await.unwrap();
    let found: Vec<&str> = answer.iter().filter_map(|line| line.split('|').next()).collect();
    assert_eq!(found, ["", "ana", "ana", "ana ", "anabel", "zoë"]);

    let bytes = |first: u8| -> Vec<u8> { std::iter::once(first).chain(1..16).collect() };
    let ids: Vec<Vec<u8>> = [200, 3, 150, 3, 7, 150].into_iter().map(bytes).collect();
    let ids = FixedSizeBinaryArray::try_from_iter(ids.into_iter()).unwrap();
    let schema = datafusion::arrow::datatypes::Schema::new(vec![
        crate::lake::uuid_field("user_id"),
        datafusion::arrow::datatypes::Field::new("event_time", times.data_type().clone(), true),
    ]);
    let batch = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(ids), times]).unwrap();
    write(&folder.path().join("uuid/a.parquet"), &batch);
    let table = folder.path().join("by_uuid");
    run(&folder.path().join("uuid"), &table, &options(4, 0, 2)).await.unwrap();
    let (lake, _) = open(folder.path()).await;
    let schema = lake.tables()["by_uuid"].schema().await.unwrap();
    assert!(crate::lake::is_uuid(schema.field(0)), "{schema:?}");
    let runtime = Arc::new(RuntimeEnv::default());
    let report = check_folder(&runtime, table.to_str().unwrap(), 1, &Arc::default()).await.unwrap();
    assert_eq!(report.findings, Vec::<String>::new());
    assert_eq!(manifest_of(&table).files.iter().map(|file| file.user_count).sum::<u64>(), 4);
}

#[tokio::test]
async fn text_files_of_drifting_columns_become_one_table() {
    let folder = tempfile::tempdir().unwrap();
    write_text(&folder.path().join("raw/a.csv"), "event_time,user_id\n2026-01-02 00:00:00,2\n2026-01-01 00:00:00,2\n");
    write_text(&folder.path().join("raw/b.csv"), "user_id,event_time,page\n1,2026-01-03 00:00:00,home\n");
    run(&folder.path().join("raw"), &folder.path().join("events"), &options(2, 1 << 20, 2)).await.unwrap();
    let sql = "select user_id, event_time, page from events order by 1, 2";
    let expected = ["1|2026-01-03T00:00:00|home", "2|2026-01-01T00:00:00|", "2|2026-01-02T00:00:00|"];
    assert_eq!(ask(folder.path(), sql).await.unwrap(), expected);
    assert_eq!(ask(folder.path(), &sql.replace("from events", "from raw")).await.unwrap(), expected);
}

#[tokio::test]
async fn times_that_json_has_as_text_become_timestamps() {
    let folder = tempfile::tempdir().unwrap();
    let line = |user: i64, time: &str| format!("{{\"user_id\": {user}, \"event_time\": \"{time}\"}}\n");
    let raw = folder.path().join("raw/a.ndjson");
    write_text(&raw, &[line(1, "2026-01-01T12:00:00Z"), line(1, "2026-01-01T13:00:00.5+02:00")].concat());
    run(raw.parent().unwrap(), &folder.path().join("events"), &options(2, 1 << 20, 1)).await.unwrap();
    let answer = ask(folder.path(), "select event_time from events order by 1").await.unwrap();
    assert_eq!(answer, ["2026-01-01T11:00:00.500Z", "2026-01-01T12:00:00Z"]);

    for (wrong, why) in [("yesterday", "'yesterday' "), ("2026-01-01T12:00:00", "has no time zone")] {
        let right = "2026-01-01T12:00:00Z";
        write_text(&raw, &[line(1, right), line(2, right), line(3, wrong)].concat());
        let error = run(raw.parent().unwrap(), &folder.path().join("other"), &options(2, 1 << 20, 1)).await;
        let error = error.unwrap_err();
        assert_eq!(error.state.0, "22007");
        assert!(error.message.contains(why), "{error}");
        assert!(!folder.path().join("other").exists());
    }
}

#[tokio::test]
async fn folders_of_keys_lists_and_text_of_few_values_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    for day in 1..=2 {
        let users: Vec<i64> = (0..500).map(|n| n * 31 % 97).collect();
        let names: Vec<&str> = (0..500).map(|n| ["view", "cart", "buy"][n % 3]).collect();
        let tags = datafusion::arrow::array::ListArray::from_iter_primitive::<Int64Type, _, _>(
            (0..500).map(|n| (n % 5 != 0).then(|| vec![Some(n), None])),
        );
        let times: TimestampMicrosecondArray = (0..500).map(|n| Some(n * 1_000_000)).collect();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("user_id", ints(&users)),
            ("event_time", Arc::new(times)),
            ("event", texts(&names)),
            ("tags", Arc::new(tags)),
        ];
        write(&folder.path().join(format!("raw/dt=2026-01-0{day}/a.parquet")), &rows(columns));
    }
    let table = folder.path().join("table");
    run(&folder.path().join("raw"), &table, &options(4, 10_000, 2)).await.unwrap();
    let sql =
        "select dt, event, count(*), count(tags), sum(tags[1]), sum(user_id) from raw group by 1, 2 order by 1, 2";
    let expected = ask(folder.path(), sql).await.unwrap();
    assert_eq!(expected.len(), 6);
    assert_eq!(ask(folder.path(), &sql.replace("from raw", "from \"table\"")).await.unwrap(), expected);
    let first = &ranges_of(&table)[0];
    assert!(matches!(first.schema().field_with_name("event").unwrap().data_type(), DataType::Dictionary(..)));
}

#[tokio::test]
async fn a_run_that_is_stopped_leaves_nothing_and_the_next_one_starts_clean() {
    let events: Vec<_> = (0..1000).map(|n| (Some(n % 7), Some(n))).collect();
    let (folder, events) = source_of(&events, 3);
    let (raw, table) = (folder.path().join("raw"), folder.path().join("table"));
    let meter = Arc::new(ClusterMeter::default());
    meter.stop();
    let runtime = Arc::new(RuntimeEnv::default());
    let (source, target) = (raw.to_str().unwrap(), table.to_str().unwrap());
    let error = cluster(&runtime, source, target, &options(4, 0, 2), &meter).await.unwrap_err();
    assert_eq!(error.state.0, "57014");
    let names = || -> Vec<String> {
        let entries = fs::read_dir(folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    };
    assert_eq!(names(), ["raw"]);

    // What a killed run leaves: files that nobody finished.
    write_text(&folder.path().join(".table.cluster/table/range-00000-generation-1.parquet"), "half");
    write_text(&folder.path().join(".table.cluster/spill/0.arrow"), "half");
    run(&raw, &table, &options(4, 0, 2)).await.unwrap();
    assert_clustered(&table, &events, 4).await;
    assert!(!folder.path().join(".table.cluster").exists());

    let error = run(&raw, &table, &options(4, 0, 2)).await.unwrap_err();
    assert_eq!((error.state.0, error.message.contains("clustered table already")), ("42P07", true), "{error}");
    assert_clustered(&table, &events, 4).await;
}

#[tokio::test]
async fn two_runs_do_not_write_one_table() {
    let (folder, _) = source_of(&[(Some(1), Some(1))], 1);
    let hidden = folder.path().join(".table.cluster");
    fs::create_dir_all(&hidden).unwrap();
    let lock = fs::File::create(hidden.join("lock")).unwrap();
    lock.lock().unwrap();
    let (raw, table) = (folder.path().join("raw"), folder.path().join("table"));
    assert_eq!(run(&raw, &table, &options(1, 0, 1)).await.unwrap_err().state.0, "55006");
    drop(lock);
    run(&raw, &table, &options(1, 0, 1)).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_clustered_is_said_before_anything_is_written() {
    let (folder, _) = source_of(&[(Some(1), Some(1))], 1);
    let raw = folder.path().join("raw");
    let with = |user: &str, time: &str| ClusterOptions {
        user_key: user.to_owned(),
        time_key: time.to_owned(),
        ..options(1, 0, 1)
    };
    let cases = [
        (with("who", "event_time"), "table", "42703", "user key \"who\""),
        (with("user_id", "place"), "table", "42804", "\"place\" is bigint"),
        (with("event_time", "event_time"), "table", "22023", "one column"),
        (options(1, 0, 1), "raw/table", "22023", "lies in the source"),
        (options(1, 0, 1), "raw/000.parquet", "22023", "lies in the source"),
        (options(1, 0, 1), "full", "42P07", "not empty"),
    ];
    write_text(&folder.path().join("full/notes.txt"), "mine");
    for (options, target, state, why) in cases {
        let error = run(&raw, &folder.path().join(target), &options).await.unwrap_err();
        assert_eq!(error.state.0, state, "{error}");
        assert!(error.message.contains(why), "{error}");
    }
    let error = run(&folder.path().join("nowhere"), &folder.path().join("table"), &options(1, 0, 1)).await.unwrap_err();
    assert_eq!(error.state.0, "58P01");
    assert!(!folder.path().join("table").exists());
}
