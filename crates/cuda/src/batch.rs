//! A batch as one row of numbers, which goes to the machine in one copy.

use std::ops::Range;

use crate::description::{CharKind, Dropped, Noise};
use crate::layers::{Layout, Mask};
use crate::{Address, Description, Span};

/// The tokens of a batch, sentences sorted by length, longest first, and laid out step by step: row
/// starts\[t\] + r is token t of sentence r.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tokens<'a> {
    /// Length of each sentence, falling (B).
    pub lengths: &'a [usize],
    /// Rows of the words' tables (N·T), counted within each table.
    pub words: &'a [u32],
    /// Rows of the wide table (N·J), or none.
    pub wide: &'a [u32],
    /// Which tokens keep their wide scores (N); all, if absent.
    pub kept: Option<&'a [bool]>,
    /// Rows of the pretrained vectors (N), or none.
    pub vectors: &'a [u32],
    /// How the batch's words are spelled, if that is read.
    pub letters: Option<Letters<'a>>,
    /// The right tags (N), or none if there is nothing to learn.
    pub tags: &'a [u32],
    /// Number of each sentence in the corpus, which its dropout masks are drawn by (B).
    pub numbers: &'a [u32],
}

/// The distinct words of a batch, longest first.
#[derive(Clone, Copy, Debug)]
pub struct Letters<'a> {
    /// Characters of all words, one word after the other (P).
    pub chars: &'a [u32],
    /// Number of characters of each word, falling (U).
    pub lengths: &'a [usize],
    /// Which word each token is (N).
    pub word_of: &'a [u32],
}

/// Which rows of a gradient each touched row of a table gets its own from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Touched {
    /// (U) rows of the table, each once, in the order of first touch.
    pub ids: Range<usize>,
    /// (U + 1) where its sources begin; where its parts begin, if there are parts.
    pub starts: Range<usize>,
    /// (Q + 1) where the sources of each part begin: a row with many is summed side by side.
    pub parts: Option<Range<usize>>,
    pub sources: Range<usize>,
}

/// Sources that one thread adds up, at most.
const PART: u32 = 64;

/// The letters of a batch, as numbers on the machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spelled {
    pub n_words: usize,
    /// (P) characters: word after word for a convolution, step after step for an LSTM.
    pub chars: Range<usize>,
    /// (P) word of each.
    pub words: Range<usize>,
    /// (U + 1) first character of each word; or (T + 1) first row of each step.
    pub starts: Range<usize>,
    /// Of an LSTM: (U) lengths, (P) steps.
    pub lengths: Range<usize>,
    pub steps: Range<usize>,
    pub n_steps: usize,
    /// (N) word of each token.
    pub word_of: Range<usize>,
    /// Tokens of each word; what each character's row gets its gradient from.
    pub touched_words: Touched,
    pub touched_chars: Touched,
}

/// A batch, ready to be copied.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub(crate) numbers: Vec<u32>,
    pub(crate) lengths: Range<usize>,
    pub(crate) starts: Range<usize>,
    pub(crate) sentence: Range<usize>,
    pub(crate) step: Range<usize>,
    pub(crate) sentence_numbers: Range<usize>,
    pub(crate) words: Range<usize>,
    pub(crate) wide: Range<usize>,
    pub(crate) kept: Option<Range<usize>>,
    pub(crate) vectors: Range<usize>,
    pub(crate) spelled: Option<Spelled>,
    pub(crate) tags: Range<usize>,
    pub(crate) touched_words: Touched,
    pub(crate) touched_wide: Touched,
    pub(crate) touched_vectors: Touched,
    /// First row of each step, and N; needed on this side too.
    pub(crate) first_rows: Vec<u32>,
}

impl Batch {
    /// # Panics
    /// If shapes do not fit, or an id is not a row of its table.
    pub fn new(d: &Description, tokens: Tokens<'_>) -> Self {
        let mut b = Self { first_rows: first_rows(tokens.lengths), ..Self::default() };
        let n = b.tokens();
        let learns = !tokens.tags.is_empty();
        assert!(!learns || tokens.tags.len() == n, "one tag a token");
        assert!(tokens.tags.iter().all(|&t| (t as usize) < d.n_tags), "a tag below {}", d.n_tags);
        assert!(!learns || tokens.numbers.len() == tokens.lengths.len(), "one number a sentence");
        b.lengths = b.put(tokens.lengths.iter().map(|&l| l as u32));
        b.starts = b.put(b.first_rows.clone());
        let (sentence, step) = rows(&b.first_rows);
        b.sentence = b.put(sentence);
        b.step = b.put(step);
        b.sentence_numbers = b.put(tokens.numbers.iter().copied());
        let words = d.whole_rows(tokens.words);
        assert_eq!(words.len(), n * d.tables.len(), "a row of each table for each token");
        b.words = b.put(words.iter().copied());
        let features = d.wide.map_or(0, |w| w.per_token);
        assert_eq!(tokens.wide.len(), n * features, "{features} features for each token");
        let wide_rows = d.wide.map_or(0, |w| w.rows);
        assert!(tokens.wide.iter().all(|&id| (id as usize) < wide_rows), "a row below {wide_rows}");
        b.wide = b.put(tokens.wide.iter().copied());
        b.kept = tokens.kept.map(|kept| {
            assert_eq!(kept.len(), n, "kept says of each token whether it is");
            b.put(kept.iter().map(|&k| u32::from(k)))
        });
        let (of_vectors, rows) = d.vectors.map_or((0, 0), |v| (n, v.rows));
        assert_eq!(tokens.vectors.len(), of_vectors, "a row of the vectors for each token");
        assert!(tokens.vectors.iter().all(|&id| (id as usize) < rows), "a row below {rows}");
        b.vectors = b.put(tokens.vectors.iter().copied());
        b.spelled = d.chars.map(|chars| {
            let letters = tokens.letters.expect("a network that reads letters is given them");
            let none = letters.chars.iter().find(|&&c| c as usize >= chars.n_chars);
            assert_eq!(none, None, "a character below {}", chars.n_chars);
            b.spell(chars.kind, chars.n_chars, letters, learns)
        });
        b.tags = b.put(tokens.tags.iter().copied());
        if learns {
            let tables = d.tables.len();
            b.touched_words = b.touched(d.table_rows(), || of_tokens(&words, tables));
            let kept = |n: u32| tokens.kept.is_none_or(|kept| kept[n as usize]);
            b.touched_wide =
                b.touched(wide_rows, || of_tokens(tokens.wide, features).filter(|&(n, _)| kept(n)));
            if d.vectors.is_some_and(|v| v.tuned) {
                b.touched_vectors = b.touched(rows, || of_tokens(tokens.vectors, 1));
            }
        }
        b
    }

    /// N.
    pub fn tokens(&self) -> usize {
        self.first_rows[self.steps()] as usize
    }

    /// B.
    pub fn sentences(&self) -> usize {
        self.lengths.len()
    }

    /// Length of the longest sentence.
    pub fn steps(&self) -> usize {
        self.first_rows.len() - 1
    }

    /// Bytes that are copied.
    pub fn bytes(&self) -> usize {
        4 * self.numbers.len()
    }

    fn put(&mut self, numbers: impl IntoIterator<Item = u32>) -> Range<usize> {
        let start = self.numbers.len();
        self.numbers.extend(numbers);
        start..self.numbers.len()
    }

    fn spell(
        &mut self,
        kind: CharKind,
        n_chars: usize,
        letters: Letters<'_>,
        learns: bool,
    ) -> Spelled {
        let Letters { chars, lengths, word_of } = letters;
        assert_eq!(word_of.len(), self.tokens(), "a word for each token");
        assert!(word_of.iter().all(|&u| (u as usize) < lengths.len()), "a word of the batch");
        assert_eq!(lengths.iter().sum::<usize>(), chars.len(), "words are made of all characters");
        let mut s = Spelled { n_words: lengths.len(), ..Spelled::default() };
        let mut starts = vec![0u32];
        starts.extend(lengths.iter().scan(0, |end, &l| {
            *end += l as u32;
            Some(*end)
        }));
        let sources: Vec<(u32, u32)> = match kind {
            CharKind::Cnn => {
                let words: Vec<u32> = (0..).zip(lengths).flat_map(|(u, &l)| vec![u; l]).collect();
                let sources = neighbours(chars, &words);
                s.chars = self.put(chars.iter().copied());
                s.words = self.put(words);
                s.starts = self.put(starts);
                sources
            }
            CharKind::Lstm => {
                let first_rows = first_rows(lengths);
                let (words, steps) = rows(&first_rows);
                let at = |(&u, &t): (&u32, &u32)| chars[(starts[u as usize] + t) as usize];
                let packed: Vec<u32> = words.iter().zip(&steps).map(at).collect();
                s.chars = self.put(packed.iter().copied());
                s.words = self.put(words);
                s.steps = self.put(steps);
                s.n_steps = first_rows.len() - 1;
                s.starts = self.put(first_rows);
                s.lengths = self.put(lengths.iter().map(|&l| l as u32));
                (0..).zip(packed).collect()
            }
        };
        s.word_of = self.put(word_of.iter().copied());
        if learns {
            s.touched_words = self.touched(lengths.len(), || of_tokens(word_of, 1));
            assert_eq!(s.touched_words.ids.len(), lengths.len(), "every word is some token's");
            s.touched_chars = self.touched(n_chars, || sources.iter().copied());
        }
        s
    }

    /// Groups the sources of `pairs` (source, row) by rows, each group in their order.
    fn touched<P: Iterator<Item = (u32, u32)>>(
        &mut self,
        rows: usize,
        pairs: impl Fn() -> P,
    ) -> Touched {
        let mut place = vec![u32::MAX; rows];
        let (mut touched, mut counts) = (Vec::new(), Vec::new());
        for (_, id) in pairs() {
            let place = &mut place[id as usize];
            if *place == u32::MAX {
                *place = touched.len() as u32;
                touched.push(id);
                counts.push(0u32);
            }
            counts[*place as usize] += 1;
        }
        let starts = sums(counts.iter().copied());
        let mut next = starts.clone();
        let mut sources = vec![0; starts[touched.len()] as usize];
        for (source, id) in pairs() {
            let next = &mut next[place[id as usize] as usize];
            sources[*next as usize] = source;
            *next += 1;
        }
        let parts = counts.iter().any(|&n| n > PART).then(|| {
            let of_row =
                |(&start, &n): (&u32, &u32)| (0..n.div_ceil(PART)).map(move |q| start + q * PART);
            let begin = starts.iter().zip(&counts).flat_map(of_row);
            self.put(begin.chain([sources.len() as u32]).collect::<Vec<_>>())
        });
        let starts = match parts {
            None => starts,
            Some(_) => sums(counts.iter().map(|n| n.div_ceil(PART))),
        };
        let (ids, starts) = (self.put(touched), self.put(starts));
        Touched { ids, starts, parts, sources: self.put(sources) }
    }
}

/// Each token with its rows, `per_token` of them.
fn of_tokens(ids: &[u32], per_token: usize) -> impl Iterator<Item = (u32, u32)> {
    ids.iter().enumerate().map(move |(i, &id)| ((i / per_token) as u32, id))
}

/// (3p + part, character there) for the three parts of the window around each character p, those beyond its word
/// left out.
fn neighbours(chars: &[u32], words: &[u32]) -> Vec<(u32, u32)> {
    let parts = (0..chars.len()).flat_map(|p| {
        (0..3).filter_map(move |part| {
            let q = (p + part).wrapping_sub(1);
            let inside = words.get(q) == Some(&words[p]);
            inside.then(|| ((3 * p + part) as u32, chars[q]))
        })
    });
    parts.collect()
}

/// 0 and the sums of the first 1, 2, … numbers.
fn sums(numbers: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut sums = vec![0];
    sums.extend(numbers.scan(0, |end, n| {
        *end += n;
        Some(*end)
    }));
    sums
}

/// First row of each step, and the number of rows.
pub(crate) fn first_rows(lengths: &[usize]) -> Vec<u32> {
    assert!(lengths.is_sorted_by(|a, b| a >= b), "lengths must fall: {lengths:?}");
    assert!(lengths.last().is_some_and(|&l| l > 0), "a batch has sentences of at least one token");
    let mut rows = vec![0];
    for t in 0..lengths[0] {
        rows.push(rows[t] + lengths.partition_point(|&l| l > t) as u32);
    }
    rows
}

/// Sentence and step of each row.
fn rows(first_rows: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let steps = first_rows.windows(2).zip(0..);
    steps.flat_map(|(w, t)| (0..w[1] - w[0]).map(move |r| (r, t))).unzip()
}

/// A batch and where it is.
pub(crate) struct At<'a> {
    pub place: Span,
    pub batch: &'a Batch,
}

impl At<'_> {
    pub fn span(&self, range: &Range<usize>) -> Span {
        self.place.part(range.start, range.len())
    }

    pub fn layout(&self) -> Layout {
        Layout {
            starts: self.span(&self.batch.starts).at,
            sentences: self.batch.sentences(),
            steps: self.batch.steps(),
            tokens: self.batch.tokens(),
        }
    }

    /// The words of the batch as if they were sentences, their characters tokens.
    pub fn layout_of_words(&self, spelled: &Spelled) -> Layout {
        Layout {
            starts: self.span(&spelled.starts).at,
            sentences: spelled.n_words,
            steps: spelled.n_steps,
            tokens: spelled.chars.len(),
        }
    }

    fn named(&self, dropped: Dropped, noise: Noise) -> Mask {
        let step: Address = if noise.locked { 0 } else { self.span(&self.batch.step).at };
        Mask {
            p: dropped.p,
            seed: noise.seed,
            epoch: noise.epoch,
            name: noise.purpose | u32::from(dropped.place) << 16,
            numbers: self.span(&self.batch.sentence_numbers),
            sentence: self.span(&self.batch.sentence).at,
            step,
        }
    }

    /// A mask for each of these; none if nothing is dropped.
    pub fn masks(&self, dropped: &[Dropped], noise: Option<Noise>) -> Option<Vec<Mask>> {
        let noise = noise.filter(|_| dropped.iter().any(|d| d.p > 0.0))?;
        Some(dropped.iter().map(|&d| self.named(d, noise)).collect())
    }

    /// As [`At::masks`], always one a sentence, a row a sentence.
    pub fn recurrent_masks(&self, dropped: &[Dropped], noise: Option<Noise>) -> Option<Vec<Mask>> {
        let mut masks = self.masks(dropped, noise)?;
        masks.iter_mut().for_each(|mask| (mask.sentence, mask.step) = (0, 0));
        Some(masks)
    }
}
