//! What a training step and a tagged sentence ask of the system's allocator once they are running: counted.
//!
//! The arrays of layers come from `tensor::scratch`, which after a few steps has one of every size; sums over shards
//! and their lists are kept by the trainer. What is left: lists of numbers of each shard (which sentences, which rows), a
//! few of the whole batch, and under a CRF the rows of a lattice. It is counted here so that it stays little. On one thread,
//! since on several it depends on who did what.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use data::{Corpus, Scheme, Split};
use train::tagging::Ready;
use train::trainer::Progress;
use train::{Config, Dataset, EpochRecord, Observer, Provenance, Trainer};

/// The system's allocator, counted while it is asked to.
struct Counting;

static ON: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);
static LARGEST: AtomicUsize = AtomicUsize::new(0);

fn count(size: usize) {
    if ON.load(Relaxed) {
        CALLS.fetch_add(1, Relaxed);
        BYTES.fetch_add(size, Relaxed);
        LARGEST.fetch_max(size, Relaxed);
    }
}

// SAFETY: everything is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(ptr, layout, new_size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Calls, bytes and the largest piece that `work` asked for.
fn counted(work: impl FnOnce()) -> (usize, usize, usize) {
    [&CALLS, &BYTES, &LARGEST].into_iter().for_each(|counter| counter.store(0, Relaxed));
    ON.store(true, Relaxed);
    work();
    ON.store(false, Relaxed);
    (CALLS.load(Relaxed), BYTES.load(Relaxed), LARGEST.load(Relaxed))
}

/// Counts the steps of an epoch from the `skip`-th on.
struct Steps {
    skip: usize,
    counted: usize,
}

impl Observer for Steps {
    fn batch(&mut self, progress: &Progress) -> bool {
        match progress.batches {
            n if n == self.skip => ON.store(true, Relaxed),
            n if n + 1 == progress.of => ON.store(false, Relaxed),
            _ => {}
        }
        self.counted += usize::from(ON.load(Relaxed));
        false
    }

    fn epoch(&mut self, _: &EpochRecord) {}
}

fn trainer(preset: &str) -> Trainer {
    let words = ["Ann", "saw", "Paris", "and", "Bob", "in", "May", "of", "New", "York"];
    let sentence = |i: usize| {
        let n = 3 + i * 7 % 29;
        let draw = |t: usize| (i * 31 + t * t * 7 + i * t) % words.len();
        let text: Vec<&str> = (0..n).map(|t| words[draw(t)]).collect();
        let tags: Vec<&str> = (0..n).map(|t| if draw(t) % 4 == 0 { "B-x" } else { "O" }).collect();
        (text.join(" "), tags.join(" "))
    };
    let sentences: Vec<(String, String)> = (0..2000).map(sentence).collect();
    let pairs: Vec<(&str, &str)> = sentences.iter().map(|(w, t)| (&w[..], &t[..])).collect();
    let corpus = Corpus::from_pairs(&pairs);
    let flags = [("bucket", "1"), ("decode", "best"), ("min-steps", "0")];
    let flags = flags.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let config = Config::resolve(Some(preset), None, &flags).unwrap();
    let split = Split { train: (0..2000).collect(), dev: vec![], test: vec![] };
    let dataset = Dataset::new(&corpus, split, &config, Scheme::Iob2, false).unwrap().0;
    Trainer::new(config, dataset).unwrap()
}

#[test]
fn a_running_step_and_a_sentence_ask_the_allocator_for_little() {
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for preset in ["repaired", "fast"] {
        let mut trainer = trainer(preset);
        let mut steps = Steps { skip: 30, counted: 0 };
        [&CALLS, &BYTES, &LARGEST].into_iter().for_each(|counter| counter.store(0, Relaxed));
        one.install(|| trainer.epoch(&mut steps).unwrap());
        let [calls, bytes] = [&CALLS, &BYTES].map(|counter| counter.load(Relaxed) / steps.counted);
        let largest = LARGEST.load(Relaxed);
        println!("{preset}: {calls} pieces, {bytes} bytes a step, the largest of {largest}");
        assert!(steps.counted > 25, "{} steps", steps.counted);
        let (most, most_bytes) = if preset == "fast" { (95, 200_000) } else { (55, 30_000) };
        assert!(
            calls <= most && bytes <= most_bytes,
            "{preset}: {calls} pieces, {bytes} bytes a step"
        );

        let record = trainer.history()[0].clone();
        let ready = Ready::new(trainer.model(&Provenance::default(), &record));
        let sentence = ["Ann", "saw", "Bob", "in", "New", "York", "of", "May", "and", "Paris"];
        let tag = || drop(std::hint::black_box(ready.tag(&[&sentence[..]], false)));
        (0..10).for_each(|_| tag());
        let (calls, bytes, largest) = counted(tag);
        println!("{preset}: {calls} pieces, {bytes} bytes a sentence, the largest of {largest}");
        let (most, most_bytes) = if preset == "fast" { (70, 10_500) } else { (42, 6_200) };
        assert!(calls <= most && bytes <= most_bytes, "{preset}: {calls} pieces, {bytes} bytes");
    }
}
