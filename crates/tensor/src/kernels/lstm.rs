//! One step of an LSTM in one pass: the recurrent product, the gates, the cell and the state, without
//! leaving the registers in between. The equations are those of `nn`'s `lstm` and `lstm_cell`.
//!
//! A tile holds all four gates of L::N units for a few sentences, so that the product's sums are the
//! very registers that the gates are computed in.

use super::Kernel;
use super::lanes::{Lanes, sigmoid, tanh};
use super::tile::{Operand, Tile, cut_rows, multiply};
use super::transpose::transpose;

/// Lays out W_hh (4H, H) for [`Step`]: for each block of L::N units, for each p < H, the p-th weights
/// of the four gates of these units, gate by gate. The last block is filled up with zeros.
pub struct Pack<'a> {
    pub n_hidden: usize,
    pub w_hh: &'a [f32],
    /// [`packed_len`] numbers, to be written.
    pub blocks: &'a mut [f32],
}

/// Size of W_hh in blocks of `lanes` units.
pub fn packed_len(lanes: usize, n_hidden: usize) -> usize {
    n_hidden.div_ceil(lanes) * n_hidden * 4 * lanes
}

impl Kernel for Pack<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Self { n_hidden, w_hh, blocks } = self;
        assert_eq!(w_hh.len(), 4 * n_hidden * n_hidden, "w_hh is (4H, H) with H = {n_hidden}");
        assert_eq!(blocks.len(), packed_len(L::N, n_hidden), "w_hh in blocks");
        if n_hidden % L::N != 0 {
            blocks.fill(0.0);
        }
        if n_hidden == 0 {
            return;
        }
        for (block, to) in blocks.chunks_exact_mut(n_hidden * 4 * L::N).enumerate() {
            let unit = block * L::N;
            let units = L::N.min(n_hidden - unit);
            for gate in 0..4 {
                let rows = &w_hh[(gate * n_hidden + unit) * n_hidden..];
                let to = &mut to[gate * L::N..];
                transpose(l, units, n_hidden, rows, n_hidden, to, 4 * L::N);
            }
        }
    }
}

/// A step of n sentences, of which the first m bring a state.
pub struct Step<'a> {
    pub n_hidden: usize,
    /// W_hh as [`Pack`] lays it out.
    pub w_hh: &'a [f32],
    /// (n, 4H): a without the recurrent product; becomes the gates i f g o.
    pub a: &'a mut [f32],
    /// (m, H)
    pub h_prev: &'a [f32],
    /// (m, H)
    pub c_prev: &'a [f32],
    /// (n, H)
    pub c: &'a mut [f32],
    /// (n, H)
    pub tanh_c: &'a mut [f32],
    /// (n, H)
    pub h: &'a mut [f32],
}

impl Kernel for Step<'_> {
    #[inline(always)]
    fn run<L: Lanes>(mut self, l: L) {
        let n_hidden = self.n_hidden;
        if n_hidden == 0 {
            return;
        }
        let (n, m, rows) = self.rows(L::N);
        for (block, w_hh) in self.w_hh.chunks_exact(n_hidden * 4 * L::N).enumerate() {
            let unit = block * L::N;
            let units = L::N.min(n_hidden - unit);
            // SAFETY: the shapes above; units unit to unit + units are among the H.
            unsafe {
                if units == L::N {
                    rows.block::<L, false>(l, m, n, w_hh.as_ptr(), unit, units);
                } else {
                    rows.block::<L, true>(l, m, n, w_hh.as_ptr(), unit, units);
                }
            }
        }
    }
}

impl Step<'_> {
    /// n, m and the arrays, which hold as many numbers as these say. The kernels rely on it.
    fn rows(&mut self, lanes: usize) -> (usize, usize, Rows) {
        let n_hidden = self.n_hidden;
        let (n, m) = (self.h.len() / n_hidden, self.h_prev.len() / n_hidden);
        assert_eq!(self.w_hh.len(), packed_len(lanes, n_hidden), "w_hh in blocks");
        assert_eq!(self.a.len(), n * 4 * n_hidden, "a is (n, 4H) with n = {n}, H = {n_hidden}");
        assert_eq!([self.c.len(), self.tanh_c.len(), self.h.len()], [n * n_hidden; 3], "(n, H)");
        assert_eq!([self.h_prev.len(), self.c_prev.len()], [m * n_hidden; 2], "(m, H)");
        assert!(m <= n, "{m} of {n} sentences bring a state");
        let rows = Rows {
            n_hidden,
            a: self.a.as_mut_ptr(),
            h_prev: self.h_prev.as_ptr(),
            c_prev: self.c_prev.as_ptr(),
            c: self.c.as_mut_ptr(),
            tanh_c: self.tanh_c.as_mut_ptr(),
            h: self.h.as_mut_ptr(),
        };
        (n, m, rows)
    }
}

/// A step of a sentence that is alone and brings a state, n = m = 1: one chain of additions a gate is too few to
/// keep the processor busy, so two blocks of units go at once. A kernel of its own, since beside the tiles of
/// [`Step`] the compiler keeps fewer of their sums in registers (measured: twice the time).
pub struct Alone<'a>(pub Step<'a>);

impl Kernel for Alone<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Self(mut step) = self;
        let n_hidden = step.n_hidden;
        if n_hidden == 0 {
            return;
        }
        let (n, m, rows) = step.rows(L::N);
        assert_eq!((n, m), (1, 1), "one sentence, with a state");
        let block = n_hidden * 4 * L::N;
        let (mut unit, mut blocks) = (0, step.w_hh);
        while unit + 2 * L::N <= n_hidden {
            let (two, others) = blocks.split_at(2 * block);
            // SAFETY: the arrays are as `rows` says; both blocks' units are among the H.
            unsafe { rows.two_blocks(l, [two.as_ptr(), two[block..].as_ptr()], unit) }
            (unit, blocks) = (unit + 2 * L::N, others);
        }
        for w_hh in blocks.chunks_exact(block) {
            let (w_hh, units) = (w_hh.as_ptr(), L::N.min(n_hidden - unit));
            // SAFETY: as above.
            unsafe {
                if units == L::N {
                    rows.tile::<L, 1, false>(l, 0, w_hh, unit, units, true);
                } else {
                    rows.tile::<L, 1, true>(l, 0, w_hh, unit, units, true);
                }
            }
            unit += units;
        }
    }
}

/// The arrays of a [`Step`], at its first sentence.
#[derive(Clone, Copy)]
struct Rows {
    n_hidden: usize,
    a: *mut f32,
    h_prev: *const f32,
    c_prev: *const f32,
    c: *mut f32,
    tanh_c: *mut f32,
    h: *mut f32,
}

impl Rows {
    /// All sentences, for the block of units that begins at `unit`.
    ///
    /// # Safety
    /// The arrays hold n sentences, `h_prev` and `c_prev` m ≤ n of them; the units are among the H.
    #[inline(always)]
    unsafe fn block<L: Lanes, const PART: bool>(
        self,
        l: L,
        m: usize,
        n: usize,
        w_hh: *const f32,
        unit: usize,
        units: usize,
    ) {
        for (r, rows) in cut_rows(m, L::STEP_ROWS) {
            // SAFETY: sentences r to r + rows are among the first m.
            unsafe {
                match rows {
                    6 if L::STEP_ROWS >= 6 => {
                        self.tile::<L, 6, PART>(l, r, w_hh, unit, units, true)
                    }
                    5 if L::STEP_ROWS >= 5 => {
                        self.tile::<L, 5, PART>(l, r, w_hh, unit, units, true)
                    }
                    4 if L::STEP_ROWS >= 4 => {
                        self.tile::<L, 4, PART>(l, r, w_hh, unit, units, true)
                    }
                    3 => self.tile::<L, 3, PART>(l, r, w_hh, unit, units, true),
                    2 => self.tile::<L, 2, PART>(l, r, w_hh, unit, units, true),
                    _ => self.tile::<L, 1, PART>(l, r, w_hh, unit, units, true),
                }
            }
        }
        for r in m..n {
            // SAFETY: sentence r is among the n; h' and c' are not read.
            unsafe { self.tile::<L, 1, PART>(l, r, w_hh, unit, units, false) }
        }
    }

    /// Sentences r to r + MR. If not `carried`, they start here, from a state of 0.
    ///
    /// # Safety
    /// As for `block`; these sentences are among the n, and among the m if `carried`.
    #[inline(always)]
    unsafe fn tile<L: Lanes, const MR: usize, const PART: bool>(
        self,
        l: L,
        r: usize,
        w_hh: *const f32,
        unit: usize,
        units: usize,
        carried: bool,
    ) {
        let n_hidden = self.n_hidden;
        // SAFETY: the caller's promise, for every number that is read or written below.
        unsafe {
            let a_of = |i: usize, gate: usize| self.a.add(((r + i) * 4 + gate) * n_hidden + unit);
            let mut a: Tile<L, MR, 4> = [[l.splat(0.0); 4]; MR];
            for i in 0..MR {
                for gate in 0..4 {
                    a[i][gate] = load::<L, PART>(l, a_of(i, gate), units);
                }
            }
            if carried {
                let h_prev =
                    Operand { at: self.h_prev.add(r * n_hidden), row: n_hidden, column: 1 };
                a = multiply::<L, MR, 4, false>(l, n_hidden, h_prev, w_hh, 4 * L::N, L::N, a);
            }
            for i in 0..MR {
                let at = (r + i) * n_hidden + unit;
                let c_prev = if carried {
                    load::<L, PART>(l, self.c_prev.add(at), units)
                } else {
                    l.splat(0.0)
                };
                let [a_i, a_f, a_g, a_o] = a[i];
                let (i_t, f) = (sigmoid(l, a_i), sigmoid(l, a_f));
                let (g, o) = (tanh(l, a_g), sigmoid(l, a_o));
                let c = l.mul_add(f, c_prev, l.mul(i_t, g));
                let tanh_c = tanh(l, c);
                for (gate, v) in [i_t, f, g, o].into_iter().enumerate() {
                    store::<L, PART>(l, a_of(i, gate), units, v);
                }
                store::<L, PART>(l, self.c.add(at), units, c);
                store::<L, PART>(l, self.tanh_c.add(at), units, tanh_c);
                store::<L, PART>(l, self.h.add(at), units, l.mul(o, tanh_c));
            }
        }
    }

    /// Two blocks of units of a sentence that is alone and brings a state: twice as many chains of additions
    /// at once as a tile of one row has, each in the order that `multiply` has.
    ///
    /// # Safety
    /// As for `block`, and m = n = 1.
    #[inline(always)]
    unsafe fn two_blocks<L: Lanes>(self, l: L, w_hh: [*const f32; 2], unit: usize) {
        // SAFETY: the caller's promise, for every number that is read or written below.
        unsafe {
            let mut a = [[l.splat(0.0); 4]; 2];
            for b in 0..2 {
                for gate in 0..4 {
                    a[b][gate] = l.load(self.a.add(gate * self.n_hidden + unit + b * L::N));
                }
            }
            for p in 0..self.n_hidden {
                let h = l.splat(*self.h_prev.add(p));
                for b in 0..2 {
                    for gate in 0..4 {
                        let w = l.load(w_hh[b].add((p * 4 + gate) * L::N));
                        a[b][gate] = l.mul_add(h, w, a[b][gate]);
                    }
                }
            }
            for b in 0..2 {
                let at = unit + b * L::N;
                let [a_i, a_f, a_g, a_o] = a[b];
                let (i_t, f) = (sigmoid(l, a_i), sigmoid(l, a_f));
                let (g, o) = (tanh(l, a_g), sigmoid(l, a_o));
                let c = l.mul_add(f, l.load(self.c_prev.add(at)), l.mul(i_t, g));
                let tanh_c = tanh(l, c);
                for (gate, v) in [i_t, f, g, o].into_iter().enumerate() {
                    l.store(self.a.add(gate * self.n_hidden + at), v);
                }
                l.store(self.c.add(at), c);
                l.store(self.tanh_c.add(at), tanh_c);
                l.store(self.h.add(at), l.mul(o, tanh_c));
            }
        }
    }
}

/// A vector, or its first `units` numbers if PART.
///
/// # Safety
/// They may be read.
#[inline(always)]
unsafe fn load<L: Lanes, const PART: bool>(l: L, from: *const f32, units: usize) -> L::V {
    // SAFETY: the caller's promise.
    unsafe { if PART { l.load_first(from, units) } else { l.load(from) } }
}

/// Writes a vector, or its first `units` numbers if PART.
///
/// # Safety
/// They may be written.
#[inline(always)]
unsafe fn store<L: Lanes, const PART: bool>(l: L, to: *mut f32, units: usize, v: L::V) {
    // SAFETY: the caller's promise.
    unsafe { if PART { l.store_first(to, units, v) } else { l.store(to, v) } }
}
