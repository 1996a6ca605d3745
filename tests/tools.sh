#!/bin/sh
# Names what is missing for building, testing or packaging carom, and then installs it: Debian
# packages as root with apt-get, parts of the Rust toolchain with rustup, cargo's tools from
# crates.io. What is there is not touched.
#
#   tests/tools.sh build|test|package|proof|mtas
set -eu
packages='' rust='' crates='' axe=''
AXE="${CARGO_TARGET_DIR:-target}/tools/axe.min.js"

has() {
    command -v "$1" > /dev/null
}

# A C compiler for SQLite and ring.
build() {
    has cc || packages="$packages gcc libc6-dev"
}

# A policy in Rust is built with rustup's target, or with Debian's Rust and its sources.
guest() {
    [ -d "$(rustc --print target-libdir --target wasm32-unknown-unknown 2> /dev/null)" ] ||
        [ -d /usr/lib/rustlib/src ] || [ -d /usr/lib/rust-web/lib/rustlib/src ] || return 1
}

# Postfix and procps for the tests of delivery; strace, openssl and Python for
# carom lmtp and its clients; for what hosts share redis-tools, whose redis-check-rdb
# is redis-server under another name (the package redis-server starts a service).
tests() {
    build
    [ -x /usr/sbin/postfix ] || packages="$packages postfix"
    has pkill || packages="$packages procps"
    has bash || packages="$packages bash"
    has strace || packages="$packages strace"
    has openssl || packages="$packages openssl"
    has python3 || packages="$packages python3"
    # A real browser for the page of carom serve, and axe-core, which looks for barriers.
    has chromium || packages="$packages chromium fonts-dejavu-core"
    has chromedriver || packages="$packages chromium-driver"
    if [ ! -f "$AXE" ]; then
        has npm || packages="$packages npm"
        has tar || packages="$packages tar"
        axe=axe-core@4.14.1
    fi
    has redis-check-rdb || packages="$packages redis-tools"
    # A network that is cut between hosts, if the tests run as root.
    has ip || packages="$packages iproute2"
    has nft || packages="$packages nftables"
    cargo fmt --version > /dev/null 2>&1 || rust="$rust component:rustfmt"
    cargo clippy --version > /dev/null 2>&1 || rust="$rust component:clippy"
    if ! guest; then
        if has rustup; then
            rust="$rust target:wasm32-unknown-unknown"
        else
            packages="$packages rustc-web cargo-web rust-web-src lld"
        fi
    fi
}

package() {
    build
    has git || packages="$packages git"
    has cargo-deb || crates="$crates cargo-deb@3.8.0"
    has cargo-generate-rpm || crates="$crates cargo-generate-rpm@0.21.1"
}

# Fresh Debian roots.
mtas() {
    package
    has mmdebstrap || packages="$packages mmdebstrap"
    has ip || packages="$packages iproute2"
}

proof() {
    mtas
    for tool in lintian rpmlint rpm; do
        has $tool || packages="$packages $tool"
    done
    has apparmor_parser || packages="$packages apparmor"
}

case "$1" in
    build) build ;;
    test) tests ;;
    package) package ;;
    proof) proof ;;
    mtas) mtas ;;
    *) exit 2 ;;
esac

[ -z "$packages" ] || echo "to install from Debian, with apt-get:$packages"
[ -z "$rust" ] || echo "to install with rustup:$rust"
[ -z "$crates" ] || echo "to install from crates.io, with cargo:$crates"
[ -z "$axe" ] || echo "to install from npm, into ${AXE%/*}: $axe"
[ -n "$packages$rust$crates$axe" ] || echo "nothing to install: what 'make' needs for this is there"

if [ -n "$packages" ]; then
    [ "$(id -u)" = 0 ] || {
        echo "only root can do that: apt-get install$packages" >&2
        exit 1
    }
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages
fi
for part in $rust; do
    case "$part" in
        component:*) rustup component add "${part#component:}" ;;
        target:*) rustup target add "${part#target:}" ;;
    esac
done
for crate in $crates; do
    cargo install --locked "$crate"
done
if [ -n "$axe" ]; then
    mkdir -p "${AXE%/*}"
    packed=$(cd "${AXE%/*}" && npm pack --silent "$axe")
    tar -xzf "${AXE%/*}/$packed" -C "${AXE%/*}" --strip-components=1 package/axe.min.js
    rm "${AXE%/*}/$packed"
fi
