//! A batch as one row of numbers, which goes to the machine in one copy.

use std::ops::Range;

use crate::Description;

/// The tokens of a batch, sentences sorted by length, longest first, and laid out step by step: row
/// starts\[t\] + r is token t of sentence r.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'a> {
    /// Length of each sentence, falling (B).
    pub lengths: &'a [usize],
    /// Rows of the words' tables (N·T), counted within each table.
    pub words: &'a [u32],
    /// Rows of the wide table (N·J), or none.
    pub wide: &'a [u32],
    /// Which tokens keep their wide scores (N); all, if absent.
    pub kept: Option<&'a [bool]>,
    /// Pretrained vectors (N, P), or none.
    pub vectors: &'a [f32],
    /// The right tags (N), or none if there is nothing to learn.
    pub tags: &'a [u32],
    /// Number of each sentence in the corpus, which its dropout masks are drawn by (B).
    pub numbers: &'a [u32],
}

/// Which tokens each touched row of a table gets its gradient from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Touched {
    /// (U) rows of the table, each once, in the order of first touch.
    pub ids: Range<usize>,
    /// (U + 1)
    pub starts: Range<usize>,
    pub sources: Range<usize>,
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
    pub(crate) tags: Range<usize>,
    pub(crate) touched_words: Touched,
    pub(crate) touched_wide: Touched,
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
        assert_eq!(tokens.vectors.len(), n * d.vectors.unwrap_or(0), "a vector a token");
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
        b.vectors = b.put(tokens.vectors.iter().map(|v| v.to_bits()));
        b.tags = b.put(tokens.tags.iter().copied());
        if learns {
            b.touched_words = b.touched(&words, d.tables.len(), d.table_rows(), |_| true);
            let kept = |n: usize| tokens.kept.is_none_or(|kept| kept[n]);
            b.touched_wide = b.touched(tokens.wide, features, wide_rows, kept);
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

    fn put(&mut self, numbers: impl IntoIterator<Item = u32>) -> Range<usize> {
        let start = self.numbers.len();
        self.numbers.extend(numbers);
        start..self.numbers.len()
    }

    /// Groups the tokens that are not left out by the rows that they touch, each group in their order.
    fn touched(
        &mut self,
        ids: &[u32],
        per_token: usize,
        rows: usize,
        kept: impl Fn(usize) -> bool,
    ) -> Touched {
        let mut place = vec![u32::MAX; rows];
        let (mut touched, mut counts) = (Vec::new(), Vec::new());
        let pairs = || ids.iter().enumerate().map(|(i, &id)| (i / per_token, id));
        let pairs = || pairs().filter(|&(n, _)| kept(n));
        for (_, id) in pairs() {
            let place = &mut place[id as usize];
            if *place == u32::MAX {
                *place = touched.len() as u32;
                touched.push(id);
                counts.push(0);
            }
            counts[*place as usize] += 1;
        }
        let mut starts = vec![0];
        starts.extend(counts.iter().scan(0, |end, n| {
            *end += n;
            Some(*end)
        }));
        let mut next = starts.clone();
        let mut sources = vec![0; starts[touched.len()] as usize];
        for (n, id) in pairs() {
            let next = &mut next[place[id as usize] as usize];
            sources[*next as usize] = n as u32;
            *next += 1;
        }
        Touched { ids: self.put(touched), starts: self.put(starts), sources: self.put(sources) }
    }
}

/// First row of each step, and the number of rows.
fn first_rows(lengths: &[usize]) -> Vec<u32> {
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
