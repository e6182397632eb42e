//! The learning rate's course over a training run.
//!
//! ```text
//! s steps done of S, W = warm-up share · S
//!
//! factor = (s + 1) / W                    while s < W        rises in a line
//!          1                              constant
//!          (S − s) / (S − W)              linear             falls to 0 in a line
//!          ½ (1 + cos π (s − W)/(S − W))  cosine             falls to 0 in a half wave
//! ```

use std::f64::consts::PI;

/// What the rate does after warming up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Stays.
    Constant,
    /// Falls to 0 in a line.
    Linear,
    /// Falls to 0 in half a cosine (Loshchilov and Hutter 2017, without restarts).
    Cosine,
}

/// A course of the learning rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// Share of all steps in which the rate rises from 0, in [0, 1].
    pub warmup: f64,
    /// What comes after.
    pub shape: Shape,
}

impl Schedule {
    /// What to multiply the learning rate with at step `step` (from 0) of `total`.
    ///
    /// ```
    /// use optim::{Schedule, Shape};
    /// let s = Schedule { warmup: 0.1, shape: Shape::Linear };
    /// assert_eq!((s.factor(0, 100), s.factor(9, 100), s.factor(55, 100)), (0.1, 1.0, 0.5));
    /// ```
    pub fn factor(&self, step: u64, total: u64) -> f64 {
        let (s, total) = (step as f64, (total as f64).max(1.0));
        let warm = (self.warmup * total).floor();
        if s < warm {
            return (s + 1.0) / warm;
        }
        let progress = ((s - warm) / (total - warm).max(1.0)).min(1.0);
        match self.shape {
            Shape::Constant => 1.0,
            Shape::Linear => 1.0 - progress,
            Shape::Cosine => 0.5 * (1.0 + (PI * progress).cos()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_over_the_warm_up_and_falls_to_nearly_nothing() {
        for shape in [Shape::Linear, Shape::Cosine] {
            let s = Schedule { warmup: 0.1, shape };
            let course: Vec<f64> = (0..100).map(|k| s.factor(k, 100)).collect();
            assert_eq!(course[0], 0.1);
            assert_eq!(course[9], 1.0);
            assert_eq!(course[10], 1.0);
            assert!(course[10..].windows(2).all(|w| w[0] > w[1]));
            assert!(course[99] > 0.0 && course[99] < 0.02);
        }
        let flat = Schedule { warmup: 0.0, shape: Shape::Constant };
        assert!((0..10).all(|k| flat.factor(k, 10) == 1.0));
    }

    #[test]
    fn a_run_of_one_step_trains_at_the_full_rate() {
        assert_eq!(Schedule { warmup: 0.02, shape: Shape::Linear }.factor(0, 1), 1.0);
    }
}
