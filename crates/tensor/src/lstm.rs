//! The fused step of an LSTM, where this processor has one.

use ndarray::Array2;

use crate::scratch::{self, Lent};
use crate::simd::{self, Level};
use crate::{Real, kernels};

/// W_hh (4H, H), laid out for the fused step: made once a walk, used at every step of it.
#[derive(Debug)]
pub struct LstmKernel {
    level: Level,
    n_hidden: usize,
    w_hh: Lent<f32>,
}

/// One step of n sentences, of which the first m bring a state; the others start here, from h' = 0 and
/// c' = 0. All matrices are row-major and without gaps.
#[derive(Debug)]
pub struct LstmStep<'a, F> {
    /// (n, 4H): x W_ihᵀ + b; becomes the gates [i f g o].
    pub a: &'a mut [F],
    /// (m, H): h', masked.
    pub h_prev: &'a [F],
    /// (m, H): c'.
    pub c_prev: &'a [F],
    /// (n, H), written.
    pub c: &'a mut [F],
    /// (n, H), written.
    pub tanh_c: &'a mut [F],
    /// (n, H), written.
    pub h: &'a mut [F],
}

impl LstmKernel {
    /// For `w_hh` (4H, H); none if there is no kernel for numbers of this type or this processor.
    ///
    /// # Panics
    /// If `w_hh` is not (4H, H), row-major.
    pub fn new<F: Real>(w_hh: &Array2<F>) -> Option<Self> {
        let (level, n_hidden) = (simd::level(), w_hh.ncols());
        if !kernels::has_kernels(level) {
            return None;
        }
        let from = F::as_f32(w_hh.as_slice().expect("weights lie in row-major order"))?;
        let len = kernels::lstm::packed_len(kernels::lanes(level), n_hidden);
        let mut to = Lent::from(scratch::take((1, len)));
        let blocks = to.as_slice_mut().expect("row-major");
        kernels::run(level, kernels::lstm::Pack { n_hidden, w_hh: from, blocks });
        Some(Self { level, n_hidden, w_hh: to })
    }

    /// a += h' W_hhᵀ, the gates, c, tanh c and h: equations (4) and (5) of `nn`'s `lstm`. A sentence's
    /// numbers do not depend on the sentences beside it.
    ///
    /// # Panics
    /// If the shapes do not fit, or F is not the type of [`LstmKernel::new`].
    pub fn step<F: Real>(&self, step: LstmStep<'_, F>) {
        fn read<F: Real>(x: &[F]) -> &[f32] {
            F::as_f32(x).expect("the kernel was made for f32")
        }
        fn write<F: Real>(x: &mut [F]) -> &mut [f32] {
            F::as_f32_mut(x).expect("the kernel was made for f32")
        }
        let LstmStep { a, h_prev, c_prev, c, tanh_c, h } = step;
        let step = kernels::lstm::Step {
            n_hidden: self.n_hidden,
            w_hh: self.w_hh.as_slice().expect("row-major"),
            a: write(a),
            h_prev: read(h_prev),
            c_prev: read(c_prev),
            c: write(c),
            tanh_c: write(tanh_c),
            h: write(h),
        };
        let alone = [step.h.len(), step.h_prev.len()] == [self.n_hidden; 2];
        if alone {
            kernels::run(self.level, kernels::lstm::Alone(step));
        } else {
            kernels::run(self.level, step);
        }
    }
}
