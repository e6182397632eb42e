#!/usr/bin/env bash
# A quarter of an hour on a machine with a GPU: tests on the device, times, training, PyTorch beside it, sanitizers. What
# it prints ends in a Markdown table; everything is kept in a new folder out-N, one JSON object a line in all.jsonl.
#
#     ./run.sh                 all of it
#     ./run.sh --rehearse      where there is no GPU: the same steps, small, through what there is
#
#     DEADLINE=540             seconds for all of it; what does not fit is said to be skipped
#     OUT=FOLDER               where all.jsonl, table.md and logs.tgz are copied after each step
#
# The folder is made by pack.sh. A step that fails is said to have failed and the next one runs; without a GPU nothing does.
# Ends with 1 if a check failed or a step was skipped for want of time.
set -uo pipefail
rehearse=
[ "${1:-}" = --rehearse ] && rehearse=1
[ -z "${OUT:-}" ] || OUT="$(cd "$OUT" && pwd)" || exit 2
cd "$(dirname "$0")" || exit 2
deadline="${DEADLINE:-540}"
export PATH="$PATH:/usr/local/cuda/bin:/usr/local/nvidia/bin"
export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}/usr/local/nvidia/lib64"
export CUDA_CACHE_PATH="$PWD/cuda-cache" # the compiled kernels
n=1
while [ -e "out-$n" ]; do n=$((n + 1)); done
out="out-$n"
mkdir "$out" || exit 2
facts="$out/facts.jsonl" checks="$out/checks.jsonl"

plain() { printf '%s' "$1" | tr -d '\\"' | tr '\n\t' '  ' | tr -d '\000-\037' | cut -c1-300; }
check() { # true|false|null NAME RESULT: null is neither passed nor failed
    printf '{"what":"check","ok":%s,"who":"%s","value":"%s"}\n' "$1" "$2" "$(plain "$3")" | tee -a "$checks"
}
fact() { printf '{"what":"%s","who":"%s","value":"%s"}\n' "$1" "$2" "$(plain "$3")" >>"$facts"; }
publish() { # what there is so far
    cat "$facts" "$checks" "$out"/kernels.out "$out"/cpu-layers.out "$out"/torch.out 2>/dev/null |
        grep '^{.*}$' >"$out/all.jsonl"
    ./measure table "$out/all.jsonl" >"$out/table.md" 2>"$out/table.err"
    [ -n "${OUT:-}" ] || return 0
    tar czf "$out/logs.tgz" --exclude=logs.tgz --exclude='run-*' --exclude='tag-*.out' --exclude=text.txt "$out" 2>/dev/null
    cp "$out/all.jsonl" "$out/table.md" "$out/logs.tgz" "$OUT/"
}
watcher='' running=''
stop() { [ -z "$1" ] || kill "$1" 2>/dev/null; }
trap 'stop "$running"; stop "$watcher"; publish; rm -rf "$out"/run-*' EXIT # models are large
trap 'exit 143' TERM INT
why() { # the first test's complaint, and the last line
    cat "$out/$1.out" "$out/$1.err" | grep -v '^ *$' |
        awk 'told == 1 {first = $0 "; "; told = 2} /panicked at/ && !told {told = 1} {last = $0} END {print substr(first, 1, 200) last}'
}
step() { # NAME SECONDS COMMAND…: false, with a row, if it failed or there was no time
    local name="$1" limit="$2" left=$((deadline - SECONDS)) start="$EPOCHREALTIME" rc
    shift 2
    if [ "$left" -lt 10 ]; then
        check false "$name" "skipped: no time"
        return 1
    fi
    [ "$limit" -le "$left" ] || limit="$left"
    echo "== $name" >&2
    timeout -k 5 "$limit" "$@" >"$out/$name.out" 2>"$out/$name.err" &
    running=$!
    wait $running # and not for long if somebody ends this script
    rc=$?
    running=''
    printf '{"what":"step","who":"%s","rc":%s,"seconds":%s}\n' "$name" $rc \
        "$(awk "BEGIN {printf \"%.2f\", $EPOCHREALTIME - $start}")" >>"$facts"
    case $rc in
        0) ;;
        124 | 137) check false "$name" "did not finish in $limit s, rc $rc" ;;
        *) check false "$name" "rc $rc: $(why "$name")" ;;
    esac
    [ $rc = 0 ] || tail -n 5 "$out/$name.out" "$out/$name.err" >&2
    publish
    return $rc
}

./longhand --version >"$out/version" || { echo "the programs do not run here: is the C library older than there?" >&2; exit 2; }
skipped='' quick=() device=cuda times=1
if [ -n "$rehearse" ]; then
    check null "THIS IS A REHEARSAL" "times are of one round and mean nothing"
    device=auto quick=(--quick) times=10
    deadline="${DEADLINE:-3600}"
    export LONGHAND_CUDA_EXACT=1 # the driver without a GPU fills what it gives, at length
else
    export LONGHAND_REQUIRE_CUDA=1 # a test without a GPU fails
fi
if [ -n "$rehearse" ]; then
    ./measure probe >"$out/probe.out" 2>&1 || skipped=" (nothing was run: there is no GPU)"
elif ! step probe 60 ./measure probe; then
    { nvidia-smi; ldconfig -p | grep -i cuda; ls -l /usr/local/nvidia/lib64; } 2>&1 | tee "$out/why.out"
    exit 1
fi
check null GPU "$(cat "$out/probe.out")"
if command -v nvidia-smi >/dev/null; then
    asked=name,driver_version,clocks.max.sm,clocks.max.mem
    card="$(timeout 20 nvidia-smi --query-gpu=$asked --format=csv,noheader | head -n 1)"
    fact GPU nvidia-smi "$card"
    case "$card" in
        *H100*HBM3*) peak="3350 GB/s, 67 TFLOP/s without tensor cores" ;;
        *H200*) peak="4800 GB/s, 67 TFLOP/s without tensor cores" ;;
        *) peak="not known here; the counted floors of docs/cuda.md are an H100's: 3350 GB/s, 67 TFLOP/s" ;;
    esac
    fact "peak by the data sheet (SXM)" "$card" "$peak"
fi

# 1. The kernels and whole steps, on the device, against this processor.
one_by_one() { # PROGRAM FILTER: an error of CUDA stays to the end of its process and fails all tests after it
    local tests="$1" until=$((SECONDS + 90)) all=0 right=0 name
    [ $((deadline - SECONDS)) -ge 10 ] || return
    for name in $("./$tests" "$2" --list 2>/dev/null | sed -n 's/: test$//p'); do
        all=$((all + 1))
        if [ $SECONDS -gt $until ]; then
            check false "$name" "skipped: no time"
            continue
        fi
        if step "alone-${name//:/-}" 40 "./$tests" --exact "$name"; then right=$((right + 1)); fi
    done
    check null "$tests, each in a process of its own" "$right of $all pass"
}
for tests in kernel-tests step-tests; do
    filter=tests::
    [ $tests = step-tests ] && filter=gpu::tests::
    # The kernels' one launch at a time, so that one that fails is named.
    blocking=0
    [ $tests = kernel-tests ] && blocking=1
    if step $tests $((150 * times)) env CUDA_LAUNCH_BLOCKING=$blocking ./$tests $filter --test-threads 1; then
        said="$(grep -h '^test result: ok. [1-9]' $out/$tests.out | head -n 1)"
        [ -n "$said" ] && check true $tests "$said$skipped" || check false $tests "no test ran"
    else
        grep -h 'FAILED$' $out/$tests.out
        one_by_one $tests $filter
    fi
done

# 2. Times of kernels, and the clock meanwhile.
if command -v nvidia-smi >/dev/null; then
    nvidia-smi --query-gpu=clocks.sm,clocks.mem,power.draw --format=csv,noheader,nounits -lms 200 >"$out/clocks.csv" 2>/dev/null &
    watcher=$!
fi
if [ -n "$skipped" ]; then
    check null kernels "no times$skipped"
else
    step kernels $((150 * times)) ./measure kernels ${quick[@]+"${quick[@]}"}
fi
if [ -n "$watcher" ]; then
    stop "$watcher"
    watcher=''
    fact "clock while measuring, MHz" nvidia-smi \
        "$(cut -d, -f1 "$out/clocks.csv" | sort -n | awk '{a[NR]=$1} END {print a[1] " to " a[NR] ", median " a[int((NR+1)/2)]}')"
fi

# 3. Training: the same runs on both; losses, the same bits twice, tokens a second; the CPU with two threads.
data=()
for f in data.csv*; do [ -e "$f" ] && data=("$f"); done
[ -e split.txt ] && data+=(--split-file split.txt)
short=()
[ -z "$rehearse" ] || { data=(); short=(--set encoder=bilstm:16); }
train() { # NAME VERSUS BATCH EPOCHS FLAGS…
    local name="$1" versus="$2" batch="$3" epochs="$4"
    shift 4
    step "train-$name" $((60 * times)) ./longhand train ${data[@]+"${data[@]}"} -o "$out/run-$name" \
        --batch "$batch" --epochs "$epochs" ${short[@]+"${short[@]}"} "$@" || return 1
    tail -n +2 "$out/run-$name/history.csv" | while IFS=, read -r epoch loss _ f1 _ _ _ _ _ _ seconds speed _; do
        printf '{"what":"run","who":"%s","versus":"%s","batch":%s,"epoch":%s,"loss":%s,"dev_f1":%s,"seconds":%s,"tokens_per_second":%s}\n' \
            "$name" "$versus" "$batch" "$epoch" "$loss" "${f1:-null}" "$seconds" "$speed" >>"$facts"
    done
}
for batch in 32 256 1000; do
    train gpu-$batch cpu-$batch $batch 2 --device $device
    train cpu-$batch '' $batch 2 --device cpu --threads 2
    [ -e $out/run-gpu-$batch/history.csv ] && [ -e $out/run-cpu-$batch/history.csv ] || continue
    if ! command -v python3 >/dev/null; then
        check null "losses of GPU and CPU, batch $batch" "there is no python3"
    elif said="$(python3 losses.py $out/run-gpu-$batch/history.csv $out/run-cpu-$batch/history.csv 0.01 2>&1)"; then
        check true "losses of GPU and CPU, batch $batch, bound 1 %" "$said"
    else
        check false "losses of GPU and CPU, batch $batch, bound 1 %" "$said"
    fi
done
check null "the run called gpu-32" "$(grep -h '^training on' $out/train-gpu-32.err)"
model=$out/run-gpu-32/model.safetensors
if train gpu-again '' 32 2 --device $device && [ -e $model ]; then
    said=no
    cmp "$model" $out/run-gpu-again/model.safetensors >"$out/cmp.out" 2>&1 && said=yes
    [ $said = yes ] && check true "the same model twice, to the bit" yes ||
        check false "the same model twice, to the bit" "$(cat "$out/cmp.out")"
fi
[ -n "$rehearse" ] || {
    train gpu-wide '' 256 1 --device $device --set encoder=bilstm:256
    train gpu-letters '' 256 1 --device $device --set 'encoder=["bilstm:64","bilstm:64"]' --set residual=true --set chars=lstm
}
if [ -e $model ]; then
    text=$out/text.txt
    for _ in 1 2 3; do cat $out/run-gpu-32/test.conll; done | cut -d' ' -f1 | awk 'NF {printf "%s ", $0; next} {print ""}' >$text
    tag() { step "tag-$1" 60 ./longhand tag "$model" --in lines --out conll --device "$2" "$text"; }
    if tag cpu cpu && tag gpu $device; then
        lines=$(wc -l <$out/tag-cpu.out) others=$(wc -l <$out/tag-gpu.out)
        differ=$(diff $out/tag-cpu.out $out/tag-gpu.out | grep -c '^>')
        ok=false
        [ "$lines" -gt 0 ] && [ "$lines" = "$others" ] && [ $((1000 * differ)) -le "$lines" ] && ok=true
        check $ok "tags of GPU and CPU, at most one line in 1000 differs" "$differ of $lines and $others lines"
    else
        check false "tags of GPU and CPU" "nothing to compare"
    fi
fi

# 4. The same layers by this processor, and by PyTorch on the same card.
step cpu-layers $((40 * times)) ./measure cpu ${quick[@]+"${quick[@]}"}
if command -v python3 >/dev/null; then
    step torch $((120 * times)) python3 torch_lstm.py ${quick[@]+"${quick[@]}"}
else
    check null PyTorch "there is no python3"
fi

# 5. NVIDIA's own sanitizer: every kernel once, each piece of memory by itself.
if command -v compute-sanitizer >/dev/null && [ -z "$rehearse" ]; then
    for tool in memcheck racecheck initcheck; do
        step sanitizer-$tool 40 env LONGHAND_CUDA_EXACT=1 compute-sanitizer --tool $tool --error-exitcode 9 \
            ./kernel-tests tests::sanitized --include-ignored --test-threads 1 || continue
        said="$(cat $out/sanitizer-$tool.out $out/sanitizer-$tool.err)"
        ok=false
        grep -q '^test result: ok. 1 passed' <<<"$said" && ok=true
        check $ok "compute-sanitizer $tool" "$(grep 'ERROR SUMMARY\|RACECHECK SUMMARY' <<<"$said" | tail -n 1)"
    done
else
    check null compute-sanitizer "is not here"
fi

# 6. Where a step's time goes: ten steps, after ten. ncu ends what it watches, with whatever code.
if command -v ncu >/dev/null && [ -z "$rehearse" ]; then
    for batch in 32 1000; do
        step ncu-$batch 30 sh -c '"$@" || echo "ncu ended with $?"' - ncu --clock-control none --csv --print-units base \
            --metrics gpu__time_duration.sum --launch-skip 230 --launch-count 230 --kill yes \
            ./longhand train ${data[@]+"${data[@]}"} -o "$out/run-ncu-$batch" --batch $batch --epochs 1 --device $device
        python3 ncu.py $batch <"$out/ncu-$batch.out" >>"$facts" ||
            check null "ncu, batch $batch" "gave nothing: $(grep -h '==ERROR==\|ended with' "$out/ncu-$batch.out" | head -n 1)"
    done
else
    check null ncu "is not here"
fi

publish
cat "$out/table.md"
echo "all of it: $out/all.jsonl, $out/table.md" >&2
! grep -q '"what":"check".*"ok":false\|"ok":false.*"what":"check"' "$out/all.jsonl"
