// LSTM, the whole walk in one launch, for batches that are too small to fill a GPU with blocks of four sentences: a block
// takes one, whose steps are shorter. Otherwise as lstm.cu, to the same bits. Equations: lstm.h.
//
// Thread j belongs to unit u = j / 4. After the product with its share of W_hh (lstm_share.h) lane q = j % 4 has the sum of
// gate q. The four lanes show each other their gates, and each works the cell out; of what is stored, each has a part.
#include "lstm_share.h"

// Of four lanes with a gate each, every one gets all.
INLINE void all_gates(float gate, float v[4]) {
#pragma unroll
    for (int g = 0; g < 4; g++) v[g] = __shfl_sync(WHOLE_WARP, gate, (threadIdx.x & 28) + g);
}

template <int H, int R>
INLINE void lstm_forward_one(const Lstm& p) {
    SHARED(float, h_both);                    // (2, H) h^ of this step and the next
    float4* rest = (float4*)(h_both + 2 * H); // (H / 16 - R, 4, 4H)
    const bool back = blockIdx.y;
    const Side& s = p.side[blockIdx.y];
    const int tid = threadIdx.x, u = tid / 4, q = tid % 4;
    const uint32_t r = blockIdx.x;
    float4 w[4 * R];
    share_forward<H, R>(s.w_hh, w, rest);
    for (int e = tid; e < 2 * H; e += 4 * H) h_both[e] = 0.0f;
    const float m_h = s.mask ? s.mask[r * H + u] : 1.0f;
    float* y = p.y + (back ? H : 0) + u;
    const Range range = range_of(p, back, r);
    float c = 0.0f, h_hat = 0.0f;
    __syncthreads();
    for (uint32_t k = range.begin; k < range.end; k++) {
        const float* h = h_both + (k & 1) * H;
        const uint64_t at = walk(p, back, k).first + r;
        float* gate_q = s.gates + at * 4 * H + q * H + u;
        float a = *gate_q, v[4][1] = {};  // on its way during the product
        product_in_shared<H, R, 16, H, 1>(rest + tid, h + 4 * q, v);  // (4)
        product_in_registers<R, 16, H, 1>(w, h + 4 * q, v);  // (4)
        const float of_gate[4] = {v[0][0], v[1][0], v[2][0], v[3][0]};
        a = gate(q == 2, a + sum_of_four(of_gate, q));  // (5)
        float gates[4];
        all_gates(a, gates);
        float h_new = cell(gates, c);  // (5)
        *gate_q = a;
        if (q == 0) s.c[at * H + u] = c;
        if (q == 1) s.h_prev[at * H + u] = h_hat;
        if (q == 2) y[at * p.stride] = h_new;
        h_hat = h_new * m_h;  // (3)
        if (q == 3) h_both[((k + 1) & 1) * H + u] = h_hat;
        __syncthreads();
    }
}

// What a step of the way back reads: gate q of unit u, c one step earlier in the walk, dy.
struct SavedOne {
    float gate, c_prev, dy;
};

template <int H>
INLINE SavedOne saved_one(const Lstm& p, const Side& s, Rows now, Rows before, uint32_t r, int u, int q, const float* dy) {
    uint64_t at = now.first + r;
    float c_prev = r < before.count ? s.c[(uint64_t)(before.first + r) * H + u] : 0.0f;
    return {s.gates[at * 4 * H + q * H + u], c_prev, dy[at * p.stride]};
}

// The mirror of lstm_forward_one.
template <int H, int R>
INLINE void lstm_backward_one(const Lstm& p) {
    SHARED(float, da_both);                     // (2, 4H)
    float4* rest = (float4*)(da_both + 8 * H);  // (H / 16 - R, 4, 4H)
    const bool back = blockIdx.y;
    const Side& s = p.side[blockIdx.y];
    const int tid = threadIdx.x, u = tid / 4, q = tid % 4, r16 = tid % 16;
    const uint32_t r = blockIdx.x;
    float4 w[4 * R];
    share_backward<H, R>(s.w_hh, w, rest);
    const float m_h = s.mask ? s.mask[r * H + u] : 1.0f;
    const float* dy = p.dy + (back ? H : 0) + u;
    const Range range = range_of(p, back, r);
    float dh = 0.0f, dc = 0.0f;
    Rows now = walk(p, back, range.end - 1), before = walk(p, back, range.end - 2);
    float c = s.c[(uint64_t)(now.first + r) * H + u];
    SavedOne x = saved_one<H>(p, s, now, before, r, u, q, dy);
    for (uint32_t k = range.end; k-- > range.begin;) {
        float* da = da_both + (k & 1) * 4 * H;
        float v[4];
        all_gates(x.gate, v);
        cell_backward(v, c, x.c_prev, x.dy + dh, dc);  // (5')
        float da_q = q == 0 ? v[0] : q == 1 ? v[1] : q == 2 ? v[2] : v[3];
        da[q * H + u] = da_q;
        s.gates[(uint64_t)(now.first + r) * 4 * H + q * H + u] = da_q;
        __syncthreads();
        if (k == range.begin) break;
        float sums[4][1] = {};
        product_in_shared<H, R, 64, 4 * H, 1>(rest + tid, da + 4 * r16, sums);  // (4')
        now = before;
        before = walk(p, back, k - 2);  // k - 2 < 0 is beyond the last step: no rows
        c = x.c_prev;
        x = saved_one<H>(p, s, now, before, r, u, q, dy);  // on its way during the product
        product_in_registers<R, 64, 4 * H, 1>(w, da + 4 * r16, sums);  // (4')
        float sum = part_of_unit(sums[0][0], sums[1][0], sums[2][0], sums[3][0], r16);
        sum += __shfl_xor_sync(WHOLE_WARP, sum, 2);
        sum += __shfl_xor_sync(WHOLE_WARP, sum, 1);
        dh = sum * m_h;  // (3')
    }
}

KERNEL(lstm_forward_64_one, Lstm, 256, 2) { lstm_forward_one<64, 4>(p); }
KERNEL(lstm_forward_128_one, Lstm, 512) { lstm_forward_one<128, 4>(p); }
KERNEL(lstm_backward_64_one, Lstm, 256, 2) { lstm_backward_one<64, 4>(p); }
KERNEL(lstm_backward_128_one, Lstm, 512) { lstm_backward_one<128, 4>(p); }
