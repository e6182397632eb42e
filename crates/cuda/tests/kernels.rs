//! The committed PTX is of these sources, untouched, and has every kernel; kernels take the same arguments there, here
//! and under the shim.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

/// As `ptx.py` computes it.
fn source_hash() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("shim"))
        .collect();
    names.sort();
    let mut digest = Sha256::new();
    digest.update("--std=c++17 --fmad=false");
    for name in names {
        digest.update(b"\0");
        digest.update(&name);
        digest.update(b"\0");
        digest.update(fs::read(folder.join(&name)).unwrap());
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_committed_ptx_is_of_these_sources() {
    let first = cuda::PTX.lines().next().unwrap();
    let want = format!("// sources {}", source_hash());
    assert_eq!(first, want, "make the PTX anew: python crates/cuda/ptx.py --write");
}

#[test]
fn nobody_edited_the_committed_ptx_by_hand() {
    let (_, rest) = cuda::PTX.split_once('\n').unwrap();
    let (line, text) = rest.split_once('\n').unwrap();
    let hash: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(line.starts_with(&format!("// text {hash} by nvrtc 12.4")), "{line}, not {hash}");
}

/// `.entry name(.param .align 8 .b8 name_param_0[bytes])`
#[test]
fn the_arguments_of_the_committed_ptx_are_as_long_as_here() {
    for (kernel, size) in cuda::sizes() {
        let (_, entry) = cuda::PTX.split_once(&format!(".entry {kernel}(")).unwrap();
        let (_, bytes) = entry.split_once(&format!("{kernel}_param_0[")).unwrap();
        assert_eq!(bytes.split(']').next().unwrap(), size.to_string(), "{kernel}");
    }
}

#[test]
fn the_committed_ptx_has_every_kernel_and_no_other() {
    let entries = cuda::PTX.split(".entry ").skip(1);
    let mut found: Vec<&str> = entries.map(|e| e.split('(').next().unwrap().trim()).collect();
    let mut known: Vec<&str> = cuda::sizes().into_iter().map(|(name, _)| name).collect();
    found.sort_unstable();
    known.sort_unstable();
    assert_eq!(found, known);
}

#[cfg(feature = "shim")]
#[test]
fn arguments_are_as_long_here_as_in_the_kernels() {
    let Some(shim) = cuda::shim::Shim::open(0) else { return };
    for (kernel, size) in cuda::sizes() {
        assert_eq!(shim.arguments(kernel), size, "{kernel}");
    }
}
