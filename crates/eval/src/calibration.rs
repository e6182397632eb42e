//! Whether probabilities mean what they say: of all entities said to be 90 % sure, are 90 % right?
//!
//! ```text
//! n_b entities in bin b · conf_b the mean of their probabilities · acc_b the share that is right
//!
//! ECE = Σ_b n_b / n · |acc_b − conf_b|
//! ```
//!
//! The expected calibration error of Naeini, Cooper and Hauskrecht (2015) over ten equal bins; the bins
//! are the reliability table.

use serde::{Deserialize, Serialize};

/// Number of bins.
pub const BINS: usize = 10;

/// How far probabilities can be trusted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Expected calibration error, 0 to 1; 0 if there are no entities.
    pub ece: f64,
    /// Entities that were found.
    pub entities: usize,
    /// Mean of their probabilities.
    pub confidence: f64,
    /// Share of them that is right.
    pub precision: f64,
    /// The reliability table, from 0 up.
    pub bins: Vec<ReliabilityBin>,
}

/// The entities whose probability lies between two values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Least probability.
    pub from: f64,
    /// Where the next bin begins; the last bin holds 1 itself.
    pub to: f64,
    /// Number of entities.
    pub entities: usize,
    /// How many of them are right.
    pub correct: usize,
    /// Mean of their probabilities; 0 if there are none.
    pub confidence: f64,
    /// Share of them that is right; 0 if there are none.
    pub precision: f64,
}

/// The calibration of entities, each given as its probability and whether it is right.
///
/// ```
/// let c = eval::calibrate([(0.95, true), (0.95, true), (0.55, false)]);
/// assert_eq!((c.bins[9].entities, c.bins[5].correct), (2, 0));
/// assert!((c.ece - (2.0 * 0.05 + 0.55) / 3.0).abs() < 1e-12);
/// ```
pub fn calibrate(entities: impl IntoIterator<Item = (f64, bool)>) -> Calibration {
    let mut sums = [(0, 0, 0.0); BINS];
    for (probability, right) in entities {
        let bin = ((probability * BINS as f64) as usize).min(BINS - 1);
        let (entities, correct, sum) = &mut sums[bin];
        *entities += 1;
        *correct += usize::from(right);
        *sum += probability;
    }
    let share = |part: f64, whole: usize| if whole == 0 { 0.0 } else { part / whole as f64 };
    let bins = sums.iter().enumerate().map(|(b, &(entities, correct, sum))| ReliabilityBin {
        from: b as f64 / BINS as f64,
        to: (b + 1) as f64 / BINS as f64,
        entities,
        correct,
        confidence: share(sum, entities),
        precision: share(correct as f64, entities),
    });
    let bins: Vec<ReliabilityBin> = bins.collect();
    let entities = bins.iter().map(|bin| bin.entities).sum();
    let gaps = bins.iter().map(|b| b.entities as f64 * (b.precision - b.confidence).abs());
    Calibration {
        ece: share(gaps.sum(), entities),
        entities,
        confidence: share(sums.iter().map(|s| s.2).sum(), entities),
        precision: share(sums.iter().map(|s| s.1 as f64).sum(), entities),
        bins,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_begin_with_their_lower_border_and_the_last_holds_certainty() {
        let at = |p: f64| calibrate([(p, true)]).bins.iter().position(|b| b.entities == 1).unwrap();
        assert_eq!([0.0, 0.0999, 0.1, 0.5, 0.9, 0.999, 1.0].map(at), [0, 0, 1, 5, 9, 9, 9]);
    }

    #[test]
    fn the_error_is_the_mean_gap_weighted_by_entities() {
        // Four at 0.75 of which three are right: no gap. One wrong at 0.25: a gap of 0.25.
        let rows = [(0.75, true), (0.75, true), (0.75, false), (0.75, true), (0.25, false)];
        let c = calibrate(rows);
        assert_eq!(c.ece, 0.25 / 5.0);
        assert_eq!((c.entities, c.precision, c.confidence), (5, 0.6, 3.25 / 5.0));
        assert_eq!((c.bins[7].confidence, c.bins[7].precision), (0.75, 0.75));
    }

    #[test]
    fn gaps_of_one_bin_cancel_and_gaps_of_two_do_not() {
        assert_eq!(calibrate([(0.5, true), (0.5, false)]).ece, 0.0);
        assert_eq!(calibrate([(0.25, true), (0.75, false)]).ece, 0.75);
    }

    #[test]
    fn nothing_found_is_no_error_and_no_nan() {
        let c = calibrate([]);
        assert_eq!((c.ece, c.entities, c.precision), (0.0, 0, 0.0));
        assert_eq!(c.bins.len(), BINS);
        let json = serde_json::to_string(&c).unwrap();
        assert_eq!(serde_json::from_str::<Calibration>(&json).unwrap(), c);
    }
}
