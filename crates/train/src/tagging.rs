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
use crate::model::Model;

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
        shard.entities(tagger, &reading, likely)
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

    /// Tags and entities of each sentence.
    fn entities(&self, tagger: &Tagger<f32>, reading: &Reading, likely: bool) -> Vec<Tagged> {
        let belief = likely.then(|| Belief::new(tagger, self.chain, &self.scores, &self.packing));
        let tagged = |(r, &n): (usize, &usize)| {
            let tags = self.tags(r, n);
            let entities = match &belief {
                Some(belief) => reading.likely(&tags, r, belief),
                None => reading.entities(&tags),
            };
            Tagged { tags, entities }
        };
        self.lengths.iter().enumerate().map(tagged).collect()
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
    let chain = tagger.chain();
    let texts = Padded::new(sentences, padding);
    let decode = |shard: Vec<u32>| {
        let made = read(&texts.decode(&shard, tagger, chain.as_ref(), lexicon));
        (shard, made)
    };
    in_order(sentences.len(), texts.shards().into_par_iter().map(decode).collect())
}

/// Results of shards by the numbers of their sentences.
fn in_order<T: Clone + Default>(n: usize, shards: Vec<(Vec<u32>, Vec<T>)>) -> Vec<T> {
    let mut all = vec![T::default(); n];
    for (shard, made) in shards {
        shard.into_iter().zip(made).for_each(|(i, t)| all[i as usize] = t);
    }
    all
}

/// Sentences and, if there is padding, the same filled up.
struct Padded<'a> {
    sentences: &'a [&'a [u32]],
    padded: Vec<Vec<u32>>,
}

impl<'a> Padded<'a> {
    fn new(sentences: &'a [&'a [u32]], padding: Option<Padding>) -> Self {
        let fill = |s: &&[u32], p: Padding| {
            let mut words = s.to_vec();
            words.resize(s.len().max(p.length), p.word);
            words
        };
        let padded = padding.map(|p| sentences.iter().map(|s| fill(s, p)).collect());
        Self { sentences, padded: padded.unwrap_or_default() }
    }

    fn words(&self, i: u32) -> &[u32] {
        self.padded.get(i as usize).map_or(self.sentences[i as usize], Vec::as_slice)
    }

    fn shards(&self) -> Vec<Vec<u32>> {
        let all = (0..self.sentences.len() as u32).filter(|&i| !self.words(i).is_empty());
        deal(&all.collect::<Vec<_>>(), |i| self.words(i).len())
    }

    fn decode<'c>(
        &self,
        shard: &[u32],
        tagger: &Tagger<f32>,
        chain: Option<&'c Chain>,
        lexicon: &Lexicon,
    ) -> Decoded<'c> {
        let texts: Vec<&[u32]> = shard.iter().map(|&i| self.words(i)).collect();
        let packing = Packing::new(texts.iter().map(|w| w.len()).collect());
        let input = lexicon.input(&texts, &packing, |_, _| false);
        let (scores, _) = tagger.forward(input, None);
        let best = tagger.decode(&scores, &packing, chain);
        let lengths = shard.iter().map(|&i| self.sentences[i as usize].len()).collect();
        Decoded { lengths, chain, packing, scores, best }
    }
}

/// A model made ready to tag many small pieces: what follows from the model alone is worked out once.
#[derive(Clone, Debug)]
pub struct Ready {
    model: Model,
    chain: Option<Chain>,
    reading: Reading,
}

impl Ready {
    /// Gets `model` ready.
    pub fn new(model: Model) -> Self {
        let reading = Reading::new(&model.tags, model.tagger.spec.rules.is_some());
        Self { chain: model.tagger.chain(), reading, model }
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// As [`Model::tag_entities`], on this thread alone: for callers with many threads of their own, and
    /// for a sentence or two, which other threads could not speed up.
    pub fn tag<W: AsRef<str>>(&self, sentences: &[impl AsRef<[W]>], likely: bool) -> Vec<Tagged> {
        self.model.read(sentences, |lexicon, numbers, padding| {
            let texts = Padded::new(numbers, padding);
            let decode = |shard: Vec<u32>| {
                let (chain, tagger) = (self.chain.as_ref(), &self.model.tagger);
                let decoded = texts.decode(&shard, tagger, chain, lexicon);
                let tagged = decoded.entities(tagger, &self.reading, likely);
                (shard, tagged)
            };
            in_order(numbers.len(), texts.shards().into_iter().map(decode).collect())
        })
    }
}
