//! What runs kernels: a GPU, or this processor through the shim.

use std::ffi::c_void;

use crate::CudaError;

/// An address in a machine's memory.
pub type Address = u64;

/// How many threads a kernel is launched with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Launch {
    /// Blocks.
    pub grid: [u32; 3],
    /// Threads of a block.
    pub block: u32,
    /// Bytes of shared memory of a block.
    pub shared: usize,
}

/// Memory and kernels. Work is done in the order in which it is asked for, and a call may return before it
/// is done; [`Machine::read`] waits.
pub trait Machine: Send + Sync {
    /// What it is, for people.
    fn name(&self) -> String;

    /// Most bytes of shared memory that a block may have.
    fn shared_memory(&self) -> usize;

    /// How many multiprocessors work side by side.
    fn multiprocessors(&self) -> usize;

    /// Bytes that scratch memory is asked for at once; 0: each piece by itself and no larger than needed.
    fn chunk(&self) -> usize;

    /// Memory that holds nothing of meaning yet.
    ///
    /// # Errors
    /// If there is not enough.
    fn alloc(&mut self, bytes: usize) -> Result<Address, CudaError>;

    /// Gives back what `alloc` gave.
    fn free(&mut self, at: Address);

    /// Copies to the machine.
    ///
    /// # Errors
    /// If the driver fails, here or in an earlier call. So in all that follow.
    fn write(&mut self, to: Address, bytes: &[u8]) -> Result<(), CudaError>;

    /// Copies to the machine beside the kernels that run. The kernels launched after the next
    /// [`Machine::staged`] find it done. `slot` 0 or 1 is where the bytes wait for the copy; they
    /// may be given again when what was staged there before has been waited for.
    fn stage(&mut self, slot: usize, to: Address, bytes: &[u8]) -> Result<(), CudaError>;

    /// See [`Machine::stage`].
    fn staged(&mut self) -> Result<(), CudaError>;

    /// Copies from the machine when all that was asked for is done.
    fn read(&mut self, from: Address, bytes: &mut [u8]) -> Result<(), CudaError>;

    /// Copies within the machine's memory.
    fn copy(&mut self, from: Address, to: Address, bytes: usize) -> Result<(), CudaError>;

    /// Starts a clock when all that was asked for so far is done.
    fn start_clock(&mut self) -> Result<(), CudaError>;

    /// Microseconds on that clock when all that was asked for so far is done.
    fn read_clock(&mut self) -> Result<f64, CudaError>;

    /// Sets bytes to 0.
    fn clear(&mut self, at: Address, bytes: usize) -> Result<(), CudaError>;

    /// Launches the kernel of this name.
    ///
    /// # Safety
    /// `args` points to the arguments that the kernel takes, and every address in them to memory of this
    /// machine as large as the kernel's other arguments say.
    #[allow(unsafe_code)]
    unsafe fn launch(
        &mut self,
        kernel: &'static str,
        launch: Launch,
        args: *const c_void,
    ) -> Result<(), CudaError>;
}
