//! Requests that come at the same time are tagged together.
//!
//! ```text
//! handlers ──► a queue of bounded length ──► one thread: takes all that waits, tags, answers each
//! ```
//!
//! While a batch is tagged the next one gathers, so a lone request waits for nobody and many share the
//! network's large products. What a text gets does not depend on its company.

use std::sync::Arc;

use longhand::Document;
use report::Entity;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use train::tagging::Ready;

use super::metrics::Metrics;

/// Texts that may wait; more are turned away.
const WAITING: usize = 1024;
/// Bytes of text in a batch, unless one text alone has more.
const BATCH: usize = 256 << 10;
/// Sentences that are not worth a second thread.
const FEW: usize = 16;

/// A text with its entities.
pub struct Answer {
    pub document: Document<'static>,
    pub entities: Vec<Entity>,
}

struct Job {
    text: String,
    to: oneshot::Sender<Answer>,
}

/// The way to the thread that tags.
#[derive(Clone)]
pub struct Queue(mpsc::Sender<Job>);

/// Why a text is not taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// Too many texts wait.
    Full,
    /// The thread that tags has ended, and with it all that it was to do.
    Ended,
}

impl Queue {
    /// Starts the thread; it ends when the last handle is dropped.
    pub fn start(ready: Arc<Ready>, metrics: Arc<Metrics>) -> Self {
        let (to, mut from) = mpsc::channel::<Job>(WAITING);
        std::thread::spawn(move || {
            let mut told = false;
            while let Some(first) = from.blocking_recv() {
                let mut bytes = first.text.len();
                let mut batch = vec![first];
                while bytes < BATCH
                    && let Ok(job) = from.try_recv()
                {
                    bytes += job.text.len();
                    batch.push(job);
                }
                metrics.batch(batch.len());
                tag(&ready, batch, &metrics);
                if let (false, Some(e)) = (told, ready.failure()) {
                    crate::say(&format!("tagging on the CPU from now on: {}", e.message));
                    told = true;
                }
            }
        });
        Self(to)
    }

    /// Asks for a text to be tagged; the answer comes through what is returned.
    ///
    /// # Errors
    /// If the queue is full, or nobody takes anything out of it any more.
    pub fn put(&self, text: String) -> Result<oneshot::Receiver<Answer>, Refused> {
        let (to, answer) = oneshot::channel();
        self.0.try_send(Job { text, to }).map_err(|e| match e {
            TrySendError::Full(_) => Refused::Full,
            TrySendError::Closed(_) => Refused::Ended,
        })?;
        Ok(answer)
    }

    /// Whether the thread that tags has ended.
    pub fn has_ended(&self) -> bool {
        self.0.is_closed()
    }
}

fn tag(ready: &Ready, batch: Vec<Job>, metrics: &Metrics) {
    // A request that was given up needs no answer.
    let batch = batch.into_iter().filter(|job| !job.to.is_closed());
    let (documents, to): (Vec<Document<'static>>, Vec<_>) =
        batch.map(|job| (Document::for_model(job.text, ready.model()), job.to)).unzip();
    let sentences: Vec<Vec<&str>> = documents.iter().flat_map(Document::words).collect();
    let tagged = match sentences.len() {
        0..FEW => ready.tag(&sentences, true),
        _ => ready.tag_all(&sentences, true),
    };
    let mut tagged = tagged.as_slice();
    let mut found = Vec::new();
    for document in &documents {
        let (own, rest) = tagged.split_at(document.sentences.len());
        tagged = rest;
        found.push(document.entities(ready.model(), own, true));
        metrics.tagged(document.tokens.len(), own.iter().map(|t| t.entities.len()).sum());
    }
    for ((document, entities), to) in documents.into_iter().zip(found).zip(to) {
        let _ = to.send(Answer { document, entities }); // unless it was given up meanwhile
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_and_one_that_nobody_empties_are_told_apart() {
        let (to, from) = mpsc::channel(1);
        let queue = Queue(to);
        assert!(queue.put("a".into()).is_ok() && !queue.has_ended());
        assert_eq!(queue.put("b".into()).err(), Some(Refused::Full));
        drop(from);
        assert_eq!(queue.put("c".into()).err(), Some(Refused::Ended));
        assert!(queue.has_ended());
    }
}
