//! Configuration, the training loop, checkpoints and tagging.
