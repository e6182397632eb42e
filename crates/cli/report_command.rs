//! `longhand report`: the page of a run, or two runs side by side.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use data::{Error, Result};
use eval::{Comparison, Judged};
use report::human::{bytes, count, counted, duration, percent, short};
use report::page::{self, Compared, Finding, Floor, Run, Setting};
use report::table::{Align, EpochRow, Table};
use serde_json::json;
use train::files::write_atomically;
use train::{Config, Record};

use crate::args::{PartArg, ReportArgs};
use crate::{Screen, Stop, output, say};

/// Draws of the bootstrap, and their seed.
const RESAMPLES: usize = 10_000;
const SEED: u64 = 1;

/// Writes the page of a run, or compares two.
pub fn run(args: &ReportArgs, screen: Screen) -> std::result::Result<(), Stop> {
    if let Some(path) = &args.output {
        output::refuse_file_of(&args.runs, path)?;
    }
    match &args.runs[..] {
        [only] => {
            let path = write(only, args.output.as_deref(), args.part)?;
            writeln!(io::stdout(), "{}", path.display())?;
            Ok(())
        }
        [a, b] => compare([a, b], args, screen),
        _ => Err(Error::new("E048", "more than two runs").help("longhand report RUN RUN").into()),
    }
}

/// Writes the page of the run in `folder`, into it unless `output` says otherwise; returns where.
pub fn write(folder: &Path, output: Option<&Path>, part: Option<PartArg>) -> Result<PathBuf> {
    let shown = shown(&Record::load(folder)?, part)?;
    let path = output.map_or_else(|| folder.join("report.html"), Path::to_owned);
    write_atomically(&path, page::run(&shown).as_bytes())?;
    Ok(path)
}

fn compare(
    folders: [&PathBuf; 2],
    args: &ReportArgs,
    screen: Screen,
) -> std::result::Result<(), Stop> {
    let [mut a, mut b] = [Record::load(folders[0])?, Record::load(folders[1])?];
    if a.name == b.name {
        [a.name, b.name] = folders.map(|folder| folder.display().to_string());
    }
    let [a, b] = [shown(&a, args.part)?, shown(&b, args.part)?];
    let comparison =
        eval::compare(&a.sentences, &b.sentences, RESAMPLES, SEED).ok_or_else(|| differ(&a, &b))?;
    if let Some(path) = &args.output {
        let page = page::comparison(&Compared { runs: [&a, &b], comparison: &comparison });
        write_atomically(path, page.as_bytes())?;
    }
    let mut out = io::stdout().lock();
    if args.json {
        let both = json!({
            "runs": [a.name, b.name],
            "part": a.part,
            "rule": a.scores.rule,
            "comparison": comparison,
            "settings": differing(&a, &b),
        });
        writeln!(out, "{}", serde_json::to_string_pretty(&both).expect("plain values"))?;
    } else {
        write!(out, "{}", text(&a, &b, &comparison, screen))?;
    }
    if args.output.is_none() && !screen.quiet && !args.json {
        say("more of it on a page: -o compare.html");
    }
    Ok(())
}

fn differ(a: &Run, b: &Run) -> Error {
    let place = eval::first_difference(&a.sentences, &b.sentences).unwrap_or(0);
    let excerpt = |run: &Run| match run.sentences.get(place) {
        Some(sentence) => {
            let words: Vec<&str> = sentence.words.iter().take(6).map(String::as_str).collect();
            format!("{}: {} …", run.name, crate::output::harmless(&words.join(" ")))
        }
        None => format!("{}: no such sentence", run.name),
    };
    let message = format!(
        "{} and {} were not judged on the same sentences: sentence {} of {} differs in words or tags",
        a.name,
        b.name,
        place + 1,
        a.part
    );
    Error::new("E062", message).excerpt(format!("{}\n{}", excerpt(a), excerpt(b))).help(
        "train both on the same data, split the same way: the same --split-file, or --dev and --test",
    )
}

fn differing(a: &Run, b: &Run) -> Vec<[String; 3]> {
    let value = |run: &Run, key: &str| {
        run.settings.iter().find(|s| s.key == key).map_or(String::new(), |s| s.value.clone())
    };
    let keys = a.settings.iter().map(|s| s.key.clone());
    let rows = keys.map(|key| [value(a, &key), value(b, &key), key]);
    rows.filter(|[a, b, _]| a != b).map(|[a, b, key]| [key, a, b]).collect()
}

/// The comparison for the terminal.
fn text(a: &Run, b: &Run, comparison: &Comparison, screen: Screen) -> String {
    use Align::{Left, Right};
    let Comparison { sentences, micro, per_type, bootstrap, .. } = comparison;
    let rule = a.scores.rule.name();
    let mut table = Table::new(&[
        (rule, Left),
        (&a.name, Right),
        (&b.name, Right),
        ("difference", Right),
        ("support", Right),
    ]);
    let row = |name: &str, [a, b]: &[eval::Prf; 2]| {
        let difference = format!("{:+.2}", 100.0 * (b.f1 - a.f1));
        [name.to_owned(), percent(a.f1), percent(b.f1), difference, count(a.gold)]
    };
    for (label, both) in per_type {
        table.row(row(label, both));
    }
    table.rule();
    table.strong_row(row("micro F1", micro));
    let [low, high] = bootstrap.interval.map(|v| format!("{:+.2}", 100.0 * v));
    let mut text = table.render(screen.color);
    text += &format!(
        "{} of {}\n\ndifference {:+.2}, 95 % interval {low} to {high} ({} resamples, seed {})\n{}\n",
        counted(*sentences, "sentence", "sentences"),
        a.part,
        100.0 * bootstrap.difference,
        count(bootstrap.resamples),
        bootstrap.seed,
        page::says(comparison, [&a.name, &b.name]),
    );
    let differing = differing(a, b);
    if !differing.is_empty() {
        let mut table = Table::new(&[("key", Left), (&a.name, Left), (&b.name, Left)]);
        differing.into_iter().for_each(|cells| table.row(cells));
        text += &format!("\n{}", table.render(screen.color));
    }
    text
}

/// What a page shows of a run.
fn shown(record: &Record, part: Option<PartArg>) -> Result<Run> {
    let Record { summary, history, predictions, .. } = record;
    let usual = if summary.test.is_some() { "test" } else { "dev" };
    let part = part.map_or(usual, |part| match part {
        PartArg::Dev => "dev",
        PartArg::Test => "test",
    });
    let (scores, sentences): (_, &Vec<Judged>) = match part {
        "dev" => (&summary.dev, &predictions.dev),
        _ => (&summary.test, &predictions.test),
    };
    let scores = scores.as_ref().ok_or_else(|| {
        let message = format!("the run {} has no {part} part", record.name);
        Error::new("E061", message).help("a report needs sentences that the run was judged on")
    })?;
    let findings = record.check.get("findings").cloned().unwrap_or_default();
    Ok(Run {
        name: record.name.clone(),
        part,
        scores: scores.strict.clone(),
        dev: summary.dev.as_ref().filter(|_| part == "test").map(|dev| dev.strict.micro),
        // Floors are of the part that the run is quoted on.
        floors: if part == usual { floors(summary) } else { Vec::new() },
        sentences: sentences.clone(),
        epochs: history.iter().map(epoch).collect(),
        best_epoch: summary.train.best_epoch as usize,
        findings: serde_json::from_value::<Vec<Finding>>(findings).unwrap_or_default(),
        speed: speed(summary, members(&record.config)),
        settings: settings(&record.config, &summary.preset),
        provenance: provenance(summary, &record.config),
    })
}

/// How many networks tag together; one before the key was there.
fn members(config: &toml::Table) -> i64 {
    config.get("members").and_then(toml::Value::as_integer).unwrap_or(1)
}

fn epoch(record: &train::EpochRecord) -> EpochRow {
    EpochRow {
        epoch: record.epoch as usize,
        loss: record.loss,
        dev: record.dev.map(|dev| [dev.precision, dev.recall, dev.f1]),
        tokens_per_second: record.tokens_per_second,
        time: Duration::try_from_secs_f64(record.seconds).unwrap_or_default(),
    }
}

fn floors(summary: &train::Summary) -> Vec<Floor> {
    let Some(floors) = &summary.floors else { return Vec::new() };
    let named = [
        ("most frequent tag of each word", &floors.most_frequent_tag),
        ("O everywhere", &floors.all_o),
    ];
    let floor = |(name, f): (&str, &train::summary::Floor)| Floor {
        name: name.to_owned(),
        prf: [f.precision, f.recall, f.f1],
        token_accuracy: f.token_accuracy,
        per_type: f.per_type.clone(),
    };
    named.map(floor).into()
}

fn pairs<const N: usize>(pairs: [(&str, String); N]) -> Vec<(String, String)> {
    pairs.map(|(name, value)| (name.to_owned(), value)).into()
}

fn speed(summary: &train::Summary, members: i64) -> Vec<(String, String)> {
    let speed = &summary.train;
    let epochs = match members {
        1 => format!("{}, kept {}", speed.epochs, speed.best_epoch),
        n => format!("{} in all, of {n} networks", speed.epochs),
    };
    let time = Duration::try_from_secs_f64(speed.seconds).unwrap_or_default();
    pairs([
        ("Time of training", duration(time)),
        ("Speed", format!("{} tokens a second", short(speed.tokens_per_second))),
        ("Epochs", epochs),
        ("Threads", speed.threads.to_string()),
        (
            "Weights",
            format!(
                "{} ({})",
                count(summary.model.parameters),
                bytes(4 * summary.model.parameters as u64)
            ),
        ),
    ])
}

/// Where the threshold of a run comes from.
fn found(config: &toml::Table, dev: usize) -> &'static str {
    let refit = config.get("refit").and_then(toml::Value::as_bool).unwrap_or(false);
    let given = config.get("threshold").and_then(toml::Value::as_float).is_some_and(|t| t > 0.0);
    match (refit, given) {
        (_, true) => "as set",
        (true, _) => "found on dev before its sentences were learned",
        _ if dev == 0 => "for want of a dev part to find another on",
        _ => "found on dev",
    }
}

fn provenance(summary: &train::Summary, config: &toml::Table) -> Vec<(String, String)> {
    let machine = &summary.machine;
    let sizes = &summary.sentences;
    let [train, dev, test] = [sizes.train, sizes.dev, sizes.test].map(count);
    let mut all = pairs([
        ("Version", format!("Longhand {}", summary.version)),
        ("Finished", summary.finished.clone()),
        ("Preset", summary.preset.clone()),
        ("Seed", summary.seed.to_string()),
    ]);
    if let Some(threshold) = summary.model.threshold {
        all.push((
            "Entities given".into(),
            format!("those likelier than {threshold}, {}", found(config, sizes.dev)),
        ));
    }
    for file in &summary.data {
        all.push(("Data".into(), format!("{}, SHA-256 {}", file.name, file.sha256)));
    }
    let cores = counted(machine.cores, "core", "cores");
    all.extend(pairs([
        ("Split", format!("{}: {train} train, {dev} dev, {test} test sentences", summary.split)),
        ("Machine", format!("{} {}, {cores}, kernels {}", machine.os, machine.arch, machine.simd)),
        ("Weights’ SHA-256", summary.model.weights_sha256.clone()),
    ]));
    all
}

/// Every key with its value, and the preset's where it is another. Threads change no result.
fn settings(config: &toml::Table, preset: &str) -> Vec<Setting> {
    let preset = Config::preset(preset).map(|preset| preset.to_toml());
    let preset: toml::Table = preset.ok().and_then(|text| text.parse().ok()).unwrap_or_default();
    let setting = |(key, value): (&String, &toml::Value)| Setting {
        key: key.clone(),
        value: value.to_string(),
        preset: preset.get(key).filter(|usual| *usual != value).map(ToString::to_string),
    };
    config.iter().filter(|(key, _)| *key != "threads").map(setting).collect()
}
