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

#[cfg(target_arch = "x86_64")]
pub mod x86 {
    //! AVX2 with fused multiply-add, and AVX-512.
    //!
    //! Every intrinsic below is called under the same argument: it needs the instructions that its
    //! permit stands for, and a permit is made by `new` alone, whose caller has found them.

    use super::Lanes;
    use std::arch::x86_64::*;

    /// 8 numbers.
    #[derive(Clone, Copy)]
    pub struct Avx2(());

    impl Avx2 {
        /// # Safety
        /// The processor runs AVX2 and FMA.
        #[inline(always)]
        pub unsafe fn new() -> Self {
            Self(())
        }

        /// All bits set in the first n places.
        #[inline(always)]
        fn mask(self, n: usize) -> __m256i {
            const ONES_THEN_ZEROS: [i32; 16] =
                [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
            debug_assert!(n <= 8);
            let window = &ONES_THEN_ZEROS[8 - n..16 - n];
            // SAFETY: the window holds the 32 bytes that are read.
            unsafe { _mm256_loadu_si256(window.as_ptr().cast()) }
        }
    }

    // SAFETY of each block: see the head of the module; pointers are the caller's promise.
    impl Lanes for Avx2 {
        const N: usize = 8;
        // 16 registers: 6 · 2 sums, 2 of B, 1 of A.
        const ACROSS: usize = 2;
        const ROWS: usize = 6;
        const STEP_ROWS: usize = 3;
        type V = __m256;

        #[inline(always)]
        fn splat(self, x: f32) -> __m256 {
            unsafe { _mm256_set1_ps(x) }
        }
        #[inline(always)]
        fn add(self, a: __m256, b: __m256) -> __m256 {
            unsafe { _mm256_add_ps(a, b) }
        }
        #[inline(always)]
        fn sub(self, a: __m256, b: __m256) -> __m256 {
            unsafe { _mm256_sub_ps(a, b) }
        }
        #[inline(always)]
        fn to_exponent(self, x: __m256) -> __m256 {
            unsafe {
                let bits = _mm256_slli_epi32::<23>(_mm256_castps_si256(x));
                _mm256_castsi256_ps(bits)
            }
        }
        #[inline(always)]
        fn mul(self, a: __m256, b: __m256) -> __m256 {
            unsafe { _mm256_mul_ps(a, b) }
        }
        #[inline(always)]
        fn div(self, a: __m256, b: __m256) -> __m256 {
            unsafe { _mm256_div_ps(a, b) }
        }
        #[inline(always)]
        fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
            unsafe { _mm256_fmadd_ps(a, b, c) }
        }
        #[inline(always)]
        fn clamp(self, x: __m256, bound: f32) -> __m256 {
            // min and max give their second operand where one is NaN: x stands second.
            unsafe {
                let x = _mm256_min_ps(_mm256_set1_ps(bound), x);
                _mm256_max_ps(_mm256_set1_ps(-bound), x)
            }
        }
        #[inline(always)]
        unsafe fn load(self, from: *const f32) -> __m256 {
            unsafe { _mm256_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn load_first(self, from: *const f32, n: usize) -> __m256 {
            unsafe { _mm256_maskload_ps(from, self.mask(n)) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32, v: __m256) {
            unsafe { _mm256_storeu_ps(to, v) }
        }
        #[inline(always)]
        unsafe fn store_first(self, to: *mut f32, n: usize, v: __m256) {
            unsafe { _mm256_maskstore_ps(to, self.mask(n), v) }
        }
    }

    /// 16 numbers.
    #[derive(Clone, Copy)]
    pub struct Avx512(());

    impl Avx512 {
        /// # Safety
        /// The processor runs AVX-512 F.
        #[inline(always)]
        pub unsafe fn new() -> Self {
            Self(())
        }

        /// A bit for each of the first n places.
        #[inline(always)]
        fn mask(self, n: usize) -> __mmask16 {
            debug_assert!(n <= 16);
            ((1u32 << n) - 1) as __mmask16
        }
    }

    // SAFETY of each block: see the head of the module; pointers are the caller's promise.
    impl Lanes for Avx512 {
        const N: usize = 16;
        // 32 registers: 6 · 4 sums, 4 of B, 1 of A.
        const ACROSS: usize = 4;
        const ROWS: usize = 6;
        const STEP_ROWS: usize = 6;
        type V = __m512;

        #[inline(always)]
        fn splat(self, x: f32) -> __m512 {
            unsafe { _mm512_set1_ps(x) }
        }
        #[inline(always)]
        fn add(self, a: __m512, b: __m512) -> __m512 {
            unsafe { _mm512_add_ps(a, b) }
        }
        #[inline(always)]
        fn sub(self, a: __m512, b: __m512) -> __m512 {
            unsafe { _mm512_sub_ps(a, b) }
        }
        #[inline(always)]
        fn to_exponent(self, x: __m512) -> __m512 {
            unsafe {
                let bits = _mm512_slli_epi32::<23>(_mm512_castps_si512(x));
                _mm512_castsi512_ps(bits)
            }
        }
        #[inline(always)]
        fn mul(self, a: __m512, b: __m512) -> __m512 {
            unsafe { _mm512_mul_ps(a, b) }
        }
        #[inline(always)]
        fn div(self, a: __m512, b: __m512) -> __m512 {
            unsafe { _mm512_div_ps(a, b) }
        }
        #[inline(always)]
        fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
            unsafe { _mm512_fmadd_ps(a, b, c) }
        }
        #[inline(always)]
        fn clamp(self, x: __m512, bound: f32) -> __m512 {
            // As above: x stands second.
            unsafe {
                let x = _mm512_min_ps(_mm512_set1_ps(bound), x);
                _mm512_max_ps(_mm512_set1_ps(-bound), x)
            }
        }
        #[inline(always)]
        unsafe fn load(self, from: *const f32) -> __m512 {
            unsafe { _mm512_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn load_first(self, from: *const f32, n: usize) -> __m512 {
            unsafe { _mm512_maskz_loadu_ps(self.mask(n), from) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32, v: __m512) {
            unsafe { _mm512_storeu_ps(to, v) }
        }
        #[inline(always)]
        unsafe fn store_first(self, to: *mut f32, n: usize, v: __m512) {
            unsafe { _mm512_mask_storeu_ps(to, self.mask(n), v) }
        }
    }
}
