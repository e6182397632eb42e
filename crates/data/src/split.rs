//! Which sentences train, which choose (dev), which judge (test).
//!
//! By default a sentence's part follows from nothing but its own words and the seed: FNV-1a over the
//! words, the seed mixed in by SplitMix64, the result read as a number in `[0, 1)` and compared with
//! the fractions. So sentences with the same words always share a part (nothing that was trained on
//! is judged), and a sentence keeps its part when others are added, removed or moved.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::corpus::Corpus;
use crate::error::{Error, Result};
use crate::hash::{SplitMix64, fnv1a, mix};
use crate::source;

/// Sentence numbers of the three parts, counted from 0 in the order of the corpus.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Sentences to learn from.
    pub train: Vec<u32>,
    /// Sentences to watch the training with; may be empty.
    pub dev: Vec<u32>,
    /// Sentences to judge the result with; may be empty.
    pub test: Vec<u32>,
}

impl Split {
    /// The same with dev's sentences in the training part, in the order of the corpus.
    pub fn with_dev_in_train(&self) -> Self {
        let mut train = [&self.train[..], &self.dev].concat();
        train.sort_unstable();
        Self { train, dev: Vec::new(), test: self.test.clone() }
    }

    /// Splits by fractions: percentages or parts of 1, for train, dev and test (`[80.0, 10.0, 10.0]`).
    ///
    /// With `keep_duplicates_together` parts are drawn by hashing the sentences' words, so their
    /// sizes are near the fractions, not equal to them. Only where a part that should have sentences
    /// got none (a corpus of a few sentences) the groups of equal sentences are ranked by their hash
    /// and cut at the fractions instead. Without it sentences are shuffled and cut: sizes are exact,
    /// but repeats may stand on both sides. Numbers are in rising order in each part.
    ///
    /// # Errors
    /// E029 for fractions that are negative, that sum neither to 100 nor to 1, or that leave nothing
    /// to train on.
    pub fn by_fractions(
        corpus: &Corpus,
        fractions: [f64; 3],
        seed: u64,
        keep_duplicates_together: bool,
    ) -> Result<Self> {
        let cuts = cuts(fractions)?;
        let split = if !keep_duplicates_together {
            by_shuffle(corpus.len(), cuts, seed)
        } else {
            let hashes: Vec<u64> =
                corpus.sentences().map(|s| mix(fnv1a(s.words()) ^ mix(seed))).collect();
            let split = by_hash(&hashes, cuts);
            if split.lacks_a_part_of(cuts) { by_rank(&hashes, cuts) } else { split }
        };
        if split.train.is_empty() {
            let found = format!("{} sentences leave none to train on", corpus.len());
            return Err(Error::new("E029", found).help("use more data or a larger first fraction"));
        }
        Ok(split)
    }

    /// Three fractions as they are typed: `80,10,10` or `0.8,0.1,0.1`; with two, test gets none.
    ///
    /// # Errors
    /// E029 when there are not two or three numbers, and as [`by_fractions`](Self::by_fractions).
    pub fn parse_fractions(text: &str) -> Result<[f64; 3]> {
        let numbers: Option<Vec<f64>> = text.split(',').map(|n| n.trim().parse().ok()).collect();
        let fractions = match numbers.as_deref() {
            Some(&[train, dev, test]) => [train, dev, test],
            Some(&[train, dev]) => [train, dev, 0.0],
            _ => return Err(bad_fractions(format!("{text:?} are not three fractions"))),
        };
        cuts(fractions).map(|_| fractions)
    }

    /// Reads a split from a file: lines `train`, `valid` (or `dev`) and `test`, each followed by a
    /// tab and sentence numbers from 0, separated by spaces. Numbers keep their order.
    ///
    /// # Errors
    /// E028 with line and column for an unknown or repeated part, for what is no number, for a number
    /// that is not below `n_sentences`, and for one that stands in two parts or twice in one; E028
    /// too when there is no `train`; E021 and E022 when the file cannot be read.
    pub fn by_index_file(path: impl AsRef<Path>, n_sentences: usize) -> Result<Self> {
        let path = path.as_ref();
        let bytes = source::read_file(path)?;
        let text = String::from_utf8(bytes)
            .map_err(|_| bad_file(path, 1, 1, "it is not text").help(FILE_HELP))?;
        Self::parse_index_file(path, &text, n_sentences)
    }

    /// As [`by_index_file`](Self::by_index_file), from the file's text; `name` stands in errors.
    ///
    /// # Errors
    /// E028, as there.
    pub fn parse_index_file(
        name: impl AsRef<Path>,
        text: &str,
        n_sentences: usize,
    ) -> Result<Self> {
        IndexFile::new(name.as_ref(), n_sentences).read(text)
    }

    /// The text of an index file that [`by_index_file`](Self::by_index_file) reads back.
    #[must_use]
    pub fn to_index_file(&self) -> String {
        let mut text = String::new();
        for (name, numbers) in [("train", &self.train), ("dev", &self.dev), ("test", &self.test)] {
            text.push_str(name);
            for (i, number) in numbers.iter().enumerate() {
                let gap = if i == 0 { '\t' } else { ' ' };
                write!(text, "{gap}{number}").expect("a string takes all");
            }
            text.push('\n');
        }
        text
    }

    fn lacks_a_part_of(&self, [train_end, dev_end]: [f64; 2]) -> bool {
        self.train.is_empty()
            || (self.dev.is_empty() && dev_end > train_end)
            || (self.test.is_empty() && dev_end < 1.0)
    }

    fn part_mut(&mut self, position: f64, [train_end, dev_end]: [f64; 2]) -> &mut Vec<u32> {
        match position {
            p if p < train_end => &mut self.train,
            p if p < dev_end => &mut self.dev,
            _ => &mut self.test,
        }
    }
}

/// How many of these sentences have exactly the words of one of those.
#[must_use]
pub fn overlap(corpus: &Corpus, these: &[u32], those: &[u32]) -> usize {
    let words = |&number: &u32| corpus.sentence(number as usize).word_ids();
    let those: HashSet<&[u32]> = those.iter().map(words).collect();
    these.iter().filter(|number| those.contains(words(number))).count()
}

/// Ends of train and dev on a scale from 0 to 1.
fn cuts(fractions: [f64; 3]) -> Result<[f64; 2]> {
    let [train, dev, test] = fractions;
    let sum = train + dev + test;
    if fractions.iter().any(|f| !f.is_finite() || *f < 0.0) {
        return Err(bad_fractions(format!(
            "fractions {train}, {dev}, {test} are not all positive"
        )));
    }
    if (sum - 100.0).abs() > 1e-6 && (sum - 1.0).abs() > 1e-6 {
        return Err(bad_fractions(format!(
            "fractions {train}, {dev}, {test} sum to {sum}, not 100"
        )));
    }
    if train == 0.0 {
        return Err(bad_fractions("the first fraction is 0: nothing to train on".to_string()));
    }
    // Without a test part the end of dev must be 1 exactly, whatever the sum was rounded to.
    Ok([train / sum, if test == 0.0 { 1.0 } else { (train + dev) / sum }]
        .map(|end| if dev == 0.0 && test == 0.0 { 1.0 } else { end }))
}

fn bad_fractions(message: String) -> Error {
    Error::new("E029", message).help("give train, dev and test: `--split 80,10,10`")
}

/// The upper 53 bits, as a number in `[0, 1)`.
fn unit(hash: u64) -> f64 {
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

fn by_hash(hashes: &[u64], cuts: [f64; 2]) -> Split {
    let mut split = Split::default();
    for (number, &hash) in hashes.iter().enumerate() {
        split.part_mut(unit(hash), cuts).push(number as u32);
    }
    split
}

/// Groups of equal sentences in the order of their hashes; a group's part is where its middle falls.
fn by_rank(hashes: &[u64], cuts: [f64; 2]) -> Split {
    let mut order: Vec<u32> = (0..hashes.len() as u32).collect();
    order.sort_by_key(|&number| (hashes[number as usize], number));
    let mut split = Split::default();
    let mut before = 0;
    for group in order.chunk_by(|&a, &b| hashes[a as usize] == hashes[b as usize]) {
        let middle = (before as f64 + group.len() as f64 / 2.0) / hashes.len() as f64;
        split.part_mut(middle, cuts).extend(group);
        before += group.len();
    }
    sorted(split)
}

fn by_shuffle(n: usize, [train_end, dev_end]: [f64; 2], seed: u64) -> Split {
    let mut order: Vec<u32> = (0..n as u32).collect();
    SplitMix64(seed).shuffle(&mut order);
    let end = |fraction: f64| (fraction * n as f64).round() as usize;
    let (train_end, dev_end) = (end(train_end), end(dev_end));
    sorted(Split {
        train: order[..train_end].to_vec(),
        dev: order[train_end..dev_end].to_vec(),
        test: order[dev_end..].to_vec(),
    })
}

fn sorted(mut split: Split) -> Split {
    for part in [&mut split.train, &mut split.dev, &mut split.test] {
        part.sort_unstable();
    }
    split
}

const FILE_HELP: &str =
    "each line is `train`, `valid` or `test`, a tab, and sentence numbers from 0 with spaces";

fn bad_file(path: &Path, line: u64, column: u64, message: impl Into<String>) -> Error {
    Error::new("E028", message).at(path, line, column)
}

/// The state of reading an index file.
struct IndexFile<'a> {
    path: &'a Path,
    parts: [(&'static str, Option<Vec<u32>>); 3],
    part_of: Vec<Option<&'static str>>, // sentence → the part that has it
}

impl<'a> IndexFile<'a> {
    fn new(path: &'a Path, n_sentences: usize) -> Self {
        let parts = ["train", "dev", "test"].map(|name| (name, None));
        Self { path, parts, part_of: vec![None; n_sentences] }
    }

    fn read(mut self, text: &str) -> Result<Split> {
        let mut last_line = 1;
        for (line, row) in (1..).zip(text.lines()) {
            last_line = line;
            if !row.trim().is_empty() {
                self.read_part(line, row)?;
            }
        }
        let [train, dev, test] = self.parts.map(|(_, numbers)| numbers.unwrap_or_default());
        if train.is_empty() {
            let error = bad_file(self.path, last_line, 1, "no sentence in `train`");
            return Err(error.help(FILE_HELP));
        }
        Ok(Split { train, dev, test })
    }

    fn read_part(&mut self, line: u64, row: &str) -> Result<()> {
        let (name, numbers) = row.split_once('\t').unwrap_or((row.trim_end(), ""));
        let index = match name {
            "train" => 0,
            "valid" | "dev" | "validation" => 1,
            "test" => 2,
            _ => {
                let shown: String = name.chars().take(40).collect();
                let error = bad_file(self.path, line, 1, format!("no part is called {shown:?}"));
                return Err(error.help(FILE_HELP));
            }
        };
        let part = self.parts[index].0;
        if self.parts[index].1.is_some() {
            return Err(bad_file(self.path, line, 1, format!("a second line for `{part}`"))
                .help("put all numbers of a part on one line"));
        }
        let mut kept = Vec::new();
        for field in numbers.split(' ').filter(|field| !field.is_empty()) {
            // `field` is a piece of `row`, so their distance is its place in the line.
            let column = (field.as_ptr() as usize - row.as_ptr() as usize) as u64 + 1;
            kept.push(self.number(field, part).map_err(|e| e.at(self.path, line, column))?);
        }
        self.parts[index].1 = Some(kept);
        Ok(())
    }

    /// A sentence number that nobody has yet, noted as taken by `part`.
    fn number(&mut self, field: &str, part: &'static str) -> Result<u32> {
        let n = self.part_of.len();
        let Ok(number) = field.parse::<u32>() else {
            let shown: String = field.chars().take(40).collect();
            return Err(
                Error::new("E028", format!("{shown:?} is no sentence number")).help(FILE_HELP)
            );
        };
        match self.part_of.get_mut(number as usize) {
            None => {
                let range = format!("sentence {number} of a corpus of {n}");
                Err(Error::new("E028", range)
                    .help("numbers count from 0; was the split made for another corpus?"))
            }
            Some(Some(other)) => {
                let twice = match *other == part {
                    true => format!("sentence {number} stands twice in `{part}`"),
                    false => format!("sentence {number} stands in `{other}` and in `{part}`"),
                };
                Err(Error::new("E028", twice).help("a sentence belongs to one part, once"))
            }
            Some(free) => {
                *free = Some(part);
                Ok(number)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `n` different sentences, the first `repeated` of them once more at the end.
    fn corpus(n: usize, repeated: usize) -> Corpus {
        let words: Vec<String> =
            (0..n).chain(0..repeated).map(|i| format!("sentence {i}")).collect();
        Corpus::from_pairs(&words.iter().map(|w| (w.as_str(), "O O")).collect::<Vec<_>>())
    }

    fn all(split: &Split) -> Vec<u32> {
        let mut all = [&split.train[..], &split.dev, &split.test].concat();
        all.sort_unstable();
        all
    }

    const FRACTIONS: [f64; 3] = [80.0, 10.0, 10.0];

    #[test]
    fn parts_are_near_the_fractions_and_cover_every_sentence_once() {
        let corpus = corpus(5000, 0);
        for together in [true, false] {
            let split = Split::by_fractions(&corpus, FRACTIONS, 1, together).unwrap();
            assert_eq!(all(&split), (0..5000).collect::<Vec<_>>());
            let sizes = [split.train.len(), split.dev.len(), split.test.len()];
            let margin = if together { 80 } else { 0 }; // four standard deviations
            for (size, expected) in sizes.iter().zip([4000, 500, 500]) {
                assert!(size.abs_diff(expected) <= margin, "{sizes:?}");
            }
        }
    }

    #[test]
    fn equal_sentences_share_a_part_unless_that_is_not_wanted() {
        let corpus = corpus(1000, 300);
        let overlaps = |split: &Split| {
            overlap(&corpus, &split.dev, &split.train) + overlap(&corpus, &split.test, &split.train)
        };
        assert_eq!(overlaps(&Split::by_fractions(&corpus, FRACTIONS, 1, true).unwrap()), 0);
        assert!(overlaps(&Split::by_fractions(&corpus, FRACTIONS, 1, false).unwrap()) > 50);
    }

    #[test]
    fn a_sentence_keeps_its_part_when_others_come_and_go() {
        let part = |split: &Split, number: u32| {
            [&split.train, &split.dev, &split.test]
                .iter()
                .position(|p| p.contains(&number))
                .unwrap()
        };
        let few = Split::by_fractions(&corpus(500, 0), FRACTIONS, 9, true).unwrap();
        let many = Split::by_fractions(&corpus(900, 0), FRACTIONS, 9, true).unwrap();
        assert!((0..500).all(|number| part(&few, number) == part(&many, number)));
    }

    #[test]
    fn the_same_seed_gives_the_same_split_on_every_machine_and_another_seed_another() {
        let split = |seed| Split::by_fractions(&corpus(40, 0), FRACTIONS, seed, true).unwrap();
        // Pinned: a change of these numbers changes everybody's splits.
        assert_eq!((split(7).dev, split(7).test), (vec![0, 1, 19, 22, 36], vec![4, 14, 18, 28]));
        assert_ne!(split(7), split(8));
        let shuffled = Split::by_fractions(&corpus(40, 0), FRACTIONS, 7, false).unwrap();
        assert_eq!((shuffled.dev, shuffled.test), (vec![8, 10, 16, 39], vec![0, 15, 21, 34]));
    }

    #[test]
    fn a_few_sentences_still_fill_every_part() {
        for seed in 0..50 {
            let split = Split::by_fractions(&corpus(12, 0), FRACTIONS, seed, true).unwrap();
            assert_eq!(all(&split), (0..12).collect::<Vec<_>>());
            assert!(!split.train.is_empty() && !split.dev.is_empty() && !split.test.is_empty());
        }
    }

    #[test]
    fn a_part_with_fraction_0_stays_empty() {
        for fractions in [[90.0, 10.0, 0.0], [0.9, 0.1, 0.0], [100.0, 0.0, 0.0], [70.0, 0.0, 30.0]]
        {
            for together in [true, false] {
                let split = Split::by_fractions(&corpus(2000, 0), fractions, 3, together).unwrap();
                assert_eq!(split.dev.is_empty(), fractions[1] == 0.0, "{fractions:?}");
                assert_eq!(split.test.is_empty(), fractions[2] == 0.0, "{fractions:?}");
            }
        }
    }

    #[test]
    fn fractions_are_checked() {
        assert_eq!(Split::parse_fractions("67.5, 22.5,10"), Ok([67.5, 22.5, 10.0]));
        assert_eq!(Split::parse_fractions("0.9,0.1"), Ok([0.9, 0.1, 0.0]));
        for text in
            ["", "80", "80,10,10,0", "a,b,c", "80,10,5", "0,50,50", "110,-10,0", "NaN,50,50"]
        {
            assert_eq!(Split::parse_fractions(text).unwrap_err().code, "E029", "{text}");
        }
    }
}
