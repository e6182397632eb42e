//! The ends of a step: the loss and what the scores get of it, then norm, clipping, Adam, the average.

use crate::arguments::{
    Adam, Average, CrfLoss, Loss, Moving, Outcome as OutcomeArgs, Potentials, Squares,
    SquaresOfAll, numbered,
};
use crate::batch::At;
use crate::forward::Moved;
use crate::network::{CRF_THREADS, Done, Group, REST, TAG_BYTES, tag_launch};
use crate::{CudaError, Head, Launch, Network, Rates, Span, Which};

/// Blocks that sum the squares of a group.
const SQUARES: usize = 64;

impl Network {
    /// Per token or sentence losses (in f64), and ds (N, K) in the place of the scores or beside them.
    pub(crate) fn loss(&mut self, at: &At<'_>, scores: Span) -> Result<(Span, Span), CudaError> {
        let (n, k) = (at.batch.tokens(), self.description.n_tags);
        let weight = 1.0 / n as f32;
        let tags = at.span(&at.batch.tags);
        assert_eq!(tags.len, n, "one tag a token");
        let kernel = match self.description.head {
            Head::Crf => return self.crf_loss(at, scores, weight),
            Head::Softmax => "softmax",
            Head::KerasRelu => "keras_relu",
        };
        let losses = self.engine.take(2 * n)?;
        let args = Loss {
            scores: scores.at,
            tags: tags.at,
            losses: losses.at,
            tag_weights: self.tag_weights.at,
            rows: n as u32,
            n_tags: k as u32,
            weight,
        };
        self.engine.each(kernel, n, args)?;
        Ok((losses, scores))
    }

    fn crf_loss(
        &mut self,
        at: &At<'_>,
        scores: Span,
        weight: f32,
    ) -> Result<(Span, Span), CudaError> {
        let (n, b, k) = (at.batch.tokens(), at.batch.sentences(), self.description.n_tags);
        let weights = self.rest(Which::Weights, &self.places.crf);
        let take = |len| self.engine.take(len);
        let [potentials, alpha, log_sums, ds, parts, losses] =
            [weights.len, n * k, n, n * k, b * weights.len, 2 * b].map(take);
        let (potentials, alpha, log_sums) = (potentials?, alpha?, log_sums?);
        let (ds, parts, losses) = (ds?, parts?, losses?);
        let args = Potentials {
            weights: weights.at,
            forbidden: self.forbidden.at,
            sum: potentials.at,
            n: potentials.len as u64,
        };
        self.engine.each("potentials", potentials.len, args)?;
        let args = CrfLoss {
            potentials: potentials.at,
            forbidden: self.forbidden.at,
            scores: scores.at,
            tags: at.span(&at.batch.tags).at,
            starts: at.span(&at.batch.starts).at,
            lengths: at.span(&at.batch.lengths).at,
            alpha: alpha.at,
            log_sums: log_sums.at,
            ds: ds.at,
            parts: parts.at,
            losses: losses.at,
            n_tags: k as u32,
            weight,
        };
        let room = self.engine.machine.shared_memory();
        let shared = [4 * 2 * k * k, TAG_BYTES * k];
        let kernels = ["crf_loss", "crf_loss_wide"];
        let (kernel, launch) = tag_launch(kernels, CRF_THREADS, b, k, shared, room)?;
        self.engine.launch(kernel, launch, args)?;
        let place = self.places.crf.clone();
        let grads = self.group(REST).grads.part(place.start, place.len());
        self.engine.sum_later(parts, b, grads);
        Ok((losses, ds))
    }

    /// Norm, loss, clipping, Adam, the average.
    pub(crate) fn finish(
        &mut self,
        at: &At<'_>,
        losses: Span,
        best: Span,
        moved: &[Option<Moved>; 4],
        rates: &Rates,
    ) -> Done {
        self.engine.sum_pending()?;
        let groups = moved.iter().flatten().count();
        let mut of = [Squares::default(); 4];
        for (of, moved) in of.iter_mut().zip(moved.iter().flatten()) {
            *of = Squares { x: moved.grads.at, n: moved.grads.len as u64 };
        }
        let used = SQUARES * groups;
        let squares = self.engine.take(2 * used)?;
        let launch =
            Launch { grid: [SQUARES as u32, groups as u32, 1], block: 256, shared: 8 * 256 };
        self.engine.launch("squares", launch, SquaresOfAll { of, sums: squares.at })?;
        let args = OutcomeArgs {
            losses: losses.at,
            squares: squares.at,
            best: best.at,
            tags: at.span(&at.batch.tags).at,
            status: self.status.at,
            n_losses: (losses.len / 2) as u32,
            n_squares: used as u32,
            tokens: at.batch.tokens() as u32,
            max_norm: rates.max_norm,
        };
        let launch = Launch { grid: [1; 3], block: 256, shared: 8 * 256 };
        self.engine.launch("outcome", launch, args)?;
        self.adam(moved, rates)
    }

    fn adam(&mut self, moved: &[Option<Moved>; 4], rates: &Rates) -> Done {
        let groups = self.members[0];
        let moved = || groups.iter().zip(moved).filter_map(|(g, m)| Some((g, m.as_ref()?)));
        let pieces: Vec<_> = moved()
            .map(|(&Group { kept: [w, m, v, _], width, .. }, moved)| {
                let moving = Moving {
                    w: w.at,
                    m: m.at,
                    v: v.at,
                    g: moved.grads.at,
                    ids: moved.ids.at,
                    n: moved.grads.len as u64,
                    width: width as u32,
                    first_block: 0,
                };
                (moving, moved.grads.len.div_ceil(256) as u32)
            })
            .collect();
        let (of, blocks) = numbered(&pieces);
        let Rates { beta1, beta2, fresh1, fresh2, step, root_scale, epsilon, decay, .. } = *rates;
        let status = self.status.at;
        let args =
            Adam { of, status, beta1, beta2, fresh1, fresh2, step, root_scale, epsilon, decay };
        let launch = Launch { grid: [blocks, 1, 1], block: 256, shared: 0 };
        self.engine.launch("adam", launch, args)?;
        let Some(kept) = rates.average else { return Ok(()) };
        for (&Group { kept: [w, _, _, average], .. }, _) in moved() {
            let args = Average { average: average.at, w: w.at, status, n: w.len as u64, kept };
            self.engine.each("average", average.len, args)?;
        }
        Ok(())
    }
}
