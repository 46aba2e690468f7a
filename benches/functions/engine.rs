//! The engine that the SQL forms run in.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::datasource::MemTable;
use datafusion::error::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};

const PARTITIONS: usize = 2;

/// A context with our functions over the rows as table `events`, cut into as many parts as a query uses.
pub fn context(batches: &[RecordBatch]) -> Result<SessionContext> {
    let config = SessionConfig::new().with_target_partitions(PARTITIONS);
    let builder = SessionStateBuilder::new_with_default_features().with_config(config);
    let context = SessionContext::new_with_state(tributary_udfs::install(builder).build());
    let schema = batches[0].schema();
    let parts = batches.chunks(batches.len().div_ceil(PARTITIONS)).map(<[RecordBatch]>::to_vec).collect();
    context.register_table("events", Arc::new(MemTable::try_new(schema, parts)?))?;
    Ok(context)
}

/// From the text to the last row, as a user waits for it.
pub async fn run(context: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>> {
    tributary_udfs::sql(context, sql).await?.collect().await
}
