//! Training and tagging on a GPU.
//!
//! ```text
//! kernels/*.cu ── ptx.py ──► ptx/longhand.ptx ── driver ──► a GPU
//!              └─ c++ ─────► a library ───────── shim ────► this processor, for tests
//!
//! Batch (ids, lengths, tags) ──► Network::step: forward, backward, Adam ──► Outcome
//! Batch (ids, lengths)       ──► Network::tag: forward, Viterbi ──► Given: tags, scores
//! ```
//!
//! The crate stands at the bottom: it knows nothing of the types of the others, numbers go in and out as
//! slices. [`Network`] is written once against [`Machine`], which is a GPU or the shim. What the kernels
//! do, how they are laid out and how they are tested: `docs/cuda.md`.

mod arguments;
mod batch;
mod chars;
mod description;
#[cfg(feature = "driver")]
pub mod driver;
mod error;
mod finish;
mod forward;
mod layers;
mod machine;
#[cfg(feature = "measure")]
pub mod measure;
mod memory;
mod network;
#[cfg(feature = "shim")]
pub mod shim;
mod tables;
#[cfg(all(test, any(feature = "shim", feature = "driver")))]
mod tests;

pub use arguments::{Args, sizes};
pub use batch::{Batch, Letters, Tokens};
pub use description::{
    CharKind, Chars, Description, Dropped, Head, Layer, Noise, Outcome, Rates, Vectors, Weights,
    Which, Wide,
};
pub use error::CudaError;
pub use layers::{Engine, LayerShape, LstmCache, LstmWeights};
pub use machine::{Address, Launch, Machine};
pub use memory::Span;
pub use network::{Asked, Given, Network};

/// The kernels for any GPU of compute capability 8.0 or newer, as committed.
pub const PTX: &str = include_str!("../ptx/longhand.ptx");

/// The GPU, if there is one that can be used.
///
/// # Errors
/// Why there is none, in words for people.
#[cfg(feature = "driver")]
pub fn gpu() -> Result<Box<dyn Machine>, CudaError> {
    Ok(Box::new(driver::Gpu::open()?))
}

/// The GPU, if there is one that can be used.
///
/// # Errors
/// Always: this build has no support for it.
#[cfg(not(feature = "driver"))]
pub fn gpu() -> Result<Box<dyn Machine>, CudaError> {
    Err(CudaError::NotBuilt)
}
