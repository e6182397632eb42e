//! Characters by convolution: a vector for each word, from its letters three at a time.
//!
//! Ma and Hovy 2016, "End-to-end sequence labeling via bi-directional LSTM-CNNs-CRF", with the tanh of
//! their own program, which the paper does not mention. The word is padded with one zero on each side.
//!
//! ```text
//! U words · P characters of all words · C kinds of characters · E columns · M filters · dv is ∂L/∂v
//! p − 1 and p + 1 are the characters beside p in its word; beyond the word's ends there are zeros
//!
//! (1)  e_p = table[char_p]                      (P, E)
//! (2)  x_p = [e_{p−1} e_p e_{p+1}]              (P, 3E)
//! (3)  z = x Wᵀ + b                             (P, M)   all windows of all words at once
//! (4)  z_u = max_{p in u} z_p                   (U, M)   of equal ones the first
//! (5)  y = tanh z_u                             (U, M)   tanh rises, so one of the maximum is enough
//!
//! (5') dz_u = dy ⊙ (1 − y²)
//! (4') dz_p = dz_u where p is the place of the maximum, else 0
//! (3') dW += dzᵀ x    db += Σ_P dz    dx = dz W
//! (2') de_p = the middle part of dx_p + the last of dx_{p−1} + the first of dx_{p+1}
//! (1') dtable[v] += Σ_{p: char_p = v} de_p
//! ```

use ndarray::{Array1, Array2, s};
use tensor::random::{Purpose, Stream};
use tensor::{Real, add_dot, add_rows, dot, dot_bias, init};

use crate::chars::Spellings;
use crate::params;

/// Weights.
#[derive(Clone, Debug)]
pub struct CharCnn<F> {
    /// (C, E)
    pub table: Array2<F>,
    /// (M, 3E) for the character before, the one itself, the one after.
    pub w: Array2<F>,
    /// (M)
    pub b: Array1<F>,
}

params!(CharCnn { table, w, b });

/// What `backward` needs of `forward`.
#[derive(Debug)]
pub struct Cache<F> {
    x: Array2<F>,         // (P, 3E) for dW
    first: Array2<usize>, // (U, M) place p of each maximum
    y: Array2<F>,         // (U, M) because tanh' = 1 − y²
}

impl<F: Real> CharCnn<F> {
    /// Table uniform in ±√(3/E) as in the paper, Glorot-uniform filters, bias 0. `index` names the
    /// layer.
    pub fn new(n_chars: usize, n_in: usize, n_filters: usize, seed: u64, index: u16) -> Self {
        let mut stream = Stream::numbered(seed, Purpose::Weights, index, 0, 0);
        let table = init::uniform(n_chars, n_in, (3.0 / n_in as f64).sqrt(), &mut stream);
        let w = init::glorot_uniform(n_filters, 3 * n_in, &mut stream);
        Self { table, w, b: Array1::zeros(n_filters) }
    }

    /// Width of the output, M.
    pub fn n_out(&self) -> usize {
        self.b.len()
    }

    /// The characters of U words → y (U, M).
    ///
    /// # Panics
    /// If a character is not a row of the table.
    pub fn forward(&self, words: &Spellings) -> (Array2<F>, Cache<F>) {
        let x = self.windows(words); // (1), (2)
        let z = dot_bias(&x, &self.w.t(), &self.b); // (3)
        let mut y = Array2::from_elem((words.words(), self.n_out()), F::neg_infinity());
        let mut first = Array2::zeros(y.raw_dim());
        for u in 0..words.words() {
            for p in words.word(u) {
                let best = y.row_mut(u).into_iter().zip(first.row_mut(u));
                for ((best, place), &z) in best.zip(z.row(p)) {
                    if z > *best {
                        (*best, *place) = (z, p); // (4)
                    }
                }
            }
        }
        y.mapv_inplace(F::tanh_fast); // (5)
        (y.clone(), Cache { x, first, y })
    }

    /// `dy` (U, M). Adds to `grads`; what is below are characters, so nothing is handed on.
    ///
    /// # Panics
    /// If `dy` is not shaped like y.
    pub fn backward(&self, words: &Spellings, cache: Cache<F>, dy: &Array2<F>, grads: &mut Self) {
        let Cache { x, first, y } = cache;
        assert_eq!(dy.dim(), y.dim(), "dy is shaped like y");
        let mut dz = Array2::zeros((x.nrows(), self.n_out()));
        for (((u, m), &y), &dy) in y.indexed_iter().zip(dy) {
            dz[[first[[u, m]], m]] = dy * (F::one() - y * y); // (5'), (4')
        }
        add_dot(&mut grads.w, &dz.t(), &x); // (3')
        add_rows(&mut grads.b, &dz);
        self.add_windows(words, &dot(&dz, &self.w), &mut grads.table);
    }

    /// (1), (2): x (P, 3E).
    fn windows(&self, words: &Spellings) -> Array2<F> {
        let n_in = self.table.ncols();
        let mut x = Array2::zeros((words.chars().len(), 3 * n_in));
        each_neighbour(words, |p, char, part| {
            let mut to = x.slice_mut(s![p, part * n_in..(part + 1) * n_in]);
            to.assign(&self.table.row(char));
        });
        x
    }

    /// (2'), (1').
    fn add_windows(&self, words: &Spellings, dx: &Array2<F>, d_table: &mut Array2<F>) {
        let n_in = self.table.ncols();
        each_neighbour(words, |p, char, part| {
            let mut to = d_table.row_mut(char);
            to += &dx.slice(s![p, part * n_in..(part + 1) * n_in]);
        });
    }
}

/// Calls `f` with each place p, each character of the window around it, and which part of the window
/// that is.
fn each_neighbour(words: &Spellings, mut f: impl FnMut(usize, usize, usize)) {
    for u in 0..words.words() {
        let word = words.word(u);
        for p in word.clone() {
            for part in 0..3 {
                // The window begins one place before p.
                let q = (p + part).wrapping_sub(1);
                if word.contains(&q) {
                    f(p, words.chars()[q] as usize, part);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chars::tests::all_spellings;
    use crate::gradcheck::{assert_gradients, gradcheck, weighted_sum};
    use crate::params::Params;
    use crate::testing::{normal, vector};

    const C: usize = 5;
    const E: usize = 3;
    const M: usize = 4;

    fn layer() -> CharCnn<f64> {
        CharCnn { table: normal(0, C, E), w: normal(1, M, 3 * E), b: vector(2, M) }
    }

    #[test]
    fn backward_agrees_with_central_differences() {
        let layer = layer();
        for words in all_spellings() {
            let r = normal(3, words.words(), M);
            let mut grads = layer.zeros_like();
            let (_, cache) = layer.forward(&words);
            layer.backward(&words, cache, &r, &mut grads);
            let loss = |l: &CharCnn<f64>| weighted_sum(&l.forward(&words).0, &r);
            assert_gradients(&gradcheck(&layer, &grads, loss), 1e-8);
            assert_eq!(grads.table.row(4).sum(), 0.0, "character 4 does not occur");
        }
    }

    #[test]
    fn backward_adds_to_the_gradients_it_is_given() {
        let (layer, [words, ..]) = (layer(), all_spellings());
        let r = normal(3, words.words(), M);
        let run = |grads: &mut CharCnn<f64>| {
            layer.backward(&words, layer.forward(&words).1, &r, grads);
        };
        let [mut once, mut twice] = [layer.zeros_like(), layer.zeros_like()];
        run(&mut once);
        run(&mut twice);
        run(&mut twice);
        once.add(&once.clone());
        for (once, twice) in once.slices().into_iter().zip(twice.slices()) {
            assert!(once.iter().zip(twice).all(|(a, b)| (a - b).abs() < 1e-13));
        }
    }

    #[test]
    fn a_word_is_the_largest_answer_of_each_filter_to_its_padded_windows() {
        let layer = layer();
        let words = Spellings::new(vec![0, 1, 2], vec![0, 1, 3]);
        let (y, _) = layer.forward(&words);
        let zero = Array1::zeros(E);
        let row = |c: usize| layer.table.row(c).to_owned();
        let answer = |window: [&Array1<f64>; 3]| {
            let x = ndarray::concatenate(ndarray::Axis(0), &window.map(|e| e.view())).unwrap();
            (layer.w.dot(&x) + &layer.b).mapv(f64::tanh)
        };
        let (a, b, c) = (row(0), row(1), row(2));
        let (one, left, right) =
            (answer([&zero, &a, &zero]), answer([&zero, &b, &c]), answer([&b, &c, &zero]));
        for m in 0..M {
            assert!((y[[0, m]] - one[m]).abs() < 1e-15);
            assert!((y[[1, m]] - left[m].max(right[m])).abs() < 1e-15);
        }
    }
}
