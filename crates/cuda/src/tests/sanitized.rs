//! Every kernel once, with few threads' worth of work: what `crates/cuda/sanitize.sh` runs, and `benches/gpu/run.sh` under
//! NVIDIA's compute-sanitizer.

use super::*;

/// Each thread of a block is one of the system there.
#[test]
#[ignore = "for sanitizers; the other tests do more"]
fn under_a_sanitizer() {
    for (n_hidden, lengths) in [(64, &[3, 2, 1, 1, 1][..]), (128, &[2, 1]), (20, &[3, 1, 1])] {
        let Some(mut e) = engine(0) else { return };
        let case = lstm::Case::new(n_hidden, lengths, true, seed());
        let out = case.run(&mut e);
        case.check("sanitized", &out);
    }
    chars::cnn(5, 1.0);
    chars::lstm(3);
    heads::check_crf(5, &[3, 2], 2.0, None);
    heads::check_crf(40, &[2, 1], 2.0, Some(8 << 10));
    heads::check_viterbi(5, &[3, 2], None);
    heads::check_viterbi(40, &[2, 1], Some(4 << 10));
    heads::the_losses_of_single_tokens_agree_with_f64();
    rows::check_product(65, 70, 33);
    rows::check_gradients(257, &[0]);
    rows::check_rows(&[0]);
    rows::arrays_are_added_and_divided();
    step::adam_and_the_average_agree_with_f64_and_rows_that_are_not_touched_stay();
    step::what_is_not_finite_moves_nothing();
}
