//! `report.html`: what a run learned, where it goes wrong, and where it comes from, in one file that
//! asks nothing of the network.
//!
//! ```text
//! Run ──► scores     floors, types            ──► page
//!     ├─► curves     loss and F1 by epoch
//!     ├─► mistakes   kinds, confusion, slices
//!     ├─► likely     calibration, cuts
//!     ├─► sentences  the worst, gold above found
//!     └─► about      data, settings, provenance
//! ```
//!
//! Every plot is drawn here, as SVG, and stands beside the table of its figures. The page is whole
//! without JavaScript; the few lines of it make tables sortable.

mod about;
mod comparison;
mod curves;
mod likely;
mod markup;
mod mistakes;
mod plot;
mod scores;
mod sentences;

use std::collections::BTreeMap;

use eval::{Judged, Prf, Scores};
use serde::Deserialize;

use crate::html::{escaped, head};
use crate::table::EpochRow;

pub use comparison::{Compared, comparison, says};

/// Everything that the page of a run shows.
#[derive(Clone, Debug)]
pub struct Run {
    /// What the run is called.
    pub name: String,
    /// The part that it is judged on: `test`, or `dev`.
    pub part: &'static str,
    /// Scores on that part.
    pub scores: Scores,
    /// Scores on dev, where that is another part.
    pub dev: Option<Prf>,
    /// What one reaches without a model; none where it was measured on another part.
    pub floors: Vec<Floor>,
    /// Every entity of the part.
    pub sentences: Vec<Judged>,
    /// What happened in each epoch.
    pub epochs: Vec<EpochRow>,
    /// The epoch that the model is from.
    pub best_epoch: usize,
    /// What the data doctor found.
    pub findings: Vec<Finding>,
    /// Time, speed, size: name and value.
    pub speed: Vec<(String, String)>,
    /// The configuration.
    pub settings: Vec<Setting>,
    /// Where the run comes from: name and value.
    pub provenance: Vec<(String, String)>,
}

/// Scores of something that is no model.
#[derive(Clone, Debug)]
pub struct Floor {
    /// What it does.
    pub name: String,
    /// Micro precision, recall and F1.
    pub prf: [f64; 3],
    /// Share of tokens with the right tag.
    pub token_accuracy: f64,
    /// F1 of each type.
    pub per_type: BTreeMap<String, f64>,
}

/// A finding of the data doctor, as `check --json` has it.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs)]
pub struct Finding {
    pub code: String,
    pub severity: String,
    pub message: String,
    #[serde(default)]
    pub examples: Vec<String>,
    pub help: Option<String>,
}

/// A key of the configuration.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
    /// What the preset has instead, where the run differs from it.
    pub preset: Option<String>,
}

/// The page of a run.
pub fn run(run: &Run) -> String {
    let sections = [
        scores::section(run),
        curves::section(run),
        mistakes::section(run),
        likely::section(run),
        sentences::section(run),
        about::data(run),
        about::run(run),
    ];
    let title = format!("Run {}", run.name);
    document(&title, &scores::lead(run), &sections)
}

/// A part of a page with its place in the list of contents.
struct Section {
    id: &'static str,
    title: String,
    body: String,
}

fn document(title: &str, lead: &str, sections: &[Section]) -> String {
    let head = head(title, include_str!("report.css"), &format!("'{SCRIPT_HASH}'"));
    let (title, script) = (escaped(title), include_str!("report.js"));
    let link = |s: &Section| format!("<li><a href=\"#{}\">{}</a></li>\n", s.id, escaped(&s.title));
    let links: String = sections.iter().map(link).collect();
    let body = |Section { id, title, body }: &Section| {
        let title = escaped(title);
        format!(
            "<section id=\"{id}\" aria-labelledby=\"{id}-title\">\n\
             <h2 id=\"{id}-title\">{title}</h2>\n{body}</section>\n"
        )
    };
    let bodies: String = sections.iter().map(body).collect();
    format!(
        "{head}<body>\n\
         <header>\n<p class=\"brand\">Longhand</p>\n<h1>{title}</h1>\n{lead}</header>\n\
         <nav aria-label=\"Contents\">\n<ul>\n{links}</ul>\n</nav>\n\
         <main>\n{bodies}</main>\n<script>{script}</script>\n</body>\n</html>\n"
    )
}

/// SHA-256 of `report.js`, as the policy names it.
const SCRIPT_HASH: &str = "sha256-BpIpqUWjjk5nuF1vpS4mxH6D92XGAxCsS2PvDnm9ZAI=";

#[cfg(test)]
mod tests;
