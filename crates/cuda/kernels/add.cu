// Sums of arrays: a layer that adds its input to its output, both directions' dx, the mean of members' scores.
//
//   (1)  y = (y + x) / m       or, without `add`, y = x / m
#include "device.h"

struct Add {
    const float* x;  // (n)
    float* y;        // (n)
    uint64_t n;
    float divisor;   // m
    uint32_t add;
};

KERNEL(add, Add, 256) {
    uint64_t e = element();
    if (e < p.n) p.y[e] = (p.add ? p.y[e] + p.x[e] : p.x[e]) / p.divisor;  // (1)
}
