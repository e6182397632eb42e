//! Chapter 9: what a trained convolution reads in words.

use std::fmt::Write as _;

use ndarray::{Array1, Array2, s};
use nn::char_cnn::CharCnn;
use nn::chars::Spellings;
use nn::tagger::Chars;

use crate::draw::{COLOURS, frame, label};
use crate::run::{self, Run};
use crate::{Figure, Result};

/// Names, a number, a verb, an abbreviation; some stand in no text that the network has read.
const WORDS: [&str; 8] =
    ["Monday", "Washington", "Johnson", "Zagorskistan", "1987", "walked", "government", "U.N."];

/// The letters have to do what affixes and the wide part do else.
const ALONE: [(&str, &str); 3] = [("chars", "cnn"), ("affix-rows", "0"), ("wide-rows", "0")];

pub fn figures() -> Result<Vec<Figure>> {
    let run = run::trained("fast", &ALONE)?;
    let Some(Chars::Cnn(layer)) = &run.trainer.tagger().network.chars else {
        unreachable!("the configuration says so");
    };
    Ok(vec![("letters.svg", maxima(&run, layer)), ("forms.csv", nearest(&run, layer))])
}

/// The characters of words, and which spelling each word has.
fn spelled(run: &Run, words: &[&str]) -> (Spellings, Vec<u32>) {
    run::read(&run.trainer, words).0.chars.expect("letters are read")
}

/// Equations (1) to (3) at one place of a word: z_p (M).
fn window(layer: &CharCnn<f32>, word: &[u32], p: usize) -> Array1<f32> {
    let n_in = layer.table.ncols();
    let mut x = Array1::zeros(3 * n_in);
    for part in 0..3 {
        if let Some(&char) = (p + part).checked_sub(1).and_then(|q| word.get(q)) {
            x.slice_mut(s![part * n_in..(part + 1) * n_in]).assign(&layer.table.row(char as usize));
        }
    }
    layer.w.dot(&x) + &layer.b
}

/// How many filters have their maximum at each place of a word.
fn counts(layer: &CharCnn<f32>, word: &[u32]) -> Vec<usize> {
    let z: Vec<_> = (0..word.len()).map(|p| window(layer, word, p)).collect();
    let mut counts = vec![0; word.len()];
    for m in 0..layer.n_out() {
        let higher = |best: usize, p: usize| if z[p][m] > z[best][m] { p } else { best };
        counts[(0..word.len()).fold(0, higher)] += 1;
    }
    counts
}

fn maxima(run: &Run, layer: &CharCnn<f32>) -> String {
    let (spellings, word_of) = spelled(run, &WORDS);
    let (left, top, wide, high) = (130.0, 50.0, 40.0, 32.0);
    let mut svg = String::new();
    for (n, word) in WORDS.iter().enumerate() {
        let y = top + high * n as f64;
        let own = run.trainer.dataset().code.vocab.id(word) != data::UNK;
        let style = if own { "" } else { "font-style=\"italic\"" };
        label(&mut svg, left - 12.0, y + 19.0, &format!("text-anchor=\"end\" {style}"), word);
        let counts = counts(layer, &spellings.chars()[spellings.word(word_of[n] as usize)]);
        for (p, (letter, count)) in word.chars().zip(counts).enumerate() {
            let (x, share) = (left + wide * p as f64, count as f64 / layer.n_out() as f64);
            let _ = writeln!(
                svg,
                "<rect x=\"{x}\" y=\"{y}\" width=\"38\" height=\"30\" fill=\"{}\" fill-opacity=\"{:.2}\"/>",
                COLOURS[1],
                (2.0 * share).min(1.0)
            );
            label(
                &mut svg,
                x + 12.0,
                y + 20.0,
                "text-anchor=\"middle\" font-size=\"15\"",
                &letter.to_string(),
            );
            label(
                &mut svg,
                x + 34.0,
                y + 26.0,
                "text-anchor=\"end\" font-size=\"9\"",
                &count.to_string(),
            );
        }
    }
    let title = format!("At which letter each of the {} filters has its maximum", layer.n_out());
    frame(&title, top + high * WORDS.len() as f64 + 10.0, &svg)
}

/// The words of the word list whose y points most nearly the same way.
fn nearest(run: &Run, layer: &CharCnn<f32>) -> String {
    let vocab = &run.trainer.dataset().code.vocab;
    let known: Vec<&str> = vocab.words().filter(|w| w.chars().all(char::is_alphanumeric)).collect();
    let all: Vec<&str> = WORDS.into_iter().chain(known).collect();
    let (spellings, word_of) = spelled(run, &all);
    let y = layer.forward(&spellings).0;
    let length = |v: ndarray::ArrayView1<'_, f32>| v.dot(&v).sqrt();
    let unit = |mut y: Array2<f32>| {
        for mut row in y.rows_mut() {
            let by = length(row.view());
            row /= by;
        }
        y
    };
    let y = unit(y);
    let mut text = "word,nearest,second,third\n".to_owned();
    for (n, word) in WORDS.iter().enumerate() {
        let to = |m: usize| y.row(word_of[n] as usize).dot(&y.row(word_of[m] as usize));
        let others = (WORDS.len()..all.len()).filter(|&m| all[m] != *word);
        let mut others: Vec<(f32, &str)> = others.map(|m| (to(m), all[m])).collect();
        others.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
        let cells: Vec<String> =
            others[..3].iter().map(|(cosine, other)| format!("{other} ({cosine:.2})")).collect();
        writeln!(text, "{word},{}", cells.join(",")).expect("a String");
    }
    text
}
