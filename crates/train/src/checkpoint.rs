//! A run put down in a file, to go on from there with the same bits.

use std::path::Path;

use data::{Error, Result};
use ndarray::{ArrayViewD, ArrayViewMutD};
use nn::Params;
use serde::{Deserialize, Serialize};

use crate::model::{FORMAT, Named, map_file, named_tensors, open, read_tensors, write};
use crate::trainer::{EpochRecord, Position, Trainer};

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

/// A table's moment as [`Params`], so that it travels like the other tensors.
struct Table<'a>(&'static str, &'a mut ndarray::Array2<f32>);

impl Params<f32> for Table<'_> {
    fn tensors(&self) -> Vec<(String, ArrayViewD<'_, f32>)> {
        vec![(self.0.into(), self.1.view().into_dyn())]
    }

    fn tensors_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, f32>)> {
        vec![(self.0.into(), self.1.view_mut().into_dyn())]
    }
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
                tensors.push((format!("m.{name}"), Named::new(adam.m.view().into_dyn())));
                tensors.push((format!("v.{name}"), Named::new(adam.v.view().into_dyn())));
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
        let bytes = map_file(path)?;
        let (tensors, meta) = open(&bytes, path)?;
        let differs = |what: &str| {
            Error::new("E043", format!("the interrupted run had {what}"))
                .at(path, None, None)
                .help("give the same data and settings as then, or start anew with --force")
        };
        let meta: Meta =
            serde_json::from_str(&meta).map_err(|_| differs("another kind of checkpoint"))?;
        if meta.config != self.identity() {
            return Err(differs("another configuration"));
        }
        if meta.vectors != self.vectors_sha256() {
            return Err(differs("other pretrained vectors"));
        }
        if meta.data != self.data_sha256() {
            return Err(differs("other data"));
        }
        read_tensors("w.", &mut self.tagger, &tensors, path)?;
        read_tensors("m.", &mut self.adam.m, &tensors, path)?;
        read_tensors("v.", &mut self.adam.v, &tensors, path)?;
        for (prefix, mut table) in self.moments() {
            read_tensors(prefix, &mut table, &tensors, path)?;
        }
        if let Some(average) = &mut self.average {
            read_tensors("a.", average, &tensors, path)?;
        }
        self.position = meta.position;
        self.history = meta.history;
        Ok(())
    }

    /// Both moments of each table.
    fn moments(&mut self) -> Vec<(&'static str, Table<'_>)> {
        let tables = [
            ("words", Some(&mut self.words)),
            ("wide", self.wide.as_mut()),
            ("vectors", self.vectors.as_mut()),
        ];
        let moments = tables.into_iter().filter_map(|(name, t)| Some((name, &mut t?.adam)));
        moments
            .flat_map(|(name, adam)| {
                [("m.", Table(name, &mut adam.m)), ("v.", Table(name, &mut adam.v))]
            })
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
                let ids = d.words(i).iter().chain(d.gold(i));
                hash.update(ids.flat_map(|id| id.to_le_bytes()).collect::<Vec<u8>>());
            }
        }
        hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
    }
}
