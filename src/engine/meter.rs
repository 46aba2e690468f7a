//! What one statement takes: its share of the memory, the most it held, and what it read.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::ExecutionPlan;
use parking_lot::Mutex;

/// One statement's account.
#[derive(Debug, Default)]
pub struct Usage {
    /// Shared with the pool of the statement, which must not hold more of this: a join keeps memory of that pool in its
    /// plan, and the plan is here.
    peak_bytes: Arc<AtomicUsize>,
    work: Mutex<Work>,
    /// Bytes of files that a line of the log has told of.
    told_bytes: AtomicUsize,
    /// The account of the cursor whose rows the statement fetches: that is where they were read.
    cursor: OnceLock<Arc<Usage>>,
}

/// How far a statement is, as its account sees it.
#[derive(Debug, Default)]
enum Work {
    #[default]
    Planned,
    /// The metrics of the plan say what was read.
    Running(Arc<dyn ExecutionPlan>),
    Over {
        scanned_bytes: usize,
    },
}

/// The account of a running statement looks at its plan until this is dropped, and keeps the sum.
#[derive(Debug)]
pub struct Watched(Arc<Usage>);

impl Drop for Watched {
    fn drop(&mut self) {
        let mut work = self.0.work.lock();
        *work = Work::Over { scanned_bytes: work.scanned_bytes() };
    }
}

impl Work {
    fn scanned_bytes(&self) -> usize {
        match self {
            Self::Planned => 0,
            Self::Running(plan) => scanned_bytes(plan.as_ref()),
            Self::Over { scanned_bytes } => *scanned_bytes,
        }
    }
}

impl Usage {
    /// The most memory that the statement held at a time; of a FETCH what its cursor did.
    pub fn peak_memory_bytes(&self) -> usize {
        self.account().peak_bytes.load(Ordering::Relaxed)
    }

    /// Bytes of files that its scans have read and that nobody was told of yet. Each byte is told once.
    pub fn take_scanned_bytes(&self) -> usize {
        let account = self.account();
        let all = account.work.lock().scanned_bytes();
        all.saturating_sub(account.told_bytes.fetch_max(all, Ordering::Relaxed))
    }

    /// The statement reads rows of a cursor: what these cost is on the account of that.
    pub fn fetch_from(&self, cursor: &Arc<Usage>) {
        // One statement fetches from one cursor.
        let _ = self.cursor.set(Arc::clone(cursor));
    }

    fn account(&self) -> &Self {
        self.cursor.get().map_or(self, |cursor| cursor)
    }

    /// Looks at the metrics of a plan for as long as what this gives is kept.
    pub fn watch(self: &Arc<Self>, plan: &Arc<dyn ExecutionPlan>) -> Watched {
        *self.work.lock() = Work::Running(Arc::clone(plan));
        Watched(Arc::clone(self))
    }

    /// The context in which the statement runs: that of its session, with memory from its share.
    pub fn context(self: &Arc<Self>, context: TaskContext, share_bytes: usize) -> TaskContext {
        let runtime = context.runtime_env();
        let share = Share {
            parent: Arc::clone(&runtime.memory_pool),
            limit_bytes: share_bytes,
            used_bytes: AtomicUsize::new(0),
            peak_bytes: Arc::clone(&self.peak_bytes),
        };
        context.with_runtime(Arc::new(RuntimeEnv { memory_pool: Arc::new(share), ..RuntimeEnv::clone(&runtime) }))
    }
}

fn scanned_bytes(plan: &dyn ExecutionPlan) -> usize {
    let own = plan.metrics().and_then(|metrics| metrics.sum_by_name("bytes_scanned")).map_or(0, |sum| sum.as_usize());
    own + plan.children().iter().map(|child| scanned_bytes(child.as_ref())).sum::<usize>()
}

/// A statement's part of the server's pool: no more than its limit, and only what the pool grants.
#[derive(Debug)]
struct Share {
    parent: Arc<dyn MemoryPool>,
    limit_bytes: usize,
    used_bytes: AtomicUsize,
    peak_bytes: Arc<AtomicUsize>,
}

impl Share {
    fn took(&self, used_bytes: usize) {
        self.peak_bytes.fetch_max(used_bytes, Ordering::Relaxed);
    }
}

impl MemoryPool for Share {
    fn name(&self) -> &str {
        "statement"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.parent.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.parent.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.parent.grow(reservation, additional);
        self.took(self.used_bytes.fetch_add(additional, Ordering::Relaxed) + additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.used_bytes.fetch_sub(shrink, Ordering::Relaxed);
        self.parent.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let within = |used: usize| used.checked_add(additional).filter(|used| *used <= self.limit_bytes);
        let Ok(before) = self.used_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within) else {
            let (consumer, limit) = (reservation.consumer().name(), self.limit_bytes);
            return Err(DataFusionError::ResourcesExhausted(format!(
                "{consumer} asked for {additional} bytes beyond the statement's share of {limit} bytes"
            )));
        };
        if let Err(refused) = self.parent.try_grow(reservation, additional) {
            self.used_bytes.fetch_sub(additional, Ordering::Relaxed);
            return Err(refused);
        }
        self.took(before + additional);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.used_bytes.load(Ordering::Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit_bytes)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "statement(used: {}, share: {}) of {}", self.reserved(), self.limit_bytes, self.parent)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    use super::*;

    fn context(pool_bytes: usize, share_bytes: usize) -> (Arc<Usage>, TaskContext, Arc<dyn MemoryPool>) {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(pool_bytes));
        let runtime = RuntimeEnv { memory_pool: Arc::clone(&pool), ..RuntimeEnv::default() };
        let usage = Arc::new(Usage::default());
        let context = TaskContext::default().with_runtime(Arc::new(runtime));
        (Arc::clone(&usage), usage.context(context, share_bytes), pool)
    }

    #[test]
    fn a_statement_has_no_more_than_its_share_and_gives_it_back() {
        let (usage, context, pool) = context(1_000, 600);
        let first = MemoryConsumer::new("sort").register(context.memory_pool());
        first.try_grow(400).unwrap();
        let second = MemoryConsumer::new("join").register(context.memory_pool());
        let error = second.try_grow(201).unwrap_err();
        assert!(error.to_string().contains("share of 600 bytes"), "{error}");
        second.try_grow(200).unwrap();
        assert_eq!(pool.reserved(), 600);
        drop((first, second));
        assert_eq!((pool.reserved(), context.memory_pool().reserved()), (0, 0));
        assert_eq!(usage.peak_memory_bytes(), 600);
    }

    #[tokio::test]
    async fn a_join_that_is_over_leaves_nothing_in_the_pool() {
        use datafusion::physical_plan::execute_stream;
        use datafusion::prelude::SessionContext;
        use futures::StreamExt;

        let session = SessionContext::new();
        let join =
            "SELECT sum(a.x + b.y) FROM generate_series(1, 100000) AS a (x) CROSS JOIN generate_series(1, 3) AS b (y)";
        let plan = session.sql(join).await.unwrap().create_physical_plan().await.unwrap();
        let (usage, context, pool) = context(100_000_000, 60_000_000);
        let watched = usage.watch(&plan);
        let mut rows = execute_stream(plan, Arc::new(context)).unwrap();
        while let Some(batch) = rows.next().await {
            batch.unwrap();
        }
        assert!(usage.peak_memory_bytes() > 0);
        drop((rows, watched));
        assert_eq!(pool.reserved(), 0, "an account that is kept holds no plan");
    }

    #[test]
    fn what_a_cursor_read_is_told_once_by_whoever_fetches_from_it() {
        let cursor = Arc::new(Usage::default());
        *cursor.work.lock() = Work::Over { scanned_bytes: 300 };
        let (first, second) = (Usage::default(), Usage::default());
        first.fetch_from(&cursor);
        second.fetch_from(&cursor);
        assert_eq!((first.take_scanned_bytes(), second.take_scanned_bytes()), (300, 0));
        *cursor.work.lock() = Work::Over { scanned_bytes: 500 };
        assert_eq!((second.take_scanned_bytes(), cursor.take_scanned_bytes()), (200, 0));
    }

    #[test]
    fn what_the_pool_refuses_is_not_counted() {
        let (usage, context, pool) = context(500, 600);
        let sort = MemoryConsumer::new("sort").register(context.memory_pool());
        assert!(sort.try_grow(550).is_err());
        sort.try_grow(500).unwrap();
        assert_eq!((pool.reserved(), usage.peak_memory_bytes()), (500, 500));
    }
}
