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

use std::time::{Duration, Instant};

use cuda::measure::{Effort, LayerNumbers, LayerTimes, Part, copy, median, product, upload};
use cuda::{CudaError, LayerShape, Machine};
use ndarray::Array2;
use nn::Packing;
use nn::bilstm::BiLstm;
use nn::lstm::Lstm;
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

fn kernels(quick: bool) -> Result<(), CudaError> {
    let mut machine = machine()?;
    let who = format!("longhand, {}", machine.name());
    let effort = |warm_up| match quick {
        true => Effort { warm_up: Duration::ZERO, rounds: 1, most: Duration::ZERO },
        false => Effort {
            warm_up: Duration::from_millis(warm_up),
            rounds: 50,
            most: Duration::from_millis(250),
        },
    };
    let len = if quick { 1 << 12 } else { 64 << 20 };
    let (m, times) = copy(machine, len, effort(500))?; // its clock is slow at first
    let gigabytes = 8e-3 * len as f64 / median(times);
    println!(
        "{}",
        json!({ "what": "copy, bytes read and written", "who": who, "gigabytes_per_second": gigabytes })
    );
    let size = if quick { [65, 70, 20] } else { [4096, 1024, 1024] };
    let (m, times) = product(m, size, effort(20))?;
    let teraflops = 2e-6 * size.iter().product::<usize>() as f64 / median(times);
    println!(
        "{}",
        json!({ "what": "product", "who": who, "size": size, "teraflop_per_second": teraflops })
    );
    machine = m;
    let bytes = if quick { 1 << 12 } else { 8 << 20 };
    let gigabytes = 1e-3 * bytes as f64 / median(upload(&mut *machine, bytes, effort(20))?);
    let what = "upload, with the CPU's copy into page-locked memory and the wait";
    println!("{}", json!({ "what": what, "who": who, "gigabytes_per_second": gigabytes }));
    let hold = if quick { 128 } else { 16 << 10 };
    let mut wrong = Vec::new();
    for h in [64, 128, 256] {
        let (m, far) = error(machine, h)?;
        machine = m;
        println!("{}", json!({ "what": format!("error of y, H = {h}"), "who": who, "value": far }));
        if far.is_nan() || far > FAR {
            wrong.push(format!("y is {far:e} off with H = {h}"));
        }
    }
    for (h, batch, steps, equal) in shapes(quick) {
        let lengths = lengths(batch, steps, equal);
        let shape = LayerShape { n_in: N_IN, n_hidden: h, both: true };
        let mut layer = LayerTimes::new(machine, shape, &lengths, None, hold)?;
        let mut line = json!({
            "what": "layer", "who": who, "hidden": h, "batch": batch, "steps": steps,
            "lengths": if equal { "equal" } else { "ragged" },
            "tokens": lengths.iter().sum::<usize>(),
        });
        for (part, name) in [(Part::Walk, "walk"), (Part::Forward, "forward"), (Part::Both, "both")]
        {
            line[format!("{name}_us")] = median(layer.times(part, effort(20))?).into();
            line[format!("{name}_gpu_us")] = median(layer.behind(part, effort(20))?).into();
        }
        // There is one forward pass: it keeps what backward needs.
        line["training_us"] = line["forward_us"].clone();
        line["training_gpu_us"] = line["forward_gpu_us"].clone();
        println!("{line}");
        let (m, right) = one_sentence_alone(layer, shape, &lengths)?;
        machine = m;
        if !right {
            wrong.push(format!("H = {h}, B = {batch}, T = {steps}, equal: {equal}"));
        }
    }
    let value = match wrong.is_empty() {
        true => format!("yes, {} shapes", shapes(quick).len()),
        false => wrong.join("; "),
    };
    println!(
        "{}",
        json!({
            "what": "check", "ok": wrong.is_empty(), "value": value,
            "who": "layers as timed: y is finite and near f64, a sentence alone has the same bits",
        })
    );
    Ok(())
}

/// Relative error of y that is too much: `tests` have sharper bounds.
const FAR: f64 = 5e-6;

/// Whether every number of y is finite, and the sentence in the middle has the bits that it has alone.
fn one_sentence_alone(
    mut layer: LayerTimes,
    shape: LayerShape,
    lengths: &[usize],
) -> Result<(Box<dyn Machine>, bool), CudaError> {
    let all = layer.numbers()?;
    let (r, packing) = (lengths.len() / 2, Packing::new(lengths.to_vec()));
    let of = |numbers: &[f32], width: usize| -> Vec<f32> {
        let rows = (0..lengths[r]).map(|t| packing.row(r, t) * width);
        rows.flat_map(|from| numbers[from..from + width].to_vec()).collect()
    };
    let (x, length) = (of(&all.x, shape.n_in), [lengths[r]]);
    let mut alone = LayerTimes::new(layer.into_machine(), shape, &length, Some(&x), 1)?;
    let y = alone.numbers()?.y;
    let same =
        y.iter().zip(of(&all.y, 2 * shape.n_hidden)).all(|(a, b)| a.to_bits() == b.to_bits());
    Ok((alone.into_machine(), same && all.y.iter().all(|v| v.is_finite())))
}

/// Relative error of y against f64: 8 sentences of 22 tokens.
fn error(machine: Box<dyn Machine>, h: usize) -> Result<(Box<dyn Machine>, f64), CudaError> {
    let lengths = [22; 8];
    let shape = LayerShape { n_in: N_IN, n_hidden: h, both: true };
    let mut layer = LayerTimes::new(machine, shape, &lengths, None, 1)?;
    let LayerNumbers { weights, x, y } = layer.numbers()?;
    let matrix = |v: &[f32], columns: usize| {
        Array2::from_shape_fn((v.len() / columns, columns), |(i, j)| f64::from(v[i * columns + j]))
    };
    let side = |[w_ih, w_hh, b]: &[Vec<f32>; 3]| Lstm {
        w_ih: matrix(w_ih, N_IN),
        w_hh: matrix(w_hh, h),
        b: matrix(b, 4 * h).row(0).to_owned(),
    };
    let exact = BiLstm { forward: side(&weights[0]), backward: side(&weights[1]) };
    let packing = Packing::new(lengths.to_vec());
    let (want, _) = exact.forward(matrix(&x, N_IN), &packing, Default::default());
    let norm = want.iter().map(|v| v * v).sum::<f64>();
    let far = y.iter().zip(&want).map(|(&y, want)| (f64::from(y) - want).powi(2)).sum::<f64>();
    Ok((layer.into_machine(), (far / norm).sqrt()))
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
        let x = Array2::from_shape_fn((tokens, N_IN), number);
        let dy = Array2::from_shape_fn((tokens, 2 * h), number);
        let mut grads = layer.clone();
        let time = |work: &mut dyn FnMut()| {
            let rounds = (0..if quick { 1 } else { 15 }).map(|_| {
                let start = Instant::now();
                work();
                start.elapsed().as_secs_f64() * 1e6
            });
            median(rounds.skip(3 * usize::from(!quick)).collect())
        };
        let forward = time(&mut || drop(layer.forward(x.clone(), &packing, Default::default())));
        let both = time(&mut || {
            let (_, cache) = layer.forward(x.clone(), &packing, Default::default());
            drop(layer.backward(cache, &dy, &mut grads));
        });
        println!(
            "{}",
            json!({
                "what": "layer", "who": "longhand, CPU, one thread, of 12", "hidden": h, "batch": batch,
                "steps": steps, "lengths": if equal { "equal" } else { "ragged" }, "tokens": tokens,
                "forward_us": forward, "training_us": forward, "both_us": both,
            })
        );
    }
}
