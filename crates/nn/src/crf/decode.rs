//! The best tags of a sentence, and the n best.
//!
//! ```text
//! (1)  v_1(j) = b_j + s_1j    v_t(j) = s_tj + max_i (v_{t−1}(i) + A_ij)      Viterbi 1967
//! (2)  y_T = argmax_j (v_T(j) + e_j)    y_{t−1} = argmax_i (v_{t−1}(i) + A_{i,y_t})
//! ```
//!
//! Of equal ones the argmax is the smallest tag. For the n best paths each v_t(j) becomes the list of
//! the n best ways to get there, with where each came from (Schwartz and Chow 1990).

use ndarray::Array2;
use tensor::{Real, vectorised};

use super::chain::Chain;
use super::lattice::Sentence;
use crate::packing::Packing;

/// A sequence of tags and its score.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// One tag a token.
    pub tags: Vec<u32>,
    /// Scores and potentials along it; the logarithm of its probability is this − log Z.
    pub score: f64,
}

/// One way to get to a tag: its score, and the tag and the place in that tag's list it came from.
#[derive(Clone, Copy)]
struct Way {
    score: f64,
    from: u32,
    place: u32,
}

impl Chain {
    /// `scores` (N, K) → the best tags that keep the rules (N), laid out as the rows are. Of equally
    /// good ones it is those whose last tag is smallest, then the one before, and so on.
    ///
    /// # Panics
    /// If the rules allow no tags at all for a sentence.
    pub fn viterbi<F: Real>(&self, scores: &Array2<F>, packing: &Packing) -> Vec<u32> {
        let mut tags = vec![0; packing.rows()];
        let mut v = Vec::new();
        for r in 0..packing.sentences() {
            let sentence = Sentence::new(scores, packing, r, self);
            self.assert_path(sentence.len());
            vectorised(
                #[inline(always)]
                || self.fill(sentence, &mut v),
            );
            let rows = v.chunks_exact(self.width());
            let mut next = None;
            for (t, v) in rows.enumerate().rev() {
                let tag = match next {
                    None => first_largest(v.iter().zip(&self.end).map(|(v, e)| v + e).enumerate()),
                    Some(to) => first_largest(self.log_to.column(to).map(|(i, a)| (i, v[i] + a))),
                }; // (2)
                tags[packing.row(r, t)] = tag as u32;
                next = Some(tag);
            }
        }
        tags
    }

    /// (1): v (T, P) of one sentence.
    #[inline(always)]
    fn fill<F: Real>(&self, sentence: Sentence<'_, F>, v: &mut Vec<f64>) {
        let width = self.width();
        v.resize(sentence.len() * width, 0.0);
        let mut v_prev: &[f64] = &[];
        for (t, v) in v.chunks_exact_mut(width).enumerate() {
            match t {
                0 => v[..self.n_tags()].copy_from_slice(&self.start),
                _ => self.log_to.max_plus(v_prev, v),
            }
            v.iter_mut().zip(sentence.row(t)).for_each(|(v, s)| *v += s.f64());
            v_prev = v;
        }
    }

    /// The `n` best paths of sentence `r`, best first; fewer if the rules allow fewer. The first is the
    /// one of [`Chain::viterbi`]; of equally good ways to a tag, the one from the smallest tag comes
    /// first.
    pub fn n_best<F: Real>(
        &self,
        scores: &Array2<F>,
        packing: &Packing,
        r: usize,
        n: usize,
    ) -> Vec<Path> {
        let sentence = Sentence::new(scores, packing, r, self);
        let mut ways = vec![self.beginnings(sentence)];
        for t in 1..sentence.len() {
            let prev = &ways[t - 1];
            let to = |j: usize| {
                let mut list = best_ways(prev, self.log_to.column(j), n);
                list.iter_mut().for_each(|w| w.score += sentence.row(t)[j].f64());
                list
            };
            ways.push((0..self.n_tags()).map(to).collect());
        }
        let ends = best_ways(&ways[sentence.len() - 1], self.end.iter().copied().enumerate(), n);
        ends.into_iter().map(|end| follow(end, &ways)).collect()
    }

    fn beginnings<F: Real>(&self, sentence: Sentence<'_, F>) -> Vec<Vec<Way>> {
        let starts = self.start.iter().zip(sentence.row(0));
        let allowed = |(b, s): (&f64, &F)| match *b == f64::NEG_INFINITY {
            true => vec![],
            false => vec![Way { score: b + s.f64(), from: 0, place: 0 }],
        };
        starts.map(allowed).collect()
    }
}

/// The `n` best of all ways in `prev`, each with the potential of its tag, which are given with the tags: the lists
/// are sorted, so the next best is always the head of one of them.
fn best_ways(
    prev: &[Vec<Way>],
    potentials: impl Iterator<Item = (usize, f64)> + Clone,
    n: usize,
) -> Vec<Way> {
    let mut next = vec![0; prev.len()];
    let mut best = Vec::new();
    while best.len() < n {
        let mut top: Option<Way> = None;
        for (i, a) in potentials.clone() {
            let Some(way) = prev[i].get(next[i]) else { continue };
            let score = way.score + a;
            if a != f64::NEG_INFINITY && top.is_none_or(|top| score > top.score) {
                top = Some(Way { score, from: i as u32, place: next[i] as u32 });
            }
        }
        let Some(way) = top else { break };
        next[way.from as usize] += 1;
        best.push(way);
    }
    best
}

/// The path that ends with `end`, read backwards through `ways`.
fn follow(end: Way, ways: &[Vec<Vec<Way>>]) -> Path {
    let mut tags = vec![0; ways.len()];
    let mut way = end;
    for (tag, ways) in tags.iter_mut().zip(ways).rev() {
        *tag = way.from;
        way = ways[way.from as usize][way.place as usize];
    }
    Path { tags, score: end.score }
}

/// The place of the largest value; of equal ones the first, 0 if none is larger than −∞.
fn first_largest(values: impl Iterator<Item = (usize, f64)>) -> usize {
    let mut best = (0, f64::NEG_INFINITY);
    for (place, v) in values {
        if v > best.1 {
            best = (place, v);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::super::paths::{self, K, all_rules, any_case, crf, iob2};
    use super::*;
    use crate::testing::{LENGTHS, normal};
    use proptest::prelude::*;

    /// All paths, best first; of equally good ones the one whose last tag is smallest, and so on.
    fn sorted(mut paths: Vec<Path>) -> Vec<Path> {
        let backwards = |path: &Path| path.tags.iter().rev().copied().collect::<Vec<_>>();
        paths.sort_by(|a, b| {
            b.score.total_cmp(&a.score).then_with(|| backwards(a).cmp(&backwards(b)))
        });
        paths
    }

    #[test]
    fn the_best_tags_are_those_of_the_best_of_all_paths() {
        for lengths in LENGTHS {
            let packing = Packing::new(lengths.to_vec());
            for allowed in all_rules() {
                let scores = normal(5, packing.rows(), K) * 3.0;
                let tags = crf(0).chain(&allowed).viterbi(&scores, &packing);
                for (r, &n) in lengths.iter().enumerate() {
                    let rows = paths::sentence(&scores, &packing, r);
                    let best = &sorted(paths::all(&crf(0), &allowed, &rows))[0];
                    let got: Vec<u32> = (0..n).map(|t| tags[packing.row(r, t)]).collect();
                    assert_eq!(got, best.tags);
                }
            }
        }
    }

    #[test]
    fn of_equally_good_tags_the_smallest_are_given() {
        let packing = Packing::new(vec![3]);
        let chain = iob2().chain();
        assert_eq!(chain.viterbi(&Array2::<f32>::zeros((3, K)), &packing), [0, 0, 0]);
        // I-a cannot stand first, so B-a comes before it; B-b is as good as O there.
        let scores = ndarray::array![[0.0f32, 0., 9., 0.], [0., 0., 1., 0.], [0., -1., -1., 0.]];
        assert_eq!(chain.viterbi(&scores, &packing), [1, 2, 0]);
    }

    #[test]
    fn without_rules_and_weights_the_best_tag_of_each_token_is_given() {
        let packing = Packing::new(vec![4, 2]);
        let scores = normal(5, 6, K);
        let tags = super::super::Allowed::all(K).chain().viterbi(&scores, &packing);
        for (row, &tag) in scores.rows().into_iter().zip(&tags) {
            assert!(row.iter().all(|&s| s <= row[tag as usize]));
        }
    }

    #[test]
    fn scores_that_are_not_numbers_still_give_tags() {
        let packing = Packing::new(vec![2]);
        let tags = iob2().chain().viterbi(&Array2::from_elem((2, K), f32::NAN), &packing);
        assert!(tags.iter().all(|&tag| (tag as usize) < K));
    }

    proptest! {
        #[test]
        fn the_n_best_are_the_first_of_all_paths_in_order(case in any_case(), n in 1..60usize) {
            let packing = Packing::new(vec![case.rows.nrows()]);
            let chain = case.crf.chain(&case.allowed);
            let got = chain.n_best(&case.rows, &packing, 0, n);
            let want = sorted(paths::all(&case.crf, &case.allowed, &case.rows));
            prop_assert_eq!(got.len(), n.min(want.len()));
            prop_assert_eq!(&got[0].tags, &chain.viterbi(&case.rows, &packing));
            for (got, want) in got.iter().zip(&want) {
                // Paths of one score may change places: their sums round differently.
                prop_assert!((got.score - want.score).abs() < 1e-9);
                let score = paths::score(&case.crf, &case.rows, &got.tags);
                prop_assert!((got.score - score).abs() < 1e-9);
            }
            let mut tags: Vec<_> = got.iter().map(|path| &path.tags).collect();
            tags.sort();
            tags.dedup();
            prop_assert_eq!(tags.len(), got.len(), "no path is given twice");
            for path in &got {
                prop_assert!(want.iter().any(|legal| legal.tags == path.tags));
            }
        }
    }
}
