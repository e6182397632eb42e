//! LSTM cell: the part of one time step that is not a matrix product.
//!
//! Hochreiter and Schmidhuber 1997, with the forget gate of Gers, Schmidhuber and Cummins 2000. Gate
//! order i f g o and names as in PyTorch's `nn.LSTM`; Keras writes the same order as i f c o.
//!
//! ```text
//! n sentences · H hidden · c' is c one step earlier in the walk · ⊙ is elementwise · dv is ∂L/∂v
//!
//!      a = [a_i a_f a_g a_o] = x W_ihᵀ + h' W_hhᵀ + b        (n, 4H), made in `lstm`
//! (1)  i = σ(a_i)   f = σ(a_f)   g = tanh(a_g)   o = σ(a_o)   (n, H) each
//! (2)  c = f ⊙ c' + i ⊙ g                                     (n, H)
//! (3)  h = o ⊙ tanh c                                         (n, H)
//!
//! given dh (from the output and from the next step) and dc (from the next step only):
//!
//! (3') do = dh ⊙ tanh c        dc += dh ⊙ o ⊙ (1 − tanh² c)
//! (2') di = dc ⊙ g             df = dc ⊙ c'       dg = dc ⊙ i       dc' = dc ⊙ f
//! (1') da_i = di ⊙ i (1 − i)   da_f = df ⊙ f (1 − f)
//!      da_o = do ⊙ o (1 − o)   da_g = dg ⊙ (1 − g²)
//! ```
//!
//! A sentence that starts at this step has c' = 0.

use tensor::{Real, vectorised};

/// (1)–(3) for n sentences. `a` (n, 4H) becomes the gates [i f g o]; `c`, `tanh_c` and `h` (n, H) are
/// written. `c_prev` (m, H) holds c' of the first m ≤ n sentences; the others start here. All are row-major.
///
/// ```
/// let (mut a, c_prev) = ([0.0f64, 0.0, 1.0, 0.0], [2.0]); // one sentence, one unit: a_i a_f a_g a_o
/// let [mut c, mut tanh_c, mut h] = [[0.0]; 3];
/// nn::lstm_cell::forward(1, &mut a, &c_prev, &mut c, &mut tanh_c, &mut h);
/// assert_eq!(c[0], 0.5 * 2.0 + 0.5 * 1f64.tanh()); // gates are half open at 0
/// assert_eq!(h[0], 0.5 * c[0].tanh());
/// ```
///
/// # Panics
/// If `c`, `tanh_c` or `h` is shorter than n rows.
pub fn forward<F: Real>(
    n_hidden: usize,
    a: &mut [F],
    c_prev: &[F],
    c: &mut [F],
    tanh_c: &mut [F],
    h: &mut [F],
) {
    vectorised(
        #[inline(always)]
        || {
            for (r, a) in a.chunks_exact_mut(4 * n_hidden).enumerate() {
                let row = r * n_hidden..(r + 1) * n_hidden;
                let c_prev = c_prev.get(row.clone());
                let [c, tanh_c, h] = [&mut *c, &mut *tanh_c, &mut *h].map(|v| &mut v[row.clone()]);
                forward_row(split(n_hidden, a), c_prev, c, tanh_c, h);
            }
        },
    );
}

/// (1)–(3) for one sentence.
#[inline(always)]
fn forward_row<F: Real>(
    [i, f, g, o]: [&mut [F]; 4],
    c_prev: Option<&[F]>,
    c: &mut [F],
    tanh_c: &mut [F],
    h: &mut [F],
) {
    for u in 0..h.len() {
        i[u] = i[u].sigmoid(); // (1)
        f[u] = f[u].sigmoid();
        g[u] = g[u].tanh_fast();
        o[u] = o[u].sigmoid();
        let kept = c_prev.map_or(F::zero(), |c_prev| f[u] * c_prev[u]);
        c[u] = kept + i[u] * g[u]; // (2)
        tanh_c[u] = c[u].tanh_fast();
        h[u] = o[u] * tanh_c[u]; // (3)
    }
}

/// (3')–(1') for n sentences. `gates` (n, 4H), as [`forward`] left them, become da. `dc` (n, H) comes in
/// from the next step and leaves as dc', for the step before; `dh` (n, H) is all that h gets, from the output and
/// from the next step. `c_prev` and `tanh_c` are those of [`forward`].
///
/// # Panics
/// If `tanh_c`, `dh` or `dc` is shorter than n rows.
pub fn backward<F: Real>(
    n_hidden: usize,
    gates: &mut [F],
    c_prev: &[F],
    tanh_c: &[F],
    dh: &[F],
    dc: &mut [F],
) {
    vectorised(
        #[inline(always)]
        || {
            for (r, gates) in gates.chunks_exact_mut(4 * n_hidden).enumerate() {
                let row = r * n_hidden..(r + 1) * n_hidden;
                let c_prev = c_prev.get(row.clone());
                let [tanh_c, dh] = [tanh_c, dh].map(|v| &v[row.clone()]);
                backward_row(split(n_hidden, gates), c_prev, tanh_c, dh, &mut dc[row]);
            }
        },
    );
}

/// (3')–(1') for one sentence.
#[inline(always)]
fn backward_row<F: Real>(
    [i, f, g, o]: [&mut [F]; 4],
    c_prev: Option<&[F]>,
    tanh_c: &[F],
    dh: &[F],
    dc: &mut [F],
) {
    let one = F::one();
    for u in 0..dc.len() {
        let d_o = dh[u] * tanh_c[u]; // (3')
        dc[u] += dh[u] * o[u] * (one - tanh_c[u] * tanh_c[u]);
        let d_i = dc[u] * g[u]; // (2')
        let d_f = c_prev.map_or(F::zero(), |c_prev| dc[u] * c_prev[u]);
        let d_g = dc[u] * i[u];
        dc[u] *= f[u];
        i[u] = d_i * i[u] * (one - i[u]); // (1')
        f[u] = d_f * f[u] * (one - f[u]);
        g[u] = d_g * (one - g[u] * g[u]);
        o[u] = d_o * o[u] * (one - o[u]);
    }
}

/// One row (4H) as its four gates i, f, g, o (H each).
#[inline(always)]
fn split<F>(n_hidden: usize, row: &mut [F]) -> [&mut [F]; 4] {
    let (i_f, g_o) = row.split_at_mut(2 * n_hidden);
    let (i, f) = i_f.split_at_mut(n_hidden);
    let (g, o) = g_o.split_at_mut(n_hidden);
    [i, f, g, o].map(|gate| &mut gate[..n_hidden])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck::{assert_gradients, gradcheck_input, weighted_sum};
    use crate::testing::normal;
    use ndarray::{Array2, s};

    const H: usize = 3;

    /// c and h (n, H) of a (n, 4H) and c' (m, H).
    fn cell(a: &Array2<f64>, c_prev: &Array2<f64>) -> [Array2<f64>; 4] {
        let mut gates = a.clone();
        let [mut c, mut tanh_c, mut h] = [(); 3].map(|()| Array2::zeros((a.nrows(), H)));
        forward(
            H,
            gates.as_slice_mut().unwrap(),
            c_prev.as_slice().unwrap(),
            c.as_slice_mut().unwrap(),
            tanh_c.as_slice_mut().unwrap(),
            h.as_slice_mut().unwrap(),
        );
        [gates, c, tanh_c, h]
    }

    #[test]
    fn backward_agrees_with_central_differences() {
        // Three sentences, of which two bring a state and one starts here.
        let (a, c_prev) = (normal(0, 3, 4 * H), normal(1, 2, H));
        let (r_h, r_c) = (normal(2, 3, H), normal(3, 3, H));
        let [mut da, _, tanh_c, _] = cell(&a, &c_prev);
        let mut dc = r_c.clone();
        backward(
            H,
            da.as_slice_mut().unwrap(),
            c_prev.as_slice().unwrap(),
            tanh_c.as_slice().unwrap(),
            r_h.as_slice().unwrap(),
            dc.as_slice_mut().unwrap(),
        );
        let loss = |a: &Array2<f64>, c_prev: &Array2<f64>| {
            let [_, c, _, h] = cell(a, c_prev);
            weighted_sum(&h, &r_h) + weighted_sum(&c, &r_c)
        };
        let dc_prev = dc.slice(s![..2, ..]).to_owned();
        let checks = [
            gradcheck_input("da", &a, &da, |a| loss(a, &c_prev)),
            gradcheck_input("dc_prev", &c_prev, &dc_prev, |c_prev| loss(&a, c_prev)),
        ];
        assert_gradients(&checks, 1e-8);
    }
}
