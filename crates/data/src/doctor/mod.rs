//! The data doctor: what is odd about tagged sentences before anything is trained on them.
//!
//! ```text
//! Corpus, parts ──► mentions   entities by type, surfaces of several types, words unseen in train
//!                ├► repeats    equal sentences, within a part and across, tagged alike or not
//!                ├► tokens     white space inside, control characters, mojibake, `nan`
//!                └► shape      lengths, one-token sentences, sentences in one case
//! ```
//!
//! [`examine`] describes (the fields of a [`Report`]) and judges (its findings). A [`Finding`] is a
//! value with a stable code, so that a program can act on it; what each code means stands in
//! [`CODES`]. Shares are left to the reader: a report holds counts.

mod codes;
mod mentions;
mod repeats;
mod shape;
mod tokens;

pub use codes::CODES;
pub use mentions::{Ambiguous, Entities, LabelCount, Novelty, TypeCounts};
pub use shape::{Bar, Lengths, Shape};

use std::fmt;

use serde::Serialize;

use crate::corpus::{Corpus, Source};
use crate::error::{Error, Place, Warning};
use crate::read::grouped;
use crate::scheme::{self, Scheme};
use mentions::Mentions;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Costs score, or flatters it.
    Warn,
    /// Training refuses such data.
    Error,
}

impl Severity {
    /// The word that stands before a finding: `info`, `warning` or `error`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warning",
            Self::Error => "error",
        }
    }
}

/// Something in the data that the user should know of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable code: `E…` for errors, `W…` for warnings, `I…` for information.
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// One sentence that says what was found.
    pub message: String,
    /// How often it was found; what is counted is said by the message.
    pub count: usize,
    /// Where it stands first.
    pub place: Option<Place>,
    /// A few cases, each one line.
    pub examples: Vec<String>,
    /// The next step.
    pub help: Option<String>,
}

impl Finding {
    fn new(code: &'static str, severity: Severity, count: usize, message: String) -> Self {
        Self { code, severity, message, count, place: None, examples: Vec::new(), help: None }
    }

    fn info(code: &'static str, count: usize, message: String) -> Self {
        Self::new(code, Severity::Info, count, message)
    }

    fn warn(code: &'static str, count: usize, message: String) -> Self {
        Self::new(code, Severity::Warn, count, message)
    }

    fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn examples(mut self, examples: impl IntoIterator<Item = String>) -> Self {
        self.examples.extend(examples.into_iter().take(EXAMPLES));
        self
    }

    fn from_error(error: Error, count: usize) -> Self {
        let Error { code, message, place, help, excerpt } = error;
        let place = place.map(|place| *place);
        let examples = excerpt.into_iter().collect();
        Self { code, severity: Severity::Error, message, count, place, examples, help }
    }
}

impl From<&Warning> for Finding {
    fn from(warning: &Warning) -> Self {
        let Warning { code, message, place, help, excerpt } = warning.clone();
        let place = place.map(|place| *place);
        let examples = excerpt.into_iter().collect();
        Self { code, severity: Severity::Warn, message, count: 1, place, examples, help }
    }
}

impl fmt::Display for Finding {
    /// One line: word, code, message and the first place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]: {}", self.severity.word(), self.code, self.message)?;
        match &self.place {
            Some(place) => write!(f, " ({place})"),
            None => Ok(()),
        }
    }
}

/// How many examples a finding carries.
const EXAMPLES: usize = 5;

/// A named share of the sentences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// `train`, `dev`, `test`, or `all` where there are no parts.
    pub name: &'static str,
    /// Sentence numbers.
    pub sentences: Vec<u32>,
}

impl Part {
    /// ` in train`, or nothing where the part is all there is.
    fn suffix(&self) -> String {
        if self.name == "all" { String::new() } else { format!(" in {}", self.name) }
    }
}

/// Size of a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartCounts {
    /// Name of the part.
    pub name: &'static str,
    /// Sentences in it.
    pub sentences: usize,
    /// Tokens in it.
    pub tokens: usize,
    /// Entities in it.
    pub entities: usize,
}

/// All that [`examine`] has to say.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The files, and how they were read.
    pub files: Vec<Source>,
    /// The scheme that the tags were held against; none if letters of two are mixed.
    pub scheme: Option<Scheme>,
    /// All tokens.
    pub tokens: usize,
    /// All sentences.
    pub sentences: usize,
    /// Distinct words, case kept.
    pub words: usize,
    /// Distinct words that stand once.
    pub words_seen_once: usize,
    /// The parts, the training part (or all) first.
    pub parts: Vec<PartCounts>,
    /// Entities, read as leniently as conlleval reads them.
    pub entities: Entities,
    /// Lengths of the sentences.
    pub sentence_lengths: Lengths,
    /// Sentences of odd shapes.
    pub shape: Shape,
    /// What was found, the gravest first.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The gravest severity among the findings.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }
}

/// Examines tagged sentences. `parts` has the training part first; one part alone is all there is.
/// Warnings of the reader become findings. Without a `scheme` it is told by the tags.
///
/// ```
/// use data::doctor::{Part, Severity, examine};
/// let corpus = data::Corpus::from_pairs(&[("Ann left", "B-per O"), ("left Ann", "O I-per")]);
/// let all = Part { name: "all", sentences: vec![0, 1] };
/// let report = examine(&corpus, &[all], None, &[]);
/// assert_eq!(report.entities.types["per"].count, 2);
/// let first = &report.findings[0];
/// assert_eq!((first.code, first.severity, first.count), ("E005", Severity::Error, 1));
/// ```
///
/// # Panics
/// When the corpus has no tags, or when there is no part.
#[must_use]
pub fn examine(
    corpus: &Corpus,
    parts: &[Part],
    scheme: Option<Scheme>,
    warnings: &[Warning],
) -> Report {
    assert!(corpus.has_tags && !parts.is_empty(), "tags and parts are needed");
    let mentions = Mentions::of(corpus);
    let mut findings: Vec<Finding> = warnings.iter().map(Finding::from).collect();
    let scheme = tags(corpus, scheme, &mut findings);
    let counts = word_counts(corpus);
    findings.extend(repeats::findings(corpus, parts));
    findings.extend(mentions.findings(corpus, parts));
    findings.extend(tokens::findings(corpus, &counts));
    findings.extend(shape::findings(corpus));
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Report {
        files: corpus.sources().cloned().collect(),
        scheme,
        tokens: corpus.n_tokens(),
        sentences: corpus.len(),
        words: counts.iter().filter(|&&n| n > 0).count(),
        words_seen_once: counts.iter().filter(|&&n| n == 1).count(),
        parts: parts.iter().map(|part| mentions.part_counts(corpus, part)).collect(),
        entities: mentions.describe(corpus, parts),
        sentence_lengths: Lengths::of(corpus),
        shape: Shape::of(corpus),
        findings,
    }
}

/// Scheme and illegal tags. Where the letters of two schemes are mixed there is no telling which
/// tags are illegal.
fn tags(corpus: &Corpus, scheme: Option<Scheme>, findings: &mut Vec<Finding>) -> Option<Scheme> {
    let scheme = match scheme.map_or_else(|| scheme::detect(corpus), Ok) {
        Ok(scheme) => scheme,
        Err(error) => {
            findings.push(Finding::from_error(error, 1));
            return None;
        }
    };
    let found = scheme::validate(corpus, scheme);
    if let Some(error) = found.to_error(corpus, scheme) {
        let help = "`longhand check --fix OUT` writes a file with such tags repaired";
        let help = error.help.clone().filter(|h| !h.contains("--repair")).unwrap_or(help.into());
        let examples = found.listed.iter().map(|illegal| {
            let (sentence, token) = (corpus.sentence(illegal.sentence), illegal.token);
            let before = illegal.prev.as_deref().unwrap_or("the beginning");
            let (line, word, tag) = (illegal.line, sentence.word(token), &illegal.tag);
            match scheme::split_tag(tag) {
                Some(_) => format!("line {line}: {word:?} is {tag} after {before}"),
                None => format!("line {line}: {word:?} is {tag:?}"),
            }
        });
        let finding = Finding::from_error(error, found.count).examples(examples);
        findings.push(Finding { help: Some(help), ..finding });
    }
    Some(scheme)
}

/// How often each distinct word stands.
fn word_counts(corpus: &Corpus) -> Vec<u32> {
    let mut counts = vec![0; corpus.words.len()];
    for &word in corpus.word_ids() {
        counts[word as usize] += 1;
    }
    counts
}

/// Where a token stands.
fn place(corpus: &Corpus, sentence: usize, token: usize) -> Place {
    let sentence = corpus.sentence(sentence);
    let file = sentence.source().path.clone();
    Place { file, line: Some(sentence.line(token)), column: None }
}

/// `1 sentence`, `1,204 sentences`.
fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{} {}", grouped(n), if n == 1 { one } else { many })
}

/// A share as `1.1 %`; of nothing, `0.0 %`.
fn percent(part: usize, whole: usize) -> String {
    let tenths = (1000 * part + whole / 2).checked_div(whole).unwrap_or(0);
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// The beginning of a text, for an example that must stay on one line.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 50;
    let short: String = text.chars().take(LONGEST).collect();
    if short.len() < text.len() { short + "…" } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn all(corpus: &Corpus) -> Part {
        Part { name: "all", sentences: (0..corpus.len() as u32).collect() }
    }

    #[test]
    fn what_is_in_order_has_no_finding_but_rare_types() {
        let corpus = Corpus::from_pairs(&[("Ann saw Rome", "B-per O B-geo"), ("He slept", "O O")]);
        let report = examine(&corpus, &[all(&corpus)], None, &[]);
        let codes: Vec<_> = report.findings.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, ["W051"]);
        assert_eq!((report.tokens, report.sentences, report.words), (5, 2, 5));
        assert_eq!((report.scheme, report.words_seen_once), (Some(Scheme::Iob2), 5));
    }

    #[test]
    fn findings_stand_in_order_of_severity_whatever_found_them() {
        let pairs = [("Ann nan x", "I-per B-geo O"), ("b c", "O O"), ("b c", "O O")];
        let corpus = Corpus::from_pairs(&pairs);
        let warning = Warning::new("W001", "guessed");
        let report = examine(&corpus, &[all(&corpus)], None, &[warning]);
        let severities: Vec<_> = report.findings.iter().map(|finding| finding.severity).collect();
        assert!(severities.is_sorted_by(|a, b| a >= b), "{:?}", report.findings);
        assert_eq!(report.worst(), Some(Severity::Error));
    }

    #[test]
    fn mixed_schemes_are_a_finding_and_no_end_of_the_examination() {
        let corpus = Corpus::from_pairs(&[("a b", "S-x U-y")]);
        let report = examine(&corpus, &[all(&corpus)], None, &[]);
        assert_eq!((report.findings[0].code, report.scheme), ("E006", None));
        assert_eq!(report.entities.total, 2);
    }

    #[test]
    fn a_scheme_that_is_named_is_not_guessed() {
        let corpus = Corpus::from_pairs(&[("a b", "I-x I-x")]);
        let by_guess = examine(&corpus, &[all(&corpus)], None, &[]);
        assert_eq!(by_guess.scheme, Some(Scheme::Iob1));
        let named = examine(&corpus, &[all(&corpus)], Some(Scheme::Iob2), &[]);
        assert_eq!(named.findings[0].code, "E005");
        assert!(named.findings[0].help.as_ref().unwrap().contains("--scheme iob1"));
    }

    #[test]
    fn a_share_is_rounded_to_tenths() {
        assert_eq!(
            [percent(108, 9592), percent(1, 1), percent(0, 0)],
            ["1.1 %", "100.0 %", "0.0 %"]
        );
    }
}
