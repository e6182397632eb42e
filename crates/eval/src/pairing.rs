//! Which predicted chunk answers which gold one.

use std::cmp::Reverse;

use crate::Chunk;

/// Places of a gold chunk and of its answer; one of the two is missing where nothing overlaps.
pub(crate) type Pair = (Option<usize>, Option<usize>);

/// Pairs the chunks of one sentence, each at most once: first those of equal span, then those that
/// share most tokens, of equal shares the ones with equal labels, of these the leftmost.
pub(crate) fn pair(gold: &[Chunk], predicted: &[Chunk]) -> Vec<Pair> {
    let mut meetings = Vec::new();
    for (i, g) in gold.iter().enumerate() {
        for (j, p) in predicted.iter().enumerate() {
            let shared = g.end.min(p.end).saturating_sub(g.start.max(p.start));
            if shared > 0 {
                let same_span = (g.start, g.end) == (p.start, p.end);
                meetings.push((Reverse((same_span, shared, g.label == p.label)), i, j));
            }
        }
    }
    meetings.sort();

    let mut gold_left = vec![true; gold.len()];
    let mut predicted_left = vec![true; predicted.len()];
    let mut pairs = Vec::new();
    for (_, i, j) in meetings {
        if gold_left[i] && predicted_left[j] {
            (gold_left[i], predicted_left[j]) = (false, false);
            pairs.push((Some(i), Some(j)));
        }
    }
    let left = |left: Vec<bool>| left.into_iter().enumerate().filter(|(_, l)| *l).map(|(i, _)| i);
    pairs.extend(left(gold_left).map(|i| (Some(i), None)));
    pairs.extend(left(predicted_left).map(|j| (None, Some(j))));
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(start: usize, end: usize, label: &str) -> Chunk<'_> {
        Chunk { start, end, label }
    }

    #[test]
    fn an_equal_span_goes_before_a_longer_overlap_and_a_shared_label() {
        let gold = [chunk(0, 5, "org"), chunk(5, 6, "per")];
        let predicted = [chunk(0, 4, "org"), chunk(4, 5, "org"), chunk(5, 6, "geo")];
        let pairs = pair(&gold, &predicted);
        assert_eq!(pairs, [(Some(1), Some(2)), (Some(0), Some(0)), (None, Some(1))]);
    }

    #[test]
    fn of_two_equal_overlaps_the_same_label_is_taken() {
        let gold = [chunk(0, 2, "org")];
        let predicted = [chunk(0, 1, "per"), chunk(1, 2, "org")];
        assert_eq!(pair(&gold, &predicted)[0], (Some(0), Some(1)));
    }

    #[test]
    fn neighbours_that_share_no_token_are_strangers() {
        let (gold, predicted) = ([chunk(0, 2, "org")], [chunk(2, 3, "org")]);
        assert_eq!(pair(&gold, &predicted), [(Some(0), None), (None, Some(0))]);
    }
}
