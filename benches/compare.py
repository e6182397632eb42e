#!/usr/bin/env python3
"""Compares two baselines of criterion: which benches moved by more than the noise.

    cargo bench -- --save-baseline before
    cargo bench -- --save-baseline after       after a change
    python3 benches/compare.py before after

A bench has moved if the 95 % confidence intervals of its time do not touch, and the times differ by at least
`--noise` (a share): an interval knows only the noise within one run, not that between two runs on a busy
machine. Exit status: 1 if a bench became slower, 2 if there is nothing to compare, 0 otherwise.
Standard library only, Python 3.9.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

CRITERION = Path(__file__).resolve().parents[1] / "target" / "criterion"


@dataclass
class Time:
    """Nanoseconds of one iteration, and the interval they lie in."""

    middle: float
    low: float
    high: float


def times(root, baseline):
    """Name of each bench of `baseline` -> its time: the slope over iterations, or the mean where it has none."""
    found = {}
    for path in sorted(root.rglob(f"{baseline}/estimates.json")):
        estimates = json.loads(path.read_text())
        best = estimates.get("slope") or estimates["mean"]
        interval = best["confidence_interval"]
        name = json.loads((path.parent / "benchmark.json").read_text())["full_id"]
        found[name] = Time(best["point_estimate"], interval["lower_bound"], interval["upper_bound"])
    return found


def verdict(before, after, noise):
    """`slower`, `faster`, or nothing for what may be noise."""
    change = after.middle / before.middle - 1
    if after.low > before.high and change >= noise:
        return "slower"
    if after.high < before.low and -change >= noise:
        return "faster"
    return ""


def human(nanoseconds):
    """Three digits and a unit."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds:.3g} ns"


def rows(before, after, noise):
    """(change, name, times, verdict) of each bench that both have, the most slowed first."""
    both = before.keys() & after.keys()
    all_rows = [
        (after[n].middle / before[n].middle - 1, n, before[n], after[n], verdict(before[n], after[n], noise))
        for n in both
    ]
    return sorted(all_rows, key=lambda row: (-row[0], row[1]))


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", nargs="?", default="base")
    parser.add_argument("after", nargs="?", default="new")
    parser.add_argument("--criterion", type=Path, default=CRITERION, help="folder of the results")
    parser.add_argument("--noise", type=float, default=0.05, help="least change that counts [0.05]")
    parser.add_argument("--all", action="store_true", help="show also what stayed")
    options = parser.parse_args(arguments)
    before, after = (times(options.criterion, name) for name in (options.before, options.after))
    compared = rows(before, after, options.noise)
    if not compared:
        print(f"error: {options.criterion}: no bench has both `{options.before}` ({len(before)} benches) and "
              f"`{options.after}` ({len(after)}); make them with `cargo bench -- --save-baseline NAME`",
              file=sys.stderr)
        return 2
    shown = [row for row in compared if row[4] or options.all]
    width = max((len(row[1]) for row in shown), default=0)
    for change, name, old, new, what in shown:
        print(f"{name:{width}}  {human(old.middle):>9} → {human(new.middle):>9}  {change:+7.1%}  {what}".rstrip())
    slower, faster = (sum(row[4] == what for row in compared) for what in ("slower", "faster"))
    same = len(compared) - slower - faster
    print(f"slower: {slower}, faster: {faster}, within the noise: {same}", end="")
    alone = len(before.keys() ^ after.keys())
    print(f", in one baseline only: {alone}" if alone else "")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
