//! LSTM layer: the walk of a cell through time, over sentences of different lengths.
//!
//! ```text
//! N tokens · B sentences · D input · H hidden · n_t sentences run at step t · dv is ∂L/∂v
//! h', c' are h, c one step earlier in the walk: the step before (forward) or after (backward)
//! m_x (B, D) and m_h (B, H) are dropout masks, one a sentence for all its steps, or absent; m_x may
//! also be one a token (N, D)
//!
//! (1)  x̂ = x ⊙ m_x                  (N, D)   all steps at once
//! (2)  a = x̂ W_ihᵀ + b              (N, 4H)  all steps at once
//! for each step t of the walk:
//! (3)  ĥ_t = h' ⊙ m_h               (n_t, H)  0 for sentences that start here
//! (4)  a_t += ĥ_t W_hhᵀ             (n_t, 4H)
//! (5)  h_t, c_t = cell(a_t, c')     (n_t, H)  `lstm_cell`
//! (6)  y_t = h_t, which the next step of the walk reads, too
//!
//! for each step t, against the walk; the step after left dh and dc, which are 0 where the walk ends:
//! (6') dh_t = dy_t + dh
//! (5') da_t, dc' = cell'(dh_t, dc)
//! (4') dĥ_t = da_t W_hh
//! (3') dh' = dĥ_t ⊙ m_h             dh' and dc' are dh and dc of the step before
//! all steps at once:
//! (4') dW_hh += daᵀ ĥ               (4H, H)
//! (2') dW_ih += daᵀ x̂   db += Σ_N da   dx̂ = da W_ih
//! (1') dx = dx̂ ⊙ m_x
//! ```
//!
//! The large products stand outside the loop; inside it there is one product a step, which has to
//! wait for the step before. Rows are laid out as in [`crate::packing`].

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, Axis, s};
use tensor::random::{Purpose, Stream};
use tensor::scratch::{self, Lent};
use tensor::{
    LstmKernel, LstmStep, Real, add_dot, add_rows, dot_bias_into, dot_into, init, vectorised,
};

use crate::packing::{Direction, Packing};
use crate::{dropout, lstm_cell, params};

/// Weights, in PyTorch's layout and gate order i f g o. One bias: PyTorch's two always add up.
#[derive(Clone, Debug)]
pub struct Lstm<F> {
    /// (4H, D)
    pub w_ih: Array2<F>,
    /// (4H, H)
    pub w_hh: Array2<F>,
    /// (4H)
    pub b: Array1<F>,
}

params!(Lstm { w_ih, w_hh, b });

/// Dropout masks, already scaled by 1/(1 − p); row r is sentence r. The default is none.
#[derive(Clone, Debug)]
pub struct Masks<F> {
    /// (B, D), or (N, D) for a mask a token, on the layer's input.
    pub input: Option<Array2<F>>,
    /// (B, H), on the h that goes into the next step's product; the layer's output is whole.
    pub recurrent: Option<Array2<F>>,
}

impl<F> Default for Masks<F> {
    fn default() -> Self {
        Self { input: None, recurrent: None }
    }
}

/// What `backward` needs of `forward`, and nothing else.
#[derive(Debug)]
pub struct Cache<F> {
    packing: Packing,
    pub(crate) direction: Direction,
    masks: Masks<F>,
    x: Lent<F>,                 // (N, D)  x̂, for dW_ih
    h_prev: Lent<F>,            // (N, H)  ĥ, for dW_hh
    pub(crate) gates: Lent<F>,  // (N, 4H) i f g o
    pub(crate) c: Lent<F>,      // (N, H)  for df of the next step
    pub(crate) tanh_c: Lent<F>, // (N, H)
}

/// What [`Lstm::forward`] writes into. Whoever shares work with another thread takes it for both, so that a thread
/// that helps gives no memory away and gathers none.
pub(crate) struct Room<F> {
    gates: Array2<F>,       // (N, 4H)
    states: [Array2<F>; 4], // (N, H)
}

/// What a walk leaves behind besides h, as in [`Cache`].
pub(crate) struct Walked<F> {
    h_prev: Lent<F>,
    gates: Lent<F>,
    c: Lent<F>,
    tanh_c: Lent<F>,
}

impl<F: Real> Room<F> {
    /// Around the memory of the gates (N, 4H).
    pub fn new(gates: Array2<F>) -> Self {
        let (n, wide) = gates.dim();
        Self { gates, states: [(); 4].map(|()| scratch::take((n, wide / 4))) }
    }
}

impl<F: Real> Lstm<F> {
    /// Keras's initial weights: Glorot-uniform input weights, orthogonal recurrent weights, bias 0
    /// but 1 for the forget gate (Jozefowicz, Zaremba, Sutskever 2015). `index` names the layer.
    pub fn new(n_in: usize, n_hidden: usize, seed: u64, index: u16) -> Self {
        let mut stream = Stream::numbered(seed, Purpose::Weights, index, 0, 0);
        let w_ih = init::glorot_uniform(4 * n_hidden, n_in, &mut stream);
        let w_hh = init::orthogonal(4 * n_hidden, n_hidden, &mut stream);
        let mut b = Array1::zeros(4 * n_hidden);
        b.slice_mut(s![n_hidden..2 * n_hidden]).fill(F::one());
        Self { w_ih, w_hh, b }
    }

    /// The same shapes, all 0, to be filled.
    pub fn zeros(n_in: usize, n_hidden: usize) -> Self {
        let [w_ih, w_hh] = [n_in, n_hidden].map(|columns| Array2::zeros((4 * n_hidden, columns)));
        Self { w_ih, w_hh, b: Array1::zeros(4 * n_hidden) }
    }

    /// Width of the input, D.
    pub fn n_in(&self) -> usize {
        self.w_ih.ncols()
    }

    /// Width of the state and the output, H.
    pub fn n_hidden(&self) -> usize {
        self.w_hh.ncols()
    }

    /// `x` (N, D) → h (N, H), both laid out by `packing`.
    ///
    /// ```
    /// use nn::{Direction, Packing, lstm::{Lstm, Masks}};
    /// let layer = Lstm::<f32>::new(4, 8, 1, 0);
    /// let packing = Packing::new(vec![3, 1]); // two sentences, four tokens
    /// let x = ndarray::Array2::zeros((4, 4));
    /// let (h, _) = layer.forward(x, &packing, Direction::Forward, Masks::default());
    /// assert_eq!(h.dim(), (4, 8));
    /// ```
    ///
    /// # Panics
    /// If `x` is not (N, D), or a mask does not fit it.
    pub fn forward(
        &self,
        x: Array2<F>,
        packing: &Packing,
        direction: Direction,
        masks: Masks<F>,
    ) -> (Array2<F>, Cache<F>) {
        self.forward_in(self.room(packing), x, packing, direction, masks)
    }

    /// Room for the tokens of `packing`, from this thread's memory.
    pub(crate) fn room(&self, packing: &Packing) -> Room<F> {
        Room::new(scratch::take((packing.rows(), 4 * self.n_hidden())))
    }

    /// As [`Lstm::forward`].
    pub(crate) fn forward_in(
        &self,
        Room { mut gates, states }: Room<F>,
        mut x: Array2<F>,
        packing: &Packing,
        direction: Direction,
        masks: Masks<F>,
    ) -> (Array2<F>, Cache<F>) {
        assert_eq!(x.dim(), (packing.rows(), self.n_in()), "x is (tokens, input width)");
        if let Some(m_x) = &masks.input {
            dropout::apply(&mut x, m_x, packing); // (1)
        }
        if let Some(m_h) = &masks.recurrent {
            let shape = (packing.sentences(), self.n_hidden());
            assert_eq!(m_h.dim(), shape, "a recurrent mask is (sentences, hidden)");
        }
        dot_bias_into(&mut gates, &x, &self.w_ih.t(), &self.b); // (2)
        let kernel = LstmKernel::new(&self.w_hh);
        let room = Room { gates, states };
        let recurrent = masks.recurrent.as_ref();
        let (h, walk) = self.walk(room, kernel.as_ref(), packing, direction, recurrent);
        let Walked { h_prev, gates, c, tanh_c } = walk;
        let (packing, x) = (packing.clone(), x.into());
        (h, Cache { packing, direction, masks, x, h_prev, gates, c, tanh_c })
    }

    /// (3) to (5) at every step: the room's gates as (2) leaves them → h (N, H). `kernel` is that of `w_hh`.
    pub(crate) fn walk(
        &self,
        Room { mut gates, states }: Room<F>,
        kernel: Option<&LstmKernel>,
        packing: &Packing,
        direction: Direction,
        m_h: Option<&Array2<F>>,
    ) -> (Array2<F>, Walked<F>) {
        let [mut h_prev, mut c, mut tanh_c, mut h] = states;
        for step in direction.walk(packing) {
            let carried = step.rows.start..step.rows.start + step.carried();
            rows_mut(&mut h_prev, &carried).copy_from_slice(rows(&h, &step.prev)); // (3)
            rows_mut(&mut h_prev, &(carried.end..step.rows.end)).fill(F::zero());
            if let Some(m_h) = m_h {
                dropout::scale(rows_mut(&mut h_prev, &carried), m_h);
            }
            let (c_prev, c) = before_and_now(&mut c, &step.prev, &step.rows);
            let step = LstmStep {
                a: rows_mut(&mut gates, &step.rows),
                h_prev: rows(&h_prev, &carried),
                c_prev,
                c,
                tanh_c: rows_mut(&mut tanh_c, &step.rows),
                h: rows_mut(&mut h, &step.rows),
            };
            match kernel {
                Some(kernel) => kernel.step(step), // (4), (5)
                None => self.step(step),
            }
        }
        let [h_prev, gates, c, tanh_c] = [h_prev, gates, c, tanh_c].map(Lent::from);
        (h, Walked { h_prev, gates, c, tanh_c })
    }

    /// (4) and (5) one after the other. What the kernel makes of them in one pass has to agree.
    fn step(&self, step: LstmStep<'_, F>) {
        let LstmStep { a, h_prev, c_prev, c, tanh_c, h } = step;
        let n_hidden = self.n_hidden();
        let m = h_prev.len() / n_hidden;
        let shaped = "as many numbers as places";
        let h_prev = ArrayView2::from_shape((m, n_hidden), h_prev).expect(shaped);
        let a_m = &mut a[..m * 4 * n_hidden];
        let mut a_m = ArrayViewMut2::from_shape((m, 4 * n_hidden), a_m).expect(shaped);
        add_dot(&mut a_m, &h_prev, &self.w_hh.t()); // (4)
        lstm_cell::forward(n_hidden, a, c_prev, c, tanh_c, h); // (5)
    }

    /// `dy` (N, H), the gradient of the output → dx (N, D). Adds to `grads`.
    ///
    /// # Panics
    /// If `dy` is not (N, H).
    pub fn backward(
        &self,
        mut cache: Cache<F>,
        dy: ArrayView2<'_, F>,
        grads: &mut Self,
    ) -> Array2<F> {
        let mut dx = scratch::take(cache.x.dim());
        self.backward_in(&mut dx, &mut cache, dy, grads);
        cache.give_back();
        dx
    }

    /// As [`Lstm::backward`], into `dx`. What is left of the cache means nothing any more.
    pub(crate) fn backward_in(
        &self,
        dx: &mut Array2<F>,
        cache: &mut Cache<F>,
        dy: ArrayView2<'_, F>,
        grads: &mut Self,
    ) {
        let Cache { packing, direction, masks, x, h_prev, gates, c, tanh_c } = cache;
        let shape = (packing.sentences(), self.n_hidden());
        assert_eq!(dy.dim(), (packing.rows(), self.n_hidden()), "dy is shaped like h");
        // Row r is sentence r: its dh and dc on their way from step to step.
        let [mut dh, mut dc] = [(); 2].map(|()| Lent::from(scratch::zeros(shape)));
        for step in direction.walk(packing).rev() {
            let running = 0..step.running();
            add_to_rows(&mut dh, &dy.slice(s![step.rows.clone(), ..])); // (6')
            lstm_cell::backward(
                self.n_hidden(),
                rows_mut(gates, &step.rows),
                rows(c, &step.prev),
                rows(tanh_c, &step.rows),
                rows(&dh, &running),
                rows_mut(&mut dc, &running),
            ); // (5')
            // A sentence that started at this step is done: nothing reads its rows again.
            let carried = step.rows.start..step.rows.start + step.carried();
            let mut dh_prev = dh.slice_mut(s![..step.carried(), ..]);
            dot_into(&mut dh_prev, &gates.slice(s![carried, ..]), &self.w_hh); // (4')
            if let Some(m_h) = &masks.recurrent {
                dropout::scale(rows_mut(&mut dh, &(0..step.carried())), m_h); // (3')
            }
        }
        let da = &**gates;
        add_dot(&mut grads.w_hh, &da.t(), &**h_prev); // (4')
        add_dot(&mut grads.w_ih, &da.t(), &**x); // (2')
        add_rows(&mut grads.b, da); // (2')
        dot_into(dx, da, &self.w_ih); // (2')
        if let Some(m_x) = &masks.input {
            dropout::apply(dx, m_x, packing); // (1')
        }
    }
}

impl<F: Real> Cache<F> {
    /// Gives the masks' memory to this thread, as everything else goes back when it is dropped.
    pub(crate) fn give_back(self) {
        let Masks { input, recurrent } = self.masks;
        [input, recurrent].into_iter().flatten().for_each(scratch::give);
    }
}

/// The first rows of `to` (B, H) += `rows` (n, H).
fn add_to_rows<F: Real>(to: &mut Array2<F>, rows: &ArrayView2<'_, F>) {
    let width = to.ncols();
    let to = to.as_slice_mut().expect("row-major").chunks_exact_mut(width);
    vectorised(
        #[inline(always)]
        || {
            for (to, row) in to.zip(rows.rows()) {
                let row = row.to_slice().expect("rows lie in one piece");
                to.iter_mut().zip(row).for_each(|(to, &v)| *to += v);
            }
        },
    );
}

fn rows<'a, F>(a: &'a Array2<F>, rows: &Range<usize>) -> &'a [F] {
    let width = a.len_of(Axis(1));
    &a.as_slice().expect("row-major")[rows.start * width..rows.end * width]
}

fn rows_mut<'a, F>(a: &'a mut Array2<F>, rows: &Range<usize>) -> &'a mut [F] {
    let width = a.len_of(Axis(1));
    &mut a.as_slice_mut().expect("row-major")[rows.start * width..rows.end * width]
}

/// The rows of the step before, to read, and of this step, to write: they never overlap.
fn before_and_now<'a, F>(
    a: &'a mut Array2<F>,
    before: &Range<usize>,
    now: &Range<usize>,
) -> (&'a [F], &'a mut [F]) {
    let width = a.len_of(Axis(1));
    let all = a.as_slice_mut().expect("row-major");
    if before.end <= now.start {
        let (head, tail) = all.split_at_mut(now.start * width);
        (&head[before.start * width..before.end * width], &mut tail[..now.len() * width])
    } else {
        let (head, tail) = all.split_at_mut(now.end * width);
        let skip = before.start - now.end;
        (&tail[skip * width..(skip + before.len()) * width], &mut head[now.start * width..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck::{assert_gradients, gradcheck, gradcheck_input, weighted_sum};
    use crate::params::Params;
    use crate::testing::{LENGTHS, normal, vector};

    const D: usize = 3;
    const H: usize = 2;

    fn layer() -> Lstm<f64> {
        Lstm { w_ih: normal(0, 4 * H, D), w_hh: normal(1, 4 * H, H), b: vector(2, 4 * H) }
    }

    fn check(lengths: &[usize], direction: Direction, masks: &Masks<f64>) {
        let (layer, packing) = (layer(), Packing::new(lengths.to_vec()));
        let (x, r) = (normal(3, packing.rows(), D), normal(4, packing.rows(), H));
        let run = |l: &Lstm<f64>, x: &Array2<f64>| {
            l.forward(x.clone(), &packing, direction, masks.clone())
        };
        let mut grads = layer.zeros_like();
        let dx = layer.backward(run(&layer, &x).1, r.view(), &mut grads);
        let mut checks = gradcheck(&layer, &grads, |l| weighted_sum(&run(l, &x).0, &r));
        checks.push(gradcheck_input("dx", &x, &dx, |x| weighted_sum(&run(&layer, x).0, &r)));
        assert_gradients(&checks, 1e-8);
    }

    #[test]
    fn backward_agrees_with_central_differences_on_ragged_lengths_in_both_directions() {
        for lengths in LENGTHS {
            for direction in [Direction::Forward, Direction::Backward] {
                check(lengths, direction, &Masks::default());
            }
        }
    }

    #[test]
    fn backward_agrees_with_central_differences_under_fixed_dropout_masks() {
        for lengths in LENGTHS {
            let (b, keep) = (lengths.len(), |v: f64| if v > -0.3 { 1.5 } else { 0.0 });
            let masks = Masks {
                input: Some(normal(5, b, D).mapv(keep)),
                recurrent: Some(normal(6, b, H).mapv(keep)),
            };
            for direction in [Direction::Forward, Direction::Backward] {
                check(lengths, direction, &masks);
            }
        }
    }

    #[test]
    #[should_panic(expected = "a recurrent mask is (sentences, hidden)")]
    fn a_recurrent_mask_of_another_shape_is_refused() {
        let masks = Masks { input: None, recurrent: Some(normal(6, 1, H)) };
        let (packing, x) = (Packing::new(vec![2, 1]), normal(3, 3, D));
        layer().forward(x, &packing, Direction::Forward, masks);
    }

    #[test]
    fn backward_adds_to_the_gradients_it_is_given() {
        let (layer, packing) = (layer(), Packing::new(vec![2, 1]));
        let x = normal(3, 3, D);
        let dy = normal(4, 3, H);
        let run = || layer.forward(x.clone(), &packing, Direction::Forward, Masks::default()).1;
        let mut once = layer.zeros_like();
        layer.backward(run(), dy.view(), &mut once);
        let mut twice = layer.zeros_like();
        layer.backward(run(), dy.view(), &mut twice);
        layer.backward(run(), dy.view(), &mut twice);
        assert!((&once.w_hh * 2.0 - &twice.w_hh).iter().all(|d| d.abs() < 1e-14));
        assert!((&once.b * 2.0 - &twice.b).iter().all(|d| d.abs() < 1e-14));
    }

    #[test]
    fn walking_backward_over_a_sentence_is_walking_forward_over_it_reversed() {
        let (layer, x) = (layer(), normal(3, 6, D));
        let packing = Packing::new(vec![6]);
        let flip = |a: &Array2<f64>| a.slice(s![..;-1, ..]).as_standard_layout().into_owned();
        let run = |x: Array2<f64>, d| layer.forward(x, &packing, d, Masks::default()).0;
        let back = run(x.clone(), Direction::Backward);
        assert_eq!(back, flip(&run(flip(&x), Direction::Forward)));
    }

    #[test]
    fn keras_initial_weights_have_their_shapes_and_a_forget_bias_of_one() {
        let l = Lstm::<f32>::new(64, 32, 1, 0);
        assert_eq!((l.w_ih.dim(), l.w_hh.dim(), l.b.len()), ((128, 64), (128, 32), 128));
        let ones: Vec<usize> = (0..128).filter(|&i| l.b[i] == 1.0).collect();
        assert_eq!(ones, (32..64).collect::<Vec<_>>());
        assert_eq!(l.b.sum(), 32.0);
    }
}
