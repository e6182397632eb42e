//! The whole network: ids → scores of tags → loss, and back.
//!
//! ```text
//! (1)  x   = embedding(ids)                       (N, D)
//! (2)  x   = layer(x)      for each layer of the encoder, with its dropout masks
//! (3)  x̂   = x ⊙ m         the dense layer's own mask
//! (4)  s   = dense(x̂)                            (N, K)
//! (5)  L   = head(s, tags)
//!
//! (5')–(1') the same from the bottom up
//! ```
//!
//! The tutorial's network is an embedding of 64, a bidirectional LSTM of 64, an LSTM of 64, dense. What
//! it is made of is a [`Spec`], so that other stacks are a matter of configuration.

use ndarray::{Array2, ArrayView1, ArrayViewD, ArrayViewMutD};
use tensor::random::{Purpose, Stream};
use tensor::{Real, init};

use crate::bilstm::{self, BiLstm};
use crate::dense::{self, Dense};
use crate::dropout::{self, Noise};
use crate::embedding::{Embedding, RowGrads};
use crate::lstm::{self, Lstm, Masks};
use crate::packing::{Direction, Packing};
use crate::params::{Params, within};
use crate::{keras_relu, softmax};

/// What a tagger is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Rows of the word table, V.
    pub words: usize,
    /// Columns of the word table, D.
    pub embedding: usize,
    /// Recurrent layers, from the words up.
    pub encoder: Vec<LayerSpec>,
    /// Dropout on the input of the dense layer, one mask a sentence.
    pub dense_dropout: f64,
    /// Number of tags, K.
    pub tags: usize,
    /// What the scores mean.
    pub head: Head,
}

/// One recurrent layer of a [`Spec`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerSpec {
    /// One direction or two.
    pub kind: LayerKind,
    /// Width of the state of each direction, H.
    pub n_hidden: usize,
    /// Dropout on the input, one mask a sentence.
    pub dropout: f64,
    /// Dropout on h on its way into the next step, one mask a sentence.
    pub recurrent_dropout: f64,
}

/// Which recurrent layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerKind {
    /// From left to right.
    Lstm,
    /// Both ways, side by side.
    BiLstm,
}

/// What becomes of the scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// Softmax and cross-entropy: see [`softmax`].
    Softmax,
    /// The tutorial's: see [`keras_relu`].
    KerasRelu,
}

impl LayerSpec {
    /// Width of the output: H, or 2H for both directions.
    pub fn n_out(&self) -> usize {
        match self.kind {
            LayerKind::Lstm => self.n_hidden,
            LayerKind::BiLstm => 2 * self.n_hidden,
        }
    }
}

impl Spec {
    /// Width of what the dense layer reads.
    pub fn n_features(&self) -> usize {
        self.encoder.last().map_or(self.embedding, LayerSpec::n_out)
    }
}

/// A recurrent layer of the encoder.
#[derive(Clone, Debug)]
pub enum Layer<F> {
    /// See [`Lstm`].
    Lstm(Lstm<F>),
    /// See [`BiLstm`].
    BiLstm(BiLstm<F>),
}

enum LayerCache<F> {
    Lstm(lstm::Cache<F>),
    BiLstm(Box<bilstm::Cache<F>>),
}

/// Everything but the word table: the weights that every batch changes.
#[derive(Clone, Debug)]
pub struct Network<F> {
    /// Recurrent layers, from the words up.
    pub encoder: Vec<Layer<F>>,
    /// Features to scores.
    pub dense: Dense<F>,
}

/// Weights of the whole tagger.
#[derive(Clone, Debug)]
pub struct Tagger<F> {
    /// What it is made of.
    pub spec: Spec,
    /// (V, D)
    pub words: Embedding<F>,
    /// The rest.
    pub network: Network<F>,
}

/// What `backward` needs of `forward`.
pub struct Cache<F> {
    ids: Vec<u32>,
    packing: Packing,
    layers: Vec<LayerCache<F>>,
    dense_mask: Option<Array2<F>>,
    dense: dense::Cache<F>,
}

impl<F: Real> Tagger<F> {
    /// Initial weights: table uniform in ±0.05 as Keras's `Embedding`, the rest as their layers say.
    /// All follow from `seed`.
    pub fn new(spec: Spec, seed: u64) -> Self {
        let mut stream = Stream::numbered(seed, Purpose::Weights, 0, 0, 0);
        let table = init::uniform(spec.words, spec.embedding, 0.05, &mut stream);
        let mut n_in = spec.embedding;
        let mut encoder = Vec::new();
        for (l, layer) in spec.encoder.iter().enumerate() {
            let index = 1 + 2 * l as u16; // a layer takes two numbers, one a direction
            encoder.push(match layer.kind {
                LayerKind::Lstm => Layer::Lstm(Lstm::new(n_in, layer.n_hidden, seed, index)),
                LayerKind::BiLstm => Layer::BiLstm(BiLstm::new(n_in, layer.n_hidden, seed, index)),
            });
            n_in = layer.n_out();
        }
        let dense = Dense::new(n_in, spec.tags, seed, u16::MAX);
        Self { spec, words: Embedding { table }, network: Network { encoder, dense } }
    }

    /// `ids` (N), laid out by `packing` → scores (N, K). With `noise`, dropout is on.
    pub fn forward(
        &self,
        ids: Vec<u32>,
        packing: &Packing,
        noise: Option<&Noise<'_>>,
    ) -> (Array2<F>, Cache<F>) {
        let mut x = self.words.forward(&ids); // (1)
        let mut layers = Vec::new();
        for (l, layer) in self.network.encoder.iter().enumerate() {
            let masks = self.masks(l, x.ncols(), noise);
            let (y, cache) = layer.forward(x, packing, masks); // (2)
            layers.push(cache);
            x = y;
        }
        let place = Place::Dense.number();
        let dense_mask = noise.and_then(|n| n.mask(place, x.ncols(), self.spec.dense_dropout));
        if let Some(m) = &dense_mask {
            dropout::apply(&mut x, m, packing); // (3)
        }
        let (scores, dense) = self.network.dense.forward(x); // (4)
        (scores, Cache { ids, packing: packing.clone(), layers, dense_mask, dense })
    }

    /// `ds` (N, K), the gradient of the scores → the gradient of the word table. Adds to `grads`.
    pub fn backward(&self, cache: Cache<F>, ds: &Array2<F>, grads: &mut Network<F>) -> RowGrads<F> {
        let Cache { ids, packing, layers, dense_mask, dense } = cache;
        let mut dx = self.network.dense.backward(dense, ds, &mut grads.dense); // (4')
        if let Some(m) = &dense_mask {
            dropout::apply(&mut dx, m, &packing); // (3')
        }
        let pairs = self.network.encoder.iter().zip(layers).zip(&mut grads.encoder);
        for ((layer, cache), grads) in pairs.rev() {
            dx = layer.backward(cache, dx, grads); // (2')
        }
        self.words.backward(&ids, dx) // (1')
    }

    /// (5) and (5'): scores (N, K) and the right tags → Σ_N loss, not weighted, and ds, weighted.
    pub fn loss(&self, scores: Array2<F>, tags: &[u32], weight: F) -> (f64, Array2<F>) {
        match self.spec.head {
            Head::Softmax => softmax::cross_entropy(scores, tags, weight),
            Head::KerasRelu => keras_relu::cross_entropy(scores, tags, weight),
        }
    }

    /// The best tag of each row of `scores`; of equal ones, the first.
    pub fn decode(&self, scores: &Array2<F>) -> Vec<u32> {
        // Behind a ReLU all scores below 0 are equal.
        let floor = match self.spec.head {
            Head::Softmax => F::neg_infinity(),
            Head::KerasRelu => F::zero(),
        };
        scores.rows().into_iter().map(|s| first_largest(s, floor)).collect()
    }

    fn masks(&self, l: usize, n_in: usize, noise: Option<&Noise<'_>>) -> [Masks<F>; 2] {
        let Some(noise) = noise else { return Default::default() };
        let layer = &self.spec.encoder[l];
        [Direction::Forward, Direction::Backward].map(|direction| {
            if layer.kind == LayerKind::Lstm && direction == Direction::Backward {
                return Masks::default();
            }
            let place = |on| Place::Layer { l, direction, on }.number();
            Masks {
                input: noise.mask(place(On::Input), n_in, layer.dropout),
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

/// Where in the network a dropout mask is used: part of the name of its random numbers.
enum Place {
    Layer { l: usize, direction: Direction, on: On },
    Dense,
}

enum On {
    Input,
    Recurrent,
}

impl Place {
    fn number(&self) -> u16 {
        match self {
            Place::Layer { l, direction, on } => {
                let direction = u16::from(*direction == Direction::Backward);
                let on = u16::from(matches!(on, On::Recurrent));
                4 * *l as u16 + 2 * direction + on
            }
            Place::Dense => u16::MAX,
        }
    }
}

impl<F: Real> Layer<F> {
    fn forward(
        &self,
        x: Array2<F>,
        packing: &Packing,
        masks: [Masks<F>; 2],
    ) -> (Array2<F>, LayerCache<F>) {
        match self {
            Layer::Lstm(layer) => {
                let [masks, _] = masks;
                let (y, cache) = layer.forward(x, packing, Direction::Forward, masks);
                (y, LayerCache::Lstm(cache))
            }
            Layer::BiLstm(layer) => {
                let (y, cache) = layer.forward(x, packing, masks);
                (y, LayerCache::BiLstm(Box::new(cache)))
            }
        }
    }

    fn backward(&self, cache: LayerCache<F>, dy: Array2<F>, grads: &mut Self) -> Array2<F> {
        match (self, cache, grads) {
            (Layer::Lstm(layer), LayerCache::Lstm(cache), Layer::Lstm(grads)) => {
                layer.backward(cache, dy.view(), grads)
            }
            (Layer::BiLstm(layer), LayerCache::BiLstm(cache), Layer::BiLstm(grads)) => {
                layer.backward(*cache, &dy, grads)
            }
            _ => unreachable!("a layer, its cache and its gradient are of one kind"),
        }
    }
}

impl<F: Real> Params<F> for Layer<F> {
    fn tensors(&self) -> Vec<(String, ArrayViewD<'_, F>)> {
        match self {
            Layer::Lstm(layer) => layer.tensors(),
            Layer::BiLstm(layer) => layer.tensors(),
        }
    }

    fn tensors_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, F>)> {
        match self {
            Layer::Lstm(layer) => layer.tensors_mut(),
            Layer::BiLstm(layer) => layer.tensors_mut(),
        }
    }
}

impl<F: Real> Params<F> for Network<F> {
    fn tensors(&self) -> Vec<(String, ArrayViewD<'_, F>)> {
        let layers = self.encoder.iter().enumerate();
        let encoder =
            layers.flat_map(|(l, layer)| within(&format!("encoder.{l}"), layer.tensors()));
        encoder.chain(within("dense", self.dense.tensors())).collect()
    }

    fn tensors_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, F>)> {
        let layers = self.encoder.iter_mut().enumerate();
        let encoder =
            layers.flat_map(|(l, layer)| within(&format!("encoder.{l}"), layer.tensors_mut()));
        encoder.chain(within("dense", self.dense.tensors_mut())).collect()
    }
}

impl<F: Real> Params<F> for Tagger<F> {
    fn tensors(&self) -> Vec<(String, ArrayViewD<'_, F>)> {
        let words = within("words", self.words.tensors());
        [words, self.network.tensors()].into_iter().flatten().collect()
    }

    fn tensors_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, F>)> {
        let words = within("words", self.words.tensors_mut());
        [words, self.network.tensors_mut()].into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck::{assert_gradients, gradcheck};
    use crate::testing::{LENGTHS, normal};

    fn spec(head: Head) -> Spec {
        let layer = |kind, n_hidden, dropout, recurrent_dropout| LayerSpec {
            kind,
            n_hidden,
            dropout,
            recurrent_dropout,
        };
        Spec {
            words: 7,
            embedding: 3,
            encoder: vec![
                layer(LayerKind::BiLstm, 2, 0.2, 0.3),
                layer(LayerKind::Lstm, 3, 0.5, 0.5),
            ],
            dense_dropout: 0.4,
            tags: 4,
            head,
        }
    }

    /// Initial weights are small; these make every part of the network count.
    fn tagger(head: Head) -> Tagger<f64> {
        let mut tagger = Tagger::new(spec(head), 3);
        for (k, s) in tagger.slices_mut().into_iter().enumerate() {
            let draw = normal(k as u32, 1, s.len());
            s.iter_mut().zip(&draw).for_each(|(w, d)| *w += d);
        }
        tagger
    }

    fn check(head: Head, noise: Option<&Noise<'_>>, lengths: &[usize]) {
        let mut tagger = tagger(head);
        if head == Head::KerasRelu {
            tagger.network.dense.b.fill(2.0); // keep the scores off the kink at 0
        }
        let packing = Packing::new(lengths.to_vec());
        let n = packing.rows();
        let ids: Vec<u32> = (0..n as u32).map(|i| (i * 5 + 1) % 7).collect();
        let tags: Vec<u32> = (0..n as u32).map(|i| (i * 3) % 4).collect();
        let weight = 1.0 / n as f64;
        let forward = |t: &Tagger<f64>| t.forward(ids.clone(), &packing, noise);

        let mut grads = tagger.zeros_like();
        let (scores, cache) = forward(&tagger);
        let (_, ds) = tagger.loss(scores, &tags, weight);
        let rows = tagger.backward(cache, &ds, &mut grads.network);
        rows.add_to(&mut grads.words.table);
        let checks = gradcheck(&tagger, &grads, |t| weight * t.loss(forward(t).0, &tags, weight).0);
        assert_eq!(checks.len(), 1 + 6 + 3 + 2);
        assert_gradients(&checks, 1e-7);
    }

    #[test]
    fn the_whole_network_agrees_with_central_differences() {
        for lengths in LENGTHS {
            check(Head::Softmax, None, lengths);
            check(Head::KerasRelu, None, lengths);
        }
    }

    #[test]
    fn the_whole_network_agrees_with_central_differences_under_dropout() {
        for lengths in LENGTHS {
            let sentences: Vec<u32> = (0..lengths.len() as u32).collect();
            let noise = Noise { seed: 4, epoch: 1, sentences: &sentences };
            check(Head::Softmax, Some(&noise), lengths);
        }
    }

    #[test]
    fn of_equal_scores_the_first_wins_and_a_relu_makes_all_negative_ones_equal() {
        let scores = ndarray::array![[-3.0, -1.0, -1.0, -2.0], [0.0, 2.0, 2.0, 1.0]];
        assert_eq!(tagger(Head::Softmax).decode(&scores), [1, 1]);
        assert_eq!(tagger(Head::KerasRelu).decode(&scores), [0, 1]);
    }
}
