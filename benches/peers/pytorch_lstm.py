"""The tutorial's network in PyTorch: training (`--work train`) or tagging (`--work tag`) speed.

Embedding 64, BiLSTM 64 + 64, LSTM 64, Linear; dropout 0.2 and 0.5 before the LSTMs; cross-entropy; Adam.
Batches hold sentences of one length, which is PyTorch's fastest way: neither padding nor packing.
`--adam sparse` is the fused Adam with SparseAdam on the embedding, the counterpart of Longhand's
`lazy-rows`; `--adam dense` is the fused Adam on everything. Weights are random: this measures time, not scores.
"""

import os
import statistics
import time

import corpus

parser = corpus.arguments(__doc__)
parser.add_argument("--work", choices=["train", "tag"], default="train")
parser.add_argument("--adam", choices=["sparse", "dense"], default="sparse")
options = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(options.threads)  # read when torch is imported

import torch  # noqa: E402
from torch import nn  # noqa: E402

WARM_UP = 30  # batches at most that are not timed


class Tagger(nn.Module):
    """Word numbers (B, T) to scores (B, T, tags)."""

    def __init__(self, words, tags, sparse):
        super().__init__()
        self.embedding = nn.Embedding(words, 64, sparse=sparse)
        self.bilstm = nn.LSTM(64, 64, bidirectional=True, batch_first=True)
        self.lstm = nn.LSTM(128, 64, batch_first=True)
        self.dense = nn.Linear(64, tags)
        self.before_bilstm, self.before_lstm = nn.Dropout(0.2), nn.Dropout(0.5)

    def forward(self, words):
        hidden, _ = self.bilstm(self.before_bilstm(self.embedding(words)))
        hidden, _ = self.lstm(self.before_lstm(hidden))
        return self.dense(hidden)


def optimizers(model, sparse):
    """Fused Adam, and SparseAdam for the embedding where it is sparse."""
    table = [model.embedding.weight] if sparse else []
    others = [p for p in model.parameters() if not any(p is t for t in table)]
    found = [torch.optim.Adam(others, lr=1e-3, fused=True)]
    return found + [torch.optim.SparseAdam(table, lr=1e-3)] if sparse else found


def step(model, steppers, batch):
    """One update, from lists of numbers to the loss as a number."""
    words, tags = (torch.tensor([sentence[k] for sentence in batch]) for k in (0, 1))
    loss = nn.functional.cross_entropy(model(words).flatten(0, 1), tags.flatten())
    for stepper in steppers:
        stepper.zero_grad(set_to_none=True)
    loss.backward()
    for stepper in steppers:
        stepper.step()
    return loss.item()


def train(model, numbers):
    """Shuffled batches until the time is over; the first ones warm up."""
    steppers = optimizers(model, options.adam == "sparse")
    all_batches = corpus.batches(numbers, options.batch, seed=1)
    for batch in all_batches[: min(WARM_UP, len(all_batches) // 5)]:
        step(model, steppers, batch)
    start, done, count, seed = time.perf_counter(), 0, 0, 2
    while time.perf_counter() - start < options.seconds:
        for batch in corpus.batches(numbers, options.batch, seed):
            loss = step(model, steppers, batch)
            done, count = done + corpus.tokens(batch), count + 1
            if time.perf_counter() - start >= options.seconds:
                break
        seed += 1
    took = time.perf_counter() - start
    return {"adam": options.adam, "tokens_per_second": done / took, "tokens": done, "batches": count,
            "seconds": took, "last_loss": loss}


def tag(model, numbers):
    """Passes over all sentences, then sentences alone."""
    model.eval()

    def best(words):
        return model(torch.tensor(words)).argmax(-1).tolist()

    with torch.inference_mode():
        speeds = corpus.passes_of_tagging(best, numbers, options.batch, options.seconds)
        alone = corpus.one_by_one(best, numbers)
    return {"tokens_per_second": statistics.median(speeds), "passes": len(speeds),
            "one_sentence_ms": statistics.median(alone)}


def main():
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    numbers, words, tags = corpus.numbered(corpus.training_part(options))
    model = Tagger(words, tags, options.work == "train" and options.adam == "sparse")
    figures = (train if options.work == "train" else tag)(model, numbers)
    corpus.report(peer="pytorch", version=torch.__version__, work=options.work, threads=options.threads,
                  batch=options.batch, words=words, tags=tags, **figures)


if __name__ == "__main__":
    main()
