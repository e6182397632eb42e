//! `longhand bench`: how fast this machine is, and how much of it the tutorial's network uses.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use data::{Error, Result};
use report::human::{count, short};
use report::table::{Align, Table};
use serde_json::{Value, json};
use tensor::simd::{self, Level};
use train::trainer::Progress;
use train::{Config, Dataset, EpochRecord, Observer, Outcome, Trainer};

use crate::args::BenchArgs;
use crate::{Screen, Stop, input, progress};

/// The speed of multiply-adds on registers.
struct Peak {
    level: Level,
    threads: usize,
    flop_per_second: f64,
}

/// The speed of one kind of work on the tutorial's network.
struct Speed {
    tokens_per_second: f64,
    /// Lowest and highest of the rounds, tokens a second.
    spread: [f64; 2],
    rounds: usize,
    flop_per_token: f64,
}

impl Speed {
    /// Of rounds of (tokens, seconds): their median.
    fn new(rounds: &[(usize, f64)], flop_per_token: usize) -> Self {
        let mut speeds: Vec<f64> = rounds.iter().map(|(n, s)| *n as f64 / s).collect();
        speeds.sort_by(f64::total_cmp);
        Self {
            tokens_per_second: speeds[speeds.len() / 2],
            spread: [speeds[0], speeds[speeds.len() - 1]],
            rounds: speeds.len(),
            flop_per_token: flop_per_token as f64,
        }
    }

    /// Share of `peak` that the products alone account for.
    fn share(&self, peak: f64) -> f64 {
        self.tokens_per_second * self.flop_per_token / peak
    }

    fn as_json(&self, peak: Option<f64>) -> Value {
        json!({
            "tokens_per_second": self.tokens_per_second,
            "lowest": self.spread[0],
            "highest": self.spread[1],
            "rounds": self.rounds,
            "flop_per_token": self.flop_per_token,
            "share_of_peak": peak.map(|peak| self.share(peak)),
        })
    }
}

/// Measures and shows.
pub fn run(args: &BenchArgs, screen: Screen) -> std::result::Result<(), Stop> {
    input::set_threads(args.threads, screen)?;
    let level = simd::from_environment().map_err(|e| Error::new("E045", e.to_string()))?;
    let threads = rayon::current_num_threads();
    let spinner = progress::spinner("measuring, about half a minute", screen.quiet);
    let mut trainer = trainer()?;
    let flop = trainer.tagger().spec.flop_per_token();

    // The peak is taken before and after: the higher one counts, since neighbours only take away.
    let mut peaks = peaks(threads);
    trainer.epoch(&mut Silent).map(drop)?; // a first round to warm up
    let train = rounds(args.seconds, || train_epoch(&mut trainer))?;
    let gradient = rounds(args.seconds, || Ok(trainer.time_gradients()))?;
    let tag = rounds(args.seconds, || Ok(tag_all(&trainer)))?;
    for (peak, again) in peaks.iter_mut().zip(self::peaks(threads)) {
        peak.flop_per_second = peak.flop_per_second.max(again.flop_per_second);
    }
    spinner.finish_and_clear();

    let of_run = peaks.iter().find(|p| p.level == level && p.threads == threads);
    let peak = of_run.map(|p| p.flop_per_second);
    // Backward has two products for each of forward's: the gradients of the weights and of the input.
    let speeds = [
        ("train", "training step", Speed::new(&train, 3 * flop)),
        ("forward_backward", "forward and backward", Speed::new(&gradient, 3 * flop)),
        ("tag", "tagging, ids to tags", Speed::new(&tag, flop)),
    ];
    let mut out = io::stdout().lock();
    if args.json {
        let mut all = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "level": level.name(),
            "threads": threads,
            "network": "embedding:64 bilstm:64 lstm:64 dense:17, batch 32",
            "peak": peaks.iter().map(Peak::as_json).collect::<Vec<_>>(),
        });
        for (key, _, speed) in &speeds {
            all[key] = speed.as_json(peak);
        }
        writeln!(out, "{}", serde_json::to_string_pretty(&all).expect("plain values"))?;
        return Ok(());
    }
    write!(out, "{}", peak_table(&peaks).render(screen.color))?;
    writeln!(out)?;
    write!(out, "{}", speed_table(&speeds, peak).render(screen.color))?;
    writeln!(out, "\n{level}, threads: {threads}; the tutorial's network on the built-in corpus")?;
    Ok(())
}

impl Peak {
    fn as_json(&self) -> Value {
        let gflops = self.flop_per_second / 1e9;
        json!({ "level": self.level.name(), "threads": self.threads, "gflop_per_second": gflops })
    }
}

fn peak_table(peaks: &[Peak]) -> Table {
    let columns = [("multiply-adds", Align::Left), ("threads", Align::Right)];
    let mut table = Table::new(&[columns[0], columns[1], ("GFLOP/s", Align::Right)]);
    for p in peaks {
        let gflops = format!("{:.0}", p.flop_per_second / 1e9);
        table.row([p.level.to_string(), p.threads.to_string(), gflops]);
    }
    table
}

fn speed_table(speeds: &[(&str, &str, Speed); 3], peak: Option<f64>) -> Table {
    let titles = ["tokens/s", "lowest", "highest", "rounds", "share of peak"];
    let columns = titles.map(|title| (title, Align::Right));
    let columns: Vec<_> = [("median of rounds", Align::Left)].into_iter().chain(columns).collect();
    let mut table = Table::new(&columns);
    for (_, name, s) in speeds {
        let share = peak.map_or("–".into(), |peak| format!("{:.2}", s.share(peak)));
        let [lowest, highest] = s.spread.map(short);
        let median = short(s.tokens_per_second);
        table.row([(*name).to_owned(), median, lowest, highest, count(s.rounds), share]);
    }
    table
}

/// The best speed of each level that has vectors, on one thread and on `threads`.
fn peaks(threads: usize) -> Vec<Peak> {
    let levels = Level::available().filter(|level| *level != Level::Portable);
    let counts = if threads > 1 { vec![1, threads] } else { vec![1] };
    let of = |level, n| Peak { level, threads: n, flop_per_second: peak(level, n) };
    levels.flat_map(|level| counts.iter().map(move |&n| of(level, n))).collect()
}

fn peak(level: Level, threads: usize) -> f64 {
    let once = || simd::with_level(level, || simd::multiply_adds(200_000).unwrap_or(0));
    let on_all = || -> u64 {
        match threads {
            1 => once(),
            _ => rayon::broadcast(|_| once()).iter().sum(),
        }
    };
    let start = Instant::now();
    let mut best = 0.0f64;
    while start.elapsed() < Duration::from_millis(500) {
        let start = Instant::now();
        let done = on_all();
        best = best.max(done as f64 / start.elapsed().as_secs_f64());
    }
    best
}

/// The tutorial's network, put right, on the built-in corpus.
fn trainer() -> Result<Trainer> {
    // More epochs than the time allows, and their order of batches.
    let forever = [("epochs".to_owned(), "100000".to_owned())];
    let config = Config::resolve(Some("repaired"), None, &forever)?;
    let (corpus, mut split) = input::embedded()?;
    split.dev.clear(); // or each epoch would tag it
    let scheme = data::scheme::detect(&corpus)?;
    let (dataset, _) = Dataset::new(&corpus, split, &config, scheme, false)?;
    Trainer::new(config, dataset)
}

/// Rounds of `work`, which gives its tokens and seconds, until so many seconds are over.
fn rounds(
    seconds: f64,
    mut work: impl FnMut() -> Result<(usize, f64)>,
) -> Result<Vec<(usize, f64)>> {
    let start = Instant::now();
    let mut rounds = Vec::new();
    while rounds.is_empty() || start.elapsed().as_secs_f64() < seconds {
        rounds.push(work()?);
    }
    Ok(rounds)
}

fn train_epoch(trainer: &mut Trainer) -> Result<(usize, f64)> {
    match trainer.epoch(&mut Silent)? {
        Outcome::Done(record) => Ok((record.tokens, record.seconds)),
        Outcome::Stopped => unreachable!("nobody stops it"),
    }
}

fn tag_all(trainer: &Trainer) -> (usize, f64) {
    let sentences = &trainer.dataset().split.train;
    let start = Instant::now();
    let tags = trainer.predict(sentences);
    (tags.iter().map(Vec::len).sum(), start.elapsed().as_secs_f64())
}

/// Watches without a word.
struct Silent;

impl Observer for Silent {
    fn batch(&mut self, _: &Progress) -> bool {
        false
    }

    fn epoch(&mut self, _: &EpochRecord) {}
}
