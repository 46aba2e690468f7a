//! Cancel, timeout and the end of the client stop the work itself.

use std::time::{Duration, Instant};

use futures::StreamExt;
use tokio_postgres::NoTls;

use super::{db_error, failure};
use crate::server::Server;

/// Work for hours: a join of everything with everything in which few pairs match.
///
/// The operator looks at billions of pairs before it has a batch to give, and must notice in between.
const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 3000000) AS a (x) CROSS JOIN generate_series(1, 3000000) AS b (y) \
                       WHERE (x * 7 + y * 13) % 1000003 = 5";

/// Work for hours without a filter: batches come fast and an aggregate swallows them.
const ENDLESS_SUM: &str =
    "SELECT sum(x * y) FROM generate_series(1, 3000000) AS a (x) CROSS JOIN generate_series(1, 3000000) AS b (y)";

/// The same work where rows flow from the start.
const ENDLESS_ROWS: &str = "SELECT x, y FROM generate_series(1, 3000000) AS a (x) CROSS JOIN generate_series(1, 3000000) AS b (y) WHERE (x + y) % 7 = 0";

const STOPS_WITHIN: Duration = Duration::from_secs(2);

fn own_server() -> Server {
    Server::start(&[crate::fixtures::golden_lake()])
}

/// Waits until the server works: a fifth of a core over 300 ms, for other tests work too.
async fn wait_until_busy(server: &Server) {
    let started = Instant::now();
    loop {
        let before = server.cpu_time();
        tokio::time::sleep(Duration::from_millis(300)).await;
        if server.cpu_time() - before >= Duration::from_millis(60) {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "the statement does not start to work");
    }
}

#[tokio::test]
async fn a_cancel_request_stops_the_work_of_a_simple_query() {
    for sql in [ENDLESS, ENDLESS_SUM] {
        let server = own_server();
        let client = server.connect().await;
        let token = client.cancel_token();
        let running = tokio::spawn(async move { (client.simple_query(sql).await, client) });
        wait_until_busy(&server).await;
        token.cancel_query(NoTls).await.expect("the request is sent");
        let (done, client) = running.await.expect("the task does not panic");
        assert_eq!(failure(done), ("57014".to_owned(), "canceling statement due to user request".to_owned()));
        server.wait_until_idle(STOPS_WITHIN).await;
        client.simple_query("SELECT 1").await.expect("the connection works on");
    }
}

#[tokio::test]
async fn a_cancel_request_stops_the_work_of_a_prepared_query() {
    let server = own_server();
    let client = server.connect().await;
    let token = client.cancel_token();
    let running = tokio::spawn(async move { (client.query(ENDLESS_SUM, &[]).await, client) });
    wait_until_busy(&server).await;
    token.cancel_query(NoTls).await.expect("the request is sent");
    let (done, client) = running.await.expect("the task does not panic");
    assert_eq!(failure(done).0, "57014");
    server.wait_until_idle(STOPS_WITHIN).await;
    client.query_one("SELECT 1", &[]).await.expect("the connection works on");
}

#[tokio::test]
async fn a_cancel_request_reaches_a_portal_that_goes_on() {
    let server = own_server();
    let mut client = server.connect().await;
    let token = client.cancel_token();
    let block = client.transaction().await.expect("a block begins");
    let portal = block.bind(ENDLESS_ROWS, &[]).await.expect("the statement can be bound");
    assert_eq!(block.query_portal(&portal, 100).await.expect("rows flow").len(), 100);
    // Between two portions nothing runs: this request has nothing to stop.
    token.cancel_query(NoTls).await.expect("the request is sent");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(block.query_portal(&portal, 100).await.expect("rows flow on").len(), 100);
    let (all, _) = tokio::join!(block.query_portal(&portal, 0), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        token.cancel_query(NoTls).await.expect("the request is sent");
    });
    assert_eq!(failure(all).0, "57014");
    assert!(block.query_portal(&portal, 1).await.is_err(), "the portal is over");
    assert_eq!(failure(block.query("SELECT 1", &[]).await).0, "25P02");
    block.rollback().await.expect("the block ends");
    server.wait_until_idle(STOPS_WITHIN).await;
}

#[tokio::test]
async fn a_cancel_request_with_nothing_to_stop_does_nothing() {
    let server = Server::shared();
    let client = server.connect().await;
    client.simple_query("SELECT 1").await.expect("it runs");
    client.cancel_token().cancel_query(NoTls).await.expect("the request is sent");
    tokio::time::sleep(Duration::from_millis(200)).await;
    client.simple_query("SELECT 1").await.expect("a late request does not reach the next statement");
}

#[tokio::test]
async fn statement_timeout_stops_work_before_the_first_row() {
    let server = own_server();
    let client = server.connect().await;
    client.batch_execute("SET statement_timeout = '700ms'").await.expect("it can be set");
    let started = Instant::now();
    let done = client.simple_query(ENDLESS).await;
    let took = started.elapsed();
    assert_eq!(failure(done), ("57014".to_owned(), "canceling statement due to statement timeout".to_owned()));
    assert!((Duration::from_millis(600)..Duration::from_secs(4)).contains(&took), "{took:?}");
    server.wait_until_idle(STOPS_WITHIN).await;
    client.simple_query("SELECT 1").await.expect("the connection works on");
}

#[tokio::test]
async fn statement_timeout_covers_the_rows_too() {
    let server = own_server();
    let client = server.connect().await;
    client.batch_execute("SET statement_timeout = '1s'").await.expect("it can be set");
    let rows = client.query_raw(ENDLESS_ROWS, Vec::<i32>::new()).await.expect("rows begin to flow");
    let mut rows = std::pin::pin!(rows);
    let mut row_count = 0_u64;
    let started = Instant::now();
    let error = loop {
        match rows.next().await {
            Some(Ok(_)) => row_count += 1,
            Some(Err(error)) => break error,
            None => panic!("the rows ended after {row_count}"),
        }
        assert!(started.elapsed() < Duration::from_secs(10), "rows still flow");
    };
    assert!(row_count > 0);
    assert_eq!(db_error(&error).code().code(), "57014");
    server.wait_until_idle(STOPS_WITHIN).await;
}

#[tokio::test]
async fn a_client_that_vanishes_in_mid_query_takes_its_work_with_it() {
    let server = own_server();
    let (client, connection) = server.config().connect(NoTls).await.expect("the server accepts connections");
    let connection = tokio::spawn(connection);
    let running = tokio::spawn(async move {
        let _ = client.simple_query(ENDLESS).await;
    });
    wait_until_busy(&server).await;
    // Dropping the connection closes its socket without a word.
    connection.abort();
    running.abort();
    server.wait_until_idle(STOPS_WITHIN).await;
    server.connect().await.simple_query("SELECT 1").await.expect("the server works on");
}

#[tokio::test]
async fn a_client_that_vanishes_while_rows_flow_takes_its_work_with_it() {
    let server = own_server();
    let (client, connection) = server.config().connect(NoTls).await.expect("the server accepts connections");
    let connection = tokio::spawn(connection);
    let rows = client.query_raw(ENDLESS_ROWS, Vec::<i32>::new()).await.expect("rows begin to flow");
    let mut rows = Box::pin(rows);
    for _ in 0..1_000 {
        rows.next().await.expect("there are more rows").expect("no error");
    }
    connection.abort();
    drop(rows);
    drop(client);
    server.wait_until_idle(STOPS_WITHIN).await;
    server.connect().await.simple_query("SELECT 1").await.expect("the server works on");
}

#[tokio::test]
async fn other_connections_answer_while_one_works() {
    let server = own_server();
    let busy = server.connect().await;
    let token = busy.cancel_token();
    let running = tokio::spawn(async move { busy.simple_query(ENDLESS).await.map(|_| ()) });
    wait_until_busy(&server).await;
    let started = Instant::now();
    server.connect().await.simple_query("SHOW server_version").await.expect("another client is served");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    token.cancel_query(NoTls).await.expect("the request is sent");
    assert!(running.await.expect("the task does not panic").is_err());
}

#[tokio::test]
async fn a_fetch_that_is_cut_short_stops_the_work_of_its_cursor() {
    let server = own_server();
    let client = server.connect().await;
    client.batch_execute(&format!("BEGIN; DECLARE c CURSOR FOR {ENDLESS_SUM}")).await.expect("a cursor is declared");
    client.batch_execute("SET LOCAL statement_timeout = '700ms'").await.expect("it can be set");
    assert_eq!(failure(client.simple_query("FETCH 1 FROM c").await).0, "57014");
    server.wait_until_idle(STOPS_WITHIN).await;
    client.batch_execute("ROLLBACK").await.expect("the block ends");
}

#[tokio::test]
async fn a_block_that_fails_stops_its_cursors_and_keeps_those_of_a_savepoint() {
    let server = own_server();
    let client = server.connect().await;
    client.batch_execute(&format!("BEGIN; DECLARE c CURSOR FOR {ENDLESS_SUM}")).await.expect("a cursor is declared");
    wait_until_busy(&server).await;
    assert_eq!(failure(client.simple_query("SELECT 1 / 0").await).0, "22012");
    server.wait_until_idle(STOPS_WITHIN).await;
    client.batch_execute("ROLLBACK; BEGIN").await.expect("the block ends");
    let kept = "DECLARE c CURSOR FOR SELECT x FROM generate_series(1, 3) AS t (x); SAVEPOINT s";
    client.batch_execute(kept).await.expect("a cursor is declared");
    assert_eq!(failure(client.simple_query("SELECT 1 / 0").await).0, "22012");
    client.batch_execute("ROLLBACK TO s; FETCH 1 FROM c; ROLLBACK").await.expect("the cursor is there still");
}

#[tokio::test]
async fn a_cursor_that_a_portal_reads_is_not_read_by_another() {
    let server = Server::shared();
    let mut client = server.connect().await;
    let block = client.transaction().await.expect("a block begins");
    let cursor = "DECLARE c CURSOR FOR SELECT x FROM generate_series(1, 100000) AS t (x)";
    block.batch_execute(cursor).await.expect("a cursor is declared");
    let portal = block.bind("FETCH 100000 FROM c", &[]).await.expect("it can be bound");
    assert_eq!(block.query_portal(&portal, 10).await.expect("rows flow").len(), 10);
    assert_eq!(failure(block.simple_query("FETCH 1 FROM c").await).0, "55006");
    block.rollback().await.expect("the block ends");
}
