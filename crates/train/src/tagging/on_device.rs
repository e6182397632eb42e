//! Tagging on a device: large batches go to it one after the other, while this processor's threads read the next
//! ones and turn what comes back into entities.

use std::fmt;
use std::sync::OnceLock;

use data::Error;
use nn::Packing;
use rayon::prelude::*;

use super::{Decoder, Padded, Ready, Session, Tagged, in_order};
use crate::config::Decode;
use crate::device::Tags;
use crate::lexicon::{Lexicon, Token};

/// Sentences of a batch, and tokens, unless one sentence alone has more.
const SENTENCES: usize = 512;
const TOKENS: usize = 16 << 10;

/// A device that a model tags on, until it fails.
pub(super) struct OnDevice {
    tags: Box<dyn Tags>,
    failure: OnceLock<Error>,
}

impl fmt::Debug for OnDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.tags.name())
    }
}

impl Ready {
    /// Tags on `device` from now on. If it fails, this processor goes on: see [`Ready::failure`].
    #[must_use]
    pub fn on(self, device: Box<dyn Tags>) -> Self {
        let device = OnDevice { tags: device, failure: OnceLock::new() };
        Self { device: Some(device.into()), ..self }
    }

    /// Whether it tags on a device.
    pub fn is_on_device(&self) -> bool {
        self.device.is_some()
    }

    /// Why the device does not tag any more. What came before it and what came after are right.
    pub fn failure(&self) -> Option<&Error> {
        self.device.as_ref()?.failure.get()
    }

    /// As [`Ready::tag`], on all cores or on the device: for much.
    pub fn tag_all<W: Token>(&self, sentences: &[impl AsRef<[W]>], likely: bool) -> Vec<Tagged> {
        match self.tag_on_device(sentences, likely) {
            Some(tagged) => tagged,
            None => self.model.tag_entities(sentences, likely),
        }
    }

    /// None if there is no device, or it fails.
    pub(super) fn tag_on_device<W: Token>(
        &self,
        sentences: &[impl AsRef<[W]>],
        likely: bool,
    ) -> Option<Vec<Tagged>> {
        let device = self.device.as_ref().filter(|d| d.failure.get().is_none())?;
        let tagged = self.model.read(sentences, |decoder, lexicon, numbers| {
            let session = Session { decoder, prepared: &self.prepared };
            tag(&*device.tags, &session, lexicon, numbers, likely)
        });
        // The first failure is the one to tell.
        tagged.map_err(|e| device.failure.set(e)).ok()
    }
}

fn tag(
    device: &dyn Tags,
    session: &Session<'_>,
    lexicon: &Lexicon,
    numbers: &[&[u32]],
    likely: bool,
) -> data::Result<Vec<Tagged>> {
    let Decoder { decode, padding, .. } = session.decoder;
    let texts = Padded::new(numbers, padding);
    let tagged = batches(numbers.len(), |i| texts.words(i).len()).into_par_iter().map(|batch| {
        let words: Vec<&[u32]> = batch.iter().map(|&i| texts.words(i)).collect();
        let packing = Packing::new(words.iter().map(|w| w.len()).collect());
        let input = lexicon.input(&words, &packing, |_, _| false);
        let by_path = decode == Decode::Best;
        let answer = device.tag(&input, by_path, likely || !by_path)?;
        let lengths: Vec<usize> = batch.iter().map(|&i| numbers[i as usize].len()).collect();
        let path = by_path.then_some(answer.tags);
        let tagged = session.tagged(&answer.scores, &packing, &lengths, path, likely);
        Ok((batch, tagged))
    });
    Ok(in_order(numbers.len(), tagged.collect::<data::Result<_>>()?))
}

/// Sentences that are not empty, longest first, in batches.
fn batches(sentences: usize, length: impl Fn(u32) -> usize) -> Vec<Vec<u32>> {
    let mut all: Vec<u32> = (0..sentences as u32).filter(|&i| length(i) > 0).collect();
    all.sort_by_key(|&i| std::cmp::Reverse(length(i)));
    let mut batches: Vec<Vec<u32>> = Vec::new();
    let mut tokens = 0;
    for i in all {
        match batches.last_mut() {
            Some(batch) if batch.len() < SENTENCES && tokens + length(i) <= TOKENS => batch.push(i),
            _ => {
                tokens = 0;
                batches.push(vec![i]);
            }
        }
        tokens += length(i);
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_every_sentence_once_longest_first_and_no_more_than_they_may() {
        let length = |i: u32| (i as usize * 37) % 90;
        let batches = batches(3000, length);
        let all: Vec<u32> = batches.concat();
        assert!(all.is_sorted_by_key(|&i| std::cmp::Reverse(length(i))));
        assert_eq!(all.len(), (0..3000).filter(|&i| length(i) > 0).count());
        for batch in &batches {
            let tokens: usize = batch.iter().map(|&i| length(i)).sum();
            assert!(batch.len() <= SENTENCES && tokens <= TOKENS, "{} {tokens}", batch.len());
        }
        assert!(batches.len() < 12, "{}", batches.len());
        assert_eq!(super::batches(2, |_| 20_000), [[0], [1]]);
    }
}
