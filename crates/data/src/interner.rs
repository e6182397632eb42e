//! Strings to dense numbers and back.

use std::fmt;

/// A set of distinct strings, numbered from 0 in the order in which they first came.
///
/// The strings lie end to end in one buffer; an open-addressing table finds them. A corpus of a
/// million tokens asks three million times, so a question costs one hash and, as a rule, one probe.
///
/// ```
/// let mut words = data::Interner::new();
/// assert_eq!((words.intern("of"), words.intern("the"), words.intern("of")), (0, 1, 0));
/// assert_eq!((words.resolve(1), words.get("a")), ("the", None));
/// ```
#[derive(Clone, Default)]
pub struct Interner {
    text: String,
    ends: Vec<u32>,  // end of string i in `text`; it begins where string i - 1 ends
    slots: Vec<u64>, // upper half of the hash, then number + 1; 0 is an empty slot
}

const EMPTY: u64 = 0;
const NUMBER: u64 = 0xffff_ffff;

impl Interner {
    /// An empty set; takes no memory before the first string.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many distinct strings there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no string yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The number of `string`, a new one if it was not there.
    ///
    /// # Panics
    /// When the distinct strings together exceed 4 GiB.
    pub fn intern(&mut self, string: &str) -> u32 {
        let hash = hash(string.as_bytes());
        match self.find(string.as_bytes(), hash) {
            Ok(number) => number,
            Err(slot) => self.insert(string, hash, slot),
        }
    }

    /// As [`intern`](Self::intern), for bytes that are known to be a piece of a `str`: only a new
    /// string is checked again, which spares three checks a row when a file is read.
    pub(crate) fn intern_bytes(&mut self, string: &[u8]) -> u32 {
        let hash = hash(string);
        match self.find(string, hash) {
            Ok(number) => number,
            Err(slot) => {
                let string = std::str::from_utf8(string).expect("a piece of decoded text");
                self.insert(string, hash, slot)
            }
        }
    }

    /// The number of `string`, if it is there.
    #[must_use]
    pub fn get(&self, string: &str) -> Option<u32> {
        self.find(string.as_bytes(), hash(string.as_bytes())).ok()
    }

    /// String number `number`.
    ///
    /// # Panics
    /// When there is no such number.
    #[must_use]
    pub fn resolve(&self, number: u32) -> &str {
        &self.text[self.range(number)]
    }

    /// All strings in the order of their numbers.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|number| self.resolve(number as u32))
    }

    /// Heap bytes in use, for memory reports.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.text.capacity() + 4 * self.ends.capacity() + 8 * self.slots.capacity()
    }

    fn range(&self, number: u32) -> std::ops::Range<usize> {
        let number = number as usize;
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        start as usize..self.ends[number] as usize
    }

    /// `Ok(number)`, or `Err(slot)` where the string would go (any value while there is no table).
    fn find(&self, string: &[u8], hash: u64) -> Result<u32, usize> {
        if self.slots.is_empty() {
            return Err(0);
        }
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == EMPTY {
                return Err(at);
            }
            let number = (slot & NUMBER) as u32 - 1;
            if (slot ^ hash) & !NUMBER == 0
                && same(&self.text.as_bytes()[self.range(number)], string)
            {
                return Ok(number);
            }
            at = (at + 1) & mask;
        }
    }

    fn insert(&mut self, string: &str, hash: u64, slot: usize) -> u32 {
        let number = self.ends.len() as u32;
        self.text.push_str(string);
        self.ends.push(u32::try_from(self.text.len()).expect("distinct strings exceed 4 GiB"));
        // At most three quarters full, so that a probe sequence stays short.
        if 4 * self.ends.len() > 3 * self.slots.len() {
            self.grow();
        } else {
            self.slots[slot] = hash & !NUMBER | u64::from(number + 1);
        }
        number
    }

    fn grow(&mut self) {
        let size = (2 * self.slots.len()).max(16);
        self.slots = vec![EMPTY; size];
        for number in 0..self.ends.len() as u32 {
            let hash = hash(&self.text.as_bytes()[self.range(number)]);
            let mut at = hash as usize & (size - 1);
            while self.slots[at] != EMPTY {
                at = (at + 1) & (size - 1);
            }
            self.slots[at] = hash & !NUMBER | u64::from(number + 1);
        }
    }
}

impl fmt::Debug for Interner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl PartialEq for Interner {
    fn eq(&self, other: &Self) -> bool {
        self.ends == other.ends && self.text == other.text
    }
}

impl<'a> FromIterator<&'a str> for Interner {
    fn from_iter<I: IntoIterator<Item = &'a str>>(strings: I) -> Self {
        let mut interner = Self::new();
        for string in strings {
            interner.intern(string);
        }
        interner
    }
}

/// Eight bytes a step, each mixed in by a 64 × 64 → 128 bit product folded onto itself. Never
/// stored, so it may change; what must stay stable across versions hashes with [`crate::hash`].
fn hash(bytes: &[u8]) -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15 ^ bytes.len() as u64;
    let (chunks, rest) = bytes.as_chunks::<8>();
    for &chunk in chunks {
        state = fold(state ^ u64::from_le_bytes(chunk));
    }
    fold(state ^ tail(rest))
}

/// The last 0 to 7 bytes as a number, without a loop: overlapping reads cover them. Two tails of one
/// length are the same number only if they are the same bytes.
fn tail(rest: &[u8]) -> u64 {
    let n = rest.len();
    if let (Some(&first), Some(&last)) = (rest.first_chunk::<4>(), rest.last_chunk::<4>()) {
        return u64::from(u32::from_le_bytes(first)) << 32 | u64::from(u32::from_le_bytes(last));
    }
    match n {
        0 => 0,
        _ => u64::from(rest[0]) << 16 | u64::from(rest[n / 2]) << 8 | u64::from(rest[n - 1]),
    }
}

/// Equality without a call into libc for the lengths that words have.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len()
        && match a.len() {
            0..8 => tail(a) == tail(b),
            8..=16 => {
                a.first_chunk::<8>() == b.first_chunk::<8>()
                    && a.last_chunk::<8>() == b.last_chunk::<8>()
            }
            _ => a == b,
        }
}

fn fold(x: u64) -> u64 {
    let product = u128::from(x) * 0x9fb2_1c65_1e98_df25;
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[test]
    fn numbers_follow_first_appearance_and_lead_back_to_the_string() {
        let words: Interner = ["of", "", "the", "of", "", "theatre"].into_iter().collect();
        assert_eq!(words.iter().collect::<Vec<_>>(), ["of", "", "the", "theatre"]);
        assert_eq!(
            [words.get(""), words.get("theatre"), words.get("th")],
            [Some(1), Some(3), None]
        );
        assert_eq!(Interner::new().get("of"), None);
    }

    #[test]
    fn strings_that_differ_in_one_byte_stay_apart_at_every_length() {
        for len in 1..40 {
            let mut words = Interner::new();
            for place in 0..len {
                let mut word = "a".repeat(len);
                word.replace_range(place..=place, "b");
                assert_eq!(words.intern(&word), place as u32);
            }
        }
    }

    proptest! {
        #[test]
        fn an_interner_agrees_with_a_hash_map(strings in prop::collection::vec(".{0,9}", 0..300)) {
            let mut numbers = HashMap::new();
            let mut words = Interner::new();
            for string in &strings {
                let next = numbers.len() as u32;
                prop_assert_eq!(words.intern(string), *numbers.entry(string.clone()).or_insert(next));
            }
            prop_assert_eq!(words.len(), numbers.len());
            for (string, number) in &numbers {
                prop_assert_eq!(words.get(string), Some(*number));
                prop_assert_eq!(words.resolve(*number), string);
                prop_assert_eq!(words.intern_bytes(string.as_bytes()), *number);
            }
        }
    }
}
