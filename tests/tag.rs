//! `longhand tag`: every input and output, streams, folders.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::sync::OnceLock;

use common::Dir;
use serde_json::Value;

/// A small model that finds names and towns; trained once.
fn model() -> &'static str {
    static MODEL: OnceLock<(Dir, String)> = OnceLock::new();
    let (_, path) = MODEL.get_or_init(|| {
        let dir = Dir::new();
        let mut rows = String::from("Sentence #,Word,POS,Tag\n");
        let (names, towns) = (["Ann", "Bob", "Eve", "Tom"], ["Oslo", "Bern", "Rome", "Łódź"]);
        for n in 0..64 {
            let (name, town) = (names[n % 4], towns[n / 4 % 4]);
            rows += &format!("Sentence: {n},{name},NNP,B-per\n,Lee,NNP,I-per\n,met,VBD,O\n");
            rows += &format!(",{n},CD,O\n,people,NNS,O\n,in,IN,O\n,{town},NNP,B-geo\n,.,.,O\n");
        }
        dir.write("data.csv", rows);
        // What so small a model finds anywhere: by the best path.
        let set = "--set encoder=bilstm:8 --set embedding=8 --lr 0.02 --set decode=best".split(' ');
        let set: Vec<&str> = set.collect();
        let args = [&["train", "data.csv", "-o", "run", "--epochs", "20", "-q"], &set[..]].concat();
        dir.run(&args).expect(0);
        let path = dir.path("run/model.safetensors").to_str().unwrap().to_owned();
        (dir, path)
    });
    path
}

fn tag(dir: &Dir, args: &[&str], stdin: &str) -> common::Ran {
    dir.run_with(&[&["tag", model()], args].concat(), stdin)
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))
}

const TEXT: &str = "Ann Lee met 7 people in Łódź .";

#[test]
fn standard_input_is_lines_and_each_gives_one() {
    let dir = Dir::new();
    let out =
        tag(&dir, &["--out", "jsonl"], &format!("\u{feff}{TEXT}\r\n\nin Rome .")).expect(0).out;
    let lines: Vec<Value> = out.lines().map(json).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!((&lines[0]["text"], &lines[1]["text"]), (&TEXT.into(), &"".into()));
    assert_eq!(lines[0]["ents"][0]["text"], "Ann Lee");
    assert_eq!(lines[2]["ents"][0]["text"], "Rome");
    assert_eq!(tag(&dir, &[], TEXT).expect(0).out, "[Ann Lee per] met 7 people in [Łódź geo] .\n");
    assert_eq!(tag(&dir, &[], "").expect(0).out, "");
}

#[test]
fn a_text_alone_is_tagged_as_among_others() {
    let dir = Dir::new();
    let words = ["Ann", "Lee", "met", "7", "people", "in", "Łódź", ".", "Rome", "Xy"];
    let line = |n: usize| (0..1 + n * 7 % 23).map(move |t| words[(n * 3 + t * t) % 10]);
    let lines: Vec<String> = (0..40).map(|n| line(n).collect::<Vec<_>>().join(" ")).collect();
    let out = tag(&dir, &["--out", "jsonl"], &lines.join("\n")).expect(0).out;
    let together: Vec<&str> = out.lines().collect();
    assert!(out.matches("score").count() > 2, "entities with their probabilities: {out}");
    // The library, and the program for one text.
    let model = longhand::Model::open(model()).unwrap();
    for (line, want) in lines.iter().zip(&together) {
        let want = json(want);
        let want = want["ents"].as_array().unwrap();
        let found = model.tag(line);
        assert_eq!(found.len(), want.len(), "{line}");
        for (found, want) in found.iter().zip(want) {
            assert_eq!(
                (&found.text[..], &found.label[..]),
                (want["text"].as_str().unwrap(), want["label"].as_str().unwrap(),)
            );
            let six_decimals = (found.score.unwrap() * 1e6).round() / 1e6;
            assert_eq!(Some(six_decimals), want["score"].as_f64(), "{line}: {}", found.text);
        }
    }
    for (line, want) in lines.iter().zip(&together).step_by(9) {
        let alone = tag(&dir, &["--out", "jsonl", "--text", line], "").expect(0).out;
        assert_eq!(alone.trim_end(), *want);
    }
}

#[test]
fn a_line_comes_back_before_the_next_is_sent() {
    let dir = Dir::new();
    let mut child = common::command(&dir.path("."))
        .args(["tag", model(), "--out", "jsonl"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut to = child.stdin.take().unwrap();
    let mut from = BufReader::new(child.stdout.take().unwrap());
    for n in 0..20 {
        writeln!(to, "Ann Lee met {n} people in Bern .").unwrap();
        let mut line = String::new();
        from.read_line(&mut line).unwrap();
        assert_eq!(json(&line)["ents"][1]["label"], "geo", "{line}");
    }
    drop(to);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_stream_is_the_same_for_any_number_of_threads_and_any_company() {
    let dir = Dir::new();
    let line = |n: usize| match n % 7 {
        0 => String::new(),
        1 => "Eve Lee ".repeat(n % 90),
        _ => format!(
            "Tom met {n} people in Łódź , {} . Bob Lee slept in Rome .",
            "x ".repeat(n % 40)
        ),
    };
    // Three megabytes: several blocks of many pieces.
    let lines: Vec<String> = (0..40_000).map(line).collect();
    let input = lines.join("\n") + "\n";
    assert!(input.len() > 3 << 20);
    let args = |threads| ["--out", "jsonl", "--threads", threads];
    let one = tag(&dir, &args("1"), &input).expect(0).out;
    assert_eq!(one.lines().count(), lines.len());
    assert!(one == tag(&dir, &args("2"), &input).expect(0).out, "two threads");
    dir.write("all.txt", &input);
    let by_file = [&["all.txt", "--in", "lines"], &args("2")[..]].concat();
    assert!(one == tag(&dir, &by_file, "").expect(0).out, "from a file");
    for (n, line) in one.lines().enumerate().step_by(4_999) {
        assert_eq!(json(line)["text"], *lines[n], "order");
        let alone = tag(&dir, &["--out", "jsonl", "--in", "text", "--text", &lines[n]], "");
        assert_eq!(alone.expect(0).out.trim_end(), line, "alone");
    }
}

#[test]
fn json_lines_keep_their_other_fields_as_they_are() {
    let dir = Dir::new();
    let input = "{\"id\":12345678901234567890,\"text\":\"in Rome\",\"ents\":[1],\"x\":{\"y\":1.50}}\n\n{\"text\":\"\"}\n";
    let out = tag(&dir, &["--in", "jsonl", "--out", "jsonl"], input).expect(0).out;
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].ends_with("\"id\":12345678901234567890,\"x\":{\"y\":1.50}}"), "{out}");
    assert_eq!(json(lines[0])["ents"][0]["text"], "Rome");
    assert_eq!(lines[1], "{\"text\":\"\",\"ents\":[]}");
    for (bad, part) in
        [("7", "not a JSON object"), ("{\"a\":1}", "without `text`"), ("{\"text\":1}", "no string")]
    {
        let input = format!("{{\"text\":\"a\"}}\n\n{bad}\n");
        let ran = tag(&dir, &["--in", "jsonl", "--out", "jsonl"], &input).expect(2);
        ran.says(&["E049", "<stdin>:3", part]);
    }
}

#[test]
fn offsets_count_characters_bytes_or_utf16_units() {
    let dir = Dir::new();
    let text = "𝄞 é in Łódź .";
    let at = |offsets: &str| {
        let out = tag(&dir, &["--out", "jsonl", "--offsets", offsets], text).expect(0).out;
        let ent = &json(&out)["ents"][0];
        [&ent["start"], &ent["end"]].map(|n| n.as_u64().unwrap())
    };
    assert_eq!([at("chars"), at("utf16"), at("bytes")], [[7, 11], [8, 12], [11, 18]]);
    tag(&dir, &["--out", "spacy", "--offsets", "bytes"], text).expect(2).says(&["E048"]);
}

#[test]
fn entities_less_likely_than_asked_for_are_left_out_everywhere() {
    let dir = Dir::new();
    let out = tag(&dir, &["--out", "jsonl"], TEXT).expect(0).out;
    let scores: Vec<f64> = json(&out)["ents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["score"].as_f64().unwrap())
        .collect();
    assert!(scores.len() == 2 && scores[0] != scores[1], "{scores:?}");
    let between = format!("{}", (scores[0] + scores[1]) / 2.0);
    let kept = if scores[0] > scores[1] { "per" } else { "geo" };
    for layout in ["text", "jsonl", "conll", "spacy", "html"] {
        let out = tag(&dir, &["--out", layout, "--min-score", &between], TEXT).expect(0).out;
        let found = |label: &str| match layout {
            "text" => out.contains(&format!(" {label}]")),
            "conll" => out.contains(&format!("B-{label}")),
            "html" => out.contains(&format!("data-label=\"{label}\"")),
            _ => out.contains(&format!("\"label\":\"{label}\"")),
        };
        let there = ["per", "geo"].map(found);
        assert_eq!(there, [kept == "per", kept == "geo"], "{layout}: {out}");
    }
    tag(&dir, &["--min-score", "7"], TEXT).expect(2).says(&["E048"]);
}

#[test]
fn what_is_said_of_files_names_only_what_tag_can_do() {
    let dir = Dir::new();
    dir.write("latin.txt", b"Ann left K\xf8ln.\n");
    let ran = dir.run(&["tag", model(), "latin.txt"]).expect(0);
    assert!(ran.err.contains("W001") && ran.err.contains("iconv"), "{}", ran.err);
    assert!(!ran.err.contains("--encoding"), "{}", ran.err);
    dir.run(&["tag", model(), "latin.txt", "-o", "-"])
        .expect(2)
        .says(&["E048", "leave `-o -` out"]);
    assert!(!dir.path("-").exists());
}

#[test]
fn spacys_shape_has_sentences_and_tokens_that_cut_the_text() {
    let dir = Dir::new();
    let out = tag(&dir, &["--out", "spacy"], "Ann Lee met Bob. They left Łódź.").expect(0).out;
    let doc = json(&out);
    let text: Vec<char> = doc["text"].as_str().unwrap().chars().collect();
    let cut = |piece: &Value| -> String {
        let at = |key: &str| piece[key].as_u64().unwrap() as usize;
        text[at("start")..at("end")].iter().collect()
    };
    let all = |key: &str| doc[key].as_array().unwrap().iter().map(cut).collect::<Vec<_>>();
    assert_eq!(all("sents"), ["Ann Lee met Bob.", "They left Łódź."]);
    assert_eq!(all("tokens"), ["Ann", "Lee", "met", "Bob", ".", "They", "left", "Łódź", "."]);
    assert!(all("ents").contains(&"Ann Lee".to_owned()), "{out}");
    assert_eq!(doc["tokens"][3]["id"], 3);
}

#[test]
fn brat_is_written_and_read_back() {
    let dir = Dir::new();
    dir.write("a.txt", format!("{TEXT}\nEve Lee met 3 people in Rome ."));
    tag(&dir, &["a.txt", "--out", "brat", "-o", "b.ann"], "").expect(0);
    assert_eq!(dir.read("b.txt"), dir.read("a.txt"));
    let ann = dir.read("b.ann");
    assert!(ann.starts_with("T1\tper 0 7\tAnn Lee\nT2\tgeo 24 28\tŁódź\n"), "{ann}");
    dir.run(&["convert", "b.ann", "c.conll", "-q"]).expect(0);
    let direct = tag(&dir, &["a.txt", "--out", "conll"], "").expect(0).out;
    assert_eq!(dir.read("c.conll").replace('\t', " "), direct);
    dir.write("b.ann", ann.replace("Łódź", "Lodz"));
    dir.run(&["convert", "b.ann", "d.conll"]).expect(2).says(&["E070", "b.ann:2", "Łódź"]);
    tag(&dir, &["a.txt", "--out", "brat"], "").expect(2).says(&["E048", "-o OUT.ann"]);
}

#[test]
fn a_picture_has_the_text_its_labels_and_no_more_than_asked_for() {
    let dir = Dir::new();
    let picture = tag(&dir, &["--out", "svg"], TEXT).expect(0).out;
    assert!(picture.contains("[Ann Lee per] met 7 people in [Łódź geo] .</title>"), "{picture}");
    assert!(picture.contains(">Łódź</text>") && picture.contains(">geo</text>"), "{picture}");
    let scores = tag(&dir, &["--out", "svg", "--scores"], TEXT).expect(0).out;
    assert!(scores.contains(">geo 0.") || scores.contains(">geo 1."), "{scores}");
}

#[test]
fn a_folder_is_mirrored_and_nothing_of_it_is_touched() {
    let dir = Dir::new();
    std::fs::create_dir_all(dir.path("in/deep/er")).unwrap();
    dir.write("in/a.txt", TEXT);
    dir.write("in/deep/er/b.txt", "Tom Lee met 3 people in Rome .");
    dir.write("in/.hidden", [0xff]);
    tag(&dir, &["in", "-o", "out", "--out", "jsonl"], "").expect(0).says(&["2 files"]);
    assert_eq!(json(&dir.read("out/deep/er/b.txt.jsonl"))["ents"][1]["text"], "Rome");
    assert_eq!(json(&dir.read("out/a.txt.jsonl"))["text"], TEXT);
    assert!(!dir.path("out/.hidden.jsonl").exists());
    // Again, into a folder within: its own output is no input.
    for _ in 0..2 {
        tag(&dir, &["in", "-o", "in/out", "-q"], "").expect(0);
        assert_eq!(std::fs::read_dir(dir.path("in/out")).unwrap().count(), 2);
    }
    tag(&dir, &["in", "-o", "in"], "").expect(2).says(&["E048", "written over"]);
    assert_eq!(dir.read("in/a.txt"), TEXT);
    tag(&dir, &["in"], "").expect(2).says(&["E048", "-o"]);
    dir.write("in/deep/c.txt", [0x41, 0xff, 0x00]);
    tag(&dir, &["in", "-o", "out2"], "").expect(2).says(&["c.txt"]);
}

#[test]
fn what_is_no_text_stops_the_stream_with_its_line_and_leaves_no_file() {
    let dir = Dir::new();
    dir.write("bad.sh", "");
    let mut child = common::command(&dir.path("."))
        .args(["tag", model(), "-o", "out.txt"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut to = child.stdin.take().unwrap();
    to.write_all(b"fine\nnot \xff fine\n").unwrap();
    drop(to);
    let ran = common::Ran::from(child.wait_with_output().unwrap()).expect(2);
    ran.says(&["E001", "<stdin>:2:5", "0xFF"]);
    let left: Vec<_> =
        std::fs::read_dir(dir.path(".")).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert_eq!(left, ["bad.sh"]);
}

#[test]
fn a_large_text_is_tagged_block_by_block_as_it_is_tagged_whole() {
    let dir = Dir::new();
    // Two megabytes, with sentences over several lines, quotes and blank lines; then a line without a stop.
    let paragraph = |n: usize| {
        format!("Ann Lee met {n} people\nin Łódź. \"Tom left. \" said Bob Lee in Rome, \n\nEve ")
    };
    let mut text: String = (0..34_000).map(paragraph).collect();
    text += &"Bob met Ann in Bern ".repeat(3_000);
    assert!(text.len() > 2 << 20);
    dir.write("a.txt", &text);
    for out in ["text", "conll"] {
        let by_blocks = tag(&dir, &["a.txt", "--out", out], "").expect(0).out;
        let by_stdin = tag(&dir, &["--in", "text", "--out", out], &text).expect(0).out;
        // A typed text is one document; so is that of the JSON line.
        assert!(by_blocks == by_stdin, "{out}: from standard input");
        match out {
            "text" => {
                let line = tag(&dir, &["a.txt", "--out", "jsonl"], "").expect(0).out;
                let ents = json(&line)["ents"].as_array().unwrap().len();
                let plain: String =
                    by_blocks.replace(" per]", "").replace(" geo]", "").replace('[', "");
                assert!(plain.trim_end() == text.trim_end(), "the text itself is as it was");
                assert_eq!(by_blocks.matches('[').count(), ents);
            }
            _ => {
                let words = |text: &str| {
                    let rows = text.lines().filter(|l| !l.is_empty());
                    rows.map(|l| l.split_once(' ').unwrap().0.to_owned()).collect::<Vec<_>>()
                };
                let tokens = longhand::data::tokenize(&text);
                let all: Vec<&str> = tokens.iter().map(|t| t.text(&text)).collect();
                assert!(words(&by_blocks) == all);
                let sentences = by_blocks.matches("\n\n").count();
                assert_eq!(sentences, longhand::data::sentences(&tokens, &text).len());
            }
        }
    }
    // Packed, or in another encoding, it is read as a whole, and gives the same.
    let utf16: Vec<u8> =
        [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    dir.write("b.txt", utf16);
    let whole = tag(&dir, &["b.txt"], "").expect(0).out;
    assert!(whole == tag(&dir, &["a.txt"], "").expect(0).out, "as a whole");
}

#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_stream() {
    let dir = Dir::new();
    let mut child = common::command(&dir.path("."))
        .args(["tag", model(), "--threads", "2", "-q"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut to = child.stdin.take().unwrap();
    let mut from = BufReader::new(child.stdout.take().unwrap());
    let block = "Ann Lee met 7 people in Bern . Bob Lee slept in Rome .\n".repeat(20_000);
    let lines = 20_000;
    // Kilobytes at most so far, once a block of a megabyte has come back.
    let mut peak = || -> u64 {
        std::thread::scope(|scope| {
            scope.spawn(|| to.write_all(block.as_bytes()).unwrap());
            let mut line = String::new();
            for _ in 0..lines {
                line.clear();
                from.read_line(&mut line).unwrap();
            }
        });
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap();
        peak.trim().strip_suffix(" kB").unwrap().parse().unwrap()
    };
    let warm = [(); 4].map(|()| peak())[3];
    let end = [(); 12].map(|()| peak())[11];
    // Twelve megabytes of text passed, and three times that of tokens and tags.
    assert!(end - warm < 6_000, "{warm} kB, then {end} kB");
    drop(to);
    assert!(child.wait().unwrap().success());
}

#[test]
fn neither_a_text_nor_the_model_is_written_over() {
    let dir = Dir::new();
    dir.write("a.txt", TEXT);
    dir.write("b.txt", TEXT);
    std::fs::copy(model(), dir.path("model.safetensors")).unwrap();
    let size = std::fs::metadata(model()).unwrap().len();
    for output in ["a.txt", "./b.txt", "model.safetensors"] {
        let ran = dir.run(&["tag", "model.safetensors", "a.txt", "b.txt", "-o", output]).expect(2);
        ran.says(&["E048", output, "would be written over"]);
    }
    // The folder of a run names its model.
    dir.run(&["tag", ".", "-t", "Ann", "-o", "model.safetensors"]).expect(2).says(&["E048"]);
    dir.run(&["explain", ".", "Ann", "-o", "model.safetensors"]).expect(2).says(&["E048"]);
    let export = ["export", ".", "--to", "npz", "-o", "model.safetensors", "--force"];
    dir.run(&export).expect(2).says(&["E048"]);
    dir.run(&["import", "a.txt", "-o", "a.txt", "--force"]).expect(2).says(&["E048"]);
    dir.write("d.conll", "Ann B-per\n\n");
    dir.run(&["init", "d.conll", "-o", "d.conll", "--force"]).expect(2).says(&["E048"]);
    let folder = |args: &[&str]| dir.run(&[&["tag", "model.safetensors", "in"], args].concat());
    std::fs::create_dir(dir.path("in")).unwrap();
    dir.write("in/c.txt", TEXT);
    folder(&["a.txt", "-o", "."]).expect(2).says(&["E048", "a.txt"]);
    assert_eq!((dir.read("a.txt"), dir.read("b.txt")), (TEXT.into(), TEXT.into()));
    assert_eq!(std::fs::metadata(dir.path("model.safetensors")).unwrap().len(), size);

    // BRAT's annotations may stand beside the text that was tagged, which stays as it is.
    let brat =
        |args: &[&str]| dir.run(&[&["tag", ".", "--out", "brat", "-o", "a.ann"], args].concat());
    brat(&["a.txt"]).expect(0);
    assert_eq!(dir.read("a.txt"), TEXT);
    brat(&["a.txt", "b.txt"]).expect(2).says(&["E048", "a.txt"]);
    dir.write("a.txt", format!("\u{feff}{TEXT}"));
    brat(&["a.txt"]).expect(2).says(&["E048", "a.txt"]);
}

#[test]
fn a_text_in_another_encoding_is_answered_with_what_reads_it() {
    let dir = Dir::new();
    let utf16: Vec<u8> = TEXT.encode_utf16().flat_map(u16::to_le_bytes).collect();
    dir.write("a.txt", utf16);
    let ran = dir.run(&["tag", model(), "a.txt"]).expect(2);
    assert!(ran.err.contains("iconv") && !ran.err.contains("--encoding"), "{}", ran.err);
}

#[test]
fn a_model_of_characters_is_given_characters() {
    let dir = Dir::new();
    let (names, towns) = (["สมชาย", "อนุชา", "มานะ1"], ["ปทุม", "เลย", "ตาก9"]);
    let mut rows = String::new();
    for n in 0..90 {
        let (name, town) = (names[n % 3], towns[n / 3 % 3]);
        for (word, label) in [(name, "per"), ("ไป", ""), (town, "geo"), ("2024", "")] {
            for (t, c) in word.chars().enumerate() {
                let prefix = if t == 0 { "B" } else { "I" };
                let tag = if label.is_empty() { "O".into() } else { format!("{prefix}-{label}") };
                rows += &format!("{c} {tag}\n");
            }
        }
        rows += "\n";
    }
    dir.write("thai.conll", rows);
    let args = ["train", "thai.conll", "-o", "run", "-q", "--set", "keep-duplicates=false"];
    dir.run(&args).expect(0);
    // Without a blank in it, the tokeniser takes all of this for a word or two.
    let text = "มานะ1ไปตาก92024";
    let ran = dir.run(&["tag", "run", "--text", text]).expect(0);
    assert_eq!(ran.out, "[มานะ1 per]ไป[ตาก9 geo]2024\n");
    let lines = dir.run_with(&["tag", "run", "--out", "jsonl"], text).expect(0).out;
    let entity = &json(&lines)["ents"][1];
    assert_eq!((&entity["start"], &entity["end"]), (&7.into(), &11.into()));
    // What comes in rows is cut already.
    let rows = dir
        .run_with(&["tag", "run", "--in", "conll", "--out", "conll"], "มานะ1\nไป\n")
        .expect(0)
        .out;
    assert_eq!(rows.lines().filter(|line| !line.is_empty()).count(), 2);
}
