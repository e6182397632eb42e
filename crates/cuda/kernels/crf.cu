// Conditional random field: loss and gradient by forward-backward. Equations and names: crates/nn/src/crf.rs.
//
//   T tokens, K tags, s scores, A transitions, b start, e end, y the right tags, w the weight of the loss
//
//   (1)  A, b, e = weights, or minus infinity for what is forbidden
//   (2)  v_1(j) = b_j + s_1j      v_t(j) = s_tj + log sum_i exp(alpha_{t-1}(i) + A_ij)
//        l_t = log sum_j exp v_t(j)      alpha_t = v_t - l_t
//   (3)  l_{T+1} = log sum_j exp(alpha_T(j) + e_j)      log Z = sum of l
//   (4)  L = w sum over sentences (log Z - score of y)
//
//   (3') beta_T(j) = e_j - l_{T+1}      P(y_t = j) = exp(alpha_t(j) + beta_t(j))
//   (2') b_t(j) = s_tj - l_t + beta_t(j)      beta_{t-1}(i) = log sum_j exp(A_ij + b_t(j))
//        P(y_{t-1} = i, y_t = j) = exp(alpha_{t-1}(i) + A_ij + b_t(j))
//   (1') ds, dA, db, de = w (what the model expects - what is there)
//
// All are logarithms, scaled at every step so that exp alpha adds up to 1: no score is too large, and f32 is enough. (Any
// l_t would do to that end, but with the maximum ds is up to five times as far off after a hundred steps.) What the rules
// forbid is minus infinity and gets no gradient.
//
// A block takes a sentence. Four neighbouring threads take tag j, and j + a fourth of the block, and so on; they share its
// sums, since a step waits for the longest of them, and the first of the four does what there is once a tag. The
// transitions' gradients are left a row a sentence, to be added from the first to the last. A and its gradient lie in
// shared memory (crf_loss) or, with more tags than have room there, where they are (crf_loss_wide).
#include "device.h"

struct Potentials {
    const float* weights;    // A (K, K), b (K), e (K)
    const float* forbidden;  // the same: 0, or minus infinity
    float* sum;
    uint64_t n;
};

KERNEL(potentials, Potentials, 256) {
    uint64_t e = element();
    if (e < p.n) p.sum[e] = p.weights[e] + p.forbidden[e];  // (1)
}

struct CrfLoss {
    const float* potentials; // A (K, K), b (K), e (K)
    const float* forbidden;  // the same: 0, or minus infinity
    const float* scores;     // (N, K)
    const uint32_t* tags;    // (N)
    const uint32_t* starts;  // (steps + 1)
    const uint32_t* lengths; // (B)
    float* alpha;            // (N, K) scratch
    float* log_sums;         // (N) scratch: l
    float* ds;               // (N, K)
    float* parts;            // (B, K K + 2K) gradients of the weights
    double* losses;          // (B) not weighted
    uint32_t n_tags;
    float weight;
};

INLINE float larger(float a, float b) { return b > a || b != b ? b : a; }

// log sum_i exp(x_i - l + y_i), y_i being `stride` apart, or 0 without y; minus infinity if all are. Of the four threads
// each takes every fourth i, and all have the sum. The likeliest x are near l, and x - l is taken first: beside it, y is
// not rounded to what is left of it beside x.
INLINE float log_sum_exp(const float* x, float l, const float* y, uint32_t stride, uint32_t n) {
    float top = MINUS_INFINITY, sum = 0.0f;
    for (uint32_t i = threadIdx.x % 4; i < n; i += 4) top = larger(top, x[i] - l + (y ? y[i * stride] : 0.0f));
    top = larger(top, __shfl_xor_sync(WHOLE_WARP, top, 1));
    top = larger(top, __shfl_xor_sync(WHOLE_WARP, top, 2));
    const bool none = top == MINUS_INFINITY;
    for (uint32_t i = threadIdx.x % 4; i < n && !none; i += 4)
        sum += expf(x[i] - l + (y ? y[i * stride] : 0.0f) - top);
    sum += __shfl_xor_sync(WHOLE_WARP, sum, 1);
    sum += __shfl_xor_sync(WHOLE_WARP, sum, 2);
    return none ? top : top + logf(sum);
}

template <bool IN_SHARED>
INLINE void crf_loss_of(const CrfLoss& p) {
    const uint32_t K = p.n_tags, r = blockIdx.x, length = p.lengths[r], threads = blockDim.x;
    const uint32_t lane = threadIdx.x % 4, first = threadIdx.x / 4, apart = threads / 4;
    float* part = p.parts + (uint64_t)r * (K * K + 2 * K);
    SHARED(float, edge);              // (2, K) b, e
    float* x_both = edge + 2 * K;     // (2, K) v_t on the way there, b_t on the way back
    float* alphas = x_both + 2 * K;   // (2, K) alpha_t and alpha_{t-1} on the way back
    float* beta = alphas + 2 * K;     // (K) beta_t(j) is its first thread's
    float* a_shared = beta + K;       // (K, K)
    const float* a = IN_SHARED ? a_shared : p.potentials;
    float* pairs = IN_SHARED ? a_shared + K * K : part;  // (K, K) expected less right pairs; of column j each thread has
                                                         // its rows
    for (uint32_t e = threadIdx.x; IN_SHARED && e < K * K; e += threads) a_shared[e] = p.potentials[e];
    for (uint32_t j = first; j < K; j += apart)
        for (uint32_t i = lane; i < K; i += 4) pairs[i * K + j] = 0.0f;
    for (uint32_t e = threadIdx.x; e < 2 * K; e += threads) edge[e] = p.potentials[K * K + e];
    __syncthreads();

    double loss = 0.0;
    float l = 0.0f;
    for (uint32_t t = 0; t < length; t++) {
        float* x = x_both + (t & 1) * K;
        const float* x_prev = x_both + ((t + 1) & 1) * K;
        uint64_t row = p.starts[t] + r;
        for (uint32_t j0 = 0; j0 < K; j0 += apart) {  // all threads of a warp go round as often
            uint32_t j = j0 + first;
            const bool there = j < K;
            float score = there && lane == 0 ? p.scores[row * K + j] : 0.0f;
            float from = t ? log_sum_exp(x_prev, l, a + (there ? j : 0), K, K) : there ? edge[j] : 0.0f;
            if (there && lane == 0) x[j] = score + from;  // (2)
        }
        __syncthreads();
        l = log_sum_exp(x, 0.0f, nullptr, 0, K);  // (2)
        for (uint32_t j = first; j < K && lane == 0; j += apart) p.alpha[row * K + j] = x[j] - l;
        if (threadIdx.x == 0) {
            uint32_t y = p.tags[row];
            float potential = t ? a[p.tags[p.starts[t - 1] + r] * K + y] : edge[y];
            p.log_sums[row] = l;
            loss += (double)l - p.scores[row * K + y] - potential;  // (4)
        }
    }
    const uint64_t last = p.starts[length - 1] + r;
    const float* x_last = x_both + ((length - 1) & 1) * K;
    const float l_end = log_sum_exp(x_last, l, edge + K, 1, K);  // (3)
    if (threadIdx.x == 0) p.losses[r] = loss + l_end - edge[K + p.tags[last]];

    for (uint32_t j = first; j < K && lane == 0; j += apart) {
        beta[j] = edge[K + j] - l_end;  // (3')
        alphas[((length - 1) & 1) * K + j] = p.alpha[last * K + j];
    }
    __syncthreads();  // x is free, alpha and l are there for all
    for (uint32_t t = length; t-- > 0;) {
        uint64_t row = p.starts[t] + r;
        const uint64_t prev = t ? p.starts[t - 1] + r : row;
        const uint32_t y = p.tags[row], y_prev = p.tags[prev];
        float* b = x_both + (t & 1) * K;
        const float* alpha = alphas + (t & 1) * K;
        float* alpha_prev = alphas + ((t + 1) & 1) * K;
        for (uint32_t j = first; j < K && lane == 0; j += apart) {
            alpha_prev[j] = p.alpha[prev * K + j];
            float excess = expf(alpha[j] + beta[j]) - (y == j ? 1.0f : 0.0f);
            float weighted = p.weight * excess;
            p.ds[row * K + j] = weighted;  // (1')
            if (t + 1 == length) part[K * K + K + j] = p.forbidden[K * K + K + j] ? 0.0f : weighted;
            if (t == 0) part[K * K + j] = p.forbidden[K * K + j] ? 0.0f : weighted;
            b[j] = p.scores[row * K + j] - p.log_sums[row] + beta[j];  // (2')
        }
        __syncthreads();
        if (t == 0) break;
        for (uint32_t j0 = 0; j0 < K; j0 += apart) {
            uint32_t j = j0 + first;
            const bool there = j < K;
            for (uint32_t i = lane; i < K && there; i += 4) {
                float pair = expf(alpha_prev[i] + a[i * K + j] + b[j]);
                pairs[i * K + j] += y_prev == i && y == j ? pair - 1.0f : pair;
            }
            float sum = log_sum_exp(b, 0.0f, a + (there ? j : 0) * K, 1, K);  // (2')
            if (there && lane == 0) beta[j] = sum;
        }
    }
    for (uint32_t j = first; j < K; j += apart)
        for (uint32_t i = lane; i < K; i += 4)
            part[i * K + j] = p.forbidden[i * K + j] ? 0.0f : p.weight * pairs[i * K + j];
}

KERNEL(crf_loss, CrfLoss, 256) { crf_loss_of<true>(p); }
KERNEL(crf_loss_wide, CrfLoss, 256) { crf_loss_of<false>(p); }
