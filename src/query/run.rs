//! A plan to rows: on the query threads, in bounded steps, until done, cancelled or unwanted.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::execution::SessionState;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::errors;
use super::stoppable::stoppable;
use crate::engine::{Engine, QueryTask, Usage, panic_error, plan_until};
use crate::error::{Error, Result};
use crate::limits;

/// The rows of a running statement, in pieces of at most [`limits::ROWS_PER_CHUNK`] rows.
///
/// Dropping it stops the work: the plan's stream, its tasks and its files are let go.
pub struct Flow<T> {
    pieces: mpsc::Receiver<Result<T>>,
    cancel: CancellationToken,
    _task: QueryTask<()>,
}

impl<T> Flow<T> {
    /// The next piece; `None` after the last row. Safe to call again after a lost race.
    pub async fn next(&mut self) -> Option<Result<T>> {
        self.pieces.recv().await
    }

    /// The token that stops this statement, also when its rows are read in several calls.
    pub fn cancel_token(&self) -> &CancellationToken {
        &self.cancel
    }
}

impl<T> Drop for Flow<T> {
    fn drop(&mut self) {
        // Aborting the task reaches it at its next await; the token reaches loops inside a poll.
        self.cancel.cancel();
    }
}

/// Starts a plan. `encode` turns rows into what the caller sends, on the query threads too.
///
/// The work stops within one batch of `cancel`, and of the [`Flow`] being dropped. It waits
/// while [`limits::BATCHES_IN_FLIGHT`] pieces are unread, so a slow reader costs no memory.
/// `usage` is the statement's account: its share of the memory comes through it.
pub fn start<T, F>(
    engine: &Engine,
    state: SessionState,
    plan: LogicalPlan,
    text: Arc<str>,
    cancel: CancellationToken,
    usage: Arc<Usage>,
    encode: F,
) -> Flow<T>
where
    T: Send + 'static,
    F: FnMut(RecordBatch) -> Result<T> + Send + 'static,
{
    let (sender, pieces) = mpsc::channel(limits::BATCHES_IN_FLIGHT);
    let stop = cancel.clone();
    let token = cancel.clone();
    let context = engine.statement_context(&state, &usage);
    let task = engine.spawn(async move {
        let planning = async {
            let physical = physical_plan(&state, &plan, &text).await?;
            let physical = stoppable(physical, &token).map_err(|e| errors::from_datafusion(&e, &text))?;
            usage.watch(&physical);
            Ok::<_, Error>(physical)
        };
        let produce = async {
            let physical = plan_until(token.clone(), planning).await?;
            send_rows(physical, context, &text, &sender, encode).await
        };
        let work = AssertUnwindSafe(produce).catch_unwind();
        let failed = tokio::select! {
            biased;
            // The reader words the reason: it knows whether a user, a deadline or a hang-up stopped it.
            () = stop.cancelled() => None,
            // Nobody reads any more: loops that look at the token stop too.
            () = sender.closed() => {
                stop.cancel();
                None
            }
            done = work => match done {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error),
                Err(panic) => Some(panic_error(panic.as_ref())),
            },
        };
        if let Some(error) = failed {
            let _ = sender.send(Err(error)).await;
        }
    });
    Flow { pieces, cancel, _task: task }
}

async fn send_rows<T, F>(
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    text: &str,
    sender: &mpsc::Sender<Result<T>>,
    mut encode: F,
) -> Result<()>
where
    F: FnMut(RecordBatch) -> Result<T>,
{
    let mut batches = execute_stream(plan, context).map_err(|e| errors::from_datafusion(&e, text))?;
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(|e| errors::from_datafusion(&e, text))?;
        let mut from = 0;
        while from < batch.num_rows() {
            let rows = limits::ROWS_PER_CHUNK.min(batch.num_rows() - from);
            if sender.send(encode(batch.slice(from, rows))).await.is_err() {
                return Ok(());
            }
            from += rows;
        }
    }
    Ok(())
}

async fn physical_plan(state: &SessionState, plan: &LogicalPlan, text: &str) -> Result<Arc<dyn ExecutionPlan>> {
    state.create_physical_plan(plan).await.map_err(|e| errors::from_datafusion(&e, text))
}
