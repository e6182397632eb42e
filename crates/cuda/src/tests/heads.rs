//! What becomes of scores: losses, their gradients, the best tags.

use ndarray::Array2;
use nn::crf::{Allowed, Crf};
use nn::{Packing, Params, keras_relu, softmax};

use super::*;
use crate::network::REST;
use crate::{Batch, Description, Dropped, Head, Network, Tokens, Which};

fn description(k: usize, head: Head) -> Description {
    Description {
        tables: vec![1],
        embedding: 1,
        vectors: None,
        chars: None,
        layers: vec![],
        dense_dropout: Dropped::default(),
        wide: None,
        n_tags: k,
        head,
        tag_weights: None,
        forbidden: None,
    }
}

fn batch(d: &Description, lengths: &[usize], tags: &[u32]) -> Batch {
    let numbers: Vec<u32> = (0..lengths.len() as u32).collect();
    let words = vec![0; lengths.iter().sum()];
    Batch::new(d, Tokens { lengths, words: &words, tags, numbers: &numbers, ..Tokens::default() })
}

/// Losses of sentences or tokens, ds, the gradient of the CRF's weights (K K + 2 K of them, or none).
fn loss(
    machine: Box<dyn Machine>,
    d: &Description,
    lengths: &[usize],
    (scores, tags, crf): (&[f32], &[u32], &[f32]),
) -> (Vec<f64>, Vec<f32>, Vec<f32>) {
    let mut network = Network::new(machine, d.clone(), false).unwrap();
    let rest = [&vec![0.0; 2 * d.n_tags], crf].concat(); // dense (K, 1), its bias (K)
    let all = crate::Weights { words: &[0.0][..], wide: &[], vectors: &[], rest: vec![&rest[..]] };
    network.write(Which::Weights, &all).unwrap();
    network.stage(0, batch(d, lengths, tags)).unwrap();
    let len = crf.len();
    network
        .with_batch(0, |n, at| {
            let scores = n.engine.put(scores);
            let (losses, ds) = n.loss(at, scores)?;
            n.engine.sum_pending()?;
            let bytes: Vec<u32> = n.engine.get(losses).iter().map(|v| v.to_bits()).collect();
            let double = |b: &[u32]| f64::from_bits(u64::from(b[0]) | u64::from(b[1]) << 32);
            let losses: Vec<f64> = bytes.chunks_exact(2).map(double).collect();
            let ds = n.engine.get(ds);
            let grads = n.group(REST).grads.part(2 * d.n_tags, len);
            Ok((losses, ds, n.engine.get(grads)))
        })
        .unwrap()
}

/// Rules that forbid about a third, but nothing from or to tag 0.
fn rules(k: usize) -> Allowed {
    let drawn = |which, len: usize| draw(which, len, 1.0).into_iter().map(|v| v > -0.3);
    let with_0 = |i: usize, allowed: bool| allowed || i == 0;
    let edge = |which| drawn(which, k).enumerate().map(|(i, a)| with_0(i, a)).collect();
    let transitions =
        drawn(50, k * k).enumerate().map(|(e, a)| with_0(e / k, a) || e % k == 0).collect();
    Allowed::new(transitions, edge(51), edge(52))
}

fn forbidden(rules: &Allowed) -> Vec<f32> {
    let all = [rules.transitions(), rules.start(), rules.end()].into_iter().flatten();
    all.map(|&allowed| if allowed { 0.0 } else { f32::NEG_INFINITY }).collect()
}

/// Tags that keep the rules.
fn legal(rules: &Allowed, packing: &Packing) -> Vec<u32> {
    let k = rules.n_tags();
    let drawn = whole(53, packing.rows(), k);
    let mut tags = vec![0; packing.rows()];
    for (r, &n) in packing.lengths().iter().enumerate() {
        for t in 0..n {
            let want = drawn[packing.row(r, t)] as usize;
            let before = match t {
                0 => rules.start()[want],
                _ => rules.transitions()[tags[packing.row(r, t - 1)] as usize * k + want],
            };
            let after = t + 1 < n || rules.end()[want];
            tags[packing.row(r, t)] = if before && after { want as u32 } else { 0 };
        }
    }
    tags
}

fn crf_of(weights: &[f32], k: usize) -> Crf<f64> {
    let row = |from: usize| matrix(&weights[k * k + from * k..][..k], k).row(0).to_owned();
    Crf { transitions: matrix(&weights[..k * k], k), start: row(0), end: row(1) }
}

/// Losses are sums of f64: their bound is for all of them together.
const LOSSES: f64 = 2e-6;

/// Draws whose numbers are compared together. A device has an e^x and a logarithm of its own, and plain f32 those of the
/// C library, which nearly always round right: among few numbers luck would decide. So there are more on a device.
fn draws(least: usize, numbers: usize) -> u32 {
    let enough = if cfg!(feature = "shim") { 1 } else { 3000 };
    least.max(usize::div_ceil(enough, numbers)) as u32
}

pub(super) fn check_crf(k: usize, lengths: &[usize], scale: f64, shared: Option<usize>) {
    let packing = Packing::new(lengths.to_vec());
    let (n, rules) = (packing.rows(), rules(k));
    let tags = legal(&rules, &packing);
    let d = Description { forbidden: Some(forbidden(&rules)), ..description(k, Head::Crf) };
    let mut all = Compared::default();
    // What is rounded off goes along a sentence to its end: of few sentences plain f32 may be right by luck.
    let least = 30usize.div_ceil(n).max(10usize.div_ceil(lengths.len()));
    for draws in 0..draws(least, n * k) {
        let Some(machine) = with_shared(shared, 0) else { return };
        let weights = draw(54 + 100 * draws, k * k + 2 * k, 0.5);
        let scores = draw(55 + 100 * draws, n * k, scale);
        let (got, ds, dw) = loss(machine, &d, lengths, (&scores, &tags, &weights));

        let (crf, f64_scores) = (crf_of(&weights, k), matrix(&scores, k));
        let want = crf.chain(&rules).negative_log_likelihoods(&f64_scores, &tags, &packing);
        let mut grads = crf.zeros_like();
        let weight = f64::from(1.0 / n as f32);
        let want_ds = crf.loss(f64_scores, &tags, &packing, &rules, weight, &mut grads).1;

        let potentials: Vec<f32> =
            weights.iter().zip(forbidden(&rules)).map(|(w, f)| w + f).collect();
        let weight = 1.0 / n as f32;
        let plain = plain::Crf { potentials: &potentials, scores: &scores, tags: &tags, weight };
        let (plain, plain_ds, plain_dw) = plain.run(&packing);
        all.add(0, &rounded(&got), &plain, &want);
        all.add(1, &ds, &plain_ds, &want_ds);
        all.add(2, &dw, &plain_dw, &grads.slices().concat());
    }
    let what = format!("K = {k}, {lengths:?}, scores within {scale}");
    all.norm(0, LOSSES, &format!("{what}: losses"));
    all.norm(1, GRADIENTS, &format!("{what}: ds"));
    all.norm(2, GRADIENTS, &format!("{what}: weights"));
}

fn rounded(numbers: &[f64]) -> Vec<f32> {
    numbers.iter().map(|&v| v as f32).collect()
}

#[test]
fn the_crf_agrees_with_f64_for_few_and_many_tags_and_for_large_scores() {
    for lengths in lengths() {
        check_crf(17, &lengths, 2.0, None);
    }
    for k in [2, 3, 33, 72, 100, 150] {
        check_crf(k, &[6, 3, 3, 1], 2.0, None);
        check_crf(k, &[6, 3, 3, 1], 2.0, Some(16 << 10)); // beside the shared memory from K = 46 on
    }
    check_crf(17, &[22, 8, 1], 100.0, None);
}

#[test]
pub(super) fn the_losses_of_single_tokens_agree_with_f64() {
    for (k, scale) in [(2, 2.0), (17, 2.0), (17, 100.0), (150, 3.0)] {
        for weighted in [false, true] {
            single_tokens(k, scale, weighted, Head::Softmax);
        }
        single_tokens(k, scale, false, Head::KerasRelu);
    }
}

fn single_tokens(k: usize, scale: f64, weighted: bool, head: Head) {
    let (lengths, weight) = ([7, 4, 1], f64::from(1.0 / 12.0f32));
    let mut all = Compared::default();
    for draws in 0..draws(1, 12 * k) {
        let of = |which| which + 100 * draws;
        let (mut scores, tags) = (draw(of(56), 12 * k, scale), whole(of(57), 12, k));
        let c = weighted.then(|| draw(of(58), k, 1.0).iter().map(|w| w + 1.5).collect::<Vec<_>>());
        if head == Head::KerasRelu {
            // Scores of the tutorial's head: some of each row above 0, or its loss is not finite.
            scores.iter_mut().for_each(|s| *s += 0.7 * scale as f32);
        }
        let Some(machine) = machine(0) else { return };
        let d = Description { tag_weights: c.clone(), ..description(k, head) };
        let (got, ds, _) = loss(machine, &d, &lengths, (&scores, &tags, &[]));
        let (plain, plain_ds) = match head {
            Head::KerasRelu => plain::keras_relu(&scores, &tags, weight as f32),
            _ => plain::softmax(&scores, &tags, c.as_deref(), weight as f32),
        };
        let c = c.map(|c| c.iter().map(|&c| f64::from(c)).collect::<Vec<_>>());
        let loss = |scores: &[f32], tags: &[u32]| match head {
            Head::KerasRelu => keras_relu::cross_entropy(matrix(scores, k), tags, weight),
            _ => softmax::cross_entropy(matrix(scores, k), tags, c.as_deref(), weight),
        };
        let rows = scores.chunks_exact(k).zip(tags.chunks_exact(1));
        let want: Vec<f64> = rows.map(|(s, y)| loss(s, y).0).collect();
        if want.iter().all(|l| l.is_finite()) {
            all.add(0, &rounded(&got), &plain, &want);
            all.add(1, &ds, &plain_ds, &loss(&scores, &tags).1);
        }
    }
    if all.len() > 0 {
        let what = format!("{head:?}, K = {k}, scores within {scale}, weighted: {weighted}");
        all.norm(0, LOSSES, &format!("{what}: losses"));
        all.norm(1, GRADIENTS, &format!("{what}: ds"));
    }
}

#[test]
fn the_best_tags_are_those_of_the_processor_to_the_last_tie() {
    for (k, shared) in [(2, None), (17, None), (72, None), (150, None), (150, Some(16 << 10))] {
        for lengths in [vec![22, 9, 9, 1], vec![1], vec![3; 19]] {
            check_viterbi(k, &lengths, shared);
        }
    }
}

pub(super) fn check_viterbi(k: usize, lengths: &[usize], shared: Option<usize>) {
    let packing = Packing::new(lengths.to_vec());
    let rules = rules(k);
    let coarse = |v: Vec<f32>| v.iter().map(|v| v.round()).collect::<Vec<f32>>();
    for (tied, order) in [(false, 0), (true, 1), (true, 2), (false, 3)] {
        let (mut scores, mut weights) =
            (draw(60, packing.rows() * k, 3.0), draw(61, k * k + 2 * k, 2.0));
        if tied {
            (scores, weights) = (coarse(scores), coarse(weights)); // many equal sums
        }
        let potentials: Vec<f32> =
            weights.iter().zip(forbidden(&rules)).map(|(w, f)| w + f).collect();
        let Some(machine) = with_shared(shared, order) else { return };
        let d = description(k, Head::Crf);
        let mut network = Network::to_tag(machine, d.clone(), 1, Some(&potentials)).unwrap();
        network.stage(0, batch(&d, lengths, &[])).unwrap();
        let got = network.with_batch(0, |n, at| {
            let scores = n.engine.put(&scores);
            let tags = n.viterbi(at, scores)?;
            Ok(bits(&n.engine.get(tags)))
        });
        let f32s = Array2::from_shape_vec((packing.rows(), k), scores).unwrap();
        let want = crf_of(&weights, k).chain(&rules).viterbi(&f32s, &packing);
        assert_eq!(got.unwrap(), want, "K = {k}, tied: {tied} (seed {})", seed());
    }
}

#[test]
fn a_sentence_of_scores_that_are_not_numbers_reaches_no_other() {
    let (k, lengths) = (17, [5, 4, 2]);
    let packing = Packing::new(lengths.to_vec());
    let tags = whole(62, packing.rows(), k);
    let weights = draw(63, k * k + 2 * k, 0.5);
    let clean = draw(64, packing.rows() * k, 2.0);
    let mut bad = clean.clone();
    bad[packing.row(1, 2) * k..][..k].fill(f32::NAN);
    for head in [Head::Crf, Head::Softmax] {
        let (Some(a), Some(b)) = (machine(0), machine(0)) else { return };
        let d = description(k, head);
        let crf = if head == Head::Crf { &weights[..] } else { &[] };
        let (_, clean, _) = loss(a, &d, &lengths, (&clean, &tags, crf));
        let (sum, bad, _) = loss(b, &d, &lengths, (&bad, &tags, crf));
        assert!(sum.iter().sum::<f64>().is_nan());
        for r in [0, 2] {
            for t in 0..lengths[r] {
                let row = k * packing.row(r, t)..k * (packing.row(r, t) + 1);
                assert_eq!(bits(&clean[row.clone()]), bits(&bad[row]), "{head:?} {r} {t}");
            }
        }
    }
}

#[test]
fn tags_that_fit_no_block_are_refused_before_anything_is_trained() {
    let Some(machine) = with_shared(Some(10 << 10), 0) else { return };
    let error = Network::new(machine, description(500, Head::Crf), false).map(drop).unwrap_err();
    assert_eq!(error.to_string(), "no CUDA kernel for 500 tags");
    assert!(error.is_absence());
}

#[test]
fn the_order_of_threads_changes_no_bit_of_a_crf() {
    let (k, lengths) = (40, [5, 4, 2]);
    let (tags, weights) = (whole(65, 11, k), draw(66, k * k + 2 * k, 0.5));
    let scores = draw(67, 11 * k, 2.0);
    let mut outs = ORDERS.iter().filter_map(|&order| {
        let d = description(k, Head::Crf);
        let (loss, ds, dw) = loss(machine(order)?, &d, &lengths, (&scores, &tags, &weights));
        let finite = [&ds, &dw].into_iter().flatten().all(|v| v.is_finite());
        assert!(finite && loss.iter().all(|l| l.is_finite()), "order {order}"); // NaNs are all alike
        let loss: Vec<u64> = loss.iter().map(|l| l.to_bits()).collect();
        Some((loss, bits(&ds), bits(&dw)))
    });
    let Some(first) = outs.next() else { return };
    assert!(outs.all(|out| out == first));
}
