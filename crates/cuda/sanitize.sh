#!/usr/bin/env bash
# The shim's tests with a thread of the system for each thread of a block, under ThreadSanitizer and
# AddressSanitizer; and a kernel without its barrier, which ThreadSanitizer must report. Needs g++.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v g++ >/dev/null || { echo "SKIPPED: no g++, so the kernels were not run under sanitizers" >&2; exit 0; }
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
program="$(cargo test --release -p longhand-train --features cuda-shim --lib --no-run --message-format=json 2>/dev/null |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)"

build() { # NAME FLAGS…
    local name="$1"
    shift
    g++ -std=c++17 -O1 -g -march=native -ffp-contract=off -fPIC -shared -pthread -DSHIM_THREADS -Wno-unknown-pragmas \
        "$@" crates/cuda/kernels/shim.cpp -o "$work/$name.so"
}
run() { # NAME SANITIZER
    LONGHAND_SHIM="$work/$1.so" LD_PRELOAD="$(g++ -print-file-name="lib$2.so")" \
        TSAN_OPTIONS=exitcode=66 ASAN_OPTIONS=detect_leaks=0 RUST_TEST_THREADS=1 \
        setarch -R "$program" "gpu::tests::under_a_sanitizer" --include-ignored >"$work/$1.log" 2>&1
}
build threads -fsanitize=thread
build addresses -fsanitize=address
build race -fsanitize=thread -DPLANTED_RACE
for which in threads:tsan addresses:asan; do
    run "${which%:*}" "${which#*:}" || { cat "$work/${which%:*}.log" >&2; exit 1; }
    grep -q "1 passed" "$work/${which%:*}.log" || { cat "$work/${which%:*}.log" >&2; exit 1; }
    echo "${which#*:}: clean"
done
if run race tsan || ! grep -q "data race" "$work/race.log"; then
    cat "$work/race.log" >&2
    echo "a missing barrier was not reported" >&2
    exit 1
fi
echo "a missing barrier is reported: $(grep -c 'WARNING: ThreadSanitizer: data race' "$work/race.log") races"
