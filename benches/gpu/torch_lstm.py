"""PyTorch's nn.LSTM on this GPU (cuDNN), a JSON object a line: the layers that `measure kernels` times.

Forward under inference_mode, and forward with backward in training mode; microseconds, median of 50 after 10,
between events. TF32 off and on (PyTorch's default for cuDNN is on), its error against f64 beside it. Ragged batches
packed, as a user of PyTorch has them, and padded to equal lengths.

    torch_lstm.py [--quick] [--cpu]
"""

import copy
import json
import statistics
import sys
import time

import torch
from torch.nn.utils.rnn import pack_padded_sequence

QUICK, CPU = "--quick" in sys.argv, "--cpu" in sys.argv
DEVICE = "cpu" if CPU else "cuda"
N_IN = 48


def median(run):
    warm_up, rounds = (0, 1) if QUICK else (10, 50)
    times = []
    for i in range(warm_up + rounds):
        if CPU:
            start = time.perf_counter()
            run()
            times.append(1e6 * (time.perf_counter() - start))
            continue
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        run()
        end.record()
        end.synchronize()
        times.append(1000 * start.elapsed_time(end))
    return statistics.median(times[warm_up:])


def lengths_of(batch, steps, equal):
    """As `measure` has them: all `steps`, or falling to 1 as the square."""
    return [steps if equal else -(-steps * (batch - r) ** 2 // batch**2) for r in range(batch)]


def error(layer, x):
    """Relative error of y against the same layer in f64."""
    y = layer(x)[0].double().cpu()
    exact = copy.deepcopy(layer).cpu().double()(x.cpu().double())[0]
    return ((y - exact).norm() / exact.norm()).item()


def layers(who, hidden):
    layer = torch.nn.LSTM(N_IN, hidden, bidirectional=True, batch_first=True).to(DEVICE)
    layer.train()
    with torch.no_grad():
        far = error(layer, torch.randn(8, 22, N_IN, device=DEVICE))
    print(json.dumps({"what": f"error of y, H = {hidden}", "who": who, "value": far}))
    batches, times = ((1, 5), (3,)) if QUICK else ((1, 32, 1000), (22, 104))
    for batch in batches:
        for steps in times:
            for kind in ("equal", "ragged", "ragged, padded"):
                if batch == 1 and kind != "equal":
                    continue
                lengths = lengths_of(batch, steps, kind == "equal")
                x = torch.randn(batch, steps, N_IN, device=DEVICE, requires_grad=True)

                def forward():
                    if kind == "ragged":
                        packed = pack_padded_sequence(x, lengths, batch_first=True)
                        return layer(packed)[0].data
                    return layer(x)[0]

                dy = torch.randn_like(forward())

                def both():
                    layer.zero_grad(set_to_none=True)
                    x.grad = None
                    forward().backward(dy)

                with torch.inference_mode():
                    seen = median(forward)
                name = who + (", padded" if kind == "ragged, padded" else "")
                print(json.dumps({
                    "what": "layer", "who": name, "hidden": hidden, "batch": batch, "steps": steps,
                    "lengths": "equal" if kind == "equal" else "ragged", "tokens": sum(lengths),
                    "forward_us": seen, "both_us": median(both)}), flush=True)


def main():
    torch.manual_seed(1)
    name = "CPU" if CPU else torch.cuda.get_device_name()
    print(json.dumps({"what": "version", "who": f"PyTorch, {name}", "value": torch.__version__}))
    if not CPU:
        print(json.dumps({"what": "cuDNN", "who": f"PyTorch, {name}",
                          "value": str(torch.backends.cudnn.version())}))
    for tf32 in (False,) if CPU else (False, True):
        torch.backends.cudnn.allow_tf32 = tf32
        torch.backends.cuda.matmul.allow_tf32 = tf32
        for hidden in (64, 128, 256):
            layers(f"PyTorch {name}" + ("" if CPU else f", TF32 {'on' if tf32 else 'off'}"), hidden)


if __name__ == "__main__":
    main()
