#!/bin/sh
# Builds target/dist/carom, the binary that packages ship: static, so that it runs on any Linux of
# its architecture, and with its functions in the order in which a message calls them.
#
# The order comes from the binary itself: it is linked, run (packaging/order.rs), and linked again,
# because an order from yesterday's build loses half of its effect.
set -eu
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
host=$(rustc --print host-tuple)
built=$target/$host/dist/carom
out=$target/dist
work=$(mktemp -d)
peer=
trap 'kill $peer 2> /dev/null || true; rm -rf "$work"' EXIT

# SQLite without search in texts, maps, statistics and extensions, which carom does not use, and
# without a count of its memory, which takes a lock for each piece.
export LIBSQLITE3_FLAGS='-USQLITE_ENABLE_FTS3 -USQLITE_ENABLE_FTS3_PARENTHESIS
    -USQLITE_ENABLE_FTS5 -USQLITE_ENABLE_RTREE -USQLITE_ENABLE_STAT4 -USQLITE_ENABLE_DBSTAT_VTAB
    -USQLITE_ENABLE_COLUMN_METADATA -USQLITE_SOUNDEX -DSQLITE_OMIT_LOAD_EXTENSION
    -DSQLITE_DEFAULT_MEMSTATUS=0'
# Nothing unwinds through C.
export CFLAGS="${CFLAGS:-} -fno-asynchronous-unwind-tables"

# The file has a fixed address: a position-independent one relocates every pointer in its data at
# each start, which takes 180 page faults more and 0.7 ms. All crates have to be built for that, and
# not only the last: otherwise each call from one library into another reads its address from a
# table, and that table alone has 280 KB. Flags for all crates leave out build scripts if a target
# is named.
export RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static -C relocation-model=static"

# The libraries are built once; what follows `--` is for the last step alone. Functions with the
# same code are kept once, and only small ones are copied from one crate into another.
link() {
    cargo rustc --profile dist --target "$host" --bin carom -- \
        -C llvm-args=-import-instr-limit=10 -C link-arg=-Wl,--icf=all "$@"
}

# A state directory, a zone, and a mail server that takes what is sent.
config() {
    rustc --edition 2024 -O -o "$work/peer" packaging/peer.rs
    mkfifo "$work/port"
    "$work/peer" > "$work/port" &
    peer=$!
    read -r port < "$work/port"
    cat > "$work/carom.toml" <<TOML
state = "$work/state"
[dns]
zone = "$PWD/packaging/profile/zone"
[network]
allow_private = ["127.0.0.0/8"]
smtp_port = $port
hostname = "sink.example"
[policy.sink.settings]
domains = ["sink.example"]
[policy.sink.settings.mx_allowlist]
"mx1.sender.example" = "fbl@sender.example"
TOML
}

# deliver POLICY MESSAGE SENDER RECIPIENT COMMAND...: `carom pipe`, run by the command. Each is
# another message.
number=0
deliver() {
    number=$((number + 1)) policy=$1 message=packaging/profile/$2.eml from=$3 to=$4
    shift 4
    "$@" "$built" --config "$work/carom.toml" pipe --policy "$policy" --sender "$from" \
        --client-address 192.0.2.1 --queue-id "4Xn0$number" --recipient "$to" < "$message"
}

accepted() {
    deliver sink newsletter alice@sender.example x@accept.sink.example "$@"
}

bounced() {
    deliver sink newsletter alice@sender.example x@oob.sink.example "$@"
}

reported() {
    deliver bounce bounce '' bounces@example.org "$@"
}

order() {
    rustc --edition 2024 -O -o "$work/order" packaging/order.rs
    config
    # The first runs compile the policy, which is not what a message usually calls.
    for how in '' --interpreted; do
        accepted "$work/order" $how > /dev/null
    done
    reported "$work/order" > /dev/null
    # The bounces before the last move the store's log into the file.
    {
        accepted "$work/order"
        reported "$work/order"
        for times in 1 2 3; do bounced "$work/order"; done
        accepted "$work/order" --interpreted
    } > "$work/calls"
    awk '!seen[$0]++' "$work/calls" > "$work/symbols"
    echo "functions in the order of their first call: $(wc -l < "$work/symbols")" >&2
}

link
if order; then
    link -C link-arg=-Wl,--symbol-ordering-file,"$work/symbols" -C link-arg=-Wl,--no-warn-symbol-ordering
else
    echo "make dist: the functions stay as they are, because carom cannot be traced here" >&2
fi
mkdir -p "$out"
strip --strip-all --remove-section=.comment -o "$out/carom" "$built"
ls -l "$out/carom" >&2
