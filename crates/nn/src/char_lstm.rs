//! Characters by an LSTM: a vector for each word, from its letters read both ways.
//!
//! Lample et al. 2016, "Neural architectures for named entity recognition". The words of a batch are packed
//! as sentences are, a character for a token: see [`crate::packing`].
//!
//! ```text
//! U words · P characters of all words · C kinds of characters · E columns · H hidden · dv is ∂L/∂v
//! n_u is the number of characters of word u
//!
//! (1)  e_p = table[char_p]                      (P, E)   laid out by the packing of the words
//! (2)  [→h ←h] = bilstm(e)                      (P, 2H)
//! (3)  y_u = [→h_{n_u} ←h_1]                    (U, 2H)  where each direction has read the whole word
//!
//! (3') d→h_{n_u} = dy_u[..H]    d←h_1 = dy_u[H..]    all other dh are 0
//! (2') de = bilstm'(dh)
//! (1') dtable[v] += Σ_{p: char_p = v} de_p
//! ```

use ndarray::{Array2, ArrayViewD, ArrayViewMutD, s};
use tensor::random::{Purpose, Stream};
use tensor::{Real, init};

use crate::Params;
use crate::bilstm::{self, BiLstm};
use crate::chars::Spellings;
use crate::embedding::Embedding;
use crate::packing::Packing;
use crate::params::within;

/// Weights.
#[derive(Clone, Debug)]
pub struct CharLstm<F> {
    /// (C, E)
    pub chars: Embedding<F>,
    /// From E to H a direction.
    pub lstm: BiLstm<F>,
}

/// What `backward` needs of `forward`.
#[derive(Debug)]
pub struct Cache<F> {
    chars: Vec<u32>, // (P) laid out by `packing`
    packing: Packing,
    lstm: bilstm::Cache<F>,
}

impl<F: Real> CharLstm<F> {
    /// Table uniform in ±√(3/E), LSTM as in [`BiLstm::new`]. `index` and the two numbers after it name
    /// the parts.
    pub fn new(n_chars: usize, n_in: usize, n_hidden: usize, seed: u64, index: u16) -> Self {
        let mut stream = Stream::numbered(seed, Purpose::Weights, index, 0, 0);
        let table = init::uniform(n_chars, n_in, (3.0 / n_in as f64).sqrt(), &mut stream);
        let lstm = BiLstm::new(n_in, n_hidden, seed, index + 1);
        Self { chars: Embedding { table }, lstm }
    }

    /// Width of the output, 2H.
    pub fn n_out(&self) -> usize {
        self.lstm.n_out()
    }

    /// The characters of U words, longest word first → y (U, 2H).
    ///
    /// # Panics
    /// If the words' lengths do not fall, or a character is not a row of the table.
    pub fn forward(&self, words: &Spellings) -> (Array2<F>, Cache<F>) {
        let packing = Packing::new(words.lengths());
        let mut chars = vec![0; packing.rows()];
        for u in 0..words.words() {
            for (t, &char) in words.chars()[words.word(u)].iter().enumerate() {
                chars[packing.row(u, t)] = char;
            }
        }
        let e = self.chars.forward(&chars); // (1)
        let (h, lstm) = self.lstm.forward(e, &packing, Default::default()); // (2)
        let n_hidden = self.n_out() / 2;
        let mut y = Array2::zeros((words.words(), self.n_out()));
        for (u, mut y_u) in y.rows_mut().into_iter().enumerate() {
            let (last, first) = (packing.row(u, packing.lengths()[u] - 1), packing.row(u, 0));
            y_u.slice_mut(s![..n_hidden]).assign(&h.slice(s![last, ..n_hidden])); // (3)
            y_u.slice_mut(s![n_hidden..]).assign(&h.slice(s![first, n_hidden..]));
        }
        (y, Cache { chars, packing, lstm })
    }

    /// `dy` (U, 2H). Adds to `grads`; what is below are characters, so nothing is handed on.
    ///
    /// # Panics
    /// If `dy` is not shaped like y.
    pub fn backward(&self, cache: Cache<F>, dy: &Array2<F>, grads: &mut Self) {
        let Cache { chars, packing, lstm } = cache;
        assert_eq!(dy.dim(), (packing.sentences(), self.n_out()), "dy is shaped like y");
        let n_hidden = self.n_out() / 2;
        let mut dh = Array2::zeros((packing.rows(), self.n_out()));
        for (u, dy_u) in dy.rows().into_iter().enumerate() {
            let (last, first) = (packing.row(u, packing.lengths()[u] - 1), packing.row(u, 0));
            dh.slice_mut(s![last, ..n_hidden]).assign(&dy_u.slice(s![..n_hidden])); // (3')
            dh.slice_mut(s![first, n_hidden..]).assign(&dy_u.slice(s![n_hidden..]));
        }
        let de = self.lstm.backward(lstm, &dh, &mut grads.lstm); // (2')
        self.chars.backward(&chars, de).add_to(&mut grads.chars.table); // (1')
    }
}

impl<F: Real> Params<F> for CharLstm<F> {
    fn tensors(&self) -> Vec<(String, ArrayViewD<'_, F>)> {
        [self.chars.tensors(), within("lstm", self.lstm.tensors())].into_iter().flatten().collect()
    }

    fn tensors_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, F>)> {
        let lstm = within("lstm", self.lstm.tensors_mut());
        [self.chars.tensors_mut(), lstm].into_iter().flatten().collect()
    }

    fn add_slices<'a>(&'a self, all: &mut Vec<&'a [F]>) {
        self.chars.add_slices(all);
        self.lstm.add_slices(all);
    }

    fn add_slices_mut<'a>(&'a mut self, all: &mut Vec<&'a mut [F]>) {
        self.chars.add_slices_mut(all);
        self.lstm.add_slices_mut(all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chars::tests::all_spellings;
    use crate::gradcheck::{assert_gradients, gradcheck, weighted_sum};
    use crate::testing::normal;

    const C: usize = 5;
    const E: usize = 3;
    const H: usize = 2;

    fn layer() -> CharLstm<f64> {
        let mut layer = CharLstm::new(C, E, H, 1, 0);
        for (k, s) in layer.slices_mut().into_iter().enumerate() {
            let draw = normal(k as u32, 1, s.len());
            s.iter_mut().zip(&draw).for_each(|(w, d)| *w += d);
        }
        layer
    }

    #[test]
    fn backward_agrees_with_central_differences() {
        let layer = layer();
        for words in all_spellings() {
            let r = normal(30, words.words(), 2 * H);
            let mut grads = layer.zeros_like();
            let (_, cache) = layer.forward(&words);
            layer.backward(cache, &r, &mut grads);
            let loss = |l: &CharLstm<f64>| weighted_sum(&l.forward(&words).0, &r);
            let checks = gradcheck(&layer, &grads, loss);
            assert_eq!(checks.len(), 1 + 6);
            assert_gradients(&checks, 1e-8);
        }
    }

    #[test]
    fn a_word_has_the_same_vector_alone_and_beside_longer_words() {
        let layer = layer();
        let [words, ..] = all_spellings();
        let (y, _) = layer.forward(&words);
        for u in 0..words.words() {
            let chars = words.chars()[words.word(u)].to_vec();
            let starts = vec![0, chars.len()];
            let (alone, _) = layer.forward(&Spellings::new(chars, starts));
            assert_eq!(alone.row(0), y.row(u));
        }
    }

    #[test]
    fn the_two_halves_have_read_the_word_from_the_left_and_from_the_right() {
        // The same weights both ways: a word read from the left is its reverse read from the right.
        let mut layer = layer();
        layer.lstm.backward = layer.lstm.forward.clone();
        let spell = |chars: &[u32]| layer.forward(&Spellings::new(chars.to_vec(), vec![0, 3])).0;
        let (there, back) = (spell(&[0, 1, 2]), spell(&[2, 1, 0]));
        assert_eq!(there.slice(s![0, ..H]), back.slice(s![0, H..]));
        assert_ne!(there.slice(s![0, ..H]), there.slice(s![0, H..]));
    }
}
