//! Reasons to doubt: a run that learns nothing (W010), a text unlike what a model was trained on (W014).

use data::{UNK, Vocab, Warning};

use crate::config::Config;
use crate::model::Model;
use crate::trainer::EpochRecord;

/// After so many epochs without an entity a run is doubted.
const EPOCHS: usize = 3;

/// W010 for a run whose dev F1 has been 0 in each epoch, at the third or, if that comes first, at the last.
/// `all_o` is the token accuracy of O everywhere on dev.
pub fn learns_nothing(
    history: &[EpochRecord],
    all_o: Option<f64>,
    config: &Config,
) -> Option<Warning> {
    let n = history.len();
    let dev = history.last()?.dev?;
    let over = n == config.epochs as usize;
    let right = history.iter().any(|r| r.dev.is_none_or(|dev| dev.f1 > 0.0));
    if right || n > EPOCHS || (n < EPOCHS && !over) {
        return None;
    }
    let nothing = all_o.is_some_and(|all_o| (all_o - dev.token_accuracy).abs() < 1e-12);
    let accuracy = 100.0 * dev.token_accuracy;
    let what = match nothing {
        true => {
            format!("the model says O everywhere (token accuracy {accuracy:.2} %, that of all-O)")
        }
        false => "no entity of dev is found".to_owned(),
    };
    let epochs = n_epochs(n);
    let rate = config.learning_rate;
    let help = if config.pad {
        "here padding is learnt as O, as in the tutorial; `--preset repaired` leaves it out".into()
    } else if rate < 2e-4 {
        format!("learning rate {rate} is low for Adam: try --lr 0.001")
    } else if rate > 0.03 {
        format!("learning rate {rate} is high for Adam: try --lr 0.001")
    } else if over {
        "more epochs (--epochs), or a smaller batch (--batch 8), which makes more steps".into()
    } else {
        "smaller batches (--batch 8) make more steps; `longhand check` looks at the data".into()
    };
    Some(Warning::new("W010", format!("dev F1 is 0.0 after {epochs}: {what}")).help(help))
}

fn n_epochs(n: usize) -> String {
    if n == 1 { "1 epoch".into() } else { format!("{n} epochs") }
}

/// What a text looks like to a model: counts over its words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looks {
    words: usize,
    unknown: usize,
    /// Words that letters make, those of them with a capital, and those all in capitals.
    lettered: usize,
    capital: usize,
    shouted: usize,
}

/// W064: a model that reads parts of speech, and a text without.
pub fn without_pos() -> Warning {
    let message = "the model reads parts of speech and the text has none: it will find less";
    let help = "--in conll takes them from a column; or train with --set pos=false";
    Warning::new("W064", message).help(help)
}

impl Looks {
    /// So many words of a text are enough to know what it looks like.
    pub const ENOUGH: usize = 2000;
    /// Of fewer words no unknown share is told.
    const FEW: usize = 30;
    /// Of fewer words with letters nothing is said about their case.
    const FEW_LETTERED: usize = 20;

    /// Adds words.
    pub fn add<'a>(&mut self, model: &Model, words: impl IntoIterator<Item = &'a str>) {
        for word in words {
            self.words += 1;
            let in_vectors = || model.code.vectors.as_ref().is_some_and(|v| v.row(word) != 0);
            let known = model.code.vocab.id(word) != UNK || in_vectors();
            self.unknown += usize::from(!known);
            let case = Case::of(word);
            self.lettered += usize::from(case.letters);
            self.capital += usize::from(case.capital);
            self.shouted += usize::from(case.shouted);
        }
    }

    /// Whether enough words were seen.
    pub fn is_enough(&self) -> bool {
        self.words >= Self::ENOUGH
    }

    /// W014 if the words are unlike those that the model was trained on. `of` names them: "the first 2,000
    /// words".
    pub fn warning(&self, model: &Model, of: &str) -> Option<Warning> {
        let usual = Usual::of(model);
        let share = |n: usize, of: usize| n as f64 / of.max(1) as f64;
        let unknown = share(self.unknown, self.words);
        let strange =
            self.words >= Self::FEW && unknown > (4.0 * usual.unknown).max(usual.unknown + 0.1);
        let case = self.case(&usual);
        if !strange && case.is_none() {
            return None;
        }
        let mut parts = Vec::new();
        if strange {
            parts.push(format!(
                "{:.1} % of {of} are unknown to the model (of text like its training: {:.1} %)",
                100.0 * unknown,
                100.0 * usual.unknown
            ));
        }
        parts.extend(case.map(|(what, _)| what.to_owned()));
        let help = match case {
            Some((_, help)) => help,
            None => "names will be missed; train on some text of this kind",
        };
        Some(Warning::new("W014", parts.join("; ")).help(help))
    }

    /// What is odd about the case of the words, for a model that looks at case.
    fn case(&self, usual: &Usual) -> Option<(&'static str, &'static str)> {
        if self.lettered < Self::FEW_LETTERED || usual.lower {
            return None;
        }
        let share = |n: usize| n as f64 / self.lettered as f64;
        if usual.capital > 0.05 && share(self.capital) < usual.capital / 20.0 {
            let help = "restore the capitals, or train with --lower on lower-cased text";
            return Some(("the text is all lower case, and the model goes by capitals", help));
        }
        if share(self.shouted) > 0.5 + usual.shouted {
            let help = "give it text in ordinary case";
            return Some(("the text is all in capitals, which the model hardly saw", help));
        }
        None
    }
}

/// What text like the training text looks like to a model.
struct Usual {
    /// Words are lower-cased before they are looked up: their case is not known.
    lower: bool,
    unknown: f64,
    capital: f64,
    shouted: f64,
}

impl Usual {
    fn of(model: &Model) -> Self {
        Self::by(&model.code.vocab)
    }

    fn by(vocab: &Vocab) -> Self {
        let least = u64::from(vocab.min_count());
        let mut sums = [0.0; 5];
        let [words, at_least, lettered, capital, shouted] = &mut sums;
        for (word, &count) in vocab.words().zip(vocab.counts()).skip(1) {
            let n = count as f64;
            let case = Case::of(word);
            *words += n;
            *at_least += if count == least.max(1) { n } else { 0.0 };
            *lettered += if case.letters { n } else { 0.0 };
            *capital += if case.capital { n } else { 0.0 };
            *shouted += if case.shouted { n } else { 0.0 };
        }
        let unknown = vocab.count(UNK) as f64;
        let share = |n: f64, of: f64| if of > 0.0 { n / of } else { 0.0 };
        Self {
            lower: vocab.lower(),
            // Good and Turing's estimate: as many words of new text occur r times in training as training
            // itself has words that occur r + 1 times.
            unknown: share(unknown + *at_least, unknown + *words),
            capital: share(*capital, *lettered),
            shouted: share(*shouted, *lettered),
        }
    }
}

/// Case of a word that has letters which have one.
struct Case {
    letters: bool,
    capital: bool,
    shouted: bool,
}

impl Case {
    fn of(word: &str) -> Self {
        let (mut upper, mut lower) = (0, 0);
        for c in word.chars() {
            upper += usize::from(c.is_uppercase());
            lower += usize::from(c.is_lowercase());
        }
        Self {
            letters: upper + lower > 0,
            capital: upper > 0,
            // "I" and "A" are in capitals in any text.
            shouted: upper > 1 && lower == 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trainer::DevScores;

    fn history(f1: &[f64], token_accuracy: f64) -> Vec<EpochRecord> {
        let record = |(epoch, &f1): (u32, &f64)| {
            let dev = DevScores {
                precision: f1,
                recall: f1,
                f1,
                token_accuracy,
                padded_accuracy: None,
                threshold: 0.4,
            };
            let (loss, accuracy, learning_rate) = (1.0, 0.8, 0.001);
            let (tokens, seconds, tokens_per_second, best) = (1, 1.0, 1.0, true);
            EpochRecord {
                epoch,
                loss,
                accuracy,
                dev: Some(dev),
                learning_rate,
                tokens,
                seconds,
                tokens_per_second,
                best,
            }
        };
        (1..).zip(f1).map(record).collect()
    }

    #[test]
    fn a_run_is_doubted_once_and_only_if_it_never_found_anything() {
        let config = Config { epochs: 5, learning_rate: 1e-5, ..Config::preset("fast").unwrap() };
        let doubt =
            |f1: &[f64], accuracy| learns_nothing(&history(f1, accuracy), Some(0.84), &config);
        let told = doubt(&[0.0; 3], 0.84).unwrap().to_string();
        assert!(
            told.contains("after 3 epochs: the model says O everywhere (token accuracy 84.00 %"),
            "{told}"
        );
        assert!(told.contains("0.00001 is low for Adam"), "{told}");
        assert!(doubt(&[0.0; 3], 0.83).unwrap().message.ends_with("no entity of dev is found"));
        for quiet in [&[0.0, 0.0][..], &[0.0; 4], &[0.0; 5], &[0.0, 0.1, 0.0], &[0.5]] {
            assert_eq!(doubt(quiet, 0.84), None, "{quiet:?}");
        }
        let short = Config { epochs: 1, ..config.clone() };
        let told = learns_nothing(&history(&[0.0], 0.84), None, &short).unwrap();
        assert!(told.message.contains("after 1 epoch:"));
        let mut no_dev = history(&[0.0; 3], 0.84);
        no_dev.iter_mut().for_each(|r| r.dev = None);
        assert_eq!(learns_nothing(&no_dev, None, &config), None);
    }

    #[test]
    fn usual_text_is_estimated_from_the_counts_of_the_vocabulary() {
        // 10 tokens: a word 5 times, one twice, three once.
        let counted = [("The", 5), ("U.S.", 2), ("x", 1), ("Y", 1), ("9", 1)];
        let usual = |least| Usual::by(&Vocab::from_counts(counted.into_iter(), least, false));
        assert!((usual(1).unknown - 0.3).abs() < 1e-12);
        // Words seen once are unknown now, and new text has as many as train has of those seen twice.
        assert!((usual(2).unknown - 0.5).abs() < 1e-12);
        assert!((usual(1).capital - 8.0 / 9.0).abs() < 1e-12);
        assert!((usual(1).shouted - 2.0 / 9.0).abs() < 1e-12);
    }
}
