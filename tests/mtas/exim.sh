# In a fresh Debian with Exim: the files of examples/exim, as they are, in Debian's configuration.
. /tmp/delivery.sh

drop_queue() {
    exim4 -Mrm $(exim4 -bpr | sed -n 's/.* \([^ ]*-[^ ]*-[^ ]*\) <.*/\1/p') > /dev/null
}

queue_is_empty() {
    [ "$(exim4 -bpc)" = 0 ]
}

run_queue() {
    exim4 -qff
}

configure() {
    for section in main router transport; do
        cp "/tmp/exim/$section" "/etc/exim4/conf.d/$section/120_carom"
    done
    # Mail for elsewhere goes to the server of this test.
    cat > /etc/exim4/conf.d/router/110_elsewhere <<'EXIM'
elsewhere:
  driver = manualroute
  domains = *.example.org : *.example
  route_list = * 127.0.0.1::2525
  self = send
  transport = remote_smtp
EXIM
    cat > /etc/exim4/update-exim4.conf.conf <<'EXIM'
dc_eximconfig_configtype='internet'
dc_local_interfaces='127.0.0.1'
dc_relay_domains='sink.example.com:*.sink.example.com:bounces.example.com'
dc_minimaldns='true'
dc_use_split_config='true'
EXIM
    echo mx.example.org > /etc/mailname
    update-exim4.conf
}

installed
configure
/etc/init.d/exim4 start

accepted_and_refused
same "client" "$(newest client_address)" 192.0.2.1
same "its name" "$(newest client_helo)" client.sender.example
holds "$(newest queue_id)" -

bounces

holds_so "addresses with signs that mean something to a shell, to Exim or to a list"
for local in '`id`$x${run{id}}' '$local_part' 'A.B+c=d' "o'b&*?{x}|!#^~/_%d" '-f'; do
    odd "$local"
done
odd '"$(id); $x:y:: b\"c"' '\"$(id); $x:y:: b\\\"c\"'

deferred
killed_and_redelivered

holds_so "if the shell that runs carom is killed, the message is frozen and not returned"
killed k2 'kill -9 $(parent $(carom_process))'
grep -q 'k2@oob.*signal 9' /var/log/exim4/mainlog || fail "the shell was not killed"
grep -q Frozen /var/log/exim4/mainlog || fail "the message was not frozen"

holds_so "a command that Exim itself kills for its time is tried again"
sed -i 's/timeout = 2m/timeout = 2s/' /etc/exim4/conf.d/transport/120_carom
update-exim4.conf
killed k3 'sleep 4'
grep -q 'k3@oob.*timed out' /var/log/exim4/mainlog || fail "the command had time"

holds_so "carom reads the log of this Exim: every line is understood, and each recipient is there"
install -m 644 /var/log/exim4/mainlog /tmp/mainlog
printf '[[logs]]\nkind = "exim"\npath = "/tmp/mainlog"\n' >> /etc/carom/carom.toml
as_carom cron --json > /tmp/ticked
grep -q '"unknown":0' /tmp/ticked || fail "lines of Exim are not understood: $(cat /tmp/ticked)"
as_carom deliveries --json > /tmp/deliveries
# What was deferred was sent at another attempt.
for word in '"status":"sent"' '"attempts":[2-9]' '"source":"transport/carom"'; do
    grep -q "$word" /tmp/deliveries || fail "no delivery has $word"
done

summary
