#!/bin/sh
# The configurations for other mail servers, as they are in examples/, each with its mail server: the
# package of `make deb` is installed in a fresh Debian root (mmdebstrap, with the apt sources of this
# host) with Exim, and in one with OpenSMTPD. As root; elsewhere it is skipped.
#
#   tests/mtas/run.sh [exim|opensmtpd]            after `make deb`
set -eu
cd "$(dirname "$0")/../.."
if [ "$(id -u)" != 0 ]; then
    echo "skipped: only root can make a root directory to install a mail server in"
    exit 0
fi
. tests/packages/root.sh
work=$(mktemp -d)
# Processes in a namespace end with its first one.
trap 'rm -rf "$work"' EXIT
deb=$(ls -t target/debian/carom_*.deb | head -n 1)

# with SERVER PACKAGE
with() {
    echo "== a fresh Debian with $1"
    fresh "$1" "$2"
    # Every name that a server asks for is answered without a network.
    printf '127.0.0.1 localhost\n127.0.0.1 mx.example.com mx\n' > "$work/$1/etc/hosts"
    : > "$work/$1/etc/resolv.conf"
    cp -R "examples/$1" "$work/$1/tmp"
    cp "$deb" "$work/$1/tmp/carom.deb"
    cp examples/demo/zone "$work/$1/tmp"
    # Without its envelope, which is for a relay directory.
    sed '1,/^x-receiver/d' examples/inbox/01-accept.msg > "$work/$1/tmp/newsletter"
    inside "$1" "tests/mtas/$1.sh" tests/mtas/delivery.sh tests/mtas/smtp.pl
    rm -rf "${work:?}/$1"
}

case "${1-exim}" in exim) with exim exim4-daemon-light ;; esac
case "${1-opensmtpd}" in opensmtpd) with opensmtpd opensmtpd ;; esac
