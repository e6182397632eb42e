//! `longhand gradcheck`: right gradients pass, each planted mistake is caught where it is.

mod common;

use common::Dir;
use serde_json::Value;

/// A small network of every kind of part: few weights, so that nearly all of them are compared.
const SMALL: [&str; 12] = [
    "--set",
    "embedding=6",
    "--set",
    "encoder=bilstm:3,lstm:4",
    "--set",
    "affix-rows=7",
    "--set",
    "wide-rows=11",
    "--set",
    "dropout=0.2",
    "--set",
    "recurrent-dropout=0.2",
];

fn gradcheck(more: &[&str]) -> (i32, Value) {
    let args = [&["gradcheck", "--json", "--samples", "24"], &SMALL[..], more].concat();
    let ran = Dir::new().run(&args);
    let report = serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {}", ran.err));
    (ran.code, report)
}

/// Names of the tensors whose gradient is said to be wrong.
fn wrong(report: &Value) -> Vec<&str> {
    let tensors = report["tensors"].as_array().unwrap().iter();
    tensors.filter(|t| t["ok"] == false).map(|t| t["name"].as_str().unwrap()).collect()
}

#[test]
fn every_preset_and_both_readers_of_letters_have_right_gradients() {
    let networks: [&[&str]; 5] = [
        &["--preset", "fast"],
        &["--preset", "repaired"],
        &["--preset", "tutorial"],
        &["--set", "chars=cnn", "--set", "locked=true"],
        &["--set", "chars=lstm", "--set", "inside=iobes"],
    ];
    for network in networks {
        let (code, report) = gradcheck(network);
        assert_eq!((code, wrong(&report)), (0, vec![]), "{network:?}");
        let worst = report["tensors"].as_array().unwrap().iter().map(|t| t["error"].as_f64());
        assert!(worst.flatten().fold(0.0, f64::max) < 1e-7, "{report:#}");
    }
}

#[test]
fn a_spoilt_tensor_is_caught_and_no_other_is_blamed() {
    for how in ["negated", "zero", "twice"] {
        for name in ["encoder.0.backward.w_hh", "crf.transitions", "words.table", "wide.table"] {
            let (code, report) = gradcheck(&["--break", &format!("{name}={how}")]);
            assert_eq!((code, wrong(&report)), (1, vec![name]), "{how}");
        }
    }
}

#[test]
fn each_slip_shows_in_the_tensors_that_it_spoils() {
    let (_, report) = gradcheck(&["--break", "gate-order"]);
    let expected: Vec<String> = ["0.forward", "0.backward", "1"]
        .iter()
        .flat_map(|l| ["w_ih", "w_hh", "b"].map(|t| format!("encoder.{l}.{t}")))
        .collect();
    assert_eq!(wrong(&report), expected);
    let (_, report) = gradcheck(&["--break", "repeated-rows"]);
    let found = wrong(&report);
    assert!(found.iter().all(|n| n.starts_with("words.") || n.starts_with("wide.")), "{found:?}");
    assert!(found.contains(&"wide.table"), "{found:?}");
    let (_, report) = gradcheck(&["--break", "dropout-masks"]);
    assert!(wrong(&report).contains(&"inputs"), "{report:#}");
    let (code, report) = gradcheck(&["--break", "mean-over-sentences"]);
    assert_eq!(code, 1);
    assert!(!wrong(&report).contains(&"crf.transitions"), "their gradient comes from the loss");
}

#[test]
fn the_table_says_what_was_compared_and_what_is_wrong() {
    let dir = Dir::new();
    let args = [&["gradcheck", "--samples", "8"], &SMALL[..]].concat();
    let ran = dir.run(&args).expect(0);
    for part in ["encoder.0.forward.w_hh", "12×3", "inputs", "scores", "gradients agree within"] {
        assert!(ran.out.contains(part), "{part}:\n{}", ran.out);
    }
    let ran = dir.run(&[&args[..], &["--break", "dense.w=twice"]].concat());
    assert_eq!(ran.code, 1);
    assert!(
        ran.out.starts_with("planted mistake: dense.w's gradient is added twice"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("✗") && ran.out.contains("1 of "), "{}", ran.out);
}

#[test]
fn mistakes_that_there_are_not_are_errors() {
    let dir = Dir::new();
    let ran = dir.run(&["gradcheck", "--break", "gate-odrer"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("did you mean `gate-order`?"), "{}", ran.err);
    let none = ["--set", "dropout=0", "--set", "dense-dropout=0", "--break", "dropout-masks"];
    let ran = dir.run(&[&["gradcheck"], &none[..]].concat());
    assert!(ran.code == 2 && ran.err.contains("no dropout"), "{}", ran.err);
}

#[test]
fn the_same_seed_compares_the_same() {
    let strip = |mut v: Value| {
        v["seconds"] = Value::Null;
        v
    };
    let [a, b, c] =
        [&["--seed", "3"], &["--seed", "3"], &["--seed", "4"]].map(|s| strip(gradcheck(s).1));
    assert_eq!(a, b);
    assert_ne!(a, c);
}
