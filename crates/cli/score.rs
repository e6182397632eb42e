//! `longhand score`: two taggings of the same words, whoever made them.

use std::io::{self, Write};
use std::path::Path;

use data::scheme::{self, split_tag};
use data::{
    Columns, Corpus, CorpusBuilder, Encoding, Error, ReadOptions, Result, Scheme, Source, Warning,
};
use eval::{Rule, Scorer};
use report::human::counted;

use crate::args::{ReadArgs, ScoreArgs, ScoreLayout};
use crate::{Screen, Stop, input, warn};

/// The same sentences under two taggings.
struct Taggings {
    gold: Corpus,
    predicted: Corpus,
    warnings: Vec<Warning>,
}

/// Scores the predicted tags and prints the result.
pub fn run(args: &ScoreArgs, screen: Screen) -> std::result::Result<(), Stop> {
    let mut taggings = match (&args.gold, &args.predicted) {
        (Some(gold), Some(predicted)) => two_files(gold, predicted, args)?,
        (file, _) => one_file(file.as_deref().unwrap_or(Path::new("-")), args)?,
    };
    let rule = rule(args, &mut taggings)?;
    warn(&taggings.warnings, screen);
    let mut scorer = Scorer::new(rule);
    for (gold, predicted) in taggings.gold.sentences().zip(taggings.predicted.sentences()) {
        let [gold, predicted]: [Vec<&str>; 2] = [gold, predicted].map(|s| s.tags().collect());
        scorer.add(&gold, &predicted);
    }
    let scores = scorer.finish();
    let text = match args.format {
        Some(ScoreLayout::Conlleval) => report::conlleval::page(&scores),
        None if args.json => serde_json::to_string_pretty(&scores).expect("plain values") + "\n",
        None => report::table::scores(&scores, screen.color),
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    match args.fail_under {
        Some(least) if scores.micro.f1 < least => Err(Stop::No),
        _ => Ok(()),
    }
}

/// The rule that was asked for. Without a mode it is strict, or conlleval's in conlleval's layout.
fn rule(args: &ScoreArgs, taggings: &mut Taggings) -> Result<Rule> {
    let by_layout = if args.format.is_some() { "conlleval" } else { "strict" };
    let mode = args.mode.as_deref().unwrap_or(by_layout);
    match input::rule(mode, Scheme::Iob2)? {
        Rule::Strict(_) => strict(args, taggings).map(Rule::Strict),
        Rule::Conlleval => {
            let letters = ['E', 'S', 'L', 'U'];
            if let Some(tag) = first_with(&taggings.gold, &letters) {
                let message =
                    format!("conlleval does not know the letters of IOBES and BILOU ({tag})");
                let help = "turn the tags into IOB2 first: `longhand convert IN OUT --scheme iob2`";
                taggings.warnings.push(Warning::new("W047", message).help(help));
            }
            Ok(Rule::Conlleval)
        }
        rule => Ok(rule),
    }
}

/// The scheme of the gold tags. The predicted ones must be in it too, but may break its rules.
fn strict(args: &ScoreArgs, taggings: &mut Taggings) -> Result<Scheme> {
    let Taggings { gold, predicted, warnings } = taggings;
    let n_tags = gold.tags.iter().filter(|tag| split_tag(tag).is_some()).count();
    if n_tags == 0 && gold.n_tokens() > 0 {
        let values: Vec<&str> = gold.tags.iter().take(3).collect();
        let message = format!("no tag in the gold column; it holds {} …", values.join(", "));
        return Err(Error::new("E009", message)
            .at(&gold.source.path, None, None)
            .help("the last column is the prediction, the one before it is gold"));
    }
    let (scheme, is_named) = match &args.scheme {
        Some(name) => (Scheme::parse(name)?, true),
        None => (scheme::detect(gold)?, false),
    };
    let foreign: Vec<char> = ['B', 'I', 'E', 'S', 'L', 'U']
        .into_iter()
        .filter(|l| !scheme.letters().contains(l))
        .collect();
    if let Some(tag) = first_with(predicted, &foreign).filter(|_| !is_named) {
        let message = format!("gold tags are {scheme}, but {tag} is predicted");
        return Err(Error::new("E006", message)
            .at(&predicted.source.path, None, None)
            .help("write both in one scheme (`longhand convert`), or name it: `--scheme`"));
    }
    warnings.extend(illegal("W048", "gold", gold, scheme));
    warnings.extend(illegal("W049", "predicted", predicted, scheme));
    Ok(scheme)
}

/// How many tags are not legal, with the first.
fn illegal(code: &'static str, whose: &str, corpus: &Corpus, scheme: Scheme) -> Option<Warning> {
    let found = scheme::validate(corpus, scheme);
    let first = found.listed.first()?;
    let before =
        first.prev.as_deref().map_or("at the beginning".into(), |tag| format!("after {tag}"));
    let tags = counted(found.count, &format!("{whose} tag is"), &format!("{whose} tags are"));
    let message = format!(
        "{tags} not legal in {scheme} and may be no entity by the strict rule; the first is {} {before}",
        first.tag
    );
    let fits = |other: &&Scheme| scheme::validate(corpus, **other).count == 0;
    let help = match Scheme::ALL.iter().find(fits) {
        Some(other) => format!("all of them are legal in {other}: `--scheme {other}`"),
        None => "`--mode conlleval` reads them as the shared tasks did".to_owned(),
    };
    Some(Warning::new(code, message).at(&corpus.source.path, first.line, None).help(help))
}

fn first_with<'a>(corpus: &'a Corpus, letters: &[char]) -> Option<&'a str> {
    let has = |tag: &&str| split_tag(tag).is_some_and(|(letter, _)| letters.contains(&letter));
    corpus.tags.iter().find(has)
}

/// Gold and prediction in files of their own, whose words must be the same.
fn two_files(gold: &Path, predicted: &Path, args: &ScoreArgs) -> Result<Taggings> {
    if gold.as_os_str() == "-" && predicted.as_os_str() == "-" {
        return Err(Error::new("E048", "standard input cannot be both files"));
    }
    let ScoreArgs { encoding, columns, .. } = args;
    let read = ReadArgs { format: None, encoding: encoding.clone(), columns: columns.clone() };
    let (gold, mut warnings) = input::read_corpus(gold, &read)?;
    let (predicted, more) = input::read_corpus(predicted, &read)?;
    warnings.extend(more);
    same_words(&gold, &predicted)?;
    Ok(Taggings { gold, predicted, warnings })
}

fn same_words(gold: &Corpus, predicted: &Corpus) -> Result<()> {
    let paths = [&gold.source.path, &predicted.source.path];
    let fail = |what: String, line: u64| {
        Err(Error::new("E046", what)
            .at(paths[1], line, None)
            .help("both taggings must have the same tokens in the same sentences"))
    };
    for (g, p) in gold.sentences().zip(predicted.sentences()) {
        for j in 0..g.len().min(p.len()) {
            if g.word(j) != p.word(j) {
                let what = format!(
                    "{:?} stands here, {:?} in {}:{}",
                    p.word(j),
                    g.word(j),
                    paths[0],
                    g.line(j)
                );
                return fail(what, p.line(j));
            }
        }
        if g.len() != p.len() {
            let what = format!(
                "this sentence has {}, that of {}:{} has {}",
                counted(p.len(), "token", "tokens"),
                paths[0],
                g.line(0),
                g.len()
            );
            return fail(what, p.line(0));
        }
    }
    if gold.len() != predicted.len() {
        let sentences = counted(predicted.len(), "sentence", "sentences");
        let what = format!("{sentences}, but {} has {}", paths[0], gold.len());
        return fail(what, predicted.sentence(predicted.len() - 1).line(0));
    }
    Ok(())
}

/// One file that holds both taggings, in the columns that are named or as conlleval takes them.
fn one_file(path: &Path, args: &ScoreArgs) -> Result<Taggings> {
    let Some(named) = &args.columns else { return columns(path, args) };
    let both = Columns::parse_both(named)?;
    let read = ReadArgs { format: None, encoding: args.encoding.clone(), columns: None };
    let options = input::options(&read)?;
    let stdin = if path.as_os_str() == "-" { Some(input::stdin_bytes()?) } else { None };
    let read = |columns: &Columns| {
        let options = ReadOptions { columns: columns.clone(), ..options.clone() };
        match &stdin {
            Some(bytes) => data::read_bytes("<stdin>", &bytes[..], &options),
            None => data::read(path, &options),
        }
    };
    let [(gold, warnings), (predicted, _)] = [read(&both[0])?, read(&both[1])?];
    // What is a comment or a token of its own may depend on the tag beside it.
    same_words(&gold, &predicted)?;
    Ok(Taggings { gold, predicted, warnings })
}

/// One file as conlleval takes it: the last column is the prediction, the one before it gold. A blank
/// line, or one that begins with `-X-`, ends a sentence.
fn columns(path: &Path, args: &ScoreArgs) -> Result<Taggings> {
    let encoding = args.encoding.as_deref().map_or(Ok(Encoding::Auto), Encoding::parse)?;
    let (name, text, warnings) = input::any_text(path, encoding)?;
    let builder = || CorpusBuilder::new(Source::named(&name), false, true);
    let [mut gold, mut predicted] = [builder(), builder()];
    let mut width = None;
    for (number, line) in (1_u32..).zip(text.lines()) {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        if fields.first().is_none_or(|first| *first == "-X-") {
            gold.end_sentence();
            predicted.end_sentence();
            continue;
        }
        let n = *width.get_or_insert(fields.len());
        if n != fields.len() || n < 2 {
            let counts = if n < 2 { "2 at least".into() } else { n.to_string() };
            let message =
                format!("{}, expected {counts}", counted(fields.len(), "field", "fields"));
            return Err(Error::new("E003", message).at(&name, u64::from(number), None).excerpt(line).help(
                "each line is a token with its gold tag and, last, the predicted one; to score two \
                 files: longhand score GOLD PRED; other columns: --columns tag=3,pred=4",
            ));
        }
        // With two columns the tags stand for the word too.
        gold.push_token(fields[0], None, Some(fields[n - 2]), number);
        predicted.push_token(fields[0], None, Some(fields[n - 1]), number);
    }
    let [gold, predicted] = [gold, predicted].map(CorpusBuilder::finish);
    if gold.is_empty() {
        let what =
            if text.trim().is_empty() { "the file is empty" } else { "no token in the file" };
        let help = "each line is a token with its gold tag and, last, the predicted one";
        return Err(Error::new("E023", what).at(&name, None, None).help(help));
    }
    Ok(Taggings { gold, predicted, warnings })
}
