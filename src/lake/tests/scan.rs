use std::time::Duration;

use datafusion::arrow::array::{Float64Array, TimestampNanosecondArray};

use super::*;
use crate::lake::{ParquetOptions, write_parquet};

/// Ten files of four row groups each, a million rows, sorted by user over the whole.
fn large() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in 0..10_i64 {
        let users: Vec<i64> = (0..100_000).map(|row| file * 1_000 + row / 100).collect();
        let times: Vec<i64> = (0..100_000).map(|row| row % 100).collect();
        let batch = rows(vec![("user_id", ints(&users)), ("at", ints(&times))]);
        let options = ParquetOptions { row_group_rows: 25_000, sorted_by: vec!["user_id".into(), "at".into()] };
        let path = folder.path().join(format!("events/{file}.parquet"));
        write_parquet(&path, batch.schema(), std::iter::once(batch), &options).unwrap();
    }
    folder
}

async fn plan(context: &SessionContext, sql: &str) -> String {
    answer(context, &format!("explain {sql}")).await.unwrap().join("\n")
}

#[tokio::test]
async fn counts_and_bounds_come_from_the_footers() {
    let folder = large();
    let (lake, runtime) = open(folder.path()).await;
    let context = session(&lake, &runtime, 2).await;
    let sql = "select count(*), min(user_id), max(user_id), count(at) from events";
    assert_eq!(answer(&context, sql).await.unwrap(), ["1000000|0|9999|1000000"]);
    let plan = plan(&context, sql).await;
    assert!(plan.contains("PlaceholderRowExec") && !plan.contains("DataSourceExec"), "{plan}");
    assert_eq!(lake.tables()["events"].estimated_rows(), Some(1_000_000));
}

#[tokio::test]
async fn the_order_that_files_declare_saves_the_sort() {
    let folder = large();
    let (lake, runtime) = open(folder.path()).await;
    let context = session(&lake, &runtime, 2).await;
    let plan = plan(&context, "select user_id, max(at) from events group by user_id").await;
    assert!(plan.contains("ordering_mode=Sorted"), "{plan}");
    assert!(!plan.contains("SortExec"), "{plan}");
    let plan = super::scan::plan(&context, "select user_id, at from events order by user_id, at nulls last").await;
    assert!(!plan.contains("SortExec"), "{plan}");
}

#[tokio::test]
async fn filters_prune_files_and_row_groups() {
    let folder = large();
    let (lake, runtime) = open(folder.path()).await;
    let context = session(&lake, &runtime, 2).await;
    let sql = "select count(at) from events where user_id = 4321 and at < 10";
    assert_eq!(answer(&context, sql).await.unwrap(), ["10"]);
    let plan = answer(&context, &format!("explain analyze {sql}")).await.unwrap().join("\n");
    assert!(plan.contains("predicate=user_id"), "{plan}");
    assert!(plan.contains("row_groups_pruned_statistics=4 total → 1 matched"), "{plan}");
}

#[tokio::test]
async fn one_file_is_split_over_the_partitions() {
    let folder = tempfile::tempdir().unwrap();
    let numbers: Vec<i64> = (0..2_000_000).map(|n| n * 7_919 % 1_000_003).collect();
    let batch = rows(vec![("a", ints(&numbers)), ("b", ints(&numbers)), ("c", ints(&numbers))]);
    let options = ParquetOptions { row_group_rows: 100_000, ..Default::default() };
    write_parquet(&folder.path().join("t.parquet"), batch.schema(), std::iter::once(batch), &options).unwrap();
    let (lake, runtime) = open(folder.path()).await;
    let context = session(&lake, &runtime, 2).await;
    let plan = plan(&context, "select a % 10, count(b) from t group by 1").await;
    assert!(plan.contains("file_groups={2 groups"), "{plan}");
    let found = answer(&context, "select count(a), sum(b) from t where c >= 0").await.unwrap();
    assert_eq!(found, [format!("2000000|{}", numbers.iter().sum::<i64>())]);
}

#[tokio::test]
async fn filters_on_partitions_choose_files_and_are_done_with() {
    let folder = tempfile::tempdir().unwrap();
    for day in 1..=9 {
        write(&folder.path().join(format!("t/dt=2024-01-0{day}/a.parquet")), &rows(vec![("a", ints(&[day]))]));
    }
    let (lake, runtime) = open(folder.path()).await;
    let context = session(&lake, &runtime, 2).await;
    let sql = "select a from t where dt >= date '2024-01-08'";
    let plan = plan(&context, sql).await;
    assert!(
        plan.contains("dt=2024-01-08") && !plan.contains("dt=2024-01-07") && !plan.contains("FilterExec"),
        "{plan}"
    );
    assert_eq!(answer(&context, &format!("{sql} order by a")).await.unwrap(), ["8", "9"]);
    assert_eq!(answer(&context, "select count(*) from t where dt = date '2025-01-01'").await.unwrap(), ["0"]);
    assert_eq!(
        answer(&context, "select max(dt), count(*) from t where dt < date '2024-01-04'").await.unwrap(),
        ["2024-01-03|3"]
    );
    let found = answer(&context, "select dt from t where a = 5 and dt < date '2024-02-01'").await.unwrap();
    assert_eq!(found, ["2024-01-05"]);
}

#[tokio::test]
async fn a_limit_reads_no_more_files_than_it_needs() {
    let folder = large();
    let (lake, runtime) = open(folder.path()).await;
    let context = session(&lake, &runtime, 2).await;
    let sql = "select user_id from events limit 5";
    assert_eq!(answer(&context, sql).await.unwrap().len(), 5);
    let plan = plan(&context, sql).await;
    assert!(!plan.contains("events/1.parquet"), "{plan}");
}

#[tokio::test]
async fn the_biggest_double_may_be_nan_so_rows_are_asked() {
    let folder = tempfile::tempdir().unwrap();
    let values = Float64Array::from(vec![1.0, f64::NAN, 2.0]);
    write(&folder.path().join("t.parquet"), &rows(vec![("a", Arc::new(values))]));
    assert_eq!(ask(folder.path(), "select max(a) from t").await.unwrap(), ["NaN"]);
}

#[tokio::test]
async fn an_order_by_nanoseconds_ends_at_the_floored_column() {
    let folder = tempfile::tempdir().unwrap();
    let times = Arc::new(TimestampNanosecondArray::from(vec![1, 2, 1_000]));
    let batch = rows(vec![("at", times), ("b", ints(&[9, 1, 1]))]);
    let options = ParquetOptions { sorted_by: vec!["at".into(), "b".into()], ..Default::default() };
    write_parquet(&folder.path().join("t.parquet"), batch.schema(), std::iter::once(batch), &options).unwrap();
    let sql = "select b from t order by at nulls last, b nulls last";
    assert_eq!(ask(folder.path(), sql).await.unwrap(), ["1", "9", "1"]);
}

#[tokio::test]
async fn a_written_file_appears_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t/a.parquet");
    let batch = rows(vec![("a", ints(&[1]))]);
    let other = rows(vec![("a", texts(&["x"]))]);
    let options = ParquetOptions::default();
    let mixed = vec![batch.clone(), other].into_iter();
    assert!(write_parquet(&path, batch.schema(), mixed, &options).is_err());
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
    let wrong = ParquetOptions { sorted_by: vec!["b".into()], ..Default::default() };
    let error = write_parquet(&path, batch.schema(), std::iter::once(batch.clone()), &wrong).unwrap_err();
    assert_eq!(error.state.0, "42703");
    write_parquet(&path, batch.schema(), std::iter::once(batch), &options).unwrap();
    assert_eq!(ask(folder.path(), "select a from t").await.unwrap(), ["1"]);
}

#[tokio::test]
async fn reading_the_schema_can_be_given_up() {
    let folder = large();
    let (lake, _) = open(folder.path()).await;
    let table = Arc::clone(&lake.tables()["events"]);
    let _ = tokio::time::timeout(Duration::from_micros(1), table.schema()).await;
    assert_eq!(table.schema().await.unwrap().fields().len(), 2);
}
