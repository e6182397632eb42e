//! Tags to chunks, by any of the rules.

use crate::Rule;
use crate::{conlleval, seqeval, strict};

/// A labelled stretch of one sentence's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Chunk<'a> {
    /// First token.
    pub start: usize,
    /// One past the last token.
    pub end: usize,
    /// Entity type. conlleval calls a type that is not written `""`, seqeval calls it `"_"`.
    pub label: &'a str,
}

/// The chunks of one sentence as `rule` sees them, from left to right.
///
/// ```
/// use eval::{Chunk, Rule, chunks};
///
/// // An I- that nothing opened: conlleval takes it for an entity, the strict rule does not.
/// let tags = ["O", "I-per", "I-per"];
/// assert_eq!(chunks(Rule::Conlleval, &tags), [Chunk { start: 1, end: 3, label: "per" }]);
/// assert_eq!(chunks("strict iob2".parse().unwrap(), &tags), []);
/// ```
pub fn chunks<T: AsRef<str>>(rule: Rule, tags: &[T]) -> Vec<Chunk<'_>> {
    match rule {
        Rule::Strict(scheme) => strict::chunks(scheme, tags),
        Rule::Seqeval => seqeval::Reader::default().sentence(tags),
        Rule::Conlleval => conlleval::chunks(tags),
    }
}
