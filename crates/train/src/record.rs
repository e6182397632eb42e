//! A finished run, read back from its folder: what reports are made of.

use std::fs;
use std::path::Path;

use data::{Error, Result};

use crate::predictions::Predictions;
use crate::summary::Summary;
use crate::trainer::EpochRecord;

/// The files of a finished run.
#[derive(Clone, Debug)]
pub struct Record {
    /// Name of the folder.
    pub name: String,
    /// `scores.json`
    pub summary: Summary,
    /// `metrics.jsonl`
    pub history: Vec<EpochRecord>,
    /// `config.toml`, as it is: keys may have come and gone since.
    pub config: toml::Table,
    /// `check.json`
    pub check: serde_json::Value,
    /// `predictions.jsonl.gz`
    pub predictions: Predictions,
}

impl Record {
    /// Reads the folder of a run.
    ///
    /// # Errors
    /// E061 if it holds no finished run of this version, E060 and E021 as [`Predictions::load`].
    pub fn load(folder: &Path) -> Result<Self> {
        finished(folder)?;
        let text = |name: &str| {
            let path = folder.join(name);
            fs::read_to_string(&path).map_err(|e| damaged(folder, name, &e.to_string()))
        };
        let damaged_json = |name| move |e: serde_json::Error| damaged(folder, name, &e.to_string());
        let summary = serde_json::from_str(&text("scores.json")?);
        let history: serde_json::Result<_> =
            text("metrics.jsonl")?.lines().map(serde_json::from_str).collect();
        let check = serde_json::from_str(&text("check.json")?);
        let config = text("config.toml")?.parse::<toml::Table>();
        let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let name = whole.file_name().unwrap_or(whole.as_os_str());
        Ok(Self {
            name: name.to_string_lossy().into_owned(),
            summary: summary.map_err(damaged_json("scores.json"))?,
            history: history.map_err(damaged_json("metrics.jsonl"))?,
            config: config.map_err(|e| damaged(folder, "config.toml", e.message()))?,
            check: check.map_err(damaged_json("check.json"))?,
            predictions: Predictions::load(&folder.join("predictions.jsonl.gz"))?,
        })
    }
}

fn finished(folder: &Path) -> Result<()> {
    if folder.join("scores.json").is_file() {
        return Ok(());
    }
    let shown = folder.display();
    let (what, help) = if !folder.exists() {
        (format!("there is no {shown}"), "a run is the folder that `longhand train -o RUN` made")
    } else if !folder.is_dir() {
        (format!("{shown} is no folder"), "name the run's folder, not a file in it")
    } else if folder.join("checkpoint").exists() {
        let what = format!("the run in {shown} is not finished");
        (what, "`longhand train … --resume` goes on with it")
    } else {
        let what = format!("{shown} holds no run: scores.json is not there");
        (what, "a run is the folder that `longhand train -o RUN` made")
    };
    Err(Error::new("E061", what).help(help))
}

fn damaged(folder: &Path, name: &str, what: &str) -> Error {
    let message = format!("{} does not read: {what}", folder.join(name).display());
    let help = "it is damaged, or of another version; train again to make it anew";
    Error::new("E061", message).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_finished_run_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let says = |path: &Path| Record::load(path).unwrap_err().to_string();
        assert!(says(&dir.path().join("no")).contains("there is no "));
        assert!(says(dir.path()).contains("scores.json is not there"));
        let file = dir.path().join("checkpoint");
        fs::write(&file, "").unwrap();
        assert!(says(dir.path()).contains("--resume"));
        assert!(says(&file).contains("is no folder"));
        fs::write(dir.path().join("scores.json"), "{}").unwrap();
        fs::write(dir.path().join("metrics.jsonl"), "").unwrap();
        fs::write(dir.path().join("check.json"), "{}").unwrap();
        fs::write(dir.path().join("config.toml"), "epochs = 3").unwrap();
        let error = says(dir.path());
        assert!(error.contains("E061") && error.contains("scores.json does not read"), "{error}");
    }
}
