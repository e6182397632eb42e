#!/usr/bin/env python3
"""Repairs the tutorial one step at a time and measures each step: the table of chapter 13.

    python3 docs/book/postmortem.py ner_dataset.csv.gz split-2020.txt

Every n-th sentence of the train and dev parts is used, with the tutorial's batch divided by the same n,
so that a run makes as many updates as the whole recipe does; test is the whole test part. Each step
of REPAIRS is a list of flags over those before it; the last must be the preset `repaired`, which the
script checks in the configurations that the runs leave behind. Runs that are finished are not made again.

Writes docs/book/postmortem.csv, one line a run, and the table in docs/book/src/postmortem.md; with
`--table` it only writes the table, from the CSV. Needs Python 3.9 and a built `longhand`, nothing else.
"""

import argparse
import csv
import json
import re
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path

BOOK = Path(__file__).resolve().parent
RESULTS = BOOK / "postmortem.csv"
CHAPTER = BOOK / "src" / "postmortem.md"
FIELDS = ["step", "seed", "test_f1", "unseen_recall", "token_accuracy", "padded_accuracy",
          "epochs", "seconds", "ended"]

# Name, what is said of it, flags, seeds. Each step keeps the flags of those before.
REPAIRS = [
    ("tutorial", "the recipe to the letter", {}, [1, 2, 3]),
    ("softmax", "a softmax where the ReLU was", {"head": "softmax"}, [1, 2, 3]),
    ("tokens", "real tokens only, no padding", {"pad": "false"}, [1, 2, 3]),
    ("batch", "32 sentences a batch, of similar length", {"batch": "32", "bucket": "0"}, [1, 2, 3]),
    ("rate", "learning rate 0.004, warmed up and falling in a line; gradient clipped at 5", {
        "learning-rate": "0.004", "schedule": "linear", "warmup": "0.02", "clip": "5.0"}, [1, 2, 3]),
    ("adam", "Adam as the paper has it, over the touched rows of the table", {
        "adam": "pytorch", "epsilon": "1e-8", "lazy-rows": "true"}, [1, 2, 3]),
    ("recurrent", "no recurrent dropout", {"recurrent-dropout": "0.0,0.0"}, [1, 2, 3]),
    ("vocabulary", "words of the training part only", {"vocabulary": "train"}, [1, 2, 3]),
    ("unknown", "`<unk>` trained on words seen once", {"unknown": "0.5"}, [1, 2, 3]),
    ("rules", "decoding keeps to the tag scheme", {"rules": "true"}, [1, 2, 3]),
    ("best", "the best epoch on dev is kept: the preset `repaired`", {
        "keep": "best", "split": "80,10,10", "keep-duplicates": "true"}, [1, 2, 3]),
]
# What stands aside: one thing changed in the recipe, and nothing else.
ASIDE = [
    ("relu-tokens", "the ReLU kept, but no padding", {"pad": "false"}, [1, 2, 3]),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", nargs="?")
    parser.add_argument("split", nargs="?", help="a --split-file: train, dev, test")
    parser.add_argument("--longhand", default="target/release/longhand")
    parser.add_argument("--every", type=int, default=8, help="use every n-th sentence")
    parser.add_argument("--epochs", default="25")
    parser.add_argument("-o", "--out", default="runs/postmortem", type=Path)
    parser.add_argument("--only", default="", help="steps whose name contains this")
    parser.add_argument("--table", action="store_true", help="only write the table again")
    parser.add_argument("--check", action="store_true", help="see that the table is that of the CSV")
    args = parser.parse_args()
    if args.check:
        sys.exit(0 if with_table(chapter := CHAPTER.read_text(encoding="utf-8")) == chapter else
                 "the table of docs/book/src/postmortem.md is not that of postmortem.csv: run with --table")
    if not args.table:
        if not args.data or not args.split:
            parser.error("name the corpus and the split file")
        measure(args)
    write_table()


def measure(args):
    args.out.mkdir(parents=True, exist_ok=True)
    parts = read_split(args.split)
    small = {name: ids if name == "test" else ids[:: args.every] for name, ids in parts.items()}
    split = args.out / "split.txt"
    lines = [f"{name}\t{' '.join(map(str, ids))}\n" for name, ids in small.items()]
    split.write_text("".join(lines), encoding="utf-8")
    unseen = Unseen(args, small["train"])
    same = {"dev-from-train": "0.0", "batch": str(1000 // args.every), "epochs": args.epochs}
    rows = {(r["step"], r["seed"]): r for r in read_csv(RESULTS)}
    flags = dict(same)
    plans = []
    for name, _, more, seeds in REPAIRS:
        flags = flags | more
        plans += [(name, flags, seed) for seed in seeds]
    plans += [(name, same | more, seed) for name, _, more, seeds in ASIDE for seed in seeds]
    for name, flags, seed in plans:
        if args.only in name:
            folder = args.out / f"{name}-{seed}"
            rows[name, str(seed)] = run(args, folder, split, name, flags, seed) | {
                "unseen_recall": unseen.recall(folder)}
            write_results(rows, plans)
    same_as_preset(args, args.out / f"{REPAIRS[-1][0]}-1", args.epochs)


def run(args, folder, split, name, flags, seed):
    """Trains unless the folder holds the finished run; what came of it."""
    log = folder.with_suffix(".log")
    if not log.exists() or not log.read_text().rstrip().endswith("exit"):
        command = [args.longhand, "train", args.data, "--split-file", split, "--preset", "tutorial",
                   "--force", "-q", "-o", folder, "--seed", str(seed)]
        for key, value in flags.items():
            command += ["--set", f"{key}={value}"]
        print(" ".join(map(str, command)), file=sys.stderr, flush=True)
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        log.write_text(f"{done.stderr}\n{done.returncode} exit\n", encoding="utf-8")
        if done.returncode and "E011" not in done.stderr:
            sys.exit(done.stderr)
    history = read_csv(folder / "history.csv")
    scores = folder / "scores.json"
    test = json.loads(scores.read_text())["test"]["strict"] if scores.exists() else None
    diverged = re.search(r"not finite at (epoch \d+, batch \d+)", log.read_text())
    return {
        "step": name,
        "seed": str(seed),
        "test_f1": f"{100 * test['micro']['f1']:.2f}" if test else "",
        "token_accuracy": f"{100 * test['token_accuracy']:.2f}" if test else "",
        "padded_accuracy": percent(history[-1]["dev_padded_accuracy"]) if history else "",
        "epochs": str(len(history)),
        "seconds": f"{sum(float(h['seconds']) for h in history):.0f}",
        "ended": f"NaN at {diverged[1]}" if diverged else "",
    }


def percent(share):
    return f"{100 * float(share):.2f}" if share else ""


class Unseen:
    """Entities of the test part that hold a word which the training part lacks."""

    def __init__(self, args, train):
        conll = args.out / "corpus.conll"
        if not conll.exists():
            subprocess.run([args.longhand, "convert", args.data, str(conll), "-q"], check=True)
        sentences = read_conll(conll)
        self.known = {word for i in train for word, *_ in sentences[i]}

    def recall(self, folder):
        path = folder / "test.conll"
        if not path.exists():
            return ""
        found = total = 0
        for rows in read_conll(path):
            guessed = set(spans([row[-1] for row in rows]))
            for span in spans([row[-2] for row in rows]):
                if any(rows[t][0] not in self.known for t in range(span[0], span[1])):
                    total += 1
                    found += span in guessed
        return f"{100 * found / total:.2f}"


def spans(tags):
    """(first, end, type) of each entity in IOB2."""
    start = None
    for t, tag in enumerate([*tags, "O"]):
        if start is not None and tag != "I-" + tags[start][2:]:
            yield start, t, tags[start][2:]
            start = None
        if tag.startswith("B-"):
            start = t


def read_conll(path):
    text = Path(path).read_text(encoding="utf-8").strip()
    return [[row.split() for row in s.split("\n")] for s in re.split(r"\n\n+", text)]


def read_split(path):
    parts = {}
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        name, ids = line.split("\t")
        parts["dev" if name == "valid" else name] = ids.split()
    return {name: [int(i) for i in ids] for name, ids in parts.items()}


def read_csv(path):
    """No rows for a file that is not there: a run may end in its first epoch."""
    if not path.exists():
        return []
    with open(path, encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_results(rows, plans):
    order = [(name, str(seed)) for name, _, seed in plans]
    with open(RESULTS, "w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, FIELDS, lineterminator="\n")
        out.writeheader()
        out.writerows(rows[key] for key in order if key in rows)


def same_as_preset(args, folder, epochs):
    """The last repair must be the preset `repaired`, but for what is the same in all runs."""
    if not (folder / "config.toml").exists():
        return
    preset = BOOK.parent.parent / "crates" / "train" / "presets" / "repaired.toml"
    want = tomllib.loads(preset.read_text(encoding="utf-8"))
    got = tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))
    free = {"preset", "epochs", "seed", "threads"}
    # A key that the program has learned since a run was made is not in its configuration.
    wrong = {k: (got[k], v) for k, v in want.items() if k in got and k not in free and got[k] != v}
    if wrong:
        sys.exit(f"the last step is not the preset `repaired`: {wrong}")


def mean(rows, field):
    values = [float(r[field]) for r in rows if r[field]]
    if not values:
        return "–"
    if len(values) == 1:
        return f"{values[0]:.2f}"
    return f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}"


def table():
    """The lines between the markers of the chapter."""
    results = read_csv(RESULTS)
    head = ["| step | test F1 | recall, unseen words | accuracy, real tokens | accuracy as Keras shows it | seeds |",
            "|---|---|---|---|---|---|"]
    lines = []
    for steps, sign in [(REPAIRS, "+ "), (ASIDE, "aside: ")]:
        for name, what, *_ in steps:
            rows = [r for r in results if r["step"] == name]
            if not rows:
                continue
            ends = [f"seed {r['seed']}: {r['ended']}" for r in rows if r["ended"]]
            what = what if name == "tutorial" else sign + what
            note = f" ({'; '.join(ends)})" if ends else ""
            columns = ["test_f1", "unseen_recall", "token_accuracy", "padded_accuracy"]
            cells = [what + note, *(mean(rows, c) for c in columns), str(len(rows))]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(head + lines)


def with_table(chapter):
    between = r"(<!-- table: postmortem.csv -->\n).*?(<!-- end -->)"
    new, found = re.subn(between, lambda m: f"{m[1]}{table()}\n{m[2]}", chapter, flags=re.DOTALL)
    if found != 1:
        sys.exit(f"{CHAPTER} has {found} places for the table, not one")
    return new


def write_table():
    if CHAPTER.exists():
        chapter = CHAPTER.read_text(encoding="utf-8")
        CHAPTER.write_text(with_table(chapter), encoding="utf-8")


if __name__ == "__main__":
    main()
