//! Times on a machine: for `benches/gpu`, not for programs.
//!
//! Times are microseconds between two events on the stream that kernels run on, so launches that come too slowly count
//! as well. The data lies there already.

use crate::batch::first_rows;
use crate::layers::Layout;
use crate::{CudaError, Engine, LayerShape, LstmWeights, Machine, Span};

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

impl<'a> LayerTimes<'a> {
    /// A layer with random weights and input; lengths fall.
    ///
    /// # Errors
    /// If memory is short.
    pub fn new(
        machine: Box<dyn Machine>,
        shape: LayerShape,
        lengths: &'a [usize],
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
        let x = random(&mut engine, tokens * shape.n_in, 1.0, &mut seed)?;
        let dy = random(&mut engine, tokens * h * sides, 1.0, &mut seed)?;
        let starts = first_rows(lengths);
        let span = Span::new(&mut *engine.machine, starts.len())?;
        let bytes: Vec<u8> = starts.iter().flat_map(|n| n.to_ne_bytes()).collect();
        engine.machine.write(span.at, &bytes)?;
        Ok(Self { engine, shape, lengths, weights, grads, x, dy, starts: span })
    }

    /// The time of one round after another.
    ///
    /// # Errors
    /// If memory is short or the driver fails.
    pub fn rounds(&mut self, part: Part, rounds: usize) -> Result<Vec<f64>, CudaError> {
        (0..rounds).map(|_| self.round(part)).collect()
    }

    fn round(&mut self, part: Part) -> Result<f64, CudaError> {
        let (e, shape) = (&mut self.engine, self.shape);
        e.reset();
        let layout = Layout {
            starts: self.starts.at,
            sentences: self.lengths.len(),
            steps: self.lengths[0],
            tokens: self.lengths.iter().sum(),
        };
        let sides = self.weights.len();
        let masks = vec![Span::NONE; sides];
        e.machine.start_clock()?;
        let (_, cache) = e.lstm(shape, &self.weights, vec![self.x; sides], &masks, layout)?;
        match part {
            Part::Forward => {}
            Part::Walk => {
                // Its gates are those of the first walk now: other numbers, the same work.
                e.machine.start_clock()?;
                e.walk(&cache)?;
            }
            Part::Both => {
                e.lstm_backward(shape, &self.weights, &self.grads, cache, self.dy, layout)?;
                e.sum_pending()?;
            }
        }
        e.machine.read_clock()
    }

    /// The machine again, its memory free.
    pub fn into_machine(mut self) -> Box<dyn Machine> {
        for w in self.weights.iter().chain(&self.grads) {
            [w.w_ih, w.w_hh, w.b].into_iter().for_each(|span| self.engine.machine.free(span.at));
        }
        [self.x, self.dy, self.starts]
            .into_iter()
            .for_each(|span| self.engine.machine.free(span.at));
        self.engine.free_scratch();
        self.engine.machine
    }
}

/// Times of copying `len` numbers from one place of the machine's memory to another.
///
/// # Errors
/// If memory is short or the driver fails.
pub fn copy(
    machine: Box<dyn Machine>,
    len: usize,
    rounds: usize,
) -> Result<(Box<dyn Machine>, Vec<f64>), CudaError> {
    let mut e = Engine::new(machine);
    let mut seed = 1;
    let (x, y) = (random(&mut e, len, 1.0, &mut seed)?, random(&mut e, len, 1.0, &mut seed)?);
    let mut times = Vec::new();
    for _ in 0..rounds {
        e.machine.start_clock()?;
        e.add(x, y, 1.0, false)?;
        times.push(e.machine.read_clock()?);
    }
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
    rounds: usize,
) -> Result<(Box<dyn Machine>, Vec<f64>), CudaError> {
    use crate::layers::Matrix;
    let mut e = Engine::new(machine);
    let mut seed = 1;
    let [a, b, c] = [m * k, n * k, m * n].map(|len| random(&mut e, len, 1.0, &mut seed));
    let (a, b, c) = (a?, b?, c?);
    let mut times = Vec::new();
    for _ in 0..rounds {
        e.machine.start_clock()?;
        e.product(Matrix::new(a, m, k), Matrix::new(b, n, k).t(), Span::NONE, c, false)?;
        times.push(e.machine.read_clock()?);
    }
    [a, b, c].into_iter().for_each(|span| e.machine.free(span.at));
    Ok((e.machine, times))
}

/// Times of copies of so many bytes from this side to the machine's memory, from page-locked memory.
///
/// # Errors
/// If memory is short or the driver fails.
pub fn upload(
    machine: &mut dyn Machine,
    bytes: usize,
    rounds: usize,
) -> Result<Vec<f64>, CudaError> {
    let span = Span::new(machine, bytes / 4)?;
    let data = vec![7u8; bytes];
    let mut times = Vec::new();
    for _ in 0..rounds {
        let start = std::time::Instant::now();
        machine.stage(0, span.at, &data)?;
        machine.staged()?;
        machine.read(span.at, &mut [0; 4])?; // waits
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    machine.free(span.at);
    Ok(times)
}

/// New memory with random numbers within ± `scale`: zeros would be kinder to the clock.
fn random(e: &mut Engine, len: usize, scale: f32, seed: &mut u32) -> Result<Span, CudaError> {
    let span = Span::new(&mut *e.machine, len)?;
    let mut numbers = Vec::with_capacity(4 * len);
    for _ in 0..len {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 17;
        *seed ^= *seed << 5;
        let v = scale * (*seed as f32 / 2f32.powi(31) - 1.0);
        numbers.extend_from_slice(&v.to_ne_bytes());
    }
    e.machine.write(span.at, &numbers)?;
    Ok(span)
}
