//! What the transitions say, worked out once for a batch or a model: as logarithms and as powers of e.

use std::sync::{Arc, OnceLock};

use ndarray::{Array1, Array2};
use tensor::Real;
use tensor::scratch::{self, Lent};

use super::allowed::Consequences;
use super::blocks::Blocks;
use super::{Allowed, Crf};

/// Columns that the inner loops take at once; widths are rounded up to a multiple of it.
pub(super) const LANES: usize = 8;

/// Potentials of a linear chain, in `f64` whatever the network runs in: a sentence may have 10,000
/// tokens, whose scores are added up.
#[derive(Clone, Debug)]
pub struct Chain {
    rules: Arc<Consequences>,
    /// (K, K) [from, to], −∞ where forbidden.
    pub(super) log_to: Blocks,
    /// (K), −∞ where forbidden.
    pub(super) start: Vec<f64>,
    /// (K), −∞ where forbidden.
    pub(super) end: Vec<f64>,
    pub(super) exp: Exponentials,
    /// `log_to` with all that is forbidden: made when [`super::logs`] first asks.
    whole: OnceLock<Lent<f64>>,
}

/// e^(potential − its largest): between 0 and 1, and 0 exactly where forbidden.
#[derive(Clone, Debug)]
pub(super) struct Exponentials {
    pub to: Blocks,      // (K, K) [from, to]
    pub from: Blocks,    // (K, K) [to, from]
    pub start: Vec<f64>, // (P)
    pub end: Vec<f64>,   // (P)
    pub top_transition: f64,
    pub top_start: f64,
    pub top_end: f64,
}

impl<F: Real> Crf<F> {
    /// The potentials of these weights under the rules `allowed`.
    ///
    /// # Panics
    /// If the rules are not for K tags.
    pub fn chain(&self, allowed: &Allowed) -> Chain {
        let k = allowed.n_tags();
        assert_eq!(self.start.len(), k, "weights and rules have the same tags");
        let ruled = |w: F, allowed: bool| if allowed { w.f64() } else { f64::NEG_INFINITY };
        let transitions = self.transitions.as_standard_layout();
        let transitions = transitions.as_slice().expect("row-major");
        let pair = |from: usize, to: usize| {
            ruled(transitions[from * k + to], allowed.transitions[from * k + to])
        };
        let edge = |weights: &Array1<F>, allowed: &[bool]| {
            weights.iter().zip(allowed).map(|(&w, &a)| ruled(w, a)).collect::<Vec<f64>>()
        };
        let (start, end) = (edge(&self.start, &allowed.start), edge(&self.end, &allowed.end));
        let rules = &allowed.consequences;
        let log_to = Blocks::new(&rules.to, f64::NEG_INFINITY, pair);
        let top_transition = top(log_to.values());
        let (top_start, top_end) = (top(&start), top(&end));
        let padded_exp = |logs: &[f64], top: f64| {
            let mut exp: Vec<f64> = logs.iter().map(|&v| (v - top).exp()).collect();
            exp.resize(padded(k), 0.0);
            exp
        };
        let exp_to = log_to.map(|v| (v - top_transition).exp());
        Chain {
            exp: Exponentials {
                from: exp_to.transposed(&rules.from, &rules.transposed),
                to: exp_to,
                start: padded_exp(&start, top_start),
                end: padded_exp(&end, top_end),
                top_transition,
                top_start,
                top_end,
            },
            rules: rules.clone(),
            log_to,
            start,
            end,
            whole: OnceLock::new(),
        }
    }
}

impl Allowed {
    /// Potentials of 0 where allowed: what is left of a CRF for a softmax head, whose best tags are
    /// then the best that keep the rules.
    pub fn chain(&self) -> Chain {
        Crf::<f64>::new(self.n_tags()).chain(self)
    }
}

impl Chain {
    /// Number of tags, K.
    pub fn n_tags(&self) -> usize {
        self.start.len()
    }

    /// K rounded up for the inner loops, P.
    pub(super) fn width(&self) -> usize {
        padded(self.n_tags())
    }

    /// Potential of `to` right after `from`, −∞ if forbidden.
    pub(super) fn transition(&self, from: usize, to: usize) -> f64 {
        self.log_to.get(from, to)
    }

    /// All transitions (K, K) [from, to], −∞ where forbidden.
    pub(super) fn transitions(&self) -> &Array2<f64> {
        self.whole.get_or_init(|| {
            let k = self.n_tags();
            let mut whole = scratch::take((k, k));
            whole.fill(f64::NEG_INFINITY);
            for to in 0..k {
                self.log_to.column(to).for_each(|(from, v)| whole[[from, to]] = v);
            }
            whole.into()
        })
    }

    /// How many tags the rules let stand at step `t`.
    pub(super) fn reachable(&self, t: usize) -> usize {
        self.rules.reach.at(t).count
    }

    /// Panics if the rules allow no tags at all for a sentence of `n` tokens.
    pub(super) fn assert_path(&self, n: usize) {
        assert!(
            self.rules.reach.at(n - 1).can_end,
            "the rules allow no tags for a sentence of {n} tokens"
        );
    }
}

fn padded(k: usize) -> usize {
    k.next_multiple_of(LANES)
}

/// The largest of `logs`; 0 if nothing is allowed.
fn top(logs: &[f64]) -> f64 {
    let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY { 0.0 } else { top }
}
