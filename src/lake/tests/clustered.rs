//! The scan of a clustered folder: what it promises, what it reads, and what it refuses.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use datafusion::arrow::array::TimestampMicrosecondArray;

use super::*;
use crate::lake::manifest::{MANIFEST_NAME, Manifest};
use crate::lake::{ClusterOptions, cluster};

const USERS: i64 = 400;

/// A lake with `raw` and, in eight ranges, `events`: ten events of each of 400 users.
async fn lake() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in 0..4_i64 {
        let users: Vec<i64> = (0..1000).map(|n| (file * 1000 + n) * 7 % USERS).collect();
        let times: TimestampMicrosecondArray = (0..1000).map(|n| Some((file * 1000 + n) * 1_000_000)).collect();
        let names: Vec<&str> = (0..1000).map(|n| ["view", "cart", "buy"][n % 3]).collect();
        let batch = rows(vec![("user_id", ints(&users)), ("event_time", Arc::new(times)), ("event", texts(&names))]);
        write(&folder.path().join(format!("raw/{file}.parquet")), &batch);
    }
    let options = ClusterOptions {
        user_key: "user_id".to_owned(),
        time_key: "event_time".to_owned(),
        range_count: NonZeroUsize::new(8),
        memory_limit_bytes: 1 << 30,
        thread_count: NonZeroUsize::MIN,
    };
    let (source, target) = (folder.path().join("raw"), folder.path().join("events"));
    let runtime = Arc::new(RuntimeEnv::default());
    let meter = Arc::default();
    cluster(&runtime, source.to_str().unwrap(), target.to_str().unwrap(), &options, &meter).await.unwrap();
    folder
}

async fn served(folder: &Path, partitions: usize) -> SessionContext {
    let (lake, runtime) = open(folder).await;
    super::served(&lake, &runtime, partitions).await
}

async fn plan(context: &SessionContext, sql: &str) -> String {
    answer(context, &format!("explain {sql}")).await.unwrap().join("\n")
}

#[tokio::test]
async fn a_group_by_user_is_one_stage_without_shuffle_and_sort() {
    let folder = lake().await;
    for partitions in [2, 4, 8, 16] {
        let context = served(folder.path(), partitions).await;
        let plan = plan(&context, "select user_id, count(event) from events group by user_id").await;
        assert!(plan.contains("mode=SinglePartitioned") && plan.contains("ordering_mode=Sorted"), "{plan}");
        assert!(plan.contains("output_partitioning=Range([user_id@"), "{plan}");
        assert!(!plan.contains("RepartitionExec") && !plan.contains("SortExec"), "{plan}");
    }
}

#[tokio::test]
async fn a_window_by_user_and_time_needs_neither_shuffle_nor_sort() {
    let folder = lake().await;
    let sql = "select user_id, row_number() over (partition by user_id order by event_time) from";
    for partitions in [1, 2, 8] {
        let context = served(folder.path(), partitions).await;
        let plan = plan(&context, &format!("{sql} events")).await;
        assert!(!plan.contains("RepartitionExec") && !plan.contains("SortExec"), "{plan}");
        let count = |table: &str| {
            format!("select user_id, max(n), count(*) from ({sql} {table}) as t(user_id, n) group by 1 order by 1")
        };
        let found = answer(&context, &count("events")).await.unwrap();
        assert_eq!(found, answer(&context, &count("raw")).await.unwrap());
        assert_eq!(found.len() as i64, USERS);
    }
}

#[tokio::test]
async fn the_promise_survives_filter_projection_rename_and_semi_join() {
    let folder = lake().await;
    let context = served(folder.path(), 4).await;
    let inner = [
        "select user_id, event_time from events where event <> 'view'",
        "select user_id, event_time as at from (select event, event_time, user_id from events)",
        "select user_id as visitor, event_time from events",
        "select user_id, event_time from events where user_id in (select user_id from events where event = 'buy')",
    ];
    for inner in inner {
        let plan = plan(&context, &format!("select t.u, count(*) from ({inner}) as t(u, at) group by 1")).await;
        assert!(plan.contains("SinglePartitioned"), "{inner}\n{plan}");
    }
}

#[tokio::test]
async fn one_user_is_one_file_in_one_partition() {
    let folder = lake().await;
    let context = served(folder.path(), 4).await;
    let sql = "select count(event) from events where user_id = 7";
    let plan = plan(&context, sql).await;
    assert!(plan.contains("file_groups={1 group: [["), "{plan}");
    assert!(plan.contains("range-00000") && !plan.contains("range-00001"), "{plan}");
    assert_eq!(answer(&context, sql).await.unwrap(), ["10"]);
    assert_eq!(answer(&context, "select count(event) from events where user_id = 7000").await.unwrap(), ["0"]);
}

#[tokio::test]
async fn a_filter_leaves_partitions_empty_rather_than_out() {
    let folder = lake().await;
    let context = served(folder.path(), 8).await;
    // The first and the last range.
    let sql = "select user_id, count(event) from events where user_id < 20 or user_id > 380 group by user_id";
    let plan = plan(&context, sql).await;
    assert!(plan.contains("file_groups={8 groups: [["), "{plan}");
    assert!(plan.contains("mode=SinglePartitioned") && plan.contains("output_partitioning=Range"), "{plan}");
    let found = answer(&context, &format!("select count(*), sum(n) from ({sql}) as t(u, n)")).await.unwrap();
    assert_eq!(found, ["39|390"]);
}

#[tokio::test]
async fn joins_by_user_are_right_at_any_number_of_partitions() {
    let folder = lake().await;
    for partitions in [1, 2, 8, 16] {
        let context = served(folder.path(), partitions).await;
        let by_user =
            |table: &str| format!("(select user_id, count(*) as n, min(event_time) as at from {table} group by 1)");
        for (a, b) in [("events", "events"), ("events", "raw"), ("raw", "events")] {
            let sql = format!(
                "select count(*), sum(a.n + b.n) from {} as a join {} as b on a.user_id = b.user_id and a.at = b.at",
                by_user(a),
                by_user(b)
            );
            assert_eq!(answer(&context, &sql).await.unwrap(), ["400|8000"], "{a} and {b} in {partitions}");
        }
    }
}

#[tokio::test]
async fn a_folder_given_as_the_lake_is_one_table() {
    let folder = lake().await;
    let (lake, _) = open(&folder.path().join("events")).await;
    assert_eq!(lake.tables().keys().collect::<Vec<_>>(), ["shop"]);
    assert_eq!(ask(&folder.path().join("events"), "select count(*) from shop").await.unwrap(), ["4000"]);
}

struct Broken {
    folder: tempfile::TempDir,
}

impl Broken {
    async fn new() -> Self {
        Self { folder: lake().await }
    }

    fn table(&self) -> PathBuf {
        self.folder.path().join("events")
    }

    fn edit(&self, change: impl FnOnce(&mut Manifest)) {
        let path = self.table().join(MANIFEST_NAME);
        let mut manifest = Manifest::from_json(&fs::read(&path).unwrap(), "the manifest").unwrap();
        change(&mut manifest);
        fs::write(path, manifest.to_json().unwrap()).unwrap();
    }

    async fn refusal(&self) -> (&'static str, String) {
        let (lake, _) = open(self.folder.path()).await;
        let error = lake.tables()["events"].provider().await.unwrap_err();
        (error.state.0, error.message)
    }
}

#[tokio::test]
async fn a_folder_that_is_not_what_its_manifest_says_is_no_table() {
    let broken = Broken::new().await;
    let third = broken.table().join("range-00003-generation-1.parquet");
    fs::rename(&third, broken.folder.path().join("kept")).unwrap();
    let (state, message) = broken.refusal().await;
    assert_eq!(state, "58030");
    assert!(message.contains("range-00003") && message.contains("is missing"), "{message}");

    // Another file of the same name, of another size and other rows.
    fs::copy(broken.table().join("range-00004-generation-1.parquet"), &third).unwrap();
    let (state, message) = broken.refusal().await;
    assert_eq!(state, "58030");
    assert!(message.contains("range-00003") && message.contains("is not the one"), "{message}");
    let size = fs::metadata(&third).unwrap().len();
    broken.edit(|manifest| manifest.files[3].byte_count = size);
    assert!(broken.refusal().await.1.contains("range-00003"));

    fs::rename(broken.folder.path().join("kept"), &third).unwrap();
    let size = fs::metadata(&third).unwrap().len();
    broken.edit(|manifest| manifest.files[3].byte_count = size);
    let count = "select count(*) from events where event <> 'x'";
    assert_eq!(ask(broken.folder.path(), count).await.unwrap(), ["4000"]);

    fs::copy(broken.folder.path().join("raw/0.parquet"), broken.table().join("new.parquet")).unwrap();
    let (state, message) = broken.refusal().await;
    assert_eq!(state, "58030");
    assert!(message.contains("new.parquet") && message.contains("not in the manifest"), "{message}");
}

#[tokio::test]
async fn ranges_that_overlap_are_an_error() {
    let broken = Broken::new().await;
    let mut first = String::new();
    broken.edit(|manifest| {
        first = manifest.split_points[0].clone();
        manifest.split_points[0] = "40".to_owned();
    });
    let (state, message) = broken.refusal().await;
    assert_eq!(state, "22000");
    assert!(message.contains("overlap") && message.contains("range-00000"), "{message}");
    broken.edit(|manifest| {
        manifest.split_points[0] = first;
        manifest.split_points.swap(2, 3);
    });
    let (state, message) = broken.refusal().await;
    assert_eq!(state, "22000");
    assert!(message.contains("overlap"), "{message}");
}

#[tokio::test]
async fn a_table_that_is_being_written_is_no_table_yet() {
    let broken = Broken::new().await;
    write_text(&broken.table().join("_tributary.unfinished"), "on its way");
    let (state, message) = broken.refusal().await;
    assert_eq!(state, "55000");
    assert!(message.contains("is being written"), "{message}");
}
