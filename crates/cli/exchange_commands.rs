//! `longhand export` and `longhand import`: models for other programs, and back.

use std::path::{Path, PathBuf};

use data::{Error, Result};
use exchange::Kind;
use train::files::write_atomically;

use crate::args::{ExportArgs, ExportKind, ImportArgs};
use crate::{Screen, Stop, input, output, say};

/// Writes the model in another format, and an example beside it if one is asked for.
pub fn export(args: &ExportArgs, screen: Screen) -> std::result::Result<(), Stop> {
    let beside = args.example.as_ref().map(|text| (beside(&args.output), text));
    for path in [Some(&args.output), beside.as_ref().map(|(path, _)| path)].into_iter().flatten() {
        output::refuse_existing(path, args.force)?;
        output::refuse_source(&input::model_file(&args.model), path)?;
    }
    let model = input::model(&args.model)?;
    let kind = match args.to {
        ExportKind::Pytorch => Kind::Pytorch,
        ExportKind::Keras => Kind::Keras,
        ExportKind::Npz => Kind::Npz,
        ExportKind::Json => Kind::Json,
        ExportKind::Onnx => Kind::Onnx,
    };
    let bytes = exchange::export(&model, kind)?;
    let example = |text: &String| exchange::example(&model, &input::words_of(text, &model));
    let example = args.example.as_ref().map(example);
    write_atomically(&args.output, &bytes)?;
    if let Some(((path, _), example)) = beside.as_ref().zip(example) {
        write_atomically(path, format!("{example:#}\n").as_bytes())?;
    }
    if !screen.quiet {
        let size = report::human::bytes(bytes.len() as u64);
        say(&format!("{}: {size}, {}", args.output.display(), says(args.to)));
    }
    Ok(())
}

/// What is in a file of this kind.
fn says(kind: ExportKind) -> &'static str {
    match kind {
        ExportKind::Pytorch => "a state_dict as safetensors, in PyTorch's names and layouts",
        ExportKind::Keras => "arrays in the layouts of Keras's layers, for numpy.load",
        ExportKind::Npz => "arrays under this program's names, for numpy.load",
        ExportKind::Json => "weights, words, tags and configuration as text",
        ExportKind::Onnx => "a graph from word numbers to the scores of tags",
    }
}

/// `m.onnx` → `m.onnx.example.json`.
fn beside(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(".example.json");
    name.into()
}

/// Reads an exported file and writes it as a model.
pub fn import(args: &ImportArgs, screen: Screen) -> std::result::Result<(), Stop> {
    output::refuse_existing(&args.output, args.force)?;
    output::refuse_source(&args.file, &args.output)?;
    let model = exchange::import(&read(&args.file)?, &args.file)?;
    model.save(&args.output)?;
    if !screen.quiet {
        let sha256 = model.weights_sha256();
        say(&format!("{}: weights sha256 {sha256}", args.output.display()));
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| {
        Error::new("E021", format!("cannot read {}: {e}", path.display())).at(path, None, None)
    })
}
