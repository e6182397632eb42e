// Products of matrices, and sums of rows: input projections, dense layers, weight gradients.
//
//   (1)  C = A B + bias                 (M, N)    A (M, K), B (K, N), each by its two strides
//   (2)  C_z = A B over the z-th part of K        a gradient sums over thousands of tokens: its parts are
//   (3)  C = sum_z C_z                            worked on side by side and added from the first to the last
//   (4)  s_z = sum of the z-th part of A's rows   (N), then (3)
//
// (1), (2): a block makes a tile of 64 by 64, each of its 256 threads 4 by 4 of it; tiles of A and B pass
// through shared memory 16 columns of K at a time. Each element is one chain of fused multiply-adds in the
// order of K.
#include "device.h"

struct Product {
    const float* a;
    const float* b;
    const float* bias;  // (N) or null
    float* c;           // (M, N), rows c_m apart; with parts, (parts, M, N) packed
    uint32_t m, n, k, a_m, a_k, b_k, b_n, c_m;
    uint32_t part;      // columns of K in a part
    uint32_t add;       // C += instead of C =
};

KERNEL(product, Product, 256) {
    const uint32_t T = 64, S = 68, DEPTH = 16;  // S: rows of a tile begin in different banks
    SHARED(float, as);
    float* bs = as + DEPTH * S;
    uint32_t tid = threadIdx.x, i0 = blockIdx.y * T, j0 = blockIdx.x * T;
    uint32_t ti = tid / 16 * 4, tj = tid % 16 * 4;
    uint32_t k_begin = blockIdx.z * p.part, k_end = k_begin + p.part < p.k ? k_begin + p.part : p.k;
    float acc[4][4];
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) acc[i][j] = 0.0f;
    for (uint32_t k0 = k_begin; k0 < k_end; k0 += DEPTH) {
        for (uint32_t e = tid; e < T * DEPTH; e += 256) {
            // Neighbouring threads read neighbouring numbers, whichever way the matrix lies.
            uint32_t i = p.a_k == 1 ? e / DEPTH : e % T, ka = p.a_k == 1 ? e % DEPTH : e / T;
            uint32_t j = p.b_k == 1 ? e / DEPTH : e % T, kb = p.b_k == 1 ? e % DEPTH : e / T;
            bool in_a = i0 + i < p.m && k0 + ka < k_end, in_b = j0 + j < p.n && k0 + kb < k_end;
            as[ka * S + i] = in_a ? p.a[(uint64_t)(i0 + i) * p.a_m + (uint64_t)(k0 + ka) * p.a_k] : 0.0f;
            bs[kb * S + j] = in_b ? p.b[(uint64_t)(j0 + j) * p.b_n + (uint64_t)(k0 + kb) * p.b_k] : 0.0f;
        }
        __syncthreads();
#pragma unroll
        for (uint32_t k = 0; k < DEPTH; k++) {
            float4 a = *(const float4*)(as + k * S + ti), b = *(const float4*)(bs + k * S + tj);
            float av[4] = {a.x, a.y, a.z, a.w}, bv[4] = {b.x, b.y, b.z, b.w};
#pragma unroll
            for (int i = 0; i < 4; i++)
#pragma unroll
                for (int j = 0; j < 4; j++) acc[i][j] = fmaf(av[i], bv[j], acc[i][j]);  // (1), (2)
        }
        __syncthreads();
    }
    float* c = p.c + (uint64_t)blockIdx.z * p.m * p.c_m;
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int j = 0; j < 4; j++) {
            uint32_t row = i0 + ti + i, column = j0 + tj + j;
            if (row >= p.m || column >= p.n) continue;
            float* to = c + (uint64_t)row * p.c_m + column;
            float v = acc[i][j] + (p.bias ? p.bias[column] : 0.0f);
            *to = p.add ? *to + v : v;
        }
}

struct ColumnSums {
    const float* a;  // (M, N)
    float* sums;     // (parts, N)
    uint32_t m, n, part;
};

KERNEL(column_sums, ColumnSums, 256) {
    uint64_t j = element();
    if (j >= p.n) return;
    uint32_t begin = blockIdx.y * p.part, end = begin + p.part < p.m ? begin + p.part : p.m;
    float sum = 0.0f;
    for (uint32_t i = begin; i < end; i++) sum += p.a[(uint64_t)i * p.n + j];  // (4)
    p.sums[(uint64_t)blockIdx.y * p.n + j] = sum;
}

struct SumParts {
    const float* parts;  // (parts, N)
    float* sum;          // (N)
    uint32_t n, count;
};

KERNEL(sum_parts, SumParts, 256) {
    uint64_t j = element();
    if (j >= p.n) return;
    float sum = 0.0f;
    for (uint32_t z = 0; z < p.count; z++) sum += p.parts[(uint64_t)z * p.n + j];  // (3)
    p.sum[j] = sum;
}
