//! eˣ for x ≤ 0 in `f64`, free of branches and calls, so that a loop over it becomes vector code.
//!
//! ```text
//! x = n ln 2 + r    n whole, |r| ≤ ½ ln 2        eˣ = 2ⁿ eʳ        eʳ ≈ Σ_{k ≤ 13} rᵏ / k!
//! ```
//!
//! What the series leaves out is below 5e-18 of eʳ. The result is within 4.5e-16, relative, of the
//! standard library's (the test below), and the same on every machine.

/// 1 / k! for k = 13, 12, … 0.
const SERIES: [f64; 14] = {
    let mut series = [1.0; 14];
    let mut k = 1;
    while k < 14 {
        series[13 - k] = series[14 - k] / k as f64;
        k += 1;
    }
    series
};
/// ln 2 in two parts; the first has so few digits that n times it is exact.
const LN_2: [f64; 2] = [0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10];
/// 1.5 · 2⁵²: adding it leaves the nearest whole number in the low bits.
const ROUND: f64 = 6_755_399_441_055_744.0;
/// Below this 2ⁿ is no normal number.
const LEAST: f64 = -708.0;

/// eˣ for x ≤ 0; 0 below −708.
#[inline(always)]
pub(super) fn exp(x: f64) -> f64 {
    let shifted = x.max(LEAST) * std::f64::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN_2[0]) - n * LN_2[1];
    let mut sum = SERIES[0];
    for term in &SERIES[1..] {
        sum = sum * r + term;
    }
    // n + 1023 in the place of the exponent is 2ⁿ.
    let power = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1f64.to_bits()));
    if x < LEAST { 0.0 } else { sum * power }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_its_stated_error() {
        for k in 0..=2_832_000 {
            let x = f64::from(k) * -2.5e-4;
            let (got, want) = (exp(x), x.exp());
            assert!((got / want - 1.0).abs() <= 4.5e-16, "e^{x} = {got}, not {want}");
        }
    }

    #[test]
    fn exp_of_zero_is_one_of_very_little_is_nothing_and_of_no_number_is_none() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-0.0), 1.0);
        assert_eq!(exp(-708.1), 0.0);
        assert_eq!(exp(-1e300), 0.0);
        assert_eq!(exp(f64::NEG_INFINITY), 0.0);
        assert!(exp(f64::NAN).is_nan());
    }
}
