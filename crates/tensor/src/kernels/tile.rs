//! The inner loop of every product: a tile of C that stays in registers.
//!
//! ```text
//! C[i, j] += Σ_p A[i, p] B[p, j]      i < MR rows · j < NV vectors of L::N columns · p < k
//! ```
//!
//! Each number of C is one chain of fused multiply-adds in the order of p, whatever tile it lies in:
//! so a row of a product does not depend on the rows beside it, to the last bit.

use super::lanes::Lanes;

/// An operand of a tile: the address of its first number, and the distances between its rows and
/// between its columns.
#[derive(Clone, Copy)]
pub struct Operand {
    pub at: *const f32,
    pub row: usize,
    pub column: usize,
}

/// A tile of C: MR rows of NV vectors.
pub type Tile<L, const MR: usize, const NV: usize> = [[<L as Lanes>::V; NV]; MR];

/// Adds A B to `c`. The columns of B are counted in vectors; of the last only the first `last`
/// numbers are read if PART.
///
/// # Safety
/// A (MR, k) and B (k, NV vectors, less what `last` leaves out) may be read.
#[inline(always)]
pub unsafe fn multiply<L: Lanes, const MR: usize, const NV: usize, const PART: bool>(
    l: L,
    k: usize,
    a: Operand,
    b: *const f32,
    b_row: usize,
    last: usize,
    mut c: Tile<L, MR, NV>,
) -> Tile<L, MR, NV> {
    for p in 0..k {
        // SAFETY: p < k, i < MR, and the vectors are those of row p of B.
        unsafe {
            let b_p = b.add(p * b_row);
            // Beside the sums, the side of which there are fewer vectors stays in registers.
            if MR < NV {
                let mut column = [l.splat(0.0); MR];
                for i in 0..MR {
                    column[i] = l.splat(*a.at.add(i * a.row + p * a.column));
                }
                for j in 0..NV {
                    let b_pj = vector::<L, NV, PART>(l, b_p, j, last);
                    for i in 0..MR {
                        c[i][j] = l.mul_add(column[i], b_pj, c[i][j]);
                    }
                }
            } else {
                let row = row::<L, NV, PART>(l, b_p, last);
                for i in 0..MR {
                    let a_ip = l.splat(*a.at.add(i * a.row + p * a.column));
                    for j in 0..NV {
                        c[i][j] = l.mul_add(a_ip, row[j], c[i][j]);
                    }
                }
            }
        }
    }
    c
}

/// NV vectors that lie side by side; of the last only the first `last` numbers if PART.
///
/// # Safety
/// They may be read.
#[inline(always)]
pub unsafe fn row<L: Lanes, const NV: usize, const PART: bool>(
    l: L,
    from: *const f32,
    last: usize,
) -> [L::V; NV] {
    let mut v = [l.splat(0.0); NV];
    for j in 0..NV {
        // SAFETY: the caller's promise.
        v[j] = unsafe { vector::<L, NV, PART>(l, from, j, last) };
    }
    v
}

/// The j-th of NV vectors that lie side by side; of the last only the first `last` numbers if PART.
///
/// # Safety
/// It may be read.
#[inline(always)]
unsafe fn vector<L: Lanes, const NV: usize, const PART: bool>(
    l: L,
    from: *const f32,
    j: usize,
    last: usize,
) -> L::V {
    // SAFETY: the caller's promise.
    unsafe {
        let from = from.add(j * L::N);
        if PART && j + 1 == NV { l.load_first(from, last) } else { l.load(from) }
    }
}

/// Writes NV vectors side by side; of the last only the first `last` numbers if PART.
///
/// # Safety
/// They may be written.
#[inline(always)]
pub unsafe fn store_row<L: Lanes, const NV: usize, const PART: bool>(
    l: L,
    to: *mut f32,
    last: usize,
    v: [L::V; NV],
) {
    for j in 0..NV {
        // SAFETY: the caller's promise.
        unsafe {
            let to = to.add(j * L::N);
            if PART && j + 1 == NV { l.store_first(to, last, v[j]) } else { l.store(to, v[j]) }
        }
    }
}

/// Cuts m rows into tiles of at most `most` rows, as even as can be: first row and number of rows of
/// each.
#[inline(always)]
pub fn cut_rows(m: usize, most: usize) -> impl Iterator<Item = (usize, usize)> {
    let tiles = m.div_ceil(most);
    // The first `more` tiles have one row more than the others.
    let (rows, more) = (m.checked_div(tiles).unwrap_or(0), m.checked_rem(tiles).unwrap_or(0));
    (0..tiles).map(move |t| (t * rows + t.min(more), rows + usize::from(t < more)))
}
