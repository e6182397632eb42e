//! Layers and the whole network of the tutorial, forward and backward, over shards of sentences with
//! lengths spread like those of the GMB corpus: log-normal, 22 on average, 104 at most.

mod common;

use std::hint::black_box;

use common::{bench_flop, stream};
use criterion::{Criterion, criterion_group, criterion_main};
use ndarray::Array2;
use nn::lstm::{Lstm, Masks};
use nn::tagger::{Head, Input, LayerKind, LayerSpec, Spec, Tagger};
use nn::{Direction, Packing, Params};
use tensor::{init, scratch};

/// Sentences in a shard.
const SENTENCES: [usize; 4] = [1, 8, 16, 32];
/// Shards that a bench goes through in turn, so that no one draw of lengths decides.
const SHARDS: u32 = 16;

/// `n` lengths, falling.
fn lengths(n: usize, which: u32) -> Vec<usize> {
    let mut s = stream(which);
    let mut one = || {
        let (u, v) = (f64::from(s.unit()).max(1e-7), f64::from(s.unit()));
        let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
        // The mean of a log-normal is e^{μ + σ²/2}: 22 with σ = 0.42.
        (3.003 + 0.42 * normal).exp().round().clamp(1.0, 104.0) as usize
    };
    let mut lengths: Vec<usize> = (0..n).map(|_| one()).collect();
    lengths.sort_unstable_by(|a, b| b.cmp(a));
    lengths
}

fn packings(sentences: usize) -> Vec<Packing> {
    (0..SHARDS).map(|which| Packing::new(lengths(sentences, which))).collect()
}

fn tokens(packings: &[Packing]) -> usize {
    packings.iter().map(Packing::rows).sum()
}

/// One LSTM of 64 over rows of 64.
fn lstm(c: &mut Criterion) {
    let mut group = c.benchmark_group("lstm_D64_H64");
    let layer: Lstm<f32> = Lstm::new(64, 64, 1, 0);
    let mut grads = layer.zeros_like();
    for sentences in SENTENCES {
        let packings = packings(sentences);
        let parts = packings.len();
        let rows = packings.iter().map(Packing::rows).max().unwrap_or(0);
        let xs: Array2<f32> = init::uniform(rows, 64, 1.0, &mut stream(100));
        // 4 gates, each a product with x and one with h, two operations a weight.
        let flop = (tokens(&packings) * 2 * 4 * 64 * (64 + 64)) as f64;
        let forward = |p: &Packing| {
            let x = scratch::copy(&xs.slice(ndarray::s![..p.rows(), ..]));
            layer.forward(x, p, Direction::Forward, Masks::default())
        };
        bench_flop(&mut group, &format!("forward/B{sentences}"), flop, parts, |i| {
            scratch::give(forward(&packings[i]).0);
        });
        bench_flop(&mut group, &format!("forward_backward/B{sentences}"), 3.0 * flop, parts, |i| {
            let (y, cache) = forward(&packings[i]);
            scratch::give(layer.backward(cache, y.view(), &mut grads));
            scratch::give(y);
        });
    }
    group.finish();
}

/// Embedding 64, BiLSTM 64, LSTM 64, Dense 17: what a token costs, in floating-point operations of its
/// products, forward: 2 · 4 · 64 · (2 · (64 + 64) + (128 + 64)) + 2 · 64 · 17.
const FLOP_A_TOKEN: f64 = 231_552.0;

fn network(c: &mut Criterion) {
    let mut group = c.benchmark_group("tutorial_E64_BiLSTM64_LSTM64_K17");
    let words = 35_179;
    let layer = |kind| LayerSpec { kind, n_hidden: 64, dropout: 0.0, recurrent_dropout: 0.0 };
    let encoder = vec![layer(LayerKind::BiLstm), layer(LayerKind::Lstm)];
    let tagger: Tagger<f32> = Tagger::new(Spec::plain(words, 64, encoder, 17, Head::Softmax), 1);
    let mut grads = tagger.network.zeros_like();
    for sentences in SENTENCES {
        let packings = packings(sentences);
        let parts = packings.len();
        let flop = tokens(&packings) as f64 * FLOP_A_TOKEN;
        let mut s = stream(200);
        let shards: Vec<(&Packing, Vec<u32>, Vec<u32>)> = packings
            .iter()
            .map(|p| {
                let ids = (0..p.rows()).map(|_| s.below(words as u32)).collect();
                let tags = (0..p.rows()).map(|_| s.below(17)).collect();
                (p, ids, tags)
            })
            .collect();
        bench_flop(&mut group, &format!("tag/B{sentences}"), flop, parts, |i| {
            let (p, ids, _) = &shards[i];
            let (scores, _) = tagger.forward(Input::words(ids.clone(), p), None);
            black_box(tagger.decode(&scores, p, None));
            scratch::give(scores);
        });
        bench_flop(&mut group, &format!("forward_backward/B{sentences}"), 3.0 * flop, parts, |i| {
            let (p, ids, tags) = &shards[i];
            let (scores, cache) = tagger.forward(Input::words(ids.clone(), p), None);
            let (_, ds) = tagger.loss(scores, tags, p, 1e-3, &mut grads);
            let tables = tagger.backward(cache, &ds, &mut grads);
            [ds, tables.words.rows].into_iter().for_each(scratch::give);
        });
    }
    group.finish();
}

criterion_group!(benches, lstm, network);
criterion_main!(benches);
