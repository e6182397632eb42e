//! What turns gradients into new weights: sums over shards, clipping, Adam (dense and row-sparse),
//! learning-rate schedules.
//!
//! Nothing here knows a layer: weights are [`nn::Params`] or rows of a table. All sums run in an
//! order that depends on the batch alone, so a step gives the same bits on any number of threads.

pub mod adam;
pub mod rows;
pub mod schedule;
pub mod sum;

pub use adam::{Adam, AdamKind, AdamSettings};
pub use rows::{RowAdam, SummedRows};
pub use schedule::{Schedule, Shape};
