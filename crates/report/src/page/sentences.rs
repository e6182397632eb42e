//! The sentences worth looking at: what is there above what was found.

use eval::{Fate, Judged, Mention, Pair, most_mistakes, surest_mistakes};

use super::markup::{heading, note};
use super::{Run, Section};
use crate::html::{escaped, label};
use crate::human::counted;
use crate::palette::colour_of;

/// Sentences in each list.
const SHOWN: usize = 12;
/// Longer sentences are not shown.
pub(super) const LONGEST: usize = 120;
/// Characters that are shown of a word.
const WORD: usize = 60;

pub(super) fn section(run: &Run) -> Section {
    let s = &run.sentences;
    let [sure, many] = [surest_mistakes(s, SHOWN, LONGEST), most_mistakes(s, SHOWN, LONGEST)]
        .map(|list| list.into_iter().map(|i| case(i, &[("Found", &s[i])])).collect::<String>());
    let key = "Each sentence stands twice: as its data tag it (gold), and as the model does (found), with \
               the probability of each entity. What is wrong is framed by dashes and has a ✗.";
    let mut body = note(key);
    if sure.is_empty() && many.is_empty() {
        body += &note("There is no mistake to show.");
    }
    if !sure.is_empty() {
        body += &heading("Most sure, and wrong");
        body += &note(
            "The model is sure and the data say otherwise. Some of these are mistakes of the data.",
        );
        body += &sure;
    }
    if !many.is_empty() {
        body += &heading("Most mistakes");
        body += &many;
    }
    Section { id: "sentences", title: "The worst sentences".into(), body }
}

/// A sentence with its gold entities and those of each system. Systems have the same gold entities.
pub(super) fn case(number: usize, systems: &[(&str, &Judged)]) -> String {
    let (_, first) = systems[0];
    let right = |sentence: &Judged, mention: &Mention| {
        sentence.pairs().any(|pair| {
            let of = |m: Option<&Mention>| m.is_some_and(|m| std::ptr::eq(m, mention));
            pair.fate() == Fate::Correct && (of(pair.gold) || of(pair.predicted))
        })
    };
    // With one system a gold entity that it did not find is marked; with several, theirs are.
    let gold_right = |m: &Mention| systems.len() > 1 || right(first, m);
    let mut rows = row("Gold", &marked(&first.words, &first.gold, gold_right));
    for (name, sentence) in systems {
        let found = marked(&sentence.words, &sentence.predicted, |m| right(sentence, m));
        rows += &row(name, &found);
    }
    let mistakes = systems.iter().map(|(name, sentence)| {
        let listed: Vec<String> =
            sentence.pairs().filter_map(|pair| told(&sentence.words, pair)).collect();
        let name = if systems.len() > 1 { format!("{}: ", escaped(name)) } else { String::new() };
        match listed.len() {
            0 => format!("{name}no mistake"),
            n => format!("{name}{}: {}", counted(n, "mistake", "mistakes"), listed.join("; ")),
        }
    });
    let mistakes: Vec<String> = mistakes.collect();
    format!(
        "<article class=\"case\" aria-label=\"Sentence {0}\">\n<dl>\n{rows}</dl>\n\
         <p class=\"note\">Sentence {0}. {1}.</p>\n</article>\n",
        number + 1,
        mistakes.join(". ")
    )
}

fn row(name: &str, text: &str) -> String {
    let name = escaped(name);
    format!("<div><dt>{name}</dt><dd lang=\"\"><div class=\"entities\">{text}</div></dd></div>\n")
}

fn marked(words: &[String], mentions: &[Mention], right: impl Fn(&Mention) -> bool) -> String {
    let mut out = String::new();
    let mut done = 0;
    let plain = |out: &mut String, upto: usize, from: usize| {
        for word in &words[from..upto] {
            *out += &format!("{} ", escaped(&shortened(word)));
        }
    };
    for mention in mentions {
        plain(&mut out, mention.start, done);
        let (class, sign) = if right(mention) { ("", "") } else { (" wrong", " ✗") };
        let name = escaped(&mention.label);
        let score = mention.probability.map_or(String::new(), |p| format!(" {p:.2}"));
        out += &format!(
            "<mark class=\"e{}{class}\" data-label=\"{name}{score}{sign}\">{}</mark> ",
            colour_of(&mention.label),
            escaped(&text(words, mention))
        );
        done = mention.end;
    }
    plain(&mut out, words.len(), done);
    out.trim_end().to_owned()
}

/// A mistake in words.
fn told(words: &[String], pair: Pair) -> Option<String> {
    let quoted = |m: &Mention| format!("“{}”", escaped(&text(words, m)));
    let named = |m: &Mention| label(&m.label);
    Some(match (pair.gold, pair.predicted, pair.fate()) {
        (.., Fate::Correct) => return None,
        (Some(g), Some(p), Fate::Label) => {
            format!("{} found as {}, is {}", quoted(g), named(p), named(g))
        }
        (Some(g), Some(p), Fate::Boundary) => {
            format!("{} found as {}, is {}", quoted(p), named(p), quoted(g))
        }
        (Some(g), Some(p), _) => {
            format!("{} found as {}, is {} {}", quoted(p), named(p), quoted(g), named(g))
        }
        (Some(g), None, _) => format!("{} {} missed", quoted(g), named(g)),
        (None, Some(p), _) => format!("{} {} invented", quoted(p), named(p)),
        (None, None, _) => return None,
    })
}

fn text(words: &[String], mention: &Mention) -> String {
    let words: Vec<String> =
        words[mention.start..mention.end].iter().map(|w| shortened(w)).collect();
    words.join(" ")
}

fn shortened(word: &str) -> String {
    match word.char_indices().nth(WORD) {
        Some((end, _)) => format!("{}…", &word[..end]),
        None => word.to_owned(),
    }
}
