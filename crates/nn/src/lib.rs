//! Layers: every forward and every backward, written by hand.
//!
//! A layer is one file: its equations, its weights, what backward needs of forward (`Cache`),
//! `forward`, `backward` with the mirrored equation numbers, and a check of every gradient against
//! central differences. The shape of the code is always
//!
//! ```text
//! forward (&self, x, …)                  → (y, Cache)
//! backward(&self, cache, dy, &mut grads) → dx          adds to grads, spends the cache
//! ```
//!
//! and a layer's gradient is a value of the layer's own type. Read [`lstm_cell`] first, then
//! [`lstm`], [`bilstm`], and [`tagger`], which puts the pieces together. A batch is a set of
//! sentences packed without padding: see [`packing`].
//!
//! Absent on purpose: files, strings other than tensor names, clocks, threads, global random state.

pub mod bilstm;
pub mod char_cnn;
pub mod char_lstm;
pub mod chars;
pub mod crf;
pub mod dense;
pub mod dropout;
pub mod embedding;
pub mod gradcheck;
pub mod keras_relu;
pub mod lstm;
pub mod lstm_cell;
pub mod packing;
pub mod params;
pub mod projection;
pub mod ready;
pub mod softmax;
pub mod sum_embedding;
pub mod tagger;
#[cfg(test)]
mod testing;
pub mod trace;
pub mod vectors;
pub mod wide;

pub use packing::{Direction, Packing};
pub use params::Params;
