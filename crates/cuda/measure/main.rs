//! Times of the kernels on this machine's GPU, and one table of everything that was measured: see `benches/gpu`.
//!
//! ```text
//! longhand-cuda-measure probe                                 the GPU's name, or why there is none
//! longhand-cuda-measure kernels [--quick] > kernels.jsonl     through the shim with LONGHAND_MEASURE_SHIM set
//! longhand-cuda-measure cpu [--quick] > cpu.jsonl             the same layers by this processor, one thread
//! longhand-cuda-measure table FILE… > table.md                Markdown of what all of them say
//! ```
//!
//! A line is a JSON object: `what` is measured, by `who`, its sizes, times in microseconds.

mod table;

use std::time::Instant;

use cuda::measure::{LayerTimes, Part, copy, product, upload};
use cuda::{CudaError, LayerShape, Machine};
use nn::Packing;
use nn::bilstm::BiLstm;
use serde_json::json;

const N_IN: usize = 48;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let quick = args.iter().any(|a| a == "--quick");
    let done = match args.first().map(String::as_str) {
        Some("probe") => machine().map(|m| println!("{}", m.name())).map_err(|e| e.to_string()),
        Some("kernels") => kernels(quick).map_err(|e| e.to_string()),
        Some("cpu") => {
            cpu(quick);
            Ok(())
        }
        Some("table") => table::run(&args[1..]),
        _ => Err("probe, kernels, cpu or table".into()),
    };
    if let Err(why) = done {
        eprintln!("{why}");
        std::process::exit(1);
    }
}

fn machine() -> Result<Box<dyn Machine>, CudaError> {
    #[cfg(feature = "shim")]
    if std::env::var_os("LONGHAND_MEASURE_SHIM").is_some() {
        return cuda::shim::Shim::open(0).map(|s| Box::new(s) as _).ok_or(CudaError::NoDriver);
    }
    cuda::gpu()
}

/// Shapes: H, B, T, whether lengths are equal.
fn shapes(quick: bool) -> Vec<(usize, usize, usize, bool)> {
    let (hidden, batches, steps) = match quick {
        true => (vec![64, 128, 256], vec![1, 5], vec![3]),
        false => (vec![64, 128, 256], vec![1, 32, 1000], vec![22, 104]),
    };
    let mut all = Vec::new();
    for &h in &hidden {
        for &b in &batches {
            for &t in &steps {
                all.extend(
                    [(h, b, t, true), (h, b, t, false)].into_iter().take(1 + usize::from(b > 1)),
                );
            }
        }
    }
    all
}

/// Lengths of a batch: all `steps`, or falling to 1 as the square, so that the mean is about a third.
fn lengths(batch: usize, steps: usize, equal: bool) -> Vec<usize> {
    let of = |r: usize| (steps * (batch - r) * (batch - r)).div_ceil(batch * batch);
    (0..batch).map(|r| if equal { steps } else { of(r) }).collect()
}

fn median(mut times: Vec<f64>, warm_up: usize) -> f64 {
    let mut times = times.split_off(warm_up.min(times.len() - 1));
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn kernels(quick: bool) -> Result<(), CudaError> {
    let mut machine = machine()?;
    let who = format!("longhand, {}", machine.name());
    let (warm, rounds) = if quick { (0, 1) } else { (10, 60) };
    let len = if quick { 1 << 12 } else { 64 << 20 };
    let (m, times) = copy(machine, len, rounds)?;
    let gigabytes = 8e-3 * len as f64 / median(times, warm);
    println!("{}", json!({ "what": "copy", "who": who, "gigabytes_per_second": gigabytes }));
    let size = if quick { [65, 70, 20] } else { [4096, 1024, 1024] };
    let (m, times) = product(m, size, rounds)?;
    let teraflops = 2e-6 * size.iter().product::<usize>() as f64 / median(times, warm);
    println!(
        "{}",
        json!({ "what": "product", "who": who, "size": size, "teraflop_per_second": teraflops })
    );
    machine = m;
    let bytes = if quick { 1 << 12 } else { 8 << 20 };
    let gigabytes = 1e-3 * bytes as f64 / median(upload(&mut *machine, bytes, rounds)?, warm);
    println!("{}", json!({ "what": "upload", "who": who, "gigabytes_per_second": gigabytes }));
    for (h, batch, steps, equal) in shapes(quick) {
        let lengths = lengths(batch, steps, equal);
        let shape = LayerShape { n_in: N_IN, n_hidden: h, both: true };
        let mut layer = LayerTimes::new(machine, shape, &lengths)?;
        let mut of = |part| Ok(median(layer.rounds(part, rounds)?, warm));
        let (walk, forward, both) = (of(Part::Walk)?, of(Part::Forward)?, of(Part::Both)?);
        machine = layer.into_machine();
        println!(
            "{}",
            json!({
                "what": "layer", "who": who, "hidden": h, "batch": batch, "steps": steps,
                "lengths": if equal { "equal" } else { "ragged" },
                "tokens": lengths.iter().sum::<usize>(),
                "walk_us": walk, "forward_us": forward, "both_us": both,
            })
        );
    }
    Ok(())
}

/// The same layers by `nn`, in f32 on one thread.
fn cpu(quick: bool) {
    for (h, batch, steps, equal) in shapes(quick) {
        if batch > 100 {
            continue; // shards, not batches, are what a core works on
        }
        let lengths = lengths(batch, steps, equal);
        let tokens: usize = lengths.iter().sum();
        let layer = BiLstm::<f32>::new(N_IN, h, 1, 0);
        let packing = Packing::new(lengths);
        let number = |(i, j): (usize, usize)| ((i * 31 + j * 17) % 101) as f32 / 50.0 - 1.0;
        let x = ndarray::Array2::from_shape_fn((tokens, N_IN), number);
        let dy = ndarray::Array2::from_shape_fn((tokens, 2 * h), number);
        let mut grads = layer.clone();
        let time = |work: &mut dyn FnMut()| {
            let rounds = (0..if quick { 1 } else { 15 }).map(|_| {
                let start = Instant::now();
                work();
                start.elapsed().as_secs_f64() * 1e6
            });
            median(rounds.collect(), 3)
        };
        let forward = time(&mut || drop(layer.forward(x.clone(), &packing, Default::default())));
        let both = time(&mut || {
            let (_, cache) = layer.forward(x.clone(), &packing, Default::default());
            drop(layer.backward(cache, &dy, &mut grads));
        });
        println!(
            "{}",
            json!({
                "what": "layer", "who": "longhand, CPU, one thread", "hidden": h, "batch": batch,
                "steps": steps, "lengths": if equal { "equal" } else { "ragged" }, "tokens": tokens,
                "forward_us": forward, "both_us": both,
            })
        );
    }
}
