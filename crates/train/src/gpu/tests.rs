//! Whole training steps and tags by the kernels against the trainer's own: on this processor through the shim, with the
//! feature `cuda` alone on a GPU. Without one they say so and pass, unless `LONGHAND_REQUIRE_CUDA` is set.

use data::{Corpus, CorpusBuilder, Scheme, Source};

use super::*;
use crate::config::Config;
use crate::dataset::Dataset;
use crate::run::{IfThere, RunFolder};
use crate::tagging::Ready;
use crate::trainer::{EpochRecord, Observer, Outcome, Progress};
use crate::{Model, Provenance};
use data::split::Split;

#[cfg(feature = "cuda-shim")]
fn machine(order: i32) -> Option<Box<dyn Machine>> {
    Some(Box::new(cuda::shim::Shim::open(order)?))
}

/// With no more shared memory a block than this.
#[cfg(feature = "cuda-shim")]
fn with_shared_memory(bytes: usize) -> Option<Box<dyn Machine>> {
    Some(Box::new(cuda::shim::Shim::open(0)?.with_shared_memory(bytes)))
}

#[cfg(not(feature = "cuda-shim"))]
fn machine(_: i32) -> Option<Box<dyn Machine>> {
    with_shared_memory(usize::MAX)
}

/// With no more shared memory a block than this.
#[cfg(not(feature = "cuda-shim"))]
fn with_shared_memory(bytes: usize) -> Option<Box<dyn Machine>> {
    match cuda::driver::Gpu::open() {
        Ok(gpu) => Some(Box::new(gpu.with_shared_memory(bytes))),
        Err(e) if std::env::var_os("LONGHAND_REQUIRE_CUDA").is_some() => panic!("{e}"),
        Err(e) => {
            eprintln!("skipped: {e}");
            None
        }
    }
}

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

/// The built-in presets' networks, small, each with something of its own. `VECTORS` stands for a file.
const NETWORKS: [&[(&str, &str)]; 13] = [
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
    &[("encoder", "[\"bilstm:16\"]"), ("chars", "cnn"), ("char-features", "30")],
    &[("encoder", "[\"bilstm:16\"]"), ("chars", "lstm"), ("char-features", "22")],
    &[
        ("encoder", "[\"bilstm:12\", \"lstm:24\", \"lstm:24\"]"),
        ("residual", "true"),
        ("chars", "lstm"),
        ("average", "0.9"),
        ("lazy-rows", "false"),
    ],
    &[("encoder", "[\"lstm:9\"]"), ("vectors", "VECTORS"), ("vectors-train", "frozen")],
    &[
        ("encoder", "[\"lstm:9\"]"),
        ("vectors", "VECTORS"),
        ("vectors-train", "tuned"),
        ("chars", "cnn"),
        ("average", "0.9"),
    ],
    &[("encoder", "[\"bilstm:8\"]"), ("head", "softmax"), ("class-weights", "balanced")],
    &[("encoder", "[\"bilstm:8\"]"), ("pos", "true")],
];

const VECTORS: &str =
    "Mary 0.1 -0.2 0.3\nParis 0.5 0.1 -0.4\nnow -0.3 0.2 0.1\nYork 0.2 0.2 -0.2\n";

fn trainer(flags: &[(&str, &str)], more: &[(&str, &str)]) -> Trainer {
    trainer_on(&SENTENCES, flags, more)
}

fn trainer_on(
    sentences: &[(&str, &str)],
    flags: &[(&str, &str)],
    more: &[(&str, &str)],
) -> Trainer {
    let vectors = tempfile::Builder::new().suffix(".txt").tempfile().unwrap();
    std::fs::write(vectors.path(), VECTORS).unwrap();
    let fixed = [
        ("min-count", "1"),
        ("wide-rows", "50"),
        ("affix-rows", "20"),
        ("batch", "7"),
        ("epochs", "1"),
    ];
    let flags = fixed.iter().chain(flags).chain(more);
    let value = |v: &str| v.replace("VECTORS", vectors.path().to_str().unwrap());
    let flags: Vec<_> = flags.map(|(k, v)| (k.to_string(), value(v))).collect();
    let config = Config::resolve(Some("fast"), None, &flags).unwrap();
    let corpus = if config.pos { with_pos(sentences) } else { Corpus::from_pairs(sentences) };
    let split = Split { train: (0..sentences.len() as u32).collect(), ..Split::default() };
    let dataset = Dataset::new(&corpus, split, &config, Scheme::Iob2, false).unwrap().0;
    Trainer::new(config, dataset).unwrap()
}

/// Words with parts of speech, of which there are three.
fn with_pos(sentences: &[(&str, &str)]) -> Corpus {
    let mut builder = CorpusBuilder::new(Source::named("x"), true, true);
    for ((words, tags), line) in sentences.iter().zip(1..) {
        for (word, tag) in words.split(' ').zip(tags.split(' ')) {
            let pos = ["NNP", "VBZ", "IN"][word.len() % 3];
            builder.push_token(word, Some(pos), Some(tag), line);
        }
        builder.end_sentence();
    }
    builder.finish()
}

/// An epoch: its mean loss.
fn epoch(trainer: &mut Trainer) -> f64 {
    match trainer.epoch(&mut Nobody).unwrap() {
        Outcome::Done(record) => record.loss,
        Outcome::Stopped => unreachable!("nobody stops it"),
    }
}

fn on_shim(flags: &[(&str, &str)], more: &[(&str, &str)], shim: Box<dyn Machine>) -> Trainer {
    let mut trainer = trainer(flags, more);
    let gpu = Gpu::new(shim, &trainer).unwrap();
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
    let tables =
        [("words", Some(&t.words)), ("wide", t.wide.as_ref()), ("vectors", t.vectors.as_ref())];
    let tables = tables.into_iter().filter_map(|(name, table)| Some((name, table?)));
    all.extend(tables.map(|(name, t)| (name.into(), flat(t.moment(Which::Mean)).to_vec())));
    all
}

#[test]
fn a_step_by_the_kernels_has_the_losses_and_gradients_of_the_trainer() {
    for flags in NETWORKS {
        let Some(shim) = machine(0) else { return };
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

/// Small batches take as long as their launches.
#[test]
fn a_step_of_fast_is_23_launches() {
    let Some(shim) = machine(0) else { return };
    let long = ["now and Mary"; 30].join(" "); // more tokens than one part of a gradient sums over
    let tags = ["O O B-per"; 30].join(" ");
    let trainer = trainer_on(&[(&long[..], &tags[..]); 3], &[], &[]);
    let mut gpu = Gpu::new(shim, &trainer).unwrap();
    gpu.push(&trainer).unwrap();
    let rates = trainer.config.adam_settings().rates(1, 0.01, 1.0);
    let job = Job { sentences: &[0, 1, 2], next: None, rates, average: None };
    assert!(gpu.step(&trainer, &job).unwrap().finite);
    assert_eq!(gpu.network.launches(), 23);
}

#[test]
fn twenty_steps_by_the_kernels_follow_the_trainers() {
    let more = [("epochs", "5"), ("batch", "2")]; // 4 batches an epoch, staged one ahead
    for flags in [NETWORKS[0], NETWORKS[2]] {
        let Some(shim) = machine(0) else { return };
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

/// Rounding grows with the steps, and every weight may drift; the loss may not.
#[test]
fn two_hundred_steps_by_the_kernels_end_at_the_loss_of_the_trainer() {
    let more = [("epochs", "50"), ("batch", "2"), ("learning-rate", "0.003"), ("average", "0")];
    let Some(shim) = machine(0) else { return };
    let flags = [("encoder", "[\"bilstm:16\"]")];
    let (mut cpu, mut gpu) = (trainer(&flags, &more), on_shim(&flags, &more, shim));
    let losses: Vec<[f64; 2]> = (0..50).map(|_| [epoch(&mut cpu), epoch(&mut gpu)]).collect();
    let [want, got] = losses[49];
    assert!(want < losses[0][0] / 4.0, "it learns: {losses:?}");
    assert!((got / want - 1.0).abs() < 0.01, "loss {got}, not {want}");
}

#[test]
fn the_order_in_which_threads_run_changes_no_bit() {
    let run = |order| {
        let mut trainer = on_shim(NETWORKS[2], &[("batch", "4")], machine(order)?);
        epoch(&mut trainer);
        Some(trainer.tagger().slices().concat().iter().map(|w| w.to_bits()).collect::<Vec<_>>())
    };
    let Some(first) = run(0) else { return };
    for order in [1, 2, 3] {
        assert_eq!(run(order).as_ref(), Some(&first), "order {order}");
    }
}

/// Stops after the first batch.
struct Once(bool);

impl Observer for Once {
    fn batch(&mut self, _: &Progress) -> bool {
        !std::mem::replace(&mut self.0, true)
    }

    fn epoch(&mut self, _: &EpochRecord) {}
}

#[test]
fn a_run_that_was_interrupted_and_resumed_ends_with_the_same_bits() {
    let more = [("epochs", "2"), ("batch", "2")];
    let run = |stop: bool| {
        let mut run = on_shim(NETWORKS[2], &more, machine(0)?);
        if stop {
            assert_eq!(run.epoch(&mut Once(false)).unwrap(), Outcome::Stopped);
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("checkpoint");
            run.save_checkpoint(&path).unwrap();
            run = on_shim(NETWORKS[2], &more, machine(0)?);
            run.load_checkpoint(&path).unwrap();
        }
        while !run.is_done() {
            epoch(&mut run);
        }
        let weights = [run.tagger().slices().concat(), run.best_guess().slices().concat()].concat();
        Some(weights.iter().map(|w| w.to_bits()).collect::<Vec<_>>())
    };
    let Some(whole) = run(false) else { return };
    assert_eq!(run(true), Some(whole));
}

#[test]
fn a_gpu_with_less_shared_memory_walks_wide_layers_step_by_step_to_the_same_end() {
    let Some(shim) = with_shared_memory(99 << 10) else { return };
    let mut small = on_shim(NETWORKS[4], &[], shim);
    let mut cpu = trainer(NETWORKS[4], &[]);
    let (want, got) = (epoch(&mut cpu), epoch(&mut small));
    assert!((got / want - 1.0).abs() < 1e-6, "loss {got}, not {want}");
}

#[test]
fn a_batch_that_is_not_finite_moves_no_weight() {
    let Some(shim) = machine(0) else { return };
    let mut gpu = on_shim(NETWORKS[0], &[], shim);
    gpu.tagger.network.dense.b[0] = f32::NAN;
    let before = gpu.tagger().words.rows.clone();
    assert_eq!(gpu.epoch(&mut Nobody).unwrap_err().code, "E011");
    assert_eq!(gpu.tagger().words.rows, before);
}

/// Sentences with so many types of entities, each with two tags.
fn with_types(types: usize) -> Vec<(String, String)> {
    let word = |i: usize| format!("w{i} is new");
    (0..types).map(|i| (word(i), format!("B-t{i:03} I-t{i:03} O"))).collect()
}

#[test]
fn hundreds_of_tags_go_through_crf_and_viterbi_in_shared_memory_or_beside_it() {
    let sentences = with_types(80); // 161 tags: more than a block has threads
    let sentences: Vec<_> = sentences.iter().map(|(w, t)| (&w[..], &t[..])).collect();
    let flags = [("encoder", "[\"lstm:8\"]"), ("affix-rows", "0"), ("batch", "80")];
    for shared in [227 << 10, 40 << 10] {
        let Some(shim) = with_shared_memory(shared) else { return };
        let mut cpu = trainer_on(&sentences, &flags, &[]);
        let mut gpu = trainer_on(&sentences, &flags, &[]);
        gpu.train_on(Box::new(Gpu::new(shim, &gpu).unwrap()));
        let (want, got) = (epoch(&mut cpu), epoch(&mut gpu));
        assert!((got / want - 1.0).abs() < 1e-6, "loss {got}, not {want}");
        for ((name, got), (_, want)) in means(&gpu).iter().zip(&means(&cpu)) {
            let far = distance(got, want);
            assert!(far < 2e-5, "{shared}: the gradient of {name} is {far:e} off");
        }
        let model = model_of(&gpu);
        let shim = with_shared_memory(shared).unwrap();
        let tags = GpuTags::new(shim, &model.tagger).unwrap();
        let words: Vec<Vec<&str>> = sentences.iter().map(|(w, _)| w.split(' ').collect()).collect();
        let want = model.tag_entities(&words[..9], true);
        same(&Ready::new(model).on(Box::new(tags)).tag(&words[..9], true), &want);
    }
}

fn model_of(trainer: &Trainer) -> Model {
    let record = EpochRecord {
        epoch: 1,
        loss: 0.0,
        accuracy: 0.0,
        dev: None,
        learning_rate: 0.0,
        tokens: 0,
        seconds: 0.0,
        tokens_per_second: 0.0,
        best: true,
    };
    trainer.model(&Provenance::default(), &record)
}

/// The same tags and entities; probabilities to rounding.
fn same(got: &[crate::tagging::Tagged], want: &[crate::tagging::Tagged]) {
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(want) {
        assert_eq!(got.tags, want.tags);
        assert_eq!(got.entities.len(), want.entities.len());
        for (got, want) in got.entities.iter().zip(&want.entities) {
            assert_eq!((got.start, got.end, got.kind), (want.start, want.end, want.kind));
            assert!((got.probability - want.probability).abs() < 1e-4, "{got:?} {want:?}");
        }
    }
}

fn words_to_tag() -> Vec<Vec<&'static str>> {
    let mut all: Vec<Vec<&str>> = SENTENCES.iter().map(|(w, _)| w.split(' ').collect()).collect();
    all.push(vec![]);
    all.push("Unheard words never seen by Mary".split(' ').collect());
    all
}

#[test]
fn tags_and_entities_by_the_kernels_are_those_of_the_processor() {
    for flags in NETWORKS {
        for decode in ["best", "likely"] {
            let Some(shim) = machine(0) else { return };
            // Long enough to find something; an average would still remember the first weights.
            let more =
                [("epochs", "12"), ("batch", "2"), ("learning-rate", "0.03"), ("decode", decode)];
            let mut trainer = trainer(flags, &more);
            (0..12).for_each(|_| assert!(epoch(&mut trainer).is_finite()));
            trainer.average = None;
            let model = model_of(&trainer);
            let words = words_to_tag();
            let want = model.tag_entities(&words, true);
            assert!(want.iter().any(|t| !t.entities.is_empty()), "{flags:?} found nothing");
            // As `tag` opens it: the tables of a mapped file lie in another order.
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("model.safetensors");
            model.save(&path).unwrap();
            let model = Model::map(&path).unwrap();
            let device = GpuTags::new(shim, &model.tagger).unwrap();
            let ready = Ready::new(model).on(Box::new(device));
            same(&ready.tag(&words, true), &want);
            // Without probabilities, and by the other way in.
            let quick: Vec<_> = ready.tag_all(&words, false).into_iter().map(|t| t.tags).collect();
            assert_eq!(quick, want.iter().map(|t| t.tags.clone()).collect::<Vec<_>>());
            assert!(ready.failure().is_none());
        }
    }
}

#[test]
fn what_a_sentence_gets_depends_on_no_other_one() {
    for flags in [NETWORKS[0], NETWORKS[6], NETWORKS[8], NETWORKS[5]] {
        let Some(shim) = machine(0) else { return };
        let model = model_of(&trainer(flags, &[]));
        let device = GpuTags::new(shim, &model.tagger).unwrap();
        let ready = Ready::new(model).on(Box::new(device));
        let words = words_to_tag();
        let together = ready.tag(&words, true);
        for (sentence, together) in words.iter().zip(&together) {
            assert_eq!(&ready.tag(&[sentence], true)[0], together, "{flags:?}"); // to the bit
        }
    }
}

#[test]
fn several_members_are_trained_one_after_the_other_and_tag_together() {
    let Some(shim) = machine(0) else { return };
    let flags = [
        ("encoder", "[\"bilstm:8\"]"),
        ("members", "3"),
        ("epochs", "4"),
        ("learning-rate", "0.02"),
    ];
    let run = |mut trainer: Trainer| {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::claim(dir.path(), IfThere::Refuse).unwrap();
        folder.train(&mut trainer, &Provenance::default(), IfThere::Refuse, &mut Nobody).unwrap();
        assert_eq!(trainer.history().len(), 12);
        (Model::load(&folder.model()).unwrap(), trainer)
    };
    let (cpu, _) = run(trainer(&flags, &[]));
    let (gpu, _) = run(on_shim(&flags, &[], shim));
    assert_eq!(gpu.tagger.others.len(), 2);
    let pairs = gpu.tagger.slices().into_iter().zip(cpu.tagger.slices());
    assert!(pairs.into_iter().all(|(a, b)| distance(a, b) < 1e-3));
    let mut gpu = gpu;
    let members = std::iter::once(&mut gpu.tagger.network.dense);
    let rest = gpu.tagger.others.iter_mut().map(|m| &mut m.network.dense);
    members.chain(rest).zip([6.0, 1.0, -2.0]).for_each(|(dense, lift)| dense.b[1] += lift);
    let device = GpuTags::new(machine(0).unwrap(), &gpu.tagger).unwrap();
    let (words, want) = (words_to_tag(), gpu.tag_entities(&words_to_tag(), true));
    assert!(want.iter().any(|t| !t.entities.is_empty()));
    same(&Ready::new(gpu).on(Box::new(device)).tag(&words, true), &want);
}

/// A device that fails at its second batch.
struct Failing(std::sync::atomic::AtomicUsize);

impl Tags for Failing {
    fn name(&self) -> String {
        "a failing device".into()
    }

    fn tag(&self, _: &Input, _: bool, _: bool) -> Result<Answer> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Err(error(&CudaError::OutOfMemory { needed: 5 << 20, free: 1 << 20 }))
    }
}

#[test]
fn where_the_device_fails_the_processor_goes_on_and_says_so_once() {
    let model = model_of(&trainer(NETWORKS[0], &[]));
    let (words, want) = (words_to_tag(), model.tag_entities(&words_to_tag(), true));
    let ready = Ready::new(model).on(Box::new(Failing(0.into())));
    assert_eq!(ready.tag(&words, true), want);
    let failure = ready.failure().expect("it failed");
    assert_eq!(failure.code, "E063");
    assert!(failure.message.contains("needs 5 MiB, 1 MiB free"), "{failure}");
    assert_eq!(ready.tag_all(&words, true), want);
}
