//! Tags to ids and back, and which sentences hold tags that training did not.

use serde::{Deserialize, Serialize};

use crate::corpus::Corpus;
use crate::error::{Error, Result, Warning};
use crate::interner::Interner;
use crate::scheme::{Scheme, join_tag, split_tag};
use crate::vocab::distinct;

/// The tags that a model can give: id 0 is `O`, then for each type in byte order the letters of the
/// scheme (`B-`, `I-`, and `E-`, `S-` in IOBES).
///
/// Every letter of a type is there even where the training sentences lack it, since the scheme needs
/// it to write a longer or shorter span of that type.
///
/// ```
/// use data::{Corpus, Scheme, TagSet};
/// let corpus = Corpus::from_pairs(&[("Paris , Texas", "B-geo O B-geo"), ("Ann", "B-per")]);
/// let tags = TagSet::build(&corpus, &[0, 1], Scheme::Iob2)?;
/// assert_eq!(tags.iter().collect::<Vec<_>>(), ["O", "B-geo", "I-geo", "B-per", "I-per"]);
/// assert_eq!((tags.id("I-per"), tags.id("B-org"), tags.label(3)), (Some(4), None, Some("per")));
/// assert!(!tags.allows(Some(0), Some(2)), "no I-geo after O");
/// # Ok::<(), data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredTags", into = "StoredTags")]
pub struct TagSet {
    scheme: Scheme,
    types: Vec<String>,
    tags: Interner,
}

impl TagSet {
    /// The tags of these sentences, which must be in `scheme`.
    ///
    /// # Errors
    /// E005 for a tag that is none of the scheme's, E009 when there is no tag but `O`.
    pub fn build(corpus: &Corpus, sentences: &[u32], scheme: Scheme) -> Result<Self> {
        let mut types: Vec<String> = Vec::new();
        for (tag, place) in first_places(corpus, sentences) {
            match split_tag(tag) {
                Some(('O', _)) => {}
                Some((letter, label)) if scheme.letters().contains(&letter) => {
                    types.push(label.to_string());
                }
                _ => {
                    let sentence = corpus.sentence(place.0);
                    let message = format!("{tag:?} is no tag of {scheme}");
                    return Err(Error::new("E005", message)
                        .at(&sentence.source().path, sentence.line(place.1), None)
                        .help(
                            "name the scheme (`--scheme`) or repair the tags \
                               (`longhand convert FILE OUT --repair`)",
                        ));
                }
            }
        }
        types.sort_unstable();
        types.dedup();
        if types.is_empty() {
            let message = format!("all tags of the {} training sentences are O", sentences.len());
            return Err(Error::new("E009", message)
                .at(&corpus.source.path, None, None)
                .help("is this the column with the entities? `--columns tag=…` names another"));
        }
        Ok(Self::from_types(types, scheme).expect("sorted and without repeats"))
    }

    fn from_types(types: Vec<String>, scheme: Scheme) -> std::result::Result<Self, String> {
        distinct(&types, "tag types")?;
        let mut tags = Interner::new();
        tags.intern("O");
        for label in &types {
            for &letter in scheme.letters() {
                tags.intern(&join_tag(letter, label));
            }
        }
        Ok(Self { scheme, types, tags })
    }

    /// How many tags there are, `O` included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tags.len()
    }

    /// Never true: `O` is always there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The scheme of the tags.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Types in byte order, without letters.
    #[must_use]
    pub fn types(&self) -> &[String] {
        &self.types
    }

    /// The id of a tag, if it is there.
    #[must_use]
    pub fn id(&self, tag: &str) -> Option<u32> {
        self.tags.get(tag)
    }

    /// The tag with this id.
    ///
    /// # Panics
    /// When there is no such id.
    #[must_use]
    pub fn tag(&self, id: u32) -> &str {
        self.tags.resolve(id)
    }

    /// All tags in the order of their ids.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.tags.iter()
    }

    /// The type of the tag with this id, `None` for `O`.
    #[must_use]
    pub fn label(&self, id: u32) -> Option<&str> {
        let place = (id as usize).checked_sub(1)? / self.scheme.letters().len();
        Some(&self.types[place])
    }

    /// Whether tag `next` may follow tag `prev`; `None` is the edge of the sentence.
    #[must_use]
    pub fn allows(&self, prev: Option<u32>, next: Option<u32>) -> bool {
        self.scheme.allows(prev.map(|id| self.tag(id)), next.map(|id| self.tag(id)))
    }

    /// Ids of all tags of an interner, by their numbers there; `None` for a tag that is not there.
    #[must_use]
    pub fn table(&self, tags: &Interner) -> Vec<Option<u32>> {
        tags.iter().map(|tag| self.id(tag)).collect()
    }

    /// Whether these sentences hold tags that the training sentences lack: such tags can never be
    /// predicted. `part` is what messages call the sentences (`dev`, `test`).
    ///
    /// # Errors
    /// E007 with every such type and its number of tokens; with `allow` a W007 warning instead.
    pub fn check(
        &self,
        corpus: &Corpus,
        sentences: &[u32],
        part: &str,
        allow: bool,
    ) -> Result<Option<Warning>> {
        let unknown = self.unknown(corpus, sentences);
        let Some((_, _, (sentence, token))) = unknown.first() else { return Ok(None) };
        let listed: Vec<String> = unknown
            .iter()
            .map(|(name, count, _)| {
                format!("{name:?} ({count} token{})", if *count == 1 { "" } else { "s" })
            })
            .collect();
        let message = format!("{part} has {} that train lacks", listed.join(", "));
        let sentence = corpus.sentence(*sentence);
        let (file, line) = (&sentence.source().path, sentence.line(*token));
        if allow {
            let warning = Warning::new("W007", message).at(file, line, None);
            return Ok(Some(warning.help("they can never be right and count as missed")));
        }
        Err(Error::new("E007", message).at(file, line, None).help(
            "they can never be right; `--allow-new-labels` keeps them and counts them as missed",
        ))
    }

    /// Types (or tags, where the letter is the unknown) that are not here, in order of appearance,
    /// with their number of tokens and the place of the first.
    fn unknown<'a>(&self, corpus: &'a Corpus, sentences: &[u32]) -> Vec<(&'a str, u64, Place)> {
        let table = self.table(&corpus.tags);
        let mut found: Vec<(&str, u64, Place)> = Vec::new();
        for &number in sentences {
            for (token, &id) in corpus.sentence(number as usize).tag_ids().iter().enumerate() {
                if table[id as usize].is_some() {
                    continue;
                }
                let tag = corpus.tag_of(id);
                let name = match split_tag(tag) {
                    Some((_, label)) if !self.types.iter().any(|known| known == label) => label,
                    _ => tag,
                };
                match found.iter_mut().find(|(known, ..)| *known == name) {
                    Some((_, count, _)) => *count += 1,
                    None => found.push((name, 1, (number as usize, token))),
                }
            }
        }
        found
    }
}

type Place = (usize, usize); // sentence, token

/// The distinct tags of these sentences and where each comes first.
fn first_places<'a>(corpus: &'a Corpus, sentences: &[u32]) -> Vec<(&'a str, Place)> {
    let mut seen = vec![false; corpus.tags.len()];
    let mut places = Vec::new();
    for &number in sentences {
        for (token, &id) in corpus.sentence(number as usize).tag_ids().iter().enumerate() {
            if !std::mem::replace(&mut seen[id as usize], true) {
                places.push((corpus.tag_of(id), (number as usize, token)));
            }
        }
    }
    places
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredTags {
    scheme: Scheme,
    types: Vec<String>,
}

impl From<TagSet> for StoredTags {
    fn from(tags: TagSet) -> Self {
        Self { scheme: tags.scheme, types: tags.types }
    }
}

impl TryFrom<StoredTags> for TagSet {
    type Error = String;

    fn try_from(stored: StoredTags) -> std::result::Result<Self, String> {
        Self::from_types(stored.types, stored.scheme)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corpus() -> Corpus {
        Corpus::from_pairs(&[
            ("The the cat Ä ä", "O O O B-y O"),
            ("the cat <unk> É", "O O O B-a"),
            ("dev dog", "B-new I-new"),
        ])
    }

    #[test]
    fn tags_come_type_by_type_with_every_letter_of_the_scheme() {
        let tags = TagSet::build(&corpus(), &[0, 1], Scheme::Iob2).unwrap();
        assert_eq!(tags.iter().collect::<Vec<_>>(), ["O", "B-a", "I-a", "B-y", "I-y"]);
        assert_eq!(tags.types(), ["a", "y"]);
        let tags = TagSet::build(&corpus(), &[0], Scheme::Iobes).unwrap();
        assert_eq!(tags.iter().collect::<Vec<_>>(), ["O", "B-y", "I-y", "E-y", "S-y"]);
        assert_eq!([tags.label(0), tags.label(4)], [None, Some("y")]);
        assert!(!tags.allows(Some(1), None) && tags.allows(Some(3), None));
    }

    #[test]
    fn a_tag_set_needs_an_entity_and_tags_of_its_scheme() {
        let only_o = Corpus::from_pairs(&[("a b", "O O")]);
        assert_eq!(TagSet::build(&only_o, &[0], Scheme::Iob2).unwrap_err().code, "E009");
        let pos = Corpus::from_pairs(&[("a", "O"), ("b", "NN")]);
        let error = TagSet::build(&pos, &[0, 1], Scheme::Iob2).unwrap_err();
        assert_eq!((error.code, error.place.unwrap().line), ("E005", Some(2)));
    }

    #[test]
    fn labels_that_train_lacks_are_an_error_with_counts_or_a_warning_if_allowed() {
        let corpus = corpus();
        let tags = TagSet::build(&corpus, &[0], Scheme::Iob2).unwrap();
        let error = tags.check(&corpus, &[1, 2], "dev", false).unwrap_err();
        assert_eq!(error.code, "E007");
        assert_eq!(error.message, r#"dev has "a" (1 token), "new" (2 tokens) that train lacks"#);
        assert_eq!(error.place.unwrap().line, Some(2));
        let warning = tags.check(&corpus, &[1, 2], "dev", true).unwrap().unwrap();
        assert_eq!(warning.code, "W007");
        assert_eq!(tags.check(&corpus, &[0], "dev", false), Ok(None));
    }

    #[test]
    fn a_stored_tag_set_comes_back_equal_and_a_repeated_type_is_refused() {
        let tags = TagSet::build(&corpus(), &[0, 1], Scheme::Iobes).unwrap();
        let json = serde_json::to_string(&tags).unwrap();
        assert_eq!(json, r#"{"scheme":"iobes","types":["a","y"]}"#);
        assert_eq!(serde_json::from_str::<TagSet>(&json).unwrap(), tags);
        let twice = r#"{"scheme":"iob2","types":["a","a"]}"#;
        assert!(serde_json::from_str::<TagSet>(twice).is_err());
    }
}
