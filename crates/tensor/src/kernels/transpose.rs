//! Rows to columns: how the weights of x Wᵀ are laid out for the kernels.

use super::lanes::Lanes;

/// Writes the transpose of `rows` ≤ L::N rows of k numbers: number p of row j to `to[p · to_row + j]`.
///
/// # Panics
/// If a number lies outside its slice.
#[inline(always)]
pub fn transpose<L: Lanes>(
    l: L,
    rows: usize,
    k: usize,
    from: &[f32],
    from_row: usize,
    to: &mut [f32],
    to_row: usize,
) {
    if rows == 0 || k == 0 {
        return;
    }
    assert!((rows - 1) * from_row + k <= from.len(), "{rows} rows of {k}");
    assert!((k - 1) * to_row + rows <= to.len(), "{k} rows of {rows}");
    let fours = if rows == L::N { k / 4 * 4 } else { 0 };
    for p in (0..fours).step_by(4) {
        // SAFETY: all L::N rows have numbers p to p + 4, and rows p to p + 4 of `to` have L::N places.
        unsafe {
            let at = |j: usize| from.as_ptr().add(j * from_row + p);
            let rows = [at(0), at(1), at(2), at(3)];
            let columns = l.transpose_groups(load_groups(l, rows, 4 * from_row));
            for (q, column) in columns.into_iter().enumerate() {
                l.store(to.as_mut_ptr().add((p + q) * to_row), column);
            }
        }
    }
    for j in 0..rows {
        for p in fours..k {
            to[p * to_row + j] = from[j * from_row + p];
        }
    }
}

/// # Safety
/// As for [`Lanes::load_groups`], for each of the four.
#[inline(always)]
unsafe fn load_groups<L: Lanes>(l: L, from: [*const f32; 4], apart: usize) -> [L::V; 4] {
    let [a, b, c, d] = from;
    // SAFETY: the caller's promise.
    unsafe {
        [
            l.load_groups(a, apart),
            l.load_groups(b, apart),
            l.load_groups(c, apart),
            l.load_groups(d, apart),
        ]
    }
}
