// LSTM, the whole walk in one launch, for H = 64 and 128. Equations: lstm.h.
//
// A block takes 4 sentences and one direction through all steps; blocks know nothing of each other. Its 4H
// threads hold W_hh in registers (H = 128: the second half of each row in shared memory) and read it once.
// Thread j belongs to unit j / 4. Its lane q = j % 4 means two things in turn:
//
//   product     gate q of the unit, for all 4 sentences: one row of W_hh
//   cell        all 4 gates of the unit, for sentence q
//
// and the four lanes pass from one to the other by a 4 by 4 transpose of two shuffles a lane and round. h (da on
// the way back) goes to the next step through shared memory, twice as large as needed, so that one barrier a step
// is enough. What a step reads of global memory is asked for one step ahead.
#include "lstm.h"

#define WHOLE_WARP 0xffffffffu
#define SENTENCES 4  // a block

// Lane q of four holds row q of a matrix; afterwards column q.
INLINE void transpose(float v[4], int q) {
#pragma unroll
    for (int s = 1; s <= 2; s *= 2)
#pragma unroll
        for (int i = 0; i < 4; i++)
            if (!(i & s)) {
                bool low = !(q & s);
                float got = __shfl_xor_sync(WHOLE_WARP, low ? v[i | s] : v[i], s);
                if (low) v[i | s] = got;
                else v[i] = got;
            }
}

// Lane q of four holds v; afterwards the sum of the lanes' v[q].
INLINE float sum_column(const float v[4], int q) {
    bool low = !(q & 2);
    float a = (low ? v[0] : v[2]) + __shfl_xor_sync(WHOLE_WARP, low ? v[2] : v[0], 2);
    float b = (low ? v[1] : v[3]) + __shfl_xor_sync(WHOLE_WARP, low ? v[3] : v[1], 2);
    low = !(q & 1);
    return (low ? a : b) + __shfl_xor_sync(WHOLE_WARP, low ? b : a, 1);
}

// v[n] += sum_k w[k] h[n][k]; `w` has the first R columns of this thread's row, `rest` the others, 4H apart.
template <int H, int R, int STRIDE>
INLINE void product_of_rows(const float* w, const float* rest, const float* h, float v[SENTENCES]) {
#pragma unroll
    for (int k = 0; k < H; k += 4) {
        float wk[4];
#pragma unroll
        for (int i = 0; i < 4; i++) wk[i] = k < R ? w[k < R ? k + i : 0] : rest[(k + i - R) * 4 * H];
#pragma unroll
        for (int n = 0; n < SENTENCES; n++) {
            float4 x = *(const float4*)(h + n * STRIDE + k);
            v[n] = fmaf(wk[0], x.x, v[n]);
            v[n] = fmaf(wk[1], x.y, v[n]);
            v[n] = fmaf(wk[2], x.z, v[n]);
            v[n] = fmaf(wk[3], x.w, v[n]);
        }
    }
}

// R columns of W_hh in registers, H - R in shared memory.
template <int H, int R>
INLINE void lstm_forward(const Lstm& p) {
    SHARED(float, h_both);                              // (2, SENTENCES, H) h^ of this step and the next
    float* rest = h_both + 2 * SENTENCES * H;           // (H - R, 4H)
    const bool back = blockIdx.y;
    const Side s = back ? p.back : p.front;
    const int tid = threadIdx.x, u = tid / 4, q = tid % 4;
    const uint32_t first = blockIdx.x * SENTENCES, mine = first + q;
    const float* row = s.w_hh + (q * H + u) * H;
    float w[R];
#pragma unroll
    for (int k = 0; k < R; k++) w[k] = row[k];
    for (int k = R; k < H; k++) rest[(k - R) * 4 * H + tid] = row[k];
    for (int e = tid; e < SENTENCES * H; e += 4 * H) h_both[e] = 0.0f;
    const float m_h = s.mask && mine < p.sentences ? s.mask[mine * H + u] : 1.0f;
    float* y = p.y + (back ? H : 0) + u;
    float c = 0.0f, next[SENTENCES];
    Rows now = walk(p, back, 0);
#pragma unroll
    for (int n = 0; n < SENTENCES; n++)
        next[n] = first + n < now.count ? s.gates[(uint64_t)(now.first + first + n) * 4 * H + q * H + u] : 0.0f;
    __syncthreads();
    for (uint32_t k = 0; k < p.steps; k++) {
        const float* h = h_both + (k & 1) * SENTENCES * H;
        float* h_next = h_both + ((k + 1) & 1) * SENTENCES * H;
        Rows then = walk(p, back, k + 1);
        float v[SENTENCES];
#pragma unroll
        for (int n = 0; n < SENTENCES; n++) {
            v[n] = next[n];
            bool runs = first + n < then.count;
            next[n] = runs ? s.gates[(uint64_t)(then.first + first + n) * 4 * H + q * H + u] : 0.0f;
        }
        product_of_rows<H, R, H>(w, rest + tid, h, v);  // (4)
#pragma unroll
        for (int n = 0; n < SENTENCES; n++) v[n] = gate(q == 2, v[n]);  // (5)
        transpose(v, q);
        float h_mine = 0.0f;
        if (mine < now.count) {
            uint64_t at = now.first + mine;
            h_mine = cell(v, c);  // (5)
#pragma unroll
            for (int g = 0; g < 4; g++) s.gates[at * 4 * H + g * H + u] = v[g];
            s.c[at * H + u] = c;
            s.h_prev[at * H + u] = h[q * H + u];
            y[at * p.stride] = h_mine;
        }
        h_next[q * H + u] = h_mine * m_h;  // (3)
        now = then;
#ifndef PLANTED_RACE
        __syncthreads();
#endif
    }
}

// What a step of the way back reads of one unit of one sentence.
struct Saved {
    float v[4], c, c_prev, dy;
};

template <int H>
INLINE Saved saved(const Lstm& p, const Side& s, Rows rows, Rows before, uint32_t r, int u, const float* dy) {
    Saved x = {{0.0f, 0.0f, 0.0f, 0.0f}, 0.0f, 0.0f, 0.0f};
    if (r < rows.count) {
        uint64_t at = rows.first + r;
#pragma unroll
        for (int g = 0; g < 4; g++) x.v[g] = s.gates[at * 4 * H + g * H + u];
        x.c = s.c[at * H + u];
        x.c_prev = r < before.count ? s.c[(uint64_t)(before.first + r) * H + u] : 0.0f;
        x.dy = dy[at * p.stride];
    }
    return x;
}

// The mirror of lstm_forward: lane q multiplies with the H rows of gate q in column u of W_hh.
template <int H, int R>
INLINE void lstm_backward(const Lstm& p) {
    const int G = H + 4, STRIDE = 4 * G;                // gates begin in different banks
    SHARED(float, da_both);                             // (2, SENTENCES, STRIDE)
    float* rest = da_both + 2 * SENTENCES * STRIDE;     // (H - R, 4H)
    const bool back = blockIdx.y;
    const Side s = back ? p.back : p.front;
    const int tid = threadIdx.x, u = tid / 4, q = tid % 4;
    const uint32_t mine = blockIdx.x * SENTENCES + q;
    float w[R];
#pragma unroll
    for (int k = 0; k < R; k++) w[k] = s.w_hh[(q * H + k) * H + u];
    for (int k = R; k < H; k++) rest[(k - R) * 4 * H + tid] = s.w_hh[(q * H + k) * H + u];
    const float m_h = s.mask && mine < p.sentences ? s.mask[mine * H + u] : 1.0f;
    const float* dy = p.dy + (back ? H : 0) + u;
    float dh = 0.0f, dc = 0.0f;
    Rows now = walk(p, back, p.steps - 1), before = walk(p, back, p.steps - 2);
    Saved next = saved<H>(p, s, now, before, mine, u, dy);
    for (uint32_t k = p.steps; k-- > 0;) {
        float* da = da_both + (k & 1) * SENTENCES * STRIDE;
        Saved x = next;
        Rows earlier = walk(p, back, k - 2);  // k - 2 < 0 is beyond the last step: no rows
        next = saved<H>(p, s, before, earlier, mine, u, dy);
        if (mine < now.count) {
            cell_backward(x.v, x.c, x.c_prev, x.dy + dh, dc);  // (5')
#pragma unroll
            for (int g = 0; g < 4; g++) s.gates[(uint64_t)(now.first + mine) * 4 * H + g * H + u] = x.v[g];
        }
#pragma unroll
        for (int g = 0; g < 4; g++) da[q * STRIDE + g * G + u] = x.v[g];
        __syncthreads();
        float v[SENTENCES] = {0.0f, 0.0f, 0.0f, 0.0f};
        product_of_rows<H, R, STRIDE>(w, rest + tid, da + q * G, v);  // (4')
        dh = sum_column(v, q) * m_h;  // (3')
        now = before;
        before = earlier;
    }
}

KERNEL(lstm_forward_64, Lstm, 256) { lstm_forward<64, 64>(p); }
KERNEL(lstm_forward_128, Lstm, 512) { lstm_forward<128, 64>(p); }
KERNEL(lstm_backward_64, Lstm, 256) { lstm_backward<64, 64>(p); }
KERNEL(lstm_backward_128, Lstm, 512) { lstm_backward<128, 64>(p); }
