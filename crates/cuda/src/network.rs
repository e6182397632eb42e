//! The whole network on a machine: weights and moments stay there, batches come and losses go.
//!
//! ```text
//! (1)  x   = Σ rows of the word         (2)  x += v W_vᵀ      pretrained vectors
//! (3)  x   = layer(x), each direction under its own dropout mask
//! (4)  s   = dense(x ⊙ m) + b           (5)  s += Σ rows of the features around the token
//! (6)  L   = head(s, tags)              (6')–(1') the same from the bottom up, then Adam
//! ```
//!
//! The same equations as `nn::tagger`, over the batch as a whole where the CPU has shards.

use std::ops::Range;

use crate::arguments::*;
use crate::batch::Touched;
use crate::layers::{Layout, Mask, Matrix};
use crate::memory::Span;
use crate::{
    Address, Batch, CudaError, Engine, Launch, LayerShape, LstmCache, LstmWeights, Machine,
};

/// What a network is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// Rows of each of the words' tables.
    pub tables: Vec<usize>,
    /// Columns of these tables, D.
    pub embedding: usize,
    /// Columns of pretrained vectors, P, if there are any.
    pub vectors: Option<usize>,
    /// Recurrent layers, from the words up.
    pub layers: Vec<Layer>,
    /// Dropout on the input of the dense layer.
    pub dense_dropout: Dropped,
    /// The wide part, if there is one.
    pub wide: Option<Wide>,
    /// Number of tags, K.
    pub n_tags: usize,
    /// What the scores mean.
    pub head: Head,
    /// Potentials of transitions (K, K), starts (K) and ends (K): 0, or −∞ for what the tag scheme
    /// forbids. None: each token is tagged by itself.
    pub forbidden: Option<Vec<f32>>,
}

/// A recurrent layer of a [`Description`]. Directions: from the first token, from the last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layer {
    /// Sizes.
    pub shape: LayerShape,
    /// Dropout on the input.
    pub input: [Dropped; 2],
    /// Dropout on h on its way to the next step.
    pub recurrent: [Dropped; 2],
}

/// Dropout, and the place in the network that its random numbers are named by.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Dropped {
    /// Chance.
    pub p: f64,
    /// Place.
    pub place: u16,
}

/// Sizes of the wide part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wide {
    /// Rows of its table.
    pub rows: usize,
    /// Features of a token, J.
    pub per_token: usize,
}

/// What becomes of the scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// Softmax and cross-entropy.
    Softmax,
    /// The tutorial's.
    KerasRelu,
    /// A linear-chain CRF.
    Crf,
}

/// What dropout draws by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noise {
    /// Seed of the run.
    pub seed: u64,
    /// The epoch.
    pub epoch: u32,
    /// The number of dropout among the purposes of random numbers.
    pub purpose: u32,
    /// One mask a sentence for all its tokens.
    pub locked: bool,
}

/// The numbers of one step of Adam, and what else a step needs to know.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)] // names as in tensor::AdamRates
pub struct Rates {
    pub beta1: f32,
    pub beta2: f32,
    pub fresh1: f32,
    pub fresh2: f32,
    pub step: f32,
    pub root_scale: f32,
    pub epsilon: f32,
    pub decay: f32,
    /// Longest gradient; 0: any.
    pub max_norm: f32,
    /// Whether rows of tables that the batch does not touch stay where they are.
    pub lazy_rows: bool,
    /// Share of the average of the weights that is kept, if this step is taken into it.
    pub average: Option<f32>,
}

/// What a batch came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Σ loss over the batch.
    pub loss: f64,
    /// Σ g² of the whole gradient.
    pub squared_norm: f64,
    /// Tokens whose own best tag is the right one.
    pub right: usize,
    /// Whether the weights moved: loss and gradient are finite.
    pub finite: bool,
}

/// Which of the numbers kept for each weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The weights.
    Weights,
    /// Adam's mean of the gradients.
    Mean,
    /// Adam's mean of their squares.
    Squares,
    /// The average of the weights.
    Average,
}

/// All weights, or their moments, or their average: the words' tables, the wide table, the rest in the order
/// of `nn::tagger::Network`'s tensors.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Weights<S> {
    pub words: S,
    pub wide: S,
    pub rest: Vec<S>,
}

/// Weights that belong together, with their moments and average.
struct Group {
    kept: [Span; 4],
    width: usize,
    /// The dense gradient, if the group has one.
    grads: Span,
}

/// Where the parts of `rest` lie.
struct Places {
    projection: Range<usize>,
    layers: Vec<Vec<[Range<usize>; 3]>>,
    dense: [Range<usize>; 2],
    crf: Range<usize>,
    len: usize,
}

/// A network on a machine.
pub struct Network {
    engine: Engine,
    description: Description,
    places: Places,
    groups: [Group; 3],
    forbidden: Span,
    status: Span,
    /// Two batches: one that is worked on, one that is on its way.
    staged: [(Span, Batch); 2],
}

const WORDS: usize = 0;
const WIDE: usize = 1;
const REST: usize = 2;

/// Blocks that sum the squares of a group.
const SQUARES: usize = 64;

/// Most tags that a block's shared memory has room for.
const MOST_TAGS: usize = 72;

type Done = Result<(), CudaError>;

impl Description {
    /// Rows of all the words' tables.
    pub fn table_rows(&self) -> usize {
        self.tables.iter().sum()
    }

    /// Rows of the tables one below the other, for rows of each.
    pub(crate) fn whole_rows(&self, ids: &[u32]) -> Vec<u32> {
        let tables = self.tables.iter().scan(0, |start, rows| {
            *start += rows;
            Some((*start - rows, *rows))
        });
        let tables: Vec<(usize, usize)> = tables.collect();
        let whole = ids.iter().zip(tables.iter().cycle()).map(|(&id, &(start, rows))| {
            assert!((id as usize) < rows, "row {id} of a table of {rows}");
            start as u32 + id
        });
        whole.collect()
    }

    fn n_out(&self) -> usize {
        self.layers.last().map_or(self.embedding, |l| l.shape.n_out())
    }

    fn places(&self) -> Places {
        let mut at = 0;
        let mut put = |len: usize| {
            at += len;
            at - len..at
        };
        let projection = put(self.vectors.map_or(0, |p| p * self.embedding));
        let layers = self.layers.iter().map(|l| {
            let LayerShape { n_in, n_hidden, both } = l.shape;
            let side =
                |_| [put(4 * n_hidden * n_in), put(4 * n_hidden * n_hidden), put(4 * n_hidden)];
            (0..1 + usize::from(both)).map(side).collect()
        });
        let layers = layers.collect();
        let dense = [put(self.n_tags * self.n_out()), put(self.n_tags)];
        let k = if self.head == Head::Crf { self.n_tags } else { 0 };
        let crf = put(k * k + 2 * k);
        Places { projection, layers, dense, crf, len: at }
    }
}

impl LayerShape {
    /// Columns of the output.
    pub fn n_out(&self) -> usize {
        self.n_hidden * (1 + usize::from(self.both))
    }
}

impl Network {
    /// Memory for a network, with an average of the weights if `average`. Weights and moments are to be
    /// written.
    ///
    /// # Errors
    /// If a part has no kernel, or memory is short.
    pub fn new(
        machine: Box<dyn Machine>,
        description: Description,
        average: bool,
    ) -> Result<Self, CudaError> {
        let d = &description;
        if d.n_tags > MOST_TAGS {
            return Err(CudaError::NoKernel(format!("{} tags; most: {MOST_TAGS}", d.n_tags)));
        }
        let places = d.places();
        let mut engine = Engine::new(machine);
        let sizes = [
            (d.table_rows() * d.embedding, d.embedding),
            (d.wide.map_or(0, |w| w.rows * d.n_tags), d.n_tags),
            (places.len, 1),
        ];
        let mut groups = Vec::new();
        for (len, width) in sizes {
            let mut kept = [Span::NONE; 4];
            for span in &mut kept[..3 + usize::from(average)] {
                *span = Span::new(&mut *engine.machine, len)?;
            }
            groups.push(Group { kept, width, grads: Span::NONE });
        }
        groups[REST].grads = Span::new(&mut *engine.machine, places.len)?;
        let mut forbidden = Span::NONE;
        let free = || vec![0.0; d.n_tags * (d.n_tags + 2)];
        if let Some(potentials) = d.forbidden.clone().or((d.head == Head::Crf).then(free)) {
            forbidden = Span::new(&mut *engine.machine, potentials.len())?;
            engine.machine.write(forbidden.at, &bytes_of(&potentials))?;
        }
        let status = Span::new(&mut *engine.machine, 8)?;
        let groups = groups.try_into().unwrap_or_else(|_| unreachable!("three groups"));
        Ok(Self {
            engine,
            description,
            places,
            groups,
            forbidden,
            status,
            staged: Default::default(),
        })
    }

    /// What it is made of.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// What it runs on.
    pub fn machine(&self) -> &dyn Machine {
        &*self.engine.machine
    }

    /// Copies weights, moments or the average to the machine.
    ///
    /// # Panics
    /// If there are more or fewer numbers than the description says.
    pub fn write(&mut self, which: Which, from: &Weights<&[f32]>) -> Done {
        let rest = from.rest.concat();
        for (group, from) in self.groups.iter().zip([from.words, from.wide, &rest]) {
            let span = group.kept[which as usize];
            assert_eq!(span.len, from.len(), "{which:?} of a group");
            self.engine.machine.write(span.at, &bytes_of(from))?;
        }
        Ok(())
    }

    /// Copies them back.
    pub fn read(&mut self, which: Which, to: Weights<&mut [f32]>) -> Done {
        let mut all = Vec::new();
        for group in &self.groups {
            let span = group.kept[which as usize];
            let mut bytes = vec![0; 4 * span.len];
            self.engine.machine.read(span.at, &mut bytes)?;
            all.push(numbers_of(&bytes));
        }
        to.words.copy_from_slice(&all[WORDS]);
        to.wide.copy_from_slice(&all[WIDE]);
        let mut rest = &all[REST][..];
        for to in to.rest {
            let (here, after) = rest.split_at(to.len());
            to.copy_from_slice(here);
            rest = after;
        }
        assert!(rest.is_empty(), "{} numbers too many", rest.len());
        Ok(())
    }

    /// Sends a batch to `slot` 0 or 1 while the other one is worked on.
    pub fn stage(&mut self, slot: usize, batch: Batch) -> Done {
        let (span, old) = &mut self.staged[slot];
        if span.len < batch.numbers.len() {
            if span.len > 0 {
                self.engine.machine.free(span.at);
            }
            let len = match self.engine.machine.chunk() {
                0 => batch.numbers.len(),
                _ => batch.numbers.len().next_power_of_two(),
            };
            *span = Span::new(&mut *self.engine.machine, len)?;
        }
        *old = batch;
        let bytes: Vec<u8> = old.numbers.iter().flat_map(|n| n.to_ne_bytes()).collect();
        self.engine.machine.stage(slot, span.at, &bytes)
    }

    /// Forward, backward and Adam for the batch in `slot`. Returns before it is done: see
    /// [`Network::outcome`]. A batch whose loss or gradient is not finite moves nothing.
    pub fn step(&mut self, slot: usize, noise: Noise, rates: &Rates) -> Done {
        self.engine.machine.staged()?;
        self.engine.reset();
        let (place, batch) = std::mem::take(&mut self.staged[slot]);
        let done = self.step_of(&At { place, batch: &batch }, noise, rates);
        self.staged[slot] = (place, batch);
        done
    }

    /// Waits for the last step.
    pub fn outcome(&mut self) -> Result<Outcome, CudaError> {
        let mut bytes = [0; 32];
        self.engine.machine.read(self.status.at, &mut bytes)?;
        let double = |at: usize| f64::from_ne_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
        let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
        let (loss, squared_norm) = (double(0), double(8));
        Ok(Outcome { loss, squared_norm, finite: word(20) == 1, right: word(24) as usize })
    }

    /// The best tags of a batch (N), laid out as its tokens are.
    pub fn tag(&mut self, batch: Batch) -> Result<Vec<u32>, CudaError> {
        self.stage(0, batch)?;
        self.engine.machine.staged()?;
        self.engine.reset();
        let (place, batch) = std::mem::take(&mut self.staged[0]);
        let at = At { place, batch: &batch };
        let (scores, _) = self.forward(&at, None)?;
        let tags = match self.forbidden {
            Span::NONE => self.best_tags(scores)?,
            _ => self.viterbi(&at, scores)?,
        };
        let mut bytes = vec![0; 4 * tags.len];
        self.engine.machine.read(tags.at, &mut bytes)?;
        self.staged[0] = (place, batch);
        Ok(numbers_of(&bytes).into_iter().map(f32::to_bits).collect())
    }

    fn rest(&self, which: Which, place: &Range<usize>) -> Span {
        self.groups[REST].kept[which as usize].part(place.start, place.len())
    }

    fn grads(&self, place: &Range<usize>) -> Span {
        self.groups[REST].grads.part(place.start, place.len())
    }

    fn lstm_weights(&self, l: usize, span: impl Fn(&Range<usize>) -> Span) -> Vec<LstmWeights> {
        let side = |[w_ih, w_hh, b]: &[Range<usize>; 3]| LstmWeights {
            w_ih: span(w_ih),
            w_hh: span(w_hh),
            b: span(b),
        };
        self.places.layers[l].iter().map(side).collect()
    }

    fn forward(&mut self, at: &At<'_>, noise: Option<Noise>) -> Result<(Span, Cache), CudaError> {
        let d = self.description.clone();
        let (n, layout) = (at.batch.tokens(), at.layout());
        let mut x = self.engine.take(n * d.embedding)?;
        self.embedding(WORDS, at.words(), Span::NONE, x, false)?; // (1)
        if let Some(p) = d.vectors {
            let v = Matrix::new(at.span(&at.batch.vectors), n, p);
            let w = Matrix::new(self.rest(Which::Weights, &self.places.projection), d.embedding, p);
            self.engine.product(v, w.t(), Span::NONE, x, true)?; // (2)
        }
        let mut layers = Vec::new();
        for (l, layer) in d.layers.iter().enumerate() {
            let sides = self.places.layers[l].len();
            let (mut inputs, mut masks) = (Vec::new(), Vec::new());
            for side in 0..sides {
                let dropped = at.mask(layer.input[side], noise);
                inputs.push(self.dropped(x, layer.shape.n_in, dropped)?);
                masks.push(match at.recurrent_mask(layer.recurrent[side], noise) {
                    None => Span::NONE,
                    Some(mask) => {
                        let m = self.engine.take(layout.sentences * layer.shape.n_hidden)?;
                        self.engine.dropout(Span::NONE, m, layer.shape.n_hidden, mask, false)?;
                        m
                    }
                });
            }
            let weights = self.lstm_weights(l, |place| self.rest(Which::Weights, place));
            let (y, cache) = self.engine.lstm(layer.shape, &weights, inputs, &masks, layout)?; // (3)
            layers.push(cache);
            x = y;
        }
        let x = self.dropped(x, d.n_out(), at.mask(d.dense_dropout, noise))?;
        let scores = self.engine.take(n * d.n_tags)?;
        let [w, b] = self.places.dense.clone().map(|place| self.rest(Which::Weights, &place));
        let w = Matrix::new(w, d.n_tags, d.n_out());
        self.engine.product(Matrix::new(x, n, d.n_out()), w.t(), b, scores, false)?; // (4)
        if d.wide.is_some() {
            let kept = at.batch.kept.as_ref().map_or(Span::NONE, |kept| at.span(kept));
            self.embedding(WIDE, at.span(&at.batch.wide), kept, scores, true)?; // (5)
        }
        Ok((scores, Cache { layers, x }))
    }

    /// x ⊙ m, or x itself without a mask.
    fn dropped(&mut self, x: Span, width: usize, mask: Option<Mask>) -> Result<Span, CudaError> {
        let Some(mask) = mask else { return Ok(x) };
        let y = self.engine.take(x.len)?;
        self.engine.dropout(x, y, width, mask, false)?;
        Ok(y)
    }

    fn embedding(&mut self, table: usize, ids: Span, kept: Span, x: Span, add: bool) -> Done {
        let Group { kept: [table, ..], width, .. } = self.groups[table];
        let tokens = x.len / width;
        assert!(kept.at == 0 || kept.len == tokens, "kept says of each token whether it is");
        let args = Embedding {
            table: table.at,
            ids: ids.at,
            kept: kept.at,
            x: x.at,
            tokens: tokens as u32,
            per_token: (ids.len / tokens) as u32,
            width: width as u32,
            add: u32::from(add),
        };
        self.engine.each("embedding", x.len, args)
    }

    fn step_of(&mut self, at: &At<'_>, noise: Noise, rates: &Rates) -> Done {
        let d = self.description.clone();
        let (n, layout) = (at.batch.tokens(), at.layout());
        let (scores, Cache { layers, x }) = self.forward(at, Some(noise))?;
        let best = self.best_tags(scores)?;
        let (losses, ds) = self.loss(at, scores)?; // (6), (6')
        let wide = match d.wide {
            None => None,
            Some(_) => {
                Some(self.row_sums(at, WIDE, ds, &at.batch.touched_wide, rates.lazy_rows)?)
            } // (5')
        };
        let ds = Matrix::new(ds, n, d.n_tags);
        let [dw, db] = self.places.dense.clone().map(|place| self.grads(&place));
        self.engine.weight_gradient(ds, Matrix::new(x, n, d.n_out()), dw)?; // (4')
        self.engine.bias_gradient(ds, db)?;
        let mut dx = self.engine.take(n * d.n_out())?;
        let w = self.rest(Which::Weights, &self.places.dense[0]);
        self.engine.product(ds, Matrix::new(w, d.n_tags, d.n_out()), Span::NONE, dx, false)?;
        if let Some(mask) = at.mask(d.dense_dropout, Some(noise)) {
            self.engine.dropout(dx, dx, d.n_out(), mask, false)?;
        }
        for (l, (layer, cache)) in d.layers.iter().zip(layers).enumerate().rev() {
            let weights = self.lstm_weights(l, |place| self.rest(Which::Weights, place));
            let grads = self.lstm_weights(l, |place| self.grads(place));
            let sides =
                self.engine.lstm_backward(layer.shape, &weights, &grads, cache, dx, layout)?; // (3')
            dx = self.engine.take(n * layer.shape.n_in)?;
            for (side, &dx_side) in sides.iter().enumerate() {
                let whole = Mask { p: 0.0, ..at.named(Dropped::default(), noise) };
                let mask = at.mask(layer.input[side], Some(noise)).unwrap_or(whole);
                self.engine.dropout(dx_side, dx, layer.shape.n_in, mask, side > 0)?;
            }
        }
        if let Some(p) = d.vectors {
            let v = Matrix::new(at.span(&at.batch.vectors), n, p);
            let dw = self.grads(&self.places.projection);
            self.engine.weight_gradient(Matrix::new(dx, n, d.embedding), v, dw)?; // (2')
        }
        let words = self.row_sums(at, WORDS, dx, &at.batch.touched_words, rates.lazy_rows)?; // (1')
        let rest = Moved { grads: self.groups[REST].grads, ids: Span::NONE };
        let moved = [Some(words), wide, Some(rest)];
        self.finish(at, losses, best, &moved, rates)
    }

    /// Per token or sentence losses (in f64), and ds (N, K) in the place of the scores or beside them.
    fn loss(&mut self, at: &At<'_>, scores: Span) -> Result<(Span, Span), CudaError> {
        let (n, k) = (at.batch.tokens(), self.description.n_tags);
        let weight = 1.0 / n as f32;
        let tags = at.span(&at.batch.tags);
        assert_eq!(tags.len, n, "one tag a token");
        let kernel = match self.description.head {
            Head::Crf => return self.crf_loss(at, scores, weight),
            Head::Softmax => "softmax",
            Head::KerasRelu => "keras_relu",
        };
        let losses = self.engine.take(2 * n)?;
        let args = Loss {
            scores: scores.at,
            tags: tags.at,
            losses: losses.at,
            rows: n as u32,
            n_tags: k as u32,
            weight,
        };
        self.engine.each(kernel, n, args)?;
        Ok((losses, scores))
    }

    fn crf_loss(
        &mut self,
        at: &At<'_>,
        scores: Span,
        weight: f32,
    ) -> Result<(Span, Span), CudaError> {
        let (n, b, k) = (at.batch.tokens(), at.batch.sentences(), self.description.n_tags);
        let weights = self.rest(Which::Weights, &self.places.crf);
        let take = |len| self.engine.take(len);
        let [alpha, log_sums, ds, parts, losses] =
            [n * k, n, n * k, b * weights.len, 2 * b].map(take);
        let (alpha, log_sums, ds, parts, losses) = (alpha?, log_sums?, ds?, parts?, losses?);
        let args = CrfLoss {
            weights: weights.at,
            forbidden: self.forbidden.at,
            scores: scores.at,
            tags: at.span(&at.batch.tags).at,
            starts: at.span(&at.batch.starts).at,
            lengths: at.span(&at.batch.lengths).at,
            alpha: alpha.at,
            log_sums: log_sums.at,
            ds: ds.at,
            parts: parts.at,
            losses: losses.at,
            n_tags: k as u32,
            weight,
        };
        let shared = 4 * (2 * k * k + 5 * k);
        let launch = Launch { grid: [b as u32, 1, 1], block: threads_of(k), shared };
        self.engine.launch("crf_loss", launch, args)?;
        self.engine.sum_parts(parts, b, self.grads(&self.places.crf))?;
        Ok((losses, ds))
    }

    fn best_tags(&mut self, scores: Span) -> Result<Span, CudaError> {
        let k = self.description.n_tags;
        let rows = scores.len / k;
        let tags = self.engine.take(rows)?;
        let floor = match self.description.head {
            Head::KerasRelu => 0.0, // behind a ReLU all scores below 0 are equal
            _ => f32::NEG_INFINITY,
        };
        let (scores, tags_at) = (scores.at, tags.at);
        let args = Best { scores, tags: tags_at, rows: rows as u32, n_tags: k as u32, floor };
        self.engine.each("best_tags", rows, args)?;
        Ok(tags)
    }

    fn viterbi(&mut self, at: &At<'_>, scores: Span) -> Result<Span, CudaError> {
        let (n, k) = (at.batch.tokens(), self.description.n_tags);
        let (tags, from) = (self.engine.take(n)?, self.engine.take(n * k)?);
        let weights = match self.description.head {
            Head::Crf => self.rest(Which::Weights, &self.places.crf).at,
            _ => 0,
        };
        let args = Viterbi {
            weights,
            forbidden: self.forbidden.at,
            scores: scores.at,
            starts: at.span(&at.batch.starts).at,
            lengths: at.span(&at.batch.lengths).at,
            from: from.at,
            tags: tags.at,
            n_tags: k as u32,
        };
        let shared = 8 * 2 * k + 4 * (k * k + 2 * k);
        let grid = [at.batch.sentences() as u32, 1, 1];
        self.engine.launch("viterbi", Launch { grid, block: threads_of(k), shared }, args)?;
        Ok(tags)
    }

    /// The gradient of a table: of its touched rows if only these move, else of all.
    fn row_sums(
        &mut self,
        at: &At<'_>,
        table: usize,
        dx: Span,
        touched: &Touched,
        lazy: bool,
    ) -> Result<Moved, CudaError> {
        let Group { kept: [weights, ..], width, grads } = self.groups[table];
        let rows = touched.ids.len();
        let ids = at.span(&touched.ids);
        let sums = match (lazy, grads) {
            (true, _) => self.engine.take(rows * width)?,
            (false, Span::NONE) => Span::new(&mut *self.engine.machine, weights.len)?,
            (false, grads) => grads,
        };
        if !lazy {
            self.groups[table].grads = sums;
            self.engine.machine.clear(sums.at, 4 * sums.len)?;
        }
        let args = RowSums {
            dx: dx.at,
            starts: at.span(&touched.starts).at,
            sources: at.span(&touched.sources).at,
            ids: if lazy { 0 } else { ids.at },
            sums: sums.at,
            touched: rows as u32,
            width: width as u32,
        };
        self.engine.each("row_sums", rows * width, args)?;
        Ok(Moved { grads: sums, ids: if lazy { ids } else { Span::NONE } })
    }

    /// Norm, loss, clipping, Adam, the average.
    fn finish(
        &mut self,
        at: &At<'_>,
        losses: Span,
        best: Span,
        moved: &[Option<Moved>; 3],
        rates: &Rates,
    ) -> Done {
        let squares = self.engine.take(2 * SQUARES * 3)?;
        let mut used = 0;
        for moved in moved.iter().flatten() {
            let sums = squares.part(2 * used, 2 * SQUARES).at;
            let args = Squares { x: moved.grads.at, sums, n: moved.grads.len as u64 };
            let grid = [SQUARES as u32, 1, 1];
            self.engine.launch("squares", Launch { grid, block: 256, shared: 8 * 256 }, args)?;
            used += SQUARES;
        }
        let status = self.status.at;
        let args = crate::arguments::Outcome {
            losses: losses.at,
            squares: squares.at,
            best: best.at,
            tags: at.span(&at.batch.tags).at,
            status,
            n_losses: (losses.len / 2) as u32,
            n_squares: used as u32,
            tokens: at.batch.tokens() as u32,
            max_norm: rates.max_norm,
        };
        self.engine.launch(
            "outcome",
            Launch { grid: [1; 3], block: 256, shared: 8 * 256 },
            args,
        )?;
        for (g, moved) in moved.iter().enumerate() {
            let Group { kept: [w, m, v, average], width, .. } = self.groups[g];
            let Some(Moved { grads, ids }) = *moved else { continue };
            let Rates { beta1, beta2, fresh1, fresh2, step, root_scale, epsilon, decay, .. } =
                *rates;
            let args = Adam {
                w: w.at,
                m: m.at,
                v: v.at,
                g: grads.at,
                ids: ids.at,
                status,
                n: grads.len as u64,
                width: width as u32,
                beta1,
                beta2,
                fresh1,
                fresh2,
                step,
                root_scale,
                epsilon,
                decay,
            };
            self.engine.each("adam", grads.len, args)?;
            if let Some(kept) = rates.average {
                let args = Average { average: average.at, w: w.at, status, n: w.len as u64, kept };
                self.engine.each("average", average.len, args)?;
            }
        }
        Ok(())
    }
}

/// What the way back needs of the way there.
struct Cache {
    layers: Vec<LstmCache>,
    /// The input of the dense layer.
    x: Span,
}

/// A gradient, and the rows that it belongs to if these are not all.
#[derive(Clone, Copy)]
struct Moved {
    grads: Span,
    ids: Span,
}

/// A batch and where it is.
struct At<'a> {
    place: Span,
    batch: &'a Batch,
}

impl At<'_> {
    fn span(&self, range: &Range<usize>) -> Span {
        self.place.part(range.start, range.len())
    }

    fn words(&self) -> Span {
        self.span(&self.batch.words)
    }

    fn layout(&self) -> Layout {
        Layout {
            starts: self.span(&self.batch.starts).at,
            sentences: self.batch.sentences(),
            steps: self.batch.steps(),
            tokens: self.batch.tokens(),
        }
    }

    fn named(&self, dropped: Dropped, noise: Noise) -> Mask {
        let step: Address = if noise.locked { 0 } else { self.span(&self.batch.step).at };
        Mask {
            p: dropped.p,
            seed: noise.seed,
            epoch: noise.epoch,
            name: noise.purpose | u32::from(dropped.place) << 16,
            numbers: self.span(&self.batch.sentence_numbers),
            sentence: self.span(&self.batch.sentence).at,
            step,
        }
    }

    fn mask(&self, dropped: Dropped, noise: Option<Noise>) -> Option<Mask> {
        noise.filter(|_| dropped.p > 0.0).map(|noise| self.named(dropped, noise))
    }

    /// As [`At::mask`], always one a sentence, a row a sentence.
    fn recurrent_mask(&self, dropped: Dropped, noise: Option<Noise>) -> Option<Mask> {
        self.mask(dropped, noise).map(|mask| Mask { sentence: 0, step: 0, ..mask })
    }
}

/// Threads for a tag each: whole warps.
fn threads_of(n_tags: usize) -> u32 {
    n_tags.next_multiple_of(32) as u32
}

fn bytes_of(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_ne_bytes()).collect()
}

fn numbers_of(bytes: &[u8]) -> Vec<f32> {
    let number = |b: &[u8]| f32::from_ne_bytes(b.try_into().expect("4 bytes"));
    bytes.chunks_exact(4).map(number).collect()
}
