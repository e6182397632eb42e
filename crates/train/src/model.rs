//! A trained tagger with all that it needs, as one file.
//!
//! The file is safetensors: the weights under their names, and in its metadata one JSON text,
//! `longhand`, with the format's number, the configuration, the words, the tags and where the model
//! comes from. So words, tags and weights cannot come apart. Written under a temporary name and
//! renamed; opened by memory map.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use data::{Corpus, Error, Interner, Result, Scheme, Split, TagSet};
use ndarray::{ArrayD, ArrayViewD, ArrayViewMutD};
use nn::Params;
use nn::tagger::Tagger;
use nn::vectors::Vectors;
use safetensors::tensor::{Dtype, View};
use safetensors::{SafeTensorError, SafeTensors};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::dataset::{Dataset, outside};
use crate::entities::Entity;
use crate::files::{Pending, cannot_write};
use crate::lexicon::{Lexicon, WordCode};
use crate::tagging::{self, Padding, Tagged, Voice};

/// Number of the file format; a file with another one is refused.
pub const FORMAT: u32 = 1;

/// Key of the JSON text in the file's metadata.
const KEY: &str = "longhand";

/// What stands before the name of the table of pretrained vectors, trained or not.
const VECTORS: &str = "vectors.";

/// Where a model comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of Longhand.
    pub version: String,
    /// The data's files, as they were named.
    pub data: Vec<DataFile>,
    /// How the parts were made.
    pub split: String,
    /// Sentences of train, dev and test.
    pub sentences: [usize; 3],
    /// Tokens of train.
    pub tokens: usize,
    /// The epoch that the weights are from.
    pub epoch: u32,
    /// Its strict micro F1 on dev.
    pub dev_f1: Option<f64>,
}

impl Provenance {
    /// Where a model comes from that is about to be trained on `dataset`, made of `corpus`; `split` says how
    /// the parts were made.
    pub fn of(corpus: &Corpus, dataset: &Dataset, split: String) -> Self {
        let name = |path: &str| match Path::new(path).file_name() {
            Some(name) => name.to_string_lossy().into_owned(),
            None => path.to_owned(),
        };
        let file = |s: &data::Source| DataFile { name: name(&s.path), sha256: s.sha256.clone() };
        let Split { train, dev, test } = &dataset.split;
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            data: corpus.sources().map(file).collect(),
            split,
            sentences: [train.len(), dev.len(), test.len()],
            tokens: dataset.count_tokens(train),
            epoch: 0,
            dev_f1: None,
        }
    }
}

/// A file that was read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DataFile {
    /// Its name, without its folder.
    pub name: String,
    /// SHA-256 of its bytes, uncompressed.
    pub sha256: String,
}

/// A tagger and all it needs.
#[derive(Clone, Debug)]
pub struct Model {
    /// How it was trained; `threads` is 0.
    pub config: Config,
    /// How words become rows of tables.
    pub code: WordCode,
    /// Tags that the network gives.
    pub tags: TagSet,
    /// Tag scheme of the data that it was trained on, which it answers in.
    pub scheme: Scheme,
    /// Positions that its training sentences were filled up to, if they were.
    pub pad_to: Option<usize>,
    /// From which probability on an entity is given, where `decode` gives the likely ones.
    pub threshold: f64,
    /// Weights.
    pub tagger: Tagger<f32>,
    /// Where it comes from.
    pub provenance: Provenance,
}

/// The metadata's JSON.
#[derive(Serialize, Deserialize)]
struct Meta {
    format: u32,
    config: String,
    code: WordCode,
    tags: TagSet,
    scheme: String,
    pad_to: Option<usize>,
    /// Models that were made before it was one's own gave what is more likely than not.
    #[serde(default = "half")]
    threshold: f64,
    provenance: Provenance,
}

fn half() -> f64 {
    0.5
}

impl Model {
    /// Tags of each sentence, given as its words, in the scheme of the training data.
    pub fn tag<W: AsRef<str>>(&self, sentences: &[impl AsRef<[W]>]) -> Vec<Vec<String>> {
        let tags = self.read(sentences, tagging::tag);
        tags.iter().map(|ids| self.outside(ids)).collect()
    }

    /// Tag ids of each sentence and its entities; these with probabilities if `likely`. A sentence's
    /// result does not depend on the others, nor on the number of threads.
    pub fn tag_entities<W: AsRef<str>>(
        &self,
        sentences: &[impl AsRef<[W]>],
        likely: bool,
    ) -> Vec<Tagged> {
        self.read(sentences, |voice, lexicon, numbers| {
            tagging::tag_entities(voice, lexicon, numbers, likely)
        })
    }

    /// The type of an entity.
    pub fn label(&self, entity: &Entity) -> &str {
        &self.tags.types()[entity.kind as usize]
    }

    /// Numbers the words of `sentences` and hands them on with the network.
    pub(crate) fn read<W: AsRef<str>, T>(
        &self,
        sentences: &[impl AsRef<[W]>],
        tag: impl FnOnce(Voice<'_>, &Lexicon, &[&[u32]]) -> T,
    ) -> T {
        let mut words = Interner::new();
        // Padding is the last word of the vocabulary, here number 0.
        words.intern(self.code.vocab.word(self.code.vocab.len() as u32 - 1));
        let numbers: Vec<Vec<u32>> = sentences
            .iter()
            .map(|s| s.as_ref().iter().map(|w| words.intern(w.as_ref())).collect())
            .collect();
        let numbers: Vec<&[u32]> = numbers.iter().map(Vec::as_slice).collect();
        let lexicon = Lexicon::new(words.iter(), &self.code);
        let padding = self.pad_to.map(|length| Padding { length, word: 0 });
        tag(self.voice(padding), &lexicon, &numbers)
    }

    /// The network, asked as the configuration says.
    pub(crate) fn voice(&self, padding: Option<Padding>) -> Voice<'_> {
        Voice {
            tagger: &self.tagger,
            tags: &self.tags,
            decode: self.config.decode,
            threshold: self.threshold,
            padding,
        }
    }

    /// Tag ids of a sentence as tags in the scheme of the training data.
    pub fn outside(&self, ids: &[u32]) -> Vec<String> {
        outside(&self.tags, self.scheme, ids).into_iter().map(Cow::into_owned).collect()
    }

    /// SHA-256 over the names, shapes and values of all weights.
    pub fn weights_sha256(&self) -> String {
        weights_sha256(&self.tagger)
    }

    /// Every tensor under its name, pretrained vectors that are not trained among them.
    pub fn tensors(&self) -> Vec<(String, ArrayViewD<'_, f32>)> {
        let mut all = self.tagger.tensors();
        if let Some(Vectors::Frozen(layer)) = &self.tagger.vectors {
            let named = |(name, t)| (format!("{VECTORS}{name}"), t);
            all.extend(layer.tensors().into_iter().map(named));
        }
        all
    }

    /// What the model is besides its weights, as JSON: words, tags, configuration, provenance.
    pub fn meta(&self) -> String {
        let meta = Meta {
            format: FORMAT,
            config: Config { threads: 0, ..self.config.clone() }.to_toml(),
            code: self.code.clone(),
            tags: self.tags.clone(),
            scheme: self.scheme.name().into(),
            pad_to: self.pad_to,
            threshold: self.threshold,
            provenance: self.provenance.clone(),
        };
        serde_json::to_string(&meta).expect("plain values")
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// E042 if it cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut tensors = named_tensors("", &self.tagger);
        if let Some(Vectors::Frozen(layer)) = &self.tagger.vectors {
            tensors.extend(named_tensors(VECTORS, layer.as_ref()));
        }
        write(path, tensors, self.meta())
    }

    /// Opens a file that [`Model::save`] wrote.
    ///
    /// # Errors
    /// E021 if it cannot be read, E013 if it is not such a file.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = map_file(path)?;
        Self::from_bytes(&bytes, path)
    }

    fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self> {
        let (tensors, meta) = open(bytes, path)?;
        let mut model = Self::described(&meta, path)?;
        let tagger = &mut model.tagger;
        read_tensors("", tagger, &tensors, path)?;
        if let Some(Vectors::Frozen(layer)) = &tagger.vectors {
            let mut layer = layer.as_ref().clone();
            read_tensors(VECTORS, &mut layer, &tensors, path)?;
            tagger.set_vectors(layer.table);
        }
        Ok(model)
    }

    /// The model that [`Model::meta`] describes, with the tensors that `weights` has under each name.
    /// `path` stands in errors.
    ///
    /// # Errors
    /// E013 if the description does not read, or a tensor is missing or of another shape.
    pub fn from_meta(
        meta: &str,
        path: &Path,
        weights: impl Fn(&str) -> Option<ArrayD<f32>>,
    ) -> Result<Self> {
        let mut model = Self::described(meta, path)?;
        let read = |name: &str, mut to: ArrayViewMutD<'_, f32>| {
            let from = weights(name).ok_or_else(|| lacks(path, name))?;
            if from.shape() != to.shape() {
                return Err(misshapen(path, name, from.shape(), to.shape()));
            }
            to.assign(&from);
            Ok(())
        };
        let tagger = &mut model.tagger;
        tagger.tensors_mut().into_iter().try_for_each(|(name, to)| read(&name, to))?;
        if let Some(Vectors::Frozen(layer)) = &tagger.vectors {
            let mut layer = layer.as_ref().clone();
            let mut tensors = layer.tensors_mut().into_iter();
            tensors.try_for_each(|(name, to)| read(&format!("{VECTORS}{name}"), to))?;
            drop(tensors);
            tagger.set_vectors(layer.table);
        }
        Ok(model)
    }

    /// The model of this description, with initial weights.
    fn described(meta: &str, path: &Path) -> Result<Self> {
        let bad = |what: String| not_a_model(path, &what);
        let meta: Meta = serde_json::from_str(meta)
            .map_err(|e| bad(format!("its description does not read: {e}")))?;
        let of_another = |e: Error| bad(format!("{}; another version wrote it", e.message));
        let config = Config::from_model(&meta.config).map_err(of_another)?;
        let spec = config.spec(&meta.code, &meta.tags).map_err(of_another)?;
        Ok(Self {
            config,
            code: meta.code,
            tags: meta.tags,
            scheme: Scheme::parse(&meta.scheme).map_err(of_another)?,
            pad_to: meta.pad_to,
            threshold: meta.threshold,
            tagger: Tagger::unfilled(spec),
            provenance: meta.provenance,
        })
    }
}

/// SHA-256 over the names, shapes and values of `weights`.
pub fn weights_sha256(weights: &impl Params<f32>) -> String {
    let mut hash = Sha256::new();
    for (name, t) in weights.tensors() {
        hash.update(format!("{name}{:?}\n", t.shape()));
        let values: Vec<u8> = t.iter().flat_map(|v| v.to_le_bytes()).collect();
        hash.update(&values);
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// A tensor on its way into a file. Its bytes are made when it is its turn: a checkpoint is as large as
/// everything else that a run keeps in memory.
pub(crate) struct Named<'a> {
    shape: Vec<usize>,
    values: ArrayViewD<'a, f32>,
}

impl<'a> Named<'a> {
    pub(crate) fn new(values: ArrayViewD<'a, f32>) -> Self {
        Self { shape: values.shape().to_vec(), values }
    }
}

impl View for Named<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let mut bytes = Vec::with_capacity(self.data_len());
        self.values.iter().for_each(|v| bytes.extend_from_slice(&v.to_le_bytes()));
        bytes.into()
    }

    fn data_len(&self) -> usize {
        self.values.len() * size_of::<f32>()
    }
}

/// Tensors under names.
pub(crate) type NamedTensors<'a> = Vec<(String, Named<'a>)>;

/// The tensors of `weights`, their names after `prefix`.
pub(crate) fn named_tensors<'a>(prefix: &str, weights: &'a impl Params<f32>) -> NamedTensors<'a> {
    let named = |(name, values): (String, ArrayViewD<'a, f32>)| {
        (format!("{prefix}{name}"), Named::new(values))
    };
    weights.tensors().into_iter().map(named).collect()
}

/// Writes a safetensors file of `tensors` with `meta` under one key (of several, the order would be
/// random), whole or not at all.
pub(crate) fn write(path: &Path, tensors: NamedTensors<'_>, meta: String) -> Result<()> {
    let meta = Some(HashMap::from([(KEY.to_owned(), meta)]));
    let mut file = Pending::new(path)?;
    let named = "tensors have names of their own";
    match file.temporary().map(Path::to_owned) {
        Some(temporary) => {
            let fail = |e: std::io::Error| cannot_write(path, &e);
            // It puts a file of its own there, which nobody else may read.
            let allowed = std::fs::metadata(&temporary).map_err(fail)?.permissions();
            match safetensors::serialize_to_file(tensors, meta, &temporary) {
                Err(SafeTensorError::IoError(e)) => return Err(fail(e)),
                written => written.expect(named),
            }
            std::fs::set_permissions(&temporary, allowed).map_err(fail)?;
        }
        None => {
            let bytes = safetensors::serialize(tensors, meta).expect(named);
            file.write_all(&bytes).map_err(|e| cannot_write(path, &e))?;
        }
    }
    file.commit()
}

/// The tensors and the metadata text of a file.
pub(crate) fn open<'a>(bytes: &'a [u8], path: &Path) -> Result<(SafeTensors<'a>, String)> {
    let bad = |what: &str| not_a_model(path, what);
    let kind = || match bytes {
        b if b.len() > 8 && b[8] == b'{' => "it is cut short or damaged",
        [] => "it is empty",
        b if b.starts_with(b"PK") => "it is a zip archive, such as PyTorch writes",
        b if b.starts_with(b"\x89HDF") => "it is an HDF5 file, such as Keras writes",
        [0x1f, 0x8b, ..] => "it is packed with gzip",
        b if std::str::from_utf8(b).is_ok_and(|text| !text.contains('\0')) => "it is a text",
        _ => "it is another kind of file",
    };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|_| bad(kind()))?;
    let tensors = SafeTensors::deserialize(bytes).map_err(|_| bad(kind()))?;
    let meta = header.metadata().as_ref().and_then(|m| m.get(KEY));
    let meta = meta.ok_or_else(|| bad("it is a safetensors file of another program"))?;
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    match serde_json::from_str(meta) {
        Ok(Format { format: FORMAT }) => Ok((tensors, meta.clone())),
        Ok(Format { format }) => {
            Err(bad(&format!("its format is {format}, this version reads {FORMAT}")))
        }
        Err(_) => Err(bad("its description does not read")),
    }
}

/// Fills `weights` with the tensors of the same names after `prefix`.
pub(crate) fn read_tensors(
    prefix: &str,
    weights: &mut impl Params<f32>,
    tensors: &SafeTensors<'_>,
    path: &Path,
) -> Result<()> {
    for (name, mut to) in weights.tensors_mut() {
        let name = format!("{prefix}{name}");
        let from = tensors.tensor(&name).map_err(|_| lacks(path, &name))?;
        if from.dtype() != Dtype::F32 || from.shape() != to.shape() {
            return Err(misshapen(path, &name, from.shape(), to.shape()));
        }
        let values = from.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()));
        let to = to.as_slice_mut().expect("weights lie in row-major order");
        to.iter_mut().zip(values).for_each(|(to, v)| *to = v);
    }
    Ok(())
}

pub(crate) fn map_file(path: &Path) -> Result<memmap2::Mmap> {
    let fail = |e: std::io::Error| {
        Error::new("E021", format!("cannot read {}: {e}", path.display())).at(path, None, None)
    };
    let file = File::open(path).map_err(fail)?;
    if file.metadata().map_err(fail)?.is_dir() {
        return Err(
            not_a_model(path, "it is a folder").help("name the file in it: model.safetensors")
        );
    }
    // SAFETY: the map is read once, into weights of our own, before this crate returns. Another process
    // that cuts the file short in that moment would end this one with a bus error; model files are
    // replaced by renaming (`write_atomically`), which leaves a mapped file as it is.
    #[allow(unsafe_code)]
    let map = unsafe { memmap2::Mmap::map(&file) };
    map.map_err(fail)
}

fn lacks(path: &Path, name: &str) -> Error {
    not_a_model(path, &format!("it lacks the tensor {name}"))
}

fn misshapen(path: &Path, name: &str, have: &[usize], want: &[usize]) -> Error {
    not_a_model(path, &format!("its tensor {name} has shape {have:?}, not {want:?}"))
}

fn not_a_model(path: &Path, what: &str) -> Error {
    Error::new(
        "E013",
        format!("{} is not a model that this version can open: {what}", path.display()),
    )
    .at(path, None, None)
    .help("train one with `longhand train -o RUN` and give RUN/model.safetensors")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Trainer;

    /// An untrained model of this preset; random weights make many entities.
    fn model(preset: &str, more: &[(&str, &str)]) -> Model {
        let corpus = Corpus::from_pairs(&[
            ("Ann Lee saw Paris , Texas", "B-per I-per O B-geo O B-geo"),
            ("Bob Ray slept", "B-per I-per O"),
            ("they met in New York", "O O O B-geo I-geo"),
        ]);
        let flags: Vec<_> = more.iter().map(|&(k, v)| (k.into(), v.into())).collect();
        let config = Config::resolve(Some(preset), None, &flags).unwrap();
        let split = Split { train: vec![0, 1, 2], dev: vec![], test: vec![] };
        let dataset = Dataset::new(&corpus, split, &config, Scheme::Iob2, false).unwrap().0;
        let trainer = Trainer::new(config, dataset).unwrap();
        Model {
            config: trainer.config().clone(),
            code: trainer.dataset().code.clone(),
            tags: trainer.dataset().tags.clone(),
            scheme: trainer.dataset().scheme,
            pad_to: trainer.dataset().pad_to(),
            threshold: 0.02, // it knows nothing, and is sure of nothing
            tagger: trainer.tagger().clone(),
            provenance: Provenance::default(),
        }
    }

    fn sentences() -> Vec<Vec<&'static str>> {
        let words = ["Ann", "Lee", "met", "Bob", "in", "New", "York", ",", "Xy", "1999"];
        let sentence = |n: usize| (0..n * 7 % 40).map(|t| words[(n * 3 + t * t) % 10]).collect();
        (0..60).map(sentence).collect()
    }

    #[test]
    fn tags_and_probabilities_depend_on_no_other_sentence_and_on_no_thread() {
        for (preset, more) in [
            ("fast", &[][..]),
            ("fast", &[("inside", "iobes")]),
            ("repaired", &[]),
            ("repaired", &[("rules", "false")]),
            ("tutorial", &[]),
        ] {
            let model = model(preset, more);
            let sentences = sentences();
            let threads = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
            let ready = crate::tagging::Ready::new(model.clone());
            let together = threads(1).install(|| model.tag_entities(&sentences, true));
            let found: usize = together.iter().map(|t| t.entities.len()).sum();
            assert!(found > 20, "{preset} {more:?}: {found} entities");
            assert_eq!(threads(3).install(|| model.tag_entities(&sentences, true)), together);
            for (sentence, tagged) in sentences.iter().zip(&together) {
                assert_eq!(&model.tag_entities(&[sentence], true)[0], tagged);
                assert_eq!(&ready.tag(&[sentence], true)[0], tagged);
                assert!(tagged.entities.iter().all(|e| (0.0..=1.0).contains(&e.probability)));
            }
            assert!(together.iter().any(|t| t.entities.iter().any(|e| e.probability < 0.9)));
            // Without probabilities the rest is the same.
            for (tagged, quick) in together.iter().zip(model.tag_entities(&sentences, false)) {
                let places = |t: &Tagged| {
                    t.entities.iter().map(|e| (e.start, e.end, e.kind)).collect::<Vec<_>>()
                };
                assert_eq!((&tagged.tags, places(tagged)), (&quick.tags, places(&quick)));
            }
        }
    }

    #[test]
    fn entities_are_those_of_the_tags_in_the_scheme_of_the_data() {
        let model = model("fast", &[("inside", "iobes")]);
        let sentences = sentences();
        let tags = model.tag(&sentences);
        for (tagged, tags) in model.tag_entities(&sentences, false).iter().zip(&tags) {
            let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
            let spans = data::scheme::spans(&tags, Scheme::Iob2).unwrap();
            let want = spans.iter().map(|s| (s.start, s.end, s.label));
            let got = tagged.entities.iter().map(|e| (e.start, e.end, model.label(e)));
            assert_eq!(got.collect::<Vec<_>>(), want.collect::<Vec<_>>());
        }
    }
}
