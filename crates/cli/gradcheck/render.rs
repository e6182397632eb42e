//! What a gradient check says.

use nn::gradcheck::Check;
use report::human::count;
use report::table::{Align, Table};
use serde_json::{Value, json};

use super::Outcome;

/// A row a tensor, and what it comes to.
pub fn text(outcome: &Outcome, color: bool) -> String {
    let right = |title| (title, Align::Right);
    let mut table = Table::new(&[
        ("tensor", Align::Left),
        right("shape"),
        right("error"),
        right("backward"),
        right("differences"),
        right("at"),
    ]);
    for check in &outcome.checks {
        let error = format!("{:.0e}", check.error);
        let row = [
            check.name.clone(),
            joined(&check.shape, "×"),
            if outcome.passes(check) { error } else { format!("✗ {error}") },
            format!("{:.2e}", check.analytic),
            format!("{:.2e}", check.numeric),
            joined(&check.index, ","),
        ];
        if outcome.passes(check) { table.row(row) } else { table.strong_row(row) }
    }
    format!("{}{}{}", planted(outcome), table.render(color), conclusion(outcome))
}

fn planted(outcome: &Outcome) -> String {
    let mistake = outcome.planted.as_ref();
    mistake.map_or(String::new(), |text| format!("planted mistake: {text}\n\n"))
}

fn conclusion(outcome: &Outcome) -> String {
    let checks = &outcome.checks;
    let compared: usize = checks.iter().map(|c| c.compared).sum();
    let size = |c: &Check| c.shape.iter().product::<usize>();
    let all: usize = checks.iter().map(size).sum();
    let mut text = format!(
        "\n{}, seed {}: {} comparisons in {:.1} s, of {} elements.\nThe worst of each tensor is shown; \
         its error is relative to the largest\ngradient of the tensor.\n",
        outcome.of,
        outcome.seed,
        count(compared),
        outcome.seconds,
        count(all),
    );
    let wrong = checks.iter().filter(|c| !outcome.passes(c)).count();
    text += &match wrong {
        0 => format!("All {} gradients agree within {:.0e}.\n", checks.len(), outcome.bound),
        n => format!(
            "{n} of {} gradients are WRONG: off by {:.0e} or more.\n",
            checks.len(),
            outcome.bound
        ),
    };
    text
}

/// The same for programs.
pub fn json(outcome: &Outcome) -> Value {
    let tensor = |c: &Check| {
        json!({
            "name": c.name,
            "shape": c.shape,
            "compared": c.compared,
            "error": c.error,
            "analytic": c.analytic,
            "numeric": c.numeric,
            "index": c.index,
            "ok": outcome.passes(c),
        })
    };
    json!({
        "of": outcome.of,
        "seed": outcome.seed,
        "bound": outcome.bound,
        "planted": outcome.planted,
        "ok": outcome.checks.iter().all(|c| outcome.passes(c)),
        "seconds": outcome.seconds,
        "tensors": outcome.checks.iter().map(tensor).collect::<Vec<_>>(),
    })
}

fn joined(numbers: &[usize], between: &str) -> String {
    numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(between)
}
