//! Whole training steps by the kernels, on this processor, against the trainer's own.

use cuda::shim::Shim;
use data::{Corpus, Scheme};

use super::*;
use crate::config::Config;
use crate::dataset::Dataset;
use crate::trainer::{EpochRecord, Observer, Outcome, Progress};
use data::split::Split;

struct Nobody;

impl Observer for Nobody {
    fn batch(&mut self, _: &Progress) -> bool {
        false
    }

    fn epoch(&mut self, _: &EpochRecord) {}
}

const SENTENCES: [(&str, &str); 7] = [
    ("Mary Smith lives in New York now .", "B-per I-per O O B-geo I-geo O O"),
    ("Paris sleeps", "B-geo O"),
    ("Nobody knows Mary", "O O B-per"),
    ("In New York nobody sleeps", "O B-geo I-geo O O"),
    ("York", "B-geo"),
    ("Mary knows Paris and Paris knows Mary", "B-per O B-geo O B-geo O B-per"),
    ("now and now", "O O O"),
];

/// The built-in presets' networks, small, each with something of its own.
const NETWORKS: [&[(&str, &str)]; 6] = [
    &[("encoder", "[\"bilstm:64\"]")],
    &[
        ("encoder", "[\"bilstm:64\"]"),
        ("locked", "true"),
        ("recurrent-dropout", "[0.2]"),
        ("clip", "0.01"),
    ],
    &[("encoder", "[\"bilstm:128\", \"lstm:64\"]"), ("lazy-rows", "false"), ("average", "0.9")],
    &[("encoder", "[\"bilstm:20\", \"lstm:37\"]"), ("recurrent-dropout", "[0.3, 0.1]")],
    &[("encoder", "[\"lstm:128\"]"), ("head", "softmax"), ("wide-rows", "0"), ("affix-rows", "0")],
    &[("encoder", "[\"bilstm:256\"]"), ("head", "softmax"), ("rules", "false"), ("adam", "keras")],
];

fn trainer(flags: &[(&str, &str)], more: &[(&str, &str)]) -> Trainer {
    let fixed = [
        ("min-count", "1"),
        ("wide-rows", "50"),
        ("affix-rows", "20"),
        ("batch", "7"),
        ("epochs", "1"),
    ];
    let flags = fixed.iter().chain(flags).chain(more);
    let flags: Vec<_> = flags.map(|(k, v)| (k.to_string(), v.to_string())).collect();
    let config = Config::resolve(Some("fast"), None, &flags).unwrap();
    let corpus = Corpus::from_pairs(&SENTENCES);
    let split = Split { train: (0..7).collect(), ..Split::default() };
    let dataset = Dataset::new(&corpus, split, &config, Scheme::Iob2, false).unwrap().0;
    Trainer::new(config, dataset).unwrap()
}

/// An epoch: its mean loss.
fn epoch(trainer: &mut Trainer) -> f64 {
    match trainer.epoch(&mut Nobody).unwrap() {
        Outcome::Done(record) => record.loss,
        Outcome::Stopped => unreachable!("nobody stops it"),
    }
}

fn on_shim(flags: &[(&str, &str)], more: &[(&str, &str)], shim: Shim) -> Trainer {
    let mut trainer = trainer(flags, more);
    let gpu = Gpu::new(Box::new(shim), &trainer).unwrap();
    trainer.train_on(Box::new(gpu));
    trainer
}

/// ‖a − b‖ / ‖b‖.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut a.iter().zip(b).map(|(&a, &b)| f64::from(a) - f64::from(b)));
    difference / norm(&mut b.iter().map(|&b| f64::from(b))).max(1e-30)
}

/// Adam's means after one step are the gradient times a constant: every tensor's, by name.
fn means(t: &Trainer) -> Vec<(String, Vec<f32>)> {
    let network =
        t.adam.m.tensors().into_iter().map(|(name, v)| (name, v.iter().copied().collect()));
    let mut all: Vec<(String, Vec<f32>)> = network.collect();
    all.push(("words".into(), t.words.moment(Which::Mean).to_vec()));
    all.extend(t.wide.as_ref().map(|w| ("wide".into(), w.moment(Which::Mean).to_vec())));
    all
}

#[test]
fn a_step_by_the_kernels_has_the_losses_and_gradients_of_the_trainer() {
    for flags in NETWORKS {
        let Some(shim) = Shim::open(0) else { return };
        let (mut cpu, mut gpu) = (trainer(flags, &[]), on_shim(flags, &[], shim));
        let (want, got) = (epoch(&mut cpu), epoch(&mut gpu));
        assert!((got / want - 1.0).abs() < 1e-6, "{flags:?}: loss {got}, not {want}");
        assert_eq!(gpu.history()[0].accuracy, cpu.history()[0].accuracy, "{flags:?}");
        for ((name, got), (_, want)) in means(&gpu).iter().zip(&means(&cpu)) {
            let far = distance(got, want);
            assert!(far < 2e-5, "{flags:?}: the gradient of {name} is {far:e} off");
        }
        let weights = gpu.tagger().slices().into_iter().zip(cpu.tagger().slices());
        assert!(weights.into_iter().all(|(a, b)| distance(a, b) < 1e-3), "{flags:?}");
    }
}

#[test]
fn twenty_steps_by_the_kernels_follow_the_trainers() {
    let more = [("epochs", "5"), ("batch", "2")]; // 4 batches an epoch, staged one ahead
    for flags in [NETWORKS[0], NETWORKS[2]] {
        let Some(shim) = Shim::open(0) else { return };
        let (mut cpu, mut gpu) = (trainer(flags, &more), on_shim(flags, &more, shim));
        for e in 0..5 {
            let (want, got) = (epoch(&mut cpu), epoch(&mut gpu));
            assert!(
                (got / want - 1.0).abs() < 1e-4,
                "{flags:?}: epoch {e}: loss {got}, not {want}"
            );
        }
        let averages = gpu.best_guess().slices().into_iter().zip(cpu.best_guess().slices());
        assert!(averages.into_iter().all(|(a, b)| distance(a, b) < 1e-2), "{flags:?}");
    }
}

#[test]
fn the_order_in_which_threads_run_changes_no_bit() {
    let run = |order| {
        let mut trainer = on_shim(NETWORKS[2], &[("batch", "4")], Shim::open(order)?);
        epoch(&mut trainer);
        Some(trainer.tagger().slices().concat().iter().map(|w| w.to_bits()).collect::<Vec<_>>())
    };
    let Some(first) = run(0) else { return };
    for order in [1, 2, 3] {
        assert_eq!(run(order).as_ref(), Some(&first), "order {order}");
    }
}

#[test]
fn a_gpu_with_less_shared_memory_walks_wide_layers_step_by_step_to_the_same_end() {
    let Some(shim) = Shim::open(0) else { return };
    let mut small = on_shim(NETWORKS[4], &[], shim.with_shared_memory(99 << 10));
    let mut cpu = trainer(NETWORKS[4], &[]);
    let (want, got) = (epoch(&mut cpu), epoch(&mut small));
    assert!((got / want - 1.0).abs() < 1e-6, "loss {got}, not {want}");
}

#[test]
fn a_batch_that_is_not_finite_moves_no_weight() {
    let Some(shim) = Shim::open(0) else { return };
    let mut gpu = on_shim(NETWORKS[0], &[], shim);
    gpu.tagger.network.dense.b[0] = f32::NAN;
    let before = gpu.tagger().words.rows.clone();
    assert_eq!(gpu.epoch(&mut Nobody).unwrap_err().code, "E011");
    assert_eq!(gpu.tagger().words.rows, before);
}

#[test]
fn parts_without_kernels_are_named() {
    let trainer = trainer(&[("chars", "cnn")], &[]);
    let error = describe(&trainer.tagger.spec).unwrap_err();
    assert!(error.to_string().starts_with("no CUDA kernel for characters"), "{error}");
}

/// For `crates/cuda/sanitize.sh`: few sentences, since each thread of a block is one of the system.
#[test]
#[ignore = "slow without a sanitizer's library; crates/cuda/sanitize.sh runs it"]
fn under_a_sanitizer() {
    let Some(shim) = Shim::open(0) else { return };
    let mut gpu =
        on_shim(&[("encoder", "[\"bilstm:64\", \"lstm:20\"]"), ("affix-rows", "0")], &[], shim);
    assert!(epoch(&mut gpu).is_finite());
}
