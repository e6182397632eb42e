//! Mistakes to plant, so that one sees the check catch them.
//!
//! They are made around `nn`, whose backward is the real one: what comes out of it is spoilt as a slip in it
//! would have spoilt it. (`docs/gradient-mutations.md` breaks the source itself, line by line.)

use std::fmt;

use data::{Error, Result};
use ndarray::ArrayViewMut2;
use nn::Params;
use nn::dropout::Noise;
use nn::embedding::RowGrads;
use nn::tagger::Tagger;
use nn::vectors::Vectors;
use train::config::nearest;

use super::Batch;

/// A mistake.
pub enum Slip {
    /// A whole tensor's gradient, and what becomes of each value.
    Tensor(String, Spoilt),
    /// Gradients of the gates g and o change places in every LSTM: another library's order.
    GateOrder,
    /// A row that stands twice in a batch keeps its last gradient instead of the sum.
    RepeatedRows,
    /// Backward draws its dropout masks anew.
    DropoutMasks,
    /// Sentences are counted instead of tokens.
    MeanOverSentences,
}

/// What becomes of a gradient.
#[derive(Clone, Copy)]
pub enum Spoilt {
    /// Wrong sign.
    Negated,
    /// Never added.
    Zero,
    /// Added twice.
    Twice,
}

/// Names of the mistakes that are not of one tensor.
const NAMES: [&str; 4] = ["gate-order", "repeated-rows", "dropout-masks", "mean-over-sentences"];

impl Slip {
    /// Reads `NAME`, or `TENSOR` or `TENSOR=negated|zero|twice` of this tagger.
    ///
    /// # Errors
    /// E041 for a name that is none, or a mistake that this network cannot make.
    pub fn parse(text: &str, tagger: &Tagger<f64>) -> Result<Self> {
        let spec = &tagger.spec;
        let without =
            |part: &str| Err(Error::new("E041", format!("`{text}`: the network has {part}")));
        let has_dropout = spec.dense_dropout > 0.0
            || spec.encoder.iter().any(|l| l.dropout > 0.0 || l.recurrent_dropout > 0.0);
        match text {
            "gate-order" if spec.encoder.is_empty() => return without("no LSTM"),
            "gate-order" => return Ok(Slip::GateOrder),
            "repeated-rows" => return Ok(Slip::RepeatedRows),
            "dropout-masks" if !has_dropout => return without("no dropout"),
            "dropout-masks" => return Ok(Slip::DropoutMasks),
            "mean-over-sentences" => return Ok(Slip::MeanOverSentences),
            _ => {}
        }
        let (name, how) = text.split_once('=').unwrap_or((text, "negated"));
        let how = match how {
            "negated" => Spoilt::Negated,
            "zero" => Spoilt::Zero,
            "twice" => Spoilt::Twice,
            _ => {
                let error = Error::new("E041", format!("`{how}` is nothing to do to a gradient"));
                return Err(error.help("TENSOR=negated, TENSOR=zero or TENSOR=twice"));
            }
        };
        let tensors: Vec<String> = tagger.tensors().into_iter().map(|(name, _)| name).collect();
        if !tensors.iter().any(|t| t == name) {
            let known = tensors.iter().map(String::as_str).chain(NAMES);
            let help = match nearest(name, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("a tensor (`{}` …) or {}", tensors[0], NAMES.join(", ")),
            };
            return Err(Error::new("E041", format!("no mistake `{name}`")).help(help));
        }
        Ok(Slip::Tensor(name.to_owned(), how))
    }
}

impl fmt::Display for Slip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Slip::Tensor(name, Spoilt::Negated) => {
                write!(f, "{name}'s gradient has the wrong sign")
            }
            Slip::Tensor(name, Spoilt::Zero) => write!(f, "{name}'s gradient is never added"),
            Slip::Tensor(name, Spoilt::Twice) => write!(f, "{name}'s gradient is added twice"),
            Slip::GateOrder => write!(f, "gradients of the gates g and o have changed places"),
            Slip::RepeatedRows => write!(f, "a row that stands twice keeps its last gradient only"),
            Slip::DropoutMasks => write!(f, "backward draws dropout masks of its own"),
            Slip::MeanOverSentences => write!(f, "backward divides by sentences, not by tokens"),
        }
    }
}

/// The gradient of the batch's loss by `backward`, spoilt by `slip` if there is one.
pub fn gradients(tagger: &Tagger<f64>, batch: &Batch, slip: Option<&Slip>) -> Tagger<f64> {
    let mut grads = tagger.zeros_like();
    let noise = batch.noise();
    let (scores, cache) = tagger.forward(batch.input.clone(), Some(&noise));
    let (_, mut ds) = batch.loss_of(tagger, scores, &mut grads.network);
    let cache = match slip {
        Some(Slip::DropoutMasks) => {
            let anew = Noise { epoch: noise.epoch + 1, ..noise };
            tagger.forward(batch.input.clone(), Some(&anew)).1
        }
        _ => cache,
    };
    if let Some(Slip::MeanOverSentences) = slip {
        let packing = &batch.input.packing;
        ds *= packing.rows() as f64 / packing.sentences() as f64;
    }
    let rows = tagger.backward(cache, &ds, &mut grads.network);
    let add = |rows: RowGrads<f64>, mut table: ArrayViewMut2<f64>| match slip {
        Some(Slip::RepeatedRows) => last_only(&rows, &mut table),
        _ => rows.add_to(&mut table),
    };
    add(rows.words, grads.words.rows.view_mut());
    if let (Some(rows), Some(wide)) = (rows.wide, &mut grads.wide) {
        add(rows, wide.table.view_mut());
    }
    let table = grads.vectors.as_mut().and_then(Vectors::trained_mut);
    if let (Some(rows), Some(table)) = (rows.vectors, table) {
        add(rows, table.view_mut());
    }
    match slip {
        Some(Slip::Tensor(name, how)) => spoil(&mut grads, name, *how),
        Some(Slip::GateOrder) => swap_gates(&mut grads),
        _ => {}
    }
    grads
}

fn last_only(rows: &RowGrads<f64>, table: &mut ArrayViewMut2<f64>) {
    for (i, &id) in rows.ids.iter().enumerate() {
        table.row_mut(id as usize).assign(&rows.rows.row(i / rows.per_row()));
    }
}

fn spoil(grads: &mut Tagger<f64>, name: &str, how: Spoilt) {
    let factor = match how {
        Spoilt::Negated => -1.0,
        Spoilt::Zero => 0.0,
        Spoilt::Twice => 2.0,
    };
    for (tensor, mut values) in grads.tensors_mut() {
        if tensor == name {
            values *= factor;
        }
    }
}

/// The third and the last quarter of each tensor of the encoder, whose gates are i f g o.
fn swap_gates(grads: &mut Tagger<f64>) {
    for layer in &mut grads.network.encoder {
        for values in layer.slices_mut() {
            let quarter = values.len() / 4;
            let (g, o) = values[2 * quarter..].split_at_mut(quarter);
            g.swap_with_slice(o);
        }
    }
}
