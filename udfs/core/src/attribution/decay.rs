//! Powers of one half, the same on every machine.

/// Steps of the table; what is left of an exponent is below `1 / STEPS`.
const STEPS: usize = 64;

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
    let left = -(steps - index as f64) / STEPS as f64 * std::f64::consts::LN_2;
    let series = 1.0
        + left
            * (1.0 + left / 2.0 * (1.0 + left / 3.0 * (1.0 + left * 0.25 * (1.0 + left * 0.2 * (1.0 + left / 6.0)))));
    TABLE[index & (STEPS - 1)] * series * f64::from_bits((1_023 - whole) << 52)
}
