//! One walk over the named tensors of a layer: for the optimiser, the checkpoint, the check.

use ndarray::{ArrayViewD, ArrayViewMutD};
use tensor::Real;

/// More tensors than most networks have.
const MANY: usize = 32;

/// A layer's tensors, by name, always in the same order. One struct plays four roles, so the weights,
/// the gradient and both of Adam's moments of a layer give the same names and shapes.
pub trait Params<F: Real> {
    /// Name and values of each tensor, e.g. `forward.w_hh`.
    fn tensors(&self) -> Vec<(String, ArrayViewD<'_, F>)>;

    /// The same, to be changed.
    fn tensors_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, F>)>;

    /// Puts the values of each tensor, flat, behind `all`. Layers do it without making names, which a training
    /// step has no use for.
    fn add_slices_mut<'a>(&'a mut self, all: &mut Vec<&'a mut [F]>) {
        all.extend(self.tensors_mut().into_iter().map(|(_, t)| flat_mut(t)));
    }

    /// The same, to be read.
    fn add_slices<'a>(&'a self, all: &mut Vec<&'a [F]>) {
        all.extend(self.tensors().into_iter().map(|(_, t)| flat(t)));
    }

    /// The values of each tensor, flat, in the same order as [`Params::tensors`].
    fn slices_mut(&mut self) -> Vec<&mut [F]> {
        let mut all = Vec::with_capacity(MANY);
        self.add_slices_mut(&mut all);
        all
    }

    /// The values of each tensor, flat, to be read.
    fn slices(&self) -> Vec<&[F]> {
        let mut all = Vec::with_capacity(MANY);
        self.add_slices(&mut all);
        all
    }

    /// Number of weights.
    fn count(&self) -> usize {
        self.tensors().iter().map(|(_, t)| t.len()).sum()
    }

    /// Sets every value to 0.
    fn clear(&mut self) {
        self.slices_mut().into_iter().for_each(|s| s.fill(F::zero()));
    }

    /// Adds `other`, tensor by tensor.
    fn add(&mut self, other: &Self)
    where
        Self: Sized,
    {
        for (to, from) in self.slices_mut().into_iter().zip(other.slices()) {
            to.iter_mut().zip(from).for_each(|(a, b)| *a += *b);
        }
    }

    /// A value of the same shape, all 0.
    fn zeros_like(&self) -> Self
    where
        Self: Clone,
    {
        let mut zeros = self.clone();
        zeros.clear();
        zeros
    }
}

/// What holds of all weights.
#[doc(hidden)]
pub const ROW_MAJOR: &str = "weights lie in row-major order";

fn flat_mut<F>(t: ArrayViewMutD<'_, F>) -> &mut [F] {
    t.into_slice().expect(ROW_MAJOR)
}

fn flat<F>(t: ArrayViewD<'_, F>) -> &[F] {
    t.to_slice().expect(ROW_MAJOR)
}

/// Puts `part.` before each name: the tensors of a layer inside another.
pub fn within<T>(part: &str, mut tensors: Vec<(String, T)>) -> Vec<(String, T)> {
    tensors.iter_mut().for_each(|(name, _)| *name = format!("{part}.{name}"));
    tensors
}

/// Implements [`Params`] for a struct `Name<F>` whose fields are all arrays.
///
/// ```
/// use nn::Params;
///
/// #[derive(Clone)]
/// struct Scale<F> {
///     by: ndarray::Array1<F>,
/// }
/// nn::params!(Scale { by });
///
/// let layer = Scale { by: ndarray::array![1.0f32, 2.0] };
/// assert_eq!((layer.count(), &layer.tensors()[0].0[..]), (2, "by"));
/// ```
#[macro_export]
macro_rules! params {
    ($layer:ident { $($field:ident),+ }) => {
        impl<F: tensor::Real> $crate::Params<F> for $layer<F> {
            fn tensors(&self) -> Vec<(String, ndarray::ArrayViewD<'_, F>)> {
                vec![$((stringify!($field).into(), self.$field.view().into_dyn())),+]
            }

            fn tensors_mut(&mut self) -> Vec<(String, ndarray::ArrayViewMutD<'_, F>)> {
                vec![$((stringify!($field).into(), self.$field.view_mut().into_dyn())),+]
            }

            fn add_slices<'a>(&'a self, all: &mut Vec<&'a [F]>) {
                $(all.push(self.$field.as_slice().expect($crate::params::ROW_MAJOR));)+
            }

            fn add_slices_mut<'a>(&'a mut self, all: &mut Vec<&'a mut [F]>) {
                $(all.push(self.$field.as_slice_mut().expect($crate::params::ROW_MAJOR));)+
            }
        }
    };
}
