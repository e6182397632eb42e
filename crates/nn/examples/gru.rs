//! A layer of your own, in one file: the GRU (Cho et al. 2014), in PyTorch's form.
//!
//! Run it with `cargo run --release -p longhand-nn --example gru`: it prints how far its gradients are from
//! central differences. `cargo test --release -p longhand-nn --example gru` runs the tests below. Nothing
//! but the public interfaces of `nn` and `tensor` is used; docs/reading.md walks through it.
//!
//! ```text
//! N tokens · B sentences · D input · H hidden · n_t sentences run at step t · dv is ∂L/∂v
//! h' is h one step earlier in the walk, 0 for a sentence that starts here
//!
//! (1)  a = [a_r a_z a_n] = x W_ihᵀ + b_ih        (N, 3H)   all steps at once
//! for each step of the walk:
//! (2)  s = [s_r s_z s_n] = h' W_hhᵀ + b_hh       (n_t, 3H)
//! (3)  r = σ(a_r + s_r)   z = σ(a_z + s_z)       (n_t, H)
//! (4)  n = tanh(a_n + r ⊙ s_n)                   (n_t, H)  r gates the product, bias and all
//! (5)  h = (1 − z) ⊙ n + z ⊙ h'                  (n_t, H)
//!
//! against the walk, dh from the output and from the next step:
//! (5') dn = dh ⊙ (1 − z)     dz = dh ⊙ (h' − n)     dh' = dh ⊙ z
//! (4') da_n = dn ⊙ (1 − n²)  dr = da_n ⊙ s_n        ds_n = da_n ⊙ r
//! (3') da_r = ds_r = dr ⊙ r (1 − r)                 da_z = ds_z = dz ⊙ z (1 − z)
//! (2') dh' += ds W_hh
//! all steps at once:
//! (2') dW_hh += dsᵀ h'    db_hh += Σ_N ds
//! (1') dW_ih += daᵀ x     db_ih += Σ_N da           dx = da W_ih
//! ```

use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use nn::{Direction, Packing};
use tensor::random::{Purpose, Stream};
use tensor::{Real, add_dot, add_rows, dot, dot_bias, init};

/// Weights, in PyTorch's layout and gate order r z n. Two biases: r stands between those of n.
#[derive(Clone, Debug)]
pub struct Gru<F> {
    /// (3H, D)
    pub w_ih: Array2<F>,
    /// (3H, H)
    pub w_hh: Array2<F>,
    /// (3H)
    pub b_ih: Array1<F>,
    /// (3H)
    pub b_hh: Array1<F>,
}

nn::params!(Gru { w_ih, w_hh, b_ih, b_hh });

/// What `backward` needs of `forward`, and nothing else.
#[derive(Debug)]
pub struct Cache<F> {
    packing: Packing,
    direction: Direction,
    x: Array2<F>,      // (N, D)   for dW_ih
    h_prev: Array2<F>, // (N, H)   for dz and dW_hh
    gates: Array2<F>,  // (N, 3H)  r z n
    s_n: Array2<F>,    // (N, H)   for dr
}

impl<F: Real> Gru<F> {
    /// Glorot-uniform input weights, orthogonal recurrent weights, biases 0. `index` names the layer.
    pub fn new(n_in: usize, n_hidden: usize, seed: u64, index: u16) -> Self {
        let mut stream = Stream::numbered(seed, Purpose::Weights, index, 0, 0);
        let w_ih = init::glorot_uniform(3 * n_hidden, n_in, &mut stream);
        let w_hh = init::orthogonal(3 * n_hidden, n_hidden, &mut stream);
        let b = Array1::zeros(3 * n_hidden);
        Self { w_ih, w_hh, b_ih: b.clone(), b_hh: b }
    }

    /// Width of the state and the output, H.
    pub fn n_hidden(&self) -> usize {
        self.w_hh.ncols()
    }

    /// `x` (N, D) → h (N, H), both laid out by `packing`.
    pub fn forward(
        &self,
        x: Array2<F>,
        packing: &Packing,
        direction: Direction,
    ) -> (Array2<F>, Cache<F>) {
        assert_eq!(x.dim(), (packing.rows(), self.w_ih.ncols()), "x is (tokens, input width)");
        let n_hidden = self.n_hidden();
        let mut gates = dot_bias(&x, &self.w_ih.t(), &self.b_ih); // (1)
        let [mut h, mut h_prev, mut s_n] =
            [(); 3].map(|()| Array2::zeros((packing.rows(), n_hidden)));
        for step in direction.walk(packing) {
            let carried = h.slice(s![step.prev.clone(), ..]).to_owned();
            let began = step.rows.start..step.rows.start + step.carried();
            h_prev.slice_mut(s![began, ..]).assign(&carried); // the others start from 0
            let h_before = h_prev.slice(s![step.rows.clone(), ..]);
            let s = dot_bias(&h_before, &self.w_hh.t(), &self.b_hh); // (2)
            for (row, s) in step.rows.zip(s.rows()) {
                let [s_r, s_z, s_new] = [0, 1, 2].map(|k| k * n_hidden);
                for u in 0..n_hidden {
                    let g = &mut gates.row_mut(row);
                    let r = (g[s_r + u] + s[s_r + u]).sigmoid(); // (3)
                    let z = (g[s_z + u] + s[s_z + u]).sigmoid();
                    let n = (g[s_new + u] + r * s[s_new + u]).tanh_fast(); // (4)
                    h[[row, u]] = (F::one() - z) * n + z * h_prev[[row, u]]; // (5)
                    (g[s_r + u], g[s_z + u], g[s_new + u]) = (r, z, n);
                    s_n[[row, u]] = s[s_new + u];
                }
            }
        }
        (h, Cache { packing: packing.clone(), direction, x, h_prev, gates, s_n })
    }

    /// `dy` (N, H), the gradient of the output → dx (N, D). Adds to `grads`.
    pub fn backward(&self, cache: Cache<F>, dy: ArrayView2<'_, F>, grads: &mut Self) -> Array2<F> {
        let Cache { packing, direction, x, h_prev, gates, s_n } = cache;
        let (n_hidden, one) = (self.n_hidden(), F::one());
        assert_eq!(dy.dim(), (packing.rows(), n_hidden), "dy is shaped like h");
        let mut da = Array2::zeros(gates.raw_dim());
        let mut ds = Array2::zeros(gates.raw_dim());
        // Row r is sentence r: its dh on the way from step to step.
        let mut dh = Array2::zeros((packing.sentences(), n_hidden));
        for step in direction.walk(&packing).rev() {
            let mut running = dh.slice_mut(s![..step.running(), ..]);
            running += &dy.slice(s![step.rows.clone(), ..]);
            for (r_row, row) in step.rows.clone().enumerate() {
                for u in 0..n_hidden {
                    let [at_r, at_z, at_n] = [0, 1, 2].map(|k| [row, k * n_hidden + u]);
                    let (r, z, n, dh) =
                        (gates[at_r], gates[at_z], gates[at_n], &mut dh[[r_row, u]]);
                    let dn = *dh * (one - z); // (5')
                    let dz = *dh * (h_prev[[row, u]] - n);
                    *dh *= z;
                    da[at_n] = dn * (one - n * n); // (4')
                    let dr = da[at_n] * s_n[[row, u]];
                    ds[at_n] = da[at_n] * r;
                    da[at_r] = dr * r * (one - r); // (3')
                    da[at_z] = dz * z * (one - z);
                    (ds[at_r], ds[at_z]) = (da[at_r], da[at_z]);
                }
            }
            let carried = step.rows.start..step.rows.start + step.carried();
            let mut dh_prev = dh.slice_mut(s![..step.carried(), ..]);
            add_dot(&mut dh_prev, &ds.slice(s![carried, ..]), &self.w_hh); // (2')
        }
        add_dot(&mut grads.w_hh, &ds.t(), &h_prev); // (2')
        add_rows(&mut grads.b_hh, &ds);
        add_dot(&mut grads.w_ih, &da.t(), &x); // (1')
        add_rows(&mut grads.b_ih, &da);
        dot(&da, &self.w_ih)
    }
}

/// Numbers between −1 and 1; `which` names the draw.
fn draw(which: u32, rows: usize, columns: usize) -> Array2<f64> {
    init::uniform(rows, columns, 1.0, &mut Stream::new(7, Purpose::Test, which, 0))
}

/// A layer whose every weight matters.
fn layer(n_in: usize, n_hidden: usize) -> Gru<f64> {
    let [b_ih, b_hh] = [2, 3].map(|which| draw(which, 1, 3 * n_hidden).remove_axis(Axis(0)));
    Gru { w_ih: draw(0, 3 * n_hidden, n_in), w_hh: draw(1, 3 * n_hidden, n_hidden), b_ih, b_hh }
}

/// Every gradient against central differences, for sentences of these lengths.
fn checks(lengths: &[usize], direction: Direction) -> Vec<nn::gradcheck::Check> {
    use nn::Params;
    use nn::gradcheck::{gradcheck, gradcheck_input, weighted_sum};
    let (layer, packing) = (layer(3, 2), Packing::new(lengths.to_vec()));
    let (x, dy) = (draw(4, packing.rows(), 3), draw(5, packing.rows(), 2));
    let loss = |l: &Gru<f64>, x: &Array2<f64>| {
        weighted_sum(&l.forward(x.clone(), &packing, direction).0, &dy)
    };
    let mut grads = layer.zeros_like();
    let cache = layer.forward(x.clone(), &packing, direction).1;
    let dx = layer.backward(cache, dy.view(), &mut grads);
    let mut checks = gradcheck(&layer, &grads, |l| loss(l, &x));
    checks.push(gradcheck_input("dx", &x, &dx, |x| loss(&layer, x)));
    checks
}

fn main() {
    for direction in [Direction::Forward, Direction::Backward] {
        println!("{direction:?}, sentences of 5, 3, 3 and 1 tokens");
        for c in checks(&[5, 3, 3, 1], direction) {
            println!("  {:5} {:8} largest error {:.1e}", c.name, format!("{:?}", c.shape), c.error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nn::gradcheck::assert_gradients;

    #[test]
    fn backward_agrees_with_central_differences_on_ragged_lengths_in_both_directions() {
        for lengths in [&[5, 3, 3, 1][..], &[4, 4], &[1], &[2], &[2, 1, 1]] {
            for direction in [Direction::Forward, Direction::Backward] {
                assert_gradients(&checks(lengths, direction), 1e-8);
            }
        }
    }

    /// The equations of `torch.nn.GRU`'s documentation, one number at a time.
    fn by_the_documentation(l: &Gru<f64>, x: &[Array1<f64>]) -> Vec<Array1<f64>> {
        let h = l.n_hidden();
        let part = |w: &Array2<f64>, k: usize| w.slice(s![k * h..(k + 1) * h, ..]).to_owned();
        let of = |b: &Array1<f64>, k: usize| b.slice(s![k * h..(k + 1) * h]).to_owned();
        let sigmoid = |a: Array1<f64>| a.mapv(|v| 1.0 / (1.0 + (-v).exp()));
        let mut h_t = Array1::zeros(h);
        let step = |x_t: &Array1<f64>| {
            let input = |k| part(&l.w_ih, k).dot(x_t) + of(&l.b_ih, k);
            let hidden = |k| part(&l.w_hh, k).dot(&h_t) + of(&l.b_hh, k);
            let r = sigmoid(input(0) + hidden(0));
            let z = sigmoid(input(1) + hidden(1));
            let n = (input(2) + r * hidden(2)).mapv(f64::tanh);
            h_t = (1.0 - &z) * n + z * &h_t;
            h_t.clone()
        };
        x.iter().map(step).collect()
    }

    #[test]
    fn forward_is_pytorchs_gru_for_each_sentence_by_itself() {
        let (layer, packing) = (layer(3, 2), Packing::new(vec![5, 3, 1]));
        let x = draw(4, packing.rows(), 3);
        for direction in [Direction::Forward, Direction::Backward] {
            let (y, _) = layer.forward(x.clone(), &packing, direction);
            for (r, &n) in packing.lengths().iter().enumerate() {
                let mut rows: Vec<usize> = (0..n).map(|t| packing.row(r, t)).collect();
                if direction == Direction::Backward {
                    rows.reverse();
                }
                let sentence: Vec<_> = rows.iter().map(|&row| x.row(row).to_owned()).collect();
                for (row, want) in rows.into_iter().zip(by_the_documentation(&layer, &sentence)) {
                    assert!((&y.row(row) - &want).iter().all(|d| d.abs() < 1e-14));
                }
            }
        }
    }

    /// ```python
    /// torch.set_default_dtype(torch.float64)  # torch 2.15.0
    /// def ramp(*shape, k):
    ///     return (torch.arange(math.prod(shape)) * k % 7 - 3).reshape(shape) / 4.0
    /// g = torch.nn.GRU(2, 2)
    /// with torch.no_grad():
    ///     g.weight_ih_l0.copy_(ramp(6, 2, k=3)); g.weight_hh_l0.copy_(ramp(6, 2, k=5))
    ///     g.bias_ih_l0.copy_(ramp(6, k=2)); g.bias_hh_l0.copy_(ramp(6, k=4))
    /// x = ramp(3, 2, k=6).requires_grad_()
    /// h, _ = g(x)
    /// (h * ramp(3, 2, k=3)).sum().backward()
    /// print(h, x.grad, g.weight_hh_l0.grad, g.bias_hh_l0.grad)
    /// ```
    #[test]
    fn values_and_gradients_are_those_of_pytorch() {
        let ramp = |rows: usize, columns: usize, k: usize| {
            let value = |i: usize| ((i * k % 7) as f64 - 3.0) / 4.0;
            Array2::from_shape_fn((rows, columns), |(i, j)| value(i * columns + j))
        };
        let [b_ih, b_hh] = [2, 4].map(|k| ramp(1, 6, k).remove_axis(Axis(0)));
        let layer = Gru { w_ih: ramp(6, 2, 3), w_hh: ramp(6, 2, 5), b_ih, b_hh };
        let packing = Packing::new(vec![3]);
        let (h, cache) = layer.forward(ramp(3, 2, 6), &packing, Direction::Forward);
        let mut grads = nn::Params::zeros_like(&layer);
        let dx = layer.backward(cache, ramp(3, 2, 3).view(), &mut grads);
        let same = |name: &str, got: &[f64], want: &[f64]| {
            let near = got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-14);
            assert!(near && got.len() == want.len(), "{name}: {got:?}, not {want:?}");
        };
        same("h", h.as_slice().unwrap(), &H_TORCH);
        same("dx", dx.as_slice().unwrap(), &DX_TORCH);
        same("dw_hh", grads.w_hh.as_slice().unwrap(), &DW_HH_TORCH);
        same("db_hh", grads.b_hh.as_slice().unwrap(), &DB_HH_TORCH);
    }

    #[rustfmt::skip]
    const H_TORCH: [f64; 6] = [-0.00573971674184763, 0.251357202932861, -0.176593509994649,
        0.311074475071819, -0.431270375914369, 0.323727008814706];
    #[rustfmt::skip]
    const DX_TORCH: [f64; 6] = [0.0320844249992075, -0.161182565566815, 0.0732350857861814,
        0.241259765764808, 0.0421326663257581, 0.045121709454418];
    #[rustfmt::skip]
    const DW_HH_TORCH: [f64; 12] = [0.00177303790819245, -0.00690208060799948, 0.00473393741480241,
        -0.0160176864115547, -0.0107425689813816, 0.0402075705703799, -0.00103197124708984,
        0.00870715703032218, -0.00687358095985017, 0.0296615659851238, 0.0085449573499801,
        -0.0330413118996462];
    #[rustfmt::skip]
    const DB_HH_TORCH: [f64; 6] = [-0.0218993685978108, -0.0756496470750125, 0.146053030643851,
        0.115678147333543, 0.0909760743059129, -0.155962237339533];

    #[test]
    fn single_and_double_precision_agree() {
        let (layer, packing) = (layer(3, 2), Packing::new(vec![5, 3, 1]));
        let x = draw(4, packing.rows(), 3);
        let single = Gru {
            w_ih: layer.w_ih.mapv(|w| w as f32),
            w_hh: layer.w_hh.mapv(|w| w as f32),
            b_ih: layer.b_ih.mapv(|w| w as f32),
            b_hh: layer.b_hh.mapv(|w| w as f32),
        };
        let (y, _) = layer.forward(x.clone(), &packing, Direction::Forward);
        let (y_32, _) = single.forward(x.mapv(|v| v as f32), &packing, Direction::Forward);
        assert!(y.iter().zip(&y_32).all(|(a, b)| (a - f64::from(*b)).abs() < 1e-6));
    }
}
