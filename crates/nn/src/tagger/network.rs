//! The parts of a tagger that every batch changes, and which layer stands behind each of them.

use ndarray::{Array2, ArrayViewD, ArrayViewMutD};
use tensor::Real;
use tensor::scratch::Lent;

use crate::bilstm::{self, BiLstm};
use crate::char_cnn::{self, CharCnn};
use crate::char_lstm::{self, CharLstm};
use crate::chars::Spellings;
use crate::crf::Crf;
use crate::dense::Dense;
use crate::lstm::{self, Lstm, Masks};
use crate::packing::{Direction, Packing};
use crate::params::{Params, within};
use crate::projection::Projection;

use super::spec::{CharKind, CharSpec};

/// A recurrent layer of the encoder.
#[derive(Clone, Debug)]
pub enum Layer<F> {
    /// See [`Lstm`].
    Lstm(Lstm<F>),
    /// See [`BiLstm`].
    BiLstm(BiLstm<F>),
}

pub(super) enum LayerCache<F> {
    Lstm(Box<lstm::Cache<F>>),
    BiLstm(Box<bilstm::Cache<F>>),
}

/// What reads the letters of a word.
#[derive(Clone, Debug)]
pub enum Chars<F> {
    /// See [`CharCnn`].
    Cnn(CharCnn<F>),
    /// See [`CharLstm`].
    Lstm(Box<CharLstm<F>>),
}

pub(super) enum CharsCache<F> {
    Cnn(char_cnn::Cache<F>),
    Lstm(Box<char_lstm::Cache<F>>),
}

/// Everything but the tables: the weights that every batch changes.
#[derive(Clone, Debug)]
pub struct Network<F> {
    /// Pretrained vectors to the words' columns.
    pub projection: Option<Projection<F>>,
    /// Spellings to columns.
    pub chars: Option<Chars<F>>,
    /// Recurrent layers, from the words up.
    pub encoder: Vec<Layer<F>>,
    /// Features to scores.
    pub dense: Dense<F>,
    /// Transitions between tags.
    pub crf: Option<Crf<F>>,
}

impl<F: Real> Chars<F> {
    pub(super) fn new(spec: CharSpec, seed: u64, index: u16) -> Self {
        let CharSpec { kind, n_chars, n_in, n_out } = spec;
        match kind {
            CharKind::Cnn => Chars::Cnn(CharCnn::new(n_chars, n_in, n_out, seed, index)),
            CharKind::Lstm => {
                Chars::Lstm(Box::new(CharLstm::new(n_chars, n_in, n_out / 2, seed, index)))
            }
        }
    }

    pub(super) fn forward(&self, words: &Spellings) -> (Array2<F>, CharsCache<F>) {
        match self {
            Chars::Cnn(layer) => {
                let (y, cache) = layer.forward(words);
                (y, CharsCache::Cnn(cache))
            }
            Chars::Lstm(layer) => {
                let (y, cache) = layer.forward(words);
                (y, CharsCache::Lstm(Box::new(cache)))
            }
        }
    }

    pub(super) fn backward(
        &self,
        words: &Spellings,
        cache: CharsCache<F>,
        dy: &Array2<F>,
        grads: &mut Self,
    ) {
        match (self, cache, grads) {
            (Chars::Cnn(layer), CharsCache::Cnn(cache), Chars::Cnn(grads)) => {
                layer.backward(words, cache, dy, grads);
            }
            (Chars::Lstm(layer), CharsCache::Lstm(cache), Chars::Lstm(grads)) => {
                layer.backward(*cache, dy, grads);
            }
            _ => unreachable!("a layer, its cache and its gradient are of one kind"),
        }
    }
}

impl<F: Real> Layer<F> {
    pub(super) fn forward(
        &self,
        x: Array2<F>,
        packing: &Packing,
        masks: [Masks<F>; 2],
    ) -> (Array2<F>, LayerCache<F>) {
        match self {
            Layer::Lstm(layer) => {
                let [masks, _] = masks;
                let (y, cache) = layer.forward(x, packing, Direction::Forward, masks);
                (y, LayerCache::Lstm(Box::new(cache)))
            }
            Layer::BiLstm(layer) => {
                let (y, cache) = layer.forward(x, packing, masks);
                (y, LayerCache::BiLstm(Box::new(cache)))
            }
        }
    }

    pub(super) fn backward(
        &self,
        cache: LayerCache<F>,
        dy: Array2<F>,
        grads: &mut Self,
    ) -> Array2<F> {
        let dy = Lent::from(dy);
        match (self, cache, grads) {
            (Layer::Lstm(layer), LayerCache::Lstm(cache), Layer::Lstm(grads)) => {
                layer.backward(*cache, dy.view(), grads)
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

    fn add_slices<'a>(&'a self, all: &mut Vec<&'a [F]>) {
        match self {
            Layer::Lstm(layer) => layer.add_slices(all),
            Layer::BiLstm(layer) => layer.add_slices(all),
        }
    }

    fn add_slices_mut<'a>(&'a mut self, all: &mut Vec<&'a mut [F]>) {
        match self {
            Layer::Lstm(layer) => layer.add_slices_mut(all),
            Layer::BiLstm(layer) => layer.add_slices_mut(all),
        }
    }
}

impl<F: Real> Params<F> for Chars<F> {
    fn tensors(&self) -> Vec<(String, ArrayViewD<'_, F>)> {
        match self {
            Chars::Cnn(layer) => layer.tensors(),
            Chars::Lstm(layer) => layer.tensors(),
        }
    }

    fn tensors_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, F>)> {
        match self {
            Chars::Cnn(layer) => layer.tensors_mut(),
            Chars::Lstm(layer) => layer.tensors_mut(),
        }
    }

    fn add_slices<'a>(&'a self, all: &mut Vec<&'a [F]>) {
        match self {
            Chars::Cnn(layer) => layer.add_slices(all),
            Chars::Lstm(layer) => layer.add_slices(all),
        }
    }

    fn add_slices_mut<'a>(&'a mut self, all: &mut Vec<&'a mut [F]>) {
        match self {
            Chars::Cnn(layer) => layer.add_slices_mut(all),
            Chars::Lstm(layer) => layer.add_slices_mut(all),
        }
    }
}

/// The tensors of all parts of a network that are there, each under its part's name.
macro_rules! parts {
    ($network:ident, $iter:ident, $as_ref:ident, $tensors:ident) => {{
        let mut all = Vec::new();
        if let Some(layer) = $network.projection.$as_ref() {
            all.extend(within("projection", layer.$tensors()));
        }
        if let Some(layer) = $network.chars.$as_ref() {
            all.extend(within("chars", layer.$tensors()));
        }
        for (l, layer) in $network.encoder.$iter().enumerate() {
            all.extend(within(&format!("encoder.{l}"), layer.$tensors()));
        }
        all.extend(within("dense", $network.dense.$tensors()));
        if let Some(layer) = $network.crf.$as_ref() {
            all.extend(within("crf", layer.$tensors()));
        }
        all
    }};
}

impl<F: Real> Params<F> for Network<F> {
    fn tensors(&self) -> Vec<(String, ArrayViewD<'_, F>)> {
        parts!(self, iter, as_ref, tensors)
    }

    fn tensors_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, F>)> {
        parts!(self, iter_mut, as_mut, tensors_mut)
    }

    fn add_slices<'a>(&'a self, all: &mut Vec<&'a [F]>) {
        self.projection.iter().for_each(|layer| layer.add_slices(all));
        self.chars.iter().for_each(|layer| layer.add_slices(all));
        self.encoder.iter().for_each(|layer| layer.add_slices(all));
        self.dense.add_slices(all);
        self.crf.iter().for_each(|layer| layer.add_slices(all));
    }

    fn add_slices_mut<'a>(&'a mut self, all: &mut Vec<&'a mut [F]>) {
        self.projection.iter_mut().for_each(|layer| layer.add_slices_mut(all));
        self.chars.iter_mut().for_each(|layer| layer.add_slices_mut(all));
        self.encoder.iter_mut().for_each(|layer| layer.add_slices_mut(all));
        self.dense.add_slices_mut(all);
        self.crf.iter_mut().for_each(|layer| layer.add_slices_mut(all));
    }
}
