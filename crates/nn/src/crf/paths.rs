//! For the tests: a CRF by its definition, every path written out.

use ndarray::Array2;
use proptest::prelude::*;

use super::{Allowed, Crf, Path};
use crate::packing::Packing;
use crate::testing::{normal, vector};

/// Tags of the schemes below.
pub const K: usize = 4;

/// O, B-a, I-a, B-b: I-a stands only after B-a and I-a.
pub fn iob2() -> Allowed {
    let (from_any, from_a) = ([true, true, false, true], [true; K]);
    Allowed::new([from_any, from_a, from_a, from_any].concat(), from_any.to_vec(), vec![true; K])
}

/// O, B, I, E: what is begun has to be ended, so a single token can only be O.
pub fn iobe() -> Allowed {
    let (open, closed) = ([false, false, true, true], [true, true, false, false]);
    let ends = vec![true, false, false, true];
    Allowed::new([closed, open, open, closed].concat(), closed.to_vec(), ends)
}

/// Nothing forbidden, and both schemes.
pub fn all_rules() -> [Allowed; 3] {
    [Allowed::all(K), iob2(), iobe()]
}

/// Weights that matter; `which` names the draw.
pub fn crf(which: u32) -> Crf<f64> {
    Crf {
        transitions: normal(which, K, K) * 2.0,
        start: vector(which + 1, K),
        end: vector(which + 2, K),
    }
}

/// All sequences of `n` tags that keep the rules, in the order of their tags.
pub fn legal(allowed: &Allowed, n: usize) -> Vec<Vec<u32>> {
    let k = allowed.n_tags();
    let keeps_rules = |tags: &Vec<u32>| {
        let tag = |t: usize| tags[t] as usize;
        allowed.start[tag(0)]
            && allowed.end[tag(n - 1)]
            && (1..n).all(|t| allowed.transitions[tag(t - 1) * k + tag(t)])
    };
    let digits = |number: usize| {
        (0..n as u32).rev().map(|t| (number / k.pow(t) % k) as u32).collect::<Vec<u32>>()
    };
    (0..k.pow(n as u32)).map(digits).filter(keeps_rules).collect()
}

/// Equation (1).
pub fn score(crf: &Crf<f64>, rows: &Array2<f64>, tags: &[u32]) -> f64 {
    let tag = |t: usize| tags[t] as usize;
    let last = tags.len() - 1;
    let tokens: f64 = (0..=last).map(|t| rows[[t, tag(t)]]).sum();
    let pairs: f64 = (1..=last).map(|t| crf.transitions[[tag(t - 1), tag(t)]]).sum();
    crf.start[tag(0)] + tokens + pairs + crf.end[tag(last)]
}

/// Every path that keeps the rules, with its score; `rows` (T, K) are the scores of one sentence.
pub fn all(crf: &Crf<f64>, allowed: &Allowed, rows: &Array2<f64>) -> Vec<Path> {
    let tags = legal(allowed, rows.nrows()).into_iter();
    tags.map(|tags| Path { score: score(crf, rows, &tags), tags }).collect()
}

/// log Σ exp score.
pub fn log_z(paths: &[Path]) -> f64 {
    tensor::log_sum_exp(&paths.iter().map(|path| path.score).collect::<Vec<_>>())
}

/// Adds `p` to whatever a path uses: to `ds` (T, K) and to the weights' gradients.
pub fn count(tags: &[u32], p: f64, ds: &mut Array2<f64>, grads: &mut Crf<f64>) {
    let tag = |t: usize| tags[t] as usize;
    let last = tags.len() - 1;
    (0..=last).for_each(|t| ds[[t, tag(t)]] += p);
    (1..=last).for_each(|t| grads.transitions[[tag(t - 1), tag(t)]] += p);
    grads.start[tag(0)] += p;
    grads.end[tag(last)] += p;
}

/// The rows of sentence `r`, first token to last.
pub fn sentence<F: Clone>(rows: &Array2<F>, packing: &Packing, r: usize) -> Array2<F> {
    let at: Vec<usize> = (0..packing.lengths()[r]).map(|t| packing.row(r, t)).collect();
    rows.select(ndarray::Axis(0), &at)
}

/// For each sentence some tags that keep the rules, laid out as the rows are.
pub fn legal_tags(allowed: &Allowed, packing: &Packing) -> Vec<u32> {
    let mut tags = vec![0; packing.rows()];
    for (r, &n) in packing.lengths().iter().enumerate() {
        let paths = legal(allowed, n);
        let path = &paths[(paths.len() * 2 / 3 + r) % paths.len()];
        (0..n).for_each(|t| tags[packing.row(r, t)] = path[t]);
    }
    tags
}

/// One sentence under any rules that allow it some path.
#[derive(Clone, Debug)]
pub struct Case {
    pub crf: Crf<f64>,
    pub allowed: Allowed,
    pub rows: Array2<f64>,
}

/// Up to 4 tags and 5 tokens; scores of any size up to ±1000, some whole numbers, so that ties occur.
pub fn any_case() -> impl Strategy<Value = Case> {
    let sizes = (1..=K, 1..=5usize, prop::sample::select(vec![1.0, 3.0, 100.0, 1000.0]));
    let case = sizes.prop_flat_map(|(k, n, bound)| {
        let number =
            move |bound: f64| prop_oneof![3 => -bound..bound, 1 => (-2i32..3).prop_map(f64::from)];
        let numbers = move |n, bound| prop::collection::vec(number(bound), n);
        let rules = |n| prop::collection::vec(prop::bool::weighted(0.7), n);
        let weights = (numbers(k * k, 5.0), numbers(k, 5.0), numbers(k, 5.0));
        (weights, (rules(k * k), rules(k), rules(k)), numbers(n * k, bound)).prop_map(
            move |((a, b, e), (transitions, start, end), s)| Case {
                crf: Crf {
                    transitions: Array2::from_shape_vec((k, k), a).unwrap(),
                    start: b.into(),
                    end: e.into(),
                },
                allowed: Allowed::new(transitions, start, end),
                rows: Array2::from_shape_vec((n, k), s).unwrap(),
            },
        )
    });
    case.prop_filter("the rules allow a path", |c| !legal(&c.allowed, c.rows.nrows()).is_empty())
}
