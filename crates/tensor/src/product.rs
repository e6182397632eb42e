//! Matrix products. A transposed operand is written `.t()` at the call, as in the equation.
//!
//! For `f32` they run on the kernel of `kernels::gemm` where this processor has one, else, and for
//! `f64`, on ndarray's own, which is matrixmultiply. Either way a row of the result depends on its own
//! row of A alone, to the last bit: not on how many rows there are, nor on threads.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayBase, ArrayView2, ArrayViewMut2, Data, DataMut, Ix2};

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
use crate::kernels::amx;
use crate::kernels::gemm::{Gemm, Left, Pack, Right, Start, packed_len};
use crate::scratch::{self, Lent};
use crate::simd::Level;
use crate::{Real, both, kernels, simd};

/// Multiply-adds from which on a product is cut in two: some 20 µs of work, against less than 1 for offering
/// half of it.
const WORTH_HALVING: usize = 1 << 21;

/// Rows at whose multiples products are cut, so that few of the kernels' tiles are cut too.
const TILE_ROWS: usize = 12;

/// A B: (m, k) · (k, n) → (m, n).
///
/// # Panics
/// If the inner sizes differ.
pub fn dot<F: Real>(
    a: &ArrayBase<impl Data<Elem = F>, Ix2>,
    b: &ArrayBase<impl Data<Elem = F>, Ix2>,
) -> Array2<F> {
    let mut c = scratch::take((a.nrows(), b.ncols()));
    dot_into(&mut c, a, b);
    c
}

/// C ← A B: (m, k) · (k, n) into (m, n).
///
/// # Panics
/// If the shapes do not fit.
pub fn dot_into<F: Real>(
    c: &mut ArrayBase<impl DataMut<Elem = F>, Ix2>,
    a: &ArrayBase<impl Data<Elem = F>, Ix2>,
    b: &ArrayBase<impl Data<Elem = F>, Ix2>,
) {
    let mut c: ArrayViewMut2<F> = c.view_mut();
    if fast(&mut c, a.view(), b.view(), Onto::Zero).is_none() {
        general_mat_mul(F::one(), a, b, F::zero(), &mut c);
    }
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
    let mut c = scratch::take((a.nrows(), b.ncols()));
    dot_bias_into(&mut c, a, b, bias);
    c
}

/// C ← A B + 1 bᵀ, as [`dot_bias`].
///
/// # Panics
/// If the shapes do not fit.
pub fn dot_bias_into<F: Real>(
    c: &mut Array2<F>,
    a: &ArrayBase<impl Data<Elem = F>, Ix2>,
    b: &ArrayBase<impl Data<Elem = F>, Ix2>,
    bias: &Array1<F>,
) {
    assert_eq!(bias.len(), b.ncols(), "one bias a column");
    if fast(&mut c.view_mut(), a.view(), b.view(), Onto::Bias(bias)).is_none() {
        c.assign(bias);
        general_mat_mul(F::one(), a, b, F::one(), c);
    }
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
    if fast(&mut c, a.view(), b.view(), Onto::C).is_none() {
        general_mat_mul(F::one(), a, b, F::one(), &mut c);
    }
}

/// Bᵀ of a product A B, laid out for the kernels: made once, where [`dot_bias`] makes it for each product.
/// W of x Wᵀ does not change from sentence to sentence.
#[derive(Debug)]
pub struct Packed {
    level: Level,
    k: usize,
    n: usize,
    blocks: Lent<f32>,
}

impl Packed {
    /// For `bt` (n, k), row-major; none if there is no kernel for these numbers or this processor.
    pub fn new<F: Real>(bt: &Array2<F>) -> Option<Self> {
        let ((n, k), level) = (bt.dim(), simd::level());
        if !kernels::has_kernels(level) || level == Level::Amx {
            return None; // on tiles each product lays out both sides
        }
        let bt = F::as_f32(bt.as_slice()?)?;
        let mut blocks = Lent::from(scratch::take((1, packed_len(level, k, n))));
        kernels::run(level, Pack { k, n, bt, row: k, blocks: blocks.as_slice_mut()? });
        Some(Self { level, k, n, blocks })
    }

    /// A B + 1 biasᵀ for `a` (m, k), row-major: the bits of [`dot_bias`].
    ///
    /// # Panics
    /// If the shapes do not fit, or F is not the type of [`Packed::new`].
    pub fn dot_bias<F: Real>(&self, a: &Array2<F>, bias: &Array1<F>) -> Array2<F> {
        let Self { level, k, n, ref blocks } = *self;
        let m = a.nrows();
        assert_eq!(a.ncols(), k, "{:?} times ({k}, {n})", a.dim());
        let (made, whole) = ("packed for f32", "row-major");
        let mut c = scratch::take((m, n));
        let data = F::as_f32(a.as_slice().expect(whole)).expect(made);
        let a = Left { data, row: k, column: 1 };
        let b = Right::Blocks(blocks.as_slice().expect(whole));
        let start = Start::Bias(F::as_f32(bias.as_slice().expect(whole)).expect(made));
        let to = F::as_f32_mut(c.as_slice_mut().expect(whole)).expect(made);
        kernels::run(level, Gemm { m, k, n, a, b, start, c: to, c_row: n });
        c
    }
}

/// What a product is added to.
enum Onto<'a, F> {
    Zero,
    Bias(&'a Array1<F>),
    C,
}

/// C ← start + A B on the kernel; nothing is done, and none given, if there is no kernel for these
/// numbers, this processor or this way of lying in memory.
fn fast<F: Real>(
    c: &mut ArrayViewMut2<'_, F>,
    a: ArrayView2<'_, F>,
    b: ArrayView2<'_, F>,
    onto: Onto<'_, F>,
) -> Option<()> {
    let ((m, k), n, level) = (a.dim(), b.ncols(), simd::level());
    let fit = b.nrows() == k && c.dim() == (m, n);
    assert!(fit, "{:?} times {:?} into {:?}", a.dim(), b.dim(), c.dim());
    if !kernels::has_kernels(level) {
        return None;
    }
    let data = F::as_f32(a.to_slice_memory_order()?)?;
    let a = Left { data, row: stride(&a, 0)?, column: stride(&a, 1)? };
    let start = match onto {
        Onto::Zero => Start::Zero,
        Onto::Bias(bias) => Start::Bias(F::as_f32(bias.as_slice()?)?),
        Onto::C => Start::C,
    };
    let c = F::as_f32_mut(c.as_slice_mut()?)?;
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    if level == Level::Amx {
        let data = F::as_f32(b.to_slice_memory_order()?)?;
        let b = amx::Operand { data, row: stride(&b, 0)?, column: stride(&b, 1)? };
        let mut tiles = amx::instructions::Amx::new().expect("the level is available");
        amx::Product { m, k, n, a, b, start, c, c_row: n }.run(&mut tiles);
        return Some(());
    }
    if let Some(rows) = b.to_slice() {
        let b = Right::Rows { data: F::as_f32(rows)?, row: n };
        run(level, Gemm { m, k, n, a, b, start, c, c_row: n });
        return Some(());
    }
    // Lying by columns, B is laid out anew: W of x Wᵀ, a small part of the work.
    let columns = b.reversed_axes();
    let bt = F::as_f32(columns.to_slice()?)?;
    let mut packed = Lent::from(scratch::take((1, packed_len(level, k, n))));
    kernels::run(level, Pack { k, n, bt, row: k, blocks: packed.as_slice_mut()? });
    let b = Right::Blocks(packed.as_slice()?);
    run(level, Gemm { m, k, n, a, b, start, c, c_row: n });
    Some(())
}

/// Runs `gemm`; a large one by halves, for a thread that waits. A row does not depend on those beside it.
fn run(level: Level, gemm: Gemm<'_>) {
    let Gemm { m, k, n, a, b, start, c, c_row } = gemm;
    let upper = (m / 2).next_multiple_of(TILE_ROWS);
    if upper >= m || m * k * n < WORTH_HALVING {
        return kernels::run(level, Gemm { m, k, n, a, b, start, c, c_row });
    }
    let (c, c_lower) = c.split_at_mut(upper * c_row);
    let a_lower = Left { data: &a.data[upper * a.row..], ..a };
    both(
        || kernels::run(level, Gemm { m: upper, k, n, a, b, start, c, c_row }),
        || {
            let m = m - upper;
            kernels::run(level, Gemm { m, k, n, a: a_lower, b, start, c: c_lower, c_row })
        },
    );
}

/// Distance between neighbours along an axis, if they do not lie backwards.
fn stride<F>(a: &ArrayView2<'_, F>, axis: usize) -> Option<usize> {
    usize::try_from(a.strides()[axis]).ok()
}
