//! A run put down in a file, to go on from there with the same bits.

use std::path::Path;

use data::{Error, Result};
use ndarray::Array2;
use nn::Params;
use serde::{Deserialize, Serialize};

use crate::model::file::{FORMAT, Opened, check_format, map_file, named_tensors, write};
use crate::trainer::{EpochRecord, Position, Trainer};

/// What is said of a file that is no model holds of a checkpoint too: the part behind the colon.
fn reason(message: &str) -> &str {
    message.rsplit_once("can open: ").map_or(message, |(_, reason)| reason)
}

/// The first keys that two configurations have different values of, as ` (epochs was 6 and is 3)`.
fn differences(was: &str, is: &str) -> String {
    let [was, is] = [was, is].map(|text| text.parse::<toml::Table>().unwrap_or_default());
    let shown = |value: Option<&toml::Value>| value.map_or("not there".into(), ToString::to_string);
    let differ = is.iter().filter(|(key, value)| was.get(*key) != Some(value));
    let all: Vec<String> = differ
        .map(|(key, value)| format!("{key} was {} and is {value}", shown(was.get(key))))
        .collect();
    match all.len() {
        0 => String::new(),
        1..4 => format!(" ({})", all.join(", ")),
        n => format!(" ({}, and {} more)", all[..3].join(", "), n - 3),
    }
}

#[derive(Serialize, Deserialize)]
struct Meta {
    format: u32,
    config: String,
    /// Of the pretrained vectors, if there are any.
    vectors: Option<String>,
    /// Of vocabulary, tags and parts: a run goes on only with the data that it began with.
    data: String,
    position: Position,
    history: Vec<EpochRecord>,
}

impl Trainer {
    /// Writes weights, moments and position, whole or not at all.
    ///
    /// # Errors
    /// E042 if the file cannot be written.
    pub fn save_checkpoint(&self, path: &Path) -> Result<()> {
        let meta = Meta {
            format: FORMAT,
            config: self.identity(),
            vectors: self.vectors_sha256(),
            data: self.data_sha256(),
            position: self.position.clone(),
            history: self.history.clone(),
        };
        let mut tensors = named_tensors("w.", &self.tagger);
        tensors.extend(named_tensors("m.", &self.adam.m));
        tensors.extend(named_tensors("v.", &self.adam.v));
        let tables = [
            ("words", Some(&self.words)),
            ("wide", self.wide.as_ref()),
            ("vectors", self.vectors.as_ref()),
        ];
        for (name, table) in tables {
            if let Some(crate::trainer::Table { adam, .. }) = table {
                tensors.push((format!("m.{name}"), adam.m.view().into_dyn()));
                tensors.push((format!("v.{name}"), adam.v.view().into_dyn()));
            }
        }
        if let Some(average) = &self.average {
            tensors.extend(named_tensors("a.", average));
        }
        let meta = serde_json::to_string(&meta).expect("plain values");
        write(path, tensors, meta)
    }

    /// Takes up a run where [`Trainer::save_checkpoint`] left it.
    ///
    /// # Errors
    /// E043 if data or configuration are not those of the checkpoint, E013 if it is damaged.
    pub fn load_checkpoint(&mut self, path: &Path) -> Result<()> {
        let mapped = map_file(path)?;
        let damaged = |e: Error| Error {
            message: format!("the checkpoint does not read: {}", reason(&e.message)),
            help: Some("start anew with --force".into()),
            ..e
        };
        let file = Opened::new(&mapped, path).map_err(damaged)?;
        check_format(file.meta(), path).map_err(damaged)?;
        let differs = |what: &str| {
            Error::new("E043", format!("the interrupted run had {what}"))
                .at(path, None, None)
                .help("give the same data and settings as then, or start anew with --force")
        };
        let meta: Meta =
            serde_json::from_str(file.meta()).map_err(|_| differs("another kind of checkpoint"))?;
        if meta.config != self.identity() {
            let keys = differences(&meta.config, &self.identity());
            return Err(differs(&format!("another configuration{keys}")));
        }
        if meta.vectors != self.vectors_sha256() {
            return Err(differs("other pretrained vectors"));
        }
        if meta.data != self.data_sha256() {
            return Err(differs("other data"));
        }
        file.fill("w.", self.tagger.tensors_mut(), path)?;
        file.fill("m.", self.adam.m.tensors_mut(), path)?;
        file.fill("v.", self.adam.v.tensors_mut(), path)?;
        for (prefix, name, moment) in self.moments() {
            file.fill(prefix, vec![(name.into(), moment.view_mut().into_dyn())], path)?;
        }
        if let Some(average) = &mut self.average {
            file.fill("a.", average.tensors_mut(), path)?;
        }
        self.position = meta.position;
        self.history = meta.history;
        Ok(())
    }

    /// Both moments of each table, with what stands before their names.
    fn moments(&mut self) -> Vec<(&'static str, &'static str, &mut Array2<f32>)> {
        let tables = [
            ("words", Some(&mut self.words)),
            ("wide", self.wide.as_mut()),
            ("vectors", self.vectors.as_mut()),
        ];
        let moments = tables.into_iter().filter_map(|(name, t)| Some((name, &mut t?.adam)));
        moments
            .flat_map(|(name, adam)| [("m.", name, &mut adam.m), ("v.", name, &mut adam.v)])
            .collect()
    }

    /// The configuration but for what changes no result.
    fn identity(&self) -> String {
        crate::Config { threads: 0, ..self.config.clone() }.to_toml()
    }

    fn vectors_sha256(&self) -> Option<String> {
        Some(self.dataset.code.vectors.as_ref()?.sha256.clone())
    }

    fn data_sha256(&self) -> String {
        use sha2::{Digest, Sha256};
        let mut hash = Sha256::new();
        let d = &self.dataset;
        hash.update(serde_json::to_vec(&(&d.code, &d.tags, &d.split)).expect("plain values"));
        for part in [&d.split.train, &d.split.dev] {
            for &i in part {
                let ids = d.words(i).iter().copied().chain(d.gold(i));
                hash.update(ids.flat_map(|id| id.to_le_bytes()).collect::<Vec<u8>>());
            }
        }
        hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
    }
}
