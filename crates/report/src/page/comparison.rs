//! Two runs on the same sentences, on one page.

use eval::{Comparison, Errors, calibrate, most_gained, probabilities};

use super::markup::{Column, heading, note, points, prf_cells, table, tile};
use super::plot::interval;
use super::sentences::{LONGEST, case};
use super::{Run, Section, curves, document, mistakes};
use crate::html::{escaped, label};
use crate::human::{count, percent};

/// Sentences in each list.
const SHOWN: usize = 8;

/// Two runs and what the statistics say of them.
pub struct Compared<'a> {
    /// The runs, the older or plainer first; differences are second less first.
    pub runs: [&'a Run; 2],
    /// What was computed of their sentences.
    pub comparison: &'a Comparison,
}

/// The page of a comparison. The runs have the same sentences.
pub fn comparison(compared: &Compared) -> String {
    let [a, b] = compared.runs;
    let sections = [
        verdict(compared),
        by_type(compared),
        kinds(compared),
        training(compared),
        sentences(compared),
        settings(compared),
    ];
    let title = format!("{} and {}", a.name, b.name);
    document(&title, &lead(compared), &sections)
}

/// What the test says, in words.
pub fn says(comparison: &Comparison, names: [&str; 2]) -> String {
    let b = &comparison.bootstrap;
    let better = if b.difference >= 0.0 { names[1] } else { names[0] };
    let chance = if b.p < 1.0 / b.resamples as f64 {
        format!("p < {}", 1.0 / b.resamples as f64)
    } else {
        format!("p = {:.4}", b.p)
    };
    match b.p {
        _ if b.difference == 0.0 => "Both have the same F1.".into(),
        p if p < 0.05 => {
            format!("{better} is better, and chance is a poor explanation ({chance}).")
        }
        _ => format!("{better} has the higher F1, but chance explains that as well ({chance})."),
    }
}

fn lead(compared: &Compared) -> String {
    let (c, [a, b]) = (compared.comparison, compared.runs);
    let mut tiles = String::new();
    for (run, prf) in [a, b].iter().zip(&c.micro) {
        let right = format!("{} of {} entities right", count(prf.correct), count(prf.gold));
        tiles += &tile(&run.name, &percent(prf.f1), &right);
    }
    let difference = points(c.bootstrap.difference);
    tiles += &tile("Difference", &difference, "points of F1, second less first");
    let what = format!("{} sentences of {}; rule “{}”.", count(c.sentences), a.part, a.scores.rule);
    format!("<p class=\"note\">{}</p>\n<dl class=\"tiles\">\n{tiles}</dl>\n", escaped(&what))
}

fn verdict(compared: &Compared) -> Section {
    let (c, [a, b]) = (compared.comparison, compared.runs);
    let says = says(c, [&a.name, &b.name]);
    let [low, high] = c.bootstrap.interval;
    let range = format!(
        "Difference of F1 {} points, 95 % interval {} to {}",
        points(c.bootstrap.difference),
        points(low),
        points(high)
    );
    let svg = interval(&says, &range, c.bootstrap.difference, [low, high]);
    let how = format!(
        "Paired bootstrap over sentences, {} resamples, seed {} (Berg-Kirkpatrick, Burkett and Klein 2012). p: \
         how often chance alone favours the better run by as much. It speaks of these two models on sentences \
         like these; another seed of either may differ by as much as a point.",
        count(c.bootstrap.resamples),
        c.bootstrap.seed
    );
    let body = format!(
        "<p>{}</p>\n<figure>\n{svg}<figcaption>{}</figcaption>\n</figure>\n",
        escaped(&says),
        escaped(&format!("{range}."))
    ) + &note(&how);
    Section { id: "verdict", title: "Is one better?".into(), body }
}

fn by_type(compared: &Compared) -> Section {
    let (c, [a, b]) = (compared.comparison, compared.runs);
    let columns = [
        Column::Words("Type"),
        Column::Number(&a.name),
        Column::Number(&b.name),
        Column::Number("Difference"),
        Column::Number("Precision"),
        Column::Number("Recall"),
        Column::Number("Entities"),
    ];
    let row = |name: String, [a, b]: &[eval::Prf; 2]| {
        let [[f1_a, ..], [f1_b, ..]] = [prf_cells(a), prf_cells(b)];
        let less = |of: fn(&eval::Prf) -> f64| points(of(b) - of(a));
        let (precision, recall) = (less(|p| p.precision), less(|p| p.recall));
        vec![name, f1_a, f1_b, less(|p| p.f1), precision, recall, count(a.gold)]
    };
    let mut types: Vec<_> = c.per_type.iter().collect();
    types.sort_by_key(|(_, [a, _])| std::cmp::Reverse(a.gold));
    let mut rows: Vec<_> = types.into_iter().map(|(name, both)| row(label(name), both)).collect();
    rows.push(row("<strong>all</strong>".into(), &c.micro));
    let body = note("F1 of each run, then the differences of F1, precision and recall in points.")
        + &table("F1 by entity type, in percent", &columns, &rows, "sortable");
    Section { id: "scores", title: "By type".into(), body }
}

fn kinds(compared: &Compared) -> Section {
    let [a, b] = compared.runs;
    let errors: &[Errors; 2] = &compared.comparison.errors;
    let columns = [
        Column::Words("Mistake"),
        Column::Words("What it is"),
        Column::Number(&a.name),
        Column::Number(&b.name),
        Column::Number("Difference"),
    ];
    let [of_a, of_b] = errors.map(|e| mistakes::named(&e));
    let rows: Vec<_> = of_a
        .iter()
        .zip(&of_b)
        .map(|((name, meaning, a), (.., b))| {
            let difference = *b as i64 - *a as i64;
            let sign = if difference > 0 {
                "+"
            } else if difference < 0 {
                "−"
            } else {
                ""
            };
            let difference = format!("{sign}{}", count(difference.unsigned_abs() as usize));
            vec![escaped(name), escaped(meaning), count(*a), count(*b), difference]
        })
        .collect();
    let mut body = table("Kinds of mistakes", &columns, &rows, "");
    let [ece_a, ece_b] = [a, b].map(|run| calibrate(probabilities(&run.sentences)).ece);
    body += &note(&format!(
        "Expected calibration error: {} and {} points.",
        percent(ece_a),
        percent(ece_b)
    ));
    Section { id: "mistakes", title: "Mistakes".into(), body }
}

fn training(compared: &Compared) -> Section {
    let runs = compared.runs.map(|run| (run.name.as_str(), &run.epochs[..]));
    let body = format!("<div class=\"plots\">\n{}</div>\n", curves::plots(&runs));
    Section { id: "training", title: "Training".into(), body }
}

fn sentences(compared: &Compared) -> Section {
    let [a, b] = compared.runs;
    let list = |better: &Run, worse: &Run| -> String {
        let gained = most_gained(&worse.sentences, &better.sentences, SHOWN, LONGEST);
        let cases = gained
            .into_iter()
            .map(|i| case(i, &[(&a.name, &a.sentences[i]), (&b.name, &b.sentences[i])]));
        let cases: String = cases.collect();
        if cases.is_empty() { note("There is none.") } else { cases }
    };
    let body = heading(&format!("Where {} gains most", b.name))
        + &list(b, a)
        + &heading(&format!("Where {} gains most", a.name))
        + &list(a, b);
    Section { id: "sentences", title: "Sentences".into(), body }
}

fn settings(compared: &Compared) -> Section {
    let [a, b] = compared.runs;
    let columns = [Column::Words("Key"), Column::Words(&a.name), Column::Words(&b.name)];
    let code = |text: &str| format!("<code>{}</code>", escaped(text));
    let of_b =
        |key: &str| b.settings.iter().find(|s| s.key == key).map_or("", |s| s.value.as_str());
    let differ = a.settings.iter().filter(|s| s.value != of_b(&s.key));
    let rows: Vec<_> =
        differ.map(|s| vec![code(&s.key), code(&s.value), code(of_b(&s.key))]).collect();
    let mut body = match rows.is_empty() {
        true => note("Both runs have the same configuration."),
        false => table("Keys that differ", &columns, &rows, ""),
    };
    let facts = |run: &Run| run.speed.iter().chain(&run.provenance).cloned().collect::<Vec<_>>();
    let (of_a, of_b) = (facts(a), facts(b));
    let rows: Vec<_> = of_a
        .iter()
        .map(|(name, value)| {
            let other = of_b.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v);
            vec![escaped(name), escaped(value), escaped(other)]
        })
        .collect();
    let columns = [Column::Words(""), Column::Words(&a.name), Column::Words(&b.name)];
    body += &heading("Where they come from");
    body += &table("Speed and provenance", &columns, &rows, "");
    Section { id: "run", title: "Settings".into(), body }
}
