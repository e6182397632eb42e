//! What a network is made of, and the numbers of a step.

use std::ops::Range;

use crate::LayerShape;

/// What a network is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// Rows of each of the words' tables.
    pub tables: Vec<usize>,
    /// Columns of these tables, D.
    pub embedding: usize,
    /// Pretrained vectors, if there are any.
    pub vectors: Option<Vectors>,
    /// What reads the letters of a word, if they are read.
    pub chars: Option<Chars>,
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
    /// (K) what the loss of a softmax weighs each tag with; none: all alike.
    pub tag_weights: Option<Vec<f32>>,
    /// Potentials of transitions (K, K), starts (K) and ends (K): 0, or −∞ for what the tag scheme
    /// forbids. None: each token is tagged by itself.
    pub forbidden: Option<Vec<f32>>,
}

/// Pretrained vectors of a [`Description`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vectors {
    /// Rows of their table, V.
    pub rows: usize,
    /// Columns, P.
    pub columns: usize,
    /// Whether they are trained further.
    pub tuned: bool,
}

/// What reads the letters of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chars {
    /// How.
    pub kind: CharKind,
    /// Number of characters, C.
    pub n_chars: usize,
    /// Columns of a character, E.
    pub n_in: usize,
    /// Columns of a word, M.
    pub n_out: usize,
}

/// How the letters of a word are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CharKind {
    /// Three at a time, the largest answer of each of M filters.
    Cnn,
    /// By an LSTM from both sides, M / 2 wide.
    Lstm,
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
    /// Whether it adds its input, which is as wide, to its output.
    pub residual: bool,
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

/// All weights, or their moments, or their average: the words' tables, the wide table, the pretrained vectors (none
/// where they have no such numbers: moments of frozen ones), the rest in the order of
/// `nn::tagger::Network`'s tensors.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Weights<S> {
    pub words: S,
    pub wide: S,
    pub vectors: S,
    pub rest: Vec<S>,
}

/// Where the parts of `rest` lie, in its order.
pub(crate) struct Places {
    pub projection: Range<usize>,
    pub chars: CharPlaces,
    pub layers: Vec<Vec<[Range<usize>; 3]>>,
    pub dense: [Range<usize>; 2],
    pub crf: Range<usize>,
    pub len: usize,
}

/// Where the weights lie that read letters.
#[derive(Default)]
pub(crate) struct CharPlaces {
    pub table: Range<usize>,
    /// Filters and their bias.
    pub filters: [Range<usize>; 2],
    /// W_ih, W_hh and b of each direction.
    pub lstm: Vec<[Range<usize>; 3]>,
}

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

    /// Columns of what the first layer reads, D + M.
    pub fn n_input(&self) -> usize {
        self.embedding + self.chars.map_or(0, |c| c.n_out)
    }

    pub(crate) fn n_out(&self) -> usize {
        self.layers.last().map_or(self.n_input(), |l| l.shape.n_out())
    }

    pub(crate) fn places(&self) -> Places {
        let mut at = 0;
        let mut put = |len: usize| {
            at += len;
            at - len..at
        };
        let lstm = |put: &mut dyn FnMut(usize) -> Range<usize>, shape: LayerShape| {
            let LayerShape { n_in, n_hidden: h, both } = shape;
            let sides = 0..1 + usize::from(both);
            sides.map(|_| [put(4 * h * n_in), put(4 * h * h), put(4 * h)]).collect()
        };
        let projection = put(self.vectors.map_or(0, |v| v.columns * self.embedding));
        let mut chars = CharPlaces::default();
        if let Some(c) = self.chars {
            chars.table = put(c.n_chars * c.n_in);
            match c.kind {
                CharKind::Cnn => chars.filters = [put(c.n_out * 3 * c.n_in), put(c.n_out)],
                CharKind::Lstm => chars.lstm = lstm(&mut put, c.lstm()),
            }
        }
        let layers = self.layers.iter().map(|l| lstm(&mut put, l.shape)).collect();
        let dense = [put(self.n_tags * self.n_out()), put(self.n_tags)];
        let k = if self.head == Head::Crf { self.n_tags } else { 0 };
        let crf = put(k * k + 2 * k);
        Places { projection, chars, layers, dense, crf, len: at }
    }
}

impl Chars {
    /// The LSTM over the letters, if it is one.
    pub(crate) fn lstm(&self) -> LayerShape {
        LayerShape { n_in: self.n_in, n_hidden: self.n_out / 2, both: true }
    }
}

impl LayerShape {
    /// Columns of the output.
    pub fn n_out(&self) -> usize {
        self.n_hidden * (1 + usize::from(self.both))
    }
}
