//! Tags to spans to scores: three scoring rules, floors, calibration, and an analysis of mistakes.
//!
//! ```text
//! gold tags, predicted tags ── rule ──► chunks ──► counts ──► precision, recall, F1
//!                                          └─────► judged sentences ──► confusion, kinds of error,
//!                                                   seen and unseen, probabilities, the worst
//!                                                   sentences; two runs by a paired bootstrap
//! ```
//!
//! The same two columns of tags give different figures under different programs, so a [`Rule`] is
//! asked for everywhere and written into every [`Scores`]. Each rule is held equal to the program
//! it is named after by fixtures that the program itself made (`tests/fixtures`).
//!
//! This crate knows words and tags as strings. It knows no model, reads no file, prints nothing.

mod analysis;
mod bootstrap;
mod calibration;
mod chunk;
mod compare;
mod conlleval;
mod cuts;
mod familiar;
mod floors;
mod judged;
mod pairing;
mod rule;
mod score;
mod seqeval;
mod strict;
mod worst;

pub use analysis::{Analysis, Bucket, Confusion, Errors, Novelty, analyse};
pub use bootstrap::{Bootstrap, paired_bootstrap};
pub use calibration::{BINS, Calibration, ReliabilityBin, calibrate};
pub use chunk::{Chunk, chunks};
pub use compare::{Comparison, compare, first_difference, most_gained};
pub use cuts::{Cut, cuts, probabilities};
pub use familiar::{Familiar, Familiarity};
pub use floors::{MostFrequentTag, all_o};
pub use judged::{Fate, Judged, Mention, Pair};
pub use rule::{Rule, UnknownRule};
pub use score::{Counts, Macro, Prf, Scorer, Scores, score};
pub use worst::{most_mistakes, surest_mistakes};
