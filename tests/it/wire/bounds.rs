//! What one client may take, and that the others go on.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use futures::StreamExt;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, NoTls};

use super::logins::start;
use super::raw::Raw;
use super::{db_error, failure};
use crate::server::{Server, connect};

#[tokio::test]
async fn one_client_too_many_is_told_so_and_takes_the_place_that_is_left() {
    let configured = start("max_connections = 3", &[]);
    let server = &configured.server;
    let mut clients = vec![];
    for _ in 0..3 {
        clients.push(server.connect().await);
    }
    let Err(error) = server.config().connect(NoTls).await else { panic!("there is no place left") };
    let error = db_error(&error);
    assert_eq!((error.code().code(), error.severity()), ("53300", "FATAL"));
    assert_eq!(error.message(), "sorry, too many clients already");
    // Those that are in can still be cancelled, and a place that is left is free again.
    clients[0].cancel_token().cancel_query(NoTls).await.expect("a cancel request needs no place");
    drop(clients.pop());
    let started = Instant::now();
    while server.config().connect(NoTls).await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(10), "the place is not given back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn half_a_handshake_ends_and_takes_no_place() {
    let configured = start("max_connections = 1\nlogin_timeout_seconds = 2", &[]);
    let server = &configured.server;
    let files = server.open_files();
    let mut silent: Vec<Raw> = (0..20).map(|_| Raw::open(server)).collect();
    for (index, raw) in silent.iter_mut().enumerate() {
        raw.send_bytes(&b"\0\0\0\x20\0\x03\0\0user"[..index % 13]);
    }
    // The one place is free although twenty sockets wait.
    let client = server.connect().await;
    for raw in &mut silent {
        assert!(raw.rest().is_empty(), "nobody is spoken to who has not said who it is");
    }
    client.query_one("SELECT 1", &[]).await.expect("the login is long done");
    assert!(server.open_files() <= files + 2 + 2, "{} files, {files} before", server.open_files());
}

/// How long a statement of somebody else may take while a monster is there: it takes a millisecond alone, and this
/// machine may have other things to do.
const BYSTANDER: Duration = Duration::from_secs(4);

/// Queries of WITH, each of which makes its `x` of the one before it.
fn steps(count: usize, x: &str, last: &str) -> String {
    let steps: Vec<String> = (1..=count).map(|n| format!("c{n} AS (SELECT {x} AS x FROM c{})", n - 1)).collect();
    format!("WITH c0 AS (SELECT x FROM generate_series(1, 10) AS t (x)), {} {last}", steps.join(", "))
}

/// Statements that once ended a server, or kept it for minutes, each with what must come of it.
fn monsters() -> Vec<(&'static str, String, &'static str)> {
    let chain = |part: &str, times: usize| format!("SELECT {}1", part.repeat(times));
    let nested =
        |open: &str, close: &str, depth: usize| format!("SELECT {}1{}", open.repeat(depth), close.repeat(depth));
    let ors = |count: usize| {
        let parts: Vec<String> = (0..count).map(|n| format!("x = {n}")).collect();
        format!("SELECT count(*) FROM generate_series(1, 10) AS t (x) WHERE {}", parts.join(" OR "))
    };
    let columns = |count: usize| {
        let columns: Vec<String> = (0..count).map(|n| format!("x + {n} AS c{n}")).collect();
        format!("SELECT {} FROM generate_series(1, 10) AS t (x)", columns.join(", "))
    };
    let of_fifty = format!("x{}", " + 1".repeat(50));
    vec![
        ("a sum of a hundred thousand", chain("1 + ", 100_000), "54001"),
        ("a sum of two hundred", chain("1 + ", 200), ""),
        ("two thousand alternatives", ors(2_000), ""),
        ("five thousand alternatives", ors(5_000), ""),
        ("a million alternatives", ors(1_000_000), "54001"),
        ("three hundred queries", format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(300)), ""),
        ("calls in calls", nested("abs(", ")", 40), ""),
        ("more calls in calls", nested("abs(", ")", 1_000), "54001"),
        ("parentheses", nested("(", ")", 20_000), "54001"),
        ("chains in parentheses", nested("(", " + 1 + 1 + 1 + 1 + 1)", 120), "54001"),
        ("negations", nested("NOT ", "", 20_000), "54001"),
        ("casts", format!("SELECT 1{}", "::bigint".repeat(50_000)), "54001"),
        ("subscripts", format!("SELECT a{} FROM (SELECT ARRAY[1] AS a) AS t", "[1]".repeat(50_000)), "54001"),
        ("joins", format!("SELECT 1 FROM (SELECT 1) AS a{}", " JOIN (SELECT 1) AS b ON true".repeat(10_000)), "54001"),
        ("a list of twenty thousand", format!("SELECT 1 IN ({}1)", "2,".repeat(20_000)), ""),
        ("seventeen megabytes", format!("SELECT '{}'", "x".repeat(17 << 20)), "54000"),
        (
            "a statement that executes itself",
            "PREPARE y AS SELECT 1; PREPARE x AS EXECUTE y; DEALLOCATE y; PREPARE y AS EXECUTE x; EXECUTE x".to_owned(),
            "42601",
        ),
        ("a parameter of a high number", "SELECT $99999999999::int".to_owned(), "42P02"),
        ("a parameter that could be sent to nobody", "SELECT $65536".to_owned(), "42P02"),
        (
            "batches of all memory",
            "SET datafusion.execution.batch_size = 1000000000000; SELECT x FROM generate_series(1, 9) AS t (x) ORDER BY 1"
                .to_owned(),
            "22023",
        ),
        ("partitions without end", "SET datafusion.execution.target_partitions = 1000000000".to_owned(), "22023"),
        ("a hundred thousand statements and a wrong one", format!("{}select 1 frm t t2", "end;".repeat(100_000)), "42601"),
        ("names of WITH behind each other", steps(20_000, "x", "SELECT 1"), "54001"),
        ("expressions that are deep together", steps(20, &of_fifty, "SELECT x FROM c20"), "54001"),
        ("expressions that double", steps(30, "x * x", "SELECT x FROM c30 WHERE x > 1"), "54001"),
        (
            "views that are deep together",
            format!("CREATE VIEW deep AS {}", steps(20, &of_fifty, "SELECT x FROM c20")),
            "54001",
        ),
        ("twenty thousand columns", columns(20_000), "54011"),
        ("a view of two thousand queries", format!("CREATE VIEW wide AS SELECT 1{}", " UNION ALL SELECT 1".repeat(2_000)), ""),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_ends_the_server_or_keeps_it_for_itself() {
    let configured = start("", &["--threads", "2"]);
    let server = &configured.server;
    let bystander = server.connect().await;
    for (name, sql, expected) in monsters() {
        let client = server.connect().await;
        client.batch_execute("SET statement_timeout = '60s'").await.expect("it can be set");
        let started = Instant::now();
        let running = tokio::spawn(async move { client.simple_query(&sql).await.map(|_| ()) });
        let slowest = others_wait(&bystander, || running.is_finished()).await;
        match running.await.expect("the task does not panic") {
            Ok(()) => assert_eq!(expected, "", "{name} is answered"),
            Err(error) => {
                let (state, message) = failure::<()>(Err(error));
                assert_eq!(state, expected, "{name} after {:?}: {message}", started.elapsed());
            }
        }
        assert!(slowest < BYSTANDER, "{name}: others waited {slowest:?}");
    }
}

/// How long the slowest statement of a bystander took, until `is_over`.
async fn others_wait(bystander: &Client, is_over: impl Fn() -> bool) -> Duration {
    let mut slowest = Duration::ZERO;
    while !is_over() {
        let asked = Instant::now();
        bystander.simple_query("SELECT 1").await.expect("others go on");
        slowest = slowest.max(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    slowest
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_array_is_read_beside_the_others_and_in_bounded_memory() {
    let configured = start("memory_limit = '1GiB'", &["--threads", "2"]);
    let server = &configured.server;
    let (client, bystander) = (server.connect().await, server.connect().await);
    let before = server.resident_bytes();
    // A literal of four million bytes and two million items.
    let array = format!("{{{}1}}", "1,".repeat(2_000_000));
    let running = tokio::spawn(async move {
        let statement = client.prepare_typed("SELECT cardinality($1)", &[Type::INT4_ARRAY]).await?;
        client.query_one(&statement, &[&AsText(array)]).await.map(|row| row.get::<_, i64>(0))
    });
    let slowest = others_wait(&bystander, || running.is_finished()).await;
    let count = running.await.expect("the task does not panic");
    assert_eq!(count.expect("it is answered"), 2_000_001);
    assert!(slowest < BYSTANDER, "others waited {slowest:?}");
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 250 << 20, "{} MiB more", grown >> 20);
}

/// A parameter that is sent as the text it is.
#[derive(Debug)]
struct AsText(String);

impl ToSql for AsText {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

#[tokio::test(flavor = "multi_thread")]
async fn wide_rows_are_sent_in_pieces_of_bounded_size() {
    let configured = start("memory_limit = '1GiB'", &["--threads", "2"]);
    let server = &configured.server;
    let client = server.connect().await;
    client.simple_query("SELECT repeat('x', 1000)").await.expect("what is made once is made");
    let before = server.resident_bytes();
    // The join makes one batch of a hundred megabytes; what is made of it to be sent takes no second hundred.
    let wide = "SELECT b.t FROM (SELECT repeat('x', 50000) AS t) AS b CROSS JOIN generate_series(1, 2000) AS n (x)";
    let rows = client.query_raw(wide, Vec::<i32>::new()).await.expect("rows begin to flow");
    let mut rows = std::pin::pin!(rows);
    let (mut count, mut most) = (0, 0);
    while let Some(row) = rows.next().await {
        assert_eq!(row.expect("rows flow").get::<_, &str>(0).len(), 50_000);
        count += 1;
        if count % 100 == 0 {
            most = most.max(server.resident_bytes());
        }
    }
    assert_eq!(count, 2_000);
    let grown = most.saturating_sub(before);
    assert!(grown < 160 << 20, "{} MiB more", grown >> 20);
}

#[test]
fn a_statement_of_the_protocol_cannot_execute_itself() {
    let server = Server::shared();
    let mut raw = Raw::start(&server);
    let mut prepare = |name: &str, sql: &str| raw.send(b'P', format!("{name}\0{sql}\0\0\0").as_bytes());
    prepare("y", "SELECT 1");
    prepare("x", "EXECUTE y");
    raw.send(b'C', b"Sy\0");
    raw.send(b'P', b"y\0EXECUTE x\0\0\0");
    raw.send(b'B', b"\0y\0\0\0\0\0\0\0");
    raw.send(b'E', b"\0\0\0\0\0");
    raw.send(b'S', b"");
    assert_eq!(raw.until_ready(), (b"11312E".to_vec(), b'I'));
}

/// Each name is used twice by the next one: the plan doubles with every line.
fn doubling(lines: usize) -> String {
    let parts: Vec<String> =
        (1..=lines).map(|n| format!("c{n} AS (SELECT a.x FROM c{} AS a, c{} AS b)", n - 1, n - 1)).collect();
    format!("WITH c0 AS (SELECT 1 AS x), {} SELECT count(*) FROM c{lines}", parts.join(", "))
}

#[tokio::test]
async fn planning_is_given_up_with_the_statement() {
    let configured = start("", &["--threads", "1"]);
    let client = configured.server.connect().await;
    let endless = failure(client.simple_query(&doubling(40)).await);
    assert_eq!(endless.0, "54001", "{}", endless.1);
    // The largest that is planned at all, and how long that takes.
    let mut lines = 9;
    let whole = loop {
        let started = Instant::now();
        match client.simple_query(&format!("EXPLAIN {}", doubling(lines))).await {
            Ok(_) => break started.elapsed(),
            Err(_) => lines -= 1,
        }
    };
    client.batch_execute("SET statement_timeout = '100ms'").await.expect("it can be set");
    assert_eq!(failure(client.simple_query(&doubling(lines)).await).0, "57014");
    // There is one thread for queries, and it is free long before the plan would have been done.
    let started = Instant::now();
    client.batch_execute("RESET statement_timeout; SELECT 1").await.expect("the thread is free");
    assert!(started.elapsed() < whole / 2, "free after {:?}, planned in {whole:?}", started.elapsed());
}

#[tokio::test]
async fn an_idle_transaction_ends_where_it_may_not_be_idle() {
    let server = Server::shared();
    let client = server.connect().await;
    client.batch_execute("SET idle_in_transaction_session_timeout = '300ms'; BEGIN").await.expect("a block begins");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(client.simple_query("SELECT 1").await.is_err());
    assert!(client.is_closed());
    let patient = server.connect().await;
    patient.batch_execute("SET idle_in_transaction_session_timeout = '300ms'").await.expect("it can be set");
    tokio::time::sleep(Duration::from_secs(1)).await;
    patient.simple_query("SELECT 1").await.expect("no transaction is open");
}

#[tokio::test]
async fn a_statement_has_its_share_of_memory_and_of_the_disk() {
    let sort = "SELECT count(k) FROM (SELECT k, row_number() OVER (ORDER BY k) AS r FROM \
                (SELECT md5(n::text) AS k FROM generate_series(1, 1500000) AS t (n)) AS h) AS s WHERE r > 5";
    let aggregate =
        "SELECT cardinality(a) FROM (SELECT array_agg(n) AS a FROM generate_series(1, 20000000) AS t (n)) AS s";
    let configured = start("memory_limit = '256MiB'\nstatement_memory_limit = '64MiB'\nspill_limit = '8MiB'", &[]);
    let client = configured.server.connect().await;
    let (state, message) = failure(client.simple_query(sort).await);
    assert_eq!(state, "53100", "{message}");
    let error = client.simple_query(aggregate).await.expect_err("the array takes 160 MB");
    let error = db_error(&error);
    assert_eq!(error.code().code(), "53200", "{error}");
    assert!(error.detail().is_some_and(|detail| detail.contains("share of 67108864 bytes")), "{error:?}");
    client.simple_query("SELECT 1").await.expect("the connection works on");
    let roomy = start("memory_limit = '256MiB'\nstatement_memory_limit = '64MiB'\nspill_limit = '1GiB'", &[]);
    connect(&roomy.server.config()).await.simple_query(sort).await.expect("it spills and ends");
}
