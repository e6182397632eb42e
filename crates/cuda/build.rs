//! With the feature `shim`: the kernels as a library for this processor.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=kernels");
    println!("cargo::rerun-if-env-changed=CXX");
    if env::var_os("CARGO_FEATURE_SHIM").is_none() {
        return;
    }
    let out = env::var("OUT_DIR").expect("cargo sets it");
    let library = Path::new(&out).join("libshim.so");
    let compiler = env::var("CXX").unwrap_or_else(|_| "c++".into());
    let mut command = Command::new(&compiler);
    // No multiply-adds but those that are written: the device's compiler makes none either.
    command.args(["-std=c++17", "-O2", "-march=native", "-ffp-contract=off", "-fPIC", "-shared"]);
    command.args(["-Wall", "-Werror", "-Wno-unknown-pragmas"]);
    if env::var("CARGO_CFG_TARGET_ARCH").as_deref() != Ok("x86_64") {
        command.args(["-DSHIM_THREADS", "-pthread"]);
    }
    command.args(["kernels/shim.cpp", "-o"]).arg(&library);
    match command.status() {
        Ok(status) => assert!(status.success(), "{compiler} does not compile the kernels"),
        Err(e) => {
            println!(
                "cargo::warning=no C++ compiler ({compiler}: {e}): the kernels are not tested"
            );
            println!("cargo::rustc-env=LONGHAND_SHIM=");
            return;
        }
    }
    println!("cargo::rustc-env=LONGHAND_SHIM={}", library.display());
}
