//! Text to ids and back: files, encodings, sentences, tag schemes, vocabulary, splits, tokenisation.
//!
//! ```text
//! file ── source ──► bytes ── source ──► text ── csv_reader, conll ──► Corpus
//!         unzip              decode              columns, sentences      │
//!                                                                       scheme   tags ⇄ spans
//!                                                                       split    train, dev, test
//!                                                                       doctor   what is odd about it
//! raw text ── tokenize ──► tokens, sentences                            vocab    words, tags ⇄ ids
//! file ── source ──► bytes, piece by piece ── vectors ──► words, rows
//! ```
//!
//! This crate knows no model and no numbers but ids, counts, the fractions of a split, and the rows of
//! [`Vectors`], which it hands out and never computes with. Every
//! mistake in a file is an [`Error`] with a stable code, a place and a next step; what each code
//! means stands in [`CODES`].

mod codes;
mod columns;
mod conll;
mod corpus;
mod csv_reader;
pub mod doctor;
mod encoding;
mod error;
pub mod features;
mod hash;
mod interner;
mod read;
pub mod scheme;
mod source;
pub mod split;
mod tagset;
mod tokenize;
mod vectors;
mod vocab;
mod write;

pub use codes::CODES;
pub use columns::{Column, Columns};
pub use corpus::{Corpus, CorpusBuilder, Format, Numbers, Sentence, Source};
pub use encoding::Encoding;
pub use error::{Error, Place, Result, Warning};
pub use hash::SplitMix64;
pub use interner::Interner;
pub use read::{ReadOptions, read, read_bytes, read_text};
pub use scheme::{Scheme, Span};
pub use split::Split;
pub use tagset::TagSet;
pub use tokenize::{Quotes, Token, characters, sentences, tokenize};
pub use vectors::{Coverage, Vectors, VectorsFormat, VectorsSource};
pub use vocab::{UNK, UNK_WORD, Vocab};
pub use write::{write_conll, write_csv};
