//! Random numbers that depend on what they are for, and on nothing else.
//!
//! A [`Stream`] is named by a seed, a purpose and two numbers (an epoch and a sentence, say): the
//! same name gives the same numbers whatever was drawn before, on whatever thread. That is what makes
//! a training run the same for any number of threads, and after it was interrupted and resumed.
//!
//! The generator is Philox 4×32 with 10 rounds (Salmon, Moraes, Dror, Shaw: "Parallel random numbers:
//! as easy as 1, 2, 3", SC 2011), checked below against the known answers of the authors' Random123.

use crate::vectorised;

pub use ndarray_rand::rand::{Rng, RngCore};

/// Multipliers and key increments of the paper's table 2 and section 4.
const M: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const W: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// What a stream is drawn for. The number is part of the stream's name: never reuse or renumber one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Initial weights. Index: the layer, counted in directions. Numbers: the table of a sum of tables, else 0 (the
    /// matrices of a layer are drawn one after the other), and 0.
    Weights = 1,
    /// Order of the sentences in an epoch. Numbers: the epoch and 0.
    Order = 2,
    /// What is hidden in training. Index: 0 for words read as `<unk>`, 1 for parts of speech. Numbers: the epoch and the
    /// sentence.
    Unknown = 3,
    /// Dropout. Index: where in the network (`nn::tagger::Place`). Numbers: the epoch and the sentence.
    Dropout = 4,
    /// Shares and parts of a corpus.
    Split = 5,
    /// Inputs of tests and benches.
    Test = 6,
    /// Values of a search's trials. Numbers: the trial and the key.
    Search = 7,
}

/// A stream of random numbers with a name.
#[derive(Clone, Debug)]
pub struct Stream {
    key: [u32; 2],
    counter: [u32; 4],
    block: [u32; 4],
    used: usize,
}

impl Stream {
    /// The stream of `purpose`, `a` and `b` under `seed`. It holds 2³⁴ numbers of 32 bits.
    ///
    /// ```
    /// use tensor::random::{Purpose, Stream};
    /// let draw = |epoch| Stream::new(1, Purpose::Order, epoch, 0).unit();
    /// assert_eq!(draw(3), draw(3)); // whatever was drawn before
    /// assert_ne!(draw(3), draw(4));
    /// ```
    pub fn new(seed: u64, purpose: Purpose, a: u32, b: u32) -> Self {
        Self::numbered(seed, purpose, 0, a, b)
    }

    /// As [`Stream::new`], for a purpose that is there several times (layers, say): `index` < 2¹⁶.
    pub fn numbered(seed: u64, purpose: Purpose, index: u16, a: u32, b: u32) -> Self {
        let name = purpose as u32 | u32::from(index) << 16;
        let key = [seed as u32, (seed >> 32) as u32];
        Self { key, counter: [0, b, a, name], block: [0; 4], used: 4 }
    }

    /// A number in [0, 1), a multiple of 2⁻²⁴.
    pub fn unit(&mut self) -> f32 {
        (self.next_u32() >> 8) as f32 * (1.0 / (1 << 24) as f32)
    }

    /// The next `out.len()` numbers of 32 bits, as [`RngCore::next_u32`] would give them one by one, several
    /// times as fast.
    pub fn fill(&mut self, mut out: &mut [u32]) {
        while self.used < 4 && !out.is_empty() {
            out[0] = self.next_u32();
            out = &mut out[1..];
        }
        let (blocks, rest) = out.as_chunks_mut::<{ 4 * LANES }>();
        vectorised(
            #[inline(always)]
            || {
                for out in blocks {
                    philox_lanes(self.counter, self.key, out);
                    self.counter[0] = self.counter[0].wrapping_add(LANES as u32);
                }
            },
        );
        rest.iter_mut().for_each(|x| *x = self.next_u32());
    }

    /// A whole number in 0..n, without bias (Lemire 2019).
    ///
    /// # Panics
    /// If n is 0.
    pub fn below(&mut self, n: u32) -> u32 {
        assert!(n > 0, "there is no number below 0");
        let threshold = n.wrapping_neg() % n;
        loop {
            let product = u64::from(self.next_u32()) * u64::from(n);
            if product as u32 >= threshold {
                return (product >> 32) as u32;
            }
        }
    }

    /// Puts `items` into random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u32 + 1) as usize);
        }
    }
}

impl RngCore for Stream {
    #[inline]
    fn next_u32(&mut self) -> u32 {
        if self.used == 4 {
            self.block = philox(self.counter, self.key);
            self.counter[0] = self.counter[0].wrapping_add(1);
            self.used = 0;
        }
        self.used += 1;
        self.block[self.used - 1]
    }

    fn next_u64(&mut self) -> u64 {
        u64::from(self.next_u32()) | u64::from(self.next_u32()) << 32
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(4) {
            chunk.copy_from_slice(&self.next_u32().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// Ten rounds of Philox 4×32 over one counter.
#[inline]
pub fn philox(mut c: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..10 {
        if round > 0 {
            key = [key[0].wrapping_add(W[0]), key[1].wrapping_add(W[1])];
        }
        let p0 = u64::from(M[0]) * u64::from(c[0]);
        let p1 = u64::from(M[1]) * u64::from(c[2]);
        c = [
            (p1 >> 32) as u32 ^ c[1] ^ key[0],
            p1 as u32,
            (p0 >> 32) as u32 ^ c[3] ^ key[1],
            p0 as u32,
        ];
    }
    c
}

/// Counters that [`philox_lanes`] works on at a time: as many as a vector of 32 bytes holds numbers.
const LANES: usize = 8;

/// [`philox`] over `counter` and those after it, one below the other in `out`: number by number in step,
/// so that the compiler makes vectors of it.
#[inline(always)]
fn philox_lanes(counter: [u32; 4], mut key: [u32; 2], out: &mut [u32; 4 * LANES]) {
    let mut c = counter.map(|c| [c; LANES]);
    for l in 0..LANES {
        c[0][l] = c[0][l].wrapping_add(l as u32);
    }
    for round in 0..10 {
        if round > 0 {
            key = [key[0].wrapping_add(W[0]), key[1].wrapping_add(W[1])];
        }
        for l in 0..LANES {
            let p0 = u64::from(M[0]) * u64::from(c[0][l]);
            let p1 = u64::from(M[1]) * u64::from(c[2][l]);
            c[0][l] = (p1 >> 32) as u32 ^ c[1][l] ^ key[0];
            c[2][l] = (p0 >> 32) as u32 ^ c[3][l] ^ key[1];
            c[1][l] = p1 as u32;
            c[3][l] = p0 as u32;
        }
    }
    for (l, out) in out.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        *out = [c[0][l], c[1][l], c[2][l], c[3][l]];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn philox_gives_the_known_answers_of_random123() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(
            philox([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            philox(
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0]
            ),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn streams_of_other_names_differ_and_of_one_name_agree() {
        let draw = |seed, purpose, index, a, b| {
            let mut s = Stream::numbered(seed, purpose, index, a, b);
            [s.next_u64(), s.next_u64(), s.next_u64()]
        };
        let first = draw(7, Purpose::Order, 0, 1, 2);
        assert_eq!(first, draw(7, Purpose::Order, 0, 1, 2));
        for other in [
            draw(8, Purpose::Order, 0, 1, 2),
            draw(7, Purpose::Dropout, 0, 1, 2),
            draw(7, Purpose::Order, 1, 1, 2),
            draw(7, Purpose::Order, 0, 2, 2),
            draw(7, Purpose::Order, 0, 1, 3),
        ] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn numbers_filled_in_are_the_numbers_drawn_one_by_one() {
        for level in crate::simd::Level::available() {
            for (skip, n) in [(0, 0), (0, 1), (1, 2), (3, 40), (0, 64), (2, 200), (4, 31)] {
                let mut one_by_one = Stream::numbered(5, Purpose::Test, 1, 2, 3);
                // Over the end of the counter's first number, too.
                one_by_one.counter[0] = u32::MAX - 9;
                let mut filled = one_by_one.clone();
                (0..skip).for_each(|_| assert_eq!(one_by_one.next_u32(), filled.next_u32()));
                let mut numbers = vec![0; n];
                crate::simd::with_level(level, || filled.fill(&mut numbers));
                for (i, x) in numbers.into_iter().enumerate() {
                    assert_eq!(x, one_by_one.next_u32(), "number {i} after {skip}, {level}");
                }
                assert_eq!(filled.next_u64(), one_by_one.next_u64());
            }
        }
    }

    #[test]
    fn units_fill_their_range_evenly_and_shuffles_keep_all_items() {
        let mut s = Stream::new(1, Purpose::Test, 0, 0);
        let mut tenths = [0usize; 10];
        for _ in 0..100_000 {
            tenths[(s.unit() * 10.0) as usize] += 1;
        }
        // 10,000 expected, standard deviation 95: five of them.
        assert!(tenths.iter().all(|&n| n.abs_diff(10_000) < 475), "{tenths:?}");
        let mut order: Vec<u32> = (0..1000).collect();
        s.shuffle(&mut order);
        assert!(order.windows(2).filter(|w| w[0] + 1 == w[1]).count() < 10);
        order.sort_unstable();
        assert!(order.iter().enumerate().all(|(i, &v)| i as u32 == v));
    }
}
