//! Words to tags and entities, on all cores. What a sentence gets does not depend on what it is tagged
//! with.

mod on_device;

use std::sync::Arc;

use data::TagSet;
use ndarray::Array2;
use nn::Packing;
use nn::crf::Chain;
use nn::tagger::Tagger;
use rayon::prelude::*;

use crate::batch::deal;
use crate::config::Decode;
use crate::entities::{Entity, Posterior, Reading, best_apart};
use crate::lexicon::{Lexicon, Token};
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

/// A network, and how tags are read off its scores.
#[derive(Clone, Copy, Debug)]
pub struct Decoder<'a> {
    /// The network.
    pub tagger: &'a Tagger<f32>,
    /// Names of its tag ids.
    pub tags: &'a TagSet,
    /// Which tags are given.
    pub decode: Decode,
    /// From which probability on an entity is given, where entities are given by that.
    pub threshold: f64,
    /// How its training sentences were filled up, if they were.
    pub padding: Option<Padding>,
}

/// Tag ids of each sentence, given as numbers of words in `lexicon`. Padding, if any, is tagged too and left
/// out.
pub fn tag(decoder: Decoder<'_>, lexicon: &Lexicon, sentences: &[&[u32]]) -> Vec<Vec<u32>> {
    let prepared = Prepared::of(decoder.tagger, decoder.tags);
    Session { decoder, prepared: &prepared }.each_shard(lexicon, sentences, |shard, session| {
        shard.tagged(session, false).into_iter().map(|tagged| tagged.tags).collect()
    })
}

/// Every entity of each sentence that is likelier than `threshold`; they may share tokens.
pub(crate) fn likelier(
    decoder: Decoder<'_>,
    lexicon: &Lexicon,
    sentences: &[&[u32]],
    threshold: f64,
) -> Vec<Vec<Entity>> {
    let prepared = Prepared::of(decoder.tagger, decoder.tags);
    Session { decoder, prepared: &prepared }.each_shard(lexicon, sentences, |shard, session| {
        let posterior = session.posterior(&shard.scores, &shard.packing);
        let of = |(r, &n)| session.prepared.reading.likelier(n, &posterior.sentence(r), threshold);
        shard.lengths.iter().enumerate().map(of).collect()
    })
}

/// As [`tag`], and the entities; their probabilities, if `likely`, as [`crate::entities`] explains.
pub fn tag_entities(
    decoder: Decoder<'_>,
    lexicon: &Lexicon,
    sentences: &[&[u32]],
    likely: bool,
) -> Vec<Tagged> {
    let prepared = Prepared::of(decoder.tagger, decoder.tags);
    Session { decoder, prepared: &prepared }.entities(lexicon, sentences, likely)
}

/// What follows from a network alone, worked out once for all that is tagged.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    chain: Option<Chain>,
    reading: Reading,
    ready: Arc<nn::ready::Ready<f32>>,
}

impl Prepared {
    pub(crate) fn of(tagger: &Tagger<f32>, tags: &TagSet) -> Self {
        Self {
            chain: tagger.chain(),
            reading: Reading::new(tags, tagger.spec.rules.is_some()),
            ready: Arc::new(nn::ready::Ready::new(tagger)),
        }
    }
}

/// A decoder at work.
#[derive(Clone, Copy)]
pub(crate) struct Session<'a> {
    pub(crate) decoder: Decoder<'a>,
    pub(crate) prepared: &'a Prepared,
}

impl Session<'_> {
    /// As [`tag_entities`].
    pub(crate) fn entities(
        &self,
        lexicon: &Lexicon,
        sentences: &[&[u32]],
        likely: bool,
    ) -> Vec<Tagged> {
        self.each_shard(lexicon, sentences, |shard, session| shard.tagged(session, likely))
    }

    /// What `read` makes of the sentences of a shard, put into the order of `sentences`. An empty sentence gets
    /// the default.
    fn each_shard<T: Clone + Default + Send>(
        &self,
        lexicon: &Lexicon,
        sentences: &[&[u32]],
        read: impl Fn(&Decoded, &Session<'_>) -> Vec<T> + Sync,
    ) -> Vec<T> {
        let texts = Padded::new(sentences, self.decoder.padding);
        let decode = |shard: Vec<u32>| {
            let made = read(&texts.decode(&shard, self, lexicon), self);
            (shard, made)
        };
        in_order(sentences.len(), texts.shards().into_par_iter().map(decode).collect())
    }

    /// Tags and entities of a shard's sentences, `lengths` of their tokens; these with probabilities if `likely`.
    /// `path`: the best path's tags of each row, if somebody has found it already.
    fn tagged(
        &self,
        scores: &Array2<f32>,
        packing: &Packing,
        lengths: &[usize],
        path: Option<Vec<u32>>,
        likely: bool,
    ) -> Vec<Tagged> {
        let Prepared { chain, reading, .. } = self.prepared;
        let Decoder { tagger, decode, threshold, .. } = self.decoder;
        let lengths = lengths.iter().enumerate();
        match decode {
            Decode::Best => {
                let path = path.unwrap_or_else(|| tagger.decode(scores, packing, chain.as_ref()));
                let posterior = likely.then(|| self.posterior(scores, packing));
                let tagged = |(r, &n): (usize, &usize)| {
                    let tags: Vec<u32> = (0..n).map(|t| path[packing.row(r, t)]).collect();
                    let mut entities = reading.entities(&tags);
                    if let (Some(posterior), false) = (&posterior, entities.is_empty()) {
                        reading.weigh(&mut entities, n, &posterior.sentence(r));
                    }
                    Tagged { tags, entities }
                };
                lengths.map(tagged).collect()
            }
            Decode::Likely => {
                let posterior = self.posterior(scores, packing);
                let tagged = |(r, &n): (usize, &usize)| {
                    let candidates = reading.likelier(n, &posterior.sentence(r), threshold);
                    let mut entities = best_apart(&candidates, n, threshold);
                    let tags = reading.written(&entities, n);
                    if !likely {
                        entities.iter_mut().for_each(|e| e.probability = 1.0);
                    }
                    Tagged { tags, entities }
                };
                lengths.map(tagged).collect()
            }
        }
    }

    fn posterior<'a>(&'a self, scores: &'a Array2<f32>, packing: &'a Packing) -> Posterior<'a> {
        Posterior::new(self.decoder.tagger, self.prepared.chain.as_ref(), scores, packing)
    }
}

/// A shard that went through the network.
struct Decoded {
    /// Tokens of each sentence, without padding.
    lengths: Vec<usize>,
    packing: Packing,
    scores: Array2<f32>,
}

impl Decoded {
    /// Tags and entities of each sentence.
    fn tagged(&self, session: &Session<'_>, likely: bool) -> Vec<Tagged> {
        session.tagged(&self.scores, &self.packing, &self.lengths, None, likely)
    }
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

    fn decode(&self, shard: &[u32], session: &Session<'_>, lexicon: &Lexicon) -> Decoded {
        let texts: Vec<&[u32]> = shard.iter().map(|&i| self.words(i)).collect();
        let packing = Packing::new(texts.iter().map(|w| w.len()).collect());
        let input = lexicon.input(&texts, &packing, |_, _| false);
        let scores = session.prepared.ready.scores(session.decoder.tagger, input);
        let lengths = shard.iter().map(|&i| self.sentences[i as usize].len()).collect();
        Decoded { lengths, packing, scores }
    }
}

/// A model made ready to tag many small pieces: what follows from the model alone is worked out once.
#[derive(Clone, Debug)]
pub struct Ready {
    model: Model,
    prepared: Prepared,
    device: Option<Arc<on_device::OnDevice>>,
}

impl Ready {
    /// Gets `model` ready.
    pub fn new(model: Model) -> Self {
        Self { prepared: Prepared::of(&model.tagger, &model.tags), model, device: None }
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// As [`Model::tag_entities`], on this thread alone: for callers with many threads of their own, and
    /// for a sentence or two, which other threads could not speed up; or on the device, if there is one.
    pub fn tag<W: Token>(&self, sentences: &[impl AsRef<[W]>], likely: bool) -> Vec<Tagged> {
        if let Some(tagged) = self.tag_on_device(sentences, likely) {
            return tagged;
        }
        self.model.read(sentences, |decoder, lexicon, numbers| {
            let session = Session { decoder, prepared: &self.prepared };
            let texts = Padded::new(numbers, decoder.padding);
            let decode = |shard: Vec<u32>| {
                let tagged = texts.decode(&shard, &session, lexicon).tagged(&session, likely);
                (shard, tagged)
            };
            in_order(numbers.len(), texts.shards().into_iter().map(decode).collect())
        })
    }
}
