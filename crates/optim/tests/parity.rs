//! Ten whole training steps of a small network against PyTorch and Keras: losses and all weights.
//!
//! What `nn`'s parity tests show for one forward and one backward, these show for forward, backward,
//! clipping and Adam in turn. `nn/tests/fixtures/README.md` says how the numbers were made.

#[path = "../../nn/tests/fixtures/mod.rs"]
mod fixtures;

use fixtures::{Fixture, Precision, assert_close, assert_tensors_close, part, tagger};
use ndarray::{Array1, ArrayD};
use nn::tagger::{Head, Input, Network, Tagger};
use nn::{Packing, Params};
use optim::rows::Summer;
use optim::sum::{clip_factor, squared_norm};
use optim::{Adam, AdamKind, AdamSettings, RowAdam};
use tensor::Real;

/// How to train.
struct Recipe {
    network: AdamSettings,
    table: AdamSettings,
    /// Update only the rows of the table that the batch touched.
    lazy: bool,
    alpha: f64,
    /// 0 never clips.
    max_norm: f64,
}

/// PyTorch's Adam, as the fixtures of PyTorch have it, for the table too.
const PYTORCH: Recipe = Recipe {
    network: adam(AdamKind::PyTorch, 1e-8),
    table: adam(AdamKind::PyTorch, 1e-8),
    lazy: false,
    alpha: 1e-2,
    max_norm: 0.0,
};

const fn adam(kind: AdamKind, epsilon: f64) -> AdamSettings {
    AdamSettings { kind, beta1: 0.9, beta2: 0.999, epsilon }
}

/// Words and tags, packed.
struct Batch {
    ids: Vec<u32>,
    tags: Vec<u32>,
    packing: Packing,
}

/// A tagger on its way.
struct Training<F: 'static> {
    tagger: Tagger<F>,
    network: Adam<Network<F>>,
    table: RowAdam<F>,
    summer: Summer,
}

impl<F: Real> Training<F> {
    fn new(tagger: Tagger<F>) -> Self {
        let network = Adam::new(&tagger.network);
        let shape = tagger.words.rows.dim();
        Self { tagger, network, table: RowAdam::new(shape), summer: Summer::new(shape.0) }
    }

    /// Step `t`, from 1 → the mean loss and the norm of the gradient, both before the update.
    fn step(&mut self, t: u64, batch: &Batch, recipe: &Recipe) -> (f64, f64) {
        let n = batch.ids.len() as f64;
        let (scores, cache) =
            self.tagger.forward(Input::words(batch.ids.clone(), &batch.packing), None);
        let mut grads = self.tagger.network.zeros_like();
        let weight = F::of(1.0 / n);
        let (loss, ds) = self.tagger.loss(scores, &batch.tags, &batch.packing, weight, &mut grads);
        let rows = self.tagger.backward(cache, &ds, &mut grads).words;
        let rows = self.summer.sum(&[&rows]);

        let squared = squared_norm(&grads) + rows.squared_norm();
        let scale = clip_factor(squared, recipe.max_norm);
        let rates = recipe.network.rates(t, recipe.alpha, scale);
        self.network.update(&mut self.tagger.network, &grads, &rates);
        let rates = recipe.table.rates(t, recipe.alpha, scale);
        let table = &mut self.tagger.words.rows;
        if recipe.lazy {
            self.table.update_touched(table, &rows, &rates);
        } else {
            self.table.update_all(table, &rows, &rates);
        }
        (loss / n, squared.sqrt())
    }
}

/// Trains over `batches` in turn from the weights under `init.` and compares with what stands under
/// `after`.; `precision` comes before both.
fn ten_steps<F: Real>(
    fixture: &Fixture,
    [precision, after]: [&str; 2],
    head: Head,
    batches: &[Batch],
    recipe: &Recipe,
    bound: f64,
) {
    let get = |name: &str| -> ArrayD<F> { fixture.get(&format!("{precision}{after}.{name}")) };
    let mut training = Training::<F>::new(tagger(fixture, &format!("{precision}init."), head));
    let seen = (0..10).map(|k| training.step(k as u64 + 1, &batches[k % batches.len()], recipe));
    let (losses, norms): (Vec<f64>, Vec<f64>) = seen.unzip();

    let compare = |name, values: &[f64]| {
        let values: Array1<F> = values.iter().map(|&v| F::of(v)).collect();
        assert_close(name, values.view().into_dyn(), &get(name), bound);
    };
    compare("losses", &losses);
    if recipe.max_norm > 0.0 {
        compare("norms", &norms);
    }
    assert_tensors_close(&training.tagger, bound, |name| get(&part(name)));
}

/// At both precisions: what stands under `after` in PyTorch's file.
fn agrees_with_pytorch(after: &str, batches: &[&str], recipe: &Recipe) {
    let fixture = Fixture::open("torch_tagger");
    let batch = |prefix: &&str| {
        let packing = fixture.packing(&format!("{prefix}lengths"));
        let [ids, tags] =
            ["ids", "tags"].map(|name| fixture.packed_ids(&format!("{prefix}{name}"), &packing));
        Batch { ids, tags, packing }
    };
    let batches: Vec<Batch> = batches.iter().map(batch).collect();
    let head = Head::Softmax;
    ten_steps::<f32>(&fixture, [f32::PREFIX, after], head, &batches, recipe, f32::BOUND);
    ten_steps::<f64>(&fixture, [f64::PREFIX, after], head, &batches, recipe, f64::BOUND);
}

#[test]
fn ten_steps_of_dense_adam_agree_with_pytorch() {
    agrees_with_pytorch("adam", &[""], &PYTORCH);
}

#[test]
fn ten_steps_of_which_six_are_clipped_agree_with_pytorch() {
    agrees_with_pytorch("clipped", &[""], &Recipe { max_norm: 0.5, ..PYTORCH });
}

#[test]
fn under_the_dense_rule_rows_outside_the_batch_move_as_in_pytorch() {
    agrees_with_pytorch("alternating_dense", &["", "other_"], &PYTORCH);
}

#[test]
fn under_the_lazy_rule_rows_outside_the_batch_stay_as_in_pytorch() {
    // SparseAdam adds ε where Keras does: to the root that is not yet corrected.
    let table = adam(AdamKind::Keras, 1e-8);
    agrees_with_pytorch(
        "alternating_lazy",
        &["", "other_"],
        &Recipe { table, lazy: true, ..PYTORCH },
    );
}

#[test]
fn ten_steps_of_the_tutorials_recipe_agree_with_keras() {
    let fixture = Fixture::open("keras_tagger");
    let packing = Packing::new(vec![5; 4]); // padding is part of the data
    let [ids, tags] = ["ids", "tags"].map(|name| fixture.packed_ids(name, &packing));
    let batches = [Batch { ids, tags, packing }];
    let keras = AdamSettings::new(AdamKind::Keras);
    let recipe = Recipe { network: keras, table: keras, lazy: false, alpha: 1e-3, max_norm: 0.0 };
    ten_steps::<f32>(&fixture, ["", "adam"], Head::KerasRelu, &batches, &recipe, f32::BOUND);
}
