//! The strict rule: a chunk counts if its scheme could have written it.
//!
//! ```text
//! IOB2    B I*                      every chunk opens with B
//! IOBES   S  or  B I* E             the last token says so
//! BILOU   U  or  B I* L             the same in other letters
//! IOB1    I I*  or  B I*            B only where a chunk of the same label ended just before
//! ```
//!
//! All tokens of a chunk carry one label. What fits none of these is no chunk at all: an `I-per`
//! after `O` is nothing in IOB2, a `B-per` that no `E-per` closes is nothing in IOBES.
//!
//! Equal to seqeval 1.2.2 with `mode="strict"` and the scheme given by name. seqeval stops at a
//! letter that the scheme lacks; here such a tag counts as `O`, and finding it is the reader's task.

use data::scheme::Scheme;

use crate::Chunk;

/// A tag's letter and label, as `B-per` → `('B', "per")`.
type Tag<'a> = (char, &'a str);

const OUTSIDE: Tag<'static> = ('O', "_");

pub(crate) fn chunks<T: AsRef<str>>(scheme: Scheme, tags: &[T]) -> Vec<Chunk<'_>> {
    let tags: Vec<Tag> = tags.iter().map(|tag| parse(scheme, tag.as_ref())).collect();
    let at = |i: usize| tags.get(i).copied().unwrap_or(OUTSIDE);

    let mut chunks = Vec::new();
    let mut prev = OUTSIDE;
    let mut start = 0;
    while start < tags.len() {
        let mut end = start + 1;
        if opens(scheme, prev, at(start)) {
            while continues(scheme, at(end - 1), at(end)) {
                end += 1;
            }
            if closes(scheme, at(end - 1), at(end)) {
                chunks.push(Chunk { start, end, label: at(start).1 });
            }
        }
        prev = at(end - 1);
        start = end;
    }
    chunks
}

fn parse(scheme: Scheme, tag: &str) -> Tag<'_> {
    let letters = match scheme {
        Scheme::Iob1 | Scheme::Iob2 => "BI",
        Scheme::Iobes => "BIES",
        Scheme::Bilou => "BILU",
    };
    let mut rest = tag.chars();
    let letter = rest.next().filter(|c| letters.contains(*c)).unwrap_or('O');
    let label = rest.as_str().trim_matches('-');
    (letter, if label.is_empty() { "_" } else { label })
}

/// May a chunk begin at `tag`, given that no chunk runs on into it from `prev`?
fn opens(scheme: Scheme, prev: Tag, tag: Tag) -> bool {
    match (scheme, tag.0) {
        // Any I that does not continue a chunk begins one; B is there to part two of one label.
        (Scheme::Iob1, 'I') => true,
        (Scheme::Iob1, 'B') => "BI".contains(prev.0) && prev.1 == tag.1,
        (Scheme::Iob2 | Scheme::Iobes | Scheme::Bilou, 'B') => true,
        (Scheme::Iobes, 'S') | (Scheme::Bilou, 'U') => true,
        _ => false,
    }
}

/// Does `tag` go on with the chunk that `prev` is in?
fn continues(scheme: Scheme, prev: Tag, tag: Tag) -> bool {
    let goes_on = match scheme {
        Scheme::Iob1 | Scheme::Iob2 => "I",
        Scheme::Iobes => "IE",
        Scheme::Bilou => "IL",
    };
    "BI".contains(prev.0) && goes_on.contains(tag.0) && prev.1 == tag.1
}

/// Is a chunk complete whose last tag is `last`, with `next` after it?
fn closes(scheme: Scheme, last: Tag, next: Tag) -> bool {
    match scheme {
        Scheme::Iob2 => true,
        Scheme::Iobes => "ES".contains(last.0),
        Scheme::Bilou => "LU".contains(last.0),
        // A B of another label has no place after a B: seqeval then drops the first one too.
        Scheme::Iob1 => !(last.0 == 'B' && next.0 == 'B' && last.1 != next.1),
    }
}
