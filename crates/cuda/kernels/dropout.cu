// Dropout with the masks of crates/nn/src/dropout.rs, drawn where they are used: forward and backward draw the
// same bits, so that no mask is stored (but for the recurrent ones, which the LSTM kernels read at every step).
//
//   N tokens, D columns; token n is step t of sentence r, whose number in the corpus is s
//
//   (1)  y_n = x_n * m_n       m_nd = 0 with probability p, else 1 / (1 - p)       (1') dx_n = dy_n * m_n
//
// The directions of a layer have masks of their own and share a launch: each its y on the way there, the sum of all
// into one dx on the way back.
//
// m_nd is number t D + d of the stream (seed, place, epoch, s), or number d with one mask a sentence. The
// generator is Philox 4x32 with 10 rounds (Salmon, Moraes, Dror, Shaw 2011), as in crates/tensor/src/random.rs.
#include "device.h"

struct Dropout {
    const float* x[2];          // (N, D) of each direction, or null: 1 everywhere, which gives the masks themselves
    float* y[2];                // (N, D); may be x
    const uint32_t* sentence;   // (N) r of each row, or null: row n is sentence n
    const uint32_t* step;       // (N) t of each row, or null: one mask a sentence
    const uint32_t* numbers;    // (B) s
    uint32_t name[2];           // purpose and place of each direction's masks
    uint32_t rows, width, key0, key1, epoch, threshold;  // dropped if a draw of 24 bits is below it
    float keep;                 // 1 / (1 - p)
    uint32_t sides, sum;        // directions; whether their sum goes to the first y
};

INLINE uint32_t high_product(uint32_t a, uint32_t b) { return (uint32_t)((uint64_t)a * b >> 32); }

// Word `j % 4` of block `j / 4` of a stream.
INLINE uint32_t philox(uint32_t j, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0, uint32_t k1) {
    uint32_t c0 = j / 4;
    for (int round = 0; round < 10; round++) {
        if (round) {
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        uint32_t h0 = high_product(0xD2511F53u, c0), l0 = 0xD2511F53u * c0;
        uint32_t h1 = high_product(0xCD9E8D57u, c2), l1 = 0xCD9E8D57u * c2;
        c0 = h1 ^ c1 ^ k0;
        c1 = l1;
        c2 = h0 ^ c3 ^ k1;
        c3 = l0;
    }
    return j % 4 == 0 ? c0 : j % 4 == 1 ? c1 : j % 4 == 2 ? c2 : c3;
}

KERNEL(dropout, Dropout, 256) {
    uint64_t e = element();
    if (e >= (uint64_t)p.rows * p.width) return;
    uint32_t n = e / p.width, d = e % p.width;
    uint32_t r = p.sentence ? p.sentence[n] : n;
    uint32_t j = p.step ? p.step[n] * p.width + d : d;
    float sum = 0.0f;
    for (uint32_t side = 0; side < p.sides; side++) {
        uint32_t draw = philox(j, p.numbers[r], p.epoch, p.name[side], p.key0, p.key1) >> 8;
        float m = draw < p.threshold ? 0.0f : p.keep;
        float y = p.x[side] ? p.x[side][e] * m : m;  // (1), (1')
        sum = side ? sum + y : y;
        if (!p.sum) p.y[side][e] = y;
    }
    if (p.sum) p.y[0][e] = sum;
}
