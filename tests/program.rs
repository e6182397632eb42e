//! The whole program, from files to files.

mod common;

use common::Dir;
use serde_json::Value;

/// A small corpus with something to learn: 60 sentences, four types of them.
fn corpus(with_product: bool) -> String {
    let mut rows = String::from("Sentence #,Word,POS,Tag\n");
    let names = ["Ann", "Bob", "Eve", "Tom", "Ida"];
    let towns = ["Oslo", "Bern", "Rome", "Bonn", "Lima"];
    for n in 0..60 {
        let (name, town) = (names[n % 5], towns[(n / 5) % 5]);
        rows += &format!("Sentence: {},{name},NNP,B-per\n,met,VBD,O\n,\"{n},000\",CD,O\n", n + 1);
        rows += &format!(",people,NNS,O\n,in,IN,O\n,{town},NNP,B-geo\n,.,.,O\n");
    }
    if with_product {
        rows += "Sentence: 61,Try,VB,O\n,Fizz,NNP,B-product\n";
    }
    rows
}

const QUICK: &[&str] =
    &["--epochs", "3", "--set", "encoder=bilstm:8,lstm:8", "--set", "embedding=8", "--batch", "8"];

fn train(dir: &Dir, more: &[&str]) -> common::Ran {
    dir.write("data.csv", corpus(false));
    let args = [&["train", "data.csv", "-o", "run"], QUICK, more].concat();
    dir.run(&args)
}

#[test]
fn training_writes_every_file_of_a_run_and_prints_scores_beside_floors() {
    let dir = Dir::new();
    let ran = train(&dir, &[]).expect(0);
    for part in ["most frequent tag", "all O", "this model", "micro"] {
        assert!(ran.out.contains(part), "{}", ran.out);
    }
    assert_eq!(ran.err.matches("\nepoch ").count(), 3, "{}", ran.err);
    let scores: Value = serde_json::from_str(&dir.read("run/scores.json")).unwrap();
    for pointer in [
        "/test/strict/micro/f1",
        "/dev/strict/micro/f1",
        "/test/strict/per_type/geo/f1",
        "/floors/most_frequent_tag/f1",
        "/floors/all_o/f1",
        "/train/seconds",
        "/train/tokens_per_second",
        "/seed",
    ] {
        assert!(scores.pointer(pointer).is_some_and(Value::is_number), "{pointer}: {scores:#}");
    }
    for name in ["version", "split", "data"] {
        assert!(!scores[name].is_null(), "{name}");
    }
    assert!(dir.read("run/config.toml").contains("epochs = 3"));
    assert_eq!(dir.read("run/history.csv").lines().count(), 4);
    let metrics = dir.read("run/metrics.jsonl");
    assert!(metrics.lines().all(|l| serde_json::from_str::<Value>(l).is_ok()));
    let columns: Vec<usize> = dir
        .read("run/test.conll")
        .lines()
        .filter(|l| !l.is_empty())
        .map(|l| l.split(' ').count())
        .collect();
    assert!(!columns.is_empty() && columns.iter().all(|&n| n == 3));
    let mut left: Vec<_> = std::fs::read_dir(dir.path("run"))
        .unwrap()
        .map(|f| f.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    let want = [
        "check.json",
        "config.toml",
        "history.csv",
        "metrics.jsonl",
        "model.safetensors",
        "predictions.jsonl.gz",
        "report.html",
        "scores.json",
        "test.conll",
    ];
    assert_eq!(left, want, "no temporary file and no checkpoint is left");
}

#[test]
fn a_trained_model_tags_text_from_arguments_files_and_standard_input_alike() {
    let dir = Dir::new();
    train(&dir, &["--epochs", "30", "--lr", "0.02"]).expect(0);
    let text = "Ann met 7,000 people in Rome.";
    dir.write("letter.txt", text);
    let model = "run/model.safetensors";
    let by_argument = dir.run(&["tag", model, "--text", text]).expect(0).out;
    assert_eq!(by_argument, "[Ann per] met 7,000 people in [Rome geo].\n");
    assert_eq!(dir.run(&["tag", model, "letter.txt"]).expect(0).out, by_argument);
    assert_eq!(dir.run_with(&["tag", model], text).expect(0).out, by_argument);
    assert_eq!(dir.run_with(&["tag", model, "-"], text).expect(0).out, by_argument);

    let jsonl = dir.run(&["tag", model, "--text", text, "--out", "jsonl"]).expect(0).out;
    let line: Value = serde_json::from_str(&jsonl).unwrap();
    assert_eq!(line["text"], text);
    assert_eq!(line["ents"][1]["start"], 24);
    assert_eq!(line["ents"][1]["end"], 28);
    assert_eq!(line["ents"][1]["label"], "geo");
    let score = line["ents"][1]["score"].as_f64().unwrap();
    assert!(score > 0.25 && score <= 1.0, "{score}");
    let shown = dir.run(&["tag", model, "--text", text, "--scores"]).expect(0).out;
    assert!(shown.contains(&format!("[Rome geo {score:.2}]")), "{shown}");

    let conll = dir.run(&["tag", model, "--text", text, "--out", "conll"]).expect(0).out;
    assert!(conll.starts_with("Ann B-per\nmet O\n7,000 O\n"), "{conll}");
    // Its own output is input again.
    let again = dir.run_with(&["tag", model, "--in", "conll", "--out", "conll"], &conll).expect(0);
    assert_eq!(again.out, conll);

    let html = ["tag", model, "letter.txt", "--out", "html", "-o", "letter.html"];
    assert_eq!(dir.run(&html).expect(0).out, "");
    assert!(dir.read("letter.html").contains("<main id=\"text\""));
}

#[test]
fn eval_and_info_describe_the_model() {
    let dir = Dir::new();
    train(&dir, &[]).expect(0);
    let model = "run/model.safetensors";
    let scores = dir.run(&["eval", model, "data.csv", "--json"]).expect(0).out;
    let scores: Value = serde_json::from_str(&scores).unwrap();
    assert_eq!(scores["sentences"], 60);
    let bins = scores["calibration"]["bins"].as_array().unwrap();
    let sum = |key: &str| bins.iter().map(|b| b[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!((bins.len(), Some(sum("entities"))), (10, scores["micro"]["found"].as_u64()));
    assert_eq!(Some(sum("correct")), scores["micro"]["correct"].as_u64());
    let table = dir.run(&["eval", model, "data.csv"]).expect(0).out;
    assert!(table.contains("expected calibration error"), "{table}");
    dir.run(&["eval", model, "data.csv", "--fail-under", "1.01"]).expect(1);
    let info: Value =
        serde_json::from_str(&dir.run(&["info", model, "--json"]).expect(0).out).unwrap();
    assert_eq!(info["weights_sha256"].as_str().unwrap().len(), 64);
    assert_eq!(info["tags"][0], "O");
    let text = dir.run(&["info", model]).expect(0).out;
    for part in ["words (Embedding", "encoder.0 (BiLSTM)", "encoder.1 (LSTM)", "dense", "B-geo"] {
        assert!(text.contains(part), "{text}");
    }
    // What the model gives: all that the best tags say, or what is likely enough by its own threshold.
    let given = |more: &[&str]| {
        train(&dir, &[&["--force"], more].concat()).expect(0);
        let json = dir.run(&["info", model, "--json"]).expect(0).out;
        let json: Value = serde_json::from_str(&json).unwrap();
        let scores: Value = serde_json::from_str(&dir.read("run/scores.json")).unwrap();
        assert_eq!(json["threshold"], scores["model"]["threshold"]);
        (json["threshold"].as_f64(), dir.run(&["info", model]).expect(0).out)
    };
    let (threshold, text) = given(&["--set", "decode=best"]);
    assert!(threshold.is_none() && text.contains("entities of the best tags"), "{text}");
    let (threshold, text) = given(&["--set", "decode=likely"]);
    let threshold = threshold.unwrap();
    assert!((0.0..=0.5).contains(&threshold));
    assert!(text.contains(&format!("entities that are likelier than {threshold}")), "{text}");
    assert!(dir.read("run/report.html").contains(&format!("likelier than {threshold}, found on")));
}

#[test]
fn a_run_is_the_same_for_one_two_and_five_threads() {
    let hash = |threads: &str| {
        let dir = Dir::new();
        train(&dir, &["--threads", threads, "--batch", "40"]).expect(0);
        std::fs::read(dir.path("run/model.safetensors")).unwrap()
    };
    let one = hash("1");
    assert!(one == hash("2"), "two threads");
    assert!(one == hash("5"), "five threads");
}

#[test]
fn a_run_is_the_same_by_avx2_and_by_avx512() {
    let levels = [tensor::simd::Level::Avx2, tensor::simd::Level::Avx512];
    if !levels.iter().all(|level| level.is_available()) {
        println!("skipped: this processor has not both of AVX2 and AVX-512");
        return;
    }
    let dir = Dir::new();
    dir.write("data.csv", corpus(false));
    let models = levels.map(|level| {
        let args = ["train", "data.csv", "-o", level.name(), "-q", "--epochs", "3"];
        let ran = common::command(&dir.path("."))
            .env(tensor::simd::VARIABLE, level.name())
            .args(args)
            .status();
        assert!(ran.expect("the program starts").success());
        std::fs::read(dir.path(level.name()).join("model.safetensors")).unwrap()
    });
    assert!(models[0] == models[1], "the models differ");
}

#[test]
fn a_finished_run_is_not_written_over_unless_told_so() {
    let dir = Dir::new();
    train(&dir, &[]).expect(0);
    let before = dir.read("run/scores.json");
    train(&dir, &[]).expect(2).says(&["E012", "--force"]);
    assert_eq!(dir.read("run/scores.json"), before);
    train(&dir, &["--force"]).expect(0);
    train(&dir, &["--resume"]).expect(2).says(&["E043", "finished"]);
}

#[test]
fn a_run_never_writes_over_what_it_reads() {
    let dir = Dir::new();
    let gold = dir.write("test.conll", "Ann B-per\nslept O\n");
    dir.write("data.csv", corpus(false));
    let base = ["train", "data.csv", "--test", "test.conll", "-o", "."];
    for more in [&[][..], &["--force"]] {
        dir.run(&[&base, QUICK, more].concat()).expect(2).says(&["E012", "test.conll"]);
    }
    assert_eq!(std::fs::read_to_string(gold).unwrap(), "Ann B-per\nslept O\n");
}

#[test]
fn scores_are_in_the_scheme_of_the_data_whatever_the_network_learns() {
    let dir = Dir::new();
    train(&dir, &["--set", "inside=iobes", "--set", "chars=cnn"]).expect(0);
    let scores: Value = serde_json::from_str(&dir.read("run/scores.json")).unwrap();
    assert_eq!(scores["test"]["strict"]["rule"], "strict iob2");
    assert!(!dir.read("run/test.conll").contains(" S-"));
    // eval on the whole file and the run's own dev and test count the same gold entities.
    let eval = dir.run(&["eval", "run/model.safetensors", "data.csv", "--json"]).expect(0).out;
    let eval: Value = serde_json::from_str(&eval).unwrap();
    assert_eq!((&eval["rule"], &eval["micro"]["gold"]), (&"strict iob2".into(), &120.into()));
}

#[test]
fn letters_can_be_read_where_no_word_is_known() {
    let dir = Dir::new();
    train(&dir, &["--set", "chars=lstm", "--set", "min-count=100000"]).expect(0);
}

#[test]
fn a_summary_counts_every_weight() {
    let dir = Dir::new();
    train(&dir, &["--set", "chars=cnn"]).expect(0);
    let info = dir.run(&["info", "run/model.safetensors", "--json"]).expect(0).out;
    let info: Value = serde_json::from_str(&info).unwrap();
    let layers = info["layers"].as_array().unwrap();
    let sum: u64 = layers.iter().map(|l| l["parameters"].as_u64().unwrap()).sum();
    assert_eq!(info["parameters"], sum);
}

#[test]
fn a_label_that_only_dev_has_is_refused_unless_told_so() {
    let dir = Dir::new();
    dir.write("train.csv", corpus(false));
    dir.write("dev.csv", corpus(true));
    let base = ["train", "train.csv", "--dev", "dev.csv", "-o", "run"];
    let ran = dir.run(&[&base, QUICK].concat()).expect(2).says(&["E007", "product", "dev.csv:"]);
    assert!(!dir.path("run").exists(), "{}", ran.err);
    let allowed = [&base, QUICK, &["--allow-new-labels"]].concat();
    dir.run(&allowed).expect(0).says(&["W007", "product"]);
}

/// Name and content of a file, flags, and what the error has to say.
type Case<'a> = (&'a str, Vec<u8>, &'a [&'a str], &'a [&'a str]);

#[test]
fn mistakes_in_files_give_one_error_with_its_place_and_leave_nothing_behind() {
    let dir = Dir::new();
    let good = corpus(false);
    let mut bad_byte = good.clone().into_bytes();
    bad_byte[60] = 0x85;
    let no_breaks: String =
        (0..10_050).map(|n| format!("w{n},{}\n", if n == 0 { "B-x" } else { "O" })).collect();
    let cases: &[Case] = &[
        ("columns.csv", good.replacen(",Tag", ",Label_x", 1).into(), &[], &["E002", "Label_x"]),
        (
            "ragged.csv",
            format!("{good}Sentence: 99,only\n").into(),
            &[],
            &["E003", "ragged.csv:422"],
        ),
        ("byte.csv", bad_byte, &["--encoding", "utf-8"], &["E001", "0x85", "byte.csv:"]),
        ("empty.csv", Vec::new(), &[], &["empty.csv"]),
        ("breaks.csv", format!("Word,Tag\n{no_breaks}").into(), &[], &["E004", "10,050"]),
        ("only_o.csv", good.replace("B-per", "O").replace("B-geo", "O").into(), &[], &["E009"]),
    ];
    for (name, content, flags, parts) in cases {
        dir.write(name, content);
        let args = [&["train", name, "-o", "run"], *flags, QUICK].concat();
        let ran = dir.run(&args).expect(2).says(parts);
        assert_eq!(ran.err.matches("error[").count(), 1, "{name}: {}", ran.err);
        assert!(!dir.path("run").exists(), "{name} left a run");
    }
    dir.run(&["train", "missing.csv", "-o", "run"]).expect(2).says(&["missing.csv"]);
}

#[test]
fn files_that_are_no_models_are_told_apart() {
    let dir = Dir::new();
    train(&dir, &[]).expect(0);
    let whole = std::fs::read(dir.path("run/model.safetensors")).unwrap();
    dir.write("short.safetensors", &whole[..whole.len() - 100]);
    let at =
        whole.windows(13).position(|w| w == b"{\\\"format\\\":1").expect("the format's number");
    let mut other = whole.clone();
    other[at + 12] = b'9';
    dir.write("other.safetensors", other);
    dir.write("text.safetensors", "epochs = 3\n");
    for (name, part) in [
        ("short.safetensors", "cut short"),
        ("other.safetensors", "format is 9"),
        ("text.safetensors", "it is a text"),
        (".", "holds no model.safetensors"),
        ("none.safetensors", "none.safetensors"),
    ] {
        dir.run(&["tag", name, "--text", "x"]).expect(2).says(&[part]);
    }
}

#[test]
fn misspelt_keys_flags_and_presets_name_the_nearest() {
    let dir = Dir::new();
    dir.write("data.csv", corpus(false));
    let run = |more: &[&str]| dir.run(&[&["train", "data.csv", "-o", "run"], more].concat());
    run(&["--set", "epoch=3"]).expect(2).says(&["E040", "`epochs`"]);
    run(&["--preset", "tutorail"]).expect(2).says(&["E040", "`tutorial`"]);
    run(&["--epoch", "3"]).expect(2).says(&["--epochs"]);
    run(&["--batch", "0"]).expect(2).says(&["E041", "batch"]);
    dir.run(&["help", "e003"]).expect(0);
    dir.run(&["help", "E999"]).expect(2);
}

#[test]
fn a_closed_pipe_ends_quietly() {
    use std::process::Stdio;
    let dir = Dir::new();
    let mut child = common::command(&dir.path("."))
        .args(["help", "config"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success() && done.stderr.is_empty(), "{done:?}");
}
