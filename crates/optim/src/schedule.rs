//! The learning rate's course over a training run.
//!
//! ```text
//! s steps done of S, W = warm-up share · S
//!
//! factor = (s + 1) / W                    while s < W        rises in a line
//!          1                              constant
//!          (S − s) / (S − W)              linear             falls to 0 in a line
//!          ½ (1 + cos π (s − W)/(S − W))  cosine             falls to 0 in a half wave
//!          1                              plateau            whoever scores halves the rate for each of
//!                                                            the `plateaus`
//!
//! one-cycle, a half wave up and a half wave down:
//!          from 1/25 to 1                 while s < W
//!          from 1 to 1/250,000            from there to S
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
    /// Rises and falls in half waves (Smith and Topin 2018; the shape and the ends of PyTorch's
    /// `OneCycleLR`, whose turning momentum is left out).
    OneCycle,
    /// Stays, as far as a step can tell; whoever scores halves the rate for each of the [`plateaus`].
    Plateau,
}

/// Share of the rate that one cycle starts from, and the share of that which it ends with.
const ONE_CYCLE: (f64, f64) = (1.0 / 25.0, 1e-4);

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
        let half_wave =
            |from: f64, to: f64, x: f64| to + (from - to) * 0.5 * (1.0 + (PI * x).cos());
        if s < warm {
            return match self.shape {
                Shape::OneCycle => half_wave(ONE_CYCLE.0, 1.0, s / warm),
                _ => (s + 1.0) / warm,
            };
        }
        let progress = ((s - warm) / (total - warm).max(1.0)).min(1.0);
        match self.shape {
            Shape::Constant | Shape::Plateau => 1.0,
            Shape::Linear => 1.0 - progress,
            Shape::Cosine => half_wave(1.0, 0.0, progress),
            Shape::OneCycle => half_wave(1.0, ONE_CYCLE.0 * ONE_CYCLE.1, progress),
        }
    }
}

/// How many scores in a row, up to the last, were no better than the best before them.
pub fn waited(scores: &[f64]) -> usize {
    let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let first = scores.iter().position(|&score| score == best);
    first.map_or(0, |first| scores.len() - 1 - first)
}

/// How often `wait` scores in a row were no better than the best before them, each run of them counted once.
pub fn plateaus(scores: impl IntoIterator<Item = f64>, wait: u32) -> u32 {
    let (mut best, mut waited, mut plateaus) = (f64::NEG_INFINITY, 0, 0);
    for score in scores {
        if score > best {
            (best, waited) = (score, 0);
        } else {
            waited += 1;
        }
        if waited == wait.max(1) {
            (waited, plateaus) = (0, plateaus + 1);
        }
    }
    plateaus
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
    fn one_cycle_rises_to_the_full_rate_and_falls_to_nearly_nothing() {
        let s = Schedule { warmup: 0.3, shape: Shape::OneCycle };
        let course: Vec<f64> = (0..=100).map(|k| s.factor(k, 100)).collect();
        let near = |k: usize, f: f64| assert!((course[k] - f).abs() < 1e-12, "{k}: {}", course[k]);
        near(0, 0.04);
        near(15, 0.52); // half way up
        near(30, 1.0);
        near(65, 0.5 * (1.0 + 4e-6));
        near(100, 4e-6);
        assert!(course[..=30].is_sorted() && course[30..].iter().rev().is_sorted());
    }

    #[test]
    fn a_plateau_is_so_many_scores_in_a_row_without_a_better_one() {
        assert_eq!(plateaus([], 2), 0);
        assert_eq!(plateaus([0.1, 0.2, 0.3], 1), 0);
        assert_eq!(plateaus([0.3, 0.3, 0.4, 0.2, 0.5], 2), 0);
        assert_eq!(plateaus([0.3, 0.2, 0.3], 2), 1);
        assert_eq!(plateaus([0.3, 0.2, 0.2, 0.2], 2), 1); // the next is counted anew
        assert_eq!(plateaus([0.3, 0.2, 0.2, 0.2, 0.2], 2), 2);
        assert_eq!(plateaus([0.3, 0.2, 0.2], 1), 2);
    }

    #[test]
    fn a_score_that_equals_the_best_is_no_better() {
        let waits = [&[][..], &[0.0], &[0.5, 0.4], &[0.5, 0.4, 0.5], &[0.0; 3], &[0.1, 0.3, 0.2]];
        assert_eq!(waits.map(waited), [0, 0, 1, 2, 2, 1]);
    }

    #[test]
    fn a_run_of_one_step_trains_at_the_full_rate() {
        assert_eq!(Schedule { warmup: 0.02, shape: Shape::Linear }.factor(0, 1), 1.0);
    }
}
