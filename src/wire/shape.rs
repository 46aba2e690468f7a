//! Whether a message has the form of its kind: lengths, counts, ends of strings, text that is UTF-8.
//!
//! The protocol library's decoders take the form for granted and read past the end without it.

use crate::error::{Error, Result, SqlState};

/// Checks a message with a kind, head included.
///
/// Fails with 08P01 where the form is wrong, and 22021 where text is not UTF-8. The message has its
/// announced length, so the connection can go on after the error.
pub fn check(message: &[u8]) -> Result<()> {
    let (Some(kind), Some(body)) = (message.first(), message.get(5..)) else { return Err(malformed()) };
    let mut rest = Rest(body);
    match kind {
        b'Q' => rest.text()?,
        b'P' => {
            rest.text()?;
            rest.text()?;
            let types = rest.count()?;
            rest.skip(types * 4)?;
        }
        b'B' => {
            rest.text()?;
            rest.text()?;
            let formats = rest.count()?;
            rest.skip(formats * 2)?;
            let values = rest.count()?;
            for _ in 0..values {
                // A negative length is NULL.
                if let Ok(length) = usize::try_from(rest.integer()?) {
                    rest.skip(length)?;
                }
            }
            let formats = rest.count()?;
            rest.skip(formats * 2)?;
        }
        b'C' | b'D' => {
            if !matches!(rest.0.first(), Some(b'S' | b'P')) {
                return Err(malformed());
            }
            rest.skip(1)?;
            rest.text()?;
        }
        b'E' => {
            rest.text()?;
            rest.skip(4)?;
        }
        b'f' => rest.text()?,
        b'd' | b'p' => return Ok(()),
        _ => {}
    }
    if rest.0.is_empty() { Ok(()) } else { Err(malformed()) }
}

/// Checks a start-up message, head included: the version, then names and values, then an end.
pub fn check_startup(message: &[u8]) -> Result<()> {
    const CANCEL_REQUEST: u32 = 80_877_102;
    let version = message.get(4..8).and_then(|word| word.try_into().ok()).map(u32::from_be_bytes).unwrap_or_default();
    if version == CANCEL_REQUEST {
        // A process id and a key of 4 to 256 bytes.
        return if (16..=268).contains(&message.len()) { Ok(()) } else { Err(malformed()) };
    }
    if version >> 16 != 3 {
        let (major, minor) = (version >> 16, version & 0xffff);
        let message = format!("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.2");
        return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    let mut rest = Rest(message.get(8..).unwrap_or_default());
    while rest.0.first().is_some_and(|byte| *byte != 0) {
        rest.text()?;
        rest.text()?;
    }
    match rest.0 {
        [0] => Ok(()),
        _ => Err(Error::new(
            SqlState::PROTOCOL_VIOLATION,
            "invalid startup packet layout: expected terminator as last byte",
        )),
    }
}

/// What is left of a message's body.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn skip(&mut self, bytes: usize) -> Result<()> {
        self.0 = self.0.get(bytes..).ok_or_else(malformed)?;
        Ok(())
    }

    fn text(&mut self) -> Result<()> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or_else(malformed)?;
        if let Err(error) = std::str::from_utf8(&self.0[..end]) {
            let from = error.valid_up_to();
            let bytes = self.0[from..end].iter().take(error.error_len().unwrap_or(end - from).min(4));
            let bytes: Vec<String> = bytes.map(|byte| format!("0x{byte:02x}")).collect();
            let message = format!("invalid byte sequence for encoding \"UTF8\": {}", bytes.join(" "));
            return Err(Error::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message));
        }
        self.skip(end + 1)
    }

    fn count(&mut self) -> Result<usize> {
        let word = self.0.get(..2).and_then(|word| word.try_into().ok()).ok_or_else(malformed)?;
        self.skip(2)?;
        Ok(usize::from(u16::from_be_bytes(word)))
    }

    fn integer(&mut self) -> Result<i32> {
        let word = self.0.get(..4).and_then(|word| word.try_into().ok()).ok_or_else(malformed)?;
        self.skip(4)?;
        Ok(i32::from_be_bytes(word))
    }
}

fn malformed() -> Error {
    Error::new(SqlState::PROTOCOL_VIOLATION, "invalid message format")
}

#[cfg(test)]
mod tests;
