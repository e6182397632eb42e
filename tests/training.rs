//! What a run must keep: its bits over an interruption, and each sentence's tags in any company.

use std::path::Path;

use data::{Corpus, Scheme, Split};
use proptest::prelude::*;
use train::trainer::Progress;
use train::{
    Config, Dataset, Ending, EpochRecord, IfThere, Model, Observer, Provenance, RunFolder, Trainer,
    lexicon::Lexicon, model::weights_sha256,
};

fn corpus() -> Corpus {
    let rows: Vec<(String, String)> = (0..90)
        .map(|n| {
            let names = ["Ann", "Bob", "Eve", "Tom", "Ida", "Kim", "Lee"];
            let extra = " very".repeat(n % 9);
            let name = names[n % 7];
            let words = format!("{name} was{extra} tired of x{n} in {} .", names[(n + 3) % 7]);
            let tags = format!("B-per O{} O O O O B-geo O", " O".repeat(n % 9));
            (words, tags)
        })
        .collect();
    let pairs: Vec<(&str, &str)> = rows.iter().map(|(w, t)| (&w[..], &t[..])).collect();
    Corpus::from_pairs(&pairs)
}

fn trainer(more: &[(&str, &str)]) -> Trainer {
    let small = [
        ("encoder", "bilstm:8,lstm:8"),
        ("embedding", "8"),
        ("epochs", "3"),
        ("batch", "7"),
        ("recurrent-dropout", "0.2,0.5"),
    ];
    let flags: Vec<_> =
        small.iter().chain(more).map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
    let config = Config::resolve(Some("repaired"), None, &flags).unwrap();
    let corpus = corpus();
    let split = Split::by_fractions(&corpus, [80.0, 10.0, 10.0], 1, true).unwrap();
    let (dataset, _) = Dataset::new(&corpus, split, &config, Scheme::Iob2, false).unwrap();
    Trainer::new(config, dataset).unwrap()
}

/// Stops after so many batches.
struct StopAfter(usize);

impl Observer for StopAfter {
    fn batch(&mut self, _: &Progress) -> bool {
        self.0 = self.0.saturating_sub(1);
        self.0 == 0
    }

    fn epoch(&mut self, _: &EpochRecord) {}
}

fn run(folder: &Path, trainer: &mut Trainer, stop_after: usize, if_there: IfThere) -> Ending {
    let folder = RunFolder::claim(folder, if_there).unwrap();
    let mut observer = StopAfter(stop_after);
    folder.train(trainer, &Provenance::default(), if_there, &mut observer).unwrap()
}

#[test]
fn an_interrupted_and_resumed_run_ends_with_the_same_bits() {
    // Every part that has weights or moments of its own.
    let parts = &[
        ("affix-rows", "13"),
        ("wide-rows", "29"),
        ("wide-dropout", "0.3"),
        ("chars", "lstm"),
        ("head", "crf"),
        ("inside", "iobes"),
        ("average", "0.9"),
        ("weight-decay", "0.01"),
        ("word-dropout", "0.05"),
    ];
    let straight = tempfile::tempdir().unwrap();
    let mut whole = trainer(parts);
    assert_eq!(run(straight.path(), &mut whole, usize::MAX, IfThere::Refuse), Ending::Finished);

    // Stopped in the first epoch, at its last batch, and in the third.
    for stops in [&[4][..], &[10, 3], &[25]] {
        let dir = tempfile::tempdir().unwrap();
        let mut if_there = IfThere::Refuse;
        for &stop in stops {
            let ending = run(dir.path(), &mut trainer(parts), stop, if_there);
            assert_eq!(ending, Ending::Interrupted);
            if_there = IfThere::Resume;
        }
        let mut resumed = trainer(parts);
        assert_eq!(run(dir.path(), &mut resumed, usize::MAX, if_there), Ending::Finished);
        assert_eq!(
            weights_sha256(resumed.tagger()),
            weights_sha256(whole.tagger()),
            "stopped after {stops:?} batches"
        );
        let [a, b] = [&straight, &dir].map(|d| std::fs::read(d.path().join("model.safetensors")));
        assert!(a.unwrap() == b.unwrap(), "the best models differ");
        let losses = |t: &Trainer| t.history().iter().map(|r| r.loss).collect::<Vec<_>>();
        assert_eq!(losses(&resumed), losses(&whole));
    }
}

/// A whole run.
fn trained(more: &[(&str, &str)]) -> Trainer {
    let mut trainer = trainer(more);
    while !trainer.is_done() {
        trainer.epoch(&mut StopAfter(usize::MAX)).unwrap();
    }
    trainer
}

#[test]
fn batches_that_make_a_step_together_are_one_larger_batch_to_the_bit() {
    let of = |batch, accumulate| {
        let set = [("bucket", "1"), ("head", "crf"), ("batch", batch), ("accumulate", accumulate)];
        weights_sha256(trained(&set).tagger())
    };
    let large = of("14", "1");
    assert_eq!(of("7", "2"), large);
    assert_ne!(of("7", "1"), large);
}

#[test]
fn a_plateau_of_dev_halves_the_rate_also_after_an_interruption() {
    // At a rate of nothing dev F1 never rises: each epoch after the first is a plateau.
    let set = &[
        ("schedule", "plateau"),
        ("warmup", "0"),
        ("learning-rate", "1e-12"),
        ("epochs", "4"),
        ("keep", "last"),
    ];
    let rates = |t: &Trainer| t.history().iter().map(|r| r.learning_rate).collect::<Vec<_>>();
    let whole = trained(set);
    assert_eq!(rates(&whole), [1e-12, 1e-12, 5e-13, 2.5e-13]);

    let dir = tempfile::tempdir().unwrap();
    let ending = run(dir.path(), &mut trainer(set), 30, IfThere::Refuse);
    assert_eq!(ending, Ending::Interrupted);
    let mut resumed = trainer(set);
    run(dir.path(), &mut resumed, usize::MAX, IfThere::Resume);
    assert_eq!(rates(&resumed), rates(&whole));
    assert_eq!(weights_sha256(resumed.tagger()), weights_sha256(whole.tagger()));

    let patient = trained(&[set, &[("plateau", "2")][..]].concat());
    assert_eq!(rates(&patient), [1e-12, 1e-12, 1e-12, 5e-13]);
}

#[test]
fn a_plateau_without_a_dev_part_is_refused() {
    let set = [("schedule".to_owned(), "plateau".to_owned())];
    let config = Config::resolve(Some("repaired"), None, &set).unwrap();
    let corpus = corpus();
    let split = Split { train: vec![0, 1, 2], dev: vec![], test: vec![] };
    let (dataset, _) = Dataset::new(&corpus, split, &config, Scheme::Iob2, false).unwrap();
    let error = Trainer::new(config, dataset).err().expect("it is refused");
    assert_eq!(error.code, "E041", "{error}");
}

#[test]
fn balanced_classes_weigh_in_the_loss() {
    let of = |weights| trained(&[("class-weights", weights), ("head", "softmax")]);
    let (plain, balanced) = (of("none"), of("balanced"));
    assert_eq!(plain.tagger().spec.tag_weights, None);
    let weights = balanced.dataset().balanced_weights();
    assert_eq!(balanced.tagger().spec.tag_weights.as_ref(), Some(&weights));
    assert_ne!(weights_sha256(balanced.tagger()), weights_sha256(plain.tagger()));
}

#[test]
fn few_sentences_are_trained_on_for_min_steps() {
    let trainer = trained(&[("min-steps", "60"), ("batch", "32")]);
    let batches = trainer.dataset().split.train.len().div_ceil(8);
    assert!(3 * batches < 60, "3 epochs are too few");
    assert_eq!(trainer.config().batch, 8);
    assert_eq!(trainer.history().len(), 60usize.div_ceil(batches));
}

#[test]
fn networks_that_tag_together_are_resumed_and_each_is_the_one_that_its_seed_gives_alone() {
    let parts = &[("members", "3"), ("decode", "likely"), ("head", "crf")][..];
    let straight = tempfile::tempdir().unwrap();
    let mut whole = trainer(parts);
    assert_eq!(run(straight.path(), &mut whole, usize::MAX, IfThere::Refuse), Ending::Finished);
    // 11 batches an epoch, 3 epochs a network: stopped within the second and the third network.
    let dir = tempfile::tempdir().unwrap();
    let ending = run(dir.path(), &mut trainer(parts), 40, IfThere::Refuse);
    assert_eq!(ending, Ending::Interrupted);
    let ending = run(dir.path(), &mut trainer(parts), 30, IfThere::Resume);
    assert_eq!(ending, Ending::Interrupted);
    let mut resumed = trainer(parts);
    assert_eq!(run(dir.path(), &mut resumed, usize::MAX, IfThere::Resume), Ending::Finished);
    let [a, b] = [&straight, &dir].map(|d| std::fs::read(d.path().join("model.safetensors")));
    assert!(a.unwrap() == b.unwrap(), "the models differ");
    assert_eq!(resumed.history().len(), 9);

    let alone = tempfile::tempdir().unwrap();
    let mut second = trainer(&[&parts[1..], &[("seed", "2")]].concat());
    run(alone.path(), &mut second, usize::MAX, IfThere::Refuse);
    let [all, second] =
        [&straight, &alone].map(|d| Model::load(&d.path().join("model.safetensors")).unwrap());
    assert_eq!(all.tagger.others.len(), 2);
    assert_eq!(weights_sha256(&all.tagger.others[0]), weights_sha256(&second.tagger));
    let sentence = [["Ann", "was", "tired"]];
    assert_eq!(all.tag(&sentence), resumed_model(&dir).tag(&sentence));
}

fn resumed_model(dir: &tempfile::TempDir) -> Model {
    Model::load(&dir.path().join("model.safetensors")).unwrap()
}

#[test]
fn a_run_is_resumed_only_with_its_own_data_and_settings() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &mut trainer(&[]), 4, IfThere::Refuse);
    let folder = RunFolder::claim(dir.path(), IfThere::Resume).unwrap();
    let resumed = |more: &[(&str, &str)]| {
        let mut trainer = trainer(more);
        let none = Provenance::default();
        folder.train(&mut trainer, &none, IfThere::Resume, &mut StopAfter(9)).unwrap_err()
    };
    for (key, value) in [("clip", "1"), ("lower", "true")] {
        let error = resumed(&[(key, value)]);
        assert_eq!(error.code, "E043", "{error}");
        assert!(error.message.contains(&format!("({key} was ")), "{error}");
        // What the run began with stays on record.
        let config = std::fs::read_to_string(folder.config()).unwrap();
        assert_eq!(&Config::from_toml(&config).unwrap(), trainer(&[]).config());
    }
    let checkpoint = dir.path().join("checkpoint");
    let bytes = std::fs::read(&checkpoint).unwrap();
    std::fs::write(&checkpoint, &bytes[..bytes.len() / 2]).unwrap();
    let error = resumed(&[]);
    assert_eq!((error.code, error.help.as_deref()), ("E013", Some("start anew with --force")));
    assert!(error.message.contains("the checkpoint does not read: it is cut short"), "{error}");
}

#[test]
fn training_that_diverges_stops_at_once_and_says_where() {
    let mut trainer =
        trainer(&[("head", "keras-relu"), ("learning-rate", "1000"), ("epochs", "50")]);
    let mut never = StopAfter(usize::MAX);
    let error = (0..50).find_map(|_| trainer.epoch(&mut never).err()).expect("a NaN in 50 epochs");
    assert_eq!(error.code, "E011");
    assert!(error.message.contains("epoch") && error.message.contains("batch"), "{error}");
    assert!(trainer.tagger().network.dense.w.iter().all(|w| w.is_finite()));
}

fn model() -> Model {
    let parts = [("affix-rows", "13"), ("wide-rows", "29"), ("chars", "cnn"), ("head", "crf")];
    let sizes = [("encoder", "bilstm:17,lstm:12"), ("embedding", "9")];
    let mut trainer = trainer(&[&sizes[..], &parts].concat());
    let record = match trainer.epoch(&mut StopAfter(usize::MAX)).unwrap() {
        train::Outcome::Done(record) => record,
        train::Outcome::Stopped => unreachable!("nobody stopped it"),
    };
    trainer.model(&Provenance::default(), &record)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Bit for bit: not the tags alone, but the scores that they come from.
    #[test]
    fn the_scores_of_a_sentence_do_not_depend_on_its_batch(
        lengths in proptest::collection::vec(1usize..40, 1..30),
        pick in 0usize..30,
    ) {
        use nn::Packing;
        let model = model();
        let mut lengths = lengths;
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        let lexicon = Lexicon::new(model.code.vocab.words(), &model.code);
        let n_words = model.code.vocab.len();
        let word = |r: usize, t: usize| ((r * 31 + t * 7) % n_words) as u32;
        let sentence = |(r, &n): (usize, &usize)| (0..n).map(|t| word(r, t)).collect();
        let sentences: Vec<Vec<u32>> = lengths.iter().enumerate().map(sentence).collect();
        let scores = |sentences: &[&[u32]]| {
            let packing = Packing::new(sentences.iter().map(|s| s.len()).collect());
            let input = lexicon.input(sentences, &packing, |_, _| false);
            (model.tagger.forward(input, None).0, packing)
        };
        let all: Vec<&[u32]> = sentences.iter().map(Vec::as_slice).collect();
        let r = pick % lengths.len();
        let n = lengths[r];
        let (all, packing) = scores(&all);
        let (one, _) = scores(&[&sentences[r]]);
        for t in 0..n {
            prop_assert_eq!(one.row(t), all.row(packing.row(r, t)), "sentence {} step {}", r, t);
        }
    }
}

#[test]
fn a_saved_model_is_the_model_that_was_saved() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.safetensors");
    let model = model();
    model.save(&path).unwrap();
    let read = Model::load(&path).unwrap();
    assert_eq!(read.weights_sha256(), model.weights_sha256());
    let again = dir.path().join("again.safetensors");
    read.save(&again).unwrap();
    assert_eq!(std::fs::read(&again).unwrap(), std::fs::read(&path).unwrap());
    let sentence = ["Ann", "was", "never", "in", "Bob", "."];
    assert_eq!(read.tag(&[&sentence[..]]), model.tag(&[&sentence[..]]));
}
