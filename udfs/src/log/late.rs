//! Sorting what is nearly sorted: events come in the order of time, and some of them late.

/// Of so many keys at most one came late where those are sorted apart.
const LATE_SHARE: usize = 8;

/// Sorts keys of which most are in order and some came late, as events do: those are sorted and merged in.
///
/// Where too many came late all are sorted. Cost: a comparison or two for each key, if few came late.
pub(super) fn sort_late<K: Ord + Copy>(keys: &mut [K], late: &mut Vec<K>) {
    let Some(&(mut latest)) = keys.first() else { return };
    let most = keys.len() / LATE_SHARE;
    late.clear();
    let mut punctual = 0;
    for index in 0..keys.len() {
        let key = keys[index];
        if key >= latest {
            latest = key;
            keys[punctual] = key;
            punctual += 1;
        } else if late.len() < most {
            late.push(key);
        } else {
            // All keys are there again, in some order.
            keys[punctual..index].copy_from_slice(late);
            keys.sort_unstable();
            return;
        }
    }
    late.sort_unstable();
    // From the back, so that no key is written over before it is read.
    let mut place = keys.len();
    while let Some(&key) = late.last() {
        place -= 1;
        if punctual > 0 && keys[punctual - 1] > key {
            punctual -= 1;
            keys[place] = keys[punctual];
        } else {
            keys[place] = key;
            late.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_that_came_late_are_sorted_in(
            mut keys in proptest::collection::vec(0..500u64, 0..300),
            moved in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..40),
        ) {
            keys.sort_unstable();
            let mut expected = keys.clone();
            for (from, to) in moved {
                if !keys.is_empty() {
                    let key = keys.remove(from.index(keys.len()));
                    keys.insert(to.index(keys.len() + 1), key);
                }
            }
            sort_late(&mut keys, &mut vec![7]);
            expected.sort_unstable();
            prop_assert_eq!(keys, expected);
        }
    }
}
