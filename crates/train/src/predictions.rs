//! `predictions.jsonl.gz`: dev and test as judged sentences, so that a report needs no data and no model.
//!
//! The format is described in `docs/formats.md`.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use data::{Error, Result};
use eval::{Judged, Rule};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

/// Number of the file format; a file with another one is refused.
const FORMAT: u32 = 1;

/// The judged sentences of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions {
    /// The rule that tags were read by.
    pub rule: Rule,
    /// The dev part.
    pub dev: Vec<Judged>,
    /// The test part.
    pub test: Vec<Judged>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    rule: Rule,
}

#[derive(Serialize, Deserialize)]
struct Line<S> {
    part: Part,
    #[serde(flatten)]
    sentence: S,
}

/// Which part of the data a sentence is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The dev part.
    Dev,
    /// The test part.
    Test,
}

/// The file's bytes, made sentence by sentence: judged sentences take many times as much memory.
pub struct Writer {
    out: GzEncoder<Vec<u8>>,
}

impl Writer {
    /// Begins the file.
    pub fn new(rule: Rule) -> Self {
        let mut out = GzEncoder::new(Vec::new(), Compression::default());
        write_line(&mut out, &Head { format: FORMAT, rule });
        Self { out }
    }

    /// Adds a sentence; those of the dev part come first.
    pub fn add(&mut self, part: Part, sentence: &Judged) {
        write_line(&mut self.out, &Line { part, sentence });
    }

    /// The bytes.
    pub fn finish(self) -> Vec<u8> {
        self.out.finish().expect("a Vec takes all")
    }
}

impl Predictions {
    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::new(self.rule);
        for (part, sentences) in [(Part::Dev, &self.dev), (Part::Test, &self.test)] {
            sentences.iter().for_each(|sentence| out.add(part, sentence));
        }
        out.finish()
    }

    /// Reads the file.
    ///
    /// # Errors
    /// E021 if it cannot be read, E060 if it is not such a file.
    pub fn load(path: &Path) -> Result<Self> {
        let cannot = |e: std::io::Error| {
            Error::new("E021", format!("cannot read {}: {e}", path.display())).at(path, None, None)
        };
        let file = std::fs::File::open(path).map_err(cannot)?;
        let mut lines = BufReader::new(MultiGzDecoder::new(file)).lines().zip(1_u64..);
        let (head, _) = lines.next().ok_or_else(|| not_predictions(path, 1, "it is empty"))?;
        let head = head.map_err(|e| not_predictions(path, 1, &e.to_string()))?;
        let Head { format, rule } = parse(path, 1, &head)?;
        if format != FORMAT {
            let what = format!("its format is {format}, this version reads {FORMAT}");
            return Err(not_predictions(path, 1, &what));
        }
        let mut read = Self { rule, dev: Vec::new(), test: Vec::new() };
        for (line, number) in lines {
            let line = line.map_err(|e| not_predictions(path, number, &e.to_string()))?;
            let Line { part, sentence } = parse::<Line<Judged>>(path, number, &line)?;
            if !is_whole(&sentence) {
                return Err(not_predictions(path, number, "an entity outside of its sentence"));
            }
            match part {
                Part::Dev => read.dev.push(sentence),
                Part::Test => read.test.push(sentence),
            }
        }
        Ok(read)
    }
}

fn write_line(out: &mut impl Write, value: &impl Serialize) {
    serde_json::to_writer(&mut *out, value).expect("plain values");
    out.write_all(b"\n").expect("a Vec takes all");
}

fn parse<'a, T: Deserialize<'a>>(path: &Path, number: u64, line: &'a str) -> Result<T> {
    serde_json::from_str(line).map_err(|e| not_predictions(path, number, &e.to_string()))
}

/// Whether entities lie in the sentence, from left to right, without overlap.
fn is_whole(sentence: &Judged) -> bool {
    [&sentence.gold, &sentence.predicted].into_iter().all(|mentions| {
        let fits = mentions.iter().all(|m| m.start < m.end && m.end <= sentence.words.len());
        fits && mentions.windows(2).all(|two| two[0].end <= two[1].start)
    })
}

fn not_predictions(path: &Path, line: u64, what: &str) -> Error {
    let message = format!("{} does not hold the predictions of a run: {what}", path.display());
    Error::new("E060", message).at(path, line, None).help("train again to make it anew")
}

#[cfg(test)]
mod tests {
    use super::*;
    use data::Scheme;
    use eval::Familiar;

    fn predictions() -> Predictions {
        let rule = Rule::Strict(Scheme::Iob2);
        let words = ["Ann", "saw", "New", "York"];
        let tags = ["B-per", "O", "B-geo", "I-geo"];
        let familiar = Familiar::fit(rule, [(&words[..2], &tags[..2])]);
        let judge = |predicted: [&str; 4]| {
            Judged::new(rule, &familiar, &words, &tags, &predicted, |c| Some(c.end as f64 / 8.0))
        };
        let sentence = judge(["B-per", "B-per", "B-geo", "O"]);
        Predictions { rule, dev: vec![sentence.clone()], test: vec![sentence.clone(), judge(tags)] }
    }

    #[test]
    fn what_was_written_is_read_and_written_again_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.gz");
        let bytes = predictions().to_bytes();
        std::fs::write(&path, &bytes).unwrap();
        let read = Predictions::load(&path).unwrap();
        assert_eq!(read, predictions());
        assert_eq!(read.to_bytes(), bytes);
    }

    #[test]
    fn a_damaged_file_is_refused_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.gz");
        let gz = |text: &str| {
            let mut out = GzEncoder::new(Vec::new(), Compression::default());
            out.write_all(text.as_bytes()).unwrap();
            out.finish().unwrap()
        };
        let head = "{\"format\":1,\"rule\":\"strict iob2\"}\n";
        let line = |gold: &str| {
            format!("{head}{{\"part\":\"dev\",\"words\":[\"a\"],\"gold\":{gold},\"predicted\":[]}}")
        };
        let cut = &predictions().to_bytes()[..60];
        for (bytes, says) in [
            (gz(""), "empty"),
            (gz("{\"format\":2,\"rule\":\"conlleval\"}\n"), "format is 2"),
            (gz(&line("[[0,2,\"per\",\"seen\"]]")), "outside of its sentence"),
            (gz(&line("[[0,1]]")), ":2"),
            (cut.to_vec(), "E060"),
            (b"no gzip".to_vec(), "E060"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let error = Predictions::load(&path).unwrap_err();
            assert!(error.code == "E060" && error.to_string().contains(says), "{error}: {says}");
        }
    }
}
