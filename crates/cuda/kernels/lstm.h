// What the kernels of the LSTM share: arguments, the walk over packed sentences, the cell.
//
//   N tokens, H hidden, n_t sentences run at step t; row starts[t] + r is step t of sentence r, the sentences
//   sorted by length, longest first. h', c' are h, c one step earlier in the walk: the step before (front) or
//   after (back). i f g o are the gates, m_h a dropout mask, one a sentence.
//
//   (1)  x^ = x * m_x                        dropout.cu
//   (2)  a = x^ W_ih^T + b                   product.cu, all steps at once
//   (3)  h^_t = h' * m_h                     0 for sentences that start here
//   (4)  a_t += h^_t W_hh^T
//   (5)  i = s(a_i)  f = s(a_f)  g = tanh a_g  o = s(a_o)    c = f c' + i g    h = o tanh c
//
//   (5') do = dh tanh c    dc += dh o (1 - tanh^2 c)    di = dc g    df = dc c'    dg = dc i    dc' = dc f
//        da_i = di i (1 - i)    da_f = df f (1 - f)    da_g = dg (1 - g^2)    da_o = do o (1 - o)
//   (4') dh^_t = da_t W_hh
//   (3') dh' += dh^_t * m_h
//   (2') dW_ih = da^T x^    dW_hh = da^T h^    db = sum of da    dx^ = da W_ih        product.cu
#pragma once
#include "activation.h"

// One direction of a layer.
struct Side {
    const float* w_hh;  // (4H, H)
    const float* mask;  // (B, H) m_h, or null
    float* gates;       // (N, 4H) a, then i f g o, then da
    float* c;           // (N, H)
    float* h_prev;      // (N, H) h^, for dW_hh
};

// Both directions of a layer, or one.
struct Lstm {
    Side side[2];            // from the first step to the last; from the last to the first
    const uint32_t* starts;  // (T + 1) first row of each step, and N
    float* y;                // (N, S) h of front in the first H columns, of back in the next
    const float* dy;         // (N, S)
    uint32_t sentences, steps, stride;  // B, T, S
    uint32_t hidden, walked;            // lstm_step.cu: H, steps walked before this one
};

// Rows of a step of the walk: those of the first `count` sentences.
struct Rows {
    uint32_t first, count;
};

// The k-th step of the walk; no rows before the first and after the last.
INLINE Rows walk(const Lstm& p, bool back, uint32_t k) {
    if (k >= p.steps) return {0, 0};
    uint32_t t = back ? p.steps - 1 - k : k;
    return {p.starts[t], p.starts[t + 1] - p.starts[t]};
}

// Steps of the walk from `begin` to before `end`.
struct Range {
    uint32_t begin, end;
};

// The steps in which sentence `r` runs, and with it all that are shorter.
INLINE Range range_of(const Lstm& p, bool back, uint32_t r) {
    uint32_t length = 0, above = p.steps + 1;  // step `length` - 1 has row r, step `above` - 1 has not
    while (above - length > 1) {
        uint32_t middle = (length + above) / 2;
        if (p.starts[middle] - p.starts[middle - 1] > r) length = middle;
        else above = middle;
    }
    return back ? Range{p.steps - length, p.steps} : Range{0, length};
}

// (5) of one unit after its gates: c from c'; returns h.
INLINE float cell(const float v[4], float& c) {
    c = fmaf(v[1], c, v[0] * v[2]);
    return v[3] * tanh_(c);
}

// (5') of one unit: its gates v become da; dc comes in from the next step and leaves for the step before.
INLINE void cell_backward(float v[4], float c, float c_prev, float dh, float& dc) {
    float i = v[0], f = v[1], g = v[2], o = v[3], t = tanh_(c);
    dc = fmaf(dh * o, 1.0f - t * t, dc);
    v[0] = dc * g * i * (1.0f - i);
    v[1] = dc * c_prev * f * (1.0f - f);
    v[2] = dc * i * (1.0f - g * g);
    v[3] = dh * t * o * (1.0f - o);
    dc *= f;
}
