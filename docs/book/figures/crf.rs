//! Chapter 8: what a trained CRF believes of a sentence, and what it learned of pairs of tags.

use std::fmt::Write as _;

use ndarray::{Array2, ArrayView1};
use nn::crf::Allowed;

use crate::draw::{COLOURS, escaped, frame, heat, label};
use crate::run::{self, Run};
use crate::{Figure, Result};

pub fn figures() -> Result<Vec<Figure>> {
    let run = run::trained("fast", &[])?;
    let of = believed(&run);
    let (title, tags) =
        ("Transitions learned (A), from the row's tag to the column's", names(&run));
    let (from, to) = (with(&["start"], &tags, &[]), with(&[], &tags, &["end"]));
    let potential = potentials(&run);
    Ok(vec![
        ("lattice.svg", lattice(&of, &tags)),
        ("marginals.csv", table(&of, &tags)),
        ("transitions.svg", heat(title, &from, &to, &potential)),
        ("transitions.csv", some_transitions(&tags, &potential)),
    ])
}

/// A sentence of dev with its words, gold tags, best path, scores and marginals.
struct Believed<'a> {
    words: Vec<&'a str>,
    gold: Vec<u32>,
    best: Vec<u32>,
    scores: Array2<f32>,
    marginals: Array2<f32>,
}

/// The sentence of 8 to 12 tokens on which the tags are least certain together.
fn believed(run: &Run) -> Believed<'_> {
    let (trainer, dataset) = (&run.trainer, run.trainer.dataset());
    let chain = trainer.tagger().chain().expect("the preset has a CRF");
    let plain = |words: &[&str]| words.iter().all(|w| !w.contains([',', '"', '|']));
    let read = |&i: &u32| {
        let words = run.words(i);
        let (input, packing) = run::read(trainer, &words);
        let scores = trainer.tagger().scores(input);
        let marginals = chain.marginals(&scores, &packing);
        let best = chain.viterbi(&scores, &packing);
        Believed { words, gold: dataset.gold(i).collect(), best, scores, marginals }
    };
    let doubt = |b: &Believed<'_>| {
        b.marginals.iter().filter(|p| **p > 0.0).map(|p| f64::from(-p * p.ln())).sum::<f64>()
    };
    let short = |i: &&u32| (8..=12).contains(&dataset.tokens(**i)) && plain(&run.words(**i));
    let all = dataset.split.dev.iter().filter(short).map(read);
    all.max_by(|a, b| doubt(a).total_cmp(&doubt(b))).expect("dev has short sentences")
}

fn names(run: &Run) -> Vec<String> {
    run.trainer.dataset().tags.iter().map(str::to_owned).collect()
}

fn with(before: &[&str], tags: &[String], after: &[&str]) -> Vec<String> {
    let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    [owned(before), tags.to_vec(), owned(after)].concat()
}

/// e^{s_t} / Σ e^{s_t}: what a token's own scores say.
fn softmax(s: ArrayView1<'_, f32>) -> Vec<f32> {
    let top = s.fold(f32::NEG_INFINITY, |top, &v| top.max(v));
    let e = s.mapv(|v| (v - top).exp());
    (&e / e.sum()).to_vec()
}

fn table(of: &Believed<'_>, tags: &[String]) -> String {
    let mut text = "token,gold,best path,its P(y_t),its softmax of s_t alone\n".to_owned();
    for (t, word) in of.words.iter().enumerate() {
        let (gold, best) = (of.gold[t] as usize, of.best[t] as usize);
        let (p, alone) = (of.marginals[[t, best]], softmax(of.scores.row(t))[best]);
        let gold = tags.get(gold).map_or("?", String::as_str);
        writeln!(text, "{word},{gold},{},{p:.3},{alone:.3}", tags[best]).expect("a String");
    }
    text
}

/// Circles as large as marginals, the best path through them, and gold tags as rings.
fn lattice(of: &Believed<'_>, tags: &[String]) -> String {
    let likely = |k: usize| of.marginals.column(k).iter().any(|&p| p > 0.01);
    let shown: Vec<usize> = (0..tags.len()).filter(|&k| likely(k)).collect();
    let (left, top, high) = (80.0, 70.0, 26.0);
    let wide = 620.0 / of.words.len() as f64;
    let x = |t: usize| left + wide * (t as f64 + 0.5);
    let y = |k: usize| shown.iter().position(|&s| s == k).map(|row| top + high * row as f64);
    let mut svg = String::new();
    for (t, word) in of.words.iter().enumerate() {
        label(&mut svg, x(t), top - 24.0, "text-anchor=\"middle\"", word);
    }
    for &k in &shown {
        let y = y(k).expect("it is shown");
        let _ = writeln!(svg, "<path d=\"M{left} {y}H700\" stroke=\"#ddd\"/>");
        label(&mut svg, left - 8.0, y + 4.0, "text-anchor=\"end\"", &tags[k]);
    }
    let path = of.best.iter().enumerate();
    let path = path.map(|(t, &k)| format!("{:.1},{}", x(t), y(k as usize).unwrap_or(top)));
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#888\" stroke-width=\"2\"/>",
        path.collect::<Vec<_>>().join(" ")
    );
    for (t, word) in of.words.iter().enumerate() {
        for (&k, y) in shown.iter().filter_map(|k| Some((k, y(*k)?))) {
            let p = of.marginals[[t, k]];
            if p > 0.001 {
                let (r, colour) = (11.0 * p.sqrt(), COLOURS[0]);
                let told = format!("{} at {}: {p:.3}", tags[k], escaped(word));
                let _ = writeln!(
                    svg,
                    "<circle cx=\"{:.1}\" cy=\"{y}\" r=\"{r:.1}\" fill=\"{colour}\"><title>{told}</title></circle>",
                    x(t)
                );
            }
            if of.gold[t] as usize == k {
                let _ = writeln!(
                    svg,
                    "<circle cx=\"{:.1}\" cy=\"{y}\" r=\"12.5\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>",
                    x(t),
                    COLOURS[1]
                );
            }
        }
    }
    let under = top + high * shown.len() as f64 + 6.0;
    let legend = "area: P(y_t = tag)   ·   grey line: best path   ·   ring: gold tag";
    label(&mut svg, left, under, "", legend);
    frame("What the CRF believes of a sentence of dev", under + 16.0, &svg)
}

/// A + the edges, row 0 the start and the last column the end; None is forbidden.
fn potentials(run: &Run) -> impl Fn(usize, usize) -> Option<f64> {
    let tagger = run.trainer.tagger();
    let crf = tagger.network.crf.clone().expect("the preset has a CRF");
    let k = tagger.spec.tags;
    let rules = tagger.spec.rules.clone().unwrap_or_else(|| Allowed::all(k));
    move |i, j| {
        let (allowed, w) = match (i.checked_sub(1), j < k) {
            (None, true) => (rules.start()[j], crf.start[j]),
            (None, false) => (false, 0.0),
            (Some(i), true) => (rules.transitions()[i * k + j], crf.transitions[[i, j]]),
            (Some(i), false) => (rules.end()[i], crf.end[i]),
        };
        allowed.then_some(f64::from(w))
    }
}

/// Between O and two types.
fn some_transitions(tags: &[String], value: &impl Fn(usize, usize) -> Option<f64>) -> String {
    let some = ["O", "B-per", "I-per", "B-org", "I-org"];
    let place = |tag: &str| tags.iter().position(|t| t == tag).expect("a tag of the corpus");
    let mut text = format!("from,{}\n", some.map(|tag| format!("to {tag}")).join(","));
    for (name, row) in [("start", 0)].into_iter().chain(some.map(|tag| (tag, place(tag) + 1))) {
        let cell = |tag| value(row, place(tag)).map_or("forbidden".into(), |v| format!("{v:.2}"));
        writeln!(text, "{name},{}", some.map(cell).join(",")).expect("a String");
    }
    text
}
