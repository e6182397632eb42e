//! Makes the gradient book's figures and the numbers beside them, from real runs:
//!
//! ```sh
//! cargo run --release --example book_figures            # all of them, in about a minute
//! cargo run --release --example book_figures -- crf     # one chapter's: time, crf, letters, adam, numerics, repairs
//! ```
//!
//! writes SVG and CSV files into docs/book/src/figures. Networks are trained on the built-in corpus, so that
//! nothing else is needed; the last digits of what is trained differ a little from processor to processor.

#[path = "figures/adam.rs"]
mod adam;
#[path = "figures/crf.rs"]
mod crf;
#[path = "figures/draw.rs"]
mod draw;
#[path = "figures/letters.rs"]
mod letters;
#[path = "figures/numerics.rs"]
mod numerics;
#[path = "figures/run.rs"]
mod run;
#[path = "figures/time.rs"]
mod time;

use std::path::PathBuf;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A file's name and what is in it.
type Figure = (&'static str, String);

/// What makes the figures of a chapter.
type Maker = fn() -> Result<Vec<Figure>>;

fn main() -> Result<()> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/book/src/figures"));
    std::fs::create_dir_all(&folder)?;
    let chapters: [(&str, Maker); 6] = [
        ("time", time::figures),
        ("crf", crf::figures),
        ("letters", letters::figures),
        ("adam", adam::figures),
        ("numerics", numerics::figures),
        ("repairs", repairs),
    ];
    let asked: Vec<String> = std::env::args().skip(1).collect();
    for (chapter, figures) in chapters {
        if asked.is_empty() || asked.iter().any(|name| name == chapter) {
            for (name, text) in figures()? {
                std::fs::write(folder.join(name), text)?;
            }
        }
    }
    Ok(())
}

/// The post-mortem's bars, of the numbers that docs/book/postmortem.py measured.
fn repairs() -> Result<Vec<Figure>> {
    let results = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/book/postmortem.csv");
    let results = std::fs::read_to_string(results)?;
    Ok(vec![("repairs.svg", draw::bars("Test F1 after each repair (mean over seeds)", &results))])
}
