//! Powers of one half, the same on every machine.

/// Steps of the table; what is left of an exponent is below `1 / STEPS`.
const STEPS: usize = 256;

/// `2^(-index / STEPS)`.
const TABLE: [f64; STEPS] = {
    let mut table = [0.0; STEPS];
    let mut index = 0;
    while index < STEPS {
        let exponent = -(index as f64) / STEPS as f64 * std::f64::consts::LN_2;
        // The series of exp, from its smallest term on; 24 terms are far below one rounding.
        let mut sum = 1.0;
        let mut term = 24;
        while term > 0 {
            sum = 1.0 + exponent / term as f64 * sum;
            term -= 1;
        }
        table[index] = sum;
        index += 1;
    }
    table
};

/// Two to the minus `exponent`, for an exponent of zero or more; 0 where it is too small.
///
/// Within two roundings of the true power. Made of additions and multiplications only, so that two
/// machines give the same last digit; the library's `exp2` does not promise that.
#[inline]
pub(super) fn halved(exponent: f64) -> f64 {
    if exponent >= 1_022.0 {
        return 0.0;
    }
    let whole = exponent as u64;
    let steps = (exponent - whole as f64) * STEPS as f64;
    let index = steps as usize;
    let left = (index as f64 - steps) * (std::f64::consts::LN_2 / STEPS as f64);
    // exp by its first six terms, in two halves that the processor works on at once.
    let square = left * left;
    let low = 1.0 + left + square * (0.5 + left * (1.0 / 6.0));
    let high = square * square * (1.0 / 24.0 + left * (1.0 / 120.0));
    TABLE[index & (STEPS - 1)] * (low + high) * f64::from_bits((1_023 - whole) << 52)
}

#[cfg(test)]
mod tests {
    use super::halved;

    #[test]
    fn powers_of_one_half_are_those_of_the_library() {
        for step in 0..200_000 {
            let exponent = f64::from(step) * 0.003_7;
            let (ours, library) = (halved(exponent), (-exponent).exp2());
            assert!((ours - library).abs() <= 1e-15 * library, "{exponent}: {ours} {library}");
        }
        assert_eq!(halved(0.0), 1.0);
        assert_eq!(halved(1.0), 0.5);
        assert_eq!(halved(1_021.0), (-1_021f64).exp2());
        assert_eq!(halved(1e300), 0.0);
    }
}
