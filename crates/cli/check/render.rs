//! The doctor's report for people: at most 80 columns, the gravest finding first.

use std::fmt::Write;

use data::Source;
use data::doctor::{Finding, Lengths, Report, Severity};
use report::human::{count, counted};
use report::table::{Align, Table};

use crate::output::{harmless, painted, wrapped};

/// The whole page.
pub fn page(report: &Report, color: bool) -> String {
    let mut page = String::new();
    for source in &report.files {
        page += &file(source);
    }
    let scheme = report.scheme.map_or("mixed", |scheme| scheme.name());
    writeln!(page, "tags     {scheme}").expect("a String takes all");
    page += &sizes(report);
    page.push('\n');
    page += &types(report, color);
    page.push('\n');
    page += &lengths(&report.sentence_lengths);
    page += &shape(report);
    page.push('\n');
    for finding in &report.findings {
        page += &self::finding(finding, color);
    }
    page + &verdict(report)
}

fn file(source: &Source) -> String {
    let member = source.member.as_ref().map_or(String::new(), |name| format!(" ({name})"));
    let first = format!("data     {}{member}", source.path);
    let bytes = match source.non_ascii {
        0 => "ASCII only".to_owned(),
        n => format!("{} beyond ASCII", counted(n as usize, "byte", "bytes")),
    };
    let size = report::human::bytes(source.bytes);
    let columns = match source.columns.as_str() {
        "" => String::new(),
        columns => wrapped(&format!("columns  {columns}"), "         "),
    };
    let second = format!("         {size}, {}, {bytes}", source.encoding);
    wrapped(&first, "         ") + &wrapped(&second, "         ") + &columns
}

fn sizes(report: &Report) -> String {
    let once = report.words_seen_once;
    let all = format!(
        "size     {}, {}, {} ({} seen once), {}",
        counted(report.sentences, "sentence", "sentences"),
        counted(report.tokens, "token", "tokens"),
        counted(report.words, "word", "words"),
        count(once),
        counted(report.entities.total, "entity", "entities"),
    );
    let mut text = wrapped(&all, "         ");
    if report.parts.len() > 1 {
        for part in &report.parts {
            let line = format!(
                "{:<9}{}, {}, {}",
                part.name,
                counted(part.sentences, "sentence", "sentences"),
                counted(part.tokens, "token", "tokens"),
                counted(part.entities, "entity", "entities")
            );
            text += &wrapped(&line, "         ");
        }
    }
    text
}

fn types(report: &Report, color: bool) -> String {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("type", Left),
        ("entities", Right),
        ("distinct", Right),
        ("mean length", Right),
        ("ambiguous", Right),
    ]);
    for (label, counts) in &report.entities.types {
        table.row([
            label.clone(),
            count(counts.count),
            count(counts.distinct),
            format!("{:.2}", counts.tokens as f64 / counts.count as f64),
            share(counts.ambiguous, counts.count),
        ]);
    }
    table.render(color)
}

fn share(part: usize, whole: usize) -> String {
    format!("{:.1} %", 100.0 * part as f64 / whole.max(1) as f64)
}

/// Bars as characters, and the figures that matter.
fn lengths(lengths: &Lengths) -> String {
    let Some(longest_at) = &lengths.longest_at else { return String::new() };
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let highest = lengths.histogram.iter().map(|bar| bar.count).max().unwrap_or(1).max(1);
    let bar = |n: usize| match n {
        0 => ' ',
        n => HEIGHTS[(n * HEIGHTS.len()).div_ceil(highest) - 1],
    };
    let bars: String = lengths.histogram.iter().map(|b| bar(b.count)).collect();
    let width = lengths.histogram.first().map_or(1, |bar| bar.to);
    let Lengths { shortest, median, p90, p99, longest, .. } = lengths;
    format!(
        "length   {bars}  {width} a bar; {shortest} to {longest} tokens\n\
         \x20        median {median}, 90 % up to {p90}, 99 % up to {p99}\n{}",
        wrapped(&format!("         longest at {longest_at}"), "         ")
    )
}

fn shape(report: &Report) -> String {
    let (shape, n) = (report.shape, report.sentences);
    let line = format!(
        "shape    {} ({}) without entity, {} of one token, {} in capitals, {} without a capital",
        counted(shape.without_entity, "sentence", "sentences"),
        share(shape.without_entity, n),
        count(shape.one_token),
        count(shape.all_upper),
        count(shape.all_lower)
    );
    wrapped(&line, "         ")
}

fn finding(finding: &Finding, color: bool) -> String {
    let head = format!("{}[{}]", finding.severity.word(), finding.code);
    let text = wrapped(&format!("{head}: {}", finding.message), "    ");
    let mut text = painted(&head, finding.severity, color) + &text[head.len()..];
    if let Some(place) = &finding.place {
        writeln!(text, "  --> {place}").expect("a String takes all");
    }
    for example in &finding.examples {
        text += &wrapped(&format!("   | {}", harmless(example)), "   |   ");
    }
    if let Some(help) = &finding.help {
        text += &wrapped(&format!("  help: {help}"), "        ");
    }
    text + "\n"
}

fn verdict(report: &Report) -> String {
    let n = |wanted| report.findings.iter().filter(|f| f.severity == wanted).count();
    match [n(Severity::Error), n(Severity::Warn)] {
        [0, 0] => "nothing in the way of training\n".into(),
        [errors, warnings] => format!(
            "{}, {}; `longhand help CODE` explains a code\n",
            counted(errors, "error", "errors"),
            counted(warnings, "warning", "warnings")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data::Corpus;
    use report::table::WIDTH;

    #[test]
    fn no_line_of_a_page_is_wider_than_eighty_columns() {
        let long = "a-very-long-type-name-".repeat(6);
        let pairs = [("x".repeat(70), format!("B-{long}")), ("nan nan".into(), "O I-b".into())];
        let pairs: Vec<_> = pairs.iter().map(|(w, t)| (&w[..], &t[..])).collect();
        let corpus = Corpus::from_pairs(&pairs);
        let all = data::doctor::Part { name: "all", sentences: vec![0, 1] };
        let page = page(&data::doctor::examine(&corpus, &[all], None, &[]), false);
        for line in page.lines() {
            assert!(line.chars().count() <= WIDTH || !line.trim().contains(' '), "{line}");
        }
    }
}
