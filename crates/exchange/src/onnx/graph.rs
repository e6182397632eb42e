//! A graph under construction: values have names, nodes make values of values.

use ndarray::{ArrayD, ArrayViewD};

use super::proto::{
    ATTRIBUTE_INT, ATTRIBUTE_INTS, ATTRIBUTE_STRING, Attribute, Dim, FLOAT, Graph, INT64, Node,
    Shape, Tensor, TensorType, Type, ValueInfo,
};

/// A size in the shape of an input or output.
pub enum Size {
    Known(usize),
    /// Known when the graph is run.
    Open(&'static str),
}

#[derive(Default)]
pub struct Builder {
    graph: Graph,
    /// What stands before the names of weights: the member of several networks whose turn it is.
    scope: String,
}

impl Builder {
    /// Puts `scope` before the names that follow.
    pub fn enter(&mut self, scope: String) {
        self.scope = scope;
    }

    /// `name` as it stands in the graph.
    pub fn scoped(&self, name: &str) -> String {
        format!("{}{name}", self.scope)
    }

    /// Declares an input, whose name has no scope, unless it is there already.
    pub fn input(&mut self, name: &str, elements: i32, shape: &[Size]) -> String {
        if !self.graph.input.iter().any(|input| input.name == name) {
            self.graph.input.push(value(name, elements, shape));
        }
        name.to_owned()
    }

    /// Stores weights.
    pub fn weights(&mut self, name: &str, values: ArrayViewD<'_, f32>) -> String {
        self.shared(self.scoped(name), values)
    }

    /// Stores values under a name without scope, unless they are there already.
    pub fn shared(&mut self, name: String, values: ArrayViewD<'_, f32>) -> String {
        if !self.graph.initializer.iter().any(|t| t.name == name) {
            self.graph.initializer.push(Tensor {
                dims: values.shape().iter().map(|&n| n as i64).collect(),
                data_type: FLOAT,
                name: name.clone(),
                raw_data: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            });
        }
        name
    }

    /// Stores a number.
    pub fn number(&mut self, v: f32) -> String {
        let one = ArrayViewD::from_shape(vec![], std::slice::from_ref(&v)).expect("one number");
        self.shared(format!("number {v}"), one)
    }

    /// Stores whole numbers, as a list, or as a single one without axes.
    pub fn integers(&mut self, values: &[i64], single: bool) -> String {
        let name = format!("{}{values:?}", if single { "single" } else { "list" });
        if !self.graph.initializer.iter().any(|t| t.name == name) {
            self.graph.initializer.push(Tensor {
                dims: if single { Vec::new() } else { vec![values.len() as i64] },
                data_type: INT64,
                name: name.clone(),
                raw_data: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            });
        }
        name
    }

    /// Adds a node with one output.
    pub fn node(&mut self, op: &str, inputs: &[&str], attributes: Vec<Attribute>) -> String {
        let name = format!("{op}_{}", self.graph.node.len());
        self.outputs(op, inputs, attributes, &[&name]);
        name
    }

    /// Adds a node whose outputs have these names; an empty one is not asked for.
    pub fn outputs(
        &mut self,
        op: &str,
        inputs: &[&str],
        attribute: Vec<Attribute>,
        outputs: &[&str],
    ) {
        let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        self.graph.node.push(Node {
            input: owned(inputs),
            output: owned(outputs),
            name: format!("node_{}", self.graph.node.len()),
            op_type: op.to_owned(),
            attribute,
        });
    }

    /// Gives a value out under another name.
    pub fn output(&mut self, from: &str, name: &str, shape: &[Size]) {
        self.outputs("Identity", &[from], Vec::new(), &[name]);
        self.graph.output.push(value(name, FLOAT, shape));
    }

    pub fn finish(self, name: &str) -> Graph {
        Graph { name: name.to_owned(), ..self.graph }
    }
}

fn value(name: &str, elem_type: i32, shape: &[Size]) -> ValueInfo {
    let dim = shape.iter().map(|size| match size {
        Size::Known(n) => Dim { dim_value: Some(*n as i64), dim_param: None },
        Size::Open(name) => Dim { dim_value: None, dim_param: Some((*name).to_owned()) },
    });
    let shape = Some(Shape { dim: dim.collect() });
    let tensor_type = Some(TensorType { elem_type, shape });
    ValueInfo { name: name.to_owned(), r#type: Some(Type { tensor_type }) }
}

pub fn int(name: &str, i: usize) -> Attribute {
    Attribute { name: name.into(), i: Some(i as i64), kind: ATTRIBUTE_INT, ..Attribute::default() }
}

pub fn ints(name: &str, ints: &[i64]) -> Attribute {
    let ints = ints.to_vec();
    Attribute { name: name.into(), ints, kind: ATTRIBUTE_INTS, ..Attribute::default() }
}

pub fn text(name: &str, s: &str) -> Attribute {
    let s = Some(s.as_bytes().to_vec());
    Attribute { name: name.into(), s, kind: ATTRIBUTE_STRING, ..Attribute::default() }
}

/// The values of a tensor of floats.
pub fn floats(tensor: &Tensor) -> Result<ArrayD<f32>, String> {
    let values = tensor.raw_data.chunks_exact(4);
    let values = values.map(|b| f32::from_le_bytes(b.try_into().expect("four bytes"))).collect();
    let shape: Vec<usize> = tensor.dims.iter().map(|&n| n.max(0) as usize).collect();
    ArrayD::from_shape_vec(shape, values)
        .map_err(|_| format!("the tensor {} is not stored as plain bytes", tensor.name))
}
