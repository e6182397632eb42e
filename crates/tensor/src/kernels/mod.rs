//! Code made for one set of vector instructions. The only module with `unsafe` in it.
//!
//! A kernel is written once, over [`lanes::Lanes`], and compiled for each set. It never has the only
//! word: the same call falls back to plain Rust, which is the oracle that the tests hold it against.
//! From the bottom up: [`lanes`], the vectors; `tile`, the inner loop of every product; [`gemm`], whole
//! products; [`lstm`], the fused step. `amx` stands apart: products on another kind of register.
#![allow(unsafe_code)]

#[cfg(any(test, all(target_arch = "x86_64", target_os = "linux")))]
pub mod amx;
#[cfg(target_arch = "x86_64")]
mod avx;
pub mod gemm;
pub mod lanes;
pub mod lstm;
#[cfg(target_arch = "aarch64")]
mod neon;
pub mod peak;
mod tile;
mod transpose;

use crate::simd::{self, Level};
use lanes::Lanes;

/// A computation on vectors.
pub trait Kernel {
    /// Does it. Must be `#[inline(always)]`, as must all that it calls, and it may not hand closures
    /// to functions that are not: inlined into a function that may use the instructions, the code of
    /// `L` becomes those instructions, while what stays a call of its own becomes slow.
    fn run<L: Lanes>(self, l: L);
}

/// Whether `level` has kernels, or only plain code.
pub fn has_kernels(level: Level) -> bool {
    lanes(level) > 0
}

/// Whether this processor, and its system, has the tiles of `amx`.
#[cfg(target_arch = "x86_64")]
pub fn has_tiles() -> bool {
    #[cfg(target_os = "linux")]
    return amx::instructions::is_available();
    #[cfg(not(target_os = "linux"))]
    false
}

/// Numbers in a vector of `level`; 0 if it has no kernels.
pub fn lanes(level: Level) -> usize {
    match level {
        Level::Portable => 0,
        Level::Neon => 4,
        Level::Avx2 => 8,
        Level::Avx512 | Level::Amx => 16,
    }
}

/// Runs `kernel` at `level`.
///
/// # Panics
/// If the level has no kernels, or this processor not the level.
pub fn run(level: Level, kernel: impl Kernel) {
    assert!(level.is_available() && has_kernels(level), "no kernels for {level} here");
    match level {
        #[cfg(target_arch = "aarch64")]
        Level::Neon => kernel.run(neon::Neon),
        // SAFETY: the level is available.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { x86::run_avx2(kernel) },
        // SAFETY: the level is available.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 | Level::Amx => unsafe { x86::run_avx512(kernel) },
        _ => unreachable!("it has no kernels"),
    }
}

/// Runs `f`, whose closure is to be marked `#[inline(always)]`, compiled for the level in force: plain
/// loops in it become vectors as wide as the processor has them, but of 32 bytes at most, as most arrays
/// begin where wider ones would straddle lines of the cache. The compiler changes no result: it neither
/// reorders sums nor fuses products.
#[inline(always)]
pub fn vectorised<R>(f: impl FnOnce() -> R) -> R {
    match simd::level() {
        // SAFETY: `simd::level` only gives levels that are available; AVX-512 includes AVX2.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 | Level::Avx512 | Level::Amx => unsafe { x86::with_avx2(f) },
        // Plain code is compiled for NEON as it is.
        _ => f(),
    }
}

/// Asks for `row` to be brought near, since it is read soon: rows of a large table stand in no order that the
/// processor could guess. It changes no result.
#[inline]
pub fn prefetch<T>(row: &[T]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        const LINE: usize = 64;
        let start: *const i8 = row.as_ptr().cast();
        // From the line that the row begins in to the one that it ends in.
        let skew = start.addr() % LINE;
        for at in (0..skew + size_of_val(row)).step_by(LINE) {
            // SAFETY: a hint reads nothing: no address is wrong.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(at).wrapping_sub(skew)) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = row;
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Kernel;
    use super::avx::{Avx2, Avx512};

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

    /// Calls `f` where the compiler may use AVX2.
    #[target_feature(enable = "avx2,fma")]
    pub fn with_avx2<R>(f: impl FnOnce() -> R) -> R {
        f()
    }
}
