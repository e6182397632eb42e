"""The tutorial's network in onnxruntime: tagging speed, from word numbers to tag numbers.

The graph is put together here, operator by operator, with random weights: this measures time, not scores.
"""

import statistics

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import corpus


def graph(words, tags):
    """ids (B, T) -> Gather -> LSTM both ways -> LSTM -> MatMul, Add -> ArgMax (T, B), as bytes."""
    random = np.random.default_rng(1)
    sizes = {
        "table": (words, 64),
        "w1": (2, 256, 64), "r1": (2, 256, 64), "b1": (2, 512),
        "w2": (1, 256, 128), "r2": (1, 256, 64), "b2": (1, 512),
        "w": (64, tags), "b": (tags,),
    }
    weights = [
        numpy_helper.from_array(random.uniform(-0.1, 0.1, size).astype(np.float32), name)
        for name, size in sizes.items()
    ]
    weights.append(numpy_helper.from_array(np.array([0, 0, -1], np.int64), "joined"))
    weights.append(numpy_helper.from_array(np.array([1], np.int64), "direction"))
    node = helper.make_node
    nodes = [
        node("Transpose", ["ids"], ["by_step"], perm=[1, 0]),
        node("Gather", ["table", "by_step"], ["rows"]),
        node("LSTM", ["rows", "w1", "r1", "b1"], ["both"], hidden_size=64, direction="bidirectional"),
        node("Transpose", ["both"], ["side_by_side"], perm=[0, 2, 1, 3]),  # (T, B, 2, 64)
        node("Reshape", ["side_by_side", "joined"], ["hidden"]),
        node("LSTM", ["hidden", "w2", "r2", "b2"], ["one_way"], hidden_size=64),
        node("Squeeze", ["one_way", "direction"], ["last"]),
        node("MatMul", ["last", "w"], ["product"]),
        node("Add", ["product", "b"], ["scores"]),
        node("ArgMax", ["scores"], ["tags"], axis=2, keepdims=0),
    ]
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["sentences", "steps"])
    out = helper.make_tensor_value_info("tags", TensorProto.INT64, ["steps", "sentences"])
    made = helper.make_graph(nodes, "tagger", [ids], [out], weights)
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(made, opset_imports=opset, ir_version=8).SerializeToString()


def main():
    options = corpus.arguments(__doc__).parse_args()
    numbers, words, tags = corpus.numbered(corpus.training_part(options))
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    session = onnxruntime.InferenceSession(
        graph(words, tags), settings, providers=["CPUExecutionProvider"])

    def best(sentences):
        return session.run(None, {"ids": np.array(sentences, np.int64)})[0].T.tolist()

    speeds = corpus.passes_of_tagging(best, numbers, options.batch, options.seconds)
    alone = corpus.one_by_one(best, numbers)
    corpus.report(peer="onnxruntime", version=onnxruntime.__version__, work="tag",
                  threads=options.threads, batch=options.batch, words=words, tags=tags,
                  tokens_per_second=statistics.median(speeds), passes=len(speeds),
                  one_sentence_ms=statistics.median(alone))


if __name__ == "__main__":
    main()
