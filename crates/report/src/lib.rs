//! What people look at: tagged text on the terminal and as HTML, JSON lines, columns, tables.
//!
//! ```text
//! text, entities ──► terminal   London geo        table ──► scores, floors, summary, history
//!                ├─► html       a page, or the piece of one
//!                ├─► svg        a picture
//!                └─► jsonl      one line of JSON
//! words, tags    ──► conll      one token a line
//! a run, or two  ──► page       report.html
//! ```
//!
//! All functions return a `String` and write nothing: where it goes, and whether the terminal shows
//! colours, is the caller's knowledge. Offsets into a text are counted in characters for readers
//! and in bytes for programs; an [`Entity`] has both.

pub mod conll;
pub mod conlleval;
mod entity;
pub mod explain;
pub mod html;
pub mod human;
pub mod jsonl;
pub mod page;
mod palette;
pub mod svg;
pub mod table;
pub mod terminal;

pub use entity::{Entity, entities};
