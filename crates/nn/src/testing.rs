//! What the tests of the layers share.

use ndarray::Array2;
use tensor::random::{Purpose, Stream};

/// (rows, columns) of numbers spread around 0 with variance 1/3; `which` names the draw.
pub fn normal(which: u32, rows: usize, columns: usize) -> Array2<f64> {
    tensor::init::uniform(rows, columns, 1.0, &mut Stream::new(7, Purpose::Test, which, 0))
}

/// As [`normal`], one row.
pub fn vector(which: u32, n: usize) -> ndarray::Array1<f64> {
    normal(which, 1, n).row(0).to_owned()
}

/// Lengths that every recurrent layer is checked with: ragged, equal, a single token, two tokens.
pub const LENGTHS: [&[usize]; 6] = [&[5, 3, 3, 1], &[4, 4], &[1], &[2], &[2, 1, 1], &[6]];
