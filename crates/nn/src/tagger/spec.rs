//! What a tagger is made of, as a value: which parts there are, and how large.

use crate::crf::Allowed;

/// What a tagger is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Tables whose rows are added for a word: name and number of rows. The first is the words' own.
    pub tables: Vec<(String, usize)>,
    /// Columns of these tables, D.
    pub embedding: usize,
    /// Pretrained vectors, if there are any.
    pub vectors: Option<VectorSpec>,
    /// How spellings are read, if they are.
    pub chars: Option<CharSpec>,
    /// Recurrent layers, from the words up.
    pub encoder: Vec<LayerSpec>,
    /// Whether a layer as wide as the one below adds its input to its output (He and others 2016).
    pub residual: bool,
    /// Dropout on the input of the dense layer.
    pub dense_dropout: f64,
    /// The wide part, if there is one.
    pub wide: Option<WideSpec>,
    /// Number of tags, K.
    pub tags: usize,
    /// What the scores mean.
    pub head: Head,
    /// Which tags may follow each other; decoding keeps to it. None: each token by itself.
    pub rules: Option<Allowed>,
    /// Taggers whose scores are averaged, M; one that is alone is 1.
    pub members: usize,
    /// (K) what the loss of a softmax weighs each tag with; None: all alike. Only training reads it.
    pub tag_weights: Option<Vec<f64>>,
}

/// The pretrained vectors of a [`Spec`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VectorSpec {
    /// Rows of the table, V; row 0 is that of words without a vector.
    pub rows: usize,
    /// Columns, P.
    pub columns: usize,
    /// Whether they are trained further.
    pub tuned: bool,
}

/// The wide part of a [`Spec`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WideSpec {
    /// Rows of its table, R.
    pub rows: usize,
    /// Chance that a token loses its wide scores in training.
    pub dropout: f64,
}

/// How the letters of a word are read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CharSpec {
    /// By which layer.
    pub kind: CharKind,
    /// Number of characters, C.
    pub n_chars: usize,
    /// Columns of a character's row, E.
    pub n_in: usize,
    /// Columns of a word, M: filters, or twice the width of the state.
    pub n_out: usize,
}

/// Which layer reads the letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CharKind {
    /// See [`crate::char_cnn`].
    Cnn,
    /// See [`crate::char_lstm`].
    Lstm,
}

/// One recurrent layer of a [`Spec`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerSpec {
    /// One direction or two.
    pub kind: LayerKind,
    /// Width of the state of each direction, H.
    pub n_hidden: usize,
    /// Dropout on the input.
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
    /// Softmax and cross-entropy: see [`crate::softmax`].
    Softmax,
    /// The tutorial's: see [`crate::keras_relu`].
    KerasRelu,
    /// A linear-chain CRF: see [`crate::crf::Crf`].
    Crf,
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
    /// A network of words, recurrent layers and a dense layer, and nothing else.
    pub fn plain(
        words: usize,
        embedding: usize,
        encoder: Vec<LayerSpec>,
        tags: usize,
        head: Head,
    ) -> Self {
        Self {
            tables: vec![("table".into(), words)],
            embedding,
            vectors: None,
            chars: None,
            encoder,
            residual: false,
            dense_dropout: 0.0,
            wide: None,
            tags,
            head,
            rules: None,
            members: 1,
            tag_weights: None,
        }
    }

    /// Floating-point operations of the products of recurrent layers and dense layer, for one token on its
    /// way forward, a multiplication and an addition counting as two. Backward has twice as many.
    pub fn flop_per_token(&self) -> usize {
        let mut n_in = self.n_input();
        let mut products = 0;
        for layer in &self.encoder {
            let directions = layer.n_out() / layer.n_hidden;
            products += directions * 4 * layer.n_hidden * (n_in + layer.n_hidden);
            n_in = layer.n_out();
        }
        2 * (products + n_in * self.tags)
    }

    /// Number of weights, those of all members and of pretrained vectors among them; the largest number there is, if
    /// there are more.
    pub fn n_weights(&self) -> u64 {
        let product = |a: usize, b: usize| (a as u64).saturating_mul(b as u64);
        let sum = |all: &[u64]| all.iter().fold(0u64, |sum, &n| sum.saturating_add(n));
        let lstm = |n_in: usize, h: usize| {
            product(4 * h, n_in).saturating_add(product(4 * h, h)).saturating_add(4 * h as u64)
        };
        let tables = self.tables.iter().map(|&(_, rows)| product(rows, self.embedding));
        let mut alone: Vec<u64> = tables.collect();
        let mut shared = Vec::new();
        if let Some(v) = self.vectors {
            let table = product(v.rows, v.columns);
            if v.tuned {
                alone.push(table)
            } else {
                shared.push(table)
            }
            alone.push(product(v.columns, self.embedding));
        }
        if let Some(c) = self.chars {
            alone.push(product(c.n_chars, c.n_in));
            alone.push(match c.kind {
                CharKind::Cnn => product(3 * c.n_in, c.n_out).saturating_add(c.n_out as u64),
                CharKind::Lstm => lstm(c.n_in, c.n_out / 2).saturating_mul(2),
            });
        }
        let mut n_in = self.n_input();
        for layer in &self.encoder {
            let directions = (layer.n_out() / layer.n_hidden) as u64;
            alone.push(lstm(n_in, layer.n_hidden).saturating_mul(directions));
            n_in = layer.n_out();
        }
        alone.push(product(n_in, self.tags).saturating_add(self.tags as u64));
        if self.head == Head::Crf {
            alone.push(product(self.tags, self.tags).saturating_add(2 * self.tags as u64));
        }
        shared.extend(self.wide.map(|w| product(w.rows, self.tags)));
        sum(&alone).saturating_mul(self.members as u64).saturating_add(sum(&shared))
    }

    /// Whether layer `l` of the encoder adds its input to its output.
    pub fn adds_input(&self, l: usize) -> bool {
        self.residual && l > 0 && self.encoder[l - 1].n_out() == self.encoder[l].n_out()
    }

    pub(super) fn named_tables(&self) -> Vec<(&str, usize)> {
        self.tables.iter().map(|(name, rows)| (&name[..], *rows)).collect()
    }

    /// Width of what the encoder reads, D + M.
    pub fn n_input(&self) -> usize {
        self.embedding + self.chars.map_or(0, |c| c.n_out)
    }
}
