"""Loads `longhand export --to pytorch` into a module of `nn.Embedding`, `nn.LSTM`, `nn.Linear` and compares."""

import torch
from safetensors import safe_open
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from common import arguments, compare, mean, mean_crf, members, potentials, read_example


def table(weights, name):
    return nn.Embedding(*weights[f"{name}.weight"].shape)


def recurrent(weights, name):
    w = weights[f"{name}.weight_ih_l0"]
    both = f"{name}.weight_ih_l0_reverse" in weights
    return nn.LSTM(w.shape[1], w.shape[0] // 4, bidirectional=both)


def run(lstm, x, lengths):
    """(T, B, D) → (T, B, H) and the last states (directions, B, H)."""
    packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
    y, (last, _) = lstm(packed)
    return pad_packed_sequence(y, total_length=x.shape[0])[0], last


class Chars(nn.Module):
    def __init__(self, weights):
        super().__init__()
        self.table = table(weights, "chars.table")
        if "chars.conv.weight" in weights:
            filters, n_in, _ = weights["chars.conv.weight"].shape
            self.conv = nn.Conv1d(n_in, filters, 3, padding=1)
        else:
            self.lstm = recurrent(weights, "chars.lstm")

    def forward(self, letters, counts):
        e = self.table(letters)
        if hasattr(self, "lstm"):
            _, last = run(self.lstm, e, counts)
            return torch.cat([last[0], last[1]], dim=1)
        inside = (torch.arange(len(letters))[:, None] < counts)[:, :, None]
        z = self.conv((e * inside).permute(1, 2, 0))
        return torch.tanh(z.masked_fill(~inside.permute(1, 2, 0), -torch.inf).amax(dim=2))


class Crf(nn.Module):
    def __init__(self, k):
        super().__init__()
        self.transitions, self.start, self.end = (nn.Parameter(torch.zeros(s)) for s in ((k, k), (k,), (k,)))


class Tagger(nn.Module):
    """The shapes are read off the weights, the tables' order off the example."""

    def __init__(self, weights, tables, residual):
        super().__init__()
        self.tables, self.residual = tables, residual
        self.words = nn.ModuleDict({name: table(weights, f"words.{name}") for name in tables})
        if "projection.weight" in weights:
            self.vectors = nn.ModuleDict({"table": table(weights, "vectors.table")})
            self.projection = nn.Linear(*weights["projection.weight"].shape[::-1], bias=False)
        if "chars.table.weight" in weights:
            self.chars = Chars(weights)
        depth = len({k.split(".")[1] for k in weights if k.startswith("encoder.")})
        self.encoder = nn.ModuleList([recurrent(weights, f"encoder.{l}") for l in range(depth)])
        self.dense = nn.Linear(*weights["dense.weight"].shape[::-1])
        if "wide.table.weight" in weights:
            self.wide = nn.ModuleDict({"table": table(weights, "wide.table")})
        if "crf.start" in weights:
            self.crf = Crf(len(weights["crf.start"]))

    def forward(self, words, lengths, wide=None, vectors=None, letters=None, letter_counts=None, word_of=None):
        x = sum(self.words[name](words[:, :, t]) for t, name in enumerate(self.tables))
        if vectors is not None:
            x = x + self.projection(self.vectors["table"](vectors))
        if letters is not None:
            x = torch.cat([x, self.chars(letters, letter_counts)[word_of]], dim=2)
        for depth, lstm in enumerate(self.encoder):
            y, _ = run(lstm, x, lengths)
            x = x + y if self.residual and depth > 0 and x.shape == y.shape else y
        scores = self.dense(x)
        return scores if wide is None else scores + self.wide["table"](wide).sum(dim=2)


path, example_path = arguments("MODEL.safetensors")
example, batch, sentences = read_example(example_path)
with safe_open(path, "pt") as file:
    weights = {name: file.get_tensor(name) for name in file.keys()}
each, crfs = [], []
for own in members(weights):
    tagger = Tagger(own, example["tables"], example["residual"])
    tagger.load_state_dict(own)  # strict: every name and shape must be there, and no other
    with torch.no_grad():
        each.append(tagger(**{name: torch.from_numpy(array) for name, array in batch.items()}).numpy())
    crfs.append({name: w.numpy() for name, w in tagger.crf.state_dict().items()} if hasattr(tagger, "crf") else {})
print(f"torch {torch.__version__}:", end=" ")
compare(example, sentences, mean(each), potentials(example, **mean_crf(crfs)))
