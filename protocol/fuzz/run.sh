#!/bin/sh
# Runs every fuzz target of a folder (FOLDER; this one unless said otherwise), or those named, for RUNS inputs each (default: a million),
# from the corpus that is kept and the golden vectors on. With MINIMISE=1 what was found goes back into the kept corpus, as few and as
# short inputs as cover the same. All that is found meanwhile lies in target/found.
#
#     RUNS=10000000 protocol/fuzz/run.sh command
#     FOLDER=firmware/receiver/fuzz MINIMISE=1 protocol/fuzz/run.sh
#     FOLDER=server/fuzz protocol/fuzz/run.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "${FOLDER:-$here}"
runs=${RUNS:-1000000}
if [ $# -eq 0 ]; then
    for file in fuzz_targets/*.rs; do set -- "$@" "$(basename "$file" .rs)"; done
fi
cargo build --release
export RUST_BACKTRACE=0
for target in "$@"; do
    found=target/found/$target
    mkdir -p "$found" "corpus/$target"
    for vector in "$here/../tests/golden/$target"*.hex; do
        [ ! -e "$vector" ] || grep -v '^#' "$vector" | xxd -r -p > "$found/$(basename "$vector" .hex)"
    done
    longest=1500
    [ "$target" != media ] || longest=4096
    echo "== $target"
    program=target/x86_64-unknown-linux-gnu/release/$target
    "$program" -runs="$runs" -max_len=$longest -timeout=10 -rss_limit_mb=512 -print_final_stats=1 "$found" "corpus/$target" > "$found.log" 2>&1 || {
        tail -40 "$found.log"
        exit 1
    }
    grep -E 'DONE|number_of_executed_units|peak_rss' "$found.log"
    [ -z "${MINIMISE:-}" ] || "$program" -merge=1 -max_len=$longest "corpus/$target" "$found" > "$found.merge.log" 2>&1
done
