# In a fresh Debian with OpenSMTPD: the file of examples/opensmtpd, as it is, below `listen`.
. /tmp/delivery.sh

drop_queue() {
    smtpctl remove all > /dev/null
}

queue_is_empty() {
    queue=$(smtpctl show queue) && [ -z "$queue" ]
}

run_queue() {
    smtpctl schedule all > /dev/null 2>&1 || true
    sleep 1
}

installed
install -m 755 /tmp/opensmtpd/carom-mda /usr/local/bin
# Mail for elsewhere goes to the server of this test.
{
    echo 'listen on 127.0.0.1'
    cat /tmp/opensmtpd/smtpd.conf
    echo 'action "elsewhere" relay host smtp://127.0.0.1:2525'
    echo 'match from any for any action "elsewhere"'
} > /etc/smtpd.conf
smtpd -n
smtpd -d > /tmp/smtpd.log 2>&1 &
eventually 20 queue_is_empty

accepted_and_refused
bounces

holds_so "addresses with signs that mean something to a shell, or that %{rcpt} would replace"
for local in 'A.B+c=d' "o'b\$&*?{x}|!#^~/_%d" '$RECIPIENT' '`id`' '%{sender}' '-f'; do
    odd "$local"
done

deferred
killed_and_redelivered
summary
