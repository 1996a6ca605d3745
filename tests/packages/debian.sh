# In a fresh Debian with Postfix: from `dpkg -i carom.deb` to the first bounce, an upgrade while mail
# flows, another policy, and back to nothing.
. /tmp/expect.sh

queue_is_empty() {
    queue=$(postqueue -j) && [ -z "$queue" ]
}

# A message to the sink.
newsletter() {
    printf 'From: news@example.org\nTo: x@accept.sink.example.com\nSubject: %s\n\nHello\n' "$1" |
        sendmail -f news@example.org x@accept.sink.example.com
}

step "install: owners, modes, and a config that defers until it names domains"
dpkg -i /tmp/carom.deb
owners_and_modes
holds "$(as_carom check)" "the sink has no domains"
if said=$(printf 'Subject: x\n\nx\n' | as_carom pipe --recipient x@sink.example.com); then
    fail "a sink without domains has taken a message: $said"
else
    same "the exit code" "$?" 75
fi
holds "$said" "/etc/carom/carom.toml: line "
[ -z "$(find /var/lib/carom -name '*.db' ! -user carom)" ] || fail "a database is not carom's"

step "manual pages, completions"
for page in carom carom-pipe carom-relay carom-cron carom-policy-install; do
    [ -s "/usr/share/man/man1/$page.1.gz" ] || fail "no page $page"
done
for file in bash-completion/completions/carom zsh/vendor-completions/_carom \
    fish/vendor_completions.d/carom.fish; do
    [ -s "/usr/share/$file" ] || fail "no $file"
done

step "name the domains, and wire Postfix"
sed -i 's/^# domains = .*/domains = ["sink.example.com"]/' /etc/carom/carom.toml
cat >> /etc/carom/carom.toml <<TOML
[verp]
keys = ["$(head -c 24 /dev/urandom | base64)"]
domain = "bounces.example.com"
[dns]
zone = "/etc/carom/zone"
[[logs]]
kind = "postfix"
path = "/var/log/mail.log"
TOML
echo 'example.org. 300 IN MX 10 mx.example.org.' > /etc/carom/zone
install -o root -g adm -m 640 /dev/null /var/log/mail.log
# A host without a name in DNS, a recipient who does not exist, and retries that come soon.
postconf -e maillog_file=/var/log/mail.log mydestination= inet_interfaces=loopback-only alias_maps= \
    alias_database= 'transport_maps=inline:{ {rcpt.example.org=error:5.1.1 user unknown} }' \
    minimal_backoff_time=1s maximal_backoff_time=2s queue_run_delay=1s default_transport=retry
cp /etc/postfix/main.cf /etc/postfix/master.cf /root
postfix start > /dev/null
carom postfix enable
carom postfix show
as_carom check || fail "carom check"
as_carom check --quick --quiet || fail "carom check --quick"

step "send, and see it handled"
newsletter first
eventually 20 queue_is_empty
same total_messages "$(count total_messages)" 1
holds "$(as_carom log)" "x@accept.sink.example.com"

step "a real bounce: the address is suppressed"
path=$(as_carom verp sign gone@rcpt.example.org)
printf 'From: news@example.org\nSubject: x\n\nHello\n' | sendmail -f "$path" gone@rcpt.example.org
eventually 20 queue_is_empty
holds "$(as_carom suppress list)" gone@rcpt.example.org

step "ticks: by hand, and by cron.d where no systemd runs"
as_carom cron --quiet
line=$(sed -n 's/^\* \* \* \* \* carom //p' /etc/cron.d/carom)
# ticks: the time of the last one.
ticks() {
    as_carom check | sed -n 's/.*tick *the last one was at \([^ ]*\).*/\1/p'
}
before=$(ticks)
mkdir -p /run/systemd/system
setpriv --reuid carom --regid carom --init-groups sh -c "$line"
same "the last tick, where systemd runs" "$(ticks)" "$before"
rmdir /run/systemd/system
said=$(setpriv --reuid carom --regid carom --init-groups sh -c "$line")
same "what cron would mail" "$said" ""
[ "$(ticks)" != "$before" ] || fail "the line in cron.d does not tick"
holds "$(as_carom deliveries)" gone@rcpt.example.org

step "upgrade while mail flows"
# Sends until the upgrade is done, at most 2000 messages.
flow() {
    sent=0
    while [ ! -e /tmp/enough ] && [ "$sent" -lt 2000 ]; do
        sent=$((sent + 1))
        newsletter "flow $sent"
    done
    echo "$sent" > /tmp/sent
}
handled() {
    grep -c 'delivered via carom service' /var/log/mail.log
}
flowing() {
    [ "$(handled)" -gt "$before" ]
}
before=$(($(handled) + 20))
flow &
eventually 60 flowing
dpkg -i /tmp/newer.deb
same "the version" "$(dpkg-query -W -f '${Version}' carom | sed 's/.*-//')" 2
before=$(($(handled) + 5))
eventually 60 flowing
touch /tmp/enough
wait
eventually 300 queue_is_empty
total=$((1 + $(cat /tmp/sent) + 1))
same "total_messages after the upgrade" "$(count total_messages)" "$total"
echo "$(cat /tmp/sent) messages were sent meanwhile"
owners_and_modes
holds "$(cat /etc/carom/carom.toml)" 'domains = ["sink.example.com"]'
grep -q 'status=bounced.*sink.example.com' /var/log/mail.log && fail "mail was returned"

step "another policy"
carom policy install sink /usr/lib/carom/policies/sink.wasm
newsletter swapped
eventually 20 queue_is_empty
same "total_messages after the swap" "$(count total_messages)" "$((total + 1))"
carom policy rollback sink

step "a downgrade: refused if the databases are newer, and possible if not"
schema=$(cat /usr/lib/carom/schema)
echo '99 99' > /usr/lib/carom/schema
if said=$(dpkg -i /tmp/carom.deb 2>&1); then
    fail "an older carom was installed over newer databases"
fi
holds "$said" "cannot read them"
same "the state of the newer one" "$(dpkg-query -W -f '${Status}' carom)" "install ok installed"
echo "$schema" > /usr/lib/carom/schema
dpkg -i /tmp/carom.deb
newsletter older
eventually 20 queue_is_empty
same "total_messages of the older one" "$(count total_messages)" "$((total + 2))"

step "remove: a note, and mail waits in Postfix; an older carom is refused still"
echo '99 99' > /usr/lib/carom/schema
holds "$(dpkg -r carom 2>&1)" "Postfix is still set up"
if said=$(dpkg -i /tmp/carom.deb 2>&1); then
    fail "after a removal, an older carom was installed over newer databases"
fi
holds "$said" "cannot read them"
echo "$schema" > /var/lib/carom/schema
[ -e /etc/carom/carom.toml ] && [ -e /var/lib/carom/carom.db ] || fail "remove has removed too much"
setpriv --reuid carom --regid carom --init-groups sh -c "$line" || fail "cron.d after remove"
newsletter waits
eventually 20 grep -q 'to=<x@accept.sink.example.com>.*status=deferred' /var/log/mail.log
grep -q 'status=bounced.*sink.example.com' /var/log/mail.log && fail "mail was returned"
dpkg -i /tmp/newer.deb
eventually 60 queue_is_empty
same "total_messages after it came back" "$(count total_messages)" "$((total + 3))"

step "disable, purge"
carom postfix disable
link=/etc/systemd/system/sockets.target.wants/carom-lmtp.socket
mkdir -p "${link%/*}"
ln -s /usr/lib/systemd/system/carom-lmtp.socket "$link"
for file in main.cf master.cf; do
    cmp /root/$file /etc/postfix/$file || fail "$file is not as before"
done
said=$(dpkg -P carom 2>&1)
case "$said" in *"still set up"*) fail "$said" ;; esac
for path in /usr/bin/carom /etc/carom /var/lib/carom /var/log/carom /var/spool/carom \
    /etc/cron.d/carom /etc/apparmor.d/carom /usr/lib/systemd/system/carom.timer; do
    [ ! -e "$path" ] || fail "$path is left after purge"
done
[ ! -L "$link" ] || fail "$link is left after purge"
id carom > /dev/null || fail "purge has removed the user"
postfix stop > /dev/null
echo "12 passed, 0 failed"
