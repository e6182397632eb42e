//! Chapter 11: how far Adam goes, weight by weight, and what becomes of a word's row between its batches.

use ndarray::Array1;
use train::Trainer;

use crate::draw::{Chart, Line, chart, csv};
use crate::run;
use crate::{Figure, Result};

/// A rate that stays as it is, so that steps compare.
const STEADY: [(&str, &str); 3] = [("warmup", "0"), ("schedule", "constant"), ("epochs", "3")];
const RATE: f64 = 0.003;

pub fn figures() -> Result<Vec<Figure>> {
    let (lazy, touched, steps) = follow("true")?;
    let (dense, ..) = follow("false")?;
    let name = |rule: &str| format!("{rule}: ‖row − row at the start‖ / α");
    let rows = [
        Line { name: name("only rows that a batch touches (lazy-rows = true)"), points: lazy },
        Line { name: name("every row at every step (lazy-rows = false)"), points: dense },
    ];
    let about = Chart {
        title: "The row of a word that stands in three sentences",
        x: "steps",
        marks: (&touched, "marks: batches that hold the word"),
        ..Chart::default()
    };
    let effective = Chart {
        title: "|Δw| / α in the dense layer: how far a weight goes in a step",
        x: "steps",
        log_y: true,
        ..Chart::default()
    };
    Ok(vec![
        ("rows.svg", chart(&about, &rows)),
        ("rows.csv", csv("step", &rows)),
        ("steps.svg", chart(&effective, &steps)),
        ("steps.csv", csv("step", &steps)),
    ])
}

type Points = Vec<(f64, f64)>;

/// A run of three epochs, step by step: how far the row is from where it began, the steps that a batch
/// touched it at, and the spread of |Δw| / α over the dense layer's weights.
fn follow(lazy_rows: &str) -> Result<(Points, Vec<f64>, Vec<Line>)> {
    let keys = [&STEADY[..], &[("lazy-rows", lazy_rows)]].concat();
    let mut trainer = run::start("fast", &keys)?.trainer;
    assert_eq!(trainer.config().learning_rate, RATE);
    let vocab = &trainer.dataset().code.vocab;
    let seen = |&id: &usize| vocab.count(id as u32) == 3;
    let word = (2..vocab.len()).find(seen).expect("some word stands three times in train");
    let row = |t: &Trainer| t.tagger().words.table(0).row(word).mapv(f64::from);
    let dense = |t: &Trainer| Array1::from_iter(t.tagger().network.dense.w.iter().copied());
    let start = row(&trainer);
    let (mut far, mut touched) = (vec![(0.0, 0.0)], Vec::new());
    let shares = [0.9, 0.5, 0.1];
    let mut spread: Vec<Points> = vec![Vec::new(); 3];
    let mut step = 0.0;
    while !trainer.is_done() {
        let (row_before, before) = (row(&trainer), dense(&trainer));
        run::step(&mut trainer)?;
        step += 1.0;
        let (now, moved) = (row(&trainer), dense(&trainer) - before);
        if now != row_before {
            touched.push(step);
        }
        let away = &now - &start;
        far.push((step, away.dot(&away).sqrt() / RATE));
        let mut moved: Vec<f64> = moved.iter().map(|d| f64::from(d.abs()) / RATE).collect();
        moved.sort_by(f64::total_cmp);
        for (points, share) in spread.iter_mut().zip(shares) {
            points.push((step, moved[(share * (moved.len() - 1) as f64) as usize]));
        }
    }
    let name = |share: f64| format!("{:.0} % of the weights go at most so far", 100.0 * share);
    let lines = shares.into_iter().zip(spread).map(|(p, points)| Line { name: name(p), points });
    Ok((far, touched, lines.collect()))
}
