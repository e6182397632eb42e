//! Loss and F1, epoch by epoch.

use super::markup::{Column, details, note, table};
use super::plot::{Line, lines};
use super::{Run, Section};
use crate::human::{duration, percent, short};
use crate::table::EpochRow;

/// A table of epochs is not longer than this.
const ROWS: usize = 100;

pub(super) fn section(run: &Run) -> Section {
    let epochs = &run.epochs;
    let model = match networks(epochs).count() {
        0 | 1 => format!("The model is that of epoch {}.", run.best_epoch),
        n => format!(
            "{n} networks, a line each: the model is all of them, each of its own best epoch."
        ),
    };
    let mut body = note(&format!(
        "Mean loss of a token in training, and strict F1 on dev after each epoch. {model}"
    ));
    body += "<div class=\"plots\">\n";
    body += &plots(&[(&run.name, epochs)]);
    body += "</div>\n";
    body += &details("Epoch by epoch", &epoch_table(run));
    Section { id: "training", title: "Training".into(), body }
}

/// The epochs of each network: of several, each begins anew.
fn networks(epochs: &[EpochRow]) -> impl Iterator<Item = &[EpochRow]> {
    epochs.chunk_by(|e, next| e.epoch < next.epoch)
}

/// Both plots, with a line for each run.
pub(super) fn plots(runs: &[(&str, &[EpochRow])]) -> String {
    let series = |of: fn(&EpochRow) -> Option<f64>| -> Vec<Line> {
        let line = |(_, epochs): &(&str, &[EpochRow])| {
            epochs.iter().filter_map(|e| Some((e.epoch as f64, of(e)?))).collect::<Vec<_>>()
        };
        runs.iter().map(|run| Line { name: run.0, points: line(run) }).collect()
    };
    let plot = |title: &str, unit: &str, of: fn(&EpochRow) -> Option<f64>| {
        let lines_of = series(of);
        let says: Vec<String> = lines_of
            .iter()
            .filter_map(|line| {
                let ((_, first), (_, last)) = (line.points.first()?, line.points.last()?);
                Some(format!("{}: from {first:.4} to {last:.4}", line.name))
            })
            .collect();
        let svg = lines(title, &says.join("; "), ["epoch", unit], &lines_of);
        match svg.as_str() {
            "" => String::new(),
            svg => format!("<figure>\n{svg}<figcaption>{title}</figcaption>\n</figure>\n"),
        }
    };
    plot("Training loss", "loss", |e| Some(e.loss))
        + &plot("F1 on dev, in percent", "F1", |e| e.dev.map(|[.., f1]| 100.0 * f1))
}

fn epoch_table(run: &Run) -> String {
    let columns = [
        Column::Words("Epoch"),
        Column::Number("Loss"),
        Column::Number("Dev F1"),
        Column::Number("Precision"),
        Column::Number("Recall"),
        Column::Number("Tokens/s"),
        Column::Number("Time"),
    ];
    let every = run.epochs.len().div_ceil(ROWS).max(1);
    let alone = networks(&run.epochs).count() < 2;
    let is_best = |e: &EpochRow| alone && e.epoch == run.best_epoch;
    let rows = networks(&run.epochs).enumerate();
    let rows = rows.flat_map(|(k, epochs)| epochs.iter().map(move |e| (k + 1, e))).enumerate();
    let kept = |(i, (_, e)): &(usize, (usize, &EpochRow))| {
        i % every == 0 || is_best(e) || i + 1 == run.epochs.len()
    };
    let row = |(_, (network, e)): (usize, (usize, &EpochRow))| {
        let [p, r, f1] = e.dev.map_or([(); 3].map(|()| "–".to_owned()), |dev| dev.map(percent));
        let epoch = match alone {
            true => format!("{}{}", e.epoch, if is_best(e) { " (kept)" } else { "" }),
            false => format!("network {network}, {}", e.epoch),
        };
        vec![
            epoch,
            format!("{:.4}", e.loss),
            f1,
            p,
            r,
            short(e.tokens_per_second),
            duration(e.time),
        ]
    };
    let rows: Vec<_> = rows.filter(kept).map(row).collect();
    table("Epochs", &columns, &rows, "")
}
