"""PyTorch's nn.LSTM on this GPU: forward, and forward with backward. Median of 50 after 10, in microseconds."""
import statistics

import torch

torch.manual_seed(1)


def median(run, repeats=50):
    times = []
    for i in range(repeats + 10):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        run()
        end.record()
        end.synchronize()
        if i >= 10:
            times.append(1000 * start.elapsed_time(end))
    return statistics.median(times)


print("tf32\tH\tbatch\tT\tforward\tforward and backward")
for tf32 in (False, True):
    torch.backends.cudnn.allow_tf32 = tf32
    for hidden in (64, 128, 256):
        layer = torch.nn.LSTM(48, hidden, bidirectional=True, batch_first=True).cuda()
        for batch in (1, 32, 256, 1000):
            for steps in (22, 104):
                x = torch.randn(batch, steps, 48, device="cuda", requires_grad=True)

                def both():
                    layer(x)[0].sum().backward()

                with torch.inference_mode():
                    forward = median(lambda: layer(x))
                print(f"{tf32}\t{hidden}\t{batch}\t{steps}\t{forward:.1f}\t{median(both):.1f}")
