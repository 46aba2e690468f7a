//! The room's tests: a folder is made, opened as a lake, and asked in SQL.

mod check;
mod cluster;
mod clustered;
mod external;
mod faults;
mod faulty;
mod generations;
mod leases;
mod listing;
mod merged;
mod publishing;
mod scan;
mod schema;
mod sorted;
mod spec;
mod text;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use datafusion::arrow::array::{ArrayRef, Int64Array, StringArray};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::error::DataFusionError;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::{Lake, LakeSpec};
use crate::error::Error;

/// A batch of named columns.
fn rows(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter(columns).unwrap()
}

fn ints(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

/// Writes one batch as a Parquet file, making its folders.
fn write(path: &Path, batch: &RecordBatch) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

fn write_text(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Makes the file look as if it had been written at another time.
fn touch(path: &Path, seconds_ago: u64) {
    let time = SystemTime::now() - Duration::from_secs(seconds_ago);
    fs::File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
}

async fn open(folder: &Path) -> (Arc<Lake>, Arc<RuntimeEnv>) {
    let runtime = Arc::new(RuntimeEnv::default());
    let spec = LakeSpec { name: "shop".to_owned(), location: folder.to_str().unwrap().to_owned() };
    (Lake::open(spec, &runtime).await.unwrap(), runtime)
}

/// A session over all tables of the lake that can be used.
async fn session(lake: &Lake, runtime: &Arc<RuntimeEnv>, partitions: usize) -> SessionContext {
    session_with(lake, runtime, SessionConfig::new().with_target_partitions(partitions)).await
}

/// The same with the server's settings for scans that declare what they know.
async fn served(lake: &Lake, runtime: &Arc<RuntimeEnv>, partitions: usize) -> SessionContext {
    let mut config = SessionConfig::new().with_target_partitions(partitions);
    config.options_mut().optimizer.prefer_existing_sort = true;
    config.options_mut().optimizer.enable_round_robin_repartition = false;
    session_with(lake, runtime, config).await
}

async fn session_with(lake: &Lake, runtime: &Arc<RuntimeEnv>, config: SessionConfig) -> SessionContext {
    let context = SessionContext::new_with_config_rt(config, Arc::clone(runtime));
    for (name, table) in lake.tables().iter() {
        if let Ok(provider) = table.provider().await {
            context.register_table(datafusion::common::TableReference::bare(name.as_str()), provider).unwrap();
        }
    }
    context
}

/// The answer, one line a row, values separated by `|`; NULL is empty.
async fn ask(folder: &Path, sql: &str) -> Result<Vec<String>, DataFusionError> {
    let (lake, runtime) = open(folder).await;
    answer(&session(&lake, &runtime, 2).await, sql).await
}

async fn answer(context: &SessionContext, sql: &str) -> Result<Vec<String>, DataFusionError> {
    Ok(lines(&context.sql(sql).await?.collect().await?))
}

fn lines(batches: &[RecordBatch]) -> Vec<String> {
    let mut lines = Vec::new();
    for batch in batches {
        let options = FormatOptions::default();
        let columns: Vec<_> =
            batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options).unwrap()).collect();
        for row in 0..batch.num_rows() {
            let values: Vec<String> = columns.iter().map(|column| column.value(row).to_string()).collect();
            lines.push(values.join("|"));
        }
    }
    lines
}

/// The server's own error inside DataFusion's.
fn ours(error: &DataFusionError) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(error) = current.downcast_ref::<Error>() {
            return error.clone();
        }
        cause = super::faults::inner(current);
    }
    panic!("not one of our errors: {error:?}");
}
