//! C ← start + A B on vectors, for `f32`.
//!
//! The loops, from the outside in, are those of Goto and van de Geijn 2008 without their packing of A:
//! the operands of an LSTM are small enough to stay in the second-level cache as they lie.
//!
//! ```text
//! for each block of columns of C, ACROSS vectors wide
//!   for each run of at most KC rows of that block of B, which stay in the first-level cache
//!     for each tile of at most ROWS rows of C: `tile::multiply`
//! ```

use super::Kernel;
use super::lanes::Lanes;
use super::tile::{Operand, Tile, cut_rows, multiply, row, store_row};
use super::transpose::transpose;
use crate::simd::Level;

/// Rows of a block of B at most: with 64 columns, 24 KiB of a first-level cache of 32 or more.
const KC: usize = 96;

/// What a product is added to.
#[derive(Clone, Copy)]
pub enum Start<'a> {
    /// Nothing.
    Zero,
    /// These n numbers, in each row.
    Bias(&'a [f32]),
    /// What C holds.
    C,
}

/// A (m, k): element (i, p) is `data[i · row + p · column]`.
#[derive(Clone, Copy)]
pub struct Left<'a> {
    pub data: &'a [f32],
    pub row: usize,
    pub column: usize,
}

/// B (k, n), of which each row of a block of columns is in one piece.
#[derive(Clone, Copy)]
pub enum Right<'a> {
    /// Row p begins at `data[p · row]`.
    Rows { data: &'a [f32], row: usize },
    /// As `pack` lays it out: block after block, row after row of the block, the last block filled
    /// up with zeros.
    Blocks(&'a [f32]),
}

/// C ← start + A B: (m, k) · (k, n) → (m, n). Row i of C begins at `c[i · c_row]`.
pub struct Gemm<'a> {
    pub m: usize,
    pub k: usize,
    pub n: usize,
    pub a: Left<'a>,
    pub b: Right<'a>,
    pub start: Start<'a>,
    pub c: &'a mut [f32],
    pub c_row: usize,
}

impl Gemm<'_> {
    /// Panics unless every element lies within its slice. The kernel relies on it.
    fn check(&self, width: usize) {
        let Self { m, k, n, a, b, start, c, c_row } = self;
        let (m, k, n, c_row) = (*m, *k, *n, *c_row);
        // One past the last element of rows × columns numbers at these distances.
        let end = |rows: usize, row: usize, columns: usize, column: usize| {
            if rows == 0 || columns == 0 {
                0
            } else {
                (rows - 1) * row + (columns - 1) * column + 1
            }
        };
        assert!(end(m, a.row, k, a.column) <= a.data.len(), "A is ({m}, {k})");
        match b {
            Right::Rows { data, row } => {
                assert!(end(k, *row, n, 1) <= data.len(), "B is ({k}, {n})")
            }
            Right::Blocks(data) => {
                assert_eq!(data.len(), n.div_ceil(width) * k * width, "B is ({k}, {n}) in blocks");
            }
        }
        if let Start::Bias(bias) = start {
            assert_eq!(bias.len(), n, "one bias a column");
        }
        assert!(n <= c_row && end(m, c_row, n, 1) <= c.len(), "C is ({m}, {n})");
    }
}

impl Kernel for Gemm<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let width = L::ACROSS * L::N;
        self.check(width);
        let Self { m, k, n, a, b, start, c, c_row } = self;
        if m == 0 {
            return;
        }
        for first in (0..n).step_by(width) {
            let columns = width.min(n - first);
            // Wrapping: where k is 0, A and B may be empty.
            let (b, b_row) = match b {
                Right::Rows { data, row } => (data.as_ptr().wrapping_add(first), row),
                Right::Blocks(data) => (data.as_ptr().wrapping_add(first * k), width),
            };
            let begin = match start {
                Start::Zero => Begin::Zero,
                Start::Bias(bias) => Begin::Bias(bias[first..].as_ptr()),
                Start::C => Begin::C,
            };
            let a = Operand { at: a.data.as_ptr(), row: a.row, column: a.column };
            let block = Block { m, k, a, b, b_row, begin, c: c[first..].as_mut_ptr(), c_row };
            // SAFETY: `check` found all m rows and the `columns` ≤ n − first columns from `first` on
            // within C, A, the bias and the rows of B; a block of B is `width` wide.
            unsafe {
                match columns.div_ceil(L::N) {
                    4 if L::ACROSS == 4 && columns == width => block.run::<L, 4, false>(l, L::N),
                    2 if L::ACROSS == 2 && columns == width => block.run::<L, 2, false>(l, L::N),
                    4 if L::ACROSS == 4 => block.run::<L, 4, true>(l, columns - 3 * L::N),
                    3 if L::ACROSS == 4 => block.run::<L, 3, true>(l, columns - 2 * L::N),
                    2 => block.run::<L, 2, true>(l, columns - L::N),
                    _ => block.run::<L, 1, true>(l, columns),
                }
            }
        }
    }
}

/// `Start`, at the first column of a block.
#[derive(Clone, Copy)]
enum Begin {
    Zero,
    Bias(*const f32),
    C,
}

/// One block of columns of C and of B.
#[derive(Clone, Copy)]
struct Block {
    m: usize,
    k: usize,
    a: Operand,
    b: *const f32,
    b_row: usize,
    begin: Begin,
    c: *mut f32,
    c_row: usize,
}

impl Block {
    /// # Safety
    /// The block, NV vectors wide less what `last` leaves out if PART, lies within its matrices.
    #[inline(always)]
    unsafe fn run<L: Lanes, const NV: usize, const PART: bool>(self, l: L, last: usize) {
        // At least one run, so that a product over nothing gives `start`; all of about one length.
        let runs = self.k.div_ceil(KC).max(1);
        let run = self.k.div_ceil(runs).max(1);
        for first in (0..self.k.max(1)).step_by(run) {
            let begin = if first == 0 { self.begin } else { Begin::C };
            let a = Operand { at: self.a.at.wrapping_add(first * self.a.column), ..self.a };
            let b = self.b.wrapping_add(first * self.b_row);
            let part = Self { k: run.min(self.k - first), a, b, begin, ..self };
            for (i, rows) in cut_rows(self.m, L::ROWS) {
                // SAFETY: the caller's promise; rows i to i + rows are among the m.
                unsafe {
                    match rows {
                        6 => part.tile::<L, 6, NV, PART>(l, i, last),
                        5 => part.tile::<L, 5, NV, PART>(l, i, last),
                        4 => part.tile::<L, 4, NV, PART>(l, i, last),
                        3 => part.tile::<L, 3, NV, PART>(l, i, last),
                        2 => part.tile::<L, 2, NV, PART>(l, i, last),
                        _ => part.tile::<L, 1, NV, PART>(l, i, last),
                    }
                }
            }
        }
    }

    /// Rows i to i + MR of C.
    ///
    /// # Safety
    /// As for `run`, and the rows are among the m.
    #[inline(always)]
    unsafe fn tile<L: Lanes, const MR: usize, const NV: usize, const PART: bool>(
        self,
        l: L,
        i: usize,
        last: usize,
    ) {
        let a = Operand { at: self.a.at.wrapping_add(i * self.a.row), ..self.a };
        // SAFETY: the caller's promise.
        unsafe {
            let c = self.c.add(i * self.c_row);
            let mut sums: Tile<L, MR, NV> = [[l.splat(0.0); NV]; MR];
            for r in 0..MR {
                match self.begin {
                    Begin::Zero => {}
                    Begin::Bias(bias) => sums[r] = row::<L, NV, PART>(l, bias, last),
                    Begin::C => sums[r] = row::<L, NV, PART>(l, c.add(r * self.c_row), last),
                }
            }
            let sums = multiply::<L, MR, NV, PART>(l, self.k, a, self.b, self.b_row, last, sums);
            for r in 0..MR {
                store_row::<L, NV, PART>(l, c.add(r * self.c_row), last, sums[r]);
            }
        }
    }
}

/// Lays out B (k, n) for [`Right::Blocks`], from its transpose: element (p, j) is `bt[j · row + p]`.
pub struct Pack<'a> {
    pub k: usize,
    pub n: usize,
    pub bt: &'a [f32],
    pub row: usize,
    /// [`packed_len`] numbers, to be written.
    pub blocks: &'a mut [f32],
}

/// The size of [`Pack::blocks`], for B (k, n) at `level`.
pub fn packed_len(level: Level, k: usize, n: usize) -> usize {
    let width = match level {
        Level::Portable => 1,
        Level::Neon | Level::Avx2 => 16,
        Level::Avx512 | Level::Amx => 64,
    };
    n.div_ceil(width) * k * width
}

impl Kernel for Pack<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let width = L::ACROSS * L::N;
        let Self { k, n, bt, row, blocks } = self;
        assert_eq!(blocks.len(), n.div_ceil(width) * k * width, "B is ({k}, {n}) in blocks");
        if n % width != 0 {
            blocks.fill(0.0);
        }
        if k == 0 {
            return;
        }
        for (block, to) in blocks.chunks_exact_mut(k * width).enumerate() {
            for across in (0..width).step_by(L::N) {
                let first = block * width + across;
                let columns = L::N.min(n.saturating_sub(first));
                if columns > 0 {
                    transpose(l, columns, k, &bt[first * row..], row, &mut to[across..], width);
                }
            }
        }
    }
}
