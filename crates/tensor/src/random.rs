//! Random numbers that depend on what they are for, and on nothing else.
//!
//! A [`Stream`] is named by a seed, a purpose and two numbers (an epoch and a sentence, say): the
//! same name gives the same numbers whatever was drawn before, on whatever thread. That is what makes
//! a training run the same for any number of threads, and after it was interrupted and resumed.
//!
//! The generator is Philox 4×32 with 10 rounds (Salmon, Moraes, Dror, Shaw: "Parallel random numbers:
//! as easy as 1, 2, 3", SC 2011), checked below against the known answers of the authors' Random123.

pub use ndarray_rand::rand::{Rng, RngCore};

/// Multipliers and key increments of the paper's table 2 and section 4.
const M: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const W: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// What a stream is drawn for. The number is part of the stream's name: never reuse or renumber one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Initial weights; the numbers are the tensor and nothing.
    Weights = 1,
    /// Order of the sentences in an epoch; the numbers are the epoch and nothing.
    Order = 2,
    /// Words replaced by `<unk>`; the numbers are the epoch and the sentence.
    Unknown = 3,
    /// Dropout on a layer's input; the numbers are the epoch and the sentence.
    Dropout = 4,
    /// Shares and parts of a corpus.
    Split = 5,
    /// Inputs of tests and benches.
    Test = 6,
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
