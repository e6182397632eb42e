"""A corpus of the size of GMB, made up: 38,000 sentences of 22 tokens in the mean, 30,000 words, 17 tags.

Words are drawn as Zipf's law has them; some name things, alone or behind a word that tells their kind, so that there
is something to learn. The same at every run. Columns as the Kaggle file has them, to standard output.
"""

import bisect
import itertools
import random
import sys

SENTENCES, WORDS = 38_000, 30_000
KINDS = ["art", "eve", "geo", "gpe", "nat", "org", "per", "tim"]


def main():
    sentences = int(sys.argv[1]) if len(sys.argv) > 1 else SENTENCES
    draw = random.Random(1)
    weights = list(itertools.accumulate(1 / (rank + 2.7) for rank in range(WORDS)))
    letters = "etaoinshrdlucmfw"
    words = ["".join(draw.choice(letters) for _ in range(2 + len(str(rank)) + draw.randrange(4)))
             for rank in range(WORDS)]
    # Every eighth word from the 200th on is a name, of a kind that its number gives.
    names = {rank: KINDS[rank // 8 % len(KINDS)] for rank in range(200, WORDS, 8)}
    write = sys.stdout.write
    write("Sentence #,Word,POS,Tag\n")
    for n in range(sentences):
        length = max(1, min(104, round(draw.gammavariate(5, 4.4))))
        before = None
        for t in range(length):
            rank = bisect.bisect(weights, draw.random() * weights[-1])
            kind = names.get(rank)
            inside = kind is not None and before == kind
            tag = "O" if kind is None else ("I-" if inside else "B-") + kind
            word = words[rank].capitalize() if kind else words[rank]
            write(f"{f'Sentence: {n + 1}' if t == 0 else ''},{word},X,{tag}\n")
            before = kind


if __name__ == "__main__":
    main()
