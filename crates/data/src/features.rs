//! What can be seen of a word without knowing it: its case, its ends, its shape; and of a token: the
//! words around it. Each is a number (a hash); whoever uses it takes it modulo the rows of a table.
//!
//! The word's own features are those of spaCy's embedding (lower-cased form, prefix, suffix, shape), with
//! more ends; those around a token are the usual templates of CRF taggers such as CRFsuite's.

use crate::hash::{fnv1a, mix};

/// Names of a word's own features, in the order of [`Form::own`].
pub const OWN: [&str; 8] =
    ["lower", "prefix3", "suffix3", "shape", "prefix2", "suffix2", "prefix4", "suffix4"];

/// Number of a token's features; see [`window`].
pub const WINDOW: usize = 15;

/// The features of a word by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// One for each of [`OWN`]: the lower-cased word with digits as 0; the first and last 3 letters, case
    /// kept; the shape; the first and last 2 and 4 letters of the lower-cased word.
    pub own: [u64; OWN.len()],
}

const LOWER: usize = 0;
const SUFFIX3: usize = 2;
const SHAPE: usize = 3;

impl Form {
    /// The features of `word`.
    #[must_use]
    pub fn of(word: &str) -> Self {
        let lower: String = word.chars().flat_map(char::to_lowercase).map(zero_digit).collect();
        let parts = [
            &lower[..],
            first(word, 3),
            last(word, 3),
            &shape(word),
            first(&lower, 2),
            last(&lower, 2),
            first(&lower, 4),
            last(&lower, 4),
        ];
        let mut own = [0; OWN.len()];
        for (k, part) in parts.iter().enumerate() {
            own[k] = mix(fnv1a(std::iter::once(*part)));
        }
        Self { own }
    }
}

/// The features of token `t` of a sentence: lower-cased words at −2 … 2, each with its place; the pairs
/// (−2, −1), (−1, 0), (0, 1), (1, 2); the three words (−1, 0, 1); the shapes at −1, 0, 1 and the three
/// together; the last 3 letters of the word. What lies outside the sentence has a value of its own.
///
/// `form` gives the form of the word at a place of the sentence, `len` is its length.
pub fn window<'a>(t: usize, len: usize, form: impl Fn(usize) -> &'a Form) -> [u64; WINDOW] {
    let at = |offset: isize, part: usize| {
        let place = t.checked_add_signed(offset).filter(|&place| place < len);
        place.map_or(offset as u64 & 3, |place| form(place).own[part])
    };
    let word = [-2, -1, 0, 1, 2].map(|offset| at(offset, LOWER));
    let shape = [-1, 0, 1].map(|offset| at(offset, SHAPE));
    let mut features = [0; WINDOW];
    features[..5].copy_from_slice(&word);
    for k in 0..4 {
        features[5 + k] = join(word[k], word[k + 1]);
    }
    features[9] = join(join(word[1], word[2]), word[3]);
    features[10..13].copy_from_slice(&shape);
    features[13] = join(join(shape[0], shape[1]), shape[2]);
    features[14] = at(0, SUFFIX3);
    // The same value says another thing in another place.
    for (k, feature) in features.iter_mut().enumerate() {
        *feature = mix(*feature ^ (k as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }
    features
}

fn join(a: u64, b: u64) -> u64 {
    mix(a).rotate_left(23) ^ b
}

/// Capitals as X, other letters as x, digits as d, the rest as it is; runs are cut at 3.
#[must_use]
pub fn shape(word: &str) -> String {
    let mut shape = String::with_capacity(word.len());
    let (mut last, mut run) = ('\0', 0);
    for c in word.chars() {
        let kind = match c {
            c if c.is_uppercase() => 'X',
            c if c.is_alphabetic() => 'x',
            c if c.is_numeric() => 'd',
            c => c,
        };
        run = if kind == last { run + 1 } else { 1 };
        last = kind;
        if run <= 3 {
            shape.push(kind);
        }
    }
    shape
}

fn zero_digit(c: char) -> char {
    if c.is_numeric() { '0' } else { c }
}

fn first(word: &str, n: usize) -> &str {
    word.char_indices().nth(n).map_or(word, |(end, _)| &word[..end])
}

fn last(word: &str, n: usize) -> &str {
    word.char_indices().rev().nth(n - 1).map_or(word, |(start, _)| &word[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_cut_long_runs() {
        assert_eq!(shape("McDonald's-747"), "XxXxxx'x-ddd");
        assert_eq!(
            (shape("Łódź"), shape(""), shape("2,500,000")),
            ("Xxxx".into(), String::new(), "d,ddd,ddd".into())
        );
    }

    #[test]
    fn words_that_share_an_end_share_its_number_and_no_other() {
        let (a, b) = (Form::of("Jordan"), Form::of("Sudan"));
        assert_eq!(a.own[SUFFIX3], b.own[SUFFIX3]);
        assert_eq!(a.own.iter().zip(&b.own).filter(|(a, b)| a == b).count(), 3); // suffix 2 and 3, shape
        assert_eq!(Form::of("1999").own[LOWER], Form::of("2001").own[LOWER]);
        assert_eq!(Form::of("").own[LOWER], Form::of("").own[1]);
    }

    #[test]
    fn a_window_tells_places_apart_and_ends_at_the_sentence() {
        let forms: Vec<Form> = ["a", "b", "a", "b"].map(Form::of).into();
        let at = |t| window(t, forms.len(), |place| &forms[place]);
        let all: std::collections::HashSet<u64> = at(1).into_iter().collect();
        assert_eq!(all.len(), WINDOW, "no two features of a token are equal");
        assert_ne!(at(1), at(3));
        // The same words two to the left and right: the same features.
        let longer: Vec<Form> = ["b", "a", "b", "a", "b", "a"].map(Form::of).into();
        let other = window(3, 6, |place| &longer[place]);
        let third: Vec<Form> = ["b", "a", "b", "a", "b", "x"].map(Form::of).into();
        assert_ne!(other, window(3, 6, |place| &third[place]));
        let fourth: Vec<Form> = ["x", "a", "b", "a", "b", "a"].map(Form::of).into();
        assert_eq!(other, window(3, 6, |place| &fourth[place]));
    }
}
