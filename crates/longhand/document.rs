//! A text cut into sentences and tokens, and entities put back into it.

use std::borrow::Cow;

use data::Token;
use report::Entity;
use std::ops::Range;
use train::lexicon::WithPos;
use train::tagging::Tagged;

/// A text with its tokens.
#[derive(Clone, Debug)]
pub struct Document<'a> {
    /// The text.
    pub text: Cow<'a, str>,
    /// Its tokens.
    pub tokens: Vec<Token>,
    /// Tokens of each sentence.
    pub sentences: Vec<Range<usize>>,
    /// Part of speech of each token; empty if nobody knows them.
    pub pos: Vec<String>,
}

impl<'a> Document<'a> {
    /// Cuts running text: see `docs/tokenizer.md`.
    pub fn new(text: impl Into<Cow<'a, str>>) -> Self {
        let text = text.into();
        let tokens = data::tokenize(&text);
        let sentences = data::sentences(&tokens, &text);
        Self { text, tokens, sentences, pos: Vec::new() }
    }

    /// Cuts running text as the data was cut that `model` learned from: into words, or into characters.
    pub fn for_model(text: impl Into<Cow<'a, str>>, model: &train::Model) -> Self {
        Self::new(text).as_learned(model)
    }

    /// The words of running text, cut finer if `model` learned from characters, but for those that it knows whole.
    pub fn as_learned(self, model: &train::Model) -> Self {
        if !model.code.characters {
            return self;
        }
        let (tokens, sentences) =
            data::characters(&self.text, &self.tokens, &self.sentences, |word| {
                model.code.vocab.id(word) != data::UNK
            });
        Self { tokens, sentences, ..self }
    }

    /// Sentences that are cut into tokens already: the text is these with blanks between, a line a
    /// sentence.
    pub fn from_corpus(corpus: &data::Corpus) -> Self {
        let (mut text, mut tokens, mut sentences) = (String::new(), Vec::new(), Vec::new());
        let (mut chars, mut utf16) = (0, 0);
        for sentence in corpus.sentences() {
            let first = tokens.len();
            for (j, word) in sentence.words().enumerate() {
                if j > 0 {
                    text.push(' ');
                    (chars, utf16) = (chars + 1, utf16 + 1);
                }
                let (start, char_start, utf16_start) = (text.len(), chars, utf16);
                text.push_str(word);
                chars += word.chars().count();
                utf16 += word.encode_utf16().count();
                let (end, char_end, utf16_end) = (text.len(), chars, utf16);
                tokens.push(Token { start, end, char_start, char_end, utf16_start, utf16_end });
            }
            text.push('\n');
            (chars, utf16) = (chars + 1, utf16 + 1);
            sentences.push(first..tokens.len());
        }
        let pos = corpus.sentences().filter(|_| corpus.has_pos);
        let pos = pos.flat_map(|s| (0..s.len()).map(move |j| s.pos(j).to_owned())).collect();
        Self { text: text.into(), tokens, sentences, pos }
    }

    /// The words of each sentence.
    pub fn words(&self) -> impl Iterator<Item = Vec<&str>> {
        let word = |token: &Token| token.text(&self.text);
        self.sentences.iter().map(move |s| self.tokens[s.clone()].iter().map(word).collect())
    }

    /// The same with their parts of speech.
    pub fn words_with_pos(&self) -> impl Iterator<Item = Vec<WithPos<'_>>> {
        let token = |k: usize| WithPos {
            word: self.tokens[k].text(&self.text),
            pos: self.pos.get(k).map_or("", String::as_str),
        };
        self.sentences.iter().map(move |s| s.clone().map(token).collect())
    }

    /// The entities of its sentences with their places in the text; with their probabilities, if `scores`.
    pub fn entities(&self, model: &train::Model, tagged: &[Tagged], scores: bool) -> Vec<Entity> {
        let mut entities = Vec::new();
        for (sentence, tagged) in self.sentences.iter().zip(tagged) {
            for e in &tagged.entities {
                let first = &self.tokens[sentence.start + e.start];
                let last = &self.tokens[sentence.start + e.end - 1];
                entities.push(Entity {
                    start: first.char_start,
                    end: last.char_end,
                    byte_start: first.start,
                    byte_end: last.end,
                    label: model.label(e).to_owned(),
                    text: self.text[first.start..last.end].to_owned(),
                    score: scores.then_some(e.probability),
                });
            }
        }
        entities
    }

    /// The line of `--out spacy`: text, entities, sentences and tokens by their characters.
    pub fn spacy(&self, entities: &[Entity]) -> String {
        let characters = |t: &Token| t.char_start..t.char_end;
        let tokens: Vec<_> = self.tokens.iter().map(characters).collect();
        let sentence = |s: &Range<usize>| tokens[s.start].start..tokens[s.end - 1].end;
        let sentences: Vec<_> = self.sentences.iter().map(sentence).collect();
        report::jsonl::spacy(&self.text, entities, &sentences, &tokens)
    }
}
