//! A sentence as a text with entities: the words with blanks between them.

use std::ops::Range;

use data::Sentence;
use data::scheme::spans_leniently;
use report::Entity;

/// A sentence as text.
pub struct Spans {
    /// The words with blanks between them.
    pub text: String,
    /// Bytes of each word.
    pub words: Vec<Range<usize>>,
    /// The entities, from left to right.
    pub entities: Vec<Entity>,
}

impl Spans {
    /// The text of a sentence whose tags are legal.
    pub fn of(sentence: Sentence<'_>) -> Self {
        let mut text = String::new();
        let mut words = Vec::with_capacity(sentence.len());
        for word in sentence.words() {
            if !words.is_empty() {
                text.push(' ');
            }
            words.push(text.len()..text.len() + word.len());
            text.push_str(word);
        }
        let tags: Vec<&str> = sentence.tags().collect();
        let spans = spans_leniently(&tags)
            .into_iter()
            .map(|span| (words[span.start].start..words[span.end - 1].end, span.label, None));
        let entities = report::entities(&text, spans);
        Self { text, words, entities }
    }
}
