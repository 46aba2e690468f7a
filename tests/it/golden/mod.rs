//! Every `testdata/golden/**/*.slt` through the wire: both protocols, several partition counts and batch sizes, the
//! one-stage rule on and off.
//!
//! The six runs cover each value of each setting on each protocol; each run has a server of its own, so that one
//! may create what another must not see.
//! A file gets a connection of its own: what it sets ends with it.
//! Set `TRIBUTARY_GOLDEN=funnel/edges` to run the files whose path holds that, and
//! `TRIBUTARY_GOLDEN_SET='datafusion.execution.parquet.pushdown_filters = true'` to see what a setting changes.

mod decode;
mod engine;

use std::fmt::Write;

use engine::{Engine, Protocol, Settings};
use sqllogictest::Runner;

use crate::fixtures;
use crate::server::Server;

#[tokio::test]
async fn simple_protocol_in_one_partition() {
    run_all(
        Protocol::Simple,
        Settings { partitions: 1, batch_size: 8192, one_stage: true, journeys: true, read_codes: true },
    )
    .await;
}

#[tokio::test]
async fn simple_protocol_in_two_partitions_with_tiny_batches_and_the_stock_plan() {
    run_all(
        Protocol::Simple,
        Settings { partitions: 2, batch_size: 3, one_stage: false, journeys: false, read_codes: false },
    )
    .await;
}

#[tokio::test]
async fn simple_protocol_in_eight_partitions_with_tiny_batches() {
    run_all(
        Protocol::Simple,
        Settings { partitions: 8, batch_size: 3, one_stage: true, journeys: true, read_codes: true },
    )
    .await;
}

#[tokio::test]
async fn extended_protocol_in_one_partition_with_tiny_batches_and_the_stock_plan() {
    run_all(
        Protocol::Extended,
        Settings { partitions: 1, batch_size: 3, one_stage: false, journeys: false, read_codes: false },
    )
    .await;
}

#[tokio::test]
async fn extended_protocol_in_two_partitions_and_tables_of_all_users() {
    run_all(
        Protocol::Extended,
        Settings { partitions: 2, batch_size: 8192, one_stage: true, journeys: false, read_codes: true },
    )
    .await;
}

#[tokio::test]
async fn extended_protocol_in_eight_partitions_with_the_stock_plan() {
    run_all(
        Protocol::Extended,
        Settings { partitions: 8, batch_size: 8192, one_stage: false, journeys: false, read_codes: false },
    )
    .await;
}

async fn run_all(protocol: Protocol, settings: Settings) {
    let server = Server::start(&[fixtures::golden_lake()]);
    let wanted = std::env::var("TRIBUTARY_GOLDEN").unwrap_or_default();
    let folder = fixtures::testdata("golden");
    let mut failures = String::new();
    let mut file_count = 0;
    for path in fixtures::files_below(&folder, &["slt"]) {
        let name = path.strip_prefix(&folder).unwrap_or(&path).display().to_string();
        if !name.contains(&wanted) {
            continue;
        }
        file_count += 1;
        let mut runner = Runner::new(|| Engine::connect(server.config(), protocol, settings));
        runner.with_column_validator(engine::same_types);
        runner.with_normalizer(single_spaces);
        runner.set_var(
            "testdata".to_owned(),
            fixtures::testdata("").display().to_string().trim_end_matches('/').to_owned(),
        );
        for (variable, text) in plain_twins() {
            runner.set_var(variable, text);
        }
        // All blocks run, also after one that failed: a wrong rule shows in all that it touches.
        for record in sqllogictest::parse_file(&path).unwrap_or_else(|error| panic!("{name}: {error}")) {
            if let Err(error) = runner.run_async(record).await {
                let _ = writeln!(failures, "{}\n", error.display(false));
            }
        }
        runner.shutdown_async().await;
    }
    assert!(file_count > 0, "no golden file is named like '{wanted}'");
    assert!(failures.is_empty(), "{protocol:?}, {settings:?}\n\n{failures}");
}

/// The twins in standard SQL: `sql/plain/funnel.sql` is `${plain_funnel}` in files that switch substitution on.
fn plain_twins() -> impl Iterator<Item = (String, String)> {
    fixtures::files_below(&fixtures::root().join("sql/plain"), &["sql"]).into_iter().map(|path| {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name in UTF-8");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (format!("plain_{name}"), format!("{}\n", text.trim_end().trim_end_matches(';')))
    })
}

/// Values are compared with their spaces folded, as the columns of a row are only separated by one.
#[expect(clippy::ptr_arg, reason = "the type of sqllogictest's normalizers")]
fn single_spaces(text: &String) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
