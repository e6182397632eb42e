//! The tokeniser against the corpus whose conventions it follows.
//!
//! Sentences of the corpus are written out as running text by the rules below, tokenised and
//! compared. The corpus is not part of the repository: the environment variable `LONGHAND_GMB` names
//! its csv file, and without it these tests say that they did nothing.

use std::collections::BTreeMap;
use std::io::Write;

use data::{Corpus, ReadOptions, sentences, tokenize};

fn gmb() -> Option<Corpus> {
    let Some(path) = std::env::var_os("LONGHAND_GMB") else {
        // Not by `eprintln!`, which the test runner swallows.
        let what =
            "SKIPPED: set LONGHAND_GMB to the path of ner_dataset.csv(.gz) to run this test\n";
        let _ = std::io::stderr().write_all(what.as_bytes());
        return None;
    };
    Some(data::read(path, &ReadOptions::default()).expect("LONGHAND_GMB is readable").0)
}

/// A sentence as an author would type it.
fn detokenize(words: &[&str]) -> String {
    let mut text = String::new();
    let mut quotes = Quotes::default();
    let mut glue = true; // nothing stands between the last word and the next
    for (i, &word) in words.iter().enumerate() {
        let side = quotes.side(word, i.checked_sub(1).map(|before| words[before]));
        if !glue && !matches!(side, Side::Left | Side::Both) {
            text.push(' ');
        }
        text.push_str(word);
        glue = matches!(side, Side::Right | Side::Both);
        glue |= word == "can" && words.get(i + 1) == Some(&"not");
    }
    text
}

/// The neighbour to which a word sticks.
#[derive(PartialEq)]
enum Side {
    Neither,
    Left,
    Right,
    Both,
}

#[derive(Default)]
struct Quotes {
    double: bool,
    single: bool,
}

impl Quotes {
    fn side(&mut self, word: &str, before: Option<&str>) -> Side {
        match word {
            "." | "," | ";" | ":" | "?" | "!" | "%" | ")" | "]" | "..." | "…" | "”" | "’" => {
                Side::Left
            }
            "'s" | "'ll" | "'m" | "'re" | "'ve" | "'d" | "n't" | "’s" => Side::Left,
            "(" | "[" | "$" | "#" | "“" | "‘" => Side::Right,
            "/" => Side::Both,
            "\"" => {
                self.double = !self.double;
                if self.double { Side::Right } else { Side::Left }
            }
            "'" => {
                let possessive = before.is_some_and(|word| word.ends_with(['s', 'z', 'x']));
                let closes = self.single || possessive;
                self.single = !closes;
                if closes { Side::Left } else { Side::Right }
            }
            _ => Side::Neither,
        }
    }
}

#[test]
fn sentences_of_the_corpus_come_back_with_the_same_tokens() {
    let Some(corpus) = gmb() else { return };
    let mut wrong = 0;
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for sentence in corpus.sentences() {
        let words: Vec<&str> = sentence.words().collect();
        let text = detokenize(&words);
        let tokens = tokenize(&text);
        let found: Vec<&str> = tokens.iter().map(|token| token.text(&text)).collect();
        if found != words {
            wrong += 1;
            let same = found.iter().zip(&words).take_while(|(a, b)| a == b).count();
            let piece =
                |words: &[&str]| words[same.min(words.len())..words.len().min(same + 3)].join(" ");
            *kinds.entry(format!("{:40} {}", piece(&words), piece(&found))).or_default() += 1;
        }
    }
    let share = 100.0 * (corpus.len() - wrong) as f64 / corpus.len() as f64;
    println!("{wrong} of {} sentences differ; {share:.2} % come back", corpus.len());
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    println!("corpus                                   tokeniser");
    for (kind, count) in kinds.iter().take(100) {
        println!("{kind}  ×{count}");
    }
    assert!(share >= 99.85, "{share:.2} % of the sentences come back");
}

#[test]
fn words_of_the_corpus_with_blanks_between_them_stay_as_they_are() {
    let Some(corpus) = gmb() else { return };
    let differs = |words: &[&str]| {
        let text = words.join(" ");
        let tokens = tokenize(&text);
        !tokens.iter().map(|token| token.text(&text)).eq(words.iter().copied())
    };
    let wrong = corpus.sentences().filter(|s| differs(&s.words().collect::<Vec<_>>())).count();
    let share = 100.0 * (corpus.len() - wrong) as f64 / corpus.len() as f64;
    println!("{wrong} sentences differ; {share:.2} % stay");
    assert!(share >= 99.9, "{share:.2} % of the sentences stay");
}

#[test]
fn sentence_breaks_of_the_corpus_are_found_in_running_text() {
    let Some(corpus) = gmb() else { return };
    let all: Vec<Vec<&str>> = corpus.sentences().map(|s| s.words().collect()).collect();
    let (mut true_breaks, mut found_breaks, mut common) = (0, 0, 0);
    for paragraph in all.chunks(5) {
        let text = paragraph.iter().map(|words| detokenize(words)).collect::<Vec<_>>().join(" ");
        let mut ends = Vec::new();
        let mut end = 0;
        for words in paragraph {
            end += detokenize(words).len() + 1;
            ends.push(end - 1);
        }
        let tokens = tokenize(&text);
        let found: Vec<usize> =
            sentences(&tokens, &text).iter().map(|range| tokens[range.end - 1].end).collect();
        true_breaks += ends.len() - 1;
        found_breaks += found.len() - 1;
        common += found.iter().filter(|end| ends.contains(end)).count() - 1;
    }
    let share = |part: usize, whole: usize| 100.0 * part as f64 / whole as f64;
    let (precision, recall) = (share(common, found_breaks), share(common, true_breaks));
    println!("{true_breaks} breaks: precision {precision:.2} %, recall {recall:.2} %");
    assert!(precision >= 99.8 && recall >= 99.5, "{precision:.2} % {recall:.2} %");
}
