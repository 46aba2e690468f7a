//! Bytes to whole messages, one at a time, with a bound on what a client can make the server hold.

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::engine::Reserved;
use crate::error::{Error, Result, SqlState};
use crate::limits;

/// What a client may send next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// A start-up message or a cancel request, which have no kind.
    Startup,
    /// Answers to the server's questions about a password.
    Login,
    /// Statements.
    Session,
}

/// The bytes of one client that are no whole message yet.
#[derive(Default)]
pub struct Inbox {
    buffer: BytesMut,
    /// Memory that a long message was promised by the pool of the queries.
    reserved: Option<Reserved>,
}

/// How reading ended without a message.
#[derive(Debug)]
pub enum Ended {
    /// The client closed its side, or the network did.
    Gone,
    /// The client sent what cannot be read on from.
    Broken(Error),
}

impl Inbox {
    /// An inbox that has some bytes already.
    pub fn holding(bytes: &[u8]) -> Self {
        Self { buffer: bytes.into(), reserved: None }
    }

    /// The next whole message, head included. What was read stays if this is given up.
    ///
    /// A message longer than [`limits::SMALL_MESSAGE_BYTES`] is read once `reserve` grants its memory.
    pub async fn next(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        phase: Phase,
        reserve: impl Fn(usize) -> Result<Reserved>,
    ) -> Result<BytesMut, Ended> {
        loop {
            if let Some(length) = announced(&self.buffer, phase).map_err(Ended::Broken)? {
                if length > limits::SMALL_MESSAGE_BYTES && self.reserved.is_none() {
                    // The buffer grows by doubling.
                    self.reserved = Some(reserve(2 * length).map_err(Ended::Broken)?);
                }
                if self.buffer.len() >= length {
                    return Ok(self.buffer.split_to(length));
                }
            }
            self.buffer.reserve(limits::READ_BYTES);
            match stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return Err(Ended::Gone),
                Ok(_) => {}
            }
        }
    }

    /// Gives the memory of a long message back once it was handled.
    pub fn tidy(&mut self) {
        if self.reserved.take().is_some() {
            self.buffer = BytesMut::from(&self.buffer[..]);
        }
    }
}

/// The length of the message that the buffer begins with, head included; `None` if that is not known yet.
fn announced(buffer: &[u8], phase: Phase) -> Result<Option<usize>> {
    let head = if phase == Phase::Startup { 0 } else { 1 };
    let (Some(kind), Some(word)) = (buffer.first(), buffer.get(head..head + 4)) else { return Ok(None) };
    let word: [u8; 4] = word.try_into().unwrap_or_default();
    let length = u32::from_be_bytes(word) as usize;
    let (least, most) = match phase {
        Phase::Startup => (8, limits::LOGIN_MESSAGE_BYTES),
        Phase::Login => {
            if *kind != b'p' {
                return Err(violation(format!("expected SASL response, got message type {kind}")));
            }
            (4, limits::LOGIN_MESSAGE_BYTES)
        }
        Phase::Session => match kind {
            b'Q' | b'P' | b'B' | b'd' => (4, limits::MESSAGE_BYTES),
            b'C' | b'D' | b'E' | b'H' | b'S' | b'X' | b'c' | b'f' => (4, limits::LOGIN_MESSAGE_BYTES),
            _ => return Err(violation(format!("invalid frontend message type {kind}"))),
        },
    };
    if length < least {
        return Err(violation("invalid message length"));
    }
    if length > most {
        return Err(Error::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!("a message of {length} bytes is longer than the {most} that are allowed"),
        ));
    }
    Ok(Some(head + length))
}

fn violation(message: impl Into<String>) -> Error {
    Error::new(SqlState::PROTOCOL_VIOLATION, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_memory(_: usize) -> Result<Reserved> {
        Err(Error::new(SqlState::OUT_OF_MEMORY, "no memory"))
    }

    #[tokio::test]
    async fn messages_are_cut_at_their_lengths() {
        let mut stream = &b"Q\0\0\0\x0dselect 1\0S\0\0\0\x04Q\0\0"[..];
        let mut inbox = Inbox::default();
        let query = inbox.next(&mut stream, Phase::Session, no_memory).await.unwrap();
        assert_eq!(&query[..], b"Q\0\0\0\x0dselect 1\0");
        assert_eq!(&inbox.next(&mut stream, Phase::Session, no_memory).await.unwrap()[..], b"S\0\0\0\x04");
        assert!(matches!(inbox.next(&mut stream, Phase::Session, no_memory).await, Err(Ended::Gone)));
    }

    #[test]
    fn lengths_have_bounds_of_their_phase() {
        let state = |bytes: &[u8], phase| announced(bytes, phase).map_err(|error| error.state);
        assert_eq!(state(b"\0\0\0\x07", Phase::Startup), Err(SqlState::PROTOCOL_VIOLATION));
        assert_eq!(state(b"\0\0\x27\x11", Phase::Startup), Err(SqlState::PROGRAM_LIMIT_EXCEEDED));
        assert_eq!(state(b"\0\0\x27\x10", Phase::Startup), Ok(Some(10_000)));
        assert_eq!(state(b"Q\0\0\0\x04", Phase::Login), Err(SqlState::PROTOCOL_VIOLATION));
        assert_eq!(state(b"p\0\0\x27\x11", Phase::Login), Err(SqlState::PROGRAM_LIMIT_EXCEEDED));
        assert_eq!(state(b"Q\0\0\0\x03", Phase::Session), Err(SqlState::PROTOCOL_VIOLATION));
        assert_eq!(state(b"Q\xff\xff\xff\xff", Phase::Session), Err(SqlState::PROGRAM_LIMIT_EXCEEDED));
        assert_eq!(state(b"p\0\0\0\x04", Phase::Session), Err(SqlState::PROTOCOL_VIOLATION));
        assert_eq!(state(b"Q\0\0", Phase::Session), Ok(None));
    }

    #[tokio::test]
    async fn a_long_message_is_read_only_if_there_is_memory_for_it() {
        let mut stream = &b"Q\0\x40\0\0select"[..];
        let ended = Inbox::default().next(&mut stream, Phase::Session, no_memory).await;
        assert!(matches!(ended, Err(Ended::Broken(error)) if error.state == SqlState::OUT_OF_MEMORY));
    }
}
