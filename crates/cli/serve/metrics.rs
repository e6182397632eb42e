//! Counts for Prometheus, in its text format.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper borders of the histogram of times, in seconds.
const BORDERS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5];

/// What happened since the start.
#[derive(Default)]
pub struct Metrics {
    requests: Mutex<BTreeMap<(&'static str, u16), u64>>,
    batches: AtomicU64,
    texts: AtomicU64,
    tokens: AtomicU64,
    entities: AtomicU64,
    /// Requests of `/tag` up to each border, and all; the sum of their microseconds.
    times: [AtomicU64; BORDERS.len() + 1],
    micros: AtomicU64,
}

impl Metrics {
    /// A request was answered.
    pub fn request(&self, path: &'static str, status: u16) {
        *self.requests.lock().expect("no thread panics here").entry((path, status)).or_default() +=
            1;
    }

    /// A request of `/tag` took so long.
    pub fn took(&self, time: Duration) {
        let place = BORDERS.partition_point(|&border| border < time.as_secs_f64());
        self.times[place].fetch_add(1, Relaxed);
        self.micros.fetch_add(time.as_micros() as u64, Relaxed);
    }

    /// So many texts are tagged together.
    pub fn batch(&self, texts: usize) {
        self.batches.fetch_add(1, Relaxed);
        self.texts.fetch_add(texts as u64, Relaxed);
    }

    /// A text was tagged.
    pub fn tagged(&self, tokens: usize, entities: usize) {
        self.tokens.fetch_add(tokens as u64, Relaxed);
        self.entities.fetch_add(entities as u64, Relaxed);
    }

    /// All of it as Prometheus reads it.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let mut push = |line: std::fmt::Arguments<'_>| {
            writeln!(out, "{line}").expect("a String takes all");
        };
        push(format_args!("# TYPE longhand_requests_total counter"));
        for ((path, status), n) in self.requests.lock().expect("no thread panics here").iter() {
            push(format_args!(
                "longhand_requests_total{{path=\"{path}\",status=\"{status}\"}} {n}"
            ));
        }
        for (name, count) in [
            ("batches", &self.batches),
            ("texts", &self.texts),
            ("tokens", &self.tokens),
            ("entities", &self.entities),
        ] {
            push(format_args!("# TYPE longhand_{name}_total counter"));
            push(format_args!("longhand_{name}_total {}", count.load(Relaxed)));
        }
        push(format_args!("# TYPE longhand_tag_seconds histogram"));
        let mut sum = 0;
        for (n, border) in
            self.times.iter().zip(BORDERS.iter().map(f64::to_string).chain(["+Inf".into()]))
        {
            sum += n.load(Relaxed);
            push(format_args!("longhand_tag_seconds_bucket{{le=\"{border}\"}} {sum}"));
        }
        push(format_args!("longhand_tag_seconds_sum {}", self.micros.load(Relaxed) as f64 / 1e6));
        push(format_args!("longhand_tag_seconds_count {sum}"));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_add_up_from_left_to_right() {
        let metrics = Metrics::default();
        [1, 1, 30, 9_000].into_iter().for_each(|ms| metrics.took(Duration::from_millis(ms)));
        metrics.request("/tag", 200);
        let text = metrics.text();
        for line in [
            "longhand_tag_seconds_bucket{le=\"0.001\"} 2",
            "longhand_tag_seconds_bucket{le=\"0.05\"} 3",
            "longhand_tag_seconds_bucket{le=\"+Inf\"} 4",
            "longhand_tag_seconds_sum 9.032",
            "longhand_requests_total{path=\"/tag\",status=\"200\"} 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
    }
}
