//! `longhand score`: the program beside the ones that it is held equal to.

mod common;

use common::Dir;
use serde_json::Value;

/// Token, gold, prediction; the second sentence begins with an `I-` that nothing opens.
const COLUMNS: &str = "\
Rome B-geo B-geo
fell O O
Ann B-per B-per
Lee I-per O

Acme O I-org
rose O O
Monday B-tim B-tim

";

/// What conlleval 2004-01-26 prints for it under Perl 5.36.
const PRINTED: &str = "\
processed 7 tokens with 3 phrases; found: 4 phrases; correct: 2.
accuracy:  71.43%; precision:  50.00%; recall:  66.67%; FB1:  57.14
              geo: precision: 100.00%; recall: 100.00%; FB1: 100.00  1
              org: precision:   0.00%; recall:   0.00%; FB1:   0.00  1
              per: precision:   0.00%; recall:   0.00%; FB1:   0.00  1
              tim: precision: 100.00%; recall: 100.00%; FB1: 100.00  1
";

fn micro(json: &str) -> (String, [u64; 3]) {
    let scores: Value = serde_json::from_str(json).unwrap();
    let count = |name: &str| scores["micro"][name].as_u64().unwrap();
    let rule = scores["rule"].as_str().unwrap().to_owned();
    (rule, ["gold", "found", "correct"].map(count))
}

#[test]
fn one_file_of_columns_is_scored_as_conlleval_prints_it() {
    let dir = Dir::new();
    dir.write("out.txt", COLUMNS);
    let conlleval = ["score", "out.txt", "--format", "conlleval"];
    assert_eq!(dir.run(&conlleval).expect(0).out, PRINTED);
    let stdin = dir.run_with(&["score", "--format", "conlleval"], COLUMNS).expect(0);
    assert_eq!(stdin.out, PRINTED);
    assert_eq!(dir.run_with(&["score", "-", "--format", "conlleval"], COLUMNS).out, PRINTED);
}

#[test]
fn columns_of_one_file_are_named() {
    let dir = Dir::new();
    dir.write("plain.txt", COLUMNS);
    let plain = dir.run(&["score", "plain.txt", "--json"]).expect(0).out;
    // The prediction stands before the gold tag; another column behind both.
    let swapped = |line: &str| match line.split(' ').collect::<Vec<_>>()[..] {
        [word, gold, predicted] => format!("{word} {predicted} {gold} 0.5\n"),
        _ => "\n".to_owned(),
    };
    let text: String = COLUMNS.lines().map(swapped).collect();
    dir.write("swapped.txt", &text);
    let both = ["--json", "--columns", "tag=3,pred=2"];
    assert_eq!(dir.run(&[&["score", "swapped.txt"], &both[..]].concat()).expect(0).out, plain);
    assert_eq!(dir.run_with(&[&["score"], &both[..]].concat(), &text).expect(0).out, plain);
    // By header, in a table.
    let row = |(n, line): (usize, &str)| match line.split(' ').collect::<Vec<_>>()[..] {
        [word, gold, predicted] => format!("{n},{word},{gold},{predicted}\n"),
        _ => String::new(),
    };
    let sentences = COLUMNS.split("\n\n").enumerate();
    let rows: String = sentences.flat_map(|(n, s)| s.lines().map(move |l| row((n, l)))).collect();
    dir.write("table.csv", format!("Sentence #,Word,Gold,Guess\n{rows}"));
    let both = ["score", "table.csv", "--json", "--columns", "tag=Gold,pred=Guess"];
    assert_eq!(dir.run(&both).expect(0).out, plain);

    for (columns, says) in [
        ("tag=2", "no column `pred`"),
        ("pred=2", "no column `tag`"),
        ("tag=2,pred=3,pred=2", "\"pred\" is given twice"),
        ("tag=2,pred=0", "\"pred=0\""),
        ("tag=2,guess=3", "\"guess=3\""),
    ] {
        dir.run(&["score", "plain.txt", "--columns", columns]).expect(2).says(&["E030", says]);
    }
    // A line is a comment by one tagging and a token by the other.
    dir.write("hash.txt", "a B-per B-per\n# B-sym sym\nb O O\n");
    let hash = ["score", "hash.txt", "--columns", "tag=2,pred=3"];
    dir.run(&hash).expect(2).says(&["E046", "hash.txt:3"]);
    let none = ["score", "plain.txt", "--columns", "tag=2,pred=9"];
    dir.run(&none).expect(2).says(&["E002", "no column 9"]);
}

#[test]
fn the_rule_is_chosen_and_named() {
    let dir = Dir::new();
    let json = |mode: &str| dir.run_with(&["score", "--json", "--mode", mode], COLUMNS).expect(0);
    assert_eq!(micro(&json("conlleval").out), ("conlleval".into(), [3, 4, 2]));
    assert_eq!(micro(&json("seqeval").out), ("seqeval".into(), [3, 4, 2]));
    let strict = json("strict").says(&["W049", "1 predicted tag"]);
    assert_eq!(micro(&strict.out), ("strict iob2".into(), [3, 3, 2]));
    let table = dir.run_with(&["score", "-q"], COLUMNS).expect(0);
    assert!(table.out.starts_with("strict iob2") && table.err.is_empty(), "{}", table.out);
    dir.run_with(&["score", "--mode", "muc"], COLUMNS).expect(2).says(&["E027", "seqeval"]);
}

#[test]
fn the_strict_scheme_is_that_of_the_gold_tags() {
    let dir = Dir::new();
    let json = |columns: &str, more: &[&str]| {
        dir.run_with(&[&["score", "--json"], more].concat(), columns)
    };
    let iobes = "a S-P S-P\nb S-P S-P\n\n";
    assert_eq!(micro(&json(iobes, &[]).expect(0).out), ("strict iobes".into(), [2, 2, 2]));
    let warned = json(iobes, &["--mode", "conlleval"]).expect(0).says(&["W047", "S-P"]);
    assert_eq!(micro(&warned.out).1, [1, 1, 1]);
    let mixed = "a S-P B-P\nb S-P B-P\nc S-P U-P\n\n";
    json(mixed, &[]).expect(2).says(&["E006", "U-P"]);
    let named = json(mixed, &["--scheme", "bilou"]).expect(0);
    assert_eq!(micro(&named.out).1, [0, 1, 0]);
    json("a NN VB\n\n", &[]).expect(2).says(&["E009"]);
}

#[test]
fn two_files_are_compared_token_by_token() {
    let dir = Dir::new();
    dir.write("gold.csv", "Word,Tag\r\nRome,B-geo\r\nfell,O\r\n,\r\nAnn,B-per\r\n");
    dir.write("pred.conll", "Rome B-geo\nfell O\n\nAnn O\n\n");
    let ran = dir.run(&["score", "gold.csv", "pred.conll", "--json"]).expect(0);
    assert_eq!(micro(&ran.out).1, [2, 1, 1]);
    dir.run(&["score", "gold.csv", "pred.conll", "--fail-under", "0.9"]).expect(1);

    dir.write("other.conll", "Rome B-geo\nfalls O\n\nAnn O\n\n");
    let ran = dir.run(&["score", "gold.csv", "other.conll"]).expect(2);
    ran.says(&["E046", "--> other.conll:2", "\"falls\"", "\"fell\" in gold.csv:3"]);
    dir.write("joined.conll", "Rome B-geo\nfell O\nAnn O\n\n");
    let ran = dir.run(&["score", "gold.csv", "joined.conll"]).expect(2);
    ran.says(&["E046", "has 3 tokens, that of gold.csv:2 has 2"]);
    dir.write("short.conll", "Rome B-geo\nfell O\n\n");
    let ran = dir.run(&["score", "gold.csv", "short.conll"]).expect(2);
    ran.says(&["E046", "1 sentence, but gold.csv has 2"]);
}

#[test]
fn a_ragged_line_is_named() {
    let dir = Dir::new();
    dir.write("out.txt", "a O O\nb O\n\n");
    dir.run(&["score", "out.txt"]).expect(2).says(&["E003", "out.txt:2", "2 fields, expected 3"]);
    dir.run_with(&["score"], "a\n").expect(2).says(&["E003", "<stdin>:1"]);
}

#[test]
fn gold_tags_that_are_not_legal_are_counted_with_the_first() {
    let dir = Dir::new();
    let rows = "Ann I-PER B-PER\nLee I-PER I-PER\nran O O\n\nBob B-PER B-PER\nx O O\n";
    dir.write("s1.txt", rows);
    let ran = dir.run(&["score", "s1.txt"]).expect(0);
    ran.says(&[
        "warning[W048]: 1 gold tag is not legal in iob2",
        "I-PER at the beginning",
        "s1.txt:1",
    ]);
    let rows = "Ann O O\nLee B-PER I-PER\n\nBob B-PER I-PER\nx O O\n";
    let ran = dir.run_with(&["score", "--scheme", "iob1"], rows).expect(0);
    ran.says(&[
        "W048",
        "2 gold tags are not legal in iob1",
        "B-PER after O",
        "<stdin>:2",
        "--scheme iob2",
    ]);
    dir.write("gold.conll", "a B-x\nb I-y\n\n");
    dir.write("pred.conll", "a I-x\nb I-x\n\n");
    let ran = dir.run(&["score", "gold.conll", "pred.conll", "--scheme", "iob2"]).expect(0);
    ran.says(&["W048", "I-y after B-x", "gold.conll:2", "W049", "pred.conll:1"]);
    let conlleval = dir.run(&["score", "s1.txt", "--mode", "conlleval"]).expect(0);
    assert!(conlleval.err.is_empty(), "{}", conlleval.err);
}

#[test]
fn an_empty_file_has_no_score() {
    let dir = Dir::new();
    dir.write("empty.txt", "");
    dir.write("blank.txt", "\n\n");
    for args in [&["empty.txt"][..], &["blank.txt"], &["empty.txt", "empty.txt"], &[]] {
        dir.run(&[&["score"], args].concat()).expect(2).says(&["E023", "empty"]);
    }
    dir.run_with(&["score"], "-X- O O\n").expect(2).says(&["E023", "no token"]);
}
