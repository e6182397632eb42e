//! The kernels at every level that this machine runs, against plain arithmetic in f64.
//!
//! Errors are held against what rounding alone may do: a sum of k products, each term and each addition
//! rounded once, is off by at most (k + 1) u Σ|aᵢ bᵢ| with u = 2⁻²⁴ (Higham, "Accuracy and Stability of
//! Numerical Algorithms", section 3.1), whatever the order.

use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use proptest::prelude::*;
use tensor::random::{Purpose, Stream};
use tensor::simd::{Level, with_level};
use tensor::{LstmKernel, LstmStep, Real, add_dot, dot, dot_bias, init, scratch};

/// Unit roundoff of `f32`.
const U: f64 = 1.0 / (1 << 24) as f64;

/// (rows, columns) spread evenly in ±1; `which` names the draw.
fn matrix(which: u32, rows: usize, columns: usize) -> Array2<f32> {
    init::uniform(rows, columns, 1.0, &mut Stream::new(11, Purpose::Test, which, 0))
}

fn wide(a: ArrayView2<'_, f32>) -> Array2<f64> {
    a.mapv(f64::from)
}

/// start + A B in f64, and the error that is allowed to each number of it.
fn oracle(
    start: Array2<f64>,
    a: ArrayView2<'_, f32>,
    b: ArrayView2<'_, f32>,
) -> (Array2<f64>, Array2<f64>) {
    let (a, b) = (wide(a), wide(b));
    let size = a.mapv(f64::abs).dot(&b.mapv(f64::abs)) + start.mapv(f64::abs);
    let bound = size * (U * (a.ncols() + 2) as f64);
    (start + a.dot(&b), bound)
}

#[track_caller]
fn assert_within(what: &str, got: &Array2<f32>, (want, bound): &(Array2<f64>, Array2<f64>)) {
    assert_eq!(got.dim(), want.dim(), "{what}");
    for ((i, j), &v) in got.indexed_iter() {
        let error = (f64::from(v) - want[[i, j]]).abs();
        assert!(error <= bound[[i, j]], "{what}[{i}, {j}] = {v}, not {}", want[[i, j]]);
    }
}

fn bits(a: ArrayView2<'_, f32>) -> Vec<u32> {
    a.iter().map(|v| v.to_bits()).collect()
}

/// All products with operands of these sizes, lying every way that the layers use.
fn check_products(m: usize, k: usize, n: usize) {
    let (a, at) = (matrix(0, m, k), matrix(1, k, m));
    let (b, bt) = (matrix(2, k, n), matrix(3, n, k));
    let (c, bias) = (matrix(4, m, n), matrix(5, 1, n).row(0).to_owned());
    let zeros = || Array2::<f64>::zeros((m, n));
    for level in Level::available() {
        with_level(level, || {
            let what = |name: &str| format!("{name} of ({m}, {k}) and ({k}, {n}) at {level}");
            assert_within(&what("A B"), &dot(&a, &b), &oracle(zeros(), a.view(), b.view()));
            assert_within(&what("A Bᵀ"), &dot(&a, &bt.t()), &oracle(zeros(), a.view(), bt.t()));
            let each_row: Array1<f64> = bias.mapv(f64::from);
            let want = oracle(zeros() + &each_row, a.view(), bt.t());
            assert_within(&what("A Bᵀ + b"), &dot_bias(&a, &bt.t(), &bias), &want);
            let mut sum = c.clone();
            add_dot(&mut sum, &at.t(), &b);
            assert_within(&what("C + Aᵀ B"), &sum, &oracle(wide(c.view()), at.t(), b.view()));
        });
    }
}

#[test]
fn products_of_small_sizes_are_within_rounding_of_f64_at_every_level() {
    for m in 0..9 {
        for k in [0, 1, 2, 5] {
            for n in [0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65] {
                check_products(m, k, n);
            }
        }
    }
}

#[test]
fn products_of_a_networks_sizes_are_within_rounding_of_f64_at_every_level() {
    for (m, k, n) in [(350, 64, 256), (256, 350, 64), (350, 256, 128), (70, 64, 17), (13, 100, 400)]
    {
        check_products(m, k, n);
    }
}

#[test]
fn operands_that_do_not_lie_in_one_piece_are_multiplied_as_well() {
    let (a, b, c) = (matrix(0, 9, 40), matrix(1, 40, 60), matrix(2, 9, 70));
    for level in Level::available() {
        with_level(level, || {
            let (a, b) = (a.slice(s![1..8, 3..33]), b.slice(s![5..35, 10..40; -1]));
            let mut sum = c.clone();
            add_dot(&mut sum.slice_mut(s![2.., 20..50]), &a, &b);
            let want = oracle(wide(c.slice(s![2.., 20..50])), a, b);
            assert_within("part", &sum.slice(s![2.., 20..50]).to_owned(), &want);
            assert_eq!(sum.slice(s![..2, ..]), c.slice(s![..2, ..]));
            assert_eq!(sum.slice(s![.., ..20]), c.slice(s![.., ..20]));
            assert_eq!(sum.slice(s![.., 50..]), c.slice(s![.., 50..]));
        });
    }
}

#[test]
fn a_row_of_a_product_has_the_same_bits_whatever_rows_are_beside_it() {
    for (k, n) in [(64, 256), (300, 64), (17, 33), (128, 17)] {
        let (a, b, bt) = (matrix(0, 40, k), matrix(1, k, n), matrix(2, n, k));
        let bias = matrix(3, 1, n).row(0).to_owned();
        for level in Level::available() {
            with_level(level, || {
                let whole = [dot(&a, &b), dot(&a, &bt.t()), dot_bias(&a, &bt.t(), &bias)];
                for first in [0, 1, 7, 39] {
                    for rows in 1..=(40 - first).min(14) {
                        let a = a.slice(s![first..first + rows, ..]);
                        let part = [dot(&a, &b), dot(&a, &bt.t()), dot_bias(&a, &bt.t(), &bias)];
                        for (part, whole) in part.iter().zip(&whole) {
                            let whole = whole.slice(s![first..first + rows, ..]);
                            assert_eq!(bits(part.view()), bits(whole), "{rows} rows at {level}");
                        }
                    }
                }
            });
        }
    }
}

/// A number of a product is one chain of fused additions over k, and the gates are the same arithmetic lane by lane,
/// however many lanes there are.
#[test]
fn vectors_of_eight_and_of_sixteen_numbers_give_the_same_bits() {
    let levels = [Level::Avx2, Level::Avx512];
    if !levels.iter().all(|level| level.is_available()) {
        println!("skipped: this processor has not both of AVX2 and AVX-512");
        return;
    }
    for (m, k, n) in [(1, 1, 1), (7, 33, 17), (70, 64, 17), (350, 500, 256), (13, 100, 400)] {
        let (a, at) = (matrix(0, m, k), matrix(1, k, m));
        let (b, bt) = (matrix(2, k, n), matrix(3, n, k));
        let (c, bias) = (matrix(4, m, n), matrix(5, 1, n).row(0).to_owned());
        let [eight, sixteen] = levels.map(|level| {
            with_level(level, || {
                let mut sum = c.clone();
                add_dot(&mut sum, &at.t(), &b);
                let products = [dot(&a, &b), dot(&a, &bt.t()), dot_bias(&a, &bt.t(), &bias), sum];
                products.map(|product| bits(product.view()))
            })
        });
        assert!(eight == sixteen, "products of ({m}, {k}) and ({k}, {n})");
    }
    for (n, m, n_hidden) in [(1, 0, 1), (5, 3, 17), (13, 13, 64), (32, 20, 100)] {
        let case = Case::new(n, m, n_hidden, 3.0);
        let [eight, sixteen] = levels.map(|level| {
            let made = with_level(level, || case.run()).expect("a kernel at every level");
            [made.gates, made.c, made.tanh_c, made.h].map(|a| bits(a.view()))
        });
        assert!(eight == sixteen, "a step of {n} sentences with {n_hidden} units");
    }
}

#[test]
#[should_panic(expected = "(2, 3) times (4, 5) into (2, 5)")]
fn sizes_that_do_not_fit_are_refused_with_both_named() {
    dot(&Array2::<f32>::zeros((2, 3)), &Array2::zeros((4, 5)));
}

/// What a step writes.
#[derive(Clone, Debug, PartialEq)]
struct Written<F> {
    gates: Array2<F>,
    c: Array2<F>,
    tanh_c: Array2<F>,
    h: Array2<F>,
}

/// n sentences of H units, of which the first m bring a state.
struct Case {
    w_hh: Array2<f32>,
    a: Array2<f32>,
    h_prev: Array2<f32>,
    c_prev: Array2<f32>,
}

impl Case {
    fn new(n: usize, m: usize, n_hidden: usize, scale: f32) -> Self {
        Self {
            w_hh: matrix(0, 4 * n_hidden, n_hidden),
            a: matrix(1, n, 4 * n_hidden) * scale,
            h_prev: matrix(2, m, n_hidden),
            c_prev: matrix(3, m, n_hidden) * scale,
        }
    }

    /// By the kernel; what it does not write stays NaN.
    fn run(&self) -> Option<Written<f32>> {
        let kernel = LstmKernel::new(&self.w_hh)?;
        let shape = (self.a.nrows(), self.w_hh.ncols());
        let [mut c, mut tanh_c, mut h] = [(); 3].map(|()| Array2::from_elem(shape, f32::NAN));
        let mut gates = self.a.clone();
        kernel.step(LstmStep {
            a: gates.as_slice_mut().unwrap(),
            h_prev: self.h_prev.as_slice().unwrap(),
            c_prev: self.c_prev.as_slice().unwrap(),
            c: c.as_slice_mut().unwrap(),
            tanh_c: tanh_c.as_slice_mut().unwrap(),
            h: h.as_slice_mut().unwrap(),
        });
        Some(Written { gates, c, tanh_c, h })
    }

    /// By the equations, in f64.
    fn oracle(&self) -> Written<f64> {
        let (n, m, n_hidden) = (self.a.nrows(), self.h_prev.nrows(), self.w_hh.ncols());
        let mut gates = wide(self.a.view());
        let product = wide(self.h_prev.view()).dot(&wide(self.w_hh.view()).t());
        gates.slice_mut(s![..m, ..]).zip_mut_with(&product, |a, p| *a += p);
        let mut c = Array2::zeros((n, n_hidden));
        for r in 0..n {
            for u in 0..n_hidden {
                for (gate, is_g) in [(0, false), (1, false), (2, true), (3, false)] {
                    let a = &mut gates[[r, gate * n_hidden + u]];
                    *a = if is_g { a.tanh() } else { a.sigmoid() };
                }
                let gate = |k: usize| gates[[r, k * n_hidden + u]];
                let c_prev = if r < m { f64::from(self.c_prev[[r, u]]) } else { 0.0 };
                c[[r, u]] = gate(1) * c_prev + gate(0) * gate(2);
            }
        }
        let tanh_c = c.mapv(f64::tanh);
        let h = &gates.slice(s![.., 3 * n_hidden..]) * &tanh_c;
        Written { gates, c, tanh_c, h }
    }

    /// Largest error of the step at the level in force, in units of what may be expected.
    #[track_caller]
    fn check(&self) {
        let Some(got) = self.run() else { return };
        let want = self.oracle();
        // The product's own error passes through functions of slope ≤ 1; each function adds its
        // stated error, 4.5e-7 at most, and c' makes that of the forget gate larger.
        let product = U * (self.w_hh.ncols() + 2) as f64 * (self.w_hh.ncols() + 1) as f64;
        let c_prev = self.c_prev.iter().fold(1.0, |top: f64, &v| top.max(f64::from(v.abs())));
        let bound = (product + 6e-7) * (c_prev + 2.0);
        let pairs = [
            ("gates", got.gates, want.gates),
            ("c", got.c, want.c),
            ("tanh c", got.tanh_c, want.tanh_c),
            ("h", got.h, want.h),
        ];
        for (name, got, want) in pairs {
            for (place, &v) in got.indexed_iter() {
                let error = (f64::from(v) - want[place]).abs();
                assert!(error <= bound, "{name}{place:?} = {v}, not {}", want[place]);
            }
        }
    }
}

#[test]
fn a_fused_step_agrees_with_the_equations_in_f64_at_every_level() {
    for level in Level::available() {
        with_level(level, || {
            for n_hidden in [1, 2, 3, 7, 8, 9, 15, 16, 17, 24, 33, 50, 64, 100] {
                for n in [0, 1, 2, 3, 4, 5, 6, 7, 13] {
                    for m in [0, n / 2, n] {
                        Case::new(n, m, n_hidden, 1.0).check();
                    }
                }
            }
            // Gates far into saturation.
            Case::new(5, 4, 20, 60.0).check();
        });
    }
}

#[test]
fn every_level_above_the_portable_one_has_a_fused_step_for_f32_and_none_for_f64() {
    for level in Level::available() {
        with_level(level, || {
            let kernel = LstmKernel::new(&matrix(0, 8, 2));
            assert_eq!(kernel.is_some(), level != Level::Portable);
            assert!(LstmKernel::new(&Array2::<f64>::zeros((8, 2))).is_none());
        });
    }
}

#[test]
fn a_sentences_step_has_the_same_bits_whatever_sentences_are_beside_it() {
    for n_hidden in [5, 16, 64] {
        let all = Case::new(13, 11, n_hidden, 1.0);
        for level in Level::available() {
            with_level(level, || {
                let Some(together) = all.run() else { return };
                for r in 0..13 {
                    let row = |a: &Array2<f32>| a.slice(s![r..r + 1, ..]).to_owned();
                    let state = |a: &Array2<f32>| {
                        if r < 11 { row(a) } else { Array2::zeros((0, n_hidden)) }
                    };
                    let alone = Case {
                        w_hh: all.w_hh.clone(),
                        a: row(&all.a),
                        h_prev: state(&all.h_prev),
                        c_prev: state(&all.c_prev),
                    };
                    let alone = alone.run().unwrap();
                    assert_eq!(bits(alone.h.view()), bits(row(&together.h).view()), "{level}");
                    assert_eq!(bits(alone.c.view()), bits(row(&together.c).view()), "{level}");
                }
            });
        }
    }
}

#[test]
fn saturated_gates_are_neither_zero_nor_subnormal_and_nan_stays_nan() {
    for level in Level::available() {
        with_level(level, || {
            let mut case = Case::new(2, 0, 20, 0.0);
            case.a.row_mut(0).fill(-1e4);
            case.a.row_mut(1).fill(f32::NAN);
            let Some(got) = case.run() else { return };
            let sigmoids = got.gates.slice(s![0, ..20]);
            assert!(sigmoids.iter().all(|&v| v > 0.0 && v.is_normal() && v < 2e-7));
            assert!(got.gates.slice(s![0, 40..60]).iter().all(|&v| v < 0.0 && v > -1.0));
            assert!(got.h.row(1).iter().all(|v| v.is_nan()));
        });
    }
}

#[test]
fn memory_left_from_other_uses_does_not_leak_into_results() {
    for level in Level::available() {
        with_level(level, || {
            let (a, b) = (matrix(0, 5, 7), matrix(1, 9, 7));
            let clean = dot(&a, &b.t());
            for size in [3, 45, 63, 4096, 5000] {
                let mut dirty = scratch::take((1, size));
                dirty.fill(f32::INFINITY);
                scratch::give(dirty);
            }
            assert_eq!(dot(&a, &b.t()), clean);
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn products_of_any_size_are_within_rounding_of_f64(
        m in 0usize..40, k in 0usize..150, n in 0usize..150,
    ) {
        check_products(m, k, n);
    }

    #[test]
    fn fused_steps_of_any_size_agree_with_the_equations_in_f64(
        n in 0usize..20, carried in 0.0f64..=1.0, n_hidden in 1usize..130, scale in 0.0f32..8.0,
    ) {
        let m = (n as f64 * carried) as usize;
        for level in Level::available() {
            with_level(level, || Case::new(n, m, n_hidden, scale).check());
        }
    }
}

#[test]
fn summing_rows_agrees_with_ndarrays_sum() {
    let x = matrix(0, 37, 50);
    for level in Level::available() {
        let mut sum = Array1::zeros(50);
        with_level(level, || tensor::add_rows(&mut sum, &x));
        assert_eq!(sum, x.sum_axis(Axis(0)), "{level}");
    }
}
