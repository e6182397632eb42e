//! Chapter 4: how gradients fare through time.

use ndarray::{Array1, Array2};
use nn::lstm::Lstm;
use nn::{Packing, lstm_cell, tagger::Layer};
use tensor::random::{Purpose, Stream};
use train::Trainer;

use crate::draw::{Chart, Line, chart, csv};
use crate::{Figure, Result, run};

pub fn figures() -> Result<Vec<Figure>> {
    let norms = norms()?;
    let title = "Length of the gradient, so many steps before the loss";
    let about = Chart { title, x: "steps back", log_y: true, ..Chart::default() };
    Ok(vec![("norms.csv", csv("steps back", &norms)), ("norms.svg", chart(&about, &norms))])
}

/// Trains the tutorial's network put right and walks back through the corpus's longest sentence.
fn norms() -> Result<Vec<Line>> {
    let mut trainer = run::start("repaired", &[("epochs", "3")])?.trainer;

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
    run::to_the_end(&mut trainer)?;
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
