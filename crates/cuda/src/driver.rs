//! A GPU, through the driver's own functions. All use of `cudarc` is in this file.
//!
//! `cudarc` looks a function up when it is first called and panics if there is no library to look in or no such function
//! in it, so both are asked for before anything else. Two streams: kernels on one, batches on their way on the other.
//!
//! `sys::CUresult` is an enum of CUDA 12.4. The codes in it mean the same in newer drivers; but should one fail with a
//! code of its own, the enum would hold what it has no name for, which Rust leaves undefined. `cudarc` has no other type.
#![allow(unsafe_code)]

use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::{CStr, CString, c_void};
use std::path::Path;
use std::sync::OnceLock;

use cudarc::driver::result::{
    self, DriverError, ctx, device, event, function, module, primary_ctx, stream,
};
use cudarc::driver::sys;
use cudarc::nvrtc::{self, CompileError, CompileOptions, compile_ptx_with_opts};

use crate::error::{LEAST_CAPABILITY, OLDEST_DRIVER};
use crate::{Address, CudaError, Launch, Machine, PTX};

/// Every function of the driver that is called here.
const CALLED: [&str; 31] = [
    "cuCtxSetCurrent",
    "cuCtxSynchronize",
    "cuDeviceGet",
    "cuDeviceGetAttribute",
    "cuDeviceGetCount",
    "cuDeviceGetName",
    "cuDevicePrimaryCtxRetain",
    "cuDriverGetVersion",
    "cuEventCreate",
    "cuEventDestroy_v2",
    "cuEventElapsedTime",
    "cuEventRecord",
    "cuEventSynchronize",
    "cuFuncSetAttribute",
    "cuInit",
    "cuLaunchKernel",
    "cuMemAlloc_v2",
    "cuMemFreeHost",
    "cuMemFree_v2",
    "cuMemGetInfo_v2",
    "cuMemHostAlloc",
    "cuMemcpyDtoDAsync_v2",
    "cuMemcpyDtoHAsync_v2",
    "cuMemcpyHtoDAsync_v2",
    "cuMemsetD8Async",
    "cuModuleGetFunction",
    "cuModuleLoadDataEx",
    "cuStreamCreate",
    "cuStreamDestroy_v2",
    "cuStreamSynchronize",
    "cuStreamWaitEvent",
];

/// Bytes of scratch memory that are asked for at once. With `LONGHAND_CUDA_EXACT` set each piece is asked for by itself,
/// so that compute-sanitizer sees what reaches from one into the next.
const CHUNK: usize = 64 << 20;

/// Room for what the driver's compiler says.
const LOG: usize = 8 << 10;

/// Page-locked memory of this side, from which copies run beside kernels.
struct Pinned {
    at: *mut c_void,
    bytes: usize,
}

/// The first GPU with the kernels on it: found once and kept to the end of the process, since the driver may need
/// a second to compile them.
struct Loaded {
    name: String,
    context: sys::CUcontext,
    shared_memory: usize,
    multiprocessors: usize,
    module: sys::CUmodule,
}

// SAFETY: the handles belong to no thread.
unsafe impl Send for Loaded {}
// SAFETY: nothing changes them.
unsafe impl Sync for Loaded {}

/// The first GPU.
pub struct Gpu {
    loaded: &'static Loaded,
    shared_memory: usize,
    chunk: usize,
    kernels: HashMap<&'static str, sys::CUfunction>,
    /// Kernels and plain copies.
    work: sys::CUstream,
    /// Batches.
    copies: sys::CUstream,
    copied: sys::CUevent,
    /// Start and end of what is timed.
    clock: [sys::CUevent; 2],
    pinned: [Option<Pinned>; 2],
    memory: Vec<Address>,
}

// SAFETY: the handles belong to no thread; each call makes the context the present thread's first.
unsafe impl Send for Gpu {}

// SAFETY: every method that hands a handle to the driver has the only reference to it.
unsafe impl Sync for Gpu {}

impl Loaded {
    fn new() -> Result<Self, CudaError> {
        // SAFETY: looks for the library, calls nothing in it.
        if !unsafe { sys::is_culib_present() } {
            return Err(CudaError::NoDriver);
        }
        // SAFETY: looks for functions, calls none.
        let lacks = |name: &&&str| unsafe { sys::culib().get::<fn()>(name.as_bytes()) }.is_err();
        if let Some(function) = CALLED.iter().find(lacks) {
            return Err(CudaError::BrokenDriver(function));
        }
        result::init().map_err(|e| match e.0 {
            sys::CUresult::CUDA_ERROR_NO_DEVICE => CudaError::NoDevice,
            _ => failed("cuInit")(e),
        })?;
        let mut version = 0;
        // SAFETY: writes a number.
        let asked = unsafe { sys::cuDriverGetVersion(&mut version) };
        asked.result().map_err(failed("cuDriverGetVersion"))?;
        if version < OLDEST_DRIVER {
            return Err(CudaError::OldDriver(version));
        }
        if device::get_count().map_err(failed("cuDeviceGetCount"))? == 0 {
            return Err(CudaError::NoDevice);
        }
        let device = device::get(0).map_err(failed("cuDeviceGet"))?;
        let name = device::get_name(device).map_err(failed("cuDeviceGetName"))?;
        let attribute = |which| {
            // SAFETY: `device` was just got.
            unsafe { device::get_attribute(device, which) }.map_err(failed("cuDeviceGetAttribute"))
        };
        use sys::CUdevice_attribute as Attribute;
        let major = attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
        let minor = attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
        if (major, minor) < LEAST_CAPABILITY {
            return Err(CudaError::OldDevice { name, capability: (major, minor) });
        }
        let shared = attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?;
        let multiprocessors =
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)? as usize;
        // SAFETY: a context of a device that is there, kept to the end of the process.
        let context =
            unsafe { primary_ctx::retain(device) }.map_err(failed("cuDevicePrimaryCtxRetain"))?;
        // SAFETY: retained above.
        unsafe { ctx::set_current(context) }.map_err(failed("cuCtxSetCurrent"))?;
        let module = load(&CString::new(&*kernels((major, minor))?).expect("PTX is text"))?;
        let name = format!("{name} (compute capability {major}.{minor})");
        let shared_memory = shared as usize;
        Ok(Self { name, context, shared_memory, multiprocessors, module })
    }
}

/// The kernels on the GPU, compiled by the driver; if it will not, what its compiler says.
fn load(ptx: &CStr) -> Result<sys::CUmodule, CudaError> {
    use sys::CUjit_option_enum as Jit;
    let mut log = vec![0u8; LOG];
    let mut options = [Jit::CU_JIT_ERROR_LOG_BUFFER, Jit::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES];
    // A number goes in as if it were an address.
    let mut values = [log.as_mut_ptr().cast(), LOG as *mut c_void];
    let mut module = std::ptr::null_mut();
    // SAFETY: the text ends with a 0; options and values are two each, and the log is as long as they say.
    let done = unsafe {
        sys::cuModuleLoadDataEx(
            &mut module,
            ptx.as_ptr().cast(),
            2,
            options.as_mut_ptr(),
            values.as_mut_ptr(),
        )
    };
    done.result().map_err(|e| {
        let end = log.iter().position(|&byte| byte == 0).unwrap_or(LOG);
        let said = String::from_utf8_lossy(&log[..end]);
        CudaError::Driver {
            call: "cuModuleLoadDataEx",
            what: format!("{:?}: {}", e.0, said.trim()).trim_end_matches(": ").to_owned(),
        }
    })?;
    Ok(module)
}

/// The kernels as PTX: the committed ones or, for work on kernels where there is a GPU but no cargo, what NVRTC makes
/// for this GPU of those in the folder `LONGHAND_CUDA_SRC`.
fn kernels((major, minor): (i32, i32)) -> Result<Cow<'static, str>, CudaError> {
    let Some(folder) = std::env::var_os("LONGHAND_CUDA_SRC") else { return Ok(PTX.into()) };
    let folder = Path::new(&folder);
    // SAFETY: looks for the library, calls nothing in it.
    if !unsafe { nvrtc::sys::is_culib_present() } {
        return Err(CudaError::Sources("libnvrtc was not found".into()));
    }
    let all = folder.join("all.cu");
    let text = std::fs::read_to_string(&all)
        .map_err(|e| CudaError::Sources(format!("{}: {e}", all.display())))?;
    let options = CompileOptions {
        fmad: Some(false),
        options: vec!["--std=c++17".into()],
        include_paths: vec![folder.display().to_string()],
        arch: Some(format!("compute_{major}{minor}").leak()), // once in a process
        name: Some("all.cu".into()),
        ..CompileOptions::default()
    };
    let ptx = compile_ptx_with_opts(text, options).map_err(|e| match e {
        CompileError::CompileError { log, .. } => CudaError::Sources(log.to_string_lossy().into()),
        other => CudaError::Sources(format!("{other:?}")),
    })?;
    Ok(format!("// sources of {}\n{}", folder.display(), ptx.to_src()).into())
}

impl Gpu {
    /// Finds the GPU and loads the kernels.
    ///
    /// # Errors
    /// Why there is none that can be used.
    pub fn open() -> Result<Self, CudaError> {
        static LOADED: OnceLock<Result<Loaded, CudaError>> = OnceLock::new();
        let loaded = LOADED.get_or_init(Loaded::new).as_ref().map_err(Clone::clone)?;
        // SAFETY: the context is there to the end of the process.
        unsafe { ctx::set_current(loaded.context) }.map_err(failed("cuCtxSetCurrent"))?;
        let new_stream =
            || stream::create(stream::StreamKind::NonBlocking).map_err(failed("cuStreamCreate"));
        let new_event = |flags| event::create(flags).map_err(failed("cuEventCreate"));
        let copied = new_event(sys::CUevent_flags::CU_EVENT_DISABLE_TIMING)?;
        let timed = sys::CUevent_flags::CU_EVENT_DEFAULT;
        let clock = [new_event(timed)?, new_event(timed)?];
        let exact = std::env::var_os("LONGHAND_CUDA_EXACT").is_some();
        Ok(Self {
            loaded,
            shared_memory: loaded.shared_memory,
            chunk: if exact { 0 } else { CHUNK },
            kernels: HashMap::new(),
            work: new_stream()?,
            copies: new_stream()?,
            copied,
            clock,
            pinned: [None, None],
            memory: Vec::new(),
        })
    }

    /// As if a block had no more shared memory than this: for tests.
    #[doc(hidden)]
    pub fn with_shared_memory(mut self, bytes: usize) -> Self {
        self.shared_memory = self.shared_memory.min(bytes);
        self
    }

    /// Makes the context the present thread's.
    fn enter(&self) -> Result<(), CudaError> {
        // SAFETY: the context is there to the end of the process.
        unsafe { ctx::set_current(self.loaded.context) }.map_err(failed("cuCtxSetCurrent"))
    }

    fn kernel(&mut self, name: &'static str) -> Result<sys::CUfunction, CudaError> {
        if let Some(kernel) = self.kernels.get(name) {
            return Ok(*kernel);
        }
        let text = CString::new(name).expect("a name");
        // SAFETY: the module is loaded to the end of the process.
        let kernel = unsafe { module::get_function(self.loaded.module, text) };
        let kernel = kernel.map_err(failed("cuModuleGetFunction"))?;
        use sys::CUfunction_attribute_enum as Attribute;
        let most = Attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        // SAFETY: a function of this module.
        unsafe { function::set_function_attribute(kernel, most, self.loaded.shared_memory as i32) }
            .map_err(failed("cuFuncSetAttribute"))?;
        self.kernels.insert(name, kernel);
        Ok(kernel)
    }

    fn pin(&mut self, slot: usize, bytes: usize) -> Result<*mut c_void, CudaError> {
        if self.pinned[slot].as_ref().is_none_or(|p| p.bytes < bytes) {
            if let Some(old) = self.pinned[slot].take() {
                // SAFETY: what was copied from it has been waited for: see `Machine::stage`.
                unsafe { result::free_host(old.at) }.map_err(failed("cuMemFreeHost"))?;
            }
            let bytes = bytes.next_power_of_two();
            // SAFETY: written before it is read.
            let at = unsafe { result::malloc_host(bytes, 0) }.map_err(failed("cuMemHostAlloc"))?;
            self.pinned[slot] = Some(Pinned { at, bytes });
        }
        Ok(self.pinned[slot].as_ref().expect("just made").at)
    }
}

impl Machine for Gpu {
    fn name(&self) -> String {
        self.loaded.name.clone()
    }

    fn shared_memory(&self) -> usize {
        self.shared_memory
    }

    fn multiprocessors(&self) -> usize {
        self.loaded.multiprocessors
    }

    fn chunk(&self) -> usize {
        self.chunk
    }

    fn alloc(&mut self, bytes: usize) -> Result<Address, CudaError> {
        self.enter()?;
        // SAFETY: whoever asked writes it before a kernel reads it.
        let at = unsafe { result::malloc_sync(bytes) }.map_err(|e| match e.0 {
            sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY => {
                let free = result::mem_get_info().map_or(0, |(free, _)| free);
                CudaError::OutOfMemory { needed: bytes, free }
            }
            _ => failed("cuMemAlloc")(e),
        })?;
        self.memory.push(at);
        Ok(at)
    }

    fn free(&mut self, at: Address) {
        if self.enter().is_ok() && self.memory.contains(&at) {
            self.memory.retain(|&m| m != at);
            // SAFETY: it was allocated and is freed once. The driver waits for kernels that use it.
            let _ = unsafe { result::free_sync(at) };
        }
    }

    fn write(&mut self, to: Address, bytes: &[u8]) -> Result<(), CudaError> {
        if bytes.is_empty() {
            return Ok(()); // there may be no address
        }
        self.enter()?;
        // SAFETY: `to` has this many bytes, as the span that it is from says. Waited for below, so that
        // `bytes` outlives the copy.
        unsafe {
            result::memcpy_htod_async(to, bytes, self.work).map_err(failed("cuMemcpyHtoD"))?;
            stream::synchronize(self.work).map_err(failed("cuStreamSynchronize"))
        }
    }

    fn stage(&mut self, slot: usize, to: Address, bytes: &[u8]) -> Result<(), CudaError> {
        self.enter()?;
        // What was copied from this slot before has long been on its way; this makes sure of it.
        // SAFETY: the stream lives until `drop`.
        unsafe { stream::synchronize(self.copies) }.map_err(failed("cuStreamSynchronize"))?;
        let at = self.pin(slot, bytes.len().max(1))?;
        // SAFETY: the pinned memory is as large as `bytes` or larger, and the last copy from it is done.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), at.cast(), bytes.len());
            let pinned = std::slice::from_raw_parts(at.cast::<u8>(), bytes.len());
            result::memcpy_htod_async(to, pinned, self.copies).map_err(failed("cuMemcpyHtoD"))?;
            event::record(self.copied, self.copies).map_err(failed("cuEventRecord"))
        }
    }

    fn staged(&mut self) -> Result<(), CudaError> {
        self.enter()?;
        let flags = sys::CUevent_wait_flags::CU_EVENT_WAIT_DEFAULT;
        // SAFETY: stream and event live until `drop`.
        unsafe { stream::wait_event(self.work, self.copied, flags) }
            .map_err(failed("cuStreamWaitEvent"))
    }

    fn read(&mut self, from: Address, bytes: &mut [u8]) -> Result<(), CudaError> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.enter()?;
        // SAFETY: as in `write`.
        unsafe {
            result::memcpy_dtoh_async(bytes, from, self.work).map_err(failed("cuMemcpyDtoH"))?;
            stream::synchronize(self.work).map_err(failed("cuStreamSynchronize"))
        }
    }

    fn copy(&mut self, from: Address, to: Address, bytes: usize) -> Result<(), CudaError> {
        self.enter()?;
        // SAFETY: both have this many bytes, as the spans that they are from say.
        unsafe { result::memcpy_dtod_async(to, from, bytes, self.work) }
            .map_err(failed("cuMemcpyDtoD"))
    }

    fn start_clock(&mut self) -> Result<(), CudaError> {
        self.enter()?;
        // SAFETY: stream and event live until `drop`.
        unsafe { event::record(self.clock[0], self.work) }.map_err(failed("cuEventRecord"))
    }

    fn read_clock(&mut self) -> Result<f64, CudaError> {
        self.enter()?;
        let [start, end] = self.clock;
        // SAFETY: as above; both are recorded, and the second is waited for.
        unsafe {
            event::record(end, self.work).map_err(failed("cuEventRecord"))?;
            event::synchronize(end).map_err(failed("cuEventSynchronize"))?;
            let milliseconds = event::elapsed(start, end).map_err(failed("cuEventElapsedTime"))?;
            Ok(1e3 * f64::from(milliseconds))
        }
    }

    fn clear(&mut self, at: Address, bytes: usize) -> Result<(), CudaError> {
        if bytes == 0 {
            return Ok(());
        }
        self.enter()?;
        // SAFETY: as in `write`.
        unsafe { result::memset_d8_async(at, 0, bytes, self.work) }.map_err(failed("cuMemsetD8"))
    }

    unsafe fn launch(
        &mut self,
        kernel: &'static str,
        launch: Launch,
        args: *const c_void,
    ) -> Result<(), CudaError> {
        self.enter()?;
        let function = self.kernel(kernel)?;
        let [x, y, z] = launch.grid;
        let (block, shared) = ((launch.block, 1, 1), launch.shared as u32);
        let mut args = [args.cast_mut()];
        // SAFETY: the caller vouches for the arguments, which the driver copies before it returns.
        unsafe { result::launch_kernel(function, (x, y, z), block, shared, self.work, &mut args) }
            .map_err(failed(kernel))
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        if self.enter().is_err() {
            return;
        }
        // SAFETY: everything was made in `open` or by the methods above and is given back once, after all
        // work is done. A failure here has nobody to go to.
        unsafe {
            let _ = ctx::synchronize();
            for at in self.memory.drain(..) {
                let _ = result::free_sync(at);
            }
            for pinned in self.pinned.iter_mut().filter_map(Option::take) {
                let _ = result::free_host(pinned.at);
            }
            for event in [self.copied, self.clock[0], self.clock[1]] {
                let _ = event::destroy(event);
            }
            let _ = stream::destroy(self.work);
            let _ = stream::destroy(self.copies);
        }
    }
}

fn failed(call: &'static str) -> impl Fn(DriverError) -> CudaError {
    move |e| CudaError::Driver { call, what: format!("{:?}", e.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `.ci/run` sets `FAKE_CUDA` for kernels/shim_driver.cpp, which stands in for the driver then.
    #[test]
    fn what_is_wrong_with_a_driver_is_told_apart() {
        let Ok(fault) = std::env::var("FAKE_CUDA") else { return };
        let error = Gpu::open().and_then(|mut gpu| gpu.alloc(5 << 20)).unwrap_err();
        let (told, says) = match &fault[..] {
            "broken" => {
                (error == CudaError::BrokenDriver("cuCtxSetCurrent"), "lacks cuCtxSetCurrent;")
            }
            "no-device" => (error == CudaError::NoDevice, "reports no device"),
            "old-driver" => (error == CudaError::OldDriver(11_080), "11.8 is older than 12.4"),
            "old-gpu" => (matches!(error, CudaError::OldDevice { .. }), "compute capability 7.5;"),
            "no-memory" => {
                let short = CudaError::OutOfMemory { needed: 5 << 20, free: 3 << 20 };
                (error == short, "needs 5 MiB, 3 MiB free")
            }
            "bad-ptx" => (
                matches!(error, CudaError::Driver { call: "cuModuleLoadDataEx", .. }),
                "CUDA_ERROR_INVALID_PTX: ptxas application ptx input, line 7; fatal: no such thing",
            ),
            "bad-sources" => {
                (matches!(error, CudaError::Sources(_)), "identifier \"x\" is undefined")
            }
            other => panic!("no such fault: {other}"),
        };
        assert!(told && error.to_string().contains(says), "{fault}: {error:?} {error}");
    }
}
