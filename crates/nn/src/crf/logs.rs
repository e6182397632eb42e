//! Forward–backward with logarithms: slower, and right however far apart the scores lie.
//!
//! The equations are those of [`super::lattice`] with every number but p replaced by its logarithm.

use tensor::{Real, log_sum_exp};

use super::blocks::Blocks;
use super::chain::Chain;
use super::lattice::{Lattice, Sentence};

/// (2), (3).
pub(super) fn forward<F: Real>(lattice: &mut Lattice, chain: &Chain, sentence: Sentence<'_, F>) {
    let (k, width) = (chain.n_tags(), chain.width());
    let Lattice { psi, alpha, log_c, .. } = lattice;
    let transitions = chain.transitions();
    let mut terms = vec![0.0; k];
    for t in 0..sentence.len() {
        let (before, now) = alpha.split_at_mut(t * width);
        let alpha_prev = &before[t.saturating_sub(1) * width..];
        let (psi, alpha) = (&mut psi[t * width..][..k], &mut now[..k]);
        for j in 0..k {
            psi[j] = sentence.row(t)[j].f64();
            alpha[j] = psi[j]
                + if t == 0 {
                    chain.start[j]
                } else {
                    (0..k).for_each(|i| terms[i] = alpha_prev[i] + transitions[[i, j]]);
                    log_sum_exp(&terms)
                }; // (2)
        }
        log_c[t] = log_sum_exp(alpha);
        for j in 0..k {
            alpha[j] -= log_c[t];
            psi[j] -= log_c[t];
        }
    }
    let last = &alpha[(sentence.len() - 1) * width..][..k];
    (0..k).for_each(|j| terms[j] = last[j] + chain.end[j]);
    log_c[sentence.len()] = log_sum_exp(&terms); // (3)
}

/// (3'), (2').
pub(super) fn backward(lattice: &mut Lattice, chain: &Chain) {
    let (k, width) = (chain.n_tags(), chain.width());
    let Lattice { psi, alpha, u, p, log_c, .. } = lattice;
    let (n, transitions) = (alpha.len() / width, chain.transitions());
    let mut terms = vec![0.0; k];
    let mut beta: Vec<f64> = chain.end.iter().map(|end| end - log_c[n]).collect(); // (3')
    for t in (0..n).rev() {
        for j in 0..k {
            let at = t * width + j;
            p[at] = (alpha[at] + beta[j]).exp(); // (3')
            u[at] = psi[at] + beta[j]; // (2')
        }
        for i in 0..k {
            (0..k).for_each(|j| terms[j] = transitions[[i, j]] + u[t * width + j]);
            beta[i] = log_sum_exp(&terms); // (2')
        }
    }
}

/// Adds Σ_t P(y_{t−1} = i, y_t = j) to `sums`.
pub(super) fn add_pairs(lattice: &Lattice, chain: &Chain, sums: &mut Blocks) {
    let width = chain.width();
    for ((block, sums), (_, log_to)) in sums.each_mut().zip(chain.log_to.each()) {
        let alpha = lattice.alpha.chunks_exact(width);
        for (alpha, u) in alpha.zip(lattice.u.chunks_exact(width).skip(1)) {
            for (r, &i) in block.rows.iter().enumerate() {
                for (l, &j) in block.columns.iter().enumerate() {
                    sums[r][l] += (alpha[i as usize] + log_to[r][l] + u[j as usize]).exp();
                }
            }
        }
    }
}
