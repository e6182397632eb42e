//! The data, the settings, the speed, and where the run comes from.

use super::markup::{Column, details, heading, list, note, table};
use super::{Finding, Run, Section, Setting};
use crate::html::escaped;

/// Examples that are shown of a finding.
const EXAMPLES: usize = 3;

pub(super) fn data(run: &Run) -> Section {
    let mut body = note("What `longhand check` finds in the data that the run was made of.");
    if run.findings.is_empty() {
        body += &note("Nothing odd was found.");
    }
    body += "<ul class=\"findings\">\n";
    body += &run.findings.iter().map(finding).collect::<String>();
    body += "</ul>\n";
    Section { id: "data", title: "Data".into(), body }
}

fn finding(finding: &Finding) -> String {
    let Finding { code, severity, message, examples, help } = finding;
    let [code, message] = [code, message].map(|text| escaped(text));
    let word = if severity == "warn" { "warning" } else { severity };
    let mut more: Vec<String> = examples.iter().take(EXAMPLES).map(|text| escaped(text)).collect();
    more.extend(help.iter().map(|help| format!("What to do: {}", escaped(help))));
    let more = match more.is_empty() {
        true => String::new(),
        false => {
            let items: String = more.iter().map(|line| format!("<li>{line}</li>\n")).collect();
            details("Examples and help", &format!("<ul lang=\"\">\n{items}</ul>\n"))
        }
    };
    format!(
        "<li><span class=\"severity {}\">{} {code}</span> {message}{more}</li>\n",
        escaped(severity),
        escaped(word)
    )
}

pub(super) fn run(run: &Run) -> Section {
    let changed: Vec<&Setting> = run.settings.iter().filter(|s| s.preset.is_some()).collect();
    let mut body = heading("Speed and size") + &list(&run.speed);
    body += &heading("Where it comes from");
    body += &list(&run.provenance);
    body += &heading("Configuration");
    body += &match changed.is_empty() {
        true => note("Every key has the value of its preset."),
        false => settings("Keys that differ from the preset", &changed),
    };
    let all: Vec<&Setting> = run.settings.iter().collect();
    body += &details("All keys", &settings("Configuration", &all));
    Section { id: "run", title: "Run".into(), body }
}

fn settings(title: &str, settings: &[&Setting]) -> String {
    let columns = [Column::Words("Key"), Column::Words("Value"), Column::Words("Preset")];
    let row = |s: &&Setting| {
        let code = |text: &str| format!("<code>{}</code>", escaped(text));
        let preset = s.preset.as_deref().map_or("the same".to_owned(), code);
        vec![code(&s.key), code(&s.value), preset]
    };
    table(title, &columns, &settings.iter().map(row).collect::<Vec<_>>(), "")
}
