//! Matrices over the transitions that the rules allow, and products with them.
//!
//! Of 801 tags under IOB2 each I may follow two tags and all others any: half of the matrix is forbidden, in IOBES
//! three quarters. So columns with as many allowed entries, which are those of one kind, are put side by
//! side, and cut into blocks of [`WIDE`]; a block keeps those rows in which it has an allowed entry.
//!
//! ```text
//! from ＼ to    O  B-x B-y │ I-x I-y
//! O             ·   ·   · │
//! B-x           ·   ·   · │  ·   −∞         · allowed, kept
//! I-x           ·   ·   · │  ·   −∞         −∞ forbidden, kept beside an allowed one
//! B-y           ·   ·   · │ −∞    ·
//! I-y           ·   ·   · │ −∞    ·
//! ```
//!
//! Where that saves little, as with few tags, the columns keep their order, and blocks are read and written in one piece.
//! What is left out would add nothing: each sum has its terms in the order of the rows, with or without.

use std::ops::Range;
use std::sync::Arc;

use ndarray::Array2;
use tensor::scratch::{self, Lent};

/// Columns of a block: their sums stay in registers while the rows go by, and are enough of them that none waits
/// for the sum before.
pub(super) const WIDE: usize = 16;

/// A place beyond all values.
const NOWHERE: u32 = u32::MAX;

/// Where the entries of a matrix (K, K) stand that the rules allow.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout {
    blocks: Vec<Block>,
    /// (K) of each column, block · WIDE + lane.
    places: Vec<usize>,
}

/// Up to [`WIDE`] columns.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Which columns, lane by lane.
    pub columns: Vec<u32>,
    /// Rows with an entry in one of them, rising.
    pub rows: Vec<u32>,
    /// The place of the first among the rows of all blocks.
    first: usize,
    /// The first column, if there are [`WIDE`] and each follows the one before.
    run: Option<usize>,
}

impl Block {
    fn range(&self) -> Range<usize> {
        self.first..self.first + self.rows.len()
    }

    /// Those of `values` that stand in this block's columns, 0 in lanes without a column.
    #[inline(always)]
    pub fn gather(&self, values: &[f64]) -> [f64; WIDE] {
        let mut lanes = [0.0; WIDE];
        match self.run {
            Some(j) => lanes.copy_from_slice(&values[j..j + WIDE]),
            None => lanes.iter_mut().zip(&self.columns).for_each(|(v, &j)| *v = values[j as usize]),
        }
        lanes
    }

    /// Writes `lanes` to those of `values` that stand in this block's columns.
    #[inline(always)]
    fn scatter(&self, lanes: &[f64; WIDE], values: &mut [f64]) {
        match self.run {
            Some(j) => values[j..j + WIDE].copy_from_slice(lanes),
            None => self.columns.iter().zip(lanes).for_each(|(&j, &v)| values[j as usize] = v),
        }
    }
}

impl Layout {
    pub fn new(k: usize, allowed: impl Fn(usize, usize) -> bool) -> Self {
        let count = |&j: &usize| (0..k).filter(|&i| allowed(i, j)).count();
        let columns: Vec<usize> = (0..k).collect();
        let mut sorted = columns.clone();
        sorted.sort_by_cached_key(|j| std::cmp::Reverse(count(j))); // stable
        let [plain, sorted] = [columns, sorted].map(|columns| Self::in_order(&columns, &allowed));
        if 4 * sorted.n_rows() < 3 * plain.n_rows() { sorted } else { plain }
    }

    /// Blocks of `columns` from the first to the last.
    fn in_order(columns: &[usize], allowed: &impl Fn(usize, usize) -> bool) -> Self {
        let k = columns.len();
        let mut places = vec![0; k];
        columns.iter().enumerate().for_each(|(place, &j)| places[j] = place);
        let mut first = 0;
        let block = |columns: &[usize]| {
            let rows = (0..k).filter(|&i| columns.iter().any(|&j| allowed(i, j)));
            let rows: Vec<u32> = rows.map(|i| i as u32).collect();
            let is_run = columns.len() == WIDE && columns.is_sorted_by(|a, b| a + 1 == *b);
            let run = is_run.then_some(columns[0]);
            let columns = columns.iter().map(|&j| j as u32).collect();
            let block = Block { columns, rows, first, run };
            first += block.rows.len();
            block
        };
        Self { blocks: columns.chunks(WIDE).map(block).collect(), places }
    }

    /// Number of rows of all blocks.
    fn n_rows(&self) -> usize {
        self.blocks.last().map_or(0, |block| block.range().end)
    }

    /// For each value of a matrix with this layout its place among those of the transposed matrix, which has layout
    /// `other`; [`NOWHERE`] for what is not kept there.
    pub fn in_transposed(&self, other: &Layout) -> Vec<u32> {
        let mut places = Vec::with_capacity(self.n_rows() * WIDE);
        for block in &self.blocks {
            for &i in &block.rows {
                let find = |&j: &u32| {
                    other.find(j as usize, i as usize).map_or(NOWHERE, |place| place as u32)
                };
                places.extend(block.columns.iter().map(find));
                places.resize(places.len().next_multiple_of(WIDE), NOWHERE);
            }
        }
        places
    }

    /// The place of entry i, j among the values, none if its block has no such row.
    fn find(&self, i: usize, j: usize) -> Option<usize> {
        let place = self.places[j];
        let block = &self.blocks[place / WIDE];
        let row = block.rows.binary_search(&(i as u32)).ok()?;
        Some((block.first + row) * WIDE + place % WIDE)
    }
}

/// A matrix (K, K) of which only the entries of its layout are kept.
#[derive(Clone, Debug)]
pub(super) struct Blocks {
    layout: Arc<Layout>,
    values: Lent<f64>, // (rows of all blocks, WIDE)
    left_out: f64,     // what stands for an entry that is not kept
}

impl Blocks {
    /// The values that `matrix` says, which has to say `left_out` for what is forbidden.
    pub fn new(layout: &Arc<Layout>, left_out: f64, matrix: impl Fn(usize, usize) -> f64) -> Self {
        let mut blocks = Self::unwritten(layout, left_out);
        for (block, rows) in blocks.each_mut() {
            for (&i, row) in block.rows.iter().zip(rows) {
                let (values, rest) = row.split_at_mut(block.columns.len());
                let values = values.iter_mut().zip(&block.columns);
                values.for_each(|(v, &j)| *v = matrix(i as usize, j as usize));
                rest.fill(left_out);
            }
        }
        blocks
    }

    /// Zeros in the same places.
    pub fn zeros_like(&self) -> Self {
        let mut zeros = Self::unwritten(&self.layout, 0.0);
        zeros.values.fill(0.0);
        zeros
    }

    /// With whatever values its memory has.
    fn unwritten(layout: &Arc<Layout>, left_out: f64) -> Self {
        let values: Array2<f64> = scratch::take((layout.n_rows(), WIDE));
        Self { layout: layout.clone(), values: values.into(), left_out }
    }

    /// All values, also in lanes without a column.
    pub fn values(&self) -> &[f64] {
        self.values.as_slice().expect("row-major")
    }

    /// What each value becomes.
    pub fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        let mut mapped = Self::unwritten(&self.layout, f(self.left_out));
        mapped.values.zip_mut_with(&self.values, |to, &from| *to = f(from));
        mapped
    }

    /// The transposed matrix, which has `layout`; `places` as [`Layout::in_transposed`] gives them.
    pub fn transposed(&self, layout: &Arc<Layout>, places: &[u32]) -> Self {
        let mut transposed = Self::unwritten(layout, self.left_out);
        let (from, to) = (self.values(), transposed.values.as_slice_mut().expect("row-major"));
        to.iter_mut().zip(places).for_each(|(to, &place)| {
            *to = from.get(place as usize).copied().unwrap_or(self.left_out);
        });
        transposed
    }

    /// M_ij.
    pub fn get(&self, i: usize, j: usize) -> f64 {
        self.layout.find(i, j).map_or(self.left_out, |at| self.values()[at])
    }

    /// M_ij, to be changed; none where it is not kept.
    pub fn get_mut(&mut self, i: usize, j: usize) -> Option<&mut f64> {
        let at = self.layout.find(i, j)?;
        self.values.as_slice_mut().expect("row-major").get_mut(at)
    }

    /// Each block with its rows of values.
    #[inline(always)]
    pub fn each(&self) -> impl Iterator<Item = (&Block, &[[f64; WIDE]])> {
        let rows = self.values().as_chunks().0;
        self.layout.blocks.iter().map(move |block| (block, &rows[block.range()]))
    }

    /// The same, to be changed.
    #[inline(always)]
    pub fn each_mut(&mut self) -> impl Iterator<Item = (&Block, &mut [[f64; WIDE]])> {
        let mut rows = self.values.as_slice_mut().expect("row-major").as_chunks_mut().0;
        self.layout.blocks.iter().map(move |block| {
            (block, rows.split_off_mut(..block.rows.len()).expect("rows of all blocks"))
        })
    }

    /// The kept entries of column `j`, with their rows, rising.
    pub fn column(&self, j: usize) -> impl Iterator<Item = (usize, f64)> + Clone {
        let place = self.layout.places[j];
        let block = &self.layout.blocks[place / WIDE];
        let rows = &self.values().as_chunks::<WIDE>().0[block.range()];
        block.rows.iter().zip(rows).map(move |(&i, row)| (i as usize, row[place % WIDE]))
    }

    /// y_j = Σ_i x_i M_ij, 0 beyond the last column.
    #[inline(always)]
    pub fn product(&self, x: &[f64], y: &mut [f64]) {
        self.fold(x, y, 0.0, |sum, x, m| sum + x * m);
    }

    /// y_j = max_i (x_i + M_ij), −∞ for no finite one and beyond the last column.
    #[inline(always)]
    pub fn max_plus(&self, x: &[f64], y: &mut [f64]) {
        self.fold(x, y, f64::NEG_INFINITY, |best, x, m| if x + m > best { x + m } else { best });
    }

    #[inline(always)]
    fn fold(&self, x: &[f64], y: &mut [f64], first: f64, next: impl Fn(f64, f64, f64) -> f64) {
        for (block, rows) in self.each() {
            let mut column = [first; WIDE];
            for (&i, row) in block.rows.iter().zip(rows) {
                let x = x[i as usize];
                for l in 0..WIDE {
                    column[l] = next(column[l], x, row[l]);
                }
            }
            block.scatter(&column, y);
        }
        y[self.layout.places.len()..].fill(first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// IOB2's rules for O, B-1, I-1, B-2, I-2 …
    fn iob2(i: usize, j: usize) -> bool {
        j % 2 == 1 || j == 0 || i + 1 == j || i == j
    }

    /// Which of K·K entries are allowed: any, or as in IOB2.
    fn any_rules() -> impl Strategy<Value = (usize, Vec<bool>)> {
        let any = (0..40usize, 0.0..1.0).prop_flat_map(|(k, share)| {
            (Just(k), prop::collection::vec(prop::bool::weighted(share), k * k))
        });
        let of_iob2 = |k| (k, (0..k * k).map(|at| iob2(at / k, at % k)).collect());
        prop_oneof![any, (30..80usize).prop_map(of_iob2)]
    }

    proptest! {
        #[test]
        fn products_and_maxima_are_those_of_the_whole_matrix_to_the_bit((k, allowed) in any_rules()) {
            let allowed = &allowed;
            let number = |i: usize, j: usize| ((i * 31 + j * 17) % 23) as f64 / 7.0 + 0.1;
            let layout = Arc::new(Layout::new(k, |i, j| allowed[i * k + j]));
            let ruled = |forbidden: f64| {
                move |i: usize, j: usize| if allowed[i * k + j] { number(i, j) } else { forbidden }
            };
            let x: Vec<f64> = (0..k).map(|i| number(i, 1)).collect();
            let mut y = vec![f64::NAN; k + 3];

            let matrix = ruled(0.0);
            Blocks::new(&layout, 0.0, matrix).product(&x, &mut y);
            for j in 0..k {
                prop_assert_eq!(y[j], (0..k).fold(0.0, |sum, i| sum + x[i] * matrix(i, j)));
            }
            prop_assert!(y[k..].iter().all(|&y| y == 0.0));

            let matrix = ruled(f64::NEG_INFINITY);
            let blocks = Blocks::new(&layout, f64::NEG_INFINITY, matrix);
            blocks.max_plus(&x, &mut y);
            for j in 0..k {
                let sums = (0..k).map(|i| x[i] + matrix(i, j));
                prop_assert_eq!(y[j], sums.fold(f64::NEG_INFINITY, f64::max));
                let kept: Vec<(usize, f64)> =
                    blocks.column(j).filter(|(_, m)| m.is_finite()).collect();
                let want: Vec<(usize, f64)> =
                    (0..k).filter(|i| allowed[i * k + j]).map(|i| (i, number(i, j))).collect();
                prop_assert_eq!(kept, want);
            }
            let across = Arc::new(Layout::new(k, |j, i| allowed[i * k + j]));
            let transposed = blocks.transposed(&across, &across.in_transposed(&layout));
            for (i, j) in (0..k).flat_map(|i| (0..k).map(move |j| (i, j))) {
                prop_assert_eq!(blocks.get(i, j), matrix(i, j));
                prop_assert_eq!(transposed.get(j, i), matrix(i, j));
            }
            for (block, _) in blocks.each() {
                let lanes = block.gather(&y);
                prop_assert!(block.columns.iter().zip(lanes).all(|(&j, v)| v == y[j as usize]));
            }
        }
    }

    #[test]
    fn what_iob2_forbids_is_left_out_but_for_a_few() {
        let n = 400;
        let layout = Layout::new(2 * n + 1, iob2);
        let dense = (n + 1).next_multiple_of(WIDE) * (2 * n + 1);
        assert!((layout.n_rows() * WIDE) < dense + 2 * WIDE * (n + WIDE), "{}", layout.n_rows());
    }
}
