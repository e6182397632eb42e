//! `--refit`: a training that gives the threshold, then one on train and dev together.

mod common;

use common::Dir;
use serde_json::Value;

/// 80 sentences with names of two types.
fn corpus() -> String {
    let mut text = String::new();
    let names = ["Ann", "Bob", "Eve", "Tom", "Ida", "Kim", "Lee"];
    for n in 0..80 {
        let (name, town) = (names[n % 7], names[(n + 3) % 7]);
        text += &format!("{name} B-per\nsaw O\n{n} O\nof O\n{town} B-geo\n. O\n\n");
    }
    text
}

const SMALL: [&str; 8] =
    ["--set", "encoder=bilstm:8", "--set", "embedding=8", "--set", "wide-rows=64", "--epochs", "6"];

fn train<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let epochs = if more.contains(&"--epochs") { &[][..] } else { &["--epochs", "6"] };
    [&["train", "data.conll"], &SMALL[..], epochs, more].concat()
}

fn scores(dir: &Dir, run: &str) -> Value {
    serde_json::from_str(&dir.read(&format!("{run}/scores.json"))).unwrap()
}

fn model(dir: &Dir, run: &str) -> Vec<u8> {
    std::fs::read(dir.path(run).join("model.safetensors")).unwrap()
}

#[test]
fn the_second_training_is_one_on_train_and_dev_with_the_threshold_of_the_first() {
    let dir = Dir::new();
    dir.write("data.conll", corpus());
    let ran = dir.run(&train(&["-o", "run", "--refit"])).expect(0);
    assert!(ran.out.starts_with("dev F1 ") && ran.out.contains("\n\ntest\n"), "{}", ran.out);
    let [first, second] = ["run/without-dev", "run"].map(|run| scores(&dir, run));
    let [train_1, dev_1, test_1] = ["train", "dev", "test"]
        .map(|part| usize::try_from(first["sentences"][part].as_u64().unwrap()).unwrap());
    assert!(dev_1 > 0 && test_1 > 0);
    assert_eq!(second["sentences"]["train"], train_1 + dev_1);
    assert_eq!(second["sentences"]["dev"], 0);
    assert_eq!(second["sentences"]["test"], test_1);
    assert!(second["dev"].is_null() && second["test"].is_object() && first["dev"].is_object());
    let threshold = &first["model"]["threshold"];
    assert_eq!(&second["model"]["threshold"], threshold);
    assert!(dir.read("run/report.html").contains("found on dev before its sentences were learned"));

    // The first is a training as it would be without.
    dir.run(&train(&["-o", "alone"])).expect(0);
    assert!(model(&dir, "run/without-dev") == model(&dir, "alone"), "the first is another");
    // The second, too: of the same sentences under one name, with the threshold as it was found.
    let (threshold, split) = (format!("threshold={threshold}"), parts(&dir));
    let by_hand = ["-o", "hand", "--split-file", &split, "--set", &threshold];
    dir.run(&train(&by_hand)).expect(0);
    let [a, b] = ["run", "hand"]
        .map(|run| train::Model::load(&dir.path(run).join("model.safetensors")).unwrap());
    assert_eq!(a.weights_sha256(), b.weights_sha256());
    assert_eq!(a.threshold, b.threshold);
}

/// The parts of the first run, dev's sentences among train's.
fn parts(dir: &Dir) -> String {
    let (corpus, _) = data::read(dir.path("data.conll"), &data::ReadOptions::default()).unwrap();
    let split = data::Split::by_fractions(&corpus, [80.0, 10.0, 10.0], 1, true).unwrap();
    dir.write("parts.txt", split.with_dev_in_train().to_index_file());
    "parts.txt".into()
}

#[cfg(unix)]
#[test]
fn interrupted_in_either_training_it_goes_on_to_the_same_bits() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    let dir = Dir::new();
    dir.write("data.conll", corpus());
    // Long enough for the signal to arrive in time.
    let members = ["--set", "members=2", "--refit", "--epochs", "60"];
    dir.run(&train(&[&["-o", "straight"], &members[..]].concat())).expect(0);
    // Stopped behind the second line of each training, resumed with nothing but the data and the folder.
    let mut args = train(&[&["-o", "run"], &members[..]].concat());
    for stops in 0..2 {
        let mut child = common::command(&dir.path("."))
            .args(&args)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        if stops == 1 {
            lines.find(|line| line.starts_with("once more")).expect("the second training");
        }
        lines.find(|line| line.starts_with("epoch  2/60")).expect("two epochs");
        let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let rest: Vec<String> = lines.collect();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
        args = vec!["train", "data.conll", "-o", "run", "--resume"];
    }
    dir.run(&args).expect(0);
    for run in ["", "/without-dev"] {
        let [a, b] = ["straight", "run"].map(|name| model(&dir, &format!("{name}{run}")));
        assert!(a == b, "the models differ{run}");
    }
    // A later run without it leaves nothing of the first behind.
    dir.run(&train(&["-o", "run", "--force"])).expect(0);
    assert!(!dir.path("run/without-dev").exists());
}

#[test]
fn what_does_not_go_together_with_it_is_refused() {
    let dir = Dir::new();
    dir.write("data.conll", corpus());
    let refused = |more: &[&str], says: &[&str]| {
        dir.run(&train(&[&["-o", "run", "--refit"], more].concat())).expect(2).says(says);
        assert!(!dir.path("run").exists());
    };
    refused(&["--set", "keep=best"], &["E041", "keep = \"last\""]);
    refused(&["--set", "patience=2"], &["E041", "patience = 0"]);
    refused(&["--set", "schedule=plateau"], &["E041", "plateau"]);
    refused(&["--split", "90,0,10"], &["E041", "needs a dev part"]);
}

#[test]
fn no_other_run_is_written_over_and_none_gone_on_with_under_other_settings() {
    let dir = Dir::new();
    dir.write("data.conll", corpus());
    // A run of one's own where the first training would go.
    dir.run(&train(&["-o", "run/without-dev"])).expect(0);
    let before = model(&dir, "run/without-dev");
    dir.run(&train(&["-o", "run", "--refit"])).expect(2).says(&["E012"]);
    assert!(model(&dir, "run/without-dev") == before);
    // A mistake that comes to light late leaves an old run whole.
    dir.run(&train(&["-o", "old", "--refit"])).expect(0);
    let before = model(&dir, "old");
    let wide = ["-o", "old", "--refit", "--force", "--set", "embedding=1000000"];
    dir.run(&train(&[&wide[..], &["--set", "affix-rows=100000"]].concat())).expect(2);
    assert!(model(&dir, "old") == before && dir.path("old/scores.json").exists());
    // Nor is what it reads.
    let read = ["train", "old/without-dev/test.conll", "--columns", "tag=2", "-o", "old"];
    dir.run(&[&read[..], &["--refit", "--force"]].concat()).expect(2).says(&["E012", "write over"]);

    // As if the second training had been stopped at its start.
    std::fs::remove_file(dir.path("old/scores.json")).unwrap();
    let resume = |more: &[&str]| {
        dir.run(&[&["train", "data.conll", "-o", "old", "--resume"], more].concat())
    };
    resume(&["--learning-rate", "0.1"]).expect(2).says(&["E043", "other settings"]);
    resume(&["--refit=false"]).expect(2).says(&["E043", "refit = true"]);
    dir.write("other.conll", corpus().replace("Ann", "Una"));
    let other = ["train", "other.conll", "-o", "old", "--resume"];
    dir.run(&other).expect(2).says(&["E043", "other data"]);
    resume(&[]).expect(0);
    assert!(model(&dir, "old") == before);
}
