//! Search for a better configuration, on the dev part alone.
//!
//! Trial n is a configuration drawn by the number n and the search's seed, whatever was drawn before, so a search
//! that was interrupted goes on with the same trials, and one that is given more trials begins with those it had.
//! Trial 0 is the configuration that the search starts from.
//!
//! Two plans say how long each is trained ([`Plan`]): all of them to the end (random search, Bergstra and Bengio
//! 2012), or all for a ninth of the epochs, the better third for a third, and the best third of these to the end
//! (successive halving, Jamieson and Talwalkar 2016). Each training has the whole course of the learning rate, within the
//! epochs that it has.
//!
//! The best of many trials owes part of its score to luck. So the best and the start are then trained with seeds that no
//! trial had, and the means and deviations of those are what the search reports.

mod space;
mod table;

pub use space::{Draw, Space, USUAL};
pub use table::{Row, Table};

use data::{Corpus, Result, Scheme, Split};
use sha2::{Digest, Sha256};

use crate::config::{Config, Flag};

/// How trials are chosen and how long they are trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Every trial to the end.
    Random,
    /// Short trainings first; only the better third goes on.
    Halving,
}

/// Of how many trials one goes on.
const ETA: usize = 3;

/// A search before its first trial.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What trials start from.
    pub start: Config,
    /// What they change.
    pub space: Space,
    /// How.
    pub method: Method,
    /// How many, the start among them.
    pub trials: usize,
    /// Seeds that the best and the start are trained with at the end.
    pub confirm: usize,
}

/// One training of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Job {
    /// Which configuration.
    pub trial: usize,
    /// Epochs, if not those of the configuration.
    pub epochs: Option<u32>,
    /// Its seed.
    pub seed: u64,
    /// Whether it is one of those at the end.
    pub confirms: bool,
}

impl Plan {
    /// The values that trial `n` changes; none for the start.
    pub fn values(&self, n: usize) -> Vec<Flag> {
        if n == 0 { Vec::new() } else { self.space.draw(self.start.seed, n as u32) }
    }

    /// The configuration of a job.
    ///
    /// # Errors
    /// E041 if its values do not go together.
    pub fn config(&self, job: &Job) -> Result<Config> {
        let mut config = self.start.with(&self.values(job.trial))?;
        config.seed = job.seed;
        if let Some(epochs) = job.epochs {
            // A share of the epochs, not of what few sentences make of them.
            (config.epochs, config.min_steps) = (epochs, 0);
        }
        Ok(config)
    }

    /// What is to be done next after the rows of `table`: jobs that do not wait for each other. None when all is done.
    pub fn next(&self, table: &Table) -> Vec<Job> {
        let open = |jobs: Vec<Job>| -> Vec<Job> {
            jobs.into_iter().filter(|job| table.score(job).is_none()).collect()
        };
        let mut trials: Vec<usize> = (0..self.trials).collect();
        let rungs = self.rungs();
        for (k, &epochs) in rungs.iter().enumerate() {
            let seed = self.start.seed;
            let job = |&trial: &usize| Job { trial, epochs, seed, confirms: false };
            let jobs = open(trials.iter().map(job).collect());
            if !jobs.is_empty() {
                return jobs;
            }
            trials = best_first(trials, |&trial| table.score(&job(&trial)));
            if k + 1 < rungs.len() {
                trials.truncate(trials.len().div_ceil(ETA));
            }
        }
        let best = trials[0];
        let compared = if best == 0 { vec![0] } else { vec![0, best] };
        let seeds = 1..=self.confirm as u64;
        let job = |trial, k| Job { trial, epochs: None, seed: self.start.seed + k, confirms: true };
        open(compared.iter().flat_map(|&trial| seeds.clone().map(move |k| job(trial, k))).collect())
    }

    /// The trial with the best dev F1 of those that were trained to the end, if all were that have to be.
    pub fn best(&self, table: &Table) -> Option<usize> {
        let seed = self.start.seed;
        let to_the_end = |trial| Job { trial, epochs: None, seed, confirms: false };
        let scored = (0..self.trials).filter(|&n| table.score(&to_the_end(n)).is_some());
        best_first(scored.collect(), |&n| table.score(&to_the_end(n))).first().copied()
    }

    /// The trial to go on with: the best, unless the start has the higher mean with the seeds at the end.
    pub fn winner(&self, table: &Table) -> Option<usize> {
        let best = self.best(table)?;
        let mean = |trial| mean_and_sd(&table.confirmed(trial)).0;
        Some(if best == 0 || mean(best) > mean(0) { best } else { 0 })
    }

    /// How many trainings there are at most.
    pub fn count(&self) -> usize {
        let mut trials = self.trials;
        let mut count = 0;
        for _ in self.rungs() {
            count += trials;
            trials = trials.div_ceil(ETA);
        }
        count + 2 * self.confirm
    }

    /// Epochs of the rounds; None stands for the configuration's own.
    fn rungs(&self) -> Vec<Option<u32>> {
        let part = |divisor: usize| (self.start.epochs / divisor as u32).max(1);
        match self.method {
            Method::Random => vec![None],
            Method::Halving => {
                let mut rungs = vec![part(ETA * ETA), part(ETA)];
                rungs.dedup();
                rungs.into_iter().map(Some).chain([None]).collect()
            }
        }
    }
}

/// Mean, and standard deviation of a sample; 0 for a single score.
pub fn mean_and_sd(scores: &[f64]) -> (f64, f64) {
    let n = scores.len() as f64;
    let mean = scores.iter().sum::<f64>() / n;
    let squares: f64 = scores.iter().map(|f1| (f1 - mean).powi(2)).sum();
    (mean, if n > 1.0 { (squares / (n - 1.0)).sqrt() } else { 0.0 })
}

/// SHA-256 of all that trials read of a corpus: words, tags and parts of speech of the parts train and dev, in order.
pub fn data_sha256(corpus: &Corpus, split: &Split, scheme: Scheme) -> String {
    let mut hash = Sha256::new();
    hash.update(scheme.name());
    for part in [&split.train, &split.dev] {
        hash.update((part.len() as u64).to_le_bytes());
        for &i in part {
            let sentence = corpus.sentence(i as usize);
            hash.update((sentence.len() as u64).to_le_bytes());
            for (t, (word, tag)) in sentence.words().zip(sentence.tags()).enumerate() {
                let pos = if corpus.has_pos { sentence.pos(t) } else { "" };
                hash.update(format!("{word}\n{tag}\n{pos}\n")); // a word holds no line break
            }
        }
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// `trials` by falling score; of equal ones, the lower number first.
fn best_first(mut trials: Vec<usize>, score: impl Fn(&usize) -> Option<f64>) -> Vec<usize> {
    let key = |trial: &usize| score(trial).unwrap_or(f64::NEG_INFINITY);
    trials.sort_by(|a, b| key(b).total_cmp(&key(a)).then(a.cmp(b)));
    trials
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(method: Method, trials: usize) -> Plan {
        let start = Config { epochs: 6, ..Config::preset("fast").unwrap() };
        let space = Space::parse(&["learning-rate=0.001..0.01", "batch=8,16"], &start).unwrap();
        Plan { start, space, method, trials, confirm: 2 }
    }

    /// Runs a plan whose trial n has the score of `f1`, and returns its jobs in their order.
    fn run(plan: &Plan, f1: impl Fn(usize) -> f64) -> (Table, Vec<Job>) {
        let (mut table, mut all) = (Table::default(), Vec::new());
        loop {
            let jobs = plan.next(&table);
            if jobs.is_empty() {
                return (table, all);
            }
            for job in jobs {
                table.push(Row::of(&job, f1(job.trial)));
                all.push(job);
            }
        }
    }

    #[test]
    fn random_search_trains_all_to_the_end_and_then_the_best_beside_the_start() {
        let plan = plan(Method::Random, 5);
        let (table, jobs) = run(&plan, |n| [0.5, 0.4, 0.9, 0.9, 0.1][n]);
        assert_eq!(plan.best(&table), Some(2), "of equal ones the first");
        let seed = plan.start.seed;
        let confirming: Vec<_> = jobs[5..].iter().map(|j| (j.trial, j.seed, j.confirms)).collect();
        let want =
            [(0, seed + 1, true), (0, seed + 2, true), (2, seed + 1, true), (2, seed + 2, true)];
        assert_eq!(confirming, want);
        assert_eq!(jobs.len(), plan.count());
        assert!(jobs.iter().all(|job| job.epochs.is_none()));
    }

    #[test]
    fn halving_gives_more_epochs_to_the_better_third() {
        let plan = plan(Method::Halving, 9);
        let (table, jobs) = run(&plan, |n| n as f64);
        let of = |epochs| -> Vec<usize> {
            let jobs = jobs.iter().filter(|j| j.epochs == epochs && !j.confirms);
            jobs.map(|j| j.trial).collect()
        };
        assert_eq!(of(Some(1)), [0, 1, 2, 3, 4, 5, 6, 7, 8]); // 6 epochs / 9
        assert_eq!(of(Some(2)), [8, 7, 6]);
        assert_eq!(of(None), [8]);
        assert_eq!(plan.best(&table), Some(8));
        assert_eq!(jobs.len(), plan.count());
    }

    #[test]
    fn a_search_goes_on_where_it_was_and_grows_by_more_trials() {
        let plan = plan(Method::Random, 6);
        let (table, jobs) = run(&plan, |n| n as f64);
        for k in 0..jobs.len() {
            let mut part = Table::default();
            jobs[..k].iter().for_each(|job| part.push(Row::of(job, job.trial as f64)));
            assert_eq!(plan.next(&part)[0], jobs[k]);
        }
        let more = Plan { trials: 8, ..plan.clone() };
        assert_eq!(
            (0..6).map(|n| plan.values(n)).collect::<Vec<_>>(),
            (0..6).map(|n| more.values(n)).collect::<Vec<_>>()
        );
        assert_eq!(more.next(&table).iter().map(|j| j.trial).collect::<Vec<_>>(), [6, 7]);
    }

    #[test]
    fn a_start_that_stays_the_best_is_compared_with_nothing() {
        let plan = plan(Method::Random, 3);
        let (table, jobs) = run(&plan, |n| -(n as f64));
        assert_eq!((plan.best(&table), jobs.len()), (Some(0), 3 + 2));
    }

    #[test]
    fn a_lead_that_other_seeds_do_not_bear_out_leaves_the_start() {
        let plan = plan(Method::Random, 3);
        let score = |job: &Job, lead: f64| match (job.trial, job.confirms) {
            (2, false) => 0.9,
            (2, true) => 0.5 + lead,
            _ => 0.5,
        };
        for (lead, winner) in [(0.1, 2), (0.0, 0), (-0.1, 0)] {
            let mut table = Table::default();
            while let Some(job) = plan.next(&table).first() {
                table.push(Row::of(job, score(job, lead)));
            }
            assert_eq!((plan.best(&table), plan.winner(&table)), (Some(2), Some(winner)), "{lead}");
        }
    }

    #[test]
    fn data_is_known_by_what_trials_read_of_it() {
        let corpus = |tags: &str| Corpus::from_pairs(&[("a b", tags), ("c d", "O O"), ("e", "O")]);
        let split = Split { train: vec![0], dev: vec![1], test: vec![2] };
        let sum = |tags, split: &Split| data_sha256(&corpus(tags), split, Scheme::Iob2);
        let same = sum("B-x O", &split);
        assert_eq!(same, sum("B-x O", &Split { test: vec![], ..split.clone() }));
        assert_ne!(same, sum("B-x I-x", &split));
        assert_ne!(same, sum("B-x O", &Split { dev: vec![2], ..split }));
    }

    #[test]
    fn a_job_of_a_few_epochs_has_these_and_no_more() {
        let plan = plan(Method::Halving, 9);
        let job = Job { trial: 0, epochs: Some(2), seed: 7, confirms: false };
        let config = plan.config(&job).unwrap();
        assert_eq!((config.epochs, config.min_steps, config.seed), (2, 0, 7));
        let whole = plan.config(&Job { epochs: None, ..job }).unwrap();
        assert_eq!((whole.epochs, whole.min_steps), (plan.start.epochs, plan.start.min_steps));
        assert_eq!((config.batch, config.learning_rate), (whole.batch, whole.learning_rate));
    }
}
