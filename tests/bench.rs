//! `longhand bench`: it measures something, and says what.

mod common;

use common::Dir;
use serde_json::Value;

#[test]
fn speeds_and_their_shares_of_the_peak_are_there_and_plausible() {
    let dir = Dir::new();
    let out = dir.run(&["bench", "--json", "--seconds", "0", "--threads", "1", "-q"]).expect(0).out;
    let all: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(all["threads"], 1);
    let speed = |work: &str| all[work]["tokens_per_second"].as_f64().expect("a number");
    for work in ["train", "forward_backward", "tag"] {
        assert!(speed(work) > 0.0, "{work}\n{out}");
        assert_eq!(all[work]["rounds"], 1);
        assert!(all[work]["lowest"].as_f64() <= all[work]["highest"].as_f64());
    }
    assert!(speed("tag") > speed("train"), "forward alone takes a third of the products\n{out}");
    for peak in all["peak"].as_array().expect("a list") {
        assert!(peak["gflop_per_second"].as_f64().unwrap() > 1.0, "{out}");
    }
    // The portable level has no peak of its own to be held against.
    let share = all["train"]["share_of_peak"].as_f64();
    assert!(share.is_none_or(|share| 0.0 < share && share < 1.0), "{out}");
    assert_eq!(share.is_none(), all["level"] == "portable");
}
