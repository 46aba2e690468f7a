//! A name for a session that is the same in every run.

/// A key for the session of `user` that starts at `started_at_us`: the same on every machine and in
/// every version, so that a table built in steps can be joined and updated by it.
///
/// `start_index` is 0 but for sessions that a condition or a change starts at the very time of the
/// user's session before; see [`super::Session::start_index`].
///
/// The algorithm, all in 64 bits and wrapping: `mix(mix(fnv1a(user)) + mix(started_at_us) +
/// start_index)`, where `fnv1a` is FNV-1a and `mix` the finaliser of SplitMix64. `mix` maps no two
/// numbers to one, so two sessions of a user with the same index never share a key; any other two
/// share one with the chance of 64 random bits. It is no secret: whoever knows the user can
/// recompute it.
pub fn session_key(user: &[u8], started_at_us: i64, start_index: u32) -> u64 {
    UserKey::new(user).session_key(started_at_us, start_index)
}

/// The part of [`session_key`] that all sessions of a user share, computed once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserKey {
    hash: u64,
}

impl UserKey {
    /// From the bytes that identify the user. Cost: one multiplication a byte.
    pub fn new(user: &[u8]) -> Self {
        const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0000_0100_0000_01b3;
        let fnv1a = user.iter().fold(OFFSET_BASIS, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
        Self { hash: mix(fnv1a) }
    }

    /// The key of one session, as [`session_key`].
    pub fn session_key(self, started_at_us: i64, start_index: u32) -> u64 {
        mix(self.hash.wrapping_add(mix(started_at_us as u64)).wrapping_add(u64::from(start_index)))
    }
}

/// The finaliser of SplitMix64: spreads every input bit over the output, and is one to one.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}
