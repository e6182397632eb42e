//! Forward–backward with powers of e, each step scaled: quick, for scores that are not too far apart.
//!
//! A token's scores are taken relative to their largest before they become powers of e, so no number
//! is above K. Small ones could vanish: a tag that is e^−800 as likely as the best one becomes 0, and
//! if all its rivals later turn out to be impossible, the answer is wrong. So [`forward`] watches the
//! tags that the rules allow at each step; when one of them falls below [`TINY`], it gives up.
//! Otherwise what is rounded to 0 inside a sum is some 1e-107 of it, and (2') needs no watch: b is at
//! most 1 / TINY, and what vanishes there belongs to a probability of 1e-107.

use tensor::{Real, vectorised};

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
    let rows = lattice.e.chunks_exact_mut(width).zip(lattice.alpha.chunks_exact_mut(width));
    for (t, (e, alpha)) in rows.enumerate() {
        let top_score = powers(sentence.row(t), e);
        let top_potential = if t == 0 {
            alpha.copy_from_slice(&exp.start);
            exp.top_start
        } else {
            exp.to.product(alpha_prev, alpha);
            exp.top_transition
        };
        let (c, alive) = times(alpha, e); // (2)
        if alive != chain.reachable(t) {
            return false;
        }
        scale(alpha, e, 1.0 / c);
        lattice.log_c[t] = c.ln() + top_score + top_potential;
        alpha_prev = alpha;
    }
    let c: f64 = alpha_prev.iter().zip(&exp.end).map(|(a, e)| a * e).sum(); // (3)
    lattice.log_c[sentence.len()] = c.ln() + exp.top_end;
    c >= TINY
}

/// e ← exp(s − the largest of s), padded with 0; returns the largest.
#[inline(always)]
fn powers<F: Real>(s: &[F], e: &mut [f64]) -> f64 {
    let top =
        s.iter().copied().fold(F::neg_infinity(), |top, v| if v > top { v } else { top }).f64();
    let (e, padding) = e.split_at_mut(s.len());
    e.iter_mut().zip(s).for_each(|(e, s)| *e = exp(s.f64() - top));
    padding.fill(0.0);
    top
}

/// a ← a ⊙ e; returns Σ a and how many of a are not tiny.
#[inline(always)]
fn times(a: &mut [f64], e: &[f64]) -> (f64, usize) {
    let [mut sum, mut alive] = [[0.0; LANES]; 2];
    for (a, e) in a.chunks_exact_mut(LANES).zip(e.chunks_exact(LANES)) {
        for l in 0..LANES {
            a[l] *= e[l];
            sum[l] += a[l];
            alive[l] += if a[l] >= TINY { 1.0 } else { 0.0 };
        }
    }
    (sum.iter().sum(), alive.iter().sum::<f64>() as usize)
}

#[inline(always)]
fn scale(a: &mut [f64], e: &mut [f64], by: f64) {
    a.iter_mut().zip(e).for_each(|(a, e)| {
        *a *= by;
        *e *= by;
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
    let Lattice { e, alpha, b, p, beta, .. } = lattice;
    let n = alpha.len() / width;
    let c: f64 = alpha[(n - 1) * width..].iter().zip(&exp.end).map(|(a, e)| a * e).sum();
    beta.clear();
    beta.extend(exp.end.iter().map(|e| e / c)); // (3')
    for t in (0..n).rev() {
        let row = t * width..(t + 1) * width;
        let (e, alpha) = (&e[row.clone()], &alpha[row.clone()]);
        let (b, p) = (&mut b[row.clone()], &mut p[row]);
        for j in 0..width {
            p[j] = alpha[j] * beta[j]; // (3')
            b[j] = e[j] * beta[j]; // (2')
        }
        exp.from.product(b, beta);
    }
}

/// Adds Σ_t α_{t−1}(i) b_t(j) to `sums` (K, P), row by row: with hundreds of tags the whole is too large for a cache.
pub(super) fn add_pairs(lattice: &Lattice, chain: &Chain, sums: &mut [f64]) {
    let width = chain.width();
    vectorised(
        #[inline(always)]
        || {
            for (i, sums) in sums.chunks_exact_mut(width).enumerate() {
                let alpha = lattice.alpha.chunks_exact(width);
                for (alpha, b) in alpha.zip(lattice.b.chunks_exact(width).skip(1)) {
                    sums.iter_mut().zip(b).for_each(|(s, b)| *s += alpha[i] * b);
                }
            }
        },
    );
}
