//! The few pieces of HTML that all parts of a page are made of.

use eval::Prf;

use crate::html::escaped;
use crate::human::{count, percent};

/// Title of a column.
pub(super) enum Column<'a> {
    /// Of words.
    Words(&'a str),
    /// Of numbers, flush right.
    Number(&'a str),
    /// Of bars, which repeat a number beside them for the eye alone.
    Bar(&'a str),
}

use Column::{Bar, Number, Words};

/// A table in a frame of its own, which scrolls where the page is narrow. The first cell of each row is
/// its title; cells are HTML.
pub(super) fn table(
    caption: &str,
    columns: &[Column],
    rows: &[Vec<String>],
    class: &str,
) -> String {
    let class_of = |column: &Column| match column {
        Words(_) => "",
        Number(_) => " class=\"number\"",
        Bar(_) => " class=\"bar\"",
    };
    let head = |column: &Column| {
        let (Words(title) | Number(title) | Bar(title)) = column;
        format!("<th scope=\"col\"{}>{}</th>", class_of(column), escaped(title))
    };
    let cell = |(i, (column, cell)): (usize, (&Column, &String))| match i {
        0 => format!("<th scope=\"row\">{cell}</th>"),
        _ => format!("<td{}>{cell}</td>", class_of(column)),
    };
    let row = |cells: &Vec<String>| {
        let cells: String = columns.iter().zip(cells).enumerate().map(cell).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let caption = escaped(caption);
    format!(
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{caption}\">\n\
         <table class=\"{class}\">\n<caption>{caption}</caption>\n<thead><tr>{}</tr></thead>\n\
         <tbody>\n{}</tbody>\n</table>\n</div>\n",
        columns.iter().map(head).collect::<String>(),
        rows.iter().map(row).collect::<String>()
    )
}

/// A plot, what it shows in a line, and its figures to unfold.
pub(super) fn figure(svg: &str, caption: &str, figures: &str) -> String {
    let caption = escaped(caption);
    format!(
        "<figure>\n{svg}<figcaption>{caption}</figcaption>\n{}</figure>\n",
        details("Figures of this plot", figures)
    )
}

/// Something to unfold.
pub(super) fn details(summary: &str, body: &str) -> String {
    format!("<details>\n<summary>{}</summary>\n{body}</details>\n", escaped(summary))
}

/// A line of explanation.
pub(super) fn note(text: &str) -> String {
    format!("<p class=\"note\">{}</p>\n", escaped(text))
}

/// A heading within a section.
pub(super) fn heading(text: &str) -> String {
    format!("<h3>{}</h3>\n", escaped(text))
}

/// Names and values.
pub(super) fn list(pairs: &[(String, String)]) -> String {
    let pair = |(name, value): &(String, String)| {
        format!("<div><dt>{}</dt><dd>{}</dd></div>\n", escaped(name), escaped(value))
    };
    format!("<dl class=\"facts\">\n{}</dl>\n", pairs.iter().map(pair).collect::<String>())
}

/// A figure to be seen first: its name, its value, and what it means.
pub(super) fn tile(name: &str, value: &str, meaning: &str) -> String {
    let [name, value, meaning] = [name, value, meaning].map(escaped);
    format!(
        "<div class=\"tile\"><dt>{name}</dt><dd>{value}</dd><dd class=\"note\">{meaning}</dd></div>\n"
    )
}

/// A bar from 0 to 1, with a tick at `mark`; for the eye alone.
pub(super) fn bar(share: f64, mark: Option<f64>) -> String {
    let tick = mark.map_or(String::new(), |mark| {
        format!(
            "<rect class=\"tick\" x=\"{:.1}\" y=\"0\" width=\"2\" height=\"14\"/>",
            118.0 * mark
        )
    });
    format!(
        "<svg class=\"bar\" viewBox=\"0 0 120 14\" aria-hidden=\"true\">\
         <rect class=\"track\" y=\"3\" width=\"120\" height=\"8\" rx=\"2\"/>\
         <rect class=\"fill\" y=\"3\" width=\"{:.1}\" height=\"8\" rx=\"2\"/>{tick}</svg>",
        120.0 * share.clamp(0.0, 1.0)
    )
}

/// F1, precision, recall in percent; dashes where there is nothing to score.
pub(super) fn prf_cells(prf: &Prf) -> [String; 3] {
    if prf.gold + prf.found == 0 {
        return [(); 3].map(|()| "–".to_owned());
    }
    [prf.f1, prf.precision, prf.recall].map(percent)
}

/// A row of scores: a title, a bar of the F1, the figures.
pub(super) fn prf_row(title: String, prf: &Prf) -> Vec<String> {
    let [f1, precision, recall] = prf_cells(prf);
    let [gold, found] = [prf.gold, prf.found].map(count);
    vec![title, bar(prf.f1, None), f1, precision, recall, gold, found]
}

/// The columns of [`prf_row`].
pub(super) fn prf_columns(title: &str) -> [Column<'_>; 7] {
    [
        Words(title),
        Bar("F1, 0 to 100"),
        Number("F1"),
        Number("Precision"),
        Number("Recall"),
        Number("Entities"),
        Number("Found"),
    ]
}

/// A difference of shares in points, with its sign: `+1.25`, `−0.50`.
pub(super) fn points(difference: f64) -> String {
    let rounded = (difference * 1e4).round() / 100.0;
    match rounded {
        r if r > 0.0 => format!("+{r:.2}"),
        r if r < 0.0 => format!("−{:.2}", -r),
        _ => "0.00".to_owned(),
    }
}
