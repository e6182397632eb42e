//! Tables of which a batch touches few rows: their gradients summed, their Adam.
//!
//! A word table holds most of a tagger's weights and a batch of 32 sentences touches some 400 of its
//! 35,000 rows. Updating only those ("lazy", as `torch.optim.SparseAdam`) differs from the dense rule
//! of Keras, under which an untouched row still moves along its fading m: equations (1)–(4) of
//! [`crate::adam`] with g = 0. Both are here: [`RowAdam::update_touched`], [`RowAdam::update_all`].

use ndarray::{Array2, ArrayBase, DataMut, Ix2};
use nn::embedding::RowGrads;
use rayon::prelude::*;
use tensor::{AdamRates, Real, adam_update, prefetch, sum_of_squares, vectorised};

/// The gradient of a table over a whole batch: each touched row once, in the order of first touch.
#[derive(Clone, Debug)]
pub struct SummedRows<F> {
    /// (U) rows of the table, each once.
    pub ids: Vec<u32>,
    /// (U, D) the sum of their gradients.
    pub rows: Array2<F>,
}

impl<F> Default for SummedRows<F> {
    fn default() -> Self {
        let nothing = Array2::from_shape_vec((0, 0), Vec::new()).expect("no numbers, no places");
        Self { ids: Vec::new(), rows: nothing }
    }
}

/// Sums the rows of shards; kept from batch to batch, with its lists.
#[derive(Clone, Debug)]
pub struct Summer {
    /// (V) 1 + place among the touched rows, 0 for an untouched one.
    place: Vec<u32>,
    /// (U + 1) where the gradients of each touched row stand in `sources`, and the end.
    starts: Vec<u32>,
    /// (U) where the next gradient of each touched row is to be written.
    next: Vec<u32>,
    /// Shard and row of every gradient, those of a touched row together, in the order of the shards.
    sources: Vec<(u32, u32)>,
}

/// Touched rows that one task works on at a time.
const CHUNK: usize = 64;

/// Blocks that a table is cut into to update it.
const BLOCKS: usize = 64;

/// Rows between the one that is updated and the one that is asked for: some 200 ns of work.
const AHEAD: usize = 6;

impl Summer {
    /// For a table of `n` rows.
    pub fn new(n: usize) -> Self {
        let [starts, next] = [(); 2].map(|()| Vec::new());
        Self { place: vec![0; n], starts, next, sources: Vec::new() }
    }

    /// Sums the gradients of `shards`, in their order and within each from the first row to the last.
    ///
    /// # Panics
    /// If an id is not a row of the table.
    pub fn sum<F: Real>(&mut self, shards: &[&RowGrads<F>]) -> SummedRows<F> {
        let mut sum = SummedRows::default();
        self.sum_into(&mut sum, shards);
        sum
    }

    /// As [`Summer::sum`], into the memory of an earlier sum.
    ///
    /// # Panics
    /// If an id is not a row of the table.
    pub fn sum_into<F: Real>(&mut self, sum: &mut SummedRows<F>, shards: &[&RowGrads<F>]) {
        let SummedRows { ids, rows } = std::mem::take(sum);
        let (mut ids, (mut rows, _)) = (ids, rows.into_raw_vec_and_offset());
        self.find(shards, &mut ids);
        let width = shards.first().map_or(0, |s| s.rows.ncols());
        rows.clear();
        rows.resize(ids.len() * width, F::zero());

        let Self { starts, sources, .. } = &*self;
        let grads: Vec<&[F]> =
            shards.iter().map(|s| s.rows.as_slice().expect("row-major")).collect();
        let grad =
            |&(shard, row): &(u32, u32)| &grads[shard as usize][row as usize * width..][..width];
        rows.par_chunks_mut((CHUNK * width).max(1)).enumerate().for_each(|(chunk, rows)| {
            vectorised(
                #[inline(always)]
                || {
                    for (u, sum) in rows.chunks_exact_mut(width).enumerate() {
                        let u = chunk * CHUNK + u;
                        for source in &sources[starts[u] as usize..starts[u + 1] as usize] {
                            sum.iter_mut().zip(grad(source)).for_each(|(s, &g)| *s += g);
                        }
                    }
                },
            );
        });
        let shape = (ids.len(), width);
        let rows = Array2::from_shape_vec(shape, rows).expect("a row for each id");
        *sum = SummedRows { ids, rows };
    }

    /// Puts the touched rows into `ids`, in the order of first touch, and finds the sources of each.
    fn find<F: Real>(&mut self, shards: &[&RowGrads<F>], ids: &mut Vec<u32>) {
        let Self { place, starts, next, sources } = self;
        ids.clear();
        next.clear();
        for &id in shards.iter().flat_map(|s| &s.ids) {
            let place = &mut place[id as usize];
            if *place == 0 {
                ids.push(id);
                next.push(0);
                *place = ids.len() as u32;
            }
            next[*place as usize - 1] += 1;
        }
        // From how many each has to where they begin.
        starts.clear();
        let mut total = 0;
        for next in next.iter_mut() {
            starts.push(total);
            total += std::mem::replace(next, total);
        }
        starts.push(total);
        sources.resize(total as usize, (0, 0));
        for (s, shard) in shards.iter().enumerate() {
            let per_row = shard.per_row();
            for (r, &id) in shard.ids.iter().enumerate() {
                let at = &mut next[place[id as usize] as usize - 1];
                sources[*at as usize] = (s as u32, (r / per_row) as u32);
                *at += 1;
            }
        }
        ids.iter().for_each(|&id| place[id as usize] = 0);
    }
}

impl<F: Real> SummedRows<F> {
    /// Σ g² over the touched rows.
    pub fn squared_norm(&self) -> f64 {
        sum_of_squares(self.rows.as_slice().expect("row-major"))
    }
}

/// Both moments of a table.
#[derive(Clone, Debug)]
pub struct RowAdam<F> {
    /// (V, D) mean of the gradients.
    pub m: Array2<F>,
    /// (V, D) mean of their squares.
    pub v: Array2<F>,
}

impl<F: Real> RowAdam<F> {
    /// Moments of 0 for a table of this shape (V, D).
    pub fn new(shape: (usize, usize)) -> Self {
        Self { m: Array2::zeros(shape), v: Array2::zeros(shape) }
    }

    /// Adam, equations (1)–(4) of [`crate::adam`], for the touched rows of `table` (V, D); the others, and their
    /// moments, stay as they are. The result does not depend on the number of threads.
    ///
    /// ```
    /// use optim::{AdamKind, AdamSettings, rows::{RowAdam, Summer}};
    /// let mut words = nn::embedding::Embedding { table: ndarray::array![[1.0f64], [1.0], [1.0]] };
    /// let shard = words.backward(&[2, 0, 2], ndarray::array![[0.5], [-3.0], [0.25]]);
    /// let grads = Summer::new(3).sum(&[&shard]); // rows 2 and 0, in the order of first touch
    /// let rates = AdamSettings::new(AdamKind::PyTorch).rates(1, 0.1, 1.0);
    /// RowAdam::new((3, 1)).update_touched(&mut words.table, &grads, &rates);
    /// let want = ndarray::array![[1.1], [1.0], [0.9]]; // the first step has the size of the rate
    /// assert!(words.table.iter().zip(&want).all(|(w, v): (&f64, &f64)| (w - v).abs() < 1e-6));
    /// ```
    ///
    /// # Panics
    /// If a touched row is not in the table, or moments or gradients have another width.
    pub fn update_touched(
        &mut self,
        table: &mut ArrayBase<impl DataMut<Elem = F>, Ix2>,
        grads: &SummedRows<F>,
        rates: &AdamRates<F>,
    ) {
        // Blocks of rows are worked on side by side; within a block, the touched rows in turn.
        let (n, width) = table.dim();
        let per_block = n.div_ceil(BLOCKS).max(1);
        let touched = Touched::new(&grads.ids, per_block);
        let w = par_blocks(table, per_block);
        let [m, v] = [&mut self.m, &mut self.v].map(|a| par_blocks(a, per_block));
        w.zip(m).zip(v).enumerate().for_each(|(block, ((w, m), v))| {
            let touched = touched.of(block);
            let place = |u: u32| {
                let row = grads.ids[u as usize] as usize - block * per_block;
                row * width..(row + 1) * width
            };
            for (i, &u) in touched.iter().enumerate() {
                if let Some(&soon) = touched.get(i + AHEAD) {
                    let soon = place(soon);
                    prefetch(&w[soon.clone()]);
                    prefetch(&m[soon.clone()]);
                    prefetch(&v[soon]);
                }
                let (at, g) = (place(u), grads.rows.row(u as usize));
                let g = g.to_slice().expect("row-major");
                adam_update(&mut w[at.clone()], &mut m[at.clone()], &mut v[at], g, rates);
            }
        });
    }

    /// Adam for every row of `table` (V, D), as Keras does it: an untouched row has gradient 0 and moves along its
    /// fading m. The result does not depend on the number of threads.
    ///
    /// # Panics
    /// As [`RowAdam::update_touched`].
    pub fn update_all(
        &mut self,
        table: &mut ArrayBase<impl DataMut<Elem = F>, Ix2>,
        grads: &SummedRows<F>,
        rates: &AdamRates<F>,
    ) {
        let (n, width) = table.dim();
        let mut place = vec![u32::MAX; n];
        grads.ids.iter().enumerate().for_each(|(u, &id)| place[id as usize] = u as u32);
        let zero = vec![F::zero(); width];
        let w = table.as_slice_mut().expect("row-major").par_chunks_mut(width);
        let m = self.m.as_slice_mut().expect("row-major").par_chunks_mut(width);
        let v = self.v.as_slice_mut().expect("row-major").par_chunks_mut(width);
        w.zip(m).zip(v).zip(&place).with_min_len(CHUNK).for_each(|(((w, m), v), &u)| {
            let g = if u == u32::MAX { None } else { Some(grads.rows.row(u as usize)) };
            let g = g.as_ref().map_or(&zero[..], |g| g.to_slice().expect("row-major"));
            adam_update(w, m, v, g, rates);
        });
    }
}

/// Touched rows, sorted by the block of the table that they lie in.
struct Touched {
    /// (U) places among the touched rows, those of a block together and in their order.
    order: Vec<u32>,
    /// Where each block's begin, and the end.
    starts: Vec<u32>,
}

impl Touched {
    fn new(ids: &[u32], per_block: usize) -> Self {
        let block = |id: u32| id as usize / per_block;
        let mut starts = vec![0; BLOCKS + 1];
        ids.iter().for_each(|&id| starts[block(id) + 1] += 1);
        for b in 0..BLOCKS {
            starts[b + 1] += starts[b];
        }
        let (mut order, mut next) = (vec![0; ids.len()], starts.clone());
        for (u, &id) in ids.iter().enumerate() {
            let at = &mut next[block(id)];
            order[*at as usize] = u as u32;
            *at += 1;
        }
        Self { order, starts }
    }

    fn of(&self, block: usize) -> &[u32] {
        &self.order[self.starts[block] as usize..self.starts[block + 1] as usize]
    }
}

/// `a` in blocks of so many rows.
fn par_blocks<F: Real>(
    a: &mut ArrayBase<impl DataMut<Elem = F>, Ix2>,
    per_block: usize,
) -> impl IndexedParallelIterator<Item = &mut [F]> {
    let numbers = (per_block * a.ncols()).max(1);
    a.as_slice_mut().expect("row-major").par_chunks_mut(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adam::{AdamKind, AdamSettings};
    use ndarray::array;

    fn shard(ids: &[u32], rows: Array2<f64>) -> RowGrads<f64> {
        RowGrads { ids: ids.to_vec(), rows }
    }

    #[test]
    fn rows_of_all_shards_are_summed_and_the_summer_can_be_used_again() {
        let a = shard(&[3, 1, 3], array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
        let b = shard(&[0, 1], array![[7.0, 8.0], [9.0, 10.0]]);
        let mut summer = Summer::new(4);
        for _ in 0..2 {
            let sum = summer.sum(&[&a, &b]);
            assert_eq!(sum.ids, [3, 1, 0]);
            assert_eq!(sum.rows, array![[6.0, 8.0], [12.0, 14.0], [7.0, 8.0]]);
            assert_eq!(sum.squared_norm(), 36. + 64. + 144. + 196. + 49. + 64.);
        }
        let mut dense = Array2::zeros((4, 2));
        a.add_to(&mut dense);
        b.add_to(&mut dense);
        assert_eq!(dense.row(1), summer.sum(&[&a, &b]).rows.row(1));
    }

    #[test]
    fn many_rows_are_summed_as_the_plain_sum_has_them() {
        let n = 1000;
        let ids: Vec<u32> = (0..n).map(|i| (i * 7919) % 300).collect();
        let rows = Array2::from_shape_fn((n as usize, 3), |(i, j)| (i * 3 + j) as f64);
        let grads = shard(&ids, rows);
        let sum = Summer::new(300).sum(&[&grads]);
        let mut dense = Array2::zeros((300, 3));
        grads.add_to(&mut dense);
        for (u, &id) in sum.ids.iter().enumerate() {
            assert_eq!(sum.rows.row(u), dense.row(id as usize));
        }
    }

    #[test]
    fn several_ids_may_share_a_row_of_gradients() {
        let grads = shard(&[3, 1, 1, 0], array![[1.0, 2.0], [3.0, 4.0]]);
        let sum = Summer::new(4).sum(&[&grads]);
        assert_eq!(sum.ids, [3, 1, 0]);
        assert_eq!(sum.rows, array![[1.0, 2.0], [4.0, 6.0], [3.0, 4.0]]);
    }

    #[test]
    fn the_lazy_rule_leaves_untouched_rows_alone_and_the_dense_rule_moves_them_on() {
        let settings = AdamSettings::new(AdamKind::Keras);
        let start = array![[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]];
        let mut summer = Summer::new(3);
        let batches =
            [&[1u32, 0][..], &[1]].map(|ids| shard(ids, Array2::from_elem((ids.len(), 2), 0.5)));
        let [mut lazy, mut dense] = [(); 2].map(|()| (start.clone(), RowAdam::new((3, 2))));
        for (t, batch) in (1..).zip(&batches) {
            let rates = settings.rates::<f64>(t, 0.1, 1.0);
            let grads = summer.sum(&[batch]);
            lazy.1.update_touched(&mut lazy.0, &grads, &rates);
            dense.1.update_all(&mut dense.0, &grads, &rates);
        }
        assert_eq!(lazy.0.row(1), dense.0.row(1)); // touched by both batches
        assert_eq!(lazy.0.row(2), start.row(2)); // by none
        assert_eq!(dense.0.row(2), start.row(2));
        let once = 1.0 - lazy.0[[0, 0]]; // by the first: one step of 0.1, then none
        assert!((once - 0.1).abs() < 1e-5);
        assert!(1.0 - dense.0[[0, 0]] > once + 0.01); // m goes on
    }
}
