//! `longhand convert`: every way there and back.

mod common;

use common::Dir;
use serde_json::Value;

/// What is hard to carry: quotes, commas, a no-break space, letters of two bytes and of four, entities
/// that touch.
const CSV: &str = "Sentence #,Word,POS,Tag\r
Sentence: 1,\"\"\"\",``,O\r
,Zoë,NNP,B-per\r
,Łódź,NNP,I-per\r
,\"1,000\",CD,O\r
Sentence: 2,5\u{a0}storm,NN,B-nat\r
,Rome,NNP,B-geo\r
,Paris,NNP,B-geo\r
Sentence: 3,😀,SYM,O\r
,#,SYM,O\r
";

fn convert(dir: &Dir, args: &[&str]) -> common::Ran {
    dir.run(&[&["convert"], args].concat())
}

#[test]
fn csv_conll_and_jsonl_give_the_same_file_back() {
    let dir = Dir::new();
    dir.write("a.csv", CSV);
    for way in [&["b.conll"][..], &["b.jsonl"], &["b.conll", "c.jsonl", "d.csv"]] {
        let mut from = "a.csv";
        for to in way {
            convert(&dir, &[from, to]).expect(0);
            from = to;
        }
        convert(&dir, &[from, "z.csv"]).expect(0);
        assert_eq!(dir.read("z.csv"), CSV, "{way:?}");
    }
}

#[test]
fn every_scheme_leads_back_to_the_first() {
    let dir = Dir::new();
    dir.write("a.csv", CSV);
    convert(&dir, &["a.csv", "b.conll", "--scheme", "iobes"]).expect(0).says(&["iobes"]);
    assert!(dir.read("b.conll").contains("Zoë\tNNP\tB-per\nŁódź\tNNP\tE-per\n"));
    convert(&dir, &["b.conll", "c.conll", "--scheme", "bilou"]).expect(0);
    convert(&dir, &["c.conll", "d.conll", "--scheme", "iob1"]).expect(0);
    assert!(dir.read("d.conll").contains("Rome\tNNP\tI-geo\nParis\tNNP\tB-geo\n"));
    convert(&dir, &["d.conll", "z.csv", "--from", "iob1", "--scheme", "iob2"]).expect(0);
    assert_eq!(dir.read("z.csv"), CSV);
}

#[test]
fn spans_are_counted_in_characters_in_all_formats_that_have_them() {
    let dir = Dir::new();
    dir.write("a.csv", CSV);
    let cut = |text: &str, start: &Value, end: &Value| -> String {
        let [start, end] = [start, end].map(|n| n.as_u64().unwrap() as usize);
        text.chars().skip(start).take(end - start).collect()
    };
    convert(&dir, &["a.csv", "a.jsonl", "-q"]).expect(0);
    let first: Value = serde_json::from_str(dir.read("a.jsonl").lines().next().unwrap()).unwrap();
    assert_eq!(first["text"], "\" Zoë Łódź 1,000");
    let ent = &first["ents"][0];
    assert_eq!(cut(first["text"].as_str().unwrap(), &ent["start"], &ent["end"]), ent["text"]);
    assert_eq!((&ent["label"], &first["tokens"][0]["pos"]), (&"per".into(), &"``".into()));

    convert(&dir, &["a.csv", "spacy.jsonl", "--to", "spacy"]).expect(0);
    let text = dir.read("spacy.jsonl");
    let second: Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
    let ent = &second["entities"][1];
    assert_eq!(cut(second["text"].as_str().unwrap(), &ent[0], &ent[1]), "Rome");

    convert(&dir, &["a.csv", "a.ann"]).expect(0);
    let text = dir.read("a.txt");
    assert_eq!(dir.read("a.ann").lines().count(), 4);
    for line in dir.read("a.ann").lines() {
        let [id, place, inside] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let [_, start, end] = place.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let [start, end]: [usize; 2] = [start, end].map(|n| n.parse().unwrap());
        let found: String = text.chars().skip(start).take(end - start).collect();
        assert!(id.starts_with('T') && found == inside, "{line}");
    }
}

#[test]
fn tagged_text_from_elsewhere_becomes_training_data() {
    let dir = Dir::new();
    dir.write(
        "in.jsonl",
        "{\"text\":\"Zoë left Rome. He stayed.\",\"label\":[[0,3,\"per\"],[9,13,\"geo\"]]}\n",
    );
    let out = convert(&dir, &["in.jsonl", "-", "--to", "conll"]).expect(0).out;
    assert_eq!(out, "Zoë\tB-per\nleft\tO\nRome\tB-geo\n.\tO\n\nHe\tO\nstayed\tO\n.\tO\n\n");
    dir.write(
        "bad.jsonl",
        "{\"text\":\"a\",\"ents\":[]}\n{\"text\":\"ab\",\"ents\":[[0,7,\"x\"]]}\n",
    );
    convert(&dir, &["bad.jsonl", "out.conll"]).expect(2).says(&["E049", "bad.jsonl:2", "0..7"]);
    assert!(!dir.path("out.conll").exists());
}

#[test]
fn illegal_tags_are_refused_or_repaired_and_listed() {
    let dir = Dir::new();
    dir.write("a.conll", "Acme I-org\nCorp I-org\n\nRome B-geo\nItaly B-geo\n\n");
    let refused = convert(&dir, &["a.conll", "b.conll"]).expect(2);
    refused.says(&["E005", "a.conll:1", "--repair"]);
    assert!(!dir.path("b.conll").exists());
    let ran = convert(&dir, &["a.conll", "b.conll", "--repair"]).expect(0);
    ran.says(&["1 tag repaired", "line 1: \"Acme\" I-org → B-org"]);
    assert!(dir.read("b.conll").starts_with("Acme\tB-org\nCorp\tI-org\n"));
    dir.write("mixed.conll", "a S-x\nb U-x\n\n");
    convert(&dir, &["mixed.conll", "c.conll"]).expect(2).says(&["E006"]);
    convert(&dir, &["mixed.conll", "c.conll", "--repair"]).expect(0);
    assert_eq!(dir.read("c.conll"), "a\tB-x\nb\tB-x\n\n");
}

#[test]
fn what_to_write_must_be_clear_and_possible() {
    let dir = Dir::new();
    dir.write("a.csv", CSV);
    convert(&dir, &["a.csv", "b.xml"]).expect(2).says(&["E048", ".jsonl"]);
    convert(&dir, &["a.csv", "-"]).expect(2).says(&["E048", "--to"]);
    convert(&dir, &["a.csv", "-", "--to", "brat"]).expect(2).says(&["E048"]);
    dir.write("tab.csv", "Word,Tag\na\tb,B-x\n");
    convert(&dir, &["tab.csv", "b.conll"]).expect(2).says(&["E042", "csv"]);
    assert!(!dir.path("b.conll").exists());
    let piped = dir.run_with(&["convert", "-", "-", "--to", "csv", "-q"], CSV).expect(0);
    assert_eq!((&*piped.out, &*piped.err), (CSV, ""));
}

#[test]
fn gmb_comes_back_from_every_format() {
    let Some(path) = std::env::var_os("LONGHAND_GMB") else {
        eprintln!("SKIPPED: LONGHAND_GMB does not name ner_dataset.csv.gz");
        return;
    };
    let dir = Dir::new();
    convert(&dir, &[path.to_str().unwrap(), "a.csv", "-q"]).expect(0);
    for middle in ["b.conll", "b.jsonl"] {
        convert(&dir, &["a.csv", middle, "--scheme", "iobes"]).expect(0);
        convert(&dir, &[middle, "z.csv", "--scheme", "iob2"]).expect(0);
        assert!(dir.read("z.csv") == dir.read("a.csv"), "{middle}");
    }
}

#[test]
fn lines_of_a_brat_text_are_its_sentences() {
    let dir = Dir::new();
    // No mark ends a sentence in this script, and one within a quotation ends none.
    let rows = "नमस्ते O\nदिल्ली B-geo\n\n".repeat(300) + "No O\n. O\nHe O\nsaid O\nno O\n. O\n\n";
    dir.write("a.conll", rows.replace(' ', "\t"));
    convert(&dir, &["a.conll", "b.ann"]).expect(0);
    convert(&dir, &["b.ann", "c.conll"]).expect(0).says(&["301 sentences"]);
    assert_eq!(dir.read("c.conll"), dir.read("a.conll"));
}

#[test]
fn words_with_tags_are_read_and_numbers_of_tags_refused() {
    let dir = Dir::new();
    dir.write(
        "hf.jsonl",
        "{\"id\":\"0\",\"tokens\":[\"Rome\",\"fell\"],\"ner_tags\":[\"B-geo\",\"O\"]}\n",
    );
    convert(&dir, &["hf.jsonl", "a.conll"]).expect(0);
    assert_eq!(dir.read("a.conll"), "Rome\tB-geo\nfell\tO\n\n");
    dir.write("n.jsonl", "{\"tokens\":[\"Rome\",\"fell\"],\"ner_tags\":[5,0]}\n");
    convert(&dir, &["n.jsonl", "b.conll"]).expect(2).says(&["E049", "n.jsonl:1", "(5 …)", "names"]);
}

#[test]
fn borders_on_blanks_and_empty_labels_are_told() {
    let dir = Dir::new();
    dir.write("a.jsonl", "{\"text\":\"I\"}\n{\"text\":\"Rome fell\",\"ents\":[[0,5,\"geo\"]]}\n");
    let ran = convert(&dir, &["a.jsonl", "a.conll"]).expect(0);
    ran.says(&["W034", "1 entity begins or ends with a blank", "a.jsonl:2"]);
    assert!(dir.read("a.conll").contains("Rome\tB-geo\nfell\tO\n"));
    dir.write("b.jsonl", "{\"text\":\"Rome fell\",\"ents\":[[0,4,\"\"]]}\n");
    convert(&dir, &["b.jsonl", "b.conll"]).expect(2).says(&["E049", "0..4", "empty label"]);
    assert!(!dir.path("b.conll").exists());
}

#[test]
fn nothing_that_is_read_is_written_over() {
    let dir = Dir::new();
    let rows = "Rome B-geo\nfell O\n\n";
    dir.write("a.txt", rows);
    // BRAT writes two files, and reads two.
    convert(&dir, &["a.txt", "a.ann"]).expect(2).says(&["E048", "a.txt is read here"]);
    convert(&dir, &["a.txt", "a.txt", "--repair"]).expect(2).says(&["E048"]);
    assert_eq!(dir.read("a.txt"), rows);
    convert(&dir, &["a.txt", "b.ann"]).expect(0);
    let text = dir.read("b.txt");
    convert(&dir, &["b.ann", "b.txt"]).expect(2).says(&["E048", "b.txt"]);
    assert_eq!(dir.read("b.txt"), text);
}
