//! Bidirectional LSTM: one layer reads from the left, one from the right, side by side.
//!
//! ```text
//! (1)  y = [→h ←h]                         (N, 2H)
//! (1') d→h = dy[:, ..H]   d←h = dy[:, H..]    dx = →dx + ←dx
//! ```

use ndarray::{Array2, Axis};
use tensor::{Real, both, scratch};

use crate::Params;
use crate::lstm::{self, Lstm, Masks};
use crate::packing::{Direction, Packing};
use crate::params::within;

/// Weights of both directions.
#[derive(Clone, Debug)]
pub struct BiLstm<F> {
    /// Reads from the first token to the last.
    pub forward: Lstm<F>,
    /// Reads from the last token to the first.
    pub backward: Lstm<F>,
}

/// What `backward` needs of `forward`: the caches of both directions.
#[derive(Debug)]
pub struct Cache<F> {
    pub(crate) forward: lstm::Cache<F>,
    pub(crate) backward: lstm::Cache<F>,
}

impl<F: Real> Params<F> for BiLstm<F> {
    fn tensors(&self) -> Vec<(String, ndarray::ArrayViewD<'_, F>)> {
        let backward = within("backward", self.backward.tensors());
        [within("forward", self.forward.tensors()), backward].into_iter().flatten().collect()
    }

    fn tensors_mut(&mut self) -> Vec<(String, ndarray::ArrayViewMutD<'_, F>)> {
        let backward = within("backward", self.backward.tensors_mut());
        [within("forward", self.forward.tensors_mut()), backward].into_iter().flatten().collect()
    }

    fn add_slices<'a>(&'a self, all: &mut Vec<&'a [F]>) {
        [&self.forward, &self.backward].into_iter().for_each(|layer| layer.add_slices(all));
    }

    fn add_slices_mut<'a>(&'a mut self, all: &mut Vec<&'a mut [F]>) {
        let layers = [&mut self.forward, &mut self.backward];
        layers.into_iter().for_each(|layer| layer.add_slices_mut(all));
    }
}

impl<F: Real> BiLstm<F> {
    /// Initial weights as in [`Lstm::new`]; `index` and the number after it name the two directions.
    pub fn new(n_in: usize, n_hidden: usize, seed: u64, index: u16) -> Self {
        let forward = Lstm::new(n_in, n_hidden, seed, index);
        let backward = Lstm::new(n_in, n_hidden, seed, index + 1);
        Self { forward, backward }
    }

    /// `x` (N, D) → y (N, 2H). `masks` are those of the forward and of the backward direction.
    ///
    /// # Panics
    /// If `x` is not (N, D), or a mask does not fit it.
    pub fn forward(
        &self,
        x: Array2<F>,
        packing: &Packing,
        masks: [Masks<F>; 2],
    ) -> (Array2<F>, Cache<F>) {
        let [there, back] = masks;
        let copy = scratch::copy(&x.view());
        let rooms = (self.forward.room(packing), self.backward.room(packing));
        let ((h_there, forward), (h_back, backward)) = both(
            || self.forward.forward_in(rooms.0, copy, packing, Direction::Forward, there),
            || self.backward.forward_in(rooms.1, x, packing, Direction::Backward, back),
        );
        (side_by_side(h_there, h_back), Cache { forward, backward })
    }

    /// `dy` (N, 2H) → dx (N, D). Adds to `grads`.
    ///
    /// # Panics
    /// If `dy` is not (N, 2H).
    pub fn backward(&self, cache: Cache<F>, dy: &Array2<F>, grads: &mut Self) -> Array2<F> {
        let Cache { forward: mut there, backward: mut back } = cache;
        let shape = (dy.nrows(), self.forward.n_in());
        let [mut dx, mut dx_back] = [(); 2].map(|()| scratch::take(shape));
        let (dh_there, dh_back) = dy.view().split_at(Axis(1), self.forward.n_hidden()); // (1')
        both(
            || self.forward.backward_in(&mut dx, &mut there, dh_there, &mut grads.forward),
            || self.backward.backward_in(&mut dx_back, &mut back, dh_back, &mut grads.backward),
        );
        [there, back].into_iter().for_each(lstm::Cache::give_back);
        dx += &dx_back;
        scratch::give(dx_back);
        dx
    }

    /// The same shapes, all 0, to be filled.
    pub fn zeros(n_in: usize, n_hidden: usize) -> Self {
        let [forward, backward] = [(); 2].map(|()| Lstm::zeros(n_in, n_hidden));
        Self { forward, backward }
    }

    /// Width of the output, 2H.
    pub fn n_out(&self) -> usize {
        2 * self.forward.n_hidden()
    }
}

/// (1): the states of both directions, each (N, H) → y (N, 2H).
pub(crate) fn side_by_side<F: Real>(h_there: Array2<F>, h_back: Array2<F>) -> Array2<F> {
    let (n, n_hidden) = h_there.dim();
    let mut y = scratch::take((n, 2 * n_hidden));
    let (mut left, mut right) = y.view_mut().split_at(Axis(1), n_hidden);
    left.assign(&h_there);
    right.assign(&h_back);
    scratch::give(h_there);
    scratch::give(h_back);
    y
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck::{assert_gradients, gradcheck, gradcheck_input, weighted_sum};
    use crate::testing::{LENGTHS, normal, vector};
    use ndarray::{concatenate, s};

    const D: usize = 3;
    const H: usize = 2;

    fn lstm(which: u32) -> Lstm<f64> {
        let [w_ih, w_hh] = [normal(which, 4 * H, D), normal(which + 1, 4 * H, H)];
        Lstm { w_ih, w_hh, b: vector(which + 2, 4 * H) }
    }

    #[test]
    fn backward_agrees_with_central_differences() {
        let layer = BiLstm { forward: lstm(0), backward: lstm(10) };
        for lengths in LENGTHS {
            let packing = Packing::new(lengths.to_vec());
            let (x, r) = (normal(20, packing.rows(), D), normal(21, packing.rows(), 2 * H));
            let run = |l: &BiLstm<f64>, x: &Array2<f64>| {
                l.forward(x.clone(), &packing, Default::default())
            };
            let mut grads = layer.zeros_like();
            let dx = layer.backward(run(&layer, &x).1, &r, &mut grads);
            let mut checks = gradcheck(&layer, &grads, |l| weighted_sum(&run(l, &x).0, &r));
            checks.push(gradcheck_input("dx", &x, &dx, |x| weighted_sum(&run(&layer, x).0, &r)));
            assert_gradients(&checks, 1e-8);
        }
    }

    #[test]
    fn the_last_token_of_a_short_sentence_starts_the_backward_walk_from_nothing() {
        // Alone or beside a longer sentence, its rows are the same.
        let layer = BiLstm { forward: lstm(0), backward: lstm(10) };
        let x = normal(20, 5, D); // lengths 3 and 2: rows 0 1 | 2 3 | 4
        let both = layer.forward(x.clone(), &Packing::new(vec![3, 2]), Default::default()).0;
        let short = concatenate(Axis(0), &[x.slice(s![1..2, ..]), x.slice(s![3..4, ..])]).unwrap();
        let alone = layer.forward(short, &Packing::new(vec![2]), Default::default()).0;
        assert_eq!(both.row(1), alone.row(0));
        assert_eq!(both.row(3), alone.row(1));
    }
}
