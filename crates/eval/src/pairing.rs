//! Which predicted chunk answers which gold one.

use std::cmp::Reverse;

use crate::Chunk;

/// A gold chunk with its answer; one of the two is missing where nothing overlaps.
pub(crate) type Pair<'a> = (Option<Chunk<'a>>, Option<Chunk<'a>>);

/// Pairs the chunks of one sentence, each at most once: first those of equal span, then those that
/// share most tokens, of equal shares the ones with equal labels, of these the leftmost.
pub(crate) fn pair<'a>(gold: &[Chunk<'a>], predicted: &[Chunk<'a>]) -> Vec<Pair<'a>> {
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

    let mut gold_left: Vec<_> = gold.iter().copied().map(Some).collect();
    let mut predicted_left: Vec<_> = predicted.iter().copied().map(Some).collect();
    let mut pairs = Vec::new();
    for (_, i, j) in meetings {
        if gold_left[i].is_some() && predicted_left[j].is_some() {
            pairs.push((gold_left[i].take(), predicted_left[j].take()));
        }
    }
    pairs.extend(gold_left.into_iter().flatten().map(|g| (Some(g), None)));
    pairs.extend(predicted_left.into_iter().flatten().map(|p| (None, Some(p))));
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
        assert_eq!(
            pairs,
            [
                (Some(gold[1]), Some(predicted[2])),
                (Some(gold[0]), Some(predicted[0])),
                (None, Some(predicted[1])),
            ]
        );
    }

    #[test]
    fn of_two_equal_overlaps_the_same_label_is_taken() {
        let gold = [chunk(0, 2, "org")];
        let predicted = [chunk(0, 1, "per"), chunk(1, 2, "org")];
        assert_eq!(pair(&gold, &predicted)[0], (Some(gold[0]), Some(predicted[1])));
    }

    #[test]
    fn neighbours_that_share_no_token_are_strangers() {
        let (gold, predicted) = ([chunk(0, 2, "org")], [chunk(2, 3, "org")]);
        let expected = [(Some(gold[0]), None), (None, Some(predicted[0]))];
        assert_eq!(pair(&gold, &predicted), expected);
    }
}
