//! Layers: every forward and every backward, by hand.
