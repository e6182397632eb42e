//! Sentences as the network reads them, with the scores and the tags that it gives: what another program
//! needs to see whether it computes the same.

use data::Interner;
use nn::Packing;
use serde::Serialize;
use serde_json::{Value, json};
use train::Model;
use train::lexicon::Lexicon;

/// A token's side of [`example`]. Absent parts of the network give empty lists.
#[derive(Serialize)]
struct Token {
    word: String,
    /// A row of each table.
    words: Vec<u32>,
    /// Rows of the wide table.
    wide: Vec<u32>,
    /// Rows of the letters' table.
    letters: Vec<u32>,
    /// Row of its pretrained vector.
    vectors: Vec<u32>,
    emissions: Vec<f32>,
    tag: String,
}

/// The sentences, given as their words, one by one. Scores of several networks that tag together are their
/// mean; tags are those of the best path.
pub fn example<W: AsRef<str>>(model: &Model, sentences: &[Vec<W>]) -> Value {
    let sentence = |words: &Vec<W>| {
        let mut words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        if let Some(n) = model.pad_to {
            // Trained on padded sentences, it tags them so: the padding is the vocabulary's last word.
            let last = model.code.vocab.word(model.code.vocab.len() as u32 - 1);
            words.resize(words.len().max(n), last);
        }
        json!({ "tokens": tokens(model, &words) })
    };
    let filled = sentences.iter().filter(|s| !s.is_empty());
    let (tags, tables) = (model.tags.iter().collect::<Vec<_>>(), &model.tagger.spec.tables);
    let tables: Vec<&str> = tables.iter().map(|(name, _)| name.as_str()).collect();
    let head = format!("{:?}", model.tagger.spec.head).to_lowercase();
    json!({
        "tags": tags,
        "tables": tables,
        "head": head,
        "residual": model.tagger.spec.residual,
        "rules": rules(model),
        "sentences": filled.map(sentence).collect::<Vec<_>>(),
    })
}

/// Which tags may start, follow each other, and end, or null where all may.
fn rules(model: &Model) -> Value {
    let Some(rules) = &model.tagger.spec.rules else { return Value::Null };
    let transitions: Vec<&[bool]> = rules.transitions().chunks(rules.n_tags()).collect();
    json!({ "transitions": transitions, "start": rules.start(), "end": rules.end() })
}

fn tokens(model: &Model, words: &[&str]) -> Vec<Token> {
    let mut numbers = Interner::new();
    let ids: Vec<u32> = words.iter().map(|w| numbers.intern(w)).collect();
    let lexicon = Lexicon::new(numbers.iter(), &model.code);
    let packing = Packing::new(vec![words.len()]);
    let input = lexicon.input(&[&ids], &packing, |_, _| false);
    let scores = model.tagger.scores(input.clone());
    let best = model.tagger.decode(&scores, &packing, model.tagger.chain().as_ref());
    let row = |of: &[u32], t: usize| {
        let n = of.len() / words.len();
        of[t * n..(t + 1) * n].to_vec()
    };
    let letters = |t: usize| match &input.chars {
        Some((spellings, word_of)) => {
            spellings.chars()[spellings.word(word_of[t] as usize)].to_vec()
        }
        None => Vec::new(),
    };
    (0..words.len())
        .map(|t| Token {
            word: words[t].to_owned(),
            words: row(&input.words, t),
            wide: row(&input.wide, t),
            letters: letters(t),
            vectors: row(&input.vectors, t),
            emissions: scores.row(t).to_vec(),
            tag: model.tags.tag(best[t]).to_owned(),
        })
        .collect()
}
