//! Parts of speech as an input: learned from, read again when scoring and tagging, and missed where there are none.

mod common;

use common::Dir;

/// Words that are names or not by their part of speech alone.
fn data(n: usize, from: usize) -> String {
    let words = ["Rose", "Will", "Mark", "Faith", "May"];
    let sentence = |k: usize| {
        let (word, name) = (words[k % 5], (k / 5).is_multiple_of(2));
        let (pos, tag) = if name { ("NNP", "B-per") } else { ("NN", "O") };
        format!("{word} {pos} {tag}\nis VBZ O\nx{} CD O\n. . O\n\n", k % 3)
    };
    (from..from + n).map(sentence).collect()
}

const SMALL: [&str; 10] = [
    "--set",
    "encoder=bilstm:8",
    "--set",
    "embedding=8",
    "--set",
    "affix-rows=64",
    "--lr",
    "0.02",
    "--epochs",
    "8",
];

fn train(dir: &Dir, run: &str, more: &[&str]) -> common::Ran {
    dir.write("train.conll", data(80, 0));
    dir.write("dev.conll", data(30, 200));
    let args = ["train", "train.conll", "--dev", "dev.conll", "-o", run];
    dir.run(&[&args[..], &SMALL, more].concat())
}

fn dev_f1(dir: &Dir, run: &str) -> f64 {
    let scores: serde_json::Value =
        serde_json::from_str(&dir.read(&format!("{run}/scores.json"))).unwrap();
    scores["dev"]["strict"]["micro"]["f1"].as_f64().unwrap()
}

#[test]
fn what_only_the_part_of_speech_tells_is_learned_with_it_and_not_without() {
    let dir = Dir::new();
    train(&dir, "with", &["--set", "pos=true"]).expect(0);
    train(&dir, "without", &[]).expect(0);
    assert!(dev_f1(&dir, "with") > 0.99, "{}", dev_f1(&dir, "with"));
    assert!(dev_f1(&dir, "without") < 0.9, "{}", dev_f1(&dir, "without"));

    // The model reads the column again, in `eval` and in `tag`.
    dir.run(&["eval", "with", "dev.conll", "--fail-under", "0.99"]).expect(0);
    let rows = "Rose NNP\nis VBZ\nx1 CD\n. .\n\nRose NN\nis VBZ\nx1 CD\n. .\n";
    dir.write("rows.conll", rows);
    let args = ["tag", "with", "rows.conll", "--in", "conll", "--out", "conll"];
    let ran = dir.run(&args).expect(0);
    let tags: Vec<&str> =
        ran.out.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(tags, ["B-per", "O", "O", "O", "O", "O", "O", "O"], "{}", ran.out);
    assert!(!ran.err.contains("W064"), "{}", ran.err);
}

#[test]
fn that_parts_of_speech_are_missing_is_said() {
    let dir = Dir::new();
    train(&dir, "run", &["--set", "pos=true"]).expect(0);
    let ran = dir.run(&["tag", "run", "--text", "Rose is x1. Mark is x2."]).expect(0);
    assert_eq!(ran.err.matches("W064").count(), 1, "{}", ran.err);
    for args in [&["explain", "run", "Rose is x1.", "--out", "json"][..], &["info", "run"]] {
        let ran = dir.run(args).expect(0);
        assert!(ran.err.contains("W064") || ran.out.contains("parts of speech"), "{args:?}");
    }
    dir.write("bare.conll", "Rose B-per\nis O\n\nMark B-per\nis O\n");
    dir.run(&["eval", "run", "bare.conll"]).expect(0).says(&["W064"]);
    let args = ["train", "bare.conll", "-o", "other", "--split", "100,0,0", "--set", "pos=true"];
    dir.run(&args).expect(2).says(&["E064", "--columns pos="]);
}
