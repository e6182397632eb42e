//! The tags of a whole corpus: which scheme they are in, which are illegal, and how to mend them.

use std::borrow::Cow;

use serde::Serialize;

use super::{Role, Scheme, encode, spans_leniently, split_tag, transition};
use crate::columns::meant;
use crate::corpus::{Corpus, Sentence};
use crate::error::{Error, Result};
use crate::interner::Interner;

/// A tag where the scheme does not allow it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Illegal {
    /// Sentence, from 0.
    pub sentence: usize,
    /// Token in the sentence, from 0.
    pub token: usize,
    /// Line in the file, from 1.
    pub line: u64,
    /// Tag before it, `None` at the start of the sentence.
    pub prev: Option<String>,
    /// The tag.
    pub tag: String,
}

/// What [`validate`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Violations {
    /// How many tokens have an illegal tag.
    pub count: usize,
    /// The first [`Violations::LISTED`] of them.
    pub listed: Vec<Illegal>,
}

impl Violations {
    /// How many violations are kept one by one.
    pub const LISTED: usize = 100;

    /// E005 about the first violation, with the count of all; `None` where there is none.
    #[must_use]
    pub fn to_error(&self, corpus: &Corpus, scheme: Scheme) -> Option<Error> {
        let first = self.listed.first()?;
        let what = transition(first.prev.as_deref(), &first.tag, scheme);
        let file = &corpus.source_of(first.sentence).path;
        let first_of = match self.count {
            1 => String::new(),
            n => format!(" (first of {n})"),
        };
        if split_tag(&first.tag).is_none() {
            let help = match meant(&first.tag) {
                Some(tag) => {
                    format!("write {tag}, as `longhand convert FILE OUT --repair` does")
                }
                None => "write O, or a letter, a hyphen and a type, such as B-per".to_string(),
            };
            let error = Error::new("E005", format!("{what}{first_of}"));
            return Some(error.at(file, first.line, None).help(help));
        }
        let message = format!("{what}{first_of}: not legal in {scheme}");
        let others = Scheme::ALL.iter().filter(|&&other| other != scheme);
        let fits = others.copied().find(|&other| validate(corpus, other).count == 0);
        let help = match fits {
            Some(other) => format!("all tags are legal in {other}: `--scheme {other}`"),
            None => {
                "`longhand convert FILE OUT --repair` rewrites such tags and lists each".to_string()
            }
        };
        Some(Error::new("E005", message).at(file, first.line, None).help(help))
    }
}

/// Looks for tags that the scheme does not allow where they stand.
///
/// In IOBES and BILOU a span that is left open is found at the tag after it, or at the sentence's
/// last token. A corpus without tags has no violation.
#[must_use]
pub fn validate(corpus: &Corpus, scheme: Scheme) -> Violations {
    let tags = Parsed::new(corpus, scheme);
    let mut found = Violations::default();
    for sentence in corpus.sentences() {
        let mut prev = None;
        let ids = sentence.tag_ids();
        for (token, &id) in ids.iter().enumerate() {
            let is_last = token + 1 == ids.len();
            let legal = tags.allow(prev, Some(id)) && (!is_last || tags.allow(Some(id), None));
            if !legal {
                found.count += 1;
                if found.listed.len() < Violations::LISTED {
                    found.listed.push(Illegal {
                        sentence: sentence.number(),
                        token,
                        line: sentence.line(token),
                        prev: prev.map(|id| corpus.tag_of(id).to_string()),
                        tag: corpus.tag_of(id).to_string(),
                    });
                }
            }
            prev = Some(id);
        }
    }
    found
}

/// The distinct tags of a corpus, each taken apart once, so that a transition costs a few compares.
struct Parsed {
    scheme: Scheme,
    tags: Vec<Option<(Role, u32)>>, // role, number of the type; `None` for what is no tag
}

impl Parsed {
    fn new(corpus: &Corpus, scheme: Scheme) -> Self {
        let mut types = Interner::new();
        let parse = |tag| {
            let role = Role::of(tag, scheme)?;
            split_tag(tag).map(|(_, label)| (role, types.intern(label)))
        };
        Self { scheme, tags: corpus.tags.iter().map(parse).collect() }
    }

    fn allow(&self, prev: Option<u32>, next: Option<u32>) -> bool {
        let edge = Some((Role::Outside, u32::MAX));
        let tag = |id: Option<u32>| id.map_or(edge, |id| self.tags[id as usize]);
        match (tag(prev), tag(next)) {
            (_, None) => false,
            // After what is no tag anything may come: one mistake is counted once.
            (None, Some(_)) => true,
            (Some((p, before)), Some((n, after))) => self.scheme.follows(p, n, before == after),
        }
    }
}

/// The scheme of a corpus, told by its letters and, between IOB1 and IOB2, by which of them has fewer
/// violations (IOB2 if equal). A few illegal tags do not change the answer; [`validate`] finds them.
///
/// # Errors
/// E006 when letters of IOBES (`E`, `S`) and of BILOU (`L`, `U`) both occur, or when of several files
/// some have such letters and others have entities without them.
pub fn detect(corpus: &Corpus) -> Result<Scheme> {
    check_files(corpus)?;
    let letter = |tag| split_tag(tag).map_or('?', |(letter, _)| letter);
    let find = |wanted: [char; 2]| corpus.tags.iter().find(|tag| wanted.contains(&letter(tag)));
    match (find(['E', 'S']), find(['L', 'U'])) {
        (Some(iobes), Some(bilou)) => {
            Err(Error::new("E006", format!("{iobes} is of IOBES, {bilou} of BILOU: which is it?"))
                .at(&corpus.source.path, None, None)
                .help("write all tags in one scheme, or name one: `--scheme iobes`"))
        }
        (Some(_), None) => Ok(Scheme::Iobes),
        (None, Some(_)) => Ok(Scheme::Bilou),
        (None, None) => {
            let [iob1, iob2] = [Scheme::Iob1, Scheme::Iob2].map(|s| validate(corpus, s).count);
            Ok(if iob1 < iob2 { Scheme::Iob1 } else { Scheme::Iob2 })
        }
    }
}

/// E006 when files that were read as one corpus are in schemes of different letters. Every entity in
/// IOBES or BILOU has a last token, so a file of a single one shows its scheme.
fn check_files(corpus: &Corpus) -> Result<()> {
    if corpus.sources().count() < 2 {
        return Ok(());
    }
    let family = |tag: &str| match split_tag(tag) {
        Some(('E' | 'S', _)) => 2,
        Some(('L' | 'U', _)) => 3,
        Some(('B' | 'I', _)) => 1,
        _ => 0,
    };
    let families: Vec<usize> = corpus.tags.iter().map(family).collect();
    let mut files: Vec<(&str, usize)> = Vec::new();
    for sentence in corpus.sentences() {
        let found = sentence.tag_ids().iter().map(|&tag| families[tag as usize]).max().unwrap_or(0);
        let path = sentence.source().path.as_str();
        match files.last_mut() {
            Some((file, most)) if *file == path => *most = found.max(*most),
            _ => files.push((path, found)),
        }
    }
    files.retain(|(_, family)| *family > 0);
    let differs = files.iter().find(|(_, family)| *family != files[0].1);
    let Some((other, family)) = differs else { return Ok(()) };
    let letters = |family: usize| ["", "B and I", "E and S", "L and U"][family];
    let (first, first_family) = files[0];
    let message =
        format!("{} tags in {first}, {} tags in {other}", letters(first_family), letters(*family));
    Err(Error::new("E006", message)
        .at(other, None, None)
        .help(format!("write both in one scheme: `longhand convert {other} OUT --scheme iob2`")))
}

/// A tag that [`repair`] rewrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Sentence, from 0.
    pub sentence: usize,
    /// Token in the sentence, from 0.
    pub token: usize,
    /// Line in the file, from 1.
    pub line: u64,
    /// Tag before.
    pub from: String,
    /// Tag after; never the same as before.
    pub to: String,
}

/// Makes all tags legal in `scheme` and returns what it changed, in file order.
///
/// Each sentence is read as [`spans_leniently`] reads it and written anew, so legal sentences stay
/// as they are, an `I-` that follows nothing becomes a `B-`, a slip such as `b-per` or `B_per` what
/// was meant, and a plain type without a letter a span.
pub fn repair(corpus: &mut Corpus, scheme: Scheme) -> Vec<Change> {
    let mut changes = Vec::new();
    rewrite(corpus, scheme, |sentence, token, to| {
        changes.push(Change {
            sentence: sentence.number(),
            token,
            line: sentence.line(token),
            from: sentence.tag(token).to_string(),
            to: to.to_string(),
        });
    });
    changes
}

/// Reads all spans leniently and writes them in `scheme`; tells of each tag that becomes another.
fn rewrite(corpus: &mut Corpus, scheme: Scheme, mut tell: impl FnMut(Sentence<'_>, usize, &str)) {
    let mut tags = Interner::new();
    let mut tag_ids = Vec::with_capacity(corpus.tag_ids.len());
    for sentence in corpus.sentences() {
        let old: Vec<&str> = sentence.tags().collect();
        let meant: Vec<Cow<'_, str>> =
            old.iter().map(|tag| meant(tag).map_or(Cow::Borrowed(*tag), Cow::Owned)).collect();
        let read: Vec<&str> = meant.iter().map(Cow::as_ref).collect();
        let new = encode(&spans_leniently(&read), read.len(), scheme);
        for (token, (old, new)) in old.iter().zip(&new).enumerate() {
            if old != new {
                tell(sentence, token, new);
            }
            tag_ids.push(tags.intern(new));
        }
    }
    (corpus.tags, corpus.tag_ids) = (tags, tag_ids.into());
}

/// Rewrites all tags of a corpus from one scheme to another; nothing is lost.
///
/// # Errors
/// E005 with the place when a tag is not legal in `from`; the corpus is then unchanged.
pub fn convert_corpus(corpus: &mut Corpus, from: Scheme, to: Scheme) -> Result<()> {
    if let Some(error) = validate(corpus, from).to_error(corpus, from) {
        return Err(error);
    }
    if from != to {
        rewrite(corpus, to, |_, _, _| ());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheme::Scheme::{Bilou, Iob1, Iob2, Iobes};
    use proptest::prelude::*;

    fn words(text: &str) -> Vec<&str> {
        text.split(' ').collect()
    }

    #[test]
    fn detection_tells_the_scheme_by_letters_and_by_the_fewer_violations() {
        let detect = |tags: &str| {
            let words = tags.replace(|c| c != ' ', "w");
            detect(&Corpus::from_pairs(&[(&words, tags)]))
        };
        assert_eq!(detect("B-P I-P O B-L"), Ok(Iob2));
        assert_eq!(detect("I-P I-P B-P O I-L"), Ok(Iob1));
        assert_eq!(detect("B-P O I-L O B-P B-L"), Ok(Iob2), "one slip in IOB2");
        assert_eq!(detect("S-P O B-P E-P"), Ok(Iobes));
        assert_eq!(detect("U-P O"), Ok(Bilou));
        assert_eq!(detect("O O"), Ok(Iob2));
        assert_eq!(detect("U-P S-P").unwrap_err().code, "E006");
    }

    #[test]
    fn files_in_schemes_of_different_letters_are_told_apart() {
        let file = |path: &str, tags: &str| {
            let words = tags.replace(|c| c != ' ', "w");
            let mut corpus = Corpus::from_pairs(&[("w", "O"), (&words, tags)]);
            corpus.source.path = path.into();
            corpus
        };
        let mut both = file("train", "B-P I-P O B-P");
        both.append(&file("dev", "B-P I-P"));
        assert_eq!(detect(&both), Ok(Iob2));
        both.append(&file("test", "S-P O"));
        let error = detect(&both).unwrap_err();
        assert_eq!(
            (error.code, &*error.message),
            ("E006", "B and I tags in train, E and S tags in test")
        );
        let mut iobes = file("train", "B-P I-P E-P");
        iobes.append(&file("dev", "O S-P"));
        assert_eq!(detect(&iobes), Ok(Iobes));
    }

    #[test]
    fn violations_are_counted_and_the_first_becomes_an_error_with_its_line() {
        let corpus =
            Corpus::from_pairs(&[("a b", "O O"), ("c d e", "O I-org I-org"), ("f", "I-org")]);
        let found = validate(&corpus, Iob2);
        assert_eq!((found.count, found.listed[0].line, found.listed[0].token), (2, 2, 1));
        let error = found.to_error(&corpus, Iob2).unwrap();
        assert_eq!(error.message, "I-org after O (first of 2): not legal in iob2");
        assert_eq!(error.help.unwrap(), "all tags are legal in iob1: `--scheme iob1`");
        assert_eq!(validate(&corpus, Iob1), Violations::default());
    }

    #[test]
    fn what_is_no_tag_is_answered_with_the_tag_that_was_meant() {
        let corpus = Corpus::from_pairs(&[("a b", "B-P O"), ("c d", "b-P X"), ("e", "O")]);
        let error = validate(&corpus, Iob2).to_error(&corpus, Iob2).unwrap();
        assert_eq!(error.message, "\"b-P\" is no tag (first of 2)");
        assert_eq!(
            error.help.as_deref(),
            Some("write B-P, as `longhand convert FILE OUT --repair` does")
        );
        let corpus = Corpus::from_pairs(&[("a b", "B-P X")]);
        let error = validate(&corpus, Iob2).to_error(&corpus, Iob2).unwrap();
        assert!(error.help.unwrap().contains("a letter, a hyphen and a type"));
    }

    #[test]
    fn an_open_span_at_the_end_of_a_sentence_is_one_violation() {
        let corpus = Corpus::from_pairs(&[("a b", "O B-P"), ("c", "X")]);
        let found = validate(&corpus, Iobes);
        assert_eq!(found.count, 2);
        let error = found.to_error(&corpus, Iobes).unwrap();
        assert_eq!(error.message, "sentence ends with B-P (first of 2): not legal in iobes");
    }

    #[test]
    fn repair_changes_illegal_tags_only_and_lists_them() {
        let mut corpus = Corpus::from_pairs(&[("a b c d", "I-P I-P O B-L"), ("e f", "PER PER")]);
        let changes = repair(&mut corpus, Iob2);
        let seen: Vec<_> =
            changes.iter().map(|c| (c.line, c.from.as_str(), c.to.as_str())).collect();
        assert_eq!(seen, [(1, "I-P", "B-P"), (2, "PER", "B-PER"), (2, "PER", "I-PER")]);
        assert_eq!(corpus.sentence(0).tags().collect::<Vec<_>>(), words("B-P I-P O B-L"));
        assert_eq!(repair(&mut corpus, Iob2), []);
        let mut corpus = Corpus::from_pairs(&[("a b c d", "b-P I_P 0 B-L")]);
        repair(&mut corpus, Iob2);
        assert_eq!(corpus.sentence(0).tags().collect::<Vec<_>>(), words("B-P I-P O B-L"));
    }

    #[test]
    fn a_corpus_with_an_illegal_tag_is_not_converted() {
        let mut corpus = Corpus::from_pairs(&[("a b", "B-P I-L")]);
        assert_eq!(convert_corpus(&mut corpus, Iob2, Iobes).unwrap_err().code, "E005");
        assert_eq!(corpus.sentence(0).tag(1), "I-L");
        let mut corpus = Corpus::from_pairs(&[("a b", "B-P B-P")]);
        convert_corpus(&mut corpus, Iob2, Iob1).unwrap();
        assert_eq!(corpus.sentence(0).tags().collect::<Vec<_>>(), words("I-P B-P"));
    }

    proptest! {
        #[test]
        fn repaired_tags_are_legal_whatever_they_were(
            tags in prop::collection::vec("O|[BIESLUX]-[ab]|[BI]|NN", 1..12)
        ) {
            let words = vec!["w"; tags.len()].join(" ");
            for scheme in Scheme::ALL {
                let mut corpus = Corpus::from_pairs(&[(&words, &tags.join(" "))]);
                let before = validate(&corpus, scheme).count;
                let changes = repair(&mut corpus, scheme);
                prop_assert_eq!(validate(&corpus, scheme).count, 0);
                prop_assert_eq!(before == 0, changes.is_empty());
            }
        }
    }
}
