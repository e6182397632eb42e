//! `longhand check`: what it finds, what it writes, how it ends.

mod common;

use std::time::Instant;

use common::Dir;
use serde_json::Value;

/// One of each: an illegal tag, a sentence tagged in two ways, a repeat, a spoilt word, a lost one.
const DIRTY: &str = "\
Sentence #,Word,POS,Tag\r
Sentence: 1,Ann,NNP,B-per\r
,left,VBD,O\r
Sentence: 2,Acme,NNP,I-org\r
,Corp,NNP,I-org\r
Sentence: 3,Rome,NNP,B-geo\r
,fell,VBD,O\r
Sentence: 4,Rome,NNP,B-org\r
,fell,VBD,O\r
Sentence: 5,Ann,NNP,B-per\r
,left,VBD,O\r
Sentence: 6,donâ€™t,VB,O\r
,use,VB,O\r
,nan,NN,O\r
";

fn findings(json: &str) -> Vec<(String, String, u64)> {
    let report: Value = serde_json::from_str(json).unwrap();
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .map(|f| (text(&f["code"]), text(&f["severity"]), f["count"].as_u64().unwrap()))
        .collect()
}

#[test]
fn a_dirty_file_is_described_and_each_fault_has_its_place() {
    let dir = Dir::new();
    dir.write("dirty.csv", DIRTY);
    let page = dir.run(&["check", "dirty.csv"]).expect(0).out;
    for part in [
        "UTF-8, 8 bytes beyond ASCII",
        "columns  token=Word,tag=Tag,pos=POS,sentence=\"Sentence #\"",
        "6 sentences, 13 tokens",
        "error[E005]: sentence begins with I-org: not legal in iob2",
        "  --> dirty.csv:4\n",
        "\"Rome\" is B-geo on line 6 and B-org on line 8",
        "\"donâ€™t\" was \"don’t\"",
        "1 token has the look of a missing value",
        "2 sentences repeat an earlier one",
        "--fix OUT",
    ] {
        assert!(page.contains(part), "no `{part}` in\n{page}");
    }
    assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
    assert!(!page.contains('\x1b'));
    let painted = dir.run(&["check", "dirty.csv", "--color", "always"]).expect(0).out;
    assert!(painted.contains("\x1b[1;31merror[E005]\x1b[0m"), "{painted}");
}

#[test]
fn json_holds_counts_and_findings_under_documented_names() {
    let dir = Dir::new();
    dir.write("dirty.csv", DIRTY);
    let out = dir.run(&["check", "dirty.csv", "--json"]).expect(0).out;
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&report["format"], &report["tokens"]), (&1.into(), &13.into()));
    assert_eq!((&report["sentences"], &report["scheme"]), (&6.into(), &"iob2".into()));
    assert_eq!(report["files"][0]["columns"], "token=Word,tag=Tag,pos=POS,sentence=\"Sentence #\"");
    let org = &report["entities"]["types"]["org"];
    assert_eq!((&org["count"], &org["tokens"]), (&2.into(), &3.into()));
    let bars = report["sentence_lengths"]["histogram"].as_array().unwrap();
    assert_eq!(bars.iter().map(|b| b["count"].as_u64().unwrap()).sum::<u64>(), 6);
    let codes: Vec<String> = findings(&out).into_iter().map(|(code, ..)| code).collect();
    assert_eq!(codes, ["E005", "W050", "W051", "W054", "W055", "I060", "I061"]);
}

#[test]
fn every_name_of_the_json_stands_in_the_documentation() {
    fn names(value: &Value, all: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                for (name, inner) in map {
                    all.push(name.clone());
                    // The names below `types` are the corpus's own.
                    let own = if name == "types" {
                        inner.as_object().unwrap().values().next()
                    } else {
                        None
                    };
                    names(own.unwrap_or(inner), all);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| names(item, all)),
            _ => {}
        }
    }
    let dir = Dir::new();
    dir.write("dirty.csv", DIRTY);
    dir.write("dev.csv", "Word,Tag\nAnn,B-per\n");
    let out = dir.run(&["check", "dirty.csv", "--dev", "dev.csv", "--json"]).expect(0).out;
    let mut all = Vec::new();
    names(&serde_json::from_str(&out).unwrap(), &mut all);
    let docs = include_str!("../docs/formats.md");
    let missing: Vec<_> = all.iter().filter(|name| !docs.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn denied_severities_make_the_exit_code() {
    let dir = Dir::new();
    dir.write("dirty.csv", DIRTY);
    dir.write("warned.csv", "Word,Tag\nAnn,B-per\n");
    dir.run(&["check", "dirty.csv", "--deny", "error"]).expect(1);
    dir.run(&["check", "warned.csv", "--deny", "error"]).expect(0);
    dir.run(&["check", "warned.csv", "--deny", "warn"]).expect(1);
    dir.run(&["check", "--deny", "warn"]).expect(0); // the built-in corpus
    dir.run(&["check", "none.csv"]).expect(2).says(&["E021"]);
}

#[test]
fn a_mended_file_has_legal_tags_and_all_else_as_it_was() {
    let dir = Dir::new();
    dir.write("dirty.csv", DIRTY);
    let ran = dir.run(&["check", "dirty.csv", "--fix", "clean.csv"]).expect(0);
    assert!(
        ran.err.contains("1 tag repaired") && ran.err.contains("line 4: \"Acme\" I-org → B-org")
    );
    assert_eq!(dir.read("clean.csv"), DIRTY.replace("Acme,NNP,I-org", "Acme,NNP,B-org"));
    dir.run(&["check", "clean.csv", "--deny", "error"]).expect(0);

    dir.run(&["check", "dirty.csv", "--fix", "clean.conll", "-q"]).expect(0);
    assert!(
        dir.read("clean.conll").starts_with("Ann\tNNP\tB-per\nleft\tVBD\tO\n\nAcme\tNNP\tB-org\n")
    );
    let json = dir.run(&["check", "dirty.csv", "--fix", "again.csv", "--json"]).expect(0).out;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["changes"][0]["from"], &json["changes"][0]["to"]),
        (&"I-org".into(), &"B-org".into())
    );
    dir.run(&["check", "dirty.csv", "--fix", "clean.xlsx"]).expect(2).says(&["E048"]);
    assert!(!dir.path("clean.xlsx").exists());
}

#[test]
fn parts_are_held_against_the_training_part() {
    let dir = Dir::new();
    dir.write("train.conll", "Ann B-per\nleft O\n\nRome B-geo\nfell O\n\n");
    dir.write("test.conll", "Ann B-per\nleft O\n\nFizz B-product\n\n");
    let out = dir.run(&["check", "train.conll", "--test", "test.conll", "--json"]).expect(0).out;
    let found = findings(&out);
    for expected in [("E007", "error", 1), ("W008", "warn", 1), ("I063", "info", 1)] {
        let (code, severity, n) = expected;
        assert!(found.contains(&(code.into(), severity.into(), n)), "{expected:?} in {found:?}");
    }
    dir.write("parts", "train\t0 1\ntest\t2 3\n");
    dir.write("all.conll", dir.read("train.conll") + &dir.read("test.conll"));
    let by_list = dir.run(&["check", "all.conll", "--split-file", "parts", "--json"]).expect(0).out;
    assert_eq!(findings(&by_list), found);
}

#[test]
fn standard_input_is_read_by_its_dash() {
    let dir = Dir::new();
    let page = dir.run_with(&["check", "-"], DIRTY).expect(0).out;
    assert!(page.contains("<stdin>:4"), "{page}");
}

#[test]
fn training_warns_first_in_one_line_each_and_not_when_quiet() {
    let dir = Dir::new();
    dir.write(
        "data.csv",
        DIRTY
            .replace("Acme,NNP,I-org", "Acme,NNP,B-org")
            .replace("\r\nSentence: 5", "\r\nSentence: 4b"),
    );
    let args = ["train", "data.csv", "-o", "run", "--split", "80,20", "--epochs", "1", "--force"];
    let quick = ["--set", "encoder=bilstm:8,lstm:8", "--set", "embedding=8"];
    let ran = dir.run(&[&args[..], &quick].concat()).expect(0);
    let lines = |code: &str| ran.err.lines().filter(|l| l.starts_with(code)).count();
    assert_eq!(
        (lines("warning[W050]: 1 sentence stands"), lines("warning[W054]")),
        (1, 1),
        "{}",
        ran.err
    );
    let quiet = dir.run(&[&args[..], &quick, &["-q"]].concat()).expect(0);
    assert_eq!(quiet.err, "");
}

#[test]
fn gmb_is_examined_within_a_second() {
    let Some(path) = std::env::var_os("LONGHAND_GMB") else {
        eprintln!("SKIPPED: LONGHAND_GMB does not name ner_dataset.csv.gz");
        return;
    };
    let dir = Dir::new();
    let start = Instant::now();
    let out = dir.run(&["check", path.to_str().unwrap(), "--json"]).expect(0).out;
    let seconds = start.elapsed().as_secs_f64();
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&report["sentences"], &report["tokens"]), (&47_959.into(), &1_048_575.into()));
    assert_eq!(report["entities"]["total"], 111_891);
    assert!(findings(&out).contains(&("I060".into(), "info".into(), 384)));
    // Generous: the machine may be shared. Alone it takes 0.4 s.
    assert!(seconds < 3.0, "{seconds} s");
}
