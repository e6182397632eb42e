// The losses that take each token by itself, and each token's own best tag.
//
//   N tokens, K tags, y the right tag, s the scores, w the weight of the loss, c_y that of tag y (1 unless told
//   otherwise); one thread a token
//
//   (1)  p_k = e^(s_k) / sum_j e^(s_j)
//   (2)  L   = - w sum_N c_y log p_y                taken as log sum - s_y
//   (2', 1')  ds_k = w c_y (p_k - [k = y])
//
// and the tutorial's head (crates/nn/src/keras_relu.rs), a ReLU under Keras's cross-entropy:
//
//   (3)  u = max(0, s)   p = u / sum u   q = clip(p_y, 1e-7, 1 - 1e-7)   L = - w sum_N log q
//   (3') dp_y = - w / q inside the clip, else 0    ds_k = [s_k > 0] dp_y ([k = y] - p_y) / sum u
#include "device.h"

struct Loss {
    float* scores;         // (N, K) becomes ds
    const uint32_t* tags;  // (N) y
    double* losses;        // (N) not weighted by w
    const float* tag_weights;  // (K) c, or null
    uint32_t rows, n_tags;
    float weight;
};

KERNEL(softmax, Loss, 256) {
    uint64_t n = element();
    if (n >= p.rows) return;
    float* s = p.scores + n * p.n_tags;
    uint32_t y = p.tags[n];
    float top = MINUS_INFINITY, sum = 0.0f, s_y = s[y];
    for (uint32_t k = 0; k < p.n_tags; k++) top = s[k] > top ? s[k] : top;
    for (uint32_t k = 0; k < p.n_tags; k++) {
        s[k] = expf(s[k] - top);
        sum += s[k];
    }
    const float c_y = p.tag_weights ? p.tag_weights[y] : 1.0f;
    p.losses[n] = c_y * ((double)(top + logf(sum)) - s_y);  // (2)
    for (uint32_t k = 0; k < p.n_tags; k++)
        s[k] = p.weight * c_y * (s[k] / sum - (k == y ? 1.0f : 0.0f));  // (2', 1')
}

KERNEL(keras_relu, Loss, 256) {
    uint64_t n = element();
    if (n >= p.rows) return;
    const float low = 1e-7f, high = 1.0f - 1e-7f;
    float* s = p.scores + n * p.n_tags;
    uint32_t y = p.tags[n];
    float sum = 0.0f;
    for (uint32_t k = 0; k < p.n_tags; k++) {
        s[k] = s[k] > 0.0f ? s[k] : 0.0f;
        sum += s[k];
    }
    float p_y = s[y] / sum, q = p_y < low ? low : p_y > high ? high : p_y;  // 0/0 is not a number, and stays so
    p.losses[n] = -log((double)q);  // (3)
    float dp = p_y < low || p_y > high ? 0.0f : -p.weight / q;
    for (uint32_t k = 0; k < p.n_tags; k++)
        s[k] = (s[k] > 0.0f ? 1.0f : 0.0f) * (dp * ((k == y ? 1.0f : 0.0f) - p_y) / sum);  // (3')
}

struct Best {
    const float* scores;  // (N, K)
    uint32_t* tags;       // (N)
    uint32_t rows, n_tags;
    float floor;          // scores below it count as it
};

// The largest of each row; of equal ones the first.
KERNEL(best_tags, Best, 256) {
    uint64_t n = element();
    if (n >= p.rows) return;
    const float* s = p.scores + n * p.n_tags;
    float best = MINUS_INFINITY;
    uint32_t tag = 0;
    for (uint32_t k = 0; k < p.n_tags; k++) {
        float v = s[k] > p.floor ? s[k] : p.floor;
        if (v > best) {
            best = v;
            tag = k;
        }
    }
    p.tags[n] = tag;
}
