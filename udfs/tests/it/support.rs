//! Sessions of every shape, and answers as lines of text.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::Result;
use datafusion::datasource::MemTable;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use tributary_udfs::{TributaryOptions, UserError};

/// How a session runs; nothing of it may change an answer.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub partitions: usize,
    pub batch_rows: usize,
    pub one_stage: bool,
    /// Answer in passes over a few users, where the stage is one.
    pub journeys: bool,
    /// Leave partial aggregation at once, so that rows become states one by one.
    pub skip_partial: bool,
    /// Bytes of the memory pool, if small.
    pub memory_bytes: Option<usize>,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            partitions: 2,
            batch_rows: 8192,
            one_stage: true,
            journeys: true,
            skip_partial: false,
            memory_bytes: None,
        }
    }
}

impl Shape {
    pub fn context(self) -> SessionContext {
        let mut config = SessionConfig::new().with_target_partitions(self.partitions).with_batch_size(self.batch_rows);
        let mut options = TributaryOptions::default();
        options.one_stage = self.one_stage;
        options.journeys = self.journeys;
        config.options_mut().extensions.insert(options);
        if self.skip_partial {
            config.options_mut().execution.skip_partial_aggregation_probe_rows_threshold = 1;
            config.options_mut().execution.skip_partial_aggregation_probe_ratio_threshold = 0.0;
        }
        let mut runtime = RuntimeEnvBuilder::new();
        if let Some(bytes) = self.memory_bytes {
            config.options_mut().execution.sort_spill_reservation_bytes = bytes / 16;
            runtime = runtime.with_memory_limit(bytes, 1.0);
        }
        let builder = SessionStateBuilder::new_with_default_features()
            .with_config(config)
            .with_runtime_env(Arc::new(runtime.build().unwrap()));
        SessionContext::new_with_state(tributary_udfs::install(builder).build())
    }
}

/// A session with the default shape.
pub fn context() -> SessionContext {
    Shape::default().context()
}

/// The rows of a statement, columns joined by ` | `, in the order they come.
pub async fn rows(context: &SessionContext, sql: &str) -> Vec<String> {
    let frame = tributary_udfs::sql(context, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let batches = frame.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    batches.iter().flat_map(lines).collect()
}

/// The mistake that a statement is told about, at planning or when it runs.
pub async fn mistake(context: &SessionContext, sql: &str) -> UserError {
    let error = match tributary_udfs::sql(context, sql).await {
        Ok(frame) => frame.collect().await.err().unwrap_or_else(|| panic!("{sql}: no error")),
        Err(error) => error,
    };
    UserError::find(&error).unwrap_or_else(|| panic!("{sql}: not a mistake of the user: {error}")).clone()
}

/// The rows of a batch as text.
pub fn lines(batch: &RecordBatch) -> Vec<String> {
    let format = FormatOptions::default().with_null("NULL");
    let columns: Vec<_> =
        batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &format).unwrap()).collect();
    (0..batch.num_rows())
        .map(|row| columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join(" | "))
        .collect()
}

/// The operators of a plan, from the top.
pub fn operators(plan: &str) -> Vec<&str> {
    let operators = plan.lines().map(|line| line.trim().split([':', ' ']).next().unwrap_or_default());
    operators.filter(|operator| *operator != "CooperativeExec").collect()
}

/// The physical plan of a statement, one operator a line.
pub async fn plan(context: &SessionContext, sql: &str) -> String {
    let frame = tributary_udfs::sql(context, sql).await.unwrap();
    let plan = frame.create_physical_plan().await.unwrap();
    datafusion::physical_plan::displayable(plan.as_ref()).indent(false).to_string()
}

/// The rows of a statement, and how often its operators spilled.
pub async fn rows_and_spills(context: &SessionContext, sql: &str) -> (Vec<String>, usize) {
    try_rows_and_spills(context, sql).await.unwrap()
}

/// The same where memory may be too little.
pub async fn try_rows_and_spills(context: &SessionContext, sql: &str) -> Result<(Vec<String>, usize)> {
    let plan = tributary_udfs::sql(context, sql).await?.create_physical_plan().await?;
    let batches = datafusion::physical_plan::collect(Arc::clone(&plan), context.task_ctx()).await?;
    Ok((batches.iter().flat_map(lines).collect(), spills(plan.as_ref())))
}

fn spills(plan: &dyn ExecutionPlan) -> usize {
    let own = plan.metrics().and_then(|metrics| metrics.spill_count()).unwrap_or(0);
    own + plan.children().into_iter().map(|child| spills(child.as_ref())).sum::<usize>()
}

/// An event: user, time in microseconds (NULL allowed), name (NULL allowed).
pub type Event = (i64, Option<i64>, Option<&'static str>);

/// Registers `events(user_id, event_time, event)` in as many partitions, dealt out in turn.
pub fn register(context: &SessionContext, events: &[Event], partitions: usize) {
    let batches: Vec<Vec<RecordBatch>> = (0..partitions)
        .map(|partition| {
            let rows: Vec<&Event> = events.iter().skip(partition).step_by(partitions).collect();
            let columns: Vec<(&str, ArrayRef)> = vec![
                ("user_id", Arc::new(rows.iter().map(|row| Some(row.0)).collect::<Int64Array>())),
                ("event_time", Arc::new(rows.iter().map(|row| row.1).collect::<TimestampMicrosecondArray>())),
                ("event", Arc::new(rows.iter().map(|row| row.2).collect::<StringViewArray>())),
            ];
            let columns = columns.into_iter().map(|(name, column)| (name, column, true));
            vec![RecordBatch::try_from_iter_with_nullable(columns).unwrap()]
        })
        .collect();
    let schema = batches[0][0].schema();
    context.deregister_table("events").unwrap();
    context.register_table("events", Arc::new(MemTable::try_new(schema, batches).unwrap())).unwrap();
}
