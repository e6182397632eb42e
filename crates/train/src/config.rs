//! Configuration: one flat list of keys, the same in presets, files and flags.
//!
//! A value is looked for in the flags, then in the user's file, then in the preset; a preset names every
//! key. An unknown key is an error that names the nearest known one. The resolved list is saved
//! beside the model and inside it.

use std::path::Path;

use data::split::Split;
use data::{Error, Result, Scheme, TagSet};

use nn::crf::Allowed;
use nn::tagger::{CharKind, CharSpec, Head, LayerKind, LayerSpec, Spec, VectorSpec, WideSpec};
use optim::{AdamKind, AdamSettings, Schedule, Shape};
use serde::{Deserialize, Serialize};

use crate::lexicon::WordCode;

mod length;
mod parse;

pub use length::Extent;
pub use parse::nearest;

use parse::{
    exact_length, known_key, no_section, parse_file, parse_value, place_of, plainly, preset_table,
};

/// Names of the presets and their texts; the first is the default.
pub const PRESETS: [(&str, &str); 4] = [
    ("fast", include_str!("../presets/fast.toml")),
    ("accurate", include_str!("../presets/accurate.toml")),
    ("repaired", include_str!("../presets/repaired.toml")),
    ("tutorial", include_str!("../presets/tutorial.toml")),
];

/// Everything that a training run depends on besides its data. What each key means is said in
/// `presets/fast.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[allow(missing_docs)] // one source of meanings: the preset
pub struct Config {
    pub preset: String,
    pub vocabulary: VocabularyFrom,
    pub lower: bool,
    pub min_count: u32,
    pub unknown: f64,
    pub word_dropout: f64,
    pub pad: bool,
    pub split: String,
    pub keep_duplicates: bool,
    pub dev_from_train: f64,
    pub refit: bool,
    pub embedding: usize,
    pub vectors: String,
    pub vectors_train: VectorsTrain,
    pub vectors_keep: usize,
    pub affix_rows: u32,
    pub pos: bool,
    pub chars: CharsName,
    pub char_embedding: usize,
    pub char_features: usize,
    pub encoder: Vec<String>,
    pub residual: bool,
    pub dropout: Vec<f64>,
    pub recurrent_dropout: Vec<f64>,
    pub dense_dropout: f64,
    pub locked: bool,
    pub wide_rows: u32,
    pub wide_dropout: f64,
    pub head: HeadName,
    pub rules: bool,
    pub inside: InsideName,
    pub decode: Decode,
    pub threshold: f64,
    pub members: usize,
    pub epochs: u32,
    pub min_steps: usize,
    pub batch: usize,
    pub accumulate: usize,
    pub class_weights: ClassWeights,
    pub bucket: usize,
    pub adam: AdamName,
    pub learning_rate: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub lazy_rows: bool,
    pub warmup: f64,
    pub schedule: ScheduleName,
    pub plateau: u32,
    pub clip: f64,
    pub weight_decay: f64,
    pub average: f64,
    pub patience: u32,
    pub keep: Keep,
    pub seed: u64,
    pub threads: usize,
}

macro_rules! names {
    ($(#[$doc:meta])* $name:ident { $($variant:ident),+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[allow(missing_docs)]
        pub enum $name { $($variant),+ }
    };
}

names!(
    /// Whose words get a row of their own.
    VocabularyFrom { Train, All }
);
names!(
    /// See [`Head`].
    HeadName { Softmax, KerasRelu, Crf }
);
names!(
    /// Whether pretrained vectors stay as they are.
    VectorsTrain { Frozen, Tuned }
);
names!(
    /// See [`CharKind`]; `None` reads no letters.
    CharsName { None, Cnn, Lstm }
);
names!(
    /// The tag scheme that the network learns; `Same` is that of the data.
    InsideName { Same, Iob2, Iobes, Bilou }
);
names!(
    /// Which tags are given: those of the best path, or of the entities that are likely enough to raise F1.
    Decode { Best, Likely }
);
names!(
    /// See [`Shape`].
    ScheduleName { Constant, Linear, Cosine, OneCycle, Plateau }
);
names!(
    /// What the softmax's loss weighs a tag with: nothing, or the inverse of how often training has it.
    ClassWeights { None, Balanced }
);
names!(
    /// Which epoch's model is kept.
    Keep { Best, Last }
);

/// See [`AdamKind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum AdamName {
    PyTorch,
    Keras,
}

/// No size may be larger: what is meant as a width is no bigger, and sums of sizes do not overflow.
const MOST: usize = 1 << 20;

/// Keys that came after the first models, with the values under which nothing is other than it was.
const NEUTRAL: &str = r#"
    residual = false
    pos = false
    vectors = ""
    vectors-train = "frozen"
    vectors-keep = 50000
    decode = "best"
    members = 1
    min-steps = 0
    accumulate = 1
    class-weights = "none"
    plateau = 1
    refit = false
    threshold = 0.0
"#;

/// A value that a flag gives: key and text.
pub type Flag = (String, String);

impl Config {
    /// The configuration of flags over file over preset. `file` is its name and its text.
    ///
    /// # Errors
    /// E040 for an unknown key or preset, E041 for a value that does not fit.
    pub fn resolve(
        preset: Option<&str>,
        file: Option<(&Path, &str)>,
        flags: &[Flag],
    ) -> Result<Self> {
        let written = file.map(|(path, text)| parse_file(path, text)).transpose()?;
        let named = |t: &toml::Table| Some(t.get("preset")?.as_str()?.to_owned());
        let preset = preset.map(str::to_owned).or_else(|| written.as_ref().and_then(named));
        let mut table = preset_table(preset.as_deref().unwrap_or(PRESETS[0].0))?;
        if let Some(written) = &written {
            exact_length(&mut table, |key| written.contains_key(key));
        }
        for (key, value) in written.into_iter().flatten() {
            let (path, text) = file.expect("a table was read from it");
            let is_preset = key == "preset";
            let known = || if is_preset { Ok(()) } else { known_key(&table, &key) };
            no_section(&key, &value).and_then(|()| known()).map_err(|e| {
                let (line, column) = place_of(text, &key).unzip();
                e.at(path, line, column)
            })?;
            if !is_preset {
                table.insert(key, value);
            }
        }
        exact_length(&mut table, |key| flags.iter().any(|(k, _)| k == key));
        for (key, text) in flags {
            if key == "preset" {
                return Err(Error::new("E041", "`preset` is not set like other keys")
                    .help("write --preset NAME"));
            }
            known_key(&table, key)?;
            let value = parse_value(text, &table[key]);
            table.insert(key.clone(), value);
        }
        let keys: Vec<String> = table.keys().cloned().collect();
        let flagged = |key: &str| flags.iter().any(|(k, _)| k == key);
        Self::from_table(table).map_err(|e| {
            // The file is to blame for a value that it gives and no flag does.
            let mut words = e.message.split(|c: char| !c.is_alphanumeric() && c != '-');
            let key = words.find(|w| keys.iter().any(|k| k == w)).unwrap_or_default().to_owned();
            match file.and_then(|(path, text)| Some((path, place_of(text, &key)?))) {
                Some((path, (line, column))) if !flagged(&key) => e.at(path, line, column),
                _ => e,
            }
        })
    }

    /// A preset as it stands.
    ///
    /// # Errors
    /// E040 if there is none of that name.
    pub fn preset(name: &str) -> Result<Self> {
        Self::resolve(Some(name), None, &[])
    }

    /// Reads what [`Config::to_toml`] wrote.
    ///
    /// # Errors
    /// E041 if it is not a whole configuration.
    pub fn from_toml(text: &str) -> Result<Self> {
        let table = text.parse().map_err(|e: toml::de::Error| Error::new("E041", e.message()))?;
        Self::from_table(table)
    }

    /// Reads what [`Config::to_toml`] of this or an older version wrote: a key that was not there then gets the
    /// value under which all is as it was.
    ///
    /// # Errors
    /// As [`Config::from_toml`].
    pub fn from_model(text: &str) -> Result<Self> {
        let table = |text: &str| text.parse::<toml::Table>();
        let written = table(text).map_err(|e| Error::new("E041", e.message()))?;
        let mut all = table(NEUTRAL).expect("a text that is tested");
        all.extend(written);
        Self::from_table(all)
    }

    /// This configuration with other values for some keys, as flags give them. Who gives epochs or batch means them:
    /// see `min-steps`.
    ///
    /// # Errors
    /// E040 for an unknown key, E041 for a value that does not fit.
    pub fn with(&self, flags: &[Flag]) -> Result<Self> {
        let mut table: toml::Table = self.to_toml().parse().expect("a configuration is TOML");
        exact_length(&mut table, |key| flags.iter().any(|(k, _)| k == key));
        for (key, text) in flags {
            known_key(&table, key)?;
            let value = parse_value(text, &table[key]);
            table.insert(key.clone(), value);
        }
        Self::from_table(table)
    }

    /// The value of a key as a flag gives it.
    ///
    /// # Panics
    /// If there is no such key.
    pub fn value(&self, key: &str) -> String {
        let table: toml::Table = self.to_toml().parse().expect("a configuration is TOML");
        match &table[key] {
            toml::Value::String(text) => text.clone(),
            value => value.to_string(),
        }
    }

    /// What differs from the preset, as a file for `--config`.
    pub fn to_short_toml(&self) -> String {
        let preset = preset_table(&self.preset).expect("a configuration has a preset");
        let table: toml::Table = self.to_toml().parse().expect("a configuration is TOML");
        let other = |(key, value): &(&String, &toml::Value)| preset.get(*key) != Some(*value);
        let line = |(key, value): (&String, &toml::Value)| format!("{key} = {value}\n");
        let lines: String = table.iter().filter(other).map(line).collect();
        format!("preset = \"{}\"\n{lines}", self.preset)
    }

    /// All keys and values, as TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("plain values")
    }

    fn from_table(table: toml::Table) -> Result<Self> {
        let text = toml::to_string(&table).expect("a table that was read");
        let config: Self = toml::from_str(&text).map_err(|e| {
            let line = e.span().map(|s| text[..s.start].matches('\n').count());
            let at = line.and_then(|l| text.lines().nth(l)).unwrap_or_default();
            Error::new("E041", format!("`{at}`: {}", plainly(e.message())))
        })?;
        config.validate()?;
        Ok(config)
    }

    /// Whether every value fits its key.
    ///
    /// # Errors
    /// E041 for the first that does not, E029 for shares of parts that are none.
    pub fn validate(&self) -> Result<()> {
        let fail = |what: String| Err(Error::new("E041", what));
        let share = |key: &str, p: f64| {
            let ok = (0.0..1.0).contains(&p);
            if ok { Ok(()) } else { fail(format!("{key} must be in [0, 1), not {p}")) }
        };
        let layers = self.layers()?;
        for (key, rates) in
            [("dropout", &self.dropout), ("recurrent-dropout", &self.recurrent_dropout)]
        {
            if rates.len() != 1 && rates.len() != layers.len() {
                let (n, m) = (rates.len(), layers.len());
                return fail(format!(
                    "{key} has {n} rates, the encoder has {m} layers: give one for all or one each"
                ));
            }
            rates.iter().try_for_each(|&p| share(key, p))?;
        }
        share("dense-dropout", self.dense_dropout)?;
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return fail(format!("learning-rate must be above 0, not {}", self.learning_rate));
        }
        if self.epsilon == 0.0 {
            return fail(
                "epsilon must not be 0: where there is no gradient, Adam divides by it".into(),
            );
        }
        share("wide-dropout", self.wide_dropout)?;
        share("average", self.average)?;
        if self.chars == CharsName::Lstm && self.char_features % 2 == 1 {
            return fail("char-features must be even for chars = \"lstm\"".into());
        }
        share("dev-from-train", self.dev_from_train)?;
        share("threshold", self.threshold)?;
        if self.refit && (self.keep == Keep::Best || self.patience > 0) {
            return fail(
                "refit = true needs keep = \"last\" and patience = 0: once dev is learned from, it cannot say \
                 which epoch is the best"
                    .into(),
            );
        }
        if self.refit && self.schedule == ScheduleName::Plateau {
            return fail(
                "refit = true does not go with schedule = \"plateau\", which waits for dev".into(),
            );
        }
        for (key, n) in [
            ("embedding", self.embedding),
            ("char-embedding", self.char_embedding),
            ("char-features", self.char_features),
            ("batch", self.batch),
            ("accumulate", self.accumulate),
            ("plateau", self.plateau as usize),
            ("epochs", self.epochs as usize),
            ("members", self.members),
        ] {
            if n == 0 {
                return fail(format!("{key} must be at least 1"));
            }
            if n > MOST {
                return fail(format!("{key} must be at most {MOST}, not {n}"));
            }
        }
        for (key, v, top) in [
            ("unknown", self.unknown, 1.0),
            ("word-dropout", self.word_dropout, 1.0),
            ("weight-decay", self.weight_decay, 1.0),
            ("warmup", self.warmup, 1.0),
            ("beta1", self.beta1, 0.99999),
            ("beta2", self.beta2, 0.9999999),
            ("learning-rate", self.learning_rate, 1e3),
            ("epsilon", self.epsilon, 1.0),
            ("clip", self.clip, f64::INFINITY),
        ] {
            if !(0.0..=top).contains(&v) {
                return fail(format!("{key} must be between 0 and {top}, not {v}"));
            }
        }
        // TOML's numbers are signed, and members count on from the seed.
        let most = i64::MAX as u64 - MOST as u64;
        if self.seed > most {
            return fail(format!("seed must be at most {most}, not {}", self.seed));
        }
        if self.class_weights != ClassWeights::None && self.head != HeadName::Softmax {
            return fail(
                "class-weights = \"balanced\" needs head = \"softmax\": a CRF's loss is that of whole sentences, \
                 and keras-relu is as Keras has it"
                    .into(),
            );
        }
        self.shares()?;
        Ok(())
    }

    /// `encoder` with its dropout rates.
    ///
    /// # Errors
    /// E041 if a layer is not written as `bilstm:64` or `lstm:64`.
    pub fn layers(&self) -> Result<Vec<LayerSpec>> {
        let layer = |(l, text): (usize, &String)| {
            let (kind, width) = text.split_once(':').unwrap_or((text, ""));
            let kind = match kind {
                "lstm" => LayerKind::Lstm,
                "bilstm" => LayerKind::BiLstm,
                _ => return None,
            };
            let n_hidden = width.parse().ok().filter(|n| (1..=MOST).contains(n))?;
            let rate = |rates: &[f64]| match rates {
                [one] => *one,
                each => each.get(l).copied().unwrap_or(0.0),
            };
            let dropout = rate(&self.dropout);
            let recurrent_dropout = rate(&self.recurrent_dropout);
            Some(LayerSpec { kind, n_hidden, dropout, recurrent_dropout })
        };
        let layers = self.encoder.iter().enumerate();
        layers
            .map(|(l, text)| {
                layer((l, text)).ok_or_else(|| {
                    Error::new("E041", format!("`{text}` is not a layer of the encoder"))
                        .help("write a kind and a width: \"bilstm:64\" or \"lstm:64\"")
                })
            })
            .collect()
    }

    /// The shares of train, dev and test in `split`.
    ///
    /// # Errors
    /// E029 if they are not.
    pub fn shares(&self) -> Result<[f64; 3]> {
        Split::parse_fractions(&self.split)
    }

    /// The network for these words and tags.
    ///
    /// # Errors
    /// As [`Config::layers`].
    pub fn spec(&self, code: &WordCode, tags: &TagSet) -> Result<Spec> {
        let kind = match self.chars {
            CharsName::None => None,
            CharsName::Cnn => Some(CharKind::Cnn),
            CharsName::Lstm => Some(CharKind::Lstm),
        };
        let chars = kind.map(|kind| CharSpec {
            kind,
            n_chars: code.alphabet.len() + 1,
            n_in: self.char_embedding,
            n_out: self.char_features,
        });
        let wide = WideSpec { rows: code.wide_rows as usize, dropout: self.wide_dropout };
        Ok(Spec {
            tables: code.tables(),
            embedding: self.embedding,
            vectors: code.vectors.as_ref().map(|v| VectorSpec {
                rows: v.len() + 1,
                columns: v.dim,
                tuned: self.vectors_train == VectorsTrain::Tuned,
            }),
            chars,
            encoder: self.layers()?,
            residual: self.residual,
            dense_dropout: self.dense_dropout,
            wide: (code.wide_rows > 0).then_some(wide),
            tags: tags.len(),
            head: match self.head {
                HeadName::Softmax => Head::Softmax,
                HeadName::KerasRelu => Head::KerasRelu,
                HeadName::Crf => Head::Crf,
            },
            rules: self.rules.then(|| rules(tags)),
            members: self.members,
            tag_weights: None,
        })
    }

    /// The tag scheme that the network learns for data in `scheme`.
    pub fn inside(&self, scheme: Scheme) -> Scheme {
        match self.inside {
            InsideName::Same => scheme,
            InsideName::Iob2 => Scheme::Iob2,
            InsideName::Iobes => Scheme::Iobes,
            InsideName::Bilou => Scheme::Bilou,
        }
    }

    /// Adam's settings.
    pub fn adam_settings(&self) -> AdamSettings {
        let kind = match self.adam {
            AdamName::PyTorch => AdamKind::PyTorch,
            AdamName::Keras => AdamKind::Keras,
        };
        let Self { beta1, beta2, epsilon, .. } = *self;
        AdamSettings { kind, beta1, beta2, epsilon }
    }

    /// The course of the learning rate.
    pub fn rate_schedule(&self) -> Schedule {
        let shape = match self.schedule {
            ScheduleName::Constant => Shape::Constant,
            ScheduleName::Linear => Shape::Linear,
            ScheduleName::Cosine => Shape::Cosine,
            ScheduleName::OneCycle => Shape::OneCycle,
            ScheduleName::Plateau => Shape::Plateau,
        };
        Schedule { warmup: self.warmup, shape }
    }
}

/// Which tags may start, follow each other, and end a sentence.
fn rules(tags: &TagSet) -> Allowed {
    let ids = || 0..tags.len() as u32;
    let pairs = ids().flat_map(|from| ids().map(move |to| (from, to)));
    Allowed::new(
        pairs.map(|(from, to)| tags.allows(Some(from), Some(to))).collect(),
        ids().map(|to| tags.allows(None, Some(to))).collect(),
        ids().map(|from| tags.allows(Some(from), None)).collect(),
    )
}

/// Every key, in the order of the default preset.
pub fn keys() -> Vec<String> {
    preset_table(PRESETS[0].0).expect("the default preset").keys().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(pairs: &[(&str, &str)]) -> Vec<Flag> {
        pairs.iter().map(|&(k, v)| (k.into(), v.into())).collect()
    }

    #[test]
    fn every_preset_is_whole_and_survives_being_written() {
        for (name, _) in PRESETS {
            let config = Config::preset(name).unwrap();
            assert_eq!(Config::from_toml(&config.to_toml()).unwrap(), config);
        }
    }

    #[test]
    fn flags_go_over_the_file_and_the_file_over_the_preset() {
        let file = (Path::new("my.toml"), "epochs = 3\nlearning-rate = 1\n");
        let set = flags(&[("epochs", "7"), ("dropout", "0.1,0.3"), ("head", "keras-relu")]);
        let c = Config::resolve(Some("repaired"), Some(file), &set).unwrap();
        assert_eq!((c.epochs, c.learning_rate, c.batch), (7, 1.0, 32));
        assert_eq!((c.dropout, c.head), (vec![0.1, 0.3], HeadName::KerasRelu));
    }

    #[test]
    fn values_change_as_flags_do_and_what_is_other_than_the_preset_is_a_file() {
        let start = Config::resolve(Some("fast"), None, &flags(&[("dropout", "0.2")])).unwrap();
        let other = start.with(&flags(&[("head", "softmax"), ("batch", "16")])).unwrap();
        assert_eq!((other.head, other.batch, other.min_steps), (HeadName::Softmax, 16, 0));
        assert_eq!(
            (other.value("head"), other.value("dropout")),
            ("softmax".into(), "[0.2]".into())
        );
        assert_eq!(start.with(&flags(&[("hed", "crf")])).unwrap_err().code, "E040");
        assert_eq!(start.with(&flags(&[("batch", "0")])).unwrap_err().code, "E041");
        let text = other.to_short_toml();
        assert_eq!(text.lines().count(), 5, "{text}");
        let read = Config::resolve(None, Some((Path::new("best.toml"), &text)), &[]).unwrap();
        assert_eq!(read, other);
    }

    #[test]
    fn a_model_of_a_version_without_some_keys_reads_as_it_was_meant() {
        let whole = Config::preset("repaired").unwrap();
        let mut table: toml::Table = whole.to_toml().parse().unwrap();
        for key in toml::Table::keys(&NEUTRAL.parse().unwrap()) {
            assert!(table.remove(key).is_some(), "{key} is a key");
        }
        let old = Config::from_model(&table.to_string()).unwrap();
        assert_eq!(old, Config { min_steps: 0, ..whole });
        table.remove("epochs"); // no value of it is neutral
        assert_eq!(Config::from_model(&table.to_string()).unwrap_err().code, "E041");
    }

    #[test]
    fn few_sentences_get_smaller_batches_and_then_more_epochs() {
        let with = |sentences: usize, length: usize, letters: usize, set: &[(&str, &str)]| {
            let all = [&[("epochs", "3"), ("batch", "32"), ("min-steps", "3000")], set].concat();
            let mut c = Config::resolve(None, None, &flags(&all)).unwrap();
            let tokens = sentences * length;
            let characters = tokens * letters;
            let part = Extent { sentences, tokens, characters, entities: 2 * sentences, types: 4 };
            c.fit_to(part);
            let once = c.clone();
            c.fit_to(part);
            assert_eq!(c, once);
            (c.batch, c.epochs)
        };
        let of = |sentences: usize, set: &[(&str, &str)]| with(sentences, 20, 5, set);
        assert_eq!(of(32_000, &[]), (32, 3)); // 3,000
        assert_eq!(of(16_000, &[]), (16, 3));
        assert_eq!(of(8_000, &[]), (8, 3));
        assert_eq!(of(4_400, &[]), (8, 6)); // 3,300
        assert_eq!(of(6_000, &[]), (8, 4)); // 3,000
        assert_eq!(of(1_000, &[]), (8, 6)); // 750
        assert_eq!(of(500, &[]), (8, 8)); // 504
        assert_eq!(of(10, &[]), (8, 30));
        assert_eq!(of(0, &[]), (1, 30));
        assert_eq!(of(4_400, &[("accumulate", "4")]), (8, 6));
        assert_eq!(of(10, &[("min-steps", "0")]), (32, 3));
        assert_eq!(of(10, &[("epochs", "50"), ("batch", "5")]), (5, 50));
        // Few, but long: whole documents.
        assert_eq!(with(2_000, 200, 5, &[]), (2, 3));
        assert_eq!(with(200, 1_000, 5, &[]), (1, 6));
        // Characters.
        assert_eq!(with(2_000, 100, 1, &[]), (8, 12));
        assert_eq!(with(2_000, 100, 1, &[("min-steps", "0")]), (32, 3));
    }

    #[test]
    fn hundreds_of_types_are_each_shown_often_enough() {
        let epochs = |entities: usize, types: usize| {
            let mut c = Config::preset("fast").unwrap();
            let (sentences, tokens) = (40_000, 800_000);
            c.fit_to(Extent { sentences, tokens, characters: 5 * tokens, entities, types });
            c.epochs
        };
        assert_eq!(epochs(80_000, 8), 3);
        assert_eq!(epochs(80_000, 1_600), 3); // 50 of each
        assert_eq!(epochs(40_000, 1_600), 6);
        assert_eq!([epochs(4_000, 400), epochs(400, 400), epochs(0, 0)], [15, 30, 3]);
    }

    #[test]
    fn who_gives_epochs_or_batch_gets_them() {
        let steps = |file: Option<&str>, set: &[(&str, &str)]| {
            let file = file.map(|text| (Path::new("my.toml"), text));
            Config::resolve(Some("fast"), file, &flags(set)).unwrap().min_steps
        };
        let file = Some("epochs = 9\nmin-steps = 7");
        assert_eq!(steps(file, &[]), 7);
        assert_eq!(steps(file, &[("learning-rate", "0.1")]), 7);
        assert_eq!(steps(file, &[("epochs", "6")]), 0);
        assert_eq!(steps(file, &[("batch", "32")]), 0);
        assert_eq!(steps(file, &[("batch", "8"), ("min-steps", "99")]), 99);
    }

    #[test]
    fn weights_of_classes_are_the_softmaxs() {
        let set = |head| flags(&[("class-weights", "balanced"), ("head", head)]);
        assert!(Config::resolve(None, None, &set("softmax")).is_ok());
        for head in ["crf", "keras-relu"] {
            let error = Config::resolve(None, None, &set(head)).unwrap_err();
            assert!(error.message.contains("needs head"), "{error}");
        }
    }

    #[test]
    fn a_file_may_name_its_preset() {
        let file = (Path::new("my.toml"), "preset = \"tutorial\"\n");
        assert!(Config::resolve(None, Some(file), &[]).unwrap().pad);
        assert!(!Config::resolve(Some("repaired"), Some(file), &[]).unwrap().pad);
    }

    #[test]
    fn mistakes_name_the_place_and_the_nearest_key() {
        let fail = |text: &str, set: &[(&str, &str)]| {
            let file = Some((Path::new("my.toml"), text));
            Config::resolve(Some("repaired"), file, &flags(set)).unwrap_err().to_string()
        };
        let text = fail("epochs = 3\nlerning-rate = 1\n", &[]);
        assert!(text.contains("my.toml:2:1") && text.contains("`learning-rate`?"), "{text}");
        for section in ["[train]\nepochs = 3\n", "train.epochs = 3\n", "[[train]]\nepochs = 3\n"] {
            let text = fail(&format!("batch = 8\n  {section}"), &[]);
            assert!(text.contains("E040") && text.contains("`train` is a section"), "{text}");
            assert!(text.contains("my.toml:2:"), "{text}");
        }
        let text = fail("[preset]\nname = \"fast\"\n", &[]);
        assert!(text.contains("my.toml:1:") && text.contains("`preset` is a section"), "{text}");
        let text = fail("  epochs = 0\n", &[]);
        assert!(text.contains("E041") && text.contains("my.toml:1:3"), "{text}");
        let text = fail("epochs = \n", &[]);
        assert!(text.contains("my.toml:1:"), "{text}");
        let text = fail("", &[("batch", "many")]);
        assert!(text.contains("batch = \"many\""), "{text}");
        let text = fail("", &[("dropout", "0.5,0.1,0.1")]);
        assert!(text.contains("dropout has 3 rates, the encoder has 2 layers"), "{text}");
        let text = fail("", &[("encoder", "bilstm:64,gru:3")]);
        assert!(text.contains("`gru:3` is not a layer"), "{text}");
        let text = fail("", &[("split", "80;20")]);
        assert!(text.contains("E029"), "{text}");
        let text = Config::preset("repared").unwrap_err().to_string();
        assert!(text.contains("did you mean `repaired`?"), "{text}");
    }
}
