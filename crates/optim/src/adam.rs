//! Adam (Kingma and Ba 2015, algorithm 1), for weights that every batch changes.
//!
//! ```text
//! t steps so far, this one included · g the gradient · η the learning rate · all elementwise
//!
//! (1)  ĝ = s g                          s scales the gradient (clipping)
//! (2)  m ← β₁ m + (1 − β₁) ĝ
//! (3)  v ← β₂ v + (1 − β₂) ĝ²
//! (4)  w ← λ w − η m̂ / (√v̂ + ε)         m̂ = m / (1 − β₁ᵗ)     v̂ = v / (1 − β₂ᵗ)
//! ```
//!
//! λ is decoupled weight decay, 1 for none ([`AdamRates::decay`]). So PyTorch has it; in Keras ε stands beside √v instead of √v̂ ("ε̂" in
//! the paper). Both are w ← λ w − α m / (r √v + ε) with α and r of the step ([`AdamSettings::rates`]), which is how
//! [`tensor::adam_update`] computes them, under the same numbers.
//!
//! ```
//! use optim::{Adam, AdamKind, AdamSettings};
//! let mut layer = nn::dense::Dense::<f32>::new(3, 2, 1, 0);
//! let (before, grads) = (layer.w[[0, 0]], layer.clone());
//! let rates = AdamSettings::new(AdamKind::PyTorch).rates(1, 0.01, 1.0);
//! Adam::new(&layer).update(&mut layer, &grads, &rates);
//! // The first step is of the size of the rate, whatever the gradient's.
//! assert!(((before - layer.w[[0, 0]]).abs() - 0.01).abs() < 1e-6);
//! ```

use nn::Params;
use rayon::prelude::*;
use tensor::{AdamRates, Real, adam_update};

/// Whose Adam: where ε stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdamKind {
    /// ε beside √v̂, as in (4); its default is 1e-8.
    PyTorch,
    /// ε beside √v; its default is 1e-7.
    Keras,
}

/// What stays the same over a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamSettings {
    /// Whose Adam.
    pub kind: AdamKind,
    /// β₁, the memory of the gradient.
    pub beta1: f64,
    /// β₂, the memory of its square.
    pub beta2: f64,
    /// ε
    pub epsilon: f64,
}

impl AdamSettings {
    /// The defaults of `torch.optim.Adam` and `keras.optimizers.Adam`: β 0.9 and 0.999, own ε.
    pub fn new(kind: AdamKind) -> Self {
        let epsilon = match kind {
            AdamKind::PyTorch => 1e-8,
            AdamKind::Keras => 1e-7,
        };
        Self { kind, beta1: 0.9, beta2: 0.999, epsilon }
    }

    /// The numbers of step `t` (from 1) at learning rate `alpha`, for gradients to be multiplied with
    /// `grad_scale` first (clipping).
    pub fn rates<F: Real>(&self, t: u64, alpha: f64, grad_scale: f64) -> AdamRates<F> {
        let left = |beta: f64| 1.0 - beta.powf(t as f64);
        let (c1, c2) = (left(self.beta1), left(self.beta2));
        let (a, b) = match self.kind {
            AdamKind::PyTorch => (alpha / c1, 1.0 / c2.sqrt()),
            AdamKind::Keras => (alpha * c2.sqrt() / c1, 1.0),
        };
        AdamRates {
            beta1: F::of(self.beta1),
            beta2: F::of(self.beta2),
            fresh1: F::of(1.0 - self.beta1),
            fresh2: F::of(1.0 - self.beta2),
            step: F::of(a),
            root_scale: F::of(b),
            epsilon: F::of(self.epsilon),
            grad_scale: F::of(grad_scale),
            decay: F::one(),
        }
    }
}

/// Both moments of a set of weights.
#[derive(Clone, Debug)]
pub struct Adam<P> {
    /// Mean of the gradients.
    pub m: P,
    /// Mean of their squares.
    pub v: P,
}

/// Weights that one task changes at a time.
const CHUNK: usize = 1 << 13;

impl<P: Clone> Adam<P> {
    /// Moments of 0 for weights like `weights`.
    pub fn new<F: Real>(weights: &P) -> Self
    where
        P: Params<F>,
    {
        Self { m: weights.zeros_like(), v: weights.zeros_like() }
    }

    /// (1)–(4) over every tensor of `weights`, whose gradients are `grads`, on all cores; the numbers do not depend
    /// on how many there are.
    ///
    /// # Panics
    /// If a tensor of `grads` or of the moments has another size than that of `weights`.
    pub fn update<F: Real>(&mut self, weights: &mut P, grads: &P, rates: &AdamRates<F>)
    where
        P: Params<F>,
    {
        let moments = self.m.slices_mut().into_iter().zip(self.v.slices_mut());
        let tensors = weights.slices_mut().into_iter().zip(grads.slices()).zip(moments);
        let chunks: Vec<_> = tensors
            .flat_map(|((w, g), (m, v))| {
                let moments = m.chunks_mut(CHUNK).zip(v.chunks_mut(CHUNK));
                w.chunks_mut(CHUNK).zip(g.chunks(CHUNK)).zip(moments)
            })
            .collect();
        chunks.into_par_iter().for_each(|((w, g), (m, v))| adam_update(w, m, v, g, rates));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use nn::dense::Dense;

    /// One weight, two steps, by hand: g = 1 then g = −2, α = 0.1.
    fn two_steps(kind: AdamKind, epsilon: f64) -> f64 {
        let settings = AdamSettings { epsilon, ..AdamSettings::new(kind) };
        let mut layer = Dense { w: array![[5.0]], b: array![0.0] };
        let mut adam = Adam::new::<f64>(&layer);
        for (t, g) in [(1, 1.0), (2, -2.0)] {
            let grads = Dense { w: array![[g]], b: array![0.0] };
            adam.update(&mut layer, &grads, &settings.rates::<f64>(t, 0.1, 1.0));
        }
        layer.w[[0, 0]]
    }

    #[test]
    fn two_steps_equal_the_same_steps_by_hand() {
        // m: .1, −.11   v: .001, .004999   hats: m .1/.1, −.11/.19   v 1, .004999/.001999
        let eps = 0.01;
        let first = 5.0 - 0.1 * 1.0 / (1.0 + eps);
        let (m, v) = (-0.11 / 0.19, 0.004999 / 0.001999f64);
        let want = first - 0.1 * m / (v.sqrt() + eps);
        assert!((two_steps(AdamKind::PyTorch, eps) - want).abs() < 1e-9);
        let step = |m: f64, v: f64, t: f64| {
            let rate = 0.1 * (1.0 - 0.999f64.powf(t)).sqrt() / (1.0 - 0.9f64.powf(t));
            rate * m / (v.sqrt() + eps)
        };
        let want = 5.0 - step(0.1, 0.001, 1.0) - step(-0.11, 0.004999, 2.0);
        assert!((two_steps(AdamKind::Keras, eps) - want).abs() < 1e-9);
    }

    #[test]
    fn a_weight_without_a_gradient_stays() {
        let mut layer = Dense { w: array![[5.0f32, -1.0]], b: array![2.0] };
        let before = layer.clone();
        let mut adam = Adam::new::<f32>(&layer);
        let rates = AdamSettings::new(AdamKind::PyTorch).rates::<f32>(1, 0.1, 1.0);
        adam.update(&mut layer, &before.zeros_like(), &rates);
        assert_eq!(layer.w, before.w);
    }
}
