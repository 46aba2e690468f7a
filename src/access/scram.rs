//! The server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), as PostgreSQL speaks it.
//!
//! A client proves that it knows a password; the server proves that it knows the verifier. With
//! channel binding (`tls-server-end-point`, RFC 5929) both prove that nobody sits between them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac};
use subtle::ConstantTimeEq;

use super::verifier::{KEY_BYTES, Verifier};
use crate::error::{Error, Result, SqlState};
use crate::random::random_bytes;

/// The mechanism without channel binding.
pub const PLAIN: &str = "SCRAM-SHA-256";
/// The mechanism with channel binding.
pub const PLUS: &str = "SCRAM-SHA-256-PLUS";

/// Random bytes of the server's half of the nonce, as many as PostgreSQL takes.
const NONCE_BYTES: usize = 18;

/// An exchange that waits for the client's first message.
#[derive(Debug)]
pub struct Exchange {
    verifier: Verifier,
    is_known: bool,
    /// The hash of the server's certificate, where the connection is encrypted.
    certificate_hash: Option<Vec<u8>>,
}

/// An exchange that has answered the first message and waits for the last.
#[derive(Debug)]
pub struct ServerFirst {
    verifier: Verifier,
    is_known: bool,
    /// What the client must send as `c=`.
    binding: String,
    nonce: String,
    /// `client-first-message-bare,server-first-message`: the start of what both sign.
    transcript: String,
}

impl Exchange {
    pub(super) fn new(verifier: Verifier, is_known: bool, certificate_hash: Option<Vec<u8>>) -> Self {
        Self { verifier, is_known, certificate_hash }
    }

    /// The mechanisms to offer, the strongest first.
    pub fn mechanisms(&self) -> Vec<String> {
        let names = if self.certificate_hash.is_some() { &[PLUS, PLAIN][..] } else { &[PLAIN] };
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// Reads the client's first message and answers it.
    ///
    /// Fails with 08P01 on what is no such message, and with 28000 if somebody made the client
    /// believe that this server offers no channel binding.
    pub fn first(self, mechanism: &str, message: &[u8]) -> Result<(ServerFirst, String)> {
        let nonce: [u8; NONCE_BYTES] = random_bytes()?;
        self.first_with_nonce(mechanism, message, &STANDARD.encode(nonce))
    }

    fn first_with_nonce(self, mechanism: &str, message: &[u8], server_nonce: &str) -> Result<(ServerFirst, String)> {
        if mechanism != PLAIN && (mechanism != PLUS || self.certificate_hash.is_none()) {
            return Err(malformed("the client selected an invalid SASL authentication mechanism"));
        }
        let message = text(message)?;
        let (flag, rest) = message.split_once(',').ok_or_else(|| malformed("the first message has no header"))?;
        let (identity, bare) = rest.split_once(',').ok_or_else(|| malformed("the first message has no header"))?;
        self.check_flag(flag, mechanism == PLUS)?;
        if !identity.is_empty() {
            return Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "client uses authorization identity, but it is not supported",
            ));
        }
        let client_nonce = client_nonce(bare)?;
        let header = format!("{flag},{identity},");
        let bound = match (&self.certificate_hash, mechanism) {
            (Some(hash), PLUS) => [header.as_bytes(), hash].concat(),
            _ => header.into_bytes(),
        };
        let nonce = format!("{client_nonce}{server_nonce}");
        let salt = STANDARD.encode(self.verifier.salt());
        let answer = format!("r={nonce},s={salt},i={}", self.verifier.iterations());
        let waiting = ServerFirst {
            binding: STANDARD.encode(bound),
            transcript: format!("{bare},{answer}"),
            nonce,
            verifier: self.verifier,
            is_known: self.is_known,
        };
        Ok((waiting, answer))
    }

    /// What the client says of channel binding must agree with what was offered and chosen.
    fn check_flag(&self, flag: &str, is_plus: bool) -> Result<()> {
        match flag.split_once('=') {
            Some(("p", "tls-server-end-point")) if is_plus => Ok(()),
            Some(("p", _)) if is_plus => Err(malformed("unsupported SCRAM channel-binding type")),
            Some(("p", _)) => Err(malformed("channel binding came with a mechanism that has none")),
            None if is_plus => Err(malformed("the mechanism has channel binding and the message has none")),
            // The client can bind and believes that the server cannot: somebody took the offer away.
            None if flag == "y" && self.certificate_hash.is_some() => Err(Error::new(
                SqlState::INVALID_AUTHORIZATION,
                "SCRAM channel binding negotiation error: \
                 the client supports it and thinks the server does not, but this server does",
            )),
            None if flag == "n" || flag == "y" => Ok(()),
            _ => Err(malformed("unexpected channel-binding flag")),
        }
    }
}

impl ServerFirst {
    /// Checks the client's proof, and gives the server's own.
    ///
    /// `None` is a wrong password, or a user that does not exist: the same work was done for both.
    pub fn last(&self, message: &[u8]) -> Result<Option<String>> {
        let message = text(message)?;
        let (unsigned, proof) = message.rsplit_once(",p=").ok_or_else(|| malformed("the last message has no proof"))?;
        let mut attributes = unsigned.split(',');
        let binding = attributes.next().and_then(|a| a.strip_prefix("c="));
        let nonce = attributes.next().and_then(|a| a.strip_prefix("r="));
        if binding != Some(self.binding.as_str()) {
            return Err(malformed("SCRAM channel binding check failed"));
        }
        if nonce != Some(self.nonce.as_str()) {
            return Err(malformed("the nonce does not match"));
        }
        let proof: [u8; KEY_BYTES] = STANDARD
            .decode(proof)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| malformed("the proof has a wrong form"))?;
        let signed = format!("{},{unsigned}", self.transcript);
        let is_right = self.is_proof(&signed, proof);
        let server_key = hmac::Key::new(hmac::HMAC_SHA256, self.verifier.server_key());
        let answer = format!("v={}", STANDARD.encode(hmac::sign(&server_key, signed.as_bytes())));
        Ok((is_right && self.is_known).then_some(answer))
    }

    /// Whether the client has the key whose digest is stored.
    fn is_proof(&self, signed: &str, proof: [u8; KEY_BYTES]) -> bool {
        let stored_key = hmac::Key::new(hmac::HMAC_SHA256, self.verifier.stored_key());
        let signature = hmac::sign(&stored_key, signed.as_bytes());
        let mut client_key = proof;
        for (byte, mask) in client_key.iter_mut().zip(signature.as_ref()) {
            *byte ^= mask;
        }
        let digest = digest::digest(&digest::SHA256, &client_key);
        digest.as_ref().ct_eq(self.verifier.stored_key()).into()
    }
}

/// The nonce of `n=user,r=nonce`. The user is the one of the start-up message, as in PostgreSQL.
fn client_nonce(bare: &str) -> Result<&str> {
    let mut attributes = bare.split(',');
    let user = attributes.next().unwrap_or_default();
    if user.starts_with("m=") {
        return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "client requires an unsupported SCRAM extension"));
    }
    if !user.starts_with("n=") {
        return Err(malformed("the first message names no user"));
    }
    let nonce = attributes.next().and_then(|a| a.strip_prefix("r=")).unwrap_or_default();
    // RFC 5802: printable characters, no comma.
    if nonce.is_empty() || !nonce.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(malformed("non-printable characters in the nonce, or none at all"));
    }
    Ok(nonce)
}

fn text(message: &[u8]) -> Result<&str> {
    std::str::from_utf8(message)
        .ok()
        .filter(|text| !text.contains('\0'))
        .ok_or_else(|| malformed("the message is no text"))
}

fn malformed(why: &str) -> Error {
    Error::new(SqlState::PROTOCOL_VIOLATION, "malformed SCRAM message").with_detail(why)
}

#[cfg(test)]
mod tests;
