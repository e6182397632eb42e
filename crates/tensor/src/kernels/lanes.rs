//! Vectors of `f32`, so that a kernel is written once for all widths.
//!
//! A value of a type that implements [`Lanes`] is a permit: it is made only where the processor has
//! been found to run those instructions. Hence arithmetic on vectors is safe to call; reading and
//! writing memory stays unsafe, as it goes through bare pointers.

use crate::activation::{BOUND, EXP2, P, Q, SIGMOID_BOUND, TO_EXPONENT};

/// The operations of one set of vector instructions.
pub trait Lanes: Copy {
    /// Numbers in a vector.
    const N: usize;
    /// Vectors across a tile of a product, and rows of it: as many as the registers hold, with room
    /// for the operands.
    const ACROSS: usize;
    /// See [`Lanes::ACROSS`].
    const ROWS: usize;
    /// Rows of a tile four vectors across: the four gates of an LSTM.
    const STEP_ROWS: usize;
    /// A vector.
    type V: Copy;

    /// x in all places.
    fn splat(self, x: f32) -> Self::V;
    /// a + b.
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// a − b.
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// a · b.
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// a / b.
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// a · b + c, rounded once.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// x where it is within ±bound, else the nearer end; NaN stays NaN.
    fn clamp(self, x: Self::V, bound: f32) -> Self::V;

    /// The number whose encoding is that of x, moved up by 23 bits: the low bits become the exponent.
    fn to_exponent(self, x: Self::V) -> Self::V;

    /// A vector is N/4 groups of four. Of four vectors of groups a b c d, in each place: the first
    /// numbers of a, b, c and d, then their second, third and fourth.
    fn transpose_groups(self, v: [Self::V; 4]) -> [Self::V; 4];

    /// Groups from `from`, `from + apart`, `from + 2 apart` and so on.
    ///
    /// # Safety
    /// The four numbers of each may be read.
    unsafe fn load_groups(self, from: *const f32, apart: usize) -> Self::V;
    /// The N numbers from `from` on.
    ///
    /// # Safety
    /// All of them may be read.
    unsafe fn load(self, from: *const f32) -> Self::V;
    /// The first n ≤ N of them, 0 in the other places.
    ///
    /// # Safety
    /// The first n may be read.
    unsafe fn load_first(self, from: *const f32, n: usize) -> Self::V;
    /// Writes N numbers from `to` on.
    ///
    /// # Safety
    /// All of them may be written.
    unsafe fn store(self, to: *mut f32, v: Self::V);
    /// Writes the first n ≤ N of them.
    ///
    /// # Safety
    /// The first n may be written.
    unsafe fn store_first(self, to: *mut f32, n: usize, v: Self::V);
}

/// tanh x by the rational function of [`crate::activation`], within 3e-7; never ±1.
#[inline(always)]
pub fn tanh<L: Lanes>(l: L, x: L::V) -> L::V {
    let x = l.clamp(x, BOUND);
    let s = l.mul(x, x);
    let mut p = l.splat(P[0]);
    for &k in &P[1..] {
        p = l.mul_add(p, s, l.splat(k));
    }
    let mut q = l.splat(Q[0]);
    for &k in &Q[1..] {
        q = l.mul_add(q, s, l.splat(k));
    }
    l.div(l.mul(p, x), q)
}

/// σ(x) as in [`crate::activation`], within 1.3e-7; never 0.
#[inline(always)]
pub fn sigmoid<L: Lanes>(l: L, x: L::V) -> L::V {
    let y = l.mul(l.clamp(x, SIGMOID_BOUND), l.splat(-std::f32::consts::LOG2_E));
    let shifted = l.add(y, l.splat(TO_EXPONENT));
    let f = l.sub(y, l.sub(shifted, l.splat(TO_EXPONENT)));
    let mut p = l.splat(EXP2[0]);
    for &k in &EXP2[1..] {
        p = l.mul_add(p, f, l.splat(k));
    }
    let one = l.splat(1.0);
    l.div(one, l.mul_add(p, l.to_exponent(shifted), one))
}
