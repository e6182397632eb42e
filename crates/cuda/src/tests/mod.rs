//! Kernels, one by one, against the layers of `nn` in f64, whose gradients are checked by central differences.
//!
//! On this processor through the shim (`--features shim`), on a GPU with `--features driver` alone. Where there
//! is no GPU the tests say so and pass, unless `LONGHAND_REQUIRE_CUDA` is set.
//!
//! Inputs are new at every run, from a seed that is printed when a test fails; `LONGHAND_TEST_SEED` sets it.

mod bits;
mod chars;
mod heads;
mod lstm;
mod plain;
mod rows;
mod sanitized;
mod step;

use std::sync::OnceLock;

use ndarray::Array2;
use tensor::random::{Purpose, Stream};

use crate::{Engine, Machine, Span};

/// Bounds: of values, and of gradients, relative to the norm of the tensor; of each value.
const VALUES: f64 = 5e-6;
const EACH: f64 = 2e-5;
const GRADIENTS: f64 = 2e-5;

/// And none may be further off than this many times what plain f32 is, and this much more.
const TIMES_PLAIN: f64 = 4.0;
const MORE: f64 = 1e-7;

/// Orders in which the shim takes threads; a GPU has its own.
const ORDERS: [i32; 4] = [0, 1, 2, 3];

/// Lengths of sentences: T = 1, 2, 22, 104; B = 1, 7, 8, 9, 19; equal and ragged.
fn lengths() -> Vec<Vec<usize>> {
    let ragged = |n: usize, longest: usize| -> Vec<usize> {
        (0..n).map(|r| (longest * (n - r) * (n - r)).div_ceil(n * n)).collect()
    };
    vec![
        vec![1],
        vec![2],
        vec![1; 7],
        vec![2; 8],
        ragged(9, 22),
        ragged(19, 22),
        vec![104],
        ragged(8, 104),
    ]
}

/// With no more shared memory a block than this.
#[cfg(feature = "shim")]
fn with_shared(most: Option<usize>, order: i32) -> Option<Box<dyn Machine>> {
    let shim = crate::shim::Shim::open(order)?;
    Some(Box::new(match most {
        None => shim,
        Some(bytes) => shim.with_shared_memory(bytes),
    }))
}

/// With no more shared memory a block than this.
#[cfg(not(feature = "shim"))]
fn with_shared(most: Option<usize>, order: i32) -> Option<Box<dyn Machine>> {
    match crate::driver::Gpu::open() {
        Ok(gpu) => Some(Box::new(match most {
            None => gpu,
            Some(bytes) => gpu.with_shared_memory(bytes),
        })),
        Err(e) if std::env::var_os("LONGHAND_REQUIRE_CUDA").is_some() => panic!("{e}"),
        Err(e) => {
            if order == 0 {
                eprintln!("skipped: {e}");
            }
            None
        }
    }
}

fn machine(order: i32) -> Option<Box<dyn Machine>> {
    with_shared(None, order)
}

fn engine(order: i32) -> Option<Engine> {
    machine(order).map(Engine::new)
}

/// The seed of this run.
fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| {
        let given = std::env::var("LONGHAND_TEST_SEED").ok().map(|s| s.parse().expect("a number"));
        let now = || {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            since.expect("a clock").as_micros() as u64
        };
        let seed = given.unwrap_or_else(now);
        println!("LONGHAND_TEST_SEED={seed}");
        seed
    })
}

/// `len` numbers within ± `scale`; `which` names the draw.
fn draw(which: u32, len: usize, scale: f64) -> Vec<f32> {
    draw_by(seed(), which, len, scale)
}

fn draw_by(seed: u64, which: u32, len: usize, scale: f64) -> Vec<f32> {
    let mut stream = Stream::new(seed, Purpose::Test, which, 0);
    (0..len).map(|_| (scale * (2.0 * f64::from(stream.unit()) - 1.0)) as f32).collect()
}

/// Numbers below `below`.
fn whole(which: u32, len: usize, below: usize) -> Vec<u32> {
    whole_by(seed(), which, len, below)
}

fn whole_by(seed: u64, which: u32, len: usize, below: usize) -> Vec<u32> {
    let drawn = draw_by(seed, which, len, 0.5);
    drawn.iter().map(|v| ((v + 0.5) * below as f32) as u32 % below as u32).collect()
}

fn matrix(v: &[f32], columns: usize) -> Array2<f64> {
    let values = v.iter().map(|&v| f64::from(v)).collect();
    Array2::from_shape_vec((v.len() / columns, columns), values).expect("whole rows")
}

impl Engine {
    fn put(&mut self, numbers: &[f32]) -> Span {
        self.put_bits(&numbers.iter().map(|v| v.to_bits()).collect::<Vec<_>>())
    }

    fn put_bits(&mut self, numbers: &[u32]) -> Span {
        let span = Span::new(&mut *self.machine, numbers.len()).expect("memory");
        let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_ne_bytes()).collect();
        self.machine.write(span.at, &bytes).expect("it is there");
        span
    }

    /// Memory that holds NaN, on a GPU too.
    fn poisoned(&mut self, len: usize) -> Span {
        self.put(&vec![f32::NAN; len])
    }

    fn get(&mut self, span: Span) -> Vec<f32> {
        let mut bytes = vec![0; 4 * span.len];
        self.machine.read(span.at, &mut bytes).expect("it is there");
        crate::network::numbers_of(&bytes)
    }
}

/// ‖a − b‖ / ‖b‖, and the largest difference; NaN where either is.
fn differences<'a>(a: &[f32], b: impl IntoIterator<Item = &'a f64>) -> (f64, f64) {
    let (mut squares, mut norm, mut most, mut n) = (0.0, 0.0, 0.0f64, 0);
    for (&a, &b) in a.iter().zip(b) {
        let d = f64::from(a) - b;
        squares += d * d;
        norm += b * b;
        most = if d.is_nan() { f64::NAN } else { most.max(d.abs()) };
        n += 1;
    }
    assert_eq!(n, a.len(), "as many numbers");
    (if norm == 0.0 { squares.sqrt() } else { (squares / norm).sqrt() }, most)
}

/// A kernel's numbers, those of [`plain`] f32, and the right ones: within the bounds, and no further off than four
/// times plain f32. That must be within the bounds itself, or it would measure nothing.
fn assert_values<'a, W>(what: &str, kernel: &[f32], plain: &[f32], want: W)
where
    W: IntoIterator<Item = &'a f64> + Copy,
{
    let [(far, most), (plain_far, plain_most)] = [kernel, plain].map(|a| differences(a, want));
    let seed = seed();
    assert!(plain_far <= VALUES && plain_most <= EACH, "{what}: plain f32: {plain_far:e} ({seed})");
    assert!(far <= VALUES && most <= EACH, "{what}: {far:e}, {most:e} (seed {seed})");
    let allowed = |plain: f64| TIMES_PLAIN * plain + MORE;
    assert!(
        far <= allowed(plain_far) && most <= allowed(plain_most),
        "{what}: {far:e}, {most:e}, but plain f32 {plain_far:e}, {plain_most:e} (seed {seed})"
    );
}

/// Tensors of several draws, one after the other, where one draw's numbers are so few that plain f32 may be right by
/// luck.
#[derive(Default)]
struct Compared {
    kernel: Vec<Vec<f32>>,
    plain: Vec<Vec<f32>>,
    want: Vec<Vec<f64>>,
}

impl Compared {
    /// More of tensor `k`.
    fn add<'a>(
        &mut self,
        k: usize,
        kernel: &[f32],
        plain: &[f32],
        want: impl IntoIterator<Item = &'a f64>,
    ) {
        let len = self.len().max(k + 1);
        self.kernel.resize(len, vec![]);
        self.plain.resize(len, vec![]);
        self.want.resize(len, vec![]);
        self.kernel[k].extend(kernel);
        self.plain[k].extend(plain);
        self.want[k].extend(want);
    }

    fn len(&self) -> usize {
        self.want.len()
    }

    fn values(&self, k: usize, what: &str) {
        assert_values(what, &self.kernel[k], &self.plain[k], &self.want[k]);
    }

    fn norm(&self, k: usize, bound: f64, what: &str) {
        assert_norm(what, bound, &self.kernel[k], &self.plain[k], &self.want[k]);
    }
}

/// As [`assert_values`], for a gradient.
fn assert_gradient<'a, W>(what: &str, kernel: &[f32], plain: &[f32], want: W)
where
    W: IntoIterator<Item = &'a f64> + Copy,
{
    assert_norm(what, GRADIENTS, kernel, plain, want);
}

/// As [`assert_values`], by the norm alone and within a bound of its own.
fn assert_norm<'a, W>(what: &str, bound: f64, kernel: &[f32], plain: &[f32], want: W)
where
    W: IntoIterator<Item = &'a f64> + Copy,
{
    let [far, plain_far] = [kernel, plain].map(|a| differences(a, want).0);
    let seed = seed();
    assert!(plain_far <= bound, "{what}: plain f32: {plain_far:e} off (seed {seed})");
    assert!(far <= bound, "{what}: {far:e} off (seed {seed})");
    assert!(
        far <= TIMES_PLAIN * plain_far + MORE,
        "{what}: {far:e} off, but plain f32 {plain_far:e} (seed {seed})"
    );
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|v| v.to_bits()).collect()
}

/// FNV-1a of the bits.
fn hash(numbers: impl IntoIterator<Item = f32>) -> u64 {
    numbers.into_iter().fold(0xcbf2_9ce4_8422_2325, |h, v| {
        (h ^ u64::from(v.to_bits())).wrapping_mul(0x100_0000_01b3)
    })
}
