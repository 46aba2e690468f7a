//! Session keys stay what they are.

use super::super::{UserKey, session_key};

#[test]
fn keys_never_change() {
    // Worked out with a separate program from the documented algorithm. A difference here breaks
    // every table that was built by key.
    assert_eq!(session_key(b"", 0, 0), 0x8932_c885_a3fe_960e);
    assert_eq!(session_key(b"u1", 0, 0), 0x4404_b370_0a92_c14d);
    assert_eq!(session_key(b"u1", 1_772_323_200_000_000, 0), 0x52d5_888d_4e87_996e);
    assert_eq!(session_key(b"u1", 1_772_323_200_000_000, 1), 0xfbe6_2f53_ccfb_ce9a);
    assert_eq!(session_key("小红".as_bytes(), -1, 0), 0x8c17_6c89_c228_cd77);
    assert_eq!(session_key(b"u1", i64::MIN, u32::MAX), 0x404d_b393_af92_89d9);
}

#[test]
fn a_users_part_is_computed_once() {
    let user = UserKey::new(b"u1");
    for (started_at_us, start_index) in [(0, 0), (5, 0), (5, 3), (i64::MAX, 1)] {
        assert_eq!(user.session_key(started_at_us, start_index), session_key(b"u1", started_at_us, start_index));
    }
}

#[test]
fn neighbouring_users_times_and_indexes_do_not_share_a_key() {
    let mut keys = Vec::new();
    for user in 0..100 {
        let user = UserKey::new(format!("user-{user}").as_bytes());
        for started_at_us in 0..100 {
            keys.extend((0..3).map(|start_index| user.session_key(started_at_us, start_index)));
        }
    }
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), count);
}
