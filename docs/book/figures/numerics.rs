//! Chapter 12: how exact a gradient check is. Everything is computed in `f64` but for one line.

use ndarray::Array2;
use nn::lstm::{Lstm, Masks};
use nn::{Direction, Packing, Params};
use tensor::random::{Purpose, Stream};

use crate::draw::{Chart, Line, chart, csv};
use crate::{Figure, Result};

pub fn figures() -> Result<Vec<Figure>> {
    let errors = epsilon();
    let title = "Error of a gradient check of an LSTM";
    let about = Chart { title, x: "ε", log_x: true, log_y: true, ..Chart::default() };
    Ok(vec![("epsilon.csv", csv("ε", &errors)), ("epsilon.svg", chart(&about, &errors))])
}

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
