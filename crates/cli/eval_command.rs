//! `longhand eval`: a model against a tagged file.

use std::io::{self, Write};

use data::{Corpus, Error, Split};
use eval::Scorer;
use train::Model;

use crate::args::EvalArgs;
use crate::{Screen, Stop, input, warn};

/// Tags the file's words and scores the tags against its own.
pub fn run(args: &EvalArgs, screen: Screen) -> Result<(), Stop> {
    input::set_threads(args.threads, screen)?;
    let model = Model::load(&args.model)?;
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
    let mut scorer = Scorer::new(rule);
    for (&i, predicted) in part.iter().zip(model.tag(&words)) {
        let gold: Vec<&str> = corpus.sentence(i as usize).tags().collect();
        scorer.add(&gold, &predicted);
    }
    let scores = scorer.finish();
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&scores).expect("plain values"))?;
    } else {
        write!(out, "{}", report::table::scores(&scores, screen.color))?;
    }
    match args.fail_under {
        Some(least) if scores.micro.f1 < least => Err(Stop::No),
        _ => Ok(()),
    }
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
