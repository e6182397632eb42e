//! What can be typed.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

/// Train a named-entity tagger on a CPU, and tag with it.
#[derive(Parser)]
#[command(
    version,
    disable_help_subcommand = true,
    max_term_width = 80,
    after_help = "Examples:\n  \
        longhand train                                  train on the built-in corpus\n  \
        longhand train ner_dataset.csv -o runs/gmb      train on a file of your own\n  \
        longhand tag runs/gmb --text \"Ann Lee left Oslo on Monday.\"\n  \
        longhand help E003                              what an error's code means"
)]
pub struct Cli {
    /// When to use colour.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
    /// No progress, no remarks.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Commands.
#[derive(Subcommand)]
pub enum Command {
    /// Train a tagger.
    #[command(args_override_self = true)]
    Train(Box<TrainArgs>),
    /// Look for a better configuration: many trainings, judged on dev.
    #[command(args_override_self = true)]
    Search(Box<SearchArgs>),
    /// Tag text.
    Tag(TagArgs),
    /// Serve a model: a page to paste text into, and JSON over HTTP.
    Serve(ServeArgs),
    /// Score a model on a tagged file.
    Eval(EvalArgs),
    /// Show what a model is made of and where it comes from.
    Info(InfoArgs),
    /// Write the page of a finished run, or compare two runs.
    Report(ReportArgs),
    /// Look for what is wrong with tagged sentences.
    Check(CheckArgs),
    /// Score tags against other tags, whoever made them.
    Score(ScoreArgs),
    /// Turn tagged sentences into another format or scheme.
    Convert(ConvertArgs),
    /// Write a configuration file to start from.
    Init(InitArgs),
    /// Check every gradient against finite differences.
    Gradcheck(GradcheckArgs),
    /// Show how a model came to its tags: gates, scores, words that mattered.
    Explain(ExplainArgs),
    /// Write a model for PyTorch, Keras, NumPy, onnxruntime, or as JSON.
    Export(ExportArgs),
    /// Read back what `export` wrote.
    Import(ImportArgs),
    /// Measure how fast this machine trains and tags, in half a minute.
    Bench(BenchArgs),
    /// Print what a shell needs to complete commands and options.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page (`longhand man | man -l -`).
    Man,
    /// Explain an error's code (E003), a command, the `config` keys, or all `codes`.
    Help {
        /// A code, a command, `config` or `codes`.
        topic: Option<String>,
    },
}

/// When to use colour.
#[derive(Clone, Copy, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether to colour what goes to `stream`.
    pub fn on(self, stream: &impl IsTerminal) -> bool {
        let unset = |name| std::env::var_os(name).is_none_or(|v| v.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|t| t == "dumb");
        match self {
            Color::Auto => stream.is_terminal() && unset("NO_COLOR") && !dumb,
            Color::Always => true,
            Color::Never => false,
        }
    }
}

/// How a data file is read.
#[derive(Args, Clone, Default)]
pub struct ReadArgs {
    /// How the file is laid out; found out by itself.
    #[arg(long, value_enum)]
    pub format: Option<FormatArg>,
    /// Its encoding, such as utf-8 or windows-1252; found out by itself.
    #[arg(long)]
    pub encoding: Option<String>,
    /// Which column is what, by name or number: token=Word,tag=Tag,sentence="Sentence #".
    #[arg(long, value_name = "ROLE=COLUMN,…")]
    pub columns: Option<String>,
}

/// Layouts of data files.
#[derive(Clone, Copy, ValueEnum)]
pub enum FormatArg {
    /// Comma-separated with a header, as the Kaggle file.
    Csv,
    /// One token a line, columns, blank lines between sentences.
    Conll,
}

/// Arguments of `train`.
#[derive(Args)]
pub struct TrainArgs {
    /// Tagged sentences: CSV or CoNLL columns, plain, .gz or .zip. The built-in corpus if left out.
    pub data: Option<PathBuf>,
    /// Folder of the run [default: runs/NAME-OF-DATA].
    #[arg(short, long, value_name = "RUN")]
    pub output: Option<PathBuf>,
    /// Sentences to watch the training with, and to choose the threshold or the epoch, in a file of their own.
    #[arg(long, value_name = "FILE")]
    pub dev: Option<PathBuf>,
    /// Sentences to judge the result with, in a file of their own.
    #[arg(long, value_name = "FILE")]
    pub test: Option<PathBuf>,
    /// Parts as lists of sentence numbers: lines `train`, `dev`, `test`, a tab, numbers from 0.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dev", "test", "split"])]
    pub split_file: Option<PathBuf>,
    /// Shares of train, dev and test: 80,10,10.
    #[arg(long, value_name = "SHARES", conflicts_with = "dev")]
    pub split: Option<String>,
    #[command(flatten)]
    pub read: ReadArgs,
    /// Tag scheme of the data: iob1, iob2, iobes or bilou; found out by itself.
    #[arg(long)]
    pub scheme: Option<String>,
    /// Count tags of dev and test that train lacks as missed, instead of refusing them.
    #[arg(long)]
    pub allow_new_labels: bool,

    /// Set of values to start from: fast (the default), accurate, repaired or tutorial.
    #[arg(long)]
    pub preset: Option<String>,
    /// Values over the preset's, in a TOML file (`longhand help config` shows the keys).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// One value over all others; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Pretrained word vectors: text of GloVe, word2vec or fastText, or word2vec binary; plain, .gz or .zip.
    #[arg(long, value_name = "FILE")]
    pub vectors: Option<String>,
    /// Passes over the training part; given, they are not added to for few sentences.
    #[arg(long, allow_negative_numbers = true)]
    pub epochs: Option<String>,
    /// Sentences in a batch; given, neither it nor the epochs change for few sentences.
    #[arg(long, allow_negative_numbers = true)]
    pub batch: Option<String>,
    /// Learning rate.
    #[arg(long, visible_alias = "lr", value_name = "RATE", allow_negative_numbers = true)]
    pub learning_rate: Option<String>,
    /// Largest norm of the gradient; 0 for any.
    #[arg(long, value_name = "NORM", allow_negative_numbers = true)]
    pub clip: Option<String>,
    /// Lower-case words before looking them up.
    #[arg(
        long,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_name = "BOOL"
    )]
    pub lower: Option<String>,
    /// Seed of all random numbers.
    #[arg(long, allow_negative_numbers = true)]
    pub seed: Option<String>,
    /// Threads; 0 for all cores. Changes no result.
    #[arg(long, allow_negative_numbers = true)]
    pub threads: Option<String>,
    /// What trains: cpu; cuda, a GPU, or an error; auto, a GPU if there is one that can.
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// Train once more in the end, on train and dev together, with the threshold that dev gave.
    #[arg(
        long,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_name = "BOOL"
    )]
    pub refit: Option<String>,

    /// Go on with an interrupted run, under its own settings.
    #[arg(long, conflicts_with = "force")]
    pub resume: bool,
    /// Write over a run that is there, which stands until the new one is finished.
    #[arg(long)]
    pub force: bool,
}

impl TrainArgs {
    /// Values given by flags, the later ones over the earlier.
    ///
    /// # Errors
    /// E041 if a `--set` has no `=`.
    pub fn flags(&self) -> data::Result<Vec<train::config::Flag>> {
        let named = [
            ("split", &self.split),
            ("vectors", &self.vectors),
            ("epochs", &self.epochs),
            ("batch", &self.batch),
            ("learning-rate", &self.learning_rate),
            ("clip", &self.clip),
            ("lower", &self.lower),
            ("refit", &self.refit),
            ("seed", &self.seed),
            ("threads", &self.threads),
        ];
        let mut flags = set(&self.set)?;
        flags.extend(named.into_iter().filter_map(|(k, v)| Some((k.to_owned(), v.clone()?))));
        Ok(flags)
    }
}

/// Arguments of `search`: those of `train`, which say what trials start from, and its own.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
        longhand search data.csv -o runs/search         the usual keys, 27 trials\n  \
        longhand search data.csv --vary learning-rate=0.001..0.01 --vary batch=16,32,64\n  \
        longhand search data.csv -o runs/search --trials 54 --resume    as many again\n  \
        longhand train data.csv --config runs/search/best.toml")]
#[command(
    mut_arg("output", |a| a
        .value_name("FOLDER")
        .help("Folder of the search [default: runs/NAME-OF-DATA-search]")),
    mut_arg("dev", |a| a.help("Sentences that trials are judged on, in a file of their own")),
    mut_arg("test", |a| a.hide(true)), // refused, with the reason
    mut_arg("refit", |a| a.hide(true)), // trials are judged on dev
    mut_arg("epochs", |a| a.help("Passes over the training part, of a whole training")),
    mut_arg("resume", |a| a.help("Go on with an interrupted search, or give a search more trials")),
    mut_arg("force", |a| a.help("Write over a search that is there, once a trial is done")),
)]
pub struct SearchArgs {
    #[command(flatten)]
    pub train: TrainArgs,
    /// A key and its values: KEY=A,B,C, or KEY=LOW..HIGH for a number between (by its logarithm, if HIGH is 4 times LOW
    /// or more); may be given several times [default: rates, widths and dropout].
    #[arg(long, value_name = "KEY=VALUES")]
    pub vary: Vec<String>,
    /// Configurations to try, the start among them.
    #[arg(long, value_name = "N", default_value_t = 27)]
    pub trials: usize,
    /// How they are tried.
    #[arg(long, value_enum, default_value_t = SearchMethod::Halving)]
    pub method: SearchMethod,
    /// Seeds that the best and the start are trained with in the end.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub confirm: usize,
    /// Print all trials as JSON.
    #[arg(long)]
    pub json: bool,
}

/// How `search` tries.
#[derive(Clone, Copy, ValueEnum)]
pub enum SearchMethod {
    /// Every configuration to the end.
    Random,
    /// All for a ninth of the epochs, a third of them for a third, a third of those to the end.
    Halving,
}

/// The pairs of `--set`.
///
/// # Errors
/// E041 if one has no `=`.
pub fn set(pairs: &[String]) -> data::Result<Vec<train::config::Flag>> {
    let pairs = pairs.iter().map(|pair| match pair.split_once('=') {
        Some((key, value)) => Ok((key.trim().to_owned(), value.trim().to_owned())),
        None => Err(data::Error::new("E041", format!("`--set {pair}` has no `=`"))
            .help("write --set KEY=VALUE")),
    });
    pairs.collect()
}

/// Arguments of `tag`.
#[derive(Args)]
pub struct TagArgs {
    /// A model file, or the folder of a run.
    pub model: PathBuf,
    /// Texts to tag, or folders of them; `-` is standard input, which is also read if neither files nor
    /// --text are given.
    pub files: Vec<PathBuf>,
    /// A text to tag; may be given several times.
    #[arg(short, long)]
    pub text: Vec<String>,
    /// What the input is [default: lines for standard input, text for files].
    #[arg(long = "in", value_enum)]
    pub input: Option<InputKind>,
    /// What to write.
    #[arg(long, value_enum, default_value_t = OutputKind::Text)]
    pub out: OutputKind,
    /// What `start` and `end` of `jsonl` count.
    #[arg(long, value_enum, default_value_t = OffsetsArg::Chars)]
    pub offsets: OffsetsArg,
    /// Leave out entities that are less likely than this (0 to 1). A model with `decode = "likely"` gives none below the
    /// threshold that it was trained with, which `info` shows.
    #[arg(long, value_name = "P", default_value_t = 0.0, allow_negative_numbers = true)]
    pub min_score: f64,
    /// Show how likely each entity is in `text` too; `jsonl` and `html` always do.
    #[arg(long)]
    pub scores: bool,
    /// Write to a file instead of standard output; to a folder, if the input is one.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Threads; 0 for all cores. Changes no result.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub threads: usize,
    /// What tags: cpu; cuda, a GPU, or an error; auto, a GPU if there is one.
    #[arg(long, default_value = "cpu")]
    pub device: String,
}

/// What `tag` reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InputKind {
    /// Running text; each file is one text.
    Text,
    /// Each line is a text of its own.
    Lines,
    /// Each line is a JSON object with a `text`; its other fields go into `jsonl` as they are.
    Jsonl,
    /// Tokens already: the first column of each line, blank lines between sentences. A model that reads parts of
    /// speech takes them from the second.
    Conll,
}

/// What `tag` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputKind {
    /// The text with its entities marked.
    Text,
    /// A JSON object a text: {"text":…,"ents":[{"start":…,"end":…,"label":…,"text":…,"score":…}]}.
    Jsonl,
    /// A token and its tag a line, blank lines between sentences.
    Conll,
    /// Two files: the text, and an entity a line (OUT.txt, OUT.ann).
    Brat,
    /// One page with all texts, needing nothing from the network.
    Html,
    /// A picture of all texts; for a page or two of them.
    Svg,
    /// A JSON object a text as spaCy's Doc.from_json takes it: text, ents, sents, tokens.
    Spacy,
}

/// What offsets count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OffsetsArg {
    /// Characters (Unicode scalar values), as Python does.
    Chars,
    /// Bytes of UTF-8.
    Bytes,
    /// UTF-16 units, as JavaScript and Java do.
    Utf16,
}

/// Arguments of `serve`.
#[derive(Args)]
pub struct ServeArgs {
    /// A model file, or the folder of a run.
    pub model: PathBuf,
    /// Address and port; port 0 takes a free one. Only this machine reaches 127.0.0.1.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: String,
    /// Largest body of a request, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    pub max_body: usize,
    /// Longest time of a request, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub timeout: u64,
    /// Threads; 0 for all cores. Changes no result.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub threads: usize,
    /// What tags: cpu; cuda, a GPU, or an error; auto, a GPU if there is one.
    #[arg(long, default_value = "cpu")]
    pub device: String,
}

/// Arguments of `eval`.
#[derive(Args)]
pub struct EvalArgs {
    /// A model file, or the folder of a run.
    pub model: PathBuf,
    /// Tagged sentences.
    pub data: PathBuf,
    #[command(flatten)]
    pub read: ReadArgs,
    /// Only this part of a --split-file.
    #[arg(long, requires = "split_file")]
    pub part: Option<String>,
    /// Parts as lists of sentence numbers.
    #[arg(long, value_name = "FILE", requires = "part")]
    pub split_file: Option<PathBuf>,
    /// Scoring rule: strict, seqeval or conlleval.
    #[arg(long, default_value = "strict")]
    pub mode: String,
    /// Scores as JSON.
    #[arg(long)]
    pub json: bool,
    /// Exit with 1 if the micro F1 is lower than this (0 to 1).
    #[arg(long, value_name = "F1")]
    pub fail_under: Option<f64>,
    /// Threads; 0 for all cores.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub threads: usize,
    /// What tags: cpu; cuda, a GPU, or an error; auto, a GPU if there is one.
    #[arg(long, default_value = "cpu")]
    pub device: String,
}

/// Arguments of `report`.
#[derive(Args)]
pub struct ReportArgs {
    /// A run's folder: writes its report.html anew. Two runs: compares them on the same sentences.
    #[arg(value_name = "RUN", required = true, num_args = 1..=2)]
    pub runs: Vec<PathBuf>,
    /// Write the page here [default: RUN/report.html; of two runs no page].
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The part to judge by [default: test, or dev if there is no test].
    #[arg(long, value_enum)]
    pub part: Option<PartArg>,
    /// The comparison of two runs as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Parts that a run is judged on.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PartArg {
    /// The sentences that training is watched with.
    Dev,
    /// The sentences that judge the result.
    Test,
}

/// Arguments of `info`.
#[derive(Args)]
pub struct InfoArgs {
    /// A model file, or the folder of a run.
    pub model: PathBuf,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `bench`.
#[derive(Args)]
pub struct BenchArgs {
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    /// Threads; 0 for all cores.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub threads: usize,
    /// Seconds that training, forward and backward, and tagging are each measured.
    #[arg(long, default_value_t = 6.0)]
    pub seconds: f64,
}

/// Arguments of `gradcheck`.
#[derive(Args)]
pub struct GradcheckArgs {
    /// A model file, or the folder of a run; otherwise a preset's network on the built-in corpus.
    pub model: Option<PathBuf>,
    /// Set of values to start from: fast (the default), accurate, repaired or tutorial.
    #[arg(long, conflicts_with = "model")]
    pub preset: Option<String>,
    /// Values over the preset's, in a TOML file.
    #[arg(long, value_name = "FILE", conflicts_with = "model")]
    pub config: Option<PathBuf>,
    /// One value over all others; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE", conflicts_with = "model")]
    pub set: Vec<String>,
    /// Elements to compare of a tensor that has more.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub samples: usize,
    /// Seed of words, tags, dropout and of which elements are compared.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Errors from here on are wrong gradients.
    #[arg(long, value_name = "ERROR", default_value_t = 1e-6)]
    pub bound: f64,
    /// Plant a mistake: TENSOR[=negated|zero|twice], gate-order, repeated-rows, dropout-masks or
    /// mean-over-sentences.
    #[arg(long = "break", value_name = "MISTAKE")]
    pub plant: Option<String>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `explain`.
#[derive(Args)]
pub struct ExplainArgs {
    /// A model file, or the folder of a run.
    pub model: PathBuf,
    /// A sentence or a few; standard input if left out.
    pub text: Option<String>,
    /// What to write.
    #[arg(long, value_enum, default_value_t = ExplainKind::Html)]
    pub out: ExplainKind,
    /// Write to a file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// What `explain` writes.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExplainKind {
    /// A page to step through, needing nothing from the network.
    Html,
    /// All its numbers.
    Json,
}

/// Arguments of `export`.
#[derive(Args)]
pub struct ExportArgs {
    /// A model file, or the folder of a run.
    pub model: PathBuf,
    /// The format.
    #[arg(long, value_enum)]
    pub to: ExportKind,
    /// The file to write.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Beside it, as FILE.example.json: what the network reads of this text and what it gives.
    #[arg(long, value_name = "TEXT")]
    pub example: Option<String>,
    /// Write over files that are there.
    #[arg(long)]
    pub force: bool,
}

/// What `export` writes.
#[derive(Clone, Copy, ValueEnum)]
pub enum ExportKind {
    /// A state_dict as safetensors, in PyTorch's names and layouts.
    Pytorch,
    /// NumPy arrays in the layouts of Keras's layers.
    Keras,
    /// NumPy arrays under this program's names.
    Npz,
    /// Everything as text.
    Json,
    /// An ONNX graph from word numbers to the scores of tags.
    Onnx,
}

/// Arguments of `import`.
#[derive(Args)]
pub struct ImportArgs {
    /// A file that `export` wrote, of any kind; its weights may have been trained on.
    pub file: PathBuf,
    /// The model file to write.
    #[arg(short, long, value_name = "MODEL")]
    pub output: PathBuf,
    /// Write over a file that is there.
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `check`.
#[derive(Args)]
pub struct CheckArgs {
    /// Tagged sentences; several files are one corpus, `-` is standard input. The built-in corpus if
    /// left out.
    pub data: Vec<PathBuf>,
    /// Sentences of the dev part, to be held against DATA.
    #[arg(long, value_name = "FILE", requires = "data")]
    pub dev: Option<PathBuf>,
    /// Sentences of the test part, to be held against DATA.
    #[arg(long, value_name = "FILE", requires = "data")]
    pub test: Option<PathBuf>,
    /// Parts of DATA as lists of sentence numbers.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dev", "test"], requires = "data")]
    pub split_file: Option<PathBuf>,
    #[command(flatten)]
    pub read: ReadArgs,
    /// Tag scheme: iob1, iob2, iobes or bilou; found out by itself.
    #[arg(long)]
    pub scheme: Option<String>,
    /// The report as JSON.
    #[arg(long)]
    pub json: bool,
    /// Write DATA with illegal tags repaired; .csv or .conll.
    #[arg(long, value_name = "OUT")]
    pub fix: Option<PathBuf>,
    /// Exit with 1 if there is a finding of this severity or a graver one.
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub deny: Option<Deny>,
}

/// From which severity on findings are refused.
#[derive(Clone, Copy, ValueEnum)]
pub enum Deny {
    /// Warnings and errors.
    Warn,
    /// Errors.
    Error,
}

/// Arguments of `score`.
#[derive(Args)]
pub struct ScoreArgs {
    /// Right tags; or, alone, one file with both: the last column is the prediction and the one before it
    /// is right, unless --columns names others. `-`, and nothing at all, is standard input.
    pub gold: Option<PathBuf>,
    /// Predicted tags for the same words.
    #[arg(value_name = "PRED")]
    pub predicted: Option<PathBuf>,
    /// Scoring rule: strict, seqeval or conlleval [default: strict].
    #[arg(long)]
    pub mode: Option<String>,
    /// Tag scheme of the strict rule: iob1, iob2, iobes or bilou; found out by itself.
    #[arg(long)]
    pub scheme: Option<String>,
    /// Encoding of GOLD and PRED; found out by itself.
    #[arg(long)]
    pub encoding: Option<String>,
    /// Which column of GOLD and PRED is what, by name or number: token=Word,tag=Tag; and of one file
    /// with both, pred=Guess.
    #[arg(long, value_name = "ROLE=COLUMN,…")]
    pub columns: Option<String>,
    /// Scores as JSON.
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Layout of the result other than the table.
    #[arg(long, value_enum)]
    pub format: Option<ScoreLayout>,
    /// Exit with 1 if the micro F1 is lower than this (0 to 1).
    #[arg(long, value_name = "F1")]
    pub fail_under: Option<f64>,
}

/// Layouts of scores.
#[derive(Clone, Copy, ValueEnum)]
pub enum ScoreLayout {
    /// What the Perl program prints; its rule too unless --mode says otherwise.
    Conlleval,
}

/// Arguments of `convert`.
#[derive(Args)]
pub struct ConvertArgs {
    /// Tagged sentences: CSV, CoNLL columns, texts with entities (.jsonl), or BRAT (.ann, with .txt beside
    /// it); `-` is standard input.
    #[arg(value_name = "IN")]
    pub input: PathBuf,
    /// What to write; the ending says how: .csv, .conll, .jsonl, .ann (BRAT, with .txt beside it). `-`
    /// is standard output.
    #[arg(value_name = "OUT")]
    pub output: PathBuf,
    /// How to write, whatever the ending.
    #[arg(long, value_enum)]
    pub to: Option<To>,
    /// Tag scheme to write: iob1, iob2, iobes or bilou [default: that of IN].
    #[arg(long)]
    pub scheme: Option<String>,
    /// Tag scheme of IN; found out by itself.
    #[arg(long, value_name = "SCHEME")]
    pub from: Option<String>,
    /// Put illegal tags right and list them, instead of refusing them.
    #[arg(long)]
    pub repair: bool,
    #[command(flatten)]
    pub read: ReadArgs,
}

/// What `convert` writes.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum To {
    /// As the Kaggle file: Sentence #,Word,POS,Tag.
    Csv,
    /// One token a line, a blank line after each sentence.
    Conll,
    /// A text with its entities and tokens a line; nothing is lost.
    Jsonl,
    /// Two files: the text, and an entity a line.
    Brat,
    /// A text and its entities a line, each entity as start, end and label.
    Spacy,
}

/// Arguments of `init`.
#[derive(Args)]
pub struct InitArgs {
    /// Tagged sentences; what they look like is noted in comments.
    pub data: Option<PathBuf>,
    /// The file to write; `-` is standard output.
    #[arg(short, long, value_name = "FILE", default_value = "longhand.toml")]
    pub output: PathBuf,
    /// Set of values to start from.
    #[arg(long)]
    pub preset: Option<String>,
    #[command(flatten)]
    pub read: ReadArgs,
    /// Write over a file that is there.
    #[arg(long)]
    pub force: bool,
}

/// The usage text.
pub fn usage() -> String {
    Cli::command().render_long_help().to_string()
}

/// The usage text of the command of this name.
pub fn usage_of(name: &str) -> Option<String> {
    let mut cli = Cli::command();
    cli.build();
    cli.find_subcommand_mut(name).map(|command| command.render_long_help().to_string())
}
