//! `longhand search`: many short trainings to find a better configuration, judged on dev alone.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use data::{Corpus, Error, Result, Scheme, Split};
use indicatif::ProgressBar;
use report::human;
use serde_json::json;
use train::config::Keep;
use train::device::Choice;
use train::files::{lock_folder, make_folder, write_atomically};
use train::search::{self, Job, Method, Plan, Row, Space, Table, USUAL, mean_and_sd};
use train::trainer::Progress;
use train::{Dataset, EpochRecord, Observer, Outcome, Trainer};

use crate::args::{SearchArgs, SearchMethod};
use crate::{Screen, Stop, input, output, progress, say, train_command, warn};

/// Column at which the values of a trial begin in it.
const VALUES: usize = 43;

/// Rows of the table that is printed at the end.
const SHOWN: usize = 10;

/// What a search writes.
const FILES: [&str; 3] = ["trials.csv", "search.toml", "best.toml"];

/// Searches, and says what was found.
pub fn run(args: &SearchArgs, screen: Screen) -> std::result::Result<(), Stop> {
    let plan = plan(args)?;
    let folder = folder_of(args);
    train_command::keep_inputs(&args.train, &plan.start, &folder)?;
    check_claim(&folder, args)?;
    input::set_threads(plan.start.threads, screen)?;
    let data = Data::read(args, screen)?;
    let described = description(&plan, &data);
    data.check(&plan)?;
    make_folder(&folder)?;
    let _lock = lock_folder(&folder)?;
    check_claim(&folder, args)?; // another may have searched there meanwhile
    let mut table = claim(&folder, &described, args)?;
    let describe = || write_atomically(&folder.join("search.toml"), described.as_bytes());
    // An old search stands until the first trial of the one that is to replace it is done.
    if !args.train.force {
        describe()?;
    }
    if !screen.quiet {
        say(&data.header(&plan));
    }
    progress::catch_interrupts();
    let bar = progress::steps("search", plan.count(), "done", screen.quiet);
    bar.set_position(table.rows().len() as u64);
    loop {
        let jobs = plan.next(&table);
        if jobs.is_empty() {
            break;
        }
        for job in jobs {
            let Some(row) = data.train(&plan, &job, &bar, screen)? else {
                bar.finish_and_clear();
                let shown = folder.display();
                say(&match table.rows().is_empty() && args.train.force {
                    true => {
                        let _ = std::fs::remove_dir(&folder); // if there was none and nothing is in it
                        format!("interrupted before the first trial was done; {shown} is as it was")
                    }
                    false => format!(
                        "interrupted; what is done is saved. Go on with: longhand search … -o {shown} --resume"
                    ),
                });
                return Err(Stop::Interrupted);
            };
            if !screen.quiet {
                let line = line(&plan, &row);
                let line =
                    output::width_of_stderr().map_or(line.clone(), |w| output::fitted(&line, w));
                bar.suspend(|| say(&line));
            }
            table.push(row);
            if args.train.force && table.rows().len() == 1 {
                remove(&folder);
                describe()?;
            }
            table.save(&plan, &folder.join("trials.csv"))?;
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let best = plan.best(&table).expect("at least one trial");
    let found = plan.winner(&table).expect("at least one trial");
    let mut config = plan.start.with(&plan.values(found))?;
    config.threads = 0;
    write_atomically(&folder.join("best.toml"), config.to_short_toml().as_bytes())?;
    let text = match args.json {
        true => json(&plan, &table, best, found),
        false => summary(&plan, &table, best, &folder),
    };
    write!(io::stdout().lock(), "{text}")?;
    Ok(())
}

fn plan(args: &SearchArgs) -> Result<Plan> {
    let start = train_command::configure(&args.train)?;
    if args.train.test.is_some() {
        let error = Error::new("E041", "a search never reads a test part: `--test` is not for it");
        return Err(error.help(
            "judge the configuration it finds once, with `train --config best.toml --test FILE`",
        ));
    }
    if start.refit {
        let error = Error::new("E041", "a search judges on dev, which refit = true learns from");
        return Err(error.help("search without it, then `train --config best.toml --refit`"));
    }
    if start.members > 1 {
        let error = Error::new(
            "E041",
            format!("a search trains one network at a time, not {}", start.members),
        );
        return Err(error.help("--set members=1, and members in the file that it writes"));
    }
    for (key, n) in [("trials", args.trials), ("confirm", args.confirm)] {
        if !(1..=100_000).contains(&n) {
            return Err(Error::new("E041", format!("--{key} must be from 1 to 100000, not {n}")));
        }
    }
    let space = match args.vary.is_empty() {
        true => Space::parse(&USUAL, &start)?,
        false => Space::parse(&args.vary, &start)?,
    };
    let method = match args.method {
        SearchMethod::Random => Method::Random,
        SearchMethod::Halving => Method::Halving,
    };
    Ok(Plan { start, space, method, trials: args.trials, confirm: args.confirm })
}

fn folder_of(args: &SearchArgs) -> PathBuf {
    args.train.output.clone().unwrap_or_else(|| {
        let mut name = train_command::output(&args.train).into_os_string();
        name.push("-search");
        name.into()
    })
}

/// All that a search's trials depend on, the data in its first line.
fn description(plan: &Plan, data: &Data) -> String {
    let method = match plan.method {
        Method::Random => "random",
        Method::Halving => "halving",
    };
    let space: Vec<String> =
        plan.space.texts().iter().map(|text| format!("# vary {text}\n")).collect();
    format!(
        "{}# method {method}\n{}{}",
        data.description(),
        space.concat(),
        train::Config { threads: 0, ..plan.start.clone() }.to_toml()
    )
}

/// Whether the folder is one for this search, as far as its files' names tell.
fn check_claim(folder: &Path, args: &SearchArgs) -> Result<()> {
    let [trials, search, _] = FILES.map(|name| folder.join(name).exists());
    let shown = folder.display();
    match (args.train.resume, args.train.force) {
        (true, _) if !trials && !search => {
            Err(Error::new("E043", format!("{shown} holds no search: there is nothing to resume")))
        }
        (false, false) if trials => {
            let error = Error::new("E012", format!("{shown} holds a search"));
            Err(error.help("`--resume` to go on with it or to add trials, another folder with `-o`, or `--force` to write over it"))
        }
        _ => Ok(()),
    }
}

/// Removes a search. What is not there is fine.
fn remove(folder: &Path) {
    for file in FILES {
        let _ = std::fs::remove_file(folder.join(file));
    }
}

/// The table to go on with.
fn claim(folder: &Path, described: &str, args: &SearchArgs) -> Result<Table> {
    let [trials, search, _] = FILES.map(|name| folder.join(name));
    if args.train.force {
        return Ok(Table::default());
    }
    if !args.train.resume {
        remove(folder);
        return Ok(Table::default());
    }
    let was = input::read_text(&search)?;
    if was != described {
        let same_data = was.lines().next() == described.lines().next();
        let what = if same_data { "settings" } else { "data" };
        let message = format!("the search in {} has other {what} than this one", folder.display());
        return Err(Error::new("E043", message).help(
            "--trials and --confirm may grow; all else must be as it was (search.toml there)",
        ));
    }
    match trials.exists() {
        true => Table::load(&trials),
        false => Ok(Table::default()), // stopped within its first training
    }
}

/// What every training reads.
struct Data {
    corpus: Corpus,
    split: Split,
    scheme: Scheme,
    allow_new_labels: bool,
    device: Choice,
}

impl Data {
    fn read(args: &SearchArgs, screen: Screen) -> Result<Self> {
        let start = train_command::configure(&args.train)?;
        let train_command::Parts { corpus, mut split, drawn, warnings, .. } =
            train_command::read(&args.train, &start)?;
        warn(&warnings, screen);
        let scheme = train_command::scheme(&args.train, &corpus)?;
        split.test.clear(); // not even its tags are looked at
        if split.dev.is_empty() {
            let error =
                Error::new("E041", "a search needs a dev part: it is what trials are judged on");
            return Err(error.help("give one with --dev or --split"));
        }
        let allow_new_labels = args.train.allow_new_labels || drawn;
        let device = args.train.device.parse()?;
        Ok(Self { corpus, split, scheme, allow_new_labels, device })
    }

    /// Which sentences these are, by what they hold: files may be moved.
    fn description(&self) -> String {
        let sha256 = search::data_sha256(&self.corpus, &self.split, self.scheme);
        format!("# data sha256 {sha256}\n")
    }

    /// Whether every trial can be trained, before the first one is: a mistake must not come to light after an hour.
    ///
    /// # Errors
    /// What is wrong with the first that cannot.
    fn check(&self, plan: &Plan) -> Result<()> {
        let mut read = HashSet::new();
        for trial in 0..plan.trials {
            let named = |mut error: Error| {
                if trial > 0 {
                    error.message =
                        format!("trial {trial}, {}: {}", values(plan, trial), error.message);
                }
                error
            };
            let config = plan.start.with(&plan.values(trial)).map_err(named)?;
            if read.insert((config.pos, config.vectors.clone())) {
                let (split, scheme) = (self.split.clone(), self.scheme);
                Dataset::new(&self.corpus, split, &config, scheme, self.allow_new_labels)
                    .map_err(named)?;
            }
        }
        Ok(())
    }

    /// What is about to happen.
    fn header(&self, plan: &Plan) -> String {
        let [train, dev] = [&self.split.train, &self.split.dev].map(|p| human::count(p.len()));
        let varied: Vec<&str> = plan.space.keys().collect();
        let text = format!(
            "{train} train, {dev} dev sentences; at most {} trainings; varied: {}",
            human::count(plan.count()),
            varied.join(", ")
        );
        output::width_of_stderr().map_or(text.clone(), |width| output::fitted(&text, width))
    }

    /// Trains what `job` says. None if Ctrl-C was pressed.
    fn train(
        &self,
        plan: &Plan,
        job: &Job,
        bar: &ProgressBar,
        screen: Screen,
    ) -> Result<Option<Row>> {
        let config = plan.config(job)?;
        let split = self.split.clone();
        let (dataset, _) =
            Dataset::new(&self.corpus, split, &config, self.scheme, self.allow_new_labels)?;
        let keep = config.keep;
        let mut trainer = Trainer::new(config, dataset)?;
        let silent = Screen { quiet: bar.position() > 0 || screen.quiet, ..screen };
        train_command::choose_device(&mut trainer, self.device, silent)?;
        let weights = nn::Params::count(trainer.tagger());
        let mut watch = Watch { bar, trial: job.trial, epochs: trainer.config().epochs };
        let mut diverged = false;
        while !trainer.is_done() {
            match trainer.epoch(&mut watch) {
                Ok(Outcome::Done(_)) => {}
                Ok(Outcome::Stopped) => return Ok(None),
                Err(e) if e.code == "E011" => {
                    diverged = true;
                    break;
                }
                Err(e) => return Err(e),
            }
        }
        let history = trainer.history();
        let kept = match keep {
            Keep::Best => history.iter().rev().find(|r| r.best),
            Keep::Last => history.last(),
        };
        let dev = kept.and_then(|r| r.dev).filter(|_| !diverged);
        Ok(Some(Row {
            job: job.clone(),
            dev: dev.map(|d| [d.f1, d.precision, d.recall]),
            best_epoch: kept.map_or(0, |r| r.epoch),
            seconds: history.iter().map(|r| r.seconds).sum(),
            weights,
        }))
    }
}

struct Watch<'a> {
    bar: &'a ProgressBar,
    trial: usize,
    epochs: u32,
}

impl Observer for Watch<'_> {
    fn batch(&mut self, p: &Progress) -> bool {
        if !self.bar.is_hidden() {
            let Self { trial, epochs, .. } = self;
            self.bar.set_message(format!("done; trial {trial}, epoch {}/{epochs}", p.epoch));
        }
        progress::interrupted()
    }

    fn epoch(&mut self, _: &EpochRecord) {}
}

/// A training that is done.
fn line(plan: &Plan, row: &Row) -> String {
    let epochs = row
        .job
        .epochs
        .map_or(String::new(), |n| format!("  {}", human::counted(n as usize, "epoch", "epochs")));
    let seed = if row.job.confirms { format!("  seed {}", row.job.seed) } else { String::new() };
    format!(
        "trial {:>3}{epochs}{seed}  dev F1 {}  {}",
        row.job.trial,
        f1(row),
        values(plan, row.job.trial)
    )
}

fn f1(row: &Row) -> String {
    row.dev.map_or("diverged".into(), |[f1, ..]| format!("{:.2}", 100.0 * f1))
}

fn values(plan: &Plan, trial: usize) -> String {
    let values = plan.values(trial).into_iter().map(|(key, value)| format!("{key}={value}"));
    let values: Vec<String> = values.collect();
    if values.is_empty() { "the start".into() } else { values.join(" ") }
}

/// The furthest that each trial came, best first: those that were trained longer before all others.
fn ranking(table: &Table) -> Vec<&Row> {
    let mut last: HashMap<usize, &Row> = HashMap::new();
    for row in table.rows().iter().filter(|row| !row.job.confirms) {
        last.insert(row.job.trial, row); // later rows are those of more epochs
    }
    let mut rows: Vec<&Row> = last.into_values().collect();
    let epochs = |row: &Row| row.job.epochs.unwrap_or(u32::MAX);
    rows.sort_by(|a, b| {
        let longer = epochs(b).cmp(&epochs(a));
        longer.then(b.f1().total_cmp(&a.f1())).then(a.job.trial.cmp(&b.job.trial))
    });
    rows
}

fn summary(plan: &Plan, table: &Table, best: usize, folder: &Path) -> String {
    let mut text = String::from("trial  epochs  dev F1  seconds    weights  values\n");
    let all = plan.start.epochs;
    for row in ranking(table).into_iter().take(SHOWN) {
        let epochs = row.job.epochs.unwrap_or(all);
        let (trial, seconds, weights) = (row.job.trial, row.seconds, human::count(row.weights));
        let of = values(plan, trial);
        let row =
            format!("{trial:>5}  {epochs:>6}  {:>6}  {seconds:>7.1} {weights:>10}  {of}", f1(row));
        text += &output::wrapped(&row, &" ".repeat(VALUES));
    }
    text += "\nwith seeds that no trial had:\n";
    let start = table.confirmed(0);
    let mut show = |name: &str, scores: &[f64]| {
        let (mean, sd) = mean_and_sd(scores);
        let n = human::counted(scores.len(), "seed", "seeds");
        let spread =
            if scores.len() > 1 { format!(" ± {:.2}", 100.0 * sd) } else { String::new() };
        text += &format!("{name:<12} dev F1 {:.2}{spread} ({n})\n", 100.0 * mean);
    };
    show("the start", &start);
    if best == 0 {
        return text + "no trial was better than the start\n";
    }
    let found = table.confirmed(best);
    show(&format!("trial {best}"), &found);
    let ((a, sd_a), (b, sd_b)) = (mean_and_sd(&start), mean_and_sd(&found));
    let error = ((sd_a.powi(2) + sd_b.powi(2)) / start.len() as f64).sqrt();
    if b <= a {
        text += &format!("the lead of trial {best} was luck: the start is no worse, and stays\n");
        return text;
    }
    text += match start.len() {
        1 => "one seed each says little: `--confirm 3 --resume` adds two\n",
        _ if b - a < 2.0 * error => "the lead is within what seeds alone make\n",
        _ => "",
    };
    let found = folder.join("best.toml");
    text + &format!("longhand train … --config {}\n", found.display())
}

fn json(plan: &Plan, table: &Table, best: usize, found: usize) -> String {
    let values = |trial| plan.values(trial).into_iter().collect::<HashMap<String, String>>();
    let rows: Vec<_> = table
        .rows()
        .iter()
        .map(|row| {
            let Job { trial, epochs, seed, confirms } = row.job;
            json!({
                "trial": trial, "epochs": epochs.unwrap_or(plan.start.epochs), "seed": seed, "confirms": confirms,
                "dev_f1": row.dev.map(|d| d[0]), "dev_precision": row.dev.map(|d| d[1]),
                "dev_recall": row.dev.map(|d| d[2]), "best_epoch": row.best_epoch,
                "seconds": row.seconds, "weights": row.weights, "values": values(trial),
            })
        })
        .collect();
    let confirmed = |trial| table.confirmed(trial);
    let result = json!({
        "best": best, "values": values(best), "found": found, "trials": rows,
        "confirmed": { "start": confirmed(0), "best": confirmed(best) },
    });
    serde_json::to_string_pretty(&result).expect("plain values") + "\n"
}
