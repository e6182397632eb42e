//! `longhand tag`: text in, entities out.

use std::io::{self, IsTerminal, Write};
use std::ops::Range;
use std::path::Path;

use data::Result;
use report::Entity;
use train::Model;
use train::tagging::Tagged;

use crate::args::{InputKind, OutputKind, TagArgs};
use crate::{Screen, Stop, input, warn};

/// A text with its tokens, cut into sentences.
struct Document {
    text: String,
    /// Bytes of each token.
    tokens: Vec<Range<usize>>,
    /// Tokens of each sentence.
    sentences: Vec<Range<usize>>,
}

impl Document {
    fn from_text(text: String) -> Self {
        let found = data::tokenize(&text);
        let sentences = data::sentences(&found, &text);
        let tokens = found.iter().map(|t| t.start..t.end).collect();
        Self { text, tokens, sentences }
    }

    /// A file of tokens: its text is the tokens with blanks between, a line a sentence.
    fn from_corpus(corpus: &data::Corpus) -> Self {
        let mut doc = Self { text: String::new(), tokens: Vec::new(), sentences: Vec::new() };
        for sentence in corpus.sentences() {
            let first = doc.tokens.len();
            for (j, word) in sentence.words().enumerate() {
                doc.text.push_str(if j > 0 { " " } else { "" });
                let start = doc.text.len();
                doc.text.push_str(word);
                doc.tokens.push(start..doc.text.len());
            }
            doc.text.push('\n');
            doc.sentences.push(first..doc.tokens.len());
        }
        doc
    }

    fn words(&self) -> impl Iterator<Item = Vec<&str>> {
        let word = |t: &Range<usize>| &self.text[t.clone()];
        self.sentences.iter().map(move |s| self.tokens[s.clone()].iter().map(word).collect())
    }

    fn entities(&self, model: &Model, tagged: &[Tagged], scores: bool) -> Vec<Entity> {
        let spans = self.sentences.iter().zip(tagged).flat_map(|(sentence, tagged)| {
            tagged.entities.iter().map(|e| {
                let first = &self.tokens[sentence.start + e.start];
                let last = &self.tokens[sentence.start + e.end - 1];
                let score = scores.then_some(e.probability);
                (first.start..last.end, model.label(e), score)
            })
        });
        report::entities(&self.text, spans)
    }
}

/// Tags everything named by the arguments, in order.
pub fn run(args: &TagArgs, screen: Screen) -> std::result::Result<(), Stop> {
    input::set_threads(args.threads, screen)?;
    let model = Model::load(&args.model)?;
    let mut written = Vec::new();
    let to_file = args.output.is_some();
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    let out: &mut dyn Write = if to_file { &mut written } else { &mut stdout };
    let color = screen.color && !to_file;

    let documents = read(args, screen)?;
    let sentences: Vec<Vec<&str>> = documents.iter().flat_map(Document::words).collect();
    let scores = match args.out {
        OutputKind::Text => args.scores,
        OutputKind::Jsonl | OutputKind::Html => true,
        OutputKind::Conll => false,
    };
    let mut tagged = model.tag_entities(&sentences, scores).into_iter();
    let mut page = (String::new(), Vec::new());
    for document in &documents {
        let tagged: Vec<Tagged> = tagged.by_ref().take(document.sentences.len()).collect();
        let entities = document.entities(&model, &tagged, scores);
        match args.out {
            OutputKind::Text => {
                let text = report::terminal::tagged(&document.text, &entities, color);
                out.write_all(text.as_bytes())?;
                if !text.ends_with('\n') {
                    out.write_all(b"\n")?;
                }
            }
            OutputKind::Jsonl => {
                writeln!(out, "{}", report::jsonl::line(&document.text, &entities))?
            }
            OutputKind::Conll => {
                for (words, tagged) in document.words().zip(&tagged) {
                    let tags = model.outside(&tagged.tags);
                    out.write_all(report::conll::tagged(&words, &tags).as_bytes())?;
                }
            }
            OutputKind::Html => append(&mut page, &document.text, entities),
        }
    }
    if args.out == OutputKind::Html {
        let title = args.model.file_name().unwrap_or_default().to_string_lossy();
        let title = format!("Entities found by {title}");
        out.write_all(report::html::page(&title, &page.0, &page.1).as_bytes())?;
    }
    out.flush()?;
    if let Some(path) = &args.output {
        train::files::write_atomically(path, &written)?;
    }
    Ok(())
}

/// Texts one below the other, as one text.
fn append(page: &mut (String, Vec<Entity>), text: &str, entities: Vec<Entity>) {
    if !page.0.is_empty() && !page.0.ends_with('\n') {
        page.0.push('\n');
    }
    let (bytes, characters) = (page.0.len(), page.0.chars().count());
    page.0.push_str(text);
    page.1.extend(entities.into_iter().map(|e| Entity {
        start: e.start + characters,
        end: e.end + characters,
        byte_start: e.byte_start + bytes,
        byte_end: e.byte_end + bytes,
        ..e
    }));
}

fn read(args: &TagArgs, screen: Screen) -> Result<Vec<Document>> {
    let mut texts: Vec<(String, String)> =
        args.text.iter().map(|t| ("<text>".into(), t.clone())).collect();
    let stdin = || {
        if io::stdin().is_terminal() && !screen.quiet {
            eprintln!("reading standard input … (Ctrl-D ends)");
        }
        Ok::<_, data::Error>(("<stdin>".into(), input::read_stdin()?))
    };
    for path in &args.files {
        texts.push(if path.as_os_str() == "-" { stdin()? } else { read_file(path, screen)? });
    }
    if args.files.is_empty() && args.text.is_empty() {
        texts.push(stdin()?);
    }
    let mut documents = Vec::new();
    for (name, text) in texts {
        match args.input {
            InputKind::Text => documents.push(Document::from_text(text)),
            InputKind::Lines => {
                documents.extend(text.lines().map(|l| Document::from_text(l.to_owned())));
            }
            InputKind::Conll => {
                let options = data::ReadOptions {
                    format: Some(data::Format::Conll),
                    ..data::ReadOptions::without_tags()
                };
                let (corpus, _) = data::read_bytes(&name, text.as_bytes(), &options)?;
                documents.push(Document::from_corpus(&corpus));
            }
        }
    }
    Ok(documents)
}

fn read_file(path: &Path, screen: Screen) -> Result<(String, String)> {
    let (text, _, warnings) = data::read_text(path, data::Encoding::Auto).map_err(|e| {
        let typed = path.to_string_lossy();
        if e.code == "E021" && typed.contains(' ') {
            return e.help("to tag these words themselves: --text \"…\"");
        }
        e
    })?;
    warn(&warnings, screen);
    Ok((path.to_string_lossy().into_owned(), text))
}
