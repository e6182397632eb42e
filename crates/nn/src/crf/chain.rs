//! What the transitions say, worked out once for a batch or a model: as logarithms and as powers of e.

use std::sync::OnceLock;

use tensor::Real;

use super::{Allowed, Crf};

/// Columns that the inner loops take at once; widths are rounded up to a multiple of it.
pub(super) const LANES: usize = 8;

/// Potentials of a linear chain, in `f64` whatever the network runs in: a sentence may have 10,000
/// tokens, whose scores are added up.
#[derive(Clone, Debug)]
pub struct Chain {
    pub(super) n_tags: usize,
    /// (K, K) [from, to], −∞ where forbidden.
    pub(super) transitions: Vec<f64>,
    /// (K), −∞ where forbidden.
    pub(super) start: Vec<f64>,
    /// (K), −∞ where forbidden.
    pub(super) end: Vec<f64>,
    /// (K, K) [to, from]. This and the next only decoding needs: made when it first asks.
    transposed: OnceLock<Vec<f64>>,
    /// `transitions` for the loops over `to`.
    log_to: OnceLock<Blocks>,
    pub(super) exp: Exponentials,
    reach: Reach,
}

/// e^(potential − its largest): between 0 and 1, and 0 exactly where forbidden.
#[derive(Clone, Debug)]
pub(super) struct Exponentials {
    pub to: Blocks,      // (K, P) [from, to]
    pub from: Blocks,    // (K, P) [to, from]
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
        assert_eq!(self.start.len(), allowed.n_tags(), "weights and rules have the same tags");
        let ruled = |weights: Vec<f64>, allowed: &[bool]| {
            let pairs = weights.into_iter().zip(allowed);
            pairs.map(|(w, &a)| if a { w } else { f64::NEG_INFINITY }).collect()
        };
        Chain::new(
            ruled(self.transitions.iter().map(|w| w.f64()).collect(), &allowed.transitions),
            ruled(self.start.iter().map(|w| w.f64()).collect(), &allowed.start),
            ruled(self.end.iter().map(|w| w.f64()).collect(), &allowed.end),
        )
    }
}

impl Allowed {
    /// Potentials of 0 where allowed: what is left of a CRF for a softmax head, whose best tags are
    /// then the best that keep the rules.
    pub fn chain(&self) -> Chain {
        let k = self.n_tags();
        let crf = Crf::<f64> {
            transitions: ndarray::Array2::zeros((k, k)),
            start: ndarray::Array1::zeros(k),
            end: ndarray::Array1::zeros(k),
        };
        crf.chain(self)
    }
}

impl Chain {
    fn new(transitions: Vec<f64>, start: Vec<f64>, end: Vec<f64>) -> Self {
        let k = start.len();
        let (top_transition, exp) = exponentials(&transitions);
        let (top_start, mut exp_start) = exponentials(&start);
        let (top_end, mut exp_end) = exponentials(&end);
        exp_start.resize(padded(k), 0.0);
        exp_end.resize(padded(k), 0.0);
        Self {
            n_tags: k,
            exp: Exponentials {
                to: Blocks::new(k, 0.0, |i, j| exp[i * k + j]),
                from: Blocks::new(k, 0.0, |j, i| exp[i * k + j]),
                start: exp_start,
                end: exp_end,
                top_transition,
                top_start,
                top_end,
            },
            reach: Reach::new(&transitions, &start, &end),
            transitions,
            transposed: OnceLock::new(),
            log_to: OnceLock::new(),
            start,
            end,
        }
    }

    /// Number of tags, K.
    pub fn n_tags(&self) -> usize {
        self.n_tags
    }

    /// K rounded up for the inner loops, P.
    pub(super) fn width(&self) -> usize {
        padded(self.n_tags)
    }

    /// Potential of `to` right after `from`, −∞ if forbidden.
    pub(super) fn transition(&self, from: usize, to: usize) -> f64 {
        self.transitions[from * self.n_tags + to]
    }

    /// Potentials of `to` after each tag (K).
    pub(super) fn transitions_to(&self, to: usize) -> &[f64] {
        let k = self.n_tags;
        let transpose = || (0..k * k).map(|at| self.transition(at % k, at / k)).collect();
        &self.transposed.get_or_init(transpose)[to * k..][..k]
    }

    /// The potentials in blocks of columns, −∞ beyond the last.
    pub(super) fn log_to(&self) -> &Blocks {
        let blocks =
            || Blocks::new(self.n_tags, f64::NEG_INFINITY, |from, to| self.transition(from, to));
        self.log_to.get_or_init(blocks)
    }

    /// How many tags the rules let stand at step `t`.
    pub(super) fn reachable(&self, t: usize) -> usize {
        self.reach.at(t).count
    }

    /// Panics if the rules allow no tags at all for a sentence of `n` tokens.
    pub(super) fn assert_path(&self, n: usize) {
        assert!(
            self.reach.at(n - 1).can_end,
            "the rules allow no tags for a sentence of {n} tokens"
        );
    }
}

/// Which tags can stand at each step by the rules alone.
#[derive(Clone, Debug)]
struct Reach {
    steps: Vec<ReachStep>,
    /// After the last of `steps` comes this one again: from there on they go round.
    again: usize,
}

#[derive(Clone, Copy, Debug)]
struct ReachStep {
    /// How many tags can stand here.
    count: usize,
    /// Whether one of them may be a sentence's last.
    can_end: bool,
}

impl Reach {
    fn new(transitions: &[f64], start: &[f64], end: &[f64]) -> Self {
        let allowed = |v: f64| v != f64::NEG_INFINITY;
        let k = start.len();
        let mut sets: Vec<Vec<bool>> = vec![start.iter().map(|&v| allowed(v)).collect()];
        let again = loop {
            let set = &sets[sets.len() - 1];
            let comes = |j| (0..k).any(|i| set[i] && allowed(transitions[i * k + j]));
            let next: Vec<bool> = (0..k).map(comes).collect();
            if let Some(again) = sets.iter().position(|set| *set == next) {
                break again;
            }
            sets.push(next);
        };
        let step = |set: &Vec<bool>| ReachStep {
            count: set.iter().filter(|&&r| r).count(),
            can_end: set.iter().zip(end).any(|(&r, &v)| r && allowed(v)),
        };
        Self { steps: sets.iter().map(step).collect(), again }
    }

    fn at(&self, t: usize) -> ReachStep {
        let round = self.steps.len() - self.again;
        let t = if t < self.steps.len() { t } else { self.again + (t - self.again) % round };
        self.steps[t]
    }
}

fn padded(k: usize) -> usize {
    k.next_multiple_of(LANES)
}

/// The largest of `logs` and e^(each − the largest).
fn exponentials(logs: &[f64]) -> (f64, Vec<f64>) {
    let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        return (0.0, vec![0.0; logs.len()]); // nothing is allowed
    }
    (top, logs.iter().map(|&v| (v - top).exp()).collect())
}

/// A matrix (K, K) whose columns are cut into blocks of [`LANES`], each block stored by itself, so that
/// the sums of a block stay in registers while the rows go by.
#[derive(Clone, Debug)]
pub(super) struct Blocks {
    rows: usize,
    values: Vec<f64>, // (P / LANES, K, LANES)
}

impl Blocks {
    fn new(k: usize, padding: f64, matrix: impl Fn(usize, usize) -> f64) -> Self {
        let mut values = vec![padding; padded(k) * k];
        for (b, block) in values.chunks_exact_mut((k * LANES).max(1)).enumerate() {
            let columns = b * LANES..k.min((b + 1) * LANES);
            for (i, row) in block.chunks_exact_mut(LANES).enumerate() {
                row.iter_mut().zip(columns.clone()).for_each(|(v, j)| *v = matrix(i, j));
            }
        }
        Self { rows: k, values }
    }

    /// M_ij.
    pub fn get(&self, i: usize, j: usize) -> f64 {
        self.values[(j / LANES * self.rows + i) * LANES + j % LANES]
    }

    /// y_j = Σ_i x_i M_ij.
    #[inline(always)]
    pub fn product(&self, x: &[f64], y: &mut [f64]) {
        self.fold(x, y, 0.0, |sum, x, m| sum + x * m);
    }

    /// y_j = max_i (x_i + M_ij), −∞ for no finite one.
    #[inline(always)]
    pub fn max_plus(&self, x: &[f64], y: &mut [f64]) {
        self.fold(x, y, f64::NEG_INFINITY, |best, x, m| if x + m > best { x + m } else { best });
    }

    #[inline(always)]
    fn fold(&self, x: &[f64], y: &mut [f64], first: f64, next: impl Fn(f64, f64, f64) -> f64) {
        let x = &x[..self.rows];
        let blocks = self.values.chunks_exact(self.rows * LANES);
        for (block, y) in blocks.zip(y.chunks_exact_mut(LANES)) {
            let mut column = [first; LANES];
            for (&x, row) in x.iter().zip(block.chunks_exact(LANES)) {
                for l in 0..LANES {
                    column[l] = next(column[l], x, row[l]);
                }
            }
            y.copy_from_slice(&column);
        }
    }
}
