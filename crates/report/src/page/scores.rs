//! The figures that matter, beside what one reaches without a model; then type by type.

use super::markup::{Column, bar, heading, note, prf_cells, table, tile};
use super::{Run, Section};
use crate::html::{escaped, label};
use crate::human::{count, counted, percent};

/// What stands at the top of the page.
pub(super) fn lead(run: &Run) -> String {
    let micro = &run.scores.micro;
    let mut tiles = tile(
        &format!("F1 on {}", run.part),
        &percent(micro.f1),
        &format!("{} of {} entities right", count(micro.correct), count(micro.gold)),
    );
    tiles += &tile("Precision", &percent(micro.precision), "of what it found is right");
    tiles += &tile("Recall", &percent(micro.recall), "of what is there was found");
    if let Some(floor) = run.floors.first() {
        let above = super::markup::points(micro.f1 - floor.prf[2]);
        tiles += &tile("Above the floor", &above, &format!("points of F1; {}", floor.name));
    }
    let calibration = eval::calibrate(eval::probabilities(&run.sentences));
    if calibration.entities > 0 {
        let ece = percent(calibration.ece);
        tiles += &tile("Calibration error", &ece, "points that probabilities are off (ECE)");
    }
    let what = format!(
        "{} and {} of {}; scored by the rule “{}”.",
        counted(run.scores.sentences, "sentence", "sentences"),
        counted(run.scores.tokens, "token", "tokens"),
        run.part,
        run.scores.rule
    );
    format!("<p class=\"note\">{}</p>\n<dl class=\"tiles\">\n{tiles}</dl>\n", escaped(&what))
}

pub(super) fn section(run: &Run) -> Section {
    let body = by_type(run) + &floors(run);
    Section { id: "scores", title: "Scores".into(), body }
}

fn by_type(run: &Run) -> String {
    let columns = [
        Column::Words("Type"),
        Column::Bar("F1, 0 to 100"),
        Column::Number("F1"),
        Column::Number("Precision"),
        Column::Number("Recall"),
        Column::Number("Floor F1"),
        Column::Number("Entities"),
        Column::Number("Found"),
    ];
    let floor = run.floors.first();
    let row = |(name, prf): (&String, &eval::Prf)| {
        let below = floor.map(|floor| floor.per_type.get(name).copied().unwrap_or(0.0));
        let [f1, precision, recall] = prf_cells(prf);
        let below_text = below.map_or("–".to_owned(), percent);
        let [gold, found] = [prf.gold, prf.found].map(count);
        let bar = bar(prf.f1, below);
        vec![label(name), bar, f1, precision, recall, below_text, gold, found]
    };
    let mut types: Vec<_> = run.scores.per_type.iter().collect();
    types.sort_by_key(|(_, prf)| std::cmp::Reverse(prf.gold));
    let rows: Vec<_> = types.into_iter().map(row).collect();
    let mut text = note(
        "Bars are F1; the tick in each is the floor, the most frequent tag of each word. Types with \
         few entities swing from seed to seed.",
    );
    text += &table("Scores by entity type, in percent", &columns, &rows, "sortable");
    text
}

fn floors(run: &Run) -> String {
    let columns = [
        Column::Words("System"),
        Column::Bar("F1, 0 to 100"),
        Column::Number("F1"),
        Column::Number("Precision"),
        Column::Number("Recall"),
        Column::Number("Token accuracy"),
    ];
    let row = |name: &str, [p, r, f1]: [f64; 3], accuracy: Option<f64>| {
        let accuracy = accuracy.map_or("–".to_owned(), percent);
        vec![escaped(name), bar(f1, None), percent(f1), percent(p), percent(r), accuracy]
    };
    let all = |prf: &eval::Prf| [prf.precision, prf.recall, prf.f1];
    let mut rows: Vec<_> =
        run.floors.iter().rev().map(|f| row(&f.name, f.prf, Some(f.token_accuracy))).collect();
    let scores = &run.scores;
    rows.push(row("this model", all(&scores.micro), Some(scores.token_accuracy)));
    let mean = scores.macro_mean;
    let types = [mean.precision, mean.recall, mean.f1];
    rows.push(row("this model, mean of its types", types, None));
    if let Some(dev) = &run.dev {
        rows.push(row("this model on dev", all(dev), None));
    }
    let title = format!("Scores on {} beside the floors, in percent", run.part);
    heading("Beside what one reaches without a model")
        + &note(
            "Token accuracy counts O, which is most of any text: a tagger that finds nothing has a high one.",
        )
        + &table(&title, &columns, &rows, "")
}
