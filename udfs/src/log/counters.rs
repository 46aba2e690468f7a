//! What the logs of one aggregate did, for EXPLAIN ANALYZE.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::physical_plan::metrics::{Count, Metric, MetricType, MetricValue, MetricsSet};

/// Counts of one aggregate in one run of a plan, added up over its partitions.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    events_read: AtomicU64,
    events_kept: AtomicU64,
    users: AtomicU64,
    users_sorted: AtomicU64,
    log_bytes: AtomicU64,
}

impl Counters {
    /// A batch was read, and some of its rows were kept.
    pub fn add_events(&self, read: usize, kept: usize) {
        self.events_read.fetch_add(read as u64, Ordering::Relaxed);
        self.events_kept.fetch_add(kept as u64, Ordering::Relaxed);
    }

    /// Groups were answered, of which some had arrived out of order.
    pub fn add_users(&self, users: usize, sorted: u64) {
        self.users.fetch_add(users as u64, Ordering::Relaxed);
        self.users_sorted.fetch_add(sorted, Ordering::Relaxed);
    }

    /// A log reached its full size.
    pub fn add_log(&self, bytes: usize) {
        self.log_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Shows the counts among the metrics of the operator that runs the aggregate.
    pub fn add_to(&self, metrics: &mut MetricsSet) {
        let counts = [
            ("events_read", &self.events_read),
            ("events_kept", &self.events_kept),
            ("users", &self.users),
            ("users_sorted", &self.users_sorted),
            ("log_bytes", &self.log_bytes),
        ];
        for (name, value) in counts {
            let count = Count::new();
            count.add(usize::try_from(value.load(Ordering::Relaxed)).unwrap_or(usize::MAX));
            let value = MetricValue::Count { name: name.into(), count };
            metrics.push(Arc::new(Metric::new(value, None).with_type(MetricType::Summary)));
        }
    }
}
