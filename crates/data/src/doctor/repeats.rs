//! Sentences that stand more than once.

use std::collections::{HashMap, HashSet};

use super::{Finding, Part, counted, percent, place, shortened};
use crate::corpus::Corpus;
use crate::read::grouped;
use crate::split::overlap;

pub(super) fn findings(corpus: &Corpus, parts: &[Part]) -> Vec<Finding> {
    let groups = groups(corpus);
    let mut findings = Vec::new();
    findings.extend(tagged_differently(corpus, &groups));
    findings.extend(across(corpus, parts));
    findings.extend(parts.iter().filter_map(|part| within(corpus, part)));
    findings
}

/// Numbers of sentences with the same words, each group in file order, the groups by their first;
/// sentences that stand once are left out.
fn groups(corpus: &Corpus) -> Vec<Vec<u32>> {
    let mut first: HashMap<&[u32], u32> = HashMap::with_capacity(corpus.len());
    let mut groups: HashMap<u32, Vec<u32>> = HashMap::new();
    for sentence in corpus.sentences() {
        let number = sentence.number() as u32;
        let original = *first.entry(sentence.word_ids()).or_insert(number);
        if original != number {
            groups.entry(original).or_insert_with(|| vec![original]).push(number);
        }
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_unstable();
    groups
}

/// Groups of equal sentences of which not all have the same tags: someone was wrong.
fn tagged_differently(corpus: &Corpus, groups: &[Vec<u32>]) -> Option<Finding> {
    let tags = |number: u32| corpus.sentence(number as usize).tag_ids();
    let differing: Vec<(u32, u32)> = groups
        .iter()
        .filter_map(|group| {
            let first = group[0];
            group.iter().find(|&&other| tags(other) != tags(first)).map(|&other| (first, other))
        })
        .collect();
    let &(first, _) = differing.first()?;
    let examples = differing.iter().map(|&(first, other)| {
        let (a, b) = (corpus.sentence(first as usize), corpus.sentence(other as usize));
        let token = (0..a.len()).find(|&j| a.tag(j) != b.tag(j)).expect("they differ");
        let (word, lines) = (shortened(a.word(token)), [a.line(token), b.line(token)]);
        format!(
            "{word:?} is {} on line {} and {} on line {}",
            a.tag(token),
            lines[0],
            b.tag(token),
            lines[1]
        )
    });
    let message = format!(
        "{} more than once with different tags",
        counted(differing.len(), "sentence stands", "sentences stand")
    );
    let finding = Finding::warn("W050", differing.len(), message).examples(examples);
    Some(
        finding
            .at(place(corpus, first as usize, 0))
            .help("at most one of the taggings is right; settle it in the file"),
    )
}

fn across(corpus: &Corpus, parts: &[Part]) -> Vec<Finding> {
    let Some((train, others)) = parts.split_first() else { return Vec::new() };
    let finding = |part: &Part| {
        let (n, of) = (overlap(corpus, &part.sentences, &train.sentences), part.sentences.len());
        let message = format!(
            "{} of {} of {} {} also in {} ({})",
            grouped(n),
            counted(of, "sentence", "sentences"),
            part.name,
            if n == 1 { "is" } else { "are" },
            train.name,
            percent(n, of)
        );
        let help = "they flatter the score; splitting by fractions keeps equal sentences together";
        (n > 0).then(|| Finding::warn("W008", n, message).help(help))
    };
    others.iter().filter_map(finding).collect()
}

fn within(corpus: &Corpus, part: &Part) -> Option<Finding> {
    let mut seen = HashSet::with_capacity(part.sentences.len());
    let words = |number: u32| corpus.sentence(number as usize).word_ids();
    let repeats: Vec<u32> =
        part.sentences.iter().copied().filter(|&number| !seen.insert(words(number))).collect();
    let &first = repeats.first()?;
    let message = format!(
        "{}{} {} ({})",
        counted(repeats.len(), "sentence", "sentences"),
        part.suffix(),
        if repeats.len() == 1 { "repeats an earlier one" } else { "repeat an earlier one" },
        percent(repeats.len(), part.sentences.len())
    );
    Some(Finding::info("I060", repeats.len(), message).at(place(corpus, first as usize, 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corpus() -> Corpus {
        Corpus::from_pairs(&[
            ("Ann left", "B-per O"),
            ("Rome fell", "B-geo O"),
            ("Ann left", "B-per O"),
            ("Rome fell", "B-org O"),
            ("Ann left", "B-per O"),
        ])
    }

    fn found(parts: &[Part]) -> Vec<(&'static str, usize, String)> {
        findings(&corpus(), parts).into_iter().map(|f| (f.code, f.count, f.message)).collect()
    }

    #[test]
    fn repeats_are_counted_without_their_originals() {
        let all = Part { name: "all", sentences: (0..5).collect() };
        let found = found(&[all]);
        assert_eq!(found[1].0, "I060");
        assert_eq!(found[1].2, "3 sentences repeat an earlier one (60.0 %)");
    }

    #[test]
    fn equal_words_with_other_tags_are_shown_with_both_lines() {
        let all = Part { name: "all", sentences: (0..5).collect() };
        let findings = findings(&corpus(), &[all]);
        assert_eq!((findings[0].code, findings[0].count), ("W050", 1));
        assert_eq!(findings[0].examples, ["\"Rome\" is B-geo on line 2 and B-org on line 4"]);
    }

    #[test]
    fn sentences_of_test_that_train_has_are_counted() {
        let train = Part { name: "train", sentences: vec![0, 1] };
        let test = Part { name: "test", sentences: vec![2, 3, 4] };
        let found = found(&[train, test]);
        let overlap = found.iter().find(|f| f.0 == "W008").unwrap();
        assert_eq!(overlap.2, "3 of 3 sentences of test are also in train (100.0 %)");
    }
}
