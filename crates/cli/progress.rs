//! A run on the screen: a bar within the epoch, a line after it.

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use train::trainer::Progress;
use train::{EpochRecord, Observer};

use crate::say;

/// Set by Ctrl-C.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C asks the run to stop after the present batch; a second one ends the program.
pub fn catch_interrupts() {
    // It fails only if it was called before, which is as good.
    let _ = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        say("\nstopping after this batch and saving (Ctrl-C again: stop at once)");
    });
}

/// Whether Ctrl-C was pressed.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Watches a run for the user.
pub struct Watch {
    epochs: u32,
    bar: ProgressBar,
    quiet: bool,
    /// Time spent in whole epochs of this call, and their number.
    start: Instant,
    done: u32,
    best: Option<(f64, u32)>,
}

impl Watch {
    /// For a run of so many epochs.
    pub fn new(epochs: u32, history: &[EpochRecord], quiet: bool) -> Self {
        let bar = ProgressBar::new(0);
        if quiet || !io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let style = ProgressStyle::with_template("{prefix} {bar:24} {percent:>3}%  {msg}");
        bar.set_style(style.expect("a template that is tested by every run"));
        let mut watch = Self { epochs, bar, quiet, start: Instant::now(), done: 0, best: None };
        watch.resumed(history);
        watch
    }

    fn note_best(&mut self, r: &EpochRecord) {
        if r.best {
            self.best = r.dev.map(|d| (d.f1, r.epoch));
        }
    }

    fn line(&self, r: &EpochRecord) -> String {
        let mut line = format!("epoch {:>2}/{}  loss {:.4}", r.epoch, self.epochs, r.loss);
        if let Some(dev) = r.dev {
            let percent = |v: f64| 100.0 * v;
            let (f1, p, recall) = (percent(dev.f1), percent(dev.precision), percent(dev.recall));
            line += &format!("  dev F1 {f1:.2} (P {p:.2} R {recall:.2})");
            if let Some(accuracy) = dev.padded_accuracy {
                line += &format!("  padded acc {accuracy:.4}");
            }
        }
        line += &format!("  {:.0}k tok/s", r.tokens_per_second / 1e3);
        let left = self.epochs.saturating_sub(r.epoch);
        if left > 0 {
            let each = self.start.elapsed() / self.done.max(1);
            line += &format!("  ETA {}", report::human::duration(each * left));
        } else if let Some((f1, epoch)) = self.best {
            line += &format!("  best {:.2}@{epoch}", 100.0 * f1);
        }
        line
    }
}

impl Observer for Watch {
    fn batch(&mut self, p: &Progress) -> bool {
        self.bar.set_length(p.of as u64);
        self.bar.set_prefix(format!("epoch {:>2}/{}", p.epoch, self.epochs));
        self.bar.set_position(p.batches as u64);
        if self.bar.is_hidden() {
            return interrupted();
        }
        self.bar.set_message(format!("loss {:.4}", p.loss));
        interrupted()
    }

    fn member(&mut self, k: usize, of: usize) {
        (self.start, self.done, self.best) = (Instant::now(), 0, None);
        if !self.quiet {
            self.bar.suspend(|| say(&format!("network {k} of {of}")));
        }
    }

    fn resumed(&mut self, history: &[EpochRecord]) {
        history.iter().for_each(|r| self.note_best(r));
    }

    fn epoch(&mut self, record: &EpochRecord) {
        self.done += 1;
        self.note_best(record);
        self.bar.set_position(0);
        if !self.quiet {
            let line = self.line(record);
            self.bar.suspend(|| say(&line));
        }
    }
}

/// A bar for work that takes longer than a moment and has no steps to count.
pub fn spinner(message: &str, quiet: bool) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if quiet || !io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar.set_message(message.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
