//! What users wait for: a file read, a model opened, the program started, a sentence tagged, many sentences tagged.
//!
//! ```text
//! cargo bench --bench program
//! LONGHAND_GMB=ner_dataset.csv.gz cargo bench --bench program -- read     a file of your own, too
//! ```

mod common;

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use data::{Corpus, ReadOptions, Split};
use train::tagging::Ready;
use train::trainer::Progress;
use train::{Config, Dataset, EpochRecord, Model, Observer, Outcome, Provenance, Trainer};

const CORPUS: &[u8] = include_bytes!("../data/longhand.csv.gz");
const PARTS: &str = include_str!("../data/longhand.split");
const SENTENCE: &str = "Mr. Lincoln told reporters in Houston on Monday that the talks with the two \
                        sides had gone well so far .";

fn corpus() -> (Corpus, Split) {
    let (corpus, _) = data::read_bytes("<built-in>", CORPUS, &ReadOptions::default()).expect("it");
    let split = Split::parse_index_file("<built-in>", PARTS, corpus.len()).expect("its parts");
    (corpus, split)
}

/// A trainer after one epoch, and its model.
fn trained(preset: &str) -> (Trainer, Model) {
    let config = Config::preset(preset).expect("a preset");
    let (corpus, split) = corpus();
    let scheme = data::scheme::detect(&corpus).expect("a scheme");
    let (dataset, _) = Dataset::new(&corpus, split, &config, scheme, false).expect("a corpus");
    let mut trainer = Trainer::new(config, dataset).expect("a network");
    let Outcome::Done(record) = trainer.epoch(&mut Silent).expect("it does not diverge") else {
        unreachable!("nobody stops it")
    };
    let model = trainer.model(&Provenance::default(), &record);
    (trainer, model)
}

fn read(c: &mut Criterion) {
    let mut group = c.benchmark_group("read");
    let gmb = std::env::var("LONGHAND_GMB").ok().map(|path| (path.clone(), path));
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/data/longhand.csv");
    let files = [("built-in".to_owned(), file.to_owned())].into_iter().chain(gmb);
    for (name, path) in files {
        let size = std::fs::metadata(&path).expect("the file is there").len();
        group.throughput(Throughput::Bytes(size));
        let name = Path::new(&name).file_name().expect("a name").to_string_lossy().into_owned();
        group.sample_size(20).bench_function(name, |b| {
            b.iter(|| data::read(Path::new(&path), &ReadOptions::default()).expect("a corpus"));
        });
    }
    group.finish();
}

fn open(c: &mut Criterion) {
    let mut group = c.benchmark_group("open");
    for preset in ["repaired", "fast"] {
        let (_, model) = trained(preset);
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("model.safetensors");
        model.save(&path).expect("a file");
        group.throughput(Throughput::Bytes(std::fs::metadata(&path).expect("it").len()));
        group.bench_function(preset, |b| b.iter(|| Model::load(&path).expect("a model")));
    }
    group.finish();
}

/// Start, open, one sentence, exit: the whole of `longhand tag --text`. A model of your own: `LONGHAND_MODEL`.
fn start(c: &mut Criterion) {
    let mut group = c.benchmark_group("start");
    let own = std::env::var("LONGHAND_MODEL").ok().map(|path| ("own", PathBuf::from(path)));
    let dir = tempfile::tempdir().expect("a folder");
    let ours = ["repaired", "fast"].map(|preset| {
        let path = dir.path().join(preset);
        trained(preset).1.save(&path).expect("a file");
        (preset, path)
    });
    for (name, path) in ours.into_iter().chain(own) {
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut program = Command::new(env!("CARGO_BIN_EXE_longhand"));
                program.arg("tag").arg(&path).args(["--text", SENTENCE]);
                let done = program.output().expect("the program runs");
                assert!(done.status.success());
            });
        });
    }
    group.finish();
}

fn tag(c: &mut Criterion) {
    let mut group = c.benchmark_group("tag");
    for preset in ["repaired", "fast"] {
        let (trainer, model) = trained(preset);
        let train = &trainer.dataset().split.train;
        let tokens = trainer.dataset().count_tokens(train);
        group.throughput(Throughput::Elements(tokens as u64));
        group.sample_size(20).bench_function(format!("{preset}/ids_to_tags"), |b| {
            b.iter(|| black_box(trainer.predict(train)));
        });
        let words: Vec<&str> = SENTENCE.split(' ').collect();
        let ready = Ready::new(model);
        group.throughput(Throughput::Elements(words.len() as u64));
        group.sample_size(100).bench_function(format!("{preset}/one_sentence"), |b| {
            b.iter(|| black_box(ready.tag(&[&words[..]], false)));
        });
    }
    group.finish();
}

/// Watches without a word.
struct Silent;

impl Observer for Silent {
    fn batch(&mut self, _: &Progress) -> bool {
        false
    }

    fn epoch(&mut self, _: &EpochRecord) {}
}

criterion_group!(benches, read, open, start, tag);
criterion_main!(benches);
