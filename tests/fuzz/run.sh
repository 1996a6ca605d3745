#!/bin/sh
# Runs each fuzz target for SECONDS_EACH seconds (60), from the fixtures and the seeds beside this script. What is found lies in
# artifacts/. Without a sanitizer, so that stable Rust does: all of the fuzzed code is safe, and a panic is what is looked for.
set -eu
cd "$(dirname "$0")"
command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked
for target in report reply log_line other_logs accounting journal conversation requests; do
    seeds="seeds/$target"
    test "$target" = report && seeds=../reports
    mkdir -p "corpus/$target"
    RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir . -s none "$target" "corpus/$target" "$seeds" -- \
        -max_total_time="${SECONDS_EACH:-60}" -timeout=5 -rss_limit_mb=1024 -max_len=65536
done
