// LSTM, the whole walk in one launch, for H = 64 and 128. Equations: lstm.h.
//
// A block takes 4 sentences and one direction through the steps of the longest of them; blocks know nothing of each
// other. Thread j belongs to unit u = j / 4. A step has two parts: the product with the thread's share of W_hh
// (lstm_share.h), after which lane q = j % 4 has the sums of all gates of unit u in sentence q, and the cell, which is its own.
//
// h (da on the way back) goes to the next step through shared memory, twice as large as needed, so that one barrier a
// step is enough. What the cell reads of global memory is on its way during the product.
#include "lstm_share.h"

#define SENTENCES 4  // a block

// R of the H / 16 groups of a thread's share of W_hh are in registers.
template <int H, int R>
INLINE void lstm_forward(const Lstm& p) {
    const int STRIDE = H + 8;                           // sentences begin in different banks
    SHARED(float, h_both);                              // (2, SENTENCES, STRIDE) h^ of this step and the next
    float4* rest = (float4*)(h_both + 2 * SENTENCES * STRIDE);  // (H / 16 - R, 4, 4H)
    const bool back = blockIdx.y;
    const Side& s = p.side[blockIdx.y];
    const int tid = threadIdx.x, u = tid / 4, q = tid % 4;
    const uint32_t mine = blockIdx.x * SENTENCES + q;
    float4 w[4 * R];
    share_forward<H, R>(s.w_hh, w, rest);
    for (int e = tid; e < 2 * SENTENCES * STRIDE; e += 4 * H) h_both[e] = 0.0f;
    const float m_h = s.mask && mine < p.sentences ? s.mask[mine * H + u] : 1.0f;
    float* y = p.y + (back ? H : 0) + u;
    const Range range = range_of(p, back, blockIdx.x * SENTENCES);
    float c = 0.0f, h_hat = 0.0f;
    __syncthreads();
    for (uint32_t k = range.begin; k < range.end; k++) {
        const float* h = h_both + (k & 1) * SENTENCES * STRIDE;
        float* h_next = h_both + ((k + 1) & 1) * SENTENCES * STRIDE;
        const Rows rows = walk(p, back, k);
        const bool runs = mine < rows.count;
        const uint64_t at = rows.first + mine;
        float a[4] = {}, v[4][SENTENCES] = {};
        product_in_shared<H, R, 16, STRIDE, SENTENCES>(rest + tid, h + 4 * q, v);  // (4)
#pragma unroll
        for (int g = 0; g < 4; g++)
            if (runs) a[g] = s.gates[at * 4 * H + g * H + u];  // on its way during the product
        product_in_registers<R, 16, STRIDE, SENTENCES>(w, h + 4 * q, v);  // (4)
#pragma unroll
        for (int g = 0; g < 4; g++) a[g] = gate(g == 2, a[g] + sum_of_four(v[g], q));  // (5)
        float h_new = 0.0f;
        if (runs) {
            h_new = cell(a, c);  // (5)
#pragma unroll
            for (int g = 0; g < 4; g++) s.gates[at * 4 * H + g * H + u] = a[g];
            s.c[at * H + u] = c;
            s.h_prev[at * H + u] = h_hat;
            y[at * p.stride] = h_new;
        }
        h_hat = h_new * m_h;  // (3)
        h_next[q * STRIDE + u] = h_hat;
#ifndef PLANTED_RACE
        __syncthreads();
#endif
    }
}

// What a step of the way back reads of one unit of one sentence: its gates, c one step earlier in the walk, dy.
struct Saved {
    float v[4], c_prev, dy;
};

template <int H>
INLINE Saved saved(const Lstm& p, const Side& s, Rows rows, Rows before, uint32_t r, int u, const float* dy) {
    Saved x = {{0.0f, 0.0f, 0.0f, 0.0f}, 0.0f, 0.0f};
    if (r < rows.count) {
        uint64_t at = rows.first + r;
#pragma unroll
        for (int g = 0; g < 4; g++) x.v[g] = s.gates[at * 4 * H + g * H + u];
        x.dy = dy[at * p.stride];
    }
    if (r < before.count) x.c_prev = s.c[(uint64_t)(before.first + r) * H + u];
    return x;
}

// The mirror of lstm_forward.
template <int H, int R>
INLINE void lstm_backward(const Lstm& p) {
    const int STRIDE = 4 * H + 8;                       // sentences begin in different banks
    SHARED(float, da_both);                             // (2, SENTENCES, STRIDE)
    float4* rest = (float4*)(da_both + 2 * SENTENCES * STRIDE);  // (H / 16 - R, 4, 4H)
    const bool back = blockIdx.y;
    const Side& s = p.side[blockIdx.y];
    const int tid = threadIdx.x, u = tid / 4, q = tid % 4, r = tid % 16;
    const uint32_t mine = blockIdx.x * SENTENCES + q;
    float4 w[4 * R];
    share_backward<H, R>(s.w_hh, w, rest);
    const float m_h = s.mask && mine < p.sentences ? s.mask[mine * H + u] : 1.0f;
    const float* dy = p.dy + (back ? H : 0) + u;
    const Range range = range_of(p, back, blockIdx.x * SENTENCES);
    float dh = 0.0f, dc = 0.0f;
    // Steps before `begin` have rows of longer sentences only.
    Rows now = walk(p, back, range.end - 1), before = walk(p, back, range.end - 2);
    float c = mine < now.count ? s.c[(uint64_t)(now.first + mine) * H + u] : 0.0f;
    Saved x = saved<H>(p, s, now, before, mine, u, dy);
    for (uint32_t k = range.end; k-- > range.begin;) {
        float* da = da_both + (k & 1) * SENTENCES * STRIDE;
        if (mine < now.count) {
            cell_backward(x.v, c, x.c_prev, x.dy + dh, dc);  // (5')
#pragma unroll
            for (int g = 0; g < 4; g++) s.gates[(uint64_t)(now.first + mine) * 4 * H + g * H + u] = x.v[g];
        }
#pragma unroll
        for (int g = 0; g < 4; g++) da[q * STRIDE + g * H + u] = x.v[g];
        __syncthreads();
        if (k == range.begin) break;
        float v[4][SENTENCES] = {};
        product_in_shared<H, R, 64, STRIDE, SENTENCES>(rest + tid, da + 4 * r, v);  // (4')
        now = before;
        before = walk(p, back, k - 2);  // k - 2 < 0 is beyond the last step: no rows
        c = x.c_prev;
        x = saved<H>(p, s, now, before, mine, u, dy);  // on its way during the product
        product_in_registers<R, 64, STRIDE, SENTENCES>(w, da + 4 * r, v);  // (4')
        float of_unit[SENTENCES];
#pragma unroll
        for (int n = 0; n < SENTENCES; n++)
            of_unit[n] = part_of_unit(v[0][n], v[1][n], v[2][n], v[3][n], r);
        dh = sum_of_four(of_unit, q) * m_h;  // (3')
    }
}

KERNEL(lstm_forward_64, Lstm, 256, 2) { lstm_forward<64, 4>(p); }
KERNEL(lstm_forward_128, Lstm, 512) { lstm_forward<128, 4>(p); }
KERNEL(lstm_backward_64, Lstm, 256, 2) { lstm_backward<64, 4>(p); }
KERNEL(lstm_backward_128, Lstm, 512) { lstm_backward<128, 4>(p); }
