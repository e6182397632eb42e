//! Forward–backward over one sentence.
//!
//! ```text
//! ψ = exp s    E = exp A          b, e: scores of the first and of the last tag, as in [`super`]
//!
//! (2)  a_1(j) = ψ_1(j) exp b_j    a_t(j) = ψ_t(j) Σ_i α_{t−1}(i) E_ij
//!      c_t = Σ_j a_t(j)           α_t = a_t / c_t     ψ̂_t = ψ_t / c_t
//! (3)  c_{T+1} = Σ_j α_T(j) exp e_j                   log Z = Σ_t log c_t
//!
//! (3') β_T(j) = exp e_j / c_{T+1}
//!      P(y_t = j) = α_t(j) β_t(j)
//! (2') u_t = ψ̂_t ⊙ β_t            β_{t−1}(i) = Σ_j E_ij u_t(j)
//!      P(y_{t−1} = i, y_t = j) = α_{t−1}(i) E_ij u_t(j)
//! ```
//!
//! The equations of [`super`], scaled so that the α of each step add up to 1 and no number grows or
//! shrinks with the sentence.
//!
//! [`scaled`] does this with powers of e and products; a sentence whose scores lie too far apart for
//! that goes through [`logs`], where each number is kept as its logarithm and a sum is a
//! log-sum-exp. Which of the two is used depends on the sentence and the weights alone.

use ndarray::Array2;
use tensor::Real;

use super::blocks::Blocks;
use super::chain::Chain;
use super::scaled::Products;
use super::{logs, scaled};
use crate::packing::Packing;

/// The scores of one sentence of a packed batch.
#[derive(Clone, Copy)]
pub(super) struct Sentence<'a, F> {
    scores: &'a [F],
    n_tags: usize,
    packing: &'a Packing,
    r: usize,
}

impl<'a, F: Real> Sentence<'a, F> {
    /// Sentence `r` of `scores` (N, K).
    pub fn new(scores: &'a Array2<F>, packing: &'a Packing, r: usize, chain: &Chain) -> Self {
        assert_eq!(scores.dim(), (packing.rows(), chain.n_tags()), "scores are (tokens, tags)");
        let n_tags = chain.n_tags();
        Self { scores: scores.as_slice().expect("row-major"), n_tags, packing, r }
    }

    /// Number of tokens, T.
    pub fn len(&self) -> usize {
        self.packing.lengths()[self.r]
    }

    /// Scores of token `t` (K).
    pub fn row(&self, t: usize) -> &'a [F] {
        let row = self.packing.row(self.r, t);
        &self.scores[row * self.n_tags..][..self.n_tags]
    }

    /// The sentence's tags among `tags` (N), first to last.
    pub fn tags(&self, tags: &'a [u32]) -> impl Iterator<Item = usize> + use<'a, F> {
        let (packing, r) = (self.packing, self.r);
        (0..packing.lengths()[r]).map(move |t| tags[packing.row(r, t)] as usize)
    }
}

/// What forward–backward found; used again for sentence after sentence. Rows are P wide, the columns
/// from K on mean nothing.
#[derive(Default)]
pub(super) struct Lattice {
    /// Whether α, ψ̂ and u hold logarithms.
    pub in_logs: bool,
    /// (T, P) ψ̂.
    pub psi: Vec<f64>,
    /// (T, P)
    pub alpha: Vec<f64>,
    /// (T, P) u; row 0 is not used.
    pub u: Vec<f64>,
    /// (T, P) P(y_t = j), never a logarithm.
    pub p: Vec<f64>,
    /// (P) β of the step at hand.
    pub beta: Vec<f64>,
    /// (T + 1) log c_t.
    pub log_c: Vec<f64>,
}

impl Lattice {
    /// (2) and (3): `psi`, `alpha` and `log_c`. Returns log Z.
    ///
    /// # Panics
    /// If the rules allow no path of this length.
    pub fn forward<F: Real>(&mut self, chain: &Chain, sentence: Sentence<'_, F>) -> f64 {
        let n = sentence.len();
        chain.assert_path(n);
        for matrix in [&mut self.psi, &mut self.alpha] {
            matrix.resize(n * chain.width(), 0.0);
        }
        self.log_c.resize(n + 1, 0.0);
        self.in_logs = !scaled::forward(self, chain, sentence);
        if self.in_logs {
            logs::forward(self, chain, sentence);
        }
        self.log_c.iter().sum()
    }

    /// (3') and (2'): `u` and `p`, after [`Lattice::forward`].
    pub fn backward(&mut self, chain: &Chain) {
        for matrix in [&mut self.u, &mut self.p] {
            matrix.resize(self.alpha.len(), 0.0);
        }
        match self.in_logs {
            false => scaled::backward(self, chain),
            true => logs::backward(self, chain),
        }
    }

    /// Adds Σ_t P(y_{t−1} = i, y_t = j) to `pairs`.
    pub fn add_pairs(&self, chain: &Chain, pairs: &mut Pairs) {
        match self.in_logs {
            false => scaled::add_pairs(self, chain, &mut pairs.over_e),
            true => logs::add_pairs(self, chain, &mut pairs.whole),
        }
    }

    /// log Z − score of the path `tags`, after [`Lattice::forward`]; never negative. ∞ if the rules
    /// forbid the path.
    pub fn negative_log_likelihood<F: Real>(
        &self,
        chain: &Chain,
        sentence: Sentence<'_, F>,
        tags: &[u32],
    ) -> f64 {
        let (mut nll, mut sizes, mut prev) = (0.0, 0.0, None);
        let mut add = |log_c: f64, score: f64, potential: f64| {
            nll += log_c - score - potential;
            sizes += log_c.abs() + score.abs() + potential.abs();
        };
        for (t, j) in sentence.tags(tags).enumerate() {
            let potential = prev.map_or(chain.start[j], |i| chain.transition(i, j));
            add(self.log_c[t], sentence.row(t)[j].f64(), potential);
            prev = Some(j);
        }
        let last = prev.expect("a sentence has at least one token");
        add(self.log_c[sentence.len()], 0.0, chain.end[last]);
        if nll.is_nan() || nll >= 0.0 {
            return nll;
        }
        // Z contains the path itself, so only rounding can take the difference below 0: at most half a
        // unit in the last place for each number and each sum. A log c_t is such a sum, with the largest score and
        // potential of its step, also those of tags that are forbidden or off the path. Anything more would be a
        // mistake here.
        let exp = &chain.exp;
        for t in 0..sentence.len() {
            sizes += sentence.row(t).iter().fold(0.0, |top: f64, s| top.max(s.f64().abs()));
            sizes += if t == 0 { exp.top_start.abs() } else { exp.top_transition.abs() };
        }
        let rounding = f64::EPSILON * (sentence.len() + 4) as f64 * (sizes + exp.top_end.abs());
        debug_assert!(nll >= -rounding, "log Z is below a path's score by {}", -nll);
        if nll >= -rounding { 0.0 } else { nll }
    }
}

/// Σ over tokens and sentences of P(y_{t−1} = i, y_t = j), where the transitions are kept.
pub(super) struct Pairs {
    /// (K, K) Σ α_{t−1}(i) u_t(j): the sum without its factor E_ij, which waits until the end.
    over_e: Products,
    /// (K, K) what came by way of logarithms, and what was taken off.
    whole: Blocks,
}

impl Pairs {
    pub fn new(chain: &Chain) -> Self {
        Self { over_e: Products::new(chain), whole: chain.exp.to.zeros_like() }
    }

    /// Takes 1 off the sum for `from`, `to`.
    pub fn subtract(&mut self, from: usize, to: usize) {
        if let Some(sum) = self.whole.get_mut(from, to) {
            *sum -= 1.0;
        }
    }

    /// Gives each allowed `from`, `to` with its sum to `f`.
    pub fn each(&mut self, chain: &Chain, mut f: impl FnMut(usize, usize, f64)) {
        let potentials = chain.log_to.each().zip(chain.exp.to.each());
        let sums = self.whole.each().zip(self.over_e.sums().each());
        for (((block, a), (_, e)), ((_, whole), (_, over_e))) in potentials.zip(sums) {
            for (r, &i) in block.rows.iter().enumerate() {
                for (l, &j) in block.columns.iter().enumerate() {
                    if a[r][l] > f64::NEG_INFINITY {
                        f(i as usize, j as usize, whole[r][l] + over_e[r][l] * e[r][l]);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Allowed;
    use super::super::paths::{K, all_rules, crf};
    use super::*;
    use crate::testing::{LENGTHS, normal};

    /// log Z, p and the sums over pairs, by the way asked for.
    fn run(chain: &Chain, scores: &Array2<f64>, n: usize, by_logs: bool) -> (f64, Vec<f64>) {
        let packing = Packing::new(vec![n]);
        let sentence = Sentence::new(scores, &packing, 0, chain);
        let (mut lattice, mut pairs) = (Lattice::default(), Pairs::new(chain));
        lattice.forward(chain, sentence);
        assert!(!lattice.in_logs);
        if by_logs {
            lattice.in_logs = true;
            logs::forward(&mut lattice, chain, sentence);
        }
        lattice.backward(chain);
        lattice.add_pairs(chain, &mut pairs);
        let p = lattice.p.chunks_exact(chain.width()).flat_map(|p| p[..K].to_vec());
        let mut sums = vec![0.0; K * K];
        pairs.each(chain, |i, j, sum| sums[i * K + j] = sum);
        (lattice.log_c.iter().sum(), p.chain(sums).collect())
    }

    #[test]
    fn products_and_logarithms_give_the_same_numbers() {
        for &n in LENGTHS.into_iter().flatten() {
            for allowed in all_rules() {
                let (chain, scores) = (crf(0).chain(&allowed), normal(5, n, K) * 50.0);
                let (log_z, p) = run(&chain, &scores, n, false);
                let (want_log_z, want) = run(&chain, &scores, n, true);
                assert!((log_z - want_log_z).abs() < 1e-12 * want_log_z.abs());
                assert!(p.iter().zip(want).all(|(p, want)| (p - want).abs() < 1e-12));
            }
        }
    }

    #[test]
    fn a_way_that_only_comes_to_count_at_the_end_is_not_lost() {
        // Two ways that never meet. The second falls behind to e^−1000 of the first, which f64 cannot
        // hold, and then wins by e^1000, all in steps of e^50.
        let allowed = Allowed::new(vec![true, false, false, true], vec![true; 2], vec![true; 2]);
        let chain = allowed.chain();
        let scores =
            Array2::from_shape_fn((60, 2), |(t, j)| if (t < 20) == (j == 1) { -50.0 } else { 0.0 });
        let packing = Packing::new(vec![60]);
        let p: Array2<f64> = chain.marginals(&scores, &packing);
        assert!(p.column(1).iter().all(|p| (p - 1.0).abs() < 1e-12), "{p}");
        let log_z = chain.log_partitions(&scores, &packing)[0];
        assert!((log_z + 1000.0).abs() < 1e-9, "{log_z}");
    }

    /// log c is a sum with the largest score and the largest potential, whose last places are coarser than the loss.
    #[test]
    fn large_scores_and_potentials_off_the_path_make_no_loss_negative() {
        // Tag 1 is the only one that a sentence may begin and end with.
        let rules = |transitions| Allowed::new(transitions, vec![false, true], vec![false, true]);
        let transitions = vec![true, true, false, true];
        let (only_1, two) = (rules(transitions.clone()), Packing::new(vec![2]));
        let end_0 = Allowed::new(transitions, vec![false, true], vec![true; 2]); // never reached
        for k in 0..1000 {
            let large = 284.04 + 0.01 * f64::from(k);
            let mut crf = crate::crf::Crf::<f64>::new(2);
            crf.transitions[[0, 0]] = large;
            let scores = ndarray::array![[0.3, 0.1], [0.2, 0.7]];
            let of = |crf: &crate::crf::Crf<f64>, rules| {
                crf.chain(rules).negative_log_likelihoods(&scores, &[1, 1], &two)[0]
            };
            let by_transition = of(&crf, &only_1);
            crf.transitions[[0, 0]] = 0.0;
            (crf.end[0], crf.end[1]) = (large, 0.37);
            for nll in [by_transition, of(&crf, &end_0)] {
                assert!((0.0..1e-12).contains(&nll), "{large}: {nll}");
            }
        }
    }

    #[test]
    fn a_forbidden_tag_with_a_large_score_makes_no_loss_negative() {
        let allowed =
            Allowed::new(vec![true; 9], vec![false, true, true], vec![false, true, false]);
        let packing = Packing::new(vec![1]);
        for k in 0..1000 {
            let scores = ndarray::array![[284.04 + 0.01 * f64::from(k), 1.0, 0.0]];
            let nll = allowed.chain().negative_log_likelihoods(&scores, &[1], &packing)[0];
            assert!((0.0..1e-12).contains(&nll), "{nll}");
        }
    }

    #[test]
    fn rules_whose_tags_alternate_are_followed_for_any_length() {
        let allowed =
            Allowed::new(vec![false, true, true, false], vec![true, false], vec![true, true]);
        for n in 1..7 {
            let p = allowed.chain().marginals(&(normal(5, n, 2) * 900.0), &Packing::new(vec![n]));
            assert!(p.indexed_iter().all(|((t, j), &p)| p == f64::from(u8::from(t % 2 == j))));
        }
    }
}
