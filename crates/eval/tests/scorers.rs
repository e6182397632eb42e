//! Each rule gives the counts of the program it is named after.
//!
//! The vectors are small enough to check by eye. The fixtures are 900 random corpora of one to
//! four sentences, well-formed, ill-formed and absurd, which were given to the programs themselves:
//! seqeval 1.2.2 (default mode, and strict mode with four schemes) and the Perl conlleval of
//! 2004-01-26. `fixtures/make_seqeval.py` and `make_conlleval.py` say how.

use data::scheme::Scheme;
use eval::{Rule, Scores, chunks, score};
use serde_json::Value;

const IOB1: Rule = Rule::Strict(Scheme::Iob1);
const IOB2: Rule = Rule::Strict(Scheme::Iob2);
const IOBES: Rule = Rule::Strict(Scheme::Iobes);
const BILOU: Rule = Rule::Strict(Scheme::Bilou);

type Sentences<'a> = Vec<Vec<&'a str>>;

fn sentences(text: &str) -> Sentences<'_> {
    text.split(" | ").map(|sentence| sentence.split(' ').collect()).collect()
}

fn scores(rule: Rule, gold: &str, guess: &str) -> Scores {
    let (gold, guess) = (sentences(gold), sentences(guess));
    score(rule, gold.iter().map(Vec::as_slice).zip(guess.iter().map(Vec::as_slice)))
}

fn counts(scores: &Scores) -> [usize; 3] {
    [scores.micro.gold, scores.micro.found, scores.micro.correct]
}

/// Gold, guess, then [gold, found, correct] of conlleval, of seqeval, and of seqeval's strict mode
/// with the scheme named; all figures printed by the programs.
type Vector = (&'static str, &'static str, [usize; 3], [usize; 3], (Rule, [usize; 3]));

const VECTORS: [Vector; 11] = [
    ("B-P I-P O", "I-P I-P O", [1, 1, 1], [1, 1, 1], (IOB2, [1, 0, 0])),
    ("B-P I-P O", "B-P I-L O", [1, 2, 0], [1, 2, 0], (IOB2, [1, 1, 0])),
    ("B-P B-P O", "B-P I-P O", [2, 1, 0], [2, 1, 0], (IOB2, [2, 1, 0])),
    ("I-P B-P O", "I-P I-P O", [2, 1, 0], [2, 1, 0], (IOB1, [2, 1, 0])),
    ("B-L O", "B-L I-P", [1, 2, 1], [1, 2, 1], (IOB2, [1, 1, 1])),
    ("S-P S-P O", "S-P S-P O", [1, 1, 1], [2, 2, 2], (IOBES, [2, 2, 2])),
    ("S-P S-P O", "B-P E-P O", [1, 1, 1], [2, 1, 0], (IOBES, [2, 1, 0])),
    ("B-M E-M B-M E-M", "B-M I-M I-M E-M", [1, 1, 1], [2, 1, 0], (IOBES, [2, 1, 0])),
    ("B-P E-P O", "B-P I-P O", [1, 1, 1], [1, 1, 1], (IOBES, [1, 0, 0])),
    ("B-P I-P E-P", "B-P O E-P", [1, 2, 0], [1, 2, 0], (IOBES, [1, 0, 0])),
    ("U-P B-P L-P", "U-P B-P L-P", [1, 1, 1], [1, 1, 1], (BILOU, [2, 2, 2])),
];

#[test]
fn the_rules_differ_exactly_where_the_programs_differ() {
    for (gold, guess, conlleval, seqeval, (strict, well_formed)) in VECTORS {
        for (rule, expected) in
            [(Rule::Conlleval, conlleval), (Rule::Seqeval, seqeval), (strict, well_formed)]
        {
            assert_eq!(counts(&scores(rule, gold, guess)), expected, "{rule}: {gold} / {guess}");
        }
    }
}

fn lines(file: &str) -> Vec<Value> {
    file.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn taggings() -> Vec<Value> {
    lines(include_str!("fixtures/seqeval.jsonl"))
}

fn text<'a>(record: &'a Value, field: &str) -> &'a str {
    record[field].as_str().unwrap()
}

/// Compares with seqeval's [gold, found, correct, macro F1]; says whether the record has any.
fn agrees_with_seqeval(rule: Rule, record: &Value, field: &str) -> bool {
    let Some(expected) = record.get(field) else { return false };
    let scores = scores(rule, text(record, "gold"), text(record, "guess"));
    let [g, f, c] = counts(&scores);
    assert_eq!(
        serde_json::json!([g, f, c]).as_array().unwrap()[..],
        expected.as_array().unwrap()[..3],
        "{rule}: {record}"
    );
    let macro_f1 = expected[3].as_f64().unwrap();
    assert!((scores.macro_mean.f1 - macro_f1).abs() < 1e-6, "{rule}: {record}");
    true
}

#[test]
fn the_default_rule_counts_as_seqeval_does() {
    let agreeing =
        taggings().iter().filter(|r| agrees_with_seqeval(Rule::Seqeval, r, "default")).count();
    assert_eq!(agreeing, 900);
}

#[test]
fn the_strict_rule_counts_as_seqeval_does_in_strict_mode() {
    let taggings = taggings();
    for (field, rule) in [("IOB1", IOB1), ("IOB2", IOB2), ("IOBES", IOBES), ("BILOU", BILOU)] {
        let agreeing = taggings.iter().filter(|r| agrees_with_seqeval(rule, r, field)).count();
        assert!(agreeing > 150, "only {agreeing} fixtures for {field}");
    }
}

#[test]
fn the_conlleval_rule_prints_conllevals_figures() {
    let printed = lines(include_str!("fixtures/conlleval.jsonl"));
    assert_eq!(printed.len(), taggings().len());
    for (record, printed) in taggings().iter().zip(&printed) {
        let scores = scores(Rule::Conlleval, text(record, "gold"), text(record, "guess"));
        let percent = |share: f64| format!("{:.2}", 100.0 * share);
        let of = |value: &Value| format!("{:.2}", value.as_f64().unwrap());
        let count = |i: usize| printed[i].as_u64().unwrap() as usize;

        assert_eq!(scores.tokens, count(0), "{record}");
        assert_eq!(counts(&scores), [count(1), count(2), count(3)], "{record}");
        assert_eq!(percent(scores.token_accuracy), of(&printed[4]), "{record}");
        assert_eq!(percent(scores.micro.f1), of(&printed[5]), "{record}");

        let types = printed[6].as_object().unwrap();
        assert_eq!(scores.per_type.len(), types.len(), "{record}");
        for (label, figures) in types {
            let prf = scores.per_type[label];
            assert_eq!(percent(prf.f1), of(&figures[0]), "{label} in {record}");
            assert_eq!(prf.found, figures[1].as_u64().unwrap() as usize, "{label} in {record}");
        }
    }
}

#[test]
fn conlleval_gives_up_a_chunk_when_only_one_label_changes_in_silence() {
    // No chunk ends after an O, even an O with a label; printed: 2 phrases; found: 1; correct: 0.
    let scores = scores(Rule::Conlleval, "S-P O-P O-L S-P", "S-P O-P O-P S-P");
    assert_eq!(counts(&scores), [2, 1, 0]);
}

#[test]
fn on_well_formed_iob2_all_rules_list_the_same_chunks() {
    let tags = ["B-per", "I-per", "B-per", "O", "B-a-b", "I-a-b", "B-geo"];
    let listed = chunks(IOB2, &tags);
    let spans: Vec<_> = listed.iter().map(|c| (c.start, c.end, c.label)).collect();
    assert_eq!(spans, [(0, 2, "per"), (2, 3, "per"), (4, 6, "a-b"), (6, 7, "geo")]);
    assert_eq!(chunks(Rule::Seqeval, &tags), listed);
    assert_eq!(chunks(Rule::Conlleval, &tags), listed);
}

#[test]
fn letters_foreign_to_a_scheme_are_outside_it() {
    assert_eq!(chunks(IOB2, &["S-per", "B-per", "E-per", "PAD", ""]).len(), 1);
    assert_eq!(chunks(BILOU, &["S-per", "U-per", "B-per", "E-per"]).len(), 1);
}
