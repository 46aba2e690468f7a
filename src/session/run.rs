//! One run of a statement, from its text to its last row, and the line of the log that is left of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::Session;
use super::statistics::Ending;
use crate::engine::Usage;
use crate::error::SqlState;

/// A statement that is being run. What it leaves is written when it ends, however it does.
#[derive(Debug)]
pub struct Run {
    session: Arc<Session>,
    text: String,
    started: Instant,
    /// Time that a portal waited for its client to ask for more.
    idle: Duration,
    paused: Option<Instant>,
    rows: AtomicU64,
    usage: Arc<Usage>,
    is_written: bool,
}

impl Run {
    pub(super) fn new(session: Arc<Session>, text: &str) -> Self {
        session.registry.begin_run();
        Self {
            text: if session.registry.logs_statements() { text.to_owned() } else { String::new() },
            session,
            started: Instant::now(),
            idle: Duration::ZERO,
            paused: None,
            rows: AtomicU64::new(0),
            usage: Arc::default(),
            is_written: false,
        }
    }

    /// The account of what it takes.
    pub fn usage(&self) -> &Arc<Usage> {
        &self.usage
    }

    /// Counts rows that were sent.
    pub fn sent(&self, rows: usize) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// The client has what it asked for, and may ask for more.
    pub fn pause(&mut self) {
        self.paused = Some(Instant::now());
    }

    /// The client asks for more.
    pub fn resume(&mut self) {
        if let Some(paused) = self.paused.take() {
            self.idle += paused.elapsed();
        }
    }

    /// Writes the line of a statement that ended with `state`.
    pub fn end(mut self, state: &str) {
        self.write(state);
    }

    fn write(&mut self, state: &str) {
        if std::mem::replace(&mut self.is_written, true) {
            return;
        }
        self.resume();
        let duration = self.started.elapsed().saturating_sub(self.idle);
        let rows = self.rows.load(Ordering::Relaxed);
        let (scanned, peak) = (self.usage.take_scanned_bytes() as u64, self.usage.peak_memory_bytes() as u64);
        let registry = &self.session.registry;
        registry.end_run(Ending::of(state), duration, rows, scanned);
        let identity = &self.session.identity;
        let statement = registry.logs_statements().then_some(self.text.as_str());
        tracing::info!(
            target: "tributary::statement",
            user = identity.user.as_str(),
            database = identity.database.as_str(),
            pid = identity.process_id,
            duration_ms = duration.as_micros() as f64 / 1000.0,
            rows,
            scanned_bytes = scanned,
            peak_memory_bytes = peak,
            sqlstate = %state,
            statement,
        );
    }
}

impl Drop for Run {
    /// A portal that was closed between two executions has answered all that it was asked. Any other run was cut short: by
    /// a panic, by the end of the connection, or by a client that takes nothing any more.
    fn drop(&mut self) {
        let state = if self.paused.is_some() {
            SqlState::SUCCESSFUL_COMPLETION
        } else if std::thread::panicking() {
            SqlState::INTERNAL_ERROR
        } else if self.session.terminated.is_cancelled() {
            SqlState::ADMIN_SHUTDOWN
        } else {
            SqlState::CONNECTION_FAILURE
        };
        self.write(state.0);
    }
}
