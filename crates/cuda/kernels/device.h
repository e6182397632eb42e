// What every kernel file includes: a kernel is one struct of arguments and a body, for the device and, through
// shim.h, for the processor; KERNEL names it, its struct, the most threads of a block and, where registers must be
// left for it, the blocks of a multiprocessor. Fused multiply-adds are written out and the compiler makes none of its own
// (--fmad=false, -ffp-contract=off), so that both round alike.
#pragma once

#ifdef __CUDACC__
typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;
#define KERNEL(name, Args, ...)                                                                              \
    extern "C" __global__ void __launch_bounds__(__VA_ARGS__) name(const __grid_constant__ Args p)
extern __shared__ __align__(16) unsigned char shared_memory[];
#define SHARED(T, name) T* name = (T*)shared_memory
#define INLINE __device__ __forceinline__
#else
#include "shim.h"
#define KERNEL(name, Args, ...)                                                                              \
    static void name(const Args& p);                                                                         \
    static shim::Entry name##_entry(#name, sizeof(Args), {__VA_ARGS__},                                      \
                                    [](const void* args) { name(*(const Args*)args); });                     \
    static void name(const Args& p)
#define SHARED(T, name) T* name = (T*)shim::shared_memory()
#define INLINE inline __attribute__((always_inline))
#endif

#define MINUS_INFINITY (-1.0f / 0.0f)
#define WHOLE_WARP 0xffffffffu

// The outcome of a step, 32 bytes that are read back.
struct Status {
    double loss;          // sum over the batch, not weighted
    double squared_norm;  // of the whole gradient
    float scale;          // what the gradient is multiplied with (clipping)
    uint32_t ok;          // 1 if loss and norm are finite; otherwise no weight moves
    uint32_t right;       // tokens whose own best tag is the right one
    uint32_t unused;
};

// Of several pieces of work in one launch, whose blocks are numbered through, the one that this block belongs to. Each
// begins at its `first_block`, those that are not there at block 2^32 - 1.
template <class Piece, int N>
INLINE const Piece& piece_of_block(const Piece (&pieces)[N]) {
    int i = 0;
    while (i + 1 < N && blockIdx.x >= pieces[i + 1].first_block) i++;
    return pieces[i];
}

// The element that this thread works on in a kernel over a row of elements.
INLINE uint64_t element() { return (uint64_t)blockIdx.x * blockDim.x + threadIdx.x; }

INLINE float bits_to_float(uint32_t bits) {
#ifdef __CUDACC__
    return __uint_as_float(bits);
#else
    float x;
    memcpy(&x, &bits, 4);
    return x;
#endif
}

INLINE uint32_t float_to_bits(float x) {
#ifdef __CUDACC__
    return __float_as_uint(x);
#else
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return bits;
#endif
}
