//! `report`: pages as files and in a browser, two runs side by side, and what is no run.
//!
//! The browser is the one that LONGHAND_BROWSER names, or a Chromium or Chrome on PATH. Without one the test
//! says that it was skipped.

mod common;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::Dir;
use serde_json::Value;

const QUICK: &[&str] =
    &["--epochs", "3", "--set", "encoder=bilstm:8", "--set", "embedding=8", "--batch", "8", "-q"];

fn corpus() -> String {
    let mut rows = String::new();
    let names = ["Ann", "Bob Ray", "Eve", "Tom", "Ida"];
    let towns = ["Oslo", "Bern", "Rome", "New York", "Lima"];
    for n in 0..120 {
        let (name, town) = (names[n % 5], towns[(n / 5) % 5]);
        for (words, kind) in [(name, "per"), ("met", ""), ("<b>", ""), (town, "geo"), (".", "")] {
            for (i, word) in words.split(' ').enumerate() {
                let tag = match (kind, i) {
                    ("", _) => "O".to_owned(),
                    (kind, 0) => format!("B-{kind}"),
                    (kind, _) => format!("I-{kind}"),
                };
                rows += &format!("{word} {tag}\n");
            }
        }
        rows += &format!("x{n} O\n\n");
    }
    rows
}

/// Two runs on the same sentences, `a` and `b`.
fn two_runs() -> Dir {
    let dir = Dir::new();
    dir.write("data.conll", corpus());
    for (run, seed) in [("a", "1"), ("b", "2")] {
        // The split depends on the seed; a file of it does not.
        let split = "train\t".to_owned()
            + &(0..80).map(|n| n.to_string()).collect::<Vec<_>>().join(" ")
            + "\ndev\t80 81 82 83 84 85 86 87 88 89\ntest\t"
            + &(90..120).map(|n| n.to_string()).collect::<Vec<_>>().join(" ")
            + "\n";
        dir.write("split.txt", split);
        let args = ["train", "data.conll", "-o", run, "--split-file", "split.txt", "--seed", seed];
        dir.run(&[&args[..], QUICK].concat()).expect(0);
    }
    dir
}

#[test]
fn training_leaves_a_page_and_report_writes_the_same_one_again() {
    let dir = two_runs();
    let page = dir.read("a/report.html");
    assert!(page.contains("<h1>Run a</h1>") && page.len() < 1_000_000);
    let ran = dir.run(&["report", "a", "-o", "again.html"]).expect(0);
    assert_eq!((ran.out.trim(), ran.err.as_str()), ("again.html", ""));
    assert!(dir.read("again.html") == page);
    let dev = dir.run(&["report", "a", "--part", "dev"]).expect(0);
    assert_eq!(Path::new(dev.out.trim()), Path::new("a/report.html"));
    assert!(dir.read("a/report.html").contains("F1 on dev"));
}

#[test]
fn two_runs_are_compared_on_the_terminal_as_json_and_on_a_page() {
    let dir = two_runs();
    let ran = dir.run(&["report", "a", "b", "-o", "both.html"]).expect(0);
    for part in ["micro F1", "95 % interval", "10,000 resamples", "seed  1"] {
        assert!(ran.out.contains(part), "no {part} in {}", ran.out);
    }
    assert!(dir.read("both.html").contains("<h1>a and b</h1>"));
    let json = dir.run(&["report", "a", "b", "--json"]).expect(0).out;
    let json: Value = serde_json::from_str(&json).unwrap();
    let f1 = |run: &str| -> f64 {
        let scores: Value = serde_json::from_str(&dir.read(&format!("{run}/scores.json"))).unwrap();
        scores["test"]["strict"]["micro"]["f1"].as_f64().unwrap()
    };
    let of = |place: &str| json.pointer(place).and_then(Value::as_f64).unwrap();
    assert_eq!([of("/comparison/micro/0/f1"), of("/comparison/micro/1/f1")], [f1("a"), f1("b")]);
    assert_eq!(of("/comparison/bootstrap/difference"), f1("b") - f1("a"));
    let again: Value =
        serde_json::from_str(&dir.run(&["report", "a", "b", "--json"]).expect(0).out).unwrap();
    assert_eq!(again, json, "the same seed, the same draws");
}

#[test]
fn what_cannot_be_reported_or_compared_is_said() {
    let dir = two_runs();
    dir.run(&["report", "nothing"]).expect(2).says(&["E061", "there is no nothing"]);
    dir.run(&["report", "a/config.toml"]).expect(2).says(&["E061", "is no folder"]);
    std::fs::create_dir(dir.path("empty")).unwrap();
    dir.run(&["report", "empty"]).expect(2).says(&["E061", "scores.json is not there"]);
    dir.write("data.conll", corpus().replace("x95", "y95"));
    let args = ["train", "data.conll", "-o", "c", "--split-file", "split.txt"];
    dir.run(&[&args[..], QUICK].concat()).expect(0);
    dir.run(&["report", "a", "c"]).expect(2).says(&[
        "E062",
        "sentence 6 of test",
        "the same --split-file",
    ]);
    let weights = std::fs::read(dir.path("a/model.safetensors")).unwrap();
    for args in [&["a", "-o", "a/model.safetensors"][..], &["b", "a", "-o", "a/../a/scores.json"]] {
        dir.run(&[&["report"], args].concat()).expect(2).says(&["E048", "a file of the run"]);
    }
    assert_eq!(std::fs::read(dir.path("a/model.safetensors")).unwrap(), weights);
    dir.run(&["report", "a", "-o", "a/report.html"]).expect(0);
    dir.write("a/predictions.jsonl.gz", "no gzip");
    dir.run(&["report", "a"]).expect(2).says(&["E060", "train again"]);
}

/// The browser to test with, if there is one.
fn browser() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("LONGHAND_BROWSER").filter(|b| !b.is_empty()) {
        return Some(named.into());
    }
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let folders: Vec<PathBuf> =
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    names.iter().flat_map(|name| folders.iter().map(move |f| f.join(name))).find(|p| p.is_file())
}

/// Asks a page, shown 360 pixels wide, what a reader would notice; the answers stand in the document's
/// body as JSON.
const QUESTIONS: &str = r#"
<!DOCTYPE html><iframe id="page" style="border:0;width:360px;height:700px"></iframe><script>
const frame = document.getElementById("page");
frame.onload = () => {
  const doc = frame.contentDocument, win = frame.contentWindow, all = s => [...doc.querySelectorAll(s)];
  const button = all("table.sortable th.number button")[0], place = button.parentNode.cellIndex;
  const column = () => all("table.sortable tbody tr").map(r => r.cells[place].textContent);
  const before = column();
  button.click();
  const falling = column(), sort = button.parentNode.getAttribute("aria-sort");
  button.click();
  const opened = all("summary")[0];
  opened?.click(); // a comparison has nothing to unfold
  document.body.textContent = "ANS" + "WERS" + JSON.stringify({
    width: doc.documentElement.scrollWidth,
    resources: win.performance.getEntriesByType("resource").length,
    before, falling, sort, rising: column(),
    opens: opened ? opened.parentNode.open : true,
    unnamed: all("svg:not([aria-hidden])").filter(s => !s.getAttribute("aria-label")).length,
    tables: all("table").length, captions: all("caption").length,
    unreachable: all("summary, button, a, .scroll").filter(e => e.tabIndex < 0).length,
    links: all("nav a").every(a => doc.getElementById(a.hash.slice(1))),
    injected: all("b").length,
  }) + "END";
};
frame.srcdoc = PAGE;
</script>"#;

fn answers(browser: &Path, dir: &Dir, page: &str) -> Value {
    // As a string of JavaScript within an HTML script.
    let page = serde_json::to_string(page).unwrap().replace('<', "\\u003c");
    let file = dir.write("questions.html", QUESTIONS.replace("PAGE", &page));
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(["--window-size=1000,800", "--virtual-time-budget=10000", "--timeout=30000"])
        .arg("--dump-dom")
        .arg(format!("file://{}", file.display()))
        .output()
        .expect("the browser starts");
    let dom = String::from_utf8_lossy(&output.stdout).replace("&lt;", "<").replace("&amp;", "&");
    let answers = dom.split("ANSWERS").nth(1).and_then(|rest| rest.split("END").next());
    let answers = answers.unwrap_or_else(|| panic!("no answer in {dom}"));
    serde_json::from_str(answers).unwrap()
}

#[test]
fn a_browser_shows_both_pages_on_a_phone_and_their_tables_sort() {
    let Some(browser) = browser() else {
        let line =
            "\nSKIPPED: the page in a browser: no LONGHAND_BROWSER and no chromium on PATH\n";
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        return;
    };
    let dir = two_runs();
    dir.run(&["report", "a", "b", "-o", "both.html"]).expect(0);
    for name in ["a/report.html", "both.html"] {
        let a = answers(&browser, &dir, &dir.read(name));
        assert!(a["width"].as_f64().unwrap() <= 360.0, "{name} is wider than a phone: {a}");
        for (question, want) in [
            ("resources", 0.into()),
            ("unnamed", 0.into()),
            ("unreachable", 0.into()),
            ("injected", 0.into()),
            ("links", true.into()),
            ("opens", true.into()),
            ("captions", a["tables"].clone()),
            ("sort", "descending".into()),
        ] {
            assert_eq!(a[question], want, "{name}, {question}: {a}");
        }
        let numbers = |key: &str| -> Vec<f64> {
            let cells = a[key].as_array().unwrap().iter();
            cells.map(|c| c.as_str().unwrap().parse().unwrap_or(-1.0)).collect()
        };
        assert!(numbers("falling").is_sorted_by(|x, y| x >= y), "{name}: {a}");
        assert!(numbers("before").len() >= 2 && numbers("rising").is_sorted(), "{name}: {a}");
    }
}
