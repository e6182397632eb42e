//! What a search changes: keys of the configuration, each with the values that it may take.

use data::{Error, Result};
use tensor::random::{Purpose, Stream};

use crate::config::{Config, Flag};

/// Keys and where their values come from, in the order given.
#[derive(Clone, Debug, PartialEq)]
pub struct Space {
    draws: Vec<(String, Draw)>,
}

/// Where the values of a key come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Draw {
    /// One of these, all alike.
    Choice(Vec<String>),
    /// A number between two; `log`: its logarithm is what is drawn evenly, as suits rates and sizes.
    Range {
        /// The lowest.
        low: f64,
        /// The highest.
        high: f64,
        /// Whether the logarithm is drawn.
        log: bool,
        /// Whether it is a whole number.
        whole: bool,
    },
}

/// What is searched where nothing is said. Its trials led to the presets' learning rate and dropout.
pub const USUAL: [&str; 7] = [
    "learning-rate=0.001..0.008",
    "embedding=32,48,64",
    "affix-rows=2048,3072,4096",
    "dropout=0.1..0.5",
    "dense-dropout=0.3..0.7",
    "wide-dropout=0.1..0.5",
    "unknown=0.2..0.8",
];

/// Keys that a search does not change: they name the run, not the network; and trials are single networks.
const FIXED: [&str; 8] =
    ["preset", "seed", "threads", "split", "keep-duplicates", "dev-from-train", "refit", "members"];

impl Space {
    /// Reads `key=a,b,c` (one of these) and `key=low..high` (a number between; by its logarithm where both ends are above
    /// 0 and the higher is at least four times the lower, as for learning rates).
    ///
    /// # Errors
    /// E040 for a key that does not exist, E041 for values that are none.
    pub fn parse<S: AsRef<str>>(texts: &[S], start: &Config) -> Result<Self> {
        let mut draws: Vec<(String, Draw)> = Vec::new();
        for text in texts.iter().map(AsRef::as_ref) {
            let (key, values) =
                text.split_once('=').ok_or_else(|| unreadable(text, "it has no `=`"))?;
            let (key, values) = (key.trim(), values.trim());
            if FIXED.contains(&key) {
                let message = format!("`{key}` is not for a search to change");
                return Err(Error::new("E041", message)
                    .help("the others are listed by `longhand help config`"));
            }
            if draws.iter().any(|(known, _)| known == key) {
                return Err(unreadable(text, "the key is given twice"));
            }
            let draw = match values.split_once("..") {
                Some((low, high)) => range(text, low, high)?,
                None => choice(text, values)?,
            };
            // Both ends have to be values of the key.
            for value in draw.ends() {
                start.with(&[(key.to_owned(), value)])?;
            }
            draws.push((key.to_owned(), draw));
        }
        Ok(Self { draws })
    }

    /// The keys, in the order given.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.draws.iter().map(|(key, _)| key.as_str())
    }

    /// As [`Space::parse`] reads them.
    pub fn texts(&self) -> Vec<String> {
        let text = |(key, draw): &(String, Draw)| match draw {
            Draw::Choice(values) => format!("{key}={}", values.join(",")),
            Draw::Range { low, high, .. } => format!("{key}={low}..{high}"),
        };
        self.draws.iter().map(text).collect()
    }

    /// The values of trial `n`.
    pub fn draw(&self, seed: u64, n: u32) -> Vec<Flag> {
        let value = |(k, (key, draw)): (usize, &(String, Draw))| {
            let mut stream = Stream::new(seed, Purpose::Search, n, k as u32);
            (key.clone(), draw.value(&mut stream))
        };
        self.draws.iter().enumerate().map(value).collect()
    }
}

impl Draw {
    fn value(&self, stream: &mut Stream) -> String {
        match self {
            Self::Choice(values) => values[stream.below(values.len() as u32) as usize].clone(),
            &Self::Range { low, high, log, whole } => {
                let at = f64::from(stream.unit());
                let value = match log {
                    true => (low.ln() + at * (high.ln() - low.ln())).exp(),
                    false => low + at * (high - low),
                };
                number(value, whole)
            }
        }
    }

    /// Values that stand for all.
    fn ends(&self) -> Vec<String> {
        match self {
            Self::Choice(values) => values.clone(),
            &Self::Range { low, high, whole, .. } => vec![number(low, whole), number(high, whole)],
        }
    }
}

/// Three digits are as many as a score can tell apart.
fn number(value: f64, whole: bool) -> String {
    if whole {
        return format!("{value:.0}");
    }
    if value == 0.0 {
        return "0.0".into();
    }
    let digits = (2 - value.abs().log10().floor() as i32).max(0) as usize;
    format!("{value:.digits$}")
}

fn range(text: &str, low: &str, high: &str) -> Result<Draw> {
    let end = |end: &str| end.trim().parse::<f64>().ok().filter(|v| v.is_finite());
    let (Some(from), Some(to)) = (end(low), end(high)) else {
        return Err(unreadable(text, "an end of a range is a number"));
    };
    if from >= to {
        return Err(unreadable(text, "a range goes from the lower to the higher"));
    }
    let whole = [low, high].iter().all(|end| end.trim().parse::<i64>().is_ok());
    Ok(Draw::Range { low: from, high: to, log: from > 0.0 && to >= 4.0 * from, whole })
}

/// Commas part values, but not inside of brackets: `encoder=["bilstm:64"],["bilstm:64","lstm:64"]`.
fn choice(text: &str, values: &str) -> Result<Draw> {
    let mut depth = 0;
    let parts = values.split(|c| {
        depth += i32::from(c == '[') - i32::from(c == ']');
        c == ',' && depth == 0
    });
    let values: Vec<String> = parts.map(|v| v.trim().to_owned()).collect();
    if values.iter().any(String::is_empty) {
        return Err(unreadable(text, "a value is missing"));
    }
    Ok(Draw::Choice(values))
}

fn unreadable(text: &str, why: &str) -> Error {
    Error::new("E041", format!("cannot read {text:?} as what to search: {why}"))
        .help("write --vary learning-rate=0.001..0.01 or --vary batch=16,32,64")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Config {
        Config::preset("fast").unwrap()
    }

    #[test]
    fn values_lie_where_they_may_and_follow_from_seed_and_number_alone() {
        let texts =
            ["learning-rate=0.001..0.1", "dropout=0..0.5", "epochs=2..5", "head=crf,softmax"];
        let space = Space::parse(&texts, &start()).unwrap();
        let (mut low, mut heads) = (0, std::collections::BTreeSet::new());
        for n in 1..=400 {
            let values = space.draw(5, n);
            assert_eq!(values, space.draw(5, n));
            let at = |k: usize| values[k].1.parse::<f64>().unwrap();
            assert!((0.001..=0.1).contains(&at(0)) && (0.0..=0.5).contains(&at(1)));
            assert!([2.0, 3.0, 4.0, 5.0].contains(&at(2)));
            low += usize::from(at(0) < 0.01);
            heads.insert(values[3].1.clone());
            start().with(&values).unwrap();
        }
        assert!((150..250).contains(&low), "half of the logarithms: {low} of 400");
        assert_eq!(heads.len(), 2);
        assert_ne!(space.draw(5, 1), space.draw(6, 1));
    }

    #[test]
    fn lists_are_values_too() {
        let text = r#"encoder=["bilstm:32"],["bilstm:32","lstm:16"]"#;
        let space = Space::parse(&[text], &start()).unwrap();
        let drawn: std::collections::BTreeSet<_> = (1..40).map(|n| space.draw(1, n)).collect();
        let widths = drawn.iter().map(|values| start().with(values).unwrap().encoder.len());
        assert_eq!(widths.collect::<std::collections::BTreeSet<_>>(), [1, 2].into());
    }

    #[test]
    fn what_is_no_space_is_refused_with_an_example() {
        for (text, says) in [
            ("batch", "no `=`"),
            ("batch=8,", "missing"),
            ("batch=64..8", "lower to the higher"),
            ("batch=few..many", "number"),
            ("dropout=0.5..1.5", "dropout"),
            ("head=crf,tree", "head"),
            ("seed=1,2", "not for a search"),
            ("members=1,4", "not for a search"),
            ("lerning-rate=1..2", "learning-rate"),
        ] {
            let error = Space::parse(&[text], &start()).unwrap_err();
            assert!(error.to_string().contains(says), "{text}: {error}");
        }
        assert!(Space::parse(&["batch=8,16", "batch=4"], &start()).is_err());
    }

    #[test]
    fn the_usual_space_fits_the_default() {
        assert_eq!(Space::parse(&USUAL, &start()).unwrap().keys().count(), USUAL.len());
    }
}
