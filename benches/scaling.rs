//! Whole training epochs of the tutorial's network, and what they take when one thing about them grows:
//! width of the state, batch, length of the sentences, vocabulary. All threads; tokens a second, and the share of the
//! peak of that many threads that the products alone account for.
//!
//! ```text
//! cargo bench --bench scaling -- batch     only that group
//! ```

mod common;

use std::time::Duration;

use common::{peak_of_all_threads, stream};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use data::{Corpus, Scheme, Split};
use tensor::random::Stream;
use train::trainer::Progress;
use train::{Config, Dataset, EpochRecord, Observer, Outcome, Trainer};

/// What a bench varies, at the tutorial's values.
#[derive(Clone, Copy)]
struct Size {
    hidden: usize,
    batch: usize,
    length: usize,
    words: u32,
}

const TUTORIAL: Size = Size { hidden: 64, batch: 32, length: 22, words: 35_000 };

/// Tokens of an epoch, about.
const TOKENS: usize = 40_000;

fn hidden(c: &mut Criterion) {
    each(c, "hidden", [32, 64, 128, 256, 512], |hidden| Size { hidden, ..TUTORIAL });
}

fn batch(c: &mut Criterion) {
    each(c, "batch", [1, 8, 32, 128, 1000], |batch| Size { batch, ..TUTORIAL });
}

fn length(c: &mut Criterion) {
    each(c, "length", [1, 4, 22, 100, 1000], |length| Size { length, ..TUTORIAL });
}

fn vocabulary(c: &mut Criterion) {
    each(c, "vocabulary", [1_000, 10_000, 100_000, 1_000_000], |words| Size {
        words: words as u32,
        ..TUTORIAL
    });
}

fn each<const N: usize>(c: &mut Criterion, name: &str, sizes: [usize; N], of: fn(usize) -> Size) {
    let mut group = c.benchmark_group(format!("train_{name}"));
    group.sample_size(10).warm_up_time(Duration::from_millis(500));
    group.measurement_time(Duration::from_secs(3));
    for value in sizes {
        let size = of(value);
        let mut trainer = trainer(size);
        let tokens = trainer.dataset().count_tokens(&trainer.dataset().split.train);
        let flop = 3.0 * (tokens * trainer.tagger().spec.flop_per_token()) as f64;
        let (mut best, before) = (f64::INFINITY, peak_of_all_threads());
        group.throughput(Throughput::Elements(tokens as u64));
        group.bench_function(value.to_string(), |b| {
            b.iter_custom(|epochs| {
                let seconds: Vec<f64> = (0..epochs).map(|_| epoch(&mut trainer)).collect();
                best = seconds.iter().copied().fold(best, f64::min);
                Duration::from_secs_f64(seconds.iter().sum())
            });
        });
        if best.is_finite() {
            let share = flop / best / before.max(peak_of_all_threads());
            println!("  best: {:.0}k tokens/s, {share:.2} of the peak", tokens as f64 / best / 1e3);
        }
    }
    group.finish();
}

/// Trains one epoch; seconds of its steps.
fn epoch(trainer: &mut Trainer) -> f64 {
    match trainer.epoch(&mut Silent).expect("it does not diverge") {
        Outcome::Done(record) => record.seconds,
        Outcome::Stopped => unreachable!("nobody stops it"),
    }
}

fn trainer(size: Size) -> Trainer {
    let Size { hidden, batch, words, .. } = size;
    let flags = [
        ("encoder", format!("bilstm:{hidden},lstm:{hidden}")),
        ("embedding", hidden.to_string()),
        ("batch", batch.to_string()),
        ("epochs", "100000".into()),
        // Every word of the corpus has a row, whatever part it is in.
        ("vocabulary", "all".into()),
    ];
    let flags = flags.map(|(key, value)| (key.to_owned(), value));
    let config = Config::resolve(Some("repaired"), None, &flags).expect("a configuration");
    let (corpus, split) = corpus(size.length, words);
    let (dataset, _) =
        Dataset::new(&corpus, split, &config, Scheme::Iob2, false).expect("a corpus");
    Trainer::new(config, dataset).expect("a network")
}

/// Sentences of one length, words drawn from `words`, and behind them a sentence of every word once, so
/// that the table has all its rows. No part holds it.
fn corpus(length: usize, words: u32) -> (Corpus, Split) {
    let sentences = TOKENS / length;
    let mut s: Stream = stream(words);
    let mut rows: Vec<(String, String)> = (0..sentences)
        .map(|_| {
            let text: Vec<String> = (0..length).map(|_| format!("w{}", s.below(words))).collect();
            let tags =
                format!("B-{}{}", ["per", "geo"][s.below(2) as usize], " O".repeat(length - 1));
            (text.join(" "), tags)
        })
        .collect();
    let all: Vec<String> = (0..words).map(|w| format!("w{w}")).collect();
    rows.push((all.join(" "), vec!["O"; words as usize].join(" ")));
    let pairs: Vec<(&str, &str)> = rows.iter().map(|(w, t)| (&w[..], &t[..])).collect();
    let split = Split { train: (0..sentences as u32).collect(), ..Split::default() };
    (Corpus::from_pairs(&pairs), split)
}

/// Watches without a word.
struct Silent;

impl Observer for Silent {
    fn batch(&mut self, _: &Progress) -> bool {
        false
    }

    fn epoch(&mut self, _: &EpochRecord) {}
}

criterion_group!(benches, hidden, batch, length, vocabulary);
criterion_main!(benches);
