//! Every `testdata/golden/**/*.slt` through the wire: both protocols, several partition counts and batch sizes, the
//! one-stage rule on and off.
//!
//! The six runs cover each value of each setting on each protocol; each run has a server of its own, so that one
//! may create what another must not see.
//! A file gets a connection of its own: what it sets ends with it.
//! Set `TRIBUTARY_GOLDEN=funnel/edges` to run the files whose path holds that.

mod decode;
mod engine;

use std::fmt::Write;

use engine::{Engine, Protocol, Settings};
use sqllogictest::Runner;

use crate::fixtures;
use crate::server::Server;

#[tokio::test]
async fn simple_protocol_in_one_partition() {
    run_all(Protocol::Simple, Settings { partitions: 1, batch_size: 8192, one_stage: true }).await;
}

#[tokio::test]
async fn simple_protocol_in_two_partitions_with_tiny_batches_and_the_stock_plan() {
    run_all(Protocol::Simple, Settings { partitions: 2, batch_size: 3, one_stage: false }).await;
}

#[tokio::test]
async fn simple_protocol_in_eight_partitions_with_tiny_batches() {
    run_all(Protocol::Simple, Settings { partitions: 8, batch_size: 3, one_stage: true }).await;
}

#[tokio::test]
async fn extended_protocol_in_one_partition_with_tiny_batches_and_the_stock_plan() {
    run_all(Protocol::Extended, Settings { partitions: 1, batch_size: 3, one_stage: false }).await;
}

#[tokio::test]
async fn extended_protocol_in_two_partitions() {
    run_all(Protocol::Extended, Settings { partitions: 2, batch_size: 8192, one_stage: true }).await;
}

#[tokio::test]
async fn extended_protocol_in_eight_partitions_with_the_stock_plan() {
    run_all(Protocol::Extended, Settings { partitions: 8, batch_size: 8192, one_stage: false }).await;
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
        runner.with_normalizer(str_as_it_is);
        if let Err(error) = runner.run_file_async(&path).await {
            let _ = writeln!(failures, "{name}: {}\n", error.display(false));
        }
        runner.shutdown_async().await;
    }
    assert!(file_count > 0, "no golden file is named like '{wanted}'");
    assert!(failures.is_empty(), "{protocol:?}, {settings:?}\n\n{failures}");
}

/// Values are compared as they are but for the spaces around them.
#[allow(clippy::ptr_arg, reason = "the type of sqllogictest's normalizers")]
fn str_as_it_is(text: &String) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
