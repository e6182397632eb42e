//! Conditional random field: the tags of a sentence are scored together (Lafferty, McCallum, Pereira 2001).
//!
//! ```text
//! T tokens · K tags · s scores (T, K) · A transitions · b start · e end · y the right tags
//! w the weight of the loss (1 / tokens of a batch) · dv is ∂L/∂v
//!
//! (1)  score(y) = b_{y_1} + Σ_t s_{t,y_t} + Σ_{t>1} A_{y_{t−1},y_t} + e_{y_T}
//! (2)  α_1(j) = b_j + s_1j      α_t(j) = s_tj + log Σ_i exp(α_{t−1}(i) + A_ij)
//! (3)  log Z = log Σ_y exp score(y) = log Σ_j exp(α_T(j) + e_j)
//! (4)  L = w Σ_sentences (log Z − score(y))
//!
//! (3') β_T(j) = e_j             P(y_t = j) = exp(α_t(j) + β_t(j) − log Z)
//! (2') β_{t−1}(i) = log Σ_j exp(A_ij + s_tj + β_t(j))
//!      P(y_{t−1} = i, y_t = j) = exp(α_{t−1}(i) + A_ij + s_tj + β_t(j) − log Z)
//! (1') ds_tj = w (P(y_t = j) − [y_t = j])
//!      dA_ij += w Σ_{t>1} (P(y_{t−1} = i, y_t = j) − [y_{t−1} = i, y_t = j])
//!      db_j += w (P(y_1 = j) − [y_1 = j])      de_j += w (P(y_T = j) − [y_T = j])
//! ```
//!
//! The gradient of log Z is what the model expects; that of the score is what is there. What breaks the
//! rules of the tag scheme has potential −∞: paths through it are no part of Z, no decoding gives
//! them, and its weight never gets a gradient. How (2) to (2') are computed: `lattice`.

use ndarray::{Array1, Array2};
use tensor::{Real, scratch};

use crate::packing::Packing;
use crate::params;

mod allowed;
mod blocks;
mod chain;
mod decode;
mod exp;
mod lattice;
mod logs;
mod neighbours;
#[cfg(test)]
mod paths;
mod scaled;

pub use allowed::Allowed;
pub use chain::Chain;
pub use decode::Path;
pub use neighbours::Neighbours;

use lattice::{Lattice, Pairs, Sentence};

/// Weights.
#[derive(Clone, Debug)]
pub struct Crf<F> {
    /// (K, K) [from, to]
    pub transitions: Array2<F>,
    /// (K) on the first token.
    pub start: Array1<F>,
    /// (K) on the last token.
    pub end: Array1<F>,
}

params!(Crf { transitions, start, end });

impl<F: Real> Crf<F> {
    /// All weights 0: at first only the rules speak.
    pub fn new(n_tags: usize) -> Self {
        let vector = || Array1::zeros(n_tags);
        Self { transitions: Array2::zeros((n_tags, n_tags)), start: vector(), end: vector() }
    }

    /// `scores` (N, K), right `tags` (N) → Σ_sentences −log p(tags), not weighted, and ds (N, K), weighted
    /// by `weight`. Adds to `grads`. The loss is never negative, and ∞ where tags break the rules.
    ///
    /// # Panics
    /// If shapes do not fit, or the rules allow no tags at all for a sentence.
    pub fn loss(
        &self,
        scores: Array2<F>,
        tags: &[u32],
        packing: &Packing,
        allowed: &Allowed,
        weight: F,
        grads: &mut Self,
    ) -> (f64, Array2<F>) {
        assert_eq!(tags.len(), packing.rows(), "one tag a row of scores");
        let chain = self.chain(allowed);
        let mut ds = scratch::take(scores.dim());
        let (mut loss, mut lattice, mut excess) = (0.0, Lattice::default(), Excess::new(&chain));
        for r in 0..packing.sentences() {
            let sentence = Sentence::new(&scores, packing, r, &chain);
            lattice.forward(&chain, sentence); // (2), (3)
            loss += lattice.negative_log_likelihood(&chain, sentence, tags); // (1), (4)
            lattice.backward(&chain); // (3'), (2')
            excess.add(&chain, &mut lattice, sentence.tags(tags));
            for (t, p) in lattice.p.chunks_exact(chain.width()).enumerate() {
                let ds_t = ds.row_mut(packing.row(r, t));
                ds_t.into_iter().zip(p).for_each(|(d, &p)| *d = weight * F::of(p)); // (1')
            }
        }
        excess.add_to(grads, &chain, allowed, weight);
        scratch::give(scores);
        (loss, ds)
    }
}

/// What the model expects less what is there, summed over sentences: (1') without the weight.
struct Excess {
    pairs: Pairs,
    start: Vec<f64>, // (K)
    end: Vec<f64>,   // (K)
}

impl Excess {
    fn new(chain: &Chain) -> Self {
        let zeros = vec![0.0; chain.n_tags()];
        Self { pairs: Pairs::new(chain), start: zeros.clone(), end: zeros }
    }

    /// Takes a lattice after `backward`; leaves P(y_t = j) − [y_t = j] in its `p`.
    fn add(&mut self, chain: &Chain, lattice: &mut Lattice, tags: impl Iterator<Item = usize>) {
        lattice.add_pairs(chain, &mut self.pairs);
        let (width, mut prev) = (chain.width(), None);
        for (t, j) in tags.enumerate() {
            lattice.p[t * width + j] -= 1.0; // (1')
            if let Some(i) = prev {
                self.pairs.subtract(i, j); // (1')
            }
            prev = Some(j);
        }
        let last = lattice.p.len() - width;
        self.start.iter_mut().zip(&lattice.p).for_each(|(sum, p)| *sum += p);
        self.end.iter_mut().zip(&lattice.p[last..]).for_each(|(sum, p)| *sum += p);
    }

    /// (1') for the weights; what is forbidden has no gradient, even where the right tags break the rules.
    fn add_to<F: Real>(mut self, grads: &mut Crf<F>, chain: &Chain, allowed: &Allowed, weight: F) {
        self.pairs.each(chain, |i, j, sum| {
            grads.transitions[[i, j]] += weight * F::of(sum); // (1')
        });
        let edges = [
            (&mut grads.start, &allowed.start, self.start),
            (&mut grads.end, &allowed.end, self.end),
        ];
        for (grads, allowed, sums) in edges {
            for ((d, sum), _) in grads.iter_mut().zip(sums).zip(allowed).filter(|(_, a)| **a) {
                *d += weight * F::of(sum); // (1')
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::paths::{self, K, all_rules, any_case, crf, iob2, legal_tags};
    use super::*;
    use crate::gradcheck::{assert_gradients, gradcheck, gradcheck_input};
    use crate::params::Params;
    use crate::testing::{LENGTHS, normal};
    use proptest::prelude::*;

    fn check_gradients(allowed: &Allowed, scores: &Array2<f64>, packing: &Packing) {
        let (crf, tags, weight) = (crf(0), legal_tags(allowed, packing), 1.0 / 7.0);
        let loss = |crf: &Crf<f64>, scores: &Array2<f64>| {
            let mut unused = crf.zeros_like();
            weight * crf.loss(scores.clone(), &tags, packing, allowed, weight, &mut unused).0
        };
        let mut grads = crf.zeros_like();
        let ds = crf.loss(scores.clone(), &tags, packing, allowed, weight, &mut grads).1;
        let mut checks = gradcheck(&crf, &grads, |crf| loss(crf, scores));
        checks.push(gradcheck_input("ds", scores, &ds, |scores| loss(&crf, scores)));
        assert_gradients(&checks, 1e-8);
    }

    #[test]
    fn every_gradient_agrees_with_central_differences() {
        for lengths in LENGTHS {
            let packing = Packing::new(lengths.to_vec());
            for allowed in all_rules() {
                check_gradients(&allowed, &(normal(5, packing.rows(), K) * 3.0), &packing);
            }
        }
    }

    #[test]
    fn every_gradient_agrees_with_central_differences_where_scores_lie_too_far_apart_for_products()
    {
        for lengths in LENGTHS {
            let packing = Packing::new(lengths.to_vec());
            let mut scores = normal(5, packing.rows(), K) * 3.0;
            scores.column_mut(1).mapv_inplace(|s| s - 600.0);
            check_gradients(&iob2(), &scores, &packing);
        }
    }

    #[test]
    fn loss_and_gradients_are_those_of_all_paths_written_out() {
        for (case, lengths) in (0..).zip(LENGTHS) {
            let (crf, packing) = (crf(10 * case), Packing::new(lengths.to_vec()));
            for allowed in all_rules() {
                let scores = normal(5, packing.rows(), K) * 3.0;
                let tags = legal_tags(&allowed, &packing);
                let mut grads = crf.zeros_like();
                let (loss, ds) =
                    crf.loss(scores.clone(), &tags, &packing, &allowed, 1.0, &mut grads);

                let (mut want_loss, mut want) = (0.0, crf.zeros_like());
                for (r, &n) in lengths.iter().enumerate() {
                    let rows = paths::sentence(&scores, &packing, r);
                    let paths = paths::all(&crf, &allowed, &rows);
                    let right: Vec<u32> = (0..n).map(|t| tags[packing.row(r, t)]).collect();
                    let mut want_ds = Array2::zeros((n, K));
                    let log_z = paths::log_z(&paths);
                    for path in &paths {
                        let p = (path.score - log_z).exp();
                        paths::count(&path.tags, p, &mut want_ds, &mut want);
                    }
                    paths::count(&right, -1.0, &mut want_ds, &mut want);
                    want_loss += log_z - paths::score(&crf, &rows, &right);
                    approx::assert_abs_diff_eq!(
                        paths::sentence(&ds, &packing, r),
                        want_ds,
                        epsilon = 1e-12
                    );
                }
                assert!((loss - want_loss).abs() < 1e-11, "{loss}, not {want_loss}");
                for ((name, got), (_, want)) in grads.tensors().into_iter().zip(want.tensors()) {
                    let worst = (&got - &want).iter().fold(0.0, |top: f64, d| top.max(d.abs()));
                    assert!(worst < 1e-11, "{name}: {got} is not {want}");
                }
            }
        }
    }

    #[test]
    fn tags_that_break_the_rules_have_an_infinite_loss_and_forbidden_weights_no_gradient() {
        let (crf, packing, allowed) = (crf(0), Packing::new(vec![3]), iob2());
        let mut grads = crf.zeros_like();
        let scores = normal(5, 3, K);
        let tags = [2, 3, 2]; // I-a at the start and after B-b
        let (loss, ds) = crf.loss(scores, &tags, &packing, &allowed, 1.0, &mut grads);
        assert_eq!(loss, f64::INFINITY);
        assert!(ds.iter().all(|d| d.is_finite()));
        let pairs = grads.transitions.iter().zip(&allowed.transitions);
        assert!(pairs.filter(|(_, allowed)| !**allowed).all(|(d, _)| *d == 0.0));
        assert_eq!(grads.start[2], 0.0);
        assert!(grads.transitions[[2, 3]] < 0.0, "this pair of the right tags is allowed");
    }

    #[test]
    fn the_loss_adds_to_the_gradients_it_is_given() {
        let (crf, packing) = (crf(0), Packing::new(vec![4, 2]));
        let tags = legal_tags(&iob2(), &packing);
        let run = |grads: &mut Crf<f64>| {
            crf.loss(normal(5, 6, K), &tags, &packing, &iob2(), 1.0, grads);
        };
        let [mut once, mut twice] = [crf.zeros_like(), crf.zeros_like()];
        run(&mut once);
        run(&mut twice);
        run(&mut twice);
        once.add(&once.clone());
        assert_eq!(once.slices(), twice.slices());
        assert!(once.slices().iter().all(|slice| slice.iter().any(|&d| d != 0.0)));
    }

    #[test]
    fn a_sentence_has_the_same_numbers_to_the_bit_alone_and_beside_others() {
        let packing = Packing::new(vec![5, 3, 3, 1]);
        let crf = Crf {
            transitions: crf(0).transitions.mapv(|w| w as f32),
            start: crf(0).start.mapv(|w| w as f32),
            end: crf(0).end.mapv(|w| w as f32),
        };
        let (allowed, tags) = (iob2(), legal_tags(&iob2(), &packing));
        let mut scores = normal(5, packing.rows(), K).mapv(|s| 4.0 * s as f32);
        scores[[packing.row(1, 1), 1]] = -700.0; // sentence 1 takes the way of logarithms
        let run = |scores: Array2<f32>, tags: &[u32], packing: &Packing| {
            crf.loss(scores, tags, packing, &allowed, 0.1, &mut crf.zeros_like())
        };
        let (loss, ds) = run(scores.clone(), &tags, &packing);
        let mut sum = 0.0;
        for (r, &n) in packing.lengths().iter().enumerate() {
            let right: Vec<u32> = (0..n).map(|t| tags[packing.row(r, t)]).collect();
            let rows = paths::sentence(&scores, &packing, r);
            let (alone, ds_alone) = run(rows, &right, &Packing::new(vec![n]));
            assert_eq!(ds_alone, paths::sentence(&ds, &packing, r));
            sum += alone;
        }
        assert_eq!(loss, sum);
    }

    #[test]
    fn ten_thousand_tokens_with_scores_of_a_thousand_stay_exact_in_f32() {
        let (n, packing) = (10_000, Packing::new(vec![10_000]));
        for bound in [10.0, 1000.0] {
            let scores = normal(5, n, K).mapv(|s| (bound * s) as f32);
            let crf = Crf::<f32>::new(K);
            let best = iob2().chain().viterbi(&scores, &packing);
            let mut grads = crf.zeros_like();
            let (loss, ds) = crf.loss(scores.clone(), &best, &packing, &iob2(), 1.0, &mut grads);
            // The best tags: none is likelier, and each token is tagged one of K ways.
            assert!((0.0..n as f64 * (K as f64).ln()).contains(&loss), "{loss}");
            for (row, &tag) in ds.rows().into_iter().zip(&best) {
                assert!(row.sum().abs() < 1e-6 && row[tag as usize] < 1e-9, "{row}");
            }
            assert!(grads.transitions.sum().abs() < 1e-2);
        }
    }

    #[test]
    #[should_panic(expected = "the rules allow no tags for a sentence of 1 tokens")]
    fn a_sentence_that_the_rules_leave_no_tags_for_is_refused() {
        let iobe = paths::iobe();
        let mut start = iobe.start.clone();
        start[0] = false;
        let allowed = Allowed::new(iobe.transitions, start, iobe.end);
        let (crf, packing) = (crf(0), Packing::new(vec![2, 1]));
        crf.loss(normal(5, 3, K), &[1, 0, 3], &packing, &allowed, 1.0, &mut crf.zeros_like());
    }

    #[test]
    fn scores_that_are_not_numbers_make_the_loss_not_a_number() {
        let (crf, packing) = (crf(0), Packing::new(vec![2]));
        let scores = ndarray::array![[0.0, f64::NAN, 0.0, 0.0], [0.0, 1.0, 2.0, 3.0]];
        let (loss, _) = crf.loss(scores, &[1, 2], &packing, &iob2(), 1.0, &mut crf.zeros_like());
        assert!(loss.is_nan());
    }

    proptest! {
        #[test]
        fn the_loss_is_never_negative_and_log_z_is_that_of_all_paths(case in any_case()) {
            let packing = Packing::new(vec![case.rows.nrows()]);
            let paths = paths::all(&case.crf, &case.allowed, &case.rows);
            let chain = case.crf.chain(&case.allowed);
            let log_z = chain.log_partitions(&case.rows, &packing)[0];
            let want = paths::log_z(&paths);
            prop_assert!((log_z - want).abs() <= 1e-13 * want.abs().max(100.0), "{log_z}, not {want}");
            for path in &paths {
                let nll = chain.negative_log_likelihoods(&case.rows, &path.tags, &packing)[0];
                let want = (want - path.score).max(0.0);
                prop_assert!(nll >= 0.0);
                prop_assert!((nll - want).abs() <= 1e-12 * want.max(1000.0), "{nll}, not {want}");
            }
        }
    }
}
