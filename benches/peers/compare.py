#!/usr/bin/env python3
"""Runs two commands in turn, ABAB…, and compares the speed that each reports.

    python3 benches/peers/compare.py -n 3 --a 'COMMAND' --b 'COMMAND'

A figure is a number in JSON: by default `tokens_per_second` of what the command prints. `--a-figure
train.tokens_per_second` picks another key, `--a-figure runs/x/scores.json:train.tokens_per_second` one from a
file that the command writes; `--b-figure` likewise. Pairs are compared, not averages: what slows the machine
for a while slows both of a pair. Standard library only, Python 3.9.
"""

import argparse
import json
import shlex
import statistics
import subprocess
import sys
from pathlib import Path


class Failed(Exception):
    """A run that gave no figure, and why."""


def pick(values, key):
    """The number under a.b.c."""
    for part in key.split("."):
        if not isinstance(values, dict) or part not in values:
            raise Failed(f"the JSON has no {key!r} (stuck at {part!r})")
        values = values[part]
    if isinstance(values, bool) or not isinstance(values, (int, float)) or values <= 0:
        raise Failed(f"{key!r} is {values!r}, not a number above 0")
    return float(values)


def figure(command, spec):
    """Runs `command` and gives its figure; `spec` is KEY or FILE:KEY."""
    file, _, key = spec.rpartition(":")
    if file:
        Path(file).unlink(missing_ok=True)  # or a run that writes nothing would show the figure of the last one
    done = subprocess.run(shlex.split(command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Failed(f"`{command}` ended with {done.returncode}:\n{done.stderr.strip()[-2000:]}")
    try:
        return pick(json.loads(Path(file).read_text() if file else done.stdout), key)
    except (OSError, ValueError) as error:
        raise Failed(f"`{command}` gave no JSON: {error}") from error


def summary(a, b):
    """Medians, and the ratios of the pairs: their median, lowest, highest."""
    ratios = [x / y for x, y in zip(a, b)]
    return {
        "pairs": len(ratios),
        "a_median": statistics.median(a),
        "b_median": statistics.median(b),
        "ratio_median": statistics.median(ratios),
        "ratio_lowest": min(ratios),
        "ratio_highest": max(ratios),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for side in "ab":
        parser.add_argument(f"--{side}", required=True, metavar="COMMAND")
        parser.add_argument(f"--{side}-figure", default="tokens_per_second", metavar="[FILE:]KEY")
    parser.add_argument("-n", type=int, default=5, help="pairs of runs [5]")
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of text")
    options = parser.parse_args()
    if options.n < 1:
        parser.error("-n: at least one pair")
    a, b = [], []
    try:
        for pair in range(options.n):
            a.append(figure(options.a, options.a_figure))
            b.append(figure(options.b, options.b_figure))
            print(f"{pair + 1}/{options.n}: {a[-1]:,.0f} {b[-1]:,.0f}", file=sys.stderr)
    except Failed as error:
        sys.exit(f"error: {error}")
    found = summary(a, b)
    if options.json:
        print(json.dumps({**found, "a": a, "b": b}))
        return
    print(f"A  {found['a_median']:>12,.0f}  {options.a}")
    print(f"B  {found['b_median']:>12,.0f}  {options.b}")
    print(f"A/B {found['ratio_median']:.2f} ({found['ratio_lowest']:.2f} to {found['ratio_highest']:.2f}),"
          f" pairs: {found['pairs']}")


if __name__ == "__main__":
    main()
