//! Letters: the convolution and the LSTM over words, and how tokens share them.

use ndarray::{Array1, Array2};
use nn::bilstm::BiLstm;
use nn::char_cnn::CharCnn;
use nn::char_lstm::CharLstm;
use nn::chars::Spellings;
use nn::embedding::Embedding;
use nn::lstm::Lstm;
use nn::{Packing, Params};

use super::*;
use crate::chars::CharWeights;
use crate::network::REST;
use crate::{Batch, CharKind, Chars, Description, Dropped, Head, Letters, Network, Tokens, Which};

const C: usize = 7;
const E: usize = 5;

/// Words by falling length: with a run of one letter (equal maxima), one letter alone, two alike, 32 letters.
fn words(seed: u64) -> Vec<Vec<u32>> {
    let long = whole_by(seed, 70, 32, C - 1);
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
fn run(
    machine: Box<dyn Machine>,
    d: &Description,
    words: &[Vec<u32>],
    weights: &[f32],
    dy: &[f32],
) -> [Vec<f32>; 2] {
    let chars = d.chars.unwrap();
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
    let words = words(seed());
    let starts = words.iter().scan(0, |end, w| {
        *end += w.len();
        Some(*end)
    });
    Spellings::new(words.concat(), std::iter::once(0).chain(starts).collect())
}

/// y and the gradients of the weights, a tensor after the other.
fn add(
    all: &mut Compared,
    kernel: &[Vec<f32>; 2],
    plain: &[Vec<f32>; 2],
    want: &Array2<f64>,
    tensors: Vec<&[f64]>,
) {
    all.add(0, &kernel[0], &plain[0], want);
    let mut at = 0;
    for (k, tensor) in (1..).zip(tensors) {
        let here = at..at + tensor.len();
        all.add(k, &kernel[1][here.clone()], &plain[1][here], tensor);
        at += tensor.len();
    }
    assert_eq!([kernel[1].len(), plain[1].len()], [at; 2]);
}

fn check(all: &Compared, what: &str) {
    all.values(0, &format!("{what} y"));
    (1..all.len()).for_each(|k| all.norm(k, GRADIENTS, &format!("{what}, tensor {k}")));
}

pub(super) fn cnn(n_out: usize, scale: f64) {
    let mut all = Compared::default();
    for draws in 0..8 {
        let weights = draw(71 + 100 * draws, C * E + n_out * 3 * E + n_out, scale);
        let dy = draw(72 + 100 * draws, words(seed()).len() * n_out, 1.0);
        let Some(machine) = machine(0) else { return };
        let d = description(CharKind::Cnn, n_out);
        let out = run(machine, &d, &words(seed()), &weights, &dy);
        let (table, rest) = weights.split_at(C * E);
        let (w, b) = rest.split_at(n_out * 3 * E);
        let plain = plain::char_cnn([table, w, b], &words(seed()), &dy, E);
        let b: Array1<f64> = matrix(b, n_out).row(0).to_owned();
        let layer = CharCnn { table: matrix(table, E), w: matrix(w, 3 * E), b };
        let (y, cache) = layer.forward(&spellings());
        let mut grads = layer.zeros_like();
        layer.backward(&spellings(), cache, &matrix(&dy, n_out), &mut grads);
        add(&mut all, &out, &plain, &y, grads.slices());
    }
    check(&all, &format!("cnn {n_out}"));
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
    let mut all = Compared::default();
    for draws in 0..4 {
        let len = C * E + 2 * (4 * h * E + 4 * h * h + 4 * h);
        // With larger ones rounding grows from letter to letter, and one long word decides.
        let weights = draw(73 + 100 * draws, len, 1.3 / (h as f64).sqrt());
        let dy = draw(74 + 100 * draws, words(seed()).len() * 2 * h, 1.0);
        let Some(machine) = machine(0) else { return };
        let d = description(CharKind::Lstm, 2 * h);
        let out = run(machine, &d, &words(seed()), &weights, &dy);
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
        add(&mut all, &out, &plain_lstm(h, &weights, &dy), &y, grads.slices());
    }
    check(&all, &format!("lstm {h}"));
}

/// Letters through [`plain::Lstm`], both ways, the words being its sentences.
fn plain_lstm(h: usize, weights: &[f32], dy: &[f32]) -> [Vec<f32>; 2] {
    let words = words(seed());
    let packing = Packing::new(words.iter().map(Vec::len).collect());
    let (table, mut rest) = weights.split_at(C * E);
    let mut x = vec![0.0; packing.rows() * E];
    for (u, word) in words.iter().enumerate() {
        for (t, &c) in word.iter().enumerate() {
            let row = &table[c as usize * E..][..E];
            x[packing.row(u, t) * E..][..E].copy_from_slice(row);
        }
    }
    let (mut y, mut dx, mut grads) = (vec![0.0; dy.len()], vec![0.0; x.len()], vec![]);
    for back in [false, true] {
        let side = [4 * h * E, 4 * h * h, 4 * h].map(|len| {
            let (here, after) = rest.split_at(len);
            rest = after;
            here.to_vec()
        });
        let mut dh = vec![0.0; packing.rows() * h];
        // Where a word's number is read: after its last letter in this direction.
        let place = |u: usize| packing.row(u, if back { 0 } else { words[u].len() - 1 }) * h;
        let of_word = |u: usize| (2 * u + usize::from(back)) * h;
        for u in 0..words.len() {
            dh[place(u)..][..h].copy_from_slice(&dy[of_word(u)..][..h]);
        }
        let lstm = plain::Lstm { weights: &side, n_in: E, back, mask: None };
        let out = lstm.run(&x, &dh, &packing);
        for u in 0..words.len() {
            y[of_word(u)..][..h].copy_from_slice(&out.y[place(u)..][..h]);
        }
        dx.iter_mut().zip(&out.dx).for_each(|(a, b)| *a += b);
        grads.extend(out.grads.concat());
    }
    let mut dtable = vec![0.0; C * E];
    for (u, word) in words.iter().enumerate() {
        for (t, &c) in word.iter().enumerate() {
            let row = &dx[packing.row(u, t) * E..][..E];
            dtable[c as usize * E..][..E].iter_mut().zip(row).for_each(|(a, b)| *a += b);
        }
    }
    [y, [dtable, grads].concat()]
}

#[test]
fn the_order_of_threads_changes_no_bit_of_letters() {
    for (kind, n_out, len) in [(CharKind::Cnn, 6, C * E + 96), (CharKind::Lstm, 8, 35 + 320)] {
        let (weights, dy) = (draw(75, len, 0.5), draw(76, words(seed()).len() * n_out, 1.0));
        let mut outs = ORDERS.iter().filter_map(|&order| {
            Some(
                run(machine(order)?, &description(kind, n_out), &words(seed()), &weights, &dy)
                    .map(|v| bits(&v)),
            )
        });
        let Some(first) = outs.next() else { return };
        assert!(outs.all(|out| out == first));
    }
}

/// y and all gradients of fixed letters, hashed.
pub(super) fn bits_of_letters(machine: Box<dyn Machine>, kind: CharKind) -> u64 {
    let (n_out, len) = match kind {
        CharKind::Cnn => (6, C * E + 96),
        CharKind::Lstm => (8, C * E + 320),
    };
    let words = words(12);
    let (weights, dy) = (draw_by(12, 75, len, 0.5), draw_by(12, 76, words.len() * n_out, 1.0));
    hash(run(machine, &description(kind, n_out), &words, &weights, &dy).concat())
}
