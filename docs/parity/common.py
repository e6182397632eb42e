"""What the scripts of this folder share: the example, decoding, and the comparison."""

import json
import re
import sys

import numpy as np


def read_example(path):
    """`FILE.example.json` as a batch: time-major arrays padded with zeros, and the sentences."""
    with open(path, encoding="utf-8") as file:
        example = json.load(file)
    sentences = [s["tokens"] for s in example["sentences"]]
    lengths = np.array([len(tokens) for tokens in sentences], dtype=np.int32)
    batch = {"lengths": lengths}
    for key in ["words", "wide", "vectors"]:
        width = len(sentences[0][0][key])
        if width == 0:
            continue
        array = np.zeros((lengths.max(), len(sentences), width), dtype=np.int64)
        for b, tokens in enumerate(sentences):
            for t, token in enumerate(tokens):
                array[t, b] = token[key]
        batch[key] = array[:, :, 0] if key == "vectors" else array
    if sentences[0][0]["letters"]:
        add_letters(batch, sentences)
    return example, batch, sentences


def add_letters(batch, sentences):
    """Each distinct word once: (letters, words), and which of them each token is."""
    spelled = sorted({tuple(t["letters"]) for tokens in sentences for t in tokens})
    counts = np.array([len(letters) for letters in spelled], dtype=np.int32)
    letters = np.zeros((counts.max(), len(spelled)), dtype=np.int64)
    word_of = np.zeros((batch["lengths"].max(), len(sentences)), dtype=np.int64)
    for u, word in enumerate(spelled):
        letters[: len(word), u] = word
    for b, tokens in enumerate(sentences):
        for t, token in enumerate(tokens):
            word_of[t, b] = spelled.index(tuple(token["letters"]))
    batch.update(letters=letters, letter_counts=counts, word_of=word_of)


def members(weights):
    """The weights of each network that tags, under the names of one alone. A file holds those of the first as they
    are, those of the others after `member.1.`, `member.2.` …; the wide part and vectors that are not trained stand
    once for all. (The mean of a wide part that each adds is that wide part.)"""
    each = {}
    for name, values in weights.items():
        k, own = re.fullmatch(r"(?:member\.(\d+)\.)?(.+)", name).groups()
        each.setdefault(int(k or 0), {})[own] = values
    shared = {name: values for name, values in each[0].items() if re.match(r"(vectors|wide)[./]", name)}
    return [shared | each[k] for k in sorted(each)]


def mean(values):
    """What the networks say together: the mean of their scores, and of their CRFs' weights."""
    return sum(values) / len(values)


def mean_crf(crfs):
    """The mean of CRFs given as name → array; nothing where there are none."""
    return {name: mean([crf[name] for crf in crfs]) for name in crfs[0]}


def potentials(example, transitions=None, start=None, end=None):
    """The CRF's weights, or zeros, with minus infinity where the tag scheme forbids."""
    k = len(example["tags"])
    parts = {
        "transitions": np.zeros((k, k)) if transitions is None else np.array(transitions, float),
        "start": np.zeros(k) if start is None else np.array(start, float),
        "end": np.zeros(k) if end is None else np.array(end, float),
    }
    if example["rules"] is not None:
        for name, values in parts.items():
            values[~np.array(example["rules"][name])] = -np.inf
    return parts


def viterbi(emissions, transitions, start, end):
    """The best path through (T, K) scores; of equal ones the smallest last tag."""
    best, came_from = start + emissions[0], []
    for row in emissions[1:].astype(float):
        ways = best[:, None] + transitions
        came_from.append(ways.argmax(axis=0))
        best = ways.max(axis=0) + row
    path = [int((best + end).argmax())]
    for back in reversed(came_from):
        path.append(int(back[path[-1]]))
    return path[::-1]


def compare(example, sentences, emissions, crf):
    """Exits with 1 unless `emissions` (T, B, K) and the decoded tags are those of the example."""
    worst, same, total = 0.0, 0, 0
    for b, tokens in enumerate(sentences):
        ours = np.array([t["emissions"] for t in tokens], dtype=np.float32)
        theirs = np.asarray(emissions)[: len(tokens), b]
        worst = max(worst, float(np.abs(ours - theirs).max()))
        if example["head"] == "kerasrelu":
            theirs = np.maximum(theirs, 0)
        path = viterbi(theirs, **crf)
        same += sum(example["tags"][k] == t["tag"] for k, t in zip(path, tokens))
        total += len(tokens)
    print(f"{len(sentences)} sentences, largest difference of a score {worst:.1e}, tags equal {same} of {total}")
    if not (worst < 1e-4 and same == total):
        sys.exit(1)


def arguments(what):
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} {what}\nwith {what}.example.json beside it (longhand export --example)")
    return sys.argv[1], sys.argv[1] + ".example.json"
