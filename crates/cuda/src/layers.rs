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
const TILE: usize = 64;

/// Tokens that one part of a weight gradient sums over, and the most parts.
const PART: usize = 256;
const MOST_PARTS: usize = 64;

type Done = Result<(), CudaError>;

/// A machine with scratch memory.
pub struct Engine {
    /// The machine.
    pub machine: Box<dyn Machine>,
    pub(crate) scratch: Scratch,
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
        Self { machine, scratch: Scratch::default() }
    }

    /// Scratch memory for `len` numbers.
    pub(crate) fn take(&mut self, len: usize) -> Result<Span, CudaError> {
        self.scratch.take(&mut *self.machine, len)
    }

    pub(crate) fn reset(&mut self) {
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
        self.product_parts(a, b, bias, (c, b.columns), a.columns, add)
    }

    /// c += a b for some of the columns of a matrix.
    pub(crate) fn add_product(&mut self, a: Matrix, b: Matrix, c: Matrix) -> Done {
        assert_eq!((c.rows, c.columns), (a.rows, b.columns), "c is shaped like a b");
        self.product_parts(a, b, Span::NONE, (c.span, c.by_row), a.columns, true)
    }

    /// c (parts, M, N): a b over `part` columns of a at a time.
    fn product_parts(
        &mut self,
        a: Matrix,
        b: Matrix,
        bias: Span,
        (c, c_m): (Span, usize),
        part: usize,
        add: bool,
    ) -> Done {
        let (m, n, k) = (a.rows, b.columns, a.columns);
        let parts = k.div_ceil(part);
        assert_eq!(b.rows, k, "a ({m}, {k}) b ({}, {n})", b.rows);
        assert!(c.len + c_m >= parts * m * c_m + n, "c is {parts} times ({m}, {n})");
        assert!(bias.at == 0 || bias.len == n, "a bias for {n} columns");
        let args = Product {
            a: a.span.at,
            b: b.span.at,
            bias: bias.at,
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
            add: u32::from(add),
        };
        let grid = [n.div_ceil(TILE) as u32, m.div_ceil(TILE) as u32, parts as u32];
        self.launch("product", Launch { grid, block: THREADS, shared: 4 * 2 * 16 * 68 }, args)
    }

    /// dw = dyᵀ x over all tokens, in parts that are added from the first to the last.
    pub(crate) fn weight_gradient(&mut self, dy: Matrix, x: Matrix, dw: Span) -> Done {
        let part = part_of(dy.rows);
        let parts = dy.rows.div_ceil(part);
        if parts == 1 {
            return self.product(dy.t(), x, Span::NONE, dw, false);
        }
        let sums = self.take(parts * dw.len)?;
        self.product_parts(dy.t(), x, Span::NONE, (sums, x.columns), part, false)?;
        self.sum_parts(sums, parts, dw)
    }

    /// db = the sum of the rows of dy.
    pub(crate) fn bias_gradient(&mut self, dy: Matrix, db: Span) -> Done {
        let (m, n, part) = (dy.rows, dy.columns, part_of(dy.rows));
        assert!(db.len == n && dy.by_column == 1, "a gradient a column");
        let parts = m.div_ceil(part);
        let sums = self.take(parts * n)?;
        let args = ColumnSums {
            a: dy.span.at,
            sums: sums.at,
            m: m as u32,
            n: n as u32,
            part: part as u32,
        };
        let grid = [n.div_ceil(THREADS as usize) as u32, parts as u32, 1];
        self.launch("column_sums", Launch { grid, block: THREADS, shared: 0 }, args)?;
        self.sum_parts(sums, parts, db)
    }

    pub(crate) fn sum_parts(&mut self, parts: Span, count: usize, sum: Span) -> Done {
        assert_eq!(parts.len, count * sum.len, "{count} parts of {}", sum.len);
        let (n, count) = (sum.len as u32, count as u32);
        self.each("sum_parts", sum.len, SumParts { parts: parts.at, sum: sum.at, n, count })
    }

    /// y = x / m, or (y + x) / m with `add`.
    pub(crate) fn add(&mut self, x: Span, y: Span, divisor: f32, add: bool) -> Done {
        assert_eq!(x.len, y.len, "y is shaped like x");
        let (x, y, n) = (x.at, y.at, y.len);
        self.each("add", n, Add { x, y, n: n as u64, divisor, add: u32::from(add) })
    }

    /// y (N, width) = x ⊙ m, or +=; without x, the masks themselves, a row a sentence.
    pub(crate) fn dropout(
        &mut self,
        x: Span,
        y: Span,
        width: usize,
        mask: Mask,
        add: bool,
    ) -> Done {
        assert!(x.at == 0 || x.len == y.len, "y is shaped like x");
        let args = Dropout {
            x: x.at,
            y: y.at,
            sentence: mask.sentence,
            step: mask.step,
            numbers: mask.numbers.at,
            rows: (y.len / width) as u32,
            width: width as u32,
            key0: mask.seed as u32,
            key1: (mask.seed >> 32) as u32,
            epoch: mask.epoch,
            name: mask.name,
            // A draw is k / 2²⁴, and k / 2²⁴ < p where k < p 2²⁴.
            threshold: (mask.p * f64::from(1 << 24)).ceil() as u32,
            keep: (1.0 / (1.0 - mask.p)) as f32,
            add: u32::from(add),
        };
        self.each("dropout", y.len, args)
    }

    /// Whether a layer of this width goes through time in one launch here, and its shared memory.
    fn whole_walk(&self, n_hidden: usize) -> Option<[usize; 2]> {
        let shared = match n_hidden {
            64 => [4 * 2 * 4 * 64, 4 * 2 * 4 * 4 * 68],
            128 => [4 * (2 * 4 * 128 + 64 * 512), 4 * (2 * 4 * 4 * 132 + 64 * 512)],
            _ => return None,
        };
        shared.iter().all(|&s| s <= self.machine.shared_memory()).then_some(shared)
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
        for ((w, &x), &mask) in weights.iter().zip(&x).zip(masks) {
            assert_eq!((w.w_hh.len, w.b.len), (4 * h * h, 4 * h), "weights for a state of {h}");
            assert!(mask.at == 0 || mask.len == sentences * h, "a mask a sentence");
            let a = self.take(tokens * 4 * h)?;
            let x = Matrix::new(x, tokens, shape.n_in);
            let w_ih = Matrix::new(w.w_ih, 4 * h, shape.n_in);
            self.product(x, w_ih.t(), w.b, a, false)?; // (2)
            let [c, prev] = [self.take(tokens * h)?, self.take(tokens * h)?];
            let at = Side { w_hh: w.w_hh.at, mask: mask.at, gates: a.at, c: c.at, h_prev: prev.at };
            sides.push(at);
            gates.push(a);
            h_prev.push(prev);
        }
        let arguments = Lstm {
            front: sides[0],
            back: *sides.last().expect("a layer has a direction"),
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
        match self.whole_walk(h as usize) {
            Some([shared, _]) => {
                let kernel = if h == 64 { "lstm_forward_64" } else { "lstm_forward_128" };
                let grid = [sentences.div_ceil(4), sides as u32, 1];
                self.launch(kernel, Launch { grid, block: 4 * h, shared }, arguments)
            }
            None => (0..steps).try_for_each(|walked| {
                let launch = step_launch(h as usize, sentences as usize, sides, 5);
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
        match self.whole_walk(h) {
            Some([_, shared]) => {
                let kernel = if h == 64 { "lstm_backward_64" } else { "lstm_backward_128" };
                let grid = [layout.sentences.div_ceil(4) as u32, sides as u32, 1];
                self.launch(kernel, Launch { grid, block: 4 * h as u32, shared }, arguments)?;
            }
            None => {
                let dc = self.take(2 * layout.sentences * h)?;
                let dc_back = dc.part(layout.sentences * h, layout.sentences * h).at;
                for walked in (0..layout.steps as u32).rev() {
                    let lstm = Lstm { walked, ..arguments };
                    let args = LstmBack { lstm, dc_front: dc.at, dc_back };
                    let launch = step_launch(h, layout.sentences, sides, 2);
                    self.launch("lstm_step_backward", launch, args)?;
                }
            }
        }
        let mut dx = Vec::new();
        for side in 0..sides {
            let da = Matrix::new(cache.gates[side], tokens, 4 * h);
            let h_prev = Matrix::new(cache.h_prev[side], tokens, h);
            let x = Matrix::new(cache.x[side], tokens, shape.n_in);
            self.weight_gradient(da, h_prev, grads[side].w_hh)?; // (2')
            self.weight_gradient(da, x, grads[side].w_ih)?;
            self.bias_gradient(da, grads[side].b)?;
            let to = self.take(tokens * shape.n_in)?;
            let w_ih = Matrix::new(weights[side].w_ih, 4 * h, shape.n_in);
            self.product(da, w_ih, Span::NONE, to, false)?;
            dx.push(to);
        }
        Ok(dx)
    }
}

/// Rows of one part of a sum over `rows`.
fn part_of(rows: usize) -> usize {
    PART.max(rows.div_ceil(MOST_PARTS)).min(rows.max(1))
}

/// One step of the walk: blocks of 16 units of 16 sentences, `tiles` tiles of shared memory.
fn step_launch(n_hidden: usize, sentences: usize, sides: usize, tiles: usize) -> Launch {
    let grid = [n_hidden.div_ceil(16) as u32, sentences.div_ceil(16) as u32, sides as u32];
    Launch { grid, block: 256, shared: 4 * tiles * 16 * 17 }
}
