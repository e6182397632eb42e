//! How likely tokens have a tag, and how likely two neighbours have two.
//!
//! ```text
//! P(y_t = j)                = α_t(j) β_t(j)
//! P(y_t = i, y_{t+1} = j)   = α_t(i) E_ij u_{t+1}(j)
//! ```
//!
//! in the letters of [`super::lattice`]. The tags of a sentence are a Markov chain: what a tag says of the one after next, it
//! says by way of the next. So the probability of any run of tags follows from these two,
//!
//! ```text
//! P(y_s … y_e) = P(y_s) Π_{t=s..e−1} P(y_t, y_{t+1}) / P(y_t)
//! ```

use ndarray::Array2;
use tensor::Real;

use super::chain::Chain;
use super::lattice::{Lattice, Sentence};
use crate::packing::Packing;

/// What the scores of one sentence say of its tags.
pub struct Neighbours<'a> {
    chain: &'a Chain,
    lattice: Lattice,
}

impl Chain {
    /// Sentence `r` of `scores` (N, K), by one forward–backward.
    ///
    /// # Panics
    /// If shapes do not fit, or the rules allow no tags at all for the sentence.
    pub fn neighbours<F: Real>(
        &self,
        scores: &Array2<F>,
        packing: &Packing,
        r: usize,
    ) -> Neighbours<'_> {
        let mut lattice = Lattice::default();
        lattice.forward(self, Sentence::new(scores, packing, r, self));
        lattice.backward(self);
        Neighbours { chain: self, lattice }
    }

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
}

impl Neighbours<'_> {
    /// P(y_t = j), from 0 to 1.
    pub fn tag(&self, t: usize, j: usize) -> f64 {
        self.lattice.p[t * self.chain.width() + j].min(1.0) // above 1 by rounding only
    }

    /// P(y_t = i, y_{t+1} = j), from 0 to 1.
    pub fn pair(&self, t: usize, i: usize, j: usize) -> f64 {
        let width = self.chain.width();
        let alpha = self.lattice.alpha[t * width + i];
        let u = self.lattice.u[(t + 1) * width + j];
        let p = match self.lattice.in_logs {
            true => (alpha + self.chain.transition(i, j) + u).exp(),
            false => alpha * self.chain.exp.to.get(i, j) * u,
        };
        p.min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::paths::{self, Case, any_case};
    use super::*;
    use proptest::prelude::*;

    /// P(a path does this), over all paths.
    fn share(case: &Case, does: impl Fn(&[u32]) -> bool) -> f64 {
        let paths = paths::all(&case.crf, &case.allowed, &case.rows);
        let log_z = paths::log_z(&paths);
        let hits = paths.iter().filter(|path| does(&path.tags));
        hits.map(|path| (path.score - log_z).exp()).sum()
    }

    proptest! {
        #[test]
        fn tokens_and_neighbours_have_the_shares_of_all_paths(case in any_case(), apart in any::<bool>()) {
            let mut case = case;
            if apart {
                // Too far apart for products: by way of logarithms.
                case.rows.column_mut(0).mapv_inplace(|s| s - 600.0);
            }
            let (n, k) = case.rows.dim();
            let packing = Packing::new(vec![n]);
            let chain = case.crf.chain(&case.allowed);
            let marginals = chain.marginals(&case.rows, &packing);
            let neighbours = chain.neighbours(&case.rows, &packing, 0);
            for t in 0..n {
                for j in 0..k {
                    let want = share(&case, |tags| tags[t] == j as u32);
                    prop_assert!((marginals[[t, j]] - want).abs() < 1e-10);
                    prop_assert!((neighbours.tag(t, j) - want).abs() < 1e-10);
                    for i in (0..k).filter(|_| t > 0) {
                        let p = neighbours.pair(t - 1, i, j);
                        let want = share(&case, |tags| tags[t - 1] == i as u32 && tags[t] == j as u32);
                        prop_assert!((p - want).abs() < 1e-10, "{p}, not {want}");
                    }
                }
            }
        }
    }
}
