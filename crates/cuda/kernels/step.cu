// What ends a training step: the batch's loss and norm, clipping, Adam, the average of the weights.
//
//   (1)  g = s g'      s shortens a gradient that is too long
//   (2)  m = beta1 m + (1 - beta1) g
//   (3)  v = beta2 v + (1 - beta2) g^2
//   (4)  w = lambda w - alpha m / (sqrt(v) r + epsilon)         crates/tensor/src/adam.rs
//   (5)  a += (1 - share) (w - a)
//
// Sums are of f64, each in one fixed order. Whether they are finite is decided here, so that a batch whose
// gradient is not finite moves no weight although nobody has looked at it yet.
#include "device.h"

// 256 threads add x; the sum is thread 0's.
INLINE double sum_of_block(double x, double* shared) {
    shared[threadIdx.x] = x;
    __syncthreads();
    for (uint32_t half = 128; half; half /= 2) {
        if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
        __syncthreads();
    }
    return shared[0];
}

// Of one group of weights.
struct Squares {
    const float* x;  // (N)
    uint64_t n;
};

struct SquaresOfAll {
    Squares of[4];
    double* sums;  // (groups, blocks)
};

KERNEL(squares, SquaresOfAll, 256) {
    SHARED(double, shared);
    const Squares& group = p.of[blockIdx.y];
    double sum = 0.0;
    for (uint64_t e = element(); e < group.n; e += (uint64_t)gridDim.x * 256) sum += (double)group.x[e] * group.x[e];
    sum = sum_of_block(sum, shared);
    if (threadIdx.x == 0) p.sums[blockIdx.y * gridDim.x + blockIdx.x] = sum;
}

struct Outcome {
    const double* losses;   // (L)
    const double* squares;  // (S)
    const uint32_t* best;   // (N)
    const uint32_t* tags;   // (N)
    Status* status;
    uint32_t n_losses, n_squares, tokens;
    float max_norm;         // 0: any
};

KERNEL(outcome, Outcome, 256) {
    SHARED(double, shared);
    double loss = 0.0, squares = 0.0, right = 0.0;
    for (uint32_t i = threadIdx.x; i < p.n_losses; i += 256) loss += p.losses[i];
    for (uint32_t i = threadIdx.x; i < p.n_squares; i += 256) squares += p.squares[i];
    for (uint32_t i = threadIdx.x; i < p.tokens; i += 256) right += p.best[i] == p.tags[i] ? 1.0 : 0.0;
    loss = sum_of_block(loss, shared);
    __syncthreads();
    squares = sum_of_block(squares, shared);
    __syncthreads();
    right = sum_of_block(right, shared);
    if (threadIdx.x) return;
    double factor = p.max_norm > 0.0f ? p.max_norm / (sqrt(squares) + 1e-6) : 1.0;
    p.status->loss = loss;
    p.status->squared_norm = squares;
    p.status->scale = (float)(factor < 1.0 ? factor : 1.0);
    p.status->ok = loss - loss == 0.0 && squares - squares == 0.0;
    p.status->right = (uint32_t)right;
    p.status->unused = 0;
}

// One group of weights.
struct Moving {
    float* w;
    float* m;
    float* v;
    const float* g;
    const uint32_t* ids;  // (U) rows of w, m and v that g has; null: g is shaped like them
    uint64_t n;           // numbers of g
    uint32_t width;       // of a row
    uint32_t first_block;
};

struct Adam {
    Moving of[4];
    const Status* status;
    float beta1, beta2, fresh1, fresh2, step, root_scale, epsilon, decay;
};

INLINE float normal_or_zero(float x) { return fabsf(x) < 1.17549435e-38f ? 0.0f : x; }

KERNEL(adam, Adam, 256) {
    const Moving& group = piece_of_block(p.of);
    uint64_t e = (uint64_t)(blockIdx.x - group.first_block) * 256 + threadIdx.x;
    if (e >= group.n || !p.status->ok) return;
    uint64_t at = group.ids ? (uint64_t)group.ids[e / group.width] * group.width + e % group.width : e;
    float g = p.status->scale * group.g[e];                                     // (1)
    float m = normal_or_zero(p.beta1 * group.m[at] + p.fresh1 * g);             // (2)
    float v = normal_or_zero(p.beta2 * group.v[at] + p.fresh2 * (g * g));       // (3)
    group.w[at] = p.decay * group.w[at] - p.step * m / (sqrtf(v) * p.root_scale + p.epsilon);  // (4)
    group.m[at] = m;
    group.v[at] = v;
}

struct Average {
    float* average;
    const float* w;
    const Status* status;
    uint64_t n;
    float kept;
};

KERNEL(average, Average, 256) {
    uint64_t e = element();
    if (e < p.n && p.status->ok) p.average[e] += (1.0f - p.kept) * (p.w[e] - p.average[e]);  // (5)
}
