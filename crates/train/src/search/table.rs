//! `trials.csv`: what a search has tried, one training a line, and all that it needs to go on.

use std::path::Path;

use data::{Error, Result};

use super::{Job, Plan};
use crate::files::write_atomically;

/// The trainings so far, in the order in which they ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    rows: Vec<Row>,
}

/// One training.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What was trained.
    pub job: Job,
    /// Strict micro scores on dev of the model kept; `None` if the training diverged.
    pub dev: Option<[f64; 3]>,
    /// The epoch of that model.
    pub best_epoch: u32,
    /// Seconds of training.
    pub seconds: f64,
    /// Weights of the network.
    pub weights: usize,
}

const COLUMNS: [&str; 10] = [
    "trial",
    "epochs",
    "seed",
    "confirms",
    "dev_f1",
    "dev_precision",
    "dev_recall",
    "best_epoch",
    "seconds",
    "weights",
];

impl Row {
    #[cfg(test)]
    pub(super) fn of(job: &Job, f1: f64) -> Self {
        Self { job: job.clone(), dev: Some([f1; 3]), best_epoch: 1, seconds: 1.0, weights: 1 }
    }

    /// Its F1 on dev; −1 for one that diverged.
    pub fn f1(&self) -> f64 {
        self.dev.map_or(-1.0, |[f1, ..]| f1)
    }
}

impl Table {
    /// Appends a training.
    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// All trainings.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// F1 on dev of a job that is done.
    pub fn score(&self, job: &Job) -> Option<f64> {
        self.rows.iter().find(|row| row.job == *job).map(Row::f1)
    }

    /// F1 on dev of `trial` with the seeds at the end.
    pub fn confirmed(&self, trial: usize) -> Vec<f64> {
        let rows = self.rows.iter().filter(|row| row.job.confirms && row.job.trial == trial);
        rows.map(Row::f1).collect()
    }

    /// The file's text: the columns above, then the values of each key that `plan` varies.
    pub fn to_csv(&self, plan: &Plan) -> String {
        let mut out = csv::Writer::from_writer(Vec::new());
        let keys = plan.space.keys();
        let written = "a Vec takes all";
        out.write_record(COLUMNS.into_iter().chain(keys)).expect(written);
        for row in &self.rows {
            let Job { trial, epochs, seed, confirms } = &row.job;
            let score = |k: usize| row.dev.map_or(String::new(), |dev| format!("{:.6}", dev[k]));
            let mut fields = vec![
                trial.to_string(),
                epochs.map_or(String::new(), |n| n.to_string()),
                seed.to_string(),
                confirms.to_string(),
                score(0),
                score(1),
                score(2),
                row.best_epoch.to_string(),
                format!("{:.3}", row.seconds),
                row.weights.to_string(),
            ];
            let values = plan.values(*trial);
            // The start has its own values.
            fields.extend(plan.space.keys().map(
                |key| match values.iter().find(|(k, _)| k == key) {
                    Some((_, value)) => value.clone(),
                    None => plan.start.value(key),
                },
            ));
            out.write_record(&fields).expect(written);
        }
        String::from_utf8(out.into_inner().expect(written)).expect("text")
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// E042 if it cannot be written.
    pub fn save(&self, plan: &Plan, path: &Path) -> Result<()> {
        write_atomically(path, self.to_csv(plan).as_bytes())
    }

    /// Reads what [`Table::save`] wrote. Values of varied keys follow from the trial's number.
    ///
    /// # Errors
    /// E043 with file and line if it is not such a file.
    pub fn load(path: &Path) -> Result<Self> {
        let bad = |line: u64, what: String| {
            Error::new("E043", format!("this is not the table of a search: {what}"))
                .at(path, line, None)
                .help("another folder with `-o`, or `--force` to begin anew")
        };
        let text = std::fs::read(path).map_err(|e| bad(1, e.to_string()))?;
        let mut reader = csv::Reader::from_reader(&text[..]);
        let header = reader.headers().map_err(|e| bad(1, e.to_string()))?;
        if !header.iter().zip(COLUMNS).all(|(a, b)| a == b) || header.len() < COLUMNS.len() {
            return Err(bad(1, format!("its first line is not {}, …", COLUMNS.join(","))));
        }
        let mut table = Self::default();
        for record in reader.records() {
            let record = record
                .map_err(|e| bad(e.position().map_or(1, csv::Position::line), e.to_string()))?;
            let line = record.position().map_or(1, csv::Position::line);
            let row = row(&record).ok_or_else(|| bad(line, "a field does not read".into()))?;
            table.push(row);
        }
        Ok(table)
    }
}

fn row(record: &csv::StringRecord) -> Option<Row> {
    let optional = |k: usize| match &record[k] {
        "" => Some(None),
        text => text.parse().ok().map(Some),
    };
    let dev: Vec<Option<f64>> = (4..7).map(optional).collect::<Option<_>>()?;
    let epochs = match &record[1] {
        "" => None,
        text => Some(text.parse().ok()?),
    };
    Some(Row {
        job: Job {
            trial: record[0].parse().ok()?,
            epochs,
            seed: record[2].parse().ok()?,
            confirms: record[3].parse().ok()?,
        },
        dev: dev.into_iter().collect::<Option<Vec<f64>>>().map(|dev| [dev[0], dev[1], dev[2]]),
        best_epoch: record[7].parse().ok()?,
        seconds: record[8].parse().ok()?,
        weights: record[9].parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Method, Space};
    use super::*;
    use crate::Config;

    fn plan() -> Plan {
        let start = Config::preset("fast").unwrap();
        let space =
            Space::parse(&["batch=8,16", "encoder=[\"lstm:8\"],[\"bilstm:8\",\"lstm:8\"]"], &start);
        Plan { start, space: space.unwrap(), method: Method::Random, trials: 3, confirm: 1 }
    }

    #[test]
    fn what_was_saved_is_read_and_saved_again_the_same() {
        let (plan, dir) = (plan(), tempfile::tempdir().unwrap());
        let path = dir.path().join("trials.csv");
        let mut table = Table::default();
        for (trial, epochs, confirms) in [(0, Some(2), false), (1, None, false), (2, None, true)] {
            table.push(Row::of(&Job { trial, epochs, seed: 9, confirms }, 0.25));
        }
        table.push(Row { dev: None, ..table.rows()[1].clone() });
        table.save(&plan, &path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.lines().nth(1).unwrap().ends_with(r#",32,"[""bilstm:64""]""#), "{text}");
        let read = Table::load(&path).unwrap();
        assert_eq!(read, table);
        assert_eq!(read.to_csv(&plan), text);
    }

    #[test]
    fn a_damaged_table_is_refused_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trials.csv");
        let head = COLUMNS.join(",");
        for (text, line) in [
            ("a,b\n".to_owned(), ":1"),
            (format!("{head}\n0,,1,false,0.5,0.5,0.5,1,1.0,5\n1,,x,false,,,,1,1.0,5\n"), ":3"),
            (format!("{head}\n0,,1\n"), ":2"),
        ] {
            std::fs::write(&path, &text).unwrap();
            let error = Table::load(&path).unwrap_err();
            assert!(error.code == "E043" && error.to_string().contains(line), "{error}");
        }
    }
}
