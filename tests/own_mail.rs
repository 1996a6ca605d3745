//! Figures about our own mail: what strangers send through us, and what is handed to carom, counts apart and is not
//! acted on.

use crate::harness::Sandbox;
use crate::harness::mail_log::ago;
use crate::logs::deliveries;
use crate::statistics::{append, tick};
use serde_json::Value;

pub(crate) const OURS: &str = "client=app[10.0.0.7]";
const STRANGER: &str = "client=mail.stranger.example[203.0.113.5]";
pub(crate) const SENT: &str = "dsn=2.0.0, status=sent (250 2.0.0 OK)";
const GONE: &str = "dsn=5.1.1, status=bounced (host mx[192.0.2.9] said: 550 5.1.1 User unknown (in reply to RCPT TO command))";
const MX: &str = "smtp[13] mx.dest.example[192.0.2.9]:25";

/// A message from its arrival to its end. `by` is the agent and the next hop.
pub(crate) struct Mail<'a> {
    n: u32,
    from: &'a str,
    arrival: &'a str,
    to: &'a str,
    by: &'a str,
    end: &'a str,
}

impl Mail<'_> {
    fn id(&self) -> String {
        format!("4Xn0y8{:06}zZ1f", self.n)
    }

    pub(crate) fn lines(&self) -> String {
        let (id, at) = (self.id(), "2026-03-01T09:00:07.000000+00:00 mx postfix");
        let Mail { n, from, arrival, to, by, end } = self;
        let arrived = match *arrival {
            "" => String::new(),
            "pickup" => format!("{at}/pickup[10]: {id}: uid=33 from=<{from}>\n"),
            client => format!("{at}/smtpd[10]: {id}: {client}\n"),
        };
        let (agent, relay) = by.split_once(' ').unwrap();
        format!(
            "{arrived}{at}/cleanup[11]: {id}: message-id=<{n}@host.example>\n\
             {at}/qmgr[12]: {id}: from=<{from}>, size=1000, nrcpt=1 (queue active)\n\
             {at}/{agent}: {id}: to=<{to}>, relay={relay}, delay=1, delays=0/0/0/1, {end}\n\
             {at}/qmgr[12]: {id}: removed\n"
        )
    }
}

pub(crate) fn mail<'a>(
    n: u32,
    from: &'a str,
    arrival: &'a str,
    to: &'a str,
    by: &'a str,
    end: &'a str,
) -> Mail<'a> {
    Mail { n, from, arrival, to, by, end }
}

/// With these keys in `[[logs]]`, and these tables.
pub(crate) fn sandbox(logs: &str, tables: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let log = sandbox.path("mail.log");
    sandbox.config(&format!(
        "[[logs]]\nkind = \"postfix\"\npath = \"{}\"\ntimezone = \"UTC\"\n{logs}\n{tables}",
        log.display()
    ))
}

#[track_caller]
fn report(sandbox: &Sandbox) -> Value {
    let ran = sandbox.run(&["report", "--since", "3h", "--json"], b"");
    assert!(ran.code == 0 && ran.stderr.is_empty(), "{ran:?}");
    serde_json::from_str(&ran.stdout).unwrap()
}

/// Sent and bounced: of our own, of others, into carom.
#[track_caller]
pub(crate) fn counted(sandbox: &Sandbox) -> [(u64, u64); 3] {
    let report = report(sandbox);
    let of = |what: &str| (report[what]["sent"].as_u64().unwrap(), report[what]["bounced"].as_u64().unwrap());
    [of("totals"), of("others"), of("carom")]
}

pub(crate) fn recipients(sandbox: &Sandbox, filters: &[&str]) -> Vec<String> {
    let mut found: Vec<String> = deliveries(sandbox, filters)
        .iter()
        .map(|one| one["recipient"].as_str().unwrap().to_owned())
        .collect();
    found.sort();
    found
}

/// Ours: three sent, one bounced. Others': one sent, one bounced. Into carom: twenty sent, one refused.
fn traffic() -> String {
    let news = "news@app.example";
    let mut all = vec![
        mail(1, news, OURS, "a@dest.example", MX, SENT),
        mail(2, "www-data", "pickup", "b@dest.example", MX, SENT),
        mail(
            3,
            news,
            "client=x[203.0.113.9], sasl_method=PLAIN, sasl_username=app",
            "c@dest.example",
            MX,
            SENT,
        ),
        mail(4, news, "client=localhost[127.0.0.1]", "gone@dest.example", MX, GONE),
        mail(
            5,
            "v@stranger.example",
            STRANGER,
            "in@customer.example",
            "smtp[13] backend[192.0.2.8]:25",
            SENT,
        ),
        mail(
            6,
            "v@stranger.example",
            STRANGER,
            "nobody@customer.example",
            "smtp[13] backend[192.0.2.8]:25",
            GONE,
        ),
        mail(7, "v@stranger.example", STRANGER, "x@reject.trap.example", "pipe[14] carom", GONE),
    ];
    for n in 20..40 {
        all.push(mail(n, "v@stranger.example", STRANGER, "y@trap.example", "pipe[14] carom-trap", SENT));
    }
    all.iter().map(Mail::lines).collect()
}

#[test]
fn figures_are_of_our_own_mail_and_alerts_read_it() {
    let alert = "[[alert]]\nname = \"bounces\"\nwhen = \"bounce-rate\"\nabove = 20\nwindow = \"3h\"\nat_least = 4\n\
                 mail = [\"ops@sender.example\"]\n";
    let sandbox = sandbox("", &format!("{alert}[export]\nprometheus = \"PROM\"\n"));
    let prom = sandbox.path("carom.prom");
    let config = std::fs::read_to_string(sandbox.path("carom.toml")).unwrap();
    std::fs::write(sandbox.path("carom.toml"), config.replace("PROM", &prom.display().to_string())).unwrap();
    append(&sandbox, &ago(10, &traffic()));
    let ran = sandbox.run(&["cron", "--json"], b"");
    let done: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(done["alerts"][0]["state"], "firing", "1 of 4 bounced: {done}");
    assert_eq!(counted(&sandbox), [(3, 1), (1, 1), (20, 1)]);
    let shown = sandbox.run(&["report", "--since", "3h"], b"").stdout;
    assert!(shown.contains("75.0 % of 4 that came to an end were delivered"), "{shown}");
    assert!(shown.contains("delivered               3    75.0 %"), "{shown}");
    assert!(
        shown.contains("not included: mail that others sent through us: 1 delivered, 1 bounced"),
        "{shown}"
    );
    assert!(shown.contains("not included: mail handed to carom: 20 delivered, 1 bounced"), "{shown}");
    assert!(!shown.contains("stranger.example") && !shown.contains("trap.example"), "{shown}");
    let prom = std::fs::read_to_string(prom).unwrap();
    for line in [
        "carom_deliveries_total{status=\"sent\"} 3",
        "carom_other_deliveries_total{whose=\"carom\",status=\"sent\"} 20",
        "carom_other_deliveries_total{whose=\"others\",status=\"bounced\"} 1",
    ] {
        assert!(prom.contains(line), "{line}\n{prom}");
    }
    let own = ["a@dest.example", "b@dest.example", "c@dest.example", "gone@dest.example"];
    assert_eq!(recipients(&sandbox, &["--own"]), own);
    assert_eq!(
        recipients(&sandbox, &["--others", "--failed"]),
        ["nobody@customer.example", "x@reject.trap.example"]
    );
    let whose = |to: &str| deliveries(&sandbox, &["--recipient", to])[0]["whose"].clone();
    assert_eq!(whose("a@dest.example"), "own");
    assert_eq!(whose("in@customer.example"), "others");
    assert_eq!(whose("x@reject.trap.example"), "carom");
    assert_eq!(deliveries(&sandbox, &[]).len(), 27, "without a filter, everything is listed");
}

#[test]
fn a_rule_on_each_provider_says_what_it_does_not_watch() {
    let alert = "[[alert]]\nname = \"bounces\"\nwhen = \"bounce-rate\"\nof = \"provider:each\"\nabove = 5\n\
                 mail = [\"ops@sender.example\"]\n";
    let sandbox = sandbox("", alert);
    append(&sandbox, &ago(10, &traffic()));
    tick(&sandbox, &[]);
    let shown = || sandbox.run(&["alerts"], b"").stdout;
    let none = "no known provider with deliveries in the last 1h, threshold above 5 %; 4 deliveries to servers of no \
                known provider are not watched; of = \"recipient-domain:each\" watches all";
    assert!(shown().contains(none), "{}", shown());
    let google = "smtp[13] gmail-smtp-in.l.google.com[192.0.2.1]:25";
    append(&sandbox, &ago(5, &mail(50, "news@app.example", OURS, "a@gmail.example", google, GONE).lines()));
    tick(&sandbox, &[]);
    assert!(
        shown().contains("provider google  not enough data, threshold above 5 %; 4 deliveries to"),
        "{}",
        shown()
    );
}

#[test]
fn only_failures_of_our_own_mail_are_acted_on() {
    let sandbox = sandbox("", "");
    append(&sandbox, &ago(10, &traffic()));
    tick(&sandbox, &[]);
    let listed = sandbox.run(&["suppress", "list"], b"").stdout;
    assert!(listed.contains("gone@dest.example"), "{listed}");
    assert_eq!(listed.lines().count(), 1, "{listed}");
    assert_eq!(sandbox.counter("bounce_hard"), 1);
    // The lists of work are made again for a store that is new.
    std::fs::remove_file(sandbox.path("state/carom.db")).unwrap();
    tick(&sandbox, &[]);
    assert_eq!(sandbox.run(&["suppress", "list"], b"").stdout.lines().count(), 1);
}

#[test]
fn an_entry_of_own_makes_mail_ours_by_client_sender_domain_or_stream_and_nothing_else_does() {
    let out = "smtp-out/smtp[13] mx.dest.example[192.0.2.9]:25";
    let all = [
        mail(1, "a@one.example", OURS, "client@dest.example", MX, SENT),
        mail(2, "a@shop.example", STRANGER, "domain@dest.example", MX, SENT),
        mail(3, "a@mail.shop.example", STRANGER, "below@dest.example", MX, SENT),
        mail(4, "a@one.example", STRANGER, "stream@dest.example", out, SENT),
        mail(5, "a@one.example", "pickup", "local@dest.example", MX, SENT),
        mail(6, "a@one.example", "", "unknown@dest.example", MX, SENT),
        mail(7, "a@shop.example", OURS, "carom@dest.example", "pipe[14] bounces", SENT),
    ];
    let lines: String = all.iter().map(Mail::lines).collect();
    for (keys, own) in [
        ("own = [\"10.0.0.0/24\"]", vec!["carom", "client"]),
        ("own = [\"shop.example\"]", vec!["carom", "domain"]),
        ("own = [\"*.shop.example\", \"transport/smtp-out\"]", vec!["below", "stream"]),
        ("own = [\"local\", \"203.0.113.5\"]", vec!["below", "domain", "local", "stream"]),
        ("carom_transports = [\"bounces\"]", vec!["client", "local", "unknown"]),
        ("", vec!["carom", "client", "local", "unknown"]),
        ("own = []", vec![]),
    ] {
        let sandbox = sandbox(keys, "[index]\nact = false\n");
        append(&sandbox, &ago(10, &lines));
        tick(&sandbox, &[]);
        let found = recipients(&sandbox, &["--own"]);
        let found: Vec<&str> = found.iter().map(|to| to.split('@').next().unwrap()).collect();
        assert_eq!(found, own, "{keys}");
        assert_eq!(report(&sandbox)["totals"]["sent"], own.len(), "{keys}");
    }
}

/// As `docs/mail-logs.md` says: the instance that takes the mail hands it to the one that sends it.
#[test]
fn mail_that_one_instance_hands_to_another_counts_once_and_is_acted_on_once() {
    let taken = |n, to| mail(n, "news@app.example", OURS, to, "smtp[13] 127.0.0.1[127.0.0.1]:10026", SENT);
    let sent = |n, to, end| mail(n, "news@app.example", "client=localhost[127.0.0.1]", to, MX, end);
    let of = |instance: &str, one: Mail<'_>| one.lines().replace(" mx postfix/", &format!(" mx {instance}/"));
    let lines = [
        of("postfix-in", taken(1, "a@dest.example")),
        of("postfix-out", sent(2, "a@dest.example", SENT)),
        of("postfix-in", taken(3, "gone@dest.example")),
        of("postfix-out", sent(4, "gone@dest.example", GONE)),
    ];
    let sandbox = sandbox("own = [\"instance/postfix-out\"]", "");
    append(&sandbox, &ago(10, &lines.concat()));
    tick(&sandbox, &[]);
    assert_eq!(counted(&sandbox), [(1, 1), (2, 0), (0, 0)]);
    let found = |source| deliveries(&sandbox, &["--source", source]).len();
    assert_eq!((found("instance/postfix-in"), found("instance/postfix-out")), (2, 2));
    let listed = sandbox.run(&["suppress", "list"], b"").stdout;
    assert!(listed.lines().count() == 1 && listed.contains("gone@dest.example"), "{listed}");
    assert_eq!(sandbox.counter("bounce_hard"), 1);
}

#[test]
fn what_is_handed_to_carom_by_lmtp_or_smtp_is_no_mail_that_was_sent() {
    let sent = "dsn=2.0.0, status=sent (250 2.0.0 accepted)";
    let all = [
        ("unix", "lmtp[13] mx.example[/run/carom/lmtp]"),
        ("queue", "lmtp[13] mx.example[private/carom-lmtp]"),
        ("inet", "carom-lmtp/lmtp[13] 127.0.0.1[127.0.0.1]:2424"),
        ("smtp", "carom-in/smtp[13] bounces.example[192.0.2.7]:2525"),
        // Neither a host nor a socket of others becomes carom's by its name.
        ("host", "smtp[13] carom.example[192.0.2.8]:25"),
        ("socket", "lmtp[13] mx.example[private/dovecot-lmtp]"),
    ];
    let lines = all.iter().zip(1..).map(|((name, by), n)| {
        mail(n, "a@app.example", OURS, &format!("{name}@dest.example"), by, sent).lines()
    });
    let sandbox = sandbox("", "");
    append(&sandbox, &ago(10, &lines.collect::<String>()));
    tick(&sandbox, &[]);
    assert_eq!(recipients(&sandbox, &["--own"]), ["host@dest.example", "socket@dest.example"]);
    let handed = recipients(&sandbox, &["--others"]);
    assert_eq!(handed, ["inet@dest.example", "queue@dest.example", "smtp@dest.example", "unix@dest.example"]);
}

#[test]
fn servers_that_the_config_says_are_ours_are_ours_by_default_and_senders_are_not() {
    let all = [
        mail(1, "a@app.example", "client=h[203.0.113.7]", "server@dest.example", MX, SENT),
        mail(2, "a@learn.example", STRANGER, "application@dest.example", MX, SENT),
        mail(3, "b+x@bounces.example", STRANGER, "path@dest.example", MX, SENT),
        mail(4, "a@other.example", STRANGER, "stranger@dest.example", MX, SENT),
    ];
    let tables = "[auth]\nown_servers = [\"203.0.113.7\"]\n[verp]\nkeys = [\"a key of sixteen or more\"]\ndomain = \"bounces.example\"\n\
                  [[notify]]\nsender_domain = \"learn.example\"\nurl = \"https://learn.example/{address}\"\n"
        .replace("203.0.113.7\"", "203.0.113.7/32\"");
    let sandbox = sandbox("", &tables);
    append(&sandbox, &ago(10, &all.iter().map(Mail::lines).collect::<String>()));
    tick(&sandbox, &[]);
    // Anybody can write a sender.
    let others = ["application@dest.example", "path@dest.example", "stranger@dest.example"];
    assert_eq!(recipients(&sandbox, &["--others"]), others);
}

#[test]
fn a_content_filter_and_a_bounce_are_of_whoever_sent_the_message() {
    let back = "smtp[13] 127.0.0.1[127.0.0.1]:10024";
    let handed = mail(1, "v@stranger.example", STRANGER, "in@customer.example", back, "STATUS");
    let child = Mail {
        arrival: "client=localhost[127.0.0.1]",
        by: MX,
        ..mail(1, handed.from, "", handed.to, MX, GONE)
    };
    let child_lines = child.lines().replace("000001zZ", "000002zZ");
    let queued = "dsn=2.0.0, status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 4Xn0y8000002zZ1f)";
    // With XFORWARD, the log names the client.
    let xforward = mail(
        3,
        "v@stranger.example",
        "client=localhost[127.0.0.1], orig_queue_id=4Xn0y8000009zZ1f, orig_client=m[203.0.113.5]",
        "x@customer.example",
        MX,
        GONE,
    );
    let ours = mail(4, "news@app.example", OURS, "gone@dest.example", MX, GONE);
    let notice = |of: &Mail<'_>, n: u32, to: &str| {
        let notified = format!(
            "2026-03-01T09:00:07.000000+00:00 mx postfix/bounce[15]: {}: sender non-delivery notification: 4Xn0y8{n:06}zZ1f\n",
            of.id()
        );
        notified + &mail(n, "", "", to, "local[16] local", SENT).lines()
    };
    let pieces = [
        handed.lines().split("2026").take(4).map(|line| format!("2026{line}")).skip(1).collect::<String>(),
        child_lines,
        handed.lines().lines().skip(3).map(|line| line.replace("STATUS", queued) + "\n").collect(),
        xforward.lines() + &notice(&xforward, 5, "v@stranger.example"),
        ours.lines() + &notice(&ours, 6, "news@app.example"),
    ];
    for together in [pieces.len(), 1] {
        let sandbox = sandbox("", "");
        for some in pieces.chunks(together) {
            append(&sandbox, &ago(10, &some.concat()));
            tick(&sandbox, &[]);
        }
        // The bounce of our mail is our mail server's, and no mail that was sent: it changes no rate. Nor was what
        // the filter got.
        assert_eq!(counted(&sandbox), [(1, 1), (1, 2), (0, 0)], "{together} together");
        let shown = sandbox.run(&["report", "--since", "3h"], b"").stdout;
        assert!(shown.contains("0 % of 1 that came to an end were delivered"), "{shown}");
        assert!(shown.contains("percentages leave out 1 with the null sender"), "{shown}");
    }
}

#[test]
fn an_entry_that_says_nothing_is_an_error_with_its_fix() {
    for (keys, what) in [
        ("own = [\"lokal\"]", "[[logs]] own: \"lokal\" is not an entry"),
        ("own = [\"smtp/out\"]", "is neither a network nor a stream"),
        (
            "carom_transports = [\"a*b*\"]",
            "[[logs]] carom_transports: \"a*b*\" is not the name of a transport",
        ),
    ] {
        let sandbox = sandbox(keys, "");
        append(&sandbox, &ago(10, &traffic()));
        let ran = sandbox.run(&["cron"], b"");
        assert!(ran.code == 1 && ran.stderr.contains(what) && ran.stderr.contains("use "), "{keys}: {ran:?}");
    }
}
