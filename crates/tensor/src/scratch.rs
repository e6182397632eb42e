//! Memory that is used again and again.
//!
//! A training step needs the same few arrays as the step before, of about the same sizes. [`take`]
//! gives one from what this thread has given back, so that after a few steps nothing is asked of the
//! system's allocator any more. What an array holds when it is taken is left from its last use: write
//! before reading. Builds with debug assertions fill it with NaN, so that tests find who does not.
//!
//! What a layer keeps for its backward pass is [`Lent`]: it goes back when the cache is dropped.

use std::ops::{Deref, DerefMut};

use ndarray::{Array1, Array2, ArrayView2, s};

use crate::Real;

/// More than this many pieces are not kept.
const MOST: usize = 64;

/// Bytes in a line of the cache.
const LINE: usize = 64;

/// What one thread has given back.
#[doc(hidden)]
#[derive(Debug)]
pub struct Pool<F> {
    free: Vec<Vec<F>>,
}

impl<F: Real> Pool<F> {
    /// A pool of nothing.
    pub const EMPTY: Self = Self { free: Vec::new() };

    /// n numbers: the smallest piece that holds them, or a new one in place of the largest.
    fn take(&mut self, n: usize) -> Vec<F> {
        let fits = |v: &Vec<F>| v.capacity() >= n;
        let pieces = || self.free.iter().enumerate();
        let smallest = pieces().filter(|(_, v)| fits(v)).min_by_key(|(_, v)| v.capacity());
        let chosen = smallest.or_else(|| pieces().max_by_key(|(_, v)| v.capacity()));
        let mut piece = chosen.map(|(i, _)| i).map_or_else(Vec::new, |i| self.free.swap_remove(i));
        if !fits(&piece) {
            // Room for a batch that is somewhat larger than any before.
            piece = Vec::with_capacity(n + n / 4);
        }
        piece.resize(n, F::zero());
        piece
    }

    fn give(&mut self, piece: Vec<F>) {
        if self.free.len() < MOST && piece.capacity() > 0 {
            self.free.push(piece);
        }
    }
}

/// An array (rows, columns) whose values are left over from its last use. It begins at a multiple of
/// 64 bytes, a line of the cache, so that its rows' vectors are read and written in one piece each.
pub fn take<F: Real>((rows, columns): (usize, usize)) -> Array2<F> {
    let n = rows * columns;
    let piece = Array1::from_vec(F::with_pool(|pool| pool.take(n + LINE / size_of::<F>())));
    let skip = piece.as_ptr().align_offset(LINE);
    let aligned = piece.slice_move(s![skip..skip + n]);
    let mut array = aligned.into_shape_with_order((rows, columns)).expect("n numbers in n places");
    if cfg!(debug_assertions) {
        array.fill(F::nan());
    }
    array
}

/// An array (rows, columns) of zeros.
pub fn zeros<F: Real>(shape: (usize, usize)) -> Array2<F> {
    let mut array = take(shape);
    array.fill(F::zero());
    array
}

/// A copy of `array`.
pub fn copy<F: Real>(array: &ArrayView2<'_, F>) -> Array2<F> {
    let mut copy = take(array.dim());
    copy.assign(array);
    copy
}

/// Gives the memory of an array that nobody needs any more to this thread's next [`take`].
pub fn give<F: Real>(array: Array2<F>) {
    let (piece, _) = array.into_raw_vec_and_offset();
    F::with_pool(|pool| pool.give(piece));
}

/// An array whose memory is given back when it is dropped.
#[derive(Debug)]
pub struct Lent<F> {
    array: Array2<F>,
    /// [`give`], known here so that types around this one need not name [`Real`].
    give: fn(Array2<F>),
}

impl<F: Real> From<Array2<F>> for Lent<F> {
    fn from(array: Array2<F>) -> Self {
        Self { array, give }
    }
}

impl<F> Drop for Lent<F> {
    fn drop(&mut self) {
        let nothing = Array2::from_shape_vec((0, 0), Vec::new()).expect("no numbers, no places");
        (self.give)(std::mem::replace(&mut self.array, nothing));
    }
}

impl<F: Real> Clone for Lent<F> {
    fn clone(&self) -> Self {
        copy(&self.array.view()).into()
    }
}

impl<F> Deref for Lent<F> {
    type Target = Array2<F>;

    fn deref(&self) -> &Array2<F> {
        &self.array
    }
}

impl<F> DerefMut for Lent<F> {
    fn deref_mut(&mut self) -> &mut Array2<F> {
        &mut self.array
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_was_given_back_is_taken_again() {
        // A type of its own thread, so that no other test takes from the same pool.
        std::thread::spawn(|| {
            let a = take::<f64>((10, 10));
            let at = a.as_ptr();
            drop(Lent::from(a));
            let b = take::<f64>((5, 20));
            assert_eq!(b.as_ptr(), at);
            let c = take::<f64>((5, 20));
            assert_ne!(c.as_ptr(), at);
            assert!([at, c.as_ptr()].map(|p| p.addr() % 64) == [0, 0]);
        })
        .join()
        .unwrap();
    }

    #[test]
    fn the_smallest_piece_that_holds_it_is_taken() {
        let mut pool = Pool::<f64>::EMPTY;
        for n in [100, 10, 1000] {
            pool.give(Vec::with_capacity(n));
        }
        assert_eq!(pool.take(50).capacity(), 100);
        assert_eq!(pool.take(50).capacity(), 1000);
        assert!(pool.take(50).capacity() >= 50); // the piece of 10 makes room
        assert!(pool.free.is_empty());
    }

    #[test]
    fn zeros_are_zeros_whatever_was_there() {
        let mut a = take::<f32>((3, 3));
        a.fill(7.0);
        give(a);
        assert_eq!(zeros::<f32>((3, 3)), Array2::zeros((3, 3)));
        assert_eq!(zeros::<f32>((0, 3)).dim(), (0, 3));
    }
}
