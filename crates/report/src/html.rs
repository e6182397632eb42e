//! Tagged text as HTML that needs nothing but itself: no script, no font, no network.
//!
//! An entity is a `<mark>`. Its label is not text of the document: it stands in the attribute
//! `data-label` and the style sheet shows it. So copying from the page gives the text, and
//!
//! ```text
//! the text = what is between <main id="text" …> and </main>, without markup, entities decoded
//! ```
//!
//! byte for byte. Both borders occur once in a page and cannot occur in the text, since every `<`
//! of it is written `&lt;`. White space is shown as it is (`pre-wrap`), so nothing is added for
//! layout; a carriage return is written `&#13;`, because HTML would read CR LF as LF. The one
//! character that HTML cannot hold is NUL: it becomes U+FFFD.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::Entity;
use crate::entity::{Piece, pieces};
use crate::human;
use crate::palette::{
    COLOURS, DARK_LABEL_TEXT, DARK_TEXT, LIGHT_LABEL_TEXT, LIGHT_TEXT, colour_of,
};

/// The text with its entities, as one `<div class="entities">`. A page that takes it up needs
/// [`style`] once.
///
/// ```
/// let text = "AT&T hired Kalam.";
/// let found = report::entities(text, [(11..16, "per", None)]);
/// assert_eq!(
///     report::html::entities_fragment(text, &found),
///     "<div class=\"entities\">AT&amp;T hired \
///      <mark class=\"e7\" data-label=\"per\" title=\"per\">Kalam</mark>.</div>"
/// );
/// ```
///
/// # Panics
///
/// If entities overlap or lie outside the text.
pub fn entities_fragment(text: &str, entities: &[Entity]) -> String {
    let mut out = String::from("<div class=\"entities\">");
    for piece in pieces(text, entities) {
        match piece {
            Piece::Plain(plain) => push_escaped(&mut out, plain),
            Piece::Entity(inside, entity) => push_mark(&mut out, inside, entity),
        }
    }
    out.push_str("</div>");
    out
}

fn push_mark(out: &mut String, inside: &str, entity: &Entity) {
    let label = escaped(&entity.label);
    let score = entity.score.map_or(String::new(), |score| format!(", {score:.2}"));
    let colour = colour_of(&entity.label);
    push(
        out,
        format_args!("<mark class=\"e{colour}\" data-label=\"{label}\" title=\"{label}{score}\">"),
    );
    push_escaped(out, inside);
    out.push_str("</mark>");
}

/// The style sheet of [`entities_fragment`]: the colours of the labels, for light pages and, by
/// `prefers-color-scheme`, for dark ones; paper is light.
///
/// Other parts of a page may use its colours `--ink` (text) and `--paper` (background), and
/// `class="entity-label eN"` as [`label`] writes it.
pub fn style() -> String {
    let [ink, paper] = LIGHT_TEXT;
    let [dark_ink, dark_paper] = DARK_TEXT;
    let mut out = String::new();
    push(
        &mut out,
        format_args!(
            ":root{{color-scheme:light dark;--ink:{ink};--paper:{paper};\
             --label-ink:{LIGHT_LABEL_TEXT}}}\n"
        ),
    );
    push_colours(&mut out, COLOURS.iter().map(|colour| colour.light));
    push(
        &mut out,
        format_args!(
            "@media screen and (prefers-color-scheme:dark){{\n:root{{--ink:{dark_ink};--paper:{dark_paper};\
             --label-ink:{DARK_LABEL_TEXT}}}\n"
        ),
    );
    push_colours(&mut out, COLOURS.iter().map(|colour| colour.dark));
    out.push_str("}\n");
    out.push_str(include_str!("entities.css"));
    out
}

fn push_colours(out: &mut String, colours: impl Iterator<Item = [&'static str; 2]>) {
    for (i, [tint, label]) in colours.enumerate() {
        push(out, format_args!(".e{i}{{--tint:{tint};--label:{label}}}\n"));
    }
}

/// The number N of a label's colour: its class is `eN`.
pub fn colour(label: &str) -> usize {
    colour_of(label)
}

/// A label by itself, in its colour: for legends and tables.
pub fn label(label: &str) -> String {
    format!("<span class=\"entity-label e{}\">{}</span>", colour_of(label), escaped(label))
}

/// A whole page: title and legend, then the text in `<main id="text">`, then a list of the
/// entities for those who do not see colours or want the offsets.
///
/// # Panics
///
/// If entities overlap or lie outside the text.
pub fn page(title: &str, text: &str, entities: &[Entity]) -> String {
    let (legend, list) = (legend(entities), list(entities));
    let fragment = entities_fragment(text, entities);
    let entities = human::counted(entities.len(), "entity", "entities");
    let characters = human::counted(text.chars().count(), "character", "characters");
    let (head, title) = (head(title, include_str!("page.css"), "'none'"), escaped(title));
    format!(
        "{head}<body>\n<header>\n<h1>{title}</h1>\n\
         <p>{entities} in {characters}.</p>\n{legend}</header>\n\
         <main id=\"text\" lang=\"\" dir=\"auto\">{fragment}</main>\n\
         {list}</body>\n</html>\n"
    )
}

/// All of a page before its body: `css` stands behind the colours of entities, and `scripts` says which scripts run. The
/// policy has browsers refuse what would need the network, should a reader wonder.
pub(crate) fn head(title: &str, css: &str, scripts: &str) -> String {
    let (title, style) = (escaped(title), style());
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'; script-src {scripts}\">\n\
         <title>{title}</title>\n<style>\n{style}{css}</style>\n</head>\n"
    )
}

fn legend(entities: &[Entity]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for entity in entities {
        *counts.entry(&entity.label).or_default() += 1;
    }
    let mut out = String::from("<ul class=\"legend\" aria-label=\"Entity types\">\n");
    for (name, count) in counts {
        push(&mut out, format_args!("<li>{} {}</li>\n", label(name), human::count(count)));
    }
    out.push_str("</ul>\n");
    out
}

fn list(entities: &[Entity]) -> String {
    let mut sorted: Vec<&Entity> = entities.iter().collect();
    sorted.sort_by_key(|entity| (entity.byte_start, entity.byte_end));
    let mut out = String::from(
        "<details>\n<summary>All entities</summary>\n<table>\n<thead><tr>\
         <th scope=\"col\">Entity</th><th scope=\"col\">Type</th>\
         <th scope=\"col\" class=\"number\">Characters</th>\
         <th scope=\"col\" class=\"number\">Score</th></tr></thead>\n<tbody>\n",
    );
    for entity in sorted {
        let Entity { start, end, label: name, text, score, .. } = entity;
        let (text, name) = (escaped(text), label(name));
        let score = score.map_or(String::new(), |score| format!("{score:.2}"));
        push(
            &mut out,
            format_args!(
                "<tr><td lang=\"\">{text}</td><td>{name}</td>\
                 <td class=\"number\">{start}–{end}</td><td class=\"number\">{score}</td></tr>\n"
            ),
        );
    }
    out.push_str("</tbody>\n</table>\n</details>\n");
    out
}

/// Text made safe between tags and between double quotes.
///
/// ```
/// assert_eq!(report::html::escaped("<a b=\"c\">&\r\n"), "&lt;a b=&quot;c&quot;&gt;&amp;&#13;\n");
/// ```
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_escaped(&mut out, text);
    out
}

fn push_escaped(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            '\0' => out.push('\u{fffd}'),
            // Controls from U+0080 on must stand as they are: a number would mean windows-1252.
            c => out.push(c),
        }
    }
}

fn push(out: &mut String, what: std::fmt::Arguments) {
    out.write_fmt(what).expect("a String takes all");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entities;
    use crate::entity::tests::tagged_text;
    use proptest::prelude::*;

    /// What a browser would call the text content.
    fn text_content(markup: &str) -> String {
        // A browser turns the line ends of the file into LF before it reads anything.
        let markup = markup.replace("\r\n", "\n").replace('\r', "\n");
        let mut text = String::new();
        let mut rest = &markup[..];
        while let Some(tag) = rest.find('<') {
            text.push_str(&rest[..tag]);
            let end = rest[tag..].find('>').expect("a tag is closed");
            rest = &rest[tag + end + 1..];
        }
        text.push_str(rest);
        let named = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#13;", "\r")];
        let decoded = named.iter().fold(text, |text, (code, c)| text.replace(code, c));
        decoded.replace("&amp;", "&")
    }

    fn inside_main(page: &str) -> &str {
        let (_, rest) = page.split_once("<main id=\"text\"").expect("main opens");
        let (_, rest) = rest.split_once('>').expect("its tag ends");
        rest.split_once("</main>").expect("main closes").0
    }

    proptest! {
        #[test]
        fn without_its_markup_a_fragment_is_the_text((text, entities) in tagged_text()) {
            let fragment = entities_fragment(&text, &entities);
            prop_assert_eq!(text_content(&fragment), text);
            prop_assert_eq!(fragment.matches("<mark ").count(), entities.len());
        }

        #[test]
        fn the_main_element_of_a_page_holds_the_text_and_nothing_else(
            (text, entities) in tagged_text()
        ) {
            let page = page("A < B", &text, &entities);
            prop_assert_eq!(text_content(inside_main(&page)), text);
            prop_assert_eq!(page.matches("</main>").count(), 1);
            prop_assert_eq!(page.matches("<main ").count(), 1);
        }
    }

    #[test]
    fn a_text_that_looks_like_markup_does_no_harm() {
        let text = "</div></main><script>alert('x')</script> &amp; \"q\"";
        let found = entities(text, [(0..6, "\"><script>", Some(0.5))]);
        let page = page(text, text, &found);
        assert!(!page.contains("<script"), "{page}");
        assert_eq!(text_content(inside_main(&page)), text);
    }

    #[test]
    fn a_page_asks_nothing_of_the_network() {
        let text = "Kalam was born in India.";
        let found = entities(text, [(0..5, "per", Some(0.993)), (18..23, "gpe", None)]);
        let page = page("Two entities", text, &found);
        for word in ["http:", "https:", "url(", "@import", "src=", "href=", "<script", "<link"] {
            assert!(!page.contains(word), "{word}");
        }
        assert!(page.contains("prefers-color-scheme:dark"));
        assert!(page.contains("<li><span class=\"entity-label e7\">per</span> 1</li>"));
        assert!(page.contains("data-label=\"per\" title=\"per, 0.99\">Kalam</mark>"));
        assert!(page.contains("<td class=\"number\">18–23</td>"));
    }
}
