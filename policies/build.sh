#!/bin/sh
# Rebuilds policies/dist from the sources. It needs a Rust with the wasm32-unknown-unknown target,
# or Debian's packages rustc-web cargo-web rust-web-src lld; then it builds the standard library,
# too.
set -eu
cd "$(dirname "$0")"
target=wasm32-unknown-unknown
root=$(cd .. && pwd)
# A small stack and a limit, because every message gets an instance with fresh memory. It begins
# with room for what a decision needs, because growing takes longer than having.
export RUSTFLAGS="-Clink-arg=-zstack-size=131072 -Clink-arg=--initial-memory=4194304 \
 -Clink-arg=--max-memory=33554432 --remap-path-prefix=$root=/carom --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
if rustc --print target-libdir --target $target 2>/dev/null | xargs -r test -d; then
    cargo build --release --target $target -p sink -p bounce -p misfit
else
    RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld \
        /usr/bin/cargo build --release -Zbuild-std=std,panic_abort --target $target -p sink -p bounce -p misfit
fi
unset RUSTFLAGS
for name in sink bounce misfit; do
    cargo run --quiet --release -p pack -- $name target/$target/release/$name.wasm dist .
done
