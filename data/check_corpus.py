#!/usr/bin/env python3
"""Checks the embedded corpus and prints its figures. Exit code 1 when something does not hold."""

import collections
import csv
import gzip
import io
import pathlib
import sys

from make_corpus import LONGEST, SHORTEST, build

HERE = pathlib.Path(__file__).resolve().parent
TYPES = ("art", "eve", "geo", "gpe", "nat", "org", "per", "tim")
COLUMNS = ["Sentence #", "Word", "POS", "Tag"]
MOST_BYTES = 250_000
FLOOR, UNSEEN = (0.55, 0.70), (0.12, 0.20)

failures = []


def check(holds, what):
    if not holds:
        failures.append(what)
        print("FAILED:", what)


def read_sentences(text):
    """[[(word, part of speech, tag), ...], ...]"""
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    check(next(rows) == COLUMNS, "the header is the Kaggle file's")
    sentences = []
    for name, *token in rows:
        if name:
            sentences.append([])
            check(name == f"Sentence: {len(sentences)}", f"{name} comes in order")
        sentences[-1].append(tuple(token))
    return sentences


def read_split(text):
    return {name: [int(n) for n in numbers.split()]
            for name, numbers in (line.split("\t") for line in text.splitlines())}


def entities(tags):
    """(type, first, past the last) of each B- and the I- behind it; a stray I- is none."""
    found, start = [], None
    for i, tag in enumerate([*tags, "O"]):
        if start is not None and tag != "I-" + tags[start][2:]:
            found.append((tags[start][2:], start, i))
            start = None
        if tag.startswith("B-"):
            start = i
    return found


def tags_of(sentence):
    return [tag for _, _, tag in sentence]


def check_sentences(sentences):
    seen = set()
    for n, sentence in enumerate(sentences, 1):
        words = tuple(word for word, _, _ in sentence)
        check(words not in seen, f"sentence {n} stands once")
        check(SHORTEST <= len(words) <= LONGEST, f"sentence {n} is neither too short nor too long")
        check(all(w and p and " " not in w for w, p, _ in sentence), f"sentence {n} has no gap")
        check(all(a != b for a, b in zip(words, words[1:])), f"sentence {n} doubles no word")
        seen.add(words)
        before = "O"
        for tag in tags_of(sentence):
            known = tag == "O" or (tag[:2] in ("B-", "I-") and tag[2:] in TYPES)
            check(known, f"sentence {n}: {tag} is a tag")
            check(tag[0] != "I" or before[2:] == tag[2:], f"sentence {n} is valid IOB2")
            before = tag


def check_split(split, count):
    check(list(split) == ["train", "valid", "test"], "the split has its three parts")
    check(sorted(sum(split.values(), [])) == list(range(count)), "every sentence is in one part")
    for part, share in (("train", 0.8), ("valid", 0.1), ("test", 0.1)):
        check(abs(len(split[part]) / count - share) < 0.005, f"{part} holds {share:.0%}")


def strict_f1(gold, guess):
    """Micro F1 over entities: type and both ends must agree."""
    gold = [set(entities(tags)) for tags in gold]
    guess = [set(entities(tags)) for tags in guess]
    hits = sum(len(a & b) for a, b in zip(gold, guess))
    total = sum(map(len, gold)) + sum(map(len, guess))
    return 2 * hits / total if total else 0.0


def most_frequent_tags(train):
    """word → its commonest tag in train (the first in the alphabet when two tie)."""
    counts = collections.defaultdict(collections.Counter)
    for word, _, tag in (token for sentence in train for token in sentence):
        counts[word][tag] += 1
    return {word: min(c, key=lambda tag: (-c[tag], tag)) for word, c in counts.items()}


def floor(train, test):
    """The score of giving each word its commonest tag, and O to a word that train lacks."""
    best = most_frequent_tags(train)
    guess = [[best.get(word, "O") for word, _, _ in sentence] for sentence in test]
    return strict_f1([tags_of(sentence) for sentence in test], guess)


def unseen_share(train, test):
    """Which part of test's entities holds a word that train lacks."""
    known = {word for sentence in train for word, _, _ in sentence}
    found = [(s, e) for s in test for e in entities(tags_of(s))]
    unseen = [e for s, e in found if any(word not in known for word, _, _ in s[e[1]:e[2]])]
    return len(unseen) / len(found)


def several_readings(sentences):
    """Which part of the entities is written like an entity of another type elsewhere."""
    kinds, spans = collections.defaultdict(set), []
    for sentence in sentences:
        for kind, start, end in entities(tags_of(sentence)):
            spans.append(" ".join(word for word, _, _ in sentence[start:end]))
            kinds[spans[-1]].add(kind)
    return sum(len(kinds[text]) > 1 for text in spans) / len(spans)


def check_files(text, packed, index):
    """The three files agree with each other and with what make_corpus.py writes."""
    check(text.count(b"\n") == text.count(b"\r\n"), "every line ends in CRLF")
    check(gzip.decompress(packed) == text, "the packed file holds the plain one")
    check(len(packed) < MOST_BYTES, f"the packed file is below {MOST_BYTES:,} bytes")
    again = build()
    check(again["longhand.csv"] == text, "made again, the csv has the same bytes")
    check(again["longhand.split"] == index, "made again, the split has the same bytes")
    if again["longhand.csv.gz"] != packed:
        print("note: this machine's zlib packs otherwise; what comes out of it is the same")


def check_figures(sentences, split):
    """What the corpus is for: names of several readings, unseen names, a floor with room."""
    tokens = [token for sentence in sentences for token in sentence]
    outside = sum(tag == "O" for _, _, tag in tokens) / len(tokens)
    kinds = collections.Counter(e[0] for s in sentences for e in entities(tags_of(s)))
    train, test = ([sentences[n] for n in split[part]] for part in ("train", "test"))
    low, unseen = floor(train, test), unseen_share(train, test)
    check(set(kinds) == set(TYPES), "all eight types occur")
    check(0.82 < outside < 0.88, "about 85 % of the words are O")
    check(FLOOR[0] <= low <= FLOOR[1], "the floor leaves room above it")
    check(UNSEEN[0] <= unseen <= UNSEEN[1], "the test part holds unseen names")

    lengths = [len(sentence) for sentence in sentences]
    parts = ", ".join(f"{part} {len(numbers):,}" for part, numbers in split.items())
    types = ", ".join(f"{kind} {count:,}" for kind, count in kinds.most_common())
    print(f"sentences         {len(sentences):,} ({parts})")
    print(f"tokens            {len(tokens):,}, {len(tokens) / len(sentences):.1f} a sentence,"
          f" {min(lengths)} to {max(lengths)}")
    print(f"distinct words    {len({word for word, _, _ in tokens}):,}")
    print(f"O                 {outside:.1%}")
    print(f"without entity    {sum(not entities(tags_of(s)) for s in sentences):,} sentences")
    print(f"entities          {sum(kinds.values()):,}: {types}")
    print(f"several readings  {several_readings(sentences):.1%} of entities")
    print(f"unseen in train   {unseen:.1%} of test entities")
    print(f"floor on test     {low:.4f} strict entity micro F1")


def main():
    ends = ("csv", "csv.gz", "split")
    text, packed, index = ((HERE / f"longhand.{end}").read_bytes() for end in ends)
    sentences, split = read_sentences(text.decode("utf-8")), read_split(index.decode("ascii"))
    check_sentences(sentences)
    check_split(split, len(sentences))
    check_files(text, packed, index)
    check_figures(sentences, split)
    print(f"packed            {len(packed):,} bytes")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
