"""Loads `longhand export --to npz` (or `--to json`) with NumPy alone and computes the network by its equations."""

import json

import numpy as np

from common import arguments, compare, mean, mean_crf, members, potentials, read_example


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def lstm(x, w, backward=False):
    """One sentence (T, D) → (T, H). The equations of crates/nn/src/lstm_cell.rs."""
    n_hidden = w["w_hh"].shape[1]
    h, c, out = np.zeros(n_hidden), np.zeros(n_hidden), np.zeros((len(x), n_hidden))
    for t in reversed(range(len(x))) if backward else range(len(x)):
        i, f, g, o = np.split(w["w_ih"] @ x[t] + w["w_hh"] @ h + w["b"], 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        out[t] = h
    return out


def layer(tensors, name):
    """The tensors below `name`, an LSTM of one or two directions."""
    below = {k[len(name) + 1 :]: v for k, v in tensors.items() if k.startswith(name + ".")}
    if "w_ih" in below:
        return lambda x: lstm(x, below)
    there, back = ({k.split(".")[1]: v for k, v in below.items() if k.startswith(d)} for d in ("forward", "backward"))
    return lambda x: np.hstack([lstm(x, there), lstm(x, back, backward=True)])


def spell(tensors, letters):
    e = tensors["chars.table"][letters]
    if "chars.w" not in tensors:
        both = layer(tensors, "chars.lstm")(e)
        half = both.shape[1] // 2
        return np.hstack([both[-1, :half], both[0, half:]])
    padded = np.vstack([np.zeros_like(e[:1]), e, np.zeros_like(e[:1])])
    windows = np.hstack([padded[:-2], padded[1:-1], padded[2:]])
    return np.tanh((windows @ tensors["chars.w"].T + tensors["chars.b"]).max(axis=0))


def scores(tensors, tables, residual, tokens):
    x = np.array([sum(tensors[f"words.{n}"][r] for n, r in zip(tables, t["words"])) for t in tokens])
    if "projection.w" in tensors:
        x = x + tensors["vectors.table"][[t["vectors"][0] for t in tokens]] @ tensors["projection.w"].T
    if "chars.table" in tensors:
        x = np.hstack([x, [spell(tensors, t["letters"]) for t in tokens]])
    depth = 0
    while any(k.startswith(f"encoder.{depth}.") for k in tensors):
        y = layer(tensors, f"encoder.{depth}")(x)
        x = x + y if residual and depth > 0 and x.shape == y.shape else y
        depth += 1
    s = x @ tensors["dense.w"].T + tensors["dense.b"]
    if "wide.table" in tensors:
        s = s + np.array([tensors["wide.table"][t["wide"]].sum(axis=0) for t in tokens])
    return s


def load(path):
    if path.endswith(".json"):
        with open(path, encoding="utf-8") as file:
            tensors = json.load(file)["tensors"]
        return {k: np.array(t["values"], np.float32).reshape(t["shape"]) for k, t in tensors.items()}
    return dict(np.load(path))


path, example_path = arguments("MODEL.npz")
networks = members(load(path))
example, batch, sentences = read_example(example_path)
steps = batch["lengths"].max()
emissions = np.zeros((steps, len(sentences), len(example["tags"])), np.float32)
for b, tokens in enumerate(sentences):
    each = [scores(tensors, example["tables"], example["residual"], tokens) for tensors in networks]
    emissions[: len(tokens), b] = mean(each)
crfs = [{k[4:]: v for k, v in tensors.items() if k.startswith("crf.")} for tensors in networks]
print(f"numpy {np.__version__}:", end=" ")
compare(example, sentences, emissions, potentials(example, **mean_crf(crfs)))
