//! The tutorial ends with entities shown in a paragraph, found by another program's model. Here the
//! model just trained does it, and the page keeps the text byte for byte.

mod common;

use common::Dir;
use serde_json::Value;

/// Written for this test, with what such paragraphs hold: citations, initials, quotes, markup.
const PARAGRAPH: &str = "Dr. A. B. Lindqvist was born on 4 March 1931 in Houston, to a family of boat builders \
    from the coast of Georgia.[9] Her father <Karl> & her mother \"Ida\" ran the ferry to Chelsea Island \
    until 1947;[10][11][12] the business, worth $1.5 million, failed in the 1950s.\n\n\tShe said: ‘We \
    weren't poor — we were… between ferries.’ In 1962 she joined the Ministry of Fisheries.";

fn trained(dir: &Dir) -> &'static str {
    dir.run(&[
        "train",
        "-o",
        "run",
        "--epochs",
        "1",
        "--set",
        "encoder=bilstm:16,lstm:16",
        "--set",
        "embedding=16",
    ])
    .expect(0);
    "run/model.safetensors"
}

/// What is between `<main …>` and `</main>`, without tags, with the five entities decoded.
fn stripped(page: &str) -> String {
    let start = page.find("<main").expect("a main element");
    let start = start + page[start..].find('>').expect("its end") + 1;
    let end = page.find("</main>").expect("the end of main");
    let mut text = String::new();
    let mut inside_tag = false;
    for c in page[start..end].chars() {
        match c {
            '<' => inside_tag = true,
            '>' if inside_tag => inside_tag = false,
            c if !inside_tag => text.push(c),
            _ => {}
        }
    }
    for (entity, c) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#13;", "\r")] {
        text = text.replace(entity, c);
    }
    text.replace("&amp;", "&")
}

fn check(dir: &Dir, model: &str, text: &str) {
    dir.write("text.txt", text);
    let page = dir.run(&["tag", model, "text.txt", "--out", "html"]).expect(0).out;
    assert_eq!(stripped(&page), text);
    let line = dir.run(&["tag", model, "text.txt", "--out", "jsonl"]).expect(0).out;
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["text"], text);
    let characters: Vec<char> = text.chars().collect();
    let entities = line["ents"].as_array().unwrap();
    for e in entities {
        let at = |key: &str| e[key].as_u64().unwrap() as usize;
        let found: String = characters[at("start")..at("end")].iter().collect();
        assert_eq!(e["text"], found.as_str());
    }
    assert_eq!(page.matches("<mark").count(), entities.len());
}

#[test]
fn stripping_the_pages_markup_gives_the_text_back_byte_for_byte() {
    let dir = Dir::new();
    let model = trained(&dir);
    for text in [PARAGRAPH, "", "\n", " two \r\n lines \r\n", "Łódź 東京 İ ß — 😀 &amp; <b>"]
    {
        check(&dir, model, text);
    }
}

#[test]
fn the_tutorials_own_paragraph_comes_through_whole() {
    let Some(path) = std::env::var_os("LONGHAND_TUTORIAL") else {
        eprintln!("SKIPPED: LONGHAND_TUTORIAL does not name the tutorial's text");
        return;
    };
    let tutorial = std::fs::read_to_string(path).unwrap();
    let start = tutorial.find("nlp(\"").expect("the paragraph") + 5;
    let end = start + tutorial[start..].find("\")").expect("its end");
    let paragraph = &tutorial[start..end];
    assert!(paragraph.contains("Kalam") && paragraph.len() > 1000);
    let dir = Dir::new();
    let model = trained(&dir);
    check(&dir, model, paragraph);
}
