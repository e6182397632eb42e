//! The network as an ONNX graph: from what the words are to the scores of tags ("emissions").
//!
//! ```text
//! L letters of the longest word · U words · T tables · J features a token · K tags
//!
//! words     (steps, sentences, T) int64   a row of each table for each token
//! wide      (steps, sentences, J) int64   if there is a wide part
//! vectors   (steps, sentences) int64      if there are pretrained vectors: a row of them for each token
//! letters   (L, U) int64                  if letters are read; beyond a word's end any number
//! letter_counts (U) int32                 the same
//! word_of   (steps, sentences) int64      the same: which of the U words each token is
//! lengths   (sentences) int32             tokens of each sentence; behind its end stand any numbers
//!
//! emissions (steps, sentences, K) float   of no meaning behind a sentence's end
//! ```
//!
//! Of several networks that tag together each is in the graph, and the scores are the mean of theirs. The weights of
//! the first have their own names, those of the others stand after `member.1.`, `member.2.` and so on.
//!
//! The best path through a CRF is no part of the graph. Its weights (the mean of the members') and the rules of
//! the tag scheme stand in the metadata under `crf` (JSON: `transitions` [from][to], `start`, `end`; a forbidden one is null), the tags
//! under `tags`, the whole description under `longhand`.

mod graph;
mod proto;

use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate, stack};
use nn::bilstm::BiLstm;
use nn::char_cnn::CharCnn;
use nn::char_lstm::CharLstm;
use nn::crf::{Allowed, Crf};
use nn::lstm::Lstm;
use nn::tagger::{Chars, Layer, Tagger};
use prost::Message;
use serde_json::{Value, json};
use train::Model;

use crate::naming::Naming;
use crate::{Content, Named};
use graph::{Builder, Size, floats, int, ints, text};
use proto::{Entry, FLOAT, INT32, INT64, OperatorSet};

/// Version of the operators; 17 is read by onnxruntime 1.12 (2022) and later.
const OPSET: i64 = 17;

const KEY: &str = "longhand";

/// Key of a CRF's weights, after the scope of its member.
const CRF_WEIGHTS: &str = "crf.weights";

pub(crate) fn write(model: &Model) -> Vec<u8> {
    let tags: Vec<&str> = model.tags.iter().collect();
    let entry = |key: &str, value: String| Entry { key: key.to_owned(), value };
    let mut metadata_props = vec![entry(KEY, model.meta()), entry("tags", json!(tags).to_string())];
    let rules = model.tagger.spec.rules.clone();
    if let Some(mean) = model.tagger.mean_crf() {
        let rules = rules.unwrap_or_else(|| Allowed::all(tags.len()));
        metadata_props.push(entry("crf", potentials(&mean, &rules).to_string()));
        // As they are, those that the rules forbid as well: for reading the model back.
        let each = model.tagger.members().filter_map(|member| member.network.crf.as_ref());
        let weights = each.enumerate().map(|(k, crf)| {
            entry(&format!("{}{CRF_WEIGHTS}", scope(k)), weights_of(crf).to_string())
        });
        metadata_props.extend(weights);
    } else if let Some(rules) = rules {
        let free = Crf::<f32>::new(tags.len());
        metadata_props.push(entry("crf", potentials(&free, &rules).to_string()));
    }
    let file = proto::Model {
        ir_version: 8,
        producer_name: "longhand".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        doc_string: "Scores of tags; best path and tags: see the metadata `crf` and `tags`.".into(),
        graph: Some(graph_of(model)),
        opset_import: vec![OperatorSet { domain: String::new(), version: OPSET }],
        metadata_props,
    };
    file.encode_to_vec()
}

/// Potentials for decoding: what the rules forbid is null.
fn potentials(crf: &Crf<f32>, rules: &Allowed) -> Value {
    let k = rules.n_tags();
    let ruled = |w: f32, allowed: bool| allowed.then_some(w);
    let transitions: Vec<Vec<Option<f32>>> = (0..k)
        .map(|i| {
            (0..k).map(|j| ruled(crf.transitions[[i, j]], rules.transitions()[i * k + j])).collect()
        })
        .collect();
    let edge = |w: &Array1<f32>, allowed: &[bool]| {
        w.iter().zip(allowed).map(|(&w, &a)| ruled(w, a)).collect::<Vec<_>>()
    };
    json!({
        "transitions": transitions,
        "start": edge(&crf.start, rules.start()),
        "end": edge(&crf.end, rules.end()),
    })
}

fn weights_of(crf: &Crf<f32>) -> Value {
    let rows: Vec<Vec<f32>> = crf.transitions.rows().into_iter().map(|r| r.to_vec()).collect();
    json!({ "transitions": rows, "start": crf.start.to_vec(), "end": crf.end.to_vec() })
}

/// The scores of each member, their mean, and what the wide part adds to it.
fn graph_of(model: &Model) -> proto::Graph {
    let (tagger, b) = (&model.tagger, &mut Builder::default());
    let each: Vec<String> = (0..).zip(tagger.members()).map(|(k, m)| member(b, k, m)).collect();
    let mut scores = each[0].clone();
    for others in &each[1..] {
        scores = b.node("Add", &[&scores, others], Vec::new());
    }
    if each.len() > 1 {
        let n = b.number(each.len() as f32);
        scores = b.node("Div", &[&scores, &n], Vec::new());
    }
    if let Some(layer) = &tagger.wide {
        b.enter(scope(0));
        let ids = b.input("wide", INT64, &token(Size::Open("features")));
        let table = b.weights("wide.table", layer.table.view().into_dyn());
        let rows = b.node("Gather", &[&table, &ids], Vec::new());
        let axes = b.integers(&[2], false);
        let votes = b.node("ReduceSum", &[&rows, &axes], vec![int("keepdims", 0)]);
        scores = b.node("Add", &[&scores, &votes], Vec::new());
    }
    b.output(&scores, "emissions", &token(Size::Known(tagger.spec.tags)));
    std::mem::take(b).finish("longhand")
}

/// The shape of what there is for each token.
fn token(last: Size) -> [Size; 3] {
    [Size::Open("steps"), Size::Open("sentences"), last]
}

/// The scores of one network, number `k` of those that tag together, without the wide part.
fn member(b: &mut Builder, k: usize, tagger: &Tagger<f32>) -> String {
    b.enter(scope(k));
    let network = &tagger.network;
    let tables = tagger.spec.tables.len();
    let words = b.input("words", INT64, &token(Size::Known(tables)));
    let lengths = b.input("lengths", INT32, &[Size::Open("sentences")]);

    let mut rows = Vec::new();
    for (t, (name, _)) in tagger.spec.tables.iter().enumerate() {
        let table = b.weights(&format!("words.{name}"), tagger.words.table(t).into_dyn());
        let place = b.integers(&[t as i64], true);
        let ids = b.node("Gather", &[&words, &place], vec![int("axis", 2)]);
        rows.push(b.node("Gather", &[&table, &ids], Vec::new()));
    }
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let mut x = b.node("Sum", &rows, Vec::new());
    if let Some(layer) = &network.projection {
        let ids = b.input("vectors", INT64, &[Size::Open("steps"), Size::Open("sentences")]);
        let vectors = tagger.vectors.as_ref().expect("what is projected");
        let table = vectors.table().view().into_dyn();
        let table = match vectors.is_tuned() {
            true => b.weights("vectors.table", table),
            false => b.shared("vectors.table".into(), table), // one for all members
        };
        let rows = b.node("Gather", &[&table, &ids], Vec::new());
        let added = affine(b, &rows, "projection.w", layer.w.view(), None);
        x = b.node("Add", &[&x, &added], Vec::new());
    }
    if let Some(layer) = &network.chars {
        let spelled = chars(b, layer);
        x = b.node("Concat", &[&x, &spelled], vec![int("axis", 2)]);
    }
    for (l, layer) in network.encoder.iter().enumerate() {
        let y = encoder_layer(b, &format!("encoder.{l}"), layer, &x, &lengths);
        x = if tagger.spec.adds_input(l) { b.node("Add", &[&x, &y], Vec::new()) } else { y };
    }
    let dense = &network.dense;
    affine(b, &x, "dense.w", dense.w.view(), Some(&dense.b))
}

/// What stands before the names of a member's weights.
fn scope(k: usize) -> String {
    if k == 0 { String::new() } else { format!("member.{k}.") }
}

/// x Wᵀ + b, the bias under the same layer's name.
fn affine(
    b: &mut Builder,
    x: &str,
    name: &str,
    w: ArrayView2<'_, f32>,
    bias: Option<&Array1<f32>>,
) -> String {
    let w = b.weights(name, w.into_dyn());
    let w = b.node("Transpose", &[&w], vec![ints("perm", &[1, 0])]);
    let y = b.node("MatMul", &[x, &w], Vec::new());
    let Some(bias) = bias else { return y };
    let bias = b.weights(&name.replace(".w", ".b"), bias.view().into_dyn());
    b.node("Add", &[&y, &bias], Vec::new())
}

fn encoder_layer(
    b: &mut Builder,
    name: &str,
    layer: &Layer<f32>,
    x: &str,
    lengths: &str,
) -> String {
    match layer {
        Layer::Lstm(layer) => {
            let y = lstm(b, name, &[layer], x, lengths).0; // (steps, 1, sentences, H)
            let axes = b.integers(&[1], false);
            b.node("Squeeze", &[&y, &axes], Vec::new())
        }
        Layer::BiLstm(BiLstm { forward, backward }) => {
            let y = lstm(b, name, &[forward, backward], x, lengths).0; // (steps, 2, sentences, H)
            let y = b.node("Transpose", &[&y], vec![ints("perm", &[0, 2, 1, 3])]);
            let shape = b.integers(&[0, 0, -1], false);
            b.node("Reshape", &[&y, &shape], Vec::new())
        }
    }
}

/// The values and the last states of an LSTM of one or two directions.
fn lstm(
    b: &mut Builder,
    name: &str,
    directions: &[&Lstm<f32>],
    x: &str,
    lengths: &str,
) -> (String, String) {
    let each = |part: &dyn Fn(&Lstm<f32>) -> Array2<f32>| {
        let parts: Vec<Array2<f32>> = directions.iter().map(|d| part(d)).collect();
        let parts: Vec<_> = parts.iter().map(|p| p.view()).collect();
        stack(Axis(0), &parts).expect("directions of one shape")
    };
    let w = each(&|d| reordered(d.w_ih.view(), OUTWARD));
    let r = each(&|d| reordered(d.w_hh.view(), OUTWARD));
    let bias = each(&|d| {
        let ours = reordered(d.b.view().insert_axis(Axis(1)), OUTWARD);
        let none = Array2::zeros(ours.raw_dim());
        concatenate(Axis(0), &[ours.view(), none.view()]).expect("one column")
    });
    let bias = bias.index_axis_move(Axis(2), 0);
    let w = b.weights(&format!("{name}.W"), w.view().into_dyn());
    let r = b.weights(&format!("{name}.R"), r.view().into_dyn());
    let bias = b.weights(&format!("{name}.B"), bias.view().into_dyn());
    let kind = if directions.len() == 2 { "bidirectional" } else { "forward" };
    let attributes = vec![int("hidden_size", directions[0].n_hidden()), text("direction", kind)];
    let [y, last] = ["h", "last"].map(|what| b.scoped(&format!("{name}.{what}")));
    b.outputs("LSTM", &[x, &w, &r, &bias, lengths], attributes, &[&y, &last]);
    (y, last)
}

/// ONNX's gates are i o f g, ours i f g o: from which of ours each of its comes, and the other way.
const OUTWARD: [usize; 4] = [0, 3, 1, 2];
const INWARD: [usize; 4] = [0, 2, 3, 1];

/// The four blocks of rows of `w` (4H, D) in another order.
fn reordered(w: ArrayView2<'_, f32>, order: [usize; 4]) -> Array2<f32> {
    let n = w.nrows() / 4;
    let blocks = order.map(|g| w.slice(ndarray::s![g * n..(g + 1) * n, ..]));
    concatenate(Axis(0), &blocks).expect("blocks of one width")
}

/// What the letters of each token's word come to: (steps, sentences, M).
fn chars(b: &mut Builder, layer: &Chars<f32>) -> String {
    let letters = b.input("letters", INT64, &[Size::Open("letters"), Size::Open("spellings")]);
    let counts = b.input("letter_counts", INT32, &[Size::Open("spellings")]);
    let word_of = b.input("word_of", INT64, &[Size::Open("steps"), Size::Open("sentences")]);
    let words = match layer {
        Chars::Lstm(layer) => char_lstm(b, layer, &letters, &counts),
        Chars::Cnn(layer) => char_cnn(b, layer, &letters, &counts),
    };
    b.node("Gather", &[&words, &word_of], Vec::new())
}

fn char_lstm(b: &mut Builder, layer: &CharLstm<f32>, letters: &str, counts: &str) -> String {
    let table = b.weights("chars.table", layer.chars.table.view().into_dyn());
    let e = b.node("Gather", &[&table, letters], Vec::new());
    let both = [&layer.lstm.forward, &layer.lstm.backward];
    let (_, last) = lstm(b, "chars.lstm", &both, &e, counts); // (2, U, H)
    let last = b.node("Transpose", &[&last], vec![ints("perm", &[1, 0, 2])]);
    let shape = b.integers(&[0, -1], false);
    b.node("Reshape", &[&last, &shape], Vec::new())
}

/// Beyond a word's end its columns are 0 before the filters, and −∞, nearly, before the maximum.
fn char_cnn(b: &mut Builder, layer: &CharCnn<f32>, letters: &str, counts: &str) -> String {
    let (m, e_width) = (layer.w.nrows(), layer.table.ncols());
    let table = b.weights("chars.table", layer.table.view().into_dyn());
    let e = b.node("Gather", &[&table, letters], Vec::new()); // (L, U, E)
    let inside = inside_words(b, letters, counts); // (L, U)
    let column = b.integers(&[2], false);
    let inside_column = b.node("Unsqueeze", &[&inside, &column], Vec::new());
    let e = b.node("Mul", &[&e, &inside_column], Vec::new());
    let e = b.node("Transpose", &[&e], vec![ints("perm", &[1, 2, 0])]); // (U, E, L)
    let filters = b.weights("chars.w", layer.w.view().into_dyn()); // (M, 3E)
    let shape = b.integers(&[m as i64, 3, e_width as i64], false);
    let filters = b.node("Reshape", &[&filters, &shape], Vec::new());
    let filters = b.node("Transpose", &[&filters], vec![ints("perm", &[0, 2, 1])]);
    let bias = b.weights("chars.b", layer.b.view().into_dyn());
    let pads = vec![ints("pads", &[1, 1]), ints("kernel_shape", &[3])];
    let z = b.node("Conv", &[&e, &filters, &bias], pads); // (U, M, L)
    let (one, far) = (b.number(1.0), b.number(1e9));
    let outside = b.node("Sub", &[&inside, &one], Vec::new()); // 0 inside, −1 outside
    let outside = b.node("Mul", &[&outside, &far], Vec::new());
    let outside = b.node("Transpose", &[&outside], vec![ints("perm", &[1, 0])]);
    let row = b.integers(&[1], false);
    let outside = b.node("Unsqueeze", &[&outside, &row], Vec::new()); // (U, 1, L)
    let z = b.node("Add", &[&z, &outside], Vec::new());
    let z = b.node("ReduceMax", &[&z], vec![ints("axes", &[2]), int("keepdims", 0)]);
    b.node("Tanh", &[&z], Vec::new())
}

/// 1 where a word has a letter, 0 beyond its end: (L, U).
fn inside_words(b: &mut Builder, letters: &str, counts: &str) -> String {
    let shape = b.node("Shape", &[letters], Vec::new());
    let (zero, one) = (b.integers(&[0], true), b.integers(&[1], true));
    let longest = b.node("Gather", &[&shape, &zero], Vec::new());
    let place = b.node("Range", &[&zero, &longest, &one], Vec::new());
    let column = b.integers(&[1], false);
    let place = b.node("Unsqueeze", &[&place, &column], Vec::new());
    let counts = b.node("Cast", &[counts], vec![int("to", INT64 as usize)]);
    let inside = b.node("Less", &[&place, &counts], Vec::new());
    b.node("Cast", &[&inside], vec![int("to", FLOAT as usize)])
}

pub(crate) fn read(bytes: &[u8]) -> Result<Content, String> {
    let none = "it is none of the files that `longhand export` writes, or it is damaged";
    let file = proto::Model::decode(bytes).map_err(|_| none.to_owned())?;
    let prop = |key: &str| file.metadata_props.iter().find(|e| e.key == key).map(|e| &e.value);
    let meta = prop(KEY).ok_or(none)?.clone();
    let mut tensors = Vec::new();
    for t in file.graph.iter().flat_map(|g| &g.initializer).filter(|t| t.data_type == FLOAT) {
        match t.name.rsplit_once('.') {
            Some((layer, part @ ("W" | "R" | "B"))) => {
                tensors.extend(lstm_tensors(layer, part, floats(t)?)?);
            }
            _ => tensors.push(Named { name: t.name.clone(), values: floats(t)? }),
        }
    }
    for entry in &file.metadata_props {
        if let Some(scope) = entry.key.strip_suffix(CRF_WEIGHTS) {
            tensors.extend(crf_tensors(scope, &entry.value)?);
        }
    }
    Ok(Content { meta, naming: Naming::Ours, tensors })
}

/// `encoder.0.W` (directions, 4H, D) as our tensors.
fn lstm_tensors(
    layer: &str,
    part: &str,
    values: ndarray::ArrayD<f32>,
) -> Result<Vec<Named>, String> {
    let wrong = || format!("{layer}.{part} has shape {:?}", values.shape());
    let directions: &[&str] = match values.shape().first() {
        Some(1) => &[""],
        Some(2) => &[".forward", ".backward"],
        _ => return Err(wrong()),
    };
    let name = match part {
        "W" => "w_ih",
        "R" => "w_hh",
        _ => "b",
    };
    let each = directions.iter().zip(values.outer_iter()).map(|(direction, w)| {
        let name = format!("{layer}{direction}.{name}");
        let values = if part == "B" {
            let half = w.len() / 2;
            let (ours, second) = w.split_at(Axis(0), half);
            let sum =
                if second.iter().all(|&v| v == 0.0) { ours.to_owned() } else { &ours + &second };
            let column = sum.insert_axis(Axis(1)).into_dimensionality().map_err(|_| wrong())?;
            reordered(column.view(), INWARD).index_axis_move(Axis(1), 0).into_dyn()
        } else {
            reordered(w.into_dimensionality().map_err(|_| wrong())?, INWARD).into_dyn()
        };
        Ok(Named { name, values })
    });
    each.collect()
}

fn crf_tensors(scope: &str, text: &str) -> Result<Vec<Named>, String> {
    #[derive(serde::Deserialize)]
    struct Weights {
        transitions: Vec<Vec<f32>>,
        start: Vec<f32>,
        end: Vec<f32>,
    }
    let w: Weights = serde_json::from_str(text).map_err(|e| format!("{scope}crf.weights: {e}"))?;
    let k = w.start.len();
    let square = Array2::from_shape_vec((k, k), w.transitions.concat());
    let square = square.map_err(|_| format!("{scope}crf.weights: transitions are not square"))?;
    let named = |name: &str, values| Named { name: format!("{scope}crf.{name}"), values };
    Ok(vec![
        named("transitions", square.into_dyn()),
        named("start", Array1::from(w.start).into_dyn()),
        named("end", Array1::from(w.end).into_dyn()),
    ])
}
