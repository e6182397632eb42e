//! The end of a step: what counts as finite, clipping, Adam, the average.

use ndarray::{Array2, Axis};
use tensor::Real;

use super::*;
use crate::{
    Batch, Description, Dropped, Head, Network, Noise, Outcome, Rates, Tokens, Weights, Which,
};

const WORDS: usize = 6;
const D: usize = 4;
const K: usize = 3;

fn description() -> Description {
    Description {
        tables: vec![WORDS],
        embedding: D,
        vectors: None,
        chars: None,
        layers: vec![],
        dense_dropout: Dropped::default(),
        wide: None,
        n_tags: K,
        head: Head::Softmax,
        tag_weights: None,
        forbidden: None,
    }
}

const RATES: Rates = Rates {
    beta1: 0.9,
    beta2: 0.99,
    fresh1: 0.1,
    fresh2: 0.01,
    step: 0.02,
    root_scale: 1.5,
    epsilon: 1e-7,
    decay: 0.99,
    max_norm: 0.0,
    lazy_rows: true,
    average: Some(0.75),
};

const TOKENS: [u32; 5] = [1, 3, 1, 0, 3];
const TAGS: [u32; 5] = [0, 2, 1, 1, 2];

/// Weights, means, squares, averages: of the words, then of the rest.
type Numbers = [Vec<f32>; 4];

/// Everything before and after one step, and its outcome.
fn step(rates: &Rates, bad: bool, order: i32) -> Option<(Numbers, Numbers, Outcome)> {
    let d = description();
    let tokens = Tokens {
        lengths: &[3, 2],
        words: &TOKENS,
        tags: &TAGS,
        numbers: &[0, 1],
        ..Tokens::default()
    };
    let mut network = Network::new(machine(order)?, d.clone(), true).unwrap();
    let rest = K * D + K;
    let all = [Which::Weights, Which::Mean, Which::Squares, Which::Average];
    let mut before: [Vec<f32>; 4] = [40, 41, 42, 43].map(|w| draw(w, WORDS * D + rest, 0.5));
    before[2].iter_mut().for_each(|v| *v = v.abs());
    if bad {
        before[0][WORDS * D] = f32::NAN;
    }
    for (which, numbers) in all.into_iter().zip(&before) {
        let (words, rest) = numbers.split_at(WORDS * D);
        let weights = Weights { words, wide: &[][..], vectors: &[], rest: vec![rest] };
        network.write(which, &weights).unwrap();
    }
    network.stage(1, Batch::new(&d, tokens)).unwrap();
    network.step(1, Noise { seed: 1, epoch: 0, purpose: 0, locked: true }, rates).unwrap();
    let outcome = network.outcome().unwrap();
    let after = all.map(|which| {
        let mut numbers = vec![0.0; WORDS * D + rest];
        let (words, rest) = numbers.split_at_mut(WORDS * D);
        let to = Weights { words, wide: &mut [][..], vectors: &mut [], rest: vec![rest] };
        network.read(which, to).unwrap();
        numbers
    });
    Some((before, after, outcome))
}

/// Numbers as F, in rows.
fn rows<F: Real>(v: &[f32], columns: usize) -> Array2<F> {
    matrix(v, columns).mapv(F::of)
}

/// The gradient of the words, then of w and b; and the loss.
fn gradient<F: Real>(weights: &[f32]) -> (Vec<F>, f64) {
    let words = rows::<F>(&weights[..WORDS * D], D);
    let w = rows::<F>(&weights[WORDS * D..][..K * D], D);
    let b = rows::<F>(&weights[WORDS * D + K * D..], K);
    let ids: Vec<usize> = TOKENS.iter().map(|&t| t as usize).collect();
    let x = words.select(Axis(0), &ids);
    let scores = x.dot(&w.t()) + &b;
    let weight = F::of(f64::from(1.0 / 5.0f32));
    let (loss, ds) = nn::softmax::cross_entropy(scores, &TAGS, None, weight);
    let dx = ds.dot(&w);
    let mut d_words = Array2::<F>::zeros((WORDS, D));
    for (i, &id) in ids.iter().enumerate() {
        let mut row = d_words.row_mut(id);
        row += &dx.row(i);
    }
    let dw = ds.t().dot(&x);
    let db = ds.sum_axis(Axis(0));
    (d_words.iter().chain(&dw).chain(&db).copied().collect(), loss)
}

/// One step computed in F: what is there before → after, and the squared norm of the gradient.
fn after<F: Real>(before: &Numbers, rates: &Rates) -> ([Vec<F>; 4], f64) {
    let (g, _) = gradient::<F>(&before[0]);
    let f = |v: f32| F::of(f64::from(v));
    let norm = g.iter().map(|g| g.f64() * g.f64()).sum::<f64>();
    let scale = match rates.max_norm > 0.0 {
        true => (f64::from(rates.max_norm) / (norm.sqrt() + 1e-6)).min(1.0),
        false => 1.0,
    };
    let touched =
        |i: usize| !rates.lazy_rows || i >= WORDS * D || TOKENS.contains(&((i / D) as u32));
    let mut all = [(); 4].map(|()| Vec::new());
    for (i, &g) in g.iter().enumerate() {
        let [w, m, v, a] = before.each_ref().map(|b| f(b[i]));
        let (g, moves) = (F::of(scale) * g, touched(i));
        let m2 = if moves { f(rates.beta1) * m + f(rates.fresh1) * g } else { m };
        let v2 = if moves { f(rates.beta2) * v + f(rates.fresh2) * g * g } else { v };
        let root = v2.sqrt() * f(rates.root_scale) + f(rates.epsilon);
        let w2 = if moves { f(rates.decay) * w - f(rates.step) * m2 / root } else { w };
        let numbers = [w2, m2, v2, a + F::of(0.25) * (w2 - a)];
        all.iter_mut().zip(numbers).for_each(|(all, n)| all.push(n));
    }
    (all, norm)
}

#[test]
pub(super) fn adam_and_the_average_agree_with_f64_and_rows_that_are_not_touched_stay() {
    for (max_norm, lazy_rows) in [(0.0, true), (0.05, true), (0.0, false)] {
        let rates = Rates { max_norm, lazy_rows, ..RATES };
        let Some((before, got, outcome)) = step(&rates, false, 0) else { return };
        let loss = gradient::<f64>(&before[0]).1;
        let (want, norm) = after::<f64>(&before, &rates);
        let (plain, _) = after::<f32>(&before, &rates);
        assert!(outcome.finite);
        assert!((outcome.loss / loss - 1.0).abs() < 1e-6, "{} {loss}", outcome.loss);
        assert!((outcome.squared_norm / norm - 1.0).abs() < 1e-5);
        for (which, ((got, plain), want)) in got.iter().zip(&plain).zip(&want).enumerate() {
            assert_values(&format!("{which} after clipping at {max_norm}"), got, plain, want);
        }
        let untouched = 2 * D..3 * D;
        if lazy_rows {
            assert_eq!(got[0][untouched.clone()], before[0][untouched]);
        }
    }
}

#[test]
pub(super) fn what_is_not_finite_moves_nothing() {
    let Some((before, after, outcome)) = step(&RATES, true, 0) else { return };
    assert!(!outcome.finite && outcome.loss.is_nan());
    assert!(before.iter().zip(&after).all(|(a, b)| bits(a) == bits(b)));
}

#[test]
fn the_order_of_threads_changes_no_bit_of_a_step() {
    let rates = Rates { max_norm: 0.05, ..RATES };
    let mut steps = ORDERS.iter().filter_map(|&order| {
        let (_, after, outcome) = step(&rates, false, order)?;
        let loss = [outcome.loss, outcome.squared_norm].map(f64::to_bits);
        Some((after.map(|v| bits(&v)), loss))
    });
    let Some(first) = steps.next() else { return };
    assert!(steps.all(|step| step == first));
}
