//! seqeval 1.2.2 in its default mode: borders between neighbours, whatever the scheme.
//!
//! Two neighbouring tags say whether a chunk ends between them and whether one starts. The idea is
//! conlleval's, with two additions: `E` and `S` always end a chunk, `B` and `S` always start one.
//! `U` and `L` have no meaning of their own, and a tag such as `PAD` is an entity of type `AD`.

use crate::Chunk;

/// A tag's first letter and its label, `"_"` where none is written.
type Tag<'a> = (char, &'a str);

/// Reads sentence after sentence.
///
/// seqeval joins all sentences into one row with an `O` after each. For a chunk that ends without
/// having started (bare letters such as `U E` do that) it takes the last start it saw, which may
/// lie in an earlier sentence. To give the same counts even then, positions run on from sentence
/// to sentence, and so does the last start.
#[derive(Default)]
pub(crate) struct Reader {
    /// Position of the next sentence's first token.
    offset: usize,
    /// Position of the last start.
    start: usize,
    /// Label before the first tag: the very first has `""`, all others follow an `O`.
    label_before: &'static str,
}

impl Reader {
    pub(crate) fn sentence<'a, T: AsRef<str>>(&mut self, tags: &'a [T]) -> Vec<Chunk<'a>> {
        let mut chunks = Vec::new();
        let mut prev = ('O', self.label_before);
        let tags_and_o = tags.iter().map(|tag| parse(tag.as_ref())).chain([('O', "_")]);
        for (position, tag) in (self.offset..).zip(tags_and_o) {
            if ends(prev, tag) {
                chunks.push(Chunk { start: self.start, end: position, label: prev.1 });
            }
            if starts(prev, tag) {
                self.start = position;
            }
            prev = tag;
        }
        self.offset += tags.len() + 1;
        self.label_before = "_";
        chunks
    }
}

fn parse(tag: &str) -> Tag<'_> {
    let mut rest = tag.chars();
    let letter = rest.next().unwrap_or('O');
    let rest = rest.as_str();
    let label = rest.split_once('-').map_or(rest, |(_, label)| label);
    (letter, if label.is_empty() { "_" } else { label })
}

fn ends(prev: Tag, tag: Tag) -> bool {
    let labels_differ = !matches!(prev.0, 'O' | '.') && prev.1 != tag.1;
    labels_differ || matches!((prev.0, tag.0), ('E' | 'S', _) | ('B' | 'I', 'B' | 'S' | 'O'))
}

fn starts(prev: Tag, tag: Tag) -> bool {
    let labels_differ = !matches!(tag.0, 'O' | '.') && prev.1 != tag.1;
    labels_differ || matches!((prev.0, tag.0), (_, 'B' | 'S') | ('E' | 'S' | 'O', 'E' | 'I'))
}
