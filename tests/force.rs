//! `train --force`: the old run stands until the new one is finished, whatever happens on the way.

mod common;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use common::Dir;

/// 80 sentences with names of two types.
fn corpus() -> String {
    let names = ["Ann", "Bob", "Eve", "Tom", "Ida", "Kim", "Lee"];
    let sentence = |n: usize| {
        let (name, town) = (names[n % 7], names[(n + 3) % 7]);
        format!("{name} B-per\nsaw O\n{n} O\nof O\n{town} B-geo\n. O\n\n")
    };
    (0..80).map(sentence).collect()
}

const TRAIN: [&str; 10] = [
    "train",
    "data.conll",
    "--set",
    "encoder=bilstm:8",
    "--set",
    "embedding=8",
    "--set",
    "wide-rows=64",
    "--set",
    "members=1",
];

fn train<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&TRAIN[..], more].concat()
}

/// A folder with data and a finished run.
fn with_run() -> Dir {
    let dir = Dir::new();
    dir.write("data.conll", corpus());
    dir.run(&train(&["-o", "run", "--epochs", "2"])).expect(0);
    dir
}

/// Names and contents of all files of a folder, those within it too.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        match path.is_dir() {
            true => all.extend(files(&path).into_iter().map(|(n, c)| (format!("{name}/{n}"), c))),
            false => all.push((name, std::fs::read(&path).unwrap())),
        }
    }
    all.sort();
    all
}

fn without<'a>(all: &'a [(String, Vec<u8>)], part: &str) -> Vec<&'a (String, Vec<u8>)> {
    all.iter().filter(|(name, _)| !name.starts_with(part)).collect()
}

fn model(dir: &Dir, run: &str) -> Vec<u8> {
    std::fs::read(dir.path(run).join("model.safetensors")).unwrap()
}

/// Starts a training and waits for its second epoch.
fn second_epoch(dir: &Dir, args: &[&str]) -> (Child, impl Iterator<Item = String> + use<>) {
    let mut command = common::command(&dir.path("."));
    let mut child =
        command.args(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    lines.find(|line| line.starts_with("epoch  2/")).expect("two epochs");
    (child, lines)
}

#[test]
fn a_training_that_diverges_or_is_refused_leaves_the_old_run_as_it_was() {
    let dir = with_run();
    let before = files(&dir.path("run"));
    let wild = ["--preset", "tutorial", "--set", "encoder=bilstm:8,lstm:8", "--batch", "10"];
    let wild =
        [&["-o", "run", "--force"], &wild[..], &["--learning-rate", "100", "--epochs", "50"]];
    dir.run(&train(&wild.concat())).expect(3).says(&["E011", "run is as it was"]);
    assert!(
        files(&dir.path("run")) == before,
        "it ended in its first epoch: nothing is left of it"
    );
    let refused =
        ["-o", "run", "--force", "--set", "embedding=1000000", "--set", "affix-rows=100000"];
    dir.run(&train(&refused)).expect(2);
    assert!(files(&dir.path("run")) == before);
}

#[cfg(unix)]
#[test]
fn stopped_or_killed_it_leaves_the_old_run_as_it_was_and_goes_on_to_the_same_bits() {
    let dir = with_run();
    let before = files(&dir.path("run"));
    let long = ["--epochs", "200", "--seed", "7"];
    dir.run(&train(&[&["-o", "straight"], &long[..]].concat())).expect(0);
    let force = train(&[&["-o", "run", "--force"], &long[..]].concat());

    let (mut child, _) = second_epoch(&dir, &force);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(before.iter().eq(without(&files(&dir.path("run")), "unfinished/")));

    // Another training does not mix its files in.
    let (mut child, lines) = second_epoch(&dir, &force);
    for flag in ["--force", "--resume"] {
        let args = train(&["-o", "run", flag]);
        dir.run(&args).expect(2).says(&["E012", "another training or search writes into run"]);
    }
    assert!(
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success()
    );
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("run is as it was")), "{rest:?}");
    assert!(before.iter().eq(without(&files(&dir.path("run")), "unfinished/")));

    let refused = dir.run(&train(&["-o", "run"])).expect(2);
    refused.says(&["E012", "a finished run, and one begun to take its place", "`--resume`"]);
    dir.run(&["train", "data.conll", "-o", "run", "--resume"]).expect(0);
    assert!(model(&dir, "run") == model(&dir, "straight"), "the models differ");
    assert!(!dir.path("run/unfinished").exists());
    dir.run(&["train", "data.conll", "-o", "run", "--resume"])
        .expect(2)
        .says(&["E043", "finished"]);
}

#[test]
fn a_new_run_takes_the_place_of_the_old_one_and_leaves_other_files_alone() {
    let dir = with_run();
    std::fs::create_dir(dir.path("run/without-dev")).unwrap();
    dir.write("run/notes.txt", "mine");
    dir.write("run/without-dev/notes.txt", "mine, too");
    for more in [&["--refit"][..], &["--refit", "--seed", "2"], &[]] {
        dir.run(&train(&[&["-o", "run", "--epochs", "2", "--force"], more].concat())).expect(0);
        let names: Vec<String> =
            files(&dir.path("run")).into_iter().map(|(name, _)| name).collect();
        let n = |part: &str| names.iter().filter(|name| name.starts_with(part)).count();
        let within = if more.is_empty() { 1 } else { 10 };
        assert_eq!(
            (n("without-dev/"), n("unfinished"), n("")),
            (within, 0, within + 10),
            "{names:?}"
        );
        assert!(dir.read("run/report.html").contains("<title>run"));
    }
}

#[test]
fn killed_while_it_takes_its_place_it_goes_on_at_the_next_start() {
    let dir = with_run();
    dir.run(&train(&["-o", "new", "--epochs", "2", "--seed", "5", "--refit"])).expect(0);
    std::fs::remove_file(dir.path("new/report.html")).unwrap(); // written when all is in its place
    let new = files(&dir.path("new"));
    let old = files(&dir.path("run"));
    for moved in 0..=3 {
        std::fs::remove_dir_all(dir.path("run")).unwrap();
        std::fs::create_dir_all(dir.path("run/unfinished/without-dev")).unwrap();
        old.iter().for_each(|(name, text)| drop(dir.write(&format!("run/{name}"), text)));
        dir.write("run/unfinished/replaces", "");
        new.iter()
            .for_each(|(name, text)| drop(dir.write(&format!("run/unfinished/{name}"), text)));
        for name in ["scores.json", "report.html"].iter().filter(|_| moved > 0) {
            std::fs::remove_file(dir.path("run").join(name)).unwrap();
        }
        let order = ["model.safetensors", "test.conll", "metrics.jsonl"];
        for name in order.iter().take(moved) {
            std::fs::rename(dir.path("run/unfinished").join(name), dir.path("run").join(name))
                .unwrap();
        }
        dir.run(&train(&["-o", "run", "--resume"])).expect(2).says(&["E043", "finished"]);
        assert!(files(&dir.path("run")) == new, "{moved}");
    }
}
