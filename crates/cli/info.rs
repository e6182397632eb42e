//! `longhand info`: what a model is made of and where it comes from.

use std::io::{self, Write};

use nn::Params;
use nn::tagger::LayerKind;
use report::table::LayerRow;
use serde_json::json;
use train::Model;

use crate::args::InfoArgs;
use crate::{Screen, Stop, input, output};

/// Shows layers, shapes and counts, tags, provenance.
pub fn run(args: &InfoArgs, screen: Screen) -> Result<(), Stop> {
    let model = input::model(&args.model)?;
    let mut out = io::stdout().lock();
    if args.json {
        let text = serde_json::to_string_pretty(&as_json(&model)).expect("plain values");
        writeln!(out, "{text}")?;
        return Ok(());
    }
    let p = &model.provenance;
    writeln!(out, "{}", report::table::summary(&layers(&model), screen.color))?;
    for (name, tensor) in model.tagger.tensors() {
        writeln!(out, "  {name:32} {:?}", tensor.shape())?;
    }
    let tags: Vec<&str> = model.tags.iter().collect();
    write!(out, "\n{}", output::wrapped(&format!("tags     {}", tags.join(" ")), "         "))?;
    let case = if model.code.vocab.lower() { "lower-cased" } else { "case kept" };
    writeln!(out, "words    {}, {case}", report::human::count(model.code.vocab.len()))?;
    if let Some(v) = &model.code.vectors {
        let (n, dim) = (report::human::count(v.len()), v.dim);
        let how =
            if model.tagger.spec.vectors.is_some_and(|v| v.tuned) { "tuned" } else { "frozen" };
        writeln!(
            out,
            "vectors  {}: {n} words of {dim} numbers, {how}, sha256 {}",
            v.file, v.sha256
        )?;
    }
    if let Some(pos) = &model.code.pos {
        let parts = report::human::counted(pos.len(), "part of speech", "parts of speech");
        writeln!(out, "reads    words and {parts}")?;
    }
    match model.gives_from() {
        Some(p) => writeln!(out, "gives    entities that are likelier than {p}")?,
        None => writeln!(out, "gives    the entities of the best tags, however likely")?,
    }
    for file in &p.data {
        writeln!(out, "data     {} sha256 {}", file.name, file.sha256)?;
    }
    let [train, dev, test] = p.sentences.map(report::human::count);
    writeln!(out, "split    {}: {train} train, {dev} dev, {test} test sentences", p.split)?;
    let c = &model.config;
    let f1 = p.dev_f1.map_or(String::new(), |f1| format!(", dev F1 {:.2}", 100.0 * f1));
    let (preset, last) = (&c.preset, c.seed + c.members as u64 - 1);
    match c.members {
        1 => writeln!(out, "trained  {preset} epoch {} of {}, seed {last}{f1}", p.epoch, c.epochs)?,
        n => writeln!(out, "trained  {preset}, {n} networks, seeds {} to {last}{f1}", c.seed)?,
    }
    writeln!(out, "version  {}", p.version)?;
    writeln!(out, "weights  sha256 {}", model.weights_sha256())?;
    Ok(())
}

/// One row a layer, as Keras's `summary()` has it; n is the number of tokens.
fn layers(model: &Model) -> Vec<LayerRow> {
    let spec = &model.tagger.spec;
    let row = |layer: String, width: usize, parameters: usize| LayerRow {
        layer,
        output_shape: format!("(n, {width})"),
        parameters,
    };
    let tagger = &model.tagger;
    let network = &tagger.network;
    let tables = spec.tables.len();
    let words = if tables == 1 {
        "words (Embedding)".to_owned()
    } else {
        format!("words (Embedding, {tables} tables added)")
    };
    let mut rows = vec![row(words, spec.embedding, tagger.words.count())];
    if let (Some(layer), Some(table)) = (&network.projection, &tagger.vectors) {
        let kept = if table.is_tuned() { "tuned" } else { "frozen" };
        let width = table.table().ncols();
        rows.push(row(format!("vectors (Embedding, {kept})"), width, table.count()));
        rows.push(row("projection (vectors)".into(), spec.embedding, layer.count()));
    }
    if let (Some(layer), Some(chars)) = (&network.chars, spec.chars) {
        rows.push(row(format!("chars ({:?})", chars.kind), chars.n_out, layer.count()));
    }
    for (l, (layer, weights)) in spec.encoder.iter().zip(&network.encoder).enumerate() {
        let kind = match layer.kind {
            LayerKind::Lstm => "LSTM",
            LayerKind::BiLstm => "BiLSTM",
        };
        rows.push(row(format!("encoder.{l} ({kind})"), layer.n_out(), weights.count()));
    }
    rows.push(row("dense (Dense)".into(), spec.tags, network.dense.count()));
    if let Some(layer) = &tagger.wide {
        rows.push(row("wide (hashed features)".into(), spec.tags, layer.count()));
    }
    if let Some(layer) = &network.crf {
        rows.push(row("crf (CRF)".into(), spec.tags, layer.count()));
    }
    rows
}

fn as_json(model: &Model) -> serde_json::Value {
    let tensors: Vec<_> = model
        .tagger
        .tensors()
        .iter()
        .map(|(name, t)| json!({ "name": name, "shape": t.shape(), "parameters": t.len() }))
        .collect();
    let layers: Vec<_> = layers(model)
        .iter()
        .map(|l| json!({ "layer": l.layer, "output": l.output_shape, "parameters": l.parameters }))
        .collect();
    json!({
        "layers": layers,
        "tensors": tensors,
        "parameters": model.tagger.count(),
        "tags": model.tags.iter().collect::<Vec<_>>(),
        "words": model.code.vocab.len(),
        "vectors": model.code.vectors.as_ref().map(|v| json!({
            "file": v.file, "words": v.len(), "dim": v.dim, "sha256": v.sha256,
            "tuned": model.tagger.spec.vectors.is_some_and(|v| v.tuned),
        })),
        "parts_of_speech": model.code.pos,
        "threshold": model.gives_from(),
        "config": model.config,
        "provenance": model.provenance,
        "weights_sha256": model.weights_sha256(),
    })
}
