//! Layers in f32, by the kernels of every level that this machine runs, against the plain f64 code that
//! the finite differences have proved.

use ndarray::{Array2, Axis, concatenate};
use nn::bilstm::BiLstm;
use nn::lstm::{Lstm, Masks};
use nn::tagger::{Head, Input, LayerKind, LayerSpec, Spec, Tagger};
use nn::{Direction, Packing, Params};
use tensor::Real;
use tensor::init::uniform;
use tensor::random::{Purpose, Stream};
use tensor::simd::{Level, with_level};

/// Largest error allowed, as a share of the largest number of its tensor.
const BOUND: f64 = 1e-5;

/// Ragged, equal, a single token, and more sentences than rows fit a tile.
const LENGTHS: [&[usize]; 4] =
    [&[9, 7, 7, 4, 2, 1, 1], &[3, 3], &[1], &[6, 5, 5, 5, 4, 4, 4, 4, 3, 3, 2, 2, 2, 2, 1]];

/// Not one width of a vector among them but 16 and 64.
const HIDDEN: [usize; 7] = [1, 5, 8, 16, 19, 50, 64];

fn matrix(which: u32, rows: usize, columns: usize, bound: f64) -> Array2<f64> {
    uniform(rows, columns, bound, &mut Stream::new(3, Purpose::Test, which, 0))
}

/// A layer whose numbers are exact in f32, so that both precisions start from the same.
fn lstm<F: Real>(which: u32, n_in: usize, n_hidden: usize) -> Lstm<F> {
    let scale = 1.0 / (n_hidden as f64).sqrt();
    Lstm {
        w_ih: cast(&matrix(which, 4 * n_hidden, n_in, scale)),
        w_hh: cast(&matrix(which + 1, 4 * n_hidden, n_hidden, scale)),
        b: cast(&matrix(which + 2, 1, 4 * n_hidden, scale)).row(0).to_owned(),
    }
}

fn cast<F: Real>(a: &Array2<f64>) -> Array2<F> {
    a.mapv(|v| F::of(f64::from(v as f32)))
}

fn masks<F: Real>(on: bool, sentences: usize, n_in: usize, n_hidden: usize) -> Masks<F> {
    let mask = |which, columns| {
        let draw = matrix(which, sentences, columns, 1.0);
        draw.mapv(|v| if v > -0.5 { F::of(1.25) } else { F::zero() })
    };
    if !on {
        return Masks::default();
    }
    Masks { input: Some(mask(20, n_in)), recurrent: Some(mask(21, n_hidden)) }
}

/// Everything that a layer computes, by name, in f64.
type Computed = Vec<(String, Vec<f64>)>;

fn computed<F: Real>(
    y: &Array2<F>,
    dx: &Array2<F>,
    grads: &impl Params<F>,
    computed: &mut Computed,
) {
    let list = |values: &[F]| values.iter().map(|v| v.f64()).collect::<Vec<_>>();
    computed.push(("y".into(), list(y.as_slice().unwrap())));
    computed.push(("dx".into(), list(dx.as_slice().unwrap())));
    let names = grads.tensors().into_iter().map(|(name, _)| format!("d{name}"));
    computed.extend(names.zip(grads.slices().into_iter().map(list)));
}

#[track_caller]
fn assert_agree(got: &Computed, want: &Computed, what: &str) {
    assert_eq!(got.len(), want.len());
    for ((name, got), (_, want)) in got.iter().zip(want) {
        let largest = want.iter().fold(1e-30f64, |top, v| top.max(v.abs()));
        for (i, (g, w)) in got.iter().zip(want).enumerate() {
            let error = (g - w).abs() / largest;
            assert!(error < BOUND, "{name}[{i}] = {g}, not {w}: {error:.1e}, {what}");
        }
    }
}

fn run_lstm<F: Real>(n_hidden: usize, lengths: &[usize], backward: bool, on: bool) -> Computed {
    let n_in = n_hidden + 3;
    let layer: Lstm<F> = lstm(0, n_in, n_hidden);
    let packing = Packing::new(lengths.to_vec());
    let x = cast(&matrix(10, packing.rows(), n_in, 1.0));
    let dy = cast(&matrix(11, packing.rows(), n_hidden, 1.0));
    let direction = if backward { Direction::Backward } else { Direction::Forward };
    let (y, cache) =
        layer.forward(x, &packing, direction, masks(on, lengths.len(), n_in, n_hidden));
    let mut grads = layer.zeros_like();
    let dx = layer.backward(cache, dy.view(), &mut grads);
    let mut all = Vec::new();
    computed(&y, &dx, &grads, &mut all);
    all
}

#[test]
fn an_lstms_outputs_and_gradients_agree_with_the_plain_f64_code_at_every_level() {
    for n_hidden in HIDDEN {
        for lengths in LENGTHS {
            for (backward, on) in [(false, false), (false, true), (true, false), (true, true)] {
                let want = run_lstm::<f64>(n_hidden, lengths, backward, on);
                for level in Level::available() {
                    let run = || run_lstm::<f32>(n_hidden, lengths, backward, on);
                    let what = format!("H {n_hidden}, {lengths:?}, masks {on}, {level}");
                    assert_agree(&with_level(level, run), &want, &what);
                }
            }
        }
    }
}

fn run_tagger<F: Real>(spec: &Spec, lengths: &[usize]) -> Computed {
    // Weights that both precisions hold exactly, and larger than the initial ones.
    let mut tagger: Tagger<F> = Tagger::new(spec.clone(), 5);
    for (k, s) in tagger.slices_mut().into_iter().enumerate() {
        let draw = matrix(30 + k as u32, 1, s.len(), 0.4);
        s.iter_mut().zip(&draw).for_each(|(w, &v)| *w = F::of(f64::from(v as f32)));
    }
    let packing = Packing::new(lengths.to_vec());
    let n = packing.rows() as u32;
    let words: Vec<u32> = (0..n).map(|i| (i * 7 + 1) % 11).collect();
    let tags: Vec<u32> = (0..n).map(|i| (i * 3) % spec.tags as u32).collect();
    let (scores, cache) = tagger.forward(Input::words(words, &packing), None);
    let y = scores.clone();
    let mut grads = tagger.zeros_like();
    let weight = F::of(1.0 / f64::from(n));
    let (loss, ds) = tagger.loss(scores, &tags, &packing, weight, &mut grads.network);
    let rows = tagger.backward(cache, &ds, &mut grads.network);
    rows.words.add_to(&mut grads.words.rows);
    let mut all = vec![("loss".into(), vec![loss])];
    computed(&y, &ds, &grads, &mut all);
    all
}

#[test]
fn a_whole_networks_loss_and_gradients_agree_with_the_plain_f64_code_at_every_level() {
    for n_hidden in [5, 16, 24] {
        let layer = |kind| LayerSpec { kind, n_hidden, dropout: 0.0, recurrent_dropout: 0.0 };
        let encoder = vec![layer(LayerKind::BiLstm), layer(LayerKind::Lstm)];
        let spec = Spec::plain(11, 12, encoder, 17, Head::Softmax);
        for lengths in LENGTHS {
            let want = run_tagger::<f64>(&spec, lengths);
            for level in Level::available() {
                let got = with_level(level, || run_tagger::<f32>(&spec, lengths));
                assert_agree(&got, &want, &format!("H {n_hidden}, {lengths:?}, {level}"));
            }
        }
    }
}

#[test]
fn a_sentences_rows_have_the_same_bits_alone_and_in_any_company_at_every_level() {
    let lengths = [9usize, 7, 7, 4, 2, 1, 1];
    let packing = Packing::new(lengths.to_vec());
    for n_hidden in [5, 16, 64] {
        let layer: BiLstm<f32> =
            BiLstm { forward: lstm(0, 6, n_hidden), backward: lstm(3, 6, n_hidden) };
        let x: Array2<f32> = cast(&matrix(10, packing.rows(), 6, 1.0));
        for level in Level::available() {
            with_level(level, || {
                let together = layer.forward(x.clone(), &packing, Default::default()).0;
                for (r, &length) in lengths.iter().enumerate() {
                    let own = |a: &Array2<f32>| {
                        let rows: Vec<_> = (0..length)
                            .map(|t| a.row(packing.row(r, t)).insert_axis(Axis(0)))
                            .collect();
                        concatenate(Axis(0), &rows).unwrap()
                    };
                    let alone = Packing::new(vec![length]);
                    let alone = layer.forward(own(&x), &alone, Default::default()).0;
                    let bits = |a: &Array2<f32>| a.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                    assert_eq!(bits(&alone), bits(&own(&together)), "sentence {r} at {level}");
                }
            });
        }
    }
}
