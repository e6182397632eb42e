//! A `state_dict` as safetensors: what `safetensors.torch.load_file` gives to `load_state_dict`.
//!
//! PyTorch's LSTM has two biases that always add up. Ours is written as the first, the second as zeros;
//! reading adds them, so that both may have been trained on.

use std::collections::HashMap;

use ndarray::{ArrayD, IxDyn};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use crate::naming::Naming;
use crate::{Content, Named};

pub(crate) fn write(content: Content) -> Vec<u8> {
    let Content { meta, mut tensors, .. } = content;
    let second = tensors.iter().filter(|t| t.name.contains("bias_ih_l0"));
    let second = second.map(|t| Named {
        name: t.name.replace("bias_ih", "bias_hh"),
        values: ArrayD::zeros(t.values.raw_dim()),
    });
    let second: Vec<Named> = second.collect();
    tensors.extend(second);
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|t| t.values.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    let views = tensors.iter().zip(&bytes).map(|(t, bytes)| {
        let view = TensorView::new(Dtype::F32, t.values.shape().to_vec(), bytes);
        (t.name.as_str(), view.expect("as many bytes as the shape says"))
    });
    let meta = HashMap::from([("longhand-export".to_owned(), meta)]);
    safetensors::serialize(views, Some(meta)).expect("tensors have names of their own")
}

pub(crate) fn read(bytes: &[u8]) -> Result<Content, String> {
    let damaged = |_| "it is cut short or damaged".to_owned();
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let meta = header.metadata().as_ref().and_then(|m| m.get("longhand-export")).cloned();
    let meta = meta.ok_or(match header.metadata() {
        Some(m) if m.contains_key("longhand") => "it is a model of this program already",
        _ => "it says nothing of words and tags (keep the file's metadata when saving it)",
    })?;
    let mut tensors = Vec::new();
    for (name, view) in file.tensors() {
        if view.dtype() != Dtype::F32 {
            return Err(format!("{name} is {:?}, not F32", view.dtype()));
        }
        let values = view.data().chunks_exact(4);
        let values =
            values.map(|b| f32::from_le_bytes(b.try_into().expect("four bytes"))).collect();
        let values = ArrayD::from_shape_vec(IxDyn(view.shape()), values);
        tensors.push(Named { name, values: values.map_err(|e| e.to_string())? });
    }
    Ok(Content { meta, naming: Naming::Pytorch, tensors: one_bias(tensors)? })
}

/// Adds up the two biases of each LSTM.
fn one_bias(tensors: Vec<Named>) -> Result<Vec<Named>, String> {
    let (second, mut tensors): (Vec<Named>, Vec<Named>) =
        tensors.into_iter().partition(|t| t.name.contains("bias_hh_l0"));
    for bias in second {
        let first = bias.name.replace("bias_hh", "bias_ih");
        let first = tensors.iter_mut().find(|t| t.name == first);
        let first = first.ok_or_else(|| format!("{} stands alone", bias.name))?;
        if first.values.shape() != bias.values.shape() {
            return Err(format!("{} and {} differ in shape", first.name, bias.name));
        }
        // Not `+=` for zeros: -0.0 + 0.0 is 0.0.
        if bias.values.iter().any(|&v| v != 0.0) {
            first.values += &bias.values;
        }
    }
    Ok(tensors)
}
