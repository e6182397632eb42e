//! What both peers share: options, reading, numbers, batches, and the loops that are timed. The same rules as
//! `corpus.py` beside this folder: real tokens count, and a batch holds sentences of one length.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::time::Instant;

/// Batches at most that are not timed.
const WARM_UP: usize = 30;

/// Sentences tagged alone; so many more warm up.
const ALONE: usize = 500;
const ALONE_WARM_UP: usize = 50;

/// Word and tag numbers.
pub type Sentence = (Vec<u32>, Vec<u32>);

/// What was asked for on the command line.
pub struct Options {
    csv: PathBuf,
    split: Option<PathBuf>,
    pub tags_only: bool,
    pub threads: usize,
    pub batch: usize,
    seconds: f64,
}

/// Sentences as numbers.
pub struct Numbered {
    pub sentences: Vec<Sentence>,
    pub words: usize,
    pub tags: usize,
}

impl Options {
    /// Reads the command line. Both libraries take their number of threads from the environment, and before
    /// anything runs: where it says another number than `--threads`, the program starts itself anew.
    pub fn read() -> Self {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../data");
        let mut options = Self {
            csv: data.join("longhand.csv"),
            split: Some(data.join("longhand.split")),
            tags_only: false,
            threads: 2,
            batch: 32,
            seconds: 8.0,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_else(|| usage(&argument));
            match &argument[..] {
                "--split-file" => options.split = Some(value().into()),
                "--threads" => options.threads = number(&value()),
                "--batch" => options.batch = number(&value()),
                "--seconds" => options.seconds = number(&value()),
                "--work" => options.tags_only = value() == "tag",
                flag if flag.starts_with('-') => usage(flag),
                path => {
                    (options.csv, options.split) =
                        (path.into(), options.split.filter(|s| !s.starts_with(&data)))
                }
            }
        }
        let threads = options.threads.to_string();
        if std::env::var("RAYON_NUM_THREADS").is_ok_and(|n| n == threads) {
            return options;
        }
        let program = std::env::current_exe().expect("a program that runs has a path");
        let mut again = Command::new(program);
        again.args(std::env::args().skip(1));
        again.envs(["RAYON_NUM_THREADS", "CANDLE_NUM_THREADS"].map(|name| (name, &threads)));
        exit(again.status().expect("it started once").code().unwrap_or(1))
    }

    /// The training part as numbers, each word and tag numbered as it comes.
    pub fn numbered(&self) -> Numbered {
        let all = read(&self.csv);
        let chosen: Vec<usize> = match &self.split {
            None => (0..all.len()).collect(),
            Some(path) => {
                let text = std::fs::read_to_string(path).expect("a file of parts");
                let line = text.lines().find_map(|line| line.strip_prefix("train\t"));
                line.expect("a line `train`").split_whitespace().map(number).collect()
            }
        };
        let (mut words, mut tags) = (HashMap::new(), HashMap::new());
        let number = |numbers: &mut HashMap<String, u32>, text: &String| {
            let next = numbers.len() as u32;
            *numbers.entry(text.clone()).or_insert(next)
        };
        let sentence = |&i: &usize| {
            let tokens = all[i].iter();
            tokens.map(|(w, t)| (number(&mut words, w), number(&mut tags, t))).unzip()
        };
        let sentences = chosen.iter().map(sentence).collect();
        Numbered { sentences, words: words.len(), tags: tags.len() }
    }

    /// Training: `step` makes one update and gives the loss. Shuffled batches until the time is over.
    pub fn time_training(
        &self,
        numbers: &Numbered,
        mut step: impl FnMut(&[&Sentence]) -> f32,
    ) -> String {
        let first = batches(&numbers.sentences, self.batch, Some(1));
        first.iter().take(WARM_UP.min(first.len() / 5)).for_each(|batch| _ = step(batch));
        let (start, mut done, mut count, mut loss) = (Instant::now(), 0, 0, f32::NAN);
        'measured: for seed in 2.. {
            for batch in batches(&numbers.sentences, self.batch, Some(seed)) {
                loss = step(&batch);
                done += tokens(&batch);
                count += 1;
                if start.elapsed().as_secs_f64() >= self.seconds {
                    break 'measured;
                }
            }
        }
        assert!(loss.is_finite(), "training diverged");
        let took = start.elapsed().as_secs_f64();
        format!(
            "\"tokens_per_second\": {}, \"tokens\": {done}, \"batches\": {count}, \"seconds\": {took}, \"last_loss\": {loss}",
            done as f64 / took
        )
    }

    /// Tagging: `tag` gives a tag for each of the words of sentences of one length. Passes over all sentences, the
    /// first to warm up, then sentences alone.
    pub fn time_tagging(
        &self,
        numbers: &Numbered,
        tag: impl Fn(&[&Sentence]) -> Vec<u32>,
    ) -> String {
        let pass = || {
            let (begin, mut tagged, mut all) = (Instant::now(), 0, 0);
            for batch in batches(&numbers.sentences, self.batch, None) {
                tagged += tag(&batch).len();
                all += tokens(&batch);
            }
            assert_eq!(tagged, all, "every token has a tag");
            all as f64 / begin.elapsed().as_secs_f64()
        };
        pass();
        let (start, mut speeds) = (Instant::now(), Vec::new());
        while speeds.is_empty() || start.elapsed().as_secs_f64() < self.seconds {
            speeds.push(pass());
        }
        let alone = |sentence: &Sentence| {
            let begin = Instant::now();
            assert_eq!(tag(&[sentence]).len(), sentence.0.len());
            1000.0 * begin.elapsed().as_secs_f64()
        };
        let sentences = numbers.sentences.iter().cycle().take(ALONE + ALONE_WARM_UP);
        let times: Vec<f64> = sentences.map(alone).skip(ALONE_WARM_UP).collect();
        let passes = speeds.len();
        format!(
            "\"tokens_per_second\": {}, \"passes\": {passes}, \"one_sentence_ms\": {}",
            median(speeds),
            median(times)
        )
    }

    /// The one line on standard output.
    pub fn report(&self, peer: &str, version: &str, numbers: &Numbered, figures: &str) {
        let work = if self.tags_only { "tag" } else { "train" };
        let (threads, batch, words, tags) = (self.threads, self.batch, numbers.words, numbers.tags);
        println!(
            "{{\"peer\": \"{peer}\", \"version\": \"{version}\", \"work\": \"{work}\", \"threads\": {threads}, \
             \"batch\": {batch}, \"words\": {words}, \"tags\": {tags}, {figures}}}"
        );
    }
}

/// Word numbers of a batch, row by row.
pub fn words<N: From<u32>>(batch: &[&Sentence]) -> Vec<N> {
    batch.iter().flat_map(|(words, _)| words.iter().map(|&w| N::from(w))).collect()
}

/// Tag numbers of a batch, row by row.
pub fn tags<N: From<u32>>(batch: &[&Sentence]) -> Vec<N> {
    batch.iter().flat_map(|(_, tags)| tags.iter().map(|&t| N::from(t))).collect()
}

fn tokens(batch: &[&Sentence]) -> usize {
    batch.iter().map(|(words, _)| words.len()).sum()
}

/// Batches of sentences of exactly one length; a seed shuffles sentences and batches.
fn batches(sentences: &[Sentence], size: usize, seed: Option<u64>) -> Vec<Vec<&Sentence>> {
    let mut order: Vec<&Sentence> = sentences.iter().collect();
    let mut random = Random(seed.unwrap_or(0));
    if seed.is_some() {
        random.shuffle(&mut order);
    }
    order.sort_by_key(|(words, _)| words.len()); // stable: equal lengths stay shuffled
    let of_length = order.chunk_by(|a, b| a.0.len() == b.0.len());
    let mut cut: Vec<Vec<&Sentence>> =
        of_length.flat_map(|same| same.chunks(size).map(<[_]>::to_vec)).collect();
    if seed.is_some() {
        random.shuffle(&mut cut);
    }
    cut
}

/// SplitMix64 (Steele, Lea, Flood 2014): enough to shuffle.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, (self.next() % (last as u64 + 1)) as usize);
        }
    }
}

/// Sentences in the order of the file, each a list of (word, tag): UTF-8, or Windows-1252 as the Kaggle file is.
fn read(path: &Path) -> Vec<Vec<(String, String)>> {
    let raw = std::fs::read(path).unwrap_or_else(|e| fail(&format!("{}: {e}", path.display())));
    let mut bytes = Vec::new();
    match path.extension().is_some_and(|e| e == "gz") {
        true => {
            let mut unpacked = flate2::read::MultiGzDecoder::new(&raw[..]);
            unpacked.read_to_end(&mut bytes).expect("gzip");
        }
        false => bytes = raw,
    }
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|e| encoding_rs::WINDOWS_1252.decode(e.as_bytes()).0.into_owned());
    let mut rows = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let header = rows.headers().expect("a header").clone();
    let column = |name: &str| header.iter().position(|h| h == name).unwrap_or_else(|| fail(name));
    let [sentence, word, tag] = ["Sentence #", "Word", "Tag"].map(column);
    let mut sentences: Vec<Vec<(String, String)>> = Vec::new();
    for row in rows.records() {
        let row = row.expect("rows of one width");
        if !row[sentence].is_empty() || sentences.is_empty() {
            sentences.push(Vec::new());
        }
        let last = sentences.last_mut().expect("one was begun");
        last.push((row[word].to_owned(), row[tag].to_owned()));
    }
    sentences
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn number<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| fail(&format!("{text:?} is no number")))
}

fn usage(at: &str) -> ! {
    fail(&format!(
        "{at}: [CSV] [--split-file FILE] [--work train|tag] [--threads N] [--batch N] [--seconds S]"
    ))
}

fn fail(what: &str) -> ! {
    eprintln!("error: {what}");
    exit(2)
}
