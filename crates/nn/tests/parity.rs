//! Layers, heads and the whole network against PyTorch and Keras: every value, every gradient.
//!
//! Gradient checks show that backward belongs to forward; these numbers show that forward is what
//! everybody else computes. `fixtures/README.md` says what each file holds and how it was made.

mod fixtures;

use fixtures::{
    Fixture, Precision, assert_close, assert_rows_close, assert_tensors_close, fill, pack, part,
    tagger,
};
use ndarray::{Array1, Array2, ArrayD, Axis};
use nn::bilstm::BiLstm;
use nn::crf::{Allowed, Crf};
use nn::dense::Dense;
use nn::lstm::{Lstm, Masks};
use nn::tagger::{Head, Input};
use nn::{Direction, Packing, Params, keras_relu};
use tensor::Real;

fn empty_lstm<F: Real>(n_in: usize, n_hidden: usize) -> Lstm<F> {
    Lstm {
        w_ih: Array2::zeros((4 * n_hidden, n_in)),
        w_hh: Array2::zeros((4 * n_hidden, n_hidden)),
        b: Array1::zeros(4 * n_hidden),
    }
}

/// One case of a fixture: its tensors stand under `prefix`, padded or of equal lengths.
struct Case<'a> {
    fixture: &'a Fixture,
    prefix: &'a str,
    packing: Packing,
}

impl Case<'_> {
    fn get<F: Real>(&self, name: &str) -> ArrayD<F> {
        self.fixture.get(&format!("{}{name}", self.prefix))
    }

    fn rows<F: Real>(&self, name: &str) -> Array2<F> {
        pack(&self.get(name), &self.packing)
    }

    fn assert_rows<F: Real>(&self, name: &str, got: &Array2<F>, bound: f64) {
        assert_close(name, got.view().into_dyn(), &self.rows(name).into_dyn(), bound);
    }

    /// h, dx and the gradients of all weights.
    fn check_lstm<F: Real>(&self, masks: &Masks<F>, bound: f64) {
        let (x, dh): (Array2<F>, Array2<F>) = (self.rows("x"), self.rows("dh"));
        let mut layer = empty_lstm(x.ncols(), dh.ncols());
        fill(&mut layer, |name| self.get(name));
        let (h, cache) = layer.forward(x, &self.packing, Direction::Forward, masks.clone());
        let mut grads = layer.zeros_like();
        let dx = layer.backward(cache, dh.view(), &mut grads);
        self.assert_rows("h", &h, bound);
        self.assert_rows("dx", &dx, bound);
        assert_tensors_close(&grads, bound, |name| self.get(&format!("d{name}")));
    }

    fn check_bilstm<F: Real>(&self, bound: f64) {
        let (x, dh): (Array2<F>, Array2<F>) = (self.rows("x"), self.rows("dh"));
        let [forward, backward] = [(); 2].map(|()| empty_lstm(x.ncols(), dh.ncols() / 2));
        let mut layer = BiLstm { forward, backward };
        fill(&mut layer, |name| self.get(&name.replace('.', "_")));
        let (h, cache) = layer.forward(x, &self.packing, Default::default());
        let mut grads = layer.zeros_like();
        let dx = layer.backward(cache, &dh, &mut grads);
        self.assert_rows("h", &h, bound);
        self.assert_rows("dx", &dx, bound);
        assert_tensors_close(&grads, bound, |name| self.get(&name.replace('.', "_d")));
    }
}

/// The case at precision `F` of a PyTorch fixture.
fn at<F: Precision>(fixture: &Fixture) -> Case<'_> {
    Case { fixture, prefix: F::PREFIX, packing: fixture.packing("lengths") }
}

fn lstm_agrees<F: Precision>() {
    at::<F>(&Fixture::open("torch_lstm")).check_lstm::<F>(&Masks::default(), F::BOUND);
}

#[test]
fn an_lstm_over_ragged_sentences_agrees_with_pytorch() {
    lstm_agrees::<f32>();
    lstm_agrees::<f64>();
}

fn bilstm_agrees<F: Precision>() {
    at::<F>(&Fixture::open("torch_bilstm")).check_bilstm::<F>(F::BOUND);
}

#[test]
fn a_bilstm_over_ragged_sentences_agrees_with_pytorch() {
    bilstm_agrees::<f32>();
    bilstm_agrees::<f64>();
}

fn masked_lstm_agrees<F: Precision>() {
    let fixture = Fixture::open("torch_masks");
    let mask = |name| Some(fixture.matrix::<F>(&format!("{}{name}", F::PREFIX)));
    let masks = Masks { input: mask("input_mask"), recurrent: mask("recurrent_mask") };
    at::<F>(&fixture).check_lstm(&masks, F::BOUND);
}

#[test]
fn an_lstm_under_fixed_dropout_masks_agrees_with_pytorch() {
    masked_lstm_agrees::<f32>();
    masked_lstm_agrees::<f64>();
}

fn tagger_agrees<F: Precision>() {
    let fixture = Fixture::open("torch_tagger");
    let case = at::<F>(&fixture);
    let network = tagger::<F>(&fixture, &format!("{}init.", F::PREFIX), Head::Softmax);
    let packing = &case.packing;
    let ids = fixture.packed_ids("ids", packing);
    let tags = fixture.packed_ids("tags", packing);

    let (logits, cache) = network.forward(Input::words(ids, packing), None);
    case.assert_rows("logits", &logits, F::BOUND);
    let weight = 1.0 / packing.rows() as f64;
    let mut grads = network.zeros_like();
    let (loss, ds) = network.loss(logits, &tags, packing, F::of(weight), &mut grads.network);
    assert!((loss * weight - fixture.number(&format!("{}loss", F::PREFIX))).abs() < F::BOUND);

    let rows = network.backward(cache, &ds, &mut grads.network);
    rows.words.add_to(&mut grads.words.rows);
    assert_tensors_close(&grads, F::BOUND, |name| case.get(&format!("grad.{}", part(name))));
}

#[test]
fn the_whole_network_under_a_softmax_agrees_with_pytorch() {
    tagger_agrees::<f32>();
    tagger_agrees::<f64>();
}

fn equal_lengths(sentences: usize, steps: usize) -> Packing {
    Packing::new(vec![steps; sentences])
}

#[test]
fn an_lstm_agrees_with_keras_over_four_steps_and_over_one() {
    let fixture = &Fixture::open("keras_lstm");
    for (prefix, packing) in
        [("four_steps.", equal_lengths(3, 4)), ("one_step.", equal_lengths(2, 1))]
    {
        Case { fixture, prefix, packing }.check_lstm::<f32>(&Masks::default(), f32::BOUND);
    }
}

#[test]
fn keras_weights_are_pytorch_weights_transposed() {
    let fixture = Fixture::open("keras_lstm");
    for (keras, pytorch) in [("kernel", "w_ih"), ("recurrent_kernel", "w_hh"), ("dkernel", "dw_ih")]
    {
        let theirs: Array2<f32> = fixture.matrix(&format!("four_steps.{keras}"));
        assert_eq!(theirs.t(), fixture.matrix::<f32>(&format!("four_steps.{pytorch}")));
    }
}

#[test]
fn a_bilstm_agrees_with_keras() {
    let fixture = &Fixture::open("keras_lstm");
    let case = Case { fixture, prefix: "bidirectional.", packing: equal_lengths(3, 4) };
    case.check_bilstm::<f32>(f32::BOUND);
}

#[test]
fn the_whole_network_under_a_relu_agrees_with_keras_with_padding_counted() {
    let fixture = &Fixture::open("keras_tagger");
    let case = Case { fixture, prefix: "", packing: equal_lengths(4, 5) };
    let network = tagger::<f32>(fixture, "init.", Head::KerasRelu);
    let ids = fixture.packed_ids("ids", &case.packing);
    let tags = fixture.packed_ids("tags", &case.packing);

    let (scores, cache) = network.forward(Input::words(ids, &case.packing), None);
    case.assert_rows("outputs", &scores.mapv(|s| s.max(0.0)), f32::BOUND);
    let mut grads = network.zeros_like();
    let (loss, ds) = network.loss(scores, &tags, &case.packing, 1.0 / 20.0, &mut grads.network);
    let want = fixture.number("loss");
    assert!((loss / 20.0 - want).abs() < f32::BOUND * want, "{loss} / 20 is not {want}");

    let rows = network.backward(cache, &ds, &mut grads.network);
    rows.words.add_to(&mut grads.words.rows);
    assert_tensors_close(&grads, f32::BOUND, |name| case.get(&format!("grad.{}", part(name))));
}

#[test]
fn the_loss_behind_a_relu_agrees_with_keras_on_every_kind_of_row() {
    let fixture = Fixture::open("keras_relu_ce");
    let outputs: Array2<f32> = fixture.matrix("outputs");
    let gold = fixture.ids("gold");
    let rows = outputs.axis_chunks_iter(Axis(0), 1).zip(&gold);
    let losses: Array1<f32> = rows
        .map(|(row, &y)| keras_relu::cross_entropy(row.to_owned(), &[y], 1.0).0 as f32)
        .collect();
    assert_close("row_losses", losses.view().into_dyn(), &fixture.get("row_losses"), f32::BOUND);

    let n = gold.len();
    let (loss, ds) = keras_relu::cross_entropy(outputs.clone(), &gold, 1.0 / n as f32);
    assert!((loss / n as f64 - fixture.number("loss")).abs() < f32::BOUND);
    // Keras's gradient is that of the outputs; the ReLU below stops it where an output is 0.
    let open = outputs.mapv(|u| if u > 0.0 { 1.0 } else { 0.0 });
    let want = fixture.get::<f32>("doutputs") * open;
    assert_rows_close("doutputs", &ds, &want, f32::BOUND);
}

#[test]
fn a_row_without_a_positive_score_poisons_loss_and_weights_as_in_keras() {
    let fixture = Fixture::open("keras_tagger");
    let zero_row = |name: &str| fixture.get::<f32>(&format!("zero_row.{name}"));
    let mut dense = Dense { w: Array2::zeros((3, 2)), b: Array1::zeros(3) };
    fill(&mut dense, zero_row);
    let (scores, cache) = dense.forward(fixture.matrix("zero_row.x"));
    let (loss, ds) = keras_relu::cross_entropy(scores, &fixture.ids("zero_row.gold"), 1.0 / 3.0);
    assert!(loss.is_nan() && fixture.number("zero_row.loss").is_nan());
    let mut grads = dense.zeros_like();
    let dx = dense.backward(cache, &ds, &mut grads);
    assert_close("dx", dx.view().into_dyn(), &zero_row("dx"), f32::BOUND);
    assert_tensors_close(&grads, f32::BOUND, |name| zero_row(&format!("d{name}")));
}

fn crf_agrees<F: Precision>() {
    let fixture = &Fixture::open("torch_crf");
    let case = Case { fixture, prefix: "", packing: fixture.packing("lengths") };
    let (packing, scores) = (&case.packing, case.rows::<F>("emissions"));
    let tags = fixture.packed_ids("tags", packing);
    let mut crf = Crf::<F>::new(scores.ncols());
    fill(&mut crf, |name| case.get(name));

    let (allowed, weight) = (Allowed::all(scores.ncols()), 1.0 / packing.rows() as f64);
    let mut grads = crf.zeros_like();
    let (loss, ds) = crf.loss(scores.clone(), &tags, packing, &allowed, F::of(weight), &mut grads);
    assert!((loss * weight - fixture.number("loss")).abs() < F::BOUND);
    case.assert_rows("demissions", &ds, F::BOUND);
    assert_tensors_close(&grads, F::BOUND, |name| case.get(&format!("d{name}")));

    let chain = crf.chain(&allowed);
    case.assert_rows("marginals", &chain.marginals(&scores, packing), F::BOUND);
    let log_z: Array1<f64> = chain.log_partitions(&scores, packing).into();
    let want = case.get("log_partition");
    assert_close("log_partition", log_z.view().into_dyn(), &want, F::BOUND);
    assert_eq!(chain.viterbi(&scores, packing), fixture.packed_ids("best_path", packing));
    let best: Array1<f64> =
        (0..packing.sentences()).map(|r| chain.n_best(&scores, packing, r, 1)[0].score).collect();
    assert_close("best_score", best.view().into_dyn(), &case.get("best_score"), F::BOUND);
}

#[test]
fn a_crf_agrees_with_pytorch_scoring_every_path() {
    crf_agrees::<f32>();
    crf_agrees::<f64>();
}
