#!/usr/bin/env python3
"""Compiles the kernels with NVIDIA's compilers and keeps the committed PTX up to date.

    python3 -m venv .nv
    .nv/bin/pip install nvidia-cuda-nvrtc-cu12==12.4.127 nvidia-cuda-nvcc-cu12==12.4.131
    .nv/bin/python crates/cuda/ptx.py [--write]

Without --write: every kernel compiles for compute_80 and compute_90, the committed PTX has the entries and the
parameters that the sources have, and ptxas finds no spilled register in it and as many blocks a multiprocessor as are
meant. With --write the PTX is made anew. Its first two lines hold the SHA-256 of the sources and of the text below
them, which `cargo test -p longhand-cuda` compares without any of this: no forgotten kernel, no edit by hand.
PTX is not the same to the byte from run to run, so it is never compared with a new one as text.
"""
import ctypes
import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PTX = HERE / "ptx" / "longhand.ptx"
OPTIONS = ["--std=c++17", "--fmad=false"]
# Blocks that must fit a multiprocessor's 65,536 registers side by side; of other kernels one.
BLOCKS = dict.fromkeys(
    ["lstm_forward_64", "lstm_backward_64", "lstm_forward_64_one", "lstm_backward_64_one"], 2)


def package(name):
    spec = importlib.util.find_spec(f"nvidia.{name}")
    if spec is None:
        sys.exit(f"no nvidia.{name} in this Python: see the top of {__file__}")
    return Path(list(spec.submodule_search_locations)[0])


def sources():
    """Sources of the device, in one order; the shim is none of them."""
    files = sorted(p for p in (HERE / "kernels").iterdir() if not p.name.startswith("shim"))
    return {p.name: p.read_bytes() for p in files}


def source_hash(files):
    digest = hashlib.sha256(" ".join(OPTIONS).encode())
    for name, text in files.items():
        digest.update(b"\0" + name.encode() + b"\0" + text)
    return digest.hexdigest()


class Nvrtc:
    def __init__(self):
        folder = package("cuda_nvrtc") / "lib"
        for name in sorted(os.listdir(folder), reverse=True):  # the built-ins must be there before the first call
            if "builtins" in name:
                ctypes.CDLL(str(folder / name), mode=ctypes.RTLD_GLOBAL)
        self.lib = ctypes.CDLL(str(next(p for p in folder.iterdir() if p.name.startswith("libnvrtc.so"))))

    def version(self):
        major, minor = ctypes.c_int(), ctypes.c_int()
        self.lib.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
        return f"{major.value}.{minor.value}"

    def text(self, program, which):
        size = ctypes.c_size_t()
        getattr(self.lib, f"nvrtcGet{which}Size")(program, ctypes.byref(size))
        text = ctypes.create_string_buffer(size.value)
        getattr(self.lib, f"nvrtcGet{which}")(program, text)
        return text.value.decode()

    def compile(self, files, arch):
        names = [n for n in files if n != "all.cu"]
        program = ctypes.c_void_p()
        strings = lambda items: (ctypes.c_char_p * len(items))(*items)
        headers = strings([files[n] for n in names]), strings([n.encode() for n in names])
        status = self.lib.nvrtcCreateProgram(
            ctypes.byref(program), files["all.cu"], b"all.cu", len(names), *headers)
        assert status == 0, f"nvrtcCreateProgram: {status}"
        options = [o.encode() for o in [*OPTIONS, f"--gpu-architecture={arch}"]]
        status = self.lib.nvrtcCompileProgram(program, len(options), strings(options))
        log = self.text(program, "ProgramLog").strip()
        if log:
            print(log)
        if status != 0:
            sys.exit(f"the kernels do not compile for {arch}")
        return self.text(program, "PTX")


def entries(ptx):
    """Kernel → (bytes of its parameter, threads of a block at most)."""
    found = re.findall(r"\.entry (\w+)\(\s*\.param [^\[]*\[(\d+)\]\s*\)\s*\.maxntid (\d+), 1, 1", ptx)
    assert len(found) == ptx.count(".entry "), "an entry that does not look as all do"
    return {name: (int(bytes), int(threads)) for name, bytes, threads in found}


def registers(ptx, arch):
    """Kernel → (registers, bytes of stack, bytes of spill stores, of spill loads), by ptxas."""
    with tempfile.NamedTemporaryFile(suffix=".ptx", mode="w") as f:
        f.write(ptx)
        f.flush()
        ptxas = package("cuda_nvcc") / "bin" / "ptxas"
        command = [str(ptxas), "-v", f"-arch={arch}", f.name, "-o", os.devnull]
        log = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    found = re.findall(
        r"entry function '(\w+)' for.*?(\d+) bytes stack frame, (\d+) bytes spill stores, "
        r"(\d+) bytes spill loads.*?Used (\d+) registers", log, re.S)
    return {name: (int(used), int(stack), int(s), int(l)) for name, stack, s, l, used in found}


def main():
    files, nvrtc = sources(), Nvrtc()
    digest = source_hash(files)
    made = {arch: nvrtc.compile(files, arch) for arch in ["compute_80", "compute_90"]}
    if "--write" in sys.argv:
        PTX.parent.mkdir(exist_ok=True)
        text = made["compute_80"]
        by = hashlib.sha256(text.encode()).hexdigest()
        PTX.write_text(f"// sources {digest}\n// text {by} by nvrtc {nvrtc.version()}\n{text}")
    ptx = PTX.read_text()
    failures = []
    if f"// sources {digest}" != ptx.splitlines()[0]:
        failures.append("the committed PTX is not of these sources: run with --write")
    if entries(ptx) != entries(made["compute_80"]):
        failures.append(f"entries or their parameters differ: {entries(ptx)}")
    for arch in ["sm_80", "sm_90"]:
        table = registers(ptx, arch)
        if set(table) != set(entries(ptx)):
            failures.append(f"ptxas names other kernels for {arch}")
        for name, (used, stack, stores, loads) in sorted(table.items()):
            print(f"{arch} {name:20} {used:4} registers {stack:4} stack {stores:3} + {loads} spilled")
            if stores or loads:
                failures.append(f"{name} spills registers on {arch}")
            threads, blocks = entries(ptx)[name][1], BLOCKS.get(name, 1)
            if -(-used // 8) * 8 * threads * blocks > 65536:
                failures.append(f"{blocks} blocks of {name} do not fit the registers on {arch}")
    for failure in failures:
        print(failure, file=sys.stderr)
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
