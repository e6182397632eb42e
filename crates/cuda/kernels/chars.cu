// What reads the letters of a word. Each distinct word of a batch is spelled once.
//
//   U words, P characters of all words, E columns of a character, M filters, H hidden
//   p - 1 and p + 1 are the characters beside p in its word; beyond the word's ends there are zeros
//
// By convolution (equations of crates/nn/src/char_cnn.rs):
//
//   (1)  x_p = [e_{p-1} e_p e_{p+1}]      (P, 3E)   e_p the row of character p
//   (2)  z = x W^T + b                    (P, M)    product.cu
//   (3)  y_u = tanh max_{p in u} z_p      (U, M)    of equal ones the first
//
//   (3') dz_p = dy_u (1 - y_u^2) where p is the place of the maximum, else 0
//   (2') dW = dz^T x    db = sum of dz    dx = dz W                        product.cu
//   (1') de_p = the middle of dx_p + the last of dx_{p-1} + the first of dx_{p+1}      row_sums, whose sources are
//                                                                                      the (3P) parts of dx
//
// By an LSTM (crates/nn/src/char_lstm.rs), the characters packed as the tokens of sentences are:
//
//   (4)  y_u = [h of the last character, from the left   h of the first, from the right]      (U, 2H)
//   (4') dh = dy_u there, else 0
#include "activation.h"

struct CharWindows {
    const float* table;     // (C, E)
    const uint32_t* chars;  // (P), word after word
    const uint32_t* words;  // (P) u of each
    float* x;               // (P, 3E)
    uint32_t n_chars, width;
};

KERNEL(char_windows, CharWindows, 256) {
    uint64_t e = element();
    if (e >= (uint64_t)p.n_chars * 3 * p.width) return;
    uint32_t at = e / (3 * p.width), part = e / p.width % 3, d = e % p.width;
    uint32_t q = at + part - 1;  // before the first character: beyond the last
    bool inside = q < p.n_chars && p.words[q] == p.words[at];
    p.x[e] = inside ? p.table[(uint64_t)p.chars[q] * p.width + d] : 0.0f;  // (1)
}

struct CharMax {
    const float* z;          // (P, M)
    const uint32_t* starts;  // (U + 1) first character of each word, and P
    float* y;                // (U, M)
    uint32_t* first;         // (U, M) place of the maximum
    uint32_t n_words, filters;
};

KERNEL(char_max, CharMax, 256) {
    uint64_t e = element();
    if (e >= (uint64_t)p.n_words * p.filters) return;
    uint32_t u = e / p.filters, m = e % p.filters, first = p.starts[u];
    float best = p.z[(uint64_t)first * p.filters + m];
    for (uint32_t at = first + 1; at < p.starts[u + 1]; at++) {
        float z = p.z[(uint64_t)at * p.filters + m];
        if (z > best || z != z) {  // what is not a number is kept, to be seen
            best = z;
            first = at;
        }
    }
    p.y[e] = tanh_(best);  // (3)
    p.first[e] = first;
}

struct CharMaxBack {
    const float* dy;        // (U, M)
    const float* y;         // (U, M)
    const uint32_t* first;  // (U, M)
    const uint32_t* words;  // (P)
    float* dz;              // (P, M)
    uint32_t n_chars, filters;
};

KERNEL(char_max_backward, CharMaxBack, 256) {
    uint64_t e = element();
    if (e >= (uint64_t)p.n_chars * p.filters) return;
    uint32_t at = e / p.filters, m = e % p.filters;
    uint64_t of_word = (uint64_t)p.words[at] * p.filters + m;
    float y = p.y[of_word];
    p.dz[e] = p.first[of_word] == at ? p.dy[of_word] * (1.0f - y * y) : 0.0f;  // (3')
}

struct CharEnds {
    const float* h;           // (P, 2H), step after step
    const uint32_t* starts;   // (T + 1) first row of each step, and P
    const uint32_t* lengths;  // (U) falling
    float* y;                 // (U, 2H)
    uint32_t n_words, hidden;
};

KERNEL(char_ends, CharEnds, 256) {
    uint64_t e = element();
    uint32_t width = 2 * p.hidden;
    if (e >= (uint64_t)p.n_words * width) return;
    uint32_t u = e / width, j = e % width;
    uint64_t row = j < p.hidden ? p.starts[p.lengths[u] - 1] + u : u;
    p.y[e] = p.h[row * width + j];  // (4)
}

struct CharEndsBack {
    const float* dy;          // (U, 2H)
    const uint32_t* lengths;  // (U)
    const uint32_t* words;    // (P) u of each row
    const uint32_t* steps;    // (P) which character of its word each row is
    float* dh;                // (P, 2H)
    uint32_t n_chars, hidden;
};

KERNEL(char_ends_backward, CharEndsBack, 256) {
    uint64_t e = element();
    uint32_t width = 2 * p.hidden;
    if (e >= (uint64_t)p.n_chars * width) return;
    uint32_t row = e / width, j = e % width, u = p.words[row];
    uint32_t t = j < p.hidden ? p.lengths[u] - 1 : 0;
    p.dh[e] = p.steps[row] == t ? p.dy[(uint64_t)u * width + j] : 0.0f;  // (4')
}
