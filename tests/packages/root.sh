# Fresh Debian roots for tests, with a network that is only loopback. To be sourced; $work is a
# directory that the caller removes.

# fresh ROOT PACKAGES: a root of the release of this host, with its apt sources.
fresh() {
    . /etc/os-release
    into=$1 packages=$2
    set -- /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list
    for source in "$@"; do
        shift
        [ ! -s "$source" ] || set -- "$@" "$source"
    done
    mmdebstrap --quiet --variant=minbase --mode=root \
        --include="systemd-standalone-sysusers,systemd-standalone-tmpfiles,$packages" \
        "$VERSION_CODENAME" "$work/$into" "$@"
}

# inside ROOT SCRIPT [FILE...]: with processes, mounts and a loopback interface of its own. The
# script and the files are copied to /tmp there. A client of the test has the address 192.0.2.1.
inside() {
    root=$1
    shift
    install -m 755 tests/packages/expect.sh "$@" "$work/$root/tmp/"
    unshare --fork --kill-child --pid --mount --net --uts sh -ec '
        hostname mx.example.com
        ip link set lo up
        ip address add 192.0.2.1/32 dev lo
        mount -t proc proc "$1/proc"
        mount -t tmpfs tmpfs "$1/run"
        mount --bind /dev "$1/dev"
        cd /
        exec chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C \
            DEBIAN_FRONTEND=noninteractive sh -eu "/tmp/$2"
    ' sh "$work/$root" "$(basename "$1")" < /dev/null
}
