//! `longhand explain`: the numbers hold together, and the page works in a real browser.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::Dir;
use serde_json::Value;

const TEXT: &str = "Ann Lee left Oslo on Monday. She met </script> Tom & others.";

/// A small model with two layers and every part of the page.
fn model(dir: &Dir) -> PathBuf {
    model_of(dir, &[])
}

fn model_of(dir: &Dir, more: &[&str]) -> PathBuf {
    let sets = ["epochs=2", "embedding=16", "encoder=bilstm:12,lstm:8", "dense-dropout=0"];
    let sets = sets.iter().chain(more);
    let mut args = vec!["-q", "train", "-o", "run"];
    sets.for_each(|set| args.extend(["--set", set]));
    dir.run(&args).expect(0);
    dir.path("run/model.safetensors")
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn at(rows: &Value, t: usize) -> Vec<f64> {
    numbers(&rows[t])
}

#[test]
fn the_json_has_the_equations_of_the_cell_in_it_and_probabilities_that_add_up() {
    let dir = Dir::new();
    let model = model(&dir);
    let ran = dir.run(&["explain", model.to_str().unwrap(), TEXT, "--out", "json"]).expect(0);
    let all: Value = serde_json::from_str(&ran.out).unwrap();
    let tagged =
        dir.run(&["tag", model.to_str().unwrap(), "--text", TEXT, "--out", "conll"]).expect(0);
    let tagged: Vec<Vec<&str>> = tagged
        .out
        .split("\n\n")
        .map(|s| s.lines().filter_map(|l| l.split_whitespace().last()).collect())
        .filter(|s: &Vec<&str>| !s.is_empty())
        .collect();
    let sentences = all["sentences"].as_array().unwrap();
    assert_eq!(sentences.len(), tagged.len());
    for (s, tagged) in sentences.iter().zip(&tagged) {
        let best: Vec<&str> = numbers(&s["best"])
            .iter()
            .map(|&k| all["tags"][k as usize].as_str().unwrap())
            .collect();
        assert_eq!(&best, tagged);
        let n = best.len();
        let members = s["members"].as_array().unwrap();
        assert_eq!(members.len(), 1);
        assert_eq!((&members[0]["emissions"], &members[0]["best"]), (&s["emissions"], &s["best"]));
        let walks = members[0]["walks"].as_array().unwrap();
        assert_eq!(walks.len(), 3);
        for walk in walks {
            check_cell(walk, n);
        }
        for t in 0..n {
            let sum: f64 = at(&s["marginals"], t).iter().sum();
            assert!((sum - 1.0).abs() < 1e-2, "{sum}");
            assert_eq!(at(&s["without"], t).len(), n);
            assert_eq!(at(&s["without"], t)[t], 0.0);
        }
        // A word's own row moves its own score; a direction that cannot see a word would show as 0.
        for influence in s["influence"].as_array().unwrap() {
            let norms = numbers(&influence["norms"]);
            assert!(norms[influence["token"].as_u64().unwrap() as usize] > 0.0);
            assert!(norms.iter().all(|n| n.is_finite() && *n >= 0.0));
        }
    }
}

/// c = f c' + i g and h = o tanh c at every token and unit, up to four places.
fn check_cell(walk: &Value, n: usize) {
    let back = walk["backward"] == true;
    for t in 0..n {
        let [i, f, g, o, c, h] = ["i", "f", "g", "o", "c", "h"].map(|q| at(&walk[q], t));
        let before = if back { Some(t + 1).filter(|&t| t < n) } else { t.checked_sub(1) };
        let before = before.map_or(vec![0.0; c.len()], |t| at(&walk["c"], t));
        for u in 0..c.len() {
            let want = f[u] * before[u] + i[u] * g[u];
            assert!((c[u] - want).abs() < 5e-4, "{} unit {u} at {t}", walk["name"]);
            assert!((h[u] - o[u] * c[u].tanh()).abs() < 5e-4);
        }
    }
}

#[test]
fn of_several_networks_the_scores_are_the_mean_and_each_has_states_of_its_own() {
    let dir = Dir::new();
    let model = model_of(&dir, &["members=3", "epochs=1", "decode=likely"]);
    let ran = dir.run(&["explain", model.to_str().unwrap(), TEXT, "--out", "json"]).expect(0);
    let all: Value = serde_json::from_str(&ran.out).unwrap();
    for s in all["sentences"].as_array().unwrap() {
        let n = s["words"].as_array().unwrap().len();
        let members = s["members"].as_array().unwrap();
        assert_eq!(members.len(), 3);
        for walk in members.iter().flat_map(|m| m["walks"].as_array().unwrap()) {
            check_cell(walk, n);
        }
        assert_ne!(members[1]["walks"], members[0]["walks"]);
        for t in 0..n {
            let each: Vec<_> = members.iter().map(|m| at(&m["emissions"], t)).collect();
            for (k, score) in at(&s["emissions"], t).into_iter().enumerate() {
                let mean = each.iter().map(|scores| scores[k]).sum::<f64>() / 3.0;
                assert!((score - mean).abs() < 2e-4, "{score} {mean}");
            }
        }
        assert!(members.iter().all(|m| m["best"].as_array().unwrap().len() == n));
        let influence = s["influence"].as_array().unwrap();
        assert!(influence.iter().all(|i| numbers(&i["norms"]).iter().all(|n| n.is_finite())));
    }
}

#[test]
fn texts_without_words_and_long_ones_are_refused() {
    let dir = Dir::new();
    let model = model(&dir);
    let model = model.to_str().unwrap();
    assert!(dir.run(&["explain", model, " "]).expect(2).err.contains("E052"));
    assert!(
        dir.run(&["explain", model, &"word ".repeat(121)]).expect(2).err.contains("121 tokens")
    );
    let page = dir.run_with(&["explain", model, "-"], "Ann slept.").expect(0).out;
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    let said =
        |args: &[&str]| dir.run(&[&["explain", model, "Ann slept.", "-o"], args].concat()).err;
    assert_eq!(said(&["a.html"]), "a.html: open it in a browser\n");
    assert_eq!(said(&["a.json", "--out", "json"]), "a.json: all numbers of the page\n");
}

/// A Chromium: LONGHAND_BROWSER, or one of these on the path.
fn browser() -> Option<String> {
    let named = std::env::var("LONGHAND_BROWSER").into_iter();
    let usual = ["chromium", "chromium-browser", "google-chrome"].map(str::to_owned);
    named.chain(usual).find(|browser| {
        let version = Command::new(browser).arg("--version").stderr(Stdio::null()).output();
        version.is_ok_and(|o| o.status.success())
    })
}

/// The page's elements after its script and `script` have run.
fn in_browser(browser: &str, dir: &Dir, page: &Path, script: &str) -> String {
    let html = std::fs::read_to_string(page).unwrap();
    let script = format!("<script>{script}</script></body>");
    let page = dir.write("driven.html", html.replace("</body>", &script));
    let profile = dir.path("profile");
    let ran = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(["--window-size=1400,1000", "--virtual-time-budget=3000", "--dump-dom"])
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("the browser starts");
    let dom = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(dom.contains("data-ready=\"yes\""), "{dom}\n{}", String::from_utf8_lossy(&ran.stderr));
    dom
}

#[test]
fn the_page_answers_to_keys_and_mouse_in_a_real_browser() {
    let Some(browser) = browser() else {
        eprintln!("SKIPPED: no Chromium (set LONGHAND_BROWSER)");
        return;
    };
    let dir = Dir::new();
    let model = model(&dir);
    dir.run(&["-q", "explain", model.to_str().unwrap(), TEXT, "-o", "page.html"]).expect(0);
    let page = dir.path("page.html");
    assert!(std::fs::metadata(&page).unwrap().len() < 2_000_000);
    let script = "
        const log = [];
        const note = (what) => log.push(what + ': ' + place.textContent + ' ' + equations.textContent.split('\\n')[0]
            + ' | ' + document.querySelectorAll('#lattice circle').length + ' circles');
        const key = (k) => document.body.dispatchEvent(new KeyboardEvent('keydown', { key: k, bubbles: true }));
        const place = document.getElementById('place'), equations = document.getElementById('equations');
        onerror = (e) => log.push('error ' + e);
        key('n'); key('End'); key('Home'); key('2'); key('a'); key('a'); key('s'); key('s');
        for (let u = 0; u < 20; u++) key('ArrowUp');
        document.querySelectorAll('.word')[0].click(); note('first');
        key('ArrowRight'); note('right');
        key('ArrowDown'); note('down');
        key('f'); note('f ' + document.querySelector('#quantities [aria-pressed=true]').textContent);
        key(']'); note('walk');
        document.getElementById('asked').children[1].click(); note('asked');
        document.getElementById('sentence').value = 1;
        document.getElementById('sentence').dispatchEvent(new Event('change')); note('sentence');
        const canvas = document.getElementById('heat'), on = canvas.getContext('2d');
        const pixels = new Set(on.getImageData(0, 0, canvas.width, canvas.height).data);
        log.push('pixels ' + (pixels.size > 50));
        key(' '); setTimeout(() => { note('played'); document.title = log.join('\\n'); }, 1500);";
    let dom = in_browser(&browser, &dir, &page, script);
    let title = dom.split_once("<title>").unwrap().1.split_once("</title>").unwrap().0;
    let lines: Vec<&str> = title.lines().collect();
    let starts = [
        "first: Word 1 of 7: “Ann”",
        "right: Word 2 of 7: “Lee”",
        "down: Word 2 of 7: “Lee”",
        "f f: Word 2",
        "walk: Word 2",
        "asked: Word 2",
        "sentence: Word 1 of",
        "pixels true",
        "played: Word ",
    ];
    assert_eq!(lines.len(), starts.len(), "{title}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{start}\n{title}");
    }
    assert!(lines[1].contains("unit 0 of encoder.0.forward"), "{title}");
    assert!(lines[2].contains("unit 1 of encoder.0.forward"), "{title}");
    assert!(lines[4].contains("unit 1 of encoder.0.backward"), "{title}");
    assert!(!lines[8].starts_with("played: Word 1 "), "{title}");
    assert!(dom.contains("<b>&lt;</b>"), "a word like markup is shown as it is");
}

#[test]
fn by_keys_alone_one_reaches_every_network_and_the_focus_stays_with_the_word() {
    let Some(browser) = browser() else {
        eprintln!("SKIPPED: no Chromium (set LONGHAND_BROWSER)");
        return;
    };
    let dir = Dir::new();
    let model = model_of(&dir, &["members=2", "epochs=1"]);
    dir.run(&["-q", "explain", model.to_str().unwrap(), TEXT, "-o", "page.html"]).expect(0);
    let script = "
        const log = [], equations = document.getElementById('equations');
        onerror = (e) => log.push('error ' + e);
        const note = (what) => log.push(what + ': ' + equations.textContent.split('\\n')[0]);
        const key = (k) => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: k, bubbles: true }));
        const asked = () => document.querySelector('#asked [aria-pressed=true]').textContent;
        document.querySelectorAll('.word')[0].focus(); key('Home'); note('first');
        key('n'); note('network'); key('n'); note('again');
        key('l'); note('lstm');
        key('End'); note('end');
        log.push('focus ' + document.activeElement.textContent + ' of ' + document.querySelectorAll('.word[tabindex=\"0\"]').length);
        const before = asked(); key('2'); log.push('asked ' + (before !== asked()));
        log.push('alone ' + /of 2 networks say/.test(document.getElementById('tag-detail').textContent));
        key('s'); note('sentence');
        document.title = log.join('\\n');";
    let dom = in_browser(&browser, &dir, &dir.path("page.html"), script);
    let title = dom.split_once("<title>").unwrap().1.split_once("</title>").unwrap().0;
    let lines: Vec<&str> = title.lines().collect();
    let holds = [
        ["first", "encoder.0.forward in network 1 at “Ann”"],
        ["network", "encoder.0.forward in network 2 at “Ann”"],
        ["again", "in network 1 at “Ann”"],
        ["lstm", "encoder.0.backward in network 1 at “Ann”"],
        ["end", "at “.”"],
        ["focus", " of 1"],
        ["asked", "true"],
        ["alone", "true"],
        ["sentence", "at “"],
    ];
    assert_eq!(lines.len(), holds.len(), "{title}");
    for (line, [what, held]) in lines.iter().zip(holds) {
        assert!(line.starts_with(what) && line.contains(held), "{what}: {held}\n{title}");
    }
    assert!(lines[5].starts_with("focus ."), "{title}");
}
