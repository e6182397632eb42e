//! The rules of a tag scheme, and what follows from them alone.

use std::sync::Arc;

use super::blocks::Layout;

/// The rules of a tag scheme over K tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// (K·K) whether tag `to` may follow tag `from`, at from · K + to.
    pub(super) transitions: Vec<bool>,
    /// (K) whether a sentence may begin with the tag.
    pub(super) start: Vec<bool>,
    /// (K) whether a sentence may end with it.
    pub(super) end: Vec<bool>,
    /// Worked out once: with hundreds of tags this takes longer than a sentence.
    pub(super) consequences: Arc<Consequences>,
}

/// What the rules say without any weights.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Consequences {
    /// Where the allowed ones stand in a matrix [from, to].
    pub to: Arc<Layout>,
    /// The same for a matrix [to, from].
    pub from: Arc<Layout>,
    /// For each value of the second its place among those of the first.
    pub transposed: Vec<u32>,
    pub reach: Reach,
}

impl Allowed {
    /// Rules by their parts: `transitions` (K·K), `start` (K) and `end` (K), as [`Allowed::transitions`] and its
    /// neighbours give them.
    ///
    /// # Panics
    /// If the three parts are not for the same number of tags.
    pub fn new(transitions: Vec<bool>, start: Vec<bool>, end: Vec<bool>) -> Self {
        let k = start.len();
        assert_eq!((transitions.len(), end.len()), (k * k, k), "rules for {k} tags");
        let to = Layout::new(k, |from, to| transitions[from * k + to]);
        let from = Layout::new(k, |to, from| transitions[from * k + to]);
        let consequences = Consequences {
            transposed: from.in_transposed(&to),
            to: Arc::new(to),
            from: Arc::new(from),
            reach: Reach::new(&transitions, &start, &end),
        };
        Self { transitions, start, end, consequences: Arc::new(consequences) }
    }

    /// Rules that forbid nothing.
    pub fn all(n_tags: usize) -> Self {
        let free = |n| vec![true; n];
        Self::new(free(n_tags * n_tags), free(n_tags), free(n_tags))
    }

    /// Number of tags, K.
    pub fn n_tags(&self) -> usize {
        self.start.len()
    }

    /// (K·K) whether tag `to` may follow tag `from`, at from · K + to.
    pub fn transitions(&self) -> &[bool] {
        &self.transitions
    }

    /// (K) whether a sentence may begin with the tag.
    pub fn start(&self) -> &[bool] {
        &self.start
    }

    /// (K) whether a sentence may end with the tag.
    pub fn end(&self) -> &[bool] {
        &self.end
    }
}

/// Which tags can stand at each step by the rules alone.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reach {
    steps: Vec<ReachStep>,
    /// After the last of `steps` comes this one again: from there on they go round.
    again: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReachStep {
    /// How many tags can stand here.
    pub count: usize,
    /// Whether one of them may be a sentence's last.
    pub can_end: bool,
}

impl Reach {
    fn new(transitions: &[bool], start: &[bool], end: &[bool]) -> Self {
        let k = start.len();
        let mut sets = vec![start.to_vec()];
        let again = loop {
            let set = &sets[sets.len() - 1];
            let comes = |j| (0..k).any(|i| set[i] && transitions[i * k + j]);
            let next: Vec<bool> = (0..k).map(comes).collect();
            if let Some(again) = sets.iter().position(|set| *set == next) {
                break again;
            }
            sets.push(next);
        };
        let step = |set: &Vec<bool>| ReachStep {
            count: set.iter().filter(|&&r| r).count(),
            can_end: set.iter().zip(end).any(|(&r, &end)| r && end),
        };
        Self { steps: sets.iter().map(step).collect(), again }
    }

    /// Step `t`, from 0.
    pub fn at(&self, t: usize) -> ReachStep {
        let round = self.steps.len() - self.again;
        let t = if t < self.steps.len() { t } else { self.again + (t - self.again) % round };
        self.steps[t]
    }
}
