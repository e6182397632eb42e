#!/usr/bin/env bash
# Ten minutes on a machine with a GPU: tests on the device, sanitizers, times, training, PyTorch beside it. What it
# prints ends in a Markdown table; everything is kept in out/, one JSON object a line in out/all.jsonl.
#
#     ./run.sh                 all of it
#     ./run.sh --rehearse      where there is no GPU: the same steps, small, through what there is
#
# The folder is made by pack.sh. A step that fails is said to have failed and the next one runs.
set -uo pipefail
cd "$(dirname "$0")"
rehearse=
[ "${1:-}" = --rehearse ] && rehearse=1
rm -rf out
mkdir -p out
checks=out/checks.jsonl
: >"$checks"
check() { # NAME RESULT
    local said
    said="$(printf '%s' "$2" | tr -d '\\"' | tr '\n\t' '  ')"
    printf '{"what":"check","who":"%s","value":"%s"}\n' "$1" "$said" | tee -a "$checks"
}
fact() { printf '{"what":"%s","who":"%s","value":"%s"}\n' "$1" "$2" "$3" >>out/facts.jsonl; }
: >out/facts.jsonl
[ -z "$rehearse" ] || check "THIS IS A REHEARSAL" "times are of one round and mean nothing"
step() { # NAME SECONDS COMMAND…
    local name="$1" limit="$2"
    shift 2
    echo "== $name" >&2
    timeout "$limit" "$@" >"out/$name.out" 2>"out/$name.err"
    local rc=$?
    [ $rc = 0 ] || { echo "$name ended with $rc:" >&2; tail -n 5 "out/$name.out" "out/$name.err" >&2; }
    return $rc
}

./longhand --version >out/version || { echo "the programs do not run here: is the C library older than there?" >&2; exit 1; }
if command -v nvidia-smi >/dev/null; then
    fact GPU nvidia-smi "$(nvidia-smi --query-gpu=name,driver_version,clocks.max.sm,clocks.max.mem --format=csv,noheader | head -n 1)"
fi
if [ -z "$rehearse" ]; then
    export LONGHAND_REQUIRE_CUDA=1
    device=cuda
else
    device=auto
fi

gpu="$(./measure probe 2>&1)" && skipped= || skipped=" (nothing was run: there is no GPU)"
check "GPU" "$gpu"

# 1. The kernels and whole steps, on the device, against this processor.
for tests in kernel-tests step-tests; do
    filter=tests::
    [ $tests = step-tests ] && filter=gpu::tests::
    # The kernels' one launch at a time, so that one that fails is named.
    blocking=0
    [ $tests = kernel-tests ] && blocking=1
    step $tests 180 env CUDA_LAUNCH_BLOCKING=$blocking ./$tests $filter --test-threads 1
    check "$tests" "$(grep -h '^test result' out/$tests.out | head -n 1 || true)$skipped"
    grep -h 'FAILED$' out/$tests.out || true
done

# 2. Times of kernels, and the clock meanwhile.
watcher=
if command -v nvidia-smi >/dev/null; then
    nvidia-smi --query-gpu=clocks.sm,clocks.mem,power.draw --format=csv,noheader,nounits -lms 200 >out/clocks.csv 2>/dev/null &
    watcher=$!
fi
quick=()
[ -z "$rehearse" ] || quick=(--quick)
step kernels 150 ./measure kernels ${quick[@]+"${quick[@]}"} || check kernels "did not finish"
if [ -n "$watcher" ]; then
    kill "$watcher" 2>/dev/null
    fact "clock while measuring, MHz" nvidia-smi "$(cut -d, -f1 out/clocks.csv | sort -n | awk '{a[NR]=$1} END {print a[1] " to " a[NR] ", median " a[int((NR+1)/2)]}')"
fi
step cpu-layers 60 ./measure cpu ${quick[@]+"${quick[@]}"} || check cpu-layers "did not finish"

# 3. Training: the same run on both; the loss of each epoch, the same bits twice, tokens a second.
data=()
for f in data.csv*; do [ -e "$f" ] && data=("$f"); done
[ -e split.txt ] && data+=(--split-file split.txt)
epochs=(--epochs 2)
[ -z "$rehearse" ] || { data=(); epochs=(--epochs 1 --set encoder=bilstm:16); }
: >out/runs.jsonl
train() { # NAME FLAGS…
    local name="$1"
    shift
    step "train-$name" 150 ./longhand train ${data[@]+"${data[@]}"} -o "out/run-$name" --force "${epochs[@]}" "$@" || return 1
    tail -n +2 "out/run-$name/history.csv" | while IFS=, read -r epoch loss _ f1 _ _ _ _ _ _ _ speed _; do
        printf '{"what":"run","who":"%s","epoch":%s,"loss":%s,"dev_f1":%s,"tokens_per_second":%s}\n' \
            "$name" "$epoch" "$loss" "${f1:-null}" "$speed" >>out/runs.jsonl
    done
}
train gpu --device $device && train gpu-again --device $device && {
    check "the run called gpu" "$(grep -h '^training on' out/train-gpu.err)"
    cmp -s <(cut -d, -f1,2 out/run-gpu/history.csv) <(cut -d, -f1,2 out/run-gpu-again/history.csv) &&
        check "the same losses twice on the GPU" yes || check "the same losses twice on the GPU" NO
}
train cpu --device cpu && [ -d out/run-gpu ] && command -v python3 >/dev/null &&
    check "losses of GPU and CPU, bound 1 %" "$(python3 losses.py out/run-gpu/history.csv out/run-cpu/history.csv 0.01 || echo TOO FAR)"
train gpu-256 --device $device --batch 256
train gpu-accurate --device $device --preset accurate --batch 256 --set members=1 --epochs 1
if [ -e out/run-gpu/model.safetensors ]; then
    text=out/text.txt
    for _ in 1 2 3; do cat out/run-gpu/test.conll 2>/dev/null; done | cut -d' ' -f1 | awk 'NF {printf "%s ", $0; next} {print ""}' >$text
    for where in cpu $device; do
        step "tag-$where" 60 ./longhand tag out/run-gpu/model.safetensors --in lines --out conll --device $where $text ||
            check "tagging on $where" "did not finish"
    done
    if [ -s "out/tag-cpu.out" ]; then
        check "tags of GPU and CPU, lines that differ" "$(diff "out/tag-cpu.out" "out/tag-$device.out" | grep -c '^>') of $(wc -l <out/tag-cpu.out)"
    fi
fi

# 4. PyTorch on the same card.
if command -v python3 >/dev/null && python3 -c 'import torch' 2>/dev/null; then
    cpu=()
    python3 -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' || cpu=(--cpu)
    step torch 150 python3 torch_lstm.py ${quick[@]+"${quick[@]}"} ${cpu[@]+"${cpu[@]}"} || check PyTorch "did not finish"
else
    check PyTorch "is not here"
fi

# 5. NVIDIA's own sanitizer, on whole steps.
if command -v compute-sanitizer >/dev/null && [ -z "$rehearse" ]; then
    for tool in memcheck racecheck initcheck; do
        step "sanitizer-$tool" 60 compute-sanitizer --tool $tool --error-exitcode 9 \
            ./step-tests gpu::tests::a_batch_that_is_not_finite --test-threads 1
        check "compute-sanitizer $tool" "$(grep -h 'ERROR SUMMARY\|RACECHECK SUMMARY' "out/sanitizer-$tool.out" "out/sanitizer-$tool.err" | tail -n 1)"
    done
else
    check compute-sanitizer "is not here"
fi

cat out/facts.jsonl out/kernels.out out/cpu-layers.out out/torch.out out/runs.jsonl "$checks" 2>/dev/null | grep '^{' >out/all.jsonl
./measure table out/all.jsonl | tee out/table.md
echo "all of it: out/all.jsonl, out/table.md" >&2
