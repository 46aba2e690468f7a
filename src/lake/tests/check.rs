//! What `tributary check` finds in a table that was changed.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use datafusion::arrow::array::{AsArray, TimestampMicrosecondArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use datafusion::physical_plan::collect;
use tributary_udfs::OutOfOrder;

use super::generations::{told, with_functions};
use super::*;
use crate::error::{Error, SqlState};
use crate::lake::cluster::hex;
use crate::lake::manifest::{MANIFEST_NAME, Manifest};
use crate::lake::{ClusterOptions, ParquetOptions, check_folder, cluster, locate_disorder, write_parquet};

struct Table {
    folder: tempfile::TempDir,
}

impl Table {
    /// A thousand events of a hundred users in four ranges.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let users: Vec<i64> = (0..1000).map(|n| n % 100).collect();
        write(&folder.path().join("raw/a.parquet"), &events(&users, (0..1000).collect()));
        let table = Self { folder };
        let options = ClusterOptions {
            user_key: "user_id".to_owned(),
            time_key: "event_time".to_owned(),
            range_count: NonZeroUsize::new(4),
            memory_limit_bytes: 1 << 30,
            thread_count: NonZeroUsize::MIN,
        };
        let (source, target) = (table.folder.path().join("raw"), table.path());
        let runtime = Arc::new(RuntimeEnv::default());
        let meter = Arc::default();
        cluster(&runtime, source.to_str().unwrap(), target.to_str().unwrap(), &options, &meter).await.unwrap();
        table
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("table")
    }

    fn file(&self, range: usize) -> PathBuf {
        self.path().join(format!("range-{range:05}-generation-1.parquet"))
    }

    /// Changes the manifest.
    fn edit(&self, change: impl FnOnce(&mut Manifest)) {
        let path = self.path().join(MANIFEST_NAME);
        let mut manifest = Manifest::from_json(&fs::read(&path).unwrap(), "the manifest").unwrap();
        change(&mut manifest);
        fs::write(path, manifest.to_json().unwrap()).unwrap();
    }

    /// Puts another file in the place of a range, and tells the manifest its size and checksum.
    fn replace(&self, range: usize, users: &[i64], times: Vec<i64>) {
        use sha2::{Digest, Sha256};
        let batch = events(users, times);
        let options = ParquetOptions { sorted_by: vec!["user_id".into(), "event_time".into()], ..Default::default() };
        write_parquet(&self.file(range), batch.schema(), std::iter::once(batch), &options).unwrap();
        let bytes = fs::read(self.file(range)).unwrap();
        self.edit(|manifest| {
            manifest.files[range].byte_count = bytes.len() as u64;
            manifest.files[range].sha256 = hex(&Sha256::digest(&bytes));
        });
    }

    /// The users and times of a range.
    fn rows(&self, range: usize) -> (Vec<i64>, Vec<i64>) {
        let file = fs::File::open(self.file(range)).unwrap();
        let batches = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
        let (mut users, mut times) = (vec![], vec![]);
        for batch in batches.map(Result::unwrap) {
            let number = |name: &str| cast(batch.column_by_name(name).unwrap(), &DataType::Int64).unwrap();
            users.extend_from_slice(number("user_id").as_primitive::<Int64Type>().values());
            times.extend_from_slice(number("event_time").as_primitive::<Int64Type>().values());
        }
        (users, times)
    }

    async fn findings(&self) -> String {
        let runtime = Arc::new(RuntimeEnv::default());
        let report = check_folder(&runtime, self.path().to_str().unwrap(), 2, &Arc::default()).await.unwrap();
        report.findings.join("\n")
    }
}

fn events(users: &[i64], times: Vec<i64>) -> RecordBatch {
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(times));
    rows(vec![("user_id", ints(users)), ("event_time", times)])
}

#[tokio::test]
async fn a_table_as_it_was_written_is_right() {
    assert_eq!(Table::new().await.findings().await, "");
}

#[tokio::test]
async fn a_changed_byte_is_found_by_the_checksum() {
    let table = Table::new().await;
    let mut bytes = fs::read(table.file(1)).unwrap();
    bytes[40] ^= 1;
    fs::write(table.file(1), bytes).unwrap();
    let findings = table.findings().await;
    assert!(findings.contains("range-00001") && findings.contains("its checksum differs"), "{findings}");
    assert!(!findings.contains("range-00000"), "{findings}");
}

#[tokio::test]
async fn missing_and_foreign_files_are_found() {
    let table = Table::new().await;
    fs::rename(table.file(2), table.path().join("more.parquet")).unwrap();
    let findings = table.findings().await;
    assert!(findings.contains("range-00002-generation-1.parquet: is missing"), "{findings}");
    assert!(findings.contains("more.parquet: is not in the manifest"), "{findings}");
}

#[tokio::test]
async fn rows_out_of_order_are_found_with_their_place() {
    let table = Table::new().await;
    table.replace(0, &[1, 2, 2, 1, 3], vec![1, 5, 6, 9, 9]);
    let findings = table.findings().await;
    assert!(findings.contains("row 3 is out of order: (user_id 1, "), "{findings}");
    assert!(findings.contains("comes after (user_id 2, "), "{findings}");
    assert!(findings.contains("5 rows were read, the manifest says"), "{findings}");

    table.replace(0, &[1, 1], vec![7, 5]);
    let findings = table.findings().await;
    assert!(findings.contains("row 1 is out of order"), "{findings}");
}

/// The error of a statement, with the file and the row.
async fn told_of(table: &Table, sql: &str) -> Error {
    let (lake, runtime) = open(table.folder.path()).await;
    let context = with_functions(&lake, &runtime, 2, 64).await;
    let plan = tributary_udfs::sql(&context, sql).await.unwrap().create_physical_plan().await.unwrap();
    let error = collect(Arc::clone(&plan), context.task_ctx()).await.unwrap_err();
    let met = OutOfOrder::find(&error).unwrap_or_else(|| panic!("{sql}: {error}"));
    let told = Error::new(SqlState(met.error.sqlstate), met.error.message.clone());
    locate_disorder(told.with_hint(met.error.hint.clone().unwrap_or_default()), met, &plan).await
}

const LEVELS: &str = "SELECT user_id, FUNNEL(event_time, 10, true) AS level FROM \"table\" GROUP BY user_id";
const VISITS: &str = "SELECT max(n) FROM (SELECT SESSIONIZE(event_time, '50 microseconds') OVER
    (PARTITION BY user_id ORDER BY event_time) AS n FROM \"table\") AS visits";

#[tokio::test]
async fn a_statement_names_the_file_in_which_users_are_out_of_order() {
    let table = Table::new().await;
    let (users, times) = table.rows(2);
    let last = users[users.len() - 1];
    let mut wrong = users.clone();
    wrong[120] = last;
    table.replace(2, &wrong, times);
    // Of a file before it two times are out of order, which is not what happened.
    let (users, mut times) = table.rows(1);
    times.swap(20, 21);
    table.replace(1, &users, times);
    let error = told_of(&table, LEVELS).await;
    assert_eq!(error.state, SqlState::DATA_EXCEPTION, "{error}");
    assert!(error.message.starts_with("the rows are declared to be sorted by user_id, but "), "{error}");
    let detail = error.detail.unwrap_or_default();
    assert!(detail.contains("range-00002-generation-1.parquet': Row 121 (row group 0) is ("), "{detail}");
    assert!(detail.contains(&format!(", after ({last}, ")), "{detail}");
    assert!(error.hint.unwrap_or_default().contains("`tributary check`"));
}

/// Where each row is answered times out of order are an error; where users are they make no difference.
#[tokio::test]
async fn a_statement_names_the_file_in_which_times_are_out_of_order() {
    let table = Table::new().await;
    let (users, mut times) = table.rows(2);
    assert_eq!(users[120], users[121]);
    times.swap(120, 121);
    table.replace(2, &users, times);
    let error = told_of(&table, VISITS).await;
    assert_eq!(error.state, SqlState::DATA_EXCEPTION, "{error}");
    assert!(
        error.message.starts_with("the rows of each user are declared to be sorted by event_time, but "),
        "{error}"
    );
    let detail = error.detail.unwrap_or_default();
    assert!(detail.contains("range-00002-generation-1.parquet': Row 121 (row group 0) is ("), "{detail}");

    let (lake, runtime) = open(table.folder.path()).await;
    let context = with_functions(&lake, &runtime, 2, 64).await;
    let raw = LEVELS.replace("\"table\"", "raw");
    let (mut levels, mut expected) = (told(&context, LEVELS).await, told(&context, &raw).await);
    levels.sort();
    expected.sort();
    assert!(levels == expected);
    // Ties that are broken by chance were sorted by another draw.
    let drawn = VISITS.replace("ORDER BY event_time", "ORDER BY event_time, random()").replace("\"table\"", "raw");
    assert_eq!(told(&context, &drawn).await, told(&context, &VISITS.replace("\"table\"", "raw")).await);
}

#[tokio::test]
async fn users_of_another_range_are_found() {
    let table = Table::new().await;
    table.edit(|manifest| manifest.split_points[1] = "60".to_owned());
    let findings = table.findings().await;
    assert!(
        findings.contains("range-00002") && findings.contains("of another range than 2: (user_id 50,"),
        "{findings}"
    );
    assert!(!findings.contains("range-00001"), "{findings}");
}

#[tokio::test]
async fn a_manifest_that_says_other_bounds_is_found() {
    let table = Table::new().await;
    table.edit(|manifest| {
        manifest.files[3].time_max = Some("2030-01-01T00:00:00".to_owned());
        manifest.files[3].user_count -= 1;
    });
    let findings = table.findings().await;
    assert!(findings.contains("another largest \"event_time\" than the manifest says: 2030-01-01"), "{findings}");
    assert!(findings.contains("has 25 users, the manifest says 24"), "{findings}");
    assert!(!findings.contains("checksum"), "{findings}");
}

#[tokio::test]
async fn a_folder_without_a_manifest_and_one_of_the_future_are_refused() {
    let table = Table::new().await;
    let runtime = Arc::new(RuntimeEnv::default());
    let meter = Arc::default();
    let raw = table.folder.path().join("raw");
    let error = check_folder(&runtime, raw.to_str().unwrap(), 1, &meter).await.unwrap_err();
    assert_eq!(error.state.0, "58P01");
    table.edit(|manifest| manifest.format = 3);
    let error = check_folder(&runtime, table.path().to_str().unwrap(), 1, &meter).await.unwrap_err();
    assert_eq!(error.state.0, "0A000");
    assert!(error.message.contains("format 3") && error.message.contains("up to 2"), "{error}");
}
