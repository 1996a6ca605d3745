#!/bin/sh
# Prints the crates that are linked into carom and its policies, with the license texts that they
# come with. A text that several share is printed once.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

crates() {
    cargo tree --locked --offline --manifest-path "$1" --edges normal --prefix none \
        --target "$(rustc -vV | sed -n 's/^host: //p')" --format '{p} {l}' | sed 's/ (\*)$//; s/ (proc-macro)//'
}

{
    crates Cargo.toml
    crates policies/sink/Cargo.toml
    crates policies/bounce/Cargo.toml
} | grep -v ' (/' | sort -u > "$work/crates"

echo "carom is linked with these crates, and with SQLite (public domain), the Rust standard library"
echo "(Apache-2.0 OR MIT) and the C library of the system that built it. Texts with a number follow."
echo
while read -r name version license; do
    set -- "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/"$name-${version#v}"
    texts=
    for file in "$1"/LICEN[CS]E* "$1"/COPYING* "$1"/COPYRIGHT* "$1"/NOTICE* "$1"/UNLICENSE*; do
        [ -f "$file" ] || continue
        sum=$(sha256sum < "$file" | cut -c1-64)
        if [ ! -e "$work/$sum" ]; then
            cp "$file" "$work/$sum"
            echo "$sum" >> "$work/order"
        fi
        texts="$texts [$(grep -n "$sum" "$work/order" | cut -d: -f1)]"
    done
    echo "$name ${version#v}: $license$texts"
done < "$work/crates"
number=0
while read -r sum; do
    number=$((number + 1))
    printf '\n======== [%d]\n\n' "$number"
    tr -d '\r' < "$work/$sum"
done < "$work/order"
