//! Would the better of two systems be better on other sentences of the same kind?
//!
//! Paired bootstrap over sentences (Berg-Kirkpatrick, Burkett, Klein: "An empirical investigation of
//! statistical significance in NLP", EMNLP 2012, figure 1):
//!
//! ```text
//! δ = F1(B) − F1(A) on the n sentences                     say B is better: δ ≥ 0
//! draw n sentences with replacement, b times: δ_1 … δ_b
//! p = #{ i : δ_i ≥ 2 δ } / b
//! ```
//!
//! The draws scatter around δ and not around 0, hence 2 δ: how often chance alone moves the difference
//! by δ. The paper counts δ_i > 2 δ; with ≥ two equal systems get p = 1 and not 0. F1 is a ratio of
//! sums, so a draw adds up the sentences' counts and nothing is scored again.

use data::SplitMix64;
use serde::{Deserialize, Serialize};

use crate::{Counts, Prf};

/// What the bootstrap says of the difference between two systems.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// F1 of the second less that of the first.
    pub difference: f64,
    /// 2.5th and 97.5th percentile of the differences drawn.
    pub interval: [f64; 2],
    /// Share of the draws in which chance favours the better system by as much as was seen (one-sided).
    pub p: f64,
    /// Number of draws.
    pub resamples: usize,
    /// Seed of the draws.
    pub seed: u64,
}

/// Compares two systems on the same sentences, given as the counts of the first and of the second.
/// The same seed gives the same draws on every machine.
///
/// # Panics
///
/// If there is no draw to make, or more than 2³² sentences.
pub fn paired_bootstrap(sentences: &[[Counts; 2]], resamples: usize, seed: u64) -> Bootstrap {
    assert!(resamples > 0, "a bootstrap without draws");
    let rows: Vec<Row> = sentences.iter().map(row).collect();
    let difference = total(rows.iter());
    let mut random = SplitMix64(seed);
    let mut drawn: Vec<f64> = (0..resamples).map(|_| total(draw(&rows, &mut random))).collect();
    let sign = if difference < 0.0 { -1.0 } else { 1.0 };
    let as_much = drawn.iter().filter(|&&d| sign * d >= 2.0 * sign * difference).count();
    drawn.sort_unstable_by(f64::total_cmp);
    Bootstrap {
        difference,
        interval: [percentile(&drawn, 0.025), percentile(&drawn, 0.975)],
        p: as_much as f64 / resamples as f64,
        resamples,
        seed,
    }
}

/// Gold, then found and correct of the first and of the second system.
type Row = [u32; 5];

fn row([a, b]: &[Counts; 2]) -> Row {
    [a.gold, a.found, a.correct, b.found, b.correct].map(|n| n as u32)
}

/// As many sentences as there are, each any of them.
fn draw<'a>(rows: &'a [Row], random: &mut SplitMix64) -> impl Iterator<Item = &'a Row> {
    let n = u32::try_from(rows.len()).expect("at most 2³² sentences");
    // Lemire's product without its correction: off by n / 2³² at most, far below what b draws can show.
    let place = move |bits: u32| ((u64::from(bits) * u64::from(n)) >> 32) as usize;
    let mut left = None;
    (0..n).map(move |_| {
        let bits = left.take().unwrap_or_else(|| {
            let two = random.next_u64();
            left = Some((two >> 32) as u32);
            two as u32
        });
        &rows[place(bits)]
    })
}

/// F1 of the second system less that of the first over these sentences.
fn total<'a>(rows: impl Iterator<Item = &'a Row>) -> f64 {
    let sum = rows.fold([0_u64; 5], |sum, row| std::array::from_fn(|i| sum[i] + u64::from(row[i])));
    let [gold, found_a, correct_a, found_b, correct_b] = sum.map(|n| n as usize);
    let f1 = |found, correct| Prf::from(Counts { gold, found, correct }).f1;
    f1(found_b, correct_b) - f1(found_a, correct_a)
}

/// The value below which a share `q` of the sorted values lies, between neighbours in proportion.
fn percentile(sorted: &[f64], q: f64) -> f64 {
    let place = q * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    low + (high - low) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(gold: usize, found: usize, correct: usize) -> Counts {
        Counts { gold, found, correct }
    }

    /// p over all nⁿ draws, each once.
    fn exactly(sentences: &[[Counts; 2]]) -> f64 {
        let rows: Vec<Row> = sentences.iter().map(row).collect();
        let n = rows.len();
        let observed = total(rows.iter());
        let draws = n.pow(n as u32);
        let digit = |code: usize, k: usize| code / n.pow(k as u32) % n;
        let all: Vec<f64> =
            (0..draws).map(|code| total((0..n).map(|k| &rows[digit(code, k)]))).collect();
        let sign = observed.signum();
        let hits = all.iter().filter(|&&d| sign * d >= 2.0 * sign * observed).count();
        hits as f64 / draws as f64
    }

    #[test]
    fn many_draws_come_near_to_all_draws() {
        let sentences = [
            [counts(2, 2, 1), counts(2, 2, 2)],
            [counts(1, 1, 1), counts(1, 1, 0)],
            [counts(3, 2, 1), counts(3, 3, 3)],
            [counts(1, 1, 1), counts(1, 1, 1)],
            [counts(2, 2, 2), counts(2, 1, 1)],
        ];
        let p = exactly(&sentences);
        assert!(p > 0.05 && p < 0.95, "{p}: a case that says something");
        let found = paired_bootstrap(&sentences, 20_000, 1);
        // Four standard deviations of a share of 20,000 draws.
        let spread = 4.0 * (p * (1.0 - p) / 20_000.0).sqrt();
        assert!((found.p - p).abs() < spread, "{}, not {p}", found.p);
        // Of 9, 8 found by both, of which 6 and 7 are right.
        assert!((found.difference - 2.0 / 17.0).abs() < 1e-12);

        // The other way round everything changes its sign, and the same draws are made.
        let swapped = paired_bootstrap(&sentences.map(|[a, b]| [b, a]), 20_000, 1);
        assert_eq!((swapped.difference, swapped.p), (-found.difference, found.p));
        assert!((swapped.interval[0] + found.interval[1]).abs() < 1e-12);
    }

    #[test]
    fn equal_systems_differ_by_nothing_and_that_is_no_proof_of_anything() {
        let same = [[counts(2, 2, 1); 2], [counts(1, 1, 1); 2]];
        let found = paired_bootstrap(&same, 100, 7);
        assert_eq!((found.difference, found.p, found.interval), (0.0, 1.0, [0.0, 0.0]));
        let nothing = paired_bootstrap(&[], 10, 7);
        assert_eq!((nothing.difference, nothing.p), (0.0, 1.0));
    }

    #[test]
    fn a_system_that_is_better_in_every_sentence_is_better_in_every_draw() {
        let sentences = [[counts(2, 2, 1), counts(2, 2, 2)]; 50];
        let found = paired_bootstrap(&sentences, 1000, 3);
        assert_eq!((found.difference, found.p, found.interval), (0.5, 0.0, [0.5, 0.5]));
    }

    #[test]
    fn a_seed_fixes_the_draws() {
        let sentences = [[counts(2, 2, 1), counts(2, 2, 2)], [counts(2, 2, 1), counts(2, 1, 0)]];
        let of = |seed| paired_bootstrap(&sentences, 500, seed);
        assert_eq!(of(1), of(1));
        assert_ne!(of(1).p, of(2).p);
    }

    #[test]
    fn percentiles_lie_between_their_neighbours() {
        let values: Vec<f64> = (0..=10).map(f64::from).collect();
        assert_eq!([0.0, 0.25, 0.5, 1.0].map(|q| percentile(&values, q)), [0.0, 2.5, 5.0, 10.0]);
        assert_eq!(percentile(&[3.0], 0.975), 3.0);
    }
}
