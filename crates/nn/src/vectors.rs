//! Pretrained vectors: a row of a table for each token, left as it is or trained further.
//!
//! ```text
//! N tokens · V rows · P columns · dv is ∂L/∂v
//!
//! (1)  v_n = E[id_n]                    (N, P)
//!
//! (1') dE[i] = Σ_{n: id_n = i} dv_n     (V, P), if the table is trained
//! ```
//!
//! Row 0 belongs to all words that have no vector and begins as zeros. A [`Projection`] makes v fit the
//! words' columns. A table that stays as it is has no gradient and no moments, so it is no part of
//! [`Params`]; it is shared, not copied, where weights are.
//!
//! [`Projection`]: crate::projection::Projection

use std::sync::Arc;

use ndarray::{Array2, ArrayViewD, ArrayViewMutD};
use tensor::Real;

use crate::embedding::{Embedding, RowGrads};
use crate::params::Params;

/// The table.
#[derive(Clone, Debug)]
pub enum Vectors<F> {
    /// (V, P), left as it is.
    Frozen(Arc<Embedding<F>>),
    /// (V, P), a weight like others.
    Tuned(Embedding<F>),
}

impl<F: Real> Vectors<F> {
    /// `table` (V, P), to be trained if `tuned`.
    pub fn new(table: Array2<F>, tuned: bool) -> Self {
        let table = Embedding { table };
        if tuned { Vectors::Tuned(table) } else { Vectors::Frozen(Arc::new(table)) }
    }

    /// The table (V, P).
    pub fn table(&self) -> &Array2<F> {
        match self {
            Vectors::Frozen(layer) => &layer.table,
            Vectors::Tuned(layer) => &layer.table,
        }
    }

    /// The table (V, P) to be changed, if it is trained.
    pub fn trained_mut(&mut self) -> Option<&mut Array2<F>> {
        match self {
            Vectors::Frozen(_) => None,
            Vectors::Tuned(layer) => Some(&mut layer.table),
        }
    }

    /// Whether it is trained.
    pub fn is_tuned(&self) -> bool {
        matches!(self, Vectors::Tuned(_))
    }

    /// `ids` (N) → v (N, P).
    ///
    /// # Panics
    /// If an id is not a row of the table.
    pub fn forward(&self, ids: &[u32]) -> Array2<F> {
        match self {
            Vectors::Frozen(layer) => layer.forward(ids), // (1)
            Vectors::Tuned(layer) => layer.forward(ids),
        }
    }

    /// The rows to add for `ids` (N), if the table is trained. `dv` (N, P) is not worked out otherwise.
    pub fn backward(&self, ids: &[u32], dv: impl FnOnce() -> Array2<F>) -> Option<RowGrads<F>> {
        match self {
            Vectors::Frozen(_) => None,
            Vectors::Tuned(layer) => Some(layer.backward(ids, dv())), // (1')
        }
    }
}

impl<F: Real> Params<F> for Vectors<F> {
    fn tensors(&self) -> Vec<(String, ArrayViewD<'_, F>)> {
        match self {
            Vectors::Frozen(_) => Vec::new(),
            Vectors::Tuned(layer) => layer.tensors(),
        }
    }

    fn tensors_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, F>)> {
        match self {
            Vectors::Frozen(_) => Vec::new(),
            Vectors::Tuned(layer) => layer.tensors_mut(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck::{assert_gradients, gradcheck, weighted_sum};
    use crate::testing::normal;

    #[test]
    fn a_trained_table_agrees_with_central_differences_and_a_frozen_one_has_no_weights() {
        let ids = [3, 0, 3, 1];
        let r = normal(1, 4, 2);
        let tuned = Vectors::new(normal(0, 4, 2), true);
        let mut grads = tuned.zeros_like();
        let rows = tuned.backward(&ids, || r.clone()).expect("it is trained");
        rows.add_to(grads.trained_mut().expect("it is trained"));
        let loss = |v: &Vectors<f64>| weighted_sum(&v.forward(&ids), &r);
        assert_gradients(&gradcheck(&tuned, &grads, loss), 1e-8);

        let frozen = Vectors::new(tuned.table().clone(), false);
        assert_eq!(frozen.forward(&ids), tuned.forward(&ids));
        assert!(frozen.backward(&ids, || unreachable!("nobody asks for it")).is_none());
        assert_eq!(frozen.count(), 0);
    }
}
