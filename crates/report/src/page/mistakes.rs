//! What goes wrong: borders or types, which type for which, and where.

use eval::{Analysis, Bucket, Confusion, Errors, analyse};

use super::markup::{Column, bar, heading, note, prf_columns, prf_row, table};
use super::{Run, Section};
use crate::html::{escaped, label};
use crate::human::count;

/// More types than this make a table that nobody reads; the commonest stay.
const TYPES: usize = 20;

pub(super) fn section(run: &Run) -> Section {
    let analysis = analyse(run.scores.rule, &run.sentences);
    let body = kinds(&analysis.errors) + &confusion(&analysis.confusion) + &slices(&analysis);
    Section { id: "mistakes", title: "Mistakes".into(), body }
}

/// Name, meaning and number of each kind of mistake.
pub(super) fn named(e: &Errors) -> [(&'static str, &'static str, usize); 5] {
    [
        ("Type", "right words, wrong type", e.label),
        ("Border", "right type, too many or too few words", e.boundary),
        ("Both", "overlaps an entity, wrong in words and type", e.both),
        ("Missed", "nothing was found there", e.missed),
        ("Invented", "found where there is nothing", e.spurious),
    ]
}

fn kinds(errors: &Errors) -> String {
    let all = errors.total().max(1) as f64;
    let row = |(name, meaning, n): (&str, &str, usize)| {
        let share = n as f64 / all;
        vec![
            escaped(name),
            escaped(meaning),
            bar(share, None),
            format!("{:.1} %", 100.0 * share),
            count(n),
        ]
    };
    let rows: Vec<_> = named(errors).into_iter().map(row).collect();
    let columns = [
        Column::Words("Mistake"),
        Column::Words("What it is"),
        Column::Bar("Share"),
        Column::Number("Share"),
        Column::Number("Count"),
    ];
    let text = format!(
        "{} entities are right, {} are not. Each entity that is there is paired with the found one that \
         overlaps it most.",
        count(errors.correct),
        count(errors.total())
    );
    heading("Borders or types") + &note(&text) + &table("Kinds of mistakes", &columns, &rows, "")
}

fn confusion(confusion: &Confusion) -> String {
    let n = confusion.labels.len();
    let weight = |i: usize| -> usize {
        (0..=n).map(|j| confusion.counts[i][j] + confusion.counts[j][i]).sum()
    };
    let mut shown: Vec<usize> = (0..n).collect();
    shown.sort_by_key(|&i| std::cmp::Reverse(weight(i)));
    shown.truncate(TYPES);
    let places: Vec<usize> = shown.into_iter().chain([n]).collect();
    let name = |i: usize, none: &str| match confusion.labels.get(i) {
        Some(name) => label(name),
        None => format!("<em>{none}</em>"),
    };
    let cell = |i: usize, j: usize| {
        let counted = confusion.counts[i][j];
        let whole: usize = confusion.counts[i].iter().sum();
        let (class, text) = match (counted, i == n && j == n) {
            (_, true) => (" class=\"number\"", String::new()),
            (0, _) => (" class=\"number none\"", "0".into()),
            _ if i == j => (" class=\"number same\"", count(counted)),
            _ => (" class=\"number\"", count(counted)),
        };
        let share = counted as f64 / whole.max(1) as f64;
        format!("<td{class} style=\"--share:{share:.3}\">{text}</td>")
    };
    let heads: String = places
        .iter()
        .map(|&j| format!("<th scope=\"col\" class=\"number\">{}</th>", name(j, "missed")))
        .collect();
    let row = |&i: &usize| {
        let cells: String = places.iter().map(|&j| cell(i, j)).collect();
        format!("<tr><th scope=\"row\">{}</th>{cells}</tr>\n", name(i, "invented"))
    };
    let rows: String = places.iter().map(row).collect();
    let caption = "Types that are there (rows) and what was found instead (columns)";
    let left_out = match n.checked_sub(TYPES) {
        Some(more) if more > 0 => note(&format!("The {more} rarest types are left out.")),
        _ => String::new(),
    };
    heading("Which type for which")
        + &note(
            "Rows are what is there, columns what was found, borders aside. The diagonal, framed, is right; \
             a darker cell is a larger share of its row.",
        )
        + &format!(
            "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{caption}\">\n\
             <table class=\"confusion\">\n<caption>{caption}</caption>\n\
             <thead><tr><th scope=\"col\">is ↓ found →</th>{heads}</tr></thead>\n\
             <tbody>\n{rows}</tbody>\n</table>\n</div>\n"
        )
        + &left_out
}

fn slices(analysis: &Analysis) -> String {
    let eval::Novelty { seen, new, unknown_word } = analysis.novelty;
    let known = [
        prf_row("seen in training as an entity".into(), &seen),
        prf_row("new, of words that training has".into(), &new),
        prf_row("with a word that training lacks".into(), &unknown_word),
    ];
    let buckets = |buckets: &[Bucket]| -> Vec<Vec<String>> {
        buckets.iter().map(|b| prf_row(between(b), &b.prf)).collect()
    };
    let sentences = buckets(&analysis.by_sentence_length);
    let entities = buckets(&analysis.by_entity_length);
    heading("Known names and new ones")
        + &note("What a tagger knows by heart, and what it reads off spelling and neighbours.")
        + &table("Scores by novelty", &prf_columns("Entity"), &known, "")
        + &heading("Short sentences and long ones")
        + &table("Scores by length of the sentence", &prf_columns("Tokens"), &sentences, "")
        + &heading("Short names and long ones")
        + &table("Scores by length of the entity", &prf_columns("Tokens"), &entities, "")
}

fn between(bucket: &Bucket) -> String {
    match bucket.to {
        Some(to) if to == bucket.from => to.to_string(),
        Some(to) => format!("{}–{to}", bucket.from),
        None => format!("{} or more", bucket.from),
    }
}
