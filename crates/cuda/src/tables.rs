//! Rows of tables for tokens, and gradients of tokens for rows.

use crate::arguments::*;
use crate::batch::{At, Touched};
use crate::{CudaError, Engine, Span};

/// Some columns of a matrix whose rows are `stride` apart.
#[derive(Clone, Copy)]
pub(crate) struct Strided {
    pub span: Span,
    pub stride: usize,
    pub first: usize,
}

impl Strided {
    /// A whole matrix.
    pub fn whole(span: Span, width: usize) -> Self {
        Self { span, stride: width, first: 0 }
    }

    fn check(&self, rows: usize, width: usize) -> u64 {
        assert!(self.span.len >= rows * self.stride, "{rows} rows of {}", self.stride);
        assert!(self.first + width <= self.stride, "{width} columns from {}", self.first);
        self.span.part(self.first, 0).at
    }
}

impl Engine {
    /// x (N, width) = the sum of each token's rows of `table`, or +=; none for tokens that are not `kept`.
    pub(crate) fn embedding(
        &mut self,
        (table, width): (Span, usize),
        (ids, kept): (Span, Span),
        tokens: usize,
        x: Strided,
        add: bool,
    ) -> Result<(), CudaError> {
        assert!(kept.at == 0 || kept.len == tokens, "kept says of each token whether it is");
        assert!(ids.len.is_multiple_of(tokens), "{} ids for {tokens} tokens", ids.len);
        let args = Embedding {
            table: table.at,
            ids: ids.at,
            kept: kept.at,
            x: x.check(tokens, width),
            tokens: tokens as u32,
            per_token: (ids.len / tokens) as u32,
            width: width as u32,
            stride: x.stride as u32,
            add: u32::from(add),
        };
        self.each("embedding", tokens * width, args)
    }

    /// The sums of the rows of dx that each touched row of a table gets its gradient from: as rows of `sums`, the
    /// table's own (`by_id`) or one after the other.
    pub(crate) fn row_sums(
        &mut self,
        at: &At<'_>,
        touched: &Touched,
        (dx, rows, width): (Strided, usize, usize),
        (sums, by_id): (Span, bool),
    ) -> Result<(), CudaError> {
        let starts = at.span(&touched.starts);
        let ids = if by_id { at.span(&touched.ids).at } else { 0 };
        let n = touched.ids.len();
        assert!(by_id || sums.len >= n * width, "a sum for each touched row");
        let whole = RowSums {
            dx: dx.check(rows, width),
            starts: starts.at,
            sources: at.span(&touched.sources).at,
            ids,
            sums: sums.at,
            touched: n as u32,
            width: width as u32,
            stride: dx.stride as u32,
        };
        let Some(parts) = &touched.parts else {
            return self.each("row_sums", n * width, whole);
        };
        let n_parts = parts.len() - 1;
        let of_parts = self.take(n_parts * width)?;
        let args = RowSums {
            starts: at.span(parts).at,
            ids: 0,
            sums: of_parts.at,
            touched: n_parts as u32,
            ..whole
        };
        self.each("row_sums", n_parts * width, args)?;
        let args = RowSums { dx: of_parts.at, sources: 0, stride: width as u32, ..whole };
        self.each("row_sums", n * width, args)
    }
}
