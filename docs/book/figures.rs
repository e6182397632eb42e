//! Makes the gradient book's figures and the numbers beside them, from real runs:
//!
//! ```sh
//! cargo run --release --example book_figures
//! ```
//!
//! writes `norms.csv`, `norms.svg`, `epsilon.csv`, `epsilon.svg` and `repairs.svg` into
//! docs/book/src/figures. Everything is computed in `f64`; the network of the first figure is trained
//! for three epochs on the built-in corpus.

use std::fmt::Write as _;
use std::path::PathBuf;

use data::{ReadOptions, Scheme, Split};
use ndarray::{Array1, Array2};
use nn::lstm::{Lstm, Masks};
use nn::{Direction, Packing, Params, lstm_cell, tagger::Layer};
use tensor::random::{Purpose, Stream};
use train::{Config, Dataset, EpochRecord, Observer, Trainer, trainer::Progress};

type Error = Box<dyn std::error::Error>;

fn main() -> Result<(), Error> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/book/src/figures"));
    std::fs::create_dir_all(&folder)?;
    let save = |name: &str, text: String| std::fs::write(folder.join(name), text);

    let norms = norms()?;
    save("norms.csv", csv("steps back", &norms))?;
    let title = "Length of the gradient, so many steps before the loss";
    save("norms.svg", chart(title, "steps back", &norms, false))?;

    let errors = epsilon();
    save("epsilon.csv", csv("ε", &errors))?;
    save("epsilon.svg", chart("Error of a gradient check of an LSTM", "ε", &errors, true))?;

    let results =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/book/postmortem.csv"))?;
    save("repairs.svg", bars("Test F1 after each repair (mean over seeds)", &results))?;
    Ok(())
}

/// A line of a chart: its name and its points.
struct Line {
    name: String,
    points: Vec<(f64, f64)>,
}

// How gradients fare through time.

/// Trains the tutorial's network put right and walks back through the corpus's longest sentence.
fn norms() -> Result<Vec<Line>, Error> {
    let config = Config::resolve(Some("repaired"), None, &[("epochs".into(), "3".into())])?;
    let corpus = include_bytes!("../../data/longhand.csv.gz");
    let (corpus, _) = data::read_bytes("<built-in>", corpus, &ReadOptions::default())?;
    let split = include_str!("../../data/longhand.split");
    let split = Split::parse_index_file("<built-in>", split, corpus.len())?;
    let (dataset, _) = Dataset::new(&corpus, split, &config, Scheme::Iob2, false)?;
    let mut trainer = Trainer::new(config, dataset)?;

    let longest = *trainer
        .dataset()
        .split
        .train
        .iter()
        .max_by_key(|&&i| trainer.dataset().tokens(i))
        .expect("sentences");
    let at_start = first_lstm(&trainer);
    let mut forgetful = at_start.clone();
    forgetful.b.fill(0.0);
    let x_at_start = rows_of(&trainer, longest);
    while !trainer.is_done() {
        trainer.epoch(&mut Silent)?;
    }
    let (trained, x) = (first_lstm(&trainer), rows_of(&trainer, longest));

    let mut lines = Vec::new();
    for scale in [0.7, 1.0, 1.3] {
        let name = format!("Elman, W_hh orthogonal × {scale}");
        lines.push(Line { name, points: elman_norms(&x_at_start, scale) });
    }
    for (name, lstm, x) in [
        ("LSTM at the start, forget bias 0", &forgetful, &x_at_start),
        ("LSTM at the start, forget bias 1", &at_start, &x_at_start),
        ("LSTM, trained", &trained, &x),
    ] {
        lines.push(Line { name: name.into(), points: lstm_norms(lstm, x) });
    }
    Ok(lines)
}

struct Silent;

impl Observer for Silent {
    fn batch(&mut self, _: &Progress) -> bool {
        false
    }

    fn epoch(&mut self, _: &EpochRecord) {}
}

/// The layer that reads from the left, right above the words.
fn first_lstm(trainer: &Trainer) -> Lstm<f64> {
    let Layer::BiLstm(layer) = &trainer.tagger().network.encoder[0] else {
        unreachable!("the preset's first layer reads both ways");
    };
    let Lstm { w_ih, w_hh, b } = &layer.forward;
    Lstm { w_ih: w_ih.mapv(f64::from), w_hh: w_hh.mapv(f64::from), b: b.mapv(f64::from) }
}

/// What that layer reads of a sentence (T, D).
fn rows_of(trainer: &Trainer, sentence: u32) -> Array2<f64> {
    let words = trainer.dataset().words(sentence);
    let packing = Packing::new(vec![words.len()]);
    let input = trainer.dataset().lexicon.input(&[words], &packing, |_, _| false);
    trainer.tagger().words.forward(&input.words).0.mapv(f64::from)
}

/// ‖(dh, dc)‖ at each step, for a loss that looks at the last h alone.
fn lstm_norms(l: &Lstm<f64>, x: &Array2<f64>) -> Vec<(f64, f64)> {
    let (n, steps) = (l.n_hidden(), x.nrows());
    let zeros = || vec![0.0; n];
    let (mut h, mut c) = (vec![zeros()], vec![zeros()]);
    let (mut gates, mut tanh_cs) = (Vec::new(), Vec::new());
    for t in 0..steps {
        let h_prev = Array1::from(h[t].clone());
        let mut a = (l.w_ih.dot(&x.row(t)) + l.w_hh.dot(&h_prev) + &l.b).to_vec();
        let [mut c_t, mut tanh_c, mut h_t] = [zeros(), zeros(), zeros()];
        lstm_cell::forward(n, &mut a, &c[t], &mut c_t, &mut tanh_c, &mut h_t);
        h.push(h_t);
        c.push(c_t);
        gates.push(a);
        tanh_cs.push(tanh_c);
    }
    let (mut dh, mut dc) = (upstream(n).to_vec(), zeros());
    let mut norms = vec![(0.0, norm(&dh, &dc))];
    for t in (0..steps).rev() {
        let da = &mut gates[t];
        lstm_cell::backward(n, da, &c[t], &tanh_cs[t], &dh, &mut dc);
        dh = l.w_hh.t().dot(&Array1::from(da.clone())).to_vec();
        norms.push(((steps - t) as f64, norm(&dh, &dc)));
    }
    norms
}

/// ‖dh‖ at each step of h = tanh(x W_ihᵀ + h' W_hhᵀ).
fn elman_norms(x: &Array2<f64>, scale: f64) -> Vec<(f64, f64)> {
    let n = 64;
    let mut stream = Stream::new(1, Purpose::Test, 0, 0);
    let w_ih = tensor::init::glorot_uniform::<f64>(n, x.ncols(), &mut stream);
    let w_hh = tensor::init::orthogonal::<f64>(n, n, &mut stream) * scale;
    let mut h = vec![Array1::zeros(n)];
    for t in 0..x.nrows() {
        let next = (w_ih.dot(&x.row(t)) + w_hh.dot(&h[t])).mapv(f64::tanh);
        h.push(next);
    }
    let mut dh = upstream(n);
    let mut norms = vec![(0.0, norm(dh.as_slice().expect("one row"), &[]))];
    for t in (0..x.nrows()).rev() {
        let da = &dh * &h[t + 1].mapv(|h| 1.0 - h * h);
        dh = w_hh.t().dot(&da);
        norms.push(((x.nrows() - t) as f64, norm(dh.as_slice().expect("one row"), &[])));
    }
    norms
}

/// A gradient of length 1 that comes from above.
fn upstream(n: usize) -> Array1<f64> {
    let mut stream = Stream::new(2, Purpose::Test, 0, 0);
    let v = tensor::init::uniform::<f64>(1, n, 1.0, &mut stream).row(0).to_owned();
    let length = v.dot(&v).sqrt();
    v / length
}

fn norm(a: &[f64], b: &[f64]) -> f64 {
    a.iter().chain(b).map(|v| v * v).sum::<f64>().sqrt()
}

// How exact a gradient check is.

/// The largest error of differences of width ε over dW_hh, relative to the largest gradient.
fn epsilon() -> Vec<Line> {
    let packing = Packing::new(vec![6, 4, 1]);
    let draw = |which, rows, columns| {
        tensor::init::uniform::<f64>(
            rows,
            columns,
            1.0,
            &mut Stream::new(7, Purpose::Test, which, 0),
        )
    };
    let layer =
        Lstm { w_ih: draw(0, 12, 4), w_hh: draw(1, 12, 3), b: draw(2, 1, 12).row(0).to_owned() };
    let (x, dy) = (draw(3, packing.rows(), 4), draw(4, packing.rows(), 3));
    let loss = |l: &Lstm<f64>| {
        let (h, _) = l.forward(x.clone(), &packing, Direction::Forward, Masks::default());
        (h * &dy).sum()
    };
    let [x_32, dy_32] = [&x, &dy].map(|a| a.mapv(|v| v as f32));
    let loss_32 = |l: &Lstm<f64>| {
        let single = |a: &Array2<f64>| a.mapv(|v| v as f32);
        let l = Lstm { w_ih: single(&l.w_ih), w_hh: single(&l.w_hh), b: l.b.mapv(|v| v as f32) };
        let (h, _) = l.forward(x_32.clone(), &packing, Direction::Forward, Masks::default());
        f64::from((h * &dy_32).sum())
    };
    let mut grads = layer.zeros_like();
    let cache = layer.forward(x.clone(), &packing, Direction::Forward, Masks::default()).1;
    layer.backward(cache, dy.view(), &mut grads);

    let central = |loss: &dyn Fn(&Lstm<f64>) -> f64, at: usize, e: f64| {
        let moved = |by: f64| {
            let mut l = layer.clone();
            l.w_hh.as_slice_mut().expect("row-major")[at] += by;
            loss(&l)
        };
        (moved(e) - moved(-e)) / (2.0 * e)
    };
    let top = grads.w_hh.iter().fold(0.0, |top: f64, g| top.max(g.abs()));
    let worst = |numeric: &dyn Fn(usize) -> f64| {
        let error = |(at, g): (usize, &f64)| (numeric(at) - g).abs() / top;
        grads.w_hh.iter().enumerate().map(error).fold(0.0, f64::max)
    };
    let widths: Vec<f64> = (0..=40).map(|k| 10f64.powf(-9.0 + 0.2 * f64::from(k))).collect();
    let line = |name: &str, numeric: &dyn Fn(usize, f64) -> f64| Line {
        name: name.into(),
        points: widths.iter().map(|&e| (e, worst(&|at| numeric(at, e)))).collect(),
    };
    let richardson = |at, e| (4.0 * central(&loss, at, e) - central(&loss, at, 2.0 * e)) / 3.0;
    vec![
        line("loss in f32", &|at, e| central(&loss_32, at, e)),
        line("loss in f64", &|at, e| central(&loss, at, e)),
        line("loss in f64, two widths combined", &richardson),
    ]
}

// Drawing.

/// One column a line; a line that ends early leaves its cells empty.
fn csv(x: &str, lines: &[Line]) -> String {
    let quoted = |l: &Line| format!("\"{}\"", l.name);
    let mut text = format!("{x},{}\n", lines.iter().map(quoted).collect::<Vec<_>>().join(","));
    for (k, (x, _)) in lines[0].points.iter().enumerate() {
        let cell = |l: &Line| l.points.get(k).map_or(String::new(), |(_, y)| format!("{y:.3e}"));
        let x = if x.fract() == 0.0 { x.to_string() } else { format!("{x:.1e}") };
        let cells: Vec<String> = lines.iter().map(cell).collect();
        writeln!(text, "{x},{}", cells.join(",")).expect("a String takes all");
    }
    text
}

/// Colours of Okabe and Ito 2008, told apart by everybody.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#cc79a7", "#999999", "#e69f00", "#009e73"];
const LEFT: f64 = 70.0;
const TOP: f64 = 40.0;
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 300.0;

fn frame(title: &str, height: f64, inside: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 {height}\" font-family=\"sans-serif\" \
         font-size=\"12\" role=\"img\" aria-label=\"{title}\">\n<rect width=\"720\" height=\"{height}\" \
         fill=\"white\"/>\n<text x=\"{LEFT}\" y=\"22\" font-size=\"15\">{title}</text>\n{inside}</svg>\n"
    )
}

/// Lines over x, with y (and x, if asked) in powers of ten.
fn chart(title: &str, x_name: &str, lines: &[Line], log_x: bool) -> String {
    let at = |x: f64| if log_x { x.log10() } else { x };
    let all = || lines.iter().flat_map(|l| &l.points).filter(|(_, y)| *y > 0.0);
    let span = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)))
    };
    let (x0, x1) = span(&mut all().map(|(x, _)| at(*x)));
    let (y0, y1) = span(&mut all().map(|(_, y)| y.log10()));
    let (y0, y1) = (y0.floor(), y1.ceil());
    let px = |x: f64| LEFT + WIDTH * (x - x0) / (x1 - x0);
    let py = |y: f64| TOP + HEIGHT * (y1 - y) / (y1 - y0);
    let mut svg = String::new();
    let every = ((y1 - y0) / 8.0).ceil().max(1.0);
    let mut y = y0;
    while y <= y1 {
        let (p, end) = (py(y), LEFT + WIDTH);
        let _ = writeln!(svg, "<path d=\"M{LEFT} {p:.1}H{end}\" stroke=\"#ddd\"/>");
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">1e{y}</text>",
            LEFT - 6.0,
            p + 4.0
        );
        y += every;
    }
    let every = if log_x { 1.0 } else { ((x1 - x0) / 80.0).ceil() * 10.0 };
    let mut x = x0;
    while x <= x1 + 1e-9 {
        let label = if log_x { format!("1e{x:.0}") } else { x.to_string() };
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{label}</text>",
            px(x),
            TOP + HEIGHT + 18.0
        );
        x += every;
    }
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{x_name}</text>",
        LEFT + WIDTH,
        TOP + HEIGHT + 36.0
    );
    for (k, line) in lines.iter().enumerate() {
        let points = line.points.iter().filter(|(_, y)| *y > 0.0);
        let points = points.map(|(x, y)| format!("{:.1},{:.1}", px(at(*x)), py(y.log10())));
        let (points, colour) = (points.collect::<Vec<_>>().join(" "), COLOURS[k % COLOURS.len()]);
        let _ = writeln!(
            svg,
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>"
        );
        let y = TOP + HEIGHT + 56.0 + 18.0 * k as f64;
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {:.1}h24\" stroke=\"{colour}\" stroke-width=\"3\"/>",
            y - 4.0
        );
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{y}\">{}</text>", LEFT + 32.0, line.name);
    }
    frame(title, TOP + HEIGHT + 62.0 + 18.0 * lines.len() as f64, &svg)
}

/// A bar for each step of the post-mortem, in the order of its file.
fn bars(title: &str, results: &str) -> String {
    let mut steps: Vec<(&str, Vec<f64>)> = Vec::new();
    for row in results.lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        let known = steps.iter().position(|(name, _)| *name == cells[0]);
        let at = known.unwrap_or_else(|| {
            steps.push((cells[0], Vec::new()));
            steps.len() - 1
        });
        steps[at].1.extend(cells[2].parse::<f64>());
    }
    let mut svg = String::new();
    for (k, (name, f1)) in steps.iter().enumerate() {
        let mean = f1.iter().sum::<f64>() / f1.len() as f64;
        let (y, width) = (TOP + 24.0 * k as f64, mean * 4.8);
        let _ =
            writeln!(svg, "<text x=\"110\" y=\"{}\" text-anchor=\"end\">{name}</text>", y + 14.0);
        let _ = writeln!(
            svg,
            "<rect x=\"120\" y=\"{y}\" width=\"{width:.1}\" height=\"18\" fill=\"{}\"/>",
            COLOURS[0]
        );
        let _ =
            writeln!(svg, "<text x=\"{:.1}\" y=\"{}\">{mean:.1}</text>", 126.0 + width, y + 14.0);
    }
    frame(title, TOP + 24.0 * steps.len() as f64 + 16.0, &svg)
}
