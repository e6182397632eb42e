//! Ids to tags, on all cores. A sentence's tags do not depend on what it is tagged with.

use nn::Packing;
use nn::tagger::Tagger;
use rayon::prelude::*;

use crate::batch::deal;

/// Filling up of short sentences, for a network that was trained on padded ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Padding {
    /// Shorter sentences are filled up to this many positions.
    pub length: usize,
    /// What they are filled up with.
    pub word: u32,
}

/// Best tag ids of each sentence of word ids. Padding, if any, is tagged too and left out.
pub fn tag(tagger: &Tagger<f32>, sentences: &[&[u32]], padding: Option<Padding>) -> Vec<Vec<u32>> {
    let positions = |i: u32| {
        let n = sentences[i as usize].len();
        padding.map_or(n, |p| n.max(p.length))
    };
    let all: Vec<u32> = (0..sentences.len() as u32).filter(|&i| positions(i) > 0).collect();
    let shards = deal(&all, positions);
    let tagged: Vec<Vec<(u32, Vec<u32>)>> = shards
        .into_par_iter()
        .map(|shard| {
            let packing = Packing::new(shard.iter().map(|&i| positions(i)).collect());
            let mut words = vec![padding.map_or(0, |p| p.word); packing.rows()];
            for (r, &i) in shard.iter().enumerate() {
                for (t, &word) in sentences[i as usize].iter().enumerate() {
                    words[packing.row(r, t)] = word;
                }
            }
            let (scores, _) = tagger.forward(words, &packing, None);
            let best = tagger.decode(&scores);
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
