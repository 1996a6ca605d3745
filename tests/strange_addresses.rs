//! Addresses, headers and senders that strangers write into mail logs: they name nobody and make no mail ours.

use crate::harness::Sandbox;
use crate::harness::mail_log::ago;
use crate::logs::deliveries;
use crate::statistics::{append, tick};

const MX: &str = "R=dnslookup T=remote_smtp H=mx.evil.example [192.0.2.9]";
const REFUSED: &str = ": SMTP error from remote mail server after RCPT TO:<x>: 550 5.1.1 User unknown";
/// How applications that relay their mail through us are known, as far as carom knows.
const TABLES: &str = "[verp]\nkeys = [\"a key of at least sixteen octets\"]\ndomain = \"bounces.shop.example\"\n\
    [[notify]]\nsender_domain = \"shop.example\"\nurl = \"https://127.0.0.1:1/x\"\n\
    secrets = [\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"]\n";

/// What a tick makes of a log: the addresses on the list, and whose mail the deliveries are.
struct Read {
    suppressed: Vec<String>,
    whose: Vec<String>,
}

#[track_caller]
fn read(kind: &str, lines: &str) -> Read {
    let sandbox = Sandbox::new();
    let log = sandbox.path("mail.log").display().to_string();
    let sandbox = sandbox
        .config(&format!("[[logs]]\nkind = \"{kind}\"\npath = \"{log}\"\ntimezone = \"UTC\"\n{TABLES}"));
    append(&sandbox, lines);
    tick(&sandbox, &[]);
    let listed = sandbox.run(&["suppress", "list"], b"").stdout;
    let suppressed = listed.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    let whose = deliveries(&sandbox, &[]).into_iter().map(|one| one["whose"].as_str().unwrap().to_owned());
    Read { suppressed, whose: whose.collect() }
}

/// Ten minutes ago, as Exim and PowerMTA write it.
fn stamp() -> String {
    ago(10, "2026-03-01T09:00:07").replace('T', " ")
}

fn exim(lines: &[String]) -> Read {
    let at = stamp();
    read("exim", &lines.iter().map(|line| format!("{at} 1rXabc-000000-00 {line}\n")).collect::<String>())
}

fn postfix(lines: &[&str]) -> Read {
    let stamped = lines.iter().map(|line| format!("2026-03-01T09:00:07.000000+00:00 mx postfix/{line}\n"));
    read("postfix", &ago(10, &stamped.collect::<String>()))
}

/// Addresses whose local parts look like the rest of a line about somebody else.
const DECEITFUL: [&str; 8] = [
    r#""victim@live.example: 550 5.1.1 User unknown"@evil.example"#,
    r#""victim@live.example F=<a@b> x"@evil.example"#,
    r#""victim@live.example R=dnslookup T=remote_smtp: 550 5.1.1 user unknown"@evil.example"#,
    r#""x <victim@live.example>: 550 5.1.1 User unknown"@evil.example"#,
    r#""victim@live.example <victim@live.example>: 550 5.1.1 User unknown"@evil.example"#,
    r#""victim@live.example: 550 5.1.1 User \"unknown\\"@evil.example"#,
    r#"v."ictim@live.example: 550 5.1.1 User unknown"@evil.example"#,
    r#""victim@live.example <\"x"@evil.example"#,
];

/// Without quotes and backslashes that quote, as Exim and old releases of Postfix write it.
fn internal(address: &str) -> String {
    let (mut plain, mut bytes) = (String::new(), address.chars());
    while let Some(c) = bytes.next() {
        match c {
            '"' => {}
            '\\' => plain.extend(bytes.next()),
            c => plain.push(c),
        }
    }
    plain
}

#[test]
fn a_quoted_address_in_a_log_of_exim_names_nobody_else() {
    for address in DECEITFUL {
        let shown = internal(address);
        let found = exim(&[
            format!("<= app@shop.example U=app P=local S=500 id=1@shop.example for {address}"),
            format!("** {shown} <{address}> F=<app@shop.example> {MX}{REFUSED}"),
            "Completed".into(),
        ]);
        assert_eq!(
            (&found.suppressed[..], &found.whose[..]),
            (&[][..], &["own".to_owned()][..]),
            "{address}"
        );
    }
    // One that can be read in one way only is what it always was.
    let found = exim(&[
        "<= app@shop.example U=app P=local S=500 id=1@shop.example".into(),
        format!("** gone@there.example <Gone@there.example> F=<app@shop.example> {MX}{REFUSED}"),
        "Completed".into(),
    ]);
    assert_eq!(found.suppressed, ["gone@there.example"]);
}

#[test]
fn what_exim_delivers_to_a_quoted_address_is_no_sign_of_life_of_another() {
    let address = r#""victim@live.example R=a T=remote_smtp"@evil.example"#;
    let sandbox = Sandbox::new();
    let log = sandbox.path("mail.log").display().to_string();
    let sandbox =
        sandbox.config(&format!("[[logs]]\nkind = \"exim\"\npath = \"{log}\"\ntimezone = \"UTC\"\n"));
    let (at, shown) = (stamp(), internal(address));
    let lines = format!(
        "{at} 1rXabc-000000-00 <= app@shop.example U=app P=local S=500 id=1@shop.example\n\
         {at} 1rXabc-000000-00 => {shown} <{address}> {MX} C=\"250 ok\"\n"
    );
    append(&sandbox, &lines);
    tick(&sandbox, &[]);
    assert!(deliveries(&sandbox, &["--recipient", "victim@live.example"]).is_empty());
    assert_eq!(deliveries(&sandbox, &[])[0]["recipient"], address);
}

#[test]
fn an_address_that_postfix_logs_without_its_quotes_names_nobody_else() {
    let more = "relay=a, delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced";
    for address in [
        format!("victim@live.example>, {more} (x@evil.example"),
        format!("x>, orig_to=<victim@live.example>, {more} (550 5.1.1 user unknown)@evil.example"),
        "x>, orig_to=<victim@live.example>, conn_use=2, a=b@evil.example".into(),
        format!("\"victim\"@live.example>, {more} (x@evil.example"),
    ] {
        let attempt = format!(
            "smtp[3]: E9386A3A2BC: to=<{address}>, relay=mx.evil.example[192.0.2.9]:25, delay=0.1, delays=0/0/0/0.1, \
             dsn=5.1.1, status=bounced (host mx.evil.example[192.0.2.9] said: 550 5.1.1 User unknown (in reply to RCPT \
             TO command))"
        );
        let found = postfix(&[
            "pickup[1]: E9386A3A2BC: uid=0 from=<app@shop.example>",
            "qmgr[2]: E9386A3A2BC: from=<app@shop.example>, size=270, nrcpt=1 (queue active)",
            &attempt,
            "qmgr[2]: E9386A3A2BC: removed",
        ]);
        assert_eq!(
            (&found.suppressed[..], &found.whose[..]),
            (&[][..], &["own".to_owned()][..]),
            "{address}"
        );
    }
}

#[test]
fn no_message_id_header_or_sender_of_a_stranger_makes_his_mail_ours() {
    let gone = "** gone@there.example <eve@company.example> R=dnslookup T=remote_smtp H=mx.there.example \
        [192.0.2.9]: SMTP error from remote mail server after RCPT TO:<gone@there.example>: 550 5.1.1 User unknown";
    for (sender, id) in [
        ("x@evil.example", "1@evil.example"),
        ("x@evil.example", r#"a."x A=plain:boss"@evil.example"#),
        ("x@evil.example", r#"a."x H=localhost [127.0.0.1]"@evil.example"#),
        ("x@evil.example", r#""x"."y A=plain:boss P=esmtpa"@evil.example"#),
        ("x@evil.example", "98494.1.1@shop.example"),
        (r#"a."x A=plain:boss y"@evil.example"#, "1@evil.example"),
        (r#""x\"@y H=localhost [127.0.0.1] A=plain:boss "@evil.example"#, "1@evil.example"),
        ("x@shop.example", "1@evil.example"),
        ("x@bounces.shop.example", "1@evil.example"),
    ] {
        let arrival = format!(
            "<= {sender} H=evil.example [203.0.113.9] P=esmtp S=500 id={id} from <\"x A=plain:b\"@evil.example> for \
             eve@company.example"
        );
        let found = exim(&[arrival, gone.into(), "Completed".into()]);
        assert_eq!((found.suppressed, found.whose), (vec![], vec!["others".to_owned()]), "{sender} {id}");
    }
    for (sender, id, header) in [
        ("x@evil.example", "1@evil.example", ""),
        ("x@shop.example", "1@evil.example", ""),
        ("x@bounces.shop.example", "1@evil.example", ""),
        ("x@evil.example", "98494.1.1@shop.example", ""),
        ("x@evil.example", "1@evil.example", "client-id: shop1"),
    ] {
        let header = format!(
            "cleanup[2]: 4Xn0y8000001zZ1f: info: header {header} from evil.example[203.0.113.9]; from=<{sender}> \
             to=<eve@company.example> proto=ESMTP helo=<evil>"
        );
        let found = postfix(&[
            "smtpd[1]: 4Xn0y8000001zZ1f: client=evil.example[203.0.113.9]",
            &header,
            &format!("cleanup[2]: 4Xn0y8000001zZ1f: message-id=<{id}>"),
            &format!("qmgr[2]: 4Xn0y8000001zZ1f: from=<{sender}>, size=1000, nrcpt=1 (queue active)"),
            "smtp[3]: 4Xn0y8000001zZ1f: to=<gone@there.example>, orig_to=<eve@company.example>, \
             relay=mx.there.example[192.0.2.9]:25, delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced (host \
             mx.there.example[192.0.2.9] said: 550 5.1.1 User unknown (in reply to RCPT TO command))",
            "qmgr[2]: 4Xn0y8000001zZ1f: removed",
        ]);
        assert_eq!((found.suppressed, found.whose), (vec![], vec!["others".to_owned()]), "{sender} {id}");
    }
}

#[test]
fn who_hands_mail_in_makes_it_ours_whatever_the_sender() {
    for arrival in [
        "smtpd[1]: 4Xn0y8000001zZ1f: client=app.example[203.0.113.9], sasl_method=PLAIN, sasl_username=app",
        "smtpd[1]: 4Xn0y8000001zZ1f: client=app.example[10.1.2.3]",
        "smtpd[1]: 4Xn0y8000001zZ1f: client=localhost[127.0.0.1]",
        "pickup[1]: 4Xn0y8000001zZ1f: uid=33 from=<news@any.example>",
    ] {
        let found = postfix(&[
            arrival,
            "qmgr[2]: 4Xn0y8000001zZ1f: from=<news@any.example>, size=1000, nrcpt=1 (queue active)",
            "smtp[3]: 4Xn0y8000001zZ1f: to=<gone@there.example>, relay=mx.there.example[192.0.2.9]:25, delay=1, \
             delays=0/0/0/1, dsn=5.1.1, status=bounced (host mx.there.example[192.0.2.9] said: 550 5.1.1 User unknown \
             (in reply to RCPT TO command))",
        ]);
        assert_eq!(found.suppressed, ["gone@there.example"], "{arrival}");
    }
    let found = exim(&[
        "<= news@any.example H=app.example [203.0.113.9] P=esmtpsa X=TLS1.3:x:256 CV=no A=plain:app S=5 id=1@any.example"
            .into(),
        format!("** gone@there.example {MX}{REFUSED}"),
    ]);
    assert_eq!(found.suppressed, ["gone@there.example"]);
}

/// Of an alias with these members: the agent's line about each, without its beginning.
fn alias(recipients: u32, members: &[(&str, &str)]) -> Vec<String> {
    let queue_id = "4Xn0y8000001zZ1f";
    let mut lines = vec![
        format!("pickup[1]: {queue_id}: uid=33 from=<news@shop.example>"),
        format!(
            "qmgr[2]: {queue_id}: from=<news@shop.example>, size=1000, nrcpt={recipients} (queue active)"
        ),
    ];
    for (member, end) in members {
        lines.push(format!(
            "smtp[3]: {queue_id}: to=<{member}@there.example>, orig_to=<sales@company.example>, \
             relay=mx.there.example[192.0.2.9]:25, delay=1, delays=0/0/0/1, {end}"
        ));
    }
    lines
}

#[test]
fn an_alias_is_dead_when_all_its_members_are_and_else_the_member_is() {
    const SENT: &str = "dsn=2.0.0, status=sent (250 ok)";
    const LATER: &str =
        "dsn=4.2.2, status=deferred (host mx said: 452 4.2.2 full (in reply to RCPT TO command))";
    const GONE: &str = "dsn=5.1.1, status=bounced (host mx.there.example[192.0.2.9] said: 550 5.1.1 User unknown (in \
        reply to RCPT TO command))";
    for (recipients, members, suppressed) in [
        (2, &[("bob", SENT), ("alice", GONE)][..], &["alice@there.example"][..]),
        (2, &[("alice", GONE), ("bob", SENT)], &["alice@there.example"]),
        (2, &[("alice", GONE), ("bob", LATER)], &["alice@there.example"]),
        (2, &[("alice", GONE)], &["alice@there.example"]),
        (2, &[("alice", GONE), ("bob", GONE)], &["sales@company.example"]),
        (1, &[("alice", GONE)], &["sales@company.example"]),
    ] {
        let lines = alias(recipients, members);
        let found = postfix(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(found.suppressed, suppressed, "{members:?}");
    }
    // Exim does not say how many there are.
    let found = exim(&[
        "<= app@shop.example U=app P=local S=500 id=1@shop.example for sales@company.example".into(),
        format!("=> bob@there.example <sales@company.example> {MX} C=\"250 ok\""),
        format!("** alice@there.example <sales@company.example> {MX}{REFUSED}"),
        "Completed".into(),
    ]);
    assert_eq!(found.suppressed, ["alice@there.example"]);
}

#[test]
fn the_original_recipient_that_a_sender_claims_to_powermta_is_nobody() {
    let record = format!(
        "type,timeLogged,timeQueued,orig,rcpt,orcpt,dsnAction,dsnStatus,dsnDiag,dsnMta,bounceCat\n\
        b,{0}+0000,{0}+0000,x@shop.example,own@evil.example,rfc822;victim@live.example,\
        failed,\"5.1.1 (bad destination mailbox address)\",smtp;550 5.1.1 user unknown,mx (1.2.3.4),bad-mailbox\n",
        stamp()
    );
    assert_eq!(read("powermta", &record).suppressed, ["own@evil.example"]);
}
