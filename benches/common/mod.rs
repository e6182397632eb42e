//! What the benches share: a timer that says which share of the processor's peak was reached.

use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Throughput};
use tensor::random::{Purpose, Stream};

/// Floating-point operations a second of one thread, multiply-adds on registers alone; 0 at the
/// portable level, which has no kernel to measure it with.
fn peak() -> f64 {
    let once = || {
        let start = Instant::now();
        let done = tensor::simd::multiply_adds(20_000).unwrap_or(0);
        done as f64 / start.elapsed().as_secs_f64()
    };
    (0..50).map(|_| once()).fold(0.0, f64::max)
}

/// As [`peak`], of all threads of the pool together.
#[allow(dead_code)] // not every bench uses all threads
pub fn peak_of_all_threads() -> f64 {
    let once = || {
        let start = Instant::now();
        let done = rayon::broadcast(|_| tensor::simd::multiply_adds(50_000).unwrap_or(0));
        done.iter().sum::<u64>() as f64 / start.elapsed().as_secs_f64()
    };
    (0..100).map(|_| once()).fold(0.0, f64::max)
}

/// Benches `part(0)`, `part(1)`, … `part(parts - 1)`, which together do `flop` floating-point operations.
/// Beside criterion's estimate stand the best times seen of the parts, added up, as a share of the peak,
/// which is measured just before and after: on a shared machine the best is what the code can do, and the
/// rest is the neighbours.
#[allow(dead_code)] // nor does every bench count operations
pub fn bench_flop(
    group: &mut BenchmarkGroup<'_, WallTime>,
    id: &str,
    flop: f64,
    parts: usize,
    mut part: impl FnMut(usize),
) {
    let mut best = vec![Duration::MAX; parts];
    // Rounds timed at once, so that reading the clock costs a hundredth at most.
    let rounds = 1 + (5e-6 * peak() / (flop / parts as f64)) as u32;
    let before = peak();
    group.throughput(Throughput::Elements(flop as u64));
    group.bench_function(id, |b| {
        b.iter_custom(|iterations| {
            let mut elapsed = Duration::ZERO;
            for (i, best) in best.iter_mut().enumerate() {
                for _ in 0..iterations {
                    let start = Instant::now();
                    (0..rounds).for_each(|_| part(i));
                    let one = start.elapsed() / rounds;
                    *best = one.min(*best);
                    elapsed += one;
                }
            }
            elapsed
        });
    });
    if best.iter().all(|&t| t < Duration::MAX) {
        let speed = flop / best.iter().sum::<Duration>().as_secs_f64();
        let share = speed / before.max(peak());
        let level = tensor::simd::level();
        println!("  best: {:.1} GFLOP/s, {share:.2} of the peak at {level}", speed / 1e9);
    }
}

/// A stream of random numbers for inputs, the same in every run.
#[allow(dead_code)]
pub fn stream(which: u32) -> Stream {
    Stream::new(1, Purpose::Test, which, 0)
}
