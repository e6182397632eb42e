//! Everything as text: `{"longhand": {…}, "tensors": {"dense.w": {"shape": [17, 128], "values": […]}}}`.
//! Numbers have as many digits as it takes to read back the same bits.

use std::collections::BTreeMap;

use ndarray::{ArrayD, IxDyn};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::naming::Naming;
use crate::{Content, Named};

#[derive(Serialize, Deserialize)]
struct File {
    /// As it stands: read and written again it might differ in its digits.
    longhand: Box<RawValue>,
    tensors: BTreeMap<String, Tensor>,
}

#[derive(Serialize, Deserialize)]
struct Tensor {
    shape: Vec<usize>,
    values: Vec<f32>,
}

pub(crate) fn write(content: Content) -> Vec<u8> {
    let tensor = |t: Named| {
        let (shape, values) = (t.values.shape().to_vec(), t.values.iter().copied().collect());
        (t.name, Tensor { shape, values })
    };
    let longhand = RawValue::from_string(content.meta).expect("it is JSON");
    let tensors = content.tensors.into_iter().map(tensor).collect();
    serde_json::to_vec(&File { longhand, tensors }).expect("plain values")
}

pub(crate) fn read(bytes: &[u8]) -> Result<Content, String> {
    let file: File = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    let mut tensors = Vec::new();
    for (name, Tensor { shape, values }) in file.tensors {
        let n = values.len();
        let values = ArrayD::from_shape_vec(IxDyn(&shape), values)
            .map_err(|_| format!("{name} has {n} values, its shape {shape:?} wants others"))?;
        tensors.push(Named { name, values });
    }
    Ok(Content { meta: file.longhand.get().to_owned(), naming: Naming::Ours, tensors })
}
