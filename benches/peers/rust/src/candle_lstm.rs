//! The tutorial's network with candle's layers: training or tagging speed.
//!
//! Candle walks a layer step by step and has no layer for both directions, so sentences are turned around
//! for the second. `AdamW` without decay is Adam, over every row of the embedding.

mod corpus;

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::{
    AdamW, Dropout, Embedding, LSTM, LSTMConfig, Linear, Module, Optimizer, ParamsAdamW, RNN,
    VarBuilder, VarMap, embedding, linear, loss, lstm,
};
use corpus::{Options, Sentence};

struct Tagger {
    embedding: Embedding,
    there: LSTM,
    back: LSTM,
    lstm: LSTM,
    dense: Linear,
    before: [Dropout; 2],
}

impl Tagger {
    fn new(words: usize, tags: usize, at: VarBuilder) -> Result<Self> {
        let layer = |n_in, name| lstm(n_in, 64, LSTMConfig::default(), at.pp(name));
        Ok(Self {
            embedding: embedding(words, 64, at.pp("embedding"))?,
            there: layer(64, "there")?,
            back: layer(64, "back")?,
            lstm: layer(128, "lstm")?,
            dense: linear(64, tags, at.pp("dense"))?,
            before: [Dropout::new(0.2), Dropout::new(0.5)],
        })
    }

    /// Word numbers (B, T) to scores (B, T, tags).
    fn forward(&self, words: &Tensor, train: bool) -> Result<Tensor> {
        let x = self.before[0].forward(&self.embedding.forward(words)?, train)?;
        let last = words.dim(1)? as u32;
        let reversed = Tensor::from_iter((0..last).rev(), words.device())?;
        let walk = |layer: &LSTM, x: &Tensor| layer.states_to_tensor(&layer.seq(x)?);
        let turned = x.index_select(&reversed, 1)?;
        let back = walk(&self.back, &turned)?.index_select(&reversed, 1)?;
        let both = Tensor::cat(&[walk(&self.there, &x)?, back], D::Minus1)?;
        let hidden = walk(&self.lstm, &self.before[1].forward(&both, train)?)?;
        self.dense.forward(&hidden)
    }
}

/// Word numbers (B, T).
fn input(batch: &[&Sentence]) -> Result<Tensor> {
    Tensor::from_vec(corpus::words::<u32>(batch), (batch.len(), batch[0].0.len()), &Device::Cpu)
}

fn step(tagger: &Tagger, adam: &mut AdamW, batch: &[&Sentence]) -> Result<f32> {
    let right = corpus::tags::<u32>(batch);
    let n = right.len();
    let scores = tagger.forward(&input(batch)?, true)?;
    let scores = scores.reshape((n, scores.dim(D::Minus1)?))?;
    let loss = loss::cross_entropy(&scores, &Tensor::from_vec(right, n, &Device::Cpu)?)?;
    adam.backward_step(&loss)?;
    loss.to_scalar()
}

fn tag(tagger: &Tagger, batch: &[&Sentence]) -> Result<Vec<u32>> {
    tagger.forward(&input(batch)?, false)?.argmax(D::Minus1)?.flatten_all()?.to_vec1()
}

fn main() -> Result<()> {
    let options = Options::read();
    let numbers = options.numbered();
    let weights = VarMap::new();
    let at = VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);
    let tagger = Tagger::new(numbers.words, numbers.tags, at)?;
    let settings = ParamsAdamW { lr: 1e-3, weight_decay: 0.0, ..Default::default() };
    let mut adam = AdamW::new(weights.all_vars(), settings)?;
    let figures = match options.tags_only {
        true => options.time_tagging(&numbers, |batch| tag(&tagger, batch).expect("shapes fit")),
        false => options
            .time_training(&numbers, |batch| step(&tagger, &mut adam, batch).expect("shapes fit")),
    };
    options.report("candle", "0.11.1", &numbers, &figures);
    Ok(())
}
