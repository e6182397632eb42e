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

use ndarray::{Array2, ArrayBase, ArrayView2, DataMut, Ix2};
use tensor::{Real, prefetch, scratch, vectorised};

use crate::params;

/// Weights.
#[derive(Clone, Debug)]
pub struct Embedding<F> {
    /// (V, D)
    pub table: Array2<F>,
}

params!(Embedding { table });

/// The gradient of a table, unsummed: row n of `rows` belongs to rows `ids[n J]` … `ids[n J + J − 1]` of
/// the table, one row of `rows` for the J rows that were added up.
#[derive(Clone, Debug)]
pub struct RowGrads<F> {
    /// (N·J) rows of the table; one may stand several times.
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
        let width = self.table.ncols();
        let table = self.table.as_slice().expect("row-major");
        let mut x = scratch::take((ids.len(), width));
        let rows = x.as_slice_mut().expect("row-major").chunks_exact_mut(width.max(1));
        for (x_n, &id) in rows.zip(ids) {
            x_n.copy_from_slice(&table[id as usize * width..][..width]); // (1)
        }
        x
    }

    /// `dx` (N, D), the gradient of what [`Embedding::forward`] gave for `ids` → the rows to add.
    ///
    /// # Panics
    /// If `dx` has not a row for each id, as wide as the table.
    pub fn backward(&self, ids: &[u32], dx: Array2<F>) -> RowGrads<F> {
        assert_eq!(dx.dim(), (ids.len(), self.table.ncols()), "dx is shaped like x");
        RowGrads { ids: ids.to_vec(), rows: dx } // (1'), summed by `add_to` or by the optimiser
    }
}

impl<F: Real> RowGrads<F> {
    /// How many rows of the table share one of `rows`, J: `rows.row(i / J)` is the gradient for
    /// `ids[i]`.
    pub fn per_row(&self) -> usize {
        self.ids.len() / self.rows.nrows().max(1)
    }

    /// The sum of (1') written out: adds each row to its rows of `d_table` (V, D), in order.
    ///
    /// ```
    /// let table = nn::embedding::Embedding { table: ndarray::Array2::<f64>::zeros((3, 1)) };
    /// let grads = table.backward(&[2, 0, 2], ndarray::array![[1.0], [2.0], [4.0]]);
    /// let mut d_table = ndarray::Array2::zeros((3, 1));
    /// grads.add_to(&mut d_table);
    /// assert_eq!(d_table, ndarray::array![[2.0], [0.0], [5.0]]);
    /// ```
    ///
    /// # Panics
    /// If an id is not a row of `d_table`, or that has another width.
    pub fn add_to(&self, d_table: &mut ArrayBase<impl DataMut<Elem = F>, Ix2>) {
        for (i, &id) in self.ids.iter().enumerate() {
            let mut to = d_table.row_mut(id as usize);
            to += &self.rows.row(i / self.per_row());
        }
    }

    /// The rows, to be read.
    pub fn rows(&self) -> ArrayView2<'_, F> {
        self.rows.view()
    }
}

/// Adds the rows `ids` of `table` (V, D) to `sum` (D), from the first to the last, and asks for the rows
/// `next`, which are to be added to another sum.
///
/// # Panics
/// If an id is not a row of the table.
#[inline]
pub(crate) fn add_table_rows<F: Real>(
    table: ArrayView2<'_, F>,
    ids: &[u32],
    next: &[u32],
    sum: &mut [F],
) {
    let rows = table.to_slice().expect("row-major");
    let width = sum.len();
    let row = |id: u32| &rows[id as usize * width..][..width];
    next.iter().for_each(|&id| prefetch(row(id)));
    vectorised(
        #[inline(always)]
        || {
            for &id in ids {
                sum.iter_mut().zip(row(id)).for_each(|(sum, &w)| *sum += w);
            }
        },
    );
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
