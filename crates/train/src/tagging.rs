//! Words to tags, on all cores. A sentence's tags do not depend on what it is tagged with.

use nn::Packing;
use nn::tagger::Tagger;
use rayon::prelude::*;

use crate::batch::deal;
use crate::lexicon::Lexicon;

/// Filling up of short sentences, for a network that was trained on padded ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Padding {
    /// Shorter sentences are filled up to this many positions.
    pub length: usize,
    /// What they are filled up with, as a number in the lexicon.
    pub word: u32,
}

/// Best tag ids of each sentence, given as numbers of words in `lexicon`. Padding, if any, is tagged too
/// and left out.
pub fn tag(
    tagger: &Tagger<f32>,
    lexicon: &Lexicon,
    sentences: &[&[u32]],
    padding: Option<Padding>,
) -> Vec<Vec<u32>> {
    let padded: Vec<Vec<u32>> = match padding {
        None => Vec::new(),
        Some(p) => sentences
            .iter()
            .map(|s| {
                let mut words = s.to_vec();
                words.resize(s.len().max(p.length), p.word);
                words
            })
            .collect(),
    };
    let words = |i: u32| padded.get(i as usize).map_or(sentences[i as usize], Vec::as_slice);
    let all: Vec<u32> = (0..sentences.len() as u32).filter(|&i| !words(i).is_empty()).collect();
    let chain = tagger.chain();
    let shards = deal(&all, |i| words(i).len());
    let tagged: Vec<Vec<(u32, Vec<u32>)>> = shards
        .into_par_iter()
        .map(|shard| {
            let texts: Vec<&[u32]> = shard.iter().map(|&i| words(i)).collect();
            let packing = Packing::new(texts.iter().map(|w| w.len()).collect());
            let input = lexicon.input(&texts, &packing, |_, _| false);
            let (scores, _) = tagger.forward(input, None);
            let best = tagger.decode(&scores, &packing, chain.as_ref());
            let tags = |(r, &i): (usize, &u32)| {
                let n = sentences[i as usize].len();
                (i, (0..n).map(|t| best[packing.row(r, t)]).collect())
            };
            shard.iter().enumerate().map(tags).collect()
        })
        .collect();
    let mut tags = vec![Vec::new(); sentences.len()];
    for (i, t) in tagged.into_iter().flatten() {
        tags[i as usize] = t;
    }
    tags
}
