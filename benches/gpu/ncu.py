"""Where a training step's time goes: ncu.py BATCH < what `ncu --csv --print-units base` printed of gpu__time_duration.sum.

A JSON object a kernel, the longest in all first.
"""

import collections
import csv
import json
import sys


def kernels(lines):
    """{name: times in ns} of a report that stands among other lines."""
    times = collections.defaultdict(list)
    start = next((i for i, line in enumerate(lines) if line.startswith('"ID"')), len(lines))
    for row in csv.DictReader(line for line in lines[start:] if line.startswith('"')):
        if row["Metric Name"] == "gpu__time_duration.sum":
            name = row["Kernel Name"].split("(")[0]
            times[name].append(float(row["Metric Value"].replace(",", "")))
    return times


def main():
    times = kernels(sys.stdin.readlines())
    total = sum(map(sum, times.values()))
    for name, of in sorted(times.items(), key=lambda item: -sum(item[1])):
        print(json.dumps({"what": "kernel", "batch": int(sys.argv[1]), "who": name, "launches": len(of),
                          "mean_us": sum(of) / len(of) / 1000, "percent": 100 * sum(of) / total}))
    sys.exit(not times)


if __name__ == "__main__":
    main()
