//! Scores in the layout of conlleval, the Perl program of the CoNLL shared tasks.

use std::fmt::Write;

use eval::{Prf, Scores};

/// What the program prints for these scores, byte for byte if they were made by its rule.
///
/// Two of its habits are kept: without a token there is no line of percentages, and a type without a
/// name stands twice where both columns have it.
///
/// ```
/// use eval::{Rule, score};
/// let scores = score(Rule::Conlleval, [(&["B-geo", "O"][..], &["B-geo", "B-org"][..])]);
/// assert_eq!(
///     report::conlleval::page(&scores).lines().next().unwrap(),
///     "processed 2 tokens with 1 phrases; found: 2 phrases; correct: 1."
/// );
/// ```
pub fn page(scores: &Scores) -> String {
    let Prf { gold, found, correct, .. } = scores.micro;
    let mut page = format!(
        "processed {} tokens with {gold} phrases; found: {found} phrases; correct: {correct}.\n",
        scores.tokens
    );
    if scores.tokens > 0 {
        let right = (scores.token_accuracy * scores.tokens as f64).round();
        let accuracy = 100.0 * right / scores.tokens as f64;
        writeln!(page, "accuracy: {accuracy:6.2}%; {}", figures(&scores.micro))
            .expect("a String takes all");
    }
    for (label, prf) in &scores.per_type {
        let times = if label.is_empty() && prf.gold > 0 && prf.found > 0 { 2 } else { 1 };
        // The program's columns are bytes wide.
        let fill = " ".repeat(17_usize.saturating_sub(label.len()));
        let line = format!("{fill}{label}: {}  {}\n", figures(prf), prf.found);
        page += &line.repeat(times);
    }
    page
}

/// Percentages in the program's order of operations, so that they are rounded alike.
fn figures(prf: &Prf) -> String {
    let percent = |part: usize, whole: usize| match whole {
        0 => 0.0,
        _ => 100.0 * part as f64 / whole as f64,
    };
    let precision = percent(prf.correct, prf.found);
    let recall = percent(prf.correct, prf.gold);
    let sum = precision + recall;
    let f1 = if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 };
    format!("precision: {precision:6.2}%; recall: {recall:6.2}%; FB1: {f1:6.2}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use eval::{Rule, score};

    #[test]
    fn the_page_is_that_of_the_program() {
        let gold = ["B-geo", "O", "B-per", "I-per", "O", "B-tim", "O"];
        let guess = ["B-geo", "O", "B-per", "O", "O", "B-org", "B-geo"];
        let scores = score(Rule::Conlleval, [(&gold[..], &guess[..])]);
        // As conlleval 2004-01-26 prints it under Perl 5.36.
        let expected = "\
processed 7 tokens with 3 phrases; found: 4 phrases; correct: 1.
accuracy:  57.14%; precision:  25.00%; recall:  33.33%; FB1:  28.57
              geo: precision:  50.00%; recall: 100.00%; FB1:  66.67  2
              org: precision:   0.00%; recall:   0.00%; FB1:   0.00  1
              per: precision:   0.00%; recall:   0.00%; FB1:   0.00  1
              tim: precision:   0.00%; recall:   0.00%; FB1:   0.00  0
";
        assert_eq!(page(&scores), expected);
    }

    #[test]
    fn a_nameless_type_stands_twice_and_nothing_has_no_percentages() {
        let bare = score(Rule::Conlleval, [(&["B", "O"][..], &["B", "O"][..])]);
        assert_eq!(page(&bare).lines().count(), 4);
        let nothing = score::<&str, &str>(Rule::Conlleval, []);
        let line = "processed 0 tokens with 0 phrases; found: 0 phrases; correct: 0.\n";
        assert_eq!(page(&nothing), line);
    }
}
