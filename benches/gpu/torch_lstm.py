"""PyTorch's nn.LSTM on this GPU (cuDNN), a JSON object a line: the layers that `measure kernels` times.

Forward in eval mode under inference_mode (forward_us), forward in training mode (training_us), that with backward
(both_us): microseconds, medians of 50 rounds or as many as a quarter of a second allows, after 20 ms of warming up. Between
events, so launches that come too slowly count; and without them (…_gpu_us): everything is launched while the GPU sleeps,
and rounds whose launches outlasted the sleep are left out.

TF32 off and on (PyTorch's default for cuDNN is on), the error against f64 beside it. Ragged batches packed ahead, packed
in each round, as a user of PyTorch has them, and padded to equal lengths: the same work as equal ones, so not timed again.

    torch_lstm.py [--quick]      without a GPU on the CPU, and it says so
"""

import copy
import json
import statistics
import sys
import time

try:
    import torch
    from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence
except ImportError:
    torch = None

QUICK = "--quick" in sys.argv
N_IN = 48
LONGEST_SLEEP = 1 << 27  # cycles: some 70 ms


def say(**line):
    print(json.dumps(line), flush=True)


class Clock:
    """Times rounds on the GPU, or on the CPU where there is none."""

    def __init__(self, device):
        self.device = device
        self.warm_up = 0 if QUICK else 0.5  # the clock is slow at first
        self.rounds, self.most = (1, 0) if QUICK else (50, 0.25)

    def median(self, one):
        """The median of what `one` returns, but None; None if there is nothing."""
        end = time.perf_counter() + self.warm_up
        while time.perf_counter() < end:
            one()
        self.warm_up = min(self.warm_up, 0.02)
        end, times, rounds = time.perf_counter() + self.most, [], 0
        while rounds < self.rounds and (rounds < 5 or time.perf_counter() < end):
            times.append(one())
            rounds += 1
        times = [t for t in times if t is not None]
        return statistics.median(times) if times else None

    def launched(self, run):
        def one():
            if self.device == "cpu":
                start = time.perf_counter()
                run()
                return 1e6 * (time.perf_counter() - start)
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            run()
            end.record()
            end.synchronize()
            return 1000 * start.elapsed_time(end)

        return self.median(one)

    def gpu_alone(self, run):
        if self.device == "cpu":
            return None
        cycles = 1 << 20

        def one():
            nonlocal cycles
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            torch.cuda._sleep(cycles)
            start.record()
            run()
            end.record()
            asleep = not start.query()  # still, when all was launched
            end.synchronize()
            if asleep:
                return 1000 * start.elapsed_time(end)
            cycles = min(2 * cycles, LONGEST_SLEEP)
            return None

        return self.median(one)

    def both(self, name, run):
        return {f"{name}_us": self.launched(run), f"{name}_gpu_us": self.gpu_alone(run)}


def lengths_of(batch, steps, equal):
    """As `measure` has them: all `steps`, or falling to 1 as the square."""
    return [steps if equal else -(-steps * (batch - r) ** 2 // batch**2) for r in range(batch)]


def numbers(*shape, device):
    """Within ± 1, as `measure` has them."""
    return 2 * torch.rand(*shape, device=device) - 1


def error(layer, x):
    """Relative error of y against the same layer in f64."""
    y = layer(x)[0].double().cpu()
    exact = copy.deepcopy(layer).cpu().double()(x.cpu().double())[0]
    return ((y - exact).norm() / exact.norm()).item()


def times(clock, layer, given, leaf):
    """Of a layer given what `given` returns, whose gradient goes to `leaf`."""

    def forward():
        y = layer(given())[0]
        return y.data if isinstance(y, PackedSequence) else y

    def both():
        layer.zero_grad(set_to_none=True)
        leaf.grad = None
        forward().backward(dy)

    layer.eval()
    with torch.inference_mode():
        seen = clock.both("forward", forward)
    layer.train()
    dy = torch.randn_like(forward())
    return seen | clock.both("training", forward) | clock.both("both", both)


def layers(clock, who, hidden):
    device = clock.device
    layer = torch.nn.LSTM(N_IN, hidden, bidirectional=True, batch_first=True).to(device)
    with torch.no_grad():
        far = error(layer, numbers(8, 22, N_IN, device=device))
    say(what=f"error of y, H = {hidden}", who=who, value=far)
    batches, all_steps = ((1, 5), (3,)) if QUICK else ((1, 32, 1000), (22, 104))
    for batch in batches:
        for steps in all_steps:
            sizes = {"what": "layer", "hidden": hidden, "batch": batch, "steps": steps}
            x = numbers(batch, steps, N_IN, device=device).requires_grad_()
            seen = times(clock, layer, lambda: x, x)
            say(**sizes, who=who, lengths="equal", tokens=batch * steps, **seen)
            if batch == 1:
                continue
            lengths = lengths_of(batch, steps, False)
            ragged = sizes | {"lengths": "ragged", "tokens": sum(lengths)}
            say(**ragged, who=f"{who}, padded", **seen)
            packed = pack_padded_sequence(x.detach(), lengths, batch_first=True)
            packed.data.requires_grad_()
            say(**ragged, who=who, **times(clock, layer, lambda: packed, packed.data))
            seen = times(clock, layer, lambda: pack_padded_sequence(x, lengths, batch_first=True), x)
            say(**ragged, who=f"{who}, with packing", **seen)


def main():
    if torch is None:
        say(what="check", who="PyTorch", ok=None, value="is not here")
        return
    torch.manual_seed(1)
    there = torch.cuda.is_available()
    name = torch.cuda.get_device_name() if there else "CPU"
    if not there:
        say(what="check", who="PyTorch", ok=None if QUICK else False, value="sees no GPU")
    say(what="version", who=f"PyTorch, {name}", value=torch.__version__)
    if there:
        say(what="cuDNN", who=f"PyTorch, {name}", value=str(torch.backends.cudnn.version()))
    elif not QUICK:
        return
    clock = Clock("cuda" if there else "cpu")
    for tf32 in (False, True) if there else (False,):
        torch.backends.cudnn.allow_tf32 = tf32
        torch.backends.cuda.matmul.allow_tf32 = tf32
        for hidden in (64, 128, 256):
            layers(clock, f"PyTorch {name}" + (f", TF32 {'on' if tf32 else 'off'}" if there else ""), hidden)


if __name__ == "__main__":
    main()
