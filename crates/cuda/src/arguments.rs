//! The arguments of the kernels, as they stand in `kernels/*.cu`: same order, same types.

use crate::Address;

/// Arguments of a kernel. Plain numbers in C's layout.
///
/// # Safety
/// The type is `repr(C)` and has the fields of the kernel's own struct.
#[allow(unsafe_code)]
pub unsafe trait Args: Copy {}

/// Structs of arguments, and the names of the kernels that take them.
macro_rules! arguments {
    ($($name:ident [$($kernel:literal),*] { $($field:ident: $type:ty),+ $(,)? })+) => {
        $(
            #[repr(C)]
            #[derive(Clone, Copy, Debug, Default)]
            #[allow(missing_docs)]
            pub struct $name { $(pub $field: $type),+ }

            // SAFETY: repr(C), and a test compares its size with the kernel's.
            #[allow(unsafe_code)]
            unsafe impl Args for $name {}
        )+

        /// Every kernel and the bytes of its arguments.
        pub fn sizes() -> Vec<(&'static str, usize)> {
            vec![$($(($kernel, size_of::<$name>()),)*)+]
        }
    };
}

arguments! {
    Embedding ["embedding"] {
        table: Address, ids: Address, kept: Address, x: Address,
        tokens: u32, per_token: u32, width: u32, stride: u32, add: u32,
    }
    RowSums ["row_sums"] {
        dx: Address, starts: Address, sources: Address, ids: Address, sums: Address,
        touched: u32, width: u32, stride: u32,
    }
    CharWindows ["char_windows"] {
        table: Address, chars: Address, words: Address, x: Address, n_chars: u32, width: u32,
    }
    CharMax ["char_max"] {
        z: Address, starts: Address, y: Address, first: Address, n_words: u32, filters: u32,
    }
    CharMaxBack ["char_max_backward"] {
        dy: Address, y: Address, first: Address, words: Address, dz: Address,
        n_chars: u32, filters: u32,
    }
    CharEnds ["char_ends"] {
        h: Address, starts: Address, lengths: Address, y: Address, n_words: u32, hidden: u32,
    }
    CharEndsBack ["char_ends_backward"] {
        dy: Address, lengths: Address, words: Address, steps: Address, dh: Address,
        n_chars: u32, hidden: u32,
    }
    Add ["add"] { x: Address, y: Address, n: u64, divisor: f32, add: u32 }
    Dropout ["dropout"] {
        x: [Address; 2], y: [Address; 2], sentence: Address, step: Address, numbers: Address,
        name: [u32; 2], rows: u32, width: u32, key0: u32, key1: u32, epoch: u32, threshold: u32,
        keep: f32, sides: u32, sum: u32,
    }
    Product [] {
        a: Address, b: Address, bias: Address, c: Address, sums: Address,
        m: u32, n: u32, k: u32, a_m: u32, a_k: u32, b_k: u32, b_n: u32, c_m: u32,
        part: u32, add: u32, first_block: u32, unused: u32,
    }
    Products ["products"] { of: [Product; 6] }
    SumParts [] { parts: Address, sum: Address, n: u32, count: u32, first_block: u32, unused: u32 }
    SumsOfParts ["sum_parts"] { of: [SumParts; 16] }
    Side [] { w_hh: Address, mask: Address, gates: Address, c: Address, h_prev: Address }
    Lstm [
        "lstm_forward_64", "lstm_forward_128", "lstm_backward_64", "lstm_backward_128",
        "lstm_forward_64_one", "lstm_forward_128_one", "lstm_backward_64_one",
        "lstm_backward_128_one", "lstm_step_forward"
    ] {
        side: [Side; 2], starts: Address, y: Address, dy: Address,
        sentences: u32, steps: u32, stride: u32, hidden: u32, walked: u32,
    }
    LstmBack ["lstm_step_backward"] { lstm: Lstm, dc_front: Address, dc_back: Address }
    Loss ["softmax", "keras_relu"] {
        scores: Address, tags: Address, losses: Address, tag_weights: Address,
        rows: u32, n_tags: u32, weight: f32,
    }
    Best ["best_tags"] { scores: Address, tags: Address, rows: u32, n_tags: u32, floor: f32 }
    Potentials ["potentials"] { weights: Address, forbidden: Address, sum: Address, n: u64 }
    CrfLoss ["crf_loss", "crf_loss_wide"] {
        potentials: Address, forbidden: Address, scores: Address, tags: Address, starts: Address,
        lengths: Address, alpha: Address, log_sums: Address, ds: Address, parts: Address,
        losses: Address, n_tags: u32, weight: f32,
    }
    Viterbi ["viterbi", "viterbi_wide"] {
        potentials: Address, scores: Address, starts: Address, lengths: Address,
        from: Address, tags: Address, n_tags: u32,
    }
    Squares [] { x: Address, n: u64 }
    SquaresOfAll ["squares"] { of: [Squares; 4], sums: Address }
    Outcome ["outcome"] {
        losses: Address, squares: Address, best: Address, tags: Address, status: Address,
        n_losses: u32, n_squares: u32, tokens: u32, max_norm: f32,
    }
    Moving [] {
        w: Address, m: Address, v: Address, g: Address, ids: Address,
        n: u64, width: u32, first_block: u32,
    }
    Adam ["adam"] {
        of: [Moving; 4], status: Address, beta1: f32, beta2: f32, fresh1: f32, fresh2: f32,
        step: f32, root_scale: f32, epsilon: f32, decay: f32,
    }
    Average ["average"] { average: Address, w: Address, status: Address, n: u64, kept: f32 }
}

/// A piece of work that shares a launch with others: see `piece_of_block` in `kernels/device.h`.
pub(crate) trait Piece: Copy + Default {
    /// Its first block among those of the launch.
    fn first_block(&mut self) -> &mut u32;
}

impl Piece for Product {
    fn first_block(&mut self) -> &mut u32 {
        &mut self.first_block
    }
}

impl Piece for SumParts {
    fn first_block(&mut self) -> &mut u32 {
        &mut self.first_block
    }
}

impl Piece for Moving {
    fn first_block(&mut self) -> &mut u32 {
        &mut self.first_block
    }
}

/// Pieces with the blocks of each, numbered through, and the number of all blocks; places that are free begin
/// where no block is.
pub(crate) fn numbered<P: Piece, const N: usize>(pieces: &[(P, u32)]) -> ([P; N], u32) {
    let mut all = [P::default(); N];
    let mut blocks = 0;
    for (place, &(piece, own)) in all.iter_mut().zip(pieces) {
        *place = piece;
        *place.first_block() = blocks;
        blocks += own;
    }
    all[pieces.len()..].iter_mut().for_each(|free| *free.first_block() = u32::MAX);
    (all, blocks)
}
