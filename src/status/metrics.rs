//! Figures in Prometheus' text format.

use std::fmt::{Display, Write};

use crate::engine::Engine;
use crate::session::Registry;
use crate::session::statistics::{DURATION_BOUNDS_US, ENDINGS};

/// Every figure, each with its help and its kind.
pub(super) fn write(engine: &Engine, registry: &Registry) -> String {
    let mut out = Page::default();
    let statistics = registry.statistics();
    let (memory_limit, memory_reserved) = engine.memory();

    out.family("tributary_connections", "gauge", "Open connections by what they do.");
    for (state, count) in registry.connections_by_state() {
        out.sample("tributary_connections", &format!("state=\"{state}\""), count);
    }
    out.single("tributary_connections_total", "counter", "Connections that have logged in.", statistics.connections());
    out.single("tributary_statements_running", "gauge", "Statements that run now.", registry.running_count());
    out.family("tributary_statements_total", "counter", "Statements that have ended, by how.");
    for (ending, word) in ENDINGS {
        out.sample("tributary_statements_total", &format!("ending=\"{word}\""), statistics.statements(ending));
    }
    out.family("tributary_statement_duration_seconds", "histogram", "Time from a statement's start to its last row.");
    let counts = statistics.duration_counts();
    for (bound_us, count) in DURATION_BOUNDS_US.iter().zip(&counts) {
        let bound = seconds(*bound_us);
        out.sample("tributary_statement_duration_seconds_bucket", &format!("le=\"{bound}\""), count);
    }
    let all = counts.last().copied().unwrap_or_default();
    out.sample("tributary_statement_duration_seconds_bucket", "le=\"+Inf\"", all);
    out.sample("tributary_statement_duration_seconds_sum", "", seconds(statistics.duration_us()));
    out.sample("tributary_statement_duration_seconds_count", "", all);
    out.single("tributary_rows_total", "counter", "Rows that were sent.", statistics.rows());
    let scanned = statistics.scanned_bytes();
    out.single("tributary_scanned_bytes_total", "counter", "Bytes of files that statements have read.", scanned);
    out.single("tributary_memory_limit_bytes", "gauge", "Memory that statements may reserve together.", memory_limit);
    out.single("tributary_memory_reserved_bytes", "gauge", "Memory that statements have reserved.", memory_reserved);
    let spilled = engine.spilled_bytes();
    out.single("tributary_spilled_bytes", "gauge", "Bytes that running statements have put into files.", spilled);
    let started = seconds(u64::try_from(registry.started_at_us()).unwrap_or_default());
    out.single("tributary_start_time_seconds", "gauge", "When the server started, since 1970-01-01 UTC.", started);
    out.0
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = match labels {
            "" => writeln!(self.0, "{name} {value}"),
            labels => writeln!(self.0, "{name}{{{labels}}} {value}"),
        };
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, "", value);
    }
}
