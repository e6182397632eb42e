//! NEON, which every AArch64 processor runs.
//!
//! Every intrinsic below is called under the same argument: it needs NEON, which is part of the target.

use std::arch::aarch64::*;

use super::lanes::Lanes;

/// 4 numbers.
#[derive(Clone, Copy)]
pub struct Neon;

// SAFETY of each block: see the head of the file; pointers are the caller's promise.
impl Lanes for Neon {
    const N: usize = 4;
    // 32 registers: 6 · 4 sums, 4 of B, 1 of A.
    const ACROSS: usize = 4;
    const ROWS: usize = 6;
    const STEP_ROWS: usize = 6;
    type V = float32x4_t;

    #[inline(always)]
    fn splat(self, x: f32) -> float32x4_t {
        unsafe { vdupq_n_f32(x) }
    }
    #[inline(always)]
    fn add(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        unsafe { vaddq_f32(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        unsafe { vsubq_f32(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        unsafe { vmulq_f32(a, b) }
    }
    #[inline(always)]
    fn div(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        unsafe { vdivq_f32(a, b) }
    }
    #[inline(always)]
    fn mul_add(self, a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        unsafe { vfmaq_f32(c, a, b) }
    }
    #[inline(always)]
    fn clamp(self, x: float32x4_t, bound: f32) -> float32x4_t {
        // Both give NaN for NaN.
        unsafe { vmaxq_f32(vminq_f32(x, vdupq_n_f32(bound)), vdupq_n_f32(-bound)) }
    }
    #[inline(always)]
    fn to_exponent(self, x: float32x4_t) -> float32x4_t {
        unsafe { vreinterpretq_f32_u32(vshlq_n_u32::<23>(vreinterpretq_u32_f32(x))) }
    }
    #[inline(always)]
    fn transpose_groups(self, [a, b, c, d]: [float32x4_t; 4]) -> [float32x4_t; 4] {
        unsafe {
            // Even places of a and b, side by side, and odd ones; the same of c and d. Then halves.
            let (even, odd) = (vtrn1q_f32(a, b), vtrn2q_f32(a, b));
            let (even2, odd2) = (vtrn1q_f32(c, d), vtrn2q_f32(c, d));
            [
                vcombine_f32(vget_low_f32(even), vget_low_f32(even2)),
                vcombine_f32(vget_low_f32(odd), vget_low_f32(odd2)),
                vcombine_f32(vget_high_f32(even), vget_high_f32(even2)),
                vcombine_f32(vget_high_f32(odd), vget_high_f32(odd2)),
            ]
        }
    }
    #[inline(always)]
    unsafe fn load_groups(self, from: *const f32, _apart: usize) -> float32x4_t {
        unsafe { vld1q_f32(from) }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> float32x4_t {
        unsafe { vld1q_f32(from) }
    }
    #[inline(always)]
    unsafe fn load_first(self, from: *const f32, n: usize) -> float32x4_t {
        let mut four = [0.0; 4];
        unsafe {
            from.copy_to_nonoverlapping(four.as_mut_ptr(), n.min(4));
            vld1q_f32(four.as_ptr())
        }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: float32x4_t) {
        unsafe { vst1q_f32(to, v) }
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, n: usize, v: float32x4_t) {
        let mut four = [0.0; 4];
        unsafe {
            vst1q_f32(four.as_mut_ptr(), v);
            to.copy_from_nonoverlapping(four.as_ptr(), n.min(4));
        }
    }
}
