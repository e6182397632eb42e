//! Matrix products. A transposed operand is written `.t()` at the call, as in the equation.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayBase, ArrayViewMut2, Data, DataMut, Ix2};

use crate::Real;

/// A B: (m, k) · (k, n) → (m, n).
///
/// # Panics
/// If the inner sizes differ.
pub fn dot<F: Real>(
    a: &ArrayBase<impl Data<Elem = F>, Ix2>,
    b: &ArrayBase<impl Data<Elem = F>, Ix2>,
) -> Array2<F> {
    let mut c = Array2::zeros((a.nrows(), b.ncols()));
    general_mat_mul(F::one(), a, b, F::zero(), &mut c);
    c
}

/// A B + 1 bᵀ: the bias is added to each row.
///
/// # Panics
/// If the shapes do not fit.
pub fn dot_bias<F: Real>(
    a: &ArrayBase<impl Data<Elem = F>, Ix2>,
    b: &ArrayBase<impl Data<Elem = F>, Ix2>,
    bias: &Array1<F>,
) -> Array2<F> {
    let shape = (a.nrows(), b.ncols());
    let mut c = bias.broadcast(shape).expect("one bias a column").to_owned();
    general_mat_mul(F::one(), a, b, F::one(), &mut c);
    c
}

/// C += A B: (m, k) · (k, n) into (m, n).
///
/// # Panics
/// If the shapes do not fit.
pub fn add_dot<F: Real>(
    c: &mut ArrayBase<impl DataMut<Elem = F>, Ix2>,
    a: &ArrayBase<impl Data<Elem = F>, Ix2>,
    b: &ArrayBase<impl Data<Elem = F>, Ix2>,
) {
    let mut c: ArrayViewMut2<F> = c.view_mut();
    general_mat_mul(F::one(), a, b, F::one(), &mut c);
}
