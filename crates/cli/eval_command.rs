//! `longhand eval`: a model against a tagged file.

use std::io::{self, Write};

use data::scheme::spans_leniently;
use data::{Corpus, Error, Span, Split};
use eval::{Calibration, Scorer, Scores};
use serde::Serialize;
use train::Model;
use train::doubts::Looks;
use train::entities::Entity;
use train::lexicon::{Token, WithPos};
use train::tagging::{Ready, Tagged};

use crate::args::EvalArgs;
use crate::{Screen, Stop, device, input, progress, warn};

/// Tags the file's words and scores the tags against its own.
pub fn run(args: &EvalArgs, screen: Screen) -> Result<(), Stop> {
    input::set_threads(args.threads, screen)?;
    let choice = args.device.parse()?;
    let ready = device::ready(input::model(&args.model)?, choice, screen)?;
    let model = ready.model();
    let rule = input::rule(&args.mode, model.scheme)?;
    let (mut corpus, warnings) = input::read_corpus(&args.data, &args.read)?;
    warn(&warnings, screen);
    let scheme = data::scheme::detect(&corpus)?;
    if let Some(error) = data::scheme::validate(&corpus, scheme).to_error(&corpus, scheme) {
        return Err(error.into());
    }
    if scheme != model.scheme {
        // The model answers in the scheme that it was trained on.
        data::scheme::convert_corpus(&mut corpus, scheme, model.scheme)?;
    }
    let part = part(args, &corpus)?;

    let words: Vec<Vec<&str>> =
        part.iter().map(|&i| corpus.sentence(i as usize).words().collect()).collect();
    let mut looks = Looks::default();
    looks.add(model, words.iter().flatten().copied());
    warn(looks.warning(model, "the words").as_slice(), screen);
    let tagged = match model.code.pos {
        None => tag(&ready, &words, screen),
        Some(_) => {
            if !corpus.has_pos {
                warn(&[train::doubts::without_pos()], screen);
            }
            tag(&ready, &with_pos(&corpus, &part), screen)
        }
    };
    device::check(&ready, choice, screen)?;
    let mut scorer = Scorer::new(rule);
    for (&i, tagged) in part.iter().zip(&tagged) {
        let gold: Vec<&str> = corpus.sentence(i as usize).tags().collect();
        scorer.add(&gold, &model.outside(&tagged.tags));
    }
    let scores = scorer.finish();
    let calibration = calibration(model, &corpus, &part, &tagged);
    let mut out = io::stdout().lock();
    if args.json {
        let report = Report { scores: &scores, calibration: &calibration };
        writeln!(out, "{}", serde_json::to_string_pretty(&report).expect("plain values"))?;
    } else {
        write!(out, "{}", report::table::scores(&scores, screen.color))?;
        write!(out, "\n{}", report::table::calibration(&calibration, screen.color))?;
    }
    match args.fail_under {
        Some(least) if scores.micro.f1 < least => Err(Stop::No),
        _ => Ok(()),
    }
}

/// Sentences that are tagged between two moves of the bar.
const AT_ONCE: usize = 4096;

fn tag<W: Token>(ready: &Ready, sentences: &[Vec<W>], screen: Screen) -> Vec<Tagged> {
    let bar = progress::steps("tagging", sentences.len(), "sentences", screen.quiet);
    let mut all = Vec::with_capacity(sentences.len());
    for some in sentences.chunks(AT_ONCE) {
        all.extend(ready.tag_all(some, true));
        bar.inc(some.len() as u64);
    }
    bar.finish_and_clear();
    all
}

/// Sentences with their parts of speech.
fn with_pos<'c>(corpus: &'c Corpus, part: &[u32]) -> Vec<Vec<WithPos<'c>>> {
    let sentence = |&i: &u32| {
        let s = corpus.sentence(i as usize);
        let pos = |j| if corpus.has_pos { s.pos(j) } else { "" };
        (0..s.len()).map(|j| WithPos { word: s.word(j), pos: pos(j) }).collect()
    };
    part.iter().map(sentence).collect()
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    scores: &'a Scores,
    calibration: &'a Calibration,
}

/// Probabilities against what is there: an entity is right if its borders and its type are.
fn calibration(model: &Model, corpus: &Corpus, part: &[u32], tagged: &[Tagged]) -> Calibration {
    let entities = part.iter().zip(tagged).flat_map(|(&i, tagged)| {
        let gold: Vec<&str> = corpus.sentence(i as usize).tags().collect();
        let gold = spans_leniently(&gold); // legal, so read as they are meant
        let is_right = |e: &Entity| {
            let (start, end, label) = (e.start, e.end, model.label(e));
            gold.contains(&Span { start, end, label })
        };
        let pairs = tagged.entities.iter().map(|e| (e.probability, is_right(e)));
        pairs.collect::<Vec<_>>()
    });
    eval::calibrate(entities)
}

fn part(args: &EvalArgs, corpus: &Corpus) -> data::Result<Vec<u32>> {
    let (Some(path), Some(part)) = (&args.split_file, &args.part) else {
        return Ok((0..corpus.len() as u32).collect());
    };
    let split = Split::by_index_file(path, corpus.len())?;
    match part.as_str() {
        "train" => Ok(split.train),
        "dev" | "valid" => Ok(split.dev),
        "test" => Ok(split.test),
        _ => Err(Error::new("E028", format!("no part `{part}`")).help("train, dev or test")),
    }
}
