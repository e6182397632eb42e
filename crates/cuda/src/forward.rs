//! A batch through the network, and back: (1) to (6) of `network`.

use std::ops::Range;

use crate::batch::At;
use crate::chars::{CharCache, CharWeights};
use crate::layers::{Mask, Matrix, job};
use crate::network::{Done, Group, REST, VECTORS, WIDE, WORDS};
use crate::tables::Strided;
use crate::{
    CudaError, LstmCache, LstmWeights, Network, Noise, Rates, Span, Which,
    batch::{Spelled, Touched},
};

/// What the way back needs of the way there.
pub(crate) struct Cache {
    /// Pretrained vectors (N, P), if there are any.
    vectors: Span,
    chars: Option<CharCache>,
    layers: Vec<LstmCache>,
    /// The input of the dense layer.
    x: Span,
}

/// A gradient, and the rows that it belongs to if these are not all.
#[derive(Clone, Copy)]
pub(crate) struct Moved {
    pub grads: Span,
    pub ids: Span,
}

impl Network {
    fn grads(&self, place: &Range<usize>) -> Span {
        self.group(REST).grads.part(place.start, place.len())
    }

    fn lstm_weights(&self, l: usize, part: impl Fn(&Range<usize>) -> Span) -> Vec<LstmWeights> {
        let side = |[w_ih, w_hh, b]: &[Range<usize>; 3]| LstmWeights {
            w_ih: part(w_ih),
            w_hh: part(w_hh),
            b: part(b),
        };
        self.places.layers[l].iter().map(side).collect()
    }

    /// Tokens → scores (N, K). With `noise`, dropout is on.
    pub(crate) fn forward(
        &mut self,
        at: &At<'_>,
        noise: Option<Noise>,
    ) -> Result<(Span, Cache), CudaError> {
        let d = self.description.clone();
        let (n, layout, width) = (at.batch.tokens(), at.layout(), d.n_input());
        let mut x = self.engine.take(n * width)?;
        let to = Strided { span: x, stride: width, first: 0 };
        self.rows_of(WORDS, at.span(&at.batch.words), Span::NONE, n, to, false)?; // (1)
        let mut vectors = Span::NONE;
        if let Some(v) = d.vectors {
            vectors = self.engine.take(n * v.columns)?;
            let to = Strided::whole(vectors, v.columns);
            self.rows_of(VECTORS, at.span(&at.batch.vectors), Span::NONE, n, to, false)?;
            let w = self.rest(Which::Weights, &self.places.projection);
            let w = Matrix::new(w, d.embedding, v.columns);
            let to = Matrix::columns(x, n, width, 0, d.embedding);
            self.engine.add_product(Matrix::new(vectors, n, v.columns), w.t(), to)?; // (2)
        }
        let mut chars = None;
        if let Some((c, spelled)) = d.chars.zip(at.batch.spelled.as_ref()) {
            let weights = self.char_weights(self.group(REST).kept[0]);
            let (y, cache) = self.engine.spell(c, &weights, at, spelled)?;
            let to = Strided { first: d.embedding, ..to };
            let ids = (at.span(&spelled.word_of), Span::NONE);
            self.engine.embedding((y, c.n_out), ids, n, to, false)?; // (3)
            chars = Some(cache);
        }
        let mut layers = Vec::new();
        for (l, layer) in d.layers.iter().enumerate() {
            let sides = self.places.layers[l].len();
            let of_input = at.masks(&layer.input[..sides], noise);
            let of_state = at.recurrent_masks(&layer.recurrent[..sides], noise);
            let (n_in, h) = (layer.shape.n_in, layer.shape.n_hidden);
            let inputs = self.dropped(&vec![x; sides], n_in, n * n_in, of_input)?;
            let ones = vec![Span::NONE; sides];
            let masks = self.dropped(&ones, h, layout.sentences * h, of_state)?;
            let weights = self.lstm_weights(l, |place| self.rest(Which::Weights, place));
            let (y, cache) = self.engine.lstm(layer.shape, &weights, inputs, &masks, layout)?; // (4)
            if layer.residual {
                self.engine.add(x, y, 1.0, true)?;
            }
            layers.push(cache);
            x = y;
        }
        let masks = at.masks(&[d.dense_dropout], noise);
        let x = self.dropped(&[x], d.n_out(), n * d.n_out(), masks)?[0];
        let scores = self.engine.take(n * d.n_tags)?;
        let [w, b] = self.places.dense.clone().map(|place| self.rest(Which::Weights, &place));
        let w = Matrix::new(w, d.n_tags, d.n_out());
        self.engine.product(Matrix::new(x, n, d.n_out()), w.t(), b, scores, false)?; // (5)
        if d.wide.is_some() {
            let kept = at.batch.kept.as_ref().map_or(Span::NONE, |kept| at.span(kept));
            let to = Strided::whole(scores, d.n_tags);
            self.rows_of(WIDE, at.span(&at.batch.wide), kept, n, to, true)?; // (6)
        }
        Ok((scores, Cache { vectors, chars, layers, x }))
    }

    fn char_weights(&self, span: Span) -> CharWeights {
        CharWeights::new(span, &self.places.chars)
    }

    /// x ⊙ m of each direction, `len` numbers in rows of `width`; x itself without masks.
    fn dropped(
        &mut self,
        x: &[Span],
        width: usize,
        len: usize,
        masks: Option<Vec<Mask>>,
    ) -> Result<Vec<Span>, CudaError> {
        let Some(masks) = masks else { return Ok(x.to_vec()) };
        let y: Result<Vec<_>, _> = x.iter().map(|_| self.engine.take(len)).collect();
        let y = y?;
        self.engine.dropout(x, &y, width, &masks)?;
        Ok(y)
    }

    fn rows_of(
        &mut self,
        table: usize,
        ids: Span,
        kept: Span,
        tokens: usize,
        x: Strided,
        add: bool,
    ) -> Done {
        let Group { kept: [table, ..], width, .. } = *self.group(table);
        self.engine.embedding((table, width), (ids, kept), tokens, x, add)
    }

    /// A whole step.
    pub(crate) fn step_of(&mut self, at: &At<'_>, noise: Noise, rates: &Rates) -> Done {
        let (scores, cache) = self.forward(at, Some(noise))?;
        let best = self.best_tags(scores)?;
        let (losses, ds) = self.loss(at, scores)?; // (7), (7')
        let moved = self.backward(at, cache, ds, noise, rates.lazy_rows)?;
        self.finish(at, losses, best, &moved, rates)
    }

    /// `ds` (N, K), the gradient of the scores → those of all groups.
    fn backward(
        &mut self,
        at: &At<'_>,
        cache: Cache,
        ds: Span,
        noise: Noise,
        lazy: bool,
    ) -> Result<[Option<Moved>; 4], CudaError> {
        let d = self.description.clone();
        let (n, layout, width) = (at.batch.tokens(), at.layout(), d.n_input());
        let Cache { vectors, chars, layers, x } = cache;
        let mut moved = [None; 4];
        if d.wide.is_some() {
            let ds = Strided::whole(ds, d.n_tags);
            let rows = self.table_gradient(at, WIDE, &at.batch.touched_wide, ds, lazy)?; // (6')
            moved[WIDE] = Some(rows);
        }
        let ds = Matrix::new(ds, n, d.n_tags);
        let [dw, db] = self.places.dense.clone().map(|place| self.grads(&place));
        let of_w = self.engine.weight_gradient(ds, Matrix::new(x, n, d.n_out()), dw, db)?;
        let mut dx = self.engine.take(n * d.n_out())?;
        let w = Matrix::new(self.rest(Which::Weights, &self.places.dense[0]), d.n_tags, d.n_out());
        self.engine.products(&[of_w, job(ds, w, (dx, d.n_out()), d.n_tags)])?; // (5')
        if let Some(masks) = at.masks(&[d.dense_dropout], Some(noise)) {
            self.engine.dropout(&[dx], &[dx], d.n_out(), &masks)?;
        }
        for (l, (layer, cache)) in d.layers.iter().zip(layers).enumerate().rev() {
            let weights = self.lstm_weights(l, |place| self.rest(Which::Weights, place));
            let grads = self.lstm_weights(l, |place| self.grads(place));
            let above = dx;
            let sides =
                self.engine.lstm_backward(layer.shape, &weights, &grads, cache, dx, layout)?; // (4')
            dx = self.engine.take(n * layer.shape.n_in)?;
            match at.masks(&layer.input[..sides.len()], Some(noise)) {
                Some(m) => self.engine.dropout(&sides, &[dx], layer.shape.n_in, &m)?,
                None => {
                    for (side, &dx_side) in sides.iter().enumerate() {
                        self.engine.add(dx_side, dx, 1.0, side > 0)?;
                    }
                }
            }
            if layer.residual {
                self.engine.add(above, dx, 1.0, true)?;
            }
        }
        if let Some((cache, spelled)) = chars.zip(at.batch.spelled.as_ref()) {
            self.chars_gradient(at, cache, spelled, dx)?; // (3')
        }
        let of_words = Matrix::columns(dx, n, width, 0, d.embedding);
        if let Some(v) = d.vectors {
            let rows = Matrix::new(vectors, n, v.columns);
            let dw = self.grads(&self.places.projection);
            let of_w = self.engine.weight_gradient(of_words, rows, dw, Span::NONE)?;
            let mut jobs = vec![of_w];
            let mut dv = Span::NONE;
            if v.tuned {
                dv = self.engine.take(n * v.columns)?;
                let w = self.rest(Which::Weights, &self.places.projection);
                let w = Matrix::new(w, d.embedding, v.columns);
                jobs.push(job(of_words, w, (dv, v.columns), d.embedding));
            }
            self.engine.products(&jobs)?; // (2')
            if v.tuned {
                let dv = Strided::whole(dv, v.columns);
                let touched = &at.batch.touched_vectors;
                moved[VECTORS] = Some(self.table_gradient(at, VECTORS, touched, dv, lazy)?);
            }
        }
        let dx = Strided { span: dx, stride: width, first: 0 };
        let words = self.table_gradient(at, WORDS, &at.batch.touched_words, dx, lazy)?; // (1')
        moved[WORDS] = Some(words);
        moved[REST] = Some(Moved { grads: self.group(REST).grads, ids: Span::NONE });
        Ok(moved)
    }

    /// What the tokens' dx (N, D + M) is for the words that they are, and on to the weights.
    fn chars_gradient(
        &mut self,
        at: &At<'_>,
        cache: CharCache,
        spelled: &Spelled,
        dx: Span,
    ) -> Done {
        let d = &self.description;
        let (chars, first, width) = (d.chars.expect("it made the cache"), d.embedding, d.n_input());
        let (weights, grads) = (self.group(REST).kept[0], self.group(REST).grads);
        let (weights, grads) = (self.char_weights(weights), self.char_weights(grads));
        let dy = self.engine.take(spelled.n_words * chars.n_out)?;
        let dx = (Strided { span: dx, stride: width, first }, at.batch.tokens(), chars.n_out);
        self.engine.row_sums(at, &spelled.touched_words, dx, (dy, true))?;
        self.engine.spell_backward(chars, &weights, &grads, cache, dy, at, spelled)
    }

    /// The gradient of a table: of its touched rows if only these move, else of all.
    fn table_gradient(
        &mut self,
        at: &At<'_>,
        table: usize,
        touched: &Touched,
        dx: Strided,
        lazy: bool,
    ) -> Result<Moved, CudaError> {
        let Group { kept: [weights, ..], width, grads } = *self.group(table);
        let ids = at.span(&touched.ids);
        let sums = match (lazy, grads) {
            (true, _) => self.engine.take(ids.len * width)?,
            (false, Span::NONE) => Span::new(&mut *self.engine.machine, weights.len)?,
            (false, grads) => grads,
        };
        if !lazy {
            self.members[0][table].grads = sums;
            self.engine.machine.clear(sums.at, 4 * sums.len)?;
        }
        let dx = (dx, at.batch.tokens(), width);
        self.engine.row_sums(at, touched, dx, (sums, !lazy))?;
        Ok(Moved { grads: sums, ids: if lazy { ids } else { Span::NONE } })
    }
}
