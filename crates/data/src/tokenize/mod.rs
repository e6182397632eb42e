//! Raw text to tokens and sentences, by the conventions of the corpus that taggers are trained on.
//!
//! The Groningen Meaning Bank is tokenised much as the Penn Treebank: `'s` and `n't` stand alone,
//! abbreviations keep their period, words keep their hyphens. A tagger knows its words in that form
//! only, so a text must be cut the same way. `docs/tokenizer.md` lists the conventions with counts.
//!
//! ```
//! let text = "Mr. Obama didn't visit the U.S.-led base (5,000 men).";
//! let tokens: Vec<&str> = data::tokenize(text).iter().map(|token| token.text(text)).collect();
//! assert_eq!(tokens.join("|"), "Mr.|Obama|did|n't|visit|the|U.S.-led|base|(|5,000|men|)|.");
//! ```

mod abbreviations;
mod scan;
mod sentences;

pub use sentences::{Quotes, sentences};

use sentences::LONGEST;

use std::ops::Range;

use serde::Serialize;

/// A piece of a text, by its place in units of three kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Token {
    /// First byte; `text[start..end]` is the token.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// First character (Unicode scalar value), as Python counts.
    pub char_start: usize,
    /// One past the last character.
    pub char_end: usize,
    /// First UTF-16 unit, as JavaScript and Java count.
    pub utf16_start: usize,
    /// One past the last UTF-16 unit.
    pub utf16_end: usize,
}

impl Token {
    /// The token itself; `text` is what was tokenised.
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> &'a str {
        &text[self.start..self.end]
    }
}

/// Cuts a text into tokens.
///
/// Tokens come in order and do not overlap; every character that is no white space is inside exactly
/// one. The time is proportional to the length of the text.
#[must_use]
pub fn tokenize(text: &str) -> Vec<Token> {
    let mut ruler = Ruler { text, at: Place::default() };
    scan::pieces(text).into_iter().map(|piece| ruler.token(piece.start, piece.end)).collect()
}

/// Each of `tokens`, cut into its characters (Unicode scalar values) unless it is `whole`, and the same `sentences` of
/// these, cut where they become too long.
#[must_use]
pub fn characters(
    text: &str,
    tokens: &[Token],
    sentences: &[Range<usize>],
    whole: impl Fn(&str) -> bool,
) -> (Vec<Token>, Vec<Range<usize>>) {
    let (mut apart, mut firsts) = (Vec::with_capacity(2 * tokens.len()), Vec::new());
    for token in tokens {
        firsts.push(apart.len());
        if whole(token.text(text)) {
            apart.push(*token);
            continue;
        }
        let mut next = *token;
        for c in token.text(text).chars() {
            next.end = next.start + c.len_utf8();
            next.char_end = next.char_start + 1;
            next.utf16_end = next.utf16_start + c.len_utf16();
            apart.push(next);
            (next.start, next.char_start, next.utf16_start) =
                (next.end, next.char_end, next.utf16_end);
        }
    }
    firsts.push(apart.len());
    let pieces = |s: &Range<usize>| {
        let (start, end) = (firsts[s.start], firsts[s.end]);
        (start..end).step_by(LONGEST).map(move |from| from..end.min(from + LONGEST))
    };
    let sentences = sentences.iter().flat_map(pieces).collect();
    (apart, sentences)
}

/// Counts characters and UTF-16 units from one token to the next, so that no part of the text is
/// counted twice.
struct Ruler<'a> {
    text: &'a str,
    at: Place,
}

#[derive(Clone, Copy, Default)]
struct Place {
    byte: usize,
    char: usize,
    utf16: usize,
}

impl Ruler<'_> {
    fn token(&mut self, start: usize, end: usize) -> Token {
        let first = self.advance(start);
        let last = self.advance(end);
        Token {
            start,
            end,
            char_start: first.char,
            char_end: last.char,
            utf16_start: first.utf16,
            utf16_end: last.utf16,
        }
    }

    fn advance(&mut self, byte: usize) -> Place {
        for c in self.text[self.at.byte..byte].chars() {
            self.at.char += 1;
            self.at.utf16 += c.len_utf16();
        }
        self.at.byte = byte;
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tokens(text: &str) -> Vec<&str> {
        tokenize(text).iter().map(|token| token.text(text)).collect()
    }

    #[test]
    fn characters_are_the_tokens_cut_finer_in_the_same_sentences() {
        let text = "สมชาย ไป 2024. 😀é!";
        let tokens = tokenize(text);
        let cuts = [0..3, 3..tokens.len()];
        let (apart, sentences) = characters(text, &tokens, &cuts, |word| word == "2024");
        let all: String = apart.iter().map(|token| token.text(text)).collect();
        assert_eq!(all, text.replace(' ', ""));
        let long: Vec<&str> =
            apart.iter().map(|t| t.text(text)).filter(|t| t.chars().count() > 1).collect();
        assert_eq!(long, ["2024"]);
        let endless = "ก".repeat(2 * LONGEST + 1);
        let whole = 0..1;
        let (_, sentences_of) = characters(&endless, &tokenize(&endless), &[whole], |_| false);
        assert_eq!(sentences_of.len(), 3);
        assert_eq!(sentences[0].end, sentences[1].start);
        assert_eq!(apart[sentences[1].start].start, tokens[3].start);
        assert_eq!(sentences[1].end, apart.len());
        let [finer, last] = [apart.last(), tokens.last()].map(|token| token.unwrap());
        let ends = |t: &Token| (t.end, t.char_end, t.utf16_end);
        assert_eq!(ends(finer), ends(last));
    }

    /// Each line: a text, and its tokens with bars between them.
    #[track_caller]
    fn check(cases: &[(&str, &str)]) {
        for (text, expected) in cases {
            assert_eq!(tokens(text).join("|"), *expected, "{text}");
        }
    }

    #[test]
    fn contractions_stand_alone() {
        check(&[
            ("It's Iran's", "It|'s|Iran|'s"),
            ("IT’S ours, we’re", "IT|’S|ours|,|we|’re"),
            ("didn't can't I'd've", "did|n't|ca|n't|I|'d|'ve"),
            ("cannot Cannot", "can|not|Can|not"),
            ("the rebels' 20-year war", "the|rebels|'|20-year|war"),
            ("Iran 's aren 't", "Iran|'s|aren|'|t"),
            ("O'Connor Shi'ites d'Ivoire Ba'ath's", "O'Connor|Shi'ites|d'Ivoire|Ba'ath|'s"),
            ("the '80s, 'twas", "the|'80s|,|'|twas"),
            ("n't 's t'", "n't|'s|t|'"),
        ]);
    }

    #[test]
    fn abbreviations_keep_their_period_and_sentences_theirs() {
        check(&[
            ("Mr. Li of the U.S. said.", "Mr.|Li|of|the|U.S.|said|."),
            ("the U.S.-led, Mich.-based U.S.'s", "the|U.S.-led|,|Mich.-based|U.S.|'s"),
            ("George W. Bush; R. P. Singh", "George|W.|Bush|;|R.|P.|Singh"),
            ("World War I. The end", "World|War|I|.|The|end"),
            ("in Group A.", "in|Group|A|."),
            ("at 5 p.m. No. 5 said no.", "at|5|p.m.|No.|5|said|no|."),
            ("Smith et al. and al.", "Smith|et|al.|and|al|."),
            ("out 06-Feb.", "out|06-Feb|."),
            ("der er f.eks. en", "der|er|f.eks.|en"),
            ("the end.Then a U.S...", "the|end|.|Then|a|U.S|..."),
            ("wait... what?!", "wait|...|what|?|!"),
        ]);
    }

    #[test]
    fn numbers_keep_their_marks_and_lose_their_units() {
        check(&[
            ("$1,000.50, 2,00,000 (5%)", "$|1,000.50|,|2,00,000|(|5|%|)"),
            ("3:34:33.2 at 10:30: 20/20", "3:34:33.2|at|10:30|:|20/20"),
            ("1990's 5.1-magnitude 25°C", "1990|'s|5.1-magnitude|25|°C"),
            ("2008–2010 to #128", "2008|–|2010|to|#|128"),
        ]);
    }

    #[test]
    fn marks_are_tokens_of_their_own() {
        check(&[
            ("(\"[9]\")", "(|\"|[|9|]|\"|)"),
            ("yes—no -- and--or oil- and", "yes|—|no|--|and|--|or|oil-|and"),
            ("HIV/AIDS AT&T Q&a", "HIV|/|AIDS|AT&T|Q|&|a"),
            ("“Hi,” ‘she’ «said»", "“|Hi|,|”|‘|she|’|«|said|»"),
            ("``quoted'' text", "``|quoted|''|text"),
            ("REDD+ C++, 5+", "REDD+|C++|,|5|+"),
        ]);
    }

    #[test]
    fn addresses_stay_whole() {
        check(&[
            ("(see https://a.org/x_(y)?z=1,2.)", "(|see|https://a.org/x_(y)?z=1,2|.|)"),
            ("(www.gov.cn), Amazon.com.", "(|www.gov.cn|)|,|Amazon.com|."),
            ("a.b-c+d@ex-ample.org; @dalailama #hope", "a.b-c+d@ex-ample.org|;|@dalailama|#hope"),
            ("www. http://", "www|.|http|:|/|/"),
        ]);
    }

    #[test]
    fn scripts_without_blanks_and_marks_on_letters_are_cut_where_characters_end() {
        check(&[
            ("东京2020年。OK", "东|京|2020|年|。|OK"),
            ("が\u{3099}ok", "が\u{3099}|ok"),
            ("cafe\u{301}s naïve", "cafe\u{301}s|naïve"),
            ("हिन्दी भाषा।", "हिन्दी|भाषा|।"),
            ("👨‍👩‍👧👍🏽🇩🇰🇸🇪!", "👨‍👩‍👧|👍🏽|🇩🇰|🇸🇪|!"),
            ("5\u{a0}storm\u{85}x", "5|storm|x"),
            ("서울에서 مرحبا، דָּג", "서울에서|مرحبا|،|דָּג"),
        ]);
    }

    #[test]
    fn places_count_bytes_characters_and_utf16_units() {
        let text = "é𝄞 x";
        let tokens = tokenize(text);
        let last = tokens.last().unwrap();
        assert_eq!((last.start, last.char_start, last.utf16_start), (7, 3, 4));
        assert_eq!((last.end, last.char_end, last.utf16_end), (8, 4, 5));
    }

    #[test]
    fn sentences_end_at_stops_but_not_inside_quotes_or_after_titles() {
        let cut = |text: &str| {
            let tokens = tokenize(text);
            let ranges = sentences(&tokens, text);
            ranges
                .into_iter()
                .map(|r| text[tokens[r.start].start..tokens[r.end - 1].end].to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(cut("Dr. No left. \"Why?\" he asked."), ["Dr. No left.", "\"Why?\" he asked."]);
        assert_eq!(cut("He said \"No.\" She left!"), ["He said \"No.\"", "She left!"]);
        assert_eq!(
            cut("In the U.S. The end. (So.) 5 men"),
            ["In the U.S.", "The end.", "(So.)", "5 men"]
        );
        assert_eq!(cut("A heading\n\nno stop\nhere"), ["A heading", "no stop\nhere"]);
        assert_eq!(cut("你好。你好！「是。」好"), ["你好。", "你好！", "「是。」", "好"]);
        assert_eq!(cut("One . \" Two . \" Three"), ["One .", "\" Two . \"", "Three"]);
        assert_eq!(cut("wait ... and see ... Then"), ["wait ... and see ...", "Then"]);
        assert_eq!(cut(""), Vec::<String>::new());
    }

    #[test]
    fn the_time_stays_proportional_to_the_length_of_texts_made_to_be_slow() {
        for piece in
            ["'d", "I'd'", "http://)", ")", "www.", "a.", "U.S.-", "'", "\"", ". ", "A. ", "&A"]
        {
            let text = piece.repeat(100_000);
            let start = std::time::Instant::now();
            let tokens = tokenize(&text);
            assert!(!sentences(&tokens, &text).is_empty());
            // Quadratic work would take minutes.
            assert!(start.elapsed().as_secs() < 5, "{piece:?}: {:?}", start.elapsed());
        }
    }

    /// Text in which the rules have something to do, and text of any kind.
    fn any_text() -> impl Strategy<Value = String> {
        let busy = prop::collection::vec(
            prop::sample::select(vec![
                "a", "B", "9", ".", ",", "-", "'", "’", "s", "n't", "U.S", "http://", "www.", "@",
                "#", "/", "(", ")", "\"", " ", "\n", "\u{a0}", "é", "e\u{301}", "\u{200d}", "👍",
                "🇩", "°C", "中", "\u{3099}", "Mr", "cannot", "\u{200b}", "\u{feff}", "\0", "İ",
                "ß", "𝄞", "`",
            ]),
            0..40,
        );
        prop_oneof![busy.prop_map(|pieces| pieces.concat()), any::<String>()]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn every_visible_character_is_in_exactly_one_token(text in any_text()) {
            let tokens = tokenize(&text);
            let mut end = 0;
            for token in &tokens {
                prop_assert!(end <= token.start && token.start < token.end);
                prop_assert!(text[end..token.start].chars().all(char::is_whitespace));
                prop_assert!(!token.text(&text).contains(char::is_whitespace));
                prop_assert_eq!(token.char_start, text[..token.start].chars().count());
                prop_assert_eq!(token.char_end, text[..token.end].chars().count());
                prop_assert_eq!(token.utf16_end, text[..token.end].encode_utf16().count());
                end = token.end;
            }
            prop_assert!(text[end..].chars().all(char::is_whitespace));
        }

        #[test]
        fn sentences_cover_all_tokens_in_order(text in any_text()) {
            let tokens = tokenize(&text);
            let mut end = 0;
            for range in sentences(&tokens, &text) {
                prop_assert_eq!(range.start, end);
                prop_assert!(range.end > range.start);
                end = range.end;
            }
            prop_assert_eq!(end, tokens.len());
        }

        #[test]
        fn white_space_around_a_text_changes_places_only(text in any_text()) {
            let padded = format!("\n {text} \t");
            prop_assert_eq!(tokens(&padded), tokens(&text));
        }

        #[test]
        fn a_text_that_comes_in_pieces_has_the_sentences_of_the_whole(
            words in prop::collection::vec(
                prop::sample::select(vec![
                    "a", "B", "I", "W.", "U.S.", "Mr.", "p.m.", "The", "he", "end.", "so?", ".", "\"",
                    "\"No.", "yes.\"", ")", "'s", "x,", "...", "中。中", "9.", "\n", "\n\n", "\u{a0}",
                ]),
                0..60,
            ),
            sizes in prop::collection::vec(1..12_usize, 60),
        ) {
            let mut all = Vec::new();
            let (mut quotes, mut rest, mut left) = (Quotes::default(), String::new(), &words[..]);
            for size in sizes {
                let (piece, after) = left.split_at(size.min(left.len()));
                left = after;
                rest += &(piece.join(" ") + " ");
                let (tokens, cut, begins) = quotes.cut_begun(&rest);
                let sentence = |s: &std::ops::Range<usize>| {
                    tokens[s.clone()].iter().map(|t| t.text(&rest).to_owned()).collect()
                };
                all.extend(cut.iter().map(sentence).collect::<Vec<Vec<String>>>());
                rest.drain(..begins);
            }
            let tokens = tokenize(&rest);
            let last = quotes.cut(&tokens, &rest);
            let sentence = |s: &std::ops::Range<usize>| {
                tokens[s.clone()].iter().map(|t| t.text(&rest).to_owned()).collect()
            };
            all.extend(last.iter().map(sentence).collect::<Vec<Vec<String>>>());

            let text = words.join(" ") + " ";
            let tokens = tokenize(&text);
            let whole: Vec<Vec<String>> = sentences(&tokens, &text)
                .iter()
                .map(|s| tokens[s.clone()].iter().map(|t| t.text(&text).to_owned()).collect())
                .collect();
            prop_assert_eq!(all, whole);
        }
    }
}
