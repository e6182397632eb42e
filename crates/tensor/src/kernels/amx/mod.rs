//! Products of `f32` on tiles of bfloat16: three products for one.
//!
//! ```text
//! x = x_hi + x_lo + e     x_hi, x_lo bfloat16 (8 bits each), |x_lo| ≤ 2⁻⁸ |x|, |e| ≤ 2⁻¹⁷ |x|
//!
//! A B ≈ A_hi B_hi + A_hi B_lo + A_lo B_hi
//! ```
//!
//! What is left out, A_lo B_lo and the e of both, is at most 2⁻¹⁵ Σ|a b| of an element, where a product in `f32`
//! is off by some 2⁻²³. So this is a level that one asks for (`LONGHAND_SIMD=amx`), not one that is chosen. An
//! infinity has no second half, and what comes of it is NaN as often as not.
//!
//! The tiles are a trait: [`instructions`] are the processor's, and the tests have some in plain code that do what is
//! documented of these, so that packing, edges and order are tested where they are not.
//!
//! A number of C is added up along k alone, 32 at a time, whatever rows and columns are beside it.

#[cfg(test)]
mod emulated;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub mod instructions;

use super::gemm::{Left, Start};
use super::vectorised;

/// Rows of a tile, and columns of a tile of sums.
pub const SIDE: usize = 16;

/// Numbers along k in a tile.
pub const DEPTH: usize = 32;

/// A tile of bfloat16, 16 rows of 64 bytes. Of A: row i has 32 numbers along k. Of B: row p has, for each of 16
/// columns, the numbers 2p and 2p + 1 along k.
pub type Half = [u16; SIDE * DEPTH];

/// A tile of sums: 16 rows of 16 numbers.
pub type Sums = [f32; SIDE * SIDE];

/// Eight tiles, as the processor has them.
pub trait Tiles {
    /// Tile T becomes `from`.
    fn load<const T: u8>(&mut self, from: &Half);

    /// Tile T becomes `from`.
    fn load_sums<const T: u8>(&mut self, from: &Sums);

    /// Tile C += tile A · tile B.
    fn multiply<const C: u8, const A: u8, const B: u8>(&mut self);

    /// `to` becomes tile T.
    fn store_sums<const T: u8>(&mut self, to: &mut Sums);
}

/// B (k, n) where it lies: element (p, j) is `data[p · row + j · column]`.
#[derive(Clone, Copy)]
pub struct Operand<'a> {
    pub data: &'a [f32],
    pub row: usize,
    pub column: usize,
}

/// C ← start + A B: (m, k) · (k, n) → (m, n). Row i of C begins at `c[i · c_row]`.
pub struct Product<'a> {
    pub m: usize,
    pub k: usize,
    pub n: usize,
    pub a: Left<'a>,
    pub b: Operand<'a>,
    pub start: Start<'a>,
    pub c: &'a mut [f32],
    pub c_row: usize,
}

/// A matrix cut into tiles, both halves: those of a strip of 16 rows (A) or columns (B) lie side by side.
struct Cut {
    /// Tiles of a strip.
    deep: usize,
    hi: Vec<Half>,
    lo: Vec<Half>,
}

impl Cut {
    /// `lines` rows of A or columns of B, k numbers deep: the p-th of line s is `data[s · line + p · step]`. Behind
    /// the last line and the last number there are zeros. `paired`: as B's tiles have them.
    fn new(data: &[f32], lines: usize, line: usize, k: usize, step: usize, paired: bool) -> Self {
        let deep = k.div_ceil(DEPTH);
        let zeros = vec![[0; SIDE * DEPTH]; lines.div_ceil(SIDE) * deep];
        let (mut hi, mut lo) = (zeros.clone(), zeros);
        for s in 0..lines {
            for first in (0..k).step_by(DEPTH) {
                let mut numbers = [0.0; DEPTH];
                let (n, from) = (DEPTH.min(k - first), s * line + first * step);
                match step {
                    1 => numbers[..n].copy_from_slice(&data[from..from + n]),
                    _ => (0..n).for_each(|p| numbers[p] = data[from + p * step]),
                }
                let halves = split_all(&numbers);
                let tile = s / SIDE * deep + first / DEPTH;
                for (tile, halves) in [&mut hi[tile], &mut lo[tile]].into_iter().zip(&halves) {
                    if paired {
                        for (p, pair) in halves.chunks_exact(2).enumerate() {
                            tile[p * DEPTH + 2 * (s % SIDE)..][..2].copy_from_slice(pair);
                        }
                    } else {
                        tile[s % SIDE * DEPTH..][..DEPTH].copy_from_slice(halves);
                    }
                }
            }
        }
        Self { deep, hi, lo }
    }

    /// Tile `p` along k of a strip, of one of the halves; beyond the last strip there are zeros.
    fn tile<'a>(&self, half: &'a [Half], strip: usize, p: usize) -> &'a Half {
        static ZEROS: Half = [0; SIDE * DEPTH];
        half.get(strip * self.deep + p).unwrap_or(&ZEROS)
    }
}

impl Product<'_> {
    /// Does it on `tiles`.
    ///
    /// # Panics
    /// If an element lies outside of its slice.
    pub fn run(self, tiles: &mut impl Tiles) {
        let Self { m, k, n, a, b, start, c, c_row } = self;
        let rows = Cut::new(a.data, m, a.row, k, a.column, false);
        let columns = Cut::new(b.data, n, b.column, k, b.row, true);
        for i in (0..m).step_by(2 * SIDE) {
            for j in (0..n).step_by(2 * SIDE) {
                // Four tiles of C, of which those beyond its edge come to nothing.
                let mut sums = [[0.0; SIDE * SIDE]; 4];
                for (t, sums) in sums.iter_mut().enumerate() {
                    let (i, j) = (i + t / 2 * SIDE, j + t % 2 * SIDE);
                    for r in i..m.min(i + SIDE) {
                        let columns = j.min(n)..n.min(j + SIDE);
                        let to = &mut sums[(r - i) * SIDE..][..columns.len()];
                        match start {
                            Start::Zero => {}
                            Start::Bias(bias) => to.copy_from_slice(&bias[columns]),
                            Start::C => to.copy_from_slice(&c[r * c_row..][columns]),
                        }
                    }
                }
                four(tiles, [&rows, &columns], [i / SIDE, j / SIDE], &mut sums);
                for (t, sums) in sums.iter().enumerate() {
                    let (i, j) = (i + t / 2 * SIDE, j + t % 2 * SIDE);
                    for r in i..m.min(i + SIDE) {
                        let columns = j.min(n)..n.min(j + SIDE);
                        let from = &sums[(r - i) * SIDE..][..columns.len()];
                        c[r * c_row..][columns].copy_from_slice(from);
                    }
                }
            }
        }
    }
}

/// Adds A B to four tiles of sums, two by two, from strips `at` on. A tile of A or B serves two products, and hi
/// of A and of B are read twice, as there are eight tiles for the twelve that take part.
fn four(tiles: &mut impl Tiles, [a, b]: [&Cut; 2], at: [usize; 2], sums: &mut [Sums; 4]) {
    tiles.load_sums::<0>(&sums[0]);
    tiles.load_sums::<1>(&sums[1]);
    tiles.load_sums::<2>(&sums[2]);
    tiles.load_sums::<3>(&sums[3]);
    for p in 0..a.deep {
        let [i, j] = at;
        tiles.load::<4>(a.tile(&a.hi, i, p));
        tiles.load::<5>(a.tile(&a.hi, i + 1, p));
        for half in [&b.hi, &b.lo] {
            tiles.load::<6>(b.tile(half, j, p));
            tiles.load::<7>(b.tile(half, j + 1, p));
            two_by_two(tiles);
        }
        tiles.load::<4>(a.tile(&a.lo, i, p));
        tiles.load::<5>(a.tile(&a.lo, i + 1, p));
        tiles.load::<6>(b.tile(&b.hi, j, p));
        tiles.load::<7>(b.tile(&b.hi, j + 1, p));
        two_by_two(tiles);
    }
    tiles.store_sums::<0>(&mut sums[0]);
    tiles.store_sums::<1>(&mut sums[1]);
    tiles.store_sums::<2>(&mut sums[2]);
    tiles.store_sums::<3>(&mut sums[3]);
}

fn two_by_two(tiles: &mut impl Tiles) {
    tiles.multiply::<0, 4, 6>();
    tiles.multiply::<1, 4, 7>();
    tiles.multiply::<2, 5, 6>();
    tiles.multiply::<3, 5, 7>();
}

/// [`split`] of each number.
fn split_all(numbers: &[f32; DEPTH]) -> [[u16; DEPTH]; 2] {
    let (mut hi, mut lo) = ([0; DEPTH], [0; DEPTH]);
    vectorised(
        #[inline(always)]
        || {
            for i in 0..DEPTH {
                (hi[i], lo[i]) = split(numbers[i]);
            }
        },
    );
    [hi, lo]
}

/// x_hi and x_lo. A number beyond what bfloat16 holds, NaN among them, has no second half.
#[inline(always)]
fn split(x: f32) -> (u16, u16) {
    let hi = half(x);
    let lo = half(x - whole(hi));
    (hi, if x.is_finite() { lo } else { 0 })
}

/// The nearest bfloat16, of two as near the even one; a finite number stays finite, and NaN is NaN.
#[inline(always)]
fn half(x: f32) -> u16 {
    let bits = x.to_bits();
    let nearest = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
    let too_large = nearest & 0x7fff == 0x7f80 && x.is_finite();
    let cut = bits >> 16;
    // A quiet NaN has this bit set.
    (if x.is_nan() {
        cut | 0x40
    } else if too_large {
        cut
    } else {
        nearest
    }) as u16
}

/// A bfloat16 as the `f32` that it is.
#[inline(always)]
fn whole(x: u16) -> f32 {
    f32::from_bits(u32::from(x) << 16)
}

#[cfg(test)]
mod tests;
