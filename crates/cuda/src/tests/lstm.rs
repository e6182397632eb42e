//! The LSTM, both ways through it: whole walks in one launch, and a launch a step.

use ndarray::{Array2, s};
use nn::lstm::{Lstm, Masks};
use nn::{Direction, Packing};

use super::*;
use crate::batch::first_rows;
use crate::layers::Layout;
use crate::{LayerShape, LstmWeights};

/// What a layer is given.
#[derive(Clone)]
pub(super) struct Case {
    shape: LayerShape,
    lengths: Vec<usize>,
    /// w_ih, w_hh, b of each direction.
    weights: Vec<[Vec<f32>; 3]>,
    x: Vec<f32>,
    dy: Vec<f32>,
    masks: Vec<Vec<f32>>,
}

/// What comes of it: y, then of each direction dx and the gradients of the weights.
#[derive(PartialEq)]
pub(super) struct Out {
    pub y: Vec<f32>,
    pub sides: Vec<[Vec<f32>; 4]>,
}

impl Out {
    fn bits(&self) -> Vec<u32> {
        let all = std::iter::once(&self.y).chain(self.sides.iter().flatten());
        all.flat_map(|numbers| bits(numbers)).collect()
    }
}

impl Case {
    pub fn new(n_hidden: usize, lengths: &[usize], masks: bool, seed: u64) -> Self {
        // Forget gates that remember, as trained ones do.
        Self::of_width(8, n_hidden, lengths, masks, 1.0, seed)
    }

    fn of_width(
        n_in: usize,
        n_hidden: usize,
        lengths: &[usize],
        masks: bool,
        forget: f32,
        seed: u64,
    ) -> Self {
        let tokens = lengths.iter().sum::<usize>();
        let draw = |which, len, scale| draw_by(seed, which, len, scale);
        let (h, k) = (n_hidden, 1.0 / (n_hidden as f64).sqrt());
        let side = |side: u32| {
            let b = draw(10 * side + 2, 4 * h, k);
            let b = b.iter().enumerate().map(|(i, b)| if i / h == 1 { b + forget } else { *b });
            let w_ih = draw(10 * side, 4 * h * n_in, k);
            [w_ih, draw(10 * side + 1, 4 * h * h, k), b.collect()]
        };
        let mask = |side: u32| {
            let drawn = draw(10 * side + 3, lengths.len() * h, 1.0);
            drawn.iter().map(|&v| if v > -0.4 { 1.25 } else { 0.0 }).collect()
        };
        Self {
            shape: LayerShape { n_in, n_hidden, both: true },
            lengths: lengths.to_vec(),
            weights: vec![side(1), side(2)],
            x: draw(30, tokens * n_in, 1.0),
            dy: draw(31, tokens * 2 * h, 1.0),
            masks: if masks { vec![mask(1), mask(2)] } else { vec![] },
        }
    }

    /// With blocks of one sentence and of four, which give the same bits.
    pub fn run(&self, e: &mut Engine) -> Out {
        e.one_a_block = Some(true);
        let one = self.run_so(e);
        e.one_a_block = Some(false);
        let four = self.run_so(e);
        assert!(one.bits() == four.bits(), "H = {}: one sentence a block", self.shape.n_hidden);
        four
    }

    fn run_so(&self, e: &mut Engine) -> Out {
        let tokens = self.x.len() / self.shape.n_in;
        let starts = first_rows(&self.lengths);
        let steps = starts.len() - 1;
        let starts = e.put_bits(&starts).at;
        let layout = Layout { starts, sentences: self.lengths.len(), steps, tokens };
        let put = |e: &mut Engine, [w_ih, w_hh, b]: &[Vec<f32>; 3]| LstmWeights {
            w_ih: e.put(w_ih),
            w_hh: e.put(w_hh),
            b: e.put(b),
        };
        let weights: Vec<_> = self.weights.iter().map(|w| put(e, w)).collect();
        let empty = |w: &[Vec<f32>; 3]| w.each_ref().map(|w| vec![f32::NAN; w.len()]);
        let grads: Vec<_> = self.weights.iter().map(|w| put(e, &empty(w))).collect();
        let masks = match self.masks.is_empty() {
            true => vec![Span::NONE; 2],
            false => self.masks.iter().map(|m| e.put(m)).collect(),
        };
        let x = e.put(&self.x);
        let (y, cache) = e.lstm(self.shape, &weights, vec![x, x], &masks, layout).unwrap();
        let y = e.get(y);
        let dy = e.put(&self.dy);
        let dx = e.lstm_backward(self.shape, &weights, &grads, cache, dy, layout).unwrap();
        e.sum_pending().unwrap();
        let side =
            |(dx, g): (&Span, &LstmWeights)| [e.get(*dx), e.get(g.w_ih), e.get(g.w_hh), e.get(g.b)];
        Out { y, sides: dx.iter().zip(&grads).map(side).collect() }
    }

    /// Against `nn` in f64.
    pub fn check(&self, what: &str, out: &Out) {
        let mut all = Compared::default();
        self.compare(out, &mut all);
        check(what, &all);
    }

    /// Of each direction y, dx and the gradients of the weights.
    fn compare(&self, out: &Out, all: &mut Compared) {
        let LayerShape { n_in, n_hidden: h, .. } = self.shape;
        let packing = Packing::new(self.lengths.clone());
        let dy = matrix(&self.dy, 2 * h);
        for (side, direction) in [Direction::Forward, Direction::Backward].into_iter().enumerate() {
            let [w_ih, w_hh, b] = &self.weights[side];
            let layer = Lstm {
                w_ih: matrix(w_ih, n_in),
                w_hh: matrix(w_hh, h),
                b: matrix(b, 4 * h).row(0).to_owned(),
            };
            let recurrent = self.masks.get(side).map(|m| matrix(m, h));
            let masks = Masks { input: None, recurrent };
            let (y, cache) = layer.forward(matrix(&self.x, n_in), &packing, direction, masks);
            let columns = side * h..(side + 1) * h;
            let mine: Vec<f32> =
                out.y.chunks_exact(2 * h).flat_map(|row| row[columns.clone()].to_vec()).collect();
            let mine_dy: Vec<f32> =
                self.dy.chunks_exact(2 * h).flat_map(|row| row[columns.clone()].to_vec()).collect();
            let mask = self.masks.get(side).map(|m| &m[..]);
            let plain = plain::Lstm { weights: &self.weights[side], n_in, back: side == 1, mask };
            let plain = plain.run(&self.x, &mine_dy, &packing);
            all.add(5 * side, &mine, &plain.y, &y);
            let mut grads = Lstm {
                w_ih: Array2::zeros(layer.w_ih.raw_dim()),
                w_hh: Array2::zeros(layer.w_hh.raw_dim()),
                b: ndarray::Array1::zeros(4 * h),
            };
            let dx = layer.backward(cache, dy.slice(s![.., columns]), &mut grads);
            let [of_x, of_ih, of_hh, of_b] = &out.sides[side];
            all.add(5 * side + 1, of_x, &plain.dx, &dx);
            all.add(5 * side + 2, of_ih, &plain.grads[0], &grads.w_ih);
            all.add(5 * side + 3, of_hh, &plain.grads[1], &grads.w_hh);
            all.add(5 * side + 4, of_b, &plain.grads[2], &grads.b);
        }
    }
}

fn check(what: &str, all: &Compared) {
    for (side, direction) in ["forward", "backward"].into_iter().enumerate() {
        all.values(5 * side, &format!("{what} {direction} y"));
        for (k, tensor) in (1..).zip(["dx", "dw_ih", "dw_hh", "db"]) {
            all.norm(5 * side + k, GRADIENTS, &format!("{what} {direction} {tensor}"));
        }
    }
}

#[test]
fn forward_and_backward_agree_with_f64_for_all_widths_lengths_and_batches() {
    for n_hidden in [64, 128, 256, 20] {
        for lengths in lengths() {
            for masks in [false, true] {
                // A launch a step under the shim is slow; masks change nothing about length.
                if masks && lengths.len() != 9 || n_hidden == 256 && lengths[0] == 104 {
                    continue;
                }
                let mut all = Compared::default();
                for draws in 0..12u64.div_ceil(lengths.iter().sum::<usize>() as u64) {
                    let Some(mut e) = engine(0) else { return };
                    let case = Case::new(n_hidden, &lengths, masks, seed() + draws);
                    let out = case.run(&mut e);
                    case.compare(&out, &mut all);
                }
                check(&format!("H = {n_hidden}, {lengths:?}, masks: {masks}"), &all);
            }
        }
    }
}

#[test]
fn h_of_256_agrees_with_f64_over_104_steps() {
    let Some(mut e) = engine(0) else { return };
    let case = Case::new(256, &[104, 3], false, seed());
    let out = case.run(&mut e);
    case.check("H = 256, T = 104", &out);
}

#[test]
fn narrow_and_wide_inputs_and_gates_that_forget_nothing_agree_with_f64() {
    for n_hidden in [64, 128, 256] {
        for (n_in, forget) in [(1, 1.0), (32, 1.0), (8, 5.0)] {
            let Some(mut e) = engine(0) else { return };
            let case = Case::of_width(n_in, n_hidden, &[22, 7, 1], false, forget, seed());
            let out = case.run(&mut e);
            case.check(&format!("H = {n_hidden}, D = {n_in}, b_f + {forget}"), &out);
        }
    }
}

/// More blocks than a GPU has multiprocessors: for a device, since the shim runs one after the other.
#[cfg(not(feature = "shim"))]
#[test]
fn a_thousand_sentences_agree_with_f64() {
    for n_hidden in [64, 128, 256] {
        let Some(mut e) = engine(0) else { return };
        let lengths: Vec<usize> =
            (0..1000).map(|r| 1 + usize::from(r < 500) + 4 * usize::from(r < 9)).collect();
        let case = Case::new(n_hidden, &lengths, false, seed());
        let out = case.run(&mut e);
        case.check(&format!("H = {n_hidden}, B = 1000"), &out);
    }
}

#[test]
fn inputs_50_times_too_large_saturate_and_stay_right() {
    for n_hidden in [64, 128, 256] {
        let Some(mut e) = engine(0) else { return };
        let mut case = Case::new(n_hidden, &[22, 9, 1], false, seed());
        case.x.iter_mut().for_each(|x| *x *= 50.0);
        let out = case.run(&mut e);
        assert!(out.y.iter().all(|y| y.abs() <= 1.0));
        case.check(&format!("H = {n_hidden}, saturated"), &out);
    }
}

#[test]
fn a_sentence_that_is_not_a_number_reaches_no_other() {
    for n_hidden in [64, 128, 256] {
        let (Some(mut e), Some(mut f)) = (engine(0), engine(0)) else { return };
        let lengths = [5, 5, 4, 4, 4, 2];
        let packing = Packing::new(lengths.to_vec());
        let clean = Case::new(n_hidden, &lengths, false, seed());
        let mut bad = clean.clone();
        for t in 0..lengths[2] {
            let row = packing.row(2, t);
            bad.x[8 * row..8 * (row + 1)].fill(f32::NAN);
        }
        let (clean, bad) = (clean.run(&mut e), bad.run(&mut f));
        for (r, &n) in lengths.iter().enumerate() {
            for t in 0..n {
                let row = packing.row(r, t);
                let same = |a: &[f32], b: &[f32], width: usize| {
                    let at = width * row..width * (row + 1);
                    (bits(&a[at.clone()]) == bits(&b[at.clone()]), b[at].iter().all(|v| v.is_nan()))
                };
                let (y, nan) = same(&clean.y, &bad.y, 2 * n_hidden);
                assert!(if r == 2 { nan } else { y }, "H = {n_hidden}: y of {r} at {t}");
                for side in 0..2 {
                    let (dx, nan) = same(&clean.sides[side][0], &bad.sides[side][0], 8);
                    assert!(if r == 2 { nan } else { dx }, "H = {n_hidden}: dx of {r} at {t}");
                }
            }
        }
    }
}

#[test]
fn the_order_of_threads_changes_no_bit() {
    for n_hidden in [64, 128, 256] {
        let case = Case::new(n_hidden, &[6, 5, 3, 3, 1], true, seed());
        let Some(mut e) = engine(0) else { return };
        let first = case.run(&mut e);
        for order in ORDERS {
            let Some(mut e) = engine(order) else { return };
            assert!(case.run(&mut e) == first, "H = {n_hidden}, order {order}");
        }
    }
}

#[test]
fn a_gpu_with_little_shared_memory_walks_step_by_step_to_the_same_end() {
    let case = Case::new(128, &[6, 5, 1], true, seed());
    let Some(machine) = with_shared(Some(99 << 10), 0) else { return };
    let out = case.run(&mut Engine::new(machine));
    case.check("H = 128, step by step", &out);
}
