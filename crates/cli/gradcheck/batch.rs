//! The small batches that gradients are checked on, and which elements of a large tensor are.

use std::collections::{BTreeSet, HashMap};

use data::Corpus;
use ndarray::Array2;
use nn::Packing;
use nn::Params;
use nn::crf::Allowed;
use nn::dropout::Noise;
use nn::tagger::{Input, Network, Spec, Tagger};
use tensor::random::{Purpose, Stream};
use train::lexicon::{Lexicon, WordCode};

/// Sentences of the built-in corpus, cut to their lengths, with tags drawn from those that the rules allow.
#[derive(Clone)]
pub struct Batch {
    /// What the network reads.
    pub input: Input,
    tags: Vec<u32>,
    sentences: Vec<u32>,
    seed: u64,
    locked: bool,
}

/// Purposes of the random numbers of this command, apart from those that shake weights.
const TEXT: u16 = 1;
const TAGS: u16 = 2;
const PLACES: u16 = 3;

impl Batch {
    /// Batch `number` of sentences of these lengths, which fall.
    pub fn new(
        corpus: &Corpus,
        code: &WordCode,
        spec: &Spec,
        lengths: &[usize],
        seed: u64,
        number: u32,
    ) -> Self {
        let mut stream = Stream::numbered(seed, Purpose::Test, TEXT, number, 0);
        let texts: Vec<&[u32]> = lengths
            .iter()
            .map(|&n| {
                loop {
                    let i = stream.below(corpus.len() as u32) as usize;
                    if let Some(words) = corpus.sentence(i).word_ids().get(..n) {
                        return words;
                    }
                }
            })
            .collect();
        let packing = Packing::new(lengths.to_vec());
        let lexicon = Lexicon::new(corpus.words.iter(), code);
        let input = lexicon.input(&texts, &packing, |_, _| false);
        let rules = spec.rules.clone().unwrap_or_else(|| Allowed::all(spec.tags));
        let mut tags = vec![0; packing.rows()];
        let mut stream = Stream::numbered(seed, Purpose::Test, TAGS, number, 0);
        for (r, &n) in lengths.iter().enumerate() {
            let mut path = Vec::new();
            assert!(walk(&rules, n, &mut path, &mut stream), "the rules allow {n} tags");
            path.iter().enumerate().for_each(|(t, &tag)| tags[packing.row(r, t)] = tag);
        }
        let sentences = (0..lengths.len() as u32).collect();
        Self { input, tags, sentences, seed, locked: true }
    }

    /// The same batch with dropout masks of a sentence, or of a token.
    pub fn locked(self, locked: bool) -> Self {
        Self { locked, ..self }
    }

    /// The same sentences as another input of as many tokens.
    pub fn reading(&self, input: Input) -> Self {
        Self { input, ..self.clone() }
    }

    /// The dropout of this batch, the same at every call.
    pub fn noise(&self) -> Noise<'_> {
        Noise { seed: self.seed, epoch: 1, sentences: &self.sentences, locked: self.locked }
    }

    /// Mean loss a token. Adds the gradient of the transitions to `grads`.
    pub fn loss(&self, tagger: &Tagger<f64>, grads: &mut Network<f64>) -> f64 {
        let (scores, _) = tagger.forward(self.input.clone(), Some(&self.noise()));
        self.loss_of(tagger, scores, grads).0
    }

    /// Mean loss a token of these scores, and their gradient.
    pub fn loss_of(
        &self,
        tagger: &Tagger<f64>,
        scores: Array2<f64>,
        grads: &mut Network<f64>,
    ) -> (f64, Array2<f64>) {
        let weight = 1.0 / self.tags.len() as f64;
        let (loss, ds) = tagger.loss(scores, &self.tags, &self.input.packing, weight, grads);
        (weight * loss, ds)
    }
}

/// Continues `path` to `n` tags along the rules, in an order drawn from `stream`; false if it cannot be.
fn walk(rules: &Allowed, n: usize, path: &mut Vec<u32>, stream: &mut Stream) -> bool {
    let k = rules.n_tags();
    if path.len() == n {
        return path.last().is_none_or(|&last| rules.end()[last as usize]);
    }
    let mut tags: Vec<u32> = (0..k as u32).collect();
    stream.shuffle(&mut tags);
    for tag in tags {
        let allowed = match path.last() {
            None => rules.start()[tag as usize],
            Some(&from) => rules.transitions()[from as usize * k + tag as usize],
        };
        if allowed {
            path.push(tag);
            if walk(rules, n, path, stream) {
                return true;
            }
            path.pop();
        }
    }
    false
}

/// Which elements of a tensor are compared: all of a small one. Of a large one some, drawn at random; of a
/// table three quarters of them in rows that the batch reads, as the others have no gradient.
pub struct Pick {
    most: usize,
    seed: u64,
    /// Rows that the batch reads, by the table's name, and the table's columns.
    rows: HashMap<String, (Vec<usize>, usize)>,
}

impl Pick {
    /// At most `most` elements a tensor.
    pub fn new(tagger: &Tagger<f64>, batch: &Batch, most: usize, seed: u64) -> Self {
        let mut rows = HashMap::new();
        let tables = tagger.words.tensors();
        for (t, (name, table)) in tables.iter().enumerate() {
            let ids = batch.input.words.iter().skip(t).step_by(tables.len());
            rows.insert(format!("words.{name}"), (distinct(ids), table.shape()[1]));
        }
        if let Some(wide) = &tagger.wide {
            rows.insert("wide.table".into(), (distinct(&batch.input.wide), wide.table.ncols()));
        }
        if let Some(vectors) = &tagger.vectors {
            let read = distinct(&batch.input.vectors);
            rows.insert("vectors.table".into(), (read, vectors.table().ncols()));
        }
        Self { most, seed, rows }
    }

    /// The places, in row-major order, of the tensor of this name with `n` elements.
    pub fn places(&mut self, name: &str, n: usize) -> Vec<usize> {
        if n <= self.most {
            return (0..n).collect();
        }
        let number = name.bytes().fold(0, |h: u32, b| h.wrapping_mul(31).wrapping_add(b.into()));
        let mut stream = Stream::numbered(self.seed, Purpose::Test, PLACES, number, 0);
        let mut places = BTreeSet::new();
        if let Some((rows, width)) = self.rows.get(name) {
            let within = (rows.len() * width) as u32;
            while places.len() < (self.most * 3 / 4).min(within as usize) {
                let i = stream.below(within) as usize;
                places.insert(rows[i / width] * width + i % width);
            }
        }
        while places.len() < self.most {
            places.insert(stream.below(n as u32) as usize);
        }
        places.into_iter().collect()
    }
}

fn distinct<'a>(ids: impl IntoIterator<Item = &'a u32>) -> Vec<usize> {
    let ids: BTreeSet<usize> = ids.into_iter().map(|&id| id as usize).collect();
    ids.into_iter().collect()
}
