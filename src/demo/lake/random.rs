//! Random numbers that are the same on every machine and in every release.
//!
//! The generator is SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
//! generators", OOPSLA 2014): eight bytes of state, no platform dependence, and written here so
//! that no release of a dependency can change the demo lake.

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The stream of one topic under one seed.
    ///
    /// Each topic draws from a stream of its own, so that a change in one leaves the others alone.
    pub fn new(seed: u64, topic: &str) -> Self {
        let mut state = mix(seed);
        for byte in topic.bytes() {
            state = mix(state ^ u64::from(byte));
        }
        Self { state }
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// A number from 0 to `bound - 1`; 0 where `bound` is 0.
    ///
    /// Multiply and shift: the bias is below `bound / 2^64`, invisible at the sizes used here.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1) as u64) as i64
    }

    /// An index into `weights`, each as likely as its weight.
    pub fn weighted(&mut self, weights: &[u64]) -> usize {
        let mut ticket = self.below(weights.iter().sum());
        for (index, weight) in weights.iter().enumerate() {
            if ticket < *weight {
                return index;
            }
            ticket -= weight;
        }
        weights.len() - 1
    }

    /// One of `items`.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }

    /// Brings `items` into random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }

    /// Takes `count` random items out of `pool`; the rest stays.
    ///
    /// Panics where the pool is too small: the quotas of the story would not fit together, which
    /// is a fault of this module and never of a user.
    pub fn take<T>(&mut self, pool: &mut Vec<T>, count: usize) -> Vec<T> {
        assert!(count <= pool.len(), "a quota of {count} does not fit a pool of {}", pool.len());
        self.shuffle(pool);
        pool.split_off(pool.len() - count)
    }
}

/// Scrambles 64 bits, one to one: for ids that must not show a counter.
pub fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_published_one() {
        // The first outputs of SplitMix64 from state 0, as its authors' reference prints them.
        let mut random = Random { state: 0 };
        assert_eq!(random.bits(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(random.bits(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn numbers_stay_inside_their_bounds() {
        let mut random = Random::new(1, "bounds");
        let drawn: Vec<i64> = (0..1_000).map(|_| random.between(-2, 2)).collect();
        assert!((-2..=2).all(|wanted| drawn.contains(&wanted)));
        assert!(drawn.iter().all(|value| (-2..=2).contains(value)));
        assert_eq!(random.below(1), 0);
    }

    #[test]
    fn a_weight_of_zero_is_never_drawn() {
        let mut random = Random::new(1, "weights");
        assert!((0..1_000).all(|_| random.weighted(&[3, 0, 1]) != 1));
    }

    #[test]
    fn what_is_taken_leaves_the_pool() {
        let mut pool: Vec<u32> = (0..100).collect();
        let mut taken = Random::new(1, "take").take(&mut pool, 30);
        assert_eq!((taken.len(), pool.len()), (30, 70));
        taken.extend(pool);
        taken.sort_unstable();
        assert_eq!(taken, (0..100).collect::<Vec<_>>());
    }
}
