// LSTM for any H, one launch a step of the walk: the way for H = 256, whose W_hh (1 MB) fits no multiprocessor's
// memory, and for widths without a kernel of their own. Equations: lstm.h.
//
// A block takes 64 sentences of one direction and 16 units (32 on the way back); its 256 threads four sentences and one
// unit with its gates (two units) each. Tiles of h^ (da on the way back) and W_hh pass through shared memory 16 columns
// at a time; W_hh comes out of the second-level cache at every step. The launch that comes next waits for this one, which
// is the only order between blocks.
#include "lstm.h"

#define STEP_SENTENCES 64
#define STEP_DEPTH 16
#define STEP_ROW 68  // rows of a tile begin in different banks

KERNEL(lstm_step_forward, Lstm, 256) {
    SHARED(float, hs);                         // (DEPTH, ROW) h^ of the sentences
    float* ws = hs + STEP_DEPTH * STEP_ROW;    // (DEPTH, ROW) W_hh, the gates of a unit beside each other
    const bool back = blockIdx.z;
    const Side& s = p.side[blockIdx.z];
    const uint32_t H = p.hidden, i = threadIdx.x / 16, j = threadIdx.x % 16, k = p.walked;
    const uint32_t n0 = blockIdx.y * STEP_SENTENCES, u = blockIdx.x * 16 + j;
    const Rows now = walk(p, back, k), before = k ? walk(p, back, k - 1) : Rows{0, 0};
    const float* y_prev = p.y + (uint64_t)before.first * p.stride + (back ? H : 0);
    float v[4][4] = {};  // (gates, sentences)
    for (uint32_t k0 = 0; k0 < H; k0 += STEP_DEPTH) {
        const uint32_t column = k0 + j;
        for (uint32_t row = i; row < STEP_SENTENCES; row += 16) {
            uint32_t n = n0 + row, unit = blockIdx.x * 16 + row / 4;
            float h = 0.0f;
            if (n < before.count && n < now.count && column < H)
                h = y_prev[(uint64_t)n * p.stride + column] * (s.mask ? s.mask[(uint64_t)n * H + column] : 1.0f);  // (3)
            hs[j * STEP_ROW + row] = h;
            if (blockIdx.x == 0 && n < now.count && column < H) s.h_prev[(uint64_t)(now.first + n) * H + column] = h;
            ws[j * STEP_ROW + row] = unit < H && column < H ? s.w_hh[(uint64_t)(row % 4 * H + unit) * H + column] : 0.0f;
        }
        __syncthreads();
        for (uint32_t c = 0; c < STEP_DEPTH; c++) {
            float4 w = *(const float4*)(ws + c * STEP_ROW + 4 * j), h = *(const float4*)(hs + c * STEP_ROW + 4 * i);
            float wv[4] = {w.x, w.y, w.z, w.w}, hv[4] = {h.x, h.y, h.z, h.w};
#pragma unroll
            for (int g = 0; g < 4; g++)
#pragma unroll
                for (int r = 0; r < 4; r++) v[g][r] = fmaf(wv[g], hv[r], v[g][r]);  // (4)
        }
        __syncthreads();
    }
#pragma unroll
    for (int r = 0; r < 4; r++) {
        uint32_t n = n0 + 4 * i + r;
        if (n >= now.count || u >= H) continue;
        uint64_t at = now.first + n;
        float a[4];
#pragma unroll
        for (int g = 0; g < 4; g++) {
            float* place = s.gates + at * 4 * H + g * H + u;
            a[g] = gate(g == 2, *place + v[g][r]);
            *place = a[g];
        }
        float c = n < before.count ? s.c[(uint64_t)(before.first + n) * H + u] : 0.0f;
        p.y[at * p.stride + (back ? H : 0) + u] = cell(a, c);  // (5)
        s.c[at * H + u] = c;
    }
}

// dc waits between launches in a buffer of its own, a row a sentence.
struct LstmBack {
    Lstm lstm;
    float* dc_front;  // (B, H)
    float* dc_back;
};

KERNEL(lstm_step_backward, LstmBack, 256) {
    const Lstm& l = p.lstm;
    const uint32_t W_ROW = 34;
    SHARED(float, das);                        // (DEPTH, ROW) da of the sentences one step on in the walk
    float* ws = das + STEP_DEPTH * STEP_ROW;   // (DEPTH, W_ROW) rows of W_hh, the columns of the units
    const bool back = blockIdx.z;
    const Side& s = l.side[blockIdx.z];
    const uint32_t H = l.hidden, i = threadIdx.x / 16, j = threadIdx.x % 16, k = l.walked;
    const uint32_t n0 = blockIdx.y * STEP_SENTENCES, u0 = blockIdx.x * 32;
    const Rows now = walk(l, back, k), before = k ? walk(l, back, k - 1) : Rows{0, 0}, after = walk(l, back, k + 1);
    const uint32_t carried = after.count < now.count ? after.count : now.count;
    float dh[4][2] = {};  // (sentences, units)
    for (uint32_t k0 = 0; k0 < 4 * H; k0 += STEP_DEPTH) {
        for (uint32_t row = i; row < STEP_SENTENCES; row += 16) {
            bool there = n0 + row < carried && k0 + j < 4 * H;
            das[j * STEP_ROW + row] = there ? s.gates[(uint64_t)(after.first + n0 + row) * 4 * H + k0 + j] : 0.0f;
        }
        for (uint32_t e = threadIdx.x; e < STEP_DEPTH * 32; e += 256) {
            uint32_t row = k0 + e / 32, u = u0 + e % 32;
            ws[e / 32 * W_ROW + e % 32] = row < 4 * H && u < H ? s.w_hh[(uint64_t)row * H + u] : 0.0f;
        }
        __syncthreads();
        for (uint32_t c = 0; c < STEP_DEPTH; c++) {
            float4 da = *(const float4*)(das + c * STEP_ROW + 4 * i);
            float2 w = *(const float2*)(ws + c * W_ROW + 2 * j);
            float dav[4] = {da.x, da.y, da.z, da.w};
#pragma unroll
            for (int r = 0; r < 4; r++) {
                dh[r][0] = fmaf(dav[r], w.x, dh[r][0]);  // (4')
                dh[r][1] = fmaf(dav[r], w.y, dh[r][1]);
            }
        }
        __syncthreads();
    }
#pragma unroll
    for (int r = 0; r < 4; r++)
#pragma unroll
        for (int e = 0; e < 2; e++) {
            uint32_t n = n0 + 4 * i + r, u = u0 + 2 * j + e;
            if (n >= now.count || u >= H) continue;
            float dh_n = dh[r][e] * (s.mask ? s.mask[(uint64_t)n * H + u] : 1.0f);  // (3')
            uint64_t at = now.first + n;
            float* dc_place = (back ? p.dc_back : p.dc_front) + (uint64_t)n * H + u;
            float dc = n < carried ? *dc_place : 0.0f, a[4];
#pragma unroll
            for (int g = 0; g < 4; g++) a[g] = s.gates[at * 4 * H + g * H + u];
            float c_prev = n < before.count ? s.c[(uint64_t)(before.first + n) * H + u] : 0.0f;
            float dy = l.dy[at * l.stride + (back ? H : 0) + u];
            cell_backward(a, s.c[at * H + u], c_prev, dy + dh_n, dc);  // (5')
#pragma unroll
            for (int g = 0; g < 4; g++) s.gates[at * 4 * H + g * H + u] = a[g];
            *dc_place = dc;
        }
}
