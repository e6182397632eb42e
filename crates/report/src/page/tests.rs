//! A page is one file, stays small, and is well-formed.

use std::time::Duration;

use data::scheme::Scheme;
use eval::{Familiar, Rule};

use super::*;

const IOB2: Rule = Rule::Strict(Scheme::Iob2);

/// A run with something in every section. `types` many types, hostile words.
fn a_run(types: usize, sentences: usize) -> Run {
    let familiar = Familiar::fit(IOB2, [(&["Ann", "</div>"][..], &["B-t0", "O"][..])]);
    let words = ["Ann", "</div><script>x</script>", "\"&\"", "Łódź", "x".repeat(500).leak(), "."];
    let tags = |n: usize| {
        let t = |k: usize| (n * 7 + k) % types;
        [
            format!("B-t{}", t(0)),
            "O".into(),
            "O".into(),
            format!("B-t{}", t(1)),
            format!("I-t{}", t(1)),
            "O".into(),
        ]
    };
    let judged: Vec<Judged> = (0..sentences)
        .map(|n| {
            let (gold, found) = (tags(n), tags(n / 2));
            Judged::new(IOB2, &familiar, &words, &gold, &found, |c| Some(c.end as f64 / 6.0))
        })
        .collect();
    let rows: Vec<_> = (0..sentences).map(|n| (tags(n), tags(n / 2))).collect();
    let scores = eval::score(IOB2, rows.iter().map(|(g, p)| (&g[..], &p[..])));
    let epochs = 1..=2000;
    let epochs = epochs.map(|epoch| EpochRow {
        epoch,
        loss: 1.0 / epoch as f64,
        dev: Some([0.5; 3]),
        tokens_per_second: 1e5,
        time: Duration::from_secs(3),
    });
    Run {
        name: "<b>&\"run\"".into(),
        part: "test",
        scores,
        dev: Some(Prf::default()),
        floors: vec![Floor {
            name: "most frequent tag".into(),
            prf: [0.5; 3],
            token_accuracy: 0.9,
            per_type: BTreeMap::from([("t0".into(), 0.4)]),
        }],
        sentences: judged,
        epochs: epochs.collect(),
        best_epoch: 7,
        findings: vec![Finding {
            code: "W050".into(),
            severity: "warn".into(),
            message: "<i>odd</i>".into(),
            examples: vec!["<b>".into()],
            help: Some("do \"this\"".into()),
        }],
        speed: vec![("Time".into(), "3s".into())],
        settings: vec![Setting {
            key: "epochs".into(),
            value: "3".into(),
            preset: Some("25".into()),
        }],
        provenance: vec![("Version".into(), "0".into())],
    }
}

#[test]
fn networks_that_were_trained_one_after_the_other_have_a_line_each() {
    let mut run = a_run(2, 10);
    let page = super::run(&run);
    assert!(page.contains("that of epoch 7.") && page.matches("<polyline").count() == 2);
    run.epochs.truncate(3);
    run.epochs.extend(run.epochs.clone());
    let page = super::run(&run);
    assert!(page.contains("2 networks, a line each") && !page.contains("that of epoch"));
    assert_eq!(page.matches("<polyline").count(), 4, "two in each plot");
    assert!(page.contains(">network 2, 1<") && !page.contains("(kept)"));
}

fn compared() -> String {
    let (a, b) = (a_run(3, 40), a_run(3, 40));
    let mut b = Run { name: "other".into(), ..b };
    b.sentences.iter_mut().step_by(3).for_each(|s| s.predicted.clear());
    let comparison = eval::compare(&a.sentences, &b.sentences, 100, 1).expect("same sentences");
    super::comparison(&Compared { runs: [&a, &b], comparison: &comparison })
}

/// Goes through the tags: every one that opens is closed in turn, attributes are quoted, ids stand once.
fn assert_well_formed(page: &str) {
    const VOID: [&str; 2] = ["meta", "!DOCTYPE"];
    const RAW: [&str; 2] = ["style", "script"];
    let (mut open, mut ids): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        assert!(
            !rest[..at].contains('>') || open.is_empty() || RAW.contains(&open[open.len() - 1])
        );
        let end = at + rest[at..].find('>').expect("a tag ends");
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        assert_eq!(tag.matches('"').count() % 2, 0, "<{tag}>");
        if let Some(id) = tag.split(" id=\"").nth(1) {
            ids.push(id.split('"').next().unwrap_or_default());
        }
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "</{name}>");
        } else if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
            if RAW.contains(&name) {
                rest = &rest[rest.find(&format!("</{name}>")).expect("it is closed")..];
            }
        }
    }
    assert_eq!(open, Vec::<&str>::new());
    let mut once = ids.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), ids.len(), "{ids:?}");
    for link in page.split("href=\"#").skip(1) {
        let id = link.split('"').next().unwrap_or_default();
        assert!(ids.contains(&id), "nothing is called {id}");
    }
}

fn assert_self_contained(page: &str) {
    for word in
        ["http:", "https:", "url(", "@import", " src=", "<link", "<iframe", "<img", "fetch("]
    {
        assert!(!page.contains(word), "{word}");
    }
    assert!(!page.replace("href=\"#", "").contains("href="));
    assert!(page.contains("default-src 'none'"));
    assert_eq!(page.matches("<script").count(), 1, "words do not become scripts");
    let (markup, _) = page.split_once("<script>").expect("the script stands last");
    for figure in ["NaN", "\"inf", ">inf<", "-inf"] {
        assert!(!markup.contains(figure), "a figure that is none");
    }
}

#[test]
fn a_page_is_well_formed_and_asks_nothing_of_the_network() {
    for page in [run(&a_run(3, 60)), run(&a_run(1, 1)), compared()] {
        assert_well_formed(&page);
        assert_self_contained(&page);
    }
}

#[test]
fn a_page_with_many_types_epochs_and_sentences_stays_below_a_megabyte() {
    let page = run(&a_run(300, 3000));
    assert_well_formed(&page);
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
}

#[test]
fn a_run_that_found_nothing_has_a_page() {
    let mut empty = a_run(2, 5);
    empty.sentences.iter_mut().for_each(|s| s.predicted.clear());
    empty.floors.clear();
    empty.dev = None;
    empty.epochs.clear();
    let page = run(&empty);
    assert_well_formed(&page);
    assert_self_contained(&page);
    assert!(page.contains("No entity was found"));
}

#[test]
fn figures_of_the_page_are_those_of_the_scores() {
    let a = a_run(3, 60);
    let page = run(&a);
    let f1 = crate::human::percent(a.scores.micro.f1);
    assert!(page.contains(&format!("<dt>F1 on test</dt><dd>{f1}</dd>")), "{f1}");
    let analysis = eval::analyse(IOB2, &a.sentences);
    let missed = crate::human::count(analysis.errors.missed);
    assert!(page.contains(&format!("<td class=\"number\">{missed}</td></tr>")));
    assert!(page.contains("<h1>Run &lt;b&gt;&amp;&quot;run&quot;</h1>"));
}

#[test]
fn the_policy_allows_the_script_that_is_there() {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(include_bytes!("report.js"));
    assert_eq!(SCRIPT_HASH, format!("sha256-{}", base64(&digest)));
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |three: &[u8]| {
        let bits = (0..3).fold(0_u32, |bits, i| bits << 8 | u32::from(*three.get(i).unwrap_or(&0)));
        let letter = |i: usize| match i <= three.len() {
            true => char::from(LETTERS[(bits >> (18 - 6 * i) & 63) as usize]),
            false => '=',
        };
        (0..4).map(letter).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}
