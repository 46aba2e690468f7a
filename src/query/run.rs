//! A plan to rows: on the query threads, in bounded steps, until done, cancelled or unwanted.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tributary_udfs::OutOfOrder;

use super::errors;
use super::stoppable::stoppable;
use crate::engine::{Engine, QueryTask, Usage, panic_error, plan_until};
use crate::error::{Error, Result, SqlState};
use crate::lake::locate_disorder;
use crate::limits;

/// Some rows in the form in which they are sent.
pub struct Piece<T> {
    pub content: T,
    /// Memory that it takes until it was sent, beside that of the rows it was made of.
    pub bytes: usize,
}

/// The pieces of a batch, each made when the one before it was handed on.
pub type Pieces<T> = Box<dyn Iterator<Item = Result<Piece<T>>> + Send>;

/// A piece on its way, with its memory.
struct Sent<T> {
    content: T,
    memory: Option<MemoryReservation>,
}

/// The rows of a running statement, in pieces of at most [`limits::ROWS_PER_CHUNK`] rows.
///
/// Dropping it stops the work: the plan's stream, its tasks and its files are let go.
pub struct Flow<T> {
    pieces: mpsc::Receiver<Result<Sent<T>>>,
    /// Memory of the piece that the reader has.
    given: Option<MemoryReservation>,
    cancel: CancellationToken,
    _task: QueryTask<()>,
}

impl<T> Flow<T> {
    /// The next piece; `None` after the last row. Safe to call again after a lost race.
    pub async fn next(&mut self) -> Option<Result<T>> {
        let next = self.pieces.recv().await?;
        Some(next.map(|sent| {
            self.given = sent.memory;
            sent.content
        }))
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

/// Starts a plan. `encode` turns batches into what the caller sends, on the query threads too.
///
/// The work stops within one batch of `cancel`, and of the [`Flow`] being dropped. It waits
/// while [`limits::PIECES_IN_FLIGHT`] pieces are unread, so a slow reader costs no memory.
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
    F: FnMut(RecordBatch) -> Result<Pieces<T>> + Send + 'static,
{
    let (sender, pieces) = mpsc::channel(limits::PIECES_IN_FLIGHT);
    let stop = cancel.clone();
    let token = cancel.clone();
    let context = engine.statement_context(&state, &usage);
    let task = engine.spawn(async move {
        let planning = async {
            let physical = physical_plan(&state, &plan, &text).await?;
            let physical = stoppable(physical, &token).map_err(|e| errors::from_datafusion(&e, &text))?;
            let watched = usage.watch(&physical);
            Ok::<_, Error>((physical, watched))
        };
        let produce = async {
            let (physical, _watched) = plan_until(token.clone(), planning).await?;
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
    Flow { pieces, given: None, cancel, _task: task }
}

/// Rows of a running statement that are fetched a few at a time.
pub struct Held {
    /// Not there while a fetch reads it: one that is cut short has lost rows, so there is no going on, and the work ends
    /// with it.
    flow: Option<Flow<RecordBatch>>,
    /// What a fetch has left of a piece.
    rest: Option<RecordBatch>,
    /// Rows that were taken.
    pub position: u64,
}

impl Held {
    /// Holds the rows of a flow.
    pub fn new(flow: Flow<RecordBatch>) -> Self {
        Self { flow: Some(flow), rest: None, position: 0 }
    }

    /// The next rows, at most `most`; `None` after the last.
    async fn take(&mut self, flow: &mut Flow<RecordBatch>, most: u64) -> Option<Result<RecordBatch>> {
        let piece = match self.rest.take() {
            Some(piece) => piece,
            None => match flow.next().await? {
                Ok(piece) => piece,
                Err(error) => return Some(Err(error)),
            },
        };
        let rows = usize::try_from(most).unwrap_or(usize::MAX).min(piece.num_rows());
        if rows < piece.num_rows() {
            self.rest = Some(piece.slice(rows, piece.num_rows() - rows));
        }
        self.position += rows as u64;
        Some(Ok(piece.slice(0, rows)))
    }

    /// Gives at most `count` rows to `each`, until it wants no more; how many there were.
    ///
    /// Fails with 55000 after a fetch that was cut short.
    pub async fn each<W>(&mut self, count: Option<u64>, mut each: impl FnMut(RecordBatch) -> W) -> Result<u64>
    where
        W: Future<Output = bool>,
    {
        let Some(mut flow) = self.flow.take() else {
            let message = "the cursor was interrupted and cannot go on";
            return Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
        };
        let mut given = 0;
        loop {
            let most = count.map_or(u64::MAX, |count| count - given);
            if most == 0 {
                break;
            }
            let Some(piece) = self.take(&mut flow, most).await else { break };
            let piece = piece?;
            given += piece.num_rows() as u64;
            if !each(piece).await {
                return Ok(given);
            }
        }
        self.flow = Some(flow);
        Ok(given)
    }
}

/// Lets rows that are held flow: passes over `skipped`, then gives at most `count`.
pub fn fetch_rows<T, F>(
    engine: &Engine,
    held: Arc<tokio::sync::Mutex<Held>>,
    (skipped, count): (u64, Option<u64>),
    cancel: CancellationToken,
    mut encode: F,
) -> Flow<T>
where
    T: Send + 'static,
    F: FnMut(RecordBatch) -> Result<Pieces<T>> + Send + 'static,
{
    let (sender, pieces) = mpsc::channel(limits::PIECES_IN_FLIGHT);
    let stop = cancel.clone();
    let pool = Arc::clone(&engine.runtime_env().memory_pool);
    let task = engine.spawn(async move {
        let work = async {
            let mut held = lock(&held)?;
            if skipped > 0 {
                held.each(Some(skipped), |_| std::future::ready(true)).await?;
            }
            let send = |batch| {
                let pieces = encode(batch);
                let (sender, pool) = (&sender, &pool);
                async move {
                    match hand_on(pieces, pool, sender).await {
                        Ok(is_read) => is_read,
                        Err(error) => sender.send(Err(error)).await.is_ok_and(|()| false),
                    }
                }
            };
            held.each(count, send).await
        };
        let failed = tokio::select! {
            biased;
            () = stop.cancelled() => None,
            done = AssertUnwindSafe(work).catch_unwind() => match done {
                Ok(Ok(_)) => None,
                Ok(Err(error)) => Some(error),
                Err(panic) => Some(panic_error(panic.as_ref())),
            },
        };
        if let Some(error) = failed {
            // Nobody reads any more: there is nobody to tell.
            let _ = sender.send(Err(error)).await;
        }
    });
    Flow { pieces, given: None, cancel, _task: task }
}

/// The rows of a cursor, for one reader at a time: a portal of FETCH that waits for its client still reads them (55006).
pub fn lock(held: &tokio::sync::Mutex<Held>) -> Result<tokio::sync::MutexGuard<'_, Held>> {
    held.try_lock()
        .map_err(|_| Error::new(SqlState::OBJECT_IN_USE, "cannot fetch: the cursor is being read by a portal"))
}

async fn send_rows<T, F>(
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    text: &str,
    sender: &mpsc::Sender<Result<Sent<T>>>,
    mut encode: F,
) -> Result<()>
where
    F: FnMut(RecordBatch) -> Result<Pieces<T>>,
{
    let pool = Arc::clone(context.memory_pool());
    let mut batches = execute_stream(Arc::clone(&plan), context).map_err(|e| errors::from_datafusion(&e, text))?;
    while let Some(batch) = batches.next().await {
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => return Err(failure(&error, text, &plan).await),
        };
        let mut from = 0;
        while from < batch.num_rows() {
            let rows = limits::ROWS_PER_CHUNK.min(batch.num_rows() - from);
            if !hand_on(encode(batch.slice(from, rows)), &pool, sender).await? {
                return Ok(());
            }
            from += rows;
        }
    }
    Ok(())
}

/// What is told of a statement that failed as it ran.
async fn failure(error: &DataFusionError, text: &str, plan: &Arc<dyn ExecutionPlan>) -> Error {
    let told = errors::from_datafusion(error, text);
    match OutOfOrder::find(error) {
        Some(met) => locate_disorder(told, met, plan).await,
        None => told,
    }
}

/// Sends pieces, each with memory that the pool granted; whether somebody reads them still.
async fn hand_on<T>(
    pieces: Result<Pieces<T>>,
    pool: &Arc<dyn MemoryPool>,
    sender: &mpsc::Sender<Result<Sent<T>>>,
) -> Result<bool> {
    for piece in pieces? {
        let Piece { content, bytes } = piece?;
        let mut memory = None;
        if bytes > limits::SMALL_MESSAGE_BYTES {
            let reservation = MemoryConsumer::new("rows for the client").register(pool);
            reservation.try_grow(bytes).map_err(|e| errors::from_datafusion(&e, ""))?;
            memory = Some(reservation);
        }
        if sender.send(Ok(Sent { content, memory })).await.is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn physical_plan(state: &SessionState, plan: &LogicalPlan, text: &str) -> Result<Arc<dyn ExecutionPlan>> {
    state.create_physical_plan(plan).await.map_err(|e| errors::from_datafusion(&e, text))
}
