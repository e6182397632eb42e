// Sigmoid and tanh of multiply-adds, one division and bit operations only: the same bits on the device and under
// the shim. Ranges and coefficients are those of crates/tensor/src/activation.rs.
#pragma once
#include "device.h"

// 1 / (1 + 2^(n + f)) with n + f = -x / ln 2.
INLINE float sigmoid(float x) {
    const float to_exponent = 12582912.0f + 127.0f;  // 1.5 * 2^23 leaves the whole number in the low bits
    float y = fminf(fmaxf(x, -20.0f), 20.0f) * -1.44269504f;
    float shifted = y + to_exponent;
    float f = y - (shifted - to_exponent);
    float p = 1.3276449e-3f;
    p = fmaf(p, f, 9.675564e-3f);
    p = fmaf(p, f, 5.5507135e-2f);
    p = fmaf(p, f, 0.2402212f);
    p = fmaf(p, f, 0.69314718f);
    p = fmaf(p, f, 1.0000001f);
    float y_1 = fmaf(p, bits_to_float(float_to_bits(shifted) << 23), 1.0f);
    return x == x ? 1.0f / y_1 : x;  // fminf and fmaxf hide what is not a number
}

// An odd rational function within +-7.905; beyond, its value there.
INLINE float tanh_(float x) {
    float b = fminf(fmaxf(x, -7.905311f), 7.905311f);
    float s = b * b;
    float p = -2.7607685e-16f;
    p = fmaf(p, s, 2.000188e-13f);
    p = fmaf(p, s, -8.604672e-11f);
    p = fmaf(p, s, 5.122297e-8f);
    p = fmaf(p, s, 1.4857224e-5f);
    p = fmaf(p, s, 6.372619e-4f);
    p = fmaf(p, s, 4.8935246e-3f);
    float q = 1.1982584e-6f;
    q = fmaf(q, s, 1.1853471e-4f);
    q = fmaf(q, s, 2.2684346e-3f);
    q = fmaf(q, s, 4.893525e-3f);
    return x == x ? p * b / q : x;
}
