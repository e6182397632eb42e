//! `longhand train`: data in, a run out.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use data::{Corpus, Scheme, Split, Warning};
use serde_json::Value;
use train::config::VectorsTrain;
use train::device::Choice;
use train::{
    Config, Dataset, Ending, IfThere, LastFiles, Model, Provenance, Record, RunFolder, Trainer,
    results,
};

use train::results::{PartResult, Results};

use crate::args::TrainArgs;
use crate::input::{self, read_corpus};
use crate::progress::{self, Watch};
use crate::{Screen, Stop, check, report_command, say, warn};

/// Trains and reports. Nothing is written before the data and the configuration have been read.
pub fn run(args: &TrainArgs, screen: Screen) -> Result<(), Stop> {
    let choice = args.device.parse()?;
    let if_there = match (args.resume, args.force) {
        (true, _) => IfThere::Resume,
        (_, true) => IfThere::Overwrite,
        _ => IfThere::Refuse,
    };
    let folder = RunFolder::claim(&output(args), if_there)?;
    let config = if args.resume { configure_again(args, &folder)? } else { configure(args)? };
    keep_inputs(args, &config, &output(args))?;
    input::set_threads(config.threads, screen)?;
    let Parts { mut corpus, split, made, drawn, mut warnings } = read(args, &config)?;
    let new_labels = args.allow_new_labels || drawn;
    let scheme = scheme(args, &corpus)?;
    let what = match config.vectors.is_empty() {
        true => "counting words".to_owned(),
        false => format!("reading {}", config.vectors),
    };
    let reading = progress::spinner(&what, screen.quiet);
    let (dataset, more) = Dataset::new(&corpus, split, &config, scheme, new_labels)?;
    warnings.extend(more);
    reading.finish_and_clear();
    warnings.extend(nothing_to_score(
        &dataset.split,
        drawn.then_some(config.shares()?),
        config.keep_duplicates,
    ));
    warn(&warnings, screen);
    let check = check::before_training(&corpus, &dataset.split, scheme, new_labels, screen);
    corpus.release_places();
    progress::catch_interrupts();
    let job = Job { choice, corpus: &corpus, made, new_labels, check, screen };
    let trained = match config.refit {
        false => job.train(&folder, config, dataset, if_there, || Ok(())),
        true => job.train_twice(&folder, config, dataset, if_there),
    };
    let (tables, scored) = trained.inspect_err(|_| leave(&folder))?;
    drop(job);
    drop(corpus); // the page has to do with the files
    let folder = folder.take_place()?;
    if scored {
        write_page(&folder, screen)?;
    }
    let mut out = io::stdout().lock();
    writeln!(out, "{tables}{}", folder.model().display())?;
    Ok(())
}

/// What the trainings of one command have in common.
struct Job<'a> {
    choice: Choice,
    corpus: &'a Corpus,
    /// How the parts were made.
    made: String,
    /// Whether dev and test may have labels that train lacks.
    new_labels: bool,
    /// What the data doctor found.
    check: Value,
    screen: Screen,
}

impl Job<'_> {
    /// One training, from data to files. The scores as tables, and whether there are any. `about_to_begin` is called when
    /// nothing stands in the way any more.
    fn train(
        &self,
        folder: &RunFolder,
        config: Config,
        dataset: Dataset,
        if_there: IfThere,
        about_to_begin: impl FnOnce() -> data::Result<()>,
    ) -> Result<(String, bool), Stop> {
        let (corpus, screen) = (self.corpus, self.screen);
        let provenance = Provenance::of(corpus, &dataset, self.made.clone());
        let scheme = dataset.scheme;
        let mut trainer = Trainer::new(config, dataset)?;
        choose_device(&mut trainer, self.choice, screen)?;
        let floors = results::floors(&trainer, corpus, &trainer.dataset().split.dev);
        if !screen.quiet {
            say(&header(&trainer, corpus, scheme, floors.as_ref()));
        }
        let all_o = floors.map(|floors| floors.all_o.token_accuracy);
        let mut watch = Watch::new(trainer.config(), trainer.history(), all_o, screen);
        about_to_begin()?;
        let ending = folder.train(&mut trainer, &provenance, if_there, &mut watch)?;
        drop(watch); // and its bar
        if ending == Ending::Interrupted {
            say(&format!("interrupted; saved. Go on with: {}", go_on()));
            return Err(Stop::Interrupted);
        }
        self.finish(folder, trainer)
    }

    /// `refit`: a training like any other, in a folder of its own, then one on train and dev together with the
    /// threshold that dev gave.
    fn train_twice(
        &self,
        folder: &RunFolder,
        config: Config,
        dataset: Dataset,
        if_there: IfThere,
    ) -> Result<(String, bool), Stop> {
        let (split, scheme) = (dataset.learning_dev()?, dataset.scheme);
        let first = folder.without_dev();
        let alone = Config { refit: false, ..config.clone() };
        if if_there == IfThere::Resume && first.is_finished() {
            self.check_first(&first, alone, &dataset)?;
            drop(dataset);
        } else {
            let begun = if_there == IfThere::Resume && first.has_begun();
            let go_on = if begun { IfThere::Resume } else { IfThere::Overwrite };
            self.train(&first, alone, dataset, go_on, || folder.begin(&config, if_there))?;
        }
        let page = first.file("report.html");
        if !page.exists() {
            write_page(&first, self.screen)?;
        }
        let summary = Record::load(first.path())?.summary;
        let f1 = summary.dev.map_or(0.0, |dev| 100.0 * dev.strict.micro.f1);
        let dev = |page: &Path| {
            format!("dev F1 {f1:.2} before its sentences were learned: {}", page.display())
        };
        if !self.screen.quiet {
            say(&format!("{}\nonce more, on train and dev together", dev(&page)));
        }
        let threshold = summary.model.threshold.unwrap_or(config.threshold);
        let config = Config { threshold, dev_from_train: 0.0, ..config };
        let (dataset, _) = Dataset::new(self.corpus, split, &config, scheme, self.new_labels)?;
        let begun = if_there == IfThere::Resume && folder.has_begun();
        let go_on = if begun { IfThere::Resume } else { IfThere::Refuse };
        let (tables, scored) = self.train(folder, config, dataset, go_on, || Ok(()))?;
        // Where it will be when all is in its place.
        let place = folder.replaces().unwrap_or(folder.path());
        Ok((format!("{}\n\n{tables}", dev(&place.join("without-dev/report.html"))), scored))
    }

    /// Whether the first training, which is finished, is of this data and these settings.
    ///
    /// # Errors
    /// E043 if not.
    fn check_first(
        &self,
        first: &RunFolder,
        mut alone: Config,
        dataset: &Dataset,
    ) -> data::Result<()> {
        alone.fit_to(dataset.extent());
        let was = Config::from_toml(&input::read_text(&first.config())?)?;
        let summary = Record::load(first.path())?.summary;
        let now = Provenance::of(self.corpus, dataset, self.made.clone());
        let what = match was == (Config { threads: was.threads, ..alone }) {
            false => "other settings",
            true if summary.data != now.data || summary.split != now.split => "other data",
            true => return Ok(()),
        };
        let message = format!("the run in {} was begun with {what}", first.path().display());
        Err(data::Error::new("E043", message)
            .help("resume it with what it was begun with, or start anew with --force"))
    }

    /// Scores the model and writes the last files.
    fn finish(&self, folder: &RunFolder, mut trainer: Trainer) -> Result<(String, bool), Stop> {
        trainer.release();
        let model = Model::load(&folder.model())?;
        let scoring = progress::spinner("scoring", self.screen.quiet);
        let Results { parts, predictions, test_conll } =
            results::part_results(&trainer, &model, self.corpus);
        scoring.finish_and_clear();
        warn(&below_floor(&parts), self.screen);
        let summary = results::summary(&trainer, &model, &parts);
        let check = self.check.clone();
        folder.finish(&LastFiles { check, predictions, test_conll, summary })?;
        Ok((tables(&parts, self.screen), parts.iter().any(Option::is_some)))
    }
}

/// Of a run that was begun: leaves none that has reached nothing, and tells that one which was to be written over is as it
/// was, and where the new one lies.
fn leave(folder: &RunFolder) {
    if !folder.is_begun_here() {
        return; // another training may be at work there
    }
    folder.leave_if_nothing_was_reached();
    if let Some(old) = folder.replaces() {
        let new = match folder.model().exists() || folder.has_progress() {
            true => {
                format!("; what the new training has reached is in {}", folder.path().display())
            }
            false => String::new(),
        };
        say(&format!("{} is as it was{new}", old.display()));
    }
}

/// The command as it was given, to go on with the run.
fn go_on() -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
    let quoted = |arg: String| match !arg.is_empty() && arg.chars().all(plain) {
        true => arg,
        false => format!("'{}'", arg.replace('\'', r"'\''")),
    };
    let given = std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned());
    let given = given.filter(|arg| arg != "--force" && arg != "--resume").map(quoted);
    let mut args: Vec<String> = given.collect();
    // Before a `--`, behind which all are names.
    let end = args.iter().position(|arg| arg == "--").unwrap_or(args.len());
    args.insert(end, "--resume".into());
    format!("longhand {}", args.join(" "))
}

/// The page of a run that was scored.
fn write_page(folder: &RunFolder, screen: Screen) -> Result<(), Stop> {
    let page = report_command::write(folder.path(), None, None)?;
    if !screen.quiet {
        say(&format!("report: {}", page.display()));
    }
    Ok(())
}

/// The tag scheme of the data, which all of its tags keep to.
///
/// # Errors
/// E005 and others if they do not.
pub(crate) fn scheme(args: &TrainArgs, corpus: &Corpus) -> data::Result<Scheme> {
    let scheme = match &args.scheme {
        Some(name) => Scheme::parse(name)?,
        None => data::scheme::detect(corpus)?,
    };
    match data::scheme::validate(corpus, scheme).to_error(corpus, scheme) {
        Some(error) => Err(error),
        None => Ok(scheme),
    }
}

/// W029 if a part is empty that was drawn with these shares, equal sentences `together` or not, or dev and test both
/// are, whoever made them.
fn nothing_to_score(split: &Split, drawn: Option<[f64; 3]>, together: bool) -> Option<Warning> {
    let what = match (split.dev.is_empty(), split.test.is_empty()) {
        (true, true) => "no dev and no test part: nothing is scored, the last epoch is kept",
        (true, false) if drawn.is_some_and(|[_, dev, _]| dev > 0.0) => {
            "no dev part: no sentence fell to it, and the threshold is not tried"
        }
        (false, true) if drawn.is_some_and(|[_, _, test]| test > 0.0) => {
            "no test part: no sentence fell to it"
        }
        _ => return None,
    };
    let left_over = drawn.is_some_and(|[_, dev, test]| {
        (split.dev.is_empty() && dev > 0.0) || (split.test.is_empty() && test > 0.0)
    });
    let help = match left_over && together {
        true => {
            "few different sentences, and equal ones stay together: --set keep-duplicates=false, more data, or a \
             file of its own (--dev FILE)"
        }
        false => "more data, other shares (--split 80,10,10), or --dev FILE",
    };
    Some(Warning::new("W029", what).help(help))
}

/// Who trains, as `--device` has it.
pub(crate) fn choose_device(
    trainer: &mut Trainer,
    choice: Choice,
    screen: Screen,
) -> data::Result<()> {
    let (device, why_not) = train::device::open(choice, trainer)?;
    if let (Some(why), false) = (why_not, screen.quiet) {
        say(&format!("training on the CPU: {why}"));
    }
    if let Some(device) = device {
        if !screen.quiet {
            say(&format!("training on {}", device.name()));
        }
        trainer.train_on(device);
    }
    Ok(())
}

/// The settings of the run that is gone on with, so that nobody has to remember them; those of the command where it
/// names a preset or a file.
fn configure_again(args: &TrainArgs, folder: &RunFolder) -> data::Result<Config> {
    let begun = folder.config();
    if args.preset.is_some() || args.config.is_some() || !begun.is_file() {
        return configure(args);
    }
    let was = Config::from_toml(&input::read_text(&begun)?);
    let was = was.map_err(|e| e.at(&begun, None, None))?;
    let config = was.with(&args.flags()?)?;
    if config.refit != was.refit {
        let message =
            format!("the run began with refit = {} and is to have {}", was.refit, config.refit);
        return Err(data::Error::new("E043", message).help("start anew with --force"));
    }
    Ok(config)
}

pub(crate) fn configure(args: &TrainArgs) -> data::Result<Config> {
    let text = args.config.as_deref().map(input::read_text).transpose()?;
    let file = args.config.as_deref().zip(text.as_deref());
    Config::resolve(args.preset.as_deref(), file, &args.flags()?)
}

/// `-o`, or runs/ and the name of the data without its endings.
pub(crate) fn output(args: &TrainArgs) -> PathBuf {
    args.output.clone().unwrap_or_else(|| {
        let name = args.data.as_deref().and_then(Path::file_name);
        let name = name.map_or("longhand".into(), |n| n.to_string_lossy().into_owned());
        let stem = name.split('.').next().filter(|s| !s.is_empty()).unwrap_or("run");
        Path::new("runs").join(stem)
    })
}

/// What is trained on, and what with.
pub(crate) struct Parts {
    /// All files as one.
    pub corpus: Corpus,
    pub split: Split,
    /// How the parts were made, in words.
    pub made: String,
    /// Whether all three were drawn from the data by `split`: what falls into them is then nobody's mistake.
    pub drawn: bool,
    pub warnings: Vec<Warning>,
}

/// The corpus and its parts.
pub(crate) fn read(args: &TrainArgs, config: &Config) -> data::Result<Parts> {
    let Some(path) = &args.data else {
        let (corpus, split) = input::embedded()?;
        let usual = Config::preset(&config.preset)?.split == config.split;
        let named = args.split_file.is_none() && usual;
        if named && args.dev.is_none() && args.test.is_none() {
            let (made, warnings) = ("built-in".into(), Vec::new());
            return Ok(Parts { corpus, split, made, drawn: false, warnings });
        }
        return parts(args, config, corpus, Vec::new());
    };
    let (corpus, warnings) = read_corpus(path, &args.read)?;
    parts(args, config, corpus, warnings)
}

fn parts(
    args: &TrainArgs,
    config: &Config,
    mut corpus: Corpus,
    mut warnings: Vec<Warning>,
) -> data::Result<Parts> {
    if let Some(path) = &args.split_file {
        let split = Split::by_index_file(path, corpus.len())?;
        let made = file_name(path);
        return Ok(Parts { corpus, split, made, drawn: false, warnings });
    }
    let shares = config.shares()?;
    if args.dev.is_none() && args.test.is_none() {
        let split = Split::by_fractions(&corpus, shares, config.seed, config.keep_duplicates)?;
        let made = format!("{} (seed {})", config.split, config.seed);
        return Ok(Parts { corpus, split, made, drawn: true, warnings });
    }
    let all = 0..corpus.len() as u32;
    let mut split = Split { train: all.collect(), ..Split::default() };
    let mut append = |path: &PathBuf| -> data::Result<Vec<u32>> {
        let (part, more) = read_corpus(path, &args.read)?;
        warnings.extend(more);
        Ok(corpus.append(&part).collect())
    };
    if let Some(path) = &args.test {
        split.test = append(path)?;
    }
    match &args.dev {
        Some(path) => split.dev = append(path)?,
        // No dev file: take dev from the data, in the proportion of train and dev in `split`.
        None => {
            let train = split.train.len();
            let [share, dev, _] = shares;
            if dev > 0.0 {
                let whole = share + dev;
                let cut = [100.0 * share / whole, 100.0 * dev / whole, 0.0];
                let within =
                    Split::by_fractions(&corpus, cut, config.seed, config.keep_duplicates)?;
                let of_data = |part: Vec<u32>| part.into_iter().filter(|&i| (i as usize) < train);
                split.train = of_data(within.train).collect();
                split.dev = of_data(within.dev).collect();
            }
        }
    }
    Ok(Parts { corpus, split, made: "files".into(), drawn: false, warnings })
}

/// A run must not write over what it reads, whatever it is told.
pub(crate) fn keep_inputs(args: &TrainArgs, config: &Config, folder: &Path) -> data::Result<()> {
    let inputs = [&args.data, &args.dev, &args.test, &args.split_file, &args.config];
    let vectors = Some(Path::new(&config.vectors)).filter(|path| !path.as_os_str().is_empty());
    for input in inputs.into_iter().flatten().map(PathBuf::as_path).chain(vectors) {
        let within = ["", "without-dev", "unfinished", "unfinished/without-dev"];
        let same = |name: &&str| {
            within.map(|part| folder.join(part).join(name)).iter().any(|file| {
                matches!((file.canonicalize(), input.canonicalize()), (Ok(a), Ok(b)) if a == b)
            })
        };
        if train::run::FILES.iter().any(same) {
            let message = format!("the run would write over {}", input.display());
            return Err(data::Error::new("E012", message).help("choose another folder with `-o`"));
        }
    }
    Ok(())
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// What is about to happen, in a few lines.
fn header(
    trainer: &Trainer,
    corpus: &Corpus,
    scheme: Scheme,
    floors: Option<&results::Floors>,
) -> String {
    let (d, c) = (trainer.dataset(), trainer.config());
    let source = corpus.source_of(0);
    let name = file_name(Path::new(&source.path));
    let [train, dev, test] = [&d.split.train, &d.split.dev, &d.split.test].map(|p| p.len());
    let n = report::human::count;
    let floor = floors.map_or(String::new(), |f| {
        let f1 = 100.0 * f.most_frequent_tag.micro.f1;
        format!("\nfloors on dev: all-O F1 0.00, most frequent tag of each word F1 {f1:.2}")
    });
    let layers: Vec<String> = std::iter::once(format!("embedding:{}", c.embedding))
        .chain(c.encoder.iter().cloned())
        .collect();
    let lines = [
        format!(
            "{name} ({}, {}): {}, {}",
            source.encoding,
            scheme.name(),
            report::human::counted(d.code.vocab.len(), "word", "words"),
            report::human::counted(d.tags.len(), "tag", "tags"),
        ),
        format!("{} train, {} dev, {} test sentences", n(train), n(dev), n(test)),
        format!(
            "{}: {}{}, {} weights, seed {}, {}",
            c.preset,
            if c.members > 1 { format!("{} networks of ", c.members) } else { String::new() },
            layers.join(" → "),
            n(nn::Params::count(trainer.tagger())),
            c.seed,
            report::human::counted(rayon::current_num_threads(), "thread", "threads"),
        ),
    ];
    lines.join("\n") + &floor + &vectors_line(d, c)
}

/// What the pretrained vectors are and how much of the data they cover, on a line of its own.
fn vectors_line(dataset: &Dataset, config: &Config) -> String {
    let Some((words, read)) = dataset.code.vectors.as_ref().zip(dataset.vectors.as_ref()) else {
        return String::new();
    };
    let n = report::human::count;
    let how = match config.vectors_train {
        VectorsTrain::Frozen => "frozen",
        VectorsTrain::Tuned => "tuned",
    };
    let dev = read.dev_entities.map_or(String::new(), |c| {
        format!(", {:.1} % of the tokens of dev's entities", 100.0 * c.of_tokens())
    });
    let (words_kept, dim) = (n(words.len()), words.dim);
    format!("\n{}: {words_kept} words of {dim} numbers, {how}; {}{dev}", words.file, read.coverage)
}

/// W065 where the model is worse than the most frequent tag of each word.
fn below_floor(parts: &[Option<PartResult>; 2]) -> Vec<Warning> {
    let below = |(part, result): (&str, &Option<PartResult>)| {
        let result = result.as_ref()?;
        let f1 = [&result.model, &result.floors.most_frequent_tag].map(|s| 100.0 * s.micro.f1);
        let [model, floor] = f1;
        let message = format!(
            "{part}: F1 {model:.2}, below {floor:.2} of the most frequent tag of each word; it has not learned enough"
        );
        let help = "more epochs, a higher learning rate, or more sentences for each label";
        (model < floor).then(|| Warning::new("W065", message).help(help))
    };
    ["dev", "test"].into_iter().zip(parts).filter_map(below).collect()
}

/// The scores of both parts beside their floors.
fn tables(parts: &[Option<PartResult>; 2], screen: Screen) -> String {
    let mut text = String::new();
    for (part, result) in ["dev", "test"].iter().zip(parts) {
        let Some(result) = result else { continue };
        text += &format!("{part}\n");
        if *part == "test" {
            text += &format!("{}\n", report::table::scores(&result.model, screen.color));
        }
        let systems = [
            ("all O", &result.floors.all_o),
            ("most frequent tag", &result.floors.most_frequent_tag),
            ("this model", &result.model),
        ];
        text += &format!("{}\n", report::table::floors(&systems, screen.color));
    }
    text
}
