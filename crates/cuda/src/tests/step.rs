//! The end of a step: what counts as finite, clipping, Adam, the average.

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
fn step(rates: &Rates, bad: bool) -> Option<(Numbers, Numbers, Outcome)> {
    let d = description();
    let tokens = Tokens {
        lengths: &[3, 2],
        words: &TOKENS,
        tags: &TAGS,
        numbers: &[0, 1],
        ..Tokens::default()
    };
    let mut network = Network::new(machine(0)?, d.clone(), true).unwrap();
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

/// The gradient in f64: of the words, then of w and b; and the loss.
fn gradient(weights: &[f32]) -> (Vec<f64>, f64) {
    let words = matrix(&weights[..WORDS * D], D);
    let w = matrix(&weights[WORDS * D..][..K * D], D);
    let b = matrix(&weights[WORDS * D + K * D..], K);
    let ids: Vec<usize> = TOKENS.iter().map(|&t| t as usize).collect();
    let x = words.select(ndarray::Axis(0), &ids);
    let scores = x.dot(&w.t()) + &b;
    let (loss, ds) = nn::softmax::cross_entropy(scores, &TAGS, None, f64::from(1.0 / 5.0f32));
    let dx = ds.dot(&w);
    let mut d_words = ndarray::Array2::<f64>::zeros((WORDS, D));
    for (i, &id) in ids.iter().enumerate() {
        let mut row = d_words.row_mut(id);
        row += &dx.row(i);
    }
    let dw = ds.t().dot(&x);
    let db = ds.sum_axis(ndarray::Axis(0));
    (d_words.iter().chain(&dw).chain(&db).copied().collect(), loss)
}

#[test]
pub(super) fn adam_and_the_average_agree_with_f64_and_rows_that_are_not_touched_stay() {
    for (max_norm, lazy_rows) in [(0.0, true), (0.05, true), (0.0, false)] {
        let rates = Rates { max_norm, lazy_rows, ..RATES };
        let Some((before, after, outcome)) = step(&rates, false) else { return };
        let (g, loss) = gradient(&before[0]);
        let norm = g.iter().map(|g| g * g).sum::<f64>();
        assert!(outcome.finite);
        assert!((outcome.loss / loss - 1.0).abs() < 1e-6, "{} {loss}", outcome.loss);
        assert!((outcome.squared_norm / norm - 1.0).abs() < 1e-5);
        let scale = match max_norm > 0.0 {
            true => (f64::from(max_norm) / (norm.sqrt() + 1e-6)).min(1.0),
            false => 1.0,
        };
        let touched = |i: usize| !lazy_rows || i >= WORDS * D || TOKENS.contains(&((i / D) as u32));
        let mut want = [(); 4].map(|()| Vec::new());
        for (i, g) in g.iter().enumerate() {
            let [w, m, v, a] = before.each_ref().map(|b| f64::from(b[i]));
            let f = f64::from;
            let (g, moves) = (scale * g, touched(i));
            let m2 = if moves { f(rates.beta1) * m + f(rates.fresh1) * g } else { m };
            let v2 = if moves { f(rates.beta2) * v + f(rates.fresh2) * g * g } else { v };
            let root = v2.sqrt() * f(rates.root_scale) + f(rates.epsilon);
            let w2 = if moves { f(rates.decay) * w - f(rates.step) * m2 / root } else { w };
            let numbers = [w2, m2, v2, a + 0.25 * (w2 - a)];
            want.iter_mut().zip(numbers).for_each(|(want, n)| want.push(n));
        }
        for (which, (got, want)) in after.iter().zip(&want).enumerate() {
            assert_values(&format!("{which} after clipping at {max_norm}"), got, want);
        }
        let untouched = 2 * D..3 * D;
        if lazy_rows {
            assert_eq!(after[0][untouched.clone()], before[0][untouched]);
        }
    }
}

#[test]
pub(super) fn what_is_not_finite_moves_nothing() {
    let Some((before, after, outcome)) = step(&RATES, true) else { return };
    assert!(!outcome.finite && outcome.loss.is_nan());
    assert!(before.iter().zip(&after).all(|(a, b)| bits(a) == bits(b)));
}
