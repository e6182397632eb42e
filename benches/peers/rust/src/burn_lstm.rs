//! The tutorial's network with burn's layers on its CPU backend (Flex): training or tagging speed.
//!
//! Adam moves every row of the embedding. Burn decides by the device whether gradients are kept.

mod corpus;

use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{
    BiLstm, BiLstmConfig, Dropout, DropoutConfig, Embedding, EmbeddingConfig, Linear, LinearConfig,
    Lstm, LstmConfig,
};
use burn::optim::{AdamConfig, GradientsParams};
use burn::prelude::*;
use corpus::{Options, Sentence};

#[derive(Module, Debug)]
struct Tagger {
    embedding: Embedding,
    bilstm: BiLstm,
    lstm: Lstm,
    dense: Linear,
    before_bilstm: Dropout,
    before_lstm: Dropout,
}

impl Tagger {
    fn new(words: usize, tags: usize, device: &Device) -> Self {
        Self {
            embedding: EmbeddingConfig::new(words, 64).init(device),
            bilstm: BiLstmConfig::new(64, 64, true).init(device),
            lstm: LstmConfig::new(128, 64, true).init(device),
            dense: LinearConfig::new(64, tags).init(device),
            before_bilstm: DropoutConfig::new(0.2).init(),
            before_lstm: DropoutConfig::new(0.5).init(),
        }
    }

    /// Word numbers (B, T) to scores (B, T, tags).
    fn forward(&self, words: Tensor<2, Int>) -> Tensor<3> {
        let x = self.before_bilstm.forward(self.embedding.forward(words));
        let (both, _) = self.bilstm.forward(x, None);
        let (hidden, _) = self.lstm.forward(self.before_lstm.forward(both), None);
        self.dense.forward(hidden)
    }
}

/// Word numbers (B, T).
fn input(batch: &[&Sentence], device: &Device) -> Tensor<2, Int> {
    let words: Vec<i64> = corpus::words(batch);
    Tensor::from_data(TensorData::new(words, [batch.len(), batch[0].0.len()]), device)
}

fn main() {
    let options = Options::read();
    let numbers = options.numbered();
    let plain = Device::flex();
    let figures = match options.tags_only {
        true => {
            let tagger =
                Tagger::new(numbers.words, numbers.tags, &plain.clone().autodiff()).valid();
            options.time_tagging(&numbers, |batch| {
                let best = tagger.forward(input(batch, &plain)).argmax(2);
                best.into_data().iter::<u32>().collect()
            })
        }
        false => {
            let device = plain.autodiff();
            let mut tagger = Some(Tagger::new(numbers.words, numbers.tags, &device));
            let mut adam = AdamConfig::new().init();
            let loss_of = CrossEntropyLossConfig::new().init(&device);
            options.time_training(&numbers, |batch| {
                let now = tagger.take().expect("put back below");
                let right: Vec<i64> = corpus::tags(batch);
                let n = right.len();
                let right = Tensor::<1, Int>::from_data(TensorData::new(right, [n]), &device);
                let scores = now.forward(input(batch, &device)).reshape([n, numbers.tags]);
                let loss = loss_of.forward(scores, right);
                let value = loss.clone().into_scalar::<f32>();
                let grads = GradientsParams::from_grads(loss.backward(), &now);
                tagger = Some(adam.step(1e-3, now, grads));
                value
            })
        }
    };
    options.report("burn-flex", "0.23.0-pre.1", &numbers, &figures);
}
