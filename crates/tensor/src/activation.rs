//! σ, tanh and eˣ for `f32`, free of branches and calls, so that a loop over them becomes vector code.
//!
//! tanh is an odd rational function of degrees 13 and 6 on [−7.905, 7.905]; beyond, it stays short of
//! ±1, so that 1 − tanh² is never 0. Its coefficients are the widely used minimax ones (Eigen's
//! `ptanh`, also in XLA). The exponentials are 2ⁿ times a minimax polynomial over half a unit either
//! way. σ is clamped at ±20, where it is 2e-9 short of its limit: no gate is ever 0, and products of
//! gates and states stay far above the subnormal numbers, on which processors are slow.
//!
//! Errors against `f64` (the tests below): on [−20, 20] in steps of 1e-4, tanh 4.5e-7 absolute and 3e-7
//! relative on [−1, 1]; σ 1.3e-7 absolute; eˣ 1.3e-7 relative wherever its value is a normal number.

use std::f32::consts::LN_2;

/// Numerator: coefficients of x¹³, x¹¹, … x¹.
pub(crate) const P: [f32; 7] = [
    -2.760_768_5e-16,
    2.000_188e-13,
    -8.604_672e-11,
    5.122_297e-8,
    1.485_722_4e-5,
    6.372_619e-4,
    4.893_524_6e-3,
];
/// Denominator: coefficients of x⁶, x⁴, x², x⁰.
pub(crate) const Q: [f32; 4] = [1.198_258_4e-6, 1.185_347_1e-4, 2.268_434_6e-3, 4.893_525e-3];
/// Beyond this the rational function is not fitted; tanh stays at its value there, 1 − 2e-7 at least.
pub(crate) const BOUND: f32 = 7.905_311;

/// tanh x.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let x = x.clamp(-BOUND, BOUND);
    let s = x * x;
    let mut p = P[0];
    for k in &P[1..] {
        p = p * s + k;
    }
    let mut q = Q[0];
    for k in &Q[1..] {
        q = q * s + k;
    }
    p * x / q
}

/// 2^f on |f| ≤ ½: coefficients of f⁵, f⁴, … 1.
pub(crate) const EXP2: [f32; 6] =
    [1.327_644_9e-3, 9.675_564e-3, 5.550_713_5e-2, 0.240_221_2, LN_2, 1.000_000_1];
/// 1.5 · 2²³: adding it leaves the nearest whole number in the low bits.
const ROUND: f32 = 12_582_912.0;
/// The same, with the bias of the exponent on top: the low bits are then those of 2ⁿ.
pub(crate) const TO_EXPONENT: f32 = ROUND + 127.0;
/// σ stays at its values here beyond.
pub(crate) const SIGMOID_BOUND: f32 = 20.0;

/// σ(x) = 1 / (1 + 2^{n + f}) with n + f = −x / ln 2.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    let y = x.clamp(-SIGMOID_BOUND, SIGMOID_BOUND) * -std::f32::consts::LOG2_E;
    let shifted = y + TO_EXPONENT;
    let f = y - (shifted - TO_EXPONENT);
    let mut p = EXP2[0];
    for k in &EXP2[1..] {
        p = p * f + k;
    }
    1.0 / (p * f32::from_bits(shifted.to_bits() << 23) + 1.0)
}

/// eʳ on |r| ≤ ½ ln 2: coefficients of r⁶, r⁵, … 1.
const E: [f32; 7] =
    [1.383_682_5e-3, 8.374_832e-3, 4.166_823e-2, 0.166_664_2, 0.499_999_9, 1.0, 1.0];
/// ln 2 in two parts; the first has few enough digits that n times it is exact.
const LN2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
/// eˣ is a normal number between these, ln 2⁻¹²⁶ and ln of the largest `f32`.
const NORMAL: [f32; 2] = [-87.336_54, 88.722_83];

/// eˣ; 0 where that is subnormal.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let within = x.clamp(NORMAL[0], NORMAL[1]);
    let shifted = within * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (within - n * LN2[0]) - n * LN2[1];
    let mut p = E[0];
    for k in &E[1..] {
        p = p * r + k;
    }
    // 2ⁿ in two factors, as n = 128 does occur: half of it, put into the exponent, twice.
    let n = shifted.to_bits() as i32 - ROUND.to_bits() as i32;
    let half = n >> 1;
    let power = |n: i32| f32::from_bits(((n + 127) << 23) as u32);
    let y = p * power(half) * power(n - half);
    let y = if x < NORMAL[0] { 0.0 } else { y };
    if x > NORMAL[1] { f32::INFINITY } else { y }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> impl Iterator<Item = f32> {
        (-200_000..=200_000).map(|k| k as f32 * 1e-4)
    }

    #[test]
    fn tanh_is_within_its_stated_error() {
        for x in grid() {
            let (got, want) = (f64::from(tanh(x)), f64::from(x).tanh());
            assert!((got - want).abs() < 4.5e-7, "tanh({x}) = {got}, not {want}");
            if x.abs() <= 1.0 {
                let error = (got - want).abs();
                assert!(error <= 3e-7 * want.abs(), "tanh({x}) = {got}, not {want}");
            }
        }
    }

    #[test]
    fn sigmoid_is_within_its_stated_error() {
        for x in grid() {
            let (got, want) = (f64::from(sigmoid(x)), 1.0 / (1.0 + f64::from(-x).exp()));
            assert!((got - want).abs() < 1.3e-7, "sigmoid({x}) = {got}, not {want}");
        }
    }

    #[test]
    fn exp_is_within_its_stated_error_and_zero_below_the_normal_numbers() {
        let fine = (-1_030_000..=890_000).map(|k| k as f32 * 1e-4);
        for x in fine.chain([NORMAL[0], NORMAL[1], NORMAL[0].next_up(), NORMAL[1].next_down()]) {
            let (got, want) = (f64::from(exp(x)), f64::from(x).exp());
            if want < f64::from(f32::MIN_POSITIVE) {
                assert!(got <= f64::from(f32::MIN_POSITIVE), "exp({x}) = {got}");
            } else if want <= f64::from(f32::MAX) {
                assert!((got - want).abs() < 1.3e-7 * want, "exp({x}) = {got:e}, not {want:e}");
            } else {
                assert!(got >= f64::from(f32::MAX), "exp({x}) = {got}");
            }
        }
        assert_eq!(
            (exp(0.0), exp(f32::NEG_INFINITY), exp(f32::INFINITY)),
            (1.0, 0.0, f32::INFINITY)
        );
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn infinities_saturate_short_of_the_bounds_and_nan_stays_nan() {
        let top = tanh(f32::INFINITY);
        assert!(top < 1.0 && top > 1.0 - 3e-7);
        let bottom = sigmoid(f32::NEG_INFINITY);
        assert!(bottom > 0.0 && bottom < 3e-9);
        assert!(tanh(f32::NAN).is_nan() && sigmoid(f32::NAN).is_nan());
    }
}
