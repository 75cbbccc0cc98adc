#!/bin/sh
# Runs every fuzz target, or those named, for RUNS inputs each (default: a million), from the golden vectors on.
set -eu
cd "$(dirname "$0")"
runs=${RUNS:-1000000}
[ $# -gt 0 ] || set -- command telemetry receipt succession rotation claim_request claim_answer claim_configuration \
    claim_code hello answer enrolment rtp rtcp srtp topic
cargo build --release
for target in "$@"; do
    mkdir -p "corpus/$target"
    for vector in ../tests/golden/"$target"*.hex; do
        grep -v '^#' "$vector" | xxd -r -p > "corpus/$target/$(basename "$vector" .hex)"
    done
    echo "== $target"
    "target/x86_64-unknown-linux-gnu/release/$target" -runs="$runs" -max_len=1500 -timeout=10 -print_final_stats=1 "corpus/$target" 2>&1 |
        grep -E 'DONE|ERROR|panicked|SUMMARY|number_of_executed_units|peak_rss' || exit 1
done
