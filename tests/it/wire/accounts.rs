//! What the log and the figures say of statements that were read in pieces, or did not come to their end.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio_postgres::Client;

use super::logins::start;
use super::operators::{figure, get, statements};
use super::raw::Raw;
use crate::server::Server;

/// Rows that no client takes in a test.
const MANY: &str = "SELECT n, repeat('x', 1000) FROM generate_series(1, 50000000) AS t (n)";

/// SQLSTATEs of the statements so far, once there are as many.
async fn states(server: &Server, count: usize) -> Vec<String> {
    let lines = statements(server, count).await;
    lines.iter().map(|line| line["sqlstate"].as_str().expect("a state").to_owned()).collect()
}

/// Asks for all rows by the extended protocol and reads none.
fn execute_all(raw: &mut Raw, sql: &str) {
    raw.send(b'P', &[b"\0", sql.as_bytes(), b"\0\0\0"].concat());
    raw.send(b'B', b"\0\0\0\0\0\0\0\0");
    raw.send(b'E', b"\0\0\0\0\0");
    raw.send(b'S', b"");
}

/// Waits until the rows of a client that reads none have filled what is between it and the server.
async fn wait_until_stuck(raw: &mut Raw, server: &Server) {
    assert!(raw.has_answer(Duration::from_secs(30)), "rows are sent");
    server.wait_until_idle(Duration::from_secs(30)).await;
}

#[tokio::test]
async fn a_statement_whose_client_vanished_did_not_end_well() {
    let configured = start("log_format = 'json'", &[]);
    let server = &configured.server;
    let mut deaf = Raw::start(server);
    execute_all(&mut deaf, MANY);
    wait_until_stuck(&mut deaf, server).await;
    drop(deaf);
    assert_eq!(states(server, 1).await, ["08006"]);
}

#[tokio::test]
async fn a_statement_whose_client_was_ended_did_not_end_well() {
    let configured = start("log_format = 'json'", &[]);
    let server = &configured.server;
    let mut deaf = Raw::start(server);
    execute_all(&mut deaf, MANY);
    wait_until_stuck(&mut deaf, server).await;
    let client = server.connect().await;
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid()";
    client.query_one(sql, &[]).await.expect("it is told to end");
    let mut states = states(server, 2).await;
    states.sort_unstable();
    assert_eq!(states, ["00000", "57P01"]);
}

#[tokio::test]
async fn a_portal_that_its_client_leaves_has_answered_what_it_was_asked() {
    let configured = start("log_format = 'json'", &[]);
    let server = &configured.server;
    let mut client = server.connect().await;
    let block = client.transaction().await.expect("a block begins");
    let portal = block.bind(MANY, &[]).await.expect("it can be bound");
    assert_eq!(block.query_portal(&portal, 3).await.expect("rows").len(), 3);
    drop(block);
    drop(client);
    let lines = statements(server, 2).await;
    let of_rows = lines.iter().find(|line| line["rows"] == 3).expect("the portal has its line");
    assert_eq!(of_rows["sqlstate"], "00000");
}

/// What the lines after the first `before` say was scanned, and the most memory.
async fn told(server: &Server, before: usize, count: usize) -> (Vec<u64>, u64) {
    let lines = statements(server, before + count).await;
    let number = |line: &Value, name: &str| line[name].as_u64().expect("a number");
    let scanned = lines[before..].iter().map(|line| number(line, "scanned_bytes")).collect();
    (scanned, lines[before..].iter().map(|line| number(line, "peak_memory_bytes")).max().unwrap_or(0))
}

async fn all(client: &Client, statements: &[&str]) {
    for sql in statements {
        client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

#[tokio::test]
async fn what_a_cursor_reads_is_told_by_its_fetches_and_counted_once() {
    let configured = start("log_format = 'json'", &["--status-listen", "127.0.0.1:0"]);
    let server = &configured.server;
    let client = server.connect().await;
    let query = "SELECT * FROM by_day WHERE orders > 0 ORDER BY orders DESC";
    all(&client, &[query, query]).await;
    let (plain, plain_peak) = told(server, 0, 2).await;
    assert!(plain[1] > 0 && plain_peak > 0, "{plain:?} {plain_peak}");

    all(&client, &["BEGIN", &format!("DECLARE c CURSOR FOR {query}"), "FETCH 1 FROM c", "MOVE 1 IN c", "COMMIT"]).await;
    let (scanned, peak) = told(server, 2, 5).await;
    assert_eq!(scanned, [0, 0, plain[1], 0, 0], "the sort has read it all before its first row");
    assert!(peak > 0);

    // Nobody fetches: it counts when the cursor ends.
    all(&client, &["BEGIN", &format!("DECLARE c CURSOR FOR {query}")]).await;
    server.wait_until_idle(Duration::from_secs(10)).await;
    all(&client, &["ROLLBACK"]).await;
    let (scanned, _) = told(server, 7, 3).await;
    assert_eq!(scanned, [0, 0, 0]);
    let address = server.status_address().expect("it was told to");
    let expected = (plain[0] + 3 * plain[1]) as f64;
    let started = Instant::now();
    loop {
        let counted =
            figure(&get(address, "GET /metrics HTTP/1.1\r\nHost: tea\r\n\r\n"), "tributary_scanned_bytes_total");
        if counted == expected {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "{counted} are counted, and {expected} were read");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The timer of a connection as the kernel knows it: 2 is that of keep-alive.
fn timer(server: &Server, client_port: u16) -> Option<String> {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux lists its connections");
    let ends = [format!(":{:04X}", server.address().port()), format!(":{client_port:04X}")];
    let line = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find(|fields| {
        fields.get(1).is_some_and(|local| local.ends_with(&ends[0]))
            && fields.get(2).is_some_and(|remote| remote.ends_with(&ends[1]))
    })?;
    line.get(5)?.split(':').next().map(str::to_owned)
}

#[test]
fn a_silent_client_is_asked_whether_it_is_still_there() {
    let server = Server::shared();
    let raw = Raw::start(&server);
    let started = Instant::now();
    // A byte that is not acknowledged yet has a timer of its own.
    while timer(&server, raw.local_port()).as_deref() != Some("02") {
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", timer(&server, raw.local_port()));
        std::thread::sleep(Duration::from_millis(50));
    }
}
