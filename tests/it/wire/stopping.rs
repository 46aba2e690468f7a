//! A server that is told to stop: nobody new, those who work get their time, and everybody learns why.

use std::time::{Duration, Instant};

use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::db_error;
use super::logins::start;
use super::raw::Raw;

/// Work for hours.
const HOURS: &str =
    "SELECT sum(x * y) FROM generate_series(1, 3000000) AS a (x) CROSS JOIN generate_series(1, 3000000) AS b (y)";

#[tokio::test]
async fn what_runs_may_end_and_what_idles_ends_at_once() {
    let mut configured = start("shutdown_grace_seconds = 30", &[]);
    let (busy, mut idle) = (configured.server.connect().await, Raw::start(&configured.server));
    let sql = "SELECT sum(x * y) FROM generate_series(1, 6000) AS a (x) CROSS JOIN generate_series(1, 6000) AS b (y)";
    let running = tokio::spawn(async move { busy.simple_query(sql).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    configured.server.signal("TERM");
    let told = idle.rest();
    assert_eq!(told.first(), Some(&b'E'));
    assert!(told.windows(7).any(|field| field == b"\0C57P01"), "{}", String::from_utf8_lossy(&told));
    let answer = running.await.expect("the task does not panic").expect("it may end");
    assert!(answer.iter().any(|message| matches!(message, SimpleQueryMessage::Row(_))));
    assert!(configured.server.config().connect(NoTls).await.is_err(), "nobody new is let in");
    assert_eq!(configured.server.wait(Duration::from_secs(10)), Some(0));
}

#[tokio::test]
async fn what_does_not_end_in_its_time_is_ended() {
    let mut configured = start("shutdown_grace_seconds = 1", &[]);
    let client = configured.server.connect().await;
    let running = tokio::spawn(async move { client.simple_query(HOURS).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let told = Instant::now();
    configured.server.signal("INT");
    let error = running.await.expect("the task does not panic").expect_err("it takes hours");
    let error = db_error(&error);
    assert_eq!((error.code().code(), error.severity()), ("57P01", "FATAL"));
    assert_eq!(error.message(), "terminating connection due to administrator command");
    assert!(told.elapsed() >= Duration::from_secs(1), "{:?}", told.elapsed());
    assert_eq!(configured.server.wait(Duration::from_secs(10)), Some(0));
}

#[tokio::test]
async fn a_second_signal_does_not_wait() {
    let mut configured = start("shutdown_grace_seconds = 600", &[]);
    let client = configured.server.connect().await;
    let running = tokio::spawn(async move { client.simple_query(HOURS).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    configured.server.signal("TERM");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!running.is_finished(), "the first one lets it work on");
    configured.server.signal("TERM");
    assert!(running.await.expect("the task does not panic").is_err());
    assert_eq!(configured.server.wait(Duration::from_secs(10)), Some(0));
}
