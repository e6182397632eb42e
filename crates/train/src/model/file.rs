//! The file of a model, or of a checkpoint: tensors under their names, and one JSON text that describes them.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;

use data::{Error, Result};
use ndarray::{ArrayView2, ArrayViewD, ArrayViewMutD};
use nn::Params;
use nn::tagger::Tagger;
use nn::vectors::Vectors;
use safetensors::tensor::{Dtype, Metadata, SafeTensors, TensorInfo};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::files::{Pending, cannot_write};

/// Number of the file format; a file with another one is refused.
pub const FORMAT: u32 = 1;

/// Key of the JSON text in the file's metadata.
const KEY: &str = "longhand";

/// Bytes of the number that a safetensors file begins with, the length of its header; also what the header's
/// length is a multiple of.
const LENGTH: usize = 8;

/// What stands before the name of the table of pretrained vectors, trained or not.
pub(crate) const VECTORS: &str = "vectors.";

/// SHA-256 over the names, shapes and values of `weights`.
pub fn weights_sha256(weights: &impl Params<f32>) -> String {
    sha256(&weights.tensors())
}

pub(crate) fn sha256(tensors: &NamedTensors<'_>) -> String {
    let mut hash = Sha256::new();
    for (name, t) in tensors {
        hash.update(format!("{name}{:?}\n", t.shape()));
        let values = t.as_slice().expect("weights lie in row-major order");
        match cfg!(target_endian = "little") {
            true => hash.update(bytemuck::cast_slice::<f32, u8>(values)),
            false => values.iter().for_each(|v| hash.update(v.to_le_bytes())),
        }
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// Tensors under names.
pub(crate) type NamedTensors<'a> = Vec<(String, ArrayViewD<'a, f32>)>;

/// The tensors of `weights`, their names after `prefix`.
pub(crate) fn named_tensors<'a>(prefix: &str, weights: &'a impl Params<f32>) -> NamedTensors<'a> {
    weights.tensors().into_iter().map(|(name, t)| (format!("{prefix}{name}"), t)).collect()
}

/// Every tensor of a tagger, pretrained vectors that are not trained among them.
pub(crate) fn all_tensors(tagger: &Tagger<f32>) -> NamedTensors<'_> {
    let mut all = tagger.tensors();
    if let Some(Vectors::Frozen(layer)) = &tagger.vectors {
        all.extend(named_tensors(VECTORS, layer.as_ref()));
    }
    all
}

/// Writes a safetensors file of `tensors` with `meta` under one key (of several, the order would be
/// random), whole or not at all. Nothing is copied on the way but a few numbers at a time: a checkpoint is as
/// large as everything else that a run keeps in memory.
pub(crate) fn write(path: &Path, mut tensors: NamedTensors<'_>, meta: String) -> Result<()> {
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let mut end = 0;
    let info = |(name, t): &(String, ArrayViewD<'_, f32>)| {
        let start = end;
        end += t.len() * size_of::<f32>();
        let (dtype, shape) = (Dtype::F32, t.shape().to_vec());
        (name.clone(), TensorInfo { dtype, shape, data_offsets: (start, end) })
    };
    let infos = tensors.iter().map(info).collect();
    let meta = Some(HashMap::from([(KEY.to_owned(), meta)]));
    let header = Metadata::new(meta, infos).expect("tensors have names of their own");
    let mut file = Pending::new(path)?;
    write_tensors(&mut file, &header, &tensors).map_err(|e| cannot_write(path, &e))?;
    file.commit()
}

fn write_tensors(
    file: &mut Pending,
    header: &Metadata,
    tensors: &NamedTensors<'_>,
) -> io::Result<()> {
    let mut header = serde_json::to_vec(header).expect("plain values");
    header.resize(header.len().next_multiple_of(LENGTH), b' ');
    const PIECE: usize = 1 << 12;
    let mut piece = [0; PIECE * size_of::<f32>()];
    let mut out = BufWriter::new(file);
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    for (_, values) in tensors {
        let values = values.as_slice().expect("weights lie in row-major order");
        for values in values.chunks(PIECE) {
            let bytes = &mut piece[..size_of_val(values)];
            let places = bytes.chunks_exact_mut(size_of::<f32>());
            places.zip(values).for_each(|(to, v)| to.copy_from_slice(&v.to_le_bytes()));
            out.write_all(bytes)?;
        }
    }
    out.flush()
}

/// An open file, and its bytes where they lie.
pub(crate) struct Mapped {
    file: File,
    bytes: memmap2::Mmap,
}

/// A safetensors file of ours.
pub(crate) struct Opened<'a> {
    pub(crate) header: Metadata,
    /// Where the tensors begin, and their bytes.
    start: usize,
    data: &'a [u8],
    file: &'a File,
}

impl<'a> Opened<'a> {
    /// Reads what stands before the tensors.
    pub(crate) fn new(Mapped { file, bytes }: &'a Mapped, path: &Path) -> Result<Self> {
        let bad = |what: &str| not_a_model(path, what);
        let kind = || match &bytes[..] {
            b if b.len() > LENGTH && b[LENGTH] == b'{' => "it is cut short or damaged",
            [] => "it is empty",
            b if b.starts_with(b"PK") => "it is a zip archive, such as PyTorch writes",
            b if b.starts_with(b"\x89HDF") => "it is an HDF5 file, such as Keras writes",
            [0x1f, 0x8b, ..] => "it is packed with gzip",
            b if std::str::from_utf8(b).is_ok_and(|text| !text.contains('\0')) => "it is a text",
            _ => "it is another kind of file",
        };
        let (n, header) = SafeTensors::read_metadata(bytes).map_err(|_| bad(kind()))?;
        if header.metadata().as_ref().is_none_or(|m| !m.contains_key(KEY)) {
            return Err(bad("it is a safetensors file of another program"));
        }
        let start = LENGTH + n;
        Ok(Self { header, start, data: &bytes[start..], file })
    }

    /// The text that describes them.
    pub(crate) fn meta(&self) -> &str {
        self.header.metadata().as_ref().and_then(|m| m.get(KEY)).expect("found by `new`")
    }

    /// Fills `tensors` with those of the same names after `prefix`. They are read, since what is read from a map
    /// counts twice, as memory of the map and of the weights.
    pub(crate) fn fill(
        &self,
        prefix: &str,
        tensors: Vec<(String, ArrayViewMutD<'_, f32>)>,
        path: &Path,
    ) -> Result<()> {
        for (name, to) in tensors {
            let name = format!("{prefix}{name}");
            let from = self.header.info(&name).ok_or_else(|| lacks(path, &name))?;
            if from.dtype != Dtype::F32 || from.shape != to.shape() {
                return Err(misshapen(path, &name, &from.shape, to.shape()));
            }
            let to = to.into_slice().expect("weights lie in row-major order");
            let (mut file, start) = (self.file, self.start + from.data_offsets.0);
            file.seek(SeekFrom::Start(start as u64))
                .and_then(|_| file.read_exact(bytemuck::cast_slice_mut(to)))
                .map_err(|e| unreadable(path, &e))?;
            if cfg!(target_endian = "big") {
                to.iter_mut().for_each(|v| *v = f32::from_bits(v.to_bits().swap_bytes()));
            }
        }
        Ok(())
    }
}

impl Opened<'static> {
    /// All tables of `layer` as one piece of the file, and the rows of each: none if they are not there, of another
    /// shape, or do not lie side by side as numbers of this machine.
    fn tables(
        &self,
        prefix: &str,
        layer: &impl Params<f32>,
        columns: usize,
    ) -> Option<(ArrayView2<'static, f32>, Vec<Range<usize>>)> {
        if columns == 0 || cfg!(target_endian = "big") {
            return None;
        }
        let place = |(name, t): (String, ArrayViewD<'_, f32>)| {
            let info = self.header.info(&format!("{prefix}{name}"))?;
            let fits = info.dtype == Dtype::F32 && info.shape == t.shape();
            fits.then_some(info.data_offsets.0..info.data_offsets.1)
        };
        let places = layer.tensors().into_iter().map(place).collect::<Option<Vec<_>>>()?;
        let (start, end) =
            (places.iter().map(|p| p.start).min()?, places.iter().map(|p| p.end).max()?);
        // Tensors of a file do not overlap, so that these fill what they lie in.
        if places.iter().map(Range::len).sum::<usize>() != end - start {
            return None;
        }
        let numbers: &'static [f32] = bytemuck::try_cast_slice(&self.data[start..end]).ok()?;
        let row = size_of::<f32>() * columns;
        let rows = ArrayView2::from_shape((numbers.len() / columns, columns), numbers).ok()?;
        Some((
            rows,
            places.iter().map(|p| (p.start - start) / row..(p.end - start) / row).collect(),
        ))
    }
}

/// Fills a tagger and its other members; tables of words and features stay in `mapped`, if there is one.
pub(crate) fn fill_tagger(
    prefix: &str,
    tagger: &mut Tagger<f32>,
    file: &Opened<'_>,
    mapped: Option<&Opened<'static>>,
    path: &Path,
) -> Result<()> {
    let at = |part: &str| format!("{prefix}{part}.");
    let (words, columns) = (&mut tagger.words, tagger.spec.embedding);
    match mapped.and_then(|mapped| mapped.tables(&at("words"), words, columns)) {
        Some((rows, places)) => words.borrow(rows, places),
        None => file.fill(&at("words"), words.tensors_mut(), path)?,
    }
    if let Some(wide) = &mut tagger.wide {
        match mapped.and_then(|mapped| mapped.tables(&at("wide"), wide, tagger.spec.tags)) {
            Some((table, _)) => wide.table = table.into(),
            None => file.fill(&at("wide"), wide.tensors_mut(), path)?,
        }
    }
    if let Some(vectors) = &mut tagger.vectors {
        file.fill(&at("vectors"), vectors.tensors_mut(), path)?;
    }
    file.fill(prefix, tagger.network.tensors_mut(), path)?;
    for (k, member) in tagger.others.iter_mut().enumerate() {
        fill_tagger(&at(&format!("member.{}", k + 1)), member, file, mapped, path)?;
    }
    Ok(())
}

/// Whether a description is of the format that this version reads.
pub(crate) fn check_format(meta: &str, path: &Path) -> Result<()> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    match serde_json::from_str(meta) {
        Ok(Format { format: FORMAT }) => Ok(()),
        Ok(Format { format }) => Err(of_format(path, format)),
        Err(_) => Err(not_a_model(path, "its description does not read")),
    }
}

pub(crate) fn of_format(path: &Path, format: u32) -> Error {
    not_a_model(path, &format!("its format is {format}, this version reads {FORMAT}"))
}

fn unreadable(path: &Path, e: &io::Error) -> Error {
    Error::new("E021", format!("cannot read {}: {e}", path.display())).at(path, None, None)
}

pub(crate) fn map_file(path: &Path) -> Result<Mapped> {
    let fail = |e: io::Error| unreadable(path, &e);
    let file = File::open(path).map_err(fail)?;
    if file.metadata().map_err(fail)?.is_dir() {
        return Err(
            not_a_model(path, "it is a folder").help("name the file in it: model.safetensors")
        );
    }
    // SAFETY: of the map the header is read, at once; the tables after that by `Model::map` alone, which says
    // what its caller has to see to. Another process that cuts the file short meanwhile would end this one with
    // a bus error; model files are replaced by renaming (`Pending`), which leaves a mapped file as it is.
    #[allow(unsafe_code)]
    let bytes = unsafe { memmap2::Mmap::map(&file) }.map_err(fail)?;
    Ok(Mapped { file, bytes })
}

/// Networks that tag together share one wide table; files of before it was so have one for each, and would be read
/// as if the first were the mean of all.
pub(crate) fn no_table_each(path: &Path, has: impl Fn(&str) -> bool) -> Result<()> {
    match has("member.1.wide.table") {
        true => Err(not_a_model(
            path,
            "its networks have a wide table each, as earlier versions wrote them",
        )),
        false => Ok(()),
    }
}

pub(crate) fn lacks(path: &Path, name: &str) -> Error {
    not_a_model(path, &format!("it lacks the tensor {name}"))
}

pub(crate) fn misshapen(path: &Path, name: &str, have: &[usize], want: &[usize]) -> Error {
    not_a_model(path, &format!("its tensor {name} has shape {have:?}, not {want:?}"))
}

pub(crate) fn not_a_model(path: &Path, what: &str) -> Error {
    Error::new(
        "E013",
        format!("{} is not a model that this version can open: {what}", path.display()),
    )
    .at(path, None, None)
    .help("train one with `longhand train -o RUN` and give RUN/model.safetensors")
}
