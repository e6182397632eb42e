//! Times on a machine: for `benches/gpu`, not for programs.
//!
//! Times are microseconds between two events on the stream that kernels run on. The data lies there already. Launches that
//! come too slowly count as well, but for [`LayerTimes::behind`].

use std::time::{Duration, Instant};

use crate::batch::first_rows;
use crate::layers::{Layout, Matrix};
use crate::network::numbers_of;
use crate::{CudaError, Engine, LayerShape, LstmCache, LstmWeights, Machine, Span};

/// How long something is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds are not counted before.
    pub warm_up: Duration,
    /// Rounds that are counted, at most.
    pub rounds: usize,
    /// After so long five rounds are enough.
    pub most: Duration,
}

impl Effort {
    /// The times of `round`.
    ///
    /// # Errors
    /// Those of `round`.
    pub fn of(
        &self,
        mut round: impl FnMut() -> Result<f64, CudaError>,
    ) -> Result<Vec<f64>, CudaError> {
        let start = Instant::now();
        while start.elapsed() < self.warm_up {
            round()?;
        }
        let (start, mut times) = (Instant::now(), Vec::new());
        while times.len() < self.rounds && (times.len() < 5 || start.elapsed() < self.most) {
            times.push(round()?);
        }
        Ok(times)
    }
}

/// The one in the middle; NaN of none.
pub fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A bidirectional layer over a batch.
pub struct LayerTimes<'a> {
    engine: Engine,
    shape: LayerShape,
    lengths: &'a [usize],
    weights: Vec<LstmWeights>,
    grads: Vec<LstmWeights>,
    x: Span,
    dy: Span,
    starts: Span,
    /// A product of one block, to keep the machine from what comes after it.
    hold: [Span; 3],
    /// So many of them are launched ahead of a round.
    holds: usize,
}

/// What a layer computes with, and what comes of it.
pub struct LayerNumbers {
    /// w_ih, w_hh, b of each direction.
    pub weights: Vec<[Vec<f32>; 3]>,
    /// (N, D)
    pub x: Vec<f32>,
    /// (N, 2H)
    pub y: Vec<f32>,
}

/// What is timed of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The walk over time alone.
    Walk,
    /// Input projection and walk.
    Forward,
    /// Both, and everything of backward: dx, dW, db.
    Both,
}

/// Edge of the product that holds the machine up, and the most of them.
const HOLD: usize = 64;
const MOST_HOLDS: usize = 64;

impl<'a> LayerTimes<'a> {
    /// A layer with random weights, the same ones at every call; lengths fall. The input is random too if it is not given.
    /// `hold` is how many numbers each sum of the product has that holds the machine up for [`LayerTimes::behind`].
    ///
    /// # Errors
    /// If memory is short.
    pub fn new(
        machine: Box<dyn Machine>,
        shape: LayerShape,
        lengths: &'a [usize],
        input: Option<&[f32]>,
        hold: usize,
    ) -> Result<Self, CudaError> {
        let mut engine = Engine::new(machine);
        let (tokens, h) = (lengths.iter().sum::<usize>(), shape.n_hidden);
        let sides = 1 + usize::from(shape.both);
        let mut seed = 1;
        let mut weights = |engine: &mut Engine| -> Result<LstmWeights, CudaError> {
            let k = 1.0 / (h as f32).sqrt();
            Ok(LstmWeights {
                w_ih: random(engine, 4 * h * shape.n_in, k, &mut seed)?,
                w_hh: random(engine, 4 * h * h, k, &mut seed)?,
                b: random(engine, 4 * h, k, &mut seed)?,
            })
        };
        let mut many = |engine: &mut Engine| -> Result<Vec<LstmWeights>, CudaError> {
            (0..sides).map(|_| weights(engine)).collect()
        };
        let (weights, grads) = (many(&mut engine)?, many(&mut engine)?);
        let x = match input {
            None => random(&mut engine, tokens * shape.n_in, 1.0, &mut seed)?,
            Some(x) => {
                assert_eq!(x.len(), tokens * shape.n_in, "a row a token");
                put(&mut engine, x.iter().flat_map(|v| v.to_ne_bytes()).collect())?
            }
        };
        let dy = random(&mut engine, tokens * h * sides, 1.0, &mut seed)?;
        let starts = first_rows(lengths).iter().flat_map(|n| n.to_ne_bytes()).collect();
        let starts = put(&mut engine, starts)?;
        let [a, b, c] = [HOLD * hold, HOLD * hold, HOLD * HOLD]
            .map(|len| random(&mut engine, len, 1.0, &mut seed));
        let hold = [a?, b?, c?];
        Ok(Self { engine, shape, lengths, weights, grads, x, dy, starts, hold, holds: 1 })
    }

    /// Launches that come too slowly count.
    ///
    /// # Errors
    /// If memory is short or the driver fails.
    pub fn times(&mut self, part: Part, effort: Effort) -> Result<Vec<f64>, CudaError> {
        effort.of(|| {
            self.engine.reset();
            self.enqueue(part)?;
            self.engine.machine.read_clock()
        })
    }

    /// The machine's own time: everything is launched while it is held up by products of one block, and the clock starts
    /// behind these. Rounds whose launches took longer than that are left out; none may be left.
    ///
    /// # Errors
    /// If memory is short or the driver fails.
    pub fn behind(&mut self, part: Part, effort: Effort) -> Result<Vec<f64>, CudaError> {
        let few = Effort { rounds: 9, ..effort };
        let mut alone = few.of(|| {
            self.engine.machine.start_clock()?;
            self.hold_up()?;
            self.engine.machine.read_clock()
        })?;
        alone.sort_by(f64::total_cmp);
        let hold_us = alone[0];
        let mut times = effort.of(|| {
            self.engine.reset();
            let start = Instant::now(); // before the first of them begins
            (0..self.holds).try_for_each(|_| self.hold_up())?;
            self.enqueue(part)?;
            let launched_us = start.elapsed().as_secs_f64() * 1e6;
            let time = self.engine.machine.read_clock()?;
            if launched_us < 0.8 * self.holds as f64 * hold_us {
                return Ok(time);
            }
            self.holds = (2 * self.holds).min(MOST_HOLDS);
            Ok(f64::NAN)
        })?;
        times.retain(|time| !time.is_nan());
        Ok(times)
    }

    fn hold_up(&mut self) -> Result<(), CudaError> {
        let [a, b, c] = self.hold;
        let [a, b] = [a, b].map(|span| Matrix::new(span, HOLD, span.len / HOLD));
        self.engine.product(a, b.t(), Span::NONE, c, false)
    }

    /// Starts the clock and launches everything.
    fn enqueue(&mut self, part: Part) -> Result<(), CudaError> {
        self.engine.machine.start_clock()?;
        let (_, cache) = self.forward()?;
        match part {
            Part::Forward => Ok(()),
            Part::Walk => {
                // Its gates are those of the first walk now: other numbers, the same work.
                self.engine.machine.start_clock()?;
                self.engine.walk(&cache)
            }
            Part::Both => {
                let (weights, grads, layout) = (&self.weights, &self.grads, self.layout());
                self.engine.lstm_backward(self.shape, weights, grads, cache, self.dy, layout)?;
                self.engine.sum_pending()
            }
        }
    }

    fn forward(&mut self) -> Result<(Span, LstmCache), CudaError> {
        let (sides, layout) = (self.weights.len(), self.layout());
        let masks = vec![Span::NONE; sides];
        self.engine.lstm(self.shape, &self.weights, vec![self.x; sides], &masks, layout)
    }

    fn layout(&self) -> Layout {
        Layout {
            starts: self.starts.at,
            sentences: self.lengths.len(),
            steps: self.lengths[0],
            tokens: self.lengths.iter().sum(),
        }
    }

    /// The layer's numbers, its output computed anew.
    ///
    /// # Errors
    /// If memory is short or the driver fails.
    pub fn numbers(&mut self) -> Result<LayerNumbers, CudaError> {
        self.engine.reset();
        let (y, _) = self.forward()?;
        let mut get = |span: Span| {
            let mut bytes = vec![0; 4 * span.len];
            self.engine.machine.read(span.at, &mut bytes)?;
            Ok(numbers_of(&bytes))
        };
        let mut weights = Vec::new();
        for w in &self.weights {
            weights.push([get(w.w_ih)?, get(w.w_hh)?, get(w.b)?]);
        }
        Ok(LayerNumbers { weights, x: get(self.x)?, y: get(y)? })
    }

    /// The machine again, its memory free.
    pub fn into_machine(mut self) -> Box<dyn Machine> {
        for w in self.weights.iter().chain(&self.grads) {
            [w.w_ih, w.w_hh, w.b].into_iter().for_each(|span| self.engine.machine.free(span.at));
        }
        [self.x, self.dy, self.starts]
            .into_iter()
            .chain(self.hold)
            .for_each(|span| self.engine.machine.free(span.at));
        self.engine.free_scratch();
        self.engine.machine
    }
}

/// Times of copying `len` numbers from one place of the machine's memory to another, by the driver.
///
/// # Errors
/// If memory is short or the driver fails.
pub fn copy(
    machine: Box<dyn Machine>,
    len: usize,
    effort: Effort,
) -> Result<(Box<dyn Machine>, Vec<f64>), CudaError> {
    let mut e = Engine::new(machine);
    let mut seed = 1;
    let (x, y) = (random(&mut e, len, 1.0, &mut seed)?, random(&mut e, len, 1.0, &mut seed)?);
    let times = effort.of(|| {
        e.machine.start_clock()?;
        e.machine.copy(x.at, y.at, 4 * len)?;
        e.machine.read_clock()
    })?;
    [x, y].into_iter().for_each(|span| e.machine.free(span.at));
    Ok((e.machine, times))
}

/// Times of the product of (m, k) and (k, n), 2 m n k floating-point operations.
///
/// # Errors
/// If memory is short or the driver fails.
pub fn product(
    machine: Box<dyn Machine>,
    [m, n, k]: [usize; 3],
    effort: Effort,
) -> Result<(Box<dyn Machine>, Vec<f64>), CudaError> {
    let mut e = Engine::new(machine);
    let mut seed = 1;
    let [a, b, c] = [m * k, n * k, m * n].map(|len| random(&mut e, len, 1.0, &mut seed));
    let (a, b, c) = (a?, b?, c?);
    let times = effort.of(|| {
        e.machine.start_clock()?;
        e.product(Matrix::new(a, m, k), Matrix::new(b, n, k).t(), Span::NONE, c, false)?;
        e.machine.read_clock()
    })?;
    [a, b, c].into_iter().for_each(|span| e.machine.free(span.at));
    Ok((e.machine, times))
}

/// Times, on this side's clock, of so many bytes into page-locked memory by this processor, from there to the machine's,
/// and 4 bytes back to know that they are there.
///
/// # Errors
/// If memory is short or the driver fails.
pub fn upload(
    machine: &mut dyn Machine,
    bytes: usize,
    effort: Effort,
) -> Result<Vec<f64>, CudaError> {
    let span = Span::new(machine, bytes / 4)?;
    let data = vec![7u8; bytes];
    let times = effort.of(|| {
        let start = Instant::now();
        machine.stage(0, span.at, &data)?;
        machine.staged()?;
        machine.read(span.at, &mut [0; 4])?; // waits
        Ok(start.elapsed().as_secs_f64() * 1e6)
    })?;
    machine.free(span.at);
    Ok(times)
}

/// New memory with these bytes.
fn put(e: &mut Engine, bytes: Vec<u8>) -> Result<Span, CudaError> {
    let span = Span::new(&mut *e.machine, bytes.len() / 4)?;
    e.machine.write(span.at, &bytes)?;
    Ok(span)
}

/// New memory with random numbers within ± `scale`: zeros would be kinder to the clock.
fn random(e: &mut Engine, len: usize, scale: f32, seed: &mut u32) -> Result<Span, CudaError> {
    let mut numbers = Vec::with_capacity(4 * len);
    for _ in 0..len {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 17;
        *seed ^= *seed << 5;
        let v = scale * (*seed as f32 / 2f32.powi(31) - 1.0);
        numbers.extend_from_slice(&v.to_ne_bytes());
    }
    put(e, numbers)
}
