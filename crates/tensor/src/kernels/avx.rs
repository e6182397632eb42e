//! AVX2 with fused multiply-add, and AVX-512.
//!
//! Every intrinsic below is called under the same argument: it needs the instructions that its
//! permit stands for, and a permit is made by `new` alone, whose caller has found them.

use super::lanes::Lanes;
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
        const ONES_THEN_ZEROS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
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
    fn transpose_groups(self, [a, b, c, d]: [__m256; 4]) -> [__m256; 4] {
        unsafe {
            let (ab, cd) = (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d));
            let (ab2, cd2) = (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d));
            [
                _mm256_shuffle_ps::<0b01_00_01_00>(ab, cd),
                _mm256_shuffle_ps::<0b11_10_11_10>(ab, cd),
                _mm256_shuffle_ps::<0b01_00_01_00>(ab2, cd2),
                _mm256_shuffle_ps::<0b11_10_11_10>(ab2, cd2),
            ]
        }
    }
    #[inline(always)]
    unsafe fn load_groups(self, from: *const f32, apart: usize) -> __m256 {
        unsafe {
            let low = _mm256_castps128_ps256(_mm_loadu_ps(from));
            _mm256_insertf128_ps::<1>(low, _mm_loadu_ps(from.add(apart)))
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
    fn transpose_groups(self, [a, b, c, d]: [__m512; 4]) -> [__m512; 4] {
        unsafe {
            let (ab, cd) = (_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d));
            let (ab2, cd2) = (_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d));
            [
                _mm512_shuffle_ps::<0b01_00_01_00>(ab, cd),
                _mm512_shuffle_ps::<0b11_10_11_10>(ab, cd),
                _mm512_shuffle_ps::<0b01_00_01_00>(ab2, cd2),
                _mm512_shuffle_ps::<0b11_10_11_10>(ab2, cd2),
            ]
        }
    }
    #[inline(always)]
    unsafe fn load_groups(self, from: *const f32, apart: usize) -> __m512 {
        unsafe {
            let v = _mm512_castps128_ps512(_mm_loadu_ps(from));
            let v = _mm512_insertf32x4::<1>(v, _mm_loadu_ps(from.add(apart)));
            let v = _mm512_insertf32x4::<2>(v, _mm_loadu_ps(from.add(2 * apart)));
            _mm512_insertf32x4::<3>(v, _mm_loadu_ps(from.add(3 * apart)))
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
