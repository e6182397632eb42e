//! The tutorial's head: a ReLU where a softmax belongs, under Keras's categorical cross-entropy.
//!
//! Keras divides whatever the last layer gives by its sum, clips the quotient and takes its logarithm
//! (`keras.losses.categorical_crossentropy`, `from_logits=False`). This is here to show what comes of it.
//!
//! ```text
//! N tokens · K tags · y the right tag · ε = 1e-7 · w the weight of the loss
//!
//! (1)  u_k = max(0, s_k)
//! (2)  p_k = u_k / Σ_j u_j                  0/0 if all scores are ≤ 0: not a number, from then on
//! (3)  q   = clip(p_y, ε, 1 − ε)
//! (4)  L   = − w Σ_N log q
//!
//! (4', 3')  dp_y = − w / q  if ε ≤ p_y ≤ 1 − ε, else 0: a tag at 0 is never pulled up again
//! (2')      du_k = dp_y ([k = y] − p_y) / Σ_j u_j
//! (1')      ds_k = du_k · [s_k > 0]
//! ```
//!
//! The product in (1') is TensorFlow's, and 0 · NaN is NaN: one token without a positive score makes every
//! weight NaN at the next step, in Keras as here.

use ndarray::Array2;
use tensor::Real;

/// Keras's `backend.epsilon()`.
pub const EPSILON: f64 = 1e-7;

/// `scores` (N, K) before the ReLU, `tags` (N) → Σ_N −log q, not weighted, and ds (N, K), weighted by
/// `weight`. NaN where a row has no positive score, as Keras has it.
///
/// # Panics
/// If there is not one tag a row.
pub fn cross_entropy<F: Real>(mut scores: Array2<F>, tags: &[u32], weight: F) -> (f64, Array2<F>) {
    assert_eq!(scores.nrows(), tags.len(), "one tag a row of scores");
    let (low, high) = (F::of(EPSILON), F::of(1.0 - EPSILON));
    let mut loss = 0.0;
    for (mut s, &y) in scores.rows_mut().into_iter().zip(tags) {
        let y = y as usize;
        s.mapv_inplace(|v| if v > F::zero() { v } else { F::zero() }); // (1)
        let sum = s.sum();
        let p_y = s[y] / sum; // (2)
        let q = if p_y < low {
            low
        } else if p_y > high {
            high
        } else {
            p_y // NaN stays NaN
        }; // (3)
        loss -= q.f64().ln(); // (4)
        let inside = !(p_y < low || p_y > high);
        let dp_y = if inside { -weight / q } else { F::zero() }; // (4', 3')
        for (k, s_k) in s.iter_mut().enumerate() {
            let hit = if k == y { F::one() } else { F::zero() };
            let du = dp_y * (hit - p_y) / sum; // (2')
            let open = if *s_k > F::zero() { F::one() } else { F::zero() };
            *s_k = open * du; // (1')
        }
    }
    (loss, scores)
}

/// (1) and (2): p (N, K) of `scores`. A row without a positive score, 0/0 to Keras, knows nothing: equal
/// shares.
pub fn probabilities<F: Real>(mut scores: Array2<F>) -> Array2<F> {
    let n_tags = F::of(scores.ncols() as f64);
    for mut s in scores.rows_mut() {
        s.mapv_inplace(|v| if v > F::zero() { v } else { F::zero() });
        let sum = s.sum();
        s.mapv_inplace(|u| if sum > F::zero() { u / sum } else { F::one() / n_tags });
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck::{assert_gradients, gradcheck_input};
    use ndarray::array;

    #[test]
    fn gradient_agrees_with_central_differences_away_from_the_kinks() {
        let scores = array![[0.5, -0.4, 1.5], [2.0, 0.7, 0.2], [-0.3, 0.9, -0.1]];
        // The right tag is positive, positive, and at 0 (clipped: no gradient at all).
        let tags = [2, 1, 0];
        let (loss, ds) = cross_entropy(scores.clone(), &tags, 0.25);
        let check =
            gradcheck_input("ds", &scores, &ds, |s| 0.25 * cross_entropy(s.clone(), &tags, 0.25).0);
        assert_gradients(&[check], 1e-8);
        let want = -(0.75f64.ln() + (0.7f64 / 2.9).ln() + 1e-7f64.ln());
        assert!((loss - want).abs() < 1e-12);
        assert!(ds.row(2).iter().all(|&d| d == 0.0));
    }

    #[test]
    fn a_right_tag_below_the_clip_is_not_pulled_up_though_its_score_is_positive() {
        let (_, ds) = cross_entropy(array![[1e-8, 1.0]], &[0], 1.0);
        assert!(ds.iter().all(|&d| d == 0.0), "{ds}");
    }

    #[test]
    fn a_row_without_a_positive_score_makes_the_loss_not_a_number() {
        assert!(cross_entropy(array![[-1.0f32, 0.0]], &[0], 1.0).0.is_nan());
    }
}
