//! Which vector instructions the `f32` kernels use: found at run time, never by build flags.
//!
//! The environment variable `LONGHAND_SIMD` (`portable`, `neon`, `avx2`, `avx512`) asks for a level lower than
//! the best one, to compare them or to reproduce a result of another machine. `avx2` and `avx512` give the same
//! bits, on every machine. Those of `portable` differ by rounding: its products are `matrixmultiply`'s, which
//! chooses instructions of its own, so that they may differ from machine to machine, too. `amx` asks for products on tiles of
//! bfloat16, which nothing chooses by itself: they are off by some 4e-6 where others are by 1e-7.

use std::cell::Cell;
use std::fmt;
use std::sync::OnceLock;

use crate::kernels;

/// Name of the environment variable that chooses a level.
pub const VARIABLE: &str = "LONGHAND_SIMD";

/// A set of vector instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// What the compiler makes of plain Rust, without kernels; products by `matrixmultiply`.
    Portable,
    /// NEON, on AArch64: 4 numbers at a time.
    Neon,
    /// AVX2 with fused multiply-add: 8 numbers at a time.
    Avx2,
    /// AVX-512 (F, VL, DQ, BW) with fused multiply-add: 16 numbers at a time.
    Avx512,
    /// The same but for products, each of them three on AMX's tiles of bfloat16; on Linux. See `kernels::amx`.
    Amx,
}

impl Level {
    /// All levels, from the plainest up.
    pub const ALL: [Level; 5] =
        [Level::Portable, Level::Neon, Level::Avx2, Level::Avx512, Level::Amx];

    /// Its name, as `LONGHAND_SIMD` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Level::Portable => "portable",
            Level::Neon => "neon",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
            Level::Amx => "amx",
        }
    }

    /// Whether this processor (and its operating system) runs it.
    #[cfg(target_arch = "x86_64")]
    pub fn is_available(self) -> bool {
        let avx2 = || is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let avx512 = || {
            is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512bw")
        };
        match self {
            Level::Portable => true,
            Level::Neon => false,
            Level::Avx2 => avx2(),
            Level::Avx512 => avx2() && avx512(),
            Level::Amx => avx2() && avx512() && kernels::has_tiles(),
        }
    }

    /// Whether this processor runs it.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn is_available(self) -> bool {
        match self {
            Level::Portable => true,
            Level::Neon => cfg!(target_arch = "aarch64"),
            Level::Avx2 | Level::Avx512 | Level::Amx => false,
        }
    }

    /// The levels of full precision that this processor runs, from the plainest up: all but [`Level::Amx`].
    pub fn available() -> impl DoubleEndedIterator<Item = Level> {
        Self::ALL.into_iter().filter(|&level| level != Level::Amx && level.is_available())
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why `LONGHAND_SIMD` cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LevelError {
    /// Its value is not the name of a level.
    Unknown(String),
    /// This processor does not run the level.
    Unavailable(Level),
}

impl fmt::Display for LevelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LevelError::Unknown(value) => {
                let names = Level::ALL.map(Level::name).join(", ");
                write!(f, "{VARIABLE}={value} names no set of instructions; there are: {names}")
            }
            LevelError::Unavailable(level) => {
                let names: Vec<_> = Level::available().map(Level::name).collect();
                let names = names.join(", ");
                write!(f, "{VARIABLE}={level}, but this processor only runs: {names}")
            }
        }
    }
}

impl std::error::Error for LevelError {}

/// The level that `value`, of `LONGHAND_SIMD`, asks for; without one, the best there is.
fn choose(value: Option<&str>) -> Result<Level, LevelError> {
    let Some(value) = value.filter(|v| !v.is_empty()) else {
        return Ok(Level::available().last().expect("the portable level is always there"));
    };
    let named = Level::ALL.into_iter().find(|level| level.name() == value);
    let level = named.ok_or_else(|| LevelError::Unknown(value.into()))?;
    if level.is_available() { Ok(level) } else { Err(LevelError::Unavailable(level)) }
}

/// The level of this process: what the environment asks for, else the best. A program calls this
/// first, so that a wish that cannot be met is an error message and not a panic later on.
///
/// # Errors
/// If `LONGHAND_SIMD` names no level, or one that this processor does not run.
pub fn from_environment() -> Result<Level, LevelError> {
    static CHOSEN: OnceLock<Result<Level, LevelError>> = OnceLock::new();
    CHOSEN
        .get_or_init(|| {
            let value = std::env::var_os(VARIABLE);
            choose(value.as_deref().map(|v| v.to_string_lossy()).as_deref())
        })
        .clone()
}

thread_local! {
    static FORCED: Cell<Option<Level>> = const { Cell::new(None) };
}

/// The level that kernels called on this thread use.
///
/// # Panics
/// If the environment asks for what cannot be had: see [`from_environment`].
pub fn level() -> Level {
    FORCED.get().unwrap_or_else(|| from_environment().unwrap_or_else(|e| panic!("{e}")))
}

/// Whether this thread runs under [`with_level`].
pub(crate) fn is_forced() -> bool {
    FORCED.get().is_some()
}

/// Runs `f` with all kernels that it calls on this thread at `level`: for tests and benches.
///
/// # Panics
/// If this processor does not run `level`.
pub fn with_level<R>(level: Level, f: impl FnOnce() -> R) -> R {
    assert!(level.is_available(), "{}", LevelError::Unavailable(level));
    /// Puts the level back also when `f` panics.
    struct Restore(Option<Level>);
    impl Drop for Restore {
        fn drop(&mut self) {
            FORCED.set(self.0);
        }
    }
    let _restore = Restore(FORCED.replace(Some(level)));
    f()
}

/// Does `rounds` rounds of multiply-adds on registers, as fast as this thread's processor can at the level
/// in force, and gives their number of floating-point operations: timed, it is the peak that the speed of
/// other work can be held against. None at the portable level.
pub fn multiply_adds(rounds: u64) -> Option<u64> {
    let level = level();
    if !kernels::has_kernels(level) {
        return None;
    }
    let mut done = 0;
    kernels::run(level, kernels::peak::Peak { rounds, done: &mut done });
    Some(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_wish_the_best_level_is_used() {
        let best = Level::available().last().unwrap();
        assert_eq!(choose(None), Ok(best));
        assert_eq!(choose(Some("")), Ok(best));
        assert_eq!(choose(Some("portable")), Ok(Level::Portable));
    }

    #[test]
    fn an_unknown_wish_is_an_error_that_lists_the_levels() {
        let error = choose(Some("sse9")).unwrap_err().to_string();
        assert_eq!(
            error,
            "LONGHAND_SIMD=sse9 names no set of instructions; there are: portable, neon, avx2, avx512, amx"
        );
    }

    #[test]
    fn a_wish_beyond_the_processor_is_an_error_that_lists_what_it_runs() {
        let error = LevelError::Unavailable(Level::Avx512).to_string();
        assert!(error.starts_with("LONGHAND_SIMD=avx512, but this processor only runs: portable"));
        for level in Level::ALL {
            let chosen = choose(Some(level.name()));
            assert_eq!(chosen.is_ok(), level.is_available());
        }
    }

    #[test]
    fn a_forced_level_ends_with_its_scope_also_after_a_panic() {
        let before = level();
        with_level(Level::Portable, || assert_eq!(level(), Level::Portable));
        assert_eq!(level(), before);
        let panicked = std::panic::catch_unwind(|| with_level(Level::Portable, || panic!("x")));
        assert!(panicked.is_err());
        assert_eq!(level(), before);
    }
}
