"""CRFsuite: time of a training by L-BFGS on features of words, and of tagging from words.

Another kind of model: a linear chain over the words around a token, their endings and shapes. It runs on
one thread. A token is passed once an iteration, so tokens a second are of iterations, features apart.
"""

import re
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import pycrfsuite

import corpus


def shape(word):
    """Xx9- for Word99-x: kinds of characters, runs shortened."""
    kinds = "".join("X" if c.isupper() else "x" if c.islower() else "9" if c.isdigit() else c for c in word)
    return re.sub(r"(.)\1+", r"\1", kinds)


def features(words):
    """Names of what is so at each token."""
    low = [w.lower() for w in words]
    shapes = [shape(w) for w in words]
    rows = []
    for i, word in enumerate(low):
        row = ["bias", "w=" + words[i], "low=" + word, "shape=" + shapes[i]]
        row += [f"{end}{n}=" + part for n in (2, 3) for end, part in (("pre", word[:n]), ("suf", word[-n:]))]
        for offset in (-2, -1, 1, 2):
            j = i + offset
            inside = 0 <= j < len(words)
            row.append(f"low{offset}=" + (low[j] if inside else "-"))
            if abs(offset) == 1:
                row.append(f"shape{offset}=" + (shapes[j] if inside else "-"))
        rows.append(row)
    return rows


def main():
    parser = corpus.arguments(__doc__)
    parser.add_argument("--iterations", type=int, default=50)
    options = parser.parse_args()
    sentences = corpus.training_part(options)
    total = sum(map(len, sentences))

    trainer = pycrfsuite.Trainer(verbose=False)
    trainer.set_params({"c1": 0.1, "c2": 0.01, "max_iterations": options.iterations})
    begin = time.perf_counter()
    for sentence in sentences:
        trainer.append(features([w for w, _ in sentence]), [t for _, t in sentence])
    extracted = time.perf_counter() - begin
    with tempfile.TemporaryDirectory() as folder:
        model = str(Path(folder) / "model.crfsuite")
        begin = time.perf_counter()
        trainer.train(model)
        trained = time.perf_counter() - begin
        tagger = pycrfsuite.Tagger()
        tagger.open(model)
        begin = time.perf_counter()
        for sentence in sentences:
            tagger.tag(features([w for w, _ in sentence]))
        tagged = time.perf_counter() - begin
        tagger.close()
    iterations = len(trainer.logparser.iterations)
    corpus.report(peer="crfsuite", version=version("python-crfsuite"), threads=1, iterations=iterations,
                  feature_seconds=extracted, seconds=trained, tokens=total,
                  tokens_per_second=iterations * total / trained, tag_tokens_per_second=total / tagged)


if __name__ == "__main__":
    main()
