//! Adam, dense and row-sparse, clipping and schedules.
