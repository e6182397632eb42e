//! How a model came to its tags: what every gate did, which tags it weighed, and which words mattered.
//!
//! ```text
//! T tokens · K tags · s scores (T, K) · x what the words' rows add up to (T, D)
//! M networks that tag together, mostly one: s is the mean of their scores, x their rows side by side (T, M D)
//!
//! influence of word u on tag k at t     ‖∂s_tk / ∂x_u‖            by `backward`, through the encoder
//! loss of the tag at t without word u   P(y_t) − P'(y_t)          P' from the sentence without u
//! ```
//!
//! The first asks how much a small change of the word would move the score: where it is large, the cells
//! kept the way from u to t open. The second asks what is lost when the word is not there at all, with its
//! features in the wide part, and lets the other words close up.
//!
//! Numbers are `f32`, rounded to four places: they are to be looked at.

use ndarray::{Array2, s};
use nn::crf::{Allowed, Chain};
use nn::tagger::{Input, Tagger};
use nn::trace::Walk;
use nn::{Direction, Packing, Params};
use serde::Serialize;

use crate::Model;
use crate::config::Decode;
use crate::entities::{Posterior, Reading, best_apart};
use crate::lexicon::{Lexicon, Token};
use crate::tagging::Padding;

/// Rows of numbers.
pub type Rows = Vec<Vec<f32>>;

/// A text explained. Serialised, it is what `longhand explain --out json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// Tags, in the order of all rows of K.
    pub tags: Vec<String>,
    /// What the scores mean: `crf`, `softmax` or `kerasrelu`.
    pub head: String,
    /// Potentials that decoding adds up, if tags are decided on together.
    pub chain: Option<Potentials>,
    /// The sentences of the text.
    pub sentences: Vec<Sentence>,
}

/// Potentials of tags beside their scores; null is forbidden.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)] // as in `nn::crf::Crf`
pub struct Potentials {
    pub transitions: Vec<Vec<Option<f32>>>,
    pub start: Vec<Option<f32>>,
    pub end: Vec<Option<f32>>,
}

/// A sentence explained.
#[derive(Clone, Debug, Serialize)]
pub struct Sentence {
    /// Its tokens (T).
    pub words: Vec<String>,
    /// Whether each has a row of its own.
    pub known: Vec<bool>,
    /// The tags given (T), as places in the list of tags.
    pub best: Vec<u32>,
    /// Entities of the best tags.
    pub entities: Vec<Found>,
    /// (T, K) scores that the tags come from: the mean of the members', the wide part's included.
    pub emissions: Rows,
    /// (T, K) what the wide part adds to them; empty if there is none.
    pub wide: Rows,
    /// (T, K) probability of each tag, whatever the others are.
    pub marginals: Rows,
    /// (M) each network that tags.
    pub members: Vec<Member>,
    /// Influence of each word on the likeliest tags of each token.
    pub influence: Vec<Influence>,
    /// (T, T) at (u, t) what the tag at t loses without word u; empty if there is one word only.
    pub without: Rows,
}

/// One of the networks that tag together, or the only one.
#[derive(Clone, Debug, Serialize)]
pub struct Member {
    /// (T, K) its own scores, those of the wide part that all share among them.
    pub emissions: Rows,
    /// The tags of its own best path (T).
    pub best: Vec<u32>,
    /// Every LSTM, from the words up.
    pub walks: Vec<States>,
}

/// An entity of a sentence.
#[derive(Clone, Debug, Serialize)]
pub struct Found {
    /// First token.
    pub start: usize,
    /// One past the last token.
    pub end: usize,
    /// Its type.
    pub label: String,
    /// How likely it is.
    pub probability: f32,
}

/// What an LSTM did: (T, H) each.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)] // the letters of `nn::lstm_cell`
pub struct States {
    pub name: String,
    pub backward: bool,
    pub i: Rows,
    pub f: Rows,
    pub g: Rows,
    pub o: Rows,
    pub c: Rows,
    pub h: Rows,
}

/// Influence of all words on one tag at one token.
#[derive(Clone, Debug, Serialize)]
pub struct Influence {
    /// The token.
    pub token: usize,
    /// The tag.
    pub tag: u32,
    /// (T) a norm for each word.
    pub norms: Vec<f32>,
}

/// Tags that influence is worked out for, at each token: the likeliest.
const TAGS: usize = 3;

/// Explains each sentence, given as its words. Empty sentences are left out.
pub fn explain<W: Token>(model: &Model, sentences: &[Vec<W>]) -> Explanation {
    let reader = Reader::new(model);
    let filled: Vec<&Vec<W>> = sentences.iter().filter(|s| !s.is_empty()).collect();
    let filled: Vec<&[W]> = filled.into_iter().map(Vec::as_slice).collect();
    let explained = model.read(&filled, |decoder, lexicon, numbers| {
        let sentences = numbers.iter().zip(&filled);
        let explained = sentences.map(|(numbers, words)| {
            let words = words.iter().map(|w| w.word().to_owned()).collect();
            reader.sentence(words, numbers, lexicon, decoder.padding)
        });
        explained.collect()
    });
    Explanation {
        tags: model.tags.iter().map(str::to_owned).collect(),
        head: format!("{:?}", model.tagger.spec.head).to_lowercase(),
        chain: potentials(&model.tagger),
        sentences: explained,
    }
}

struct Reader<'a> {
    model: &'a Model,
    tagger: &'a Tagger<f32>,
    chain: Option<Chain>,
    /// What each member decides by when it is alone.
    own_chains: Vec<Option<Chain>>,
    reading: Reading,
}

impl<'a> Reader<'a> {
    fn new(model: &'a Model) -> Self {
        let tagger = &model.tagger;
        let reading = Reading::new(&model.tags, tagger.spec.rules.is_some());
        let own_chains = tagger.members().map(own_chain).collect();
        Self { model, tagger, chain: tagger.chain(), own_chains, reading }
    }

    fn sentence(
        &self,
        words: Vec<String>,
        numbers: &[u32],
        lexicon: &Lexicon,
        padding: Option<Padding>,
    ) -> Sentence {
        let n = numbers.len();
        let filled = filled_up(numbers, padding);
        let packing = Packing::new(vec![filled.len()]);
        let input = lexicon.input(&[&filled], &packing, |_, _| false);
        let wide = self.tagger.wide.as_ref().map(|layer| {
            let mut votes = Array2::zeros((filled.len(), self.tagger.spec.tags));
            layer.forward(&input.wide, None, &mut votes);
            votes
        });
        let scores = self.tagger.scores(input.clone());
        let posterior = Posterior::new(self.tagger, self.chain.as_ref(), &scores, &packing);
        let best = self.best(self.tagger, self.chain.as_ref(), &scores, &packing, n);
        let marginals = posterior.of_tokens();
        let mut found = self.reading.entities(&best);
        self.reading.weigh(&mut found, n, &posterior.sentence(0));
        let found = found.into_iter().map(|e| Found {
            start: e.start,
            end: e.end,
            label: self.model.label(&e).to_owned(),
            probability: rounded(e.probability as f32),
        });
        Sentence {
            known: numbers.iter().map(|&w| lexicon.id(w) != data::UNK).collect(),
            entities: found.collect(),
            emissions: rows(&scores, n),
            members: self.members(&input, n),
            wide: wide.map_or(Vec::new(), |votes| rows(&votes, n)),
            influence: self.influence(&filled, &marginals, n, lexicon),
            without: self.without(numbers, &best, &marginals, lexicon, padding),
            marginals: rows(&marginals, n),
            best,
            words,
        }
    }

    /// The tags that these scores are given, of the first `n` tokens.
    fn best(
        &self,
        tagger: &Tagger<f32>,
        chain: Option<&Chain>,
        scores: &Array2<f32>,
        packing: &Packing,
        n: usize,
    ) -> Vec<u32> {
        match self.model.config.decode {
            Decode::Best => tagger.decode(scores, packing, chain)[..n].to_vec(),
            Decode::Likely => {
                let sentence = Posterior::new(tagger, chain, scores, packing);
                let threshold = self.model.threshold;
                let candidates = self.reading.likelier(n, &sentence.sentence(0), threshold);
                self.reading.written(&best_apart(&candidates, n, threshold), n)
            }
        }
    }

    /// Each network by itself, with the votes of the wide part, which they share.
    fn members(&self, input: &Input, n: usize) -> Vec<Member> {
        let explained = self.tagger.members().zip(&self.own_chains).map(|(member, chain)| {
            let (mut scores, cache) = member.deep(input.clone(), None);
            if let Some(layer) = &self.tagger.wide {
                layer.forward(&input.wide, None, &mut scores);
            }
            let best = self.best(member, chain.as_ref(), &scores, &input.packing, n);
            Member {
                emissions: rows(&scores, n),
                best: best[..n].to_vec(),
                walks: cache.walks().iter().map(|walk| states(walk, n)).collect(),
            }
        });
        explained.collect()
    }

    /// One copy of the sentence for each token and tag asked for: each copy's gradient starts at one score.
    /// Members share nothing, so the gradient of their mean is theirs side by side, divided by their number.
    fn influence(
        &self,
        filled: &[u32],
        marginals: &Array2<f32>,
        n: usize,
        lexicon: &Lexicon,
    ) -> Vec<Influence> {
        let asked = (0..n).flat_map(|t| likeliest(marginals, t).into_iter().map(move |k| (t, k)));
        let asked: Vec<(usize, usize)> = asked.collect();
        let packing = Packing::new(vec![filled.len(); asked.len()]);
        let input = lexicon.input(&vec![filled; asked.len()], &packing, |_, _| false);
        let mut ds = Array2::zeros((packing.rows(), self.tagger.spec.tags));
        for (r, &(t, k)) in asked.iter().enumerate() {
            ds[[packing.row(r, t), k]] = 1.0 / self.tagger.spec.members as f32;
        }
        let mut squares = vec![0.0; packing.rows()];
        for member in self.tagger.members() {
            let (_, cache) = member.deep(input.clone(), None);
            let mut spare = member.network.zeros_like();
            let dx = member.backward(cache, &ds, &mut spare).words.rows;
            for (sum, dx) in squares.iter_mut().zip(dx.rows()) {
                *sum += dx.iter().map(|d| d * d).sum::<f32>();
            }
        }
        let norm = |row: usize| squares[row].sqrt();
        let of = |(r, &(token, k)): (usize, &(usize, usize))| Influence {
            token,
            tag: k as u32,
            norms: (0..n).map(|u| rounded(norm(packing.row(r, u)))).collect(),
        };
        asked.iter().enumerate().map(of).collect()
    }

    /// The sentence without each of its words in turn, all as one batch.
    fn without(
        &self,
        numbers: &[u32],
        best: &[u32],
        marginals: &Array2<f32>,
        lexicon: &Lexicon,
        padding: Option<Padding>,
    ) -> Rows {
        let n = numbers.len();
        if n < 2 {
            return Vec::new();
        }
        let shorter = |u: usize| filled_up(&[&numbers[..u], &numbers[u + 1..]].concat(), padding);
        let texts: Vec<Vec<u32>> = (0..n).map(shorter).collect();
        let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        let packing = Packing::new(vec![texts[0].len(); n]);
        let input = lexicon.input(&texts, &packing, |_, _| false);
        let scores = self.tagger.scores(input);
        let p = Posterior::new(self.tagger, self.chain.as_ref(), &scores, &packing).of_tokens();
        let loss = |u: usize, t: usize| {
            let tag = best[t] as usize;
            let place = if t < u { t } else { t - 1 };
            if t == u { 0.0 } else { marginals[[t, tag]] - p[[packing.row(u, place), tag]] }
        };
        (0..n).map(|u| (0..n).map(|t| rounded(loss(u, t))).collect()).collect()
    }
}

/// The sentence as the network reads it.
fn filled_up(numbers: &[u32], padding: Option<Padding>) -> Vec<u32> {
    let mut filled = numbers.to_vec();
    if let Some(p) = padding {
        filled.resize(numbers.len().max(p.length), p.word);
    }
    filled
}

/// The likeliest tags at `t`, of equal ones the first.
fn likeliest(marginals: &Array2<f32>, t: usize) -> Vec<usize> {
    let p = marginals.row(t);
    let mut tags: Vec<usize> = (0..p.len()).collect();
    tags.sort_by(|&a, &b| p[b].total_cmp(&p[a]));
    tags.truncate(TAGS);
    tags
}

/// What a member decides by without the others.
fn own_chain(member: &Tagger<f32>) -> Option<Chain> {
    let spec = &member.spec;
    match (&member.network.crf, &spec.rules) {
        (Some(crf), Some(rules)) => Some(crf.chain(rules)),
        (Some(crf), None) => Some(crf.chain(&Allowed::all(spec.tags))),
        (None, Some(rules)) => Some(rules.chain()),
        (None, None) => None,
    }
}

fn potentials(tagger: &Tagger<f32>) -> Option<Potentials> {
    let spec = &tagger.spec;
    if tagger.network.crf.is_none() && spec.rules.is_none() {
        return None;
    }
    let rules = spec.rules.clone().unwrap_or_else(|| Allowed::all(spec.tags));
    let crf = tagger.mean_crf().unwrap_or_else(|| nn::crf::Crf::new(spec.tags));
    let edge = |weights: &ndarray::Array1<f32>, allowed: &[bool]| {
        weights.iter().zip(allowed).map(|(&w, &a)| a.then_some(rounded(w))).collect()
    };
    let pair = |i: usize, j: usize| {
        rules.transitions()[i * spec.tags + j].then_some(rounded(crf.transitions[[i, j]]))
    };
    Some(Potentials {
        transitions: (0..spec.tags).map(|i| (0..spec.tags).map(|j| pair(i, j)).collect()).collect(),
        start: edge(&crf.start, rules.start()),
        end: edge(&crf.end, rules.end()),
    })
}

fn states(walk: &Walk<f32>, n: usize) -> States {
    let [i, f, g, o] = walk.gates.each_ref().map(|gate| rows(gate, n));
    let backward = walk.direction == Direction::Backward;
    States {
        name: walk.name.clone(),
        backward,
        i,
        f,
        g,
        o,
        c: rows(&walk.c, n),
        h: rows(&walk.h, n),
    }
}

/// The first `n` rows.
fn rows(matrix: &Array2<f32>, n: usize) -> Rows {
    let matrix = matrix.slice(s![..n, ..]);
    matrix.rows().into_iter().map(|row| row.iter().map(|&v| rounded(v)).collect()).collect()
}

fn rounded(v: f32) -> f32 {
    ((f64::from(v) * 1e4).round() / 1e4) as f32 + 0.0 // + 0.0: no -0
}
