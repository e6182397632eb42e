//! Sums and soft maxima over rows.

use ndarray::{Array1, ArrayBase, Data, Ix2};

use crate::{Real, vectorised};

/// log Σ eˣ, shifted by the largest x so that nothing overflows. −∞ for no values at all.
///
/// ```
/// assert_eq!(tensor::log_sum_exp(&[1000.0, 1000.0]), 1000.0 + 2f64.ln());
/// ```
pub fn log_sum_exp<F: Real>(x: &[F]) -> F {
    let top = largest(x);
    if top == F::neg_infinity() {
        return top;
    }
    vectorised(
        #[inline(always)]
        || top + x.iter().map(|&v| (v - top).exp_fast()).sum::<F>().ln(),
    )
}

/// x ← eˣ / Σ eˣ; returns log Σ eˣ.
pub fn softmax_in_place<F: Real>(x: &mut [F]) -> F {
    let top = largest(x);
    vectorised(
        #[inline(always)]
        || {
            x.iter_mut().for_each(|v| *v = (*v - top).exp_fast());
            let sum: F = x.iter().copied().sum();
            let scale = F::one() / sum;
            x.iter_mut().for_each(|v| *v *= scale);
            top + sum.ln()
        },
    )
}

/// The largest of `x`, −∞ if there is none. A NaN is passed over.
fn largest<F: Real>(x: &[F]) -> F {
    x.iter().fold(F::neg_infinity(), |top, &v| if v > top { v } else { top })
}

/// `sum` += Σ over the rows of `x` (n, k), from the first to the last.
///
/// # Panics
/// If `sum` has not k values.
pub fn add_rows<F: Real>(sum: &mut Array1<F>, x: &ArrayBase<impl Data<Elem = F>, Ix2>) {
    assert_eq!(sum.len(), x.ncols(), "the sum has {} values, a row {}", sum.len(), x.ncols());
    let (Some(to), Some(x)) = (sum.as_slice_mut(), x.as_slice()) else {
        return x.rows().into_iter().for_each(|row| *sum += &row);
    };
    vectorised(
        #[inline(always)]
        || {
            for row in x.chunks_exact(to.len().max(1)) {
                to.iter_mut().zip(row).for_each(|(sum, &v)| *sum += v);
            }
        },
    );
}

/// Σ x² in `f64`, of the numbers at places 0, 8, 16, … first, then of those at 1, 9, 17, … and so on up
/// to 7; then the eight sums from the first to the last.
pub fn sum_of_squares<F: Real>(x: &[F]) -> f64 {
    vectorised(
        #[inline(always)]
        || {
            let mut sums = [0.0f64; 8];
            let (eights, rest) = x.as_chunks::<8>();
            for eight in eights {
                (0..8).for_each(|j| sums[j] += eight[j].f64() * eight[j].f64());
            }
            sums.iter_mut().zip(rest).for_each(|(sum, v)| *sum += v.f64() * v.f64());
            sums.iter().sum()
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, Axis};

    #[test]
    fn log_sum_exp_of_huge_numbers_does_not_overflow() {
        let z = log_sum_exp(&[1000.0f64, 1000.0]);
        assert!((z - 1000.0 - 2f64.ln()).abs() < 1e-12);
        assert_eq!(log_sum_exp::<f64>(&[]), f64::NEG_INFINITY);
        assert_eq!(log_sum_exp(&[f64::NEG_INFINITY; 3]), f64::NEG_INFINITY);
    }

    #[test]
    fn sums_have_every_number_in_them_once_whatever_the_length() {
        for n in 0..40u32 {
            let x: Vec<f32> = (0..n).map(|i| i as f32).collect();
            assert_eq!(sum_of_squares(&x), (0..n).map(|i| f64::from(i * i)).sum::<f64>());
        }
        for (n, k) in [(0, 3), (3, 0), (1, 5), (7, 20)] {
            let x = Array2::from_shape_fn((n, k), |(i, j)| (i * 100 + j) as f32);
            let want = x.sum_axis(Axis(0)) + 1.0;
            for x in
                [x.clone(), x.reversed_axes().as_standard_layout().reversed_axes().into_owned()]
            {
                let mut sum = Array1::ones(k);
                add_rows(&mut sum, &x);
                assert_eq!(sum, want);
            }
        }
    }

    #[test]
    fn a_nan_among_the_numbers_stays_to_be_seen() {
        assert!(log_sum_exp(&[1.0f32, f32::NAN]).is_nan());
        assert!(softmax_in_place(&mut [f32::NAN, 1.0]).is_nan());
    }

    #[test]
    fn softmax_sums_to_one_and_keeps_the_order() {
        let mut x = [3.0f32, -1.0, 0.5];
        let log_z = softmax_in_place(&mut x);
        assert!((x.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!(x[0] > x[2] && x[2] > x[1]);
        assert!((log_z - (3f32.exp() + (-1f32).exp() + 0.5f32.exp()).ln()).abs() < 1e-6);
    }
}
