//! `--device` on a machine without a GPU: what is said, and that the CPU does it. On one with a GPU, and built for it,
//! that the tags are the same.

mod common;

use std::sync::OnceLock;

use common::Dir;

/// A small model, trained once.
fn model() -> &'static str {
    static MODEL: OnceLock<(Dir, String)> = OnceLock::new();
    let (_, path) = MODEL.get_or_init(|| {
        let dir = Dir::new();
        let set = ["--set", "encoder=bilstm:8", "--set", "embedding=8", "--set", "chars=cnn"];
        dir.run(&[&["train", "-o", "run", "--epochs", "1", "-q"], &set[..]].concat()).expect(0);
        let path = dir.path("run/model.safetensors").to_str().unwrap().to_owned();
        (dir, path)
    });
    path
}

/// Why there is no GPU here.
fn missing() -> &'static str {
    match cfg!(feature = "cuda") {
        true => "CUDA driver",
        false => "this build has no CUDA support; rebuild with --features cuda",
    }
}

const TEXT: &str = "Mr. Lincoln told reporters in Houston on Monday .";

#[test]
fn without_a_gpu_cuda_is_an_error_and_auto_tags_on_the_cpu_and_says_why() {
    let dir = Dir::new();
    let cpu = dir.run(&["tag", model(), "--text", TEXT, "--scores"]).expect(0).out;
    let asked = dir.run(&["tag", model(), "--text", TEXT, "--scores", "--device", "cuda"]);
    if asked.code == 0 {
        assert!(asked.err.contains("tagging on "), "{}", asked.err);
        assert_eq!(asked.out, cpu); // two decimals
        return;
    }
    let asked = asked.expect(2);
    assert!(asked.err.contains("E059") && asked.err.contains(missing()), "{}", asked.err);
    assert!(asked.err.contains("--device cpu") && asked.out.is_empty(), "{}", asked.err);
    let auto = dir.run(&["tag", model(), "--text", TEXT, "--scores", "--device", "auto"]).expect(0);
    assert_eq!(auto.out, cpu);
    let said: Vec<&str> = auto.err.lines().collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("tagging on the CPU: ") && said[0].contains(missing()), "{said:?}");
    let quiet =
        dir.run(&["tag", model(), "--text", TEXT, "--scores", "--device", "auto", "-q"]).expect(0);
    assert_eq!((quiet.out, quiet.err), (cpu, String::new()));
}

#[test]
fn all_commands_that_use_a_model_or_make_one_take_a_device() {
    let dir = Dir::new();
    dir.write("data.conll", "Lincoln B-per\nslept O\n\nHouston B-geo\nwoke O\n");
    for command in [
        &["eval", model(), "data.conll"][..],
        &["serve", model(), "--listen", "127.0.0.1:0"],
        &["train", "-o", "run", "--epochs", "1", "--set", "encoder=bilstm:8"],
    ] {
        let bad = dir.run(&[command, &["--device", "tpu"]].concat()).expect(2);
        let says = "device must be cpu, cuda or auto, not `tpu`";
        assert!(bad.err.contains("E041") && bad.err.contains(says), "{}", bad.err);
        if command[0] == "serve" {
            continue; // where there is a GPU it would go on serving
        }
        let asked = dir.run(&[command, &["--device", "cuda"]].concat());
        if asked.code != 0 {
            let asked = asked.expect(2);
            assert!(asked.err.contains("E059") && asked.err.contains(missing()), "{}", asked.err);
        }
    }
    let auto = dir.run(&["eval", model(), "data.conll", "--device", "auto"]).expect(0);
    assert!(auto.out.contains("geo"), "{}", auto.out);
}
