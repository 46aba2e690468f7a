//! How much one session may hold, and that the next one may again.

use super::failure;
use super::raw::Raw;
use crate::server::Server;

/// The bounds of `src/limits.rs`, as a client meets them.
const PREPARED_STATEMENTS: usize = 10_000;
const PORTALS: usize = 256;
const CURSORS: usize = 256;
const SAVEPOINTS: usize = 1_000;

/// The fields of the error among the next messages, up to `ReadyForQuery`.
fn error_before_ready(raw: &mut Raw) -> String {
    let mut error = None;
    loop {
        match raw.message() {
            (b'Z', _) => return error.expect("an error comes before the end"),
            (b'E', body) => error = Some(String::from_utf8_lossy(&body).replace('\0', " ")),
            _ => {}
        }
    }
}

#[test]
fn prepared_statements_of_a_session_are_bounded() {
    let server = Server::shared();
    let mut raw = Raw::start(&server);
    // All at once: an answer to each would take a minute.
    let mut messages = vec![];
    for number in 0..=PREPARED_STATEMENTS {
        let name = format!("s{number}");
        messages.push(b'P');
        messages.extend_from_slice(&(name.len() as u32 + 8).to_be_bytes());
        messages.extend_from_slice(name.as_bytes());
        messages.extend_from_slice(b"\0\0\0\0");
    }
    raw.send_bytes(&messages);
    raw.send(b'S', b"");
    let error = error_before_ready(&mut raw);
    assert!(error.contains("C54000 Mtoo many prepared statements: a session may have 10000 "), "{error}");
    assert!(error.contains("HDEALLOCATE"), "{error}");
    // Each but the last is there.
    assert_eq!(raw.query("DEALLOCATE s0; DEALLOCATE s9999").0, b"CC");
    assert_eq!(Raw::start(&server).query("PREPARE s AS SELECT 1").0, b"C");
}

#[test]
fn portals_of_a_session_are_bounded() {
    let server = Server::shared();
    let mut raw = Raw::start(&server);
    assert_eq!(raw.query("BEGIN").1, b'T');
    raw.send(b'P', b"\0SELECT 1\0\0\0");
    for number in 0..=PORTALS {
        let name = format!("p{number}");
        raw.send(b'B', &[name.as_bytes(), b"\0\0\0\0\0\0\0\0"].concat());
    }
    raw.send(b'S', b"");
    let error = error_before_ready(&mut raw);
    assert!(error.contains("C54000 Mtoo many open portals: a session may have 256 "), "{error}");
    assert_eq!(raw.query("ROLLBACK").1, b'I');
    raw.send(b'P', b"\0SELECT 1\0\0\0");
    raw.send(b'B', b"again\0\0\0\0\0\0\0\0");
    raw.send(b'S', b"");
    assert_eq!(raw.until_ready().0, b"12");
}

#[tokio::test]
async fn cursors_and_savepoints_of_a_block_are_bounded() {
    let server = Server::shared();
    let client = server.connect().await;
    let all = |count: usize, one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<String>();
    let declare = |number: usize| format!("DECLARE c{number} CURSOR FOR VALUES (1); ");
    client.batch_execute(&format!("BEGIN; {}", all(CURSORS, &declare))).await.expect("so many are allowed");
    client.batch_execute("CLOSE c0; DECLARE again CURSOR FOR VALUES (1)").await.expect("one has made place");
    let (state, message) = failure(client.simple_query("DECLARE more CURSOR FOR VALUES (1)").await);
    assert_eq!((state.as_str(), message.as_str()), ("54000", "too many open cursors: a session may have 256"));
    client.batch_execute("ROLLBACK").await.expect("the block ends");

    let save = |number: usize| format!("SAVEPOINT s{number}; ");
    client.batch_execute(&format!("BEGIN; {}", all(SAVEPOINTS, &save))).await.expect("so many are allowed");
    client.batch_execute("RELEASE s999; SAVEPOINT again").await.expect("one has made place");
    let (state, message) = failure(client.simple_query("SAVEPOINT more").await);
    assert_eq!((state.as_str(), message.as_str()), ("54000", "too many savepoints: a session may have 1000"));
    client.batch_execute("ROLLBACK").await.expect("the block ends");
}
