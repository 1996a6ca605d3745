#!/bin/sh
# The packages, proven: checked by lintian and rpmlint, installed in fresh Debian roots (mmdebstrap,
# with the apt sources of this host), and used there, with Debian's Postfix and no network but
# loopback. As root; elsewhere it is skipped.
#
#   tests/packages/run.sh            after `make deb rpm`
set -eu
cd "$(dirname "$0")/../.."
if [ "$(id -u)" != 0 ]; then
    echo "skipped: only root can make a root directory to install packages in"
    exit 0
fi
. /etc/os-release
. tests/packages/root.sh
work=$(mktemp -d)
# Processes in a namespace end with its first one.
trap 'rm -rf "$work"' EXIT
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)

step() {
    echo "== $*"
}

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

step "deb: at most 12 MB, and nothing for lintian to say"
deb=$(ls target/debian/carom_"$version"-1_*.deb)
rpm=$(ls target/generate-rpm/carom-"$version"-1.*.rpm)
for package in "$deb" "$rpm"; do
    size=$(stat -c %s "$package")
    echo "$package: $size octets"
    [ "$size" -le 12000000 ] || fail "$package is larger than 12 MB"
done
said=$(lintian --allow-root --pedantic --display-info --display-experimental "$deb" 2>&1 | grep -v '^N:') || true
[ -z "$said" ] || fail "lintian: $said"
step "rpm: nothing for rpmlint to say"
rpmlint --config packaging/rpm/rpmlint.toml "$rpm" > "$work/rpmlint" 2>&1 || true
grep -q ' 0 errors, 0 warnings' "$work/rpmlint" || fail "rpmlint: $(cat "$work/rpmlint")"

step "the AppArmor profile can be compiled"
apparmor_parser --skip-kernel-load --skip-cache --quiet packaging/root/etc/apparmor.d/carom

step "a second release of the same binary, to upgrade to"
cp "$deb" "$work/carom.deb"
cp "$rpm" "$work/carom.rpm"
cargo deb --locked --no-build --no-strip --quiet --fast --deb-version "$version-2" --output "$work/newer.deb"
# cargo-deb removes what it built before.
cp "$work/carom.deb" "$deb"
cargo generate-rpm --set-metadata 'release = "2"' --auto-req no --payload-compress gzip --output "$work/newer.rpm"

step "a fresh $VERSION_CODENAME"
fresh deb postfix
cp -a "$work/deb" "$work/rpm"

cp "$work/carom.deb" "$work/newer.deb" "$work/deb/tmp"
inside deb tests/packages/debian.sh
# rpm runs on this host; the scriptlets run in the root.
rpms() {
    unshare --mount sh -ec '
        root=$1
        shift
        mount -t proc proc "$root/proc"
        exec rpm --root "$root" --nodeps --nosignature "$@"
    ' sh "$work/rpm" "$@"
}
step "rpm: install, upgrade, downgrade, erase"
rpms -i "$work/carom.rpm"
inside rpm tests/packages/rpm.sh
echo '# edited' >> "$work/rpm/etc/carom/carom.toml"
rpms -U "$work/newer.rpm"
grep -q '^# edited' "$work/rpm/etc/carom/carom.toml" || fail "the upgrade has replaced an edited config"
schema=$(cat "$work/rpm/usr/lib/carom/schema")
echo '99 99' > "$work/rpm/usr/lib/carom/schema"
if rpms -U --oldpackage "$work/carom.rpm" 2> "$work/said"; then
    fail "an older carom was installed over newer databases"
fi
grep -q 'cannot read them' "$work/said" || fail "the downgrade was not refused for its reason: $(cat "$work/said")"
echo "$schema" > "$work/rpm/usr/lib/carom/schema"
rpms -U --oldpackage "$work/carom.rpm"
echo '99 99' > "$work/rpm/usr/lib/carom/schema"
rpms -e carom
if rpms -i "$work/carom.rpm" 2> "$work/said"; then
    fail "after a removal, an older carom was installed over newer databases"
fi
grep -q 'cannot read them' "$work/said" || fail "it was not refused for its reason: $(cat "$work/said")"
[ ! -e "$work/rpm/usr/bin/carom" ] || fail "the binary is left after rpm -e"
[ -e "$work/rpm/var/lib/carom/carom.db" ] || fail "rpm -e has removed the state"
grep -q '^# edited' "$work/rpm/etc/carom/carom.toml.rpmsave" || fail "rpm -e has removed an edited config"
echo "2 passed, 0 failed"
