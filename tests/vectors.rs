//! Pretrained vectors, from their file into a model and out of it again.

mod common;

use common::{Dir, Ran};
use serde_json::Value;

/// People and towns whose names each stand once, so that only their vectors say which are which.
fn corpus() -> String {
    let mut rows = String::from("Sentence #,Word,Tag\n");
    for n in 0..60 {
        rows += &format!("Sentence: {},xp{n}a,B-per\n,saw,O\n,xp{n}b,B-geo\n,.,O\n", n + 1);
        rows += &format!("Sentence: {},xp{n}c,B-geo\n,saw,O\n,xp{n}d,B-per\n,.,O\n", n + 100);
    }
    rows
}

/// Two numbers a word, which alone tell names of towns from names of people. `qa` and `qb` stand in
/// no sentence.
fn vectors(header: bool) -> String {
    let mut text = String::new();
    for n in 0..60 {
        for (letter, x) in
            [("a", "1.5 -0.5"), ("b", "-1.5 0.5"), ("c", "-1.25 0.25"), ("d", "1.25 -0.25")]
        {
            text += &format!("xp{n}{letter} {x}\n");
        }
    }
    text += "qa 1.5 -0.25\nqb -1.5 0.25\nsaw 0 3\n";
    if header { format!("{} 2\n{text}", text.lines().count()) } else { text }
}

const SMALL: &[&str] = &[
    "--epochs",
    "12",
    "--batch",
    "8",
    "--set",
    "encoder=bilstm:8",
    "--set",
    "embedding=8",
    "--set",
    "affix-rows=0",
    "--set",
    "wide-rows=0",
    "--lr",
    "0.02",
    "--split",
    "60,20,20",
];

fn train(dir: &Dir, more: &[&str]) -> Ran {
    dir.write("data.csv", corpus());
    dir.write("vectors.txt", vectors(false));
    dir.run(
        &[&["train", "data.csv", "-o", "run", "--vectors", "vectors.txt"], SMALL, more].concat(),
    )
}

fn f1(dir: &Dir) -> f64 {
    let scores: Value = serde_json::from_str(&dir.read("run/scores.json")).unwrap();
    scores.pointer("/test/strict/micro/f1").and_then(Value::as_f64).unwrap()
}

fn info(dir: &Dir) -> Value {
    let ran = dir.run(&["info", "run/model.safetensors", "--json"]).expect(0);
    serde_json::from_str(&ran.out).unwrap()
}

#[test]
fn vectors_tell_apart_what_training_never_showed_and_go_into_the_model() {
    for how in ["frozen", "tuned"] {
        let dir = Dir::new();
        let ran = train(&dir, &["--set", &format!("vectors-train={how}")]).expect(0);
        let line =
            format!("vectors.txt: 243 words of 2 numbers, {how}; vectors cover 99.6 % of types");
        assert!(ran.err.contains(&line), "{}", ran.err);
        assert!(ran.err.contains("100.0 % of the tokens of dev's entities"), "{}", ran.err);
        assert!(f1(&dir) > 0.95, "{how}: {}", f1(&dir));

        // Neither the file nor the folder that it lay in is needed any more.
        std::fs::remove_file(dir.path("vectors.txt")).unwrap();
        let model = info(&dir);
        assert_eq!(model["vectors"]["words"], 243);
        assert_eq!(model["vectors"]["tuned"], how == "tuned");
        assert_eq!(model["config"]["vectors"], "vectors.txt");
        let text = dir.run(&["info", "run/model.safetensors"]).expect(0).out;
        assert!(text.contains(&format!("243 words of 2 numbers, {how}")), "{text}");
        // qa and qb are in no part of the data; QA is found as qa.
        for (text, want) in [("qa saw qb .", ["per", "geo"]), ("QB saw QA .", ["geo", "per"])] {
            let args = ["tag", "run/model.safetensors", "--text", text, "--out", "jsonl"];
            let found: Value = serde_json::from_str(&dir.run(&args).expect(0).out).unwrap();
            let labels: Vec<&str> = found["ents"]
                .as_array()
                .unwrap()
                .iter()
                .map(|e| e["label"].as_str().unwrap())
                .collect();
            assert_eq!(labels, want, "{how}: {text}");
        }
    }
}

#[test]
fn without_vectors_the_same_run_cannot_know_them() {
    let dir = Dir::new();
    dir.write("data.csv", corpus());
    dir.run(&[&["train", "data.csv", "-o", "run"], SMALL].concat()).expect(0);
    assert!(f1(&dir) < 0.9, "{}", f1(&dir));
    assert!(info(&dir)["vectors"].is_null());
}

#[test]
fn a_header_changes_nothing_and_few_words_are_kept_besides_the_datas() {
    let dir = Dir::new();
    train(&dir, &[]).expect(0);
    let without = info(&dir);
    dir.write("vectors.txt", vectors(true));
    let again = [&["train", "data.csv", "-o", "run", "--force", "--vectors", "vectors.txt"], SMALL]
        .concat();
    dir.run(&again).expect(0);
    assert_eq!(info(&dir)["weights_sha256"], without["weights_sha256"]);
    assert_eq!(info(&dir)["vectors"], without["vectors"]);
    dir.run(&[&again[..], &["--set", "vectors-keep=0"]].concat()).expect(0);
    assert_eq!(info(&dir)["vectors"]["words"], 241); // not qa, qb
}

#[test]
fn malformed_and_foreign_vectors_are_refused_or_remarked_upon() {
    let dir = Dir::new();
    dir.write("data.csv", corpus());
    dir.write("bad.txt", "saw 1 2\nxp1a 1 2 3\n");
    let with = |file: &str| {
        dir.run(
            &[
                &["train", "data.csv", "-o", "run", "--force", "--vectors", file],
                SMALL,
                &["--epochs", "1"],
            ]
            .concat(),
        )
    };
    with("bad.txt").expect(2).says(&["E015", "bad.txt:2"]);
    with("none.txt").expect(2).says(&["E021", "none.txt"]);
    dir.write("foreign.txt", "der 1 2\nxp1a 1 2\n");
    with("foreign.txt").expect(0).says(&["W015", "vectors cover 0.4 % of types"]);
}

#[test]
fn an_interrupted_run_goes_on_only_with_its_own_vectors() {
    use data::{Corpus, Scheme, Split};
    use train::trainer::Progress;
    use train::{Config, Dataset, EpochRecord, IfThere, Observer, Provenance, RunFolder, Trainer};

    struct StopAfter(usize);
    impl Observer for StopAfter {
        fn batch(&mut self, _: &Progress) -> bool {
            self.0 = self.0.saturating_sub(1);
            self.0 == 0
        }
        fn epoch(&mut self, _: &EpochRecord) {}
    }

    let dir = Dir::new();
    let path = dir.path("v.txt");
    let trainer = |how: &str, vectors: &str| {
        dir.write("v.txt", vectors);
        let rows: Vec<_> =
            (0..40).map(|n| (format!("Ann met Bob in x{n} ."), "B-p O B-p O B-g O")).collect();
        let pairs: Vec<(&str, &str)> = rows.iter().map(|(w, t)| (&w[..], *t)).collect();
        let corpus = Corpus::from_pairs(&pairs);
        let set = [
            ("vectors", path.to_str().unwrap()),
            ("vectors-train", how),
            ("encoder", "bilstm:4"),
            ("embedding", "4"),
            ("epochs", "2"),
            ("average", "0.9"),
            ("batch", "4"),
        ];
        let set: Vec<_> = set.map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec();
        let config = Config::resolve(Some("fast"), None, &set).unwrap();
        let split = Split::by_fractions(&corpus, [80.0, 10.0, 10.0], 1, true).unwrap();
        let (dataset, _) = Dataset::new(&corpus, split, &config, Scheme::Iob2, false).unwrap();
        Trainer::new(config, dataset).unwrap()
    };
    let run = |name: &str, trainer: &mut Trainer, stop, if_there| {
        let folder = RunFolder::claim(&dir.path(name), if_there).unwrap();
        folder.train(trainer, &Provenance::default(), if_there, &mut StopAfter(stop))
    };
    let words = "Ann 1 2\nBob 3 4\nin 0 1\nx3 1 1\nelsewhere 7 8\n";
    for how in ["frozen", "tuned"] {
        run(&format!("{how}-whole"), &mut trainer(how, words), usize::MAX, IfThere::Refuse)
            .unwrap();
        run(how, &mut trainer(how, words), 3, IfThere::Refuse).unwrap();
        for other in ["Ann 1 2\nBob 3 5\nin 0 1\nx3 1 1\nelsewhere 7 8\n", "Ann 1\nBob 3\n"] {
            let error = run(how, &mut trainer(how, other), 3, IfThere::Resume).unwrap_err();
            assert_eq!(error.code, "E043");
            assert!(error.message.contains("other pretrained vectors"), "{error}");
        }
        run(how, &mut trainer(how, words), usize::MAX, IfThere::Resume).unwrap();
        let [a, b] = [how.to_owned(), format!("{how}-whole")]
            .map(|name| std::fs::read(dir.path(&name).join("model.safetensors")).unwrap());
        assert!(a == b, "{how}: the models differ");
        let model = train::Model::load(&dir.path(how).join("model.safetensors")).unwrap();
        let table = model.tagger.vectors.as_ref().unwrap().table();
        let row = |word: &str| {
            table.row(model.code.vectors.as_ref().unwrap().row(word) as usize).to_vec()
        };
        assert_eq!(row("elsewhere"), [7.0, 8.0], "{how}: no sentence holds it");
        assert_eq!(row("Ann") == [1.0, 2.0], how == "frozen", "{how}: {:?}", row("Ann"));
        assert_eq!(row("nowhere") == [0.0, 0.0], how == "frozen");
    }
}
