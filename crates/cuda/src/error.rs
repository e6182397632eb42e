//! Why there is no GPU, or what it refused.

use std::fmt;

/// Oldest version of CUDA whose drivers read the committed PTX, as the driver numbers it.
pub const OLDEST_DRIVER: i32 = 12_040;

/// Least compute capability.
pub const LEAST_CAPABILITY: (i32, i32) = (8, 0);

/// What kept a network from running on a GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CudaError {
    /// The build has no such feature.
    NotBuilt,
    /// There is no library of the driver.
    NoDriver,
    /// The library of the driver lacks this function.
    BrokenDriver(&'static str),
    /// The driver finds no GPU.
    NoDevice,
    /// The driver is older than the PTX.
    OldDriver(i32),
    /// The GPU is older than the PTX.
    OldDevice {
        /// Its name.
        name: String,
        /// Its compute capability.
        capability: (i32, i32),
    },
    /// The network has a part that no kernel is there for.
    NoKernel(String),
    /// Memory of the GPU is used up.
    OutOfMemory {
        /// Bytes asked for.
        needed: usize,
        /// Bytes free.
        free: usize,
    },
    /// Kernels that were to be compiled here, with `LONGHAND_CUDA_SRC`, do not compile, for this reason.
    Sources(String),
    /// A call of the driver failed.
    Driver {
        /// Which.
        call: &'static str,
        /// The driver's own name for it.
        what: String,
    },
}

impl CudaError {
    /// Whether another machine or build might do it, so that a choice by itself falls back to the CPU.
    pub fn is_absence(&self) -> bool {
        !matches!(self, Self::OutOfMemory { .. } | Self::Sources(_) | Self::Driver { .. })
    }
}

impl fmt::Display for CudaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBuilt => {
                write!(f, "this build has no CUDA support; rebuild with --features cuda")
            }
            Self::NoDriver => write!(
                f,
                "no CUDA driver: libcuda.so.1 was not found; install the NVIDIA driver or use the CPU"
            ),
            Self::BrokenDriver(function) => write!(
                f,
                "the CUDA driver's libcuda.so.1 lacks {function}; reinstall the NVIDIA driver or use the CPU"
            ),
            Self::NoDevice => write!(
                f,
                "the CUDA driver is installed but reports no device (CUDA_ERROR_NO_DEVICE)"
            ),
            Self::OldDriver(version) => write!(
                f,
                "CUDA driver {} is older than {} (r550), which the shipped kernels need",
                Version(*version),
                Version(OLDEST_DRIVER)
            ),
            Self::OldDevice { name, capability: (a, b) } => {
                let (c, d) = LEAST_CAPABILITY;
                write!(f, "{name} has compute capability {a}.{b}; {c}.{d} or newer is needed")
            }
            Self::NoKernel(what) => write!(f, "no CUDA kernel for {what}"),
            Self::OutOfMemory { needed, free } => write!(
                f,
                "CUDA_ERROR_OUT_OF_MEMORY: needs {} MiB, {} MiB free; lower the batch",
                needed.div_ceil(1 << 20),
                free >> 20
            ),
            Self::Sources(why) => write!(f, "LONGHAND_CUDA_SRC: {why}"),
            Self::Driver { call, what } => write!(f, "{call} of the CUDA driver failed: {what}"),
        }
    }
}

impl std::error::Error for CudaError {}

/// 12040 as 12.4.
struct Version(i32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 1000, self.0 % 1000 / 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_says_what_is_missing_and_what_to_do() {
        let old_device = CudaError::OldDevice { name: "Tesla T4".into(), capability: (7, 5) };
        let memory = CudaError::OutOfMemory { needed: (3 << 20) + 1, free: 5 << 20 };
        let call = CudaError::Driver { call: "cuInit", what: "CUDA_ERROR_UNKNOWN".into() };
        for (error, absence, text) in [
            (
                CudaError::NotBuilt,
                true,
                "this build has no CUDA support; rebuild with --features cuda",
            ),
            (
                CudaError::NoDriver,
                true,
                "no CUDA driver: libcuda.so.1 was not found; install the NVIDIA driver or use the CPU",
            ),
            (
                CudaError::BrokenDriver("cuInit"),
                true,
                "the CUDA driver's libcuda.so.1 lacks cuInit; reinstall the NVIDIA driver or use the CPU",
            ),
            (
                CudaError::NoDevice,
                true,
                "the CUDA driver is installed but reports no device (CUDA_ERROR_NO_DEVICE)",
            ),
            (
                CudaError::OldDriver(11_080),
                true,
                "CUDA driver 11.8 is older than 12.4 (r550), which the shipped kernels need",
            ),
            (old_device, true, "Tesla T4 has compute capability 7.5; 8.0 or newer is needed"),
            (CudaError::NoKernel("500 tags".into()), true, "no CUDA kernel for 500 tags"),
            (memory, false, "CUDA_ERROR_OUT_OF_MEMORY: needs 4 MiB, 5 MiB free; lower the batch"),
            (CudaError::Sources("no".into()), false, "LONGHAND_CUDA_SRC: no"),
            (call, false, "cuInit of the CUDA driver failed: CUDA_ERROR_UNKNOWN"),
        ] {
            assert_eq!(error.to_string(), text);
            assert_eq!(error.is_absence(), absence, "{text}");
        }
    }
}
