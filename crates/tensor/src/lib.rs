//! Numbers: matrix products, pointwise functions, reductions, initialisers, random streams.
