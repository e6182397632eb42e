//! Projection: pretrained vectors made to fit the words' columns.
//!
//! ```text
//! N tokens · P columns of the vectors · D of the words · dv is ∂L/∂v
//!
//! (1)  x += v Wᵀ              (N, D)
//!
//! (1') dW += dxᵀ v            (D, P); dx goes on as it is
//!      dv  = dx W             (N, P), if the vectors are trained too
//! ```
//!
//! A word without a vector has v = 0 and x stays as it was.

use ndarray::Array2;
use tensor::random::{Purpose, Stream};
use tensor::{Real, add_dot, dot, init};

use crate::params;

/// Weights.
#[derive(Clone, Debug)]
pub struct Projection<F> {
    /// (D, P)
    pub w: Array2<F>,
}

params!(Projection { w });

/// What `backward` needs of `forward`.
#[derive(Debug)]
pub struct Cache<F> {
    v: Array2<F>, // (N, P) for dW
}

impl<F: Real> Projection<F> {
    /// Glorot-uniform weights. `index` names the layer.
    pub fn new(n_in: usize, n_out: usize, seed: u64, index: u16) -> Self {
        let mut stream = Stream::numbered(seed, Purpose::Weights, index, 0, 0);
        Self { w: init::glorot_uniform(n_out, n_in, &mut stream) }
    }

    /// Adds what `v` (N, P) becomes to `x` (N, D).
    ///
    /// # Panics
    /// If `v` is not (N, P) or `x` not (N, D).
    pub fn forward(&self, v: Array2<F>, x: &mut Array2<F>) -> Cache<F> {
        add_dot(x, &v, &self.w.t()); // (1)
        Cache { v }
    }

    /// `dx` (N, D). Adds to `grads`.
    ///
    /// # Panics
    /// If `dx` is not (N, D).
    pub fn backward(&self, cache: Cache<F>, dx: &Array2<F>, grads: &mut Self) {
        add_dot(&mut grads.w, &dx.t(), &cache.v); // (1')
    }

    /// `dx` (N, D) → dv (N, P).
    pub fn backward_to_vectors(&self, dx: &Array2<F>) -> Array2<F> {
        dot(dx, &self.w) // (1')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dense::Dense;
    use crate::gradcheck::{assert_gradients, gradcheck, weighted_sum};
    use crate::params::Params;
    use crate::testing::normal;
    use ndarray::Array1;

    #[test]
    fn backward_agrees_with_central_differences() {
        let layer = Projection { w: normal(0, 4, 3) };
        for n in [1, 5] {
            let (v, x, r) = (normal(1, n, 3), normal(2, n, 4), normal(3, n, 4));
            let run = |l: &Projection<f64>| {
                let mut y = x.clone();
                let cache = l.forward(v.clone(), &mut y);
                (y, cache)
            };
            let mut grads = layer.zeros_like();
            layer.backward(run(&layer).1, &r, &mut grads);
            let checks = gradcheck(&layer, &grads, |l| weighted_sum(&run(l).0, &r));
            assert_gradients(&checks, 1e-8);

            // dv, checked as if the vectors were the weights.
            let vectors = Dense { w: v.clone(), b: Array1::zeros(0) };
            let grads = Dense { w: layer.backward_to_vectors(&r), b: Array1::zeros(0) };
            let loss = |v: &Dense<f64>| {
                let mut y = x.clone();
                layer.forward(v.w.clone(), &mut y);
                weighted_sum(&y, &r)
            };
            assert_gradients(&gradcheck(&vectors, &grads, loss), 1e-8);
        }
    }
}
