// Sigmoid and tanh of multiply-adds, one division and bit operations only: the same bits on the device and under
// the shim.
//
//   (1)  e^-x = 2^(n + f) = s (1 + m)      n whole, |f| <= 1/2, s = 2^n, m = 2^f - 1
//   (2)  sigmoid(x) = 1 / (1 + e^-x)
//   (3)  tanh(x) = (1 - e^-2x) / (1 + e^-2x)            by |x|
//   (4)          = 1 - 2 e^-2x / (1 + e^-2x)
//
// m is f times a polynomial (minimax over |f| <= 1/2, relative error 1.1e-8), so that 1 - e^-2x = (1 - s) - s m loses
// nothing where x is small. (4) is for x that are not: only its last subtraction rounds. Against f64, tanh is within
// 2.2e-7 of its value, and as close as the C library's where |x| > 1; sigmoid is within 9.2e-8.
#pragma once
#include "device.h"

// (1)
struct Exponential {
    float s, m;
};

// Of |x| < 80.
INLINE Exponential exponential(float x) {
    const float to_exponent = 12582912.0f + 127.0f;  // 1.5 * 2^23 leaves the whole number in the low bits
    float y = x * -1.44269504f;
    float shifted = y + to_exponent;
    float f = y - (shifted - to_exponent);
    float m = 1.5403517e-4f;
    m = fmaf(m, f, 1.3390965e-3f);
    m = fmaf(m, f, 9.618238e-3f);
    m = fmaf(m, f, 5.550357e-2f);
    m = fmaf(m, f, 0.24022649f);
    m = fmaf(m, f, 0.6931472f) * f;
    return {bits_to_float(float_to_bits(shifted) << 23), m};
}

// Bounds: sigmoid stays above 2e-9, and tanh a bit below 1, so that 1 - tanh^2 is never 0. What is not a number is
// put back: fminf and fmaxf hide it.

// Sigmoid of a, or its tanh. Both take the same steps: no lane of a warp takes another way.
INLINE float gate(bool tanh_of, float a) {
    float x = tanh_of ? fminf(fabsf(2.0f * a), 16.6f) : fminf(fmaxf(a, -20.0f), 20.0f);
    Exponential e = exponential(x);
    float above = tanh_of ? fmaf(-e.s, e.m, 1.0f - e.s) : 1.0f;
    float r = above / fmaf(e.s, e.m, 1.0f + e.s);  // (2), (3)
    if (tanh_of) r = copysignf(r, a);
    return a == a ? r : a;
}

INLINE float tanh_(float x) {
    Exponential e = exponential(fminf(fabsf(2.0f * x), 17.0f));
    bool large = e.s <= 0.25f;
    float above = large ? fmaf(2.0f * e.s, e.m, 2.0f * e.s) : fmaf(-e.s, e.m, 1.0f - e.s);
    float r = above / fmaf(e.s, e.m, 1.0f + e.s);  // (3)
    if (large) r = 1.0f - r;                       // (4)
    return x == x ? copysignf(r, x) : x;
}
