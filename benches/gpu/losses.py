"""Compares the losses of two runs, epoch by epoch: losses.py A/history.csv B/history.csv BOUND."""

import csv
import sys


def losses(path):
    with open(path) as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def main():
    a, b, bound = losses(sys.argv[1]), losses(sys.argv[2]), float(sys.argv[3])
    if not a:
        sys.exit("no epoch")
    far = [abs(x / y - 1) for x, y in zip(a, b, strict=True)]
    print(f"at most {100 * max(far):.3f} % apart over {len(a)} epochs")
    sys.exit(not all(d <= bound for d in far))  # NaN is too far


if __name__ == "__main__":
    main()
