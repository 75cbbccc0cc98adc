#!/bin/sh
# Stands before rustc for the fuzz targets (see .cargo/config.toml): gives coverage counters for libFuzzer, as `cargo fuzz` sets them, to
# what reads bytes from outside. Ciphers and signatures are left as they are: their counters say nothing of how far an input came, and
# make it five times as slow. No sanitizer: those need nightly, and our decoders have no unsafe code.
rustc=$1
shift
name=
previous=
for argument in "$@"; do
    [ "$previous" = --crate-name ] && name=$argument
    previous=$argument
done
case $name in
loa* | minicbor* | mqtt5* | bebytes | symphonia* | ogg | serde_json) ;;
*) exec "$rustc" "$@" ;;
esac
exec "$rustc" "$@" -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1
