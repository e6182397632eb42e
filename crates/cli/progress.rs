//! A run on the screen: a bar within the epoch, a line after it.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, WeakProgressBar};
use train::trainer::Progress;
use train::{Config, EpochRecord, Observer, doubts};

use crate::{Screen, say, warn};

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
    config: Config,
    bar: ProgressBar,
    screen: Screen,
    /// Token accuracy of O everywhere on dev.
    all_o: Option<f64>,
    /// Time spent in whole epochs of this call, and their number.
    start: Instant,
    done: u32,
    history: Vec<EpochRecord>,
    /// Networks to be trained after this one.
    networks_left: u32,
}

impl Watch {
    /// For a run of this configuration.
    pub fn new(
        config: &Config,
        history: &[EpochRecord],
        all_o: Option<f64>,
        screen: Screen,
    ) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), target(screen.quiet));
        bar.set_style(style("{prefix} {bar:24} {percent:>3}%  {msg}"));
        let (config, history) = (config.clone(), history.to_vec());
        Self {
            config,
            bar,
            screen,
            all_o,
            start: Instant::now(),
            done: 0,
            history,
            networks_left: 0,
        }
    }

    fn line(&self, r: &EpochRecord) -> String {
        let epochs = self.config.epochs;
        let mut line = format!("epoch {:>2}/{epochs}  loss {:.4}", r.epoch, r.loss);
        if let Some(dev) = r.dev {
            let percent = |v: f64| 100.0 * v;
            let (f1, p, recall) = (percent(dev.f1), percent(dev.precision), percent(dev.recall));
            line += &match dev.padded_accuracy {
                None => format!("  dev F1 {f1:.2} (P {p:.2} R {recall:.2})"),
                Some(accuracy) => format!("  dev F1 {f1:.2}, padded accuracy {accuracy:.4}"),
            };
        }
        line += &format!("  {:.0}k tok/s", r.tokens_per_second / 1e3);
        let left = epochs.saturating_sub(r.epoch);
        let best = self.history.iter().rev().find(|r| r.best && r.dev.is_some());
        if left > 0 {
            let left = left + self.networks_left * epochs;
            let time = self.start.elapsed() / self.done.max(1) * left;
            let time = match time.as_secs() {
                0 => "<1s".to_owned(),
                _ => report::human::duration(time),
            };
            line += &format!("  ETA {time}");
        } else if let Some(best) = best {
            line += &format!("  kept @{}", best.epoch);
        }
        line
    }
}

impl Observer for Watch {
    fn batch(&mut self, p: &Progress) -> bool {
        self.bar.set_length(p.of as u64);
        self.bar.set_prefix(format!("epoch {:>2}/{}", p.epoch, self.config.epochs));
        self.bar.set_position(p.batches as u64);
        if self.bar.is_hidden() {
            return interrupted();
        }
        self.bar.set_message(format!("loss {:.4}", p.loss));
        interrupted()
    }

    fn member(&mut self, k: usize, of: usize) {
        (self.start, self.done, self.history) = (Instant::now(), 0, Vec::new());
        self.networks_left = (of - k) as u32;
        if !self.screen.quiet {
            self.bar.suspend(|| say(&format!("network {k} of {of}")));
        }
    }

    fn resumed(&mut self, history: &[EpochRecord]) {
        self.history = history.to_vec();
    }

    fn epoch(&mut self, record: &EpochRecord) {
        self.done += 1;
        self.history.push(record.clone());
        self.bar.set_position(0);
        if !self.screen.quiet {
            let doubt = doubts::learns_nothing(&self.history, self.all_o, &self.config);
            self.bar.suspend(|| {
                say(&self.line(record));
                warn(doubt.as_slice(), self.screen);
            });
        }
    }
}

/// Where bars are drawn: on a terminal that can move its cursor, or nowhere.
fn target(quiet: bool) -> ProgressDrawTarget {
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    match quiet || dumb || !io::stderr().is_terminal() {
        true => ProgressDrawTarget::hidden(),
        false => ProgressDrawTarget::stderr(),
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("a template that a test has built")
}

const SPINNER: &str = "{spinner} {msg}";
const BYTES: &str = "tagging {bar:24} {percent:>3}%  {bytes} of {total_bytes}  ETA {eta}";
const BYTES_SO_FAR: &str = "{spinner} tagging  {bytes}  {bytes_per_sec}";
const STEPS: &str = "{prefix} {bar:16} {percent:>3}%  {pos} of {len} {msg}  ETA {eta}";

/// A bar for work that takes longer than a moment and has no steps to count.
pub fn spinner(message: &str, quiet: bool) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, target(quiet));
    bar.set_style(style(SPINNER));
    bar.set_message(message.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    noted(bar)
}

/// A bar for so many bytes of text.
pub fn bytes(length: u64, shown: bool, quiet: bool) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length), target(quiet || !shown));
    bar.set_style(style(BYTES));
    noted(bar)
}

/// What stands in for a bar where nobody knows how much is to come.
pub fn bytes_so_far(shown: bool, quiet: bool) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, target(quiet || !shown));
    bar.set_style(style(BYTES_SO_FAR));
    noted(bar)
}

/// A bar for so many things.
pub fn steps(what: &'static str, n: usize, of: &'static str, quiet: bool) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(n as u64), target(quiet));
    bar.set_style(style(STEPS));
    bar.set_prefix(what);
    bar.set_message(of);
    noted(bar)
}

/// Bars that may stand on the screen.
static BARS: Mutex<Vec<WeakProgressBar>> = Mutex::new(Vec::new());

fn noted(bar: ProgressBar) -> ProgressBar {
    BARS.lock().expect("nobody panics with the lock in hand").push(bar.downgrade());
    bar
}

/// Does something to the screen while no bar stands on it.
pub fn aside(work: impl FnOnce()) {
    let mut bars = BARS.lock().expect("nobody panics with the lock in hand");
    bars.retain(|bar| bar.upgrade().is_some());
    let shown: Vec<ProgressBar> = bars.iter().filter_map(WeakProgressBar::upgrade).collect();
    drop(bars);
    match &shown[..] {
        [] => work(),
        [one] => one.suspend(work),
        [one, other, ..] => one.suspend(|| other.suspend(work)),
    }
}

/// Whether standard output is a file, so that a bar on the screen runs through nothing.
pub fn stdout_is_file() -> bool {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        let file = io::stdout().as_fd().try_clone_to_owned().map(std::fs::File::from);
        file.and_then(|file| file.metadata()).is_ok_and(|meta| meta.is_file())
    }
    #[cfg(not(unix))]
    !io::stdout().is_terminal()
}

/// Whether bars are not wanted by anybody.
static QUIET: AtomicBool = AtomicBool::new(false);

/// From now on reading is silent, if `quiet`.
pub fn set_quiet(quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
}

/// Gone from the screen when it is dropped.
pub struct Reading(Option<ProgressBar>);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.iter().for_each(ProgressBar::finish_and_clear);
    }
}

/// Says that a file is being read, if it is one that takes longer than a moment.
pub fn reading(path: &Path) -> Reading {
    let large = path.metadata().is_ok_and(|meta| meta.len() > 1 << 20);
    let quiet = QUIET.load(Ordering::Relaxed);
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    Reading(large.then(|| spinner(&format!("reading {name}"), quiet)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_templates() {
        for template in [SPINNER, BYTES, BYTES_SO_FAR, STEPS] {
            style(template);
        }
        style("{prefix} {bar:24} {percent:>3}%  {msg}");
    }
}
