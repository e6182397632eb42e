#!/usr/bin/env bash
# Every kernel under the shim with a thread of the system for each thread of a block, under ThreadSanitizer, and under
# AddressSanitizer with the sanitizer of undefined behaviour; and a kernel without its barrier, which ThreadSanitizer
# must report, and the shim's orders of threads must show by other results. Needs g++ with these sanitizers.
set -euo pipefail
cd "$(dirname "$0")/../.."
skip() { echo "SKIPPED: $1, so the kernels were not run under sanitizers" >&2; exit 0; }
command -v g++ >/dev/null || skip "no g++"
[ "$(uname -m)" = x86_64 ] || skip "the shim's fibers are written for x86-64"
for library in libtsan.so libasan.so libubsan.so; do
    [ -e "$(g++ -print-file-name=$library)" ] || skip "g++ lacks $library"
done
# Addresses must not lie at random where ThreadSanitizer keeps its own; a container may forbid to say so.
fixed=()
if setarch -R true 2>/dev/null; then
    fixed=(setarch -R)
elif [ "$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0)" -gt 28 ]; then
    skip "setarch -R is forbidden and addresses are too random for ThreadSanitizer"
fi
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cargo test --release -p longhand-cuda --features shim,measure --lib --no-run --message-format=json >"$work/build.json" ||
    { echo "the tests do not build" >&2; exit 1; }
program="$(sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' "$work/build.json" | tail -n 1)"

build() { # NAME FLAGS…
    local name="$1"
    shift
    g++ -std=c++17 -g -march=native -ffp-contract=off -fPIC -shared -Wno-unknown-pragmas "$@" \
        crates/cuda/kernels/shim.cpp -o "$work/$name.so"
}
threads=(-O1 -DSHIM_THREADS -pthread)
# Only what the library does is looked at: Rust's own locks are unknown to ThreadSanitizer.
run() { # NAME SANITIZER
    LONGHAND_SHIM="$work/$1.so" LD_PRELOAD="$(g++ -print-file-name="lib$2.so")" LONGHAND_TEST_SEED=7 \
        TSAN_OPTIONS="exitcode=66 ignore_noninstrumented_modules=1" ASAN_OPTIONS="detect_leaks=0" RUST_TEST_THREADS=1 \
        ${fixed[@]+"${fixed[@]}"} timeout 600 "$program" sanitized:: --include-ignored >"$work/$1.log" 2>&1
}
fail() { # NAME MESSAGE
    tail -n 60 "$work/$1.log" >&2
    echo "$2" >&2
    exit 1
}
build threads "${threads[@]}" -fsanitize=thread &
build addresses "${threads[@]}" -fsanitize=address,undefined -fno-sanitize-recover=undefined &
wait %1 && wait %2
build race "${threads[@]}" -fsanitize=thread -DPLANTED_RACE &
build race_in_order -O2 -DPLANTED_RACE &
wait %1 && wait %2
for which in threads:tsan addresses:asan; do
    name="${which%:*}"
    run "$name" "${which#*:}" || fail "$name" "${which#*:} has something to say"
    grep -q "1 passed" "$work/$name.log" || fail "$name" "no test ran"
    echo "${which#*:}: clean"
done
run race tsan && fail race "a missing barrier was not reported"
grep -q "ThreadSanitizer: data race" "$work/race.log" || fail race "it failed, but not for a race"
echo "tsan reports a missing barrier: $(grep -c 'WARNING: ThreadSanitizer: data race' "$work/race.log") races"
LONGHAND_SHIM="$work/race_in_order.so" "$program" tests::lstm::the_order_of_threads >"$work/race_in_order.log" 2>&1 &&
    fail race_in_order "a missing barrier changed no result in any order of threads"
echo "orders of threads show a missing barrier"
