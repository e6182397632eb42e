//! From a sentence's tags to its entities, and how likely each of them is.
//!
//! ```text
//! an entity: tokens s … e of type X, not begun before s, not carried on after e
//!
//! P(entity) = Σ over the ways y to write it:  P(y_s … y_e, no tag of X carried on at e + 1)
//!                                           − P(the same, and y_{s−1} carried on into y_s)
//! ```
//!
//! IOB2, IOBES and BILOU have one way to write an entity, whose first letter begins it, so that the second
//! term is 0; IOB1 has two. Where no rules hold, every way counts that the lenient reading takes for this
//! entity ([`data::scheme::spans_leniently`]). The probability is that of the entity whatever the rest of
//! the sentence, not that of the best tags as a whole.
//!
//! Where the probabilities of tags come from:
//!
//! - a CRF: exactly, by forward–backward over all tags that keep the rules ([`nn::crf::Span`]);
//! - a softmax whose decoding keeps to the rules: as a CRF without transitions, that is, the product of the
//!   tokens' softmax probabilities, given that the tags as a whole keep the rules;
//! - a softmax without rules: the product of the tokens' probabilities;
//! - the tutorial's ReLU: the same from its shares u / Σ u, whatever they are worth.
//!
//! Entities have no scheme: the same come out of the tags in the scheme that is learned and in that of the
//! data.

use data::{TagSet, scheme::split_tag};
use ndarray::Array2;
use nn::Packing;
use nn::crf::{Chain, Span, independent_span_probabilities};
use nn::tagger::{Head, Tagger};
use nn::{keras_relu, softmax};

/// An entity among a sentence's tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entity {
    /// First token.
    pub start: usize,
    /// One past the last token.
    pub end: usize,
    /// Its type, by its place in [`TagSet::types`].
    pub kind: u32,
    /// How likely it is, from 0 to 1; 1 where nobody asked.
    pub probability: f64,
}

/// What the tags of a [`TagSet`] mean for entities, worked out once.
#[derive(Clone, Debug)]
pub struct Reading {
    tags: Vec<Meaning>,
    /// Ids of each type's tags.
    of_kind: Vec<Vec<u32>>,
    /// Whether tags keep to the scheme: then only its own way to write an entity counts.
    rules: bool,
    /// By id: may it be the first tag of an entity, or its last, in this scheme?
    first: Vec<bool>,
    last: Vec<bool>,
    /// By id: which tags right after it do not carry its entity on.
    closes: Vec<Vec<bool>>,
    anything: Vec<bool>,
}

/// What one tag says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Outside,
    /// The type; whether it always begins an entity; whether the entity may go on after it.
    Inside {
        kind: u32,
        begins: bool,
        open: bool,
    },
}

impl Reading {
    /// The reading of `tags`, which keep to their scheme if there are `rules`.
    pub fn new(tags: &TagSet, rules: bool) -> Self {
        let meaning = |(id, tag): (usize, &str)| match tags.label(id as u32) {
            None => Meaning::Outside,
            Some(_) => {
                let letter = split_tag(tag).map_or('I', |(letter, _)| letter);
                let kind = ((id - 1) / tags.scheme().letters().len()) as u32;
                let begins = matches!(letter, 'B' | 'S' | 'U');
                Meaning::Inside { kind, begins, open: matches!(letter, 'B' | 'I') }
            }
        };
        let meanings: Vec<Meaning> = tags.iter().enumerate().map(meaning).collect();
        let letters = tags.scheme().letters().len() as u32;
        let ids = |kind: u32| (1 + kind * letters..1 + (kind + 1) * letters).collect();
        let all = 0..tags.len() as u32;
        let closes = |id: usize| meanings.iter().map(|&m| !carries(meanings[id], m)).collect();
        Self {
            of_kind: (0..tags.types().len() as u32).map(ids).collect(),
            first: all.clone().map(|id| tags.allows(None, Some(id))).collect(),
            last: all.map(|id| tags.allows(Some(id), None)).collect(),
            closes: (0..tags.len()).map(closes).collect(),
            anything: vec![true; tags.len()],
            tags: meanings,
            rules,
        }
    }

    /// The entities that these tag ids stand for: what [`data::scheme::spans_leniently`] finds.
    pub fn entities(&self, ids: &[u32]) -> Vec<Entity> {
        let mut entities: Vec<Entity> = Vec::new();
        let mut prev = Meaning::Outside;
        for (t, &id) in ids.iter().enumerate() {
            let this = self.tags[id as usize];
            if let Meaning::Inside { kind, .. } = this {
                match entities.last_mut() {
                    Some(last) if carries(prev, this) => last.end = t + 1,
                    _ => entities.push(Entity { start: t, end: t + 1, kind, probability: 1.0 }),
                }
            }
            prev = this;
        }
        entities
    }

    /// All ways to write an entity of this type and length.
    fn ways(&self, kind: u32, length: usize) -> Vec<Vec<u32>> {
        let ids = &self.of_kind[kind as usize];
        let may_begin = |id: u32| !self.rules || self.begins(id) || self.first[id as usize];
        let may_end = |id: u32| !self.rules || self.last[id as usize];
        let mut ways: Vec<Vec<u32>> =
            ids.iter().filter(|&&id| may_begin(id)).map(|&id| vec![id]).collect();
        for _ in 1..length {
            let longer = |way: &Vec<u32>| {
                let last = way[way.len() - 1];
                let next = ids.iter().filter(move |&&id| !self.closes[last as usize][id as usize]);
                let way = way.clone();
                next.map(move |&id| [&way[..], &[id]].concat()).collect::<Vec<_>>()
            };
            ways = ways.iter().flat_map(longer).collect();
        }
        ways.retain(|way| may_end(way[length - 1]));
        ways
    }

    fn begins(&self, id: u32) -> bool {
        matches!(self.tags[id as usize], Meaning::Inside { begins: true, .. })
    }

    /// The terms of the sum at the top of this file for `entity` in a sentence of `n` tokens.
    fn terms(&self, entity: &Entity, n: usize) -> Vec<Term> {
        let Entity { start, end, kind, .. } = *entity;
        let mut terms = Vec::new();
        for tags in self.ways(kind, end - start) {
            if start > 0 && !self.begins(tags[0]) {
                let ids = self.of_kind[kind as usize].iter();
                let before = ids.filter(|&&id| !self.closes[id as usize][tags[0] as usize]);
                terms.extend(before.map(|&id| Term {
                    sign: -1.0,
                    start: start - 1,
                    tags: [&[id], &tags[..]].concat(),
                    at_end: end == n,
                }));
            }
            terms.push(Term { sign: 1.0, start, tags, at_end: end == n });
        }
        terms
    }

    /// Every entity of sentence `r`, of `n` tokens, that is likelier than `threshold`. They may share tokens.
    pub(crate) fn likelier(
        &self,
        r: usize,
        n: usize,
        belief: &Belief<'_>,
        threshold: f64,
    ) -> Vec<Entity> {
        let mut candidates = self.candidates(r, n, belief, threshold);
        let terms: Vec<Vec<Term>> = candidates.iter().map(|e| self.terms(e, n)).collect();
        let spans: Vec<Span<'_>> = terms.iter().flatten().map(|term| term.span(self)).collect();
        if spans.is_empty() {
            return candidates;
        }
        let mut probabilities = belief.of_spans(r, &spans).into_iter();
        for (entity, terms) in candidates.iter_mut().zip(&terms) {
            entity.probability =
                terms.iter().zip(&mut probabilities).map(|(t, p)| t.sign * p).sum();
        }
        candidates.retain(|e| e.probability > threshold);
        candidates
    }

    /// Tags of `n` tokens in which those of `candidates` stand that together gain the most, an entity gaining
    /// P(entity) − `threshold`; no two of them share a token. From ½ on these are just those that are likelier
    /// than the threshold, since two that share a token cannot both be likelier than not.
    pub(crate) fn worth_it(&self, candidates: &[Entity], n: usize, threshold: f64) -> Vec<u32> {
        let mut tags = vec![0; n];
        for entity in best_apart(candidates, n, threshold) {
            self.write(entity, &mut tags);
        }
        tags
    }

    /// Every entity whose tokens each have its type with a probability above `threshold`: no other can be
    /// likelier than that as a whole.
    fn candidates(&self, r: usize, n: usize, belief: &Belief<'_>, threshold: f64) -> Vec<Entity> {
        let mut candidates = Vec::new();
        for (kind, ids) in (0..).zip(&self.of_kind) {
            let likely =
                |t: usize| ids.iter().map(|&id| belief.of_tag(r, t, id)).sum::<f64>() > threshold;
            let likely: Vec<bool> = (0..n).map(likely).collect();
            for start in 0..n {
                let run = likely[start..].iter().take_while(|&&likely| likely).count();
                let ends = start + 1..=start + run;
                candidates.extend(ends.map(|end| Entity { start, end, kind, probability: 1.0 }));
            }
        }
        candidates
    }

    /// Writes an entity into `tags` in the scheme's own way; those to its left are there already.
    fn write(&self, entity: &Entity, tags: &mut [u32]) {
        let before = entity.start.checked_sub(1).map(|t| self.tags[tags[t] as usize]);
        let ways = self.ways(entity.kind, entity.end - entity.start);
        let apart =
            |way: &&Vec<u32>| before.is_none_or(|b| !carries(b, self.tags[way[0] as usize]));
        // IOB1 writes B only where I would carry on what is before.
        let plain = ways.iter().rev().find(apart).expect("one way begins an entity");
        tags[entity.start..entity.end].copy_from_slice(plain);
    }

    /// The entities of sentence `r`, whose first tokens have the best tags `ids`, with their probabilities.
    pub(crate) fn likely(&self, ids: &[u32], r: usize, belief: &Belief<'_>) -> Vec<Entity> {
        let mut entities = self.entities(ids);
        if entities.is_empty() {
            return entities;
        }
        let terms: Vec<Vec<Term>> = entities.iter().map(|e| self.terms(e, ids.len())).collect();
        let spans: Vec<Span<'_>> = terms.iter().flatten().map(|term| term.span(self)).collect();
        let mut probabilities = belief.of_spans(r, &spans).into_iter();
        for (entity, terms) in entities.iter_mut().zip(&terms) {
            let sum: f64 = terms.iter().zip(&mut probabilities).map(|(t, p)| t.sign * p).sum();
            entity.probability = sum.clamp(0.0, 1.0); // outside by rounding only
        }
        entities
    }
}

/// Those of `candidates`, from left to right, that share no token and whose sum of P − `threshold` is the largest;
/// of equal sums that with fewer entities. best(t) is that of the first t tokens:
///
/// ```text
/// best(t) = max( best(t − 1),  max over candidates that end at t:  best(start) + P − threshold )
/// ```
fn best_apart(candidates: &[Entity], n: usize, threshold: f64) -> Vec<&Entity> {
    let mut best: Vec<(f64, Option<&Entity>)> = vec![(0.0, None); n + 1];
    let mut by_end: Vec<&Entity> = candidates.iter().collect();
    by_end.sort_by_key(|e| (e.end, e.start));
    let mut by_end = by_end.into_iter().peekable();
    for t in 1..=n {
        best[t] = (best[t - 1].0, None);
        while let Some(entity) = by_end.next_if(|e| e.end == t) {
            let gain = best[entity.start].0 + entity.probability - threshold;
            if gain > best[t].0 {
                best[t] = (gain, Some(entity));
            }
        }
    }
    let (mut chosen, mut t) = (Vec::new(), n);
    while t > 0 {
        t = match best[t].1 {
            Some(entity) => {
                chosen.push(entity);
                entity.start
            }
            None => t - 1,
        };
    }
    chosen.reverse();
    chosen
}

/// Whether an entity goes on from one tag to the next.
fn carries(prev: Meaning, next: Meaning) -> bool {
    match (prev, next) {
        (
            Meaning::Inside { kind, open: true, .. },
            Meaning::Inside { kind: next, begins: false, .. },
        ) => kind == next,
        _ => false,
    }
}

/// One probability of the sum.
struct Term {
    sign: f64,
    start: usize,
    tags: Vec<u32>,
    /// Whether the sentence ends with it. Padding may follow, whose tags nobody reads.
    at_end: bool,
}

impl Term {
    fn span<'a>(&'a self, reading: &'a Reading) -> Span<'a> {
        let last = self.tags[self.tags.len() - 1] as usize;
        let after = if self.at_end { &reading.anything } else { &reading.closes[last] };
        Span { start: self.start, tags: &self.tags, after }
    }
}

/// Where the probabilities of a shard's tags come from; see the top of this file.
pub(crate) enum Belief<'a> {
    /// All tags of a sentence together; the marginals, if they were asked for.
    Chain {
        chain: &'a Chain,
        scores: &'a Array2<f32>,
        packing: &'a Packing,
        marginals: Option<Array2<f32>>,
    },
    /// Each token by itself.
    Tokens { probabilities: Array2<f32>, packing: &'a Packing },
}

impl<'a> Belief<'a> {
    pub(crate) fn new(
        tagger: &Tagger<f32>,
        chain: Option<&'a Chain>,
        scores: &'a Array2<f32>,
        packing: &'a Packing,
    ) -> Self {
        match (tagger.spec.head, chain) {
            (Head::KerasRelu, _) => {
                Self::Tokens { probabilities: keras_relu::probabilities(scores.clone()), packing }
            }
            (_, Some(chain)) => Self::Chain { chain, scores, packing, marginals: None },
            (_, None) => {
                Self::Tokens { probabilities: softmax::probabilities(scores.clone()), packing }
            }
        }
    }

    /// Ready for [`Belief::of_tag`].
    pub(crate) fn with_marginals(mut self) -> Self {
        if let Self::Chain { chain, scores, packing, marginals } = &mut self {
            *marginals = Some(chain.marginals(scores, packing));
        }
        self
    }

    /// The probability of a tag at token `t` of sentence `r`.
    fn of_tag(&self, r: usize, t: usize, id: u32) -> f64 {
        let (p, packing) = match self {
            Self::Chain { marginals, packing, .. } => {
                (marginals.as_ref().expect("asked for first"), packing)
            }
            Self::Tokens { probabilities, packing } => (probabilities, packing),
        };
        f64::from(p[[packing.row(r, t), id as usize]])
    }

    /// P(y_n = j) for each row and tag (N, K).
    pub(crate) fn of_tokens(&self) -> Array2<f32> {
        match self {
            Self::Chain { chain, scores, packing, .. } => chain.marginals(scores, packing),
            Self::Tokens { probabilities, .. } => probabilities.clone(),
        }
    }

    fn of_spans(&self, r: usize, spans: &[Span<'_>]) -> Vec<f64> {
        match self {
            Self::Chain { chain, scores, packing, .. } => {
                chain.span_probabilities(scores, packing, r, spans)
            }
            Self::Tokens { probabilities, packing } => {
                independent_span_probabilities(probabilities, packing, r, spans)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data::scheme::spans_leniently;
    use data::{Corpus, Scheme};
    use nn::crf::Allowed;
    use nn::tagger::Spec;
    use proptest::prelude::*;

    fn tag_set(scheme: Scheme) -> TagSet {
        let letter = if scheme == Scheme::Iob1 { 'I' } else { scheme.letters()[0] };
        let tags = format!("{letter}-a {letter}-b");
        let corpus = Corpus::from_pairs(&[("x y", &tags)]);
        TagSet::build(&corpus, &[0], scheme).unwrap()
    }

    fn rules(tags: &TagSet) -> Allowed {
        let ids = || 0..tags.len() as u32;
        let pairs = ids().flat_map(|i| ids().map(move |j| (i, j)));
        Allowed {
            start: ids().map(|j| tags.allows(None, Some(j))).collect(),
            end: ids().map(|i| tags.allows(Some(i), None)).collect(),
            transitions: pairs.map(|(i, j)| tags.allows(Some(i), Some(j))).collect(),
        }
    }

    fn is_legal(tags: &TagSet, path: &[u32]) -> bool {
        let ids = path.iter().copied().map(Some);
        let edges = std::iter::once(None).chain(ids.clone()).zip(ids.chain([None]));
        edges.into_iter().all(|(prev, next)| tags.allows(prev, next))
    }

    /// All tag sequences of `n` tokens.
    fn paths(k: u32, n: usize) -> Vec<Vec<u32>> {
        (0..n).fold(vec![vec![]], |paths, _| {
            let longer = |p: &Vec<u32>| (0..k).map(|j| [&p[..], &[j]].concat()).collect::<Vec<_>>();
            paths.iter().flat_map(longer).collect()
        })
    }

    fn tagger(tags: &TagSet, head: Head) -> Tagger<f32> {
        Tagger::new(Spec::plain(2, 2, vec![], tags.len(), head), 0)
    }

    fn scores(n: usize, k: usize, seed: &[i8]) -> Array2<f32> {
        let at = |(t, j)| f32::from(seed[(t * k + j) % seed.len()]) / 32.0;
        Array2::from_shape_fn((n, k), at)
    }

    /// P(entity) as the share of all paths that hold it.
    fn by_paths(tags: &TagSet, reading: &Reading, s: &Array2<f32>, entity: &Entity) -> f64 {
        let weight = |path: &Vec<u32>| {
            path.iter().enumerate().map(|(t, &j)| f64::from(s[[t, j as usize]])).sum::<f64>().exp()
        };
        let all = paths(tags.len() as u32, s.nrows());
        let all = all.iter().filter(|path| !reading.rules || is_legal(tags, path));
        let (mut hits, mut sum) = (0.0, 0.0);
        for path in all {
            let w = weight(path);
            sum += w;
            let same =
                |e: &Entity| (e.start, e.end, e.kind) == (entity.start, entity.end, entity.kind);
            hits += if reading.entities(path).iter().any(same) { w } else { 0.0 };
        }
        hits / sum
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn an_entitys_probability_is_its_share_of_all_tags_in_every_scheme(
            seed in prop::collection::vec(any::<i8>(), 40),
            place in (0..3usize, 1..=3usize, 0..2u32),
        ) {
            let (n, (start, length, kind)) = (3, place);
            let end = (start + length).min(n);
            let entity = Entity { start, end, kind, probability: 1.0 };
            for scheme in Scheme::ALL {
                let tags = tag_set(scheme);
                let s = scores(n, tags.len(), &seed);
                let packing = Packing::new(vec![n]);
                let chain = rules(&tags).chain();
                let network = tagger(&tags, Head::Softmax);
                for chain in [Some(&chain), None] {
                    let reading = Reading::new(&tags, chain.is_some());
                    let belief = Belief::new(&network, chain, &s, &packing);
                    let terms = reading.terms(&entity, n);
                    let spans: Vec<_> = terms.iter().map(|t| t.span(&reading)).collect();
                    let p = belief.of_spans(0, &spans);
                    let p: f64 = terms.iter().zip(p).map(|(t, p)| t.sign * p).sum();
                    let want = by_paths(&tags, &reading, &s, &entity);
                    prop_assert!((p - want).abs() < 1e-6, "{scheme}: {p}, not {want}");
                }
            }
        }

        #[test]
        fn just_the_entities_that_are_more_likely_than_not_are_written_in_every_scheme(
            seed in prop::collection::vec(any::<i8>(), 40),
        ) {
            let n = 3;
            for scheme in Scheme::ALL {
                let tags = tag_set(scheme);
                let s = scores(n, tags.len(), &seed) * 3.0;
                let packing = Packing::new(vec![n]);
                let chain = rules(&tags).chain();
                let network = tagger(&tags, Head::Softmax);
                let reading = Reading::new(&tags, true);
                let belief = Belief::new(&network, Some(&chain), &s, &packing).with_marginals();
                let candidates = reading.likelier(0, n, &belief, 0.5);
                let ids = reading.worth_it(&candidates, n, 0.5);
                prop_assert!(is_legal(&tags, &ids), "{scheme}: {ids:?}");
                let found = reading.entities(&ids);
                for start in 0..n {
                    for (end, kind) in (start + 1..=n).flat_map(|end| [(end, 0), (end, 1)]) {
                        let entity = Entity { start, end, kind, probability: 1.0 };
                        let p = by_paths(&tags, &reading, &s, &entity);
                        let said = found.contains(&entity);
                        prop_assert!(said == (p > 0.5) || (p - 0.5).abs() < 1e-6, "{scheme} {p}");
                    }
                }
            }
        }

        #[test]
        fn ids_are_read_as_their_names_are(
            ids in prop::collection::vec(0..9u32, 0..12),
            scheme in 0..4usize,
        ) {
            let tags = tag_set(Scheme::ALL[scheme]);
            let ids: Vec<u32> = ids.iter().map(|id| id % tags.len() as u32).collect();
            let names: Vec<&str> = ids.iter().map(|&id| tags.tag(id)).collect();
            let found = Reading::new(&tags, false).entities(&ids);
            let found = found.iter().map(|e| (e.start, e.end, &tags.types()[e.kind as usize][..]));
            let want = spans_leniently(&names);
            let want = want.iter().map(|s| (s.start, s.end, s.label));
            prop_assert_eq!(found.collect::<Vec<_>>(), want.collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_tutorials_shares_are_multiplied_and_a_row_without_any_knows_nothing() {
        let tags = tag_set(Scheme::Iob2); // O B-a I-a B-b I-b
        let s = ndarray::array![[1.0f32, 3.0, -2.0, 0.0, 0.0], [-1.0, -1.0, -1.0, -1.0, -1.0]];
        let packing = Packing::new(vec![2]);
        let belief = Belief::new(&tagger(&tags, Head::KerasRelu), None, &s, &packing);
        let entities = Reading::new(&tags, false).likely(&[1, 0], 0, &belief);
        // B-a (3/4) or I-a (0) first, then any tag but I-a (4 of 5).
        assert_eq!(entities.len(), 1);
        assert!((entities[0].probability - 0.75 * 0.8).abs() < 1e-6, "{entities:?}");
    }
}
