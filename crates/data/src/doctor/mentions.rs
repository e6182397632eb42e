//! Entities: how many of each type, which surfaces stand for several types, what train never shows.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;

use super::{Finding, Part, PartCounts, Severity, counted, percent, place, shortened};
use crate::corpus::Corpus;
use crate::interner::Interner;
use crate::scheme::{spans_leniently, split_tag};

/// A type with fewer entities than this in training is hard to learn.
const FEW: usize = 50;
/// Ambiguous surfaces that are listed, and types that a message names.
const LISTED: usize = 10;

/// What there is of one type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TypeCounts {
    /// Entities.
    pub count: usize,
    /// Distinct surfaces (the words of an entity, case kept).
    pub distinct: usize,
    /// Tokens of all entities; divided by `count` it is their mean length.
    pub tokens: usize,
    /// Entities whose surface stands elsewhere for another type.
    pub ambiguous: usize,
}

/// How often a surface stands for a type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LabelCount {
    /// The type; `O` for a word outside of entities.
    pub label: String,
    /// How often.
    pub count: usize,
}

/// A surface that stands for more than one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ambiguous {
    /// Its words with blanks between them.
    pub text: String,
    /// What it stands for, the commonest first. How often a surface of one word is outside of
    /// entities is counted too.
    pub labels: Vec<LabelCount>,
}

/// Entities of a part that training never shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Novelty {
    /// Name of the part.
    pub part: &'static str,
    /// Its entities.
    pub entities: usize,
    /// Those of which training has at least one word nowhere at all.
    pub with_unseen_word: usize,
    /// Those whose surface is no entity of training, the former included.
    pub unseen: usize,
}

/// The entities of a corpus.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Entities {
    /// All of them.
    pub total: usize,
    /// By type.
    pub types: BTreeMap<String, TypeCounts>,
    /// How many surfaces stand for several types.
    pub ambiguous_surfaces: usize,
    /// Of these the most ambiguous: those that most often are not what they are most often.
    pub most_ambiguous: Vec<Ambiguous>,
    /// What dev and test have that train lacks; empty without parts.
    pub novelty: Vec<Novelty>,
}

/// An entity at its place.
struct Mention {
    sentence: u32,
    start: u32, // in the sentence
    surface: u32,
    label: u32,
}

/// All entities of a corpus, their surfaces numbered.
pub(super) struct Mentions<'a> {
    list: Vec<Mention>,
    labels: Interner,
    surfaces: Vec<Surface<'a>>,
}

/// The words of an entity, and the types that they stand for.
struct Surface<'a> {
    words: &'a [u32],
    labels: Vec<(u32, u32)>, // type, count; few
}

impl<'a> Mentions<'a> {
    pub fn of(corpus: &'a Corpus) -> Self {
        let mut all = Self { list: Vec::new(), labels: Interner::new(), surfaces: Vec::new() };
        let mut numbers: HashMap<&[u32], u32> = HashMap::new();
        let outside = corpus.tags.get("O");
        for sentence in corpus.sentences() {
            if sentence.tag_ids().iter().all(|&tag| Some(tag) == outside) {
                continue;
            }
            let tags: Vec<&str> = sentence.tags().collect();
            for span in spans_leniently(&tags) {
                let words = &sentence.word_ids()[span.start..span.end];
                let surface = *numbers.entry(words).or_insert_with(|| {
                    all.surfaces.push(Surface { words, labels: Vec::new() });
                    all.surfaces.len() as u32 - 1
                });
                let label = all.labels.intern(span.label);
                let (sentence, start) = (sentence.number() as u32, span.start as u32);
                all.list.push(Mention { sentence, start, surface, label });
                let known = &mut all.surfaces[surface as usize].labels;
                match known.iter_mut().find(|(other, _)| *other == label) {
                    Some((_, count)) => *count += 1,
                    None => known.push((label, 1)),
                }
            }
        }
        all
    }

    /// The mentions of some sentences.
    fn within<'s>(
        &'s self,
        corpus: &Corpus,
        part: &Part,
    ) -> impl Iterator<Item = &'s Mention> + use<'s> {
        let mut inside = vec![false; corpus.len()];
        part.sentences.iter().for_each(|&number| inside[number as usize] = true);
        self.list.iter().filter(move |mention| inside[mention.sentence as usize])
    }

    pub fn part_counts(&self, corpus: &Corpus, part: &Part) -> PartCounts {
        PartCounts {
            name: part.name,
            sentences: part.sentences.len(),
            tokens: part.sentences.iter().map(|&i| corpus.sentence(i as usize).len()).sum(),
            entities: self.within(corpus, part).count(),
        }
    }

    pub fn describe(&self, corpus: &Corpus, parts: &[Part]) -> Entities {
        Entities {
            total: self.list.len(),
            types: self.types(),
            ambiguous_surfaces: self.surfaces.iter().filter(|s| s.labels.len() > 1).count(),
            most_ambiguous: self.most_ambiguous(corpus),
            novelty: self.novelty(corpus, parts),
        }
    }

    fn types(&self) -> BTreeMap<String, TypeCounts> {
        let mut types = vec![TypeCounts::default(); self.labels.len()];
        for surface in &self.surfaces {
            for &(label, count) in &surface.labels {
                let (of, count) = (&mut types[label as usize], count as usize);
                of.count += count;
                of.distinct += 1;
                of.tokens += count * surface.words.len();
                of.ambiguous += if surface.labels.len() > 1 { count } else { 0 };
            }
        }
        self.labels.iter().map(str::to_string).zip(types).collect()
    }

    fn most_ambiguous(&self, corpus: &Corpus) -> Vec<Ambiguous> {
        let outside = outside_counts(corpus);
        let of_one_word = |surface: &Surface| match surface.words {
            [word] => outside[*word as usize],
            _ => 0,
        };
        // How often it is not what it is most often.
        let doubt = |surface: &Surface| {
            let counts = surface.labels.iter().map(|(_, count)| *count);
            let (sum, most) = counts.fold((0, 0), |(sum, most), n| (sum + n, most.max(n)));
            let outside = of_one_word(surface);
            sum + outside - most.max(outside)
        };
        let mut surfaces: Vec<_> = self.surfaces.iter().filter(|s| s.labels.len() > 1).collect();
        surfaces
            .sort_by_cached_key(|surface| (Reverse(doubt(surface)), text(corpus, surface.words)));
        surfaces
            .into_iter()
            .take(LISTED)
            .map(|surface| {
                let name = |label: u32| self.labels.resolve(label).to_string();
                let mut labels: Vec<_> = surface
                    .labels
                    .iter()
                    .map(|&(label, n)| LabelCount { label: name(label), count: n as usize })
                    .collect();
                match of_one_word(surface) as usize {
                    0 => {}
                    count => labels.push(LabelCount { label: "O".into(), count }),
                }
                labels.sort_by(|a, b| b.count.cmp(&a.count).then(a.label.cmp(&b.label)));
                Ambiguous { text: text(corpus, surface.words), labels }
            })
            .collect()
    }

    fn novelty(&self, corpus: &Corpus, parts: &[Part]) -> Vec<Novelty> {
        let (train, others) = parts.split_first().expect("a part");
        if others.is_empty() {
            return Vec::new();
        }
        let mut seen_words = vec![false; corpus.words.len()];
        for &sentence in &train.sentences {
            for &word in corpus.sentence(sentence as usize).word_ids() {
                seen_words[word as usize] = true;
            }
        }
        let seen: HashSet<u32> =
            self.within(corpus, train).map(|mention| mention.surface).collect();
        let mut novelty = Vec::new();
        for part in others {
            let mut counts =
                Novelty { part: part.name, entities: 0, with_unseen_word: 0, unseen: 0 };
            for mention in self.within(corpus, part) {
                let words = self.surfaces[mention.surface as usize].words;
                counts.entities += 1;
                counts.unseen += usize::from(!seen.contains(&mention.surface));
                counts.with_unseen_word +=
                    usize::from(words.iter().any(|&word| !seen_words[word as usize]));
            }
            novelty.push(counts);
        }
        novelty
    }

    pub fn findings(&self, corpus: &Corpus, parts: &[Part]) -> Vec<Finding> {
        let (train, others) = parts.split_first().expect("a part");
        let mut in_train = vec![0; self.labels.len()];
        self.within(corpus, train).for_each(|mention| in_train[mention.label as usize] += 1);
        let mut findings = Vec::new();
        if in_train.iter().sum::<usize>() == 0 {
            let message = format!("no entity{}: all tags are O", train.suffix());
            findings.push(
                Finding::new("E009", Severity::Error, train.sentences.len(), message)
                    .help("is this the column with the entities? `--columns tag=…` names another"),
            );
            return findings;
        }
        findings.extend(others.iter().flat_map(|part| self.not_in_train(corpus, &in_train, part)));
        findings.extend(self.rare_types(&in_train, train));
        findings.extend(self.types_alike());
        findings.extend(self.ambiguity(corpus));
        findings.extend(self.novelty(corpus, parts).iter().map(unseen));
        findings
    }

    fn not_in_train(&self, corpus: &Corpus, in_train: &[usize], part: &Part) -> Vec<Finding> {
        let mut firsts: BTreeMap<u32, (&Mention, usize)> = BTreeMap::new();
        for mention in self.within(corpus, part) {
            if in_train[mention.label as usize] == 0 {
                firsts.entry(mention.label).or_insert((mention, 0)).1 += 1;
            }
        }
        let finding = |(label, (first, count)): (u32, (&Mention, usize))| {
            let (label, times) = (self.labels.resolve(label), counted(count, "time", "times"));
            let message = format!("{} has {label:?} ({times}), which train lacks", part.name);
            Finding::new("E007", Severity::Error, count, message)
                .at(place(corpus, first.sentence as usize, first.start as usize))
                .help("they can never be right; `longhand train --allow-new-labels` counts them as missed")
        };
        firsts.into_iter().map(finding).collect()
    }

    fn rare_types(&self, in_train: &[usize], train: &Part) -> Option<Finding> {
        let mut rare: Vec<(usize, &str)> = in_train
            .iter()
            .zip(self.labels.iter())
            .filter(|(count, _)| (1..FEW).contains(*count))
            .map(|(count, label)| (*count, label))
            .collect();
        rare.sort_unstable();
        let listed: Vec<String> =
            rare.iter().take(LISTED).map(|(n, label)| format!("{label} {n}")).collect();
        let more = match rare.len().saturating_sub(LISTED) {
            0 => String::new(),
            n => format!(" and {}", counted(n, "more type", "more types")),
        };
        let message = format!("few examples{}: {}{more}", train.suffix(), listed.join(", "));
        let finding = Finding::warn("W051", rare.len(), message);
        (!rare.is_empty()).then(|| {
            finding.help(format!("below {FEW} a type is learnt badly; add some, or merge types"))
        })
    }

    /// `PER` beside `per`: one type under two names.
    fn types_alike(&self) -> Option<Finding> {
        let mut by_lower: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for label in self.labels.iter() {
            by_lower.entry(label.to_lowercase()).or_default().push(label);
        }
        let alike: Vec<String> = by_lower
            .into_values()
            .filter(|names| names.len() > 1)
            .map(|n| n.join(" and "))
            .collect();
        let message = format!("types that differ in case only: {}", alike.join(", "));
        (!alike.is_empty()).then(|| {
            Finding::warn("W058", alike.len(), message).help("give them one name before training")
        })
    }

    fn ambiguity(&self, corpus: &Corpus) -> Option<Finding> {
        let n = self.surfaces.iter().filter(|surface| surface.labels.len() > 1).count();
        let mentions: usize = self.types().values().map(|counts| counts.ambiguous).sum();
        let message = format!(
            "{} of several types, {} of all entities",
            counted(n, "surface is", "surfaces are"),
            percent(mentions, self.list.len())
        );
        let examples = self.most_ambiguous(corpus).into_iter().map(|surface| {
            let labels: Vec<String> =
                surface.labels.iter().map(|l| format!("{} {}", l.label, l.count)).collect();
            format!("{}: {}", shortened(&surface.text), labels.join(", "))
        });
        (n > 0).then(|| Finding::info("I061", n, message).examples(examples))
    }
}

fn unseen(novelty: &Novelty) -> Finding {
    let Novelty { part, entities, with_unseen_word, unseen } = novelty;
    let message = format!(
        "{} of {part} entities hold a word that train never shows; {} are no entity of train",
        percent(*with_unseen_word, *entities),
        percent(*unseen, *entities)
    );
    Finding::info("I063", *with_unseen_word, message)
}

/// How often each distinct word stands outside of entities.
fn outside_counts(corpus: &Corpus) -> Vec<u32> {
    let is_outside: Vec<bool> =
        corpus.tags.iter().map(|tag| matches!(split_tag(tag), Some(('O', _)))).collect();
    let mut counts = vec![0; corpus.words.len()];
    for (&word, &tag) in corpus.word_ids().iter().zip(corpus.tag_ids()) {
        counts[word as usize] += u32::from(is_outside[tag as usize]);
    }
    counts
}

fn text(corpus: &Corpus, words: &[u32]) -> String {
    words.iter().map(|&word| corpus.word_of(word)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &'static str, sentences: impl IntoIterator<Item = u32>) -> Part {
        Part { name, sentences: sentences.into_iter().collect() }
    }

    #[test]
    fn a_type_counts_its_entities_surfaces_tokens_and_those_in_doubt() {
        let corpus = Corpus::from_pairs(&[
            ("New York slept", "B-geo I-geo O"),
            ("New York won", "B-org I-org O"),
            ("New York and May", "B-geo I-geo O B-tim"),
            ("He may May", "O O O"),
        ]);
        let found = Mentions::of(&corpus).describe(&corpus, &[part("all", 0..4)]);
        let geo = TypeCounts { count: 2, distinct: 1, tokens: 4, ambiguous: 2 };
        assert_eq!((found.total, &found.types["geo"]), (4, &geo));
        assert_eq!(found.types["tim"].ambiguous, 0);
        assert_eq!(found.ambiguous_surfaces, 1);
        let label = |label: &str, count| LabelCount { label: label.into(), count };
        let york =
            Ambiguous { text: "New York".into(), labels: vec![label("geo", 2), label("org", 1)] };
        assert_eq!(found.most_ambiguous, [york]);
    }

    #[test]
    fn a_part_is_held_against_the_words_and_entities_of_train() {
        let corpus = Corpus::from_pairs(&[
            ("Ann met Lee in Rome", "B-per O B-per O B-geo"),
            ("Ann Lee met Bob", "B-per I-per O B-per"),
            ("Rome", "B-geo"),
        ]);
        let parts = [part("train", [0]), part("dev", [1, 2])];
        let found = Mentions::of(&corpus).describe(&corpus, &parts);
        let dev = Novelty { part: "dev", entities: 3, with_unseen_word: 1, unseen: 2 };
        assert_eq!(found.novelty, [dev]);
    }

    #[test]
    fn a_type_that_only_test_has_is_an_error_at_its_first_place() {
        let corpus =
            Corpus::from_pairs(&[("Ann", "B-per"), ("the Fizz Buzz", "O B-product B-product")]);
        let parts = [part("train", [0]), part("test", [1])];
        let findings = Mentions::of(&corpus).findings(&corpus, &parts);
        let error = findings.iter().find(|finding| finding.code == "E007").unwrap();
        assert_eq!((error.count, error.place.as_ref().unwrap().line), (2, Some(2)));
        assert!(error.message.contains("\"product\""));
    }

    #[test]
    fn types_that_differ_in_case_only_are_named_together() {
        let corpus = Corpus::from_pairs(&[("a b c", "B-PER B-per B-geo")]);
        let findings = Mentions::of(&corpus).findings(&corpus, &[part("all", [0])]);
        assert!(findings.iter().any(|f| f.code == "W058" && f.message.contains("PER and per")));
    }

    #[test]
    fn a_corpus_without_entities_says_so_and_nothing_else() {
        let corpus = Corpus::from_pairs(&[("a b", "O O")]);
        let findings = Mentions::of(&corpus).findings(&corpus, &[part("all", [0])]);
        assert_eq!((findings.len(), findings[0].code), (1, "E009"));
    }
}
