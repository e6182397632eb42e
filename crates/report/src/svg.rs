//! Tagged text as a picture: for a README, a slide, a mail.
//!
//! SVG does not wrap text and does not say how wide it is, so both are done here, by the widths that
//! Helvetica's letters have. Every run of text is then told its width (`textLength`), so that it fills its
//! place in whatever font a viewer has.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::Entity;
use crate::entity::{Piece, pieces};
use crate::palette::{
    COLOURS, DARK_LABEL_TEXT, DARK_TEXT, LIGHT_LABEL_TEXT, LIGHT_TEXT, colour_of,
};

/// All lengths in pixels.
const WIDTH: f64 = 820.0;
const MARGIN: f64 = 22.0;
const LINE: f64 = 36.0;
const FONT: f64 = 17.0;
const LABEL_FONT: f64 = 12.5;
/// Between the border of an entity and what stands in it.
const PAD: f64 = 6.0;

/// The text with its entities as an SVG picture, light or dark as the reader's screen is.
///
/// ```
/// let text = "Kofi Annan left Geneva.";
/// let found = report::entities(text, [(0..10, "per", None), (16..22, "geo", None)]);
/// let picture = report::svg::picture(text, &found);
/// assert!(picture.starts_with("<svg ") && picture.contains(">Kofi Annan</text>"));
/// assert!(picture.contains("[Kofi Annan per] left [Geneva geo].</title>"));
/// ```
///
/// # Panics
///
/// If entities overlap or lie outside the text.
pub fn picture(text: &str, entities: &[Entity]) -> String {
    let mut page = Page { x: MARGIN, y: MARGIN, body: String::new() };
    for piece in pieces(text, entities) {
        match piece {
            Piece::Plain(plain) => page.plain(plain),
            Piece::Entity(inside, entity) => page.entity(inside, entity),
        }
    }
    let height = page.y + LINE + MARGIN;
    let title = crate::terminal::tagged(text, entities, false);
    let title = escaped(title.trim_end());
    let style = style(entities.iter().map(|e| colour_of(&e.label)).collect());
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n<title>{title}</title>\n<style>\n{style}</style>\n\
         <rect class=\"paper\" width=\"{WIDTH}\" height=\"{height}\" rx=\"8\"/>\n{}</svg>\n",
        page.body
    )
}

/// Where the next word goes.
struct Page {
    x: f64,
    /// Top of the line.
    y: f64,
    body: String,
}

impl Page {
    fn plain(&mut self, text: &str) {
        for (n, line) in text.split('\n').enumerate() {
            if n > 0 {
                self.next_line();
            }
            // Words that stay on one line are one run.
            let mut run = String::new();
            for word in line.split_inclusive(char::is_whitespace) {
                let width = width(&run, FONT) + width(word.trim_end(), FONT);
                if self.x + width > WIDTH - MARGIN && (self.x > MARGIN || !run.is_empty()) {
                    self.run(std::mem::take(&mut run).trim_end());
                    self.next_line();
                }
                if self.x > MARGIN || !run.is_empty() || !word.trim().is_empty() {
                    run += &word.replace(char::is_whitespace, " ");
                }
            }
            self.run(&run);
        }
    }

    /// A run of text in the line, blanks at its ends included.
    fn run(&mut self, text: &str) {
        let all = width(text, FONT);
        let words = text.trim();
        if !words.is_empty() {
            let before = width(&text[..text.len() - text.trim_start().len()], FONT);
            let (x, y) = (self.x + before, self.y + 24.0);
            words_at(&mut self.body, "", words, FONT, x, y);
        }
        self.x += all;
    }

    fn next_line(&mut self) {
        (self.x, self.y) = (MARGIN, self.y + LINE);
    }

    fn entity(&mut self, inside: &str, entity: &Entity) {
        let words: Vec<&str> = inside.split_whitespace().collect();
        let score = entity.score.map_or(String::new(), |score| format!(" {score:.2}"));
        let label = format!("{}{score}", entity.label);
        let chip = width(&label, LABEL_FONT) + 2.0 * PAD;
        // As many words as the line holds; the label behind the last.
        let room = WIDTH - 2.0 * MARGIN - chip - 3.0 * PAD;
        let mut parts: Vec<String> = Vec::new();
        for word in words {
            match parts.last_mut() {
                Some(part) if width(part, FONT) + width(word, FONT) < room => {
                    *part += " ";
                    *part += word;
                }
                _ => parts.push(word.to_owned()),
            }
        }
        let n = parts.len();
        for (k, part) in parts.iter().enumerate() {
            let last = k + 1 == n;
            let text = width(part, FONT);
            let all = text + 2.0 * PAD + if last { chip + PAD * 0.7 } else { 0.0 };
            if self.x + all > WIDTH - MARGIN && self.x > MARGIN {
                self.next_line();
            }
            let (x, y) = (self.x, self.y);
            let colour = colour_of(&entity.label);
            push(
                &mut self.body,
                format_args!(
                    "<rect class=\"t{colour}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{all:.1}\" height=\"28\" rx=\"5\"/>\n",
                    y + 4.0
                ),
            );
            words_at(&mut self.body, "", part, FONT, x + PAD, y + 24.0);
            if last {
                let at = x + PAD + text + PAD * 0.7;
                push(
                    &mut self.body,
                    format_args!(
                        "<rect class=\"l{colour}\" x=\"{at:.1}\" y=\"{:.1}\" width=\"{chip:.1}\" height=\"20\" rx=\"4\"/>\n",
                        y + 8.0
                    ),
                );
                words_at(&mut self.body, "label", &label, LABEL_FONT, at + PAD, y + 22.5);
            }
            self.x += all;
        }
    }
}

fn words_at(out: &mut String, class: &str, words: &str, font: f64, x: f64, y: f64) {
    let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
    let length = width(words, font);
    push(
        out,
        format_args!(
            "<text{class} x=\"{x:.1}\" y=\"{y:.1}\" textLength=\"{length:.1}\" \
             lengthAdjust=\"spacingAndGlyphs\">{}</text>\n",
            escaped(words)
        ),
    );
}

/// Rules for the colours that the picture has.
fn style(colours: BTreeSet<usize>) -> String {
    let mut out = format!(
        "text{{font:{FONT}px Helvetica,Arial,sans-serif;white-space:pre}}\n\
         .label{{font:bold {LABEL_FONT}px Helvetica,Arial,sans-serif}}\n"
    );
    let mut shades = |text: [&str; 2], label: &str, of: fn(usize) -> [&'static str; 2]| {
        let [ink, paper] = text;
        push(
            &mut out,
            format_args!("text{{fill:{ink}}}.paper{{fill:{paper}}}.label{{fill:{label}}}\n"),
        );
        for &n in &colours {
            let [tint, label] = of(n);
            push(&mut out, format_args!(".t{n}{{fill:{tint}}}.l{n}{{fill:{label}}}\n"));
        }
        std::mem::take(&mut out)
    };
    let light = shades(LIGHT_TEXT, LIGHT_LABEL_TEXT, |n| COLOURS[n].light);
    let dark = shades(DARK_TEXT, DARK_LABEL_TEXT, |n| COLOURS[n].dark);
    format!("{light}@media (prefers-color-scheme:dark){{\n{dark}}}\n")
}

/// Widths of Helvetica's printable ASCII, from the blank on, in thousandths of the font's size.
#[rustfmt::skip]
const HELVETICA: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
    333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];

/// How wide a text is, roughly beyond ASCII: East Asian characters fill a square.
fn width(text: &str, font: f64) -> f64 {
    let of = |c: char| match c {
        ' '..='~' => HELVETICA[c as usize - 32],
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' => 0,
        '\u{2e80}'.. => 1000,
        _ => 556,
    };
    // Bold letters, of labels, are a little wider.
    let bold = if font == LABEL_FONT { 1.06 } else { 1.0 };
    text.chars().map(|c| f64::from(of(c))).sum::<f64>() / 1000.0 * font * bold
}

/// Control characters, which XML cannot hold, become U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\n' | '\t' => out.push(c),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a String takes all");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::entity::tests::tagged_text;

    /// Starts and ends of all that is drawn, and what is written.
    fn drawn(picture: &str) -> (Vec<(f64, f64)>, Vec<String>) {
        let value = |tag: &str, key: &str| -> Option<f64> {
            let (_, rest) = tag.split_once(&format!(" {key}=\""))?;
            rest.split_once('"')?.0.parse().ok()
        };
        let (mut spans, mut words) = (Vec::new(), Vec::new());
        for line in picture.lines().filter(|l| l.starts_with("<text") || l.starts_with("<rect")) {
            let (tag, inside) = line.split_once('>').unwrap();
            let width = value(tag, "textLength").or(value(tag, "width")).unwrap();
            spans.push((value(tag, "x").unwrap_or(0.0), width));
            if line.starts_with("<text") && !tag.contains("label") {
                words.push(inside.strip_suffix("</text>").unwrap().to_owned());
            }
        }
        (spans, words)
    }

    #[test]
    fn lines_are_broken_inside_the_picture_and_no_word_is_lost() {
        let text =
            "Mr. Lincoln told reporters in Houston on Monday that Chelsea had beaten Santos. "
                .repeat(9);
        let at = text.find("Houston").unwrap();
        let found = crate::entities(&text, [(at..at + 7, "geo", Some(0.98))]);
        let picture = picture(&text, &found);
        let (spans, words) = drawn(&picture);
        assert!(spans.iter().all(|(x, width)| x + width <= WIDTH), "{spans:?}");
        let got: Vec<String> = words.iter().flat_map(|w| w.split(' ')).map(str::to_owned).collect();
        assert_eq!(got, text.split_whitespace().collect::<Vec<_>>());
        assert!(picture.contains(">geo 0.98</text>") && picture.matches("<text").count() > 9);
    }

    #[test]
    fn markup_and_control_characters_are_harmless() {
        let picture = picture("a<b>&\u{1}c", &[]);
        assert!(picture.contains(">a&lt;b&gt;&amp;\u{fffd}c</text>"), "{picture}");
    }

    proptest! {
        #[test]
        fn any_text_is_drawn_with_all_that_is_visible((text, entities) in tagged_text()) {
            let (_, words) = drawn(&picture(&text, &entities));
            let visible = |s: &str| escaped(s).chars().filter(|c| !c.is_whitespace()).collect::<String>();
            let all: String = words.concat().chars().filter(|c| !c.is_whitespace()).collect();
            prop_assert_eq!(all, visible(&text.replace(char::is_whitespace, " ")));
        }
    }
}
