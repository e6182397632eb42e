//! The tiles in plain code, for the tests: what the processor's are documented to do.

use super::{DEPTH, Half, SIDE, Sums, Tiles, whole};

/// Tiles in plain code: what `tileloadd`, `tdpbf16ps` and `tilestored` are documented to do.
pub struct Emulated {
    halves: [Half; 8],
    sums: [Sums; 8],
}

impl Emulated {
    /// Eight tiles of zeros.
    pub fn new() -> Self {
        Self { halves: [[0; SIDE * DEPTH]; 8], sums: [[0.0; SIDE * SIDE]; 8] }
    }
}

impl Tiles for Emulated {
    fn load<const T: u8>(&mut self, from: &Half) {
        self.halves[T as usize] = *from;
    }

    fn load_sums<const T: u8>(&mut self, from: &Sums) {
        self.sums[T as usize] = *from;
    }

    /// The even numbers along k are added up by themselves and so are the odd ones, each product fused with its
    /// addition; both sums are added, and then to C. What is too small for a normal number counts as 0, going
    /// in and coming out.
    fn multiply<const C: u8, const A: u8, const B: u8>(&mut self) {
        let (a, b) = (&self.halves[A as usize], &self.halves[B as usize]);
        for (i, c) in self.sums[C as usize].chunks_exact_mut(SIDE).enumerate() {
            let mut sums = [[0.0_f32; 2]; SIDE];
            for p in 0..DEPTH / 2 {
                for (j, sums) in sums.iter_mut().enumerate() {
                    for odd in 0..2 {
                        let x = flushed(whole(a[i * DEPTH + 2 * p + odd]));
                        let y = flushed(whole(b[p * DEPTH + 2 * j + odd]));
                        sums[odd] = flushed(x.mul_add(y, sums[odd]));
                    }
                }
            }
            for (c, [even, odd]) in c.iter_mut().zip(sums) {
                *c = flushed(flushed(*c) + flushed(even + odd));
            }
        }
    }

    fn store_sums<const T: u8>(&mut self, to: &mut Sums) {
        *to = self.sums[T as usize];
    }
}

fn flushed(x: f32) -> f32 {
    if x.is_subnormal() { 0.0_f32.copysign(x) } else { x }
}
