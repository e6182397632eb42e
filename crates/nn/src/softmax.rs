//! Softmax and cross-entropy over the tags of each token.
//!
//! ```text
//! N tokens · K tags · y the right tag · s the scores · w the weight of the loss (1 / tokens of a batch)
//! c_y the weight of tag y: 1 unless told otherwise
//!
//! (1)  p_k = e^{s_k} / Σ_j e^{s_j}
//! (2)  L   = − w Σ_N c_y log p_y
//!
//! (2', 1')  ds_k = w c_y (p_k − [k = y])
//! ```
//!
//! log p_y is taken as s_y − log Σ e^{s_j}, never as the logarithm of p.

use ndarray::Array2;
use tensor::{Real, log_sum_exp, softmax_in_place};

/// `scores` (N, K), `tags` (N) → Σ_N −c_y log p_y, not weighted by w, and ds (N, K), weighted by `weight`
/// as well. `tag_weights` (K) are c; without them all are 1.
///
/// ```
/// let scores = ndarray::array![[0.0, 0.0]];
/// let (loss, ds) = nn::softmax::cross_entropy(scores, &[1], None, 1.0);
/// assert_eq!(loss, 2f64.ln());
/// assert_eq!(ds, ndarray::array![[0.5, -0.5]]); // p less 1 at the right tag
/// ```
///
/// # Panics
/// If there is not one tag a row, each below K, or not one weight a tag.
pub fn cross_entropy<F: Real>(
    mut scores: Array2<F>,
    tags: &[u32],
    tag_weights: Option<&[F]>,
    weight: F,
) -> (f64, Array2<F>) {
    assert_eq!(scores.nrows(), tags.len(), "one tag a row of scores");
    let n_weights = tag_weights.map_or(scores.ncols(), <[F]>::len);
    assert_eq!(n_weights, scores.ncols(), "one weight a tag");
    let mut loss = 0.0;
    for (mut s, &y) in scores.rows_mut().into_iter().zip(tags) {
        let s = s.as_slice_mut().expect("row-major");
        let s_y = s[y as usize];
        let log_z = softmax_in_place(s); // (1)
        let c_y = tag_weights.map_or(F::one(), |c| c[y as usize]);
        loss += (c_y * (log_z - s_y)).f64(); // (2)
        s[y as usize] -= F::one(); // (2', 1')
        s.iter_mut().for_each(|d| *d *= weight * c_y);
    }
    (loss, scores)
}

/// Σ_N −log p_y alone, for a part of the corpus that is not trained on.
pub fn negative_log_likelihood<F: Real>(scores: &Array2<F>, tags: &[u32]) -> f64 {
    let row = |(s, &y): (ndarray::ArrayView1<'_, F>, &u32)| {
        let s = s.to_slice().expect("row-major");
        (log_sum_exp(s) - s[y as usize]).f64()
    };
    scores.rows().into_iter().zip(tags).map(row).sum()
}

/// p (N, K) of `scores`.
pub fn probabilities<F: Real>(mut scores: Array2<F>) -> Array2<F> {
    for mut s in scores.rows_mut() {
        softmax_in_place(s.as_slice_mut().expect("row-major"));
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck::{assert_gradients, gradcheck_input};
    use crate::testing::normal;

    #[test]
    fn gradient_agrees_with_central_differences() {
        for n in [1, 4] {
            let scores = normal(0, n, 5);
            let tags: Vec<u32> = (0..n as u32).map(|i| (i * 3) % 5).collect();
            let weight = 1.0 / 7.0;
            for tag_weights in [None, Some(&[0.2, 3.0, 1.0, 0.5, 2.0][..])] {
                let entropy = |s: Array2<f64>| cross_entropy(s, &tags, tag_weights, weight);
                let (loss, ds) = entropy(scores.clone());
                let check = gradcheck_input("ds", &scores, &ds, |s| weight * entropy(s.clone()).0);
                assert_gradients(&[check], 1e-8);
                let plain = negative_log_likelihood(&scores, &tags);
                assert_eq!((loss - plain).abs() < 1e-12, tag_weights.is_none());
            }
        }
    }

    #[test]
    fn scores_far_apart_give_a_finite_loss() {
        let (loss, ds) = cross_entropy(ndarray::array![[1000.0f32, -1000.0]], &[1], None, 1.0);
        assert_eq!(loss, 2000.0);
        assert_eq!(ds, ndarray::array![[1.0, -1.0]]);
    }
}
