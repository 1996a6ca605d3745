# What the scripts in a root share.

step() {
    echo "== $*"
}

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# same WHAT FOUND WANTED
same() {
    [ "$2" = "$3" ] || fail "$1 is '$2' and not '$3'"
}

# holds TEXT PART
holds() {
    case "$1" in
        *"$2"*) ;;
        *) fail "'$2' is not in: $1" ;;
    esac
}

# owned PATH OWNER:GROUP MODE
owned() {
    same "$1" "$(stat -c '%U:%G %a' "$1")" "$2 $3"
}

# eventually SECONDS COMMAND...: until the command succeeds.
eventually() {
    left=$1
    shift
    until "$@" > /dev/null 2>&1; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || fail "not in time: $*"
        sleep 1
    done
}

# as_carom ARGUMENT...: carom as the mail user.
as_carom() {
    setpriv --reuid carom --regid carom --init-groups carom "$@"
}

# count NAME: a counter.
count() {
    as_carom stats --json | sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"
}

owners_and_modes() {
    owned /usr/bin/carom root:root 755
    owned /etc/carom/carom.toml root:carom 640
    owned /etc/carom/policies root:root 755
    owned /etc/carom/reload root:root 755
    owned /var/lib/carom carom:carom 750
    owned /var/log/carom carom:adm 2750
    owned /var/spool/carom carom:carom 750
    owned /var/spool/carom/inbound carom:carom 2770
    holds " $(id -nG carom) " " adm "
}
