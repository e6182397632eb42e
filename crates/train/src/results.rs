//! What a finished run says of itself: scores beside their floors, speed, data, every prediction.

use std::collections::HashMap;
use std::time::SystemTime;

use data::Corpus;
use eval::{Familiar, Judged, MostFrequentTag, Rule, Scorer, Scores, all_o};

use crate::model::{Model, Provenance};
use crate::predictions::Predictions;
use crate::summary::{Floor, Machine, Part, Sizes, Speed, Summary, Tokens, Weights};
use crate::trainer::{EpochRecord, Trainer, score};
use crate::{summary, tagging};

/// What one scores without a model.
#[derive(Clone, Debug)]
pub struct Floors {
    /// The most frequent tag of each word.
    pub most_frequent_tag: Scores,
    /// O everywhere.
    pub all_o: Scores,
}

/// What the model makes of a part, beside the floors.
#[derive(Clone, Debug)]
pub struct PartResult {
    /// The model's scores.
    pub model: Scores,
    /// Those beside it.
    pub floors: Floors,
    /// Its tags, in the scheme of the data.
    tags: Vec<Vec<String>>,
    /// Its entities beside those that are there.
    judged: Vec<Judged>,
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

/// What `model` makes of dev and test. A part without sentences has no result.
pub fn part_results(trainer: &Trainer, model: &Model, corpus: &Corpus) -> [Option<PartResult>; 2] {
    let dataset = trainer.dataset();
    let words_and_tags = |&i: &u32| {
        let s = corpus.sentence(i as usize);
        (s.words().collect::<Vec<_>>(), s.tags().collect::<Vec<_>>())
    };
    let train: Vec<_> = dataset.split.train.iter().map(words_and_tags).collect();
    let rule = Rule::Strict(dataset.scheme);
    let familiar = Familiar::fit(rule, train.iter().map(|(w, t)| (&w[..], &t[..])));
    [&dataset.split.dev, &dataset.split.test].map(|part| {
        let floors = floors(trainer, corpus, part)?;
        let numbers: Vec<&[u32]> = part.iter().map(|&i| dataset.words(i)).collect();
        let voice = model.voice(trainer.padding());
        let tagged = tagging::tag_entities(voice, &dataset.lexicon, &numbers, true);
        let ids: Vec<Vec<u32>> = tagged.iter().map(|t| t.tags.clone()).collect();
        let tags: Vec<Vec<String>> = ids.iter().map(|ids| model.outside(ids)).collect();
        let judge = |((i, tagged), tags): ((&u32, &tagging::Tagged), &Vec<String>)| {
            let (words, gold) = words_and_tags(i);
            let likely = tagged.entities.iter();
            let likely: HashMap<_, f64> =
                likely.map(|e| ((e.start, e.end, model.label(e)), e.probability)).collect();
            let gold: Vec<String> = gold.into_iter().map(str::to_owned).collect();
            Judged::new(rule, &familiar, &words, &gold, tags, |c| {
                // The fifth decimal is beyond what any data can tell.
                likely.get(&(c.start, c.end, c.label)).map(|p| (p * 1e5).round() / 1e5)
            })
        };
        let judged = part.iter().zip(&tagged).zip(&tags).map(judge).collect();
        Some(PartResult { model: score(dataset, part, &ids), floors, tags, judged })
    })
}

/// The test part as token, gold tag and predicted tag, a blank line after each sentence: conlleval
/// reads it.
pub fn test_conll(trainer: &Trainer, corpus: &Corpus, test: Option<&PartResult>) -> String {
    let mut text = String::new();
    let tags = test.map_or(&[][..], |test| &test.tags);
    for (&i, tags) in trainer.dataset().split.test.iter().zip(tags) {
        let s = corpus.sentence(i as usize);
        for ((word, gold), tag) in s.words().zip(s.tags()).zip(tags) {
            // A blank inside a word would make two columns of it.
            let word = word.replace(char::is_whitespace, "_");
            text += &format!("{word} {gold} {tag}\n");
        }
        text.push('\n');
    }
    text
}

/// Every prediction, for `predictions.jsonl.gz`.
pub fn predictions(trainer: &Trainer, results: [Option<PartResult>; 2]) -> Predictions {
    let [dev, test] = results.map(|part| part.map_or_else(Vec::new, |part| part.judged));
    Predictions { rule: Rule::Strict(trainer.dataset().scheme), dev, test }
}

/// The content of `scores.json`, as of now.
pub fn summary(trainer: &Trainer, model: &Model, [dev, test]: &[Option<PartResult>; 2]) -> Summary {
    let history = trainer.history();
    let sum = |f: fn(&EpochRecord) -> f64| history.iter().map(f).sum::<f64>();
    let (seconds, tokens) = (sum(|r| r.seconds), sum(|r| r.tokens as f64));
    let part = |p: &Option<PartResult>| p.as_ref().map(|p| Part { strict: p.model.clone() });
    // Floors are those of the part that the result is quoted on.
    let floors = test.as_ref().or(dev.as_ref()).map(|p| summary::Floors {
        most_frequent_tag: Floor::from(&p.floors.most_frequent_tag),
        all_o: Floor::from(&p.floors.all_o),
    });
    let Provenance { version, data, split, sentences: [n_train, n_dev, n_test], tokens: n, .. } =
        &model.provenance;
    Summary {
        version: version.clone(),
        finished: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        preset: model.config.preset.clone(),
        seed: model.config.seed,
        data: data.clone(),
        split: split.clone(),
        sentences: Sizes { train: *n_train, dev: *n_dev, test: *n_test },
        tokens: Tokens { train: *n },
        dev: part(dev),
        test: part(test),
        floors,
        train: Speed {
            seconds,
            tokens_per_second: if seconds > 0.0 { tokens / seconds } else { 0.0 },
            epochs: history.len(),
            best_epoch: model.provenance.epoch,
            threads: rayon::current_num_threads(),
        },
        machine: Machine::this(),
        model: Weights {
            weights_sha256: model.weights_sha256(),
            parameters: nn::Params::count(&model.tagger),
        },
    }
}
