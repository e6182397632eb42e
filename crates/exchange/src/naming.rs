//! Names and layouts of the same weights in PyTorch and in Keras.
//!
//! D input · H hidden · K output · M filters over three characters of E columns
//!
//! | ours | shape | PyTorch | shape | Keras | shape |
//! |---|---|---|---|---|---|
//! | `…w_ih` | (4H, D) | `…weight_ih_l0` | same | `…/kernel` | (D, 4H) |
//! | `…w_hh` | (4H, H) | `…weight_hh_l0` | same | `…/recurrent_kernel` | (H, 4H) |
//! | `…b` of an LSTM | (4H) | `…bias_ih_l0` | same | `…/bias` | same |
//! | `dense.w` `projection.w` | (K, D) | `….weight` | same | `…/kernel` | (D, K) |
//! | `dense.b` | (K) | `dense.bias` | same | `dense/bias` | same |
//! | a table | (V, D) | `….weight` | same | `…/embeddings` | same |
//! | `chars.w` | (M, 3E) | `chars.conv.weight` | (M, E, 3) | `chars.conv/kernel` | (3, E, M) |
//!
//! All three have the gates in one order: i f g o, which Keras calls i f c o. Of several networks that tag
//! together the first has these names, the others have them after `member.1.`, `member.2.` and so on.

use ndarray::{ArrayD, IxDyn};

use crate::Named;

/// Whose names and layouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    Ours,
    Pytorch,
    Keras,
}

/// How the values of a tensor lie.
#[derive(Clone, Copy, PartialEq)]
enum Layout {
    Same,
    Transposed,
    /// (M, 3E) as (M, E, 3).
    Filters,
    /// (M, 3E) as (3, E, M).
    KerasFilters,
}

impl Naming {
    /// Our tensors as theirs.
    pub fn outward(self, tensors: Vec<Named>) -> Vec<Named> {
        let theirs = |t: Named| {
            let (name, layout) = self.of(&t.name);
            Named { name, values: layout.outward(t.values) }
        };
        tensors.into_iter().map(theirs).collect()
    }

    /// Among their tensors the one that we call `ours`, as we lay it out.
    pub fn find(self, tensors: &[Named], ours: &str) -> Option<ArrayD<f32>> {
        let (name, layout) = self.of(ours);
        let theirs = tensors.iter().find(|t| t.name == name)?;
        Some(layout.inward(theirs.values.clone()))
    }

    /// Their name and layout of our tensor. A member of several networks keeps its `member.N.` in front.
    fn of(self, ours: &str) -> (String, Layout) {
        let (member, ours) = crate::member_of(ours);
        let (name, layout) = self.of_one(ours);
        (format!("{member}{name}"), layout)
    }

    fn of_one(self, ours: &str) -> (String, Layout) {
        let (layer, weight) = ours.rsplit_once('.').expect("our names are LAYER.TENSOR");
        match self {
            Naming::Ours => (ours.to_owned(), Layout::Same),
            Naming::Pytorch => of_pytorch(ours, layer, weight),
            Naming::Keras => of_keras(ours, layer, weight),
        }
    }
}

fn of_pytorch(ours: &str, layer: &str, weight: &str) -> (String, Layout) {
    let is_lstm = layer.starts_with("encoder.") || layer.starts_with("chars.lstm.");
    let name = match (layer, weight) {
        ("chars", "w") => return ("chars.conv.weight".into(), Layout::Filters),
        ("chars", "b") => "chars.conv.bias".into(),
        ("crf", _) => ours.to_owned(),
        (_, "w_ih" | "w_hh" | "b") if is_lstm => torch_lstm(layer, weight),
        (_, "w") => format!("{layer}.weight"),
        (_, "b") => format!("{layer}.bias"),
        _ => format!("{ours}.weight"),
    };
    (name, Layout::Same)
}

fn of_keras(ours: &str, layer: &str, weight: &str) -> (String, Layout) {
    match (layer, weight) {
        ("chars", "w") => ("chars.conv/kernel".into(), Layout::KerasFilters),
        ("chars", "b") => ("chars.conv/bias".into(), Layout::Same),
        ("crf", _) => (format!("crf/{weight}"), Layout::Same),
        (_, "w" | "w_ih") => (format!("{layer}/kernel"), Layout::Transposed),
        (_, "w_hh") => (format!("{layer}/recurrent_kernel"), Layout::Transposed),
        (_, "b") => (format!("{layer}/bias"), Layout::Same),
        _ => (format!("{ours}/embeddings"), Layout::Same),
    }
}

/// `encoder.0.backward`, `w_ih` → `encoder.0.weight_ih_l0_reverse`.
fn torch_lstm(layer: &str, weight: &str) -> String {
    let weight = match weight {
        "w_ih" => "weight_ih_l0",
        "w_hh" => "weight_hh_l0",
        _ => "bias_ih_l0",
    };
    match (layer.strip_suffix(".forward"), layer.strip_suffix(".backward")) {
        (Some(both), _) => format!("{both}.{weight}"),
        (_, Some(both)) => format!("{both}.{weight}_reverse"),
        _ => format!("{layer}.{weight}"),
    }
}

impl Layout {
    fn outward(self, values: ArrayD<f32>) -> ArrayD<f32> {
        match self {
            Layout::Same => values,
            Layout::Transposed => in_order(values.reversed_axes()),
            Layout::Filters => in_order(windows(values).permuted_axes(vec![0, 2, 1])),
            Layout::KerasFilters => in_order(windows(values).permuted_axes(vec![1, 2, 0])),
        }
    }

    fn inward(self, values: ArrayD<f32>) -> ArrayD<f32> {
        match (self, values.ndim()) {
            (Layout::Transposed, 2) => in_order(values.reversed_axes()),
            (Layout::Filters, 3) => flat(in_order(values.permuted_axes(vec![0, 2, 1]))),
            (Layout::KerasFilters, 3) => flat(in_order(values.permuted_axes(vec![2, 0, 1]))),
            _ => values,
        }
    }
}

/// (M, 3E) → (M, 3, E).
fn windows(values: ArrayD<f32>) -> ArrayD<f32> {
    let shape = [values.shape()[0], 3, values.shape()[1] / 3];
    values.into_shape_with_order(IxDyn(&shape)).expect("three characters")
}

/// (M, 3, E) → (M, 3E).
fn flat(values: ArrayD<f32>) -> ArrayD<f32> {
    let shape = [values.shape()[0], values.shape()[1] * values.shape()[2]];
    values.into_shape_with_order(IxDyn(&shape)).expect("as many values")
}

fn in_order(values: ArrayD<f32>) -> ArrayD<f32> {
    values.as_standard_layout().into_owned()
}
