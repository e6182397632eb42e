//! A trained tagger with all that it needs, as one file.
//!
//! The file is safetensors: the weights under their names, and in its metadata one JSON text,
//! `longhand`, with the format's number, the configuration, the words, the tags and where the model
//! comes from. So words, tags and weights cannot come apart. Written under a temporary name and
//! renamed. [`Model::load`] reads it whole; [`Model::map`] leaves the large tables where they are.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use data::{Corpus, Error, Interner, Result, Scheme, Split, TagSet};
use ndarray::{ArrayD, ArrayViewD, ArrayViewMutD};
use nn::Params;
use nn::tagger::Tagger;
use nn::vectors::Vectors;
use serde::{Deserialize, Serialize};

use crate::config::{Config, Decode};
use crate::dataset::{Dataset, outside};
use crate::entities::Entity;
use crate::lexicon::{Lexicon, Token, WithPos, WordCode};
use crate::tagging::{self, Decoder, Padding, Tagged};

pub(crate) mod file;

pub use file::{FORMAT, weights_sha256};

use file::{
    Mapped, NamedTensors, Opened, VECTORS, all_tensors, check_format, fill_tagger, lacks, map_file,
    misshapen, no_table_each, not_a_model, of_format, sha256, write,
};

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

/// The metadata's JSON, to be written.
#[derive(Serialize)]
pub(crate) struct MetaOf<'a> {
    format: u32,
    config: String,
    code: &'a WordCode,
    tags: &'a TagSet,
    scheme: &'a str,
    pad_to: Option<usize>,
    threshold: f64,
    /// Of all weights, so that [`Model::load`] can tell a damaged file.
    sha256: String,
    provenance: &'a Provenance,
}

impl<'a> MetaOf<'a> {
    pub(crate) fn new(
        config: &Config,
        dataset: &'a Dataset,
        threshold: f64,
        provenance: &'a Provenance,
        weights: &NamedTensors<'_>,
    ) -> MetaOf<'a> {
        let Dataset { code, tags, scheme, .. } = dataset;
        let config = Config { threads: 0, ..config.clone() }.to_toml();
        let (scheme, pad_to) = (scheme.name(), dataset.pad_to());
        let sha256 = sha256(weights);
        Self { format: FORMAT, config, code, tags, scheme, pad_to, threshold, sha256, provenance }
    }
}

/// The metadata's JSON, read.
#[derive(Deserialize)]
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
    pub fn tag<W: Token>(&self, sentences: &[impl AsRef<[W]>]) -> Vec<Vec<String>> {
        let tags = self.read(sentences, tagging::tag);
        tags.iter().map(|ids| self.outside(ids)).collect()
    }

    /// Tag ids of each sentence and its entities; these with probabilities if `likely`. A sentence's
    /// result does not depend on the others, nor on the number of threads.
    pub fn tag_entities<W: Token>(
        &self,
        sentences: &[impl AsRef<[W]>],
        likely: bool,
    ) -> Vec<Tagged> {
        self.read(sentences, |decoder, lexicon, numbers| {
            tagging::tag_entities(decoder, lexicon, numbers, likely)
        })
    }

    /// The type of an entity.
    pub fn label(&self, entity: &Entity) -> &str {
        &self.tags.types()[entity.kind as usize]
    }

    /// Numbers the words of `sentences` and hands them on with the network.
    pub(crate) fn read<'s, W: Token + 's, T>(
        &self,
        sentences: &'s [impl AsRef<[W]>],
        tag: impl FnOnce(Decoder<'_>, &Lexicon, &[&[u32]]) -> T,
    ) -> T {
        // Padding is the last word of the vocabulary, here number 0.
        let last = self.code.vocab.word(self.code.vocab.len() as u32 - 1);
        let (lexicon, numbers): (Lexicon, Vec<Vec<u32>>) = match self.code.pos {
            None => {
                let mut words = Interner::new();
                words.intern(last);
                let mut of = |s: &[W]| s.iter().map(|w| words.intern(w.word())).collect();
                let numbers = sentences.iter().map(|s| of(s.as_ref())).collect();
                (Lexicon::new(words.iter(), &self.code), numbers)
            }
            Some(_) => {
                let mut entries = vec![WithPos { word: last, pos: "" }];
                let mut known = HashMap::from([(entries[0], 0)]);
                let mut number = |w| {
                    *known.entry(w).or_insert_with(|| {
                        entries.push(w);
                        entries.len() as u32 - 1
                    })
                };
                let mut of = |s: &'s [W]| {
                    let tokens = s.iter().map(|w| WithPos { word: w.word(), pos: w.pos() });
                    tokens.map(&mut number).collect()
                };
                let numbers = sentences.iter().map(|s| of(s.as_ref())).collect();
                (Lexicon::new(entries.into_iter(), &self.code), numbers)
            }
        };
        let numbers: Vec<&[u32]> = numbers.iter().map(Vec::as_slice).collect();
        let padding = self.pad_to.map(|length| Padding { length, word: 0 });
        tag(self.decoder(padding), &lexicon, &numbers)
    }

    /// The network, asked as the configuration says.
    pub(crate) fn decoder(&self, padding: Option<Padding>) -> Decoder<'_> {
        Decoder {
            tagger: &self.tagger,
            tags: &self.tags,
            decode: self.config.decode,
            threshold: self.threshold,
            padding,
        }
    }

    /// From which probability on entities are given; None where those of the best tags are, however likely.
    pub fn gives_from(&self) -> Option<f64> {
        (self.config.decode == Decode::Likely).then_some(self.threshold)
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
        all_tensors(&self.tagger)
    }

    /// What the model is besides its weights, as JSON: words, tags, configuration, provenance.
    pub fn meta(&self) -> String {
        let meta = MetaOf {
            format: FORMAT,
            config: Config { threads: 0, ..self.config.clone() }.to_toml(),
            code: &self.code,
            tags: &self.tags,
            scheme: self.scheme.name(),
            pad_to: self.pad_to,
            threshold: self.threshold,
            sha256: sha256(&self.tensors()),
            provenance: &self.provenance,
        };
        serde_json::to_string(&meta).expect("plain values")
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// E042 if it cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        write(path, self.tensors(), self.meta())
    }

    /// Opens a file that [`Model::save`] wrote.
    ///
    /// # Errors
    /// E021 if it cannot be read, E013 if it is not such a file, or is damaged.
    pub fn load(path: &Path) -> Result<Self> {
        let mapped = map_file(path)?;
        let file = Opened::new(&mapped, path)?;
        let mut model = Self::described(file.meta(), path)?;
        model.fill(&file, None, path)?;
        #[derive(Deserialize)]
        struct Written {
            sha256: Option<String>, // none in files of before there was one
        }
        let written: Written = serde_json::from_str(file.meta()).expect("it was read just now");
        if written.sha256.is_some_and(|written| written != sha256(&model.tensors())) {
            let what = "it is damaged: its weights are not those that were written";
            let help = "copy it again from where it came, or train it again";
            return Err(not_a_model(path, what).help(help));
        }
        Ok(model)
    }

    /// As [`Model::load`], but the tables of words and of features stay in the file, of which only what is read
    /// comes into memory: opened in a few milliseconds, whatever its size. The map stays until the process ends,
    /// so this is for programs that open a model, use it and are done.
    ///
    /// A file that is mapped may be renamed, removed and replaced by another of its name, as [`Model::save`] does
    /// it; written over in place, it changes under the program's hands, and cut short it ends it. What it holds is not
    /// held against its SHA-256, since that would read it all.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn map(path: &Path) -> Result<Self> {
        let mapped: &'static Mapped = Box::leak(Box::new(map_file(path)?));
        let file = Opened::new(mapped, path)?;
        let mut model = Self::described(file.meta(), path)?;
        model.fill(&file, Some(&file), path)?;
        Ok(model)
    }

    /// Takes the weights from `file`, the large tables in place if it stays mapped.
    fn fill(
        &mut self,
        file: &Opened<'_>,
        mapped: Option<&Opened<'static>>,
        path: &Path,
    ) -> Result<()> {
        no_table_each(path, |name| file.header.info(name).is_some())?;
        fill_tagger("", &mut self.tagger, file, mapped, path)?;
        if let Some(Vectors::Frozen(layer)) = &self.tagger.vectors {
            let mut layer = layer.as_ref().clone();
            file.fill(VECTORS, layer.tensors_mut(), path)?;
            self.tagger.set_vectors(layer.table);
        }
        Ok(())
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
        no_table_each(path, |name| weights(name).is_some())?;
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
        let meta: Meta = match serde_json::from_str(meta) {
            Ok(Meta { format, .. }) if format != FORMAT => return Err(of_format(path, format)),
            Ok(meta) => meta,
            Err(e) => {
                check_format(meta, path)?;
                return Err(bad(format!("its description does not read: {e}")));
            }
        };
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
    fn a_mapped_model_is_the_one_that_was_saved_and_outlives_its_file() {
        for (preset, more) in [("fast", &[][..]), ("repaired", &[]), ("fast", &[("members", "2")])]
        {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("m.safetensors");
            let model = model(preset, more);
            model.save(&path).unwrap();
            let [mapped, loaded] = [Model::map(&path).unwrap(), Model::load(&path).unwrap()];
            model.save(&path).unwrap(); // renamed into its place: the map is of the file that was
            std::fs::remove_file(&path).unwrap();
            assert!(mapped.tagger.words.rows.is_view() && !loaded.tagger.words.rows.is_view());
            assert_eq!(mapped.weights_sha256(), model.weights_sha256());
            assert_eq!(loaded.weights_sha256(), model.weights_sha256());
            let sentences = sentences();
            let want = model.tag_entities(&sentences, true);
            assert_eq!(mapped.tag_entities(&sentences, true), want);
            // A copy of it is another's to change.
            let mut other = mapped.clone();
            other.tagger.tensors_mut().into_iter().for_each(|(_, mut t)| t += 1.0);
            assert_ne!(other.weights_sha256(), model.weights_sha256());
            assert_eq!(mapped.weights_sha256(), model.weights_sha256());
        }
    }

    #[test]
    fn a_damaged_file_is_refused_and_changed_weights_come_back_by_way_of_a_description() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.safetensors");
        let mut model = model("fast", &[]);
        model.save(&path).unwrap();
        assert!(Model::load(&path).is_ok());
        let mut bytes = std::fs::read(&path).unwrap();
        for at in [bytes.len() - 1, bytes.len() / 2] {
            bytes[at] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            let error = Model::load(&path).unwrap_err();
            assert!(error.code == "E013" && error.message.contains("damaged"), "{error}");
            bytes[at] ^= 1;
        }
        // What another program did to the weights is its business.
        let meta = model.meta();
        model.tagger.tensors_mut().into_iter().for_each(|(_, mut t)| t += 1.0);
        let weights: HashMap<_, _> =
            model.tensors().into_iter().map(|(name, t)| (name, t.to_owned())).collect();
        let back = Model::from_meta(&meta, &path, |name| weights.get(name).cloned()).unwrap();
        assert_eq!(back.weights_sha256(), model.weights_sha256());
    }

    #[test]
    fn networks_with_a_wide_table_each_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.safetensors");
        let model = model("fast", &[("members", "2")]);
        let table = model.tagger.wide.as_ref().unwrap().table.view().into_dyn();
        let mut tensors = model.tensors();
        tensors.push(("member.1.wide.table".into(), table));
        write(&path, tensors, model.meta()).unwrap();
        for error in [Model::load(&path).unwrap_err(), Model::map(&path).unwrap_err()] {
            assert!(error.code == "E013" && error.message.contains("wide table each"), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_model_file_may_be_read_by_whoever_the_folder_is_for() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let [ours, plain] = ["m.safetensors", "plain"].map(|name| dir.path().join(name));
        model("repaired", &[]).save(&ours).unwrap();
        std::fs::write(&plain, "").unwrap(); // as the umask has it
        let mode = |path| std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
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
