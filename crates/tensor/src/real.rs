//! The number that all arithmetic is generic over.

use std::fmt::{Debug, Display};
use std::iter::Sum;

use ndarray::{LinalgScalar, NdFloat};
use num_traits::FromPrimitive;

use crate::activation;

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

    /// The number nearest to `x`.
    fn of(x: f64) -> Self;

    /// As `f64`, exactly.
    fn f64(self) -> f64;
}

impl Real for f64 {
    fn sigmoid(self) -> f64 {
        1.0 / (1.0 + (-self).exp())
    }

    fn tanh_fast(self) -> f64 {
        self.tanh()
    }

    fn of(x: f64) -> f64 {
        x
    }

    fn f64(self) -> f64 {
        self
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

    fn of(x: f64) -> f32 {
        x as f32
    }

    fn f64(self) -> f64 {
        f64::from(self)
    }
}
