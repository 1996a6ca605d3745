# What must hold with any mail server. exim.sh and opensmtpd.sh say how their server is set up, and
# how it is run: `set_up`, `start`, `run_queue` (all that waits, now), `queue_is_empty`.
. /tmp/expect.sh

passed=0
holds_so() {
    passed=$((passed + 1))
    step "$*"
}

# A signed newsletter, from a client that its sender's SPF record names.
newsletter() {
    perl /tmp/smtp.pl send 192.0.2.1 news@sender.example "$@" < /tmp/newsletter
}

# submit SENDER RECIPIENT: from an application on this host.
submit() {
    printf 'From: news@sender.example\nSubject: hello\n\nHello\n' | sendmail -f "$1" -- "$2"
}

# The envelope of the newest record, one value.
newest() {
    as_carom log --json | tail -n 1 | sed -n "s/.*\"$1\":\"\(\([^\"\\\\]\|\\\\.\)*\)\".*/\1/p"
}

# mails TEXT: how many of the messages that went out hold it.
mails() {
    grep -lF -e "$1" /tmp/mail/*.msg 2> /dev/null | wc -l
}

mails_are() {
    [ "$(mails "$1")" = "$2" ]
}

queue_runs_empty() {
    run_queue
    queue_is_empty
}

# A step that waits for its next try is run by the tick.
tick_sends() {
    as_carom cron --quiet
    mails_are "$1" "$2"
}

# The process that handles a message.
carom_process() {
    grep -lx carom /proc/[0-9]*/comm | cut -d/ -f3
}

parent() {
    sed -n 's/^PPid:[^0-9]*//p' "/proc/$1/status"
}

# counter NAME: 0 if it was never counted.
counter() {
    value=$(count "$1")
    echo "${value:-0}"
}

count_is() {
    [ "$(counter "$1")" = "$2" ]
}

installed() {
    dpkg -i /tmp/carom.deb > /dev/null
    sed -i 's/^# domains = .*/domains = ["sink.example.com"]/' /etc/carom/carom.toml
    cat >> /etc/carom/carom.toml <<TOML
[policy.sink.settings.mx_allowlist]
"mx.sender.example" = "fbl@sender.example"
[verp]
keys = ["$(carom secret new)"]
domain = "bounces.example.com"
[dns]
zone = "/etc/carom/zone"
[network]
allow_private = ["127.0.0.0/8"]
smtp_port = 2525
TOML
    cp /tmp/zone /etc/carom/zone
    as_carom check --quick --quiet
    mkdir /tmp/mail
    perl /tmp/smtp.pl serve 2525 /tmp/mail &
}

accepted_and_refused() {
    holds_so "a message is handled as it was sent, and DKIM passes"
    newsletter x@accept.sink.example.com
    eventually 20 count_is accept 1
    same fail_dkim "$(counter fail_dkim)" 0
    same sender "$(newest sender)" news@sender.example
    same recipient "$(newest recipient)" x@accept.sink.example.com
    eventually 20 queue_is_empty

    holds_so "a bounce out of band goes to the sender, whom SPF proves"
    newsletter x+5.2.2@oob.sink.example.com
    eventually 20 mails_are 'Status: 5.2.2' 1
    eventually 20 queue_is_empty

    holds_so "a refusal comes back with its text"
    newsletter x+5.7.1@reject.sink.example.com
    eventually 20 mails_are '5.7.1' 1
    same "the DSN's recipient" "$(mails 'RCPT TO:<news@sender.example>')" 2
    eventually 20 queue_is_empty

    holds_so "each recipient of a message has an answer of its own"
    newsletter y@accept.sink.example.com y+5.1.1@reject.sink.example.com y@defer.sink.example.com
    eventually 20 mails_are 'y+5.1.1@reject.sink.example.com' 1
    same "about the others" "$(mails 'y@accept.sink')-$(mails 'y@defer.sink')" 0-0
    eventually 20 count_is accept 2
    queue_is_empty && fail "the deferred recipient is gone"
    drop_queue
    eventually 20 queue_is_empty

    holds_so "twenty recipients are twenty messages"
    before=$(counter total_messages)
    to=
    for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        to="$to n$n@accept.sink.example.com"
    done
    newsletter $to
    eventually 30 count_is total_messages $((before + 20))
    same recipients "$(as_carom log --json | grep -o '"recipient":"n[0-9]*@' | sort -u | wc -l)" 20
    eventually 20 queue_is_empty
}

# odd ADDRESS [AS_JSON]: arrives as it was sent, as the recipient and as the sender.
odd() {
    before=$(counter total_messages)
    submit "$1@example.org" "$1@accept.sink.example.com"
    eventually 20 count_is total_messages $((before + 1))
    same recipient "$(newest recipient)" "${2:-$1}@accept.sink.example.com"
    same sender "$(newest sender)" "${2:-$1}@example.org"
    eventually 20 queue_is_empty
}

# The first message of a policy waits until the policy is compiled.
bounces() {
    holds_so "a bounce by this mail server to a signed return path suppresses the address"
    submit "$(as_carom verp sign gone@rcpt.example.org)" gone@rcpt.example.org
    eventually 120 queue_is_empty
    holds "$(as_carom suppress list)" gone@rcpt.example.org
    same "the null sender" "$(newest sender)" ""
    same policy "$(newest policy)" bounce

    holds_so "one to another return path suppresses nobody"
    submit bounce@bounces.example.com gone@other.example.org
    eventually 120 queue_is_empty
    eventually 20 count_is bounce_unproven 1
    said=$(as_carom suppress list)
    case "$said" in *gone@other*) fail "$said" ;; esac
}

# waits BREAK REPAIR: what is sent while carom cannot take it is delivered later, and not returned.
waits() {
    before=$(counter total_messages)
    eval "$1"
    newsletter waits@accept.sink.example.com
    sleep 1
    run_queue
    queue_is_empty && fail "nothing waits"
    eval "$2"
    eventually 30 queue_runs_empty
    same total_messages "$(counter total_messages)" $((before + 1))
    same "returned to the sender" "$(mails 'waits@accept')" 0
}

deferred() {
    holds_so "without carom, mail waits"
    waits 'mv /usr/bin/carom /usr/bin/carom.gone' 'mv /usr/bin/carom.gone /usr/bin/carom'

    holds_so "with a broken config, mail waits"
    waits 'echo nonsense >> /etc/carom/carom.toml' 'sed -i /^nonsense$/d /etc/carom/carom.toml'
}

# killed NAME COMMAND: by this command, while a bounce is on its way, which is to be sent once.
killed() {
    before=$(counter total_messages)
    touch /tmp/mail/hold
    newsletter "$1@oob.sink.example.com"
    eventually 20 test -e /tmp/mail/held
    eval "$2"
    rm -f /tmp/mail/hold /tmp/mail/held
    queue_is_empty && fail "the message is gone"
    eventually 30 queue_runs_empty
    eventually 90 tick_sends "Final-Recipient: rfc822; $1@oob.sink.example.com" 1
    as_carom cron --quiet
    same "bounces that were sent" "$(grep -lE "^Final-Recipient: rfc822; ?$1@" /tmp/mail/*.msg | wc -l)" 1
    same total_messages "$(counter total_messages)" $((before + 1))
}

killed_and_redelivered() {
    holds_so "a message is decided once although carom is killed while it works"
    killed k1 'kill -9 $(carom_process)'
}

summary() {
    as_carom check --quick --quiet
    echo "$passed passed, 0 failed"
}
