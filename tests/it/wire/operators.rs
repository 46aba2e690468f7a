//! What an operator sees of a server, and what users see of each other.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio_postgres::Client;

use super::logins::{start, users, with_password};
use super::{db_error, failure};
use crate::server::{Server, connect};

const HOURS: &str =
    "SELECT sum(x * y) FROM generate_series(1, 3000000) AS a (x) CROSS JOIN generate_series(1, 3000000) AS b (y)";

async fn pid(client: &Client) -> i32 {
    client.query_one("SELECT pg_backend_pid()", &[]).await.expect("a number").get(0)
}

/// State and statement of a connection, as `client` sees it.
async fn seen(client: &Client, pid: i32) -> (Option<String>, Option<String>) {
    let sql = format!("SELECT state, query FROM pg_stat_activity WHERE pid = {pid}");
    let row = client.query_one(&sql, &[]).await.expect("the connection is there");
    (row.get(0), row.get(1))
}

#[tokio::test]
async fn users_see_and_end_their_own_and_superusers_everybody_s() {
    let configured = start(&users(), &[]);
    let server = &configured.server;
    let ana = connect(&with_password(server, "ana", "oolong")).await;
    let bi = connect(&with_password(server, "bi", "sencha")).await;
    let also_bi = connect(&with_password(server, "bi", "sencha")).await;
    let (ana_pid, bi_pid) = (pid(&ana).await, pid(&bi).await);

    let working = tokio::spawn(async move { (bi.simple_query(HOURS).await, bi) });
    tokio::time::sleep(Duration::from_millis(300)).await;
    for client in [&ana, &also_bi] {
        assert_eq!(seen(client, bi_pid).await, (Some("active".to_owned()), Some(HOURS.to_owned())));
    }
    assert_eq!(seen(&also_bi, ana_pid).await, (None, Some("<insufficient privilege>".to_owned())));

    for function in ["pg_cancel_backend", "pg_terminate_backend"] {
        let (state, message) = failure(also_bi.query(&format!("SELECT {function}({ana_pid})"), &[]).await);
        assert_eq!(state, "42501", "{message}");
    }
    let done: bool =
        also_bi.query_one(&format!("SELECT pg_cancel_backend({bi_pid})"), &[]).await.expect("his own").get(0);
    assert!(done);
    let (stopped, bi) = working.await.expect("the task does not panic");
    assert_eq!(failure(stopped).0, "57014");
    assert_eq!(seen(&ana, bi_pid).await.0.as_deref(), Some("idle"));

    let working = tokio::spawn(async move { bi.simple_query(HOURS).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let done: bool =
        ana.query_one(&format!("SELECT pg_terminate_backend({bi_pid})"), &[]).await.expect("she may").get(0);
    assert!(done);
    let error = working.await.expect("the task does not panic").expect_err("it is ended");
    assert_eq!((db_error(&error).code().code(), db_error(&error).severity()), ("57P01", "FATAL"));
    server.wait_until_idle(Duration::from_secs(3)).await;
    let nobody: bool = ana.query_one("SELECT pg_terminate_backend(1)", &[]).await.expect("an answer").get(0);
    assert!(!nobody);
    let gone = ana.query(&format!("SELECT 1 FROM pg_stat_activity WHERE pid = {bi_pid}"), &[]).await.expect("rows");
    assert!(gone.is_empty());
}

#[tokio::test]
async fn a_client_that_does_not_read_can_be_ended() {
    let configured = start("", &[]);
    let server = &configured.server;
    let mut deaf = super::raw::Raw::start(server);
    deaf.send(b'Q', b"SELECT n, repeat('x', 1000) FROM generate_series(1, 5000000) AS t (n)\0");
    let client = server.connect().await;
    server.wait_until_idle(Duration::from_secs(30)).await;
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid()";
    client.query_one(sql, &[]).await.expect("it is told to end");
    let started = Instant::now();
    loop {
        let rows = client.query("SELECT pid FROM pg_stat_activity", &[]).await.expect("rows");
        if rows.len() == 1 {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "it is still there");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Lines of the log about statements, once there are as many as expected.
pub(super) async fn statements(server: &Server, count: usize) -> Vec<Value> {
    let started = Instant::now();
    loop {
        let lines: Vec<Value> = server.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let lines: Vec<Value> = lines.into_iter().filter(|line| line["target"] == "tributary::statement").collect();
        if lines.len() >= count {
            return lines;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "{}", server.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn every_statement_leaves_one_line_and_no_text_of_it() {
    let configured = start("log_format = 'json'", &[]);
    let mut client = configured.server.connect().await;
    let pid = pid(&client).await;
    client.simple_query("SELECT 'secret' FROM generate_series(1, 10) AS t (n) ORDER BY -n").await.expect("rows");
    let _ = client.simple_query("SELECT secret_column FROM people").await;
    let _ = client.simple_query("SELEC secret").await;
    client.simple_query("SELECT count(*) FROM by_day WHERE orders > 2").await.expect("a row");
    {
        let block = client.transaction().await.expect("a block begins");
        let portal = block.bind("SELECT n FROM generate_series(1, 100) AS t (n)", &[]).await.expect("it can be bound");
        assert_eq!(block.query_portal(&portal, 30).await.expect("rows").len(), 30);
        block.commit().await.expect("the block ends");
    }
    let lines = statements(&configured.server, 8).await;
    let told: Vec<(&str, u64)> = lines
        .iter()
        .map(|line| (line["sqlstate"].as_str().expect("a state"), line["rows"].as_u64().expect("a count")))
        .collect();
    let expected = [
        ("00000", 1),
        ("00000", 10),
        ("42P01", 0),
        ("42601", 0),
        ("00000", 1),
        ("00000", 0),
        ("00000", 30),
        ("00000", 0),
    ];
    let mut sorted = told.clone();
    sorted.sort_unstable();
    let mut expected_sorted = expected;
    expected_sorted.sort_unstable();
    assert_eq!(sorted, expected_sorted, "{lines:#?}");
    for line in &lines {
        assert_eq!((&line["pid"], &line["database"]), (&Value::from(pid), &Value::from("tributary")), "{line}");
        assert_eq!(line["user"], "ana");
        assert!(line["duration_ms"].as_f64().is_some_and(|ms| ms > 0.0 && ms < 60_000.0), "{line}");
    }
    assert!(lines[1]["peak_memory_bytes"].as_u64() > Some(0), "a sort takes memory: {}", lines[1]);
    assert!(lines.iter().any(|line| line["scanned_bytes"].as_u64() > Some(0)), "{lines:#?}");
    assert!(!configured.server.log().contains("secret"), "{}", configured.server.log());
}

#[tokio::test]
async fn texts_are_in_the_log_where_the_operator_wants_them() {
    let configured = start("log_format = 'json'", &["--log-statements"]);
    let client = configured.server.connect().await;
    client.simple_query("SELECT 'one'; SELECT\n 'two'").await.expect("rows");
    let lines = statements(&configured.server, 2).await;
    assert_eq!([&lines[0]["statement"], &lines[1]["statement"]], ["SELECT 'one'", "SELECT\n 'two'"]);
}

pub(super) fn get(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the status is answered");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout can be set");
    stream.write_all(request.as_bytes()).expect("the server reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    answer
}

/// The value of a figure.
pub(super) fn figure(page: &str, name: &str) -> f64 {
    let line = page.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
    let value = line.and_then(|line| line.rsplit(' ').next()).unwrap_or_else(|| panic!("no {name} in\n{page}"));
    value.parse().unwrap_or_else(|_| panic!("{name} is no number in\n{page}"))
}

#[tokio::test]
async fn the_status_port_tells_machines_how_the_server_is() {
    let configured = start("", &["--status-listen", "127.0.0.1:0"]);
    let address = configured.server.status_address().expect("it was told to");
    let client = configured.server.connect().await;
    client.simple_query("SELECT n FROM generate_series(1, 7) AS t (n)").await.expect("rows");
    let _ = client.simple_query("SELECT 1/0").await;
    assert!(get(address, "GET /health HTTP/1.1\r\nHost: tea\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
    let started = Instant::now();
    let page = loop {
        let page = get(address, "GET /metrics HTTP/1.1\r\nHost: tea\r\n\r\n");
        if figure(&page, "tributary_statements_total{ending=\"error\"}") >= 1.0 {
            break page;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "{page}");
    };
    for (name, value) in [
        ("tributary_connections{state=\"idle\"}", 1.0),
        ("tributary_connections_total", 1.0),
        ("tributary_statements_running", 0.0),
        ("tributary_statements_total{ending=\"ok\"}", 1.0),
        ("tributary_statements_total{ending=\"error\"}", 1.0),
        ("tributary_statement_duration_seconds_bucket{le=\"+Inf\"}", 2.0),
        ("tributary_statement_duration_seconds_count", 2.0),
        ("tributary_rows_total", 7.0),
        ("tributary_memory_reserved_bytes", 0.0),
    ] {
        assert_eq!(figure(&page, name), value, "{name} in\n{page}");
    }
    assert!(figure(&page, "tributary_memory_limit_bytes") > 0.0);
    for (request, code) in
        [("GET /else HTTP/1.1\r\n\r\n", "404"), ("POST /metrics HTTP/1.1\r\n\r\n", "405"), ("nonsense\r\n\r\n", "400")]
    {
        assert!(get(address, request).starts_with(&format!("HTTP/1.1 {code} ")), "{request}");
    }
}
