//! The processor's tiles. Linux only: the system has to be asked for their registers.

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;
use std::sync::OnceLock;

use super::{Half, Sums, Tiles};

/// The eight tiles of this thread, each of 16 rows of 64 bytes.
pub struct Amx(());

/// Number of the system call `arch_prctl`, of its request for more registers, and of tile data among them.
const ARCH_PRCTL: usize = 158;
const ARCH_REQ_XCOMP_PERM: usize = 0x1023;
const TILE_DATA: usize = 18;

/// Whether the processor has tiles with products of bfloat16, and the system lets this process use them.
pub fn is_available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| has_instructions() && may_use())
}

fn has_instructions() -> bool {
    const OSXSAVE: u32 = 1 << 27; // leaf 1, ecx
    const BF16: u32 = 1 << 22; // leaf 7, edx
    const TILE: u32 = 1 << 24;
    const STATES: u32 = 0b11 << 17; // tile configuration and data, in XCR0
    if __cpuid_count(0, 0).eax < 7 || __cpuid_count(1, 0).ecx & OSXSAVE == 0 {
        return false;
    }
    if __cpuid_count(7, 0).edx & (BF16 | TILE) != BF16 | TILE {
        return false;
    }
    let states: u32;
    // SAFETY: OSXSAVE says that `xgetbv` is there; it reads a register.
    unsafe {
        asm!("xgetbv", in("ecx") 0, out("eax") states, out("edx") _, options(nomem, nostack));
    }
    states & STATES == STATES
}

fn may_use() -> bool {
    let outcome: isize;
    // SAFETY: this request takes numbers and touches no memory of ours.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => outcome,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") TILE_DATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    outcome == 0
}

impl Amx {
    /// The tiles, shaped; none where [`is_available`] says no.
    pub fn new() -> Option<Self> {
        /// Palette 1, and for each tile its row's bytes and its rows.
        #[repr(C, align(64))]
        struct Shapes {
            palette: u8,
            start_row: u8,
            reserved: [u8; 14],
            row_bytes: [u16; 16],
            rows: [u8; 16],
        }
        if !is_available() {
            return None;
        }
        let (mut row_bytes, mut rows) = ([0; 16], [0; 16]);
        row_bytes[..8].fill(64);
        rows[..8].fill(16);
        let shapes = Shapes { palette: 1, start_row: 0, reserved: [0; 14], row_bytes, rows };
        // SAFETY: the instructions are there, and 64 bytes of a configuration are read.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const shapes, options(nostack, readonly));
        }
        Some(Self(()))
    }
}

impl Drop for Amx {
    fn drop(&mut self) {
        // SAFETY: the instructions are there, or there were no value. The compiler keeps nothing in tiles.
        unsafe { asm!("tilerelease", options(nomem, nostack)) }
    }
}

/// Bytes from row to row.
const ROW: usize = 64;

// SAFETY of each block: the instructions are there, since a value is made by `new` alone; a tile is the 1,024 bytes
// that the reference is for; and the compiler keeps nothing in tiles, which it has no type for.
impl Tiles for Amx {
    #[inline(always)]
    fn load<const T: u8>(&mut self, from: &Half) {
        let from = from.as_ptr();
        unsafe {
            asm!("tileloadd tmm{t}, [{from} + {row}]", t = const T, from = in(reg) from, row = in(reg) ROW,
                 options(nostack, readonly));
        }
    }

    #[inline(always)]
    fn load_sums<const T: u8>(&mut self, from: &Sums) {
        let from = from.as_ptr();
        unsafe {
            asm!("tileloadd tmm{t}, [{from} + {row}]", t = const T, from = in(reg) from, row = in(reg) ROW,
                 options(nostack, readonly));
        }
    }

    #[inline(always)]
    fn multiply<const C: u8, const A: u8, const B: u8>(&mut self) {
        unsafe {
            asm!("tdpbf16ps tmm{c}, tmm{a}, tmm{b}", c = const C, a = const A, b = const B,
                 options(nomem, nostack));
        }
    }

    #[inline(always)]
    fn store_sums<const T: u8>(&mut self, to: &mut Sums) {
        let to = to.as_mut_ptr();
        unsafe {
            asm!("tilestored [{to} + {row}], tmm{t}", t = const T, to = in(reg) to, row = in(reg) ROW,
                 options(nostack));
        }
    }
}
