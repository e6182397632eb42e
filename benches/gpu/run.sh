#!/usr/bin/env bash
# Ten minutes on a machine with a GPU and nothing else: no network, no cargo. Beforehand, where there is cargo:
#
#     benches/gpu/run.sh pack DIR [DATA.csv [SPLIT]]      binary, this script, the data
#
# and on the GPU's machine, in DIR: ./run.sh. What it prints ends in a table; everything is kept in DIR/out.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"

if [ "${1:-}" = pack ]; then
    to="$2"
    mkdir -p "$to"
    (cd "$here/../.." && cargo build --release --features cuda)
    cp "$here/../../target/release/longhand" "$here/run.sh" "$here/torch_lstm.py" "$to/"
    [ -z "${3:-}" ] || cp "$3" "$to/data.csv${3##*.csv}"
    [ -z "${4:-}" ] || cp "$4" "$to/split.txt"
    exit 0
fi

cd "$here"
mkdir -p out
data=()
for f in data.csv*; do [ -e "$f" ] && data=("$f"); done
[ -e split.txt ] && data+=(--split-file split.txt)
nvidia-smi --query-gpu=name,driver_version,clocks.max.sm --format=csv || true

train() { # NAME FLAGS…
    local name="$1"
    shift
    timeout 300 ./longhand train ${data[@]+"${data[@]}"} -o "out/$name" --force --epochs 2 "$@" \
        >"out/$name.out" 2>"out/$name.err" || { tail -5 "out/$name.err"; return 1; }
    tail -n +2 "out/$name/history.csv" | sed "s/^/$name,/"
}
echo "== the same run on both, loss by epoch"
train cpu --device cpu
train gpu --device cuda
train gpu-again --device cuda
echo "== the same bits twice"
cut -d, -f1,2 out/gpu/history.csv | cmp - <(cut -d, -f1,2 out/gpu-again/history.csv) && echo yes
echo "== batches of 256"
train cpu-256 --device cpu --batch 256
train gpu-256 --device cuda --batch 256
if command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck initcheck; do
        echo "== compute-sanitizer $tool, built-in corpus"
        timeout 120 compute-sanitizer --tool "$tool" --error-exitcode 9 \
            ./longhand train -o "out/$tool" --force --epochs 1 --device cuda >"out/$tool.log" 2>&1 &&
            echo clean || { tail -5 "out/$tool.log"; echo "$tool: see out/$tool.log"; }
    done
fi
if python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then
    echo "== PyTorch's nn.LSTM (cuDNN)"
    python3 torch_lstm.py
fi
echo "== real tokens a second, by epoch"
head -1 out/cpu/history.csv
for name in cpu gpu cpu-256 gpu-256; do tail -n +2 "out/$name/history.csv" | sed "s/^/$name,/"; done
