//! conlleval, the Perl program of the CoNLL shared tasks, in its version of 2004-01-26.
//!
//! ```text
//! a chunk ends     between  B·B  B·O  I·B  I·O  E·E  E·I  E·O, or where the label changes
//! a chunk starts   between  B·B  I·B  O·B  O·I  E·E  E·I  O·E, or where the label changes
//! [ and ]          are chunks of one token;  O and .  are in no chunk
//! ```
//!
//! The program knows nothing of `S`, `U` and `L`, and of `E` too little: `B-M E-M B-M E-M` is one
//! chunk to it. Turn IOBES and BILOU into IOB2 before using this rule.
//!
//! It never lists chunks. It walks over both columns and keeps one flag: "so far the open chunks
//! are the same". The flag outlives the end of a sentence when neither chunk ends there, which
//! takes a bare letter such as `U`. [`Matcher`] walks in the same way, so its counts are the same.

use crate::Chunk;
use crate::score::PerType;

/// What stands before and after the first hyphen; without a hyphen there is no label.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Tag<'a> {
    letter: &'a str,
    label: &'a str,
}

const OUTSIDE: Tag<'static> = Tag { letter: "O", label: "" };

fn parse(tag: &str) -> Tag<'_> {
    let (letter, label) = tag.split_once('-').unwrap_or((tag, ""));
    // Perl holds "0" for false, so the program takes the label 0 for none.
    Tag { letter, label: if label == "0" { "" } else { label } }
}

fn ends(prev: Tag, tag: Tag) -> bool {
    match (prev.letter, tag.letter) {
        ("B" | "I", "B" | "O") | ("E", "E" | "I" | "O") | ("[" | "]", _) => true,
        ("O" | ".", _) => false,
        _ => prev.label != tag.label,
    }
}

fn starts(prev: Tag, tag: Tag) -> bool {
    match (prev.letter, tag.letter) {
        ("B" | "I" | "O", "B") | ("O", "I" | "E") | ("E", "E" | "I") | (_, "[" | "]") => true,
        (_, "O" | ".") => false,
        _ => prev.label != tag.label,
    }
}

/// The chunks that the program sees in one column of one sentence: from each start to the first
/// end after it.
pub(crate) fn chunks<T: AsRef<str>>(tags: &[T]) -> Vec<Chunk<'_>> {
    let mut chunks = Vec::new();
    let mut prev = OUTSIDE;
    let mut open: Option<Chunk> = None;
    for (position, tag) in tags.iter().map(|tag| parse(tag.as_ref())).enumerate() {
        let starts_here = starts(prev, tag);
        if starts_here || ends(prev, tag) {
            chunks.extend(open.take().map(|chunk| Chunk { end: position, ..chunk }));
        }
        if starts_here {
            open = Some(Chunk { start: position, end: position, label: tag.label });
        }
        prev = tag;
    }
    chunks.extend(open.map(|chunk| Chunk { end: tags.len(), ..chunk }));
    chunks
}

/// The walk over two columns.
#[derive(Default)]
pub(crate) struct Matcher {
    /// A chunk is open in both columns and has been the same until now.
    same_so_far: bool,
}

impl Matcher {
    /// Walks one sentence and the boundary after it; returns how many tags are right.
    pub(crate) fn sentence<G: AsRef<str>, P: AsRef<str>>(
        &mut self,
        gold: &[G],
        predicted: &[P],
        counts: &mut PerType,
    ) -> usize {
        let mut right = 0;
        let mut prev = [OUTSIDE; 2];
        for (gold, predicted) in gold.iter().zip(predicted) {
            let tags = [parse(gold.as_ref()), parse(predicted.as_ref())];
            right += usize::from(tags[0] == tags[1]);
            self.step(prev, tags, counts);
            prev = tags;
        }
        self.step(prev, [OUTSIDE; 2], counts);
        right
    }

    fn step(&mut self, prev: [Tag; 2], tags: [Tag; 2], counts: &mut PerType) {
        let [gold_ends, predicted_ends] = [ends(prev[0], tags[0]), ends(prev[1], tags[1])];
        let [gold_starts, predicted_starts] = [starts(prev[0], tags[0]), starts(prev[1], tags[1])];
        let same_label = tags[0].label == tags[1].label;

        if self.same_so_far {
            if gold_ends && predicted_ends && prev[0].label == prev[1].label {
                counts.of(prev[0].label).correct += 1;
                self.same_so_far = false;
            } else if gold_ends != predicted_ends || !same_label {
                self.same_so_far = false;
            }
        }
        if gold_starts && predicted_starts && same_label {
            self.same_so_far = true;
        }
        if gold_starts {
            counts.of(tags[0].label).gold += 1;
        }
        if predicted_starts {
            counts.of(tags[1].label).found += 1;
        }
    }

    /// The end of the file: a chunk that is still the same counts as right.
    pub(crate) fn finish(self, counts: &mut PerType) {
        if self.same_so_far {
            counts.of("").correct += 1;
        }
    }
}
