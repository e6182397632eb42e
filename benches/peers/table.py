#!/usr/bin/env python3
"""All rows of the table beside the peers, one after the other, each two commands in turn (see compare.py).

    python3 benches/peers/table.py ner_dataset.csv.gz --split-file split.txt --python peers-venv/bin/python

Prints the rows as Markdown while they come. A row whose peer is not there (no --python, or the Rust peers not built)
is left out, and named. `--rows torch` takes the rows with this word in them, `--threads 1 2` says on how many
threads. Give it a machine that does nothing else: the last column is what others took of it meanwhile.
Standard library only, Python 3.9.
"""

import argparse
import os
import shlex
import sys
import time
from collections import namedtuple
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from compare import Failed, figure, summary  # noqa: E402

Row = namedtuple("Row", "work peer ours ours_figure theirs")
RUN = "runs/peer"


def rows(options, threads):
    """Every row for so many threads, in the order of the table."""
    data = [str(options.csv)] + (["--split-file", str(options.split_file)] if options.split_file else [])
    train = [options.longhand, "train", *data, "--preset", "repaired", "--epochs", "1", "--force", "-q", "-o", RUN]
    trained = f"{RUN}/scores.json:train.tokens_per_second"
    tag = [options.longhand, "bench", "--json", "--seconds", "2"]
    python = options.python and [options.python]
    rust = {name: [str(options.rust / name)] for name in ("candle_lstm", "burn_lstm")}
    seconds = ["--seconds", str(options.seconds)]

    def training(batch, lazy, peer, command, *more):
        ours = [*train, "--batch", str(batch), "--set", f"lazy-rows={str(lazy).lower()}"]
        theirs = command and [*command, *data, "--batch", str(batch), *seconds, *more]
        moved = "touched rows only" if lazy else "every row"
        return Row(f"training, batch {batch:,}, {moved}", peer, ours, trained, theirs)

    def tagging(peer, command, *more):
        theirs = command and [*command, "--batch", "256", *seconds, *more]
        return Row("tagging, word numbers to tag numbers", peer, tag, "tag.tokens_per_second", theirs)

    torch = python and [*python, str(HERE / "pytorch_lstm.py")]
    onnx = python and [*python, str(HERE / "onnxruntime_lstm.py")]
    every = [
        training(32, True, "PyTorch, fused Adam + SparseAdam", torch, "--adam", "sparse"),
        training(32, False, "PyTorch, fused Adam", torch, "--adam", "dense"),
        training(1000, True, "PyTorch, fused Adam + SparseAdam", torch, "--adam", "sparse"),
        training(1000, False, "PyTorch, fused Adam", torch, "--adam", "dense"),
        training(32, False, "candle, Adam", rust["candle_lstm"]),
        training(32, False, "burn (Flex), Adam", rust["burn_lstm"]),
        tagging("onnxruntime", onnx),
        tagging("PyTorch", torch, "--work", "tag"),
        tagging("candle", rust["candle_lstm"], "--work", "tag"),
        tagging("burn (Flex)", rust["burn_lstm"], "--work", "tag"),
    ]

    def on(command):
        return command and shlex.join([*command, "--threads", str(threads)])

    return [row._replace(ours=on(row.ours), theirs=on(row.theirs)) for row in every]


def is_there(row):
    """Whether a row's peer can be run."""
    return bool(row.theirs) and Path(shlex.split(row.theirs)[0]).exists()


def processor_seconds():
    """Seconds that all processors were busy since the machine started, and those of this process's children."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _wait, irq, softirq, steal = (int(field) for field in fields[:8])
    busy = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    ours = os.times()
    return busy, ours.children_user + ours.children_system + ours.user + ours.system


def others_share(before, after, wall, cores):
    """What others took of the machine, from 0 to 1."""
    busy, ours = (b - a for a, b in zip(before, after))
    return min(1.0, max(0.0, (busy - ours) / (wall * cores)))


def line(row, threads, found, share):
    """A row of the table."""
    ratio = f"{found['ratio_median']:.2f} ({found['ratio_lowest']:.2f} to {found['ratio_highest']:.2f})"
    speeds = f"{found['a_median']:,.0f} / {found['b_median']:,.0f}"
    return f"| {row.work} | {threads} | {row.peer} | {speeds} | {ratio} | {100 * share:.0f} % |"


def measure(row, pairs):
    """The figures of both sides in turn, and what others took meanwhile."""
    before, start = processor_seconds(), time.perf_counter()
    ours, theirs = [], []
    for _ in range(pairs):
        ours.append(figure(row.ours, row.ours_figure))
        theirs.append(figure(row.theirs, "tokens_per_second"))
    wall = time.perf_counter() - start
    return summary(ours, theirs), others_share(before, processor_seconds(), wall, os.cpu_count())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv", type=Path)
    parser.add_argument("--split-file", type=Path)
    parser.add_argument("--longhand", default="target/release/longhand")
    parser.add_argument("--python", help="of an environment with requirements.txt")
    parser.add_argument("--rust", type=Path, default=HERE / "rust" / "target" / "release")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rows", default="", help="only rows that hold this word, any case")
    parser.add_argument("-n", type=int, default=3, help="pairs a row [3]")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long a peer is measured [5]")
    options = parser.parse_args()
    print("| work | threads | peer | tokens/s, Longhand / peer | ratio | others' share of the machine |")
    print("|---|---|---|---|---|---|", flush=True)
    for threads in options.threads:
        for row in rows(options, threads):
            if options.rows.lower() not in f"{row.work} {row.peer} {row.theirs}".lower():
                continue
            if not is_there(row):
                print(f"left out, not there: {row.peer}, {row.work}", file=sys.stderr)
                continue
            try:
                print(line(row, threads, *measure(row, options.n)), flush=True)
            except Failed as error:
                print(f"failed: {row.peer}, {row.work}: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
