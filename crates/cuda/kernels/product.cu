// Products of matrices, and sums of rows: input projections, dense layers, weight gradients.
//
//   (1)  C = A B + bias                 (M, N)    A (M, K), B (K, N), each by its two strides
//   (2)  C_z = A B over the z-th part of K        a gradient sums over thousands of tokens: its parts are
//        s_z = A 1 over the same part             worked on side by side and added from the first to the last
//   (3)  C = sum_z C_z    s = sum_z s_z
//
// (1), (2): a block makes a tile of 64 by 64, each of its 128 threads 8 by 4 of it. Tiles of A and B pass through
// shared memory 16 columns of K at a time: while the threads multiply with one pair of tiles, the next one is on its way
// from global memory to registers. Each element is one chain of fused multiply-adds in the order of K.
//
// Several products that do not need each other are one launch, whose blocks are numbered through.
#include "device.h"

struct Product {
    const float* a;
    const float* b;
    const float* bias;  // (N) or null
    float* c;           // (M, N), rows c_m apart; with parts, (parts, M, N) packed
    float* sums;        // (parts, M) sums of A's rows, or null
    uint32_t m, n, k, a_m, a_k, b_k, b_n, c_m;
    uint32_t part;      // columns of K in a part
    uint32_t add;       // C += instead of C =
    uint32_t first_block, unused;
};

struct Products {
    Product of[6];
};

#define EDGE 64   // of the tile of C
#define DEPTH 16  // columns of K in a tile of A or B
#define ROW 68    // its rows begin in different banks
#define EACH 8    // of its elements a thread fetches: EDGE * DEPTH / 128

// What a thread fetches of a matrix: 8 elements whose places in the tile are `i` + s `step_i`, `k` + s `step_k`.
// Neighbouring threads fetch neighbouring numbers, whichever way the matrix lies.
struct Fetch {
    const float* from;  // element (i, k) of the first tile
    uint64_t step, next;  // numbers to the thread's next element, to the next tile
    uint32_t i, k, step_i, step_k, rows;

    INLINE void start(const float* matrix, uint32_t by_i, uint32_t by_k, uint32_t i0, uint32_t k0, uint32_t size) {
        bool along_k = by_k == 1;
        i = along_k ? threadIdx.x / DEPTH : threadIdx.x % EDGE;
        k = along_k ? threadIdx.x % DEPTH : threadIdx.x / EDGE;
        step_i = along_k ? 128 / DEPTH : 0;
        step_k = along_k ? 0 : 128 / EDGE;
        from = matrix + (uint64_t)(i0 + i) * by_i + (uint64_t)(k0 + k) * by_k;
        step = along_k ? (uint64_t)step_i * by_i : (uint64_t)step_k * by_k;
        next = (uint64_t)DEPTH * by_k;
        rows = size - i0;
    }

    // The next tile, of which `left` columns are there.
    INLINE void fetch(uint32_t left, float to[EACH]) {
#pragma unroll
        for (uint32_t s = 0; s < EACH; s++)
            to[s] = i + s * step_i < rows && k + s * step_k < left ? from[s * step] : 0.0f;
        from += next;
    }

    INLINE void store(const float v[EACH], float* tile) const {
#pragma unroll
        for (uint32_t s = 0; s < EACH; s++) tile[(k + s * step_k) * ROW + i + s * step_i] = v[s];
    }
};

KERNEL(products, Products, 128) {
    SHARED(float, tiles);  // (2, 2, DEPTH, ROW) A and B of this round and the next
    const Product& job = piece_of_block(p.of);
    const uint32_t block = blockIdx.x - job.first_block, across = (job.n + EDGE - 1) / EDGE;
    const uint32_t down = (job.m + EDGE - 1) / EDGE, z = block / (across * down);
    const uint32_t i0 = block / across % down * EDGE, j0 = block % across * EDGE;
    const uint32_t k_begin = z * job.part, k_end = k_begin + job.part < job.k ? k_begin + job.part : job.k;
    const uint32_t tid = threadIdx.x, ti = tid / 16 * 8, tj = tid % 16 * 4;
    const bool sums = job.sums && j0 == 0 && tid < EDGE;
    Fetch a, b;
    a.start(job.a, job.a_m, job.a_k, i0, k_begin, job.m);
    b.start(job.b, job.b_n, job.b_k, j0, k_begin, job.n);
    float of_a[EACH], of_b[EACH], acc[8][4] = {}, sum = 0.0f;
    a.fetch(k_end - k_begin, of_a);
    b.fetch(k_end - k_begin, of_b);
    for (uint32_t k0 = k_begin, round = 0; k0 < k_end; k0 += DEPTH, round ^= 1) {
        float* as = tiles + round * 2 * DEPTH * ROW;
        float* bs = as + DEPTH * ROW;
        a.store(of_a, as);
        b.store(of_b, bs);
        __syncthreads();
        if (k0 + DEPTH < k_end) {
            a.fetch(k_end - k0 - DEPTH, of_a);
            b.fetch(k_end - k0 - DEPTH, of_b);
        }
#pragma unroll
        for (uint32_t k = 0; k < DEPTH; k++) {
            float4 low = *(const float4*)(as + k * ROW + ti), high = *(const float4*)(as + k * ROW + ti + 4);
            float4 right = *(const float4*)(bs + k * ROW + tj);
            float av[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
            float bv[4] = {right.x, right.y, right.z, right.w};
#pragma unroll
            for (int i = 0; i < 8; i++)
#pragma unroll
                for (int j = 0; j < 4; j++) acc[i][j] = fmaf(av[i], bv[j], acc[i][j]);  // (1), (2)
        }
        if (sums)
#pragma unroll
            for (uint32_t k = 0; k < DEPTH; k++) sum += as[k * ROW + tid];  // (2)
    }
    if (sums && i0 + tid < job.m) job.sums[(uint64_t)z * job.m + i0 + tid] = sum;
    float* c = job.c + (uint64_t)z * job.m * job.c_m;
#pragma unroll
    for (int i = 0; i < 8; i++)
#pragma unroll
        for (int j = 0; j < 4; j++) {
            uint32_t row = i0 + ti + i, column = j0 + tj + j;
            if (row >= job.m || column >= job.n) continue;
            float* to = c + (uint64_t)row * job.c_m + column;
            float v = acc[i][j] + (job.bias ? job.bias[column] : 0.0f);
            *to = job.add ? *to + v : v;
        }
}

struct SumParts {
    const float* parts;  // (parts, N)
    float* sum;          // (N)
    uint32_t n, count, first_block, unused;
};

struct SumsOfParts {
    SumParts of[16];
};

KERNEL(sum_parts, SumsOfParts, 256) {
    const SumParts& job = piece_of_block(p.of);
    uint64_t j = (uint64_t)(blockIdx.x - job.first_block) * 256 + threadIdx.x;
    if (j >= job.n) return;
    float sum = 0.0f;
    for (uint32_t z = 0; z < job.count; z++) sum += job.parts[(uint64_t)z * job.n + j];  // (3)
    job.sum[j] = sum;
}
