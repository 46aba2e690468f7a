//! Connections do not see each other's settings, nor what is not committed; notices reach their own client.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};

use tokio_postgres::{AsyncMessage, Client, NoTls, SimpleQueryMessage};

use super::failure;
use crate::server::{Server, connect};

/// A client and what the server told it beside the answers: `SEVERITY: message`.
async fn connect_with_notices(server: &Server) -> (Client, Arc<Mutex<Vec<String>>>) {
    let (client, mut connection) = server.config().connect(NoTls).await.expect("the server accepts connections");
    let notices = Arc::new(Mutex::new(vec![]));
    let told = Arc::clone(&notices);
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
            if let AsyncMessage::Notice(notice) = message {
                let text = format!("{}: {}", notice.severity(), notice.message());
                told.lock().expect("nothing panics while it holds this").push(text);
            }
        }
    });
    (client, notices)
}

fn take(notices: &Mutex<Vec<String>>) -> Vec<String> {
    std::mem::take(&mut *notices.lock().expect("nothing panics while it holds this"))
}

async fn value(client: &Client, sql: &str) -> String {
    let messages = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("NULL").to_owned()),
        _ => None,
    });
    row.unwrap_or_else(|| panic!("{sql}: no row"))
}

#[tokio::test]
async fn settings_of_one_connection_are_its_own() {
    let server = Server::shared();
    let (ana, bo) = (server.connect().await, server.connect().await);
    ana.batch_execute("SET TimeZone = 'Asia/Shanghai'; SET statement_timeout = '5s'; SET tributary.one_stage = off")
        .await
        .expect("all can be set");
    assert_eq!(value(&bo, "SHOW TimeZone").await, "UTC");
    assert_eq!(value(&bo, "SHOW statement_timeout").await, "0");
    assert_eq!(value(&bo, "SHOW tributary.one_stage").await, "true");
    assert_eq!(value(&ana, "SHOW tributary.one_stage").await, "false");
}

#[tokio::test]
async fn settings_come_with_the_connection_and_reset_goes_back_to_them() {
    let server = Server::shared();
    let mut config = server.config();
    config.application_name("notebook").options("-c statement_timeout=4s -c TimeZone=Asia/Shanghai");
    let client = crate::server::connect(&config).await;
    assert_eq!(value(&client, "SHOW application_name").await, "notebook");
    assert_eq!(value(&client, "SHOW statement_timeout").await, "4s");
    client.batch_execute("SET TimeZone = 'UTC'; RESET TimeZone").await.expect("it can be reset");
    assert_eq!(value(&client, "SHOW TimeZone").await, "Asia/Shanghai");
}

#[tokio::test]
async fn a_view_is_seen_by_others_at_commit_and_not_before() {
    let server = Server::start(&[crate::fixtures::golden_lake()]);
    let (ana, bo) = (server.connect().await, server.connect().await);
    ana.batch_execute("BEGIN; CREATE VIEW mine AS SELECT 42 AS answer").await.expect("the view is made");
    assert_eq!(value(&ana, "SELECT answer FROM mine").await, "42");
    assert_eq!(failure(bo.simple_query("SELECT answer FROM mine").await).0, "42P01");
    ana.batch_execute("COMMIT").await.expect("the block ends");
    assert_eq!(value(&bo, "SELECT answer FROM mine").await, "42");
}

#[tokio::test]
async fn of_two_blocks_that_make_one_name_the_second_fails_at_commit() {
    let server = Server::start(&[crate::fixtures::golden_lake()]);
    let (ana, bo) = (server.connect().await, server.connect().await);
    for client in [&ana, &bo] {
        client.batch_execute("BEGIN; CREATE VIEW both AS SELECT 1 AS one").await.expect("each sees only its own");
    }
    ana.batch_execute("COMMIT").await.expect("the first is in time");
    assert_eq!(failure(bo.simple_query("COMMIT").await).0, "40001");
    assert_eq!(value(&bo, "SELECT one FROM both").await, "1");
}

#[tokio::test]
async fn who_makes_a_view_is_told_how_long_it_lives() {
    let server = Server::start(&[crate::fixtures::golden_lake()]);
    let (client, notices) = connect_with_notices(&server).await;
    client.batch_execute("CREATE VIEW short AS SELECT 1 AS one").await.expect("the view is made");
    let told = take(&notices);
    assert_eq!(told, ["NOTICE: definitions are kept until the server stops"]);
    client.batch_execute("DROP VIEW IF EXISTS shorter").await.expect("it is no error");
    assert_eq!(take(&notices), ["NOTICE: view \"shorter\" does not exist, skipping"]);
}

#[tokio::test]
async fn transaction_statements_out_of_place_warn() {
    let server = Server::shared();
    let (client, notices) = connect_with_notices(&server).await;
    client.batch_execute("COMMIT").await.expect("it is no error");
    assert_eq!(take(&notices), ["WARNING: there is no transaction in progress"]);
    client.batch_execute("BEGIN").await.expect("a block begins");
    client.batch_execute("BEGIN").await.expect("it is no error");
    assert_eq!(take(&notices), ["WARNING: there is already a transaction in progress"]);
    client.batch_execute("ROLLBACK").await.expect("the block ends");
    client.batch_execute("SET LOCAL TimeZone = 'Asia/Shanghai'").await.expect("it is no error");
    assert_eq!(take(&notices), ["WARNING: SET LOCAL can only be used in transaction blocks"]);
    assert_eq!(value(&client, "SHOW TimeZone").await, "UTC");
}

#[tokio::test]
async fn a_failed_block_refuses_all_but_its_end_on_both_protocols() {
    let server = Server::shared();
    let client = server.connect().await;
    client.batch_execute("BEGIN").await.expect("a block begins");
    assert_eq!(failure(client.query("SELECT 1 / 0", &[]).await).0, "22012");
    assert_eq!(failure(client.query("SELECT 1", &[]).await).0, "25P02");
    assert_eq!(failure(client.simple_query("SELECT 1").await).0, "25P02");
    client.execute("ROLLBACK", &[]).await.expect("the end is accepted");
    client.query_one("SELECT 1", &[]).await.expect("the connection works on");
}

#[tokio::test]
async fn an_unknown_database_is_refused_with_its_name() {
    let server = Server::shared();
    let mut config = server.config();
    config.dbname("sales");
    let Err(error) = config.connect(NoTls).await else { panic!("there is no database 'sales'") };
    let error = super::db_error(&error);
    assert_eq!(error.code().code(), "3D000");
    assert_eq!(error.message(), "database \"sales\" does not exist");
}

#[tokio::test]
async fn many_connections_work_at_once() {
    let server = Server::shared();
    let work = (0..20).map(|number| {
        let server = Arc::clone(&server);
        async move {
            let client = server.connect().await;
            let sql = format!("SELECT {number} + count(*) FROM letters WHERE journey = 'abc'");
            assert_eq!(value(&client, &sql).await, (number + 3).to_string());
        }
    });
    futures::future::join_all(work).await;
}

#[tokio::test]
async fn a_block_that_nobody_began_only_reads_where_the_session_says_so() {
    let server = Server::shared();
    let client = server.connect().await;
    client.batch_execute("SET default_transaction_read_only = on").await.expect("it can be set");
    let both = client.simple_query("SELECT 1; CREATE VIEW not_made AS SELECT 1").await;
    assert_eq!(failure(both).0, "25006");
}

#[tokio::test]
async fn reset_goes_back_to_the_options_that_the_client_asked_for() {
    let server = Server::shared();
    let mut config = server.config();
    config.options("-c datafusion.execution.target_partitions=3");
    let client = connect(&config).await;
    for reset in ["RESET datafusion.execution.target_partitions", "RESET ALL", "DISCARD ALL"] {
        client.batch_execute("SET datafusion.execution.target_partitions = 1").await.expect("it can be set");
        client.batch_execute(reset).await.expect("it can be reset");
        let shown = client.query_one("SHOW datafusion.execution.target_partitions", &[]).await.expect("it is shown");
        assert_eq!(shown.get::<_, &str>(0), "3", "{reset}");
    }
    config.options("-c datafusion.execution.batch_size=1000000000000");
    assert!(config.connect(tokio_postgres::NoTls).await.is_err(), "a start-up option has the same range");
}
