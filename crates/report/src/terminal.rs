//! Tagged text on a terminal.

use std::fmt::Write;

use anstyle::{Ansi256Color, Color, Style};

use crate::Entity;
use crate::entity::{Piece, pieces};
use crate::palette::{COLOURS, colour_of};

/// The text with its entities marked: `[Kalam per]`, or in colour the same without brackets; with the
/// probability of those that have one: `[Kalam per 0.98]`.
///
/// Everything else stays as it is, line ends and blanks too; nothing is wrapped.
///
/// ```
/// let text = "Kalam was born in India.";
/// let found = report::entities(text, [(0..5, "per", None), (18..23, "gpe", None)]);
/// assert_eq!(
///     report::terminal::tagged(text, &found, false),
///     "[Kalam per] was born in [India gpe]."
/// );
/// let found = report::entities(text, [(0..5, "per", Some(0.984))]);
/// assert!(report::terminal::tagged(text, &found, false).starts_with("[Kalam per 0.98] was"));
/// ```
///
/// # Panics
///
/// If entities overlap or lie outside the text.
pub fn tagged(text: &str, entities: &[Entity], colour: bool) -> String {
    let mut out = String::new();
    for piece in pieces(text, entities) {
        match piece {
            Piece::Plain(plain) => out.push_str(plain),
            Piece::Entity(inside, entity) if colour => {
                let style = style(&entity.label);
                painted(&mut out, style, inside);
                painted(&mut out, style.bold(), &format!(" {}", label(entity)));
            }
            Piece::Entity(inside, entity) => {
                write!(out, "[{inside} {}]", label(entity)).expect("a String takes all");
            }
        }
    }
    out
}

fn label(entity: &Entity) -> String {
    match entity.score {
        Some(score) => format!("{} {score:.2}", entity.label),
        None => entity.label.clone(),
    }
}

/// Black on the label's colour: readable whether the terminal is light or dark.
fn style(label: &str) -> Style {
    let indexed = |index| Some(Color::Ansi256(Ansi256Color(index)));
    // 16 is black itself; the first sixteen colours are the user's to choose.
    Style::new().fg_color(indexed(16)).bg_color(indexed(COLOURS[colour_of(label)].terminal))
}

/// Line ends stay unpainted: many terminals would colour the rest of the line.
fn painted(out: &mut String, style: Style, text: &str) {
    for line in text.split_inclusive('\n') {
        let words = line.trim_end_matches(['\r', '\n']);
        if !words.is_empty() {
            write!(out, "{style}{words}{style:#}").expect("a String takes all");
        }
        out.push_str(&line[words.len()..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entities;

    #[test]
    fn without_colour_there_is_no_escape_and_every_line_end_stays() {
        let text = "New\r\nYork \n\n was  big";
        let found = entities(text, [(0..9, "geo", None)]);
        assert_eq!(tagged(text, &found, false), "[New\r\nYork geo] \n\n was  big");
    }

    #[test]
    fn colour_adds_only_escapes_and_the_label() {
        let text = "New\r\nYork was";
        let found = entities(text, [(0..9, "geo", None)]);
        let painted = tagged(text, &found, true);
        assert_eq!(
            painted,
            "\x1b[38;5;16m\x1b[48;5;41mNew\x1b[0m\r\n\
             \x1b[38;5;16m\x1b[48;5;41mYork\x1b[0m\
             \x1b[1m\x1b[38;5;16m\x1b[48;5;41m geo\x1b[0m was"
        );
    }

    #[test]
    fn text_without_entities_is_the_text() {
        for colour in [false, true] {
            assert_eq!(tagged("a [b] \x1b", &[], colour), "a [b] \x1b");
        }
    }
}
