#!/bin/sh
# Lays out what the packages hold below target/package/root, as it will be installed: the files of
# packaging/root, the binary, and what is generated from it and from the sources.
#
#   packaging/stage.sh [BINARY]      the binary of `make dist` without an argument
set -eu
cd "$(dirname "$0")/.."
binary=${1:-${CARGO_TARGET_DIR:-target}/dist/carom}
# Where Cargo.toml looks for it.
out=target/package
rm -rf "$out"
mkdir -p "$out"
cp -R packaging/root "$out/root"
root=$out/root
doc=$root/usr/share/doc/carom

# into DIRECTORY FILE...
into() {
    directory=$1
    shift
    mkdir -p "$directory"
    cp -R "$@" "$directory"
}

carom=$root/usr/bin/carom
mkdir -p "$root/usr/bin"
cp "$binary" "$carom"
into "$root/usr/lib/carom/policies" policies/dist/sink.wasm policies/dist/bounce.wasm

# complete SHELL DIRECTORY FILE
complete() {
    mkdir -p "$root/usr/share/$2"
    "$carom" completions "$1" > "$root/usr/share/$2/$3"
}

complete bash bash-completion/completions carom
complete zsh zsh/vendor-completions _carom
complete fish fish/vendor_completions.d carom.fish
"$carom" man --out "$root/usr/share/man/man1"

into "$doc" README.md ARCHITECTURE.md
into "$doc/docs" docs/*.md docs/events.schema.json
into "$doc/packaging" packaging/packaging.md
into "$doc/examples" examples/carom.toml examples/postfix examples/postfix-lmtp examples/powermta examples/exim \
    examples/opensmtpd examples/inbox examples/grafana examples/clickhouse examples/return-paths
into "$doc/policies" policies/README.md
for policy in sink bounce; do
    into "$doc/policies/$policy" "policies/$policy/README.md"
done
cp LICENSE-APACHE LICENSE-MIT "$doc"
packaging/licenses.sh > "$doc/linked-crates"
gzip -9n < CHANGELOG.md > "$doc/changelog.gz"
gzip -9n < packaging/debian/NEWS > "$out/NEWS.Debian.gz"
gzip -9n "$doc/linked-crates" "$root"/usr/share/man/man1/*

# An older carom cannot read what a newer one wrote, and its package asks before it is unpacked. The
# number of migrations: of the store, of the index.
schema="$(ls src/store/sqlite/store_*.sql | wc -l) $(ls src/index/index_*.sql | wc -l)"
echo "$schema" > "$root/usr/lib/carom/schema"
for kind in debian rpm; do
    mkdir "$out/$kind"
    for script in preinst postinst prerm postrm; do
        sed "s/@SCHEMA@/$schema/" "packaging/$kind/$script" > "$out/$kind/$script"
    done
done

# No time or umask of this build gets into a package.
find "$out" -type d -exec chmod 755 {} +
find "$out" -type f -exec chmod 644 {} +
chmod 755 "$carom" "$out"/debian/*
touch -h -d "@$(git log -1 --format=%ct 2>/dev/null || echo 0)" "$out" $(find "$out")
