//! A tagger made ready to tag: what follows from its weights alone, worked out once.
//!
//! ```text
//! N tokens · D columns of a word's rows · H hidden, each direction · K tags
//!
//! (1)  x_n = Σ rows of token n                (N, D)
//! (2)  a   = x W_ihᵀ + b                      (N, 4H)  the first layer's, of each direction
//! ```
//!
//! A row of a product depends on its own row of x alone, so (1) and (2) of a word come out the same in every
//! sentence: they are worked out when the word first comes, and looked up after that. Weights are laid out
//! for the kernels once, not for each sentence. Everything else is [`Tagger::forward`] without what its
//! backward pass would need, and so are the scores, bit for bit.

use std::fmt;
use std::sync::OnceLock;

use ndarray::Array2;
use tensor::simd::{self, Level};
use tensor::{LstmKernel, Packed, Real, prefetch, scratch};

use crate::bilstm;
use crate::lstm::{Lstm, Room};
use crate::packing::{Direction, Packing};
use crate::tagger::{Input, Layer, Tagger};

/// Bytes of looked-up rows at most, of all members of a tagger together.
const ROOM: usize = 4 << 20;

/// What is looked up this many tokens later is asked for.
const AHEAD: usize = 4;

/// A tagger made ready; see the top of this file. It belongs to the weights that it was made of: with others
/// its scores are neither's.
pub struct Ready<F> {
    level: Level,
    /// None where there are no kernels: then [`Tagger::scores`] does the work.
    members: Option<Vec<Member<F>>>,
}

/// One of a tagger's networks.
struct Member<F> {
    /// Directions of each layer.
    layers: Vec<Vec<Walker>>,
    dense: Packed,
    /// None where x follows from more than a token's rows.
    words: Option<Words<F>>,
}

/// The weights of one direction, laid out.
struct Walker {
    w_ih: Packed,
    w_hh: LstmKernel,
}

/// a of (2) for words that came before.
struct Words<F> {
    /// Rows that are added for a token, T.
    tables: usize,
    /// 4H of each direction.
    widths: Vec<usize>,
    /// By the first of a word's rows. The vocabulary begins with the most frequent words.
    slots: Vec<OnceLock<Word<F>>>,
}

/// A word: one that shares its first row with it, but not the others, has to do without a slot.
struct Word<F> {
    rows: Box<[u32]>, // (T)
    a: Box<[F]>,      // (Σ 4H)
}

impl<F: Real> Ready<F> {
    /// Gets `tagger` ready, for the kernels of this thread's level.
    pub fn new(tagger: &Tagger<F>) -> Self {
        let of = |member| Member::new(member, ROOM / tagger.spec.members);
        let members = std::iter::once(tagger).chain(&tagger.others).map(of).collect();
        Self { level: simd::level(), members }
    }

    /// As [`Tagger::scores`], to the bit: tokens → scores (N, K).
    pub fn scores(&self, tagger: &Tagger<F>, input: Input) -> Array2<F> {
        let Some((first, others)) = self.members.as_ref().and_then(|all| all.split_first()) else {
            return tagger.scores(input);
        };
        if self.level != simd::level() {
            return tagger.scores(input);
        }
        let mut input = input;
        let wide = std::mem::take(&mut input.wide);
        let mut scores = if others.is_empty() {
            first.deep(tagger, input)
        } else {
            let mut sum = first.deep(tagger, input.clone());
            for (ready, member) in others.iter().zip(&tagger.others) {
                sum += &ready.deep(member, input.clone());
            }
            sum / F::of(tagger.spec.members as f64)
        };
        if let Some(layer) = &tagger.wide {
            layer.forward(&wide, None, &mut scores);
        }
        scores
    }
}

impl<F> fmt::Debug for Ready<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready").field("level", &self.level).finish_non_exhaustive()
    }
}

impl<F: Real> Member<F> {
    fn new(tagger: &Tagger<F>, room: usize) -> Option<Self> {
        let walker = |l: &Lstm<F>| {
            Some(Walker { w_ih: Packed::new(&l.w_ih)?, w_hh: LstmKernel::new(&l.w_hh)? })
        };
        let layer = |layer: &Layer<F>| directions(layer).map(walker).collect();
        let layers = tagger.network.encoder.iter().map(layer).collect::<Option<Vec<_>>>()?;
        let first = tagger.network.encoder.first()?;
        let rows_alone = tagger.vectors.is_none() && tagger.network.chars.is_none();
        let words = rows_alone.then(|| Words::new(tagger, first, room));
        Some(Self { layers, dense: Packed::new(&tagger.network.dense.w)?, words })
    }

    /// As [`Tagger::deep`].
    fn deep(&self, tagger: &Tagger<F>, input: Input) -> Array2<F> {
        let Input { packing, words, chars, vectors, wide: _ } = input;
        let network = &tagger.network;
        let mut spelled = Some((vectors, chars));
        let mut below: Option<Array2<F>> = None;
        for (l, (layer, walkers)) in network.encoder.iter().zip(&self.layers).enumerate() {
            let all_a = match (&below, &self.words) {
                (Some(x), _) => projections(layer, walkers, x),
                (None, Some(known)) => known.look_up(tagger, layer, walkers, &words),
                (None, None) => {
                    let (vectors, chars) = spelled.take().expect("the first layer comes once");
                    let (x, _) = tagger.read(&words, vectors, chars);
                    projections(layer, walkers, &x)
                }
            };
            let mut y = walk(layer, walkers, all_a, &packing);
            if let Some(x) = below {
                if tagger.spec.adds_input(l) {
                    y += &x;
                }
                scratch::give(x);
            }
            below = Some(y);
        }
        let x = below.expect("at least one layer");
        let scores = self.dense.dot_bias(&x, &network.dense.b);
        scratch::give(x);
        scores
    }
}

impl<F: Real> Words<F> {
    fn new(tagger: &Tagger<F>, first: &Layer<F>, room: usize) -> Self {
        let widths: Vec<usize> = directions(first).map(|lstm| 4 * lstm.n_hidden()).collect();
        let bytes = widths.iter().sum::<usize>() * size_of::<F>();
        let slots = tagger.words.table(0).nrows().min(room / bytes.max(1));
        let slots = (0..slots).map(|_| OnceLock::new()).collect();
        Self { tables: tagger.words.tables(), widths, slots }
    }

    /// The word of a token's rows, if it came before.
    fn get(&self, rows: &[u32]) -> Option<&Word<F>> {
        self.slots.get(rows[0] as usize)?.get().filter(|word| *word.rows == *rows)
    }

    /// a (N, 4H) of each direction for `rows` (N·T).
    fn look_up(
        &self,
        tagger: &Tagger<F>,
        layer: &Layer<F>,
        walkers: &[Walker],
        rows: &[u32],
    ) -> Vec<Array2<F>> {
        let tables = self.tables;
        let of = |n: usize| rows.get(n * tables..(n + 1) * tables);
        let n = rows.len() / tables;
        let mut all_a: Vec<Array2<F>> =
            self.widths.iter().map(|&width| scratch::take((n, width))).collect();
        let mut new = Vec::new();
        for (n, rows) in rows.chunks_exact(tables).enumerate() {
            if let Some(soon) = of(n + AHEAD).and_then(|rows| self.get(rows)) {
                prefetch(&soon.a);
            }
            match self.get(rows) {
                Some(word) => {
                    let mut from = &word.a[..];
                    for a in &mut all_a {
                        let (own, others) = from.split_at(a.ncols());
                        row_mut(a, n).copy_from_slice(own);
                        from = others;
                    }
                }
                None => new.push(n),
            }
        }
        if new.is_empty() {
            return all_a;
        }
        let ids: Vec<u32> = new.iter().flat_map(|&n| of(n).expect("a token")).copied().collect();
        let (x, _) = tagger.words.forward(&ids); // (1)
        let made = projections(layer, walkers, &x); // (2)
        scratch::give(x);
        for (k, &n) in new.iter().enumerate() {
            for (a, made) in all_a.iter_mut().zip(&made) {
                row_mut(a, n).copy_from_slice(row(made, k));
            }
            self.keep(of(n).expect("a token"), k, &made);
        }
        made.into_iter().for_each(scratch::give);
        all_a
    }

    /// Keeps row `k` of `made` for the word of these rows, if its slot is free.
    fn keep(&self, rows: &[u32], k: usize, made: &[Array2<F>]) {
        let Some(slot) = self.slots.get(rows[0] as usize) else { return };
        if slot.get().is_none() {
            let mut a = Vec::with_capacity(self.widths.iter().sum());
            made.iter().for_each(|made| a.extend_from_slice(row(made, k)));
            // Another thread may have been sooner, with the same word or another.
            let _ = slot.set(Word { rows: rows.into(), a: a.into() });
        }
    }
}

/// The directions of a layer.
fn directions<F>(layer: &Layer<F>) -> impl Iterator<Item = &Lstm<F>> {
    let [first, second] = match layer {
        Layer::Lstm(lstm) => [Some(lstm), None],
        Layer::BiLstm(both) => [Some(&both.forward), Some(&both.backward)],
    };
    first.into_iter().chain(second)
}

/// (2) for `x` (N, D), of each direction.
fn projections<F: Real>(layer: &Layer<F>, walkers: &[Walker], x: &Array2<F>) -> Vec<Array2<F>> {
    let pairs = directions(layer).zip(walkers);
    pairs.map(|(lstm, walker)| walker.w_ih.dot_bias(x, &lstm.b)).collect()
}

/// From a (N, 4H) of each direction to the layer's output.
fn walk<F: Real>(
    layer: &Layer<F>,
    walkers: &[Walker],
    all_a: Vec<Array2<F>>,
    packing: &Packing,
) -> Array2<F> {
    let ways = [Direction::Forward, Direction::Backward];
    let each = directions(layer).zip(walkers).zip(all_a).zip(ways);
    let h = each.map(|(((lstm, walker), a), way)| {
        lstm.walk(Room::new(a), Some(&walker.w_hh), packing, way, None).0
    });
    h.reduce(bilstm::side_by_side).expect("a layer has a direction")
}

fn row<F>(a: &Array2<F>, n: usize) -> &[F] {
    let width = a.ncols();
    &a.as_slice().expect("row-major")[n * width..(n + 1) * width]
}

fn row_mut<F>(a: &mut Array2<F>, n: usize) -> &mut [F] {
    let width = a.ncols();
    &mut a.as_slice_mut().expect("row-major")[n * width..(n + 1) * width]
}
