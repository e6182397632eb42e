//! Whether the probabilities can be trusted, and what asking for more of it brings.

use eval::{Cut, calibrate, cuts, probabilities};

use super::markup::{Column, bar, figure, heading, note, table};
use super::plot::{Reliability, reliability};
use super::{Run, Section};
use crate::human::{count, percent};

pub(super) fn section(run: &Run) -> Section {
    let title = "Probabilities".to_owned();
    let c = calibrate(probabilities(&run.sentences));
    if c.entities == 0 {
        let body = note("No entity was found, so there is no probability to judge.");
        return Section { id: "probabilities", title, body };
    }
    let bins: Vec<_> = c.bins.iter().filter(|bin| bin.entities > 0).collect();
    let points: Vec<Reliability> = bins
        .iter()
        .map(|bin| Reliability {
            said: bin.confidence,
            right: bin.precision,
            share: bin.entities as f64 / c.entities as f64,
        })
        .collect();
    let says = format!(
        "Entities have a mean probability of {} percent, {} percent of them are right; the expected \
         calibration error is {} points",
        percent(c.confidence),
        percent(c.precision),
        percent(c.ece)
    );
    let columns = [
        Column::Words("Probability"),
        Column::Number("Entities"),
        Column::Number("Mean"),
        Column::Number("Right"),
        Column::Number("Gap"),
    ];
    let rows: Vec<_> = bins
        .iter()
        .map(|bin| {
            vec![
                format!("{:.1}–{:.1}", bin.from, bin.to),
                count(bin.entities),
                percent(bin.confidence),
                percent(bin.precision),
                super::markup::points(bin.precision - bin.confidence),
            ]
        })
        .collect();
    let figures =
        table("Probability given and share that is right, in percent", &columns, &rows, "");
    let plot = reliability("Reliability", &says, &points);
    let caption = "Points on the dashed line keep their word. Below it the model is too sure of itself, \
                   above it too modest. Grey bars: how many entities.";
    let body = note(&format!("{says} (ECE, ten bins)."))
        + "<div class=\"plots\">\n"
        + &figure(&plot, caption, &figures)
        + "<div>\n"
        + &cut_table(&cuts(&run.sentences))
        + "</div>\n</div>\n";
    Section { id: "probabilities", title, body }
}

fn cut_table(cuts: &[Cut]) -> String {
    let columns = [
        Column::Words("At least"),
        Column::Bar("Precision"),
        Column::Number("Precision"),
        Column::Number("Recall"),
        Column::Number("F1"),
        Column::Number("Kept"),
    ];
    let row = |cut: &Cut| {
        let least = if cut.least == 0.0 { "all".into() } else { format!("{:.2}", cut.least) };
        let [p, r, f1] = [cut.prf.precision, cut.prf.recall, cut.prf.f1].map(percent);
        vec![least, bar(cut.prf.precision, None), p, r, f1, count(cut.prf.found)]
    };
    let rows: Vec<_> = cuts.iter().map(row).collect();
    heading("If only likely entities are kept")
        + &table("Scores by the least probability that is kept, in percent", &columns, &rows, "")
}
