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
        let bytes = std::fs::read(path).map_err(|e| format!("{path}: {e}"))?;
        let text = String::from_utf8_lossy(&bytes); // messages may be cut anywhere
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

/// Rows of the fields of these names.
fn fields<'a>(lines: impl Iterator<Item = &'a Value>, names: &[&str]) -> Vec<Vec<String>> {
    lines.map(|l| names.iter().map(|k| text(&l[*k])).collect()).collect()
}

/// A section for checks, for what was measured of the machine, for layers with a column for everyone who ran them, for
/// runs, for steps of the script.
fn markdown(lines: &[Value]) -> String {
    let of = |what: &'static str| lines.iter().filter(move |l| l["what"] == what);
    let mut out = String::new();
    let mut section = |title: &str, titles: &[&str], rows: Vec<Vec<String>>| {
        if !rows.is_empty() {
            out += &format!("## {title}\n\n{}\n", table(titles, &rows));
        }
    };
    let checks: Vec<_> = of("check")
        .map(|l| {
            let failed = if l["ok"] == false { "**FAILED** " } else { "" };
            vec![text(&l["who"]), failed.to_owned() + &text(&l["value"])]
        })
        .collect();
    let failed = of("check").filter(|l| l["ok"] == false).count();
    let passed = of("check").filter(|l| l["ok"] == true).count();
    let title = format!("Checks: {failed} failed, {passed} passed");
    section(&title, &["check", "result"], checks);
    let others = ["layer", "run", "check", "step", "kernel"];
    let facts = lines.iter().filter(|l| !others.contains(&l["what"].as_str().unwrap_or_default()));
    let rows: Vec<_> = facts
        .map(|l| {
            let value = ["gigabytes_per_second", "teraflop_per_second", "value"];
            let (unit, value) =
                value.iter().find_map(|k| Some((k, l.get(*k)?))).unwrap_or((&"", &Value::Null));
            let unit = if *unit == "value" { "" } else { unit };
            vec![text(&l["what"]), text(&l["who"]), text(value), unit.replace('_', " ")]
        })
        .collect();
    section("Machine", &["what", "who", "value", "unit"], rows);
    section(
        "GPU against CPU on two threads, last epoch",
        &[
            "run",
            "against",
            "batch",
            "steps, s",
            "CPU's, s",
            "times as fast",
            "at least 5",
            "whole commands, s",
            "CPU's, s",
            "times as fast",
        ],
        ratios(lines),
    );
    section(
        "Training; tokens/s and seconds of steps alone, without the scores of dev",
        &["run", "batch", "epoch", "loss", "dev F1", "seconds", "tokens/s"],
        fields(
            of("run"),
            &["who", "batch", "epoch", "loss", "dev_f1", "seconds", "tokens_per_second"],
        ),
    );
    section(
        "Kernels of ten training steps by ncu",
        &["kernel", "batch", "launches", "mean, µs", "% of all"],
        fields(of("kernel"), &["who", "batch", "launches", "mean_us", "percent"]),
    );
    out += &layers(of("layer"));
    let rows = fields(of("step"), &["who", "seconds", "rc"]);
    if !rows.is_empty() {
        let titles = ["step", "wall seconds", "ended with"];
        out += &format!("## What was run\n\n{}\n", table(&titles, &rows));
    }
    out
}

/// Of runs that are to be set against another one: their last epochs' steps, and the whole commands.
fn ratios(lines: &[Value]) -> Vec<Vec<String>> {
    let last = |who: &str| lines.iter().rfind(|l| l["what"] == "run" && l["who"] == who);
    let wall = |who: &str| {
        let name = format!("train-{who}");
        lines.iter().rfind(|l| l["what"] == "step" && l["who"] == *name)?["seconds"].as_f64()
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    for l in lines.iter().filter(|l| l["what"] == "run") {
        let (Some(who), Some(versus)) = (l["who"].as_str(), l["versus"].as_str()) else { continue };
        if versus.is_empty() || rows.iter().any(|row| row[0] == who) {
            continue;
        }
        let seconds = |who: &str| last(who)?["seconds"].as_f64();
        let times = |a: Option<f64>, b: Option<f64>| Some(b? / a?);
        let number = |v: Option<f64>| v.map_or("–".into(), |v| format!("{v:.2}"));
        let (steps, of_cpu) = (seconds(who), seconds(versus));
        let fast = times(steps, of_cpu);
        let enough = fast.map_or("–", |r| if r >= 5.0 { "yes" } else { "NO" });
        let (all, all_of_cpu) = (wall(who), wall(versus));
        rows.push(vec![
            who.into(),
            versus.into(),
            text(&l["batch"]),
            number(steps),
            number(of_cpu),
            number(fast),
            enough.into(),
            number(all),
            number(all_of_cpu),
            number(times(all, all_of_cpu)),
        ]);
    }
    rows
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
    let mut out = String::from(
        "## A bidirectional layer over 48 columns, µs\n\n\
         Medians of 50 rounds or as many as a quarter of a second allows, after 20 ms of warming up; of the CPU as said. \
         \"GPU alone\": everything was launched before it began. A dash: not run, or not launched in time.\n\n",
    );
    for (name, title) in [
        ("walk_us", "Walk alone"),
        ("walk_gpu_us", "Walk alone, GPU alone"),
        ("forward_us", "Forward (PyTorch: eval, inference mode)"),
        ("forward_gpu_us", "Forward, GPU alone"),
        ("training_us", "Forward that backward can follow (ours is one and the same)"),
        ("training_gpu_us", "Forward that backward can follow, GPU alone"),
        ("both_us", "Forward and backward"),
        ("both_gpu_us", "Forward and backward, GPU alone"),
    ] {
        let of =
            |w: &&String| cells.values().any(|c| c.get(*w).is_some_and(|l| l[name].is_number()));
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
        let text = markdown(&[line("a", 64, 11.5), line("b", 64, 200.4), line("a", 128, 3.0)]);
        assert!(text.contains("| 64 | 8 | 22 | equal | 11.50 | 200 |"), "{text}");
        assert!(text.contains("| 128 | 8 | 22 | equal | 3.00 | – |"), "{text}");
        let error = serde_json::json!({ "what": "error", "who": "a", "value": 1.43e-7 });
        assert!(markdown(&[error]).contains("| error | a | 1.4e-7 |"));
    }

    #[test]
    fn a_run_is_set_against_its_versus_by_its_last_epoch_and_by_the_whole_command() {
        let run = |who: &str, versus: &str, epoch: u64, seconds: f64| {
            serde_json::json!({ "what": "run", "who": who, "versus": versus, "batch": 32, "epoch": epoch,
                "loss": 0.25, "seconds": seconds, "tokens_per_second": 5 })
        };
        let step = |who: &str, seconds: f64| serde_json::json!({ "what": "step", "who": who, "rc": 0, "seconds": seconds });
        let mut lines = vec![
            run("gpu", "cpu", 1, 9.0),
            run("gpu", "cpu", 2, 0.5),
            step("train-gpu", 4.0),
            run("gpu-256", "cpu-256", 1, 0.1),
        ];
        let text = markdown(&lines);
        assert!(text.contains("| gpu | cpu | 32 | 0.50 | – | – | – | 4.00 | – | – |"), "{text}");
        lines.extend([run("cpu", "", 1, 30.0), run("cpu", "", 2, 3.0), step("train-cpu", 6.0)]);
        let text = markdown(&lines);
        let row = "| gpu | cpu | 32 | 0.50 | 3.00 | 6.00 | yes | 4.00 | 6.00 | 1.50 |";
        assert!(text.contains(row), "{text}");
        assert!(
            text.contains("| gpu-256 | cpu-256 | 32 | 0.10 | – | – | – | – | – | – |"),
            "{text}"
        );
        assert!(text.contains("| gpu | 32 | 1 | 0.25 | – | 9.00 | 5 |"), "{text}");
        lines[1]["seconds"] = 0.61.into();
        assert!(markdown(&lines).contains("| 4.92 | NO |"));
    }

    #[test]
    fn checks_that_failed_are_counted_and_marked() {
        let check = |ok: Value| serde_json::json!({ "what": "check", "who": "a", "ok": ok, "value": "3 of 4" });
        let text = markdown(&[check(false.into()), check(true.into()), check(Value::Null)]);
        assert!(text.starts_with("## Checks: 1 failed, 1 passed\n"), "{text}");
        assert_eq!(text.matches("| a | **FAILED** 3 of 4 |").count(), 1);
        assert_eq!(text.matches("| a | 3 of 4 |").count(), 2);
    }
}
