//! The floor on the corpus that the tutorial uses, where it is at hand:
//!
//! ```text
//! LONGHAND_GMB        ner_dataset.csv of the Groningen Meaning Bank, plain, .gz or .zip
//! LONGHAND_GMB_SPLIT  split-2020: lines train, valid, test with sentence numbers from 0
//! ```
//!
//! Without the variable it needs, a test says on the terminal that it was skipped.

use std::env;
use std::io::Write;

use data::scheme::Scheme;
use data::{Corpus, ReadOptions, Split};
use eval::{MostFrequentTag, Rule, Scores, all_o, score};

const STRICT: Rule = Rule::Strict(Scheme::Iob2);

type Sentences<'a> = Vec<(Vec<&'a str>, Vec<&'a str>)>;

/// The file that a variable names; a test that lacks it says so past the capture of its output.
fn file(variable: &str) -> Option<String> {
    let file = env::var(variable).ok().filter(|path| !path.is_empty());
    if file.is_none() {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let line = format!("\nSKIPPED: {test}: {variable} is not set\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    file
}

fn read(path: &str) -> Corpus {
    let (corpus, _) = data::read(path, &ReadOptions::default()).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(
        (corpus.len(), corpus.n_tokens()),
        (47_959, 1_048_575),
        "another file than expected"
    );
    corpus
}

fn part<'a>(corpus: &'a Corpus, numbers: &[u32]) -> Sentences<'a> {
    let sentence = |number: &u32| {
        let sentence = corpus.sentence(*number as usize);
        let words = (0..sentence.len()).map(|j| sentence.word(j)).collect();
        let tags = (0..sentence.len()).map(|j| sentence.tag(j)).collect();
        (words, tags)
    };
    numbers.iter().map(sentence).collect()
}

fn floor(rule: Rule, train: &Sentences, test: &Sentences) -> Scores {
    let floor = MostFrequentTag::fit(train.iter().map(|(w, t)| (&w[..], &t[..])));
    let predicted: Vec<Vec<&str>> = test.iter().map(|(words, _)| floor.predict(words)).collect();
    score(rule, test.iter().zip(&predicted).map(|((_, gold), p)| (&gold[..], &p[..])))
}

#[test]
fn the_most_frequent_tag_reaches_about_70_on_gmb() {
    let Some(path) = file("LONGHAND_GMB") else { return };
    let corpus = read(&path);
    let split = Split::by_fractions(&corpus, [80.0, 10.0, 10.0], 1, true).unwrap();
    let (train, test) = (part(&corpus, &split.train), part(&corpus, &split.test));

    let scores = floor(STRICT, &train, &test);
    assert!((0.69..0.72).contains(&scores.micro.f1), "{:?}", scores.micro);

    let nothing: Vec<Vec<&str>> = test.iter().map(|(words, _)| all_o(words.len())).collect();
    let pairs = test.iter().zip(&nothing).map(|((_, gold), o)| (&gold[..], &o[..]));
    let scores = score(STRICT, pairs);
    assert_eq!(scores.micro.f1, 0.0);
    assert!((0.83..0.86).contains(&scores.token_accuracy), "{}", scores.token_accuracy);
}

#[test]
fn three_programs_count_the_same_on_105_525_tokens_of_gmb() {
    let Some(path) = file("LONGHAND_GMB") else { return };
    let Some(split) = file("LONGHAND_GMB_SPLIT") else { return };
    let corpus = read(&path);
    let split = Split::by_index_file(split, corpus.len()).unwrap_or_else(|e| panic!("{e}"));
    let (train, test) = (part(&corpus, &split.train), part(&corpus, &split.test));

    // What seqeval 1.2.2 (strict IOB2, then default) and conlleval (2004-01-26) counted.
    for (rule, counts) in [
        (STRICT, (11_281, 10_731, 7_805)),
        (Rule::Seqeval, (11_281, 12_021, 8_149)),
        (Rule::Conlleval, (11_281, 12_021, 8_149)),
    ] {
        let scores = floor(rule, &train, &test);
        let micro = scores.micro;
        assert_eq!((micro.gold, micro.found, micro.correct), counts, "{rule}");
        assert_eq!((scores.sentences, scores.tokens), (4_796, 105_525));
        assert_eq!(format!("{:.5}", scores.token_accuracy), "0.94759");
    }
    let strict = floor(STRICT, &train, &test);
    assert_eq!(format!("{:.4} {:.4}", strict.micro.f1, strict.macro_mean.f1), "0.7092 0.5541");
    assert_eq!(format!("{:.4}", strict.per_type["per"].f1), "0.4956");
}
