//! Which reading of tags made a score.

use std::fmt;
use std::str::FromStr;

use data::scheme::Scheme;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How a row of tags becomes chunks, and so what a score means.
///
/// The three rules agree on well-formed IOB2 and on little else: IOBES read by conlleval can show
/// an F1 of 100 for a wrong answer. A score without its rule cannot be compared with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Only well-formed chunks of this scheme count: seqeval's `mode="strict"`.
    Strict(Scheme),
    /// seqeval 1.2.2 as it comes, without a mode or a scheme.
    Seqeval,
    /// The Perl program of the CoNLL shared tasks, version 2004-01-26.
    Conlleval,
}

const RULES: [(&str, Rule); 6] = [
    ("strict iob2", Rule::Strict(Scheme::Iob2)),
    ("strict iob1", Rule::Strict(Scheme::Iob1)),
    ("strict iobes", Rule::Strict(Scheme::Iobes)),
    ("strict bilou", Rule::Strict(Scheme::Bilou)),
    ("seqeval", Rule::Seqeval),
    ("conlleval", Rule::Conlleval),
];

impl Rule {
    /// The name that stands beside every score: `strict iob2`, `seqeval`, `conlleval`.
    pub fn name(self) -> &'static str {
        RULES.iter().find(|(_, rule)| *rule == self).map_or("", |(name, _)| name)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is none of the rules'.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownRule(pub String);

impl fmt::Display for UnknownRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = RULES.map(|(name, _)| name).join(", ");
        write!(f, "no scoring rule is called \"{}\"; there are: {names}", self.0)
    }
}

impl std::error::Error for UnknownRule {}

impl FromStr for Rule {
    type Err = UnknownRule;

    /// Reads a [`Rule::name`]; `strict` alone means `strict iob2`.
    fn from_str(name: &str) -> Result<Self, UnknownRule> {
        let wanted = if name == "strict" { "strict iob2" } else { name };
        RULES
            .iter()
            .find(|(known, _)| *known == wanted)
            .map(|(_, rule)| *rule)
            .ok_or_else(|| UnknownRule(name.to_owned()))
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_read_back_from_its_name() {
        for (name, rule) in RULES {
            assert_eq!(rule.to_string(), name);
            assert_eq!(name.parse(), Ok(rule));
            let json = serde_json::to_string(&rule).unwrap();
            assert_eq!(json, format!("\"{name}\""));
            assert_eq!(serde_json::from_str::<Rule>(&json).unwrap(), rule);
        }
        assert_eq!("strict".parse(), Ok(Rule::Strict(Scheme::Iob2)));
    }

    #[test]
    fn an_unknown_rule_is_answered_with_the_known_ones() {
        let error = "muc".parse::<Rule>().unwrap_err().to_string();
        assert!(error.contains("\"muc\"") && error.contains("strict iobes, "), "{error}");
    }
}
