//! What went wrong, where, and what to do about it.
//!
//! A mistake in somebody's data is a value, never a panic: it carries a stable code, one sentence,
//! the place in the file, the line itself where that helps, and the next step. The texts behind the
//! codes are in [`CODES`](crate::CODES).

use std::fmt;
use std::path::Path;

use serde::Serialize;

/// A result whose error names file, line and column.
pub type Result<T> = std::result::Result<T, Error>;

/// A place in a file. Lines and columns count from 1; a column counts characters, not bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file as the user named it, or a name in angle brackets such as `<stdin>`.
    pub file: String,
    /// Line in that file, from 1.
    pub line: Option<u64>,
    /// Character within that line, from 1.
    pub column: Option<u64>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
            if let Some(column) = self.column {
                write!(f, ":{column}")?;
            }
        }
        Ok(())
    }
}

// Errors and warnings differ in nothing but their first word and in what the caller does with them.
macro_rules! diagnostic {
    ($(#[$doc:meta])* $Name:ident, $word:literal, $code_doc:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        pub struct $Name {
            #[doc = $code_doc]
            pub code: &'static str,
            /// One sentence that says what is wrong, without place or advice.
            pub message: String,
            /// Where it is; boxed to keep a `Result` small.
            pub place: Option<Box<Place>>,
            /// The next step, as an order: what to type or to change.
            pub help: Option<String>,
            /// The line concerned, possibly with a second line that marks a part of it.
            pub excerpt: Option<String>,
        }

        impl $Name {
            /// A message under a stable code, so far without place, help and excerpt.
            #[must_use]
            pub fn new(code: &'static str, message: impl Into<String>) -> Self {
                Self { code, message: message.into(), place: None, help: None, excerpt: None }
            }

            /// Names the place. `line` and `column` count from 1 and may be `None`.
            #[must_use]
            pub fn at(
                mut self,
                file: impl AsRef<Path>,
                line: impl Into<Option<u64>>,
                column: impl Into<Option<u64>>,
            ) -> Self {
                let file = file.as_ref().to_string_lossy().into_owned();
                self.place = Some(Box::new(Place { file, line: line.into(), column: column.into() }));
                self
            }

            /// Adds the next step.
            #[must_use]
            pub fn help(mut self, help: impl Into<String>) -> Self {
                self.help = Some(help.into());
                self
            }

            /// Adds the line concerned (and marks below it, on lines of their own).
            #[must_use]
            pub fn excerpt(mut self, excerpt: impl Into<String>) -> Self {
                self.excerpt = Some(excerpt.into());
                self
            }
        }

        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($word, "[{}]: {}"), self.code, self.message)?;
                if let Some(place) = &self.place {
                    write!(f, "\n  --> {place}")?;
                }
                for line in self.excerpt.iter().flat_map(|text| text.lines()) {
                    // A line of a file must not steer the reader's terminal.
                    let harmless = |c: char| if c.is_control() && c != '\t' { '\u{fffd}' } else { c };
                    write!(f, "\n   | {}", line.chars().map(harmless).collect::<String>())?;
                }
                if let Some(help) = &self.help {
                    write!(f, "\n  help: {help}")?;
                }
                Ok(())
            }
        }
    };
}

diagnostic!(
    /// A mistake that stops the work.
    ///
    /// ```
    /// let error = data::Error::new("E003", "3 fields, expected 4")
    ///     .at("ner.csv", 12, None)
    ///     .help("the last field is missing");
    /// assert_eq!(
    ///     error.to_string(),
    ///     "error[E003]: 3 fields, expected 4\n  --> ner.csv:12\n  help: the last field is missing"
    /// );
    /// ```
    Error,
    "error",
    "Stable code, `E` and three digits; see [`CODES`](crate::CODES)."
);

diagnostic!(
    /// Something that the user should know of although the work goes on.
    Warning,
    "warning",
    "Stable code, `W` and three digits; see [`CODES`](crate::CODES)."
);

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_prints_code_place_excerpt_and_help_in_that_order() {
        let error = Error::new("E001", "not UTF-8: byte 0x85")
            .at("a/b.csv", 1788, 2)
            .excerpt(",?,:,O\n ^")
            .help("add `--encoding windows-1252`");
        let expected = "error[E001]: not UTF-8: byte 0x85\n  --> a/b.csv:1788:2\n   | ,?,:,O\n   |  ^\n  \
                        help: add `--encoding windows-1252`";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_warning_has_its_own_word_and_a_place_without_line_prints_the_file_only() {
        let warning = Warning::new("W001", "guessed").at("x.csv", None, None);
        assert_eq!(warning.to_string(), "warning[W001]: guessed\n  --> x.csv");
    }

    #[test]
    fn an_excerpt_cannot_steer_the_terminal() {
        let error = Error::new("E003", "x").excerpt("a\u{1b}[31m\tb");
        assert_eq!(error.to_string(), "error[E003]: x\n   | a\u{fffd}[31m\tb");
    }

    #[test]
    fn an_error_is_small_enough_to_travel_in_a_result() {
        assert!(size_of::<Error>() < 128, "{} bytes", size_of::<Error>());
    }
}
