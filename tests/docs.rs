//! What the documentation shows is what runs.

mod common;

use std::process::Command;

use common::Dir;

/// The first block of this language in a document.
fn block<'a>(document: &'a str, language: &str) -> &'a str {
    let start = format!("```{language}\n");
    let (_, rest) = document.split_once(&start).expect("a block of this language");
    rest.split_once("```").expect("its end").0
}

#[test]
fn the_readme_shows_the_example_that_is_tested() {
    let comment =
        |line: &'static str| line.strip_prefix("//!").map(|l| l.strip_prefix(' ').unwrap_or(l));
    let library = include_str!("../crates/longhand/lib.rs").lines().filter_map(comment);
    let library = library.map(|line| format!("{line}\n")).collect::<String>();
    let tested = block(&library, "");
    assert!(tested.contains("Model::train"));
    assert_eq!(block(include_str!("../README.md"), "rust"), tested);
}

#[test]
fn the_snippet_for_python_tags() {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("SKIPPED: there is no python3");
        return;
    }
    let dir = Dir::new();
    let small = ["--set", "encoder=bilstm:16", "--set", "embedding=16", "-q"];
    dir.run(&[&["train", "-o", "runs/gmb", "--epochs", "1"], &small[..]].concat()).expect(0);
    let texts = ["Mr. Lincoln told reporters in Houston.", "", "a\u{2028}b\nŁódź"];
    let snippet = block(include_str!("../docs/python.md"), "python");
    dir.write("t.py", format!("{snippet}\nprint(json.dumps(tag({})))\n", serde_json::json!(texts)));
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_longhand")).parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([bin].into_iter().chain(std::env::split_paths(&path))).unwrap();
    let mut command = Command::new("python3");
    let ran = command.arg("t.py").current_dir(dir.path(".")).env("PATH", path).output().unwrap();
    let ran = common::Ran::from(ran).expect(0);
    let found: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    for (text, ents) in texts.iter().zip(found.as_array().unwrap()) {
        let line = dir.run(&[
            "tag",
            "runs/gmb/model.safetensors",
            "--out",
            "jsonl",
            "--in",
            "text",
            "--text",
            text,
        ]);
        let line: serde_json::Value = serde_json::from_str(&line.expect(0).out).unwrap();
        assert_eq!(&line["ents"], ents);
    }
    assert!(found[0][0]["score"].is_number(), "{found}");
}

#[test]
fn the_picture_of_the_readme_is_what_the_program_draws() {
    let picture = include_str!("../docs/images/tagged.svg");
    assert!(include_str!("../README.md").contains("(docs/images/tagged.svg)"));
    let title = picture.split_once("<title>").unwrap().1.split_once("</title>").unwrap().0;
    let (mut text, mut spans) = (String::new(), Vec::new());
    for (n, piece) in title.split(['[', ']']).enumerate() {
        match n % 2 {
            0 => text += piece,
            _ => {
                let (words, label) = piece.rsplit_once(' ').unwrap();
                spans.push((text.len()..text.len() + words.len(), label, None));
                text += words;
            }
        }
    }
    assert!(spans.len() > 5, "{title}");
    let entities = longhand::report::entities(&text, spans);
    assert_eq!(longhand::report::svg::picture(&text, &entities), picture);
}
