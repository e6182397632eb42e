//! Numbers: matrix products, pointwise functions, reductions, initialisers and random streams.
//!
//! Everything is generic over [`Real`], which is `f32` (training, tagging) or `f64` (gradient
//! checks). `f64` always runs the plain code; `f32` may run a kernel made for the processor at hand
//! behind the same call. Matrices are row-major `ndarray` arrays. A wrong shape is a bug of the
//! caller: functions panic and name both shapes.

mod activation;
mod adam;
mod beside;
pub mod init;
mod kernels;
mod lstm;
mod product;
pub mod random;
mod real;
mod reduce;
pub mod scratch;
pub mod simd;

pub use adam::{AdamRates, adam_update};
pub use beside::both;
pub use kernels::{prefetch, vectorised};
pub use lstm::{LstmKernel, LstmStep};
pub use product::{Packed, add_dot, dot, dot_bias, dot_bias_into, dot_into};
pub use real::Real;
pub use reduce::{add_rows, log_sum_exp, softmax_in_place, sum_of_squares};
