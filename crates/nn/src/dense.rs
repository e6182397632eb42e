//! Dense: one affine map for every token ("time-distributed", as each row has the same weights).
//!
//! ```text
//! N tokens · D input · K output · dv is ∂L/∂v
//!
//! (1)  y = x Wᵀ + b                                  (N, K)
//! (1') dx = dy W    dW += dyᵀ x    db += Σ_N dy
//! ```

use ndarray::{Array1, Array2};
use tensor::random::{Purpose, Stream};
use tensor::scratch::Lent;
use tensor::{Real, add_dot, add_rows, dot, dot_bias, init};

use crate::params;

/// Weights.
#[derive(Clone, Debug)]
pub struct Dense<F> {
    /// (K, D)
    pub w: Array2<F>,
    /// (K)
    pub b: Array1<F>,
}

params!(Dense { w, b });

/// What `backward` needs of `forward`.
#[derive(Debug)]
pub struct Cache<F> {
    x: Lent<F>, // (N, D) for dW
}

impl<F: Real> Dense<F> {
    /// Glorot-uniform weights, bias 0. `index` names the layer.
    pub fn new(n_in: usize, n_out: usize, seed: u64, index: u16) -> Self {
        let mut stream = Stream::numbered(seed, Purpose::Weights, index, 0, 0);
        Self { w: init::glorot_uniform(n_out, n_in, &mut stream), b: Array1::zeros(n_out) }
    }

    /// The same shapes, all 0, to be filled.
    pub fn zeros(n_in: usize, n_out: usize) -> Self {
        Self { w: Array2::zeros((n_out, n_in)), b: Array1::zeros(n_out) }
    }

    /// `x` (N, D) → y (N, K).
    ///
    /// # Panics
    /// If `x` is not D wide.
    pub fn forward(&self, x: Array2<F>) -> (Array2<F>, Cache<F>) {
        let y = dot_bias(&x, &self.w.t(), &self.b); // (1)
        (y, Cache { x: x.into() })
    }

    /// `dy` (N, K) → dx (N, D). Adds to `grads`.
    ///
    /// # Panics
    /// If `dy` is not (N, K).
    pub fn backward(&self, cache: Cache<F>, dy: &Array2<F>, grads: &mut Self) -> Array2<F> {
        add_dot(&mut grads.w, &dy.t(), &*cache.x); // (1')
        add_rows(&mut grads.b, dy);
        dot(dy, &self.w)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck::{assert_gradients, gradcheck, gradcheck_input, weighted_sum};
    use crate::params::Params;
    use crate::testing::{normal, vector};

    #[test]
    fn backward_agrees_with_central_differences() {
        let layer = Dense { w: normal(0, 4, 3), b: vector(1, 4) };
        for n in [1, 2, 5] {
            let (x, r) = (normal(2, n, 3), normal(3, n, 4));
            let loss = |l: &Dense<f64>, x: &Array2<f64>| weighted_sum(&l.forward(x.clone()).0, &r);
            let mut grads = layer.zeros_like();
            let dx = layer.backward(layer.forward(x.clone()).1, &r, &mut grads);
            let mut checks = gradcheck(&layer, &grads, |l| loss(l, &x));
            checks.push(gradcheck_input("dx", &x, &dx, |x| loss(&layer, x)));
            assert_gradients(&checks, 1e-8);
        }
    }
}
