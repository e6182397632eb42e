//! Words to tags and entities, on all cores. What a sentence gets does not depend on what it is tagged
//! with.

use data::TagSet;
use ndarray::Array2;
use nn::Packing;
use nn::crf::Chain;
use nn::tagger::Tagger;
use rayon::prelude::*;

use crate::batch::deal;
use crate::entities::{Belief, Entity, Reading};
use crate::lexicon::Lexicon;

/// Filling up of short sentences, for a network that was trained on padded ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Padding {
    /// Shorter sentences are filled up to this many positions.
    pub length: usize,
    /// What they are filled up with, as a number in the lexicon.
    pub word: u32,
}

/// A tagged sentence.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tagged {
    /// Best tag id of each token.
    pub tags: Vec<u32>,
    /// The entities that these stand for, from left to right.
    pub entities: Vec<Entity>,
}

/// Best tag ids of each sentence, given as numbers of words in `lexicon`. Padding, if any, is tagged too
/// and left out.
pub fn tag(
    tagger: &Tagger<f32>,
    lexicon: &Lexicon,
    sentences: &[&[u32]],
    padding: Option<Padding>,
) -> Vec<Vec<u32>> {
    each_shard(tagger, lexicon, sentences, padding, |shard| {
        shard.lengths.iter().enumerate().map(|(r, &n)| shard.tags(r, n)).collect()
    })
}

/// As [`tag`], and the entities; their probabilities, if `likely`, as [`crate::entities`] explains.
/// `tags` names the ids.
pub fn tag_entities(
    tagger: &Tagger<f32>,
    tags: &TagSet,
    lexicon: &Lexicon,
    sentences: &[&[u32]],
    padding: Option<Padding>,
    likely: bool,
) -> Vec<Tagged> {
    let reading = Reading::new(tags, tagger.spec.rules.is_some());
    each_shard(tagger, lexicon, sentences, padding, |shard| {
        let belief =
            likely.then(|| Belief::new(tagger, shard.chain, &shard.scores, &shard.packing));
        let tagged = |(r, &n): (usize, &usize)| {
            let tags = shard.tags(r, n);
            let entities = match &belief {
                Some(belief) => reading.likely(&tags, r, belief),
                None => reading.entities(&tags),
            };
            Tagged { tags, entities }
        };
        shard.lengths.iter().enumerate().map(tagged).collect()
    })
}

/// A shard that went through the network.
struct Decoded<'a> {
    /// Tokens of each sentence, without padding.
    lengths: Vec<usize>,
    chain: Option<&'a Chain>,
    packing: Packing,
    scores: Array2<f32>,
    best: Vec<u32>,
}

impl Decoded<'_> {
    /// Best tags of the first `n` tokens of sentence `r`.
    fn tags(&self, r: usize, n: usize) -> Vec<u32> {
        (0..n).map(|t| self.best[self.packing.row(r, t)]).collect()
    }
}

/// What `read` makes of the sentences of a shard, put into the order of `sentences`. An empty sentence gets
/// the default.
fn each_shard<T: Clone + Default + Send>(
    tagger: &Tagger<f32>,
    lexicon: &Lexicon,
    sentences: &[&[u32]],
    padding: Option<Padding>,
    read: impl Fn(&Decoded<'_>) -> Vec<T> + Sync,
) -> Vec<T> {
    let padded: Vec<Vec<u32>> = match padding {
        None => Vec::new(),
        Some(p) => sentences
            .iter()
            .map(|s| {
                let mut words = s.to_vec();
                words.resize(s.len().max(p.length), p.word);
                words
            })
            .collect(),
    };
    let words = |i: u32| padded.get(i as usize).map_or(sentences[i as usize], Vec::as_slice);
    let all: Vec<u32> = (0..sentences.len() as u32).filter(|&i| !words(i).is_empty()).collect();
    let chain = tagger.chain();
    let shards = deal(&all, |i| words(i).len());
    let read: Vec<(Vec<u32>, Vec<T>)> = shards
        .into_par_iter()
        .map(|shard| {
            let texts: Vec<&[u32]> = shard.iter().map(|&i| words(i)).collect();
            let packing = Packing::new(texts.iter().map(|w| w.len()).collect());
            let input = lexicon.input(&texts, &packing, |_, _| false);
            let (scores, _) = tagger.forward(input, None);
            let best = tagger.decode(&scores, &packing, chain.as_ref());
            let lengths = shard.iter().map(|&i| sentences[i as usize].len()).collect();
            let decoded = Decoded { lengths, chain: chain.as_ref(), packing, scores, best };
            let made = read(&decoded);
            (shard, made)
        })
        .collect();
    let mut all = vec![T::default(); sentences.len()];
    for (shard, made) in read {
        shard.into_iter().zip(made).for_each(|(i, t)| all[i as usize] = t);
    }
    all
}
