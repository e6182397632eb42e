//! Wide part: features that vote for the tags themselves, beside the network (Cheng et al. 2016, "Wide
//! and deep learning").
//!
//! ```text
//! N tokens · K tags · R rows · J features a token, each a row id · m_n is 0 for a token left out, else 1
//!
//! (1)  s_n += m_n Σ_j W[id_nj]                         (N, K)
//!
//! (1') dW[v] = Σ_{n, j: id_nj = v} m_n ds_n            (R, K), all but a few rows of it 0
//! ```
//!
//! In training a token is left out with some probability, and what stays is not scaled up for it: the
//! network below has to learn to do without.

use ndarray::{Array2, CowArray, Ix2};
use tensor::random::{Purpose, Stream};
use tensor::{Real, scratch};

use crate::dropout::Noise;
use crate::embedding::{RowGrads, add_table_rows};
use crate::packing::Packing;
use crate::params;

/// Weights.
#[derive(Clone, Debug)]
pub struct Wide<F: 'static> {
    /// (R, K). Borrowed while it is that of a mapped file; the first change makes it our own.
    pub table: CowArray<'static, F, Ix2>,
}

params!(Wide { table });

/// Which tokens (N) keep their wide scores when each loses them with probability `p`; all (`None`) if p
/// is 0. `place` names where in the network it is used.
///
/// # Panics
/// If p is not in [0, 1).
pub fn kept_tokens(noise: &Noise<'_>, place: u16, packing: &Packing, p: f64) -> Option<Vec<bool>> {
    assert!((0.0..1.0).contains(&p), "dropout must be in [0, 1), not {p}");
    if p == 0.0 {
        return None;
    }
    let mut kept = vec![true; packing.rows()];
    for (r, (&n, &sentence)) in packing.lengths().iter().zip(noise.sentences).enumerate() {
        let mut stream =
            Stream::numbered(noise.seed, Purpose::Dropout, place, noise.epoch, sentence);
        for t in 0..n {
            kept[packing.row(r, t)] = f64::from(stream.unit()) >= p;
        }
    }
    Some(kept)
}

impl<F: Real> Wide<F> {
    /// All rows 0: at first no feature says anything.
    pub fn new(n_rows: usize, n_tags: usize) -> Self {
        Self { table: Array2::zeros((n_rows, n_tags)).into() }
    }

    /// `ids` (N·J), those of a token together → adds to `scores` (N, K). With `kept`, see
    /// [`kept_tokens`], only to those of the tokens kept.
    ///
    /// # Panics
    /// If shapes do not fit, or an id is not a row of the table.
    pub fn forward(&self, ids: &[u32], kept: Option<&[bool]>, scores: &mut Array2<F>) {
        assert_eq!(scores.ncols(), self.table.ncols(), "scores and table have a column a tag");
        let features = per_token(ids, kept, scores.nrows());
        for (n, mut s_n) in scores.rows_mut().into_iter().enumerate() {
            if kept.is_none_or(|kept| kept[n]) {
                let s_n = s_n.as_slice_mut().expect("row-major");
                let (now, next) = ids[n * features..].split_at(features);
                let next = &next[..features.min(next.len())];
                add_table_rows(self.table.view(), now, next, s_n); // (1)
            }
        }
    }

    /// `ds` (N, K) → what to add to the rows of the table; nothing for tokens that were left out.
    /// `ids` and `kept` as they were in [`Wide::forward`].
    ///
    /// # Panics
    /// If `ds` is not (N, K), or `ids` and `kept` are not those of N tokens.
    pub fn backward(&self, ids: &[u32], kept: Option<&[bool]>, ds: &Array2<F>) -> RowGrads<F> {
        assert_eq!(ds.ncols(), self.table.ncols(), "ds is shaped like the scores");
        let features = per_token(ids, kept, ds.nrows());
        let Some(kept) = kept else {
            return RowGrads { ids: ids.to_vec(), rows: scratch::copy(&ds.view()) };
        };
        let n = kept.iter().filter(|&&kept| kept).count();
        let mut rows = scratch::take((n, ds.ncols()));
        let mut ids_kept = Vec::with_capacity(n * features);
        let mut to = rows.rows_mut().into_iter();
        for (n, ds_n) in ds.rows().into_iter().enumerate().filter(|&(n, _)| kept[n]) {
            ids_kept.extend_from_slice(&ids[n * features..][..features]);
            to.next().expect("a row for each token kept").assign(&ds_n);
        }
        RowGrads { ids: ids_kept, rows } // (1'), summed by whoever uses it
    }
}

/// J.
fn per_token(ids: &[u32], kept: Option<&[bool]>, n: usize) -> usize {
    assert!(ids.len().is_multiple_of(n), "{} ids for {n} tokens", ids.len());
    assert!(kept.is_none_or(|kept| kept.len() == n), "kept says of each token whether it is");
    ids.len() / n.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck::{assert_gradients, gradcheck, weighted_sum};
    use crate::params::Params;
    use crate::testing::{LENGTHS, normal};

    const R: usize = 6;
    const K: usize = 3;
    const J: usize = 4;

    /// Ids of N tokens; the same row may stand twice in a token, and one row in none.
    fn ids(n: usize) -> Vec<u32> {
        (0..(n * J) as u32).map(|i| (i * i + i / 3) % 5).collect()
    }

    fn check(kept: Option<&[bool]>, n: usize) {
        let (layer, ids) = (Wide { table: normal(0, R, K).into() }, ids(n));
        let (start, r) = (normal(1, n, K), normal(2, n, K));
        let loss = |l: &Wide<f64>| {
            let mut scores = start.clone();
            l.forward(&ids, kept, &mut scores);
            weighted_sum(&scores, &r)
        };
        let mut grads = layer.zeros_like();
        layer.backward(&ids, kept, &r).add_to(&mut grads.table);
        assert_gradients(&gradcheck(&layer, &grads, loss), 1e-8);
        assert_eq!(grads.table.row(R - 1).sum(), 0.0);
    }

    #[test]
    fn backward_agrees_with_central_differences_also_where_a_token_has_a_row_twice() {
        (1..5).for_each(|n| check(None, n));
    }

    #[test]
    fn backward_agrees_with_central_differences_when_tokens_are_left_out() {
        let noise = Noise { seed: 1, epoch: 2, sentences: &[3, 1, 4, 5], locked: true };
        for lengths in LENGTHS {
            let packing = Packing::new(lengths.to_vec());
            let kept = kept_tokens(&noise, 9, &packing, 0.4).unwrap();
            check(Some(&kept), packing.rows());
        }
        check(Some(&[false, false]), 2);
    }

    #[test]
    fn a_token_left_out_keeps_its_scores_and_touches_no_row() {
        let layer = Wide { table: normal(0, R, K).into() };
        let (mut scores, start) = (normal(1, 2, K), normal(1, 2, K));
        layer.forward(&ids(2), Some(&[false, true]), &mut scores);
        assert_eq!(scores.row(0), start.row(0));
        assert_ne!(scores.row(1), start.row(1));
        let grads = layer.backward(&ids(2), Some(&[false, true]), &start);
        assert_eq!(grads.ids, ids(2)[J..]);
        assert_eq!(grads.rows.row(0), start.row(1));
    }

    #[test]
    fn tokens_are_left_out_with_their_chance_and_by_sentence_not_by_batch() {
        let noise = Noise { seed: 3, epoch: 2, sentences: &[7, 9], locked: true };
        let packing = Packing::new(vec![10_000, 10_000]);
        let kept = kept_tokens(&noise, 4, &packing, 0.3).unwrap();
        let n = kept.iter().filter(|&&kept| kept).count();
        assert!(n.abs_diff(14_000) < 325, "{n}"); // five standard deviations of 65
        let alone = Noise { sentences: &[9], ..noise };
        let short = Packing::new(vec![40]);
        let short = kept_tokens(&alone, 4, &short, 0.3).unwrap();
        let same = (0..40).all(|t| short[t] == kept[packing.row(1, t)]);
        assert!(same, "another batch, another length, the same tokens");
        assert!(kept_tokens(&noise, 4, &packing, 0.0).is_none());
    }

    #[test]
    #[should_panic(expected = "7 ids for 2 tokens")]
    fn tokens_with_different_numbers_of_features_are_refused() {
        Wide::<f64>::new(R, K).forward(&[0; 7], None, &mut Array2::zeros((2, K)));
    }
}
