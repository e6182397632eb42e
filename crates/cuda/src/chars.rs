//! What letters spell: a convolution or an LSTM over the distinct words of a batch, once a word.

use crate::arguments::*;
use crate::batch::{At, Spelled};
use crate::description::{CharKind, CharPlaces, Chars};
use crate::layers::{Matrix, job};
use crate::tables::Strided;
use crate::{CudaError, Engine, LstmCache, LstmWeights, Span};

/// Where weights are, or their gradients.
pub(crate) struct CharWeights {
    /// (C, E)
    table: Span,
    /// (M, 3E), (M)
    filters: [Span; 2],
    lstm: Vec<LstmWeights>,
}

impl CharWeights {
    /// Those of `places` in `span`.
    pub fn new(span: Span, places: &CharPlaces) -> Self {
        let part = |place: &std::ops::Range<usize>| span.part(place.start, place.len());
        let lstm = |[w_ih, w_hh, b]: &[std::ops::Range<usize>; 3]| LstmWeights {
            w_ih: part(w_ih),
            w_hh: part(w_hh),
            b: part(b),
        };
        let [w, b] = &places.filters;
        Self {
            table: part(&places.table),
            filters: [part(w), part(b)],
            lstm: places.lstm.iter().map(lstm).collect(),
        }
    }
}

/// What the way back needs of the way there.
pub(crate) enum CharCache {
    /// Windows (P, 3E), places of the maxima (U, M), y (U, M).
    Cnn {
        x: Span,
        first: Span,
        y: Span,
    },
    Lstm(Box<LstmCache>),
}

impl Engine {
    /// → y (U, M).
    pub(crate) fn spell(
        &mut self,
        chars: Chars,
        weights: &CharWeights,
        at: &At<'_>,
        spelled: &Spelled,
    ) -> Result<(Span, CharCache), CudaError> {
        let (n_chars, n_words) = (spelled.chars.len(), spelled.n_words);
        let Chars { n_in, n_out, .. } = chars;
        let ids = at.span(&spelled.chars);
        let y = self.take(n_words * n_out)?;
        if chars.kind == CharKind::Lstm {
            let e = self.take(n_chars * n_in)?;
            let to = Strided::whole(e, n_in);
            self.embedding((weights.table, n_in), (ids, Span::NONE), n_chars, to, false)?;
            let layout = at.layout_of_words(spelled);
            let masks = [Span::NONE; 2];
            let (h, cache) = self.lstm(chars.lstm(), &weights.lstm, vec![e, e], &masks, layout)?;
            let args = CharEnds {
                h: h.at,
                starts: layout.starts,
                lengths: at.span(&spelled.lengths).at,
                y: y.at,
                n_words: n_words as u32,
                hidden: (n_out / 2) as u32,
            };
            self.each("char_ends", y.len, args)?; // (4)
            return Ok((y, CharCache::Lstm(Box::new(cache))));
        }
        let x = self.take(n_chars * 3 * n_in)?;
        let args = CharWindows {
            table: weights.table.at,
            chars: ids.at,
            words: at.span(&spelled.words).at,
            x: x.at,
            n_chars: n_chars as u32,
            width: n_in as u32,
        };
        self.each("char_windows", x.len, args)?; // (1)
        let z = self.take(n_chars * n_out)?;
        let [w, b] = weights.filters;
        let windows = Matrix::new(x, n_chars, 3 * n_in);
        self.product(windows, Matrix::new(w, n_out, 3 * n_in).t(), b, z, false)?; // (2)
        let first = self.take(n_words * n_out)?;
        let args = CharMax {
            z: z.at,
            starts: at.span(&spelled.starts).at,
            y: y.at,
            first: first.at,
            n_words: n_words as u32,
            filters: n_out as u32,
        };
        self.each("char_max", y.len, args)?; // (3)
        Ok((y, CharCache::Cnn { x, first, y }))
    }

    /// `dy` (U, M). Writes the gradients of the weights.
    pub(crate) fn spell_backward(
        &mut self,
        chars: Chars,
        weights: &CharWeights,
        grads: &CharWeights,
        cache: CharCache,
        dy: Span,
        at: &At<'_>,
        spelled: &Spelled,
    ) -> Result<(), CudaError> {
        let (n_chars, n_words) = (spelled.chars.len(), spelled.n_words);
        let Chars { n_in, n_out, .. } = chars;
        assert_eq!(dy.len, n_words * n_out, "dy is shaped like y");
        // Rows of characters that do not occur get nothing.
        self.machine.clear(grads.table.at, 4 * grads.table.len)?;
        let sums = (grads.table, true);
        let (x, first, y) = match cache {
            CharCache::Cnn { x, first, y } => (x, first, y),
            CharCache::Lstm(cache) => {
                let dh = self.take(n_chars * n_out)?;
                let args = CharEndsBack {
                    dy: dy.at,
                    lengths: at.span(&spelled.lengths).at,
                    words: at.span(&spelled.words).at,
                    steps: at.span(&spelled.steps).at,
                    dh: dh.at,
                    n_chars: n_chars as u32,
                    hidden: (n_out / 2) as u32,
                };
                self.each("char_ends_backward", dh.len, args)?; // (4')
                let layout = at.layout_of_words(spelled);
                let shape = chars.lstm();
                let (w, g) = (&weights.lstm, &grads.lstm);
                let sides = self.lstm_backward(shape, w, g, *cache, dh, layout)?;
                self.add(sides[1], sides[0], 1.0, true)?;
                let de = (Strided::whole(sides[0], n_in), n_chars, n_in);
                return self.row_sums(at, &spelled.touched_chars, de, sums);
            }
        };
        let dz = self.take(n_chars * n_out)?;
        let args = CharMaxBack {
            dy: dy.at,
            y: y.at,
            first: first.at,
            words: at.span(&spelled.words).at,
            dz: dz.at,
            n_chars: n_chars as u32,
            filters: n_out as u32,
        };
        self.each("char_max_backward", dz.len, args)?; // (3')
        let dz = Matrix::new(dz, n_chars, n_out);
        let [w, _] = weights.filters;
        let [dw, db] = grads.filters;
        let of_w = self.weight_gradient(dz, Matrix::new(x, n_chars, 3 * n_in), dw, db)?;
        let dx = self.take(n_chars * 3 * n_in)?;
        let w = Matrix::new(w, n_out, 3 * n_in);
        self.products(&[of_w, job(dz, w, (dx, 3 * n_in), n_out)])?; // (2')
        let parts = (Strided::whole(dx, n_in), 3 * n_chars, n_in);
        self.row_sums(at, &spelled.touched_chars, parts, sums) // (1')
    }
}
