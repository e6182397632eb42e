//! `longhand gradcheck`: every gradient of a network against finite differences, in double precision.
//!
//! The network is that of a model, or of a configuration on the built-in corpus with its first weights
//! shaken. It reads two small batches, one of ragged lengths and one of a single token, under dropout.

mod batch;
mod render;
mod slip;

use std::io::{self, Write};

use data::Result;
use ndarray::Array2;
use nn::Params;
use nn::gradcheck::{Check, gradcheck_at, gradcheck_input};
use nn::sum_embedding::SumEmbedding;
use nn::tagger::{Head, Input, Tagger};
use tensor::random::{Purpose, Stream};
use train::{Config, Dataset};

use crate::args::GradcheckArgs;
use crate::{Screen, Stop, input};
use batch::{Batch, Pick};
use slip::Slip;

/// Lengths of the batches' sentences.
const LENGTHS: [&[usize]; 2] = [&[6, 4, 4, 1], &[1]];

/// How far the first weights of a configuration are shaken, so that every part of it counts: wide part
/// and transitions start at 0.
const SHAKEN: f64 = 0.3;

/// What was checked, and how it fared.
struct Outcome {
    /// Name of the model or configuration.
    of: String,
    seed: u64,
    bound: f64,
    /// The mistake that was planted, in words.
    planted: Option<String>,
    /// Of each tensor and of the inputs, the worse of both batches.
    checks: Vec<Check>,
    seconds: f64,
}

/// Checks and reports; exit code 1 if a gradient is wrong.
pub fn run(args: &GradcheckArgs, screen: Screen) -> std::result::Result<(), Stop> {
    let start = std::time::Instant::now();
    let (tagger, read, of) = network(args)?;
    let slip = args.plant.as_deref().map(|text| Slip::parse(text, &tagger)).transpose()?;
    let mut checks: Vec<Check> = Vec::new();
    for (number, lengths) in LENGTHS.into_iter().enumerate() {
        let batch = read(number as u32, lengths);
        let found = check(&tagger, &batch, slip.as_ref(), args);
        if checks.is_empty() {
            checks = found;
        } else {
            checks.iter_mut().zip(found).for_each(|(worst, other)| worse(worst, other));
        }
    }
    let outcome = Outcome {
        of,
        seed: args.seed,
        bound: args.bound,
        planted: slip.map(|s| s.to_string()),
        checks,
        seconds: start.elapsed().as_secs_f64(),
    };
    let mut out = io::stdout().lock();
    match args.json {
        true => writeln!(out, "{:#}", render::json(&outcome))?,
        false => write!(out, "{}", render::text(&outcome, screen.color))?,
    }
    if outcome.checks.iter().all(|c| outcome.passes(c)) { Ok(()) } else { Err(Stop::No) }
}

impl Outcome {
    /// A NaN does not.
    fn passes(&self, check: &Check) -> bool {
        check.error < self.bound
    }
}

/// Batch `number` of sentences of these lengths.
type Reader = Box<dyn Fn(u32, &[usize]) -> Batch>;

/// The network in double precision, what makes its batches, and its name.
fn network(args: &GradcheckArgs) -> Result<(Tagger<f64>, Reader, String)> {
    let (corpus, split) = input::embedded()?;
    let seed = args.seed;
    if let Some(path) = &args.model {
        let model = input::model(path)?;
        let tagger = in_f64(&model.tagger);
        let (spec, code, locked) = (tagger.spec.clone(), model.code, model.config.locked);
        let read = move |number, lengths: &[usize]| {
            Batch::new(&corpus, &code, &spec, lengths, seed, number).locked(locked)
        };
        return Ok((tagger, Box::new(read), path.display().to_string()));
    }
    let text = args.config.as_deref().map(input::read_text).transpose()?;
    let file = args.config.as_deref().zip(text.as_deref());
    let config = Config::resolve(args.preset.as_deref(), file, &crate::args::set(&args.set)?)?;
    let scheme = data::scheme::detect(&corpus)?;
    let (dataset, _) = Dataset::new(&corpus, split, &config, scheme, true)?;
    let spec = config.spec(&dataset.code, &dataset.tags)?;
    let name = config.preset.clone();
    let mut tagger = Tagger::new(spec.clone(), seed);
    if let Some(vectors) = &dataset.vectors {
        tagger.set_vectors(vectors.table.mapv(f64::from));
    }
    for (k, weights) in tagger.slices_mut().into_iter().enumerate() {
        let mut stream = Stream::new(seed, Purpose::Test, k as u32, 0);
        weights.iter_mut().for_each(|w| *w += SHAKEN * (2.0 * f64::from(stream.unit()) - 1.0));
    }
    let read = move |number, lengths: &[usize]| {
        Batch::new(&corpus, &dataset.code, &spec, lengths, seed, number).locked(config.locked)
    };
    Ok((tagger, Box::new(read), name))
}

/// The same network in double precision.
fn in_f64(tagger: &Tagger<f32>) -> Tagger<f64> {
    let mut wide = Tagger::<f64>::new(tagger.spec.clone(), 0);
    for (to, from) in wide.slices_mut().into_iter().zip(tagger.slices()) {
        to.iter_mut().zip(from).for_each(|(to, &w)| *to = f64::from(w));
    }
    wide
}

/// All tensors on a batch, then what the encoder reads of the words, then the scores.
fn check(
    tagger: &Tagger<f64>,
    batch: &Batch,
    slip: Option<&Slip>,
    args: &GradcheckArgs,
) -> Vec<Check> {
    let tagger = &off_the_kink(tagger, batch);
    let spare = tagger.network.zeros_like();
    let loss = |t: &Tagger<f64>| batch.loss(t, &mut spare.clone());
    let mut pick = Pick::new(tagger, batch, args.samples, args.seed);
    let grads = slip::gradients(tagger, batch, slip);
    let mut checks = gradcheck_at(tagger, &grads, |name, t| pick.places(name, t.len()), loss);

    // Each token as the only word of a table of its own: the table's gradient is that of the inputs.
    let (x, _) = tagger.words.forward(&batch.input.words);
    let tokens = own_rows(tagger, &x);
    let input = Input { words: (0..x.nrows() as u32).collect(), ..batch.input.clone() };
    let batch_of_rows = batch.reading(input);
    let grads = slip::gradients(&tokens, &batch_of_rows, slip);
    let places = |name: &str, t: &[f64]| {
        if name == INPUTS { pick.places(name, t.len()) } else { Vec::new() }
    };
    let mut inputs =
        gradcheck_at(&tokens, &grads, places, |t| batch_of_rows.loss(t, &mut spare.clone()));
    inputs.retain(|c| c.name == INPUTS);
    inputs.iter_mut().for_each(|c| c.name = "inputs".into());
    checks.extend(inputs);

    let (scores, _) = tagger.forward(batch.input.clone(), Some(&batch.noise()));
    let (_, ds) = batch.loss_of(tagger, scores.clone(), &mut spare.clone());
    let of_scores = |s: &Array2<f64>| batch.loss_of(tagger, s.clone(), &mut spare.clone()).0;
    checks.push(gradcheck_input("scores", &scores, &ds, of_scores));
    checks
}

/// The table that [`own_rows`] makes, as a tensor.
const INPUTS: &str = "words.inputs";

/// The tagger with the rows of `x` (N, D) for its words.
fn own_rows(tagger: &Tagger<f64>, x: &Array2<f64>) -> Tagger<f64> {
    let mut own = tagger.clone();
    own.spec.tables = vec![("inputs".into(), x.nrows())];
    own.words = SumEmbedding::zeros(&[("inputs", x.nrows())], x.ncols());
    own.words.rows.assign(x);
    own
}

/// A ReLU has no derivative at 0, and differences across it are meaningless. For a network that ends in
/// one the bias is raised until every score is positive.
fn off_the_kink(tagger: &Tagger<f64>, batch: &Batch) -> Tagger<f64> {
    let mut raised = tagger.clone();
    if tagger.spec.head == Head::KerasRelu {
        let (scores, _) = tagger.forward(batch.input.clone(), Some(&batch.noise()));
        let least = scores.iter().copied().fold(f64::INFINITY, f64::min);
        raised.network.dense.b += (1.0 - least).max(0.0);
    }
    raised
}

/// Keeps the worse of two checks of one tensor, and counts the elements of both.
fn worse(worst: &mut Check, other: Check) {
    let compared = worst.compared + other.compared;
    if other.error > worst.error || other.error.is_nan() {
        *worst = other;
    }
    worst.compared = compared;
}
