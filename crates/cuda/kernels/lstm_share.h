// What lstm.cu and lstm_one.cu share: a thread's share of W_hh and the product with it, for S sentences a block.
//
// A block's 4H threads hold W_hh in registers (H = 128: half of it in shared memory) and read it once. A thread's share is
// 16 numbers at a time that belong to 4 sums, and it adds up these 4 sums for all sentences: with 4 of them, a float4 that it
// reads of h or da is good for 16 multiply-adds. Then the threads that share sums exchange them by shuffles. The order in
// which a sum is made depends on the weights alone, so a sentence gets the same bits from either file.
#pragma once
#include "lstm.h"

// Lanes whose numbers differ in bit `s` share two sums: afterwards the lane without this bit has the whole of `low`,
// the other one of `high`.
INLINE float exchange(float low, float high, int lane, int s) {
    bool has_bit = lane & s;
    return (has_bit ? high : low) + __shfl_xor_sync(WHOLE_WARP, has_bit ? low : high, s);
}

// Four lanes share the sums v; afterwards lane q has the whole of v[q].
INLINE float sum_of_four(const float v[4], int lane) {
    return exchange(exchange(v[0], v[2], lane, 2), exchange(v[1], v[3], lane, 2), lane, 1);
}

// Four numbers that lie `stride` apart.
INLINE float4 four_of(const float* x, int stride) { return {x[0], x[stride], x[2 * stride], x[3 * stride]}; }

// v[o][n] += w[o] x[n] over 4 columns of 4 rows of W_hh. `x` begins at the columns of sentence 0.
template <int STRIDE, int S>
INLINE void add_products(const float4 w[4], const float* x, float v[4][S]) {
#pragma unroll
    for (int n = 0; n < S; n++) {
        float4 xn = *(const float4*)(x + n * STRIDE);
#pragma unroll
        for (int o = 0; o < 4; o++) {
            v[o][n] = fmaf(w[o].x, xn.x, v[o][n]);
            v[o][n] = fmaf(w[o].y, xn.y, v[o][n]);
            v[o][n] = fmaf(w[o].z, xn.z, v[o][n]);
            v[o][n] = fmaf(w[o].w, xn.w, v[o][n]);
        }
    }
}

// A thread's share: H / 16 such groups, `STEP` columns apart, the first R of them in registers, the others in shared
// memory.
template <int R, int STEP, int STRIDE, int S>
INLINE void product_in_registers(const float4* w, const float* x, float v[4][S]) {
#pragma unroll
    for (int j = 0; j < R; j++) add_products<STRIDE, S>(w + 4 * j, x + j * STEP, v);
}

template <int H, int R, int STEP, int STRIDE, int S>
INLINE void product_in_shared(const float4* rest, const float* x, float v[4][S]) {
#pragma unroll 1  // fetched ahead of time they would not fit the registers
    for (int j = R; j < H / 16; j++) {
        const float4* from = rest + (j - R) * 16 * H;
        const float4 w[4] = {from[0], from[4 * H], from[8 * H], from[12 * H]};
        add_products<STRIDE, S>(w, x + j * STEP, v);
    }
}

// The share on the way there: columns 16 j + 4 q to 16 j + 4 q + 3 of the rows of its unit's gates. R groups go to `w`, the
// others to `rest`.
template <int H, int R>
INLINE void share_forward(const float* w_hh, float4 w[4 * R], float4* rest) {
    const int tid = threadIdx.x;
    const float* from = w_hh + tid / 4 * H + 4 * (tid % 4);
#pragma unroll 1
    for (int e = 4 * R; e < H / 4; e++) rest[(e - 4 * R) * 4 * H + tid] = four_of(from + e % 4 * H * H + e / 4 * 16, 1);
#pragma unroll
    for (int e = 0; e < 4 * R; e++) w[e] = four_of(from + e % 4 * H * H + e / 4 * 16, 1);
}

// And back: rows 64 j + 4 r to 64 j + 4 r + 3, r = its number among 16 neighbours, in the columns of the four units of these.
template <int H, int R>
INLINE void share_backward(const float* w_hh, float4 w[4 * R], float4* rest) {
    const int tid = threadIdx.x;
    const float* from = w_hh + 4 * (tid % 16) * H + tid / 16 * 4;
#pragma unroll 1
    for (int e = 4 * R; e < H / 4; e++) rest[(e - 4 * R) * 4 * H + tid] = four_of(from + e / 4 * 64 * H + e % 4, H);
#pragma unroll
    for (int e = 0; e < 4 * R; e++) w[e] = four_of(from + e / 4 * 64 * H + e % 4, H);
}

// What 16 threads share of the sums of their four units: afterwards each has a fourth of that of its own unit.
INLINE float part_of_unit(float v0, float v1, float v2, float v3, int r) {
    return exchange(exchange(v0, v2, r, 8), exchange(v1, v3, r, 8), r, 4);
}
