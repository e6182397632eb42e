#!/usr/bin/env bash
# Makes a folder that can be carried to a machine with a GPU and nothing else: no network, no cargo.
#
#     benches/gpu/pack.sh DIR [DATA.csv [SPLIT]]
#
# DIR then holds programs, tests and scripts, some 25 MB; without DATA a corpus of the size of GMB that is made up. Over
# there: DIR/run.sh. The programs need that machine's C library to be as new as this one's, and the NVIDIA driver.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
to="${1:?DIR}"
data="${2:-}"
split="${3:-}"
mkdir -p "$to"
to="$(cd "$to" && pwd)"
[ -z "$data" ] || data="$(realpath "$data")"
[ -z "$split" ] || split="$(realpath "$split")"
cd "$here/../.."

executable() { # of what cargo said, the last program
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1
}
built() { # NAME ARGUMENTS OF CARGO…
    local name="$1" made
    shift
    made="$(cargo "$@" --release --message-format=json | executable)"
    [ -n "$made" ] || { echo "cargo $* made no program" >&2; exit 1; }
    cp "$made" "$to/$name"
    strip "$to/$name" 2>/dev/null || true
}
built longhand build --features cuda --bin longhand
built measure build -p longhand-cuda --features driver,measure --bin longhand-cuda-measure
built kernel-tests test -p longhand-cuda --features driver --lib --no-run
built step-tests test -p longhand-train --features cuda --lib --no-run
cp "$here/run.sh" "$here/torch_lstm.py" "$here/losses.py" "$here/ncu.py" "$to/"
rm -rf "$to"/data.csv* "$to/split.txt" "$to/kernels"
cp -r crates/cuda/kernels "$to/kernels" # to be changed there, with LONGHAND_CUDA_SRC=kernels
if [ -n "$data" ]; then
    cp "$data" "$to/data.csv${data##*.csv}"
    [ -z "$split" ] || cp "$split" "$to/split.txt"
else
    python3 "$here/made_up.py" | gzip -9n >"$to/data.csv.gz"
fi
du -sh "$to"
