//! A piece of input to tagged documents to the bytes of the output: all on one thread, so that pieces
//! go side by side.

use std::collections::BTreeMap;

use data::scheme::encode;
use data::{Error, Result, Span};
use longhand::Document;
use report::Entity;
use report::jsonl::Offsets;
use serde_json::value::RawValue;
use train::Model;
use train::lexicon::WithPos;
use train::tagging::{Ready, Tagged};

use super::doubt::Doubt;
use crate::args::{InputKind, OutputKind};

/// What is done with every piece.
pub struct Job {
    pub ready: Ready,
    pub output: OutputKind,
    pub offsets: Offsets,
    /// Entities less likely than this are left out.
    pub min_score: f64,
    /// Whether probabilities are shown; and whether they are needed at all.
    pub shown: bool,
    pub likely: bool,
    pub color: bool,
    /// Whether the text is one for this model.
    pub doubt: Doubt,
}

/// A text with what was found in it.
pub struct Done<'a> {
    pub document: Document<'a>,
    pub tagged: Vec<Tagged>,
    pub entities: Vec<Entity>,
    /// Fields of a JSON line that are none of ours.
    rest: Vec<(String, Box<RawValue>)>,
}

/// Tokens from which more than one thread pays.
const SHORT: usize = 512;

/// Fields of a JSON line that the output has itself.
const OURS: [&str; 2] = ["text", "ents"];

fn words<'d>(documents: &'d [Unread<'_>]) -> Vec<Vec<&'d str>> {
    documents.iter().flat_map(|(document, _)| document.words()).collect()
}

impl Job {
    /// The texts of a piece. `line` is the number of its first line in the file called `name`.
    ///
    /// # Errors
    /// E049 for a JSON line that is no object with a text.
    pub fn documents<'a>(
        &self,
        kind: InputKind,
        piece: &'a str,
        name: &str,
        line: u64,
    ) -> Result<Vec<Unread<'a>>> {
        let model = self.ready.model();
        match kind {
            InputKind::Text => Ok(vec![alone(Document::for_model(piece, model))]),
            InputKind::Lines => {
                Ok(piece.lines().map(|l| alone(Document::for_model(l, model))).collect())
            }
            InputKind::Jsonl => {
                let lines = (line..).zip(piece.lines()).filter(|(_, l)| !l.trim().is_empty());
                lines.map(|(number, l)| json_line(l, model, name, number)).collect()
            }
            InputKind::Conll => {
                let options = data::ReadOptions {
                    format: Some(data::Format::Conll),
                    ..data::ReadOptions::without_tags()
                };
                let (corpus, _) = data::read_bytes(name, piece.as_bytes(), &options)?;
                Ok(vec![alone(Document::from_corpus(&corpus))])
            }
        }
    }

    /// Tags documents on this thread.
    pub fn tag<'a>(&self, documents: Vec<Unread<'a>>) -> Vec<Done<'a>> {
        let tagged = match self.ready.model().code.pos {
            Some(_) => self.ready.tag(&self.words_with_pos(&documents), self.likely),
            None => self.ready.tag(&words(&documents), self.likely),
        };
        self.done(documents, tagged)
    }

    /// Looks at lines that are about to be tagged, as long as that is worth while.
    pub fn look_at_lines(&self, kind: InputKind, pieces: &[(u64, &str)], name: &str) {
        for (line, piece) in pieces {
            if self.doubt.is_settled() {
                return;
            }
            // What is wrong with a piece is said when it is tagged.
            let documents = self.documents(kind, piece, name, *line).unwrap_or_default();
            let words = documents.iter().flat_map(|(document, _)| document.words()).flatten();
            self.doubt.look_at(self.ready.model(), words);
        }
    }

    /// Tags documents on all cores: for one long text. A short one is done before they would have begun.
    pub fn tag_on_all_cores<'a>(&self, documents: Vec<Unread<'a>>) -> Vec<Done<'a>> {
        if documents.iter().map(|(document, _)| document.tokens.len()).sum::<usize>() < SHORT {
            return self.tag(documents);
        }
        let sentences = words(&documents);
        self.doubt.look_at(self.ready.model(), sentences.iter().flatten().copied());
        let tagged = match self.ready.model().code.pos {
            Some(_) => self.ready.tag_all(&self.words_with_pos(&documents), self.likely),
            None => self.ready.tag_all(&sentences, self.likely),
        };
        self.done(documents, tagged)
    }

    /// The sentences for a model that reads parts of speech; that there are none is said once.
    fn words_with_pos<'d>(&self, documents: &'d [Unread<'_>]) -> Vec<Vec<WithPos<'d>>> {
        if documents.iter().any(|(document, _)| document.pos.is_empty()) {
            self.doubt.without_pos();
        }
        documents.iter().flat_map(|(document, _)| document.words_with_pos()).collect()
    }

    fn done<'a>(&self, documents: Vec<Unread<'a>>, tagged: Vec<Tagged>) -> Vec<Done<'a>> {
        let mut tagged = tagged.into_iter();
        let model = self.ready.model();
        let done = |(document, rest): Unread<'a>| {
            let mut tagged: Vec<Tagged> = tagged.by_ref().take(document.sentences.len()).collect();
            if self.min_score > 0.0 {
                let likely = |e: &train::entities::Entity| e.probability >= self.min_score;
                tagged.iter_mut().for_each(|t| t.entities.retain(likely));
            }
            let entities = document.entities(model, &tagged, self.shown);
            Done { document, tagged, entities, rest }
        };
        documents.into_iter().map(done).collect()
    }

    /// Adds a document to the output, in one of the layouts that are written document by document; `whole`
    /// unless there is more of it to come.
    pub fn write(&self, done: &Done<'_>, whole: bool, out: &mut Vec<u8>) {
        let (document, entities) = (&done.document, &done.entities);
        let text = &document.text;
        match self.output {
            OutputKind::Text => {
                let text = report::terminal::tagged(text, entities, self.color);
                out.extend_from_slice(text.as_bytes());
            }
            OutputKind::Jsonl => {
                let line = report::jsonl::line_with(text, entities, self.offsets, &done.rest);
                out.extend_from_slice(line.as_bytes());
            }
            OutputKind::Spacy => {
                out.extend_from_slice(document.spacy(entities).as_bytes());
            }
            OutputKind::Conll => return self.write_conll(done, out),
            OutputKind::Html | OutputKind::Svg | OutputKind::Brat => {
                unreachable!("written whole")
            }
        }
        if whole && out.last() != Some(&b'\n') {
            out.push(b'\n');
        }
    }

    fn write_conll(&self, done: &Done<'_>, out: &mut Vec<u8>) {
        let model = self.ready.model();
        for (words, tagged) in done.document.words().zip(&done.tagged) {
            let tags = match self.min_score > 0.0 {
                false => model.outside(&tagged.tags),
                true => {
                    let span = |e: &train::entities::Entity| Span {
                        start: e.start,
                        end: e.end,
                        label: model.label(e),
                    };
                    let spans: Vec<Span<'_>> = tagged.entities.iter().map(span).collect();
                    encode(&spans, words.len(), model.scheme)
                }
            };
            out.extend_from_slice(report::conll::tagged(&words, &tags).as_bytes());
        }
    }
}

/// A text before it is tagged, and what stood beside it.
pub type Unread<'a> = (Document<'a>, Vec<(String, Box<RawValue>)>);

fn alone(document: Document<'_>) -> Unread<'_> {
    (document, Vec::new())
}

fn json_line<'a>(line: &'a str, model: &Model, name: &str, number: u64) -> Result<Unread<'a>> {
    let bad = |what: String| {
        Error::new("E049", what)
            .at(name, number, None)
            .help(r#"a line is an object with a text: {"text":"Rome fell"}"#)
    };
    let fields: BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(line).map_err(|e| bad(format!("not a JSON object: {e}")))?;
    let text = fields.get("text").ok_or_else(|| bad("an object without `text`".into()))?;
    let text: String = serde_json::from_str(text.get())
        .map_err(|_| bad(format!("`text` is no string: {}", text.get())))?;
    let rest = fields.into_iter().filter(|(name, _)| !OURS.contains(&&name[..])).collect();
    Ok((Document::for_model(text, model), rest))
}
