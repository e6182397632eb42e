// LSTM for any H, one launch a step of the walk: the way for H = 256, whose W_hh (1 MB) fits no multiprocessor's
// memory, and for widths without a kernel of their own. Equations: lstm.h.
//
// A block makes 16 units of 16 sentences of one direction, a thread one unit of one sentence. Tiles of h^ (da on
// the way back) and W_hh pass through shared memory 16 columns at a time; W_hh comes out of the second-level cache
// at every step. The launch that comes next waits for this one, which is the only order between blocks.
#include "lstm.h"

#define TILE 16
#define WIDE 17  // rows of a tile begin in different banks

KERNEL(lstm_step_forward, Lstm, 256) {
    SHARED(float, hs);                   // (16, WIDE) h^ of 16 sentences
    float* ws = hs + TILE * WIDE;        // (4, 16, WIDE) the units' rows of W_hh
    const bool back = blockIdx.z;
    const Side s = back ? p.back : p.front;
    const uint32_t H = p.hidden, i = threadIdx.x / TILE, j = threadIdx.x % TILE;
    const uint32_t n = blockIdx.y * TILE + i, u = blockIdx.x * TILE + j, k = p.walked;
    const Rows now = walk(p, back, k), before = k ? walk(p, back, k - 1) : Rows{0, 0};
    const float* y_prev = p.y + (uint64_t)before.first * p.stride + (back ? H : 0);
    float v[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    for (uint32_t k0 = 0; k0 < H; k0 += TILE) {
        // Thread (i, j) fetches column j of sentence i and of unit i of this block.
        uint32_t unit = blockIdx.x * TILE + i, column = k0 + j;
        float h = 0.0f;
        if (n < before.count && n < now.count && column < H)
            h = y_prev[(uint64_t)n * p.stride + column] * (s.mask ? s.mask[(uint64_t)n * H + column] : 1.0f);  // (3)
        hs[i * WIDE + j] = h;
        for (uint32_t g = 0; g < 4; g++)
            ws[(g * TILE + i) * WIDE + j] =
                unit < H && column < H ? s.w_hh[(uint64_t)(g * H + unit) * H + column] : 0.0f;
        if (blockIdx.x == 0 && n < now.count && column < H) s.h_prev[(uint64_t)(now.first + n) * H + column] = h;
        __syncthreads();
        for (uint32_t c = 0; c < TILE; c++)
            for (uint32_t g = 0; g < 4; g++)
                v[g] = fmaf(ws[(g * TILE + j) * WIDE + c], hs[i * WIDE + c], v[g]);  // (4)
        __syncthreads();
    }
    if (n >= now.count || u >= H) return;
    uint64_t at = now.first + n;
    for (uint32_t g = 0; g < 4; g++) {
        float* a = s.gates + at * 4 * H + g * H + u;
        v[g] = gate(g == 2, *a + v[g]);
        *a = v[g];
    }
    float c = n < before.count ? s.c[(uint64_t)(before.first + n) * H + u] : 0.0f;
    p.y[at * p.stride + (back ? H : 0) + u] = cell(v, c);  // (5)
    s.c[at * H + u] = c;
}

// dc waits between launches in a buffer of its own, a row a sentence.
struct LstmBack {
    Lstm lstm;
    float* dc_front;  // (B, H)
    float* dc_back;
};

KERNEL(lstm_step_backward, LstmBack, 256) {
    const Lstm& l = p.lstm;
    SHARED(float, das);                  // (16, WIDE) da of 16 sentences one step on in the walk
    float* ws = das + TILE * WIDE;       // (16, WIDE) rows of W_hh, the columns of the units
    const bool back = blockIdx.z;
    const Side s = back ? l.back : l.front;
    const uint32_t H = l.hidden, i = threadIdx.x / TILE, j = threadIdx.x % TILE;
    const uint32_t n = blockIdx.y * TILE + i, u = blockIdx.x * TILE + j, k = l.walked;
    const Rows now = walk(l, back, k), before = k ? walk(l, back, k - 1) : Rows{0, 0}, after = walk(l, back, k + 1);
    const bool carried = n < after.count && n < now.count;
    float dh = 0.0f;
    for (uint32_t k0 = 0; k0 < 4 * H; k0 += TILE) {
        das[i * WIDE + j] =
            carried && k0 + j < 4 * H ? s.gates[(uint64_t)(after.first + n) * 4 * H + k0 + j] : 0.0f;
        ws[i * WIDE + j] = k0 + i < 4 * H && u < H ? s.w_hh[(uint64_t)(k0 + i) * H + u] : 0.0f;
        __syncthreads();
        for (uint32_t c = 0; c < TILE; c++) dh = fmaf(das[i * WIDE + c], ws[c * WIDE + j], dh);  // (4')
        __syncthreads();
    }
    if (n >= now.count || u >= H) return;
    dh *= s.mask ? s.mask[(uint64_t)n * H + u] : 1.0f;  // (3')
    uint64_t at = now.first + n;
    float* dc_place = (back ? p.dc_back : p.dc_front) + (uint64_t)n * H + u;
    float dc = carried ? *dc_place : 0.0f, v[4];
    for (uint32_t g = 0; g < 4; g++) v[g] = s.gates[at * 4 * H + g * H + u];
    float c_prev = n < before.count ? s.c[(uint64_t)(before.first + n) * H + u] : 0.0f;
    float dy = l.dy[at * l.stride + (back ? H : 0) + u];
    cell_backward(v, s.c[at * H + u], c_prev, dy + dh, dc);  // (5')
    for (uint32_t g = 0; g < 4; g++) s.gates[at * 4 * H + g * H + u] = v[g];
    *dc_place = dc;
}
