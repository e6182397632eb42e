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
        !matches!(self, Self::OutOfMemory { .. } | Self::Driver { .. })
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
    fn messages_name_versions_as_people_write_them() {
        let old = CudaError::OldDriver(11_080).to_string();
        assert_eq!(
            old,
            "CUDA driver 11.8 is older than 12.4 (r550), which the shipped kernels need"
        );
        let memory = CudaError::OutOfMemory { needed: (3 << 20) + 1, free: 5 << 20 }.to_string();
        assert!(memory.contains("needs 4 MiB, 5 MiB free"), "{memory}");
        assert!(CudaError::NoDriver.is_absence() && !CudaError::NoDriver.to_string().is_empty());
    }
}
