//! The arithmetic of Adam over one run of weights (Kingma and Ba 2015; the decay of Loshchilov and
//! Hutter 2019). Bias corrections, schedules and which weights to update are the optimiser's.
//!
//! ```text
//! (1)  ĝ = s g                          s scales the gradient (clipping)
//! (2)  m = β₁ m + (1 − β₁) ĝ
//! (3)  v = β₂ v + (1 − β₂) ĝ²
//! (4)  w = λ w − α m / (√v · r + ε)     λ is decoupled weight decay, 1 for none
//!
//! η is the learning rate
//! Keras    α = η √(1 − β₂ᵗ) / (1 − β₁ᵗ)     r = 1                 ε = 1e-7
//! PyTorch  α = η / (1 − β₁ᵗ)                r = 1 / √(1 − β₂ᵗ)    ε = 1e-8
//! ```
//!
//! The m of a weight that gets no gradient shrinks by β₁ a step, and after some 800 steps it would be a
//! subnormal number, on which processors are a hundred times slower. Moments below the normal range
//! are set to 0.

use crate::{Real, kernels};

/// The numbers of one step of Adam that all its weights share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamRates<F> {
    /// β₁, the share of m that is kept.
    pub beta1: F,
    /// β₂, the share of v that is kept.
    pub beta2: F,
    /// 1 − β₁, rounded once: in `f32`, 1 − 0.999 is 5e-5 too large.
    pub fresh1: F,
    /// 1 − β₂.
    pub fresh2: F,
    /// α, with the corrections of the bias of m (and, as Keras does it, of v).
    pub step: F,
    /// r, the correction of the bias of √v: 1 where `step` holds it already.
    pub root_scale: F,
    /// ε.
    pub epsilon: F,
    /// s, the factor of the gradient.
    pub grad_scale: F,
    /// λ, the factor of the weight before the step: 1 − lr · decay.
    pub decay: F,
}

/// (1)–(4) for weights `w`, their moments `m` and `v` and gradient `g`. The result does not depend on
/// the processor.
///
/// # Panics
/// If the four are not of one length.
pub fn adam_update<F: Real>(w: &mut [F], m: &mut [F], v: &mut [F], g: &[F], rates: &AdamRates<F>) {
    let n = w.len();
    let lengths = [m.len(), v.len(), g.len()];
    assert_eq!(lengths, [n; 3], "{n} weights, but m, v and g have {lengths:?} values");
    kernels::vectorised(
        #[inline(always)]
        || update(w, m, v, g, rates),
    );
}

#[inline(always)]
fn update<F: Real>(w: &mut [F], m: &mut [F], v: &mut [F], g: &[F], rates: &AdamRates<F>) {
    let AdamRates { beta1, beta2, fresh1, fresh2, step, root_scale, epsilon, grad_scale, decay } =
        *rates;
    for (((w, m), v), &g) in w.iter_mut().zip(m).zip(v).zip(g) {
        let g = grad_scale * g; // (1)
        *m = normal_or_zero(beta1 * *m + fresh1 * g); // (2)
        *v = normal_or_zero(beta2 * *v + fresh2 * (g * g)); // (3)
        *w = decay * *w - step * *m / (v.sqrt() * root_scale + epsilon); // (4)
    }
}

/// x, or 0 if it is subnormal; NaN stays NaN.
#[inline(always)]
fn normal_or_zero<F: Real>(x: F) -> F {
    if x.abs() < F::min_positive_value() { F::zero() } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Level, with_level};

    const RATES: AdamRates<f64> = AdamRates {
        beta1: 0.9,
        beta2: 0.999,
        fresh1: 0.1,
        fresh2: 0.001,
        step: 0.01,
        root_scale: 1.0,
        epsilon: 1e-7,
        grad_scale: 1.0,
        decay: 1.0,
    };

    /// t = 1, 2, 3 with lr 0.01: α and r as in the table above.
    fn keras(t: i32) -> AdamRates<f64> {
        let step = 0.01 * (1.0 - 0.999f64.powi(t)).sqrt() / (1.0 - 0.9f64.powi(t));
        AdamRates { step, ..RATES }
    }

    fn pytorch(t: i32) -> AdamRates<f64> {
        let root_scale = 1.0 / (1.0 - 0.999f64.powi(t)).sqrt();
        AdamRates { step: 0.01 / (1.0 - 0.9f64.powi(t)), root_scale, epsilon: 1e-8, ..RATES }
    }

    /// The update as the paper's algorithm 1 writes it, with m̂ and v̂.
    fn by_the_paper(gradients: &[f64], epsilon: impl Fn(i32) -> f64) -> f64 {
        let (mut w, mut m, mut v) = (1.0, 0.0, 0.0);
        for (t, g) in (1..).zip(gradients) {
            m = 0.9 * m + 0.1 * g;
            v = 0.999 * v + 0.001 * g * g;
            let m_hat = m / (1.0 - 0.9f64.powi(t));
            let v_hat = v / (1.0 - 0.999f64.powi(t));
            w -= 0.01 * m_hat / (v_hat.sqrt() + epsilon(t));
        }
        w
    }

    fn run(gradients: &[f64], rates: impl Fn(i32) -> AdamRates<f64>) -> f64 {
        let (mut w, mut m, mut v) = ([1.0], [0.0], [0.0]);
        for (t, &g) in (1..).zip(gradients) {
            adam_update(&mut w, &mut m, &mut v, &[g], &rates(t));
        }
        w[0]
    }

    #[test]
    fn both_libraries_updates_are_the_papers_with_epsilon_where_each_puts_it() {
        let gradients = [0.3, -0.2, 1e-5];
        let want = by_the_paper(&gradients, |_| 1e-8);
        assert!((run(&gradients, pytorch) - want).abs() < 1e-15);
        // Keras adds its epsilon to a root that the correction has yet to enlarge.
        let want = by_the_paper(&gradients, |t| 1e-7 / (1.0 - 0.999f64.powi(t)).sqrt());
        assert!((run(&gradients, keras) - want).abs() < 1e-15);
    }

    #[test]
    fn scaling_the_gradient_and_decaying_the_weight_are_the_same_as_doing_so_before() {
        let (mut w, mut m, mut v) = ([2.0], [0.1], [0.2]);
        let rates = AdamRates { grad_scale: 0.25, decay: 0.5, ..RATES };
        adam_update(&mut w, &mut m, &mut v, &[0.8], &rates);
        let (mut w2, mut m2, mut v2) = ([1.0], [0.1], [0.2]);
        adam_update(&mut w2, &mut m2, &mut v2, &[0.2], &RATES);
        assert_eq!((w, m, v), (w2, m2, v2));
    }

    #[test]
    fn moments_without_gradient_decay_to_zero_and_never_to_subnormal_numbers() {
        let rates = AdamRates {
            beta1: 0.9f32,
            beta2: 0.999,
            fresh1: 0.1,
            fresh2: 0.001,
            step: 0.01,
            root_scale: 1.0,
            epsilon: 1e-7,
            grad_scale: 1.0,
            decay: 1.0,
        };
        let (mut w, mut m, mut v) = ([1.0f32], [1e-3f32], [1e-37f32]);
        for _ in 0..3000 {
            adam_update(&mut w, &mut m, &mut v, &[0.0], &rates);
            assert!(!m[0].is_subnormal() && !v[0].is_subnormal());
        }
        assert_eq!((m[0], v[0]), (0.0, 0.0));
    }

    #[test]
    fn all_levels_give_the_same_bits_whatever_the_length() {
        for n in [0, 1, 3, 7, 8, 17, 64, 1000] {
            let value = |i: usize, k: f32| ((i as f32 + k) * 0.37).sin();
            let run = || {
                let mut w: Vec<f32> = (0..n).map(|i| value(i, 1.0)).collect();
                let mut m: Vec<f32> = (0..n).map(|i| value(i, 2.0)).collect();
                let mut v: Vec<f32> = (0..n).map(|i| value(i, 3.0).abs()).collect();
                let g: Vec<f32> = (0..n).map(|i| value(i, 4.0)).collect();
                let rates = AdamRates {
                    beta1: 0.9,
                    beta2: 0.999,
                    fresh1: 0.1,
                    fresh2: 0.001,
                    step: 0.01,
                    root_scale: 1.1,
                    epsilon: 1e-8,
                    grad_scale: 0.7,
                    decay: 0.99,
                };
                adam_update(&mut w, &mut m, &mut v, &g, &rates);
                [w, m, v].map(|x| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>())
            };
            let portable = with_level(Level::Portable, run);
            for level in Level::available() {
                assert_eq!(with_level(level, run), portable, "{level}, {n} weights");
            }
        }
    }

    #[test]
    #[should_panic(expected = "2 weights, but m, v and g have [2, 2, 3] values")]
    fn lengths_that_differ_are_refused() {
        adam_update(&mut [0.0; 2], &mut [0.0; 2], &mut [0.0; 2], &[0.0; 3], &RATES);
    }
}
