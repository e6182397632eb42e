//! From a sentence's tags to its entities, and how likely each of them is.
//!
//! ```text
//! an entity: tokens s … e of type X, not begun before s, not carried on after e
//!
//! (1)  v_s(j) = P(y_s = j) − Σ_i P(y_{s−1} = i, y_s = j)       over tags i that carry on into j: the entity begins at s
//! (2)  v_t(j) = Σ_i v_{t−1}(i) P(y_t = j | y_{t−1} = i)        over tags i that carry on into j: it goes on to t
//! (3)  P(entity) = Σ_j v_e(j) (1 − Σ_k P(y_{e+1} = k | y_e = j))   over tags k that j carries on into: it ends at e
//! ```
//!
//! for tags i, j, k of type X. IOB2, IOBES and BILOU have one way to write an entity, whose first letter begins it;
//! IOB1 has two. Where no rules hold, every way counts that the lenient reading takes for this
//! entity ([`data::scheme::spans_leniently`]). The probability is that of the entity whatever the rest of
//! the sentence, not that of the best tags as a whole.
//!
//! Where the probabilities of tags and of neighbours come from:
//!
//! - a CRF: exactly, by forward–backward over all tags that keep the rules ([`nn::crf::Neighbours`]);
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
use nn::crf::{Chain, Neighbours};
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
        Self {
            of_kind: (0..tags.types().len() as u32).map(ids).collect(),
            first: all.clone().map(|id| tags.allows(None, Some(id))).collect(),
            last: all.map(|id| tags.allows(Some(id), None)).collect(),
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
                let next = ids.iter().filter(move |&&id| self.carries(last, id));
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

    /// Every entity of a sentence of `n` tokens that is likelier than `threshold`. They may share tokens; no token
    /// is in more than 1 / `threshold` of them.
    pub(crate) fn likelier(
        &self,
        n: usize,
        sentence: &Sentence<'_>,
        threshold: f64,
    ) -> Vec<Entity> {
        let mut found = Vec::new();
        for kind in 0..self.of_kind.len() as u32 {
            for start in 0..n {
                let mut v = self.begun(kind, start, sentence, threshold);
                let mut end = start;
                // What has begun and not ended grows less likely from token to token.
                while v.iter().sum::<f64>() > threshold {
                    end += 1;
                    let (ended, on) = self.ended(kind, &v, end, n, sentence);
                    if ended > threshold {
                        found.push(Entity { start, end, kind, probability: ended.min(1.0) });
                    }
                    v = on;
                }
            }
        }
        found
    }

    /// The probability of an entity in a sentence of `n` tokens.
    fn probability(&self, entity: &Entity, n: usize, sentence: &Sentence<'_>) -> f64 {
        let Entity { start, end, kind, .. } = *entity;
        let mut v = self.begun(kind, start, sentence, 0.0);
        let mut ended = 0.0;
        for end in start + 1..=end {
            (ended, v) = self.ended(kind, &v, end, n, sentence);
        }
        ended.clamp(0.0, 1.0) // outside by rounding only
    }

    /// (1) for each tag of the type; zeros if it cannot come to more than `least`.
    fn begun(&self, kind: u32, s: usize, sentence: &Sentence<'_>, least: f64) -> Vec<f64> {
        let ids = &self.of_kind[kind as usize];
        let mut v: Vec<f64> = ids.iter().map(|&j| sentence.tag(s, j)).collect();
        if v.iter().sum::<f64>() <= least {
            v.fill(0.0);
            return v;
        }
        if s == 0 {
            return v;
        }
        for (v, &j) in v.iter_mut().zip(ids) {
            let carried = ids.iter().filter(|&&i| self.carries(i, j));
            *v = (*v - carried.map(|&i| sentence.pair(s - 1, i, j)).sum::<f64>()).max(0.0); // (1)
        }
        v
    }

    /// From v of the last token before `end`: (3) for an entity that ends there, and (2) for one that does not.
    fn ended(
        &self,
        kind: u32,
        v: &[f64],
        end: usize,
        n: usize,
        sentence: &Sentence<'_>,
    ) -> (f64, Vec<f64>) {
        let ids = &self.of_kind[kind as usize];
        let mut on = vec![0.0; ids.len()];
        if end == n {
            // Padding may follow, whose tags nobody reads.
            let may_end = |&(&j, _): &(&u32, &f64)| !self.rules || self.last[j as usize];
            return (ids.iter().zip(v).filter(may_end).map(|(_, v)| v).sum(), on);
        }
        for (&i, &v) in ids.iter().zip(v).filter(|(_, v)| **v > 0.0) {
            let per_tag = v / sentence.tag(end - 1, i);
            for (on, &j) in on.iter_mut().zip(ids).filter(|(_, j)| self.carries(i, **j)) {
                *on += per_tag * sentence.pair(end - 1, i, j); // (2)
            }
        }
        let ended = v.iter().sum::<f64>() - on.iter().sum::<f64>(); // (3)
        (ended, on)
    }

    /// Whether tag `j` right after tag `i` carries its entity on.
    fn carries(&self, i: u32, j: u32) -> bool {
        carries(self.tags[i as usize], self.tags[j as usize])
    }

    /// Tags of `n` tokens in which these entities stand, given from left to right.
    pub(crate) fn written(&self, entities: &[Entity], n: usize) -> Vec<u32> {
        let mut tags = vec![0; n];
        for entity in entities {
            self.write(entity, &mut tags);
        }
        tags
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

    /// Gives each of a sentence's entities its probability; `n` tokens.
    pub(crate) fn weigh(&self, entities: &mut [Entity], n: usize, sentence: &Sentence<'_>) {
        for entity in entities {
            entity.probability = self.probability(entity, n, sentence);
        }
    }
}

/// Those of `candidates`, from left to right, that share no token and whose sum of P − `threshold` is the largest;
/// of equal sums that with fewer entities. From ½ on these are just those that are likelier than the threshold, since
/// two that share a token cannot both be likelier than not. best(t) is that of the first t tokens:
///
/// ```text
/// best(t) = max( best(t − 1),  max over candidates that end at t:  best(start) + P − threshold )
/// ```
pub(crate) fn best_apart(candidates: &[Entity], n: usize, threshold: f64) -> Vec<Entity> {
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
                chosen.push(*entity);
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

/// Where the probabilities of a shard's tags come from; see the top of this file.
pub(crate) enum Posterior<'a> {
    /// All tags of a sentence together.
    Chain { chain: &'a Chain, scores: &'a Array2<f32>, packing: &'a Packing },
    /// Each token by itself.
    Tokens { probabilities: Array2<f32>, packing: &'a Packing },
}

/// The same of one sentence.
pub(crate) enum Sentence<'a> {
    Chain(Neighbours<'a>),
    Tokens { probabilities: &'a Array2<f32>, packing: &'a Packing, r: usize },
}

impl<'a> Posterior<'a> {
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
            (_, Some(chain)) => Self::Chain { chain, scores, packing },
            (_, None) => {
                Self::Tokens { probabilities: softmax::probabilities(scores.clone()), packing }
            }
        }
    }

    /// Sentence `r` of the shard.
    pub(crate) fn sentence(&self, r: usize) -> Sentence<'_> {
        match self {
            Self::Chain { chain, scores, packing } => {
                Sentence::Chain(chain.neighbours(scores, packing, r))
            }
            Self::Tokens { probabilities, packing } => {
                Sentence::Tokens { probabilities, packing, r }
            }
        }
    }

    /// P(y_n = j) for each row and tag (N, K).
    pub(crate) fn of_tokens(&self) -> Array2<f32> {
        match self {
            Self::Chain { chain, scores, packing, .. } => chain.marginals(scores, packing),
            Self::Tokens { probabilities, .. } => probabilities.clone(),
        }
    }
}

impl Sentence<'_> {
    /// P(y_t = j)
    fn tag(&self, t: usize, j: u32) -> f64 {
        match self {
            Self::Chain(neighbours) => neighbours.tag(t, j as usize),
            Self::Tokens { probabilities, packing, r } => {
                f64::from(probabilities[[packing.row(*r, t), j as usize]])
            }
        }
    }

    /// P(y_t = i, y_{t+1} = j)
    fn pair(&self, t: usize, i: u32, j: u32) -> f64 {
        match self {
            Self::Chain(neighbours) => neighbours.pair(t, i as usize, j as usize),
            Self::Tokens { .. } => self.tag(t, i) * self.tag(t + 1, j),
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
        Allowed::new(
            pairs.map(|(i, j)| tags.allows(Some(i), Some(j))).collect(),
            ids().map(|j| tags.allows(None, Some(j))).collect(),
            ids().map(|i| tags.allows(Some(i), None)).collect(),
        )
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
                    let posterior = Posterior::new(&network, chain, &s, &packing);
                    let p = reading.probability(&entity, n, &posterior.sentence(0));
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
                let posterior = Posterior::new(&network, Some(&chain), &s, &packing);
                let candidates = reading.likelier(n, &posterior.sentence(0), 0.5);
                let ids = reading.written(&best_apart(&candidates, n, 0.5), n);
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
        let posterior = Posterior::new(&tagger(&tags, Head::KerasRelu), None, &s, &packing);
        let reading = Reading::new(&tags, false);
        let mut entities = reading.entities(&[1, 0]);
        reading.weigh(&mut entities, 2, &posterior.sentence(0));
        // B-a (3/4) or I-a (0) first, then any tag but I-a (4 of 5).
        assert_eq!(entities.len(), 1);
        assert!((entities[0].probability - 0.75 * 0.8).abs() < 1e-6, "{entities:?}");
    }
}
