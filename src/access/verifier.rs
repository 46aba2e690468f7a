//! What is stored of a password: PostgreSQL's `SCRAM-SHA-256$iterations:salt$stored:server`.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

/// Length of the keys: SHA-256.
pub const KEY_BYTES: usize = 32;
/// PostgreSQL's own count, for the verifiers of nobody where there is nobody else to resemble.
const DEFAULT_ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).unwrap();
const DEFAULT_SALT_BYTES: usize = 16;
const PREFIX: &str = "SCRAM-SHA-256$";

/// Enough to check a password, and not enough to know it or to log in with.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    iterations: NonZeroU32,
    salt: Vec<u8>,
    stored_key: [u8; KEY_BYTES],
    server_key: [u8; KEY_BYTES],
}

impl Verifier {
    /// The verifier of a password, under a new random salt.
    ///
    /// The password is prepared as PostgreSQL prepares it (SASLprep, or as it is where that fails).
    pub fn of_password(password: &str) -> Self {
        let text = postgres_protocol::password::scram_sha_256(password.as_bytes());
        text.parse().unwrap_or_else(|_| unreachable!("the maker of verifiers writes PostgreSQL's format"))
    }

    /// The verifier of somebody who does not exist: always the same for a name, and of the same
    /// shape as that of one of the `examples`, so that nobody can tell.
    pub(super) fn mock(seed: &[u8; 32], user: &str, examples: &[&Self]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, seed);
        let part = |label: &str| {
            let mut context = hmac::Context::with_key(&key);
            context.update(label.as_bytes());
            context.update(user.as_bytes());
            let tag = context.sign();
            let mut bytes = [0; KEY_BYTES];
            bytes.copy_from_slice(tag.as_ref());
            bytes
        };
        let chooser = part("which");
        let example = (!examples.is_empty()).then(|| examples[usize::from(chooser[0]) % examples.len()]);
        let salt_bytes = example.map_or(DEFAULT_SALT_BYTES, |example| example.salt.len());
        Self {
            iterations: example.map_or(DEFAULT_ITERATIONS, |example| example.iterations),
            salt: part("salt").into_iter().cycle().take(salt_bytes).collect(),
            stored_key: part("stored"),
            server_key: part("server"),
        }
    }

    pub(super) fn iterations(&self) -> NonZeroU32 {
        self.iterations
    }

    pub(super) fn salt(&self) -> &[u8] {
        &self.salt
    }

    pub(super) fn stored_key(&self) -> &[u8; KEY_BYTES] {
        &self.stored_key
    }

    pub(super) fn server_key(&self) -> &[u8; KEY_BYTES] {
        &self.server_key
    }
}

impl FromStr for Verifier {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            "a password is stored as SCRAM-SHA-256$iterations:salt$stored:server; \
             `tributary user NAME` makes one, and PostgreSQL's pg_authid has them"
                .to_owned()
        };
        let rest = text.strip_prefix(PREFIX).ok_or_else(wrong)?;
        let (head, keys) = rest.split_once('$').ok_or_else(wrong)?;
        let (iterations, salt) = head.split_once(':').ok_or_else(wrong)?;
        let (stored, server) = keys.split_once(':').ok_or_else(wrong)?;
        let key = |text: &str| STANDARD.decode(text).ok().and_then(|bytes| <[u8; KEY_BYTES]>::try_from(bytes).ok());
        let salt = STANDARD.decode(salt).ok().filter(|salt| !salt.is_empty()).ok_or_else(wrong)?;
        Ok(Self {
            iterations: iterations.parse().map_err(|_| wrong())?,
            salt,
            stored_key: key(stored).ok_or_else(wrong)?,
            server_key: key(server).ok_or_else(wrong)?,
        })
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (salt, stored, server) =
            (STANDARD.encode(&self.salt), STANDARD.encode(self.stored_key), STANDARD.encode(self.server_key));
        write!(f, "{PREFIX}{}:{salt}${stored}:{server}", self.iterations)
    }
}

/// Nothing that could be used to guess a password reaches a log.
impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_is_read_as_it_is_written() {
        let verifier = Verifier::of_password("pencil");
        assert_eq!(verifier.to_string().parse(), Ok(verifier));
    }

    #[test]
    fn the_keys_of_the_standards_example_are_postgresql_s() {
        // RFC 7677, section 3: password "pencil", salt and count as given there; the keys from PostgreSQL 15.
        let text = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$\
                    WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
        let verifier: Verifier = text.parse().unwrap();
        assert_eq!(verifier.iterations().get(), 4096);
        assert_eq!(verifier.salt().len(), 16);
        assert_eq!(verifier.to_string(), text);
    }

    #[test]
    fn what_is_no_verifier_is_refused_with_a_way_to_one() {
        for text in ["pencil", "md5abc", "SCRAM-SHA-256$4096:aa$bb", "SCRAM-SHA-256$0:YWE=$YWE=:YWE=", ""] {
            assert!(text.parse::<Verifier>().unwrap_err().contains("tributary user"), "{text}");
        }
    }

    #[test]
    fn nobody_looks_like_somebody_and_always_the_same() {
        let somebody = Verifier::of_password("tea");
        let one = Verifier::mock(&[7; 32], "eve", &[&somebody]);
        assert_eq!(one, Verifier::mock(&[7; 32], "eve", &[&somebody]));
        assert_ne!(one.salt, Verifier::mock(&[7; 32], "mallory", &[&somebody]).salt);
        assert_eq!((one.iterations, one.salt.len()), (somebody.iterations, somebody.salt.len()));
    }
}
