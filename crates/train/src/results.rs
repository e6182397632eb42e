//! What a finished run says of itself: scores beside their floors, speed, data.

use data::Corpus;
use eval::{MostFrequentTag, Rule, Scorer, Scores, all_o};
use serde_json::{Value, json};

use crate::model::{Model, Provenance};
use crate::trainer::{EpochRecord, Trainer, score};

/// What one scores without a model.
#[derive(Clone, Debug)]
pub struct Floors {
    /// The most frequent tag of each word.
    pub most_frequent_tag: Scores,
    /// O everywhere.
    pub all_o: Scores,
}

/// Scores of a part, of the model and of the floors.
#[derive(Clone, Debug)]
pub struct PartScores {
    /// The model's.
    pub model: Scores,
    /// Those beside it.
    pub floors: Floors,
}

/// The floors of some sentences; none for no sentences.
pub fn floors(trainer: &Trainer, corpus: &Corpus, part: &[u32]) -> Option<Floors> {
    if part.is_empty() {
        return None;
    }
    let words_and_tags = |&i: &u32| {
        let s = corpus.sentence(i as usize);
        (s.words().collect::<Vec<_>>(), s.tags().collect::<Vec<_>>())
    };
    let train: Vec<_> = trainer.dataset().split.train.iter().map(words_and_tags).collect();
    let floor = MostFrequentTag::fit(train.iter().map(|(w, t)| (&w[..], &t[..])));
    let rule = Rule::Strict(trainer.dataset().scheme);
    let [mut frequent, mut nothing] = [(); 2].map(|()| Scorer::new(rule));
    for i in part {
        let (words, gold) = words_and_tags(i);
        frequent.add(&gold, &floor.predict(&words));
        nothing.add(&gold, &all_o(gold.len()));
    }
    Some(Floors { most_frequent_tag: frequent.finish(), all_o: nothing.finish() })
}

/// Scores `model` on dev and test, beside the floors. A part without sentences has none.
pub fn score_parts(trainer: &Trainer, model: &Model, corpus: &Corpus) -> [Option<PartScores>; 2] {
    let dataset = trainer.dataset();
    [&dataset.split.dev, &dataset.split.test].map(|part| {
        let floors = floors(trainer, corpus, part)?;
        let predicted = predict(trainer, model, part);
        Some(PartScores { model: score(dataset, part, &predicted), floors })
    })
}

fn predict(trainer: &Trainer, model: &Model, part: &[u32]) -> Vec<Vec<u32>> {
    let words: Vec<&[u32]> = part.iter().map(|&i| trainer.dataset().words(i)).collect();
    let lexicon = &trainer.dataset().lexicon;
    crate::tagging::tag(&model.tagger, lexicon, &words, trainer.padding())
}

/// The test part as token, gold tag and predicted tag, a blank line after each sentence: conlleval
/// reads it.
pub fn test_conll(trainer: &Trainer, model: &Model, corpus: &Corpus) -> String {
    let test = &trainer.dataset().split.test;
    let mut text = String::new();
    for (&i, tags) in test.iter().zip(predict(trainer, model, test)) {
        let s = corpus.sentence(i as usize);
        for ((word, gold), tag) in s.words().zip(s.tags()).zip(model.outside(&tags)) {
            // A blank inside a word would make two columns of it.
            let word = word.replace(char::is_whitespace, "_");
            text += &format!("{word} {gold} {tag}\n");
        }
        text.push('\n');
    }
    text
}

/// The content of `scores.json`.
pub fn scores_json(
    trainer: &Trainer,
    model: &Model,
    [dev, test]: &[Option<PartScores>; 2],
) -> Value {
    let history = trainer.history();
    let sum = |f: fn(&EpochRecord) -> f64| history.iter().map(f).sum::<f64>();
    let (seconds, tokens) = (sum(|r| r.seconds), sum(|r| r.tokens as f64));
    let part = |p: &Option<PartScores>| p.as_ref().map(|p| json!({ "strict": p.model }));
    // Floors are those of the part that the result is quoted on.
    let floors = test.as_ref().or(dev.as_ref()).map(|p| {
        let floor = |s: &Scores| {
            let m = s.micro;
            json!({
                "f1": m.f1, "precision": m.precision, "recall": m.recall,
                "token_accuracy": s.token_accuracy,
            })
        };
        json!({
            "most_frequent_tag": floor(&p.floors.most_frequent_tag),
            "all_o": floor(&p.floors.all_o),
        })
    });
    let Provenance { version, data, split, sentences: [train, n_dev, n_test], tokens: n, .. } =
        &model.provenance;
    json!({
        "version": version,
        "preset": model.config.preset,
        "seed": model.config.seed,
        "data": data,
        "split": split,
        "sentences": { "train": train, "dev": n_dev, "test": n_test },
        "tokens": { "train": n },
        "test": part(test),
        "dev": part(dev),
        "floors": floors,
        "train": {
            "seconds": seconds,
            "tokens_per_second": if seconds > 0.0 { tokens / seconds } else { 0.0 },
            "epochs": history.len(),
            "best_epoch": model.provenance.epoch,
            "threads": rayon::current_num_threads(),
        },
        "model": {
            "weights_sha256": model.weights_sha256(),
            "parameters": nn::Params::count(&model.tagger),
        },
    })
}
