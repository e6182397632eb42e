"""Loads `longhand export --to keras` into Keras's layers with `set_weights` and compares."""

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers, ops

from common import arguments, compare, mean, mean_crf, members, potentials, read_example


def table(weights, name, ids):
    values = weights[f"{name}/embeddings"]
    layer = layers.Embedding(*values.shape)
    layer.build()
    layer.set_weights([values])
    return layer(ids)


def affine(weights, name, x):
    values = [weights[key] for key in (f"{name}/kernel", f"{name}/bias") if key in weights]
    layer = layers.Dense(values[0].shape[1], use_bias=len(values) == 2)
    layer.build(x.shape)
    layer.set_weights(values)
    return layer(x)


def lstm(weights, name, x, mask, sequences=True):
    """An LSTM or a pair of them; Keras's gates i f c o are ours, its kernels ours transposed."""
    parts = ("kernel", "recurrent_kernel", "bias")
    both = f"{name}.forward/kernel" in weights
    of = [f"{name}.{d}" for d in ("forward", "backward")] if both else [name]
    values = [weights[f"{layer}/{part}"] for layer in of for part in parts]
    # `use_cudnn=False`: the plain kernel, whatever the device; masks need not be right-padded for it.
    layer = layers.LSTM(values[1].shape[0], return_sequences=sequences, use_cudnn=False)
    layer = layers.Bidirectional(layer) if both else layer
    layer.build(x.shape)
    layer.set_weights(values)
    return layer(x, mask=mask)


def chars(weights, letters, counts):
    """(words, letters) → (words, columns)."""
    inside = np.arange(letters.shape[1])[None, :] < counts[:, None]
    e = table(weights, "chars.table", letters)
    if "chars.lstm.forward/kernel" in weights:
        return lstm(weights, "chars.lstm", e, inside, sequences=False)
    kernel, bias = weights["chars.conv/kernel"], weights["chars.conv/bias"]
    layer = layers.Conv1D(kernel.shape[2], 3, padding="same")
    layer.build(e.shape)
    layer.set_weights([kernel, bias])
    z = ops.where(inside[:, :, None], layer(e * inside[:, :, None]), -1e9)
    return ops.tanh(ops.max(z, axis=1))


def scores(weights, batch, example):
    """(B, T, K) of one network."""
    words = batch["words"]
    mask = np.arange(words.shape[1])[None, :] < batch["lengths"][:, None]
    x = sum(table(weights, f"words.{name}", words[:, :, t]) for t, name in enumerate(example["tables"]))
    if "vectors" in batch:
        x = x + affine(weights, "projection", table(weights, "vectors.table", batch["vectors"]))
    if "letters" in batch:
        spelled = chars(weights, batch["letters"].T, batch["letter_counts"])
        x = ops.concatenate([x, ops.take(spelled, batch["word_of"], axis=0)], axis=2)
    depth = len({k.split("/")[0].split(".")[1] for k in weights if k.startswith("encoder.")})
    for l in range(depth):
        y = lstm(weights, f"encoder.{l}", x, mask)
        x = x + y if example["residual"] and l > 0 and x.shape == y.shape else y
    s = affine(weights, "dense", x)
    if "wide" in batch:
        s = s + ops.sum(table(weights, "wide.table", batch["wide"]), axis=2)
    return ops.convert_to_numpy(s)


path, example_path = arguments("MODEL.npz")
example, batch, sentences = read_example(example_path)
# Keras has the batch first.
batch = {k: v.swapaxes(0, 1) if v.ndim > 1 and k != "letters" else v for k, v in batch.items()}
weights = dict(np.load(path))
del weights["longhand"]
networks = members(weights)
crfs = [{k[4:]: v for k, v in own.items() if k.startswith("crf/")} for own in networks]
emissions = mean([scores(own, batch, example) for own in networks]).swapaxes(0, 1)
print(f"keras {keras.__version__}:", end=" ")
compare(example, sentences, emissions, potentials(example, **mean_crf(crfs)))
