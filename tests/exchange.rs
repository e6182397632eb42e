//! `longhand export` and `import`: round trips are exact, and the real libraries compute the same.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::Dir;

/// Kind, the file's name, the script of docs/parity that loads it, and the modules that the script needs.
const KINDS: [(&str, &str, &str, &str); 5] = [
    ("npz", "m.npz", "with_numpy.py", "numpy"),
    ("json", "m.json", "with_numpy.py", "numpy"),
    ("pytorch", "m.safetensors", "with_torch.py", "torch, safetensors, numpy"),
    ("keras", "k.npz", "with_keras.py", "keras, tensorflow, numpy"),
    ("onnx", "m.onnx", "with_onnxruntime.py", "onnx, onnxruntime, numpy"),
];

/// Networks that hold every kind of part between them.
const NETWORKS: [&[&str]; 5] = [
    &["chars=cnn", "char-features=6", "encoder=bilstm:5", "inside=iobes"],
    &[
        "chars=lstm",
        "char-features=6",
        "encoder=lstm:6,bilstm:3",
        "head=softmax",
        "residual=true",
        "wide-rows=0",
    ],
    &["preset=repaired", "encoder=bilstm:5,lstm:4", "embedding=6", "vectors"],
    // Several that tag together: vectors that all share, a CRF each; and vectors of their own.
    &["members=3", "encoder=bilstm:5", "chars=cnn", "char-features=6", "vectors"],
    &["members=2", "encoder=lstm:4", "head=softmax", "vectors-train=tuned", "vectors"],
];

const TEXT: &str = "Ann Lee left Oslo on Monday. The United Nations met there. Yes.";

/// A model of this network, hardly trained.
fn train(dir: &Dir, network: &[&str]) -> PathBuf {
    let small = ["epochs=1", "affix-rows=50", "wide-rows=97", "embedding=8", "batch=200"];
    let mut args = vec!["-q", "train", "-o", "run"];
    for pair in small.iter().chain(network) {
        match pair.split_once('=') {
            Some(("preset", preset)) => args.extend(["--preset", preset, "--set", "affix-rows=0"]),
            Some(_) => args.extend(["--set", pair]),
            None => {
                dir.write("vectors.txt", "the 1 0.5 -1\nin 0.25 2 0\nOslo -1 0 1\n");
                args.extend(["--vectors", "vectors.txt"]);
            }
        }
    }
    dir.run(&args).expect(0);
    dir.path("run/model.safetensors")
}

/// A Python that can import these, if there is one: LONGHAND_PYTHON or python3.
fn python(modules: &str) -> Option<String> {
    let python = std::env::var("LONGHAND_PYTHON").unwrap_or_else(|_| "python3".into());
    let import = format!("import {modules}");
    let found = Command::new(&python).args(["-c", &import]).output();
    found.is_ok_and(|o| o.status.success()).then_some(python)
}

fn run_script(python: &str, script: &str, file: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/parity").join(script);
    // No bytecode beside the scripts: the tests leave the tree as it was.
    let ran = Command::new(python).arg("-B").arg(&script).arg(file).output().expect("it starts");
    let [out, err] = [ran.stdout, ran.stderr].map(|b| String::from_utf8_lossy(&b).into_owned());
    assert!(ran.status.success(), "{}:\n{out}\n{err}", script.display());
    assert!(out.contains("tags equal 15 of 15"), "{out}");
}

#[test]
fn what_was_exported_comes_back_to_the_byte() {
    for network in NETWORKS {
        let dir = Dir::new();
        let model = train(&dir, network);
        let model = model.to_str().unwrap();
        for (kind, name, _, _) in KINDS {
            dir.run(&["-q", "export", model, "--to", kind, "-o", name]).expect(0);
            dir.run(&["-q", "import", name, "-o", "back", "--force"]).expect(0);
            let [want, got] = [dir.path("run/model.safetensors"), dir.path("back")];
            let same = std::fs::read(want).unwrap() == std::fs::read(got).unwrap();
            assert!(same, "{kind} of {network:?}");
        }
    }
}

#[test]
fn the_real_libraries_compute_the_same() {
    for network in NETWORKS {
        let dir = Dir::new();
        let model = train(&dir, network);
        let model = model.to_str().unwrap();
        for (kind, name, script, modules) in KINDS {
            let Some(python) = python(modules) else {
                eprintln!("SKIPPED {kind}: no Python with {modules} (set LONGHAND_PYTHON)");
                continue;
            };
            let args = ["-q", "export", model, "--to", kind, "-o", name, "--example", TEXT];
            dir.run(&args).expect(0);
            run_script(&python, script, &dir.path(name));
        }
    }
}

#[test]
fn what_cannot_be_read_back_is_said() {
    let dir = Dir::new();
    let model = train(&dir, NETWORKS[2]);
    let fail = |name: &str, bytes: &[u8]| {
        dir.write(name, bytes);
        let ran = dir.run(&["import", name, "-o", "never.safetensors"]);
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(!dir.path("never.safetensors").exists());
        ran.err
    };
    for (kind, name, _, _) in KINDS {
        let args = ["-q", "export", model.to_str().unwrap(), "--to", kind, "-o", name];
        dir.run(&args).expect(0);
        let bytes = std::fs::read(dir.path(name)).unwrap();
        let err = fail("cut", &bytes[..bytes.len() / 2]);
        assert!(err.contains("error[E051]") || err.contains("error[E013]"), "{kind}: {err}");
        let again = dir.run(&args);
        assert!(again.code == 2 && again.err.contains("E050"), "{}", again.err);
    }
    assert!(fail("empty", b"").contains("E051"));
    assert!(fail("text", b"hello").contains("E051"));
    let own = std::fs::read(&model).unwrap();
    assert!(fail("own", &own).contains("it is a model of this program already"));
    let json = dir.read("m.json").replacen("\"shape\":[", "\"shape\":[2,", 1);
    assert!(fail("shape.json", json.as_bytes()).contains("its shape"));
    let json = dir.read("m.json").replacen("\"dense.w\":", "\"dense.v\":", 1);
    assert!(fail("name.json", json.as_bytes()).contains("it lacks the tensor dense.w"));
}

#[test]
fn two_exports_have_the_same_bytes() {
    let dir = Dir::new();
    let model = train(&dir, NETWORKS[0]);
    for (kind, name, _, _) in KINDS {
        let bytes = ["1", "2"].map(|n| {
            let name = format!("{n}{name}");
            let args = ["-q", "export", model.to_str().unwrap(), "--to", kind, "-o", &name];
            dir.run(&args).expect(0);
            std::fs::read(dir.path(&name)).unwrap()
        });
        assert!(bytes[0] == bytes[1], "{kind}");
    }
    let args = ["export", model.to_str().unwrap(), "--to", "npz", "-o", "said.npz"];
    let said = dir.run(&args).expect(0).err;
    assert!(said.contains("iB, arrays under this program's names"), "{said}");
}
