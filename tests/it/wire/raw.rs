//! What drivers hide: status bytes, and bytes that no driver sends.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::server::Server;

/// A connection without a driver.
pub(super) struct Raw(TcpStream);

impl Raw {
    pub(super) fn open(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address()).expect("the server accepts connections");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout can be set");
        Self(stream)
    }

    /// Connects and reads up to the first `ReadyForQuery`.
    pub(super) fn start(server: &Server) -> Self {
        let mut raw = Self::open(server);
        raw.send_startup("ana");
        assert_eq!(raw.until_ready().1, b'I');
        raw
    }

    /// The first message of a driver.
    pub(super) fn send_startup(&mut self, user: &str) {
        let mut body = 196_608_u32.to_be_bytes().to_vec();
        for word in ["user", user, "database", "tributary", ""] {
            body.extend_from_slice(word.as_bytes());
            body.push(0);
        }
        self.send_untyped(&body);
    }

    pub(super) fn send_bytes(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("the server reads");
    }

    fn send_untyped(&mut self, body: &[u8]) {
        self.send_bytes(&(body.len() as u32 + 4).to_be_bytes());
        self.send_bytes(body);
    }

    pub(super) fn send(&mut self, kind: u8, body: &[u8]) {
        self.0.write_all(&[kind]).expect("the server reads");
        self.send_untyped(body);
    }

    pub(super) fn query(&mut self, sql: &str) -> (Vec<u8>, u8) {
        self.send(b'Q', &[sql.as_bytes(), &[0]].concat());
        self.until_ready()
    }

    pub(super) fn message(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 5];
        self.0.read_exact(&mut head).expect("a message");
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let mut body = vec![0; length - 4];
        self.0.read_exact(&mut body).expect("the whole message");
        (head[0], body)
    }

    /// The kinds of the messages up to `ReadyForQuery`, and its status.
    pub(super) fn until_ready(&mut self) -> (Vec<u8>, u8) {
        let mut kinds = vec![];
        loop {
            let (kind, body) = self.message();
            if kind == b'Z' {
                return (kinds, body[0]);
            }
            kinds.push(kind);
        }
    }

    /// What the server sends until it closes this connection.
    ///
    /// Panics if it does not close it.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        let mut rest = vec![];
        match self.0.read_to_end(&mut rest) {
            Ok(_) => rest,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => rest,
            Err(error) => panic!("the connection stays open: {error}"),
        }
    }

    /// The port of this end.
    pub(super) fn local_port(&self) -> u16 {
        self.0.local_addr().expect("a socket has an address").port()
    }

    /// Whether something arrives in a time.
    pub(super) fn has_answer(&mut self, within: Duration) -> bool {
        self.0.set_read_timeout(Some(within)).expect("a timeout can be set");
        let arrived = self.0.peek(&mut [0]).is_ok();
        self.0.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout can be set");
        arrived
    }

    /// Whether the server has closed this connection.
    pub(super) fn is_closed(&mut self) -> bool {
        let mut rest = vec![];
        self.0.read_to_end(&mut rest).is_ok()
    }
}

#[test]
fn status_bytes_follow_the_block() {
    let server = Server::shared();
    let mut raw = Raw::start(&server);
    assert_eq!(raw.query("SELECT 1"), (b"TDC".to_vec(), b'I'));
    assert_eq!(raw.query("BEGIN"), (b"C".to_vec(), b'T'));
    assert_eq!(raw.query("SELECT 1"), (b"TDC".to_vec(), b'T'));
    assert_eq!(raw.query("SELECT nothing").1, b'E');
    assert_eq!(raw.query("SELECT 1"), (b"E".to_vec(), b'E'));
    assert_eq!(raw.query("ROLLBACK"), (b"C".to_vec(), b'I'));
    assert_eq!(raw.query("SELECT nothing"), (b"E".to_vec(), b'I'));
}

#[test]
fn a_blank_query_has_an_answer_of_its_own() {
    let server = Server::shared();
    let mut raw = Raw::start(&server);
    assert_eq!(raw.query(""), (b"I".to_vec(), b'I'));
    assert_eq!(raw.query(" -- nothing\n;"), (b"I".to_vec(), b'I'));
    assert_eq!(raw.query("SELECT 1; SELECT 2"), (b"TDCTDC".to_vec(), b'I'));
}

#[test]
fn after_an_error_messages_are_skipped_up_to_sync() {
    let server = Server::shared();
    let mut raw = Raw::start(&server);
    // Parse of a wrong statement, then Bind, Describe and Execute of it, then Sync.
    raw.send(b'P', b"\0SELECT nothing\0\0\0");
    raw.send(b'B', b"\0\0\0\0\0\0\0\0");
    raw.send(b'D', b"P\0");
    raw.send(b'E', b"\0\0\0\0\0");
    raw.send(b'S', b"");
    assert_eq!(raw.until_ready(), (b"E".to_vec(), b'I'));
    raw.send(b'P', b"\0SELECT 1\0\0\0");
    raw.send(b'B', b"\0\0\0\0\0\0\0\0");
    raw.send(b'D', b"P\0");
    raw.send(b'E', b"\0\0\0\0\0");
    raw.send(b'S', b"");
    assert_eq!(raw.until_ready(), (b"12TDC".to_vec(), b'I'));
}

#[test]
fn a_request_for_tls_is_declined_and_the_connection_goes_on() {
    let server = Server::shared();
    let mut raw = Raw::open(&server);
    raw.send_untyped(&80_877_103_u32.to_be_bytes());
    let mut answer = [0];
    raw.0.read_exact(&mut answer).expect("one byte");
    assert_eq!(&answer, b"N");
}

#[test]
fn bytes_that_are_no_messages_end_their_connection_and_no_other() {
    let server = Server::shared();
    let mut bystander = Raw::start(&server);
    for bytes in [&b"GET / HTTP/1.1\r\nHost: tea\r\n\r\n"[..], &[0; 64], &[255; 64]] {
        let mut raw = Raw::open(&server);
        raw.0.write_all(bytes).expect("the server reads");
        raw.0.shutdown(std::net::Shutdown::Write).expect("the socket is open");
        assert!(raw.is_closed());
    }
    // In a session: a message that says it is shorter than its own length, and one of an unknown kind.
    for bytes in [&b"Q\0\0\0\x01"[..], b"\x07\0\0\0\x04", b"B\0\0\0\x06\0\0"] {
        let mut raw = Raw::start(&server);
        raw.0.write_all(bytes).expect("the server reads");
        raw.0.shutdown(std::net::Shutdown::Write).expect("the socket is open");
        assert!(raw.is_closed());
    }
    assert_eq!(bystander.query("SELECT 1"), (b"TDC".to_vec(), b'I'));
}
