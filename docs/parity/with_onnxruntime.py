"""Runs `longhand export --to onnx` in onnxruntime and compares. Tags and CRF come from the file's metadata."""

import json

import numpy as np
import onnx
import onnxruntime

from common import arguments, compare, potentials, read_example

path, example_path = arguments("MODEL.onnx")
example, batch, sentences = read_example(example_path)
onnx.checker.check_model(path, full_check=True)
session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
(emissions,) = session.run(["emissions"], batch)

meta = session.get_modelmeta().custom_metadata_map
assert json.loads(meta["tags"]) == example["tags"]
if "crf" in meta:
    forbidden = lambda values: [forbidden(v) if isinstance(v, list) else -np.inf if v is None else v for v in values]
    crf = {name: np.array(forbidden(values)) for name, values in json.loads(meta["crf"]).items()}
else:
    crf = potentials(example)
print(f"onnxruntime {onnxruntime.__version__}:", end=" ")
compare(example, sentences, emissions, crf)
