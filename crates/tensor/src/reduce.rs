//! Sums and soft maxima over rows.

use ndarray::{Array1, ArrayBase, Data, Ix2};

use crate::Real;

/// log Σ eˣ, shifted by the largest x so that nothing overflows. −∞ for no values at all.
pub fn log_sum_exp<F: Real>(x: &[F]) -> F {
    let top = x.iter().copied().fold(F::neg_infinity(), F::max);
    if top == F::neg_infinity() {
        return top;
    }
    let sum: F = x.iter().map(|&v| (v - top).exp()).sum();
    top + sum.ln()
}

/// x ← eˣ / Σ eˣ; returns log Σ eˣ.
pub fn softmax_in_place<F: Real>(x: &mut [F]) -> F {
    let log_z = log_sum_exp(x);
    for v in x.iter_mut() {
        *v = (*v - log_z).exp();
    }
    log_z
}

/// `sum` += Σ over the rows of `x` (n, k), from the first to the last.
///
/// # Panics
/// If `sum` has not k values.
pub fn add_rows<F: Real>(sum: &mut Array1<F>, x: &ArrayBase<impl Data<Elem = F>, Ix2>) {
    assert_eq!(sum.len(), x.ncols(), "the sum has {} values, a row {}", sum.len(), x.ncols());
    for row in x.rows() {
        *sum += &row;
    }
}

/// Σ x² in `f64`, in the order of the slice.
pub fn sum_of_squares<F: Real>(x: &[F]) -> f64 {
    x.iter().map(|v| v.f64() * v.f64()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_sum_exp_of_huge_numbers_does_not_overflow() {
        let z = log_sum_exp(&[1000.0f64, 1000.0]);
        assert!((z - 1000.0 - 2f64.ln()).abs() < 1e-12);
        assert_eq!(log_sum_exp::<f64>(&[]), f64::NEG_INFINITY);
        assert_eq!(log_sum_exp(&[f64::NEG_INFINITY; 3]), f64::NEG_INFINITY);
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
