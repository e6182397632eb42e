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
    ran.says(&["E005", "I-org after O", "a.conll:13", "longhand convert FILE OUT --repair"]);
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
    assert!(!dir.path("run").exists(), "the next training finds no run in its way");
}

#[test]
fn a_slip_in_one_tag_is_told_with_its_line_and_can_be_repaired() {
    let dir = Dir::new();
    for (name, rows, line) in [
        ("a.conll", format!("{GOOD}Kim b_per\nran O\n\n"), GOOD.lines().count() + 1),
        ("b.csv", format!("Word,Tag\n{}Kim,b_per\n", "Ann,B-per\nran,O\n".repeat(20)), 42),
    ] {
        let ran = train(&dir, name, rows, &[]).expect(2);
        ran.says(&["E005", "\"b_per\" is no tag", &format!("{name}:{line}"), "write B-per"]);
        dir.run(&["check", name, "--deny", "error"]).expect(1);
        dir.run(&["convert", name, "fixed.conll", "--repair"]).expect(0).says(&["b_per → B-per"]);
        dir.run(&["check", "fixed.conll", "--deny", "error"]).expect(0);
    }
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
    let again = "Go on with: longhand train -o run --epochs 8 --set encoder=bilstm:8,lstm:8 --set embedding=8 --resume";
    assert!(rest.iter().any(|line| line.ends_with(again)), "{rest:?}");
    dir.run(&[&train[..], &["--preset", "fast", "--resume"]].concat()).expect(2).says(&["E043"]);
    // The settings are those that it began with, named again or not.
    let resumed = dir.run(&["train", "-o", "run", "--epochs", "8", "--resume"]).expect(0);
    assert!(!resumed.err.contains("epoch  1/8") && resumed.err.contains("epoch  8/8"));
}

#[test]
fn a_run_that_finds_nothing_says_so_and_what_to_try() {
    let dir = Dir::new();
    // The tutorial's recipe, whose padding teaches O.
    let network = ["--set", "encoder=bilstm:4,lstm:4", "--set", "embedding=4", "--batch", "50"];
    let args = [&["train", "-o", "run", "--preset", "tutorial", "--epochs", "4"], &network[..]];
    let args = args.concat();
    let ran = dir.run(&args).expect(0);
    let warnings = ran.err.matches("warning[W010]").count();
    assert_eq!(warnings, 1, "{}", ran.err);
    let at = ran.err.find("warning[W010]").unwrap();
    assert!(ran.err[..at].contains("epoch  3/4") && !ran.err[..at].contains("epoch  4/4"));
    ran.says(&["dev F1 is 0.0 after 3 epochs: the model says O everywhere", "--preset repaired"]);
    let ran = dir.run(&[&args[..], &["--force", "-q"]].concat()).expect(0);
    assert_eq!(ran.err, "");
}

#[test]
fn text_unlike_the_training_data_is_told_once_with_what_is_odd_about_it() {
    let dir = Dir::new();
    let set = ["--epochs", "1", "--set", "encoder=bilstm:4", "--set", "embedding=4", "-q"];
    dir.run(&[&["train", "-o", "run"], &set[..]].concat()).expect(0);
    let usual = "The minister told reporters in Houston on Monday that the talks had failed . ";
    let tag = |text: &str, more: &[&str]| {
        dir.run_with(&[&["tag", "run"], more].concat(), text).expect(0).err
    };
    assert_eq!(tag(&usual.repeat(4), &[]), "");
    let lower = tag(&usual.to_lowercase().repeat(4), &[]);
    assert!(lower.contains("W014") && lower.contains("all lower case"), "{lower}");
    let upper = tag(&usual.to_uppercase().repeat(4), &[]);
    assert!(upper.contains("W014") && upper.contains("all in capitals"), "{upper}");
    let strange = tag(&"Zwölf Boxkämpfer jagen Viktor quer über Sylt . ".repeat(9), &[]);
    assert!(
        strange.contains("W014") && strange.contains("% of the words are unknown"),
        "{strange}"
    );
    // Once, and of no more than is looked at.
    let long = tag(&format!("{}\n", usual.to_lowercase()).repeat(900), &["--threads", "2"]);
    assert_eq!(long.matches("W014").count(), 1, "{long}");
    // Too little to tell; and nothing is said to who wants quiet.
    assert_eq!(tag("an lee left oslo .", &[]), "");
    assert_eq!(tag(&usual.to_lowercase().repeat(4), &["-q"]), "");
    // Rows of a tagged file are not text.
    dir.write("a.conll", GOOD);
    dir.run(&["tag", "run", "a.conll"]).expect(0).says(&[
        "W014",
        "rows of words and tags",
        "--in conll",
    ]);
    // The same for whole files to be scored.
    dir.write("b.conll", "Zwölf O\nBoxkämpfer O\njagen O\nViktor B-per\n\n".repeat(10));
    dir.run(&["eval", "run", "b.conll"]).expect(0).says(&["W014", "are unknown"]);
}

#[test]
fn what_is_no_model_is_told_by_its_kind_and_by_what_is_wrong_with_it() {
    let dir = Dir::new();
    train(&dir, "a.conll", GOOD, &[]).expect(0);
    let model = std::fs::read(dir.path("run/model.safetensors")).unwrap();
    let says = |content: &[u8], part: &str| {
        dir.write("m", content);
        drop(dir.run(&["tag", "m", "--text", "x"]).expect(2).says(&["E013", "--> m", part]));
    };
    says(b"epochs = 3\n", "it is a text");
    says(b"PK\x03\x04", "zip archive, such as PyTorch writes");
    says(b"\x89HDF\r\n", "HDF5 file, such as Keras writes");
    says(b"\x1f\x8b\x08", "packed with gzip");
    says(b"", "it is empty");
    says(&model[..model.len() / 2], "cut short or damaged");
    let text = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let at = model.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        let mut changed = model.clone();
        changed[at..at + to.len()].copy_from_slice(to.as_bytes());
        changed
    };
    says(&text("\\\"format\\\":1", "\\\"format\\\":9"), "its format is 9, this version reads 1");
    says(&text("\"dense.w\"", "\"dense.v\""), "tensor dense.w");
    // A byte that was lost on the way: what reads the whole file sees it.
    let mut lost = model.clone();
    *lost.last_mut().unwrap() ^= 0x10;
    dir.write("m", lost);
    dir.run(&["info", "m"]).expect(2).says(&["E013", "--> m", "it is damaged"]);
    // A folder of runs, a run that is none, what was typed in the wrong order.
    dir.run(&["tag", ".", "--text", "x"]).expect(2).says(&["E013", "runs in it, such as ./run"]);
    dir.run(&["info", "rum"]).expect(2).says(&["E021", "no such model"]);
    dir.run(&["tag", "Ann left Oslo."]).expect(2).says(&["E021", "the model comes first"]);
    dir.run(&["eval", "a.conll", "run/model.safetensors"])
        .expect(2)
        .says(&["E013", "it is a text"]);
    dir.run(&["train", "run/model.safetensors"]).expect(2).says(&["E025", "this is a model"]);
}

#[test]
fn the_folder_of_a_run_stands_for_its_model() {
    let dir = Dir::new();
    train(&dir, "a.conll", GOOD, &[]).expect(0);
    for args in [&["tag", "run", "--text", "Ann left Rome ."][..], &["info", "run"]] {
        let by_folder = dir.run(args).expect(0).out;
        let by_file = [&[args[0], "run/model.safetensors"], &args[2..]].concat();
        assert_eq!(by_folder, dir.run(&by_file).expect(0).out);
    }
    dir.run(&["eval", "run", "a.conll"]).expect(0);
    // Who may read one file of a run may read the others.
    let allowed = |name: &str| dir.path(name).metadata().unwrap().permissions();
    assert_eq!(allowed("run/model.safetensors"), allowed("run/config.toml"));
}

#[test]
fn vectors_that_do_not_read_name_the_line() {
    let dir = Dir::new();
    dir.write("v.txt", "the 1 2 3\nof 1 2\n");
    let ran = train(&dir, "a.conll", GOOD, &["--vectors", "v.txt"]).expect(2);
    ran.says(&["E015", "--> v.txt:2", "expected 3"]);
}

#[test]
fn files_that_are_no_tagged_text_are_told_by_what_they_are() {
    let dir = Dir::new();
    let says = |name: &str, content: &[u8], parts: &[&str]| {
        drop(train(&dir, name, content, &[]).expect(2).says(parts));
    };
    says("a.conll", b"", &["E023", "the file is empty", "--> a.conll"]);
    says("a.csv", b"Word,Tag\n", &["E023", "nothing but a header"]);
    says("a.conll", b"just some text\nof two lines\n", &["E009"]);
    says("a.conll", b"A line.\n\nAnother line.\n", &["E009"]);
    says("a.conll", b"Ann\0 B-per\n", &["E025", "a.conll:1:4"]);
    says("a.pdf", b"%PDF-1.4\n\0", &["E025", "this is a PDF"]);
    says("a.conll", b"Ann b-per\nleft O\nRome b-geo\n", &["E009", "write b-per as B-per"]);
    says("a.conll", b"Ann 3\nleft 0\nRome 5\n", &["E009", "these are numbers of tags"]);
    says("a.conll", b"Ann PER\nleft O\nhome O\n", &["E009", "write PER as B-PER"]);
    says("a.csv", b"Word,Tag\nAnn,B-per\n\"left,O\nRome,B-geo\n", &["E026", "a.csv:3"]);
    let packed = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x73, 0xcc];
    says("a.conll.gz", &packed, &["E024", "ends too early"]);
    says("a.zip", b"PK\x03\x04 and no more", &["E024"]);
    std::fs::create_dir(dir.path("d")).unwrap();
    dir.write("d/a.conll", GOOD);
    dir.run(&["train", "d", "-o", "run"]).expect(2).says(&["E022", "such as d/a.conll"]);
    let url = "https://example.com/a.csv";
    dir.run(&["train", url, "-o", "run"]).expect(2).says(&["E021", "curl -LO"]);
    assert!(!dir.path("run").exists(), "nothing was written");
}

#[test]
fn odd_but_good_files_are_read_as_they_are_meant() {
    let dir = Dir::new();
    let reads = |name: &str, content: &[u8]| {
        dir.write(name, content);
        let ran = dir.run(&["check", name, "--json"]).expect(0);
        let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        let n = |key: &str| report[key].as_u64().unwrap();
        (n("sentences"), n("tokens"), report["entities"]["total"].as_u64().unwrap())
    };
    let utf16 = |text: &str| -> Vec<u8> {
        [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    };
    assert_eq!(reads("semicolons.csv", b"Word;Tag\nAnn;B-per\nleft;O\n"), (1, 2, 1));
    assert_eq!(reads("tabs.csv", b"Word\tTag\nAnn\tB-per\nleft\tO\n"), (1, 2, 1));
    assert_eq!(reads("blanks.txt", b"Ann B-per\nleft  O\n\nx O"), (2, 3, 1));
    assert_eq!(reads("excel.csv", &utf16("\"Word\";\"Tag\"\r\n\"Ann\";\"B-per\"\r\n")), (1, 1, 1));
    assert_eq!(
        reads("bom.conll", "\u{feff}Ann B-per\r\nleft O\r\n\r\nRome B-geo".as_bytes()),
        (2, 3, 2)
    );
}

#[test]
fn values_that_are_out_of_range_are_named_in_plain_words() {
    let dir = Dir::new();
    dir.write("a.conll", GOOD);
    let says = |more: &[&str], parts: &[&str]| {
        let args = [&["train", "a.conll", "-o", "run"], more].concat();
        drop(dir.run(&args).expect(2).says(parts));
    };
    says(&["--threads", "-1"], &["E041", "threads = -1", "a whole number from 0"]);
    says(&["--threads", "abc"], &["E041", "threads = \"abc\"", "a whole number from 0"]);
    says(&["--epochs", "-3"], &["E041", "a whole number from 0"]);
    says(&["--epochs", "0"], &["E041", "at least 1"]);
    says(&["--batch", "0"], &["E041", "at least 1"]);
    says(&["--lr", "0"], &["E041", "learning-rate must be above 0"]);
    says(&["--lr", "-0.1"], &["E041", "learning-rate must be above 0"]);
    says(&["--seed", "x"], &["E041"]);
    says(&["--set", "lower=maybe"], &["E041", "expected true or false"]);
    says(&["--preset", "fats"], &["E040", "did you mean `fast`?"]);
    says(&["--preset", "gpu"], &["E040", "fast, accurate, repaired, tutorial"]);
    says(&["--split", "80/10/10"], &["E029", "--split 80,10,10"]);
    says(&["--config", "none.toml"], &["E021", "none.toml"]);
    dir.write("c.toml", "epoch = 3\n");
    says(&["--config", "c.toml"], &["E040", "--> c.toml:1", "`epochs`"]);
    dir.write("c.toml", "seed = 1\nepochs =\n");
    says(&["--config", "c.toml"], &["E041", "--> c.toml:2", "KEY = VALUE"]);
    dir.run(&["tag", "run", "--text", "x", "--threads", "-1"])
        .expect(2)
        .says(&["'-1'", "--threads"]);
    assert!(!dir.path("run").exists());
}

#[test]
fn results_are_not_written_over_files_nor_into_places_that_are_none() {
    let dir = Dir::new();
    train(&dir, "a.conll", GOOD, &[]).expect(0);
    dir.run(&["train", "a.conll", "-o", "a.conll"]).expect(2).says(&["E012", "is a file"]);
    let tag = |to: &str| dir.run(&["tag", "run", "--text", "Ann left .", "-o", to]).expect(2);
    tag("none/x.txt").says(&["E042", "there is no folder none"]);
    tag("run").says(&["E042", "run is a folder", "name a file in it"]);
    let ran = dir.run(&["convert", "a.conll", "a.conll", "--scheme", "iobes"]).expect(2);
    ran.says(&["E048", "a.conll is read here and would be written over"]);
    dir.run(&["check", "a.conll", "--fix", "./a.conll"]).expect(2).says(&["E048"]);
    assert_eq!(dir.read("a.conll"), GOOD);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_of_every_command_that_writes() {
    let dir = Dir::new();
    train(&dir, "a.conll", GOOD, &[]).expect(0);
    let commands: &[&[&str]] = &[
        &["tag", "run", "--text", "Ann left Rome ."],
        &["check", "a.conll"],
        &["convert", "a.conll", "-", "--to", "jsonl", "-q"],
        &["eval", "run", "a.conll"],
        &["score", "a.conll", "a.conll"],
        &["info", "run"],
        &["help", "codes"],
        &["completions", "bash"],
        &["man"],
    ];
    for args in commands {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = common::command(&dir.path("."));
        let done = command.args(*args).stdin(Stdio::null()).stdout(full).output().unwrap();
        let err = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.code() == Some(2) && err.contains("E042"), "{args:?}: {err}");
    }
    let into = ["tag", "run", "--text", "Ann left Rome .", "-o", "/dev/full"];
    dir.run(&into).expect(2).says(&["E042", "cannot write /dev/full", "make room"]);
}

#[test]
fn data_too_small_to_be_split_is_trained_on_and_said_to_be_unscored() {
    let dir = Dir::new();
    let ran = train(&dir, "a.conll", "Ann B-per\nleft O\n\n", &[]).expect(0);
    ran.says(&["warning[W029]", "nothing is scored", "1 word, ", "1 train, 0 dev"]);
}

#[test]
fn help_knows_commands_and_codes_and_fits_the_screen() {
    let dir = Dir::new();
    let train = dir.run(&["help", "train"]).expect(0).out;
    assert!(train.contains("Usage: longhand train") && train.contains("--epochs"), "{train}");
    let codes = dir.run(&["help", "codes"]).expect(0).out;
    let each: Vec<&str> = codes.lines().filter(|l| !l.starts_with(' ')).map(|l| &l[..4]).collect();
    assert!(each.len() > 60, "{codes}");
    for code in each {
        let text = dir.run(&["help", &code.to_lowercase()]).expect(0).out;
        assert!(text.starts_with(&format!("{code}: ")), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
    assert!(codes.lines().all(|line| line.chars().count() <= 80), "{codes}");
}

/// Token, gold, predicted: as a run's test.conll has them.
const JUDGED: &str = "Ann B-per B-per\nleft O O\nRome B-geo O\n\nBob B-per B-geo\nslept O O\n\n";

#[test]
fn a_second_column_of_tags_is_named_with_the_option_that_reads_it() {
    let dir = Dir::new();
    dir.write("test.conll", JUDGED);
    let ran = dir.run(&["convert", "test.conll", "a.conll"]).expect(0);
    ran.says(&[
        "warning[W032]: columns 2 and 3 hold entity tags of the same types; 3 was read",
        "--> test.conll",
        "test.conll these are the gold tags and the predicted ones: `--columns tag=2`",
    ]);
    let named = dir.run(&["convert", "test.conll", "b.conll", "--columns", "tag=2"]).expect(0);
    assert!(!named.err.contains("W032"), "{}", named.err);
    assert!(dir.read("b.conll").contains("Rome\tB-geo"), "{}", dir.read("b.conll"));
    // A model that says O everywhere leaves a column without types.
    dir.write("empty.conll", "Ann B-per O\nleft O O\n\n");
    dir.run(&["convert", "empty.conll", "c.conll"]).expect(0).says(&["W032", "tag=2"]);
    let ran = dir.run(&["check", "test.conll"]).expect(0);
    assert!(ran.out.contains("warning[W032]"), "{}", ran.out);
    train(&dir, "test.conll", JUDGED, &[]).says(&["W032"]);

    dir.write("outer.tsv", "1\tAnn\tB-PER\tO\n2\tLee\tO\tB-PER\n\n");
    let ran = dir.run(&["convert", "outer.tsv", "d.conll"]).expect(0);
    ran.says(&["columns 3 and 4", "4 was read", "`--columns tag=3` reads the other"]);
    dir.write("two.csv", "Word,Gold,Tag\nAnn,B-per,O\nLee,B-per,B-per\n");
    let ran = dir.run(&["convert", "two.csv", "e.conll"]).expect(0);
    ran.says(&["columns Gold and Tag", "Tag was read", "`--columns tag=Gold`"]);

    let chunks = "EU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\nAnn NNP B-NP B-PER\n\n";
    dir.write("eng.train", chunks);
    let ran = dir.run(&["convert", "eng.train", "f.conll"]).expect(0);
    assert!(!ran.err.contains("warning"), "{}", ran.err);
}

#[test]
fn a_sentence_in_each_row_is_read_and_one_without_a_tag_for_each_word_is_refused() {
    let dir = Dir::new();
    let rows = "id,text,labels\n1,Ann left,\"B-per O\"\n2,Bob slept in Rome,\"B-per O O B-geo\"\n";
    dir.write("rows.csv", rows);
    dir.run(&["convert", "rows.csv", "a.conll"]).expect(0).says(&["2 sentences"]);
    assert!(dir.read("a.conll").starts_with("Ann\tB-per\nleft\tO\n\nBob\tB-per\n"));
    dir.run(&["check", "rows.csv", "--deny", "error"]).expect(0);
    let kaggle = "Sentence #,Sentence,POS,Tag\n\
                  Sentence: 1,Ann left,\"['NNP', 'VBD']\",\"['B-per', 'O']\"\n\
                  Sentence: 2,Bob slept .,\"['NNP', 'VBD', '.']\",\"['B-per', 'O']\"\n";
    let ran = train(&dir, "ner.csv", kaggle, &[]).expect(2);
    ran.says(&["E032", "3 words with 2 tags", "ner.csv:3", "a tag for each word"]);
    let mixed = "Word,Tag\nAnn,B-per\nslept,O\nin Rome,O B-geo\n";
    let ran = train(&dir, "mixed.csv", mixed, &[]).expect(2);
    ran.says(&["E032", "2 tags in one field: \"O B-geo\"", "mixed.csv:4", "one token"]);
}

#[test]
fn texts_with_entities_are_sent_to_convert() {
    let dir = Dir::new();
    let line = "{\"text\":\"Rome fell\",\"ents\":[{\"start\":0,\"end\":4,\"label\":\"geo\"}]}\n";
    let ran = train(&dir, "sp.jsonl", line, &[]).expect(2);
    ran.says(&["E033", "this is JSON lines", "`longhand convert sp.jsonl sp.conll`"]);
    dir.run(&["check", "sp.jsonl"]).expect(2).says(&["E033"]);
    dir.run(&["score", "sp.jsonl", "sp.jsonl"]).expect(2).says(&["E033"]);
    dir.run_with(&["check", "-"], line).expect(2).says(&["E033", "FILE.jsonl"]);
    dir.run(&["convert", "sp.jsonl", "sp.conll"]).expect(0);
    assert_eq!(dir.read("sp.conll"), "Rome\tB-geo\nfell\tO\n\n");
    let ran = train(&dir, "a.ann", "T1\tgeo 0 4\tRome\n", &[]).expect(2);
    ran.says(&["E033", "this is a BRAT file", "`longhand convert a.ann a.conll`"]);
    train(&dir, "a.json", "[\n{\"text\": \"Rome\"}\n]\n", &[]).expect(2).says(&["E033", "jq -c"]);
}

#[test]
fn a_header_above_columns_is_told_for_one() {
    let dir = Dir::new();
    for rows in ["Ann NNP B-per\nran VBD O\n".to_owned(), "Ann NNP B-per\nran VBD O\n".repeat(20)] {
        let ran = train(&dir, "a.txt", format!("word pos tag\n{rows}"), &[]).expect(2);
        ran.says(&["E009", "a.txt:1", "looks like a header", "`--columns token=1,tag=3`"]);
    }
    let ran = train(&dir, "a.conll", "# x\nword\ttag\nAnn\tB-per\n", &[]).expect(2);
    ran.says(&["E009", "a.conll:2", "`--format csv`"]);
    // A sentence may begin with these words.
    dir.write("b.conll", "word O\ntag B-x\n\n");
    dir.run(&["check", "b.conll"]).expect(0);
}

#[test]
fn rare_types_are_listed_up_to_ten() {
    let dir = Dir::new();
    let rows: String = (0..300).map(|n| format!("w{n} B-type{n}\n\n")).collect();
    dir.write("a.conll", rows);
    let out = dir
        .run(&["check", "a.conll"])
        .expect(0)
        .out
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    assert!(out.contains("type106 1 and 290 more types"), "{out}");
    assert!(!out.contains("type107 1,"), "{out}");
}

#[test]
fn the_list_of_codes_has_each_once_and_in_order() {
    let dir = Dir::new();
    let out = dir.run(&["help", "codes"]).expect(0).out;
    let codes: Vec<&str> =
        out.lines().filter(|line| !line.starts_with(' ')).map(|line| &line[..4]).collect();
    assert!(codes.len() > 60 && codes.windows(2).all(|two| two[0][1..] <= two[1][1..]), "{out}");
    assert_eq!(codes.iter().collect::<std::collections::HashSet<_>>().len(), codes.len());
}

/// Sentences of one word that is a name, each another unless `of` come round again.
fn names(n: usize, of: usize) -> String {
    (0..n).map(|k| format!("X{} B-t{}\nran O\n\n", k % of, k % 40)).collect()
}

#[test]
fn what_the_programs_own_parts_lack_is_a_warning_and_no_error() {
    let dir = Dir::new();
    dir.write("same.conll", names(60, 2));
    let small = ["--set", "encoder=bilstm:4", "--epochs", "1", "--force"];
    let train =
        |data, more: &[&str]| dir.run(&[&["train", data, "-o", "r"], &small[..], more].concat());
    train("same.conll", &[]).expect(0).says(&["warning[W029]", "keep-duplicates=false"]);
    // Forty labels of two sentences each: some are in dev or in test alone.
    dir.write("rare.conll", names(80, 80));
    train("rare.conll", &[]).expect(0).says(&["warning[W007]"]);
    // Whoever made the parts is told of a mistake.
    dir.write("other.conll", "Bob B-other\n\n");
    train("rare.conll", &["--dev", "other.conll"]).expect(2).says(&["E007"]);
    let both = ["--dev", "other.conll", "--split", "80,10,10"];
    train("rare.conll", &both).expect(2).says(&["--split"]);
}

#[test]
fn a_model_below_the_floor_is_told_to_be() {
    let dir = Dir::new();
    dir.write("data.conll", "Ann B-per\nran O\n\nBob B-per\nsaw O\nit O\n\n".repeat(9));
    let args =
        ["train", "data.conll", "-o", "r", "--set", "keep-duplicates=false", "--epochs", "1"];
    let ran = dir.run(&[&args[..], &["--learning-rate", "1e-9"]].concat()).expect(0);
    ran.says(&["warning[W065]", "test: F1 ", "most frequent tag"]);
}

#[test]
fn sizes_that_no_machine_has_are_refused_and_threads_that_it_lacks_not_started() {
    let dir = Dir::new();
    dir.write("data.conll", names(30, 30));
    let train = ["train", "data.conll", "-o", "r", "--epochs", "1"];
    for set in ["encoder=bilstm:1000000", "embedding=1000000"] {
        let args = [&train[..], &["--set", set, "--set", "affix-rows=100000"]].concat();
        dir.run(&args).expect(2).says(&["E041", "billion weights", "embedding"]);
    }
    assert!(!dir.path("r").exists());
    let args = [&train[..], &["--set", "encoder=bilstm:4", "--threads", "100000"]].concat();
    dir.run(&args).expect(0).says(&["W045", "100000 threads on"]);
    let epochs = ["train", "data.conll", "--epochs", "99999999999999999999"];
    dir.run(&epochs).expect(2).says(&["E041", "from 0 to 4294967295"]);
}
