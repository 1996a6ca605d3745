# After `rpm -i` into a root: owners, modes, and a carom that works.
. /tmp/expect.sh

owners_and_modes
[ -s /usr/share/man/man1/carom-pipe.1.gz ] || fail "no manual page of carom pipe"
[ -s /usr/share/zsh/site-functions/_carom ] || fail "no completions for zsh"
sed -i 's/^# domains = .*/domains = ["sink.example.com"]/' /etc/carom/carom.toml
as_carom check --quick || fail "carom check --quick"
as_carom cron --quiet || fail "carom cron"
