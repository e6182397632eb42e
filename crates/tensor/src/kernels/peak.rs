//! As many multiply-adds as the processor can do: what the speed of a kernel is held against.

use super::Kernel;
use super::lanes::Lanes;

/// Chains of dependent operations side by side: more than the latency of one times the units there are.
const CHAINS: usize = 12;

/// Rounds of one multiply-add on each of [`CHAINS`] vectors, which stay in registers.
pub struct Peak<'a> {
    pub rounds: u64,
    /// Receives the number of operations done, a multiplication and an addition counting as two.
    pub done: &'a mut u64,
}

impl Kernel for Peak<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let (factor, term) = std::hint::black_box((l.splat(0.999), l.splat(1e-3)));
        let mut sums = [l.splat(1.0); CHAINS];
        for _ in 0..self.rounds {
            for sum in &mut sums {
                *sum = l.mul_add(*sum, factor, term);
            }
        }
        std::hint::black_box(sums);
        *self.done = self.rounds * (CHAINS * L::N * 2) as u64;
    }
}
