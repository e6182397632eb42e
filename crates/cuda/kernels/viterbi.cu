// The best tags of a sentence. Equations: crates/nn/src/crf/decode.rs.
//
//   (1)  v_1(j) = b_j + s_1j    v_t(j) = s_tj + max_i (v_{t-1}(i) + A_ij)
//   (2)  y_T = argmax_j (v_T(j) + e_j)    y_{t-1} = where the maximum of v_t(y_t) came from
//
// In f64 and in the CPU's order of additions, so that the same scores give the same tags; of equal ones the
// smallest. A block takes a sentence; thread j takes tag j, and j + the number of threads, and so on. A lies in
// shared memory (viterbi) or, with more tags than have room there, where it is (viterbi_wide).
#include "device.h"

struct Viterbi {
    const float* potentials;  // A (K, K), b (K), e (K); minus infinity for what is forbidden
    const float* scores;      // (N, K)
    const uint32_t* starts;   // (steps + 1)
    const uint32_t* lengths;  // (B)
    uint32_t* from;           // (N, K) scratch
    uint32_t* tags;           // (N)
    uint32_t n_tags;
};

template <bool IN_SHARED>
INLINE void viterbi_of(const Viterbi& p) {
    const uint32_t K = p.n_tags, first = threadIdx.x, threads = blockDim.x, r = blockIdx.x, length = p.lengths[r];
    SHARED(double, v_both);                       // (2, K)
    float* a_shared = (float*)(v_both + 2 * K);   // (K, K)
    const float* a = IN_SHARED ? a_shared : p.potentials;
    const float* edge = p.potentials + K * K;     // (2, K) b, e
    if (IN_SHARED)
        for (uint32_t e = first; e < K * K; e += threads) a_shared[e] = p.potentials[e];
    __syncthreads();
    for (uint32_t t = 0; t < length; t++) {
        double* v = v_both + (t & 1) * K;
        const double* v_prev = v_both + ((t + 1) & 1) * K;
        uint64_t row = p.starts[t] + r;
        for (uint32_t j = first; j < K; j += threads) {
            double best = t ? MINUS_INFINITY : edge[j];
            uint32_t from = 0;
            for (uint32_t i = 0; t && i < K; i++)
                if (v_prev[i] + a[i * K + j] > best) {
                    best = v_prev[i] + a[i * K + j];
                    from = i;
                }
            v[j] = best + p.scores[row * K + j];  // (1)
            p.from[row * K + j] = from;
        }
        __syncthreads();
    }
    if (first) return;
    const double* v = v_both + ((length - 1) & 1) * K;
    double best = MINUS_INFINITY;
    uint32_t tag = 0;
    for (uint32_t i = 0; i < K; i++)
        if (v[i] + edge[K + i] > best) {
            best = v[i] + edge[K + i];
            tag = i;
        }
    for (uint32_t t = length; t-- > 0;) {
        uint64_t row = p.starts[t] + r;
        p.tags[row] = tag;
        tag = p.from[row * K + tag];  // (2)
    }
}

KERNEL(viterbi, Viterbi, 128) { viterbi_of<true>(p); }
KERNEL(viterbi_wide, Viterbi, 128) { viterbi_of<false>(p); }
