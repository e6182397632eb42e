//! The number that all arithmetic is generic over.

use std::cell::RefCell;
use std::fmt::{Debug, Display};
use std::iter::Sum;

use ndarray::{LinalgScalar, NdFloat};
use num_traits::FromPrimitive;

use crate::activation;
use crate::scratch::Pool;

thread_local! {
    static POOL_F32: RefCell<Pool<f32>> = const { RefCell::new(Pool::EMPTY) };
    static POOL_F64: RefCell<Pool<f64>> = const { RefCell::new(Pool::EMPTY) };
}

/// `f32` or `f64`.
///
/// The pointwise functions are methods here, so that `f32` can use its own vectorisable forms while
/// `f64` keeps the standard library's.
pub trait Real:
    NdFloat + LinalgScalar + FromPrimitive + Sum<Self> + Default + Debug + Display
{
    /// σ(x) = 1 / (1 + e⁻ˣ).
    fn sigmoid(self) -> Self;

    /// tanh x, as the cells use it.
    fn tanh_fast(self) -> Self;

    /// eˣ, as softmax and the sums of exponentials use it.
    fn exp_fast(self) -> Self;

    /// The number nearest to `x`.
    fn of(x: f64) -> Self;

    /// As `f64`, exactly.
    fn f64(self) -> f64;

    /// The same numbers, if this is `f32`: the way to the kernels, which know no other type.
    fn as_f32(x: &[Self]) -> Option<&[f32]>;

    /// As [`Real::as_f32`], to be written.
    fn as_f32_mut(x: &mut [Self]) -> Option<&mut [f32]>;

    /// Lends the memory of this thread that [`crate::scratch`] keeps for numbers of this type.
    #[doc(hidden)]
    fn with_pool<R>(f: impl FnOnce(&mut Pool<Self>) -> R) -> R;
}

impl Real for f64 {
    fn sigmoid(self) -> f64 {
        1.0 / (1.0 + (-self).exp())
    }

    fn tanh_fast(self) -> f64 {
        self.tanh()
    }

    fn exp_fast(self) -> f64 {
        self.exp()
    }

    fn of(x: f64) -> f64 {
        x
    }

    fn f64(self) -> f64 {
        self
    }

    fn as_f32(_: &[f64]) -> Option<&[f32]> {
        None
    }

    fn as_f32_mut(_: &mut [f64]) -> Option<&mut [f32]> {
        None
    }

    fn with_pool<R>(f: impl FnOnce(&mut Pool<f64>) -> R) -> R {
        POOL_F64.with_borrow_mut(f)
    }
}

impl Real for f32 {
    #[inline(always)]
    fn sigmoid(self) -> f32 {
        activation::sigmoid(self)
    }

    #[inline(always)]
    fn tanh_fast(self) -> f32 {
        activation::tanh(self)
    }

    #[inline(always)]
    fn exp_fast(self) -> f32 {
        activation::exp(self)
    }

    fn of(x: f64) -> f32 {
        x as f32
    }

    fn f64(self) -> f64 {
        f64::from(self)
    }

    fn as_f32(x: &[f32]) -> Option<&[f32]> {
        Some(x)
    }

    fn as_f32_mut(x: &mut [f32]) -> Option<&mut [f32]> {
        Some(x)
    }

    fn with_pool<R>(f: impl FnOnce(&mut Pool<f32>) -> R) -> R {
        POOL_F32.with_borrow_mut(f)
    }
}
