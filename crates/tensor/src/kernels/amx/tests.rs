//! The products on emulated tiles against f64, and the instructions against the emulation, to the bit, where this
//! processor has them.

use super::emulated::Emulated;
use super::*;
use crate::random::{Purpose, Stream};

const SIZES: [usize; 7] = [0, 1, 2, 15, 16, 33, 70];

fn numbers(which: u32, n: usize) -> Vec<f32> {
    let mut stream = Stream::new(17, Purpose::Test, which, 0);
    (0..n).map(|_| 2.0 * stream.unit() - 1.0).collect()
}

/// How the operands lie: A as rows or as columns, B likewise, C with room behind its rows.
#[derive(Clone, Copy, Debug)]
struct Lie {
    a_rows: bool,
    b_rows: bool,
    gap: usize,
}

const LIES: [Lie; 4] = [
    Lie { a_rows: true, b_rows: true, gap: 0 },
    Lie { a_rows: true, b_rows: false, gap: 0 },
    Lie { a_rows: false, b_rows: true, gap: 3 },
    Lie { a_rows: false, b_rows: false, gap: 1 },
];

/// What C holds after the product, and what it held.
fn product(
    tiles: &mut impl Tiles,
    [m, k, n]: [usize; 3],
    [a, b]: [&[f32]; 2],
    lie: Lie,
    start: impl Fn() -> Start<'static>,
) -> (Vec<f32>, Vec<f32>) {
    let c_row = n + lie.gap;
    let before = numbers(3, m * c_row);
    let mut c = before.clone();
    let (row, column) = if lie.a_rows { (k, 1) } else { (1, m) };
    let a = Left { data: a, row, column };
    let (row, column) = if lie.b_rows { (n, 1) } else { (1, k) };
    let b = Operand { data: b, row, column };
    Product { m, k, n, a, b, start: start(), c: &mut c, c_row }.run(tiles);
    (c, before)
}

fn check(sizes: [usize; 3], lie: Lie, worst: &mut f64) {
    let [m, k, n] = sizes;
    let (a, b) = (numbers(1, m * k), numbers(2, k * n));
    let bias: &'static [f32] = numbers(4, n).leak();
    let starts: [fn(&'static [f32]) -> Start<'static>; 3] =
        [|_| Start::Zero, |bias| Start::Bias(bias), |_| Start::C];
    for start in starts {
        let (c, before) = product(&mut Emulated::new(), sizes, [&a, &b], lie, || start(bias));
        for i in 0..m {
            for j in 0..n + lie.gap {
                let (at, old) = (i * (n + lie.gap) + j, f64::from(before[i * (n + lie.gap) + j]));
                if j >= n {
                    assert_eq!(c[at].to_bits(), before[at].to_bits(), "behind row {i}");
                    continue;
                }
                let terms = (0..k).map(|p| {
                    let a = if lie.a_rows { a[i * k + p] } else { a[p * m + i] };
                    let b = if lie.b_rows { b[p * n + j] } else { b[j * k + p] };
                    f64::from(a) * f64::from(b)
                });
                let terms: Vec<f64> = terms.collect();
                let begin = match start(bias) {
                    Start::Zero => 0.0,
                    Start::Bias(bias) => f64::from(bias[j]),
                    Start::C => old,
                };
                let size: f64 = terms.iter().map(|t| t.abs()).sum();
                let error = (f64::from(c[at]) - begin - terms.iter().sum::<f64>()).abs();
                // What is left out, and the rounding of 3 k additions and of those to C.
                let rounding = (k + 8) as f64 * 3.0 / (1 << 24) as f64;
                let bound = size / (1 << 15) as f64 + (size + begin.abs()) * rounding;
                assert!(error <= bound, "{sizes:?} {lie:?} [{i}, {j}]: {error:e} above {bound:e}");
                if size > 0.0 && matches!(start(bias), Start::Zero) {
                    *worst = worst.max(error / size);
                }
            }
        }
    }
}

#[test]
fn products_are_within_2_to_the_minus_15_of_f64_at_every_size_and_every_way_of_lying() {
    let mut worst = 0.0;
    for m in SIZES {
        for k in SIZES {
            for n in SIZES {
                LIES.into_iter().for_each(|lie| check([m, k, n], lie, &mut worst));
            }
        }
    }
    println!("worst error of an element, as a share of Σ|a b|: {worst:.1e}");
    assert!(worst > 1e-7, "an emulation that rounds to bfloat16 is not as good as f32");
}

#[test]
fn a_row_depends_on_its_own_row_of_a_alone() {
    let (k, n) = (70, 33);
    let b = numbers(2, k * n);
    let a = numbers(1, 40 * k);
    let lie = LIES[0];
    let (all, _) = product(&mut Emulated::new(), [40, k, n], [&a, &b], lie, || Start::Zero);
    for i in [0, 15, 16, 31, 32, 39] {
        let row = &a[i * k..(i + 1) * k];
        let (alone, _) = product(&mut Emulated::new(), [1, k, n], [row, &b], lie, || Start::Zero);
        let bits = |c: &[f32]| c.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&alone), bits(&all[i * n..(i + 1) * n]), "row {i}");
    }
}

#[test]
fn halves_add_up_to_what_they_are_of() {
    for x in numbers(5, 1000).into_iter().chain([0.0, -0.0, 1.0, 3e38, -3.3e38, f32::MAX, 1e-30]) {
        let (hi, lo) = split(x);
        let sum = f64::from(whole(hi)) + f64::from(whole(lo));
        assert!((sum - f64::from(x)).abs() <= f64::from(x.abs()) / (1 << 17) as f64, "{x}: {sum}");
    }
    let nan = split(f32::NAN);
    assert!(whole(nan.0).is_nan() && nan.1 == 0);
    assert_eq!(split(f32::NEG_INFINITY), (half(f32::NEG_INFINITY), 0));
    // Of two as near the even one: 1 + 2⁻⁸ lies between 1 and 1 + 2⁻⁷.
    assert_eq!(half(1.0 + 1.0 / 256.0), half(1.0));
    assert_eq!(half(1.0 + 3.0 / 256.0), half(1.0 + 4.0 / 256.0));
}

#[test]
fn what_is_no_number_stays_none_and_what_is_too_small_is_zero() {
    let one = |a: f32, b: f32| {
        let lie = LIES[0];
        product(&mut Emulated::new(), [1, 1, 1], [&[a], &[b]], lie, || Start::Zero).0[0]
    };
    assert!(one(f32::NAN, 1.0).is_nan() && one(f32::INFINITY, 0.0).is_nan());
    assert!(!one(f32::INFINITY, 2.0).is_finite());
    assert_eq!(one(1e-40, 1.0), 0.0);
    assert_eq!(one(1e-30, 1e-30), 0.0);
    assert!((one(f32::MAX, 0.5) / (0.5 * f32::MAX) - 1.0).abs() < 1e-4);
}

#[test]
fn the_instructions_do_what_the_emulation_does() {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    if instructions::is_available() {
        let mut tiles = instructions::Amx::new().expect("they are available");
        for sizes in [[1, 1, 1], [16, 32, 16], [17, 33, 31], [64, 70, 64], [33, 256, 70]] {
            let [m, k, n] = sizes;
            let mut a = numbers(1, m * k);
            a[0] = 1e-40; // too small
            let b = numbers(2, k * n);
            for lie in LIES {
                let start = || Start::C;
                let want = product(&mut Emulated::new(), sizes, [&a, &b], lie, start).0;
                let got = product(&mut tiles, sizes, [&a, &b], lie, start).0;
                let bits = |c: &[f32]| c.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&got), bits(&want), "{sizes:?} {lie:?}");
            }
        }
        return;
    }
    eprintln!("SKIPPED: this processor has no AMX tiles; their instructions were not run");
}
