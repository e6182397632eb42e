//! Forward–backward with powers of e, each step scaled: quick, for scores that are not too far apart.
//!
//! A token's scores are taken relative to their largest before they become powers of e, so no number
//! is above K. Small ones could vanish: a tag that is e^−800 as likely as the best one becomes 0, and
//! if all its rivals later turn out to be impossible, the answer is wrong. So [`forward`] watches the
//! tags that the rules allow at each step; when one of them falls below [`TINY`], it gives up.
//! Otherwise what is rounded to 0 inside a sum is some 1e-107 of it, and (2') needs no watch: u is at
//! most 1 / TINY, and what vanishes there belongs to a probability of 1e-107.

use tensor::scratch::{self, Lent};
use tensor::{Real, vectorised};

use super::blocks::{Blocks, WIDE};
use super::chain::{Chain, LANES};
use super::exp::exp;
use super::lattice::{Lattice, Sentence};

/// The smallest a_t(j) that [`forward`] goes on with: e^−460.
const TINY: f64 = 1e-200;

/// (2), (3). False if a tag came too close to vanishing; the lattice then holds nothing.
pub(super) fn forward<F: Real>(
    lattice: &mut Lattice,
    chain: &Chain,
    sentence: Sentence<'_, F>,
) -> bool {
    vectorised(
        #[inline(always)]
        || forward_steps(lattice, chain, sentence),
    )
}

#[inline(always)]
fn forward_steps<F: Real>(lattice: &mut Lattice, chain: &Chain, sentence: Sentence<'_, F>) -> bool {
    let (width, exp) = (chain.width(), &chain.exp);
    let mut alpha_prev: &[f64] = &[];
    let rows = lattice.psi.chunks_exact_mut(width).zip(lattice.alpha.chunks_exact_mut(width));
    for (t, (psi, alpha)) in rows.enumerate() {
        let top_score = powers(sentence.row(t), psi);
        let top_potential = if t == 0 {
            alpha.copy_from_slice(&exp.start);
            exp.top_start
        } else {
            exp.to.product(alpha_prev, alpha);
            exp.top_transition
        };
        let (c, alive) = times(alpha, psi); // (2)
        if alive != chain.reachable(t) {
            return false;
        }
        scale(alpha, psi, 1.0 / c);
        lattice.log_c[t] = c.ln() + top_score + top_potential;
        alpha_prev = alpha;
    }
    let c: f64 = alpha_prev.iter().zip(&exp.end).map(|(alpha, end)| alpha * end).sum(); // (3)
    lattice.log_c[sentence.len()] = c.ln() + exp.top_end;
    c >= TINY
}

/// ψ ← exp(s − the largest of s), padded with 0; returns the largest.
#[inline(always)]
fn powers<F: Real>(s: &[F], psi: &mut [f64]) -> f64 {
    let top =
        s.iter().copied().fold(F::neg_infinity(), |top, v| if v > top { v } else { top }).f64();
    let (psi, padding) = psi.split_at_mut(s.len());
    psi.iter_mut().zip(s).for_each(|(psi, s)| *psi = exp(s.f64() - top));
    padding.fill(0.0);
    top
}

/// a ← a ⊙ ψ; returns Σ a and how many of a are not tiny.
#[inline(always)]
fn times(a: &mut [f64], psi: &[f64]) -> (f64, usize) {
    let [mut sum, mut alive] = [[0.0; LANES]; 2];
    for (a, psi) in a.chunks_exact_mut(LANES).zip(psi.chunks_exact(LANES)) {
        for l in 0..LANES {
            a[l] *= psi[l];
            sum[l] += a[l];
            alive[l] += if a[l] >= TINY { 1.0 } else { 0.0 };
        }
    }
    (sum.iter().sum(), alive.iter().sum::<f64>() as usize)
}

#[inline(always)]
fn scale(a: &mut [f64], psi: &mut [f64], by: f64) {
    a.iter_mut().zip(psi).for_each(|(a, psi)| {
        *a *= by;
        *psi *= by;
    });
}

/// (3'), (2').
pub(super) fn backward(lattice: &mut Lattice, chain: &Chain) {
    vectorised(
        #[inline(always)]
        || backward_steps(lattice, chain),
    );
}

#[inline(always)]
fn backward_steps(lattice: &mut Lattice, chain: &Chain) {
    let (width, exp) = (chain.width(), &chain.exp);
    let Lattice { psi, alpha, u, p, beta, .. } = lattice;
    let n = alpha.len() / width;
    let last = alpha[(n - 1) * width..].iter().zip(&exp.end);
    let c: f64 = last.map(|(alpha, end)| alpha * end).sum();
    beta.clear();
    beta.extend(exp.end.iter().map(|end| end / c)); // (3')
    for t in (0..n).rev() {
        let row = t * width..(t + 1) * width;
        let (psi, alpha) = (&psi[row.clone()], &alpha[row.clone()]);
        let (u, p) = (&mut u[row.clone()], &mut p[row]);
        for j in 0..width {
            p[j] = alpha[j] * beta[j]; // (3')
            u[j] = psi[j] * beta[j]; // (2')
        }
        exp.from.product(u, beta); // (2')
    }
}

/// Adds Σ_t α_{t−1}(i) u_t(j) to `sums`.
pub(super) fn add_pairs(lattice: &Lattice, chain: &Chain, sums: &mut Products) {
    let width = chain.width();
    let alpha = lattice.alpha.chunks_exact(width);
    for (alpha, u) in alpha.zip(lattice.u.chunks_exact(width).skip(1)) {
        sums.add(alpha, u);
    }
}

/// Σ α(i) u(j) over pairs of neighbouring tokens.
pub(super) struct Products {
    /// Those that wait are not in it.
    sums: Blocks,
    /// (WAITING, P) α of the first of two tokens.
    alpha: Lent<f64>,
    /// (WAITING, P) u of the second.
    u: Lent<f64>,
    /// How many wait.
    waiting: usize,
}

/// So many pairs of tokens are added at once: with hundreds of tags the sums are too many for a cache, and reading
/// and writing them is what takes the time.
const WAITING: usize = 64;

impl Products {
    pub fn new(chain: &Chain) -> Self {
        let rows = || scratch::take((WAITING, chain.width())).into();
        Self { sums: chain.exp.to.zeros_like(), alpha: rows(), u: rows(), waiting: 0 }
    }

    fn add(&mut self, alpha: &[f64], u: &[f64]) {
        if self.waiting == WAITING {
            self.add_waiting();
        }
        for (rows, row) in [(&mut self.alpha, alpha), (&mut self.u, u)] {
            let mut to = rows.row_mut(self.waiting);
            to.as_slice_mut().expect("row-major").copy_from_slice(row);
        }
        self.waiting += 1;
    }

    /// All sums.
    pub fn sums(&mut self) -> &Blocks {
        self.add_waiting();
        &self.sums
    }

    fn add_waiting(&mut self) {
        let (n, width) = (std::mem::take(&mut self.waiting), self.alpha.ncols());
        let alpha = self.alpha.as_slice().expect("row-major");
        let u = self.u.as_slice().expect("row-major");
        let mut lanes = [[0.0; WIDE]; WAITING];
        vectorised(
            #[inline(always)]
            || {
                for (block, sums) in self.sums.each_mut() {
                    let u = u.chunks_exact(width).take(n);
                    lanes.iter_mut().zip(u).for_each(|(lanes, u)| *lanes = block.gather(u));
                    for (&i, sums) in block.rows.iter().zip(sums) {
                        let mut sum = *sums;
                        for (alpha, u) in alpha.chunks_exact(width).zip(&lanes[..n]) {
                            let alpha = alpha[i as usize];
                            (0..WIDE).for_each(|l| sum[l] += alpha * u[l]);
                        }
                        *sums = sum;
                    }
                }
            },
        );
    }
}
