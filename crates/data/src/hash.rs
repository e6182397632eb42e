//! The two small functions behind every split: stable across versions, platforms and compilers.
//!
//! A split made today must be the split made in ten years on another machine, so nothing here comes
//! from a library that is free to change. FNV-1a (Fowler, Noll, Vo, 64 bits) reads bytes; SplitMix64
//! (Steele, Lea, Flood 2014) turns a number into one that looks random, and makes random streams.

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;
const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// FNV-1a over the words, each closed by a byte that no UTF-8 text holds, so that `a b` and `ab`
/// differ.
pub fn fnv1a<'a>(words: impl Iterator<Item = &'a str>) -> u64 {
    let mut hash = FNV_OFFSET;
    for word in words {
        for &byte in word.as_bytes().iter().chain(&[0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
        }
    }
    hash
}

/// SplitMix64's output function: a bijection of 64 bits in which every input bit moves every output
/// bit.
pub fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A stream of random numbers from a seed.
pub struct SplitMix64(pub u64);

impl SplitMix64 {
    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN_GAMMA);
        mix(self.0)
    }

    /// A number below `n` (not 0), every one as likely as any other: Lemire's product, with the few
    /// draws thrown away that would favour some.
    pub fn below(&mut self, n: u64) -> u64 {
        let favoured = n.wrapping_neg() % n; // 2^64 mod n
        loop {
            let product = u128::from(self.next_u64()) * u128::from(n);
            if product as u64 >= favoured {
                return (product >> 64) as u64;
            }
        }
    }

    /// Puts the items in a random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u64 + 1) as usize;
            items.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fnv_agrees_with_its_published_values() {
        // Test vectors of the FNV page ("" and "foobar"), here with the closing byte undone.
        assert_eq!(fnv1a([].into_iter()), FNV_OFFSET);
        let close = |hash: u64| (hash ^ 0xff).wrapping_mul(FNV_PRIME);
        assert_eq!(fnv1a(["foobar"].into_iter()), close(0x8594_4171_f739_67e8));
        assert_ne!(fnv1a(["a", "b"].into_iter()), fnv1a(["ab"].into_iter()));
    }

    #[test]
    fn splitmix_agrees_with_the_reference_stream() {
        // The first three outputs of the reference C program for seed 1234567.
        let mut random = SplitMix64(1_234_567);
        let stream = [random.next_u64(), random.next_u64(), random.next_u64()];
        let published =
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(stream, published);
    }

    #[test]
    fn every_number_below_n_comes_about_equally_often() {
        let mut random = SplitMix64(7);
        let mut counts = [0; 6];
        for _ in 0..60_000 {
            counts[random.below(6) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (9_600..10_400).contains(count)), "{counts:?}");
    }
}
