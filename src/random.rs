//! What nobody can guess, and nobody else has.

use ring::rand::{SecureRandom, SystemRandom};

use crate::error::{Error, Result, SqlState};

/// Random bytes from the operating system. Fails with XX000 if it has none to give.
pub fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::new(SqlState::INTERNAL_ERROR, "the system has no random bytes to give"))?;
    Ok(bytes)
}
