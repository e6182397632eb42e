//! Initial weights. Draws go through `ndarray-rand`, from a named [`Stream`].

use ndarray::Array2;
use ndarray_rand::RandomExt;
use ndarray_rand::rand_distr::{StandardNormal, Uniform};

use crate::Real;
use crate::random::Stream;

/// (rows, columns) drawn evenly from [−bound, bound).
pub fn uniform<F: Real>(rows: usize, columns: usize, bound: f64, stream: &mut Stream) -> Array2<F> {
    let even = Uniform::new(-bound, bound).expect("the bound is a positive, finite number");
    Array2::<f64>::random_using((rows, columns), even, stream).mapv(F::of)
}

/// Glorot and Bengio 2010, equation 16: uniform with bound √(6 / (fan in + fan out)).
///
/// A weight that holds several matrices in one (an LSTM's four gates) is drawn as Keras draws it: with
/// the fans of the whole.
pub fn glorot_uniform<F: Real>(fan_out: usize, fan_in: usize, stream: &mut Stream) -> Array2<F> {
    uniform(fan_out, fan_in, (6.0 / (fan_in + fan_out) as f64).sqrt(), stream)
}

/// A random matrix with orthonormal columns, or rows where there are fewer rows (Saxe, McClelland,
/// Ganguli 2014): Q of the QR factors of a normal matrix, by modified Gram–Schmidt run twice, which
/// is orthogonal to working precision. The diagonal of R is positive, so Q is distributed evenly.
pub fn orthogonal<F: Real>(rows: usize, columns: usize, stream: &mut Stream) -> Array2<F> {
    let (long, short) = (rows.max(columns), rows.min(columns));
    // Row k is the k-th vector.
    let mut q = Array2::<f64>::random_using((short, long), StandardNormal, stream);
    for k in 0..short {
        let (done, mut rest) = q.view_mut().split_at(ndarray::Axis(0), k);
        let mut v = rest.row_mut(0);
        for _ in 0..2 {
            for earlier in done.rows() {
                let along = earlier.dot(&v);
                v.scaled_add(-along, &earlier);
            }
        }
        let norm = v.dot(&v).sqrt();
        v /= norm;
    }
    let q = q.mapv(F::of);
    if rows < columns { q } else { q.reversed_axes().as_standard_layout().into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;
    use approx::assert_abs_diff_eq;

    fn stream() -> Stream {
        Stream::new(5, Purpose::Test, 0, 0)
    }

    #[test]
    fn orthogonal_matrices_are_orthonormal_along_their_shorter_side() {
        for (rows, columns) in [(256, 64), (64, 64), (3, 7), (1, 1)] {
            let q: Array2<f64> = orthogonal(rows, columns, &mut stream());
            assert_eq!(q.dim(), (rows, columns));
            let gram = if rows < columns { q.dot(&q.t()) } else { q.t().dot(&q) };
            assert_abs_diff_eq!(gram, Array2::eye(rows.min(columns)), epsilon = 1e-13);
        }
    }

    #[test]
    fn glorot_stays_within_its_bound_and_fills_it() {
        let w: Array2<f32> = glorot_uniform(256, 64, &mut stream());
        let bound = (6.0f32 / 320.0).sqrt();
        let top = w.iter().fold(0f32, |a, v| a.max(v.abs()));
        assert!(top <= bound && top > 0.99 * bound, "{top} against {bound}");
        let variance = w.mapv(|v| v * v).mean().unwrap();
        assert!((variance / (bound * bound / 3.0) - 1.0).abs() < 0.05);
    }
}
