//! Embedding by several tables whose rows are added: the word, its ending, its shape.
//!
//! ```text
//! N tokens · T tables of V_t rows · D columns · dv is ∂L/∂v
//!
//! (1)  x_n = Σ_t E_t[id_nt]                       (N, D)
//!
//! (1') dE_t[v] = Σ_{n: id_nt = v} dx_n            (V_t, D), all but a few rows of it 0
//! ```
//!
//! The tables lie one below the other in one matrix, so that a token's ids in all tables are T rows of
//! it and dx, which all of them get, is handed out once. As tensors they are separate, each under its
//! name.

use std::ops::Range;

use ndarray::{
    Array2, ArrayView2, ArrayViewD, ArrayViewMut2, ArrayViewMutD, Axis, CowArray, Ix2, concatenate,
    s,
};
use tensor::random::{Purpose, Stream};
use tensor::{Real, init, scratch};

use crate::Params;
use crate::embedding::{RowGrads, add_table_rows};

/// Weights.
#[derive(Clone, Debug)]
pub struct SumEmbedding<F: 'static> {
    /// (Σ V_t, D) the tables, one below the other. Borrowed while they are those of a mapped file; the first
    /// change makes them our own.
    pub rows: CowArray<'static, F, Ix2>,
    /// Name of each table.
    names: Vec<String>,
    /// The rows of each table.
    places: Vec<Range<usize>>,
}

/// What `backward` needs of `forward`.
#[derive(Debug)]
pub struct Cache {
    ids: Vec<u32>, // (N·T) rows of the whole matrix
}

impl<F: Real> SumEmbedding<F> {
    /// Tables of these names and numbers of rows, uniform in ±0.05 as Keras's `Embedding`. `index`
    /// names the layer. A table's numbers do not depend on the other tables.
    pub fn new(tables: &[(&str, usize)], n_out: usize, seed: u64, index: u16) -> Self {
        let mut layer = Self::zeros(tables, n_out);
        for t in 0..tables.len() {
            let mut stream = Stream::numbered(seed, Purpose::Weights, index, t as u32, 0);
            let table = init::uniform(tables[t].1, n_out, 0.05, &mut stream);
            layer.table_mut(t).assign(&table);
        }
        layer
    }

    /// The same tables, all 0.
    ///
    /// # Panics
    /// If there is no table.
    pub fn zeros(tables: &[(&str, usize)], n_out: usize) -> Self {
        assert!(!tables.is_empty(), "there is at least one table");
        let mut end = 0;
        let place = |(_, rows): &(&str, usize)| {
            end += rows;
            end - rows..end
        };
        let places: Vec<Range<usize>> = tables.iter().map(place).collect();
        let names = tables.iter().map(|(name, _)| name.to_string()).collect();
        Self { rows: Array2::zeros((end, n_out)).into(), names, places }
    }

    /// Puts `rows` in the place of all tables. They may lie in another order: table t is at the rows
    /// `places[t]`.
    ///
    /// # Panics
    /// If the tables are not as large as they were, or do not fill `rows`.
    pub fn borrow(&mut self, rows: ArrayView2<'static, F>, places: Vec<Range<usize>>) {
        assert_eq!(rows.dim(), self.rows.dim(), "as many rows and columns as there were");
        let sizes = |places: &[Range<usize>]| places.iter().map(Range::len).collect::<Vec<_>>();
        assert_eq!(sizes(&places), sizes(&self.places), "tables as large as they were");
        let mut sorted: Vec<&Range<usize>> =
            places.iter().filter(|place| !place.is_empty()).collect();
        sorted.sort_by_key(|place| place.start);
        assert!(sorted.windows(2).all(|two| two[0].end == two[1].start), "tables without gaps");
        self.rows = rows.into();
        self.places = places;
    }

    /// (Σ V_t, D) the tables one below the other in their own order, wherever they lie.
    pub fn in_order(&self) -> CowArray<'_, F, Ix2> {
        if self.places.windows(2).all(|two| two[0].end == two[1].start) {
            return self.rows.view().into();
        }
        let tables: Vec<_> = (0..self.tables()).map(|t| self.table(t)).collect();
        concatenate(Axis(0), &tables).expect("tables of as many columns").into()
    }

    /// Number of tables, T.
    pub fn tables(&self) -> usize {
        self.names.len()
    }

    /// Table `t` (V_t, D).
    pub fn table(&self, t: usize) -> ArrayView2<'_, F> {
        self.rows.slice(s![self.places[t].clone(), ..])
    }

    /// Table `t` (V_t, D), to be changed.
    pub fn table_mut(&mut self, t: usize) -> ArrayViewMut2<'_, F> {
        self.rows.slice_mut(s![self.places[t].clone(), ..])
    }

    /// `ids` (N·T), those of a token together in the order of the tables → x (N, D).
    ///
    /// # Panics
    /// If an id is not a row of its table, or a token has not one id a table.
    pub fn forward(&self, ids: &[u32]) -> (Array2<F>, Cache) {
        let ids = self.rows_of(ids);
        let tables = self.tables();
        let mut x = scratch::zeros((ids.len() / tables, self.rows.ncols()));
        for (n, mut x_n) in x.rows_mut().into_iter().enumerate() {
            let (now, next) = ids[n * tables..].split_at(tables);
            let next = &next[..tables.min(next.len())];
            add_table_rows(self.rows.view(), now, next, x_n.as_slice_mut().expect("row-major")); // (1)
        }
        (x, Cache { ids })
    }

    /// `dx` (N, D) → what to add to the rows of `self.rows`, T of them for each row of dx.
    ///
    /// # Panics
    /// If `dx` has not a row for each token, as wide as the tables.
    pub fn backward(&self, cache: Cache, dx: Array2<F>) -> RowGrads<F> {
        let shape = (cache.ids.len() / self.tables(), self.rows.ncols());
        assert_eq!(dx.dim(), shape, "dx is shaped like x");
        RowGrads { ids: cache.ids, rows: dx } // (1'), summed by `add_to` or by the optimiser
    }

    /// Rows of the whole matrix for rows of the tables.
    fn rows_of(&self, ids: &[u32]) -> Vec<u32> {
        let n_tables = self.tables();
        assert!(ids.len().is_multiple_of(n_tables), "{} ids for {n_tables} tables", ids.len());
        let mut rows = Vec::with_capacity(ids.len());
        for token in ids.chunks_exact(n_tables) {
            for (t, &id) in token.iter().enumerate() {
                let row = self.places[t].start + id as usize;
                assert!(row < self.places[t].end, "row {id} of table {}", self.names[t]);
                rows.push(row as u32);
            }
        }
        rows
    }
}

impl<F: Real> Params<F> for SumEmbedding<F> {
    fn tensors(&self) -> Vec<(String, ArrayViewD<'_, F>)> {
        let tables = self.names.iter().enumerate();
        tables.map(|(t, name)| (name.clone(), self.table(t).into_dyn())).collect()
    }

    fn tensors_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, F>)> {
        let mut down: Vec<usize> = (0..self.tables()).collect();
        down.sort_by_key(|&t| (self.places[t].start, self.places[t].end));
        let mut tables = Vec::new();
        let mut rest = self.rows.view_mut();
        for t in down {
            let (table, below) = rest.split_at(Axis(0), self.places[t].len());
            tables.push((t, table));
            rest = below;
        }
        tables.sort_by_key(|(t, _)| *t);
        tables.into_iter().map(|(t, table)| (self.names[t].clone(), table.into_dyn())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck::{assert_gradients, gradcheck, weighted_sum};
    use crate::testing::normal;

    const TABLES: [(&str, usize); 3] = [("words", 4), ("endings", 2), ("shapes", 3)];
    const D: usize = 3;

    fn layer() -> SumEmbedding<f64> {
        SumEmbedding { rows: normal(0, 9, D).into(), ..SumEmbedding::zeros(&TABLES, D) }
    }

    #[test]
    fn backward_agrees_with_central_differences_also_where_ids_repeat() {
        let layer = layer();
        for ids in [&[3, 1, 0][..], &[3, 1, 0, 0, 1, 2, 3, 0, 2, 3, 1, 0]] {
            let r = normal(1, ids.len() / 3, D);
            let mut grads = layer.zeros_like();
            let (_, cache) = layer.forward(ids);
            let rows = layer.backward(cache, r.clone());
            assert_eq!(rows.per_row(), 3);
            rows.add_to(&mut grads.rows);
            let loss = |l: &SumEmbedding<f64>| weighted_sum(&l.forward(ids).0, &r);
            let checks = gradcheck(&layer, &grads, loss);
            assert_eq!(
                checks.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(),
                TABLES.map(|t| t.0)
            );
            assert_gradients(&checks, 1e-8);
            assert_eq!(grads.table(0).row(1).sum(), 0.0, "word 1 does not occur");
        }
    }

    #[test]
    fn a_token_is_the_sum_of_a_row_of_each_table() {
        let layer = layer();
        let (x, _) = layer.forward(&[3, 1, 0]);
        let want = &layer.table(0).row(3) + &layer.table(1).row(1) + layer.table(2).row(0);
        assert!((&x.row(0) - &want).iter().all(|d| d.abs() < 1e-15));
        assert_eq!(layer.forward(&[]).0.dim(), (0, D));
    }

    #[test]
    fn the_first_table_begins_as_it_would_alone_and_no_two_begin_alike() {
        let layer = SumEmbedding::<f32>::new(&TABLES, D, 5, 0);
        let alone = SumEmbedding::<f32>::new(&TABLES[..1], D, 5, 0);
        assert_eq!(layer.table(0), alone.rows);
        assert_ne!(layer.table(0).row(0), layer.table(1).row(0));
        assert!(layer.rows.iter().all(|w| w.abs() <= 0.05 && *w != 0.0));
    }

    #[test]
    fn borrowed_tables_may_lie_in_another_order_and_become_our_own_when_changed() {
        let own = layer();
        // words 0..4, endings 4..6, shapes 6..9 in the order shapes, words, endings
        let order = [6, 7, 8, 0, 1, 2, 3, 4, 5];
        let there: &'static Array2<f64> = Box::leak(Box::new(own.rows.select(Axis(0), &order)));
        let mut borrowed = SumEmbedding::<f64>::zeros(&TABLES, D);
        borrowed.borrow(there.view(), vec![3..7, 7..9, 0..3]);
        let ids = [3, 1, 0, 0, 0, 2];
        assert_eq!(borrowed.forward(&ids).0, own.forward(&ids).0);
        let same =
            |a: &SumEmbedding<f64>| a.tensors().iter().zip(own.tensors()).all(|(a, b)| *a == b);
        assert!(same(&borrowed));
        assert_eq!(borrowed.in_order(), own.rows);
        assert_eq!(own.in_order(), own.rows);
        let mut copy = borrowed.clone();
        for ((name, mut to), (own_name, _)) in copy.tensors_mut().into_iter().zip(own.tensors()) {
            assert_eq!(name, own_name);
            to += 1.0;
        }
        assert_eq!(copy.table(1).row(1), own.table(1).row(1).mapv(|v| v + 1.0));
        assert!(same(&borrowed), "what was borrowed is unchanged");
    }

    #[test]
    #[should_panic(expected = "row 2 of table endings")]
    fn a_row_past_the_end_of_its_table_is_refused_though_the_next_table_has_it() {
        layer().forward(&[0, 2, 0]);
    }
}
