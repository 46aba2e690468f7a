//! How far the work is, for who watches it; and how it is told to stop.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};

use crate::error::{Error, Result, SqlState};

/// What happens now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterPhase {
    /// A sample of users is taken.
    Sampling,
    /// Rows are read and routed to buckets.
    Reading,
    /// Buckets are sorted and written.
    Writing,
    /// Files go to their place.
    Publishing,
}

const PHASES: [ClusterPhase; 4] =
    [ClusterPhase::Sampling, ClusterPhase::Reading, ClusterPhase::Writing, ClusterPhase::Publishing];

/// Shared by the work and its watcher.
#[derive(Debug, Default)]
pub struct ClusterMeter {
    phase: AtomicU8,
    done: AtomicU64,
    total: AtomicU64,
    is_stopped: AtomicBool,
}

impl ClusterMeter {
    /// The phase; rows done in it (bytes, where files are published); and how many there are, 0 where nobody knows.
    ///
    /// Of text files the rows are reckoned from the files that were read.
    pub fn reading(&self) -> (ClusterPhase, u64, u64) {
        (PHASES[usize::from(self.phase.load(Relaxed))], self.done.load(Relaxed), self.total.load(Relaxed))
    }

    /// Makes the work end soon with 57014. What it has written is removed.
    pub fn stop(&self) {
        self.is_stopped.store(true, Relaxed);
    }

    pub(in crate::lake) fn begin(&self, phase: ClusterPhase, total: Option<u64>) {
        self.done.store(0, Relaxed);
        self.total.store(total.unwrap_or(0), Relaxed);
        self.phase.store(phase as u8, Relaxed);
    }

    /// Reckons the whole from a part, where nobody knows it: `part` of `whole` bytes are done.
    pub(super) fn reckon(&self, part: u64, whole: u64) {
        let total = u128::from(self.done.load(Relaxed)) * u128::from(whole) / u128::from(part.max(1));
        self.total.store(u64::try_from(total).unwrap_or(u64::MAX), Relaxed);
    }

    /// Counts what is done. Fails with 57014 if the work was told to stop.
    pub(in crate::lake) fn advance(&self, done: u64) -> Result<()> {
        self.done.fetch_add(done, Relaxed);
        match self.is_stopped.load(Relaxed) {
            true => Err(Error::new(SqlState::QUERY_CANCELED, "stopped before the table was complete")),
            false => Ok(()),
        }
    }
}
