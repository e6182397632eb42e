//! The spelling of words: what the character layers read, and how words become tokens again.
//!
//! Each distinct word of a batch is spelled once, however many tokens it has.
//!
//! ```text
//! U words · N tokens · D columns · dv is ∂L/∂v
//!
//! (1)  x_n = y_{u(n)}                       (N, D)  u(n) is the word of token n
//! (1') dy_u = Σ_{n: u(n) = u} dx_n          (U, D)  from the first token to the last
//! ```

use std::ops::Range;

use ndarray::Array2;
use tensor::Real;

/// The distinct words of a batch, as characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spellings {
    chars: Vec<u32>,
    /// First character of each word, and at the end the number of characters.
    starts: Vec<usize>,
}

impl Spellings {
    /// Words whose characters are `chars` (P), word u those from `starts[u]` to `starts[u + 1]`.
    ///
    /// # Panics
    /// If a word is empty or the last one does not end with the characters.
    pub fn new(chars: Vec<u32>, starts: Vec<usize>) -> Self {
        assert!(starts.is_sorted_by(|a, b| a < b), "a word has at least one character: {starts:?}");
        let ends = (starts.first(), starts.last());
        assert_eq!(ends, (Some(&0), Some(&chars.len())), "words are made of all characters");
        Self { chars, starts }
    }

    /// Number of words, U.
    pub fn words(&self) -> usize {
        self.starts.len() - 1
    }

    /// Characters of all words, one word after the other (P).
    pub fn chars(&self) -> &[u32] {
        &self.chars
    }

    /// Where the characters of word `u` stand.
    pub fn word(&self, u: usize) -> Range<usize> {
        self.starts[u]..self.starts[u + 1]
    }

    /// Number of characters of each word.
    pub fn lengths(&self) -> Vec<usize> {
        self.starts.windows(2).map(|w| w[1] - w[0]).collect()
    }
}

/// (1): `y` (U, D), the word of each token (N) → x (N, D).
///
/// # Panics
/// If there is no such word.
pub fn tokens_of_words<F: Real>(y: &Array2<F>, word_of: &[u32]) -> Array2<F> {
    let words: Vec<usize> = word_of.iter().map(|&u| u as usize).collect();
    y.select(ndarray::Axis(0), &words)
}

/// (1'): `dx` (N, D) → dy (U, D).
///
/// # Panics
/// If there is not one word a row of `dx`, or a word is not below `n_words`.
pub fn words_of_tokens<F: Real>(dx: &Array2<F>, word_of: &[u32], n_words: usize) -> Array2<F> {
    assert_eq!(dx.nrows(), word_of.len(), "dx has a row a token");
    let mut dy = Array2::zeros((n_words, dx.ncols()));
    for (&u, dx_n) in word_of.iter().zip(dx.rows()) {
        let mut dy_u = dy.row_mut(u as usize);
        dy_u += &dx_n;
    }
    dy
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::gradcheck::{assert_gradients, gradcheck_input, weighted_sum};
    use crate::testing::normal;

    /// Words that every character layer is checked with, by falling length: ragged, with repeated
    /// characters; a single character; two words of one length. Characters are below 5, 4 is never used.
    pub(crate) fn all_spellings() -> [Spellings; 3] {
        [
            Spellings::new(vec![0, 1, 2, 1, 0, 3, 3, 1, 2, 1, 3], vec![0, 5, 8, 10, 11]),
            Spellings::new(vec![3], vec![0, 1]),
            Spellings::new(vec![2, 2, 0, 1], vec![0, 2, 4]),
        ]
    }

    #[test]
    fn backward_agrees_with_central_differences_for_words_of_no_one_and_several_tokens() {
        let (y, r, word_of) = (normal(0, 4, 3), normal(1, 5, 3), [2, 0, 2, 2, 3]);
        let dy = words_of_tokens(&r, &word_of, 4);
        let loss = |y: &Array2<f64>| weighted_sum(&tokens_of_words(y, &word_of), &r);
        assert_gradients(&[gradcheck_input("dy", &y, &dy, loss)], 1e-8);
    }

    #[test]
    #[should_panic(expected = "a word has at least one character")]
    fn an_empty_word_is_refused() {
        Spellings::new(vec![0, 1], vec![0, 1, 1, 2]);
    }
}
