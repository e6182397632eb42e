//! The whole network: ids → scores of tags → loss, and back.
//!
//! ```text
//! N tokens · D columns of a word's rows · M of its spelling · K tags
//!
//! (1)  x   = Σ rows of the word: itself, its affixes, its shape     (N, D)
//! (2)  x  += v W_vᵀ      v its pretrained vector, if there are any   (N, D)
//! (3)  x   = [x  chars]  what its letters spell, if they are read    (N, D + M)
//! (4)  x   = layer(x)    for each layer of the encoder, with its dropout masks; with residual
//!      x  += layer(x)    for one as wide as the layer below
//! (5)  x̂   = x ⊙ m       the dense layer's own mask
//! (6)  s   = dense(x̂)                                               (N, K)
//! (7)  s  += Σ rows of the features around the token, if there is a wide part
//! (8)  L   = head(s, tags)
//!
//! (8')–(1') the same from the bottom up
//! ```
//!
//! The tutorial's network is an embedding of 64, a bidirectional LSTM of 64, an LSTM of 64, dense. What
//! it is made of is a [`Spec`], so that other stacks are a matter of configuration.

use std::borrow::Cow;

use ndarray::{Array2, ArrayView1, ArrayViewD, ArrayViewMutD, Axis, concatenate, s};
use tensor::{Real, scratch};

use crate::bilstm::BiLstm;
use crate::chars::{Spellings, tokens_of_words, words_of_tokens};
use crate::crf::{Allowed, Chain, Crf};
use crate::dense::{self, Dense};
use crate::dropout::{self, Noise};
use crate::embedding::RowGrads;
use crate::lstm::{Lstm, Masks};
use crate::packing::{Direction, Packing};
use crate::params::{Params, within};
use crate::projection::{self, Projection};
use crate::sum_embedding::{self, SumEmbedding};
use crate::trace::Walk;
use crate::vectors::Vectors;
use crate::wide::{Wide, kept_tokens};
use crate::{keras_relu, softmax};

mod network;
mod place;
mod spec;

pub use network::{Chars, Layer, Network};
pub use place::{On, Place};
pub use spec::{CharKind, CharSpec, Head, LayerKind, LayerSpec, Spec, VectorSpec, WideSpec};

use network::{CharsCache, LayerCache};

/// The tokens of a shard, laid out by its packing.
#[derive(Clone, Debug)]
pub struct Input {
    /// Layout of the rows.
    pub packing: Packing,
    /// (N·T) a row of each table for each token.
    pub words: Vec<u32>,
    /// (N·J) rows of the wide table for each token; empty if there is none.
    pub wide: Vec<u32>,
    /// The spellings of the shard's words, longest first, and (N) which of them each token is.
    pub chars: Option<(Spellings, Vec<u32>)>,
    /// (N) a row of the pretrained vectors for each token, 0 for a word that has none; empty if there are
    /// none at all.
    pub vectors: Vec<u32>,
}

impl Input {
    /// Words alone, `ids` (N·T).
    pub fn words(ids: Vec<u32>, packing: &Packing) -> Self {
        let packing = packing.clone();
        Self { packing, words: ids, wide: Vec::new(), chars: None, vectors: Vec::new() }
    }
}

/// Weights of the whole tagger.
#[derive(Clone, Debug)]
pub struct Tagger<F: 'static> {
    /// What it is made of.
    pub spec: Spec,
    /// Rows that are added for a word.
    pub words: SumEmbedding<F>,
    /// Pretrained vectors.
    pub vectors: Option<Vectors<F>>,
    /// Rows that the features around a token add to its scores.
    pub wide: Option<Wide<F>>,
    /// The rest.
    pub network: Network<F>,
    /// (M − 1) the other members, of the same shape, that were trained by themselves: see
    /// [`Tagger::scores`]. They have no wide part, since one serves all.
    pub others: Vec<Tagger<F>>,
}

/// The gradients of the tables, unsummed.
#[derive(Clone, Debug)]
pub struct TableGrads<F> {
    /// Of [`Tagger::words`]' rows.
    pub words: RowGrads<F>,
    /// Of [`Tagger::vectors`]', if they are trained.
    pub vectors: Option<RowGrads<F>>,
    /// Of [`Tagger::wide`]'s.
    pub wide: Option<RowGrads<F>>,
}

/// What `backward` needs of `forward`.
pub struct Cache<F> {
    packing: Packing,
    words: ReadCache<F>,
    layers: Vec<LayerCache<F>>,
    dense_mask: Option<Array2<F>>,
    dense: dense::Cache<F>,
    wide: Option<(Vec<u32>, Option<Vec<bool>>)>,
}

/// What `backward` needs of [`Tagger::read`].
pub(crate) struct ReadCache<F> {
    words: sum_embedding::Cache,
    vectors: Option<(Vec<u32>, projection::Cache<F>)>,
    chars: Option<(Spellings, Vec<u32>, CharsCache<F>)>,
}

impl<F: Real> Cache<F> {
    /// What every LSTM of the encoder did, from the words up.
    pub fn walks(&self) -> Vec<Walk<F>> {
        let layers = self.layers.iter().enumerate();
        let walks = layers.map(|(l, cache)| match cache {
            LayerCache::Lstm(cache) => vec![Walk::new(format!("encoder.{l}"), cache)],
            LayerCache::BiLstm(cache) => vec![
                Walk::new(format!("encoder.{l}.forward"), &cache.forward),
                Walk::new(format!("encoder.{l}.backward"), &cache.backward),
            ],
        });
        walks.flatten().collect()
    }
}

impl<F: Real> Tagger<F> {
    /// Initial weights: tables uniform in ±0.05 as Keras's `Embedding`, wide part and transitions 0, the
    /// rest as their layers say. All follow from `seed`. Pretrained vectors are zeros until
    /// [`Tagger::set_vectors`].
    pub fn new(spec: Spec, seed: u64) -> Self {
        Self::drawn(spec, Some(seed))
    }

    /// The same shapes, to be filled from a file: millions of random numbers are spared.
    pub fn unfilled(spec: Spec) -> Self {
        Self::drawn(spec, None)
    }

    /// Without a seed, tables, recurrent layers and dense layer are 0.
    fn drawn(spec: Spec, random: Option<u64>) -> Self {
        let (tables, seed) = (spec.named_tables(), random.unwrap_or(0));
        let words = match random {
            Some(seed) => SumEmbedding::new(&tables, spec.embedding, seed, 0),
            None => SumEmbedding::zeros(&tables, spec.embedding),
        };
        let mut n_in = spec.n_input();
        let mut encoder = Vec::new();
        for (l, layer) in spec.encoder.iter().enumerate() {
            let index = 1 + 2 * l as u16; // a layer takes two numbers, one a direction
            let n = layer.n_hidden;
            encoder.push(match (layer.kind, random) {
                (LayerKind::Lstm, Some(seed)) => Layer::Lstm(Lstm::new(n_in, n, seed, index)),
                (LayerKind::Lstm, None) => Layer::Lstm(Lstm::zeros(n_in, n)),
                (LayerKind::BiLstm, Some(seed)) => Layer::BiLstm(BiLstm::new(n_in, n, seed, index)),
                (LayerKind::BiLstm, None) => Layer::BiLstm(BiLstm::zeros(n_in, n)),
            });
            n_in = layer.n_out();
        }
        let dense = match random {
            Some(seed) => Dense::new(n_in, spec.tags, seed, u16::MAX),
            None => Dense::zeros(n_in, spec.tags),
        };
        let network = Network {
            projection: spec
                .vectors
                .map(|v| Projection::new(v.columns, spec.embedding, seed, u16::MAX - 1)),
            chars: spec.chars.map(|c| Chars::new(c, seed, u16::MAX - 4)),
            encoder,
            dense,
            crf: (spec.head == Head::Crf).then(|| Crf::new(spec.tags)),
        };
        let wide = spec.wide.map(|w| Wide::new(w.rows, spec.tags));
        let zeros = |v: VectorSpec| Vectors::new(Array2::zeros((v.rows, v.columns)), v.tuned);
        let vectors = spec.vectors.map(zeros);
        let other = Spec { members: 1, wide: None, ..spec.clone() };
        let member = |k| Tagger::drawn(other.clone(), random.map(|seed| seed + k));
        let others = (1..spec.members as u64).map(member);
        let others = others.collect();
        Self { spec, words, vectors, wide, network, others }
    }

    /// Puts pretrained vectors into their place: `table` (V, P).
    ///
    /// # Panics
    /// If the network has no such table.
    pub fn set_vectors(&mut self, table: Array2<F>) {
        let spec = self.spec.vectors.expect("a network with pretrained vectors");
        assert_eq!(table.dim(), (spec.rows, spec.columns), "a table as the network was made for");
        self.vectors = Some(Vectors::new(table, spec.tuned));
        self.others.iter_mut().for_each(|member| member.vectors = self.vectors.clone());
    }

    /// One tagger of several of the same shape. They do not see each other in training: `forward`,
    /// `backward` and `loss` are those of the first.
    ///
    /// A wide score is a sum of rows, so that the mean of the members' is that of the mean of their tables: one
    /// table takes the place of all.
    ///
    /// # Panics
    /// If there is none.
    pub fn of_members(mut members: Vec<Tagger<F>>) -> Self {
        let mut others = members.split_off(1);
        let mut first = members.pop().expect("at least one member");
        let m = 1 + others.len();
        if let Some(Wide { table }) = &mut first.wide {
            let mut mean = std::mem::take(table).into_owned();
            for Wide { table } in others.iter_mut().filter_map(|member| member.wide.take()) {
                mean += &table;
            }
            mean.mapv_inplace(|w| w / F::of(m as f64));
            *table = mean.into();
        }
        others.iter_mut().for_each(|member| member.spec.wide = None);
        let spec = Spec { members: m, ..first.spec };
        let mut all = Self { spec, others, ..first };
        if let Some(Vectors::Frozen(_)) = &all.vectors {
            // One table for all.
            all.others.iter_mut().for_each(|member| member.vectors = all.vectors.clone());
        }
        all
    }

    /// The taggers whose scores are averaged, each on its own; one that is alone is the only one. Only the first
    /// has the wide part, which is that of all.
    pub fn members(&self) -> impl Iterator<Item = &Tagger<F>> {
        std::iter::once(self).chain(&self.others)
    }

    /// Tokens → scores (N, K) to tag by, without dropout: the mean of all members' scores. Since a path's score is a
    /// sum, the best path by the mean is the best by the mean of the members' scores of whole paths.
    /// [`crate::ready::Ready`] gives the same sooner.
    pub fn scores(&self, mut input: Input) -> Array2<F> {
        let wide = std::mem::take(&mut input.wide);
        let mut scores = if self.others.is_empty() {
            self.deep(input, None).0
        } else {
            let (mut sum, _) = self.deep(input.clone(), None);
            for member in &self.others {
                sum += &member.deep(input.clone(), None).0;
            }
            sum / F::of(self.spec.members as f64)
        };
        if let Some(layer) = &self.wide {
            layer.forward(&wide, None, &mut scores);
        }
        scores
    }

    /// Tokens → scores (N, K), of the first member alone. With `noise`, dropout is on.
    ///
    /// # Panics
    /// If `input` lacks what the network reads (letters, vectors, features), or an id is not a row of its table.
    pub fn forward(&self, mut input: Input, noise: Option<&Noise<'_>>) -> (Array2<F>, Cache<F>) {
        let ids = std::mem::take(&mut input.wide);
        let (mut scores, mut cache) = self.deep(input, noise); // (1)–(6)
        if let Some(layer) = &self.wide {
            let p = self.spec.wide.map_or(0.0, |w| w.dropout);
            let kept = noise.and_then(|n| kept_tokens(n, Place::Wide.number(), &cache.packing, p));
            layer.forward(&ids, kept.as_deref(), &mut scores); // (7)
            cache.wide = Some((ids, kept));
        }
        (scores, cache)
    }

    /// (1) to (6): [`Tagger::forward`] without the wide part.
    ///
    /// # Panics
    /// As `forward`.
    pub fn deep(&self, input: Input, noise: Option<&Noise<'_>>) -> (Array2<F>, Cache<F>) {
        let Input { packing, words, chars, vectors, wide: _ } = input;
        let (mut x, words) = self.read(&words, vectors, chars); // (1)–(3)
        let mut layers = Vec::new();
        for (l, layer) in self.network.encoder.iter().enumerate() {
            let masks = self.masks(l, x.ncols(), noise, &packing);
            let below = self.spec.adds_input(l).then(|| x.clone());
            let (mut y, cache) = layer.forward(x, &packing, masks); // (4)
            if let Some(below) = below {
                y += &below;
            }
            layers.push(cache);
            x = y;
        }
        let place = Place::Dense.number();
        let dense_mask =
            noise.and_then(|n| n.input_mask(place, x.ncols(), self.spec.dense_dropout, &packing));
        if let Some(m) = &dense_mask {
            dropout::apply(&mut x, m, &packing); // (5)
        }
        let (scores, dense) = self.network.dense.forward(x); // (6)
        (scores, Cache { packing, words, layers, dense_mask, dense, wide: None })
    }

    /// (1) to (3): what the encoder reads, (N, D + M).
    pub(crate) fn read(
        &self,
        words: &[u32],
        vectors: Vec<u32>,
        chars: Option<(Spellings, Vec<u32>)>,
    ) -> (Array2<F>, ReadCache<F>) {
        let (mut x, words) = self.words.forward(words); // (1)
        let layers = self.vectors.as_ref().zip(self.network.projection.as_ref());
        let vectors = layers.map(|(table, layer)| {
            let cache = layer.forward(table.forward(&vectors), &mut x); // (2)
            (vectors, cache)
        });
        let chars = self.network.chars.as_ref().map(|layer| {
            let (spellings, word_of) = chars.expect("a network that reads letters is given them");
            let (y, cache) = layer.forward(&spellings);
            let y = tokens_of_words(&y, &word_of);
            x = side_by_side(&x, &y); // (3)
            (spellings, word_of, cache)
        });
        (x, ReadCache { words, vectors, chars })
    }

    /// `ds` (N, K), the gradient of the scores → the gradients of the tables. Adds to `grads`.
    ///
    /// # Panics
    /// If `ds` is not shaped like the scores, or `grads` not like the weights.
    pub fn backward(
        &self,
        cache: Cache<F>,
        ds: &Array2<F>,
        grads: &mut Network<F>,
    ) -> TableGrads<F> {
        let Cache { packing, words, layers, dense_mask, dense, wide } = cache;
        let ReadCache { words, vectors, chars } = words;
        let wide = self.wide.as_ref().zip(wide);
        let wide = wide.map(|(layer, (ids, kept))| layer.backward(&ids, kept.as_deref(), ds)); // (7')
        let mut dx = self.network.dense.backward(dense, ds, &mut grads.dense); // (6')
        if let Some(m) = dense_mask {
            dropout::apply(&mut dx, &m, &packing); // (5')
            scratch::give(m);
        }
        let pairs = self.network.encoder.iter().zip(layers).zip(&mut grads.encoder);
        for (l, ((layer, cache), grads)) in pairs.enumerate().rev() {
            let above = self.spec.adds_input(l).then(|| dx.clone());
            dx = layer.backward(cache, dx, grads); // (4')
            if let Some(above) = above {
                dx += &above;
            }
        }
        if let Some((spellings, word_of, cache)) = chars {
            let dy = dx.slice(s![.., self.spec.embedding..]);
            let dy = words_of_tokens(&dy.to_owned(), &word_of, spellings.words());
            let layer = self.network.chars.as_ref().expect("it made the cache");
            let grads = grads.chars.as_mut().expect("a gradient is shaped like the weights");
            layer.backward(&spellings, cache, &dy, grads); // (3')
            dx = dx.slice(s![.., ..self.spec.embedding]).as_standard_layout().into_owned();
        }
        let layers = self.vectors.as_ref().zip(self.network.projection.as_ref()).zip(vectors);
        let vectors = layers.and_then(|((table, layer), (ids, cache))| {
            let grads = grads.projection.as_mut().expect("a gradient is shaped like the weights");
            layer.backward(cache, &dx, grads); // (2')
            table.backward(&ids, || layer.backward_to_vectors(&dx))
        });
        TableGrads { words: self.words.backward(words, dx), vectors, wide } // (1')
    }

    /// (8) and (8'): scores (N, K) and the right tags → Σ_N loss, not weighted, and ds, weighted. Adds the
    /// gradient of the transitions to `grads`. `weight` is 1 over the tokens of the batch, as a rule.
    ///
    /// # Panics
    /// If there is not one tag below K for each row of `scores`.
    pub fn loss(
        &self,
        scores: Array2<F>,
        tags: &[u32],
        packing: &Packing,
        weight: F,
        grads: &mut Network<F>,
    ) -> (f64, Array2<F>) {
        match (&self.network.crf, self.spec.head) {
            (Some(crf), _) => {
                let grads = grads.crf.as_mut().expect("a gradient is shaped like the weights");
                let free = || Cow::Owned(Allowed::all(self.spec.tags));
                let rules = self.spec.rules.as_ref().map_or_else(free, Cow::Borrowed);
                crf.loss(scores, tags, packing, &rules, weight, grads)
            }
            (None, Head::KerasRelu) => keras_relu::cross_entropy(scores, tags, weight),
            (None, _) => {
                let of = |weights: &Vec<f64>| weights.iter().map(|&c| F::of(c)).collect::<Vec<_>>();
                let tag_weights = self.spec.tag_weights.as_ref().map(of);
                softmax::cross_entropy(scores, tags, tag_weights.as_deref(), weight)
            }
        }
    }

    /// What decides on the tags of a sentence together, made once for many calls of
    /// [`Tagger::decode`]. None: each token decides by itself.
    pub fn chain(&self) -> Option<Chain> {
        match (self.mean_crf(), &self.spec.rules) {
            (Some(crf), Some(rules)) => Some(crf.chain(rules)),
            (Some(crf), None) => Some(crf.chain(&Allowed::all(self.spec.tags))),
            (None, Some(rules)) => Some(rules.chain()),
            (None, None) => None,
        }
    }

    /// The mean of all members' transitions, which [`Tagger::chain`] decides by; none without a CRF.
    pub fn mean_crf(&self) -> Option<Crf<F>> {
        let mut mean = self.network.crf.clone()?;
        self.others.iter().filter_map(|m| m.network.crf.as_ref()).for_each(|crf| mean.add(crf));
        let share = F::one() / F::of(self.spec.members as f64);
        mean.slices_mut().into_iter().flatten().for_each(|w| *w *= share);
        Some(mean)
    }

    /// The best tags of `scores`: along the best path of `chain`, or of each row by itself; of equal
    /// ones, the first.
    pub fn decode(&self, scores: &Array2<F>, packing: &Packing, chain: Option<&Chain>) -> Vec<u32> {
        if let Some(chain) = chain {
            return chain.viterbi(scores, packing);
        }
        // Behind a ReLU all scores below 0 are equal.
        let floor = match self.spec.head {
            Head::KerasRelu => F::zero(),
            _ => F::neg_infinity(),
        };
        scores.rows().into_iter().map(|s| first_largest(s, floor)).collect()
    }

    fn masks(
        &self,
        l: usize,
        n_in: usize,
        noise: Option<&Noise<'_>>,
        packing: &Packing,
    ) -> [Masks<F>; 2] {
        let Some(noise) = noise else { return Default::default() };
        let layer = &self.spec.encoder[l];
        [Direction::Forward, Direction::Backward].map(|direction| {
            if layer.kind == LayerKind::Lstm && direction == Direction::Backward {
                return Masks::default();
            }
            let place = |on| Place::Layer { l, direction, on }.number();
            Masks {
                input: noise.input_mask(place(On::Input), n_in, layer.dropout, packing),
                recurrent: noise.mask(
                    place(On::Recurrent),
                    layer.n_hidden,
                    layer.recurrent_dropout,
                ),
            }
        })
    }
}

/// Index of the largest value, all below `floor` counting as `floor`; of equal ones the first.
fn first_largest<F: Real>(s: ArrayView1<'_, F>, floor: F) -> u32 {
    let mut best = (0, F::neg_infinity());
    for (k, &v) in s.iter().enumerate() {
        let v = v.max(floor);
        if v > best.1 {
            best = (k, v);
        }
    }
    best.0 as u32
}

/// [x y], row by row.
fn side_by_side<F: Real>(x: &Array2<F>, y: &Array2<F>) -> Array2<F> {
    let both = concatenate(Axis(1), &[x.view(), y.view()]).expect("a row a token in both");
    both.as_standard_layout().into_owned()
}

impl<F: Real> Params<F> for Tagger<F> {
    fn tensors(&self) -> Vec<(String, ArrayViewD<'_, F>)> {
        let mut all = within("words", self.words.tensors());
        if let Some(vectors) = &self.vectors {
            all.extend(within("vectors", vectors.tensors()));
        }
        if let Some(wide) = &self.wide {
            all.extend(within("wide", wide.tensors()));
        }
        all.extend(self.network.tensors());
        for (k, member) in self.others.iter().enumerate() {
            all.extend(within(&format!("member.{}", k + 1), member.tensors()));
        }
        all
    }

    fn tensors_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, F>)> {
        let mut all = within("words", self.words.tensors_mut());
        if let Some(vectors) = &mut self.vectors {
            all.extend(within("vectors", vectors.tensors_mut()));
        }
        if let Some(wide) = &mut self.wide {
            all.extend(within("wide", wide.tensors_mut()));
        }
        all.extend(self.network.tensors_mut());
        for (k, member) in self.others.iter_mut().enumerate() {
            all.extend(within(&format!("member.{}", k + 1), member.tensors_mut()));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck::{assert_gradients, gradcheck};
    use crate::testing::{LENGTHS, normal};

    /// The tutorial's network, small.
    fn plain(head: Head) -> Spec {
        let layer = |kind, n_hidden, dropout, recurrent_dropout| LayerSpec {
            kind,
            n_hidden,
            dropout,
            recurrent_dropout,
        };
        let encoder =
            vec![layer(LayerKind::BiLstm, 2, 0.2, 0.3), layer(LayerKind::Lstm, 3, 0.5, 0.5)];
        Spec { dense_dropout: 0.4, ..Spec::plain(7, 3, encoder, 4, head) }
    }

    /// Everything at once: two tables, vectors (trained or not), letters, one layer, wide part, CRF with
    /// rules.
    fn full(kind: CharKind) -> Spec {
        let mut transitions = vec![true; 16];
        transitions[2] = false; // 0 → 2
        let rules = Allowed::new(transitions, vec![true, true, false, true], vec![true; 4]);
        let mut spec = plain(Head::Crf);
        spec.tables.push(("suffix".into(), 5));
        spec.encoder.truncate(1);
        Spec {
            vectors: Some(VectorSpec { rows: 5, columns: 2, tuned: kind == CharKind::Cnn }),
            chars: Some(CharSpec { kind, n_chars: 6, n_in: 2, n_out: 4 }),
            wide: Some(WideSpec { rows: 9, dropout: 0.3 }),
            rules: Some(rules),
            ..spec
        }
    }

    /// Initial weights are small; these make every part of the network count.
    fn tagger(spec: Spec) -> Tagger<f64> {
        let mut tagger = Tagger::new(spec, 3);
        if let Some(v) = tagger.spec.vectors {
            tagger.set_vectors(normal(99, v.rows, v.columns));
        }
        for (k, s) in tagger.slices_mut().into_iter().enumerate() {
            let draw = normal(k as u32, 1, s.len());
            s.iter_mut().zip(&draw).for_each(|(w, d)| *w += d);
        }
        if tagger.spec.head == Head::KerasRelu {
            tagger.network.dense.b.fill(2.0); // keep the scores off the kink at 0
        }
        tagger
    }

    fn input(spec: &Spec, packing: &Packing) -> Input {
        let n = packing.rows() as u32;
        let words = (0..n).flat_map(|i| {
            let rows = spec.tables.iter().enumerate();
            rows.map(move |(t, (_, v))| (i * 5 + 1 + t as u32) % *v as u32)
        });
        let mut input = Input::words(words.collect(), packing);
        if let Some(wide) = spec.wide {
            input.wide = (0..2 * n).map(|i| (i * 7) % wide.rows as u32).collect();
        }
        if spec.chars.is_some() {
            let spellings = Spellings::new(vec![1, 2, 3, 4, 5, 0], vec![0, 3, 5, 6]);
            input.chars = Some((spellings, (0..n).map(|i| i % 3).collect()));
        }
        if let Some(vectors) = spec.vectors {
            input.vectors = (0..n).map(|i| (i * 3) % vectors.rows as u32).collect();
        }
        input
    }

    fn check(spec: Spec, noise: Option<&Noise<'_>>, lengths: &[usize], tensors: usize) {
        let tagger = tagger(spec);
        let packing = Packing::new(lengths.to_vec());
        let input = input(&tagger.spec, &packing);
        // Tag 2 only behind another than 0, as the rules of `full` want it.
        let tags: Vec<u32> = (0..packing.rows()).map(|i| [1, 3, 0, 1][i % 4]).collect();
        let weight = 1.0 / packing.rows() as f64;
        let loss = |t: &Tagger<f64>, grads: &mut Network<f64>| {
            let (scores, cache) = t.forward(input.clone(), noise);
            let (loss, ds) = t.loss(scores, &tags, &packing, weight, grads);
            (weight * loss, ds, cache)
        };
        let mut grads = tagger.zeros_like();
        let (_, ds, cache) = loss(&tagger, &mut grads.network);
        let rows = tagger.backward(cache, &ds, &mut grads.network);
        rows.words.add_to(&mut grads.words.rows);
        if let (Some(rows), Some(wide)) = (rows.wide, &mut grads.wide) {
            rows.add_to(&mut wide.table);
        }
        if let Some(rows) = rows.vectors {
            rows.add_to(grads.vectors.as_mut().and_then(Vectors::trained_mut).unwrap());
        }
        let spare = tagger.network.zeros_like();
        let checks = gradcheck(&tagger, &grads, |t| loss(t, &mut spare.clone()).0);
        assert_eq!(checks.len(), tensors);
        assert_gradients(&checks, 1e-7);
    }

    #[test]
    fn the_whole_network_agrees_with_central_differences() {
        for lengths in LENGTHS {
            check(plain(Head::Softmax), None, lengths, 1 + 6 + 3 + 2);
            check(plain(Head::KerasRelu), None, lengths, 1 + 6 + 3 + 2);
        }
    }

    #[test]
    fn the_whole_network_agrees_with_central_differences_under_dropout() {
        for lengths in LENGTHS {
            let sentences: Vec<u32> = (0..lengths.len() as u32).collect();
            let noise = Noise { seed: 4, epoch: 1, sentences: &sentences, locked: true };
            check(plain(Head::Softmax), Some(&noise), lengths, 1 + 6 + 3 + 2);
        }
    }

    #[test]
    fn a_network_of_every_part_agrees_with_central_differences() {
        for lengths in LENGTHS {
            let sentences: Vec<u32> = (0..lengths.len() as u32).collect();
            let noise = Noise { seed: 4, epoch: 1, sentences: &sentences, locked: false };
            for noise in [None, Some(&noise)] {
                check(full(CharKind::Cnn), noise, lengths, 2 + 1 + 1 + 1 + 3 + 6 + 2 + 3);
                check(full(CharKind::Lstm), noise, lengths, 2 + 1 + 1 + 7 + 6 + 2 + 3);
            }
        }
    }

    #[test]
    fn the_loss_is_that_of_the_head() {
        let packing = Packing::new(vec![2, 1]);
        let (scores, tags) = (normal(3, 3, 4).mapv(f64::abs), [1, 0, 3]);
        let loss = |head| {
            let tagger = tagger(plain(head));
            let mut grads = tagger.zeros_like().network;
            tagger.loss(scores.clone(), &tags, &packing, 0.5, &mut grads)
        };
        let softmax = softmax::cross_entropy(scores.clone(), &tags, None, 0.5);
        let relu = keras_relu::cross_entropy(scores.clone(), &tags, 0.5);
        let crf = tagger(plain(Head::Crf)).network.crf.unwrap();
        let (mut grads, free) = (crf.zeros_like(), Allowed::all(4));
        let crf = crf.loss(scores.clone(), &tags, &packing, &free, 0.5, &mut grads);
        assert!(softmax != relu && softmax != crf && relu != crf);
        assert_eq!(loss(Head::Softmax), softmax);
        assert_eq!(loss(Head::KerasRelu), relu);
        assert_eq!(loss(Head::Crf), crf);
    }

    #[test]
    fn several_members_tag_by_the_mean_of_their_scores_and_transitions() {
        let packing = Packing::new(vec![3, 1]);
        let input = input(&full(CharKind::Cnn), &packing);
        let members: Vec<_> = [0, 1, 2]
            .map(|k| {
                let mut member = tagger(full(CharKind::Cnn));
                member.slices_mut().into_iter().flatten().for_each(|w| *w *= 1.0 + 0.1 * k as f64);
                member
            })
            .into();
        let each = members.iter().map(|m| m.forward(input.clone(), None).0);
        let mean = each.reduce(|a, b| a + b).unwrap() / 3.0;
        let transition =
            members.iter().map(|m| m.network.crf.as_ref().unwrap().transitions[[1, 3]]);
        let transition: f64 = transition.sum::<f64>() / 3.0;
        let names = members[0].tensors().len();
        let all = Tagger::of_members(members);
        approx::assert_abs_diff_eq!(all.scores(input), mean, epsilon = 1e-12);
        let crf = all.mean_crf().unwrap();
        assert!((crf.transitions[[1, 3]] - transition).abs() < 1e-12);
        assert_eq!(all.tensors().len(), 3 * names - 2); // one wide table
        assert_eq!(all.tensors()[names].0, "member.1.words.table");
        // One drawn as three has tensors of the same names.
        let drawn = Tagger::<f64>::new(all.spec.clone(), 1);
        assert!(drawn.tensors().iter().zip(all.tensors()).all(|(a, b)| a.0 == b.0));
    }

    #[test]
    fn a_spec_knows_how_many_weights_a_tagger_of_it_has() {
        for kind in [CharKind::Cnn, CharKind::Lstm] {
            for members in [1, 3] {
                let spec = Spec { members, ..full(kind) };
                let tagger = Tagger::<f32>::new(spec.clone(), 1);
                // Frozen vectors are no parameters, but numbers all the same.
                let frozen = tagger.vectors.as_ref().filter(|v| !v.is_tuned());
                let frozen = frozen.map_or(0, |v| v.table().len());
                assert_eq!(spec.n_weights(), (Params::count(&tagger) + frozen) as u64);
            }
        }
        let layer = |n_hidden| LayerSpec { n_hidden, ..plain(Head::Crf).encoder[0] };
        let endless = Spec { encoder: vec![layer(usize::MAX / 8)], ..plain(Head::Crf) };
        assert_eq!(endless.n_weights(), u64::MAX);
    }

    #[test]
    fn the_tutorials_network_takes_232_thousand_operations_a_token() {
        let layer = |kind| LayerSpec { kind, n_hidden: 64, dropout: 0.0, recurrent_dropout: 0.0 };
        let encoder = vec![layer(LayerKind::BiLstm), layer(LayerKind::Lstm)];
        let spec = Spec::plain(100, 64, encoder, 17, Head::Softmax);
        assert_eq!(spec.flop_per_token(), 131_072 + 98_304 + 2_176);
    }

    #[test]
    fn a_residual_stack_agrees_with_central_differences_and_differs_from_a_plain_one() {
        let mut spec = plain(Head::Softmax);
        spec.encoder.push(LayerSpec { kind: LayerKind::Lstm, ..spec.encoder[1] });
        let packing = Packing::new(vec![3, 1]);
        let scores = |spec: &Spec| tagger(spec.clone()).forward(input(spec, &packing), None).0;
        let residual = Spec { residual: true, ..spec.clone() };
        assert_ne!(scores(&spec), scores(&residual)); // widths 4, 3, 3: the last adds its input
        for lengths in LENGTHS {
            let sentences: Vec<u32> = (0..lengths.len() as u32).collect();
            let noise = Noise { seed: 4, epoch: 1, sentences: &sentences, locked: true };
            check(residual.clone(), Some(&noise), lengths, 1 + 6 + 3 + 3 + 2);
        }
    }

    #[test]
    fn of_equal_scores_the_first_wins_and_a_relu_makes_all_negative_ones_equal() {
        let scores = ndarray::array![[-3.0, -1.0, -1.0, -2.0], [0.0, 2.0, 2.0, 1.0]];
        let packing = Packing::new(vec![1, 1]);
        let decode = |head| tagger(plain(head)).decode(&scores, &packing, None);
        assert_eq!(decode(Head::Softmax), [1, 1]);
        assert_eq!(decode(Head::KerasRelu), [0, 1]);
    }

    #[test]
    fn decoding_keeps_to_the_rules_also_under_a_softmax() {
        let spec = Spec { rules: full(CharKind::Cnn).rules, ..plain(Head::Softmax) };
        let tagger = tagger(spec);
        // Tag 2 is best at both tokens, but may neither start nor follow 0.
        let scores = ndarray::array![[1.0, 0.0, 9.0, 0.5], [0.0, 0.1, 9.0, 0.0]];
        let packing = Packing::new(vec![2]);
        assert_eq!(tagger.decode(&scores, &packing, tagger.chain().as_ref()), [3, 2]);
    }
}
