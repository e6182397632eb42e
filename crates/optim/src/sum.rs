//! Sums over the shards of a batch, and the norm of a gradient.

use nn::Params;
use rayon::prelude::*;
use tensor::{Real, sum_of_squares, vectorised};

/// Adds up `shards` pairwise, ((0 + 1) + (2 + 3)) + …, into the first: a tree that depends on their
/// number alone, so that any number of threads gives the same bits. Gives [`squared_norm`] of the sum, which is
/// quickest while its tensors are near.
pub fn sum_tree<F: Real, P: Params<F>>(shards: &mut [P]) -> f64 {
    let n = shards.len().max(1);
    let mut parts = Vec::new();
    for (s, shard) in shards.iter_mut().enumerate() {
        parts.extend(shard.slices_mut().into_iter().enumerate().map(|(t, part)| (t, s, part)));
    }
    parts.sort_unstable_by_key(|&(t, s, _)| (t, s));
    let tensor = |parts: &mut [(usize, usize, &mut [F])]| {
        add_up(parts);
        sum_of_squares(parts[0].2)
    };
    let squares: Vec<f64> = parts.par_chunks_mut(n).map(tensor).collect();
    squares.iter().sum()
}

/// The tree for one tensor, whose part of each shard stands behind two numbers.
fn add_up<F: Real>(parts: &mut [(usize, usize, &mut [F])]) {
    let mut stride = 1;
    while stride < parts.len() {
        for pair in parts.chunks_mut(2 * stride) {
            if let (left, [right, ..]) = pair.split_at_mut(stride.min(pair.len())) {
                let (to, from) = (&mut *left[0].2, &*right.2);
                vectorised(
                    #[inline(always)]
                    || to.iter_mut().zip(from).for_each(|(a, b)| *a += *b),
                );
            }
        }
        stride *= 2;
    }
}

/// Σ g² over all tensors, tensor by tensor.
pub fn squared_norm<F: Real>(grads: &impl Params<F>) -> f64 {
    grads.slices().into_iter().map(sum_of_squares).sum()
}

/// What to multiply a gradient of this squared norm with so that its norm is at most `max_norm`
/// (Pascanu, Mikolov, Bengio 2013; with PyTorch's 1e-6 below the line). `max_norm` 0 never clips.
///
/// ```
/// let factor = optim::sum::clip_factor(16.0, 1.0); // a gradient of length 4
/// assert!((factor - 0.25f64).abs() < 1e-6);
/// assert_eq!(optim::sum::clip_factor(0.25, 1.0), 1.0);
/// ```
pub fn clip_factor(squared_norm: f64, max_norm: f64) -> f64 {
    if max_norm > 0.0 { (max_norm / (squared_norm.sqrt() + 1e-6)).min(1.0) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, Array2};
    use nn::dense::Dense;

    fn shard(v: f32) -> Dense<f32> {
        Dense { w: Array2::from_elem((2, 3), v), b: Array1::from_elem(2, v) }
    }

    #[test]
    fn a_tree_adds_every_shard_once_whatever_their_number() {
        for n in 1..20 {
            let mut shards: Vec<_> = (0..n).map(|k| shard((1 << k) as f32)).collect();
            let squared = sum_tree(&mut shards);
            assert_eq!(shards[0].w[[1, 2]], ((1 << n) - 1) as f32);
            assert_eq!(squared, squared_norm(&shards[0]));
        }
    }

    #[test]
    fn a_tree_adds_in_pairs() {
        // 1e8 + 1 = 1e8 in f32: only ((1e8 + 1) + (−1e8 + 1)) gives 0, and left to right gives 1.
        let mut shards: Vec<_> = [1e8f32, 1.0, -1e8, 1.0].map(shard).into();
        sum_tree(&mut shards);
        assert_eq!(shards[0].b[0], 0.0);
    }

    #[test]
    fn clipping_leaves_small_gradients_alone_and_shortens_long_ones() {
        assert_eq!(squared_norm(&shard(2.0)), 32.0);
        assert_eq!(clip_factor(0.25, 1.0), 1.0);
        assert!((clip_factor(16.0, 1.0) - 0.25).abs() < 1e-6);
        assert_eq!(clip_factor(1e9, 0.0), 1.0);
    }
}
