"""Tagged sentences for the peers: reading, parts, numbers, batches. Standard library only.

A speed counts real tokens: no padding is made anywhere, since every batch holds sentences of one length.
"""

import argparse
import csv
import gzip
import io
import json
import random
import time
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "data"
BUILT_IN = DATA / "longhand.csv"


def arguments(description):
    """The options that all peers have."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("csv", nargs="?", type=Path, default=BUILT_IN,
                        help="columns 'Sentence #', Word, Tag; plain or .gz [the built-in corpus]")
    parser.add_argument("--split-file", type=Path,
                        help="sentence numbers of the parts, as for `longhand train`")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32, help="sentences in a batch, at most")
    parser.add_argument("--seconds", type=float, default=8.0, help="how long to measure")
    return parser


def decode(raw):
    """UTF-8, or Windows-1252 as the Kaggle file is."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def read(path):
    """Sentences in the order of the file, each a list of (word, tag)."""
    raw = path.read_bytes()
    text = decode(gzip.decompress(raw) if path.suffix == ".gz" else raw)
    sentences = []
    for row in csv.DictReader(io.StringIO(text, newline="")):
        if row["Sentence #"] or not sentences:
            sentences.append([])
        sentences[-1].append((row["Word"], row["Tag"]))
    return sentences


def training_part(options):
    """The sentences of the line `train` of the split file; all of them where there is none."""
    sentences = read(options.csv)
    split = options.split_file
    if split is None and options.csv == BUILT_IN:
        split = BUILT_IN.with_suffix(".split")
    if split is None:
        return sentences
    parts = dict(line.split("\t") for line in split.read_text().splitlines() if line)
    return [sentences[int(i)] for i in parts["train"].split()]


def numbered(sentences):
    """Word and tag numbers of each sentence, and how many words and tags there are."""
    words, tags = {}, {}
    numbers = [
        ([words.setdefault(w, len(words)) for w, _ in s], [tags.setdefault(t, len(tags)) for _, t in s])
        for s in sentences
    ]
    return numbers, len(words), len(tags)


def batches(numbers, size, seed=None):
    """Batches of sentences of exactly one length; a seed shuffles sentences and batches."""
    order = list(numbers)
    if seed is not None:
        random.Random(seed).shuffle(order)
    of_length = {}
    for sentence in order:
        of_length.setdefault(len(sentence[0]), []).append(sentence)
    cut = [s[i:i + size] for s in of_length.values() for i in range(0, len(s), size)]
    if seed is not None:
        random.Random(seed).shuffle(cut)
    return cut


def tokens(batch):
    """Real tokens of a batch."""
    return sum(len(words) for words, _ in batch)


def passes_of_tagging(tag, numbers, size, seconds):
    """Tokens a second of each pass over all sentences: from lists of word numbers to lists of tag numbers.

    Sorting, making arrays and undoing both count. A first pass warms up.
    """
    speeds, total, start = [], tokens(numbers), None
    while start is None or not speeds or time.perf_counter() - start < seconds:
        begin = time.perf_counter()
        tagged = sum(len(row) for batch in batches(numbers, size) for row in tag([w for w, _ in batch]))
        took = time.perf_counter() - begin
        assert tagged == total, f"{tagged} of {total} tokens have a tag"
        if start is None:
            start = time.perf_counter()
        else:
            speeds.append(total / took)
    return speeds


def one_by_one(tag, numbers, count=500):
    """Milliseconds of each of `count` sentences, alone; 50 before them warm up."""
    times = []
    for words, _ in (numbers * (1 + (count + 50) // len(numbers)))[:count + 50]:
        begin = time.perf_counter()
        tag([words])
        times.append(1000 * (time.perf_counter() - begin))
    return times[50:]


def report(**figures):
    """The one line on standard output."""
    print(json.dumps(figures))
