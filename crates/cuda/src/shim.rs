//! The kernels on this processor: compiled as C++ by the build script, launched by name.
#![allow(unsafe_code)]

use std::collections::HashMap;
use std::ffi::{CString, c_char, c_int, c_uint, c_void};
use std::time::Instant;

use libloading::Library;

use crate::{Address, CudaError, Launch, Machine};

/// Where the build script left the library; empty if there is no C++ compiler.
const LIBRARY: &str = env!("LONGHAND_SHIM");

type LaunchByName =
    unsafe extern "C" fn(*const c_char, *const c_uint, *const c_uint, usize, c_int, *const c_void);

/// A processor that runs kernels block by block. All memory holds NaN at first, each piece lies by itself
/// and is exactly as large as asked for, so that AddressSanitizer sees what reaches beyond.
pub struct Shim {
    library: Library,
    launch: LaunchByName,
    order: i32,
    shared: usize,
    multiprocessors: usize,
    pieces: HashMap<Address, Box<[u64]>>,
    started: Instant,
}

impl Shim {
    /// With the threads of a block taken in this order: 0 first to last, 1 last to first, more: shuffled.
    /// `LONGHAND_SHIM` names another library, one with a sanitizer, say. None, with a word on stderr, if
    /// there was no C++ compiler to make one.
    pub fn open(order: i32) -> Option<Self> {
        let path = std::env::var("LONGHAND_SHIM").unwrap_or_else(|_| LIBRARY.to_owned());
        if path.is_empty() {
            eprintln!("skipped: no C++ compiler, so the CUDA kernels were not run");
            return None;
        }
        // SAFETY: the library is made of kernels/shim.cpp, whose initialisers fill a map and do nothing else.
        let library = unsafe { Library::new(&path) }.unwrap_or_else(|e| panic!("{path}: {e}"));
        // SAFETY: the function has this type in kernels/shim.cpp.
        let launch: LaunchByName = unsafe { *library.get(b"shim_launch").expect("the launcher") };
        let (shared, multiprocessors, pieces) = (227 << 10, 4, HashMap::new());
        let started = Instant::now();
        Some(Self { library, launch, order, shared, multiprocessors, pieces, started })
    }

    /// As if a block had no more shared memory than this.
    pub fn with_shared_memory(mut self, bytes: usize) -> Self {
        self.shared = bytes;
        self
    }

    /// As if so many multiprocessors worked side by side.
    pub fn with_multiprocessors(mut self, n: usize) -> Self {
        self.multiprocessors = n;
        self
    }

    /// Bytes of a kernel's arguments as the kernel has them; 0 if there is no such kernel.
    pub fn arguments(&self, kernel: &str) -> usize {
        let name = CString::new(kernel).expect("a name");
        // SAFETY: the function has this type in kernels/shim.cpp and reads the name only.
        unsafe {
            let ask: libloading::Symbol<'_, unsafe extern "C" fn(*const c_char) -> usize> =
                self.library.get(b"shim_arguments").expect("the question");
            ask(name.as_ptr())
        }
    }

    /// Panics if the bytes are not within one piece.
    fn check(&self, at: Address, bytes: usize) {
        let within = self.pieces.iter().any(|(&start, piece)| {
            start <= at && at + bytes as u64 <= start + 8 * piece.len() as u64
        });
        assert!(within || bytes == 0, "{bytes} bytes at {at:#x} are no memory");
    }
}

impl Machine for Shim {
    fn name(&self) -> String {
        "this processor, through the shim".into()
    }

    fn shared_memory(&self) -> usize {
        self.shared
    }

    fn multiprocessors(&self) -> usize {
        self.multiprocessors
    }

    fn chunk(&self) -> usize {
        0
    }

    fn alloc(&mut self, bytes: usize) -> Result<Address, CudaError> {
        let nan = 0x7fc0_dead_7fc0_dead;
        let piece = vec![nan; bytes.div_ceil(8)].into_boxed_slice();
        let at = piece.as_ptr() as Address;
        self.pieces.insert(at, piece);
        Ok(at)
    }

    fn free(&mut self, at: Address) {
        self.pieces.remove(&at);
    }

    fn write(&mut self, to: Address, bytes: &[u8]) -> Result<(), CudaError> {
        self.check(to, bytes.len());
        // SAFETY: checked; a slice that the caller holds overlaps no piece.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to as *mut u8, bytes.len()) };
        Ok(())
    }

    fn stage(&mut self, _slot: usize, to: Address, bytes: &[u8]) -> Result<(), CudaError> {
        self.write(to, bytes)
    }

    fn staged(&mut self) -> Result<(), CudaError> {
        Ok(())
    }

    fn read(&mut self, from: Address, bytes: &mut [u8]) -> Result<(), CudaError> {
        self.check(from, bytes.len());
        // SAFETY: as in `write`.
        unsafe {
            std::ptr::copy_nonoverlapping(from as *const u8, bytes.as_mut_ptr(), bytes.len())
        };
        Ok(())
    }

    fn copy(&mut self, from: Address, to: Address, bytes: usize) -> Result<(), CudaError> {
        self.check(from, bytes);
        self.check(to, bytes);
        // SAFETY: checked.
        unsafe { std::ptr::copy(from as *const u8, to as *mut u8, bytes) };
        Ok(())
    }

    fn start_clock(&mut self) -> Result<(), CudaError> {
        self.started = Instant::now();
        Ok(())
    }

    fn read_clock(&mut self) -> Result<f64, CudaError> {
        Ok(self.started.elapsed().as_secs_f64() * 1e6)
    }

    fn clear(&mut self, at: Address, bytes: usize) -> Result<(), CudaError> {
        self.check(at, bytes);
        // SAFETY: checked.
        unsafe { std::ptr::write_bytes(at as *mut u8, 0, bytes) };
        Ok(())
    }

    unsafe fn launch(
        &mut self,
        kernel: &'static str,
        launch: Launch,
        args: *const c_void,
    ) -> Result<(), CudaError> {
        assert!(launch.shared <= self.shared, "{kernel} asks for {} bytes", launch.shared);
        let name = CString::new(kernel).expect("a name");
        let block = [launch.block, 1, 1];
        // SAFETY: the caller vouches for `args`; grid and block are three numbers each.
        unsafe {
            let (grid, block) = (launch.grid.as_ptr(), block.as_ptr());
            (self.launch)(name.as_ptr(), grid, block, launch.shared, self.order, args);
        }
        Ok(())
    }
}
