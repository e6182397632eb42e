//! How likely tokens have a tag, and how likely a stretch of them is an entity.
//!
//! ```text
//! a span of tokens s … e (both inside) with tags y_s … y_e, and the set C of tags that, right after
//! it, would not carry it on:
//!
//! P(y_s … y_e, y_{e+1} ∈ C)
//!     = α_s(y_s) · Π_{t=s+1..e} E_{y_{t−1} y_t} ê_t(y_t) · Σ_{j∈C} E_{y_e j} b_{e+1}(j)
//! ```
//!
//! in the letters of [`super::lattice`]; at the end of the sentence the last sum is β_T(y_e). Tokens that a
//! softmax tags one by one are independent: there it is a product of token probabilities.

use ndarray::Array2;
use tensor::{Real, log_sum_exp};

use super::chain::Chain;
use super::lattice::{Lattice, Sentence};
use crate::packing::Packing;

/// An entity whose probability is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Span<'a> {
    /// First token, from 0.
    pub start: usize,
    /// Tag of each of its tokens.
    pub tags: &'a [u32],
    /// (K) which tags, on the token right after it, would not carry the entity on.
    pub after: &'a [bool],
}

impl Span<'_> {
    /// The token right after it.
    pub fn end(&self) -> usize {
        self.start + self.tags.len()
    }

    fn check(&self, n_tokens: usize, n_tags: usize) {
        let (start, end) = (self.start, self.end());
        assert!(
            start < end && end <= n_tokens,
            "a span {start}..{end} in a sentence of {n_tokens} tokens"
        );
        assert_eq!(self.after.len(), n_tags, "a span says of each tag whether it may follow");
    }
}

impl Chain {
    /// `scores` (N, K) → log Z of each sentence.
    pub fn log_partitions<F: Real>(&self, scores: &Array2<F>, packing: &Packing) -> Vec<f64> {
        let mut lattice = Lattice::default();
        let sentences = (0..packing.sentences()).map(|r| Sentence::new(scores, packing, r, self));
        sentences.map(|sentence| lattice.forward(self, sentence)).collect()
    }

    /// `scores` (N, K), right `tags` (N) → −log p of the tags of each sentence, ∞ where they break the
    /// rules: the loss of [`super::Crf::loss`] without its gradient.
    ///
    /// # Panics
    /// If shapes do not fit, or the rules allow no tags at all for a sentence.
    pub fn negative_log_likelihoods<F: Real>(
        &self,
        scores: &Array2<F>,
        tags: &[u32],
        packing: &Packing,
    ) -> Vec<f64> {
        assert_eq!(tags.len(), packing.rows(), "one tag a row of scores");
        let mut lattice = Lattice::default();
        let sentences = (0..packing.sentences()).map(|r| Sentence::new(scores, packing, r, self));
        let nll = |sentence| {
            lattice.forward(self, sentence);
            lattice.negative_log_likelihood(self, sentence, tags)
        };
        sentences.map(nll).collect()
    }

    /// `scores` (N, K) → P(y_t = j) for each token and tag (N, K).
    pub fn marginals<F: Real>(&self, scores: &Array2<F>, packing: &Packing) -> Array2<F> {
        let mut marginals = Array2::zeros(scores.raw_dim());
        let mut lattice = Lattice::default();
        for r in 0..packing.sentences() {
            lattice.forward(self, Sentence::new(scores, packing, r, self));
            lattice.backward(self);
            for (t, p) in lattice.p.chunks_exact(self.width()).enumerate() {
                let row = marginals.row_mut(packing.row(r, t));
                row.into_iter().zip(p).for_each(|(m, &p)| *m = F::of(p.min(1.0)));
            }
        }
        marginals
    }

    /// The probability of each of `spans` in sentence `r` of `scores` (N, K): that its tokens have its
    /// tags and that it ends where it ends.
    ///
    /// # Panics
    /// If a span does not lie in the sentence.
    pub fn span_probabilities<F: Real>(
        &self,
        scores: &Array2<F>,
        packing: &Packing,
        r: usize,
        spans: &[Span<'_>],
    ) -> Vec<f64> {
        let sentence = Sentence::new(scores, packing, r, self);
        let mut lattice = Lattice::default();
        lattice.forward(self, sentence);
        lattice.backward(self);
        let probability = |span: &Span<'_>| {
            span.check(sentence.len(), self.n_tags());
            lattice.log_span(self, sentence, span).exp().min(1.0) // above 1 by rounding only
        };
        spans.iter().map(probability).collect()
    }
}

impl Lattice {
    /// The logarithm of the product at the top of this file. Logarithms, so that no part of it
    /// vanishes before it meets a large one.
    fn log_span<F: Real>(&self, chain: &Chain, sentence: Sentence<'_, F>, span: &Span<'_>) -> f64 {
        let tag = |t: usize| span.tags[t - span.start] as usize;
        let inside = (span.start + 1..span.end()).map(|t| {
            chain.transition(tag(t - 1), tag(t)) + sentence.row(t)[tag(t)].f64() - self.log_c[t]
        });
        self.log_alpha(chain, span.start, tag(span.start))
            + inside.sum::<f64>()
            + self.log_closing(chain, tag(span.end() - 1), span.end(), span.after)
    }

    /// log α_t(j).
    fn log_alpha(&self, chain: &Chain, t: usize, j: usize) -> f64 {
        let alpha = self.alpha[t * chain.width() + j];
        if self.in_logs { alpha } else { alpha.ln() }
    }

    /// log Σ_{j∈C} E_ij b_t(j), or log β_T(i) where the sentence has no token t.
    fn log_closing(&self, chain: &Chain, i: usize, t: usize, after: &[bool]) -> f64 {
        if t + 1 == self.log_c.len() {
            return chain.end[i] - self.log_c[t];
        }
        let term = |(j, _): (usize, _)| {
            let b = self.b[t * chain.width() + j];
            chain.transition(i, j)
                + if self.in_logs { b } else { b.ln() - chain.exp.top_transition }
        };
        let closing = after.iter().enumerate().filter(|&(_, &closes)| closes);
        log_sum_exp(&closing.map(term).collect::<Vec<_>>())
    }
}

/// The same for tokens that are tagged one by one: `probabilities` (N, K) as
/// [`crate::softmax::probabilities`] gives them.
///
/// # Panics
/// If a span does not lie in the sentence.
pub fn independent_span_probabilities<F: Real>(
    probabilities: &Array2<F>,
    packing: &Packing,
    r: usize,
    spans: &[Span<'_>],
) -> Vec<f64> {
    assert_eq!(probabilities.nrows(), packing.rows(), "one row a token");
    let n = packing.lengths()[r];
    let p = |t: usize, j: usize| probabilities[[packing.row(r, t), j]].f64();
    let probability = |span: &Span<'_>| {
        span.check(n, probabilities.ncols());
        let tokens = span.start..span.end();
        let inside: f64 = tokens.zip(span.tags).map(|(t, &tag)| p(t, tag as usize)).product();
        let carried_on: f64 = match span.end() {
            end if end == n => 0.0,
            end => (0..span.after.len()).filter(|&j| !span.after[j]).map(|j| p(end, j)).sum(),
        };
        inside * (1.0 - carried_on).max(0.0)
    };
    spans.iter().map(probability).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Allowed;
    use super::super::paths::{self, Case, K, any_case, crf, iob2};
    use super::*;
    use crate::softmax;
    use crate::testing::normal;
    use proptest::prelude::*;

    /// P(a path does this), over all paths.
    fn share(case: &Case, does: impl Fn(&[u32]) -> bool) -> f64 {
        let paths = paths::all(&case.crf, &case.allowed, &case.rows);
        let log_z = paths::log_z(&paths);
        let hits = paths.iter().filter(|path| does(&path.tags));
        hits.map(|path| (path.score - log_z).exp()).sum()
    }

    fn has(tags: &[u32], span: &Span<'_>) -> bool {
        let next = tags.get(span.end());
        tags[span.start..span.end()] == *span.tags
            && next.is_none_or(|&tag| span.after[tag as usize])
    }

    #[test]
    fn the_probabilities_of_all_entities_of_a_token_add_up_to_its_own() {
        // B-a, I-a … ending anywhere, or B-b: together P(the first token is no O).
        let (rows, packing) = (normal(5, 5, K) * 2.0, Packing::new(vec![5]));
        let chain = crf(0).chain(&iob2());
        let inside: Vec<u32> = [1].into_iter().chain([2; 4]).collect();
        let not_inside = [true, true, false, true];
        let b = Span { start: 0, tags: &[3], after: &[true; K] };
        let spans: Vec<_> = (1..=5)
            .map(|n| Span { start: 0, tags: &inside[..n], after: &not_inside })
            .chain([b])
            .collect();
        let sum: f64 = chain.span_probabilities(&rows, &packing, 0, &spans).iter().sum();
        let o = chain.marginals(&rows, &packing)[[0, 0]];
        assert!((sum + o - 1.0).abs() < 1e-12);
    }

    #[test]
    fn spans_of_a_softmax_are_products_of_token_probabilities() {
        let packing = Packing::new(vec![3, 1]);
        let p = softmax::probabilities(normal(5, 4, K) * 2.0);
        let after = [true, true, false, true];
        let spans = [
            Span { start: 0, tags: &[1, 2], after: &after },
            Span { start: 1, tags: &[1, 2], after: &after },
        ];
        // Sentence 0 has rows 0, 2, 3.
        let want = [p[[0, 1]] * p[[2, 2]] * (1.0 - p[[3, 2]]), p[[2, 1]] * p[[3, 2]]];
        let got = independent_span_probabilities(&p, &packing, 0, &spans);
        assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-15), "{got:?}");
        // A chain without rules and weights says the same.
        let scores = p.mapv(f64::ln);
        let chain = Allowed::all(K).chain().span_probabilities(&scores, &packing, 0, &spans);
        assert!(chain.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-14), "{chain:?}");
    }

    #[test]
    #[should_panic(expected = "a span 2..4 in a sentence of 3 tokens")]
    fn a_span_outside_its_sentence_is_refused() {
        let span = Span { start: 2, tags: &[1, 2], after: &[true; K] };
        let packing = Packing::new(vec![4, 3]);
        crf(0).chain(&iob2()).span_probabilities(&normal(5, 7, K), &packing, 1, &[span]);
    }

    proptest! {
        #[test]
        fn marginals_and_span_probabilities_are_those_of_all_paths(
            case in any_case(),
            place in (0..5usize, 1..=5usize),
            tags in prop::collection::vec(0..K as u32, 5),
            after in prop::collection::vec(any::<bool>(), K),
        ) {
            let (n, k) = case.rows.dim();
            let packing = Packing::new(vec![n]);
            let chain = case.crf.chain(&case.allowed);
            let marginals = chain.marginals(&case.rows, &packing);
            for ((t, j), p) in marginals.indexed_iter() {
                let want = share(&case, |tags| tags[t] == j as u32);
                prop_assert!((p - want).abs() < 1e-10, "{p}, not {want}");
            }
            let start = place.0 % n;
            let length = place.1.min(n - start);
            let tags: Vec<u32> = tags[..length].iter().map(|tag| tag % k as u32).collect();
            let span = Span { start, tags: &tags, after: &after[..k] };
            let p = chain.span_probabilities(&case.rows, &packing, 0, &[span])[0];
            let want = share(&case, |tags| has(tags, &span));
            prop_assert!((p - want).abs() < 1e-10, "{p}, not {want}");
        }
    }
}
