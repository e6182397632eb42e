//! Markdown of JSON lines.

use std::collections::BTreeMap;

use serde_json::Value;

/// Prints the tables of what the files say, and on standard error which lines it could not use.
///
/// # Errors
/// If a file does not read.
pub fn run(files: &[String]) -> Result<(), String> {
    let mut lines = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?;
        for line in text.lines().filter(|line| line.starts_with('{')) {
            match serde_json::from_str::<Value>(line) {
                Ok(value) => lines.push(value),
                Err(e) => eprintln!("{path}: {e}: {line}"),
            }
        }
    }
    print!("{}", markdown(&lines));
    Ok(())
}

fn text(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        Value::Number(n) if n.is_f64() => {
            let v = n.as_f64().unwrap_or(f64::NAN);
            match v.abs() {
                a if a >= 100.0 => format!("{v:.0}"),
                a if a >= 0.01 || a == 0.0 => format!("{v:.2}"),
                _ => format!("{v:.1e}"), // errors
            }
        }
        Value::Null => "–".into(),
        other => other.to_string(),
    }
}

fn row(cells: impl IntoIterator<Item = String>) -> String {
    format!("| {} |\n", cells.into_iter().collect::<Vec<_>>().join(" | "))
}

fn table(titles: &[&str], rows: &[Vec<String>]) -> String {
    let head = row(titles.iter().map(|t| (*t).to_owned()));
    let rule = row(titles.iter().map(|_| "---".to_owned()));
    head + &rule + &rows.iter().map(|cells| row(cells.iter().cloned())).collect::<String>()
}

/// One section for what was measured of the machine, one for layers with a column for everyone who ran them, one for
/// runs.
fn markdown(lines: &[Value]) -> String {
    let of = |what: &'static str| lines.iter().filter(move |l| l["what"] == what);
    let mut out = String::new();
    let facts = lines
        .iter()
        .filter(|l| !["layer", "run", "check"].contains(&l["what"].as_str().unwrap_or_default()));
    let rows: Vec<_> = facts
        .map(|l| {
            let value = ["gigabytes_per_second", "teraflop_per_second", "value"];
            let (unit, value) =
                value.iter().find_map(|k| Some((k, l.get(*k)?))).unwrap_or((&"", &Value::Null));
            vec![text(&l["what"]), text(&l["who"]), text(value), unit.replace('_', " ")]
        })
        .collect();
    if !rows.is_empty() {
        out += &format!("## Machine\n\n{}\n", table(&["what", "who", "value", "unit"], &rows));
    }
    let checks: Vec<_> = of("check").map(|l| vec![text(&l["who"]), text(&l["value"])]).collect();
    if !checks.is_empty() {
        out += &format!("## Checks\n\n{}\n", table(&["check", "result"], &checks));
    }
    out += &layers(of("layer"));
    let rows: Vec<_> = of("run")
        .map(|l| {
            ["who", "epoch", "loss", "dev_f1", "tokens_per_second"].map(|k| text(&l[k])).to_vec()
        })
        .collect();
    if !rows.is_empty() {
        let titles = ["run", "epoch", "loss", "dev F1", "tokens/s"];
        out += &format!("## Training\n\n{}\n", table(&titles, &rows));
    }
    out
}

fn layers<'a>(lines: impl Iterator<Item = &'a Value>) -> String {
    type Key = (u64, u64, u64, String);
    let mut who: Vec<String> = Vec::new();
    let mut cells: BTreeMap<Key, BTreeMap<String, Value>> = BTreeMap::new();
    for l in lines {
        let n = |k: &str| l[k].as_u64().unwrap_or(0);
        let name = text(&l["who"]);
        if !who.contains(&name) {
            who.push(name.clone());
        }
        let key = (n("hidden"), n("batch"), n("steps"), text(&l["lengths"]));
        cells.entry(key).or_default().insert(name, l.clone());
    }
    if cells.is_empty() {
        return String::new();
    }
    let mut out = String::from("## A bidirectional layer over 48 columns, median of 50, µs\n\n");
    for (name, title) in
        [("walk_us", "Walk alone"), ("forward_us", "Forward"), ("both_us", "Forward and backward")]
    {
        let of =
            |w: &&String| cells.values().any(|c| c.get(*w).is_some_and(|l| l.get(name).is_some()));
        let who: Vec<&String> = who.iter().filter(of).collect();
        if who.is_empty() {
            continue;
        }
        let titles: Vec<&str> =
            ["H", "B", "T", "lengths"].into_iter().chain(who.iter().map(|w| w.as_str())).collect();
        let rows: Vec<Vec<String>> = cells
            .iter()
            .map(|((h, b, t, lengths), by)| {
                let sizes = [h.to_string(), b.to_string(), t.to_string(), lengths.clone()];
                let times = who
                    .iter()
                    .map(|w| text(by.get(*w).and_then(|l| l.get(name)).unwrap_or(&Value::Null)));
                sizes.into_iter().chain(times).collect()
            })
            .collect();
        out += &format!("### {title}\n\n{}\n", table(&titles, &rows));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_who_ran_a_layer_has_a_column_and_what_was_not_run_a_dash() {
        let line = |who: &str, hidden: u64, forward: f64| {
            serde_json::json!({ "what": "layer", "who": who, "hidden": hidden, "batch": 8, "steps": 22,
                "lengths": "equal", "forward_us": forward })
        };
        let run = serde_json::json!({ "what": "run", "who": "gpu", "epoch": 1, "loss": 0.25, "tokens_per_second": 5 });
        let text = markdown(&[line("a", 64, 11.5), line("b", 64, 200.4), line("a", 128, 3.0), run]);
        assert!(text.contains("| 64 | 8 | 22 | equal | 11.50 | 200 |"), "{text}");
        assert!(text.contains("| 128 | 8 | 22 | equal | 3.00 | – |"), "{text}");
        assert!(text.contains("| gpu | 1 | 0.25 | – | 5 |"), "{text}");
        let error = serde_json::json!({ "what": "error", "who": "a", "value": 1.43e-7 });
        assert!(markdown(&[error]).contains("| error | a | 1.4e-7 | value |"));
    }
}
