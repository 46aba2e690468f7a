//! Folders that the config declares sorted: checked, then believed.

use std::collections::HashMap;

use datafusion::arrow::array::TimestampMicrosecondArray;

use super::*;
use crate::lake::SortedBy;

/// A file of `events`: users with their times.
fn part(folder: &Path, name: &str, events: &[(Option<i64>, i64)]) {
    let users: Int64Array = events.iter().map(|(user, _)| *user).collect();
    let times: TimestampMicrosecondArray = events.iter().map(|(_, time)| Some(*time)).collect();
    let batch = rows(vec![("user_id", Arc::new(users)), ("event_time", Arc::new(times))]);
    write(&folder.join("events").join(name), &batch);
}

fn some(events: &[(i64, i64)]) -> Vec<(Option<i64>, i64)> {
    events.iter().map(|(user, time)| (Some(*user), *time)).collect()
}

async fn declared(folder: &Path) -> (Arc<Lake>, Arc<RuntimeEnv>) {
    let runtime = Arc::new(RuntimeEnv::default());
    let spec = LakeSpec { name: "shop".to_owned(), location: folder.to_str().unwrap().to_owned() };
    let by = SortedBy { user_key: "user_id".to_owned(), time_key: "event_time".to_owned() };
    let sorted = HashMap::from([("events".to_owned(), by)]);
    (Lake::open_sorted(spec, sorted, &runtime).await.unwrap(), runtime)
}

async fn refusal(folder: &Path) -> Error {
    let (lake, _) = declared(folder).await;
    lake.tables()["events"].provider().await.unwrap_err()
}

#[tokio::test]
async fn a_sorted_folder_needs_neither_shuffle_nor_sort() {
    let folder = tempfile::tempdir().unwrap();
    // Not in the order of the users, and NULL at the end of the last.
    part(folder.path(), "b.parquet", &some(&[(1, 5), (1, 6), (2, 1)]));
    part(folder.path(), "a.parquet", &[(Some(7), 1), (Some(9), 4), (Some(9), 4), (None, 3)]);
    part(folder.path(), "c.parquet", &some(&[(3, 9), (5, 2)]));
    part(folder.path(), "d.parquet", &some(&[(6, 9)]));
    part(folder.path(), "empty.parquet", &[]);
    let (lake, runtime) = declared(folder.path()).await;
    for partitions in [1, 2, 8] {
        let context = served(&lake, &runtime, partitions).await;
        let sql = "select user_id, count(event_time) from events group by user_id";
        let plan = answer(&context, &format!("explain {sql}")).await.unwrap().join("\n");
        assert!(plan.contains("ordering_mode=Sorted") && !plan.contains("SortExec"), "{plan}");
        assert_eq!(plan.contains("output_partitioning=Range([user_id@"), partitions > 1, "{plan}");
        let found = answer(&context, &format!("{sql} order by user_id nulls last")).await.unwrap();
        assert_eq!(found, ["1|2", "2|1", "3|1", "5|1", "6|1", "7|1", "9|2", "|1"]);
    }
}

#[tokio::test]
async fn rows_that_are_not_in_order_are_an_error_with_their_place() {
    for events in [[(1, 5), (1, 4)], [(2, 5), (1, 6)]] {
        let folder = tempfile::tempdir().unwrap();
        part(folder.path(), "a.parquet", &some(&events));
        let error = refusal(folder.path()).await;
        assert_eq!(error.state.0, "22000");
        assert!(error.message.contains("a.parquet' is declared sorted and is not"), "{error}");
        assert!(error.detail.unwrap().starts_with("Row 1 (row group 0) is (1, "));
    }
    let folder = tempfile::tempdir().unwrap();
    part(folder.path(), "a.parquet", &[(None, 1), (Some(1), 1)]);
    assert_eq!(refusal(folder.path()).await.state.0, "22000");
}

#[tokio::test]
async fn a_file_that_is_new_is_checked_too() {
    let folder = tempfile::tempdir().unwrap();
    part(folder.path(), "a.parquet", &some(&[(1, 1), (2, 2)]));
    let (lake, _) = declared(folder.path()).await;
    lake.tables()["events"].provider().await.unwrap();
    part(folder.path(), "b.parquet", &some(&[(5, 2), (5, 1)]));
    tokio::time::sleep(super::super::LISTING_AGE).await;
    lake.refresh().await.unwrap();
    let error = lake.tables()["events"].provider().await.unwrap_err();
    assert!(error.message.contains("b.parquet"), "{error}");
}

#[tokio::test]
async fn a_user_in_two_files_is_an_error_that_names_both() {
    let cases = [
        (some(&[(1, 1), (4, 1)]), some(&[(4, 2), (5, 1)]), "up to user 4"),
        (some(&[(1, 1), (9, 1)]), some(&[(4, 2), (5, 1)]), "up to user 9"),
        (vec![(Some(1), 1), (None, 1)], some(&[(4, 2)]), "up to user NULL"),
    ];
    for (first, second, why) in cases {
        let folder = tempfile::tempdir().unwrap();
        part(folder.path(), "a.parquet", &first);
        part(folder.path(), "b.parquet", &second);
        let error = refusal(folder.path()).await;
        assert_eq!(error.state.0, "22000");
        assert!(error.message.contains("a.parquet") && error.message.contains("b.parquet"), "{error}");
        assert!(error.detail.as_ref().unwrap().contains(why), "{error:?}");
    }
}

#[tokio::test]
async fn keys_that_are_not_there_and_formats_without_order_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("events/a.parquet"), &rows(vec![("user_id", ints(&[1]))]));
    assert_eq!(refusal(folder.path()).await.state.0, "42703");
    let folder = tempfile::tempdir().unwrap();
    write_text(&folder.path().join("events/a.csv"), "user_id,event_time\n1,2026-01-01 00:00:00\n");
    assert_eq!(refusal(folder.path()).await.state.0, "0A000");
}
