//! Models in the formats of other programs, and back.
//!
//! ```text
//!             names, layouts                 bytes
//! Model ──► our tensors ──► their tensors ──► pytorch: safetensors    keras: npz
//!   ▲                                         npz, json: our tensors as they are
//!   └── the same, the other way round ◄────── onnx: a graph that computes the scores of tags
//! ```
//!
//! Each file holds, besides the tensors, the text that describes the model (words, tags, configuration): so
//! what was exported can be imported, and gives the same bits. Shapes and values may have been changed by
//! other programs in between; names and shapes are checked.

pub mod example;
mod json;
mod naming;
mod npz;
mod onnx;
mod pytorch;

use std::path::Path;

use data::{Error, Result};
use ndarray::ArrayD;
use train::Model;

pub use example::example;
use naming::Naming;

/// A format to export to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A `state_dict` as safetensors, in PyTorch's names and layouts.
    Pytorch,
    /// NumPy arrays in the layouts of Keras's layers, `layer/weight`.
    Keras,
    /// NumPy arrays under this program's names.
    Npz,
    /// Everything as text.
    Json,
    /// A graph from word numbers to the scores of tags.
    Onnx,
}

/// A tensor under a name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Named {
    pub name: String,
    pub values: ArrayD<f32>,
}

/// What a file holds: the model's description, and its tensors under someone's names.
pub(crate) struct Content {
    pub meta: String,
    pub naming: Naming,
    pub tensors: Vec<Named>,
}

/// The model as a file of this kind.
///
/// # Errors
/// E051 for weights that are not numbers, which no format but safetensors keeps.
pub fn export(model: &Model, kind: Kind) -> Result<Vec<u8>> {
    let tensors = model.tensors().into_iter();
    let tensors: Vec<Named> =
        tensors.map(|(name, t)| Named { name, values: t.to_owned() }).collect();
    if let Some(t) = tensors.iter().find(|t| t.values.iter().any(|v| !v.is_finite())) {
        return Err(Error::new("E051", format!("{} holds a value that is not a number", t.name))
            .help("the training that made this model diverged; export another epoch's"));
    }
    let content =
        |naming: Naming| Content { meta: model.meta(), naming, tensors: naming.outward(tensors) };
    Ok(match kind {
        Kind::Pytorch => pytorch::write(content(Naming::Pytorch)),
        Kind::Keras => npz::write(content(Naming::Keras)),
        Kind::Npz => npz::write(content(Naming::Ours)),
        Kind::Json => json::write(content(Naming::Ours)),
        Kind::Onnx => onnx::write(model),
    })
}

/// `member.2.dense.w` as `member.2.` and `dense.w`; nothing in front for the first network.
pub(crate) fn member_of(name: &str) -> (&str, &str) {
    let digits = name.strip_prefix("member.").and_then(|rest| rest.split_once('.'));
    match digits {
        Some((number, rest)) if number.bytes().all(|b| b.is_ascii_digit()) => {
            name.split_at(name.len() - rest.len())
        }
        _ => ("", name),
    }
}

/// The model in a file that [`export`] wrote, whatever its kind; `path` stands in errors.
///
/// # Errors
/// E051 if it is no such file, E013 if its tensors do not fit its description.
pub fn import(bytes: &[u8], path: &Path) -> Result<Model> {
    let bad = |what: String| {
        Error::new("E051", format!("{} cannot be imported: {what}", path.display()))
            .at(path, None, None)
            .help("only what `longhand export` wrote can be; other programs may have changed its values")
    };
    let read = match bytes {
        [b'P', b'K', ..] => npz::read(bytes),
        [b'{', ..] => json::read(bytes),
        [_, _, _, _, _, _, _, _, b'{', ..] => pytorch::read(bytes),
        _ => onnx::read(bytes),
    };
    let Content { meta, naming, tensors } = read.map_err(bad)?;
    Model::from_meta(&meta, path, |ours| naming.find(&tensors, ours))
}
