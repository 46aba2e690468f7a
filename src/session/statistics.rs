//! What the server's statements amount to since it started: counts, times, bytes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::error::SqlState;

/// Upper bounds of the histogram's buckets, in microseconds; the last bucket has none.
pub const DURATION_BOUNDS_US: [u64; 12] = [
    1_000,
    2_500,
    10_000,
    25_000,
    100_000,
    250_000,
    1_000_000,
    2_500_000,
    10_000_000,
    30_000_000,
    100_000_000,
    300_000_000,
];

/// How statements end, as operators count them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Ok,
    Error,
    /// By its user, by a deadline, or because its client went away.
    Canceled,
}

/// The endings with the words that the endpoint has for them.
pub const ENDINGS: [(Ending, &str); 3] = [(Ending::Ok, "ok"), (Ending::Error, "error"), (Ending::Canceled, "canceled")];

/// Counters that only grow, read while they do.
#[derive(Debug, Default)]
pub struct Statistics {
    connections: AtomicU64,
    ended: [AtomicU64; ENDINGS.len()],
    duration_buckets: [AtomicU64; DURATION_BOUNDS_US.len() + 1],
    duration_us: AtomicU64,
    rows: AtomicU64,
    scanned_bytes: AtomicU64,
}

impl Ending {
    /// The ending that a SQLSTATE stands for.
    pub fn of(state: &str) -> Self {
        match state {
            state if state == SqlState::SUCCESSFUL_COMPLETION.0 => Self::Ok,
            state if state == SqlState::QUERY_CANCELED.0 || state == SqlState::CONNECTION_FAILURE.0 => Self::Canceled,
            _ => Self::Error,
        }
    }
}

impl Statistics {
    pub(super) fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn ended(&self, ending: Ending, duration: Duration, rows: u64, scanned_bytes: u64) {
        let duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = DURATION_BOUNDS_US.partition_point(|bound| *bound < duration_us);
        self.ended[ending as usize].fetch_add(1, Ordering::Relaxed);
        self.duration_buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.duration_us.fetch_add(duration_us, Ordering::Relaxed);
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.scanned(scanned_bytes);
    }

    pub(super) fn scanned(&self, bytes: u64) {
        self.scanned_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Connections that have logged in since the start.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Statements that ended so.
    pub fn statements(&self, ending: Ending) -> u64 {
        self.ended[ending as usize].load(Ordering::Relaxed)
    }

    /// Statements whose time was at most each bound of [`DURATION_BOUNDS_US`], then all of them.
    pub fn duration_counts(&self) -> Vec<u64> {
        let counts = self.duration_buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
        counts
            .scan(0, |sum, count| {
                *sum += count;
                Some(*sum)
            })
            .collect()
    }

    /// The time of all statements together, in microseconds.
    pub fn duration_us(&self) -> u64 {
        self.duration_us.load(Ordering::Relaxed)
    }

    /// Rows that were sent.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Bytes that scans have read.
    pub fn scanned_bytes(&self) -> u64 {
        self.scanned_bytes.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_at_a_bound_is_in_its_bucket() {
        let statistics = Statistics::default();
        for duration_us in [0, 1_000, 1_001, 300_000_001] {
            statistics.ended(Ending::Ok, Duration::from_micros(duration_us), 1, 10);
        }
        let counts = statistics.duration_counts();
        assert_eq!((counts[0], counts[1], counts[11], counts[12]), (2, 3, 3, 4));
        assert_eq!((statistics.rows(), statistics.scanned_bytes(), statistics.statements(Ending::Ok)), (4, 40, 4));
    }

    #[test]
    fn endings_follow_the_sqlstate() {
        assert_eq!(
            [Ending::of("00000"), Ending::of("57014"), Ending::of("08006"), Ending::of("42P01")],
            [Ending::Ok, Ending::Canceled, Ending::Canceled, Ending::Error]
        );
    }
}
