//! Letters: the convolution and the LSTM over words, and how tokens share them.

use ndarray::{Array1, Array2};
use nn::Params;
use nn::bilstm::BiLstm;
use nn::char_cnn::CharCnn;
use nn::char_lstm::CharLstm;
use nn::chars::Spellings;
use nn::embedding::Embedding;
use nn::lstm::Lstm;

use super::*;
use crate::chars::CharWeights;
use crate::network::REST;
use crate::{Batch, CharKind, Chars, Description, Dropped, Head, Letters, Network, Tokens, Which};

const C: usize = 7;
const E: usize = 5;

/// Words by falling length: with a run of one letter (equal maxima), one letter alone, two alike, 32 letters.
fn words() -> Vec<Vec<u32>> {
    let long = whole(70, 32, C - 1);
    vec![
        long,
        vec![2; 6],
        vec![0, 1, 2, 3, 4],
        vec![1, 1, 0],
        vec![3, 2],
        vec![2, 3],
        vec![5],
        vec![0],
    ]
}

fn description(kind: CharKind, n_out: usize) -> Description {
    Description {
        tables: vec![1],
        embedding: 1,
        vectors: None,
        chars: Some(Chars { kind, n_chars: C, n_in: E, n_out }),
        layers: vec![],
        dense_dropout: Dropped::default(),
        wide: None,
        n_tags: 2,
        head: Head::Softmax,
        tag_weights: None,
        forbidden: None,
    }
}

/// y (U, M) and the gradients of the weights, for weights in the order of their tensors.
fn run(machine: Box<dyn Machine>, d: &Description, weights: &[f32], dy: &[f32]) -> [Vec<f32>; 2] {
    let chars = d.chars.unwrap();
    let words = words();
    let lengths: Vec<usize> = words.iter().map(Vec::len).collect();
    // Every word is one token's; the first is two's.
    let word_of: Vec<u32> = [0].into_iter().chain(0..words.len() as u32).collect();
    let n = word_of.len();
    let letters = Letters { chars: &words.concat(), lengths: &lengths, word_of: &word_of };
    let tokens = Tokens {
        lengths: &[n],
        words: &vec![0; n],
        letters: Some(letters),
        tags: &vec![0; n],
        numbers: &[0],
        ..Tokens::default()
    };
    let batch = Batch::new(d, tokens);
    let mut network = Network::new(machine, d.clone(), false).unwrap();
    let rest = [weights.to_vec(), vec![0.0; 2 * d.n_out() + 2]].concat();
    let all = crate::Weights { words: &[0.0][..], wide: &[], vectors: &[], rest: vec![&rest[..]] };
    network.write(Which::Weights, &all).unwrap();
    network.stage(0, batch).unwrap();
    let len = weights.len();
    network
        .with_batch(0, |n, at| {
            let group = *n.group(REST);
            let w = CharWeights::new(group.kept[0], &n.places.chars);
            let g = CharWeights::new(group.grads, &n.places.chars);
            let spelled = at.batch.spelled.clone().unwrap();
            let (y, cache) = n.engine.spell(chars, &w, at, &spelled)?;
            let made = n.engine.get(y);
            let dy = n.engine.put(dy);
            n.engine.spell_backward(chars, &w, &g, cache, dy, at, &spelled)?;
            Ok([made, n.engine.get(group.grads.part(0, len))])
        })
        .unwrap()
}

fn spellings() -> Spellings {
    let words = words();
    let starts = words.iter().scan(0, |end, w| {
        *end += w.len();
        Some(*end)
    });
    Spellings::new(words.concat(), std::iter::once(0).chain(starts).collect())
}

fn check(what: &str, [y, grads]: &[Vec<f32>; 2], want: &Array2<f64>, tensors: Vec<&[f64]>) {
    assert_values(&format!("{what} y"), y, want);
    let mut rest = &grads[..];
    for (k, tensor) in tensors.into_iter().enumerate() {
        let (here, after) = rest.split_at(tensor.len());
        assert_gradient(&format!("{what}, tensor {k}"), here, tensor);
        rest = after;
    }
    assert!(rest.is_empty());
}

pub(super) fn cnn(n_out: usize, scale: f64) {
    let weights = draw(71, C * E + n_out * 3 * E + n_out, scale);
    let dy = draw(72, words().len() * n_out, 1.0);
    let Some(machine) = machine(0) else { return };
    let out = run(machine, &description(CharKind::Cnn, n_out), &weights, &dy);
    let (table, rest) = weights.split_at(C * E);
    let (w, b) = rest.split_at(n_out * 3 * E);
    let b: Array1<f64> = matrix(b, n_out).row(0).to_owned();
    let layer = CharCnn { table: matrix(table, E), w: matrix(w, 3 * E), b };
    let (y, cache) = layer.forward(&spellings());
    let mut grads = layer.zeros_like();
    layer.backward(&spellings(), cache, &matrix(&dy, n_out), &mut grads);
    check(&format!("cnn {n_out}"), &out, &y, grads.slices());
}

#[test]
fn the_convolution_agrees_with_f64_also_where_maxima_are_equal() {
    (1..4).for_each(|scale| cnn(30, f64::from(scale)));
    cnn(1, 1.0);
}

#[test]
fn the_lstm_over_letters_agrees_with_f64() {
    [11, 64].into_iter().for_each(lstm);
}

pub(super) fn lstm(h: usize) {
    let len = C * E + 2 * (4 * h * E + 4 * h * h + 4 * h);
    let weights = draw(73, len, 0.4);
    let dy = draw(74, words().len() * 2 * h, 1.0);
    let Some(machine) = machine(0) else { return };
    let out = run(machine, &description(CharKind::Lstm, 2 * h), &weights, &dy);
    let mut rest = &weights[..];
    let mut take = |len: usize, columns: usize| {
        let (here, after) = rest.split_at(len);
        rest = after;
        matrix(here, columns)
    };
    let table = take(C * E, E);
    let mut side = || Lstm {
        w_ih: take(4 * h * E, E),
        w_hh: take(4 * h * h, h),
        b: take(4 * h, 4 * h).row(0).to_owned(),
    };
    let lstm = BiLstm { forward: side(), backward: side() };
    let layer = CharLstm { chars: Embedding { table }, lstm };
    let (y, cache) = layer.forward(&spellings());
    let mut grads = layer.zeros_like();
    layer.backward(cache, &matrix(&dy, 2 * h), &mut grads);
    check(&format!("lstm {h}"), &out, &y, grads.slices());
}

#[test]
fn the_order_of_threads_changes_no_bit_of_letters() {
    for (kind, n_out, len) in [(CharKind::Cnn, 6, C * E + 96), (CharKind::Lstm, 8, 35 + 320)] {
        let (weights, dy) = (draw(75, len, 0.5), draw(76, words().len() * n_out, 1.0));
        let mut outs = ORDERS.iter().filter_map(|&order| {
            Some(run(machine(order)?, &description(kind, n_out), &weights, &dy).map(|v| bits(&v)))
        });
        let Some(first) = outs.next() else { return };
        assert!(outs.all(|out| out == first));
    }
}
