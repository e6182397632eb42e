//! Tables for the terminal: plain, aligned, at most 80 columns wide.
//!
//! Widths are counted in characters. With colour the header and the row that matters are bold;
//! without it the same characters come out, and nothing else.

use std::time::Duration;

use anstyle::Style;
use eval::{Calibration, Prf, Scores};

use crate::human::{self, percent};

/// No table is wider than this, in characters.
pub const WIDTH: usize = 80;

const GAP: usize = 2;
/// What a column of words keeps when the table has to shrink.
const LEAST: usize = 8;

/// A table under construction: a header, rows, and lines between them.
///
/// ```
/// use report::table::{Align, Table};
///
/// let mut table = Table::new(&[("word", Align::Left), ("count", Align::Right)]);
/// table.row(["the", "1,204"]);
/// table.row(["of", "87"]);
/// assert_eq!(table.render(false), "word  count\n───────────\nthe   1,204\nof       87\n");
/// ```
pub struct Table {
    align: Vec<Align>,
    header: Vec<String>,
    rows: Vec<Row>,
}

/// Where the cells of a column stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words: flush left, cut where the table is too wide.
    Left,
    /// Numbers: flush right, never cut.
    Right,
}

use Align::{Left, Right};

enum Row {
    Cells { cells: Vec<String>, strong: bool },
    Rule,
}

impl Table {
    /// An empty table with these columns.
    pub fn new(columns: &[(&str, Align)]) -> Self {
        let align = columns.iter().map(|(_, align)| *align).collect();
        let header = columns.iter().map(|(title, _)| (*title).to_owned()).collect();
        Self { align, header, rows: Vec::new() }
    }

    /// A column of words, the others of numbers.
    fn named(title: &str, numbers: &[&str]) -> Self {
        let numbers = numbers.iter().map(|title| (*title, Right));
        let columns: Vec<_> = std::iter::once((title, Left)).chain(numbers).collect();
        Self::new(&columns)
    }

    /// Adds a row.
    ///
    /// # Panics
    ///
    /// If it has another number of cells than the table has columns.
    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.push(cells, false);
    }

    /// Adds a row that is bold where there is colour. Panics as [`row`](Self::row).
    pub fn strong_row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.push(cells, true);
    }

    /// Adds a line across the table.
    pub fn rule(&mut self) {
        self.rows.push(Row::Rule);
    }

    fn push<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>, strong: bool) {
        let cells: Vec<String> = cells.into_iter().map(Into::into).collect();
        assert_eq!(cells.len(), self.header.len(), "cells {cells:?} under {:?}", self.header);
        self.rows.push(Row::Cells { cells, strong });
    }

    /// The table, with a line end after each row. Words are cut (`…`) where it would be wider than
    /// [`WIDTH`].
    pub fn render(&self, colour: bool) -> String {
        let widths = self.widths();
        let bold = if colour { Style::new().bold() } else { Style::new() };
        let rule = "─".repeat(widths.iter().sum::<usize>() + GAP * (widths.len() - 1));
        let mut out = format!("{bold}{}{bold:#}\n{rule}\n", self.line(&self.header, &widths));
        for row in &self.rows {
            match row {
                Row::Rule => out.push_str(&rule),
                Row::Cells { cells, strong: true } => {
                    out.push_str(&format!("{bold}{}{bold:#}", self.line(cells, &widths)));
                }
                Row::Cells { cells, .. } => out.push_str(&self.line(cells, &widths)),
            }
            out.push('\n');
        }
        out
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.header.iter().map(|title| width(title)).collect();
        for row in &self.rows {
            if let Row::Cells { cells, .. } = row {
                widths.iter_mut().zip(cells).for_each(|(w, cell)| *w = (*w).max(width(cell)));
            }
        }
        let gaps = GAP * (widths.len() - 1);
        while widths.iter().sum::<usize>() + gaps > WIDTH {
            let words = (0..widths.len()).filter(|i| self.align[*i] == Left);
            match words.max_by_key(|i| widths[*i]) {
                Some(widest) if widths[widest] > LEAST => widths[widest] -= 1,
                _ => break,
            }
        }
        widths
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for (i, (cell, wide)) in cells.iter().zip(widths).enumerate() {
            if i > 0 {
                line.push_str(&" ".repeat(GAP));
            }
            let cell = cut(cell, *wide);
            let fill = " ".repeat(wide - width(&cell));
            match self.align[i] {
                Left => line.extend([cell, fill]),
                Right => line.extend([fill, cell]),
            }
        }
        line.trim_end().to_owned()
    }
}

fn width(cell: &str) -> usize {
    cell.chars().count()
}

fn cut(cell: &str, wide: usize) -> String {
    // A line end or a tab within a cell would break the rows apart.
    let clean = cell.chars().map(|c| if c.is_control() { ' ' } else { c });
    if width(cell) <= wide {
        return clean.collect();
    }
    clean.take(wide.saturating_sub(1)).chain(['…']).collect()
}

/// Scores by entity type with their means, in percent; support is the number of gold entities.
pub fn scores(scores: &Scores, colour: bool) -> String {
    let numbers = ["P", "R", "F1", "support", "found", "correct"];
    let mut table = Table::named(scores.rule.name(), &numbers);
    for (label, prf) in &scores.per_type {
        table.row(prf_cells(label, prf));
    }
    table.rule();
    table.strong_row(prf_cells("micro", &scores.micro));
    let mean = &scores.macro_mean;
    let [p, r, f1] = [mean.precision, mean.recall, mean.f1].map(percent);
    table.row(["macro".to_owned(), p, r, f1, String::new(), String::new(), String::new()]);
    format!(
        "{}token accuracy {} · {} · {}\n",
        table.render(colour),
        percent(scores.token_accuracy),
        human::counted(scores.sentences, "sentence", "sentences"),
        human::counted(scores.tokens, "token", "tokens")
    )
}

fn prf_cells(name: &str, prf: &Prf) -> [String; 7] {
    let [p, r, f1] = [prf.precision, prf.recall, prf.f1].map(percent);
    let [gold, found, correct] = [prf.gold, prf.found, prf.correct].map(human::count);
    [name.to_owned(), p, r, f1, gold, found, correct]
}

/// How far the probabilities of entities can be trusted: a row for each bin that has any, in percent, and
/// the expected calibration error.
pub fn calibration(calibration: &Calibration, colour: bool) -> String {
    let mut table =
        Table::named("probability", &["entities", "correct", "mean probability", "correct %"]);
    for bin in calibration.bins.iter().filter(|bin| bin.entities > 0) {
        let [from, to] = [bin.from, bin.to].map(|p| format!("{:.0}", 100.0 * p));
        table.row([
            format!("{from}–{to} %"),
            human::count(bin.entities),
            human::count(bin.correct),
            percent(bin.confidence),
            percent(bin.precision),
        ]);
    }
    table.rule();
    table.strong_row([
        "all".to_owned(),
        human::count(calibration.entities),
        human::count(calibration.bins.iter().map(|bin| bin.correct).sum()),
        percent(calibration.confidence),
        percent(calibration.precision),
    ]);
    let ece = percent(calibration.ece);
    format!("{}expected calibration error {ece}\n", table.render(colour))
}

/// Several systems under one rule, one a row, in percent: the floors first, the model last, as the
/// last row is the bold one.
///
/// # Panics
///
/// If there is no system, or if the scores were made by different rules.
pub fn floors(systems: &[(&str, &Scores)], colour: bool) -> String {
    let rule = systems.first().expect("a system to show").1.rule;
    let mut table = Table::named(rule.name(), &["P", "R", "F1", "macro F1", "token accuracy"]);
    for (i, (name, scores)) in systems.iter().enumerate() {
        assert_eq!(scores.rule, rule, "{name} was scored by another rule");
        let Prf { precision, recall, f1, .. } = scores.micro;
        let figures = [precision, recall, f1, scores.macro_mean.f1, scores.token_accuracy];
        let cells = std::iter::once((*name).to_owned()).chain(figures.map(percent));
        table.push(cells, i + 1 == systems.len());
    }
    table.render(colour)
}

/// One line of [`summary`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerRow {
    /// Name and kind, as `lstm1 (BiLSTM)`.
    pub layer: String,
    /// Shape of what the layer gives out, as `(T, 128)`.
    pub output_shape: String,
    /// Weights that the layer has.
    pub parameters: usize,
}

/// The layers of a model with their sum, as Keras's `summary()` shows them. The size is that of
/// the weights in f32.
pub fn summary(layers: &[LayerRow], colour: bool) -> String {
    let mut table = Table::new(&[("Layer", Left), ("Output shape", Left), ("Parameters", Right)]);
    for LayerRow { layer, output_shape, parameters } in layers {
        table.row([layer, output_shape, &human::count(*parameters)]);
    }
    let total: usize = layers.iter().map(|layer| layer.parameters).sum();
    table.rule();
    let size = human::bytes(4 * total as u64);
    table.strong_row(["Total".to_owned(), size, human::count(total)]);
    table.render(colour)
}

/// One line of [`history`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpochRow {
    /// Counted from 1.
    pub epoch: usize,
    /// Mean training loss.
    pub loss: f64,
    /// Micro precision, recall and F1 on the development part, 0 to 1, where it was scored.
    pub dev: Option<[f64; 3]>,
    /// Real tokens trained on in a second.
    pub tokens_per_second: f64,
    /// Time that the epoch took.
    pub time: Duration,
}

/// What happened, one epoch a row; the one with the best F1 (the first of equals) has a `*` and is
/// bold.
pub fn history(epochs: &[EpochRow], colour: bool) -> String {
    let f1 = |row: &EpochRow| row.dev.map_or(-1.0, |[_, _, f1]| f1);
    // Of equal maxima max_by takes the last, hence the rev.
    let best = epochs.iter().rev().filter(|row| row.dev.is_some());
    let best = best.max_by(|a, b| f1(a).total_cmp(&f1(b))).map(|row| row.epoch);

    let titles = ["epoch", "loss", "dev P", "dev R", "dev F1", "", "tokens/s", "time"];
    let mut table = Table::new(&titles.map(|title| (title, Right)));
    for row in epochs {
        let [p, r, f1] = row.dev.map_or([(); 3].map(|()| String::new()), |prf| prf.map(percent));
        let is_best = best == Some(row.epoch);
        let cells = [
            row.epoch.to_string(),
            format!("{:.4}", row.loss),
            p,
            r,
            f1,
            if is_best { "*" } else { "" }.to_owned(),
            human::short(row.tokens_per_second),
            human::duration(row.time),
        ];
        table.push(cells, is_best);
    }
    table.render(colour)
}

#[cfg(test)]
mod tests {
    use super::*;
    use data::scheme::Scheme;
    use eval::{Rule, score};

    fn some_scores() -> Scores {
        let gold = ["B-geo", "O", "B-per", "I-per", "O", "O"];
        let predicted = ["B-geo", "O", "B-per", "O", "O", "B-org"];
        score(Rule::Strict(Scheme::Iob2), [(&gold[..], &predicted[..])])
    }

    fn without_escapes(painted: &str) -> String {
        let mut plain = String::new();
        let mut parts = painted.split('\x1b');
        plain.push_str(parts.next().unwrap());
        for part in parts {
            plain.push_str(part.split_once('m').unwrap().1);
        }
        plain
    }

    #[test]
    fn scores_by_type() {
        let expected = "\
strict iob2       P       R      F1  support  found  correct
────────────────────────────────────────────────────────────
geo          100.00  100.00  100.00        1      1        1
org            0.00    0.00    0.00        0      1        0
per            0.00    0.00    0.00        1      1        0
────────────────────────────────────────────────────────────
micro         33.33   50.00   40.00        2      3        1
macro         33.33   33.33   33.33
token accuracy 66.67 · 1 sentence · 6 tokens
";
        assert_eq!(scores(&some_scores(), false), expected);
        assert_eq!(without_escapes(&scores(&some_scores(), true)), expected);
    }

    #[test]
    fn floors_stand_above_the_model() {
        let all_o = score(Rule::Strict(Scheme::Iob2), [(&["B-geo", "O"][..], &["O", "O"][..])]);
        let model = some_scores();
        let table = floors(&[("all O", &all_o), ("model", &model)], false);
        let expected = "\
strict iob2      P      R     F1  macro F1  token accuracy
──────────────────────────────────────────────────────────
all O         0.00   0.00   0.00      0.00           50.00
model        33.33  50.00  40.00     33.33           66.67
";
        assert_eq!(table, expected);
    }

    #[test]
    fn only_bins_with_entities_have_a_row() {
        let table =
            calibration(&eval::calibrate([(0.95, true), (0.85, true), (0.85, false)]), false);
        let expected = "\
probability  entities  correct  mean probability  correct %
───────────────────────────────────────────────────────────
80–90 %             2        1             85.00      50.00
90–100 %            1        1             95.00     100.00
───────────────────────────────────────────────────────────
all                 3        2             88.33      66.67
expected calibration error 25.00
";
        assert_eq!(table, expected);
    }

    #[test]
    #[should_panic(expected = "model was scored by another rule")]
    fn scores_of_two_rules_do_not_share_a_table() {
        let other = score(Rule::Conlleval, [(&["O"][..], &["O"][..])]);
        floors(&[("all O", &some_scores()), ("model", &other)], false);
    }

    #[test]
    fn a_summary_adds_up() {
        let row = |layer: &str, output_shape: &str, parameters| LayerRow {
            layer: layer.to_owned(),
            output_shape: output_shape.to_owned(),
            parameters,
        };
        let layers = [
            row("embedding (Embedding)", "(T, 64)", 2_251_456),
            row("lstm1 (BiLSTM)", "(T, 128)", 66_048),
        ];
        let expected = "\
Layer                  Output shape  Parameters
───────────────────────────────────────────────
embedding (Embedding)  (T, 64)        2,251,456
lstm1 (BiLSTM)         (T, 128)          66,048
───────────────────────────────────────────────
Total                  8.8 MiB        2,317,504
";
        assert_eq!(summary(&layers, false), expected);
    }

    #[test]
    fn history_marks_the_first_of_the_best() {
        let row = |epoch, f1: Option<f64>| EpochRow {
            epoch,
            loss: 1.0 / epoch as f64,
            dev: f1.map(|f1| [f1, f1, f1]),
            tokens_per_second: 41_234.0,
            time: Duration::from_secs(72),
        };
        let rows = [row(1, None), row(2, Some(0.84)), row(3, Some(0.84)), row(4, Some(0.8))];
        let expected = "\
epoch    loss  dev P  dev R  dev F1     tokens/s   time
───────────────────────────────────────────────────────
    1  1.0000                              41.2k  1m12s
    2  0.5000  84.00  84.00   84.00  *     41.2k  1m12s
    3  0.3333  84.00  84.00   84.00        41.2k  1m12s
    4  0.2500  80.00  80.00   80.00        41.2k  1m12s
";
        assert_eq!(history(&rows, false), expected);
        assert_eq!(without_escapes(&history(&rows, true)), expected);
        assert_eq!(history(&rows, true).matches("\x1b[1m").count(), 2);
        assert!(!history(&rows[..1], false).contains('*'));
    }

    #[test]
    fn words_give_way_and_numbers_do_not() {
        let mut table = Table::new(&[("word", Left), ("note", Left), ("count", Right)]);
        table.row(["w".repeat(90), "a\tb\n".repeat(20), "1".repeat(30)]);
        let text = table.render(false);
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.lines().all(|line| width(line) <= WIDTH), "{text}");
        assert!(text.contains(&"1".repeat(30)) && text.contains("www…"), "{text}");
    }
}
