//! A gradient is believed when finite differences agree.
//!
//! Central differences at two widths, combined so that the error of order ε² cancels (Richardson):
//!
//! ```text
//! D(ε) = (L(w + ε) − L(w − ε)) / 2ε        ∂L/∂w ≈ (4 D(ε) − D(2ε)) / 3
//! ```
//!
//! In `f64` with ε = 5e-4 what is left is about ε⁴ L⁗′/30 ≈ 1e-14 and the rounding of L, about
//! 1e-16 / ε ≈ 2e-13: correct layers agree to 1e-10 or so, while the classic slips show as 0.01 to 1.
//!
//! ```
//! use nn::gradcheck::{assert_gradients, gradcheck};
//! use nn::{Params, dense::Dense};
//!
//! let (layer, x) = (Dense::<f64>::new(3, 2, 1, 0), ndarray::array![[0.1, -0.2, 0.3]]);
//! let loss = |l: &Dense<f64>| l.forward(x.clone()).0.mapv(|y| y * y).sum() / 2.0;
//! let (y, cache) = layer.forward(x.clone());
//! let mut grads = layer.zeros_like();
//! layer.backward(cache, &y, &mut grads); // dL/dy = y
//! assert_gradients(&gradcheck(&layer, &grads, loss), 1e-8);
//! ```

use ndarray::ArrayViewD;
use tensor::Real;

use crate::Params;

/// Half the smaller width of the differences.
pub const EPSILON: f64 = 5e-4;

/// How one tensor's gradient fared: the element where both values are furthest apart.
#[derive(Clone, Debug)]
pub struct Check {
    /// The tensor, e.g. `encoder.0.forward.w_hh`.
    pub name: String,
    /// Shape of the tensor.
    pub shape: Vec<usize>,
    /// How many of its elements were compared.
    pub compared: usize,
    /// Index of the element.
    pub index: Vec<usize>,
    /// Its gradient by differences.
    pub numeric: f64,
    /// Its gradient by `backward`.
    pub analytic: f64,
    /// |numeric − analytic|, relative to the largest gradient of the tensor (absolute if that is < 1e-6).
    pub error: f64,
}

/// Compares every element of every tensor of `grads` with differences of `loss` around `weights`.
/// One [`Check`] a tensor, in the order of the tensors.
pub fn gradcheck<P>(weights: &P, grads: &P, loss: impl Fn(&P) -> f64) -> Vec<Check>
where
    P: Params<f64> + Clone,
{
    gradcheck_at(weights, grads, |_, t| (0..t.len()).collect(), loss)
}

/// As [`gradcheck`], of each tensor only the elements that `pick` names, as places in row-major order,
/// when it is given the tensor's name and its gradient.
pub fn gradcheck_at<P>(
    weights: &P,
    grads: &P,
    mut pick: impl FnMut(&str, &[f64]) -> Vec<usize>,
    loss: impl Fn(&P) -> f64,
) -> Vec<Check>
where
    P: Params<f64> + Clone,
{
    let mut moved = weights.clone();
    let mut checks = Vec::new();
    for (k, (name, analytic)) in grads.tensors().into_iter().enumerate() {
        let places = pick(&name, analytic.to_slice().expect("row-major"));
        let numeric = places.into_iter().map(|i| {
            let start = moved.slices()[k][i];
            let d = difference(|step| {
                moved.slices_mut()[k][i] = start + step;
                loss(&moved)
            });
            moved.slices_mut()[k][i] = start;
            (i, d)
        });
        let numeric = numeric.collect();
        checks.push(compare(name, &analytic, numeric));
    }
    checks
}

/// The same for an input `x` of any shape, whose gradient is `dx`.
///
/// # Panics
/// If `x` and `dx` differ in shape.
pub fn gradcheck_input<D: ndarray::Dimension>(
    name: &str,
    x: &ndarray::Array<f64, D>,
    dx: &ndarray::Array<f64, D>,
    loss: impl Fn(&ndarray::Array<f64, D>) -> f64,
) -> Check {
    assert_eq!(x.shape(), dx.shape(), "an input and its gradient have one shape");
    let mut moved = x.as_standard_layout().to_owned();
    let numeric = (0..x.len()).map(|i| {
        let at = |moved: &mut ndarray::Array<f64, D>, v| {
            moved.as_slice_mut().expect("standard layout")[i] = v;
        };
        let start = moved.as_slice().expect("standard layout")[i];
        let d = difference(|step| {
            at(&mut moved, start + step);
            loss(&moved)
        });
        at(&mut moved, start);
        (i, d)
    });
    let numeric = numeric.collect();
    compare(name.into(), &dx.as_standard_layout().view().into_dyn(), numeric)
}

fn difference(mut loss: impl FnMut(f64) -> f64) -> f64 {
    let mut central = |e: f64| (loss(e) - loss(-e)) / (2.0 * e);
    (4.0 * central(EPSILON) - central(2.0 * EPSILON)) / 3.0
}

/// The worst of the places in row-major order whose differences are `numeric`.
fn compare(name: String, analytic: &ArrayViewD<'_, f64>, numeric: Vec<(usize, f64)>) -> Check {
    let values = analytic.as_slice().expect("row-major");
    let both = values.iter().copied().chain(numeric.iter().map(|(_, n)| *n));
    let largest = both.fold(0.0, |top: f64, v| top.max(v.abs()));
    let scale = if largest < 1e-6 { 1.0 } else { largest };
    let shape = analytic.shape().to_vec();
    let mut worst = Check {
        name,
        index: Vec::new(),
        compared: numeric.len(),
        numeric: 0.0,
        analytic: 0.0,
        error: 0.0,
        shape,
    };
    for (place, n) in numeric {
        let a = values[place];
        let error = (n - a).abs() / scale;
        // A NaN is the worst error there is; `error > worst` alone would pass over it.
        if error > worst.error || error.is_nan() || worst.index.is_empty() {
            let index = index_of(place, &worst.shape);
            worst = Check { index, numeric: n, analytic: a, error, ..worst };
        }
        if error.is_nan() {
            break;
        }
    }
    worst
}

/// The index of a place in row-major order.
fn index_of(mut place: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (at, n) in index.iter_mut().zip(shape).rev() {
        *at = place % n;
        place /= n;
    }
    index
}

/// Panics, naming tensor, index and both values, if a check is worse than `bound`.
#[track_caller]
pub fn assert_gradients(checks: &[Check], bound: f64) {
    for c in checks {
        let Check { name, index, numeric, analytic, error, .. } = c;
        assert!(
            *error < bound,
            "{name}{index:?}   numeric {numeric:.10}   analytic {analytic:.10}   error {error:.1e}"
        );
    }
}

/// Σ r ⊙ y: a loss whose gradient with respect to y is r, for checking a layer by itself. With a
/// random r no two mistakes cancel.
pub fn weighted_sum<F: Real, D: ndarray::Dimension>(
    y: &ndarray::Array<F, D>,
    r: &ndarray::Array<F, D>,
) -> f64 {
    y.iter().zip(r).map(|(y, r)| y.f64() * r.f64()).sum()
}
