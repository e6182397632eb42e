//! Tokens that something went wrong with before they came here.

use encoding_rs::WINDOWS_1252;

use super::{Finding, counted, place, shortened};
use crate::corpus::Corpus;

/// A token longer than this is mostly an address, or a sentence that was not cut.
const LONG: usize = 40;

/// What may be odd about a word.
#[derive(Clone, Copy, PartialEq)]
enum Oddity {
    Border,
    Replacement,
    Mojibake,
    Missing,
    Long,
}

impl Oddity {
    const ALL: [Self; 5] =
        [Self::Border, Self::Replacement, Self::Mojibake, Self::Missing, Self::Long];

    fn of(word: &str) -> Option<Self> {
        if word.is_ascii() {
            // Nearly all words: no character beyond ASCII to look at.
            return match word {
                "nan" | "NaN" | "#N/A" => Some(Self::Missing),
                _ if word.bytes().any(|b| b <= b' ' || b == 0x7f) => Some(Self::Border),
                _ => (word.len() > LONG).then_some(Self::Long),
            };
        }
        if word.contains(char::REPLACEMENT_CHARACTER) {
            Some(Self::Replacement)
        } else if word.chars().any(is_border) {
            Some(Self::Border)
        } else if unspoilt(word).is_some() {
            Some(Self::Mojibake)
        } else {
            (word.chars().count() > LONG).then_some(Self::Long)
        }
    }

    fn finding(self, n: usize, have: &str) -> Finding {
        match self {
            Self::Border => {
                let what = "white space, control or invisible characters inside";
                Finding::warn("W052", n, format!("{have} {what}"))
                    .help("most formats cut words there; replace such characters")
            }
            Self::Replacement => {
                Finding::warn("W053", n, format!("{have} U+FFFD where a character was lost"))
                    .help("the file was decoded wrongly before; go back to its source")
            }
            Self::Mojibake => {
                let what = "UTF-8 that was read as windows-1252";
                Finding::warn("W054", n, format!("{have} {what}"))
                    .help("the file was written so; decode its source as UTF-8")
            }
            Self::Missing => {
                let what = "the look of a missing value";
                Finding::warn("W055", n, format!("{have} {what}")).help(
                    "pandas reads words such as None and NA as missing: use keep_default_na=False",
                )
            }
            Self::Long => Finding::info("I062", n, format!("{have} more than {LONG} characters")),
        }
    }
}

/// White space that is no ASCII blank, control characters, and such as show nothing.
fn is_border(c: char) -> bool {
    let invisible = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{2064}' | '\u{feff}');
    c.is_whitespace() || c.is_control() || invisible
}

/// What a word was before its UTF-8 was taken for windows-1252: `â€™` was `’`.
///
/// A word by chance of bytes that make valid UTF-8 is next to impossible: each such character needs a
/// letter from the row of capitals with accents followed by signs that no word has inside.
fn unspoilt(word: &str) -> Option<String> {
    let (bytes, _, lossy) = WINDOWS_1252.encode(word);
    if lossy {
        return None;
    }
    String::from_utf8(bytes.into_owned()).ok()
}

pub(super) fn findings(corpus: &Corpus, counts: &[u32]) -> Vec<Finding> {
    let mut odd: Vec<Option<Oddity>> = corpus.words.iter().map(Oddity::of).collect();
    let mut lone_nones = 0;
    if let Some(none) = corpus.words.get("None") {
        lone_nones = nones_in_mid_sentence(corpus, none);
        if lone_nones > 0 {
            odd[none as usize] = Some(Oddity::Missing);
        }
    }
    let times = |id: usize| match corpus.word_of(id as u32) {
        "None" => lone_nones,
        _ => counts[id] as usize,
    };
    let finding = |oddity: Oddity| {
        let ids: Vec<usize> = (0..odd.len()).filter(|&id| odd[id] == Some(oddity)).collect();
        let n: usize = ids.iter().map(|&id| times(id)).sum();
        let first = first_of(corpus, &ids)?;
        let examples = ids.iter().map(|&id| example(corpus.word_of(id as u32), oddity));
        let have = counted(n, "token has", "tokens have");
        Some(oddity.finding(n, &have).at(first).examples(examples))
    };
    Oddity::ALL.into_iter().filter_map(finding).collect()
}

fn example(word: &str, oddity: Oddity) -> String {
    match unspoilt(word).filter(|_| oddity == Oddity::Mojibake) {
        Some(was) => format!("{:?} was {:?}", shortened(word), shortened(&was)),
        None => format!("{:?}", shortened(word)),
    }
}

/// `None` begins sentences; amid lower-case words it is what Python writes for nothing.
fn nones_in_mid_sentence(corpus: &Corpus, none: u32) -> usize {
    let is_lower = |id: u32| corpus.word_of(id).starts_with(char::is_lowercase);
    let sentences = corpus.sentences().map(|sentence| sentence.word_ids());
    sentences
        .flat_map(|ids| ids.windows(2))
        .filter(|two| two[1] == none && is_lower(two[0]))
        .count()
}

/// Place of the first token that is one of these words.
fn first_of(corpus: &Corpus, ids: &[usize]) -> Option<crate::error::Place> {
    if ids.is_empty() {
        return None;
    }
    let mut wanted = vec![false; corpus.words.len()];
    ids.iter().for_each(|&id| wanted[id] = true);
    corpus.sentences().find_map(|sentence| {
        let token = sentence.word_ids().iter().position(|&id| wanted[id as usize])?;
        Some(place(corpus, sentence.number(), token))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(words: &str) -> Vec<&'static str> {
        let tags = words.split(' ').map(|_| "O").collect::<Vec<_>>().join(" ");
        let corpus = Corpus::from_pairs(&[(words, &tags)]);
        let counts = vec![1; corpus.words.len()];
        findings(&corpus, &counts).into_iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn each_oddity_has_its_code() {
        assert_eq!(codes("a\tb"), ["W052"]);
        assert_eq!(codes("5\u{a0}storm zero\u{200b}width"), ["W052"]);
        assert_eq!(codes("caf\u{fffd}"), ["W053"]);
        assert_eq!(codes("donâ€™t"), ["W054"]);
        assert_eq!(codes("he has nan"), ["W055"]);
        assert_eq!(codes(&"x".repeat(41)), ["I062"]);
    }

    #[test]
    fn words_with_accents_and_signs_are_no_mojibake() {
        assert_eq!(codes("Łódź Zoë naïve Ångström — … “ É 東京 ÀÉ"), [""; 0]);
    }

    #[test]
    fn mojibake_is_shown_beside_what_it_was() {
        let corpus = Corpus::from_pairs(&[("cafÃ©", "O")]);
        assert_eq!(findings(&corpus, &[1])[0].examples, ["\"cafÃ©\" was \"café\""]);
    }

    #[test]
    fn none_at_the_start_of_a_sentence_or_a_quote_is_a_word() {
        assert_eq!(codes("None of them said \" None \""), [""; 0]);
        assert_eq!(codes("they saw None there"), ["W055"]);
    }

    #[test]
    fn tokens_are_counted_and_the_first_has_its_place() {
        let corpus = Corpus::from_pairs(&[("a", "O"), ("nan nan", "O O")]);
        let findings = findings(&corpus, &[1, 2]);
        assert_eq!((findings[0].count, findings[0].place.as_ref().unwrap().line), (2, Some(2)));
    }
}
