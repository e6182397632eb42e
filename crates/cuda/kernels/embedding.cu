// Rows of a table added up for each token, and what comes back to them: the words' tables, pretrained vectors,
// characters, the wide part; and the words of a batch that tokens take theirs from.
//
//   N tokens, T rows of the table for each, D columns, U rows that the batch touches; m_n 0 for a token left out
//
//   (1)  x_n  = sum_t m_n E[id_nt]                  or, with `add`, x_n += ...
//   (1') dE_u = sum_{n, t: id_nt = u} dx_n          the tokens of u stand in `sources`, first to last
//
// One thread an element, so both sums have one fixed order and nothing is added atomically. A row that many tokens
// touch is summed in parts of so many sources, side by side, and these are summed by a second launch: see batch.rs.
#include "device.h"

struct Embedding {
    const float* table;     // (V, D)
    const uint32_t* ids;    // (N T)
    const uint32_t* kept;   // (N) m, or null: all 1
    float* x;               // (N, D), rows `stride` apart
    uint32_t tokens, per_token, width, stride, add;
};

KERNEL(embedding, Embedding, 256) {
    uint64_t e = element();
    if (e >= (uint64_t)p.tokens * p.width) return;
    uint32_t n = e / p.width, d = e % p.width;
    float* x = p.x + (uint64_t)n * p.stride + d;
    float sum = p.add ? *x : 0.0f;
    if (!p.kept || p.kept[n])
        for (uint32_t t = 0; t < p.per_token; t++)
            sum += p.table[(uint64_t)p.ids[n * p.per_token + t] * p.width + d];  // (1)
    *x = sum;
}

struct RowSums {
    const float* dx;          // (N, D), rows `stride` apart
    const uint32_t* starts;   // (U + 1) where the tokens of each touched row begin
    const uint32_t* sources;  // tokens, row after row; null: all rows of dx in their order
    const uint32_t* ids;      // (U) rows of the table, if sums go there; null: to row u of `sums`
    float* sums;              // (U, D) or (V, D)
    uint32_t touched, width, stride;
};

KERNEL(row_sums, RowSums, 256) {
    uint64_t e = element();
    if (e >= (uint64_t)p.touched * p.width) return;
    uint32_t u = e / p.width, d = e % p.width;
    float sum = 0.0f;
    for (uint32_t s = p.starts[u]; s < p.starts[u + 1]; s++)
        sum += p.dx[(uint64_t)(p.sources ? p.sources[s] : s) * p.stride + d];  // (1')
    p.sums[p.ids ? (uint64_t)p.ids[u] * p.width + d : e] = sum;
}
