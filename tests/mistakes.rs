//! The likeliest mistakes, each with its message: what is wrong, where, and what to do.

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use common::{Dir, Ran};

const GOOD: &str =
    "Ann B-per\nleft O\nRome B-geo\n\nBob B-per\nslept O\n\nEve B-per\nsaw O\nOslo B-geo\n\n";
const QUICK: &[&str] =
    &["--epochs", "1", "--set", "encoder=bilstm:4,lstm:4", "--set", "embedding=4"];

/// Trains on a file of this content.
fn train(dir: &Dir, name: &str, content: impl AsRef<[u8]>, more: &[&str]) -> Ran {
    dir.write(name, content);
    dir.run(&[&["train", name, "-o", "run"], QUICK, more].concat())
}

#[test]
fn an_encoding_is_guessed_with_a_warning_and_a_wrong_one_is_refused_with_the_byte() {
    let dir = Dir::new();
    let bytes = [b"Word,Tag\nAnn,B-per\n".as_slice(), b"wait\x85,O\nRome,B-geo\n"].concat();
    let ran = train(&dir, "a.csv", &bytes, &["--encoding", "utf-8"]).expect(2);
    ran.says(&["E001", "0x85", "--> a.csv:3:5", "`--encoding windows-1252`"]);
    let ran = dir.run(&["check", "a.csv"]).expect(0);
    assert!(ran.out.contains("warning[W001]: not UTF-8, read as windows-1252"), "{}", ran.out);
}

#[test]
fn a_missing_column_is_answered_with_the_option_that_names_it() {
    let dir = Dir::new();
    let ran = train(&dir, "a.csv", "word,pos,mark\nAnn,NNP,B-per\n", &[]).expect(2);
    ran.says(&["E002", "\"Tag\"", "word, pos, mark", "--columns token=word,tag=mark"]);
}

#[test]
fn a_ragged_row_is_shown_with_its_line() {
    let dir = Dir::new();
    let ran = train(&dir, "a.csv", "Word,Tag\nAnn,B-per\n1,000,O\n", &[]).expect(2);
    ran.says(&["E003", "3 fields, expected 2", "--> a.csv:3", "| 1,000,O", "in quotes"]);
}

#[test]
fn a_file_without_sentence_breaks_is_told_so() {
    let dir = Dir::new();
    let rows = "w O\n".repeat(10_001) + "Ann B-per\n";
    let ran = train(&dir, "a.conll", rows, &[]).expect(2);
    ran.says(&["E004", "10,002 tokens", "blank line"]);
}

#[test]
fn an_illegal_tag_is_counted_and_two_ways_out_are_named() {
    let dir = Dir::new();
    let ran = train(&dir, "a.conll", format!("{GOOD}x O\ny I-org\n\n"), &[]).expect(2);
    ran.says(&["E005", "I-org after O", "a.conll:13", "longhand convert --repair"]);
    let iob1 = "Ann I-per\nmet O\nBob I-per\nLee I-per\n\n";
    let ran = train(&dir, "b.conll", iob1, &["--scheme", "iob2"]).expect(2);
    ran.says(&["E005", "`--scheme iob1`"]);
}

#[test]
fn parts_in_two_schemes_are_named_with_their_letters() {
    let dir = Dir::new();
    dir.write("dev.conll", "Ann S-per\nleft O\n\n");
    let ran = train(&dir, "train.conll", GOOD, &["--dev", "dev.conll"]).expect(2);
    ran.says(&[
        "E006",
        "B and I tags in train.conll, E and S tags in dev.conll",
        "longhand convert",
    ]);
}

#[test]
fn a_type_that_train_lacks_is_counted() {
    let dir = Dir::new();
    dir.write("dev.conll", "Fizz B-product\nis O\n\n");
    let ran = train(&dir, "train.conll", GOOD, &["--dev", "dev.conll"]).expect(2);
    ran.says(&["E007", "dev has \"product\" (1 token)", "--allow-new-labels"]);
}

#[test]
fn sentences_of_test_that_train_has_are_counted_before_training() {
    let dir = Dir::new();
    dir.write("test.conll", "Bob B-per\nslept O\n\nTom B-per\nran O\n\n");
    let ran = train(&dir, "train.conll", GOOD, &["--test", "test.conll"]).expect(0);
    ran.says(&["warning[W008]: 1 of 2 sentences of test is also in train (50.0 %)"]);
}

#[test]
fn a_column_of_parts_of_speech_is_not_taken_for_tags() {
    let dir = Dir::new();
    let rows = "Word,A,B\nAnn,NNP,B-per\nran,VBD,O\n";
    let ran = train(&dir, "a.csv", rows, &["--columns", "token=Word,tag=A"]).expect(2);
    ran.says(&["E009", "column 2 (\"A\")", "NNP", "`--columns tag=3`"]);
    let ran = train(&dir, "b.conll", "a O\nb O\n\n", &[]).expect(2);
    ran.says(&["E009"]);
}

#[test]
fn a_loss_that_is_no_number_ends_the_run_with_its_own_code() {
    let dir = Dir::new();
    let args = ["train", "-o", "run", "--preset", "tutorial", "--lr", "3", "--batch", "10"];
    let ran = dir.run(
        &[&args[..], &QUICK[..2], &["--set", "encoder=bilstm:8,lstm:8", "--threads", "2"]].concat(),
    );
    ran.expect(3).says(&["E011", "epoch 1, batch", "first in"]);
}

#[test]
fn a_finished_run_is_kept() {
    let dir = Dir::new();
    train(&dir, "a.conll", GOOD, &[]).expect(0);
    let ran = train(&dir, "a.conll", GOOD, &[]).expect(2);
    ran.says(&["E012", "run holds a finished run", "`--force`"]);
}

#[test]
fn a_file_that_is_no_model_is_told_by_what_it_is() {
    let dir = Dir::new();
    dir.write("my.toml", "epochs = 3\n");
    dir.run(&["tag", "my.toml", "--text", "x"]).expect(2).says(&["E013", "my.toml"]);
}

#[test]
fn more_threads_than_cores_get_a_warning_and_the_same_model() {
    let dir = Dir::new();
    let threads = (std::thread::available_parallelism().map_or(2, usize::from) + 62).to_string();
    let many = train(&dir, "a.conll", GOOD, &["--threads", &threads]).expect(0);
    many.says(&[&format!("warning[W045]: {threads} threads on")]);
    let model = std::fs::read(dir.path("run/model.safetensors")).unwrap();
    train(&dir, "a.conll", GOOD, &["--threads", "1", "--force"]).expect(0);
    assert!(model == std::fs::read(dir.path("run/model.safetensors")).unwrap());
    let quiet = train(&dir, "a.conll", GOOD, &["--threads", &threads, "--force", "-q"]).expect(0);
    assert_eq!(quiet.err, "");
}

#[test]
fn misspelt_commands_flags_files_and_keys_name_the_nearest() {
    let dir = Dir::new();
    dir.write("letters.conll", GOOD);
    let says = |args: &[&str], parts: &[&str]| drop(dir.run(args).expect(2).says(parts));
    says(&["chek"], &["'check'"]);
    says(&["convert", "a", "b", "--shceme", "iob2"], &["'--scheme'"]);
    says(&["check", "leters.conll"], &["E021", "did you mean letters.conll?"]);
    says(&["check", "letters.conll", "--scheme", "bioo"], &["E027", "iob2 (bio)"]);
    says(&["check", "letters.conll", "--encoding", "utf9"], &["E027", "windows-1252"]);
    says(&["train", "letters.conll", "--set", "epoch=3"], &["E040", "`epochs`"]);
    says(&["help", "E999"], &["E044"]);
}

#[test]
fn colour_follows_the_flag_and_never_reaches_a_pipe_by_itself() {
    let dir = Dir::new();
    dir.write("a.conll", GOOD);
    let plain = dir.run(&["check", "a.conll"]).expect(0);
    let never = dir.run(&["check", "a.conll", "--color", "never"]).expect(0);
    let always = dir.run(&["check", "a.conll", "--color", "always"]).expect(0);
    assert!(!plain.out.contains('\x1b') && plain.out == never.out);
    assert!(always.out.contains("\x1b[1;33mwarning"));
    let error = dir.run(&["check", "none", "--color", "always"]).expect(2);
    assert!(error.err.starts_with("\x1b[1;31merror[E021]\x1b[0m"), "{}", error.err);
    assert!(!dir.run(&["check", "none"]).expect(2).err.contains('\x1b'));
}

#[cfg(target_os = "linux")]
#[test]
fn no_color_is_heard_on_a_terminal() {
    // `script` gives the program a terminal.
    let dir = Dir::new();
    dir.write("a.conll", GOOD);
    let program = env!("CARGO_BIN_EXE_longhand");
    let on_terminal = |setting: &str| {
        let line = format!("env {setting} TERM=xterm {program} check a.conll");
        let mut script = Command::new("script");
        script.args(["-qec", &line, "/dev/null"]).current_dir(dir.path(".")).stdin(Stdio::null());
        let ran = script.env_remove("NO_COLOR").output().ok()?;
        Some(ran.stdout.contains(&0x1b))
    };
    match on_terminal("-u NO_COLOR") {
        Some(painted) => assert!(painted),
        None => return eprintln!("SKIPPED: there is no `script` here"),
    }
    assert_eq!(on_terminal("NO_COLOR=1"), Some(false));
    assert_eq!(on_terminal("NO_COLOR="), Some(true), "empty is unset");
}

#[test]
fn every_long_output_ends_quietly_when_nobody_reads_it() {
    let dir = Dir::new();
    train(&dir, "a.conll", GOOD, &[]).expect(0);
    let model = "run/model.safetensors";
    dir.write("text.txt", "Ann left Rome. ".repeat(5000));
    dir.write("long.conll", GOOD.repeat(5000));
    let commands: &[&[&str]] = &[
        &["--help"],
        &["help"],
        &["help", "codes"],
        &["help", "config"],
        &["check", "a.conll"],
        &["check", "a.conll", "--json"],
        &["convert", "long.conll", "-", "--to", "jsonl", "-q"],
        &["score", "a.conll", "a.conll"],
        &["init", "-o", "-"],
        &["completions", "bash"],
        &["man"],
        &["info", model],
        &["eval", model, "a.conll"],
        &["tag", model, "text.txt"],
        &["tag", model, "text.txt", "--out", "jsonl"],
    ];
    for args in commands {
        let mut child = common::command(&dir.path("."))
            .args(*args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let done = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success() && err.is_empty(), "{args:?}: {} {err}", done.status);
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_is_saved_and_goes_on() {
    let dir = Dir::new();
    let train = ["train", "-o", "run", "--epochs", "8"];
    let small = ["--set", "encoder=bilstm:8,lstm:8", "--set", "embedding=8"];
    let mut child = common::command(&dir.path("."))
        .args([&train[..], &small].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    lines.find(|line| line.starts_with("epoch  1/8")).expect("the first epoch's line");
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("--resume")), "{rest:?}");
    let resumed = dir.run(&[&train[..], &small, &["--resume"]].concat()).expect(0);
    assert!(!resumed.err.contains("epoch  1/8") && resumed.err.contains("epoch  8/8"));
}
