//! Launches: each checks that the memory is as large as the kernel's other arguments say.
//!
//! Products, dropout, sums and the LSTM are here, tables in `tables`, letters in `chars`; what is launched once in
//! a step stands in `network` and `finish`.

use crate::arguments::*;
use crate::memory::Scratch;
use crate::{Address, CudaError, Launch, Machine, Span};

/// Threads of a block in a kernel over a row of elements.
const THREADS: u32 = 256;

/// Edge of the tile that a block of the product makes.
const TILE: u32 = 64;

/// Products and sums of a launch, at most.
const PRODUCTS: usize = 6;
const SUMS: usize = 16;

/// Tokens that one part of a weight gradient sums over at least, and the most parts: many small parts keep a GPU busy
/// with a small batch.
const PART: usize = 64;
const MOST_PARTS: usize = 64;

type Done = Result<(), CudaError>;

/// A kernel and its launch.
type Walk = (&'static str, Launch);

/// A machine with scratch memory.
pub struct Engine {
    /// The machine.
    pub machine: Box<dyn Machine>,
    pub(crate) scratch: Scratch,
    /// Kernels launched so far.
    pub launches: usize,
    /// Whether an LSTM's blocks are of one sentence; if it is not said, by the batch and the machine.
    pub(crate) one_a_block: Option<bool>,
    /// Sums of parts that [`Engine::sum_pending`] will make, with their blocks.
    pending: Vec<(SumParts, u32)>,
}

/// A matrix to be multiplied: element (i, j) is number i · `by_row` + j · `by_column`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix {
    span: Span,
    rows: usize,
    columns: usize,
    by_row: usize,
    by_column: usize,
}

impl Matrix {
    /// (rows, columns), row after row.
    pub fn new(span: Span, rows: usize, columns: usize) -> Self {
        assert_eq!(span.len, rows * columns, "a matrix of {rows} rows, {columns} columns");
        Self { span, rows, columns, by_row: columns, by_column: 1 }
    }

    /// `columns` of the columns of a matrix with rows of `width`, from column `first` on.
    pub fn columns(span: Span, rows: usize, width: usize, first: usize, columns: usize) -> Self {
        assert_eq!(span.len, rows * width, "a matrix of {rows} rows, {width} columns");
        assert!(first + columns <= width, "columns {first} to {} of {width}", first + columns);
        let span = span.part(first, span.len - first);
        Self { span, rows, columns, by_row: width, by_column: 1 }
    }

    /// The same numbers, rows as columns.
    pub fn t(self) -> Self {
        let Self { span, rows, columns, by_row, by_column } = self;
        Self { span, rows: columns, columns: rows, by_row: by_column, by_column: by_row }
    }
}

/// Where dropout masks are drawn: the name of a stream of random numbers without its sentence.
#[derive(Clone, Copy)]
pub(crate) struct Mask {
    /// Chance to drop.
    pub p: f64,
    /// Seed of the run, epoch, and the stream's purpose and place.
    pub seed: u64,
    pub epoch: u32,
    pub name: u32,
    /// (B) number of each sentence in the corpus.
    pub numbers: Span,
    /// (N) sentence and step of each row; no step: one mask a sentence.
    pub sentence: Address,
    pub step: Address,
}

/// Sizes of a recurrent layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerShape {
    /// Columns of the input, D.
    pub n_in: usize,
    /// Width of the state, H.
    pub n_hidden: usize,
    /// Whether it reads from both sides.
    pub both: bool,
}

/// Where sentences lie: as in [`crate::Tokens`].
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    /// (T + 1) on the machine.
    pub starts: Address,
    pub sentences: usize,
    pub steps: usize,
    pub tokens: usize,
}

/// Weights of one direction, or their gradients.
#[derive(Clone, Copy, Debug)]
pub struct LstmWeights {
    /// (4H, D)
    pub w_ih: Span,
    /// (4H, H)
    pub w_hh: Span,
    /// (4H)
    pub b: Span,
}

/// What the way back needs of the way there.
pub struct LstmCache {
    arguments: Lstm,
    /// x̂ of each direction.
    x: Vec<Span>,
    /// gates, then da; ĥ.
    gates: Vec<Span>,
    h_prev: Vec<Span>,
    sides: usize,
}

impl Engine {
    /// Over a machine.
    pub fn new(machine: Box<dyn Machine>) -> Self {
        Self {
            machine,
            scratch: Scratch::default(),
            launches: 0,
            one_a_block: None,
            pending: Vec::new(),
        }
    }

    /// Scratch memory for `len` numbers.
    pub(crate) fn take(&mut self, len: usize) -> Result<Span, CudaError> {
        self.scratch.take(&mut *self.machine, len)
    }

    pub(crate) fn reset(&mut self) {
        self.pending.clear();
        self.scratch.reset(&mut *self.machine);
    }

    /// Gives scratch memory back.
    #[cfg(feature = "measure")]
    pub(crate) fn free_scratch(&mut self) {
        self.scratch.free(&mut *self.machine);
    }

    pub(crate) fn launch<A: Args>(
        &mut self,
        kernel: &'static str,
        launch: Launch,
        args: A,
    ) -> Done {
        debug_assert!(
            sizes().contains(&(kernel, size_of::<A>())),
            "{kernel} takes other arguments"
        );
        if launch.grid.contains(&0) {
            return Ok(());
        }
        self.launches += 1;
        let args = std::ptr::from_ref(&args).cast();
        // SAFETY: `args` is the kernel's struct, as `Args` promises and the assertion above checks.
        // Addresses come from spans of this machine, whose lengths the callers compare with the sizes
        // that they pass.
        #[allow(unsafe_code)]
        unsafe {
            self.machine.launch(kernel, launch, args)
        }
    }

    /// A thread for each of `n` elements.
    pub(crate) fn each<A: Args>(&mut self, kernel: &'static str, n: usize, args: A) -> Done {
        let blocks = n.div_ceil(THREADS as usize) as u32;
        self.launch(kernel, Launch { grid: [blocks, 1, 1], block: THREADS, shared: 0 }, args)
    }

    /// c (M, N) = a b + bias, or += with `add`.
    pub(crate) fn product(&mut self, a: Matrix, b: Matrix, bias: Span, c: Span, add: bool) -> Done {
        assert_eq!(c.len, a.rows * b.columns, "c is ({}, {})", a.rows, b.columns);
        let job = Product { add: u32::from(add), ..job(a, b, (c, b.columns), a.columns) };
        assert!(bias.at == 0 || bias.len == b.columns, "a bias for {} columns", b.columns);
        self.products(&[Product { bias: bias.at, ..job }])
    }

    /// c += a b for some of the columns of a matrix.
    pub(crate) fn add_product(&mut self, a: Matrix, b: Matrix, c: Matrix) -> Done {
        assert_eq!((c.rows, c.columns), (a.rows, b.columns), "c is shaped like a b");
        self.products(&[Product { add: 1, ..job(a, b, (c.span, c.by_row), a.columns) }])
    }

    /// Products that do not need each other, as few launches as they fit.
    pub(crate) fn products(&mut self, jobs: &[Product]) -> Done {
        let tiles = |n: u32| n.div_ceil(TILE);
        let blocks = |j: &Product| tiles(j.m) * tiles(j.n) * j.k.div_ceil(j.part.max(1));
        let jobs: Vec<_> = jobs.iter().map(|j| (*j, blocks(j))).collect();
        for jobs in jobs.chunks(PRODUCTS) {
            let (of, blocks) = numbered(jobs);
            let launch = Launch { grid: [blocks, 1, 1], block: 128, shared: 4 * 2 * 2 * 16 * 68 };
            self.launch("products", launch, Products { of })?;
        }
        Ok(())
    }

    /// dw = dyᵀ x over all tokens and db = the sum of the rows of dy: a product for [`Engine::products`], in parts that
    /// [`Engine::sum_pending`] adds from the first to the last.
    pub(crate) fn weight_gradient(
        &mut self,
        dy: Matrix,
        x: Matrix,
        dw: Span,
        db: Span,
    ) -> Result<Product, CudaError> {
        let part = PART.max(dy.rows.div_ceil(MOST_PARTS)).min(dy.rows.max(1));
        let parts = dy.rows.div_ceil(part);
        assert!(db.at == 0 || db.len == dy.columns, "a gradient a column");
        assert_eq!(dw.len, dy.columns * x.columns, "a gradient a weight");
        let [to_w, to_b] = match parts {
            1 => [dw, db],
            _ => {
                let mut sums = [Span::NONE; 2];
                for (sums, gradient) in sums.iter_mut().zip([dw, db]).filter(|(_, g)| g.at != 0) {
                    *sums = self.take(parts * gradient.len)?;
                    self.sum_later(*sums, parts, gradient);
                }
                sums
            }
        };
        Ok(Product { sums: to_b.at, ..job(dy.t(), x, (to_w, x.columns), part) })
    }

    /// `sum` = the sum of `count` rows, once [`Engine::sum_pending`] is called.
    pub(crate) fn sum_later(&mut self, parts: Span, count: usize, sum: Span) {
        assert_eq!(parts.len, count * sum.len, "{count} parts of {}", sum.len);
        let (n, count) = (sum.len as u32, count as u32);
        let piece = SumParts { parts: parts.at, sum: sum.at, n, count, ..SumParts::default() };
        self.pending.push((piece, n.div_ceil(THREADS)));
    }

    /// The sums of all parts that there are.
    pub(crate) fn sum_pending(&mut self) -> Done {
        for pieces in std::mem::take(&mut self.pending).chunks(SUMS) {
            let (of, blocks) = numbered(pieces);
            let launch = Launch { grid: [blocks, 1, 1], block: THREADS, shared: 0 };
            self.launch("sum_parts", launch, SumsOfParts { of })?;
        }
        Ok(())
    }

    /// y = x / m, or (y + x) / m with `add`.
    pub(crate) fn add(&mut self, x: Span, y: Span, divisor: f32, add: bool) -> Done {
        assert_eq!(x.len, y.len, "y is shaped like x");
        let (x, y, n) = (x.at, y.at, y.len);
        self.each("add", n, Add { x, y, n: n as u64, divisor, add: u32::from(add) })
    }

    /// Of each direction y (N, width) = x ⊙ m under a mask of its own; without x, the masks themselves, a row a
    /// sentence. With one y for several directions, their sum.
    pub(crate) fn dropout(&mut self, x: &[Span], y: &[Span], width: usize, masks: &[Mask]) -> Done {
        let (mask, len) = (masks[0], y[0].len);
        assert!(x.len() == masks.len() && x.len() <= 2, "a mask a direction");
        assert!(y.len() == 1 || y.len() == x.len(), "one y, or one a direction");
        assert!(y.iter().all(|y| y.len == len), "y of one shape");
        assert!(x.iter().all(|x| x.at == 0 || x.len == len), "y is shaped like x");
        assert!(masks.iter().all(|m| m.p == mask.p), "directions drop as much");
        let args = Dropout {
            x: both(x, |x| x.at),
            y: both(y, |y| y.at),
            name: both(masks, |mask| mask.name),
            sentence: mask.sentence,
            step: mask.step,
            numbers: mask.numbers.at,
            rows: (len / width) as u32,
            width: width as u32,
            key0: mask.seed as u32,
            key1: (mask.seed >> 32) as u32,
            epoch: mask.epoch,
            // A draw is k / 2²⁴, and k / 2²⁴ < p where k < p 2²⁴.
            threshold: (mask.p * f64::from(1 << 24)).ceil() as u32,
            keep: (1.0 / (1.0 - mask.p)) as f32,
            sides: x.len() as u32,
            sum: u32::from(y.len() < x.len()),
        };
        self.each("dropout", len, args)
    }

    /// How a layer goes through time, there and back, if it does so in one launch here: with blocks of four sentences
    /// or, where these would leave multiprocessors idle, of one.
    fn whole_walk(&self, h: usize, sentences: usize, sides: usize) -> Option<[Walk; 2]> {
        let (at_once, rest) = match h {
            64 => (2, 0),
            128 => (1, 64 * 4 * h), // numbers of W_hh in shared memory
            _ => return None,
        };
        let of_four = [8 * (h + 8), 8 * (4 * h + 8)].map(|numbers| 4 * (numbers + rest));
        if of_four.iter().any(|&shared| shared > self.machine.shared_memory()) {
            return None;
        }
        let few = sentences * sides <= at_once * self.machine.multiprocessors();
        let one = self.one_a_block.unwrap_or(few);
        let kernels = match (h, one) {
            (64, true) => ["lstm_forward_64_one", "lstm_backward_64_one"],
            (64, _) => ["lstm_forward_64", "lstm_backward_64"],
            (_, true) => ["lstm_forward_128_one", "lstm_backward_128_one"],
            _ => ["lstm_forward_128", "lstm_backward_128"],
        };
        let of_one = [2 * h, 8 * h].map(|numbers| 4 * (numbers + rest));
        let (shared, block) = if one { (of_one, 1) } else { (of_four, 4) };
        let grid = [sentences.div_ceil(block) as u32, sides as u32, 1];
        let walk = |way| (kernels[way], Launch { grid, block: 4 * h as u32, shared: shared[way] });
        Some([walk(0), walk(1)])
    }

    /// `x`: the input (N, D), masked as each direction has it → y (N, H or 2H).
    pub(crate) fn lstm(
        &mut self,
        shape: LayerShape,
        weights: &[LstmWeights],
        x: Vec<Span>,
        masks: &[Span],
        layout: Layout,
    ) -> Result<(Span, LstmCache), CudaError> {
        let Layout { tokens, sentences, steps, starts } = layout;
        let h = shape.n_hidden;
        let stride = h * weights.len();
        let y = self.take(tokens * stride)?;
        let (mut sides, mut gates, mut h_prev) = (Vec::new(), Vec::new(), Vec::new());
        let mut projections = Vec::new();
        for ((w, &x), &mask) in weights.iter().zip(&x).zip(masks) {
            assert_eq!((w.w_hh.len, w.b.len), (4 * h * h, 4 * h), "weights for a state of {h}");
            assert!(mask.at == 0 || mask.len == sentences * h, "a mask a sentence");
            let a = self.take(tokens * 4 * h)?;
            let x = Matrix::new(x, tokens, shape.n_in);
            let w_ih = Matrix::new(w.w_ih, 4 * h, shape.n_in);
            let product = job(x, w_ih.t(), (a, 4 * h), shape.n_in);
            projections.push(Product { bias: w.b.at, ..product });
            let [c, prev] = [self.take(tokens * h)?, self.take(tokens * h)?];
            let at = Side { w_hh: w.w_hh.at, mask: mask.at, gates: a.at, c: c.at, h_prev: prev.at };
            sides.push(at);
            gates.push(a);
            h_prev.push(prev);
        }
        self.products(&projections)?; // (2)
        let arguments = Lstm {
            side: both(&sides, |&side| side),
            starts,
            y: y.at,
            dy: 0,
            sentences: sentences as u32,
            steps: steps as u32,
            stride: stride as u32,
            hidden: h as u32,
            walked: 0,
        };
        let cache = LstmCache { arguments, x, gates, h_prev, sides: sides.len() };
        self.walk(&cache)?;
        Ok((y, cache))
    }

    /// (3) to (5): all steps, one after the other.
    pub(crate) fn walk(&mut self, cache: &LstmCache) -> Done {
        let LstmCache { arguments, sides, .. } = *cache;
        let Lstm { sentences, steps, hidden: h, .. } = arguments;
        match self.whole_walk(h as usize, sentences as usize, sides) {
            Some([(kernel, launch), _]) => self.launch(kernel, launch, arguments),
            None => (0..steps).try_for_each(|walked| {
                let launch = step_launch(h as usize, sentences as usize, sides, 16, 68);
                self.launch("lstm_step_forward", launch, Lstm { walked, ..arguments })
            }),
        }
    }

    /// `dy` (N, H or 2H) → dx̂ of each direction (N, D); the gradients of the weights are written.
    pub(crate) fn lstm_backward(
        &mut self,
        shape: LayerShape,
        weights: &[LstmWeights],
        grads: &[LstmWeights],
        cache: LstmCache,
        dy: Span,
        layout: Layout,
    ) -> Result<Vec<Span>, CudaError> {
        let (h, tokens, sides) = (shape.n_hidden, layout.tokens, weights.len());
        assert_eq!(dy.len, tokens * h * sides, "dy is shaped like y");
        let arguments = Lstm { dy: dy.at, ..cache.arguments };
        match self.whole_walk(h, layout.sentences, sides) {
            Some([_, (kernel, launch)]) => self.launch(kernel, launch, arguments)?,
            None => {
                let dc = self.take(2 * layout.sentences * h)?;
                let dc_back = dc.part(layout.sentences * h, layout.sentences * h).at;
                for walked in (0..layout.steps as u32).rev() {
                    let lstm = Lstm { walked, ..arguments };
                    let args = LstmBack { lstm, dc_front: dc.at, dc_back };
                    let launch = step_launch(h, layout.sentences, sides, 32, 34);
                    self.launch("lstm_step_backward", launch, args)?;
                }
            }
        }
        let (mut dx, mut jobs) = (Vec::new(), Vec::new());
        for side in 0..sides {
            let da = Matrix::new(cache.gates[side], tokens, 4 * h);
            let h_prev = Matrix::new(cache.h_prev[side], tokens, h);
            let x = Matrix::new(cache.x[side], tokens, shape.n_in);
            jobs.push(self.weight_gradient(da, h_prev, grads[side].w_hh, Span::NONE)?);
            jobs.push(self.weight_gradient(da, x, grads[side].w_ih, grads[side].b)?);
            let to = self.take(tokens * shape.n_in)?;
            let w_ih = Matrix::new(weights[side].w_ih, 4 * h, shape.n_in);
            jobs.push(job(da, w_ih, (to, shape.n_in), 4 * h));
            dx.push(to);
        }
        self.products(&jobs)?; // (2')
        Ok(dx)
    }
}

/// c (parts, M, N), rows `c_m` apart: a b over `part` columns of a at a time.
pub(crate) fn job(a: Matrix, b: Matrix, (c, c_m): (Span, usize), part: usize) -> Product {
    let (m, n, k) = (a.rows, b.columns, a.columns);
    let parts = k.div_ceil(part.max(1));
    assert_eq!(b.rows, k, "a ({m}, {k}) b ({}, {n})", b.rows);
    assert!(c.len + c_m >= parts * m * c_m + n, "c is {parts} times ({m}, {n})");
    Product {
        a: a.span.at,
        b: b.span.at,
        c: c.at,
        m: m as u32,
        n: n as u32,
        k: k as u32,
        a_m: a.by_row as u32,
        a_k: a.by_column as u32,
        b_k: b.by_row as u32,
        b_n: b.by_column as u32,
        c_m: c_m as u32,
        part: part as u32,
        ..Product::default()
    }
}

/// What a kernel is told of both directions; of one, the same twice.
fn both<T, U>(of: &[T], told: impl Fn(&T) -> U) -> [U; 2] {
    [told(&of[0]), told(of.last().expect("a layer has a direction"))]
}

/// One step of the walk: blocks of so many units of 64 sentences; a tile of sentences and one of W_hh with rows of
/// `row` numbers in shared memory.
fn step_launch(h: usize, sentences: usize, sides: usize, units: usize, row: usize) -> Launch {
    let grid = [h.div_ceil(units) as u32, sentences.div_ceil(64) as u32, sides as u32];
    Launch { grid, block: 256, shared: 4 * 16 * (68 + row) }
}
