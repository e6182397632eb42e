//! Epochs to batches to shards.
//!
//! A shard is the unit of work and of determinism: a few sentences, packed, with a gradient of their
//! own. How a batch is cut into shards follows from its sentences alone, never from the number of
//! threads.

use nn::Packing;
use nn::tagger::Input;
use tensor::random::{Purpose, Stream};

use crate::config::Config;
use crate::dataset::Dataset;

/// Sentences packed side by side, ready for the network.
#[derive(Clone, Debug)]
pub struct Shard {
    /// What the network reads, with the layout of the rows.
    pub input: Input,
    /// (N) tag ids.
    pub tags: Vec<u32>,
}

/// Rows that a shard has at most, unless one sentence alone has more. Small enough that its gates stay
/// in a core's second-level cache, large enough that a step's product has some rows to work on.
const SHARD_ROWS: usize = 512;

/// The batches of an epoch, each a list of sentence numbers.
///
/// Sentences are shuffled, then sorted by length within pools of `bucket` batches (0: all; 1: not at all),
/// since a batch of equal lengths needs fewer, fuller steps; cut, and the batches shuffled. `accumulate` of them
/// are one then: shards, not batches, are what memory must hold. The order depends on `seed` and `epoch` only.
pub fn epoch(dataset: &Dataset, config: &Config, epoch: u32) -> Vec<Vec<u32>> {
    let Config { batch, accumulate, bucket, seed, .. } = *config;
    let mut stream = Stream::new(seed, Purpose::Order, epoch, 0);
    let mut order = dataset.split.train.clone();
    stream.shuffle(&mut order);
    if bucket != 1 {
        let pool = if bucket == 0 { order.len().max(1) } else { batch.saturating_mul(bucket) };
        for pool in order.chunks_mut(pool) {
            pool.sort_by_key(|&i| dataset.positions(i)); // stable: equal lengths stay shuffled
        }
    }
    let mut batches: Vec<Vec<u32>> = order.chunks(batch).map(<[u32]>::to_vec).collect();
    if bucket != 1 {
        stream.shuffle(&mut batches);
    }
    match accumulate {
        1 => batches,
        n => batches.chunks(n).map(<[_]>::concat).collect(),
    }
}

/// Deals `sentences` into shards of about equal size: longest first, each to the next shard, there and
/// back again. The number of shards is a power of two, so that it divides well among cores.
pub fn deal(sentences: &[u32], length: impl Fn(u32) -> usize) -> Vec<Vec<u32>> {
    let rows: usize = sentences.iter().map(|&i| length(i)).sum();
    let n = rows.div_ceil(SHARD_ROWS).next_power_of_two().min(sentences.len().max(1));
    let mut sorted = sentences.to_vec();
    sorted.sort_by_key(|&i| std::cmp::Reverse(length(i)));
    let mut shards = vec![Vec::with_capacity(sentences.len().div_ceil(n)); n];
    for (k, i) in sorted.into_iter().enumerate() {
        let (round, place) = (k / n, k % n);
        let place = if round % 2 == 0 { place } else { n - 1 - place };
        shards[place].push(i);
    }
    shards
}

/// Share of the sentences that are read without their parts of speech in training, so that a text that has none can
/// be tagged too.
const WITHOUT_POS: f32 = 0.1;

/// How words are hidden while training; see [`Shard::new`].
#[derive(Clone, Copy, Debug)]
pub struct Hiding {
    /// Chance that a word seen once in training is read as `<unk>`.
    pub rare: f64,
    /// Chance that any word is.
    pub any: f64,
    /// Seed of the run.
    pub seed: u64,
    /// The epoch.
    pub epoch: u32,
}

impl Shard {
    /// Packs `sentences`, which must come longest first, for training. Words are replaced by `<unk>` at
    /// random, so that its row is trained on what it stands for.
    pub fn new(dataset: &Dataset, sentences: &[u32], hiding: Hiding) -> Self {
        let words: Vec<_> = sentences.iter().map(|&i| dataset.positions_of(i)).collect();
        let words: Vec<&[u32]> = words.iter().map(|w| &w[..]).collect();
        let packing = Packing::new(words.iter().map(|w| w.len()).collect());
        let mut stream = Stream::new(hiding.seed, Purpose::Unknown, hiding.epoch, 0);
        let hidden = |r: usize, t: usize| {
            if t == 0 {
                stream = Stream::new(hiding.seed, Purpose::Unknown, hiding.epoch, sentences[r]);
            }
            let draw = f64::from(stream.unit());
            draw < if dataset.is_rare(words[r][t]) {
                hiding.rare.max(hiding.any)
            } else {
                hiding.any
            }
        };
        let mut input = dataset.lexicon.input(&words, &packing, hidden);
        if dataset.lexicon.reads_pos() {
            for (r, &i) in sentences.iter().enumerate() {
                let mut stream =
                    Stream::numbered(hiding.seed, Purpose::Unknown, 1, hiding.epoch, i);
                if stream.unit() < WITHOUT_POS {
                    (0..words[r].len())
                        .for_each(|t| dataset.lexicon.hide_pos(&mut input, packing.row(r, t)));
                }
            }
        }
        let mut tags = vec![0; packing.rows()];
        for (r, &i) in sentences.iter().enumerate() {
            for t in 0..words[r].len() {
                tags[packing.row(r, t)] = dataset.tag(i, t);
            }
        }
        Self { input, tags }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dealing_keeps_every_sentence_once_and_the_shards_even() {
        let length = |i: u32| 1 + (i as usize * 37) % 60;
        let sentences: Vec<u32> = (0..100).collect();
        let shards = deal(&sentences, length);
        assert_eq!(shards.len(), 8); // 3,000 rows or so
        let mut all: Vec<u32> = shards.concat();
        all.sort_unstable();
        assert_eq!(all, sentences);
        for s in &shards {
            assert!(s.is_sorted_by_key(|&i| std::cmp::Reverse(length(i))));
            let rows: usize = s.iter().map(|&i| length(i)).sum();
            assert!(rows.abs_diff(3010 / 8) < 60, "{rows}");
        }
        assert_eq!(deal(&[5], length), [[5]]);
        assert_eq!(deal(&[], length), [[0u32; 0]]);
    }
}
