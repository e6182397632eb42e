//! Which sentences to look at.

use std::cmp::Reverse;

use crate::{Fate, Judged};

/// The `n` sentences with most mistakes, the worst first; of equal ones the shorter, then the earlier.
/// Sentences without a mistake, and those of more than `longest` tokens, are left out.
pub fn most_mistakes(sentences: &[Judged], n: usize, longest: usize) -> Vec<usize> {
    let mistakes = |s: &Judged| s.pairs().filter(|pair| pair.fate() != Fate::Correct).count();
    let short = sentences.iter().enumerate().filter(|(_, s)| s.words.len() <= longest);
    let mut found: Vec<_> = short
        .map(|(i, s)| (Reverse(mistakes(s)), s.words.len(), i))
        .filter(|(mistakes, ..)| mistakes.0 > 0)
        .collect();
    found.sort_unstable();
    found.into_iter().take(n).map(|(.., i)| i).collect()
}

/// The `n` sentences whose wrong entity is likeliest to the model: where it is most sure and wrong,
/// or the data are. Of equal ones the earlier.
pub fn surest_mistakes(sentences: &[Judged], n: usize, longest: usize) -> Vec<usize> {
    let surest = |s: &Judged| {
        let wrong = s.pairs().filter(|pair| pair.fate() != Fate::Correct);
        wrong.filter_map(|pair| pair.predicted?.probability).max_by(f64::total_cmp)
    };
    let short = sentences.iter().enumerate().filter(|(_, s)| s.words.len() <= longest);
    let mut found: Vec<_> = short.filter_map(|(i, s)| Some((surest(s)?, i))).collect();
    found.sort_by(|(p, i), (q, j)| q.total_cmp(p).then(i.cmp(j)));
    found.into_iter().take(n).map(|(_, i)| i).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judged::tests::judged;

    #[test]
    fn the_worst_come_first_and_the_good_not_at_all() {
        let sentences = [
            judged("a b", "B-x O", "O B-x", 0.4),
            judged("a b", "B-x O", "B-x O", 0.99),
            judged("a b c", "B-x O O", "O B-x B-x", 0.7),
            judged("a", "B-x", "B-y", 0.9),
            judged("a b c d", "B-x O O O", "O O O B-x", 0.3),
        ];
        assert_eq!(most_mistakes(&sentences, 9, 9), [2, 0, 4, 3]);
        assert_eq!(most_mistakes(&sentences, 2, 2), [0, 3]);
        assert_eq!(surest_mistakes(&sentences, 3, 9), [3, 2, 0]);
    }

    #[test]
    fn a_missed_entity_was_not_sure() {
        assert!(surest_mistakes(&[judged("a", "B-x", "O", 0.9)], 3, 9).is_empty());
    }
}
