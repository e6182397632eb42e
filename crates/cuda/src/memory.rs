//! Pieces of a machine's memory, and scratch memory that is handed out anew at each step.

use crate::{Address, CudaError, Machine};

/// A piece of memory: so many numbers of 4 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Where it begins; 0 for none.
    pub at: Address,
    /// Numbers in it.
    pub len: usize,
}

impl Span {
    /// Nothing.
    pub const NONE: Span = Span { at: 0, len: 0 };

    /// `len` numbers from number `from` on.
    ///
    /// # Panics
    /// If they are not all in it.
    pub fn part(self, from: usize, len: usize) -> Span {
        assert!(from + len <= self.len, "{len} numbers from {from} of {}", self.len);
        Span { at: self.at + 4 * from as u64, len }
    }

    /// New memory.
    pub(crate) fn new(machine: &mut dyn Machine, len: usize) -> Result<Span, CudaError> {
        Ok(Span { at: machine.alloc(4 * len.max(1))?, len })
    }
}

/// Memory for what a step computes and the next one needs no more.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    chunks: Vec<Span>,
    /// The chunk that is handed out of, and the numbers of it that are in use.
    now: usize,
    used: usize,
}

/// Pieces begin at multiples of 256 bytes, as the driver's own do.
const ALIGN: usize = 64;

impl Scratch {
    /// Memory for `len` numbers, until the next [`Scratch::reset`].
    pub fn take(&mut self, machine: &mut dyn Machine, len: usize) -> Result<Span, CudaError> {
        while self.now < self.chunks.len() {
            let chunk = self.chunks[self.now];
            if self.used + len <= chunk.len {
                let piece = chunk.part(self.used, len);
                self.used = (self.used + len).next_multiple_of(ALIGN);
                return Ok(piece);
            }
            (self.now, self.used) = (self.now + 1, 0);
        }
        let least = machine.chunk() / 4;
        let chunk = Span::new(machine, len.max(least))?;
        self.chunks.push(chunk);
        self.used = len.next_multiple_of(ALIGN);
        Ok(chunk.part(0, len))
    }

    /// All that was handed out may be handed out again.
    pub fn reset(&mut self, machine: &mut dyn Machine) {
        (self.now, self.used) = (0, 0);
        if machine.chunk() == 0 {
            self.chunks.drain(..).for_each(|chunk| machine.free(chunk.at));
        }
    }

    /// Gives all memory back.
    #[cfg(feature = "measure")]
    pub fn free(&mut self, machine: &mut dyn Machine) {
        (self.now, self.used) = (0, 0);
        self.chunks.drain(..).for_each(|chunk| machine.free(chunk.at));
    }
}
