use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::execution::runtime_env::RuntimeEnv;

use super::*;
use crate::lake::Format;

fn one() -> RecordBatch {
    rows(vec![("a", ints(&[1]))])
}

#[tokio::test]
async fn files_and_folders_of_the_root_are_tables() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("users.parquet"), &one());
    write(&folder.path().join("events/deep/er/part.parquet"), &one());
    write_text(&folder.path().join("ad spend.csv"), "a,b\n1,x\n");
    write_text(&folder.path().join("calls.ndjson"), "{\"a\":1}\n");
    write_text(&folder.path().join("notes.txt"), "nothing");
    let (lake, _) = open(folder.path()).await;
    let tables = lake.tables();
    let formats: Vec<(&str, Format)> = tables.iter().map(|(name, table)| (name.as_str(), table.format())).collect();
    let expected =
        [("ad spend", Format::Csv), ("calls", Format::Json), ("events", Format::Parquet), ("users", Format::Parquet)];
    assert_eq!(formats, expected);
    assert!(tables["users"].location().ends_with("/users.parquet"));
}

#[tokio::test]
async fn hidden_and_empty_files_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("events/a.parquet"), &one());
    write(&folder.path().join("events/_temporary/b.parquet"), &one());
    write(&folder.path().join("events/.c.parquet"), &one());
    write(&folder.path().join("_log/d.parquet"), &one());
    write_text(&folder.path().join("events/_SUCCESS"), "x");
    write_text(&folder.path().join("events/empty.parquet"), "");
    assert_eq!(ask(folder.path(), "select count(*), sum(a) from events").await.unwrap(), ["1|1"]);
    let (lake, _) = open(folder.path()).await;
    assert_eq!(lake.tables().len(), 1);
}

#[tokio::test]
async fn partition_folders_at_the_root_are_one_table_named_as_the_lake() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("dt=2024-01-01/a.parquet"), &one());
    write(&folder.path().join("dt=2024-01-02/a.parquet"), &one());
    let found = ask(folder.path(), "select dt, a from shop order by dt").await.unwrap();
    assert_eq!(found, ["2024-01-01|1", "2024-01-02|1"]);
}

#[tokio::test]
async fn a_single_file_is_a_lake_of_one_table() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.parquet");
    write(&file, &one());
    assert_eq!(ask(&file, "select a from users").await.unwrap(), ["1"]);
}

#[tokio::test]
async fn partition_values_are_integers_dates_or_text() {
    let folder = tempfile::tempdir().unwrap();
    for path in ["n=01/d=2024-02-29/t=a%20b/x.parquet", "n=12/d=2024-03-01/t=7/x.parquet"] {
        write(&folder.path().join("events").join(path), &one());
    }
    write(&folder.path().join("events/n=3/d=2024-03-02/t=__HIVE_DEFAULT_PARTITION__/x.parquet"), &one());
    let sql = "select n, d, t, arrow_typeof(n), arrow_typeof(d), arrow_typeof(t) from events order by n";
    let found = ask(folder.path(), sql).await.unwrap();
    let types = "Int64|Date32|Utf8View";
    assert_eq!(
        found,
        [format!("1|2024-02-29|a b|{types}"), format!("3|2024-03-02||{types}"), format!("12|2024-03-01|7|{types}"),]
    );
}

#[tokio::test]
async fn a_file_without_the_key_has_null_and_the_folder_wins_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("events/k=x/a.parquet"), &rows(vec![("a", ints(&[1])), ("k", ints(&[9]))]));
    write(&folder.path().join("events/b.parquet"), &rows(vec![("a", ints(&[2]))]));
    assert_eq!(ask(folder.path(), "select a, k from events order by a").await.unwrap(), ["1|x", "2|"]);
    assert_eq!(ask(folder.path(), "select a from events where k is null").await.unwrap(), ["2"]);
    assert_eq!(ask(folder.path(), "select a from events where k <> 'y'").await.unwrap(), ["1"]);
}

#[tokio::test]
async fn two_tables_of_one_name_say_so_and_others_work() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("events.parquet"), &one());
    write(&folder.path().join("events/a.parquet"), &one());
    write(&folder.path().join("users.parquet"), &one());
    write(&folder.path().join("mixed/a.parquet"), &one());
    write_text(&folder.path().join("mixed/b.csv"), "a\n1\n");
    let (lake, _) = open(folder.path()).await;
    let tables = lake.tables();
    let error = tables["events"].schema().await.unwrap_err();
    assert_eq!(error.state.0, "42P07");
    assert!(error.message.contains("events.parquet'") && error.message.contains("/events'"), "{error}");
    assert_eq!(tables["mixed"].provider().await.unwrap_err().state.0, "42809");
    assert!(tables["users"].schema().await.is_ok());
}

#[tokio::test]
async fn a_place_that_does_not_exist_is_named() {
    let runtime = Arc::new(RuntimeEnv::default());
    let spec = LakeSpec::parse("shop=/no/such/folder").unwrap();
    let error = Lake::open(spec, &runtime).await.unwrap_err();
    assert_eq!(error.state.0, "58P01");
    assert!(error.message.contains("/no/such/folder"), "{error}");
    let spec = LakeSpec::parse("shop=ftp://host/x").unwrap();
    assert_eq!(Lake::open(spec, &runtime).await.unwrap_err().state.0, "22023");
}

#[tokio::test]
async fn a_file_url_is_a_path() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("users.parquet"), &one());
    let runtime = Arc::new(RuntimeEnv::default());
    let spec = LakeSpec::parse(&format!("shop=file://{}", folder.path().display())).unwrap();
    assert_eq!(Lake::open(spec, &runtime).await.unwrap().tables().len(), 1);
}

#[tokio::test]
async fn a_new_file_is_seen_after_the_listing_grew_old_and_the_rest_stays() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("events/a.parquet"), &one());
    write(&folder.path().join("users.parquet"), &one());
    let (lake, runtime) = open(folder.path()).await;
    let before = lake.tables();
    write(&folder.path().join("events/b.parquet"), &one());
    fs::remove_file(folder.path().join("events/a.parquet")).unwrap();
    write(&folder.path().join("events/c.parquet"), &one());
    lake.refresh().await.unwrap();
    assert!(Arc::ptr_eq(&before, &lake.tables()), "a young listing is kept");
    tokio::time::sleep(crate::lake::LISTING_AGE + Duration::from_millis(50)).await;
    let (first, second) = tokio::join!(lake.refresh(), lake.refresh());
    first.and(second).unwrap();
    let after = lake.tables();
    assert!(Arc::ptr_eq(&before["users"], &after["users"]));
    assert!(!Arc::ptr_eq(&before["events"], &after["events"]));
    let context = session(&lake, &runtime, 2).await;
    assert_eq!(answer(&context, "select count(*) from events").await.unwrap(), ["2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_tables_are_listed_and_described_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let first = folder.path().join("t000.parquet");
    write(&first, &rows(vec![("a", ints(&[1])), ("b", texts(&["x"]))]));
    for number in 1..1000 {
        fs::copy(&first, folder.path().join(format!("t{number:03}.parquet"))).unwrap();
    }
    let start = Instant::now();
    let (lake, _) = open(folder.path()).await;
    let listed = start.elapsed();
    let tables = lake.tables();
    assert_eq!(tables.len(), 1000);
    while tables.values().any(|table| table.known_schema().is_none()) {
        assert!(start.elapsed() < Duration::from_secs(60), "the footers were not read in the background");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let described = start.elapsed();
    eprintln!("1000 tables: listed in {listed:?}, described in {described:?}");
    assert!(listed < Duration::from_secs(5));
    let rows: Option<u64> = tables.values().map(|table| table.estimated_rows()).sum();
    assert_eq!(rows, Some(1000));
    let names: BTreeSet<&str> = tables.values().map(|table| table.name()).collect();
    assert_eq!(names.len(), 1000);
    assert!(tables.values().all(|table| { table.known_schema().is_some_and(|schema| schema.fields().len() == 2) }));
}
