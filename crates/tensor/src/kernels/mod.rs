//! Code made for one set of vector instructions. The only module with `unsafe` in it.
//!
//! A kernel is written once, over [`lanes::Lanes`], and compiled for each set. It never has the only
//! word: the same call falls back to plain Rust, which is the oracle that the tests hold it against.
#![allow(unsafe_code)]

pub mod gemm;
pub mod lanes;
pub mod lstm;
mod tile;

use crate::simd::{self, Level};
use lanes::Lanes;

/// A computation on vectors.
pub trait Kernel {
    /// Does it. Must be `#[inline(always)]`, as must all that it calls: inlined into a function
    /// that may use the instructions, the code of `L` becomes those instructions.
    fn run<L: Lanes>(self, l: L);
}

/// Whether `level` has kernels, or only plain code.
pub fn has_kernels(level: Level) -> bool {
    lanes(level) > 0
}

/// Numbers in a vector of `level`; 0 if it has no kernels.
pub fn lanes(level: Level) -> usize {
    match level {
        Level::Portable => 0,
        Level::Avx2 => 8,
        Level::Avx512 => 16,
    }
}

/// Columns of a block of B in a product at `level`.
pub fn block_width(level: Level) -> usize {
    match level {
        Level::Portable => 0,
        Level::Avx2 => 16,
        Level::Avx512 => 64,
    }
}

/// Runs `kernel` at `level`.
///
/// # Panics
/// If the level has no kernels, or this processor not the level.
pub fn run(level: Level, kernel: impl Kernel) {
    assert!(level.is_available() && has_kernels(level), "no kernels for {level} here");
    match level {
        // SAFETY: the level is available.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { x86::run_avx2(kernel) },
        // SAFETY: the level is available.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { x86::run_avx512(kernel) },
        _ => unreachable!("it has no kernels"),
    }
}

/// Runs `f`, which is to inline, compiled for the level in force: plain loops in it become vectors as
/// wide as the processor has them. The compiler changes no result: it neither reorders sums nor fuses
/// products.
#[inline(always)]
pub fn vectorised<R>(f: impl FnOnce() -> R) -> R {
    match simd::level() {
        // SAFETY: `simd::level` only gives levels that are available.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { x86::with_avx2(f) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { x86::with_avx512(f) },
        _ => f(),
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Kernel;
    use super::lanes::x86::{Avx2, Avx512};

    /// # Safety
    /// The processor runs AVX2 and FMA.
    #[target_feature(enable = "avx2,fma")]
    pub unsafe fn run_avx2(kernel: impl Kernel) {
        // SAFETY: the caller's promise.
        kernel.run(unsafe { Avx2::new() });
    }

    /// # Safety
    /// The processor runs AVX-512.
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
    pub unsafe fn run_avx512(kernel: impl Kernel) {
        // SAFETY: the caller's promise.
        kernel.run(unsafe { Avx512::new() });
    }

    /// Calls `f` where the compiler may use AVX2 and fused multiply-add.
    #[target_feature(enable = "avx2,fma")]
    pub fn with_avx2<R>(f: impl FnOnce() -> R) -> R {
        f()
    }

    /// Calls `f` where the compiler may use AVX-512.
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
    pub fn with_avx512<R>(f: impl FnOnce() -> R) -> R {
        f()
    }
}
