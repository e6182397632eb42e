//! What a finished run says of itself: scores beside their floors, speed, data, every prediction.

use std::collections::HashMap;
use std::time::SystemTime;

use data::{Corpus, Sentence};
use eval::{Familiar, Judged, MostFrequentTag, Rule, Scorer, Scores, all_o};

use crate::dataset::Dataset;
use crate::model::{Model, Provenance};
use crate::predictions::{self, Writer};
use crate::summary;
use crate::summary::{Floor, Machine, Part, Sizes, Speed, Summary, Tokens, Weights};
use crate::tagging::{Prepared, Session, Tagged};
use crate::trainer::{EpochRecord, Trainer};

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
}

/// What a model makes of dev and test.
#[derive(Clone, Debug)]
pub struct Results {
    /// Of both parts; a part without sentences has none.
    pub parts: [Option<PartResult>; 2],
    /// Every prediction: the bytes of `predictions.jsonl.gz`.
    pub predictions: Vec<u8>,
    /// The test part as token, gold tag and predicted tag, a blank line after each sentence: conlleval reads it.
    pub test_conll: String,
}

/// Sentences that are tagged and judged at a time: what is known of them takes many times the memory of their ids.
const PIECE: usize = 1024;

/// The floors of some sentences; none for no sentences.
pub fn floors(trainer: &Trainer, corpus: &Corpus, part: &[u32]) -> Option<Floors> {
    if part.is_empty() {
        return None;
    }
    let dataset = trainer.dataset();
    let sentence = |&i: &u32| corpus.sentence(i as usize);
    let train = dataset.split.train.iter().map(sentence);
    let floor = MostFrequentTag::fit_tokens(train.flat_map(|s| s.words().zip(s.tags())));
    let rule = Rule::Strict(dataset.scheme);
    let [mut frequent, mut nothing] = [(); 2].map(|()| Scorer::new(rule));
    for s in part.iter().map(sentence) {
        let (words, gold): (Vec<&str>, Vec<&str>) = s.words().zip(s.tags()).unzip();
        frequent.add(&gold, &floor.predict(&words));
        nothing.add(&gold, &all_o(gold.len()));
    }
    Some(Floors { most_frequent_tag: frequent.finish(), all_o: nothing.finish() })
}

/// What `model` makes of dev and test, a few sentences at a time.
pub fn part_results(trainer: &Trainer, model: &Model, corpus: &Corpus) -> Results {
    let dataset = trainer.dataset();
    let rule = Rule::Strict(dataset.scheme);
    let mut familiar = Familiar::default();
    for s in dataset.split.train.iter().map(|&i| corpus.sentence(i as usize)) {
        let (words, tags): (Vec<&str>, Vec<&str>) = s.words().zip(s.tags()).unzip();
        familiar.add(rule, &words, &tags);
    }
    let prepared = Prepared::of(&model.tagger, &model.tags);
    let session = Session { decoder: model.decoder(trainer.padding()), prepared: &prepared };
    let (mut predictions, mut test_conll) = (Writer::new(rule), String::new());
    let [dev, test] = [&dataset.split.dev, &dataset.split.test];
    let parts =
        [(predictions::Part::Dev, dev), (predictions::Part::Test, test)].map(|(which, part)| {
            let floors = floors(trainer, corpus, part)?;
            let mut scorer = Scorer::new(rule);
            for piece in part.chunks(PIECE) {
                for (&i, tagged) in piece.iter().zip(tag(&session, dataset, piece)) {
                    let tags = model.outside(&tagged.tags);
                    scorer.add(&dataset.gold_tags(i), &tags);
                    let sentence = corpus.sentence(i as usize);
                    predictions
                        .add(which, &judge(rule, &familiar, model, sentence, &tagged, &tags));
                    if which == predictions::Part::Test {
                        add_conll(&mut test_conll, sentence, &tags);
                    }
                }
            }
            Some(PartResult { model: scorer.finish(), floors })
        });
    Results { parts, predictions: predictions.finish(), test_conll }
}

/// Tags and entities of some sentences, with probabilities.
fn tag(session: &Session<'_>, dataset: &Dataset, sentences: &[u32]) -> Vec<Tagged> {
    let numbers: Vec<&[u32]> = sentences.iter().map(|&i| dataset.words(i)).collect();
    session.entities(&dataset.lexicon, &numbers, true)
}

/// A sentence's entities beside those that were found.
fn judge(
    rule: Rule,
    familiar: &Familiar,
    model: &Model,
    sentence: Sentence<'_>,
    tagged: &Tagged,
    tags: &[String],
) -> Judged {
    let (words, gold): (Vec<&str>, Vec<String>) =
        sentence.words().zip(sentence.tags().map(str::to_owned)).unzip();
    let likely = tagged.entities.iter();
    let likely: HashMap<_, f64> =
        likely.map(|e| ((e.start, e.end, model.label(e)), e.probability)).collect();
    Judged::new(rule, familiar, &words, &gold, tags, |c| {
        // The fifth decimal is beyond what any data can tell.
        likely.get(&(c.start, c.end, c.label)).map(|p| (p * 1e5).round() / 1e5)
    })
}

fn add_conll(text: &mut String, sentence: Sentence<'_>, tags: &[String]) {
    for ((word, gold), tag) in sentence.words().zip(sentence.tags()).zip(tags) {
        // A blank inside a word would make two columns of it.
        let word = word.replace(char::is_whitespace, "_");
        *text += &format!("{word} {gold} {tag}\n");
    }
    text.push('\n');
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
            threshold: model.gives_from(),
        },
    }
}
