//! Dropout, as a rule with one mask a sentence, the same at all its time steps.
//!
//! Srivastava et al. 2014, "inverted": what is kept is scaled by 1/(1 − p), so that tagging needs no
//! change. One mask for all steps is what Gal and Ghahramani 2016 argue for and what Keras's LSTM does
//! with its `dropout` and `recurrent_dropout`.
//!
//! ```text
//! (1)  y_t = x_t ⊙ m        m_u = 0 with probability p, else 1/(1 − p)        (1') dx_t = dy_t ⊙ m
//! ```

use ndarray::Array2;
use tensor::random::{Purpose, Stream};
use tensor::{Real, scratch, vectorised};

use crate::packing::Packing;

/// What a mask's numbers depend on, besides its place in the network: nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Noise<'a> {
    /// Seed of the run.
    pub seed: u64,
    /// The epoch.
    pub epoch: u32,
    /// A number for each sentence of the packing, in its order, that stays the sentence's own however
    /// it is batched: its place in the corpus.
    pub sentences: &'a [u32],
    /// One mask a sentence for all its tokens; otherwise each token has its own. The recurrent masks
    /// are always the sentence's.
    pub locked: bool,
}

impl Noise<'_> {
    /// A mask (B, width) that drops each unit with probability `p`; none if p is 0. `place` names where
    /// in the network it is used.
    ///
    /// # Panics
    /// If p is not in [0, 1).
    pub fn mask<F: Real>(&self, place: u16, width: usize, p: f64) -> Option<Array2<F>> {
        self.draw(place, width, p, self.sentences.len(), |_| 1, |r, _| r)
    }

    /// A mask for a layer's input: as [`Noise::mask`] if masks are locked, otherwise (N, width), a mask a
    /// token.
    pub fn input_mask<F: Real>(
        &self,
        place: u16,
        width: usize,
        p: f64,
        packing: &Packing,
    ) -> Option<Array2<F>> {
        if self.locked {
            return self.mask(place, width, p);
        }
        let tokens = |r: usize| packing.lengths()[r];
        self.draw(place, width, p, packing.rows(), tokens, |r, t| packing.row(r, t))
    }

    /// Row `row(r, t)` of the mask, for each of the `tokens(r)`, is drawn from sentence r's stream, in turn.
    fn draw<F: Real>(
        &self,
        place: u16,
        width: usize,
        p: f64,
        rows: usize,
        tokens: impl Fn(usize) -> usize,
        row: impl Fn(usize, usize) -> usize,
    ) -> Option<Array2<F>> {
        assert!((0.0..1.0).contains(&p), "dropout must be in [0, 1), not {p}");
        if p == 0.0 {
            return None;
        }
        let keep = F::of(1.0 / (1.0 - p));
        let dropped = below(p);
        let mut mask = scratch::take((rows, width));
        let mut draws = Vec::new();
        for (r, &sentence) in self.sentences.iter().enumerate() {
            draws.resize(tokens(r) * width, 0);
            Stream::numbered(self.seed, Purpose::Dropout, place, self.epoch, sentence)
                .fill(&mut draws);
            for (t, draws) in draws.chunks_exact(width.max(1)).enumerate() {
                let mut units = mask.row_mut(row(r, t));
                let units = units.as_slice_mut().expect("row-major");
                vectorised(
                    // By value: what lies behind a reference might change with every unit.
                    #[inline(always)]
                    move || {
                        for (unit, &draw) in units.iter_mut().zip(draws) {
                            *unit = if draw >> 8 < dropped { F::zero() } else { keep };
                        }
                    },
                );
            }
        }
        Some(mask)
    }
}

/// The bound b with (draw >> 8) < b exactly where the number in [0, 1) that [`Stream::unit`] makes of a draw
/// is below `p`.
fn below(p: f64) -> u32 {
    (p * f64::from(1 << 24)).ceil() as u32
}

/// (1) and (1'): multiplies the rows of each sentence in `x` (N, D) by its row of `mask` (B, D), or each
/// row by its own where the mask has one for each (N, D).
///
/// # Panics
/// If the mask has neither a row a sentence nor a row a token, or another width than `x`.
pub fn apply<F: Real>(x: &mut Array2<F>, mask: &Array2<F>, packing: &Packing) {
    if mask.dim() == x.dim() {
        scale(x.as_slice_mut().expect("row-major"), mask);
        return;
    }
    assert_eq!(mask.dim(), (packing.sentences(), x.ncols()), "a mask has a row a sentence");
    let width = x.ncols();
    let x = x.as_slice_mut().expect("row-major");
    for t in 0..packing.steps() {
        let rows = packing.step(t);
        scale(&mut x[rows.start * width..rows.end * width], mask);
    }
}

/// One step of [`apply`]: `x_t` (n, D), row-major, holds a row of each of the first n ≤ B sentences, `mask` (B, D) one
/// of each.
///
/// # Panics
/// If there are more rows than the mask has.
pub fn scale<F: Real>(x_t: &mut [F], mask: &Array2<F>) {
    let scales = mask.as_slice().expect("row-major");
    assert!(x_t.len() <= scales.len(), "a row of the mask for each row");
    vectorised(
        #[inline(always)]
        || x_t.iter_mut().zip(scales).for_each(|(x, m)| *x *= *m),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_keeps_its_share_scaled_and_depends_on_the_sentence_not_on_its_place() {
        let noise = Noise { seed: 3, epoch: 2, sentences: &[7, 9], locked: true };
        let m = noise.mask::<f64>(4, 10_000, 0.2).unwrap();
        let kept = m.iter().filter(|&&v| v == 1.25).count();
        assert!(m.iter().all(|&v| v == 0.0 || v == 1.25));
        // 16,000 expected, standard deviation 57.
        assert!(kept.abs_diff(16_000) < 285, "{kept}");
        let other = Noise { sentences: &[9], ..noise }.mask::<f64>(4, 10_000, 0.2).unwrap();
        assert_eq!(m.row(1), other.row(0));
        assert!(noise.mask::<f64>(4, 5, 0.0).is_none());
    }

    #[test]
    fn the_bound_on_draws_is_the_bound_on_numbers() {
        for p in [0.1, 0.25, 0.3, 0.5, 1.0 / 3.0, 0.999_999_99, 3.0 / f64::from(1 << 24)] {
            let near = below(p);
            for x in near.saturating_sub(2)..(near + 3).min(1 << 24) {
                let unit = x as f32 * (1.0 / (1 << 24) as f32); // as Stream::unit has it
                assert_eq!(f64::from(unit) < p, x < below(p), "{x} {p}");
            }
        }
    }

    #[test]
    fn unlocked_masks_differ_from_token_to_token_and_stay_the_sentences_own() {
        let noise = Noise { seed: 3, epoch: 2, sentences: &[7, 9], locked: false };
        let packing = Packing::new(vec![3, 2]);
        let m = noise.input_mask::<f64>(4, 1000, 0.5, &packing).unwrap();
        assert_eq!(m.dim(), (5, 1000));
        let equal =
            |a: usize, b: usize| m.row(a).iter().zip(m.row(b)).filter(|(a, b)| a == b).count();
        // 500 expected, standard deviation 16.
        assert!(
            [(0, 2), (1, 3), (2, 4), (0, 1)].iter().all(|&(a, b)| equal(a, b).abs_diff(500) < 80)
        );
        let alone = Noise { sentences: &[9], ..noise };
        let alone = alone.input_mask::<f64>(4, 1000, 0.5, &Packing::new(vec![2])).unwrap();
        assert_eq!([m.row(1), m.row(3)], [alone.row(0), alone.row(1)]);
        let mut x = Array2::ones((5, 1000));
        apply(&mut x, &m, &packing);
        assert_eq!(x, m);
    }

    #[test]
    fn a_mask_is_the_same_at_all_steps_of_a_sentence() {
        let packing = Packing::new(vec![3, 1]);
        let mut x = Array2::ones((4, 2));
        apply(&mut x, &ndarray::array![[2.0, 3.0], [5.0, 7.0]], &packing);
        assert_eq!(x, ndarray::array![[2.0, 3.0], [5.0, 7.0], [2.0, 3.0], [2.0, 3.0]]);
    }
}
