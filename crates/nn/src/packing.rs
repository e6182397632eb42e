//! Sentences of different lengths in one matrix, without padding.
//!
//! The sentences of a shard are sorted by length, longest first, and laid out time-major: step t
//! holds one row for each of the n_t sentences that are longer than t. Sentence r is row r of every
//! step that it reaches. Lengths 3, 2, 2 give
//!
//! ```text
//! row       0  1  2 │ 3  4  5 │ 6
//! step          0   │    1    │ 2        n_0 = 3, n_1 = 3, n_2 = 1
//! sentence  0  1  2 │ 0  1  2 │ 0
//! ```
//!
//! There are as many rows as tokens, a step's rows lie together, and the sentences that run at step
//! t + 1 are the first n_{t+1} of those that run at step t. Both directions walk the same layout: see
//! [`Direction`].

use std::ops::Range;
use std::sync::Arc;

/// Which rows belong to which step. Copies are cheap: every layer keeps one for its way back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packing(Arc<Layout>);

#[derive(Debug, PartialEq, Eq)]
struct Layout {
    lengths: Vec<usize>,
    /// First row of each step, and at the end the number of rows.
    starts: Vec<usize>,
}

impl Packing {
    /// The layout of sentences with these lengths.
    ///
    /// ```
    /// let packing = nn::Packing::new(vec![3, 2, 2]);
    /// assert_eq!((packing.sentences(), packing.steps(), packing.rows()), (3, 3, 7));
    /// assert_eq!(packing.step(1), 3..6);
    /// ```
    ///
    /// # Panics
    /// If the lengths do not fall, or one is 0.
    pub fn new(lengths: Vec<usize>) -> Self {
        assert!(lengths.is_sorted_by(|a, b| a >= b), "lengths must fall: {lengths:?}");
        assert!(lengths.last() != Some(&0), "a sentence has at least one token: {lengths:?}");
        let steps = lengths.first().copied().unwrap_or(0);
        let mut starts = Vec::with_capacity(steps + 1);
        let (mut row, mut running) = (0, lengths.len());
        for t in 0..steps {
            while lengths[running - 1] <= t {
                running -= 1;
            }
            starts.push(row);
            row += running;
        }
        starts.push(row);
        Self(Arc::new(Layout { lengths, starts }))
    }

    /// Number of sentences, B.
    pub fn sentences(&self) -> usize {
        self.0.lengths.len()
    }

    /// Length of each sentence, falling.
    pub fn lengths(&self) -> &[usize] {
        &self.0.lengths
    }

    /// Number of steps: the length of the longest sentence.
    pub fn steps(&self) -> usize {
        self.0.starts.len() - 1
    }

    /// Number of rows, N: one a token.
    pub fn rows(&self) -> usize {
        self.0.starts[self.steps()]
    }

    /// The rows of step `t`.
    pub fn step(&self, t: usize) -> Range<usize> {
        self.0.starts[t]..self.0.starts[t + 1]
    }

    /// The row of sentence `r` at step `t`, which it must reach.
    pub fn row(&self, r: usize, t: usize) -> usize {
        debug_assert!(t < self.0.lengths[r], "sentence {r} has no step {t}");
        self.0.starts[t] + r
    }
}

/// The way a layer walks through time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the first token to the last.
    Forward,
    /// From the last token to the first.
    Backward,
}

/// One step of a walk: its rows, and where the state before it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The rows of this step; row r of them is sentence r.
    pub rows: Range<usize>,
    /// The rows of the step walked just before that go on into this one: sentences 0.. of them. The
    /// sentences of `rows` beyond these start here, from a zero state.
    pub prev: Range<usize>,
}

impl Step {
    /// Number of sentences that run in this step, n_t.
    pub fn running(&self) -> usize {
        self.rows.len()
    }

    /// Number of sentences that come into this step with a state.
    pub fn carried(&self) -> usize {
        self.prev.len()
    }
}

impl Direction {
    /// The steps in the order of the walk. Walking forward, all sentences start at step 0 and the
    /// short ones drop out; walking backward, each starts at its own last token and joins the
    /// longer ones that are already running.
    ///
    /// ```
    /// use nn::{Direction, Packing};
    /// let packing = Packing::new(vec![2, 1]); // row 0: first words, rows 0 and 1; second word: row 2
    /// let walk: Vec<_> = Direction::Backward.walk(&packing).map(|s| (s.rows, s.prev)).collect();
    /// assert_eq!(walk, [(2..3, 0..0), (0..2, 2..3)]);
    /// ```
    pub fn walk(self, packing: &Packing) -> impl DoubleEndedIterator<Item = Step> + '_ {
        let steps = packing.steps();
        (0..steps).map(move |k| {
            let (t, before) = match self {
                Direction::Forward => (k, k.checked_sub(1)),
                Direction::Backward => (steps - 1 - k, (k > 0).then(|| steps - k)),
            };
            let rows = packing.step(t);
            let from = before.map_or(0..0, |t| packing.step(t));
            let carried = from.len().min(rows.len());
            Step { rows, prev: from.start..from.start + carried }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_laid_out_by_step_and_each_walk_knows_where_states_come_from() {
        let p = Packing::new(vec![3, 2, 2]);
        assert_eq!((p.sentences(), p.steps(), p.rows()), (3, 3, 7));
        assert_eq!([p.step(0), p.step(1), p.step(2)], [0..3, 3..6, 6..7]);
        let walk: Vec<_> = Direction::Forward.walk(&p).map(|s| (s.rows, s.prev)).collect();
        assert_eq!(walk, [(0..3, 0..0), (3..6, 0..3), (6..7, 3..4)]);
        let walk: Vec<_> = Direction::Backward.walk(&p).map(|s| (s.rows, s.prev)).collect();
        assert_eq!(walk, [(6..7, 0..0), (3..6, 6..7), (0..3, 3..6)]);
    }

    #[test]
    fn a_packing_of_nothing_has_no_steps() {
        let p = Packing::new(vec![]);
        assert_eq!((p.steps(), p.rows(), Direction::Backward.walk(&p).count()), (0, 0, 0));
    }

    #[test]
    #[should_panic(expected = "lengths must fall")]
    fn rising_lengths_are_refused() {
        Packing::new(vec![1, 2]);
    }
}
