//! Embedding: a row of a table for each id.
//!
//! ```text
//! N tokens · V ids · D columns · dv is ∂L/∂v
//!
//! (1)  x_n = E[id_n]                    (N, D)
//!
//! (1') dE[v] = Σ_{n: id_n = v} dx_n     (V, D), all but a few rows of it 0
//! ```
//!
//! The table holds most of a tagger's weights and a batch touches a few hundred of its rows, so its
//! gradient is kept as [`RowGrads`]: which rows, and what to add to them.

use ndarray::{Array2, ArrayView2};
use tensor::Real;

use crate::params;

/// Weights.
#[derive(Clone, Debug)]
pub struct Embedding<F> {
    /// (V, D)
    pub table: Array2<F>,
}

params!(Embedding { table });

/// The gradient of a table, unsummed: row n of `rows` belongs to row `ids[n]` of the table.
#[derive(Clone, Debug)]
pub struct RowGrads<F> {
    /// (N) rows of the table; one may stand several times.
    pub ids: Vec<u32>,
    /// (N, D)
    pub rows: Array2<F>,
}

impl<F: Real> Embedding<F> {
    /// `ids` (N) → x (N, D).
    ///
    /// # Panics
    /// If an id is not a row of the table.
    pub fn forward(&self, ids: &[u32]) -> Array2<F> {
        let mut x = Array2::zeros((ids.len(), self.table.ncols()));
        for (mut x_n, &id) in x.rows_mut().into_iter().zip(ids) {
            x_n.assign(&self.table.row(id as usize)); // (1)
        }
        x
    }

    /// `dx` (N, D), the gradient of what [`Embedding::forward`] gave for `ids` → the rows to add.
    pub fn backward(&self, ids: &[u32], dx: Array2<F>) -> RowGrads<F> {
        assert_eq!(dx.dim(), (ids.len(), self.table.ncols()), "dx is shaped like x");
        RowGrads { ids: ids.to_vec(), rows: dx } // (1'), summed by `add_to` or by the optimiser
    }
}

impl<F: Real> RowGrads<F> {
    /// The sum of (1') written out: adds each row to its row of `d_table` (V, D), in order.
    pub fn add_to(&self, d_table: &mut Array2<F>) {
        for (&id, row) in self.ids.iter().zip(self.rows.rows()) {
            let mut to = d_table.row_mut(id as usize);
            to += &row;
        }
    }

    /// The rows, to be read.
    pub fn rows(&self) -> ArrayView2<'_, F> {
        self.rows.view()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck::{assert_gradients, gradcheck, weighted_sum};
    use crate::params::Params;
    use crate::testing::normal;

    #[test]
    fn backward_agrees_with_central_differences_also_where_an_id_repeats() {
        let layer = Embedding { table: normal(0, 5, 3) };
        let ids = [4, 0, 4, 2, 4];
        let r = normal(1, 5, 3);
        let mut grads = layer.zeros_like();
        layer.backward(&ids, r.clone()).add_to(&mut grads.table);
        let loss = |l: &Embedding<f64>| weighted_sum(&l.forward(&ids), &r);
        assert_gradients(&gradcheck(&layer, &grads, loss), 1e-8);
        assert_eq!(grads.table.row(1).sum(), 0.0);
    }
}
