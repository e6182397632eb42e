//! The arithmetic that training stands on, in the shapes of the tutorial's network: products, the fused
//! step, Adam. A shard of 350 tokens is about 16 sentences.
//!
//! ```text
//! cargo bench --bench kernels -- step      only those with "step" in their name
//! LONGHAND_SIMD=avx2 cargo bench --bench kernels
//! ```

mod common;

use std::hint::black_box;

use common::{bench_flop, stream};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ndarray::{Array1, Array2};
use tensor::simd::{Level, with_level};
use tensor::{AdamRates, LstmKernel, LstmStep, Packed, adam_update, add_dot, dot, init, scratch};

fn matrix(rows: usize, columns: usize) -> Array2<f32> {
    init::uniform(rows, columns, 1.0, &mut stream((rows * 1000 + columns) as u32))
}

fn products(c: &mut Criterion) {
    let mut group = c.benchmark_group("product");
    // x W_ihᵀ for all tokens, of both layers and of the dense layer; h W_hhᵀ for one sentence.
    for (m, k, n) in [(350, 64, 256), (350, 128, 256), (350, 64, 17), (1, 64, 256)] {
        let (a, b) = (matrix(m, k), matrix(n, k));
        let flop = (2 * m * k * n) as f64;
        bench_flop(&mut group, &format!("A_Bt/{m}x{k}x{n}"), flop, 1, |_| {
            scratch::give(dot(black_box(&a), &b.t()));
        });
        // The same with W packed beforehand, as a model that is ready has it.
        if let Some(packed) = Packed::new(&b) {
            let bias = Array1::zeros(n);
            bench_flop(&mut group, &format!("A_Bt/{m}x{k}x{n}/packed"), flop, 1, |_| {
                scratch::give(packed.dot_bias(black_box(&a), &bias));
            });
        }
        // The same by ndarray, and by the plain code that the kernel has to agree with.
        bench_flop(&mut group, &format!("A_Bt/{m}x{k}x{n}/ndarray"), flop, 1, |_| {
            black_box(black_box(&a).dot(&b.t()));
        });
        bench_flop(&mut group, &format!("A_Bt/{m}x{k}x{n}/plain"), flop, 1, |_| {
            with_level(Level::Portable, || scratch::give(dot(black_box(&a), &b.t())));
        });
    }
    // da W: one step's, from 1 sentence to 16, and all tokens'.
    for (m, k, n) in [1, 2, 4, 8, 16, 350].map(|m| (m, 256, 64)) {
        let (a, b, mut c) = (matrix(m, k), matrix(k, n), matrix(m, n));
        let flop = (2 * m * k * n) as f64;
        bench_flop(&mut group, &format!("A_B/{m}x{k}x{n}"), flop, 1, |_| {
            add_dot(&mut c, black_box(&a), &b);
        });
    }
    // daᵀ x, the gradient of the weights.
    for (m, k, n) in [(256, 350, 64), (256, 350, 128), (17, 350, 64)] {
        let (a, b, mut c) = (matrix(k, m), matrix(k, n), matrix(m, n));
        let flop = (2 * m * k * n) as f64;
        bench_flop(&mut group, &format!("At_B/{m}x{k}x{n}"), flop, 1, |_| {
            add_dot(&mut c, &black_box(&a).t(), &b);
        });
    }
    group.finish();
}

/// The fused step of an LSTM; only its product counts as work.
fn steps(c: &mut Criterion) {
    let mut group = c.benchmark_group("lstm_step");
    let n_hidden = 64;
    let w_hh = matrix(4 * n_hidden, n_hidden);
    let Some(kernel) = LstmKernel::new(&w_hh) else {
        return println!("lstm_step: no kernel at this level");
    };
    // Laying out W_hh, once a walk.
    group.bench_function("pack_H64", |b| b.iter(|| LstmKernel::new(black_box(&w_hh))));
    for n in [1, 2, 4, 8, 16, 32] {
        let (mut a, h_prev, c_prev) =
            (matrix(n, 4 * n_hidden), matrix(n, n_hidden), matrix(n, n_hidden));
        let [mut c, mut tanh_c, mut h] = [(); 3].map(|()| matrix(n, n_hidden));
        let flop = (2 * n * n_hidden * 4 * n_hidden) as f64;
        bench_flop(&mut group, &format!("B{n}_H{n_hidden}"), flop, 1, |_| {
            kernel.step(LstmStep {
                a: a.as_slice_mut().expect("row-major"),
                h_prev: h_prev.as_slice().expect("row-major"),
                c_prev: c_prev.as_slice().expect("row-major"),
                c: c.as_slice_mut().expect("row-major"),
                tanh_c: tanh_c.as_slice_mut().expect("row-major"),
                h: h.as_slice_mut().expect("row-major"),
            });
        });
    }
    group.finish();
}

/// Adam over a row of the word table, over the network's weights, over the whole table.
fn adam(c: &mut Criterion) {
    let mut group = c.benchmark_group("adam");
    let rates = AdamRates {
        beta1: 0.9,
        beta2: 0.999,
        fresh1: 0.1,
        fresh2: 0.001,
        step: 1e-3,
        root_scale: 1.0,
        epsilon: 1e-7,
        grad_scale: 1.0,
        decay: 1.0,
    };
    for n in [64, 116_561, 35_179 * 64] {
        let [mut w, mut m, g] = [1, 2, 3].map(|k| matrix(k, n).row(0).to_vec());
        let mut v: Vec<f32> = g.iter().map(|g| g * g).collect();
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(format!("{n}_weights"), |b| {
            b.iter(|| adam_update(&mut w, &mut m, &mut v, black_box(&g), &rates));
        });
    }
    group.finish();
}

criterion_group!(benches, products, steps, adam);
criterion_main!(benches);
